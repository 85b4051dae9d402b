//! Circles of imports between modules of one folder.
//!
//! Each folder of modules is looked at by itself: an import counts for the two modules of the folder that it leads from
//! and to, with all that is below them. Imports between a module and its own submodules are no circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::imports::{Import, imports};
use super::{Finding, Tree};
use crate::report::{Failed, Outcome, Report};

/// The circles that exist, a line for each module: `FOLDER: MODULE -> MODULE, MODULE`.
const LIST: &str = "xtask/src/tidy/cycles.txt";

const HEAD: &str = "\
# Imports within circles of modules. This list may only become shorter: `cargo xtask tidy --write` removes the imports
# that no longer exist, and adds none. A line is FOLDER: MODULE -> the modules that it imports.
";

/// An import of one module of a folder by another.
type Pair = (String, String, String);

/// The imports that are part of a circle, each with the first place where it stands.
fn circles(tree: &Tree) -> BTreeMap<Pair, (String, usize)> {
    let mut found = BTreeMap::new();
    for root in crates(tree) {
        let files = tree.ours(".rs").filter_map(|(file, text)| Some((file, file.strip_prefix(root)?, text)));
        for (folder, pairs) in by_folder(imports(&files.collect::<Vec<_>>())) {
            let path = [root.trim_end_matches('/')].into_iter().chain(folder.iter().map(String::as_str));
            let path = path.collect::<Vec<_>>().join("/");
            let reachable = closure(pairs.keys());
            let is_circle = |(from, to): &(String, String)| reachable.contains(&(to.clone(), from.clone()));
            let circle = pairs.into_iter().filter(|(pair, _)| is_circle(pair));
            found.extend(circle.map(|((from, to), place)| ((path.clone(), from, to), place)));
        }
    }
    found
}

/// The folders of sources: `src/`, `crates/openapi/src/`.
fn crates(tree: &Tree) -> Vec<&str> {
    let manifests = tree.ours("Cargo.toml").map(|(path, _)| path.strip_suffix("Cargo.toml").unwrap_or(path));
    let sources = |folder: &str| {
        let of = |name: &str| tree.0.keys().map(String::as_str).find(|path| *path == format!("{folder}src/{name}.rs"));
        let file = of("lib").or_else(|| of("main"))?;
        Some(&file[..folder.len() + "src/".len()])
    };
    manifests.filter_map(sources).collect()
}

type Pairs = BTreeMap<(String, String), (String, usize)>;

fn by_folder(imports: Vec<Import>) -> BTreeMap<Vec<String>, Pairs> {
    let mut found: BTreeMap<Vec<String>, Pairs> = BTreeMap::new();
    for Import { from, to, file, line } in imports {
        let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
        // one is within the other
        let (Some(one), Some(other)) = (from.get(common), to.get(common)) else { continue };
        let pairs = found.entry(from[..common].to_vec()).or_default();
        pairs.entry((one.clone(), other.clone())).or_insert((file, line));
    }
    found
}

/// The pairs of which the second is reached from the first, over any number of imports.
fn closure<'a>(pairs: impl Iterator<Item = &'a (String, String)>) -> BTreeSet<(String, String)> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to) in pairs {
        next.entry(from).or_default().insert(to);
    }
    let mut found = BTreeSet::new();
    for start in next.keys() {
        let mut open = vec![*start];
        while let Some(module) = open.pop() {
            for to in next.get(module).into_iter().flatten() {
                if found.insert(((*start).to_owned(), (*to).to_owned())) {
                    open.push(to);
                }
            }
        }
    }
    found
}

/// Circles that are not in the list, and lines of the list that are no circle any more.
pub fn findings(tree: &Tree) -> Vec<Finding> {
    let (circles, known) = (circles(tree), known(tree));
    let is_new = |pair: &Pair| !known.contains_key(pair);
    let new = circles.iter().filter(|(pair, _)| is_new(pair)).map(|((folder, from, to), (file, line))| {
        let text = format!(
            "`{from}` imports `{to}`, which imports `{from}`, directly or through others in {folder}: \
             move the shared part into a module that both import"
        );
        Finding::new(file, *line, text)
    });
    let old = known.iter().filter(|(pair, _)| !circles.contains_key(pair)).map(|((folder, from, to), line)| {
        let text = format!("{folder}: `{from} -> {to}` is no circle any more: `cargo xtask tidy --write` removes it");
        Finding::new(LIST, *line, text)
    });
    new.chain(old).collect()
}

