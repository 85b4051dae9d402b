//! The access matrix as Markdown: who calls, and what each operation answers them.

use std::fmt::Write;

use super::report::{Cell, Report};
use super::setup::Setup;
use crate::document::Document;

/// The columns explained, and a row for each operation; a private thing that it can be called about has a row of its
/// own. Empty if no cell was tried.
pub fn matrix(document: &Document, setup: &Setup, report: &Report) -> String {
    let cells: Vec<&Cell> = report.legs.iter().flat_map(|leg| &leg.cells).collect();
    if cells.is_empty() {
        return String::new();
    }
    let identities = &setup.access.identities;
    let mut text = "| column | who calls |\n|---|---|\n".to_owned();
    for identity in identities {
        let _ = writeln!(text, "| {} | {} |", identity.name, identity.about);
    }
    let names: Vec<&str> = identities.iter().map(|identity| identity.name.as_str()).collect();
    let _ =
        write!(text, "\n| operation | asks for | {} |\n|---|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for operation in &document.operations {
        let mut objects: Vec<&Option<String>> = vec![];
        for cell in cells.iter().filter(|cell| cell.operation == operation.id) {
            if !objects.contains(&&cell.object) {
                objects.push(&cell.object);
            }
        }
        for object in objects {
            let scopes: Vec<String> =
                operation.security.iter().flatten().flat_map(|(_, scopes)| scopes.clone()).collect();
            let asks = match (operation.protected, scopes.is_empty()) {
                (false, _) => "nothing".to_owned(),
                (true, true) => "a token".to_owned(),
                (true, false) => format!("`{}`", scopes.join("`, `")),
            };
            let about =
                object.as_ref().map(|name| format!(", private: {}", name.replace('_', " "))).unwrap_or_default();
            let _ = write!(text, "| `{}`{about} | {asks} |", operation.id);
            for name in &names {
                let found = cells
                    .iter()
                    .find(|cell| cell.operation == operation.id && &cell.object == object && cell.identity == **name);
                let word = match found.and_then(|cell| cell.status) {
                    None => "–".to_owned(),
                    Some(status) if status < 300 => format!("**{status}**"),
                    Some(status) => status.to_string(),
                };
                let _ = write!(text, " {word} |");
            }
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::Leg;
    use crate::suites::report::LegReport;

    #[test]
    fn each_thing_has_a_row_and_a_success_stands_out() {
        let document =
            "openapi: 3.0.3\npaths: { /t: { get: { operationId: get_t, security: [{ o: [can_t] }], responses: {} } } }";
        let document = Document::parse(document.into()).unwrap();
        let setup = "access: { identities: [{ name: other, about: a user }, { name: owner, about: who made it }] }";
        let setup: Setup = yaml_serde::from_str(setup).unwrap();
        let mut leg = LegReport::new(Leg::Access);
        let cell = |object: Option<&str>, identity: &str, status| Cell {
            operation: "get_t".into(),
            object: object.map(Into::into),
            identity: identity.into(),
            status,
        };
        leg.cells = vec![
            cell(None, "other", Some(403)),
            cell(None, "owner", None),
            cell(Some("own_t"), "other", Some(404)),
            cell(Some("own_t"), "owner", Some(200)),
        ];
        let expected = "\
| column | who calls |
|---|---|
| other | a user |
| owner | who made it |

| operation | asks for | other | owner |
|---|---|---|---|
| `get_t` | `can_t` | 403 | – |
| `get_t`, private: own t | `can_t` | 404 | **200** |
";
        assert_eq!(matrix(&document, &setup, &Report { legs: vec![leg] }), expected);
        assert_eq!(matrix(&document, &setup, &Report::default()), "");
    }
}
