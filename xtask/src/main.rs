//! `cargo xtask TASK`: the developer tasks of this repository. `ci` runs the checks in order.

mod access;
mod application;
mod arguments;
mod ci;
mod clients;
mod contract;
mod db;
mod deny;
mod git;
mod guide;
mod interrupt;
mod migrate;
mod mutants;
mod postgres;
mod postman;
mod product;
mod report;
mod run;
mod rust;
mod serve;
mod spec;
mod test_output;
mod tidy;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use application::Application;
use report::{Failed, Outcome, Usage};

/// The developer tasks of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = false)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage.")]
struct Arguments {
    /// Only this application; without it a check is of all of them, and any other task of accord
    #[arg(long, global = true, value_name = "NAME", value_enum)]
    application: Option<application::Name>,
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check below, in order, with a summary
    Ci,
    /// Check that the sources are formatted
    Fmt,
    /// Check that files state their purpose, documents name what exists, modules and crates import in one direction
    Tidy(tidy::Arguments),
    /// Run clippy on all targets, with warnings denied
    Lint,
    /// Check the dependencies against deny.toml: sources, bans, duplicates, licences; without network
    Deny,
    /// Run the unit tests
    Test(rust::TestArguments),
    /// Check openapi/ against the code, our rules and the releases; compare documents
    #[command(subcommand)]
    Spec(spec::Task),
    /// Check and write the collections that the document generates, and run them with newman
    #[command(subcommand)]
    Postman(postman::Task),
    /// Write, check and apply migrations
    #[command(subcommand)]
    Migrate(migrate::Task),
    /// Run the scenarios, and requests derived from the document, against the real binary
    Contract(contract::Arguments),
    /// Check or write openapi/access.md, the result of each operation for each kind of caller
    #[command(subcommand)]
    Access(access::Task),
    /// Generate, compile and run the clients
    Clients(clients::Arguments),
    /// Run the commands of "Add a resource" in DEVELOPING.md in a copy of the sources
    Guide,
    /// Make one fault at a time, and run the check that must detect it
    Mutants(mutants::Arguments),
    /// Show or open the database that the settings name
    #[command(subcommand)]
    Db(db::Task),
    /// Start the server from the sources
    Serve(serve::Arguments),
}

fn main() -> ExitCode {
    let matches = Arguments::command().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let applications = arguments.application.map_or(application::ALL.to_vec(), |name| vec![name.application()]);
    let result = match (arguments.task, matches.subcommand_name()) {
        (Some(task), Some(name)) => finish(name, dispatch(task, &applications)),
        _ => Arguments::command().print_help().map(|()| 0).map_err(Into::into),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

fn dispatch(task: Task, applications: &[&'static Application]) -> Outcome {
    match task {
        Task::Ci => ci::run(),
        Task::Fmt => rust::fmt(),
        Task::Tidy(arguments) => tidy::run(arguments),
        Task::Lint => rust::lint(),
        Task::Deny => deny::run(),
        Task::Test(arguments) => rust::test(arguments),
        Task::Spec(task) => spec::run(task, applications),
        Task::Postman(task) => postman::run(task, applications),
        Task::Migrate(task) => migrate::run(task, applications),
        Task::Contract(arguments) => contract::run(&arguments, applications),
        Task::Access(task) => access::run(task, applications),
        Task::Clients(arguments) => clients::run(&arguments),
        Task::Guide => guide::run(),
        Task::Mutants(arguments) => mutants::run(&arguments),
        Task::Db(task) => db::run(task),
        Task::Serve(arguments) => serve::run(arguments),
    }
}

/// Prints the note of a task, and returns the exit code.
fn finish(name: &str, outcome: Outcome) -> anyhow::Result<u8> {
    let report = outcome?;
    if !report.note.is_empty() {
        eprintln!("{name}: {}", report.note);
    }
    if report.failed > 0 {
        return Err(Failed::new(report.passed, report.failed, format!("{} failed", report.failed)).into());
    }
    Ok(report.exit)
}

/// The names of the tasks.
fn tasks() -> Vec<String> {
    Arguments::command().get_subcommands().map(|task| task.get_name().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declared_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn an_unknown_task_is_rejected_with_exit_code_2_and_the_nearest_name() {
        let error = Arguments::try_parse_from(["xtask", "postmann"]).err().expect("there is no such task");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("'postman'"), "{error}");
    }
}
