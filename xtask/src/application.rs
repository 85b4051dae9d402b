//! The applications that the tasks work on. A task knows an application by its files, and by what its binary declares.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use accord_foundation::application::Declarations;
use accord_foundation::config::{Config, ConfigError};
use accord_migrate::folder::Folder;
use accord_migrate::rows::DeclaredRows;
use anyhow::{Context, bail};
use clap::ValueEnum;

use crate::report::{Failed, Outcome, Report};
use crate::{product, run};

/// An application of this repository.
pub struct Application {
    /// The name of its package, its binary and its document.
    pub name: &'static str,
    /// Its folder in the repository.
    folder: &'static str,
    /// The folder of its scenarios, and of the setup file of `accord-contract`, in its folder.
    tests: &'static str,
    /// The name of the test with its scenarios, as cargo knows it.
    pub scenarios: &'static str,
    /// The fixture with the people of the setup file.
    pub people: &'static str,
    /// The settings of its server for the derived suites, beside those of every application.
    pub settings: &'static [(&'static str, &'static str)],
    /// Set for the reference application. Its scenarios and suites must see every documented response, of which one each is
    /// stored for the collections. Where a check takes long, it proves the operations of the foundation for all others.
    pub is_reference: bool,
    declarations: OnceLock<Declarations>,
}

/// The reference application.
pub static ACCORD: Application = Application {
    name: "accord",
    folder: "",
    tests: "contract-tests",
    scenarios: "contract",
    people: "people",
    settings: &[("WEBHOOK_LIMIT", "10000")],
    is_reference: true,
    declarations: OnceLock::new(),
};

/// The example application.
pub static BOOKSHELF: Application = Application {
    name: "bookshelf",
    folder: "examples/bookshelf",
    tests: "tests",
    scenarios: "bookshelf",
    people: "people",
    settings: &[],
    is_reference: false,
    declarations: OnceLock::new(),
};

/// All applications.
pub const ALL: &[&Application] = &[&ACCORD, &BOOKSHELF];

/// The name of an application on the command line.
#[derive(Clone, Copy, ValueEnum)]
pub enum Name {
    Accord,
    Bookshelf,
}

impl Name {
    /// Returns the application.
    pub fn application(self) -> &'static Application {
        match self {
            Self::Accord => &ACCORD,
            Self::Bookshelf => &BOOKSHELF,
        }
    }
}

impl Application {
    /// Returns the application of a folder; the reference application if the folder belongs to no other.
    pub fn of(root: &Path) -> &'static Self {
        ALL.iter().find(|other| !other.folder.is_empty() && root.ends_with(other.folder)).unwrap_or(&ALL[0])
    }

    /// Returns its folder.
    pub fn root(&self) -> PathBuf {
        run::root().join(self.folder)
    }

    /// Returns the name in the repository of a file in its folder.
    pub fn file(&self, name: &str) -> String {
        if self.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", self.folder) }
    }

    /// Returns the name of its document, in its folder.
    pub fn document(&self) -> String {
        format!("openapi/{}.yaml", self.name)
    }

    /// Returns the name of the setup file of `accord-contract`, in its folder.
    pub fn contract(&self) -> String {
        format!("{}/setup.yaml", self.tests)
    }

    /// Returns the folder of its migrations.
    ///
    /// # Errors
    /// As [`Application::declared`].
    pub fn migrations(&self) -> anyhow::Result<Folder> {
        Ok(Folder::of(&self.root()).on_top_of(self.declared()?.below.clone()))
    }

    /// Builds its binary, and returns the file.
    ///
    /// # Errors
    /// The binary does not build.
    pub fn build(&self) -> anyhow::Result<PathBuf> {
        product::build(self.name)
    }

    /// Returns what the binary of the sources declares.
    ///
    /// # Errors
    /// The binary does not build, or two of its resources state the same fact.
    pub fn declared(&self) -> anyhow::Result<&Declarations> {
        if let Some(declarations) = self.declarations.get() {
            return Ok(declarations);
        }
        let printed = run::silently(Command::new(self.build()?).arg("declarations"))?;
        let declarations = serde_json::from_str(&printed).context("the declarations")?;
        Ok(self.declarations.get_or_init(|| declarations))
    }

    /// Returns the ids of the operations that the reference application does not have.
    ///
    /// # Errors
    /// As [`Application::declared`].
    pub fn own_operations(&self) -> anyhow::Result<Vec<String>> {
        let ids = |application: &Self| -> anyhow::Result<Vec<String>> {
            let operations = accord_openapi::operations(&application.declared()?.document).into_iter();
            Ok(operations.filter_map(|(_, _, operation)| Some(operation["operationId"].as_str()?.to_owned())).collect())
        };
        let known = ids(&ACCORD)?;
        Ok(ids(self)?.into_iter().filter(|id| !known.contains(id)).collect())
    }

    /// Returns the permissions that the migrations insert.
    ///
    /// # Errors
    /// As [`Application::declared`].
    pub fn permissions(&self) -> anyhow::Result<DeclaredRows> {
        Ok(DeclaredRows {
            table: "permissions",
            noun: "permission",
            about: "The permissions that operations require. A row of the same name is overwritten.",
            columns: &["name", "target", "description"],
            dependents: &[("grants", "permission")],
            rows: self.declared()?.permissions.clone(),
        })
    }
}

