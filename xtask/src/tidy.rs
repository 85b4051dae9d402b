//! `cargo xtask tidy`: rules for the sources and documents that the compiler and clippy do not check.
//!
//! - Each source file begins with a comment that states its purpose.
//! - Paths and commands in the documents exist.
//! - Modules of a crate do not import each other in a circle, except those in `tidy/cycles.txt`.
//! - The crates depend on each other in one direction.

mod cycles;
mod documents;
mod imports;
mod layers;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use anyhow::Context;

use crate::git::Git;
use crate::report::{Failed, Outcome, Report};
use crate::run;

/// A place that breaks a rule: what is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    file: String,
    line: usize,
    text: String,
}

impl Finding {
    fn new(file: &str, line: usize, text: impl Into<String>) -> Self {
        Self { file: file.into(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

/// The files of the repository by path. The text of a file that is not UTF-8 is empty.
pub struct Tree(BTreeMap<String, String>);

impl Tree {
    /// Reads the files that git tracks or would add.
    fn read(root: &Path) -> anyhow::Result<Self> {
        let paths = Git::open(root)?.worktree()?;
        // a file may be deleted, but not yet in the index
        let paths = paths.into_iter().filter(|path| root.join(path).is_file());
        let text = |path: String| {
            let bytes = std::fs::read(root.join(&path)).with_context(|| format!("cannot read {path}"))?;
            Ok((path, String::from_utf8(bytes).unwrap_or_default()))
        };
        Ok(Self(paths.map(text).collect::<anyhow::Result<_>>()?))
    }

    /// The files with this ending that this repository maintains, with their texts.
    fn ours<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let files = self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        files.filter(move |(path, _)| path.ends_with(ending) && !path.starts_with("vendor/"))
    }

    /// All folders, each with its parents.
    fn folders(&self) -> BTreeSet<&str> {
        let parents = |path: &'_ str| path.match_indices('/').map(|(end, _)| end).collect::<Vec<_>>();
        self.0.keys().flat_map(|path| parents(path).into_iter().map(move |end| &path[..end])).collect()
    }
}

#[derive(clap::Args, Default)]
pub struct Arguments {
    /// Remove circles that no longer exist from the list of known circles
    #[arg(long)]
    write: bool,
}

/// `cargo xtask tidy`
pub fn run(Arguments { write }: Arguments) -> Outcome {
    let root = run::root();
    let tree = Tree::read(&root)?;
    if write {
        return cycles::write(&tree, &root);
    }
    let mut findings = headers(&tree);
    findings.extend(documents::findings(&tree, &crate::tasks()));
    findings.extend(cycles::findings(&tree));
    findings.extend(layers::findings(&tree));
    findings.sort();
    let (sources, texts) = (tree.ours(".rs").count(), tree.ours(".md").count());
    if findings.is_empty() {
        return Ok(Report::passed(sources + texts, format!("{sources} source files, {texts} documents")));
    }
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    Err(Failed::new(sources + texts, findings.len(), lines.join("\n")).into())
}

/// Source files that do not begin with their purpose.
fn headers(tree: &Tree) -> Vec<Finding> {
    let has_header = |text: &str| {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        first.starts_with("//!") || first.starts_with("#![doc")
    };
    let missing = tree.ours(".rs").filter(|(_, text)| !has_header(text));
    missing
        .map(|(path, _)| Finding::new(path, 1, "the file does not state its purpose: begin it with a `//!` comment"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository of these files.
    pub fn tree(files: &[(&str, &str)]) -> Tree {
        Tree(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }

    /// The findings as they are printed.
    pub fn printed(findings: Vec<Finding>) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_source_file_without_a_header_is_found() {
        let tree = tree(&[
            ("src/lib.rs", "#![doc = include_str!(\"../README.md\")]\n"),
            ("src/good.rs", "\n//! Good.\n"),
            ("src/bad.rs", "use std::fmt;\n//! Late.\n"),
            ("vendor/foreign.rs", "fn main() {}\n"),
        ]);
        let found = printed(headers(&tree));
        assert_eq!(found, ["src/bad.rs:1: the file does not state its purpose: begin it with a `//!` comment"]);
    }

    #[test]
    fn folders_are_listed_with_their_parents() {
        let tree = tree(&[("a/b/c.rs", ""), ("d.rs", "")]);
        assert_eq!(tree.folders().into_iter().collect::<Vec<_>>(), ["a", "a/b"]);
    }
}
