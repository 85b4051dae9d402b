//! What the document does not say and a run from top to bottom needs: the order of requests, and where their input
//! comes from. The only place that names operations; a new resource needs a line here only if it breaks the run.

use serde_json::{Value, json};

/// Requests of a folder in this order; others follow in the order of the document.
///
/// A password change and a log-out end the session they are sent with, so what logs in again comes behind them.
const ORDER: &[&str] = &[
    "register_user",
    "get_user",
    "update_user",
    "change_password",
    "delete_user",
    "authenticate",
    "refresh_token",
    "log_out",
    "log_in",
    "list_posts",
    "create_post",
    "get_post",
    "replace_post",
    "update_post",
    "delete_post",
];

/// Where an operation stands in its folder.
pub fn rank(operation: &str) -> usize {
    ORDER.iter().position(|name| *name == operation).unwrap_or(ORDER.len())
}

/// The value of a body field that must not be the document's example.
pub fn field(operation: &str, field: &str) -> Option<Value> {
    let variable = match (operation, field) {
        ("register_user" | "authenticate", "email") | ("log_in", "username") => "{{email}}",
        ("register_user" | "authenticate" | "log_in", "password") | ("change_password", "old_password") => {
            "{{password}}"
        }
        ("change_password", "new_password") => "{{newPassword}}",
        ("refresh_token", "refresh_token") => "{{refreshToken}}",
        ("log_in", "grant_type") => "password",
        ("vote", "post_id") => "{{postId}}",
        ("vote", "vote_dir") => return Some(json!(1)),
        _ => return None,
    };
    Some(json!(variable))
}

/// Body fields that are documented and not sent: another address would take the account away from `{{email}}`, and
/// the other fields of the form belong to the other grant.
pub fn omitted(operation: &str, field: &str) -> bool {
    match operation {
        "update_user" => field == "email",
        "log_in" => !["grant_type", "username", "password"].contains(&field),
        _ => false,
    }
}

/// Lines before the request. `url` is the address of another operation.
pub fn before(operation: &str, url: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let text = match operation {
        "register_user" => format!("// a new account each time, so that the run never meets itself\n{NEW_ACCOUNT}"),
        "change_password" => format!("pm.variables.set(\"newPassword\", {NEW_PASSWORD});"),
        // the password change above has ended every session
        "delete_user" => unless(
            "JWT",
            "a session to delete the account with",
            &post(
                url("authenticate"),
                "{ email: pm.environment.get(\"email\"), password: pm.environment.get(\"password\") }",
                false,
                "pm.environment.set(\"JWT\", response.json().token);",
            ),
        ),
        "authenticate" => unless(
            "email",
            "somebody to log in as",
            &format!(
                "{NEW_ACCOUNT}\n{}",
                post(
                    url("register_user"),
                    "{ email: pm.environment.get(\"email\"), password: pm.environment.get(\"password\") }",
                    false,
                    "",
                )
            ),
        ),
        "vote" => unless(
            "postId",
            "a post to vote for",
            &post(
                url("create_post"),
                "{ title: \"A post to vote for\", content: \"Written because there was none.\" }",
                true,
                "pm.environment.set(\"postId\", response.json().id);\n\
             pm.environment.set(\"etag\", response.headers.get(\"ETag\"));",
            ),
        ),
        _ => return vec![],
    };
    text.lines().map(str::to_owned).collect()
}

/// Lines behind a success, besides those that follow from the document.
pub fn after(operation: &str) -> Vec<String> {
    let text = match operation {
        "change_password" => {
            "pm.environment.set(\"password\", pm.variables.get(\"newPassword\"));\n\
             // all sessions of the account have ended\n\
             pm.environment.unset(\"JWT\");\npm.environment.unset(\"refreshToken\");"
        }
        "log_out" => "pm.environment.unset(\"JWT\");\npm.environment.unset(\"refreshToken\");",
        "delete_user" => {
            "[\"JWT\", \"refreshToken\", \"email\", \"password\"].forEach((name) => pm.environment.unset(name));"
        }
        _ => return vec![],
    };
    text.lines().map(str::to_owned).collect()
}

const NEW_PASSWORD: &str = "`pass-${Date.now()}-${Math.random().toString(36).slice(2)}`";

const NEW_ACCOUNT: &str = "\
pm.environment.set(\"email\", `postman-${Date.now()}-${Math.floor(Math.random() * 1e9)}@example.org`);
pm.environment.set(\"password\", `pass-${Date.now()}-${Math.random().toString(36).slice(2)}`);";

fn unless(variable: &str, what: &str, then: &str) -> String {
    format!("// {what}\nif (!pm.environment.get(\"{variable}\")) {{\n{}\n}}", indented(then))
}

fn post(url: Option<String>, body: &str, authorized: bool, then: &str) -> String {
    let authorization = if authorized { ", Authorization: `Bearer ${pm.environment.get(\"JWT\")}`" } else { "" };
    let url = url.unwrap_or_default();
    let end = if then.is_empty() { String::new() } else { format!("\n{}", indented(then)) };
    format!(
        "pm.sendRequest({{\n    url: pm.variables.replaceIn(\"{url}\"),\n    method: \"POST\",\n    \
         header: {{ \"Content-Type\": \"application/json\"{authorization} }},\n    \
         body: {{ mode: \"raw\", raw: JSON.stringify({body}) }},\n\
         }}, (error, response) => {{\n    \
         if (error) {{\n        throw error;\n    }}\n    \
         if (response.code !== 201 && response.code !== 200) {{\n        \
         throw new Error(`${{response.code}}: ${{response.text()}}`);\n    }}{end}\n}});",
    )
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
