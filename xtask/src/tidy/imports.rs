//! The imports between the modules of a crate, read from the text of its sources. Test code is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

/// A module by its path in the crate; the root has an empty path.
pub type Module = Vec<String>;

/// An import, by the module and the line where it stands.
pub struct Import {
    pub from: Module,
    pub to: Module,
    pub file: String,
    pub line: usize,
}

static USE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^\s*(pub(?:\([^)]*\))?\s+)?use\s+([\w:{}*,\s]+);").expect("a sound pattern"));
static INLINE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:^|[^$\w:])((?:crate|super)(?:::\w+)+)").expect("a sound pattern"));
static COMMENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?m)//.*$").expect("a sound pattern"));

/// A source file without its comments and tests.
struct Source<'a> {
    file: &'a str,
    module: Module,
    text: String,
}

/// The imports of the crate whose sources are these files, by their paths below `src/`.
pub fn imports(files: &[(&str, &str, &str)]) -> Vec<Import> {
    let sources: Vec<_> = files.iter().filter_map(|(file, path, text)| source(file, path, text)).collect();
    let modules: BTreeSet<Module> = sources.iter().map(|source| source.module.clone()).collect();
    let exports = exports(&sources, &modules);
    let mut found = vec![];
    for source in &sources {
        let mut add = |path: &str, at: usize| {
            let Some(to) = resolve(&source.module, path, &modules, &exports) else { return };
            if to != source.module {
                let line = source.text[..at].matches('\n').count() + 1;
                found.push(Import { from: source.module.clone(), to, file: source.file.to_owned(), line });
            }
        };
        for statement in USE.captures_iter(&source.text) {
            let tree = statement.get(2).expect("a group");
            leaves(tree.as_str()).iter().for_each(|leaf| add(leaf, tree.start()));
        }
        // of the same length, so that the places stay
        let inline = USE.replace_all(&source.text, |statement: &regex::Captures<'_>| blank(&statement[0]));
        for path in INLINE.captures_iter(&inline) {
            let path = path.get(1).expect("a group");
            add(path.as_str(), path.start());
        }
    }
    found
}

/// Reads a file. Returns `None` for tests and for programs beside the library.
fn source<'a>(file: &'a str, path: &str, text: &str) -> Option<Source<'a>> {
    let mut module: Module = path.strip_suffix(".rs")?.split('/').map(str::to_owned).collect();
    if module.iter().any(|part| ["bin", "tests", "testing"].contains(&part.as_str())) {
        return None;
    }
    if module.last().is_some_and(|last| last == "mod") || ["lib", "main"].contains(&module.join("/").as_str()) {
        module.pop();
    }
    Some(Source { file, module, text: without_tests(&COMMENT.replace_all(text, "")) })
}

/// The text with each item or statement under `#[cfg(test)]` blank.
fn without_tests(text: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(MARK) {
        kept += &rest[..start];
        let end = start + MARK.len() + item(&rest[start + MARK.len()..]);
        kept += &blank(&rest[start..end]);
        rest = &rest[end..];
    }
    kept + rest
}

/// The length of the item or statement that a text begins with.
fn item(text: &str) -> usize {
    let is_use = text.trim_start().trim_start_matches("pub").trim_start().starts_with("use ");
    let mut depth = 0;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth <= 0 && !is_use {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn blank(text: &str) -> String {
    let space = |byte: u8| if byte == b'\n' { '\n' } else { ' ' };
    text.bytes().map(space).collect()
}

/// The paths that a tree of imports names.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        return vec![tree.split(" as ").next().unwrap_or(tree).trim().to_owned()];
    };
    let (prefix, rest) = tree.split_at(open);
    let within = &rest[1..rest.rfind('}').unwrap_or(rest.len())];
    let (mut parts, mut depth, mut begin) = (vec![], 0, 0);
    for (at, character) in within.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&within[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&within[begin..]);
    let parts = parts.into_iter().map(str::trim).filter(|part| !part.is_empty());
    parts.flat_map(|part| leaves(&format!("{prefix}{part}"))).collect()
}

/// The exports of a module from another one: the name, and the path where it is.
type Exports = BTreeMap<(Module, String), (Module, String)>;

