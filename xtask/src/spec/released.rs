//! `openapi/released/`: the documents that were promised, one a version. They never change.

use std::path::Path;

use anyhow::Context;
use semver::Version;

/// Where the promises lie.
pub const FOLDER: &str = "openapi/released";

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
