//! What may be granted: pure functions, no database, no HTTP.

use super::model::GrantCreate;
use crate::auth::permission::Target;
use crate::error::{Code, Error, FieldError};

/// Who gets a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A user.
    User(i64),
    /// A group.
    Group(i64),
}

/// The one holder of a grant.
///
/// # Errors
/// 400 when there is none, or two.
pub fn holder(grant: &GrantCreate) -> Result<Holder, Error> {
    let fault =
        |pointer: &str, detail: &str| Err(Error::fields(Code::INVALID, vec![FieldError::body(pointer, detail)]));
    match (grant.user_id, grant.group_id) {
        (Some(id), None) => Ok(Holder::User(id)),
        (None, Some(id)) => Ok(Holder::Group(id)),
        (None, None) => fault("/group_id", "is required, or `user_id`"),
        (Some(_), Some(_)) => fault("/group_id", "must be left out beside `user_id`"),
    }
}

/// The table that the object of a grant is in; none for a grant on all objects.
///
/// # Errors
/// 400 when the permission is always general.
pub fn object(target: Option<Target>, object_id: Option<i64>) -> Result<Option<(Target, i64)>, Error> {
    match (target, object_id) {
        (_, None) => Ok(None),
        (Some(target), Some(id)) => Ok(Some((target, id))),
        (None, Some(_)) => {
            let fault = FieldError::body("/object_id", "must be left out: the permission is always general");
            Err(Error::fields(Code::INVALID, vec![fault]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_has_one_holder() {
        let of = |user_id, group_id| {
            let permission = "can_edit_post".into();
            holder(&GrantCreate { user_id, group_id, permission, object_id: None }).ok()
        };
        assert_eq!(of(Some(1), None), Some(Holder::User(1)));
        assert_eq!(of(None, Some(2)), Some(Holder::Group(2)));
        assert_eq!(of(None, None), None);
        assert_eq!(of(Some(1), Some(2)), None);
    }

    #[test]
    fn only_a_permission_with_a_target_is_granted_on_an_object() {
        let groups = Some(Target::GROUPS);
        assert_eq!(object(groups, Some(7)).expect("fits"), Some((Target::GROUPS, 7)));
        assert_eq!(object(groups, None).expect("fits"), None);
        assert_eq!(object(None, None).expect("fits"), None);
        assert!(object(None, Some(7)).is_err());
    }
}
