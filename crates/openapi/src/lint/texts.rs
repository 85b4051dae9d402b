//! Checks of texts: that they are there, and say something.

use super::document::Node;
use super::grammar::Kind;
use super::schemas::{properties, schemas};
use super::{Check, words};

pub const CHECKS: &[Check] = &[
    Check {
        id: "schema-description",
        about: "Each schema of the components says what it is.",
        repair: "write a doc comment on the type",
        run: |document| {
            let is_silent =
                |schema: &Node| schema.named_in("schemas").is_some() && schema.text("description").trim().is_empty();
            schemas(document, is_silent, "has no description")
        },
    },
    Check {
        id: "property-description",
        about: "Each field says what it means: unit, range, and what its absence means.",
        repair: "write a doc comment on the field",
        run: |document| {
            properties(document, |_, property| property.text("description").trim().is_empty(), "has no description")
        },
    },
    Check {
        id: "oas3-parameter-description",
        about: "Each parameter says what it means.",
        repair: "write a doc comment on the handler's argument",
        run: |document| {
            let silent =
                document.of(Kind::Parameter).filter(|parameter| parameter.text("description").trim().is_empty());
            silent
                .map(|parameter| parameter.fault(format!("`{}` has no description", parameter.text("name"))))
                .collect()
        },
    },
    Check {
        id: "security-scheme-description",
        about: "Each way to authenticate says where the credentials come from.",
        repair: "write a doc comment on the security scheme",
        run: |document| {
            let silent =
                document.of(Kind::SecurityScheme).filter(|scheme| scheme.text("description").trim().is_empty());
            silent.map(|scheme| scheme.fault("has no description")).collect()
        },
    },
    Check {
        id: "description-says-something",
        about: "A text is words of its own: begins with a capital, a digit or a quotation, and is neither a \
            placeholder nor the name again.",
        repair: "say what a caller cannot guess from the name",
        run: |document| {
            let texts = document.nodes().iter().flat_map(|node| ["summary", "description"].map(|field| (node, field)));
            let fault = |(node, field): (&Node, &str)| {
                let text = node.value.get(field)?.as_str()?.trim();
                why_empty(node, field, text).map(|problem| node.fault_at(&[field], problem))
            };
            texts.filter_map(fault).collect()
        },
    },
    Check {
        id: "no-script-tags-in-markdown",
        about: "No text has `<script` or `eval(`: viewers of the docs render them as they stand.",
        repair: "remove it",
        run: |document| {
            let texts =
                document.nodes().iter().flat_map(|node| ["summary", "description", "title"].map(|field| (node, field)));
            let is_script = |text: &str| text.to_lowercase().contains("<script") || text.contains("eval(");
            let wrong = texts.filter(|(node, field)| is_script(node.text(field)));
            wrong.map(|(node, field)| node.fault_at(&[field], "has a script in it")).collect()
        },
    },
    Check {
        id: "deprecated-says-instead",
        about: "What is deprecated names in its description, in code quotes, what to use instead.",
        repair: "add \"use `…`\" to its description",
        run: |document| {
            let is_mute = |node: &&Node| {
                node.value["deprecated"] == true && !(node.text("description").to_lowercase().contains("use `"))
            };
            document
                .nodes()
                .iter()
                .filter(is_mute)
                .map(|node| node.fault("is deprecated, but names nothing to use instead"))
                .collect()
        },
    },
];

fn why_empty(node: &Node, field: &str, text: &str) -> Option<&'static str> {
    // that a text is missing is told by the checks that ask for it
    let first = text.chars().next()?;
    let name = if node.has("name") { node.text("name").to_owned() } else { node.name() };
    if words::is_placeholder(text) {
        Some("stands in for a text that is to be written")
    } else if !(first.is_uppercase() || first.is_ascii_digit() || "`\"'".contains(first)) {
        Some("does not begin with a capital")
    } else if field == "description" && words::letters(text) == words::letters(&name) {
        Some("only repeats the name")
    } else {
        None
    }
}
