//! Who may invite whom: pure functions, no database, no HTTP.

use crate::auth::Role;
use crate::error::{Code, Error};

/// Whether somebody of this role may invite with that one; `held`: they hold `can_invite`.
///
/// # Errors
/// 403 `forbidden`.
pub fn may_invite(role: Role, held: bool, invited: Role) -> Result<(), Error> {
    if !held {
        return Err(Error::new(Code::FORBIDDEN, "Inviting needs the permission can_invite."));
    }
    if invited != Role::Active && role != Role::Admin {
        return Err(Error::new(Code::FORBIDDEN, "Only admins invite staff and admins; invite with the role active."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gives_more_than_they_have() {
        for (role, held, invited, may) in [
            (Role::Active, true, Role::Active, true),
            (Role::Staff, true, Role::Active, true),
            (Role::Staff, true, Role::Staff, false),
            (Role::Active, true, Role::Admin, false),
            (Role::Admin, true, Role::Staff, true),
            (Role::Admin, true, Role::Admin, true),
            (Role::Active, false, Role::Active, false),
        ] {
            assert_eq!(may_invite(role, held, invited).is_ok(), may, "{role:?} {held} {invited:?}");
        }
    }
}
