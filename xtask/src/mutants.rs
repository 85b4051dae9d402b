//! The checks are checked: one semantic change at a time, and the check that must notice it.
//!
//! `xtask/mutants.toml` lists the changes. Those of the document and the collection are made in memory and given to
//! the very functions that `spec check` and `postman check` call. Those of code and migrations are made in a copy of
//! the sources, built, and held to the committed contract like the real server.

mod build;
mod list;

use std::cell::OnceCell;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
pub use build::Workshop;
use clap::ValueEnum;
use list::{Edit, Mutants, Patch};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::application::ACCORD;
use crate::arguments::Word;
use crate::postgres::Postgres;
use crate::report::{Failed, Outcome, Report, Usage};
use crate::{migrate, postman, spec};

/// The seed of the sample that `ci` takes; another one is another sample.
const SEED: &str = "accord";

/// What became of one mutant.
struct Fate {
    kind: Kind,
    name: String,
    /// The check that noticed, and what it said first; none if it survived.
    noticed: Option<Notice>,
    seconds: f64,
}

/// The check that failed, and the first line it said.
pub struct Notice {
    pub check: &'static str,
    pub sentence: String,
}

/// The parts that a mutant changes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Document,
    Collection,
    Migration,
    Code,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Collection => "collection",
            Self::Migration => "migration",
            Self::Code => "code",
        }
    }
}

#[derive(clap::Args)]
pub struct Arguments {
    /// document, collection, migration or code, without one all of them; and part of the name of a mutant
    #[arg(value_name = "KIND | FILTER")]
    words: Vec<Word<Kind>>,
    /// Add every edit of every node of the document
    #[arg(long)]
    every: bool,
    /// Take this many of the mutants that need a build
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// The seed of the sample
    #[arg(long, value_name = "WORD", default_value = SEED)]
    seed: String,
}

/// The mutants to try.
struct Options {
    kinds: Vec<Kind>,
    filter: Option<String>,
    /// The number of those that need a build.
    sample: Option<usize>,
    seed: String,
    /// Every edit of every node of the document, too.
    every: bool,
}

impl Options {
    fn new(arguments: &Arguments) -> Result<Self, Usage> {
        let (kinds, filters) = Word::separate(&arguments.words);
        if let [_, more, ..] = filters[..] {
            return Err(Usage(format!("one filter is enough: `{more}`")));
        }
        let filter = filters.first().map(|filter| (*filter).to_owned());
        let Arguments { every, sample, seed, .. } = arguments;
        Ok(Self { kinds, filter, sample: *sample, seed: seed.clone(), every: *every })
    }

    fn takes(&self, kind: Kind, name: &str) -> bool {
        let of_kind = self.kinds.is_empty() || self.kinds.contains(&kind);
        of_kind && self.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()))
    }

    /// The same mutants for the same seed, whatever their order in the file.
    fn sampled<'a>(&self, mut patches: Vec<(Kind, &'a Patch)>) -> Vec<(Kind, &'a Patch)> {
        if let Some(sample) = self.sample {
            patches.sort_by_key(|(_, patch)| Sha256::digest(format!("{}/{}", self.seed, patch.name)).to_vec());
            patches.truncate(sample);
        }
        patches
    }
}

/// `cargo xtask mutants`
pub fn run(arguments: &Arguments) -> Outcome {
    try_all(&Options::new(arguments)?)
}

/// A sample of the mutants that need a build, and all others.
pub fn run_sample(sample: usize) -> Outcome {
    try_all(&Options { kinds: vec![], filter: None, sample: Some(sample), seed: SEED.into(), every: false })
}

fn try_all(options: &Options) -> Outcome {
    let mutants = Mutants::read()?;
    let mut fates = vec![];
    let document = spec::committed()?;
    for edit in mutants.document.iter().filter(|edit| options.takes(Kind::Document, &edit.name)) {
        fates.push(fate(Kind::Document, &edit.name, || of_document(edit, &document))?);
    }
    if options.every {
        fates.push(fate(Kind::Document, "each node deleted, changed, added to", || Ok(of_every_node(&document)))?);
    }
    let edits = mutants.collection.iter().filter(|edit| options.takes(Kind::Collection, &edit.name));
    let (collection, wanted) = (postman::collection(&ACCORD)?, postman::generated(&ACCORD)?);
    for edit in edits {
        fates.push(fate(Kind::Collection, &edit.name, || of_collection(edit, &collection, &wanted))?);
    }
    let migrations = mutants.migration.iter().map(|patch| (Kind::Migration, patch));
    let code = mutants.code.iter().map(|patch| (Kind::Code, patch));
    let patches = migrations.chain(code).filter(|(kind, patch)| options.takes(*kind, &patch.name)).collect();
    let patches = options.sampled(patches);
    if !patches.is_empty() {
        // of the sources, before a mutant takes the place of their binary
        let _cached = ACCORD.declared()?;
        let workshop = Workshop::open()?;
        // only who needs a PostgreSQL waits for it
        let started = OnceCell::new();
        let postgres = || -> anyhow::Result<&Postgres> {
            if started.get().is_none() {
                let _first = started.set(Postgres::start()?);
            }
            started.get().context("it was started")
        };
        let url = || Ok(postgres()?.url().to_owned());
        let migrates = |binary: &Path| -> anyhow::Result<()> {
            migrate::there_and_back_with(&ACCORD, binary, postgres()?).map(drop)
        };
        for (kind, patch) in patches {
            let migrates: Option<build::Migrates<'_>> = if kind == Kind::Migration { Some(&migrates) } else { None };
            fates.push(fate(kind, &patch.name, || workshop.try_out(patch, &url, migrates))?);
        }
    }
    tell(&fates)
}