/// The pairs of the list, with their lines.
fn known(tree: &Tree) -> BTreeMap<Pair, usize> {
    let lines = tree.0.get(LIST).map_or("", String::as_str).lines().zip(1..);
    let read = |(line, number): (&str, usize)| {
        let (folder, rest) = line.split_once(": ").filter(|_| !line.starts_with('#'))?;
        let (from, to) = rest.split_once(" -> ")?;
        let pair = |to: &str| ((folder.to_owned(), from.to_owned(), to.trim().to_owned()), number);
        Some(to.split(',').map(pair).collect::<Vec<_>>())
    };
    lines.filter_map(read).flatten().collect()
}

/// `cargo xtask tidy --write`: shortens the list. Without a list, writes all circles.
pub fn write(tree: &Tree, root: &Path) -> Outcome {
    let (circles, known) = (circles(tree), known(tree));
    let is_first = !tree.0.contains_key(LIST);
    let kept: Vec<_> = circles.keys().filter(|pair| is_first || known.contains_key(*pair)).cloned().collect();
    std::fs::write(root.join(LIST), printed(&kept))?;
    let (new, gone) = (circles.len() - kept.len(), known.len().saturating_sub(kept.len()));
    if new > 0 {
        let text = format!("{new} new imports within circles are not written: `cargo xtask tidy` names them");
        return Err(Failed::new(kept.len(), new, text).into());
    }
    Ok(Report::passed(kept.len(), format!("{gone} imports removed from {LIST}, {} left", kept.len())))
}

fn printed(pairs: &[Pair]) -> String {
    let mut lines: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for (folder, from, to) in pairs {
        lines.entry((folder, from)).or_default().push(to);
    }
    let lines = lines.into_iter().map(|((folder, from), to)| format!("{folder}: {from} -> {}\n", to.join(", ")));
    lines.fold(HEAD.to_owned(), |text, line| text + &line)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{printed as shown, tree};
    use super::*;

    const MODEL: (&str, &str) = ("src/posts/model.rs", "//! Model.\nuse super::store::Values;\n");
    const STORE: (&str, &str) = ("src/posts/store.rs", "//! Store.\nuse super::model::Post;\n");

    fn with<'a>(files: &[(&'a str, &'a str)]) -> Tree {
        let always =
            [("Cargo.toml", ""), ("src/lib.rs", "pub mod posts;\npub mod votes;\n"), ("src/posts/mod.rs", ""), MODEL];
        tree(&always.iter().chain(files).copied().collect::<Vec<_>>())
    }

    #[test]
    fn a_circle_within_a_folder_is_found() {
        assert_eq!(
            shown(findings(&with(&[STORE]))),
            [
                "src/posts/model.rs:2: `model` imports `store`, which imports `model`, directly or through others in src/posts: move the shared part into a module that both import",
                "src/posts/store.rs:2: `store` imports `model`, which imports `store`, directly or through others in src/posts: move the shared part into a module that both import",
            ]
        );
    }

    #[test]
    fn a_circle_through_files_of_folders_is_found() {
        let votes = ("src/votes/store.rs", "use crate::posts::model::Post;\n");
        let posts = ("src/posts/api.rs", "use crate::votes::store::count;\n");
        let found = shown(findings(&with(&[votes, ("src/votes/mod.rs", ""), posts])));
        assert!(found.len() == 2 && found[0].starts_with("src/posts/api.rs:1: `posts` imports `votes`"), "{found:?}");
    }

    #[test]
    fn a_module_and_its_submodules_are_no_circle() {
        let own = ("src/posts/api.rs", "use super::Tag;\n");
        let tree = with(&[own, ("src/votes.rs", "use crate::posts::{Tag, api};\n"), ("src/posts/store.rs", "")]);
        assert_eq!(shown(findings(&tree)), Vec::<String>::new());
    }

    #[test]
    fn the_list_accepts_circles_and_only_becomes_shorter() {
        let all: Vec<_> = circles(&with(&[STORE])).into_keys().collect();
        let list = printed(&all);
        assert!(list.ends_with("\nsrc/posts: model -> store\nsrc/posts: store -> model\n"), "{list}");
        assert_eq!(shown(findings(&with(&[STORE, (LIST, &list)]))), Vec::<String>::new());
        let found = shown(findings(&with(&[(LIST, &list), ("src/posts/store.rs", "")])));
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0],
            "xtask/src/tidy/cycles.txt:3: src/posts: `model -> store` is no circle any more: `cargo xtask tidy --write` removes it"
        );
    }
}
