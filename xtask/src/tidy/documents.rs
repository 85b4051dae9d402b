//! Paths, links and commands in the documents.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::{Finding, Tree};

/// The resource that DEVELOPING.md adds as an example: its files do not exist.
const EXAMPLE: &str = "books";

/// A code span without a slash is a path if it ends like this.
const ENDINGS: &[&str] = &["html", "js", "json", "md", "rs", "sh", "sql", "toml", "txt", "yaml", "yml"];

static SPAN: LazyLock<Regex> = LazyLock::new(|| Regex::new("`([^`]+)`").expect("a sound pattern"));
static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\]\(([^)\s]+)\)").expect("a sound pattern"));
static COMMAND: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"cargo\s+xtask\s+([a-z][a-z-]*)").expect("a sound pattern"));
static PATH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[\w.@*{},<>-]+(/[\w.@*{},<>-]+)*/?$").expect("a sound pattern"));

/// Part of a pattern that stands for any text: `*`, `<name>`, `NNNN_name`, or a word of capitals.
static PLACEHOLDER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\\\*|<[^>]*>|[A-Z]{4,}(_name)?").expect("a sound pattern"));

/// Paths, links and commands that do not exist.
pub fn findings(tree: &Tree, tasks: &[String]) -> Vec<Finding> {
    let known = Known { folders: tree.folders(), tree };
    tree.ours(".md").flat_map(|(path, text)| known.document(path, text, tasks)).collect()
}

struct Known<'a> {
    tree: &'a Tree,
    folders: BTreeSet<&'a str>,
}

impl Known<'_> {
    fn document(&self, path: &str, text: &str, tasks: &[String]) -> Vec<Finding> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut found = vec![];
        for command in COMMAND.captures_iter(text) {
            let task = &command[1];
            if !tasks.iter().any(|known| known == task) {
                let what = format!("there is no task `{task}`: `cargo xtask --help` lists all tasks");
                found.push(Finding::new(path, line(text, command.get(0).expect("a match").start()), what));
            }
        }
        for (start, paragraph) in paragraphs(text) {
            let at = |offset: usize| line(text, start + offset);
            for span in SPAN.captures_iter(paragraph) {
                let (name, place) = (span[1].trim(), span.get(1).expect("a group").start());
                if self.is_path(name) && !self.has(folder, name) {
                    let what =
                        format!("`{name}` does not exist: write the path of the file, from the top of the repository");
                    found.push(Finding::new(path, at(place), what));
                }
            }
            for link in LINK.captures_iter(paragraph) {
                let (target, place) = (&link[1], link.get(1).expect("a group").start());
                if let Some(what) = self.broken_link(path, text, folder, target) {
                    found.push(Finding::new(path, at(place), what));
                }
            }
        }
        found
    }

    /// Returns whether a code span looks like a path of this repository.
    fn is_path(&self, name: &str) -> bool {
        let is_example = name.split(['/', '.']).any(|part| part == EXAMPLE);
        if !PATH.is_match(name) || is_example {
            return false;
        }
        let (first, rest) = name.split_once('/').unwrap_or((name, ""));
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        (!rest.is_empty() && self.folders.contains(first)) || ENDINGS.contains(&ending)
    }

    /// Returns whether a file or a folder has this path. A path that begins with a folder at the top is complete, or
    /// begins at the folder of the document; any other path may also be the end of a complete one.
    fn has(&self, folder: &str, name: &str) -> bool {
        let name = name.trim_end_matches('/').trim_start_matches("./");
        let first = name.split('/').next().unwrap_or_default();
        let is_complete = name.contains('/') && self.folders.contains(first);
        alternatives(name).iter().all(|name| {
            let pattern = pattern(name);
            let complete = Regex::new(&format!("^({}/)?{pattern}$", regex::escape(folder)));
            let ending = Regex::new(&format!("(^|/){pattern}$"));
            let matches = if is_complete { complete } else { ending }.expect("a sound pattern");
            let mut paths = self.tree.0.keys().map(String::as_str).chain(self.folders.iter().copied());
            paths.any(|path| matches.is_match(path))
        })
    }

    fn broken_link(&self, path: &str, text: &str, folder: &str, target: &str) -> Option<String> {
        if target.contains("://") || target.starts_with("mailto:") {
            return None;
        }
        let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
        let file = if file.is_empty() { path.to_owned() } else { join(folder, file) };
        let other = if file == path { Some(text) } else { self.tree.0.get(&file).map(String::as_str) };
        if other.is_none() && !self.folders.contains(file.as_str()) {
            return Some(format!("the link `{target}` leads to no file: correct its path"));
        }
        let anchor = anchor?;
        let anchors: Vec<_> = other?.lines().filter_map(heading).collect();
        let is_missing = file.ends_with(".md") && !anchors.iter().any(|known| known == anchor);
        is_missing.then(|| format!("the link `{target}` leads to no heading: correct its anchor"))
    }
}

