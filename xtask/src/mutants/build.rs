//! Mutants of code and migrations: a copy of the sources, built with one change, and the checks of a real server.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use tempfile::TempDir;

use super::Notice;
use super::list::Patch;
use crate::application::{ACCORD, ALL};
use crate::contract::{DatabaseKind, Suite};
use crate::{contract, postgres, product, run, spec};

/// Where a build leaves the server, and where the mutants are kept; both below the root of the repository.
const TARGET: &str = "target";
const MUTANTS: &str = "target/mutants";

/// A copy of the sources, and what is needed to check a server built from it.
pub struct Workshop {
    tree: PathBuf,
}

impl Workshop {
    /// Copies what git knows of; what is equal already keeps its time, so that cargo builds only what differs. What has gone
    /// since the last time goes here, too: a module that has moved would stand in two places.
    pub fn open() -> anyhow::Result<Self> {
        let tree = run::root().join(MUTANTS).join("tree");
        let mut git = Command::new("git");
        git.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).current_dir(run::root());
        let names = run::silently(&mut git).context("the mutants need git to know which files are sources")?;
        let names: HashSet<&Path> =
            names.split('\0').map(Path::new).filter(|name| run::root().join(name).is_file()).collect();
        for name in &names {
            copy(&run::root().join(name), &tree.join(name))?;
        }
        keep_only(&tree, &tree, &names)?;
        run::passing_on(&mut run::cargo(["build", "--quiet", "--workspace", "--bin", "accord-contract"]))?;
        Ok(Self { tree })
    }

    /// The folder of the copy.
    pub fn tree(&self) -> &Path {
        &self.tree
    }

    /// The first check that notices the change: the test that the patch names, or any. `migrates` tells those of
    /// migrations.
    pub fn try_out(
        &self,
        patch: &Patch,
        postgres: PostgresUrl<'_>,
        migrates: Option<Migrates<'_>>,
    ) -> anyhow::Result<Option<Notice>> {
        let file = self.tree.join(&patch.file);
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", patch.file))?;
        std::fs::write(&file, patch.apply(&text)?)?;
        let found = match &patch.test {
            Some(test) => self.build().and_then(|binary| one_test(&binary, test, patch.database, postgres)),
            None => self.check(migrates),
        };
        std::fs::write(&file, text)?;
        found
    }

    fn check(&self, migrates: Option<Migrates<'_>>) -> anyhow::Result<Option<Notice>> {
        let binary = self.build()?;
        if let Some(notice) = document(&binary)? {
            return Ok(Some(notice));
        }
        if let Some(Err(error)) = migrates.map(|migrates| migrates(&binary)) {
            return Ok(Some(Notice { check: "migrate check", sentence: first_line(&format!("{error:#}")) }));
        }
        for leg in Suite::DERIVED.map(Suite::as_str).into_iter().chain([contract::ACCESS]) {
            if let Some(notice) = derived(leg, &binary)? {
                return Ok(Some(notice));
            }
        }
        stories(&binary)
    }

    /// The server of this tree. What does not build is no mutant: nobody could start it.
    fn build(&self) -> anyhow::Result<PathBuf> {
        let mut cargo = run::cargo(["build", "--quiet", "--package", "accord", "--bin", "accord"]);
        // the dependencies are built already, and are the same
        cargo.current_dir(&self.tree).env("CARGO_TARGET_DIR", run::root().join(TARGET));
        run::silently(&mut cargo).context("it does not build: bring xtask/mutants.toml up to date")?;
        let mutant = run::root().join(MUTANTS).join("accord");
        std::fs::copy(product::built("accord")?, &mutant)?;
        Ok(mutant)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // the servers of the sources again where the builds of the copy have left theirs
        for application in ALL {
            if let Err(error) = application.build() {
                eprintln!("{error:#}");
            }
        }
    }
}

/// Gives the URL of a PostgreSQL, which is started at the first call.
pub type PostgresUrl<'a> = &'a dyn Fn() -> anyhow::Result<String>;

