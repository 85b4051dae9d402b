//! The server from the sources; with `--postgres` on a private PostgreSQL that ends with it.

use crate::application::ACCORD;
use crate::postgres::Postgres;
use crate::report::{Outcome, Report};
use crate::run;

#[derive(clap::Args)]
pub struct Arguments {
    /// Use a temporary PostgreSQL
    #[arg(long)]
    postgres: bool,
    /// The arguments of `accord serve`, after `--postgres`
    #[arg(value_name = "ARGUMENT", allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// `cargo xtask serve`
pub fn run(Arguments { postgres, rest }: Arguments) -> Outcome {
    let binary = ACCORD.build()?;
    let mut command = std::process::Command::new(binary);
    command.arg("serve").args(rest).current_dir(run::root());
    let postgres = if postgres { Some(Postgres::start()?) } else { None };
    if let Some(postgres) = &postgres {
        command.env("DATABASE_URL", postgres.url()).env("ACCORD_MIGRATE", "up");
        eprintln!("DATABASE_URL={}", postgres.url());
    }
    crate::interrupt::hold();
    run::passing_on(&mut command)?;
    Ok(Report::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_accord_are_handed_on() {
        let Arguments { postgres, rest } = crate::arguments::parse(&["--postgres", "--port", "0"]).expect("valid");
        assert!(postgres && rest == ["--port", "0"], "{rest:?}");
    }
}
