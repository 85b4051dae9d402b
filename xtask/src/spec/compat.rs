//! `cargo xtask spec compat`: does the committed document keep what was promised?
//!
//! The rule, in full ([`RULE`] is its short form):
//!
//! - A promise is a document in `openapi/released/`. It never changes.
//! - Against the **newest release** a breaking change fails, unless the version says so (its breaking part has risen, as
//!   Cargo reads SemVer: the major number, the minor one while the major is 0) and CHANGELOG.md names every operation
//!   concerned in the `### Breaking` part of the new version. A risky change is told.
//!   Where the newest release is what is committed, the same holds for it against the release before.
//! - Any change but one of wording needs a higher version than the release: a version is one contract.
//! - Against the **merge base** with the main branch a breaking change is told and does not fail by itself: what lies
//!   between two states of an unreleased version was promised to nobody, and what breaks the release is judged there.
//!   The version must not fall, and no promise of the merge base may be lost or edited, even together with its checksum.

mod merge_base;

use std::collections::BTreeSet;
use std::path::Path;

use accord_openapi::Named;
use accord_openapi::diff::report::{Comparison, Difference};
use accord_openapi::diff::{self, Finding, Verdict};
use anyhow::Context;
use semver::Version;
use serde_json::Value;

use self::merge_base::MergeBase;
use super::{changelog, released, source};
use crate::application::Application;
use crate::report::{Failed, Outcome, Report};

/// The rule, as it is told where something breaks a release.
const RULE: &str = "  the rule: what breaks the newest release needs a new major version (a new minor one while the major \
    is 0) and a line in CHANGELOG.md, under `### Breaking` of the new version, for each operation concerned";

#[derive(clap::Args, Default)]
pub struct Arguments {
    /// Compare with the merge base with this revision
    #[arg(long, value_name = "REVISION")]
    base: Option<String>,
}

/// `cargo xtask spec compat`
pub fn run(Arguments { base }: &Arguments, application: &Application) -> Outcome {
    let result = check(&application.root(), base.as_deref())?;
    println!("{}", result.lines.join("\n"));
    if result.faults.is_empty() {
        return Ok(Report::passed(result.against.len(), result.note()));
    }
    Err(Failed::new(0, result.faults.len(), result.faults.join("\n")).into())
}

/// What was compared, and what is wrong.
pub struct Checked {
    version: Version,
    /// What was compared with what, and what was found, for people.
    pub lines: Vec<String>,
    /// What breaks a promise; each with what to do.
    pub faults: Vec<String>,
    /// The releases and commits that the document was held against.
    pub against: Vec<String>,
}

/// Holds the committed document of the repository at `root` to its promises. With `base` the merge base with that
/// revision is used, and it is an error if there is none.
pub fn check(root: &Path, base: Option<&str>) -> anyhow::Result<Checked> {
    let Named { name, value: new } = source::document_in(root, "committed")?;
    let version = version(&new)
        .with_context(|| format!("{name} has no SemVer as its version: set it in Cargo.toml, then `… spec write`"))?;
    let mut checked = Checked { version, lines: vec![], faults: released::faults(root)?, against: vec![] };
    let release = checked.releases(root, &new)?;
    match (merge_base::find(root, base), base) {
        (Ok(found), _) => checked.merge_base(root, &found, release.as_ref(), &new),
        (Err(why), None) => checked.lines.push(format!("not against a merge base: {why:#}")),
        (Err(why), Some(base)) => return Err(why.context(format!("cannot compare with `{base}`"))),
    }
    Ok(checked)
}

impl Checked {
    /// All of it in a line.
    pub fn note(&self) -> String {
        match &self.against[..] {
            [] => format!("{} has nothing to be held against", self.version),
            names => format!("{} keeps what was promised, against {}", self.version, names.join(" and ")),
        }
    }

