//! How each code is provoked: by one change to the valid request of an operation that has what the code is about.

use serde_json::{Map, Value, json};

use crate::postman::collection::bearer;
use crate::postman::flow;
use crate::postman::operation::{Operation, text};
use crate::postman::request::{self, address};
use crate::postman::schema::resolved;
use crate::postman::scripts::Blamed;

/// One code, and the change that provokes it. It is tried on each operation that documents the status.
pub struct Recipe {
    pub status: u16,
    pub code: &'static str,
    /// One operation shows it for all: what answers stands in front of them.
    pub once: bool,
    /// Sent behind everything else.
    pub last: bool,
    /// Changes the request; none if the operation has nothing to go wrong so.
    change: fn(&mut Attempt<'_>) -> Option<()>,
}

/// A code that no click provokes.
pub struct Unreachable {
    pub status: u16,
    pub code: &'static str,
    pub why: &'static str,
    /// Operations that document the status for this code alone, where others show it with a click.
    pub of: &'static [&'static str],
}

pub const UNREACHABLE: &[Unreachable] = &[
    Unreachable {
        status: 401,
        code: "token_expired",
        why: "a token of this server must first grow older than its lifetime",
        of: &[],
    },
    Unreachable {
        status: 401,
        code: "refresh_token_reused",
        why: "a refresh token must have been used for some seconds before it is used again",
        of: &[],
    },
    Unreachable {
        status: 401,
        code: "fresh_login_required",
        why: "the login must first grow older than five minutes",
        of: &[],
    },
    Unreachable {
        status: 401,
        code: "identity_unknown",
        why: "the server must be set to an identity provider",
        of: &[],
    },
    Unreachable {
        status: 403,
        code: "email_unverified",
        why: "the server must be set to ask for a verified address",
        of: &[],
    },
    Unreachable { status: 408, code: "request_timeout", why: "Postman sends a body whole, never half of it", of: &[] },
    Unreachable {
        status: 409,
        code: "last_admin",
        why: "it would take an admin away if there were another",
        of: &["delete_user", "update_user_by_id", "delete_user_by_id"],
    },
    Unreachable {
        status: 409,
        code: "vetoed",
        why: "the server must be set to refuse the change",
        of: &[
            "change_password",
            "confirm_password_reset",
            "verify_email",
            "delete_user",
            "update_user_by_id",
            "delete_user_by_id",
            "delete_group",
            "add_group_member",
            "remove_group_member",
            "update_permission",
            "delete_permission",
            "delete_grant",
            "create_post",
            "replace_post",
            "update_post",
            "delete_post",
            "delete_invited_guest",
            "accept_invitation",
            "update_webhook",
            "delete_webhook",
        ],
    },
    Unreachable {
        status: 409,
        code: "too_many_webhooks",
        why: "it would take webhooks away from whoever has some",
        of: &["create_webhook"],
    },
    Unreachable {
        status: 409,
        code: "idempotency_key_in_use",
        why: "another request with the key must be running",
        of: &[],
    },
    Unreachable {
        status: 422,
        code: "idempotency_key_reused",
        why: "the key must have been sent with another request before",
        of: &[
            "create_user",
            "create_group",
            "create_permission",
            "create_grant",
            "create_post",
            "create_invited_guest",
            "create_webhook",
        ],
    },
    Unreachable { status: 500, code: "internal", why: "a fault of the server cannot be asked for", of: &[] },
    Unreachable { status: 503, code: "database_unavailable", why: "needs the server's database to go away", of: &[] },
    Unreachable { status: 503, code: "database_unwritable", why: "needs a full disk", of: &[] },
    Unreachable { status: 503, code: "issuer_unavailable", why: "needs an identity provider that is away", of: &[] },
    Unreachable { status: 503, code: "overloaded", why: "needs more load than one client makes", of: &[] },
    Unreachable { status: 503, code: "timeout", why: "needs a statement that hangs", of: &[] },
];

