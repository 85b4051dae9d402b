//! Holds `openapi/access.md` to the server: every cell is a live request, on both databases, and what it must be
//! follows from the document.

use std::path::Path;

use crate::application::{Application, each};
use crate::contract::{self, ACCESS, Database};
use crate::postgres::Postgres;
use crate::report::{Failed, Outcome, Report};
use crate::run;

/// The file, in the folder of each application.
const MATRIX: &str = "openapi/access.md";

/// The text above the table.
const HEAD: &str = "\
# Who gets what

Made by `cargo xtask access write`. `cargo xtask access check` sends the request of every cell to a live server, on SQLite
and on PostgreSQL; what each must be follows from `<document>` (security and declared refusals) and from
`<setup>` (what is private, what is shared). Bold is done; – is for what nobody can be there.
What takes a code from a letter is called without one: 400 for all.

";

#[derive(clap::Subcommand)]
pub enum Task {
    /// Prove each entry with a live request, on both databases
    Check,
    /// Write the entries that the server gives
    Write,
}

/// `cargo xtask access`
pub fn run(task: Task, applications: &[&'static Application]) -> Outcome {
    let postgres = Postgres::start()?;
    match task {
        Task::Check => each(applications, |application| check(application, &postgres)),
        Task::Write => each(applications, |application| write(application, &postgres)),
    }
}

/// Every cell is as it must be, and as it is written.
pub fn check(application: &Application, postgres: &Postgres) -> Outcome {
    let (report, found) = proved(application, postgres)?;
    let written = std::fs::read_to_string(path(application)).unwrap_or_default();
    let differences = differences(&written, &found);
    if found == written {
        return Ok(report);
    }
    let count = differences.len().max(1);
    let text = format!(
        "{}\n{} is not what the server does: if each of these is meant, `cargo xtask access write` writes it",
        if differences.is_empty() { "the text differs".into() } else { differences.join("\n") },
        application.file(MATRIX),
    );
    Err(Failed::new(report.passed.saturating_sub(count), count, text).into())
}

fn write(application: &Application, postgres: &Postgres) -> Outcome {
    let (report, found) = proved(application, postgres)?;
    std::fs::write(path(application), found)?;
    Ok(Report { note: format!("wrote {}; {}", application.file(MATRIX), report.note), ..report })
}

fn path(application: &Application) -> std::path::PathBuf {
    application.root().join(MATRIX)
}

/// The matrix, once every cell was proved on both databases.
fn proved(application: &Application, postgres: &Postgres) -> anyhow::Result<(Report, String)> {
    let binary = application.build()?;
    run::passing_on(&mut run::cargo(["build", "--quiet", "--workspace", "--bin", "accord-contract"]))?;
    let (sqlite, postgres) = std::thread::scope(|scope| {
        let sqlite = scope.spawn(|| matrix(application, Database::Sqlite, &binary));
        let postgres = matrix(application, Database::Postgres(postgres), &binary);
        (sqlite.join(), postgres)
    });
    let (on_sqlite, sqlite) = sqlite.map_err(|_| anyhow::anyhow!("a thread has panicked, see above"))??;
    let (on_postgres, postgres) = postgres?;
    let differences = differences(&sqlite, &postgres);
    if !differences.is_empty() {
        let text = format!("{}\nPostgreSQL is not like SQLite there", differences.join("\n"));
        return Err(Failed::new(on_sqlite.passed, differences.len(), text).into());
    }
    let note = format!("sqlite: {}; postgres: {}", on_sqlite.note, on_postgres.note);
    Ok((Report::passed(on_sqlite.passed + on_postgres.passed, note), sqlite))
}

fn matrix(application: &Application, database: Database<'_>, binary: &Path) -> anyhow::Result<(Report, String)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("matrix.md");
    let told = contract::tell_leg(application, database, ACCESS, binary, |command| {
        command.arg("--matrix").arg(&file);
    })?;
    let report = told.outcome(ACCESS, database, "cargo xtask access check")?;
    let [document, setup] = [application.document(), application.contract()].map(|name| application.file(&name));
    let head = HEAD.replace("<document>", &document).replace("<setup>", &setup);
    Ok((report, head + &std::fs::read_to_string(&file)?))
}

/// The cells of the second that are not those of the first, each as a sentence that names operation and caller.
fn differences(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (cells(old), cells(new));
    let mut found = vec![];
    for ((row, column), now) in &new {
        match old.iter().find(|((r, c), _)| (r, c) == (row, column)).map(|(_, was)| was) {
            Some(was) if was == now => {}
            Some(was) => found.push(format!("{row}: {column}: {now}, not {was}")),
            None => found.push(format!("{row}: {column}: {now}, not written yet")),
        }
    }
    let gone = old.iter().filter(|(key, _)| !new.iter().any(|(other, _)| other == key));
    found.extend(gone.map(|((row, column), _)| format!("{row}: {column}: no longer there")));
    found
}

type Cells = Vec<((String, String), String)>;

/// The cells of all tables of a page: row, column, and what stands there.
fn cells(page: &str) -> Cells {
    let split = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().replace(['`', '*'], "")).collect()
    };
    let mut head: Vec<String> = vec![];
    let mut found = vec![];
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.starts_with('|') || line.starts_with("|---") {
            continue;
        }
        if lines.peek().is_some_and(|next| next.starts_with("|---")) {
            head = split(line);
            continue;
        }
        let row = split(line);
        let rest = head.iter().zip(&row).skip(1);
        found.extend(rest.map(|(column, cell)| ((row[0].clone(), column.clone()), cell.clone())));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_cell_names_operation_and_caller() {
        let page = |other: &str, last: &str| {
            format!(
                "# T\n\n| operation | asks for | other | owner |\n|---|---|---|---|\n| `get_t` | a token | {other} | **200** |\n{last}"
            )
        };
        let row = "| `drop_t` | `admin` | 403 | – |\n";
        assert_eq!(differences(&page("403", ""), &page("403", "")), Vec::<String>::new());
        assert_eq!(differences(&page("403", ""), &page("**200**", "")), ["get_t: other: 200, not 403"]);
        assert_eq!(differences(&page("403", ""), &page("403", row)).len(), 3);
        assert_eq!(differences(&page("403", row), &page("403", ""))[1], "drop_t: other: no longer there");
    }
}