/// Goes up, down and up with a server.
pub type Migrates<'a> = &'a dyn Fn(&Path) -> anyhow::Result<()>;

/// The document of the mutant against the committed one.
fn document(binary: &Path) -> anyhow::Result<Option<Notice>> {
    let served = run::silently(Command::new(binary).args(["openapi", "--json"]))?;
    let served = serde_json::from_str(&served).context("the document of the mutant")?;
    Ok(super::disagreement(&spec::committed()?, &served))
}

/// One leg of the suite against the mutant, on a database of its own.
fn derived(leg: &'static str, binary: &Path) -> anyhow::Result<Option<Notice>> {
    let notice = |sentence: String| Ok(Some(Notice { check: leg, sentence }));
    let folder = TempDir::new()?;
    let url = format!("sqlite:{}", folder.path().join("accord.db").display());
    let server = match contract::server(&ACCORD, binary, folder.path(), &url) {
        Ok(server) => server,
        Err(error) => return notice(first_line(&format!("{error:#}"))),
    };
    let output = contract::program(&ACCORD, &server.address, leg)?.output().context("the program `accord-contract`")?;
    if output.status.success() {
        return Ok(None);
    }
    // a server on which the program cannot even begin is told of on stderr
    let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let failure = told.lines().find(|line| line.starts_with("C-")).or(told.lines().next());
    notice(failure.unwrap_or_default().into())
}

/// The stories against the mutant.
fn stories(binary: &Path) -> anyhow::Result<Option<Notice>> {
    let mut command = tests(binary, DatabaseKind::Sqlite);
    command.args(["--workspace", "--test", "contract"]);
    failure("stories", &mut command)
}

/// One test against the mutant.
fn one_test(
    binary: &Path,
    name: &str,
    database: DatabaseKind,
    postgres: PostgresUrl<'_>,
) -> anyhow::Result<Option<Notice>> {
    let mut command = tests(binary, database);
    if let DatabaseKind::Postgres = database {
        command.env(postgres::URL_VARIABLE, postgres()?);
    }
    command.args(["--workspace", "--test", "contract", "--", "--exact", name]);
    failure("test", &mut command)
}

fn tests(binary: &Path, database: DatabaseKind) -> Command {
    let mut command = run::cargo(["test", "--quiet"]);
    command.env("ACCORD_BIN", binary).env("ACCORD_CONTRACT_DATABASE", database.as_str()).env("INSTA_UPDATE", "no");
    command.env_remove("RUST_BACKTRACE").stderr(std::process::Stdio::null());
    command
}

/// The first test that fails.
fn failure(check: &'static str, command: &mut Command) -> anyhow::Result<Option<Notice>> {
    let ended = run::keeping_stdout(command)?;
    if ended.success {
        return Ok(None);
    }
    let failed = ended.stdout.lines().find_map(|line| line.strip_prefix("---- ")?.strip_suffix(" stdout ----"));
    Ok(Some(Notice { check, sentence: failed.unwrap_or("they do not run").into() }))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().into()
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if std::fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    std::fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
    std::fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))
}

/// Deletes the files of a folder whose paths in the tree are not among the names.
fn keep_only(tree: &Path, folder: &Path, names: &HashSet<&Path>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            keep_only(tree, &path, names)?;
        } else if !names.contains(path.strip_prefix(tree)?) {
            std::fs::remove_file(&path).with_context(|| format!("cannot delete {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_moved_stands_in_one_place() {
        let tree = TempDir::new().expect("a folder");
        let tree = tree.path();
        std::fs::create_dir_all(tree.join("src/fixtures")).expect("makes it");
        for name in ["src/fixtures.rs", "src/fixtures/mod.rs", "Cargo.toml"] {
            std::fs::write(tree.join(name), "").expect("writes");
        }
        keep_only(tree, tree, &["src/fixtures/mod.rs", "Cargo.toml"].map(Path::new).into()).expect("deletes");
        assert!(!tree.join("src/fixtures.rs").exists());
        assert!(tree.join("src/fixtures/mod.rs").exists() && tree.join("Cargo.toml").exists());
    }
}