const fn each(status: u16, code: &'static str, change: fn(&mut Attempt<'_>) -> Option<()>) -> Recipe {
    Recipe { status, code, once: false, last: false, change }
}

const fn once(status: u16, code: &'static str, change: fn(&mut Attempt<'_>) -> Option<()>) -> Recipe {
    Recipe { status, code, once: true, last: false, change }
}

pub const RECIPES: &[Recipe] = &[
    each(400, "unknown_parameter", |attempt| {
        attempt.query("unknown", "1");
        attempt.blame("query.unknown", None)
    }),
    each(400, "malformed_body", |attempt| attempt.raw(if attempt.is_form() { "%zz" } else { "{\"" }, None)),
    each(400, "invalid", |attempt| attempt.invalid_body().or_else(|| attempt.invalid_parameter())),
    each(400, "unknown_field", |attempt| {
        let closed = attempt.operation.body_schema()?["additionalProperties"] == false;
        closed.then(|| attempt.field("unknown", json!("1")))?;
        attempt.blame("body", Some("/unknown"))
    }),
    each(400, "empty_patch", |attempt| {
        attempt.operation.body_schema()?.get("minProperties")?;
        attempt.raw("{}", None)?;
        attempt.blame("body", Some(""))
    }),
    each(400, "invalid_cursor", |attempt| {
        attempt.takes_query("cursor")?;
        attempt.query("cursor", "not-a-cursor");
        attempt.blame("query.cursor", None)
    }),
    each(400, "wrong_password", |attempt| {
        attempt.known_field("old_password", json!("not the password"))?;
        attempt.blame("body", Some("/old_password"))
    }),
    each(400, "password_common", |attempt| {
        // where one is set, not presented
        let properties = attempt.operation.body_properties();
        let (name, _) = properties.into_iter().find(|(_, schema)| schema["minLength"] == 8)?;
        attempt.known_field(name, json!("Password1"))?;
        attempt.blame("body", Some(&format!("/{name}")))
    }),
    each(400, "password_personal", |attempt| {
        // the address is in the request, beside the password
        attempt.known_field("email", json!("somebody.else@example.com"))?;
        let properties = attempt.operation.body_properties();
        properties.into_iter().find(|(name, schema)| *name == "password" && schema["minLength"] == 8)?;
        attempt.known_field("password", json!("somebody.else@example.com"))?;
        attempt.blame("body", Some("/password"))
    }),
    each(400, "reset_invalid", |attempt| attempt.unknown_code("confirm_password_reset")),
    each(400, "invitation_invalid", |attempt| attempt.unknown_code("accept_invitation")),
    each(400, "verification_invalid", |attempt| attempt.unknown_code("verify_email")),
    each(401, "unauthenticated", |attempt| attempt.as_caller(json!({"type": "noauth"}))),
    once(401, "scheme_missing", |attempt| {
        attempt.header("Authorization", "Basic YW5uOnBhc3N3b3Jk");
        attempt.as_caller(json!({"type": "noauth"}))
    }),
    once(401, "token_malformed", |attempt| attempt.as_caller(bearer("not-a-token"))),
    once(401, "token_signature", |attempt| attempt.as_caller(bearer("{{forgedJWT}}"))),
    once(401, "token_revoked", |attempt| attempt.as_caller(bearer("{{revokedJWT}}"))),
    once(401, "user_gone", |attempt| attempt.as_caller(bearer("{{goneJWT}}"))),
    each(401, "invalid_credentials", |attempt| {
        attempt.operation.is_public().then_some(())?;
        attempt.known_field("password", json!("not the password"))
    }),
    each(401, "refresh_token_invalid", |attempt| {
        attempt.requires("refresh_token")?;
        attempt.known_field("refresh_token", json!("not-a-token"))
    }),
    each(401, "refresh_token_used", |attempt| {
        attempt.requires("refresh_token")?;
        attempt.known_field("refresh_token", json!("{{usedRefreshToken}}"))
    }),
    each(403, "forbidden", |attempt| {
        flow::is_its_owners(attempt.operation).then_some(())?;
        attempt.as_caller(bearer("{{strangerJWT}}"))
    }),
    each(403, "account_disabled", |attempt| {
        if !attempt.operation.is_public() {
            return attempt.as_caller(bearer("{{disabledJWT}}"));
        }
        attempt
            .known_field("refresh_token", json!("{{disabledRefreshToken}}"))
            .filter(|()| attempt.requires("refresh_token").is_some())
            .or_else(|| {
                attempt.known_field("email", json!("{{disabledEmail}}"));
                attempt.known_field("username", json!("{{disabledEmail}}"));
                attempt.known_field("password", json!("{{disabledPassword}}"))
            })
    }),
    each(404, "not_found", |attempt| attempt.unknown_in_path().or_else(|| attempt.unknown_in_body())),
    each(404, "not_voted", |attempt| {
        attempt.known_field("post_id", json!("{{unvotedPostId}}"))?;
        attempt.known_field("vote_dir", json!(0))
    }),
    each(409, "email_in_use", |attempt| {
        attempt.known_field("email", json!("{{strangerEmail}}"))?;
        // one's own account moves with its password only
        if attempt.operation.id == "update_user" {
            attempt.known_field("password", json!("{{password}}"))?;
        }
        Some(())
    }),
    each(409, "name_in_use", |attempt| {
        let properties = attempt.operation.body_properties();
        let (_, schema) = properties.iter().find(|(name, _)| *name == "name")?;
        // an account may have the name of another
        properties.iter().all(|(name, _)| *name != "email").then_some(())?;
        let taken = if schema.get("pattern").is_some_and(|form| text(form).starts_with("^can_")) {
            "can_edit_post"
        } else {
            "{{takenName}}"
        };
        attempt.known_field("name", json!(taken))
    }),
    each(409, "already_invited", |attempt| {
        (attempt.operation.id == "create_invited_guest").then_some(())?;
        attempt.known_field("email", json!("{{invitedEmail}}"))
    }),
    each(409, "already_granted", |attempt| {
        attempt.known_field("permission", json!("can_edit_post"))?;
        attempt.known_field("group_id", json!("{{grantedGroupId}}"))
    }),
    each(409, "webhook_disabled", |attempt| {
        attempt.operation.path.starts_with("/api/v1/webhooks/{id}/").then_some(())?;
        let variables = attempt.request["url"]["variable"].as_array_mut()?;
        variables.iter_mut().find(|variable| variable["key"] == "id")?["value"] = json!("{{disabledWebhookId}}");
        Some(())
    }),
    each(409, "already_voted", |attempt| {
        attempt.known_field("post_id", json!("{{votedPostId}}"))?;
        attempt.known_field("vote_dir", json!(1))
    }),
    each(412, "precondition_failed", |attempt| {
        attempt.drop_header("If-Match")?;
        attempt.header("If-Match", "\"0-0000000000000000\"");
        Some(())
    }),
    each(413, "payload_too_large", |attempt| {
        let properties = attempt.operation.body_properties();
        let document = attempt.operation.document;
        let (name, _) = properties.into_iter().find(|(_, schema)| resolved(document, schema)["type"] != "object")?;
        attempt.known_field(name, json!("{{tooLarge}}"))
    }),
    each(415, "unsupported_media_type", |attempt| attempt.raw("Hello", Some("text/plain"))),
    each(428, "precondition_required", |attempt| attempt.drop_header("If-Match")),
    Recipe {
        status: 429,
        code: "rate_limited",
        once: false,
        last: true,
        change: |attempt| {
            attempt.before = UNTIL_REFUSED.lines().map(str::to_owned).collect();
            Some(())
        },
    },
];

