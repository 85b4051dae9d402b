    // for the failures: somebody else, and credentials that are worth nothing any more
    if (uses("strangerJWT") || uses("strangerEmail")) {
        const token = pm.environment.get("strangerJWT");
        if (!token || (await send("GET", "<get_user>", { token })).code !== 200) {
            const stranger = await newAccount();
            set({ strangerJWT: stranger.token, strangerEmail: stranger.email });
        }
    }
    if (uses("revokedJWT")) {
        const { token } = await logIn();
        await success("POST", "<log_out>", { token });
        pm.variables.set("revokedJWT", token);
    }
    if (uses("goneJWT")) {
        const { token } = await newAccount();
        await success("DELETE", "<delete_user>", { token });
        pm.variables.set("goneJWT", token);
    }
    if (uses("forgedJWT")) {
        const [head, claims, signature] = pm.environment.get("JWT").split(".");
        const forged = (signature[0] === "A" ? "B" : "A") + signature.slice(1);
        pm.variables.set("forgedJWT", [head, claims, forged].join("."));
    }
    if (["disabledJWT", "disabledEmail", "disabledRefreshToken"].some(uses)) {
        const token = pm.environment.get("disabledJWT");
        const answer = token ? await send("GET", "<get_user>", { token }) : { code: 401 };
        if (answer.code !== 200 || answer.json().status !== "disabled") {
            const account = await newAccount();
            const users = resources.find(({ variable }) => variable === "userId");
            const disable = { token: await haveAdmin(), body: { status: "disabled" }, headers: { "If-Match": "*" } };
            await success("PATCH", `${users.path}/${account.id}`, disable);
            set({ disabledJWT: account.token, disabledRefreshToken: account.refresh_token });
            set({ disabledEmail: account.email, disabledPassword: account.password });
        }
    }
    if (uses("takenName")) {
        const name = `postman-${random()}`;
        await newGroup(await haveAdmin(), name);
        pm.variables.set("takenName", name);
    }
    if (uses("invitedEmail")) {
        const email = `postman-${random()}@example.org`;
        await success("POST", "<create_invited_guest>", { token: await haveAdmin(), body: { email } });
        pm.variables.set("invitedEmail", email);
    }
    if (uses("grantedGroupId")) {
        const token = await haveAdmin();
        const id = await newGroup(token);
        await success("POST", "<create_grant>", { token, body: { group_id: id, permission: "can_edit_post" } });
        pm.variables.set("grantedGroupId", id);
    }
    if (uses("disabledWebhookId")) {
        const [id, token] = [pm.environment.get("disabledWebhookId"), await haveAdmin()];
        const webhooks = resources.find(({ variable }) => variable === "webhookId");
        const found = id ? await send("GET", `${webhooks.path}/${id}`, { token }) : { code: 404 };
        if (found.code !== 200 || found.json().enabled) {
            const made = (await create(webhooks)).json();
            const disable = { token, body: { enabled: false }, headers: { "If-Match": "*" } };
            await success("PATCH", `${webhooks.path}/${made.id}`, disable);
            set({ disabledWebhookId: made.id });
        }
    }
    if (uses("usedRefreshToken")) {
        const { refresh_token } = await logIn();
        await success("POST", "<refresh_token>", { body: { refresh_token } });
        pm.variables.set("usedRefreshToken", refresh_token);
    }
    if (uses("votedPostId") || uses("unvotedPostId")) {
        const token = pm.environment.get("JWT");
        const post = (await create(resources.find(({ variable }) => variable === "postId"))).json();
        pm.variables.set("unvotedPostId", post.id);
        if (uses("votedPostId")) {
            await success("POST", "<vote>", { token, body: { post_id: post.id, vote_dir: 1 } });
            pm.variables.set("votedPostId", post.id);
        }
    }
    // one more than a body may have by default; gone again for the next request, which would carry it along
    pm.variables.set("tooLarge", uses("tooLarge") ? "x".repeat(1024 * 1024 + 1) : "");
