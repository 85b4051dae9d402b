//! Connects a generated client to the retries of its package: a list of the POST paths that take an `Idempotency-Key`,
//! and the replacement of a few lines of the generated code.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

const HEADER: &str = "Idempotency-Key";

/// The generated part of a package's retries.
pub struct Retries {
    /// The file that gets the list, in the package.
    pub file: &'static str,
    /// The text of that file. `{paths}` stands for the list, which is the same literal in all three languages.
    pub template: &'static str,
    pub replacements: &'static [Replacement],
}

/// Text that is replaced in a file that the generator has written.
pub struct Replacement {
    pub file: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    /// The number of places where the text occurs.
    pub times: usize,
}

impl Retries {
    /// Writes the list into a package and replaces the lines.
    ///
    /// # Errors
    /// A path of the list has a parameter, or the generator has not written a text that is to be replaced.
    pub fn connect(&self, document: &Value, package: &Path) -> anyhow::Result<()> {
        let paths = serde_json::to_string_pretty(&idempotent_posts(document)?)?;
        std::fs::write(package.join(self.file), self.template.replace("{paths}", &paths))?;
        for Replacement { file, from, to, times } in self.replacements {
            let path = package.join(file);
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("the generator has not written {file}"))?;
            let found = text.matches(from).count();
            if found != *times {
                bail!("the generated {file} has {found} times `{from}`, not {times} times: adapt its replacement");
            }
            std::fs::write(&path, text.replace(from, to))?;
        }
        Ok(())
    }
}

/// Returns the paths of the POST operations that declare the header. The clients compare them with the path of a request,
/// so a path with a parameter is an error.
fn idempotent_posts(document: &Value) -> anyhow::Result<Vec<&str>> {
    let declares = |item: &Value| {
        let parameters = item["post"]["parameters"].as_array().into_iter().flatten();
        let mut names = parameters.filter(|parameter| parameter["in"] == "header").map(|parameter| &parameter["name"]);
        names.any(|name| name.as_str().is_some_and(|name| name.eq_ignore_ascii_case(HEADER)))
    };
    let items = document["paths"].as_object().into_iter().flatten();
    let paths: Vec<&str> = items.filter(|(_, item)| declares(item)).map(|(path, _)| path.as_str()).collect();
    if let Some(path) = paths.iter().find(|path| path.contains('{')) {
        bail!("POST {path} takes `{HEADER}`, but the retries of the clients recognise only paths without parameters");
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn post(name: &str, place: &str) -> Value {
        json!({ "post": { "parameters": [{ "name": name, "in": place }] } })
    }

    #[test]
    fn posts_that_declare_the_header_are_listed() {
        let document = json!({ "paths": {
            "/a": post("Idempotency-Key", "header"),
            "/b": post("Idempotency-Key", "query"),
            "/c": { "put": post("Idempotency-Key", "header")["post"], "post": {} },
            "/d": post("idempotency-key", "header"),
        }});
        assert_eq!(idempotent_posts(&document).expect("a list"), ["/a", "/d"]);
        let committed = crate::spec::committed().expect("the committed document");
        assert!(idempotent_posts(&committed).expect("a list").contains(&"/api/v1/posts"));
    }

    #[test]
    fn listed_path_with_a_parameter_is_an_error() {
        let document = json!({ "paths": { "/a/{id}/b": post("Idempotency-Key", "header") } });
        let error = idempotent_posts(&document).expect_err("a parameter").to_string();
        let wanted = "POST /a/{id}/b takes `Idempotency-Key`, but the retries of the clients recognise only paths without \
                      parameters";
        assert_eq!(error, wanted);
    }

    #[test]
    fn replacement_that_matches_another_number_of_times_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a file");
        let connect = |replacements| {
            std::fs::write(folder.path().join("client"), "one two one").expect("a file");
            let document = json!({ "paths": { "/a": post("Idempotency-Key", "header") } });
            Retries { file: "list", template: "list = {paths};", replacements }.connect(&document, folder.path())
        };
        connect(&[Replacement { file: "client", from: "one", to: "1", times: 2 }]).expect("replaced");
        assert_eq!((text("list").as_str(), text("client").as_str()), ("list = [\n  \"/a\"\n];", "1 two 1"));
        let once = connect(&[Replacement { file: "client", from: "one", to: "1", times: 1 }]);
        let wanted = "the generated client has 2 times `one`, not 1 times: adapt its replacement";
        assert_eq!(once.expect_err("twice").to_string(), wanted);
    }
}