    /// Against what was released; the document of the newest release.
    fn releases(&mut self, root: &Path, new: &Value) -> anyhow::Result<Option<Value>> {
        if !self.faults.is_empty() {
            // a promise that was edited says nothing about what was promised
            self.lines.push(format!("not against a release: {} is not what it was", released::FOLDER));
            return Ok(None);
        }
        let mut newest = None;
        for promised in promises_to_keep(root, &self.version)? {
            let old = source::document_in(root, &promised.to_string())?.value;
            let findings = compare(&old, new);
            let which = if newest.is_none() { "the newest release" } else { "the release before" };
            self.lines.extend(told(&format!("v{promised}, {which}"), &format!("v{promised}"), &findings));
            if is_breaking(&findings) {
                self.lines.push(RULE.into());
            }
            self.faults.extend(version_faults(&promised, &self.version, &findings));
            self.faults.extend(breaks(root, &promised, &self.version, &findings, [&old, new])?);
            self.against.push(format!("v{promised}"));
            newest.get_or_insert(old);
        }
        if newest.is_none() {
            self.lines.push("not against a release: nothing is released yet, so nothing is promised".into());
        }
        Ok(newest)
    }

    fn merge_base(&mut self, root: &Path, found: &MergeBase, release: Option<&Value>, new: &Value) {
        let name = format!("{:.12}, the merge base of HEAD and {}", found.commit, found.branch);
        let findings = compare(&found.document, new);
        if release == Some(&found.document) {
            self.lines.push(format!("against {name}: it has the document of the release"));
        } else {
            self.lines.extend(told(&name, &format!("{:.12}", found.commit), &findings));
            if is_breaking(&findings) {
                self.lines.push("  (told, no failure: only what breaks the newest release breaks a promise)".into());
            }
        }
        if let Some(was) = version(&found.document).filter(|was| self.version < *was) {
            let repair = "raise it in Cargo.toml, then `cargo xtask spec write`";
            self.faults.push(format!("the version fell from {was} to {} since {name}: {repair}", self.version));
        }
        self.faults.extend(found.lost(root));
        self.against.push(format!("{:.12}", found.commit));
    }
}

/// The newest release; and the one before, where the newest is what is committed: what `spec release` asked for still
/// holds when the release is looked at.
fn promises_to_keep(root: &Path, version: &Version) -> anyhow::Result<Vec<Version>> {
    let mut newest_first = released::versions(root)?.into_iter().rev();
    let newest = newest_first.next();
    let before = newest_first.next().filter(|_| newest.as_ref() == Some(version));
    Ok(newest.into_iter().chain(before).collect())
}

fn version(document: &Value) -> Option<Version> {
    Version::parse(document["info"]["version"].as_str()?).ok()
}

fn is_breaking(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.verdict == Verdict::Breaking)
}

/// Every difference but that of the versions, which are judged apart.
fn compare(old: &Value, new: &Value) -> Vec<Finding> {
    let mut findings = diff::compare(old, new);
    findings.retain(|finding| finding.pointer_new != "/info/version");
    findings
}

/// What was found: the counts, and a line for each difference that is breaking or risky.
fn told(name: &str, document: &str, findings: &[Finding]) -> Vec<String> {
    let comparison = Comparison::new(name, "the committed document", findings.to_vec());
    let mut lines = vec![format!("against {name}: {}", comparison.counts())];
    for Difference { first, uses, .. } in &comparison.differences {
        if first.verdict >= Verdict::Risky {
            let more = if uses.len() > 1 { format!(", and {} more places", uses.len() - 1) } else { String::new() };
            lines.push(format!("  {}: {}: {}{more}", first.verdict.name(), first.id(), first.place));
        }
    }
    if !findings.is_empty() {
        lines.push(format!("  all of it: `cargo xtask spec diff {document}`"));
    }
    lines
}

/// Is the version as high as the findings ask for?
fn version_faults(promised: &Version, version: &Version, findings: &[Finding]) -> Option<String> {
    let changes = findings.iter().filter(|finding| finding.verdict > Verdict::Wording).count();
    let repair =
        |wanted: &Version| format!("set `version` in Cargo.toml to {wanted} or higher, then `cargo xtask spec write`");
    if version < promised {
        Some(format!("the version {version} is lower than v{promised}, which is released: {}", repair(&next(promised))))
    } else if version == promised && changes > 0 {
        let changed = "is released, and the document has changed since";
        Some(format!("v{promised} {changed} ({changes} differences): {}", repair(&next(promised))))
    } else {
        None
    }
}