fn exports(sources: &[Source<'_>], modules: &BTreeSet<Module>) -> Exports {
    let mut found = Exports::new();
    for source in sources {
        let public = USE.captures_iter(&source.text).filter(|statement| statement.get(1).is_some());
        for leaf in public.flat_map(|statement| leaves(&statement[2])) {
            if let Some(path) = absolute(&source.module, &leaf, modules)
                && let Some((module, item)) = split(&path, modules)
                && let Some(item) = item
            {
                found.insert((source.module.clone(), item.clone()), (module, item));
            }
        }
    }
    found
}

/// The module that a path leads to, through what others export. `None` for a path into another crate.
fn resolve(from: &Module, path: &str, modules: &BTreeSet<Module>, exports: &Exports) -> Option<Module> {
    let (mut module, item) = split(&absolute(from, path, modules)?, modules)?;
    // a chain of exports ends; a circle of them does not compile
    for _ in 0..8 {
        let Some(item) = &item else { break };
        let Some((next, _)) = exports.get(&(module.clone(), item.clone())) else { break };
        module = next.clone();
    }
    Some(module)
}

/// A path from the root of the crate. `None` for a path into another crate.
fn absolute(from: &Module, path: &str, modules: &BTreeSet<Module>) -> Option<Module> {
    let mut parts = path.split("::").map(str::trim).peekable();
    let mut base = match *parts.peek()? {
        "crate" => {
            parts.next();
            vec![]
        }
        "self" => {
            parts.next();
            from.clone()
        }
        "super" => {
            let mut base = from.clone();
            while parts.next_if_eq(&"super").is_some() {
                base.pop()?;
            }
            base
        }
        child => {
            let mut path = from.clone();
            path.push(child.into());
            modules.contains(&path).then(|| from.clone())?
        }
    };
    base.extend(parts.map(str::to_owned));
    Some(base)
}

/// The longest part of a path that is a module, and the name behind it.
fn split(path: &Module, modules: &BTreeSet<Module>) -> Option<(Module, Option<String>)> {
    let length = (0..=path.len()).rev().find(|length| modules.contains(&path[..*length]))?;
    Some((path[..length].to_vec(), path.get(length).cloned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, *path, *text)).collect();
        let show = |import: &Import| format!("{} {} -> {}", import.line, import.from.join("::"), import.to.join("::"));
        imports(&files).iter().map(show).collect()
    }

    #[test]
    fn trees_of_imports_are_read() {
        assert_eq!(
            leaves("crate::{a, b::{self, C as D}, e::*}"),
            ["crate::a", "crate::b::self", "crate::b::C", "crate::e::*"]
        );
    }

    #[test]
    fn imports_are_resolved_to_modules() {
        let files = [
            ("lib.rs", "pub mod a;\npub mod b;\n"),
            ("a.rs", "use std::fmt;\nuse crate::b::{One, deep::Two};\n// use crate::c;\n"),
            ("b/mod.rs", "pub mod deep;\npub use deep::Two;\n"),
            ("b/deep.rs", "fn f() { crate::a::g(super::One, $crate::a::h) }\n"),
        ];
        assert_eq!(found(&files), ["2 a -> b", "2 a -> b::deep", "2 b -> b::deep", "1 b::deep -> a", "1 b::deep -> b"]);
    }

    #[test]
    fn an_exported_item_is_found_where_it_is() {
        let files = [
            ("lib.rs", ""),
            ("a.rs", "use crate::b::Two;\n"),
            ("b/mod.rs", "pub use self::deep::Two;\n"),
            ("b/deep.rs", ""),
        ];
        assert_eq!(found(&files), ["1 a -> b::deep", "1 b -> b::deep"]);
    }

    #[test]
    fn tests_are_left_out() {
        let text = "#[cfg(test)]\nuse crate::b::{One, Two};\nfn f() {\n    #[cfg(test)]\n    crate::b::f();\n    crate::c::f();\n}\n\
                    #[cfg(test)]\nmod tests {\n    use crate::b::One;\n}\n";
        assert_eq!(
            found(&[("a.rs", text), ("b.rs", ""), ("c.rs", ""), ("tests.rs", "use crate::a::f;\n")]),
            ["6 a -> c"]
        );
    }
}
