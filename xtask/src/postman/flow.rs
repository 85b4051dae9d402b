//! What the document does not say: where the input of a request comes from, and what a request needs or leaves
//! besides. With `prepare.js` the only place that names operations; a new resource needs no line here unless the
//! document's example of its body is refused.

use serde_json::{Value, json};

use super::operation::Operation;

/// Whether an admin sends the request: what only admins may do, and what nobody else has anything for.
pub fn by_admin(operation: &Operation<'_>) -> bool {
    let of_admins = ["admin", "can_invite"].iter().any(|scope| operation.scopes().contains(scope));
    of_admins || ["get_grant", "get_invited_guest", "delete_invited_guest"].contains(&operation.id)
}

/// Whether somebody else may not do it, though they may do it with what is their own.
pub fn is_its_owners(operation: &Operation<'_>) -> bool {
    operation.id == "delete_post" || !operation.scopes().is_empty()
}

/// The value of a body field that must not be the document's example.
pub fn field(operation: &str, field: &str) -> Option<Value> {
    let variable = match (operation, field) {
        ("register_user" | "create_user" | "create_invited_guest", "email") => "{{newEmail}}",
        ("create_group" | "update_group", "name") => "{{newName}}",
        ("create_permission", "name") => "{{newPermission}}",
        ("create_grant", "group_id") => "{{newGroupId}}",
        ("register_user" | "confirm_password_reset", "password") | ("change_password", "new_password") => {
            "{{newPassword}}"
        }
        ("authenticate", "email") | ("log_in", "username") => "{{email}}",
        ("authenticate" | "log_in", "password") | ("change_password", "old_password") => "{{password}}",
        ("refresh_token", "refresh_token") => "{{refreshToken}}",
        ("request_password_reset" | "resend_verification", "email") => "{{email}}",
        (_, "code") => "{{letterCode}}",
        ("log_in", "grant_type") => "password",
        ("vote", "post_id") => "{{postId}}",
        ("vote", "vote_dir") => return Some(json!(1)),
        _ => return None,
    };
    Some(json!(variable))
}

/// Body fields that are documented and not sent: another address would take the account away from `{{email}}`, the
/// other fields of the form belong to the other grant, and a permission is granted to a user or to a group.
pub fn omitted(operation: &str, field: &str) -> bool {
    match operation {
        "update_user" => field == "email",
        "create_grant" => ["user_id", "object_id"].contains(&field),
        "log_in" => !["grant_type", "username", "password"].contains(&field),
        _ => false,
    }
}

/// Lines before the request, behind those of the collection.
pub fn before(operation: &str, url: &str) -> Vec<String> {
    let text = match operation {
        "vote" => VOTE.replace("URL", url),
        _ => return vec![],
    };
    text.lines().map(str::to_owned).collect()
}

const VOTE: &str = r#"// an earlier vote is taken back, so that this one counts; there may be none
pm.sendRequest({
    url: pm.variables.replaceIn("URL"),
    method: "POST",
    header: {
        "Content-Type": "application/json",
        Authorization: pm.variables.replaceIn("Bearer {{JWT}}"),
    },
    body: { mode: "raw", raw: pm.variables.replaceIn('{"post_id": {{postId}}, "vote_dir": 0}') },
}, () => {});"#;

/// The code of a request whose `letterCode` is of no letter: what it needs comes by mail, and no script reads that.
pub fn without_letter(operation: &str) -> Option<&'static str> {
    match operation {
        "confirm_password_reset" => Some("reset_invalid"),
        "verify_email" => Some("verification_invalid"),
        "accept_invitation" => Some("invitation_invalid"),
        _ => None,
    }
}

/// What the environment keeps of a success besides what follows from the document: a variable, and its value.
pub fn kept(operation: &str) -> &'static [(&'static str, &'static str)] {
    match operation {
        "register_user" => {
            &[("email", "pm.variables.get(\"newEmail\")"), ("password", "pm.variables.get(\"newPassword\")")]
        }
        "change_password" | "confirm_password_reset" => &[("password", "pm.variables.get(\"newPassword\")")],
        _ => &[],
    }
}
