//! `deny.toml` against the dependencies: sources, bans and duplicates by Cargo.lock, licences by `cargo metadata`. No
//! network: advisories are cargo-deny's.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use semver::Version;
use serde::Deserialize;

use crate::report::{Failed, Outcome, Report};
use crate::run;

/// The part of `deny.toml` that is checked here.
#[derive(Deserialize)]
struct Rules {
    sources: Sources,
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Entry>,
    skip: Vec<Entry>,
}

/// `name` or `name@version`, where the version may end early: `0.10` is every 0.10.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "crate")]
    spec: String,
    reason: String,
}

impl Entry {
    fn matches(&self, name: &str, version: &Version) -> bool {
        let (ours, prefix) = self.spec.split_once('@').unwrap_or((&self.spec, ""));
        let numbers = [version.major, version.minor, version.patch].map(|number| number.to_string());
        let parts = prefix.split('.').filter(|part| !part.is_empty());
        ours == name && parts.zip(&numbers).all(|(part, number)| part == number)
    }
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Version,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Licensed>,
}

#[derive(Deserialize)]
struct Licensed {
    name: String,
    version: Version,
    license: Option<String>,
}

/// `cargo xtask deny`
pub fn run() -> Outcome {
    let read =
        |name: &str| std::fs::read_to_string(run::root().join(name)).with_context(|| format!("cannot read {name}"));
    let rules: Rules = toml::from_str(&read("deny.toml")?).context("deny.toml")?;
    let lock: Lock = toml::from_str(&read("Cargo.lock")?).context("Cargo.lock")?;
    let mut faults = in_lock(&rules, &lock.package);
    let packages = metadata()?.packages;
    faults.extend(in_licenses(&rules.licenses.allow, &packages));
    if !faults.is_empty() {
        return Err(Failed::new(0, faults.len(), faults.join("\n")).into());
    }
    let note = format!("{} packages in Cargo.lock, {} licences read", lock.package.len(), packages.len());
    Ok(Report::passed(lock.package.len(), note))
}

/// The packages that this machine builds: those of other platforms may not have been downloaded.
fn metadata() -> anyhow::Result<Metadata> {
    let rustc = run::silently(std::process::Command::new("rustc").arg("-vV"))?;
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).context("`rustc -vV` names no host")?;
    let arguments = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host];
    let json =
        run::silently(&mut run::cargo(arguments)).context("cargo metadata; `cargo fetch` downloads what is missing")?;
    Ok(serde_json::from_str(&json)?)
}

fn in_lock(rules: &Rules, packages: &[Package]) -> Vec<String> {
    let mut faults = vec![];
    let mut versions: BTreeMap<&str, Vec<&Version>> = BTreeMap::new();
    for Package { name, version, source } in packages {
        versions.entry(name).or_default().push(version);
        let registry = source.as_deref().map(|source| source.strip_prefix("registry+").unwrap_or(source));
        if registry.is_some_and(|registry| !rules.sources.allow_registry.iter().any(|allowed| allowed == registry)) {
            faults.push(format!(
                "{name} {version} comes from {}: deny.toml allows no such source",
                registry.unwrap_or("-")
            ));
        }
        for ban in rules.bans.deny.iter().filter(|ban| ban.matches(name, version)) {
            faults.push(format!("{name} {version} is banned by deny.toml: {}", ban.reason));
        }
    }
    let skipped = |name: &str, version: &Version| rules.bans.skip.iter().any(|skip| skip.matches(name, version));
    for (name, versions) in &versions {
        let rest: Vec<_> = versions.iter().filter(|version| !skipped(name, version)).map(ToString::to_string).collect();
        if rest.len() > 1 {
            faults.push(format!(
                "{name} is there in the versions {}: update what asks for the older one (`cargo tree -i {name}`), or add \
                 it to `skip` in deny.toml with the reason",
                rest.join(" and ")
            ));
        }
    }
    for skip in &rules.bans.skip {
        let mut skipped = packages.iter().filter(|package| skip.matches(&package.name, &package.version));
        if !skipped.any(|package| versions[package.name.as_str()].len() > 1) {
            faults.push(format!("deny.toml skips {}, which is no duplicate any more: take the line away", skip.spec));
        }
        if skip.reason.trim().is_empty() {
            faults.push(format!("deny.toml skips {} without a reason", skip.spec));
        }
    }
    faults
}

fn in_licenses(allowed: &BTreeSet<String>, packages: &[Licensed]) -> Vec<String> {
    let fault = |Licensed { name, version, license }: &Licensed| match license {
        None => Some(format!("{name} {version} names no licence")),
        Some(license) if !is_allowed(license, allowed) => {
            Some(format!("{name} {version} has the licence `{license}`, which deny.toml does not allow"))
        }
        Some(_) => None,
    };
    packages.iter().filter_map(fault).collect()
}

/// Evaluates an SPDX expression: `AND` binds tighter than `OR`; `/` is an old way to write `OR`.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let result = either(&words, &mut at, allowed);
    result && at == words.len()
}

fn either(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut result = both(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        result |= both(words, at, allowed);
    }
    result
}

fn both(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut result = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        result &= one(words, at, allowed);
    }
    result
}

fn one(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let result = either(words, at, allowed);
        *at += 1;
        return result;
    }
    match (words.get(*at), words.get(*at + 1)) {
        (Some(&"WITH"), Some(exception)) => {
            *at += 2;
            allowed.contains(&format!("{word} WITH {exception}"))
        }
        _ => allowed.contains(*word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        sources.allow-registry = ["https://crates"]
        licenses.allow = ["MIT"]
        bans.deny = [{ crate = "bad@0.9", reason = "old" }]
        bans.skip = [{ crate = "two@1", reason = "a" }]
    "#;

    fn faults(packages: &[(&str, &str, &str)]) -> Vec<String> {
        let rules: Rules = toml::from_str(RULES).expect("rules");
        let package = |&(name, version, source): &(&str, &str, &str)| Package {
            name: name.into(),
            version: version.parse().expect("a version"),
            source: Some(format!("registry+{source}")),
        };
        in_lock(&rules, &packages.iter().map(package).collect::<Vec<_>>())
    }

    #[test]
    fn bans_duplicates_and_sources_are_reported_by_name() {
        let two = [("two", "1.2.0", "https://crates"), ("two", "2.0.0", "https://crates")];
        assert_eq!(faults(&two), Vec::<String>::new());
        for (package, part) in [
            (("bad", "0.9.34", "https://crates"), "bad 0.9.34 is banned by deny.toml: old"),
            (("two", "3.0.0", "https://crates"), "two is there in the versions 2.0.0 and 3.0.0"),
            (("one", "1.0.0", "https://elsewhere"), "one 1.0.0 comes from https://elsewhere"),
        ] {
            let faults = faults(&[two[0], two[1], package]);
            assert!(faults.len() == 1 && faults[0].contains(part), "{faults:?}");
        }
        assert_eq!(faults(&[("bad", "0.10.0", "https://crates"), two[0], two[1]]), Vec::<String>::new());
        assert!(faults(&two[..1])[0].contains("no duplicate any more"));
    }

    #[test]
    fn license_expressions_are_evaluated() {
        let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
        for good in
            ["MIT", "GPL-3.0 OR MIT", "GPL-3.0/MIT", "(GPL-3.0 OR MIT) AND MIT", "Apache-2.0 WITH LLVM-exception"]
        {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in ["", "GPL-3.0", "GPL-3.0 AND MIT", "GPL-3.0 OR (MIT AND Apache-2.0)", "Apache-2.0", "MIT MIT"] {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }
}