/// The anchor of a heading, as GitHub forms it.
fn heading(line: &str) -> Option<String> {
    let text = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = text.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    Some(kept.collect::<String>().to_lowercase().replace(' ', "-"))
}

/// The path of `file`, seen from a folder.
fn join(folder: &str, file: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The names that `{one,other}` stands for.
fn alternatives(name: &str) -> Vec<String> {
    let Some((before, rest)) = name.split_once('{') else { return vec![name.into()] };
    let Some((within, after)) = rest.split_once('}') else { return vec![name.into()] };
    within.split(',').flat_map(|one| alternatives(&format!("{before}{}{after}", one.trim()))).collect()
}

/// A regular expression for a path with placeholders. The names of documents are in capitals, and no placeholders.
fn pattern(name: &str) -> String {
    let escaped = regex::escape(name);
    if name.ends_with(".md") { escaped } else { PLACEHOLDER.replace_all(&escaped, "[^/]+").into_owned() }
}

/// The paragraphs outside of code blocks, with the place where each begins.
fn paragraphs(text: &str) -> Vec<(usize, &str)> {
    let (mut found, mut begin, mut at, mut is_code) = (vec![], 0, 0, false);
    for line in text.split_inclusive('\n') {
        let is_fence = line.trim_start().starts_with("```");
        if is_fence || line.trim().is_empty() || is_code {
            found.push((begin, &text[begin..at]));
            begin = at + line.len();
        }
        is_code ^= is_fence;
        at += line.len();
    }
    found.push((begin, &text[begin..]));
    found.retain(|(_, paragraph)| !paragraph.is_empty());
    found
}

fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::super::tests::{printed, tree};
    use super::*;

    fn found(document: &str) -> Vec<String> {
        let tree = tree(&[
            ("doc/guide.md", document),
            ("README.md", "# The map, in short\n"),
            ("src/main.rs", ""),
            ("crates/platform/src/db/mod.rs", ""),
            ("migrations/sqlite/0001_users.up.sql", ""),
            ("migrations/sqlite/0001_users.down.sql", ""),
        ]);
        printed(findings(&tree, &["ci".into(), "spec".into()]))
    }

    #[test]
    fn paths_that_exist_are_accepted() {
        let document = "See `src/main.rs`, `crates/platform/src/db`, `db/mod.rs`, `migrations/*/NNNN_name.{up,down}.sql`\n\
                        and `migrations/<database>/`. `application/json`, `a/b`, `/api/v1` and `Fail<T>` are no paths.\n\
                        [README](../README.md#the-map-in-short), [below](#deeper), [web](https://example.com/x.md)\n\n\
                        ## Deeper\n\n```rust\nlet path = `src/none.rs`;\n```\n\nNor is `src/resources/books/mod.rs`.\n";
        assert_eq!(found(document), Vec::<String>::new());
    }

    #[test]
    fn a_path_that_does_not_exist_is_found() {
        let document = "One: `src/db/mod.rs`, two:\n`migrations/{sqlite,mysql}/0001_users.up.sql` and `old.rs`\n";
        let what = "does not exist: write the path of the file, from the top of the repository";
        assert_eq!(
            found(document),
            [
                format!("doc/guide.md:1: `src/db/mod.rs` {what}"),
                format!("doc/guide.md:2: `migrations/{{sqlite,mysql}}/0001_users.up.sql` {what}"),
                format!("doc/guide.md:2: `old.rs` {what}"),
            ]
        );
    }

    #[test]
    fn a_broken_link_is_found() {
        assert_eq!(
            found("[one](README.md)\n[two](../README.md#map)\n"),
            [
                "doc/guide.md:1: the link `README.md` leads to no file: correct its path",
                "doc/guide.md:2: the link `../README.md#map` leads to no heading: correct its anchor",
            ]
        );
    }

    #[test]
    fn an_unknown_task_is_found_also_in_code() {
        assert_eq!(
            found("`cargo xtask ci`, `cargo xtask TASK`\n```console\n$ cargo xtask speck check\n```\n"),
            ["doc/guide.md:3: there is no task `speck`: `cargo xtask --help` lists all tasks"]
        );
    }
}
