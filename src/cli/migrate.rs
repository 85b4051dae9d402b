//! `accord migrate …`

use clap::Subcommand;

use super::Failure;
use crate::config::Config;
use crate::db::migrate::{self, Direction, MigrationError, Target};

/// One subcommand.
#[derive(Subcommand)]
pub enum Step {
    /// Apply migrations: up to head, or to a version, or +N
    Up {
        /// head, +N, or a version such as 0003
        #[arg(default_value = "head")]
        target: Target,
    },
    /// Undo migrations: down to base, or to a version, or -N
    Down {
        /// base, -N, or the version that stays the newest
        #[arg(allow_hyphen_values = true)]
        target: Target,
    },
    /// Go to a version, whichever way it lies
    To {
        /// head, base, +N, -N, or a version
        #[arg(allow_hyphen_values = true)]
        target: Target,
    },
    /// Print the newest applied migration
    Current,
    /// List all migrations, the applied ones marked
    History,
}

/// Runs it.
pub async fn run(config: &Config, step: Step) -> Result<(), Failure> {
    let url = &config.database_url;
    config.make_database_file()?;
    let (direction, target) = match step {
        Step::Up { target } => (Direction::Up, target),
        Step::Down { target } => (Direction::Down, target),
        Step::To { target } => (Direction::Either, target),
        Step::Current => {
            println!("{}", migrate::status(url).await.map_err(failed)?);
            return Ok(());
        }
        Step::History => {
            let status = migrate::status(url).await.map_err(failed)?;
            for (index, revision) in status.revisions.iter().enumerate() {
                println!("{} {revision}", if index < status.applied { "[x]" } else { "[ ]" });
            }
            return Ok(());
        }
    };
    let steps = migrate::run(url, direction, target).await.map_err(failed)?;
    if steps.is_empty() {
        println!("nothing to do");
    }
    steps.iter().for_each(|step| println!("{step}"));
    Ok(())
}

/// The failure as one sentence.
pub fn failed(error: MigrationError) -> Failure {
    use sqlx::migrate::MigrateError;
    Failure::Other(match error {
        MigrationError::Migrate(MigrateError::VersionMissing(version)) => {
            format!(
                "the database has migration {version}, which this binary does not know: it was made by a newer release"
            )
        }
        MigrationError::Migrate(MigrateError::VersionMismatch(version)) => {
            format!(
                "migration {version} was edited after it had been applied: restore the file, and write a new migration"
            )
        }
        MigrationError::Migrate(MigrateError::ExecuteMigration(cause, version)) => {
            format!("migration {version} failed and was undone: {cause}")
        }
        other => format!("cannot migrate: {other}"),
    })
}
