//! The checksum that a generated collection carries of itself: a change by hand does not update the
//! checksum, so a comparison can tell a change by hand from a change of the document.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// A collection variable: of all places the one that survives an export from the app.
pub const KEY: &str = "generated";

/// The collection with its stamp.
pub fn stamped(mut collection: Value) -> Value {
    let stamp = json!({
        "key": KEY,
        "value": of(&collection),
        "type": "string",
        "description": "Checksum of this collection as generated; no request uses it.",
    });
    if let Some(variables) = collection["variable"].as_array_mut() {
        variables.retain(|variable| variable["key"] != KEY);
        variables.push(stamp);
    }
    collection
}

/// The stamp that a file carries.
pub fn read(file: &Value) -> Option<String> {
    let mut variables = file["variable"].as_array()?.iter();
    Some(variables.find(|variable| variable["key"] == KEY)?["value"].as_str()?.to_owned())
}

/// The stamp that fits the content, in whatever order its keys stand.
pub fn of(file: &Value) -> String {
    let mut content = file.clone();
    if let Some(variables) = content["variable"].as_array_mut() {
        variables.retain(|variable| variable["key"] != KEY);
    }
    let digest = Sha256::digest(sorted(&content).to_string());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
            members.sort_by(|one, two| one.0.cmp(&two.0));
            Value::Object(members.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(values) => values.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_fits_what_it_was_made_for_in_any_order() {
        let file = stamped(json!({"a": 1, "b": {"c": 2, "d": 3}, "variable": []}));
        assert_eq!(read(&file), Some(of(&file)));
        assert_eq!(stamped(file.clone()), file);
        let mut other: Value = serde_json::from_str(&sorted(&file).to_string()).expect("JSON");
        assert_eq!(read(&other), Some(of(&other)));
        other["a"] = json!(2);
        assert_ne!(read(&other), Some(of(&other)));
    }
}
