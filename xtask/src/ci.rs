//! Everything that must hold before a change is taken, in the order that fails fastest; one PostgreSQL for all steps.

use std::cell::OnceCell;
use std::time::{Duration, Instant};

use crate::application::{ALL, check_fixtures, each};
use crate::contract::Database;
use crate::postgres::{self, Postgres};
use crate::report::{Failed, Outcome, Report};
use crate::{access, clients, contract, deny, guide, migrate, mutants, postman, rust, spec, tidy};

/// One line of the summary. `alone` runs just this step.
struct Step {
    name: &'static str,
    alone: &'static str,
    repair: &'static str,
    run: fn(&Shared) -> Outcome,
}

const STEPS: &[Step] = &[
    Step {
        name: "tools",
        alone: "bash .ci/run",
        repair: "install what is named, or let `.ci/run` do it",
        run: |_| tools(),
    },
    Step { name: "format", alone: "cargo xtask fmt", repair: "`cargo fmt`", run: |_| rust::fmt() },
    Step {
        name: "tidy",
        alone: "cargo xtask tidy",
        repair: "change the file that is named",
        run: |_| tidy::run(tidy::Arguments::default()),
    },
    Step { name: "lint", alone: "cargo xtask lint", repair: "do as clippy says", run: |_| rust::lint() },
    Step {
        name: "dependencies",
        alone: "cargo xtask deny",
        repair: "replace the dependency that is named, or add it to deny.toml with the reason",
        run: |_| deny::run(),
    },
    Step {
        name: "unit tests",
        alone: "cargo xtask test",
        repair: "change the code or its test",
        run: |_| rust::test(rust::TestArguments::default()),
    },
    Step {
        name: "spec",
        alone: "cargo xtask spec check",
        repair: "change the code, or `cargo xtask spec write`",
        run: |_| spec::run(spec::Task::Check, ALL),
    },
    Step {
        name: "spec rules",
        alone: "cargo xtask spec lint",
        repair: "change the declaration or the text that is named",
        run: |_| spec::run(spec::Task::Lint(Default::default()), ALL),
    },
    Step {
        name: "spec promises",
        alone: "cargo xtask spec compat",
        repair: "keep what was promised, or raise the version and say so in CHANGELOG.md",
        run: |_| spec::run(spec::Task::Compat(Default::default()), ALL),
    },
    Step {
        name: "postman",
        alone: "cargo xtask postman check",
        repair: "`cargo xtask postman write`",
        run: |_| postman::run(postman::Task::Check, ALL),
    },
    Step {
        name: "migrations",
        alone: "cargo xtask migrate check",
        repair: "change the migration that is named",
        run: |shared| migrate::check_all(ALL, shared.postgres()?),
    },
    Step {
        name: "fixtures",
        alone: "cargo run -- fixtures check; cargo run -p bookshelf -- fixtures check",
        repair: "change the file and line that are named",
        run: |_| each(ALL, check_fixtures),
    },
    Step {
        name: "contract sqlite",
        alone: "cargo xtask contract sqlite",
        repair: "change the code, or `cargo xtask contract sqlite --write` for changed snapshots",
        run: |_| each(ALL, |application| contract::run_all(application, Database::Sqlite)),
    },
    Step {
        name: "contract postgres",
        alone: "cargo xtask contract postgres",
        repair: "change the code: the snapshots hold on SQLite",
        run: |shared| {
            let database = Database::Postgres(shared.postgres()?);
            each(ALL, |application| contract::run_all(application, database))
        },
    },
    Step {
        name: "access",
        alone: "cargo xtask access check",
        repair: "change the code, or `cargo xtask access write` if each cell that is named is meant",
        run: |shared| {
            let postgres = shared.postgres()?;
            each(ALL, |application| access::check(application, postgres))
        },
    },
    Step {
        name: "postman run",
        alone: "cargo xtask postman run",
        repair: "change the code, the postman.yaml of a resource, or the generator in crates/postman",
        run: |_| postman::run(postman::Task::Run, ALL),
    },
    Step {
        name: "clients",
        alone: "cargo xtask clients",
        repair: "change clients/, or xtask/src/clients/view.rs when a generator misreads the document",
        run: |_| clients::run(&clients::Arguments::default()),
    },
    Step {
        name: "guide",
        alone: "cargo xtask guide",
        repair: "change the commands of \"Add a resource\" in DEVELOPING.md",
        run: |_| guide::run(),
    },
    Step {
        name: "mutants",
        alone: "cargo xtask mutants --sample 2",
        repair: "add what notices the fault that is named",
        run: |_| mutants::run_sample(2),
    },
];

/// What several steps need and one start is enough for.
#[derive(Default)]
struct Shared {
    postgres: OnceCell<Postgres>,
}

impl Shared {
    fn postgres(&self) -> anyhow::Result<&Postgres> {
        if let Some(postgres) = self.postgres.get() {
            return Ok(postgres);
        }
        let started = Postgres::start()?;
        Ok(self.postgres.get_or_init(|| started))
    }
}

/// A missing tool is a failure at once, never a step that is left out.
fn tools() -> Outcome {
    let found = [postgres::available()?, postman::newman()?.name, clients::tools()?];
    Ok(Report::passed(0, found.join("; ")))
}

/// `cargo xtask ci`
pub fn run() -> Outcome {
    crate::interrupt::hold();
    let shared = Shared::default();
    let mut lines = vec![];
    let (mut passed, mut failed) = (0, 0);
    let began = Instant::now();
    for (index, step) in STEPS.iter().enumerate() {
        eprintln!("[{}/{}] {} …", index + 1, STEPS.len(), step.name);
        let since = Instant::now();
        let outcome = (step.run)(&shared);
        let took = since.elapsed();
        match outcome {
            Ok(report) => {
                passed += report.passed;
                eprintln!("[{}/{}] {} ok in {}: {}", index + 1, STEPS.len(), step.name, seconds(took), report.note);
                lines.push(line(step.name, took, &report.note));
            }
            Err(error) => {
                let (before, faults) = error.downcast_ref::<Failed>().map_or((0, 1), |f| (f.passed, f.failed));
                (passed, failed) = (passed + before, faults);
                eprintln!("\n{error:#}\n");
                eprintln!("step `{}` failed. Repair: {}. Alone: `{}`\n", step.name, step.repair, step.alone);
                lines.push(line(step.name, took, "FAILED"));
                lines.extend(STEPS[index + 1..].iter().map(|step| format!("{:<18} {:>8}  not run", step.name, "")));
                break;
            }
        }
    }
    lines.push(line("all", began.elapsed(), ""));
    // the database is stopped and its files are gone before the verdict
    drop(shared);
    for line in lines {
        println!("{}", line.trim_end());
    }
    println!("{passed} passed, {failed} failed");
    if failed > 0 {
        std::process::exit(1);
    }
    Ok(Report::default())
}

fn line(name: &str, took: Duration, note: &str) -> String {
    format!("{name:<18} {:>8}  {note}", seconds(took))
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}