/// No body: what is refused for its media type is counted, and costs the server nothing. The last call is one that is
/// refused right behind one that was not: only then is it a whole interval until the server takes the next.
const UNTIL_REFUSED: &str = r#"// the same call again and again, until the server has had enough; 30 a minute is what it allows by default
const call = (left, refused) => pm.sendRequest({
    url: pm.variables.replaceIn(pm.request.url.toString()),
    method: pm.request.method,
    header: { Authorization: pm.variables.replaceIn("Bearer {{JWT}}") },
}, (error, response) => {
    const again = !error && response.code === 429;
    if (left > 0 && !error && (refused || !again)) {
        setTimeout(() => call(left - 1, again), again ? 50 : 0);
    }
});
call(1000, true);"#;

/// Nothing has this id: it is the largest integer that JavaScript holds exactly.
const UNKNOWN_ID: &str = "9007199254740991";

/// Nothing has this name.
const UNKNOWN_NAME: &str = "can_do_nothing";

/// A request on its way to be refused.
pub struct Attempt<'a> {
    pub operation: &'a Operation<'a>,
    pub request: Value,
    pub before: Vec<String>,
    pub blamed: Option<Blamed>,
    values: Map<String, Value>,
}

impl<'a> Attempt<'a> {
    /// The valid request of the operation with the change of the recipe, if it fits.
    pub fn new(operation: &'a Operation<'a>, recipe: &Recipe) -> Option<Self> {
        let mut request = request::request(operation);
        request["description"] = json!(format!("Refused with {} `{}`.", recipe.status, recipe.code));
        let values = request::values(operation);
        let mut attempt = Self { operation, request, before: vec![], blamed: None, values };
        (recipe.change)(&mut attempt)?;
        attempt.drop_disabled();
        Some(attempt)
    }