/// Runs the checks on one mutant and says at once what became of it: the whole list takes a while.
fn fate(kind: Kind, name: &str, work: impl FnOnce() -> anyhow::Result<Option<Notice>>) -> anyhow::Result<Fate> {
    let since = Instant::now();
    let noticed = work().with_context(|| format!("{} mutant `{name}`", kind.as_str()))?;
    let fate = Fate { kind, name: name.into(), noticed, seconds: since.elapsed().as_secs_f64() };
    eprintln!("{}", line(&fate));
    Ok(fate)
}

fn line(fate: &Fate) -> String {
    let Fate { kind, name, noticed, seconds } = fate;
    let (by, sentence) = match noticed {
        Some(Notice { check, sentence }) => (*check, sentence.as_str()),
        None => ("SURVIVED", "no check noticed"),
    };
    let sentence: String = sentence.chars().take(110).collect();
    let kind = kind.as_str();
    format!("{kind:<10} {name:<52} {by:<14} {seconds:>6.1} s  {sentence}")
}

fn of_document(edit: &Edit, document: &Value) -> anyhow::Result<Option<Notice>> {
    let mutant = edit.apply(document)?;
    Ok(disagreement(&mutant, &ACCORD.declared()?.document))
}

/// The edits of the sweep that the comparison notices; none if one of them passes.
fn of_every_node(document: &Value) -> Option<Notice> {
    let missed = accord_openapi::diff::sweep::unnoticed(document);
    missed.iter().for_each(|(pointer, edit)| eprintln!("unnoticed: {edit} {pointer}"));
    let sentence = format!("{} edits, all noticed", accord_openapi::diff::sweep::edits(document).len());
    missed.is_empty().then_some(Notice { check: "spec check", sentence })
}

/// The worst difference between the committed document and the one that is served.
fn disagreement(committed: &Value, served: &Value) -> Option<Notice> {
    let worst = accord_openapi::diff::compare(committed, served).into_iter().max_by_key(|finding| finding.verdict)?;
    Some(Notice { check: "spec check", sentence: format!("{} at {}", worst.id(), worst.place) })
}

fn of_collection(edit: &Edit, collection: &Value, wanted: &Value) -> anyhow::Result<Option<Notice>> {
    let mutant = edit.apply(collection)?;
    let first = postman::differences(&mutant, wanted).into_iter().next();
    let sentence = first.map(|first| first.trim_start_matches("the collection: ").to_owned());
    Ok(sentence.map(|sentence| Notice { check: "postman check", sentence }))
}

/// Counts by the check that noticed; survivors are failures.
fn tell(fates: &[Fate]) -> Outcome {
    if fates.is_empty() {
        return Err(Usage("no mutant is called like that; xtask/mutants.toml lists them".into()).into());
    }
    let mut by: Vec<(&str, usize)> = vec![];
    for notice in fates.iter().filter_map(|fate| fate.noticed.as_ref()) {
        match by.iter_mut().find(|(check, _)| *check == notice.check) {
            Some((_, count)) => *count += 1,
            None => by.push((notice.check, 1)),
        }
    }
    let by = by.iter().map(|(check, count)| format!("{check} {count}")).collect::<Vec<_>>().join(", ");
    let survivors: Vec<&Fate> = fates.iter().filter(|fate| fate.noticed.is_none()).collect();
    let killed = fates.len() - survivors.len();
    if survivors.is_empty() {
        return Ok(Report::passed(killed, format!("{killed} mutants, all noticed: {by}")));
    }
    let names =
        survivors.iter().map(|fate| format!("  {}: {}", fate.kind.as_str(), fate.name)).collect::<Vec<_>>().join("\n");
    let text = format!(
        "{killed} mutants were noticed ({by}), {} were not:\n{names}\nadd the check that notices each; \
         `cargo xtask mutants NAME` tries one again",
        survivors.len()
    );
    Err(Failed::new(killed, survivors.len(), text).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_depends_on_the_seed_alone() {
        let patches: Vec<Patch> = ('a'..='z').map(|letter| Patch { name: letter.into(), ..Patch::default() }).collect();
        let sample = |seed: &str, reverse: bool| {
            let words = ["--sample", "5", "--seed", seed];
            let options = Options::new(&crate::arguments::parse(&words).expect("arguments")).expect("options");
            let mut all: Vec<_> = patches.iter().map(|patch| (Kind::Code, patch)).collect();
            if reverse {
                all.reverse();
            }
            let chosen = options.sampled(all);
            chosen.into_iter().map(|(_, patch)| patch.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(sample("x", false), sample("x", true));
        assert_ne!(sample("x", false), sample("y", false));
        assert_eq!(sample("x", false).len(), 5);
    }

    #[test]
    fn a_survivor_fails_by_its_name() {
        let fate = |name: &str, noticed: bool| Fate {
            kind: Kind::Code,
            name: name.into(),
            noticed: noticed.then(|| Notice { check: "stories", sentence: String::new() }),
            seconds: 0.0,
        };
        assert_eq!(tell(&[fate("a", true)]).expect("all noticed").note, "1 mutants, all noticed: stories 1");
        let error = tell(&[fate("a", true), fate("b", false)]).expect_err("a survivor").to_string();
        assert!(error.contains("code: b") && !error.contains("code: a"), "{error}");
    }
}
