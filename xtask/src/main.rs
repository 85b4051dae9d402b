//! `cargo xtask TASK`: what this repository does that cargo alone cannot. `ci` is the table in order.

mod access;
mod application;
mod ci;
mod clients;
mod contract;
mod db;
mod deny;
mod git;
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
mod tidy;

use std::process::ExitCode;

use report::{Failed, Outcome, Usage};

/// A task: a line in the help, and a function that answers what it counted.
struct Task {
    name: &'static str,
    arguments: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Outcome,
}

const TASKS: &[Task] = &[
    Task { name: "ci", arguments: "", about: "every check below, in order, with a summary", run: ci::run },
    Task { name: "fmt", arguments: "", about: "the sources are formatted", run: rust::fmt },
    Task {
        name: "tidy",
        arguments: "[--write]",
        about: "files state their purpose, documents name what exists, modules and crates import in one direction",
        run: tidy::run,
    },
    Task { name: "lint", arguments: "", about: "clippy on all targets, warnings denied", run: rust::lint },
    Task {
        name: "deny",
        arguments: "",
        about: "the dependencies keep deny.toml: sources, bans, duplicates, licences; without network",
        run: deny::run,
    },
    Task {
        name: "test",
        arguments: "[FILTER…] [--e2e]",
        about: "the unit tests; with --e2e the contract on SQLite",
        run: rust::test,
    },
    Task {
        name: "spec",
        arguments: "check | write | lint | diff | compat | …",
        about: "openapi/ says what the code serves, keeps our rules and promises; diff: whom a change breaks",
        run: spec::run,
    },
    Task {
        name: "postman",
        arguments: "check | write | run",
        about: "the collections are what the document generates; newman runs them in every order",
        run: postman::run,
    },
    Task {
        name: "migrate",
        arguments: "new [--auto] | merge | seal | check | up | down | to | …",
        about: "writes migrations, and proves them: declared tables, lint, up, down and up with data, on both databases",
        run: migrate::run,
    },
    Task {
        name: "contract",
        arguments: "[sqlite|postgres] [FILTER | --leg LEG] [--seed N] [--cases N] [--write]",
        about: "stories, and requests derived from the document, against the real binary",
        run: contract::run,
    },
    Task {
        name: "access",
        arguments: "check | write",
        about: "openapi/access.md: who gets what of each operation, every cell a live request on both databases",
        run: access::run,
    },
    Task {
        name: "clients",
        arguments: "[rust|typescript|python]…",
        about: "the generated clients compile, refuse what is misspelt, and tell a live server a story",
        run: clients::run,
    },
    Task {
        name: "mutants",
        arguments: "[document|collection|migration|code]… [FILTER] [--every] [--sample N]",
        about: "one fault at a time, and the check that must notice it",
        run: mutants::run,
    },
    Task {
        name: "db",
        arguments: "url | shell",
        about: "the active DATABASE_URL, its password masked; a shell on it",
        run: db::run,
    },
    Task {
        name: "serve",
        arguments: "[--postgres] [ARGUMENTS…]",
        about: "the server; with --postgres on a private PostgreSQL",
        run: serve::run,
    },
];

fn main() -> ExitCode {
    accord::install();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.is::<Usage>() => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the task; answers the exit code.
fn dispatch(arguments: &[String]) -> anyhow::Result<u8> {
    let Some((name, rest)) = arguments.split_first() else {
        println!("{}", help());
        return Ok(0);
    };
    if ["help", "--help", "-h"].contains(&name.as_str()) {
        println!("{}", help());
        return Ok(0);
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        return Err(unknown(name).into());
    };
    // `serve` and `migrate` hand their arguments on, `--help` among them
    if rest.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("cargo xtask {} {}\n\n{}", task.name, task.arguments, task.about);
        return Ok(0);
    }
    let report = (task.run)(rest)?;
    if !report.note.is_empty() {
        eprintln!("{}: {}", task.name, report.note);
    }
    if report.failed > 0 {
        return Err(Failed::new(report.passed, report.failed, format!("{} failed", report.failed)).into());
    }
    Ok(report.exit)
}

fn help() -> String {
    let left = |task: &Task| format!("{} {}", task.name, task.arguments);
    let width = TASKS.iter().map(|task| left(task).chars().count()).max().unwrap_or_default();
    let lines = TASKS.iter().map(|task| format!("  {:width$}  {}", left(task), task.about));
    format!("cargo xtask TASK\n\n{}", lines.collect::<Vec<_>>().join("\n"))
}

fn unknown(name: &str) -> Usage {
    let distance = |task: &&Task| strsim::damerau_levenshtein(task.name, name);
    let nearest = TASKS.iter().min_by_key(distance).filter(|task| distance(task) <= 2);
    Usage(match nearest {
        Some(task) => format!("there is no task `{name}`; did you mean `{}`?", task.name),
        None => format!("there is no task `{name}`; `cargo xtask --help` lists all"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_task_is_answered_with_the_nearest_or_the_list() {
        assert!(unknown("postmann").0.contains("did you mean `postman`?"));
        assert!(unknown("frobnicate").0.contains("--help"));
    }

    #[test]
    fn the_help_names_every_task_once() {
        let help = help();
        for task in TASKS {
            assert_eq!(help.matches(&format!("\n  {} ", task.name)).count(), 1, "{}", task.name);
        }
    }
}
