//! The database the server would use from here: its URL, a shell on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::application;
use crate::report::{Outcome, Report};
use crate::run;

#[derive(clap::Subcommand)]
pub enum Task {
    /// Print DATABASE_URL, its password masked
    Url,
    /// Open a shell
    Shell,
}

/// `cargo xtask db`
pub fn run(task: Task) -> Outcome {
    let url = active()?;
    match task {
        Task::Url => {
            println!("{}", accord_foundation::config::mask(&url));
            Ok(Report::default())
        }
        Task::Shell => shell(&url),
    }
}

/// As `cargo run` would find it: defaults, `accord.toml`, environment.
fn active() -> anyhow::Result<String> {
    std::env::set_current_dir(run::root())?;
    let file = Path::new("accord.toml");
    let given = std::env::var_os("ACCORD_CONFIG").map(PathBuf::from);
    let file = given.as_deref().or(file.is_file().then_some(file));
    Ok(application::config(file)?.database.database_url)
}

fn shell(url: &str) -> Outcome {
    let mut command = match url.strip_prefix("sqlite:") {
        Some(file) => {
            let file = file.trim_start_matches("//").split('?').next().unwrap_or_default();
            anyhow::ensure!(Path::new(file).is_file(), "{file} is not there yet: `cargo xtask migrate up` makes it");
            let mut command = Command::new("sqlite3");
            command.arg(file);
            command
        }
        None => {
            let mut command = Command::new("psql");
            command.arg(url);
            command
        }
    };
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("`{name}` is missing: install it to get a shell"))?;
    anyhow::ensure!(status.success(), "`{name}` ended with {status}");
    Ok(Report::default())
}
