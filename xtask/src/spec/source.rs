//! What names a document on the command line.

use anyhow::Context;
use serde_json::Value;

/// A document and how people call it.
pub struct Named {
    pub name: String,
    pub value: Value,
}

/// The document that the name stands for: `committed`, `served`, or a file.
pub fn document(name: &str) -> anyhow::Result<Named> {
    let value = match name {
        "committed" => super::committed()?,
        "served" => accord::server::document::document().clone(),
        file => {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
            accord::server::document::from_yaml(&text).with_context(|| format!("{file} is no valid YAML or JSON"))?
        }
    };
    Ok(Named { name: name.to_owned(), value })
}
