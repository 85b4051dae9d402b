//! The names of the constraints that rules depend on, as both databases report them.

/// A constraint a store reacts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraint {
    /// One account an address.
    UsersEmail,
    /// A vote is for a post that exists.
    VotesPost,
    /// One group a name.
    GroupsName,
    /// A member is in a group that exists.
    MembershipsGroup,
    /// A member is an account that exists.
    MembershipsUser,
    /// One permission a name.
    PermissionsName,
    /// One grant of a kind.
    GrantsKey,
    /// A grant is of a permission, to a user or group, that exist.
    GrantsReference,
    /// One open invitation an address.
    InvitedGuestsEmail,
    /// What a user writes belongs to an account that exists.
    User,
}

/// What PostgreSQL calls the constraint, and what SQLite's message says.
const NAMES: &[(Constraint, &str, &str)] = &[
    (Constraint::UsersEmail, "users_email_key", "UNIQUE constraint failed: users.email"),
    // SQLite does not say which foreign key failed. Its transactions run one after the other, so a post that one has
    // found is still there: it is the user who has gone since the token was checked.
    (Constraint::User, "posts_owner_id_fkey", "FOREIGN KEY constraint failed"),
    (Constraint::User, "votes_user_id_fkey", "FOREIGN KEY constraint failed"),
    (Constraint::User, "webhooks_created_by_fkey", "FOREIGN KEY constraint failed"),
    (Constraint::User, "invited_guests_inviter_id_fkey", "FOREIGN KEY constraint failed"),
    (Constraint::VotesPost, "votes_post_id_fkey", "-"),
    (Constraint::GroupsName, "groups_name_key", "UNIQUE constraint failed: groups.name"),
    (Constraint::MembershipsGroup, "memberships_group_id_fkey", "-"),
    (Constraint::MembershipsUser, "memberships_user_id_fkey", "-"),
    (Constraint::PermissionsName, "permissions_name_key", "UNIQUE constraint failed: permissions.name"),
    (Constraint::InvitedGuestsEmail, "invited_guests_email_key", "UNIQUE constraint failed: invited_guests.email"),
    (Constraint::GrantsKey, "grants_user_key", "UNIQUE constraint failed: index 'grants_user_key'"),
    (Constraint::GrantsKey, "grants_group_key", "UNIQUE constraint failed: index 'grants_group_key'"),
    (Constraint::GrantsReference, "grants_user_id_fkey", "-"),
    (Constraint::GrantsReference, "grants_group_id_fkey", "-"),
    (Constraint::GrantsReference, "grants_permission_fkey", "-"),
];

/// The constraint that refused the row, if it is one of [`NAMES`].
pub fn violated(error: &sqlx::Error) -> Option<Constraint> {
    let error = error.as_database_error()?;
    let found = |(constraint, postgres, sqlite): &(Constraint, &str, &str)| {
        let same = error.constraint() == Some(postgres) || error.message() == *sqlite;
        same.then_some(*constraint)
    };
    NAMES.iter().find_map(found)
}
