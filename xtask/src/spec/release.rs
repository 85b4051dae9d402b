//! `cargo xtask spec release X.Y.Z`: makes the committed document a promise.

use std::path::Path;

use crate::application::ACCORD;
use accord_openapi::{lint, to_yaml};
use semver::Version;
use serde_json::Value;

use super::{changelog, compat, released, source};
use crate::report::{Failed, Outcome, Report};
use crate::run;

#[derive(clap::Args)]
pub struct Arguments {
    /// Three numbers, e.g. 0.2.0
    #[arg(value_name = "X.Y.Z", value_parser = three_numbers)]
    version: Version,
}

fn three_numbers(text: &str) -> Result<Version, &'static str> {
    let version = text.parse::<Version>().ok().filter(|version| version.pre.is_empty() && version.build.is_empty());
    version.ok_or("a version has three numbers, e.g. 0.2.0")
}

/// `cargo xtask spec release`
pub fn run(Arguments { version }: &Arguments) -> Outcome {
    release(&run::root(), version, &ACCORD.declared()?.document)
}

/// Records the committed document of the repository at `root`, if everything speaks for it.
fn release(root: &Path, version: &Version, served: &Value) -> Outcome {
    let committed = source::document_in(root, "committed")?.value;
    let reasons = against(root, version, &committed, served)?;
    if !reasons.is_empty() {
        let count = reasons.len();
        return Err(Failed::new(0, count, format!("{version} is not released:\n{}", reasons.join("\n"))).into());
    }
    released::record(root, version, &to_yaml(&committed))?;
    let files = format!("{} and {}", released::name(version), released::SUMS);
    let next = compat::next_breaking(version);
    Ok(Report::passed(1, format!("wrote {files}: commit both; what breaks it from now on has to be {next} or higher")))
}

/// What speaks against it, each with what to do.
fn against(root: &Path, version: &Version, committed: &Value, served: &Value) -> anyhow::Result<Vec<String>> {
    let (mut reasons, name) = (vec![], source::document_of(root));
    if let Some(newest) = released::newest(root)?.filter(|newest| version <= newest) {
        reasons.push(format!("v{newest} is released already: choose a higher version"));
    }
    if committed["info"]["version"] != version.to_string() {
        let has = &committed["info"]["version"];
        let repair = format!(
            "set `version` under [workspace.package] in Cargo.toml to \"{version}\", then `cargo xtask spec write` \
             and `cargo xtask postman write`"
        );
        reasons.push(format!("{name} has version {has}: {repair}"));
    }
    let canonical = to_yaml(served);
    if std::fs::read_to_string(root.join(&name)).ok().as_deref() != Some(canonical.as_str()) {
        reasons.push(format!("{name} is not what the code serves: `cargo xtask spec check` says where"));
    }
    let faults = lint::faults(committed).len();
    if faults > 0 {
        reasons.push(format!("{name} breaks our rules in {faults} places: `cargo xtask spec lint` says where"));
    }
    reasons.extend(compat::check(root, None)?.faults);
    let text = std::fs::read_to_string(root.join(changelog::CHANGELOG)).unwrap_or_default();
    if !changelog::has_section(&text, version) {
        reasons.push(format!("CHANGELOG.md has no section `## {version}`: rename `## Unreleased` to it"));
    }
    Ok(reasons)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::sample::Repository;
    use crate::spec::{self, DOCUMENT};

    /// A repository that is ready to release its version.
    fn ready() -> (Repository, Value, Version) {
        let repository = Repository::new();
        let served = spec::committed().expect("the document");
        repository.write(DOCUMENT, &to_yaml(&served));
        let version = served["info"]["version"].as_str().and_then(|version| version.parse().ok());
        let version: Version = version.expect("our version is SemVer");
        repository.write(changelog::CHANGELOG, &format!("# Changelog\n\n## {version}\n\n- All of it.\n"));
        repository.commit("ready");
        (repository, served, version)
    }

    fn refusal(repository: &Repository, version: &Version, served: &Value) -> String {
        format!("{:#}", release(repository.root(), version, served).expect_err("a refusal"))
    }

    #[test]
    fn a_release_writes_the_document_and_its_checksum_once() {
        let (repository, served, version) = ready();
        let report = release(repository.root(), &version, &served).expect("nothing speaks against it");
        assert!(report.note.contains(&released::name(&version)) && report.note.contains("commit both"));
        let text = std::fs::read_to_string(repository.root().join(released::name(&version))).expect("written");
        assert_eq!(text, to_yaml(&served));
        let sums = std::fs::read_to_string(repository.root().join(released::SUMS)).expect("written");
        assert!(sums.ends_with(&format!("  v{version}.yaml\n")) && sums.find("  ") == Some(64), "{sums}");
        assert_eq!(released::newest(repository.root()).expect("readable"), Some(version.clone()));
        assert!(refusal(&repository, &version, &served).contains("is released already"));
    }

    #[test]
    fn each_reason_against_a_release_is_told_with_what_to_do() {
        let (repository, served, version) = ready();
        let higher = compat::next_breaking(&version);
        let told = refusal(&repository, &higher, &served);
        assert!(told.contains("[workspace.package] in Cargo.toml") && told.contains("has no section"), "{told}");

        repository.write(changelog::CHANGELOG, &format!("## Unreleased ({version})\n"));
        assert!(refusal(&repository, &version, &served).contains(&format!("no section `## {version}`")));

        let (repository, mut served, version) = ready();
        repository.write(DOCUMENT, &format!("# by hand\n{}", to_yaml(&served)));
        assert!(refusal(&repository, &version, &served).contains("`cargo xtask spec check` says where"));

        served["paths"]["/api/v1/posts"]["get"]["summary"] = "TODO".into();
        repository.write(DOCUMENT, &to_yaml(&served));
        assert!(refusal(&repository, &version, &served).contains("`cargo xtask spec lint` says where"));
    }

    #[test]
    fn what_breaks_the_last_promise_is_not_released() {
        let (repository, mut served, version) = ready();
        released::record(repository.root(), &Version::new(0, 0, 1), &to_yaml(&served)).expect("recorded");
        let map = served["paths"].as_object_mut().expect("paths");
        map.remove("/api/v1/info").expect("it is there");
        repository.write(DOCUMENT, &to_yaml(&served));
        let told = refusal(&repository, &version, &served);
        assert!(told.contains("CHANGELOG.md does not say what"), "{told}");
        assert!(!repository.root().join(released::name(&version)).exists());
    }

    #[test]
    fn only_three_numbers_are_a_release() {
        for text in ["1.2", "v1.2.3", "1.2.3-rc.1", "latest"] {
            assert!(three_numbers(text).is_err(), "{text}");
        }
        assert_eq!(three_numbers("1.2.3"), Ok(Version::new(1, 2, 3)));
    }
}