fn next(version: &Version) -> Version {
    Version::new(version.major, version.minor, version.patch + 1)
}

/// The lowest version that may break callers of this one: as Cargo reads SemVer.
pub fn next_breaking(version: &Version) -> Version {
    match (version.major, version.minor) {
        (0, 0) => Version::new(0, 0, version.patch + 1),
        (0, minor) => Version::new(0, minor + 1, 0),
        (major, _) => Version::new(major + 1, 0, 0),
    }
}

/// What is broken without being declared, by the version and in the changelog.
fn breaks(
    root: &Path,
    promised: &Version,
    version: &Version,
    findings: &[Finding],
    documents: [&Value; 2],
) -> anyhow::Result<Vec<String>> {
    let breaking: Vec<Finding> =
        findings.iter().filter(|finding| finding.verdict == Verdict::Breaking).cloned().collect();
    let operations: BTreeSet<&str> = breaking.iter().filter_map(|finding| finding.operation.as_deref()).collect();
    if breaking.is_empty() {
        return Ok(vec![]);
    }
    let mut faults = vec![];
    let wanted = next_breaking(promised);
    // a pre-release of the next breaking version may break, too
    if Version::new(version.major, version.minor, version.patch) < wanted {
        let repair = format!("take it back, or set `version` in Cargo.toml to {wanted} or higher");
        let comparison = Comparison::new("", "", breaking.clone());
        faults.push(format!("{version} breaks v{promised} ({}): {repair}", comparison.counts()));
    }
    let text = std::fs::read_to_string(root.join(changelog::CHANGELOG)).context("cannot read CHANGELOG.md")?;
    let section = wanted.max(version.clone());
    let named = operations.iter().map(|operation| names_of(operation, &documents));
    let silent = |part: &str, names: &[String]| !names.iter().any(|name| changelog::names(part, name));
    match changelog::breaking(&text, version) {
        None => {
            let operations = if operations.is_empty() { "what changes".into() } else { listed(named) };
            let repair = format!("write `## {section}` with `### Breaking` in it, and name {operations}");
            faults.push(format!("CHANGELOG.md does not say what breaks: {repair}"));
        }
        Some(part) => {
            let missing: Vec<_> = named.filter(|names| silent(part, names)).collect();
            if !missing.is_empty() {
                let repair = "name each by its id or by method and path, and say what its callers must do";
                let missing = listed(missing.into_iter());
                faults.push(format!("CHANGELOG.md does not have under `### Breaking`: {missing}; {repair}"));
            }
        }
    }
    Ok(faults)
}

/// `get_post (GET /api/v1/posts/{id}), …`
fn listed(operations: impl Iterator<Item = Vec<String>>) -> String {
    let one = |names: Vec<String>| match &names[..] {
        [id, routes @ ..] if !routes.is_empty() => format!("{id} ({})", routes.join(", ")),
        _ => names.concat(),
    };
    operations.map(one).collect::<Vec<_>>().join(", ")
}

