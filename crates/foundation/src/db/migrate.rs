//! The migrations of the application; [`accord_migrate`] plans and runs them.

use std::sync::LazyLock;

pub use accord_migrate::migrations::{
    Applied, Direction, Embedded, Failed, Fitness, MigrationError, Revision, Script, Set, Status, Step, Target, header,
    history, plan, run, script, set, status,
};

use super::{Conn, DbError, DbResult, Dialect};
use crate::declared::List;

/// The names and texts of migrations for a database.
type Files = fn(Dialect) -> Vec<(String, String)>;

static FILES: List<Files> = List::new();
static SQLITE: LazyLock<Result<Set, Vec<String>>> = LazyLock::new(|| Set::of(FILES.get()[0](Dialect::Sqlite)));
static POSTGRES: LazyLock<Result<Set, Vec<String>>> = LazyLock::new(|| Set::of(FILES.get()[0](Dialect::Postgres)));

/// Sets the name of the application, which messages about migrations show, and the function that returns the names and
/// texts of its migrations.
pub(crate) fn complete(name: &'static str, files: Files) {
    accord_migrate::migrations::set_program(name);
    FILES.complete(vec![files]);
}

/// The macro has a module of its own, since `script` is the name of a function as well.
mod embed {
    /// Embeds the files of a [`Script`] from `migrations/` of the crate. The numbers of the foundation are below 1000;
    /// those of applications begin there.
    macro_rules! script {
        ($name:literal) => {
            $crate::db::migrate::Script {
                name: $name,
                sqlite: [
                    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite/", $name, ".up.sql")),
                    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite/", $name, ".down.sql")),
                ],
                postgres: [
                    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres/", $name, ".up.sql")),
                    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres/", $name, ".down.sql")),
                ],
            }
        };
    }
    pub(crate) use script;
}
pub(crate) use embed::script;

/// Returns the migrations of this binary.
///
/// # Errors
/// The files are not a valid set; `cargo xtask migrate check` reports the same faults.
pub fn built_in(dialect: Dialect) -> Result<&'static Set, MigrationError> {
    let set = match dialect {
        Dialect::Sqlite => &SQLITE,
        Dialect::Postgres => &POSTGRES,
    };
    set.as_ref().map_err(|faults| MigrationError::Set(faults.clone()))
}

/// Returns whether the database has the schema that this binary needs. Only reads, on an open connection.
///
/// # Errors
/// The database does not answer.
pub async fn fitness(conn: &mut Conn) -> DbResult<Fitness> {
    let applied = match conn.all(&history::select()).await {
        // the table is missing, or lacks a column that `migrate up` adds
        Err(DbError::Unmigrated(_)) => return Ok(Fitness::Behind),
        rows => history::of(rows?),
    };
    Ok(built_in(conn.dialect()).map_or(Fitness::Behind, |set| Fitness::of(set, &applied)))
}

/// Runs the migrations of this binary to the target. Returns the steps taken.
///
/// # Errors
/// As [`run`].
pub async fn run_built_in(url: &str, direction: Direction, target: Target) -> Result<Vec<Step>, MigrationError> {
    run(url, built_in(Dialect::of(url))?, direction, &target, &mut |_| {}).await
}
