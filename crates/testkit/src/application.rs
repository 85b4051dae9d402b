//! The application under test: its binary, its document, and how its people log in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock};

use accord_contract::conformity::{Violation, hold};
use accord_contract::recorder::{self, Origin};
use accord_contract::{Answer, Document, Setup};
use serde_json::Value;
use tokio::sync::OnceCell;

/// The facts that differ from application to application.
#[derive(Clone, Copy)]
pub struct Settings {
    /// The folder that `document` and `setup` are relative to, and that `cargo build` runs in.
    pub root: &'static str,
    /// The arguments of `cargo build` that build the binary.
    pub build: &'static [&'static str],
    /// The environment variable with the path of a binary that is built already.
    pub binary_variable: &'static str,
    /// The prefix of the application's environment variables: those of the tests' environment do not reach the binary.
    pub prefix: &'static str,
    /// Environment variables for the binary. A test may set others, or other values.
    pub variables: &'static [(&'static str, &'static str)],
    /// The OpenAPI document.
    pub document: &'static str,
    /// The setup file of `accord-contract`: its conventions apply to each answer.
    pub setup: &'static str,
    /// The fixtures of each database, unless a test names others.
    pub fixtures: &'static [&'static str],
    /// The request that logs a person in.
    pub log_in: LogIn,
}

/// The request that logs a person in.
#[derive(Clone, Copy)]
pub struct LogIn {
    /// The path of the operation; its method is POST.
    pub path: &'static str,
    /// The JSON body for the person of this name.
    pub body: fn(&str) -> Value,
    /// The JSON pointer to the access token in the answer.
    pub token: &'static str,
}

/// An application under test. It is a `static` of the test package.
pub struct Application {
    pub(crate) settings: Settings,
    built: Option<&'static str>,
    /// A cell for each combination of fixtures: a template is loaded once a run.
    pub(crate) templates: Mutex<BTreeMap<String, Arc<OnceCell<Template>>>>,
    binary: OnceLock<PathBuf>,
    document: OnceLock<Document>,
    setup: OnceLock<Setup>,
}

/// A migrated database with fixtures. The database of each test is a copy of one.
pub(crate) enum Template {
    /// The files of the database, by name.
    Sqlite(Vec<(PathBuf, Vec<u8>)>),
    /// The name of a database.
    Postgres(String),
}

impl Application {
    /// Creates an application. Its document and its binary are read and built at the first use.
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            built: None,
            templates: Mutex::new(BTreeMap::new()),
            binary: OnceLock::new(),
            document: OnceLock::new(),
            setup: OnceLock::new(),
        }
    }

    /// Uses a binary that is built already, such as `env!("CARGO_BIN_EXE_…")` of a test in the application's package.
    #[must_use]
    pub const fn with_binary(mut self, path: &'static str) -> Self {
        self.built = Some(path);
        self
    }

    /// The OpenAPI document as it is on disk.
    ///
    /// # Panics
    /// The file cannot be read, or is no document.
    pub fn document(&self) -> &Document {
        self.document.get_or_init(|| {
            let read = Document::read(&Path::new(self.settings.root).join(self.settings.document));
            read.unwrap_or_else(|error| panic!("{error}"))
        })
    }

    /// The setup file as it is on disk.
    ///
    /// # Panics
    /// The file cannot be read, or has an unknown key.
    pub fn setup(&self) -> &Setup {
        self.setup.get_or_init(|| {
            let read = Setup::read(&Path::new(self.settings.root).join(self.settings.setup));
            read.unwrap_or_else(|error| panic!("{error}"))
        })
    }

    /// The path of the binary: that of `binary_variable`, that of [`with_binary`](Self::with_binary), or the one that cargo
    /// builds.
    pub(crate) fn binary(&self) -> &Path {
        let given =
            || std::env::var_os(self.settings.binary_variable).map(PathBuf::from).or(self.built.map(PathBuf::from));
        self.binary.get_or_init(|| given().unwrap_or_else(|| self.build()))
    }

    fn build(&self) -> PathBuf {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = std::process::Command::new(cargo);
        command.arg("build").args(self.settings.build).args(["--message-format", "json-render-diagnostics"]);
        let output = command.current_dir(self.settings.root).stderr(Stdio::inherit()).output().expect("cargo runs");
        assert!(output.status.success(), "the server does not build");
        let messages =
            output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let mut executables = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
        executables.next_back().expect("cargo names the executable it has built")
    }

    /// The name of a variable of the application: its prefix and this name.
    pub(crate) fn variable(&self, name: &str) -> String {
        format!("{}{name}", self.settings.prefix)
    }

    /// Checks an answer against the document, and records it.
    ///
    /// # Panics
    /// The answer breaks the document. The message shows the violation, and the request as a line for a shell.
    pub(crate) fn record(&self, answer: &Answer, origin: Origin) {
        let document = self.document();
        if let Err(Violation { check, sentence, expected }) = hold(document, &self.setup().habits, answer) {
            let operation = document.operation(&answer.request.method, answer.request.path());
            let name = operation.map_or("-", |operation| &operation.id);
            let got = String::from_utf8_lossy(&answer.bytes);
            panic!(
                "{check} {name}: {sentence}\nexpected: {expected}\ngot: {} {:#?}\n{}\n{}",
                answer.status,
                answer.headers,
                got.chars().take(2000).collect::<String>(),
                answer.request.curl("http://127.0.0.1:3000"),
            );
        }
        recorder::note(document, answer, origin);
    }
}
