//! `openapi/released/`: the documents that were promised, one a version, and their checksums. They never change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use semver::Version;
use sha2::{Digest, Sha256};

/// Where the promises lie.
pub const FOLDER: &str = "openapi/released";

/// The checksums of all of them, as `sha256sum --check` reads them.
pub const SUMS: &str = "openapi/released/SHA256SUMS";

/// The promised versions, the oldest first.
pub fn versions(root: &Path) -> anyhow::Result<Vec<Version>> {
    let folder = root.join(FOLDER);
    if !folder.is_dir() {
        return Ok(vec![]);
    }
    let mut versions = vec![];
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {FOLDER}"))? {
        let name = entry.with_context(|| format!("cannot read {FOLDER}"))?.file_name();
        versions.extend(name.to_str().and_then(version_of));
    }
    versions.sort();
    Ok(versions)
}

fn version_of(name: &str) -> Option<Version> {
    Version::parse(name.strip_prefix('v')?.strip_suffix(".yaml")?).ok()
}

/// The newest promise.
pub fn newest(root: &Path) -> anyhow::Result<Option<Version>> {
    Ok(versions(root)?.pop())
}

/// The file of a version, from the root.
pub fn name(version: &Version) -> String {
    format!("{FOLDER}/v{version}.yaml")
}

/// Writes a new promise and its checksum.
pub fn record(root: &Path, version: &Version, text: &str) -> anyhow::Result<()> {
    let mut sums = sums(root)?;
    let name = name(version);
    let file = name.rsplit('/').next().expect("a name has an end").to_owned();
    write(&root.join(&name), text)?;
    sums.insert(file, sum(text));
    let lines = sums.iter().map(|(file, sum)| format!("{sum}  {file}\n"));
    write(&root.join(SUMS), &lines.collect::<String>())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(path.parent().expect("a file lies in a folder"))?;
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Promises that were edited, are missing, or were never recorded; each with the way back.
pub fn faults(root: &Path) -> anyhow::Result<Vec<String>> {
    let sums = sums(root)?;
    let mut faults = vec![];
    for (file, expected) in &sums {
        let restore = format!("restore it: `git checkout HEAD -- {FOLDER}/{file}`");
        match std::fs::read_to_string(root.join(FOLDER).join(file)) {
            Ok(text) if sum(&text) == *expected => {}
            Ok(_) => faults.push(format!("{FOLDER}/{file}: was edited, but a promise never changes; {restore}")),
            Err(_) => faults.push(format!("{FOLDER}/{file}: is missing, but a promise is kept; {restore}")),
        }
    }
    for version in versions(root)? {
        let name = name(&version);
        if !sums.contains_key(name.trim_start_matches(FOLDER).trim_start_matches('/')) {
            let restore = format!("restore the list: `git checkout HEAD -- {SUMS}`");
            faults.push(format!("{name}: is not in {SUMS}; `cargo xtask spec release` writes both; {restore}"));
        }
    }
    Ok(faults)
}

/// File name to checksum.
fn sums(root: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let path: PathBuf = root.join(SUMS);
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {SUMS}"))?;
    let pair = |line: &str| {
        let (sum, file) = line.split_once("  ").with_context(|| {
            format!("{SUMS}: `{line}` is no checksum and file; restore it: `git checkout HEAD -- {SUMS}`")
        })?;
        Ok((file.to_owned(), sum.to_owned()))
    };
    text.lines().map(pair).collect()
}

fn sum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().expect("a version")
    }

    #[test]
    fn the_newest_is_the_highest_number_not_the_last_name() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(newest(folder.path()).expect("an empty list"), None);
        for text in ["1.9.0", "1.10.0", "0.2.0"] {
            record(folder.path(), &version(text), text).expect("written");
        }
        std::fs::write(folder.path().join(FOLDER).join("notes.md"), "x").expect("a file beside them");
        assert_eq!(newest(folder.path()).expect("a list"), Some(version("1.10.0")));
        assert_eq!(faults(folder.path()).expect("readable"), Vec::<String>::new());
    }

    #[test]
    fn an_edited_a_missing_and_a_smuggled_promise_are_told_with_the_way_back() {
        let folder = tempfile::tempdir().expect("a folder");
        for text in ["1.0.0", "1.1.0"] {
            record(folder.path(), &version(text), text).expect("written");
        }
        let path = |text: &str| folder.path().join(name(&version(text)));
        std::fs::write(path("1.0.0"), "other").expect("edited");
        std::fs::remove_file(path("1.1.0")).expect("removed");
        std::fs::write(path("1.2.0"), "new").expect("smuggled");
        let found = faults(folder.path()).expect("readable");
        assert_eq!(found.len(), 3, "{found:#?}");
        assert!(found[0].contains("v1.0.0.yaml: was edited") && found[0].contains("git checkout HEAD -- "));
        assert!(found[1].contains("v1.1.0.yaml: is missing"), "{found:#?}");
        assert!(found[2].contains("v1.2.0.yaml: is not in"), "{found:#?}");
    }
}