/// An operation as people may call it: its id, its method and path in either document.
fn names_of(operation: &str, documents: &[&Value; 2]) -> Vec<String> {
    let all = documents.iter().flat_map(|document| accord_openapi::operations(document));
    let same = all.filter(|(_, _, value)| value["operationId"] == operation);
    let mut names = vec![operation.to_owned()];
    for (path, method, _) in same {
        let name = format!("{} {path}", method.to_uppercase());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::sample::Repository;
    use crate::spec::DOCUMENT;

    /// A document with these operations, `DELETE /a/delete_a` and so on; the last word is the summary of all.
    fn text(version: &str, operations: &[&str], summary: &str) -> String {
        let operation = |id: &&str| {
            format!(
                "  /{id}:\n    get: {{operationId: {id}, summary: {summary}, responses: {{'200': {{description: x}}}}}}\n"
            )
        };
        let paths: String = operations.iter().map(operation).collect();
        let paths = if paths.is_empty() { " {}\n".into() } else { format!("\n{paths}") };
        format!("openapi: 3.0.3\ninfo: {{title: x, version: {version}}}\npaths:{paths}")
    }

    /// A repository with v1.0.0 (get_a, get_b) released, on main.
    fn released_once() -> Repository {
        let repository = Repository::new();
        repository.write(DOCUMENT, &text("1.0.0", &["get_a", "get_b"], "x"));
        repository.write(changelog::CHANGELOG, "# Changelog\n\n## 1.0.0\n");
        let version: Version = "1.0.0".parse().expect("a version");
        released::record(repository.root(), &version, &text("1.0.0", &["get_a", "get_b"], "x")).expect("recorded");
        repository.commit("1.0.0");
        repository.git(&["switch", "--quiet", "--create", "work"]);
        repository
    }

    fn faults(repository: &Repository) -> Vec<String> {
        check(repository.root(), None).expect("a comparison").faults
    }

    fn lines(repository: &Repository) -> String {
        check(repository.root(), None).expect("a comparison").lines.join("\n")
    }

    #[test]
    fn what_keeps_the_promise_passes_and_the_bases_are_named() {
        let repository = released_once();
        assert_eq!(faults(&repository), Vec::<String>::new());
        let lines = lines(&repository);
        assert!(lines.contains("against v1.0.0, the newest release: no difference"), "{lines}");
        assert!(lines.contains("the merge base of HEAD and main: it has the document of the release"), "{lines}");
    }

    #[test]
    fn a_break_needs_a_version_that_says_so_and_the_operation_in_the_changelog() {
        let repository = released_once();
        repository.write(DOCUMENT, &text("1.1.0", &["get_a"], "x"));
        let found = faults(&repository);
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(
            found[0].contains("1.1.0 breaks v1.0.0 (1 breaking)") && found[0].contains("2.0.0 or higher"),
            "{found:#?}"
        );
        let named = "write `## 2.0.0` with `### Breaking` in it, and name get_b (GET /get_b)";
        assert!(found[1].contains(named), "{found:#?}");

        repository.write(DOCUMENT, &text("2.0.0", &["get_a"], "x"));
        repository.write(changelog::CHANGELOG, "## Unreleased\n\n### Breaking\n\n- `get_a` is gone.\n\n## 1.0.0\n");
        let found = faults(&repository);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].contains("does not have under `### Breaking`: get_b (GET /get_b); name"), "{found:#?}");

        for named in ["`get_b` is gone", "GET /get_b is gone"] {
            repository.write(changelog::CHANGELOG, &format!("## 2.0.0\n\n### Breaking\n\n- {named}.\n\n## 1.0.0\n"));
            assert_eq!(faults(&repository), Vec::<String>::new());
        }
        repository.write(DOCUMENT, &text("2.0.0-rc.1", &["get_a"], "x"));
        repository.write(changelog::CHANGELOG, "## Unreleased\n\n### Breaking\n\n- `get_b` is gone.\n");
        assert_eq!(faults(&repository), Vec::<String>::new());
    }

    #[test]
    fn a_change_needs_a_higher_version_but_one_of_wording_does_not() {
        let repository = released_once();
        repository.write(DOCUMENT, &text("1.0.0", &["get_a", "get_b"], "y"));
        assert_eq!(faults(&repository), Vec::<String>::new());
        repository.write(DOCUMENT, &text("1.0.0", &["get_a", "get_b", "get_c"], "x"));
        let found = faults(&repository).join("\n");
        assert!(found.contains("v1.0.0 is released, and the document has changed since"), "{found}");
        assert!(found.contains("to 1.0.1 or higher"), "{found}");
        repository.write(DOCUMENT, &text("1.1.0", &["get_a", "get_b", "get_c"], "x"));
        assert_eq!(faults(&repository), Vec::<String>::new());
        repository.write(DOCUMENT, &text("0.9.0", &["get_a", "get_b"], "x"));
        let found = faults(&repository);
        assert!(found[0].contains("lower than v1.0.0") && found[1].contains("fell from 1.0.0 to 0.9.0"), "{found:#?}");
    }

    #[test]
    fn a_release_that_was_made_by_hand_is_held_against_the_one_before() {
        let repository = released_once();
        let version: Version = "1.1.0".parse().expect("a version");
        let broken = text("1.1.0", &["get_a"], "x");
        repository.write(DOCUMENT, &broken);
        released::record(repository.root(), &version, &broken).expect("recorded");
        let found = faults(&repository).join("\n");
        assert!(found.contains("1.1.0 breaks v1.0.0 (1 breaking)"), "{found}");
        assert!(lines(&repository).contains("against v1.0.0, the release before: 1 breaking"));
    }

    #[test]
    fn what_was_never_released_may_break_and_is_told() {
        let repository = released_once();
        repository.write(DOCUMENT, &text("1.1.0", &["get_a", "get_b", "get_c"], "x"));
        repository.commit("one more");
        repository.git(&["branch", "--quiet", "--force", "main"]);
        repository.write(DOCUMENT, &text("1.1.0", &["get_a", "get_b"], "x"));
        assert_eq!(faults(&repository), Vec::<String>::new());
        let told = lines(&repository);
        assert!(told.contains("merge base of HEAD and main: 1 breaking"), "{told}");
        assert!(
            told.contains("  breaking: ") && told.contains("GET /get_c") && told.contains("told, no failure"),
            "{told}"
        );
    }

    #[test]
    fn a_promise_can_be_neither_edited_nor_dropped_even_with_its_checksum() {
        let repository = released_once();
        let file = released::name(&"1.0.0".parse().expect("a version"));
        repository.write(&file, &text("1.0.0", &["get_a"], "x"));
        let found = faults(&repository).join("\n");
        assert!(found.contains("v1.0.0.yaml: was edited") && found.contains("is not what it was in"), "{found}");
        assert!(lines(&repository).contains("not against a release: openapi/released is not what it was"));
        std::fs::remove_dir_all(repository.root().join(released::FOLDER)).expect("removed");
        let found = faults(&repository);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].contains("not any more; restore it: `git checkout "), "{found:#?}");
    }

    #[test]
    fn a_base_that_is_missing_is_told_and_fails_only_if_it_was_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("openapi")).expect("a folder");
        std::fs::write(folder.path().join(DOCUMENT), text("0.1.0", &["get_a"], "x")).expect("a file");
        let checked = check(folder.path(), None).expect("no comparison is no failure");
        assert_eq!((checked.against.len(), checked.faults.len()), (0, 0));
        let lines = checked.lines.join("\n");
        assert!(lines.contains("nothing is released yet") && lines.contains("is not under git"), "{lines}");

        let repository = released_once();
        let error = |base| format!("{:#}", check(repository.root(), Some(base)).err().expect("an error"));
        assert!(error("nowhere").contains("cannot compare with `nowhere`: there is no revision nowhere"));
        assert!(check(repository.root(), Some("HEAD")).is_ok());
        repository.git(&["branch", "--quiet", "--move", "main", "trunk"]);
        assert!(self::lines(&repository).contains("there is no revision origin/main and no main"));
        repository.git(&["switch", "--quiet", "--orphan", "other"]);
        repository.write(DOCUMENT, &text("1.0.0", &["get_a"], "x"));
        repository.commit("of another history");
        assert!(error("trunk").contains("HEAD and trunk have no commit in common"));
    }

    #[test]
    fn a_history_that_is_cut_off_is_told() {
        let repository = released_once();
        repository.commit("newer");
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (format!("file://{}", repository.root().display()), folder.path().display().to_string());
        repository.git(&["clone", "--quiet", "--depth", "1", "--branch", "work", &from, &to]);
        let checked = check(folder.path(), None).expect("no comparison is no failure");
        let lines = checked.lines.join("\n");
        assert!(lines.contains("no revision origin/main and no main; the history is cut off"), "{lines}");
        assert_eq!(checked.against, ["v1.0.0"]);
    }

    #[test]
    fn what_may_break_is_as_cargo_reads_semver() {
        let next = |text: &str| next_breaking(&text.parse().expect("a version")).to_string();
        assert_eq!([next("1.2.3"), next("0.2.3"), next("0.0.3")], ["2.0.0", "0.3.0", "0.0.4"]);
    }
}
