//! Which operations a generator stumbles over: their complaints name none, so each is tried alone.

use serde_json::Value;

use accord_openapi::{METHODS, operations};

/// One sentence for the failure's text.
pub fn sentence(view: &Value, generates: impl Fn(&Value) -> bool) -> String {
    let operations = operations(view);
    let fails = |path: &str, method: &str| !generates(&alone(view, path, method));
    let culprits = operations.iter().filter(|(path, method, _)| fails(path, method));
    let named: Vec<String> = culprits
        .map(|(path, method, operation)| {
            let id = operation["operationId"].as_str().unwrap_or("unnamed");
            format!("{id} ({} {path})", method.to_uppercase())
        })
        .collect();
    match named.len() {
        0 => "every operation alone is taken: two of them do not go together".to_owned(),
        all if all == operations.len() => "no operation is taken, so it is something that all use".to_owned(),
        _ => format!("it stumbles over {}; each other operation alone is taken", named.join(", ")),
    }
}

/// The document with one operation.
fn alone(view: &Value, path: &str, method: &str) -> Value {
    let mut alone = view.clone();
    if let Some(paths) = alone["paths"].as_object_mut() {
        paths.retain(|other, _| other == path);
        let items = paths.values_mut().filter_map(Value::as_object_mut);
        items.for_each(|item| item.retain(|key, _| key == method || !METHODS.contains(&key.as_str())));
    }
    alone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operation_that_fails_alone_is_named() {
        let view = crate::spec::committed().expect("the committed document");
        let without = |word: &'static str| move |view: &Value| !view["paths"].to_string().contains(word);
        let named = sentence(&view, without("\"operationId\":\"vote\""));
        assert_eq!(named, "it stumbles over vote (POST /api/v1/vote); each other operation alone is taken");
        let two = sentence(&view, without("\"skip\""));
        assert_eq!(two, "it stumbles over list_posts (GET /api/v1/posts); each other operation alone is taken");
        assert!(sentence(&view, |_| false).starts_with("no operation is taken"));
        assert!(sentence(&view, |_| true).starts_with("every operation alone is taken"));
    }
}
