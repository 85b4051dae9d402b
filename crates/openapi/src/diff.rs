//! Two OpenAPI documents compared by meaning: references resolved, order and layout ignored.
//!
//! Every difference falls under one rule of the table in [`rules`], which knows whom it breaks: those who send a value
//! or those who receive it.

mod api;
#[cfg(test)]
mod cases;
pub mod finding;
mod operation;
pub mod page;
mod parameter;
pub mod report;
mod response;
pub mod rules;
mod schema;
mod security;
mod shape;
mod slot;
pub mod sweep;
mod walk;
mod witness;

pub use finding::Finding;
pub use rules::Verdict;

use serde_json::Value;

use walk::Walk;

/// Every difference between the two documents, at every place where it is of effect.
pub fn compare(old: &Value, new: &Value) -> Vec<Finding> {
    compare_on(&today(), old, new)
}

#[expect(clippy::disallowed_methods, reason = "only here: whether a promise of removal has passed depends on it")]
fn today() -> String {
    chrono::Utc::now().date_naive().to_string()
}

/// As [`compare`], on a day of which it depends which promises of removal have passed.
fn compare_on(today: &str, old: &Value, new: &Value) -> Vec<Finding> {
    let mut walk = Walk::new(old, new, today.to_owned());
    api::compare(&mut walk);
    walk.findings
}

/// Returns the fault of the version if `new` is to be released after `old`, given the findings between them.
pub fn release(old: &Value, new: &Value, findings: &[Finding]) -> Option<Finding> {
    api::release(old, new, findings)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Every schema has a property of each: as in large APIs, all of them lie in one ring.
    #[test]
    fn schemas_in_rings_are_compared_in_time_and_at_each_use() {
        const SIZE: usize = 12;
        let reference = |number: usize| json!({"$ref": format!("#/components/schemas/S{number}")});
        let document = |kind: &str| {
            let mut own = json!({"type": "object", "properties": {"own": {"type": kind}}});
            let others = (0..SIZE).map(|number| (format!("p{number}"), reference(number)));
            own["properties"].as_object_mut().expect("a map").extend(others);
            let plain = |number: usize| {
                let others: Value = (0..SIZE).map(|other| (format!("p{other}"), reference(other))).collect();
                json!({"type": "object", "description": format!("{number}"), "properties": others})
            };
            let mut schemas: Value = (0..SIZE).map(|number| (format!("S{number}"), plain(number))).collect();
            schemas["S7"] = own;
            let path = |number: usize| {
                let content = json!({"application/json": {"schema": reference(number)}});
                (
                    format!("/{number}"),
                    json!({"get": {"operationId": format!("get{number}"), "responses": {
                        "200": {"description": "Ok", "content": content},
                    }}}),
                )
            };
            json!({"paths": (0..SIZE).map(path).collect::<Value>(), "components": {"schemas": schemas}})
        };
        let start = std::time::Instant::now();
        let found = compare(&document("string"), &document("integer"));
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
        let operations: std::collections::BTreeSet<_> = found.iter().map(|finding| &finding.operation).collect();
        assert_eq!(operations.len(), SIZE);
    }
}
