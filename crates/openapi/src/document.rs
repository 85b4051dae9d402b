//! A document as a JSON value: read from YAML or JSON, written as YAML.

use anyhow::{Context, bail};
use serde_json::Value;

/// A document and how people call it.
#[derive(Debug)]
pub struct Named {
    /// A file name, a URL, a version.
    pub name: String,
    /// The document.
    pub value: Value,
}

/// YAML or JSON, whichever it is.
///
/// # Errors
/// It is neither, or no document of OpenAPI 3; the error calls it by `name`.
pub fn parse(text: &str, name: &str) -> anyhow::Result<Value> {
    let json = text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok()).flatten();
    let value: Value = match json {
        Some(value) => value,
        None => from_yaml(text).with_context(|| format!("{name} is neither YAML nor JSON"))?,
    };
    match value["openapi"].as_str() {
        Some(version) if version.starts_with("3.") && value["paths"].is_object() => Ok(value),
        Some(version) if version.starts_with("3.") => bail!("{name} has no `paths`: it is no whole OpenAPI document"),
        Some(version) => bail!("{name} is OpenAPI {version}; this reads OpenAPI 3"),
        None if value.get("swagger").is_some() => bail!("{name} is Swagger 2; this reads OpenAPI 3: convert it first"),
        None => bail!("{name} is no OpenAPI document: it has no `openapi: 3…` at its top"),
    }
}

/// Canonical text of a document. Times are put in quotes: YAML 1.1 would read them as a type of its own.
pub fn to_yaml(document: &Value) -> String {
    let text = yaml_serde::to_string(document).expect("plain data");
    let quoted = |line: &str| match line.split_once(": ") {
        Some((key, value)) if is_time(value) => format!("{key}: '{value}'\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(quoted).collect()
}

fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() > 19 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-' && bytes[10] == b'T'
}

/// A document read from YAML.
///
/// # Errors
/// The text is no YAML; the error names line and column.
pub fn from_yaml(text: &str) -> Result<Value, yaml_serde::Error> {
    yaml_serde::from_str(text)
}

/// The methods a path item may have, in the order people expect.
pub const METHODS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];

/// Every operation: path, method, itself.
pub fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, item)| {
            METHODS.iter().filter_map(move |method| Some((path.as_str(), *method, item.get(method)?)))
        })
        .collect()
}
