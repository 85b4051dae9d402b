//! Puts a package together: what is ours of it, with the document's version, and what the generator writes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde_json::Value;

use super::retries::Retries;
use super::{Places, culprit};
use crate::run;

/// The version in our manifests and locks; the document's goes in its place.
const UNVERSIONED: &str = "\"0.0.0\"";

/// A package is published with its licences.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// Writes `target/clients/LANGUAGE`. A file that does not change keeps its time, so that compilers find it fresh.
pub fn assemble(
    places: &Places,
    document: &Value,
    view: &Value,
    generate: fn(&Places, &Path, &Path) -> anyhow::Result<()>,
    retries: &Retries,
) -> anyhow::Result<()> {
    let version = document["info"]["version"].as_str().context("the document has no info.version")?;
    let staging = tempfile::tempdir_in(places.package.parent().context("a package lies in target/clients")?)?;
    let package = staging.path().join("package");
    for file in files(&places.ours)? {
        let bytes = std::fs::read(places.ours.join(&file))?;
        // all of ours is text
        let text = String::from_utf8(bytes).with_context(|| format!("{} is no text", file.display()))?;
        write(&package.join(&file), text.replace(UNVERSIONED, &format!("\"{version}\"")).as_bytes())?;
    }
    for licence in LICENCES {
        std::fs::copy(run::root().join(licence), package.join(licence))?;
    }
    let path = staging.path().join("openapi.json");
    let generated = |view: &Value| {
        std::fs::write(&path, view.to_string())?;
        generate(places, &path, &package)
    };
    if let Err(error) = generated(view) {
        eprintln!("clients: the generator fails, each operation is tried alone …");
        return Err(anyhow!("{error:#}\n{}", culprit::sentence(view, |view| generated(view).is_ok())));
    }
    retries.connect(document, &package)?;
    replace(&package, &places.package)
}

/// Makes `to` what `from` is; what the compilers left there stays, beside what they are to read.
fn replace(from: &Path, to: &Path) -> anyhow::Result<()> {
    let wanted: BTreeSet<PathBuf> = files(from)?.into_iter().collect();
    let present: BTreeSet<PathBuf> = if to.is_dir() { files(to)?.into_iter().collect() } else { BTreeSet::new() };
    for file in present.difference(&wanted) {
        std::fs::remove_file(to.join(file))?;
    }
    for file in &wanted {
        let bytes = std::fs::read(from.join(file))?;
        if std::fs::read(to.join(file)).ok().as_deref() != Some(&bytes) {
            write(&to.join(file), &bytes)?;
        }
    }
    Ok(())
}

/// What compilers leave in a package.
const LEFT: [&str; 4] = ["node_modules", "dist", "__pycache__", ".mypy_cache"];

/// All files below a folder, by their path in it.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = vec![];
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        let path = folder.join(&inner);
        for entry in std::fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))? {
            let entry = entry?;
            if LEFT.iter().any(|left| entry.file_name() == *left) {
                continue;
            }
            match entry.file_type()?.is_dir() {
                true => folders.push(inner.join(entry.file_name())),
                false => files.push(inner.join(entry.file_name())),
            }
        }
    }
    Ok(files)
}

fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = file.parent().context("a file lies in a folder")?;
    std::fs::create_dir_all(folder)?;
    std::fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(folder: &Path, name: &str, text: &str) {
        write(&folder.join(name), text.as_bytes()).expect("a temporary folder can be written");
    }

    #[test]
    fn a_package_is_ours_with_the_documents_version_and_what_is_generated() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        let places = Places { ours: at("ours"), package: at("package"), tools: at("tools") };
        file(&places.ours, "manifest", "version = \"0.0.0\"");
        file(&places.ours, "src/lib", "ours");
        file(&places.package, "src/of-yesterday", "no longer generated");
        file(&places.package, "dist/compiled", "kept");

        let document = json!({ "info": { "version": "1.2.3" } });
        let generate = |_: &Places, view: &Path, package: &Path| {
            file(package, "src/generated", &std::fs::read_to_string(view)?);
            Ok(())
        };
        let retries = Retries { file: "src/list", template: "{paths}", replacements: &[] };
        assemble(&places, &document, &json!({ "view": true }), generate, &retries).expect("a package");

        let read = |name: &str| std::fs::read_to_string(places.package.join(name)).ok();
        assert_eq!(read("manifest").as_deref(), Some("version = \"1.2.3\""));
        assert_eq!(read("src/lib").as_deref(), Some("ours"));
        assert!(LICENCES.iter().all(|licence| read(licence).is_some()));
        assert_eq!(read("src/generated").as_deref(), Some("{\"view\":true}"));
        assert_eq!(read("src/list").as_deref(), Some("[]"));
        assert_eq!(read("src/of-yesterday"), None);
        assert_eq!(read("dist/compiled").as_deref(), Some("kept"));
    }

    #[test]
    fn each_manifest_and_lock_has_the_version_to_replace_once_or_twice() {
        let ours = run::root().join("clients");
        // npm's lock names its package at the top and in its list
        for (name, times) in [
            ("rust/Cargo.toml", 1),
            ("rust/Cargo.lock", 1),
            ("typescript/package.json", 1),
            ("typescript/package-lock.json", 2),
            ("python/pyproject.toml", 1),
        ] {
            let text = std::fs::read_to_string(ours.join(name)).expect("a manifest");
            assert_eq!(text.matches(UNVERSIONED).count(), times, "{name}");
        }
    }
}
