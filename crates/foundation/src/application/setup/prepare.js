// Runs before every request: what the request uses and the environment lacks is made, so that each request and each
// folder runs alone, in any order, and again. What is there is asked for first: a session may have ended, an account
// or a post may be gone.
const sent = JSON.stringify(pm.request.toJSON());
const uses = (name) => sent.includes(`{{${name}}}`);
const isPublic = pm.request.auth !== undefined && pm.request.auth.type === "noauth";

const exchange = (method, path, { token, body, headers = {} } = {}) => new Promise((resolve, reject) => {
    const message = { url: pm.variables.get("baseUrl") + path, method, header: { ...headers } };
    if (token) {
        message.header.Authorization = `Bearer ${token}`;
    }
    if (body) {
        message.header["Content-Type"] = "application/json";
        const text = typeof body === "string" ? pm.variables.replaceIn(body) : JSON.stringify(body);
        message.body = { mode: "raw", raw: text };
    }
    pm.sendRequest(message, (error, response) => (error ? reject(error) : resolve(response)));
});

// a server that has had enough calls of this kind says when it takes the next
const send = async (method, path, options) => {
    const response = await exchange(method, path, options);
    if (response.code !== 429) {
        return response;
    }
    const seconds = Number(response.headers.get("Retry-After")) || 1;
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    return send(method, path, options);
};

const success = async (method, path, options) => {
    const response = await send(method, path, options);
    if (response.code >= 300) {
        throw new Error(`${method} ${path}: ${response.code} ${response.text()}`);
    }
    return response;
};

const random = () => `${Date.now()}-${Math.floor(Math.random() * 1e9)}`;
const set = (values) => Object.entries(values).forEach(([name, value]) => pm.environment.set(name, value));

const newAccount = async () => {
    const account = { email: `postman-${random()}@example.org`, password: `pass-${random()}` };
    const session = (await success("POST", "<register_user>", { body: account })).json();
    return { ...account, ...session };
};

// the account of JWT, if the token works; none if another address stands in `email` meanwhile
const caller = async () => {
    const [token, email] = [pm.environment.get("JWT"), pm.environment.get("email")];
    const answer = token ? await send("GET", "<get_user>", { token }) : { code: 401 };
    const isIt = answer.code === 200 && (!email || answer.json().email === email.toLowerCase());
    return isIt ? answer.json() : undefined;
};

const logIn = async () => {
    const [email, password] = [pm.environment.get("email"), pm.environment.get("password")];
    const answer = email && password ? await send("POST", "<authenticate>", { body: { email, password } }) : { code: 401 };
    if (answer.code === 200) {
        return answer.json();
    }
    if (answer.code !== 400 && answer.code !== 401) {
        throw new Error(`cannot log in: ${answer.code} ${answer.text()}`);
    }
    const account = await newAccount();
    console.log(`${email || "nobody"} cannot log in (${answer.code}): registered ${account.email}`);
    set({ email: account.email, password: account.password });
    return account;
};

const haveSession = async () => {
    const me = await caller();
    if (me && !(uses("refreshToken") && !pm.environment.get("refreshToken"))) {
        return me.id;
    }
    const session = await logIn();
    set({ JWT: session.token, refreshToken: session.refresh_token });
    return session.id;
};

// whoever keeps users and rights; the demo data has one
const haveAdmin = async () => {
    const token = pm.environment.get("adminJWT");
    const answer = token ? await send("GET", "<get_user>", { token }) : { code: 401 };
    if (answer.code === 200 && answer.json().role === "admin") {
        return token;
    }
    const [email, password] = [pm.environment.get("adminEmail"), pm.environment.get("adminPassword")];
    const session = await send("POST", "<authenticate>", { body: { email, password } });
    if (session.code !== 200) {
        throw new Error(`no admin: ${session.code}; put an admin's address and password into adminEmail, adminPassword`);
    }
    set({ adminJWT: session.json().token });
    return session.json().token;
};

const newGroup = async (token, name = `postman-${random()}`) =>
    (await success("POST", "<create_group>", { token, body: { name } })).json().id;

const resources = <resources>;

// what the request names, and what is needed to make that
const needs = () => {
    const needed = [];
    for (const resource of [...resources].reverse()) {
        const within = needed.some(({ body }) => body.includes(`{{${resource.variable}}}`));
        if (uses(resource.variable) || within) {
            needed.unshift(resource);
        }
    }
    return needed;
};

const tokenFor = ({ admin }) => pm.environment.get(admin ? "adminJWT" : "JWT");

const create = async (resource) => {
    if (resource.body.includes("{{newGroupId}}")) {
        pm.variables.set("newGroupId", await newGroup(tokenFor(resource)));
    }
    return success("POST", resource.path, { token: tokenFor(resource), body: resource.body });
};

// a thing of the caller's own, and its present tag
const haveOwn = async (resource, me) => {
    const [id, token] = [pm.environment.get(resource.variable), tokenFor(resource)];
    let found = id ? await send("GET", `${resource.path}/${id}`, { token }) : { code: 404 };
    const isMine = (thing) => !("owner" in thing) || (thing.owner !== null && thing.owner.id === me);
    if (found.code !== 200 || !isMine(found.json())) {
        found = await create(resource);
    }
    set({ [resource.variable]: found.json()[resource.key], etag: found.headers.get("ETag") });
};

const prepare = async () => {
    // texts that are new each time
    pm.variables.set("newEmail", `postman-${random()}@example.org`);
    pm.variables.set("newPassword", `pass-${random()}`);
    pm.variables.set("newName", `postman-${random()}`);
    <first>
    // of a letter that somebody has read, or one that is refused
    pm.variables.set("letterCode", pm.environment.get("letterCode") || "QmV0dGVyIG5vdCB0byB1c2UgdGhpcyBvbmUuIEV4YW0");
    const needed = needs();
    if (["adminJWT", "newGroupId"].some(uses) || needed.some(({ admin }) => admin)) {
        await haveAdmin();
    }
    if (uses("newGroupId")) {
        pm.variables.set("newGroupId", await newGroup(pm.environment.get("adminJWT")));
    }
    if (!isPublic || needed.length > 0 || ["email", "password", "refreshToken"].some(uses)) {
        const me = await haveSession();
        for (const resource of needed) {
            await haveOwn(resource, me);
        }
    }
    <parts>
};

prepare().catch((error) => pm.test("what this request needs can be made", () => { throw error; }));
