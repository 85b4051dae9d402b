//! The server from the sources; with `--postgres` on a private PostgreSQL that ends with it.

use crate::postgres::Postgres;
use crate::report::{Outcome, Report};
use crate::{product, run};

/// `cargo xtask serve [--postgres] [ARGUMENTS…]`
pub fn run(arguments: &[String]) -> Outcome {
    let (flags, rest): (Vec<_>, Vec<_>) = arguments.iter().cloned().partition(|argument| argument == "--postgres");
    let binary = product::build()?;
    let mut command = std::process::Command::new(binary);
    command.arg("serve").args(rest).current_dir(run::root());
    let postgres = if flags.is_empty() { None } else { Some(Postgres::start()?) };
    if let Some(postgres) = &postgres {
        command.env("DATABASE_URL", postgres.url()).env("ACCORD_MIGRATE", "up");
        eprintln!("DATABASE_URL={}", postgres.url());
    }
    crate::interrupt::hold();
    run::passing_on(&mut command)?;
    Ok(Report::default())
}
