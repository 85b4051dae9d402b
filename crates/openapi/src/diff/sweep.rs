//! Does any edit of a document pass unnoticed? Every node is deleted, every value changed, everything that can hold
//! more gets more, one edit at a time.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::compare;
use super::slot::Slot;

/// The edits that [`compare`] reported nothing for although they change what the document means: pointer and edit.
pub fn unnoticed(document: &Value) -> Vec<(String, &'static str)> {
    unnoticed_among(document, &edits(document))
}

/// Every edit of the document: the pointer of a node, and what is done to it.
pub fn edits(document: &Value) -> Vec<(String, &'static str)> {
    let mut edits = vec![];
    collect(&Slot::root(document), &mut edits);
    edits
}

const DELETE: &str = "delete";
const CHANGE: &str = "change";
const ADD: &str = "add";

fn collect(slot: &Slot<'_>, edits: &mut Vec<(String, &'static str)>) {
    let inner = slot.entries().into_iter().map(|(_, slot)| slot).chain(slot.items());
    for slot in inner {
        edits.push((slot.pointer.clone(), DELETE));
        edits.push((slot.pointer.clone(), CHANGE));
        if slot.value.is_some_and(|value| value.is_object() || value.is_array()) {
            edits.push((slot.pointer.clone(), ADD));
        }
        collect(&slot, edits);
    }
}

/// As [`unnoticed`], for some of the edits; shared among the processors.
pub fn unnoticed_among(document: &Value, edits: &[(String, &'static str)]) -> Vec<(String, &'static str)> {
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut missed = vec![];
        while let Some((pointer, edit)) = edits.get(next.fetch_add(1, Ordering::Relaxed)) {
            if equal_by_definition(document, pointer, edit).is_none()
                && compare(document, &edited(document, pointer, edit)).is_empty()
            {
                missed.push((pointer.clone(), *edit));
            }
        }
        missed
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a comparison never panics")).collect()
    })
}

fn edited(document: &Value, pointer: &str, edit: &str) -> Value {
    const HELD: &str = "the pointer was collected from this document";
    let mut document = document.clone();
    if edit == DELETE {
        let (parent, key) = pointer.rsplit_once('/').expect("the root is not edited");
        match document.pointer_mut(parent).expect(HELD) {
            Value::Array(list) => drop(list.remove(key.parse().expect("an index"))),
            other => drop(other.as_object_mut().expect(HELD).shift_remove(&key.replace("~1", "/").replace("~0", "~"))),
        }
    } else {
        let value = document.pointer_mut(pointer).expect(HELD);
        *value = if edit == ADD { with_more(value) } else { changed(value) };
    }
    document
}

/// Another value of the same type; of a list or an object a text, which neither can be.
fn changed(value: &Value) -> Value {
    match value {
        Value::Bool(flag) => json!(!flag),
        Value::Number(number) => match number.as_i64() {
            Some(number) => json!(number + 1),
            None => json!(number.as_f64().unwrap_or_default() + 1.0),
        },
        Value::String(text) => json!(format!("{text}x")),
        _ => json!("x"),
    }
}

fn with_more(value: &Value) -> Value {
    let mut value = value.clone();
    match &mut value {
        Value::Array(list) => list.push(json!("x")),
        other => other["frobnicated"] = json!({}),
    }
    value
}

/// Why an edit means nothing, if it does: it takes out what holds without being written.
fn equal_by_definition(document: &Value, pointer: &str, edit: &str) -> Option<&'static str> {
    if edit != DELETE {
        return None;
    }
    let value = document.pointer(pointer)?;
    let (parent, key) = pointer.rsplit_once('/')?;
    let in_operation = pointer.starts_with("/paths/") && pointer.matches('/').count() == 4;
    match key {
        "required" if *value == json!(false) => Some("what is not said to be required is optional"),
        "security" if in_operation && *value == json!([]) && document.get("security").is_none() => {
            Some("without a rule for all operations everybody may call")
        }
        "scopes" if *value == json!({}) => Some("a flow without scopes offers none"),
        "type" if all_of_says(document, parent, value) => Some("the only member of `allOf` says the same type"),
        _ => None,
    }
}

fn all_of_says(document: &Value, schema: &str, kind: &Value) -> bool {
    let Some(schema) = document.pointer(schema) else { return false };
    match &Slot::root(schema).key("allOf").items()[..] {
        [member] => member.resolved(document).is_ok_and(|member| member.key("type").value == Some(kind)),
        _ => false,
    }
}
