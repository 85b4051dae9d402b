//! `fixtures`: rows from YAML files, and back.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::table::table;
use super::{Failure, away, open, print, tell_causes};
use crate::auth::password::Passwords;
use crate::config::Config;
use crate::db::Db;
use crate::db::connect::Settings;
use crate::db::migrate::{self, Direction, Target};
use crate::declared;
use crate::fixtures::{self, Counts, FixtureError, Set, Source, built_in, initial, models};
use crate::resources::hooks::hooks;

/// One subcommand.
#[derive(Subcommand)]
pub enum Step {
    /// Load fixtures, all or nothing; a second time changes nothing (the default, with the initial ones)
    Load(Which),
    /// Load each into a new database that is thrown away; without names all that are built in
    Check(Which),
    /// List what is built in
    List,
    /// Write what is in the database as a fixture, without passwords and other secrets
    Dump {
        /// Only these models, such as users.User
        models: Vec<String>,
        /// Into this file, not to standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// Which fixtures.
#[derive(Args, Default)]
pub struct Which {
    /// Names, with or without .yaml: {name} fixtures list
    names: Vec<String>,
    /// YAML files
    #[arg(long, num_args = 1.., value_name = "FILE")]
    paths: Vec<PathBuf>,
}

impl Which {
    /// The files that are named, or those of these names.
    fn or(self, names: impl IntoIterator<Item = &'static str>) -> Result<Vec<Source>, Failure> {
        if self.names.is_empty() && self.paths.is_empty() {
            return Ok(fixtures::named(names)?);
        }
        let named = fixtures::named(self.names)?;
        Ok(named.into_iter().chain(self.paths.into_iter().map(Source::Path)).collect())
    }
}

impl From<FixtureError> for Failure {
    fn from(error: FixtureError) -> Self {
        Self::Other(error.to_string())
    }
}

/// Runs it.
pub async fn run(config: &Config, step: Option<Step>) -> Result<(), Failure> {
    match step.unwrap_or(Step::Load(Which::default())) {
        Step::Load(which) => load(config, which.or(initial().iter().copied())?).await,
        Step::Check(which) => check(config, which).await,
        Step::List => print(&list()),
        Step::Dump { models, out } => dump(config, &models, out).await,
    }
}

async fn load(config: &Config, sources: Vec<Source>) -> Result<(), Failure> {
    let set = Set::of(sources)?;
    if let Some(file) = set.known_passwords.as_ref().filter(|_| config.is_exposed()) {
        return Err(Failure::Config(format!(
            "{file} has accounts with known passwords: not with {}=prod or a HOST that other machines can reach; load a \
             file of your own with --paths",
            declared::variable("env")
        )));
    }
    let Counts { new, unchanged } = fixtures::load(&open(config).await?, &Passwords::of(config), set).await?;
    print(&match unchanged {
        0 => format!("loaded {new} objects\n"),
        _ => format!("{new} new, {unchanged} unchanged\n"),
    })
}

async fn check(config: &Config, which: Which) -> Result<(), Failure> {
    tell_causes();
    // also where no file is meant: the list must not name what is not there
    fixtures::named(initial())?;
    let sources = which.or(built_in().iter().map(|built_in| built_in.name))?;
    let folder = tempfile::tempdir().map_err(|error| Failure::Other(format!("cannot make a folder: {error}")))?;
    let url = format!("sqlite:{}", folder.path().join("check.db").display());
    migrate::run_built_in(&url, Direction::Up, Target::Head)
        .await
        .map_err(|error| super::migrate::failed(&url, &error))?;
    let settings = Settings { url, ..config.database.connection() };
    let scratch = Db::connect(&settings, hooks(config)?).await.map_err(|error| away(config, &error))?;
    let files = sources.len();
    let objects = fixtures::check(&scratch, &Passwords::of(config), sources).await?;
    print(&format!("checked {files} fixtures with {objects} objects\n"))
}

fn list() -> String {
    let mut rows = vec![];
    for built_in in built_in() {
        let file = built_in.read();
        let counts = file.objects.iter().fold(BTreeMap::new(), |mut counts: BTreeMap<_, usize>, object| {
            *counts.entry(object.model.name()).or_default() += 1;
            counts
        });
        let counts =
            models::all().iter().filter_map(|model| Some(format!("{} {}", counts.get(model.name())?, model.name())));
        let is_initial = if initial().contains(&built_in.name) { "yes" } else { "" };
        rows.push([
            built_in.name.to_owned(),
            is_initial.to_owned(),
            file.needs.iter().map(|need| need.name.as_str()).collect::<Vec<_>>().join(", "),
            counts.collect::<Vec<_>>().join(", "),
        ]);
    }
    table(["name", "initial", "needs", "objects"], rows)
}

async fn dump(config: &Config, models: &[String], out: Option<PathBuf>) -> Result<(), Failure> {
    let models = models.iter().map(|name| fixtures::find_model(name).map_err(Failure::Usage));
    let models = models.collect::<Result<Vec<_>, _>>()?;
    let (text, count) = fixtures::dump::dump(&mut open(config).await?.read().await?, &models).await?;
    let Some(path) = out else { return print(&text) };
    std::fs::write(&path, text).map_err(|error| Failure::Other(format!("cannot write {}: {error}", path.display())))?;
    print(&format!("wrote {count} objects to {}\n", path.display()))
}