    /// What is there to be switched on does not belong to a refusal.
    fn drop_disabled(&mut self) {
        for place in ["/header", "/url/query", "/body/urlencoded"] {
            if let Some(entries) = self.request.pointer_mut(place).and_then(Value::as_array_mut) {
                entries.retain(|entry| entry.get("disabled").is_none());
            }
        }
        if let Some(url) = self.request["url"].as_object_mut()
            && url.get("query") == Some(&json!([]))
        {
            url.remove("query");
        }
    }

    fn is_form(&self) -> bool {
        self.request["body"]["mode"] == "urlencoded"
    }

    fn blame(&mut self, location: &str, pointer: Option<&str>) -> Option<()> {
        self.blamed = Some(Blamed { location: location.into(), pointer: pointer.map(Into::into) });
        Some(())
    }

    /// Only where a token is needed.
    fn as_caller(&mut self, auth: Value) -> Option<()> {
        if self.operation.is_public() {
            return None;
        }
        self.request["auth"] = auth;
        Some(())
    }

    fn header(&mut self, name: &str, value: &str) {
        let entry = json!({"key": name, "value": value});
        if let Some(headers) = self.request["header"].as_array_mut() {
            headers.push(entry);
        }
    }

    fn drop_header(&mut self, name: &str) -> Option<()> {
        let headers = self.request["header"].as_array_mut()?;
        let before = headers.len();
        headers.retain(|header| header["key"] != name);
        (headers.len() < before).then_some(())
    }

    fn takes_query(&self, name: &str) -> Option<()> {
        self.operation.parameters("query").iter().any(|parameter| parameter["name"] == name).then_some(())
    }

    fn query(&mut self, name: &str, value: &str) {
        let url = &self.request["url"];
        let list = |name: &str| url[name].as_array().cloned().unwrap_or_default();
        let path = list("path");
        let path: Vec<&str> = path.iter().map(text).collect();
        let mut query = list("query");
        query.retain(|entry| entry["key"] != name);
        query.push(json!({"key": name, "value": value}));
        self.request["url"] = address(&path, query, list("variable"));
    }

