//! What must hold of accounts: pure functions, no database, no HTTP.

use super::model::AccountUpdate;
use crate::auth::{Role, Status};
use crate::error::{Code, Error};

/// Whether the account would no longer be an active admin.
pub fn takes_an_admin_away(change: &AccountUpdate) -> bool {
    change.role.is_some_and(|role| role != Role::Admin) || change.status == Some(Status::Disabled)
}

/// Somebody must be left who can give rights back.
pub fn last_admin() -> Error {
    Error::new(Code::LAST_ADMIN, "Make another account an active admin first.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ends_an_active_admin_takes_one_away() {
        for (role, status, takes) in [
            (None, None, false),
            (Some(Role::Admin), Some(Status::Active), false),
            (Some(Role::Staff), None, true),
            (Some(Role::Active), Some(Status::Active), true),
            (None, Some(Status::Disabled), true),
            (Some(Role::Admin), Some(Status::Disabled), true),
        ] {
            assert_eq!(takes_an_admin_away(&AccountUpdate { role, status }), takes, "{role:?} {status:?}");
        }
    }
}