/// The migrations that the foundation brings for the applications on it. They are kept like those of an application.
pub fn foundation_migrations() -> Folder {
    Folder::of(&run::root().join("crates/foundation")).with_many_heads()
}

/// The fixtures that are built in load, each alone, and twice without effect.
pub fn check_fixtures(application: &Application) -> Outcome {
    let folder = tempfile::tempdir()?;
    // it makes a database of its own
    let mut check = product::command(&application.build()?, folder.path(), "sqlite:none.db");
    let told = run::keeping_stdout(check.args(["fixtures", "check"]))?;
    if !told.success {
        bail!("the fixtures do not load");
    }
    Ok(Report::passed(1, told.stdout.trim_end()))
}

/// Runs a task for all of the applications at once, and joins the results in their order: one waits for its server while
/// the other computes.
pub fn each(applications: &[&'static Application], task: impl Fn(&'static Application) -> Outcome + Sync) -> Outcome {
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let threads: Vec<_> = applications.iter().map(|application| scope.spawn(|| task(application))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let (mut passed, mut failed, mut notes, mut faults) = (0, 0, vec![], vec![]);
    for (application, outcome) in applications.iter().zip(outcomes) {
        let named = |text: String| if applications.len() == 1 { text } else { format!("{}: {text}", application.name) };
        match outcome {
            Ok(report) => {
                passed += report.passed;
                notes.push(named(report.note));
            }
            Err(error) => {
                let counted = error.downcast_ref::<Failed>().map_or((0, 1), |error| (error.passed, error.failed));
                (passed, failed) = (passed + counted.0, failed + counted.1);
                faults.push(named(format!("{error:#}")));
            }
        }
    }
    if faults.is_empty() {
        return Ok(Report::passed(passed, notes.join("; ")));
    }
    Err(Failed::new(passed, failed, faults.join("\n\n")).into())
}

/// Reads the configuration that the reference application would have from here.
///
/// # Errors
/// As [`Config::load`].
pub fn config(file: Option<&Path>) -> Result<Config, ConfigError> {
    accord::install();
    Config::load(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_found_by_its_folder() {
        assert_eq!(Application::of(&BOOKSHELF.root()).name, "bookshelf");
        assert_eq!(Application::of(&ACCORD.root()).name, "accord");
        assert_eq!(Application::of(Path::new("/tmp/elsewhere")).name, "accord");
        assert_eq!(BOOKSHELF.file(&BOOKSHELF.document()), "examples/bookshelf/openapi/bookshelf.yaml");
        assert_eq!(ACCORD.file(&ACCORD.contract()), "contract-tests/setup.yaml");
    }

    #[test]
    fn each_application_is_tried_and_every_fault_is_named() {
        let report = each(ALL, |_| Ok(Report::passed(2, "fine"))).expect("both pass");
        assert_eq!((report.passed, report.note.as_str()), (4, "accord: fine; bookshelf: fine"));
        let error = each(ALL, |application| Err(Failed::new(1, 2, application.name).into())).expect_err("both fail");
        assert_eq!(error.to_string(), "accord: accord\n\nbookshelf: bookshelf");
        let counted = error.downcast_ref::<Failed>().expect("counted");
        assert_eq!((counted.passed, counted.failed), (2, 4));
    }
}