    /// The body as this text, under the media type it has or another.
    fn raw(&mut self, body: &str, media_type: Option<&str>) -> Option<()> {
        let (documented, _) = self.operation.body()?;
        let _absent = self.drop_header("Content-Type");
        self.header("Content-Type", media_type.unwrap_or(documented));
        self.request["body"] = if self.is_form() || media_type.is_some() {
            json!({"mode": "raw", "raw": body})
        } else {
            request::raw(body)
        };
        Some(())
    }

    /// Sets a field of the body that the document has.
    fn known_field(&mut self, name: &str, value: Value) -> Option<()> {
        self.operation.body_properties().iter().any(|(known, _)| *known == name).then(|| self.field(name, value))
    }

    fn field(&mut self, name: &str, value: Value) {
        self.values.insert(name.into(), value.clone());
        if let Some(fields) = self.request["body"]["urlencoded"].as_array_mut() {
            fields.retain(|field| field["key"] != name);
            fields.push(json!({"key": name, "value": request::plain(&value), "type": "text"}));
        } else {
            self.request["body"] = request::raw(&request::text_of(self.operation, &self.values));
        }
    }

    fn required(&self) -> Vec<&'a str> {
        let required = self.operation.body_schema().and_then(|schema| schema["required"].as_array());
        required.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn requires(&self, field: &str) -> Option<()> {
        self.required().contains(&field).then_some(())
    }

    /// Leaves out a required field; where none is required, gives one the wrong type.
    fn invalid_body(&mut self) -> Option<()> {
        let name = match self.required().first() {
            Some(name) => {
                self.values.remove(*name);
                if let Some(fields) = self.request["body"]["urlencoded"].as_array_mut() {
                    fields.retain(|field| field["key"] != *name);
                } else {
                    self.request["body"] = request::raw(&request::text_of(self.operation, &self.values));
                }
                *name
            }
            None => {
                let (name, _) = self.operation.body_properties().into_iter().next()?;
                self.field(name, json!([]));
                name
            }
        };
        self.blame("body", Some(&format!("/{name}")))
    }

    /// Gives a number's place in path or query a word.
    fn invalid_parameter(&mut self) -> Option<()> {
        let document = self.operation.document;
        let is_number = |parameter: &&&Value| resolved(document, &parameter["schema"])["type"] == "integer";
        for place in ["path", "query"] {
            let parameters = self.operation.parameters(place);
            if let Some(parameter) = parameters.iter().find(is_number) {
                let name = text(&parameter["name"]);
                match place {
                    "path" => self.in_path("many"),
                    _ => self.query(name, "many"),
                }
                return self.blame(&format!("{place}.{name}"), None);
            }
        }
        None
    }

    fn in_path(&mut self, value: &str) {
        for variable in self.request["url"]["variable"].as_array_mut().into_iter().flatten() {
            let unknown = if variable["key"] == "name" && value == UNKNOWN_ID { UNKNOWN_NAME } else { value };
            variable["value"] = json!(unknown);
        }
    }

    /// A code of no letter, where one is asked for.
    fn unknown_code(&mut self, operation: &str) -> Option<()> {
        (self.operation.id == operation).then_some(())?;
        self.known_field("code", json!("QmV0dGVyIG5vdCB0byB1c2UgdGhpcyBvbmUuIEV4YW0"))?;
        self.blame("body", Some("/code"))
    }

    fn unknown_in_path(&mut self) -> Option<()> {
        self.request["url"].get("variable")?;
        self.in_path(UNKNOWN_ID);
        // no version of it is known either
        if self.drop_header("If-Match").is_some() {
            self.header("If-Match", "*");
        }
        Some(())
    }

    fn unknown_in_body(&mut self) -> Option<()> {
        let properties = self.operation.body_properties();
        let (name, _) =
            properties.into_iter().find(|(name, _)| name.ends_with("_id") && self.values.contains_key(*name))?;
        self.known_field(name, json!(UNKNOWN_ID))
    }
}
