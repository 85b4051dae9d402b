//! The names of the constraints that rules depend on, as both databases report them.

/// A constraint a store reacts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraint {
    /// One account an address.
    UsersEmail,
    /// A vote is for a post that exists.
    VotesPost,
}

/// What PostgreSQL calls the constraint, and what SQLite's message says.
const NAMES: &[(Constraint, &str, &str)] = &[
    (Constraint::UsersEmail, "users_email_key", "UNIQUE constraint failed: users.email"),
    // SQLite does not say which foreign key failed; `votes` is the only table a client's id goes into
    (Constraint::VotesPost, "votes_post_id_fkey", "FOREIGN KEY constraint failed"),
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
