//! The clients: a package for Rust, TypeScript and Python in `target/clients`, generated from the committed document,
//! held to its types, and told the same story against one live server.

mod check;
mod culprit;
mod package;
mod proxy;
mod python;
mod retries;
mod rust;
mod story;
mod tools;
mod typescript;
mod view;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, anyhow, ensure};
use clap::ValueEnum;
use serde_json::Value;

use self::proxy::Proxy;
use crate::application::ACCORD;
use crate::product::Server;
use crate::report::{Failed, Outcome, Report};
use crate::{run, spec};

/// One language: how its generator is installed and run, how its compiler is asked, how its story is told.
struct Language {
    name: &'static str,
    /// Installs what is pinned, once; offline when nothing changed.
    install: fn(&Places) -> anyhow::Result<()>,
    generator: view::Generator,
    /// From the client view to sources in the package.
    generate: fn(&Places, view: &Path, package: &Path) -> anyhow::Result<()>,
    /// Connects the generated code to the retries of the package.
    retries: retries::Retries,
    /// Compiles package and examples, and answers everything the compiler complains about.
    compile: fn(&Places) -> anyhow::Result<Vec<check::Complaint>>,
    /// The file in `examples` that must not compile.
    misspelt: &'static str,
    story: fn(&Places) -> Command,
}

/// The languages that have a client.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    Rust,
    Typescript,
    Python,
}

impl Name {
    fn language(self) -> &'static Language {
        match self {
            Self::Rust => &rust::LANGUAGE,
            Self::Typescript => &typescript::LANGUAGE,
            Self::Python => &python::LANGUAGE,
        }
    }
}

#[derive(clap::Args, Default)]
pub struct Arguments {
    /// The languages; without one all of them
    #[arg(value_name = "LANGUAGE")]
    languages: Vec<Name>,
}

impl Arguments {
    fn languages(&self) -> impl Iterator<Item = &'static Language> {
        let is_chosen = |name: &&Name| self.languages.is_empty() || self.languages.contains(name);
        Name::value_variants().iter().filter(is_chosen).map(|name| name.language())
    }
}

/// Where a language lives.
struct Places {
    /// `clients/LANGUAGE`: what is ours of the package, and its locks.
    ours: PathBuf,
    /// `target/clients/LANGUAGE`: the package.
    package: PathBuf,
    /// `target/clients/.tools/LANGUAGE`: generator, compiler, dependencies.
    tools: PathBuf,
}

impl Places {
    fn of(language: &str) -> Self {
        let clients = run::root().join("target/clients");
        Self {
            ours: run::root().join("clients").join(language),
            package: clients.join(language),
            tools: clients.join(".tools").join(language),
        }
    }
}

/// What the machine has for the clients.
pub fn tools() -> anyhow::Result<String> {
    let versions = [("node", tools::NODE), ("npm", tools::NPM), ("", tools::PYTHON)];
    let found = versions.map(|(name, tool)| Ok(format!("{name} {}", tool.find()?.version).trim_start().to_owned()));
    Ok(found.into_iter().collect::<anyhow::Result<Vec<_>>>()?.join(", "))
}

/// `cargo xtask clients`
pub fn run(arguments: &Arguments) -> Outcome {
    let document = spec::committed()?;
    let binary = ACCORD.build()?;
    let folder = tempfile::tempdir()?;
    let database = format!("sqlite:{}", folder.path().join("clients.db").display());
    let server = Server::start(&binary, folder.path(), &database)?;

    let (mut passed, mut lines, mut faults) = (0, vec![], vec![]);
    for language in arguments.languages() {
        let since = Instant::now();
        match tell(language, &document, &server) {
            Ok(Told { refusals, steps }) => {
                passed += refusals + steps;
                let seconds = since.elapsed().as_secs_f64();
                lines.push(format!("{} {refusals} refusals, {steps} steps in {seconds:.1} s", language.name));
            }
            Err(error) => faults.push(format!("{}: {error:#}", language.name)),
        }
    }
    if !faults.is_empty() {
        let again = "repair what is named (clients/ is ours of each package), then `cargo xtask clients`";
        return Err(Failed::new(passed, faults.len(), format!("{}\n{again}", faults.join("\n\n"))).into());
    }
    Ok(Report::passed(passed, lines.join("; ")))
}

/// What a language was counted.
struct Told {
    refusals: usize,
    steps: usize,
}

/// From the document to the end of the story.
fn tell(language: &Language, document: &Value, server: &Server) -> anyhow::Result<Told> {
    let places = Places::of(language.name);
    let progress = |what: &str| eprintln!("clients: {} {what} …", language.name);
    (language.install)(&places)?;

    progress("is generated");
    let view = view::view(document, language.generator);
    package::assemble(&places, document, &view, language.generate, &language.retries)?;

    progress("is compiled");
    let misspelt = places.package.join("examples").join(language.misspelt);
    let text = std::fs::read_to_string(&misspelt).with_context(|| format!("cannot read {}", misspelt.display()))?;
    let refusals = check::refusals(&format!("examples/{}", language.misspelt), &text, &(language.compile)(&places)?)?;

    progress("tells its story");
    let mut command = (language.story)(&places);
    let proxy = Proxy::start(&server.address, story::LOST)?;
    command.arg(&proxy.address).current_dir(&places.package);
    let steps = story::told(&mut command).map_err(|error| {
        let log = server.log_tail();
        anyhow!("{error:#}\nthe server's last line: {}", log.lines().last().unwrap_or_default())
    })?;
    ensure!(proxy.has_lost_an_answer(), "no request had the title \"{}\", so no answer was lost", story::LOST);
    Ok(Told { refusals, steps })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_languages_are_chosen_unless_some_are_named() {
        let names = |words: &[&str]| {
            let arguments: Result<Arguments, _> = crate::arguments::parse(words);
            arguments.map(|arguments| arguments.languages().map(|language| language.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).expect("all"), ["rust", "typescript", "python"]);
        assert_eq!(names(&["python", "rust"]).expect("two"), ["rust", "python"]);
        let usage = names(&["ruby"]).expect_err("there is none").to_string();
        assert!(usage.contains("possible values: rust, typescript, python"), "{usage}");
    }
}
