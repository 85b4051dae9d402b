//! A place in a document as it is written: the value there, if there is one, and the JSON pointer to it.

use std::borrow::Cow;

use serde_json::Value;

/// A value in a document and where it is written. Without a value the pointer leads to what would hold it.
#[derive(Debug, Clone)]
pub struct Slot<'a> {
    pub value: Option<&'a Value>,
    pub pointer: String,
}

impl<'a> Slot<'a> {
    /// The whole document.
    pub fn root(document: &'a Value) -> Self {
        Self { value: Some(document), pointer: String::new() }
    }

    pub fn is_some(&self) -> bool {
        self.value.is_some()
    }

    /// What stands under a key.
    pub fn key(&self, key: &str) -> Self {
        match self.value.and_then(|value| value.get(key)) {
            Some(value) => Self { value: Some(value), pointer: format!("{}/{}", self.pointer, escaped(key)) },
            None => self.absent(),
        }
    }

    /// The keys of an object and what stands under them; none of anything else.
    pub fn entries(&self) -> Vec<(&'a str, Self)> {
        let map = self.value.and_then(Value::as_object).into_iter().flatten();
        map.map(|(key, value)| {
            (key.as_str(), Self { value: Some(value), pointer: format!("{}/{}", self.pointer, escaped(key)) })
        })
        .collect()
    }

    /// The entries of a list; none of anything else.
    pub fn items(&self) -> Vec<Self> {
        let list = self.value.and_then(Value::as_array).into_iter().flatten().enumerate();
        list.map(|(index, value)| Self { value: Some(value), pointer: format!("{}/{index}", self.pointer) }).collect()
    }

    pub fn text(&self) -> Option<&'a str> {
        self.value.and_then(Value::as_str)
    }

    /// A boolean that is false unless it is written.
    pub fn flag(&self) -> bool {
        self.value.and_then(Value::as_bool).unwrap_or_default()
    }

    /// The same place without a value.
    pub fn absent(&self) -> Self {
        Self { value: None, pointer: self.pointer.clone() }
    }

    /// Follows `$ref` to what it names; `Err` holds the reference that leads nowhere.
    pub fn resolved(&self, document: &'a Value) -> Result<Self, Self> {
        let mut slot = self.clone();
        for _ in 0..MAX_REFERENCES {
            let reference = slot.key("$ref");
            let Some(text) = reference.text() else { return Ok(slot) };
            slot = follow(document, text).ok_or(reference)?;
        }
        Err(slot.key("$ref"))
    }
}

/// How many references may follow each other: more are a ring.
const MAX_REFERENCES: usize = 32;

/// What a reference inside the document names.
pub fn follow<'a>(document: &'a Value, reference: &str) -> Option<Slot<'a>> {
    let pointer = reference.strip_prefix('#')?;
    Some(Slot { value: Some(document.pointer(pointer)?), pointer: pointer.to_owned() })
}

/// A key as a step of a JSON pointer (RFC 6901).
pub fn escaped(key: &str) -> Cow<'_, str> {
    if key.contains(['~', '/']) { key.replace('~', "~0").replace('/', "~1").into() } else { key.into() }
}

/// The same place in both documents.
#[derive(Debug, Clone)]
pub struct Pair<'a> {
    pub old: Slot<'a>,
    pub new: Slot<'a>,
}

impl Pair<'_> {
    pub fn key(&self, key: &str) -> Self {
        Self { old: self.old.key(key), new: self.new.key(key) }
    }

    /// Both are there, or neither is, and they are equal.
    pub fn is_same(&self) -> bool {
        match (self.old.value, self.new.value) {
            (Some(old), Some(new)) => same(old, new),
            (old, new) => old.is_none() && new.is_none(),
        }
    }

    /// A boolean that is false unless it is written, on both sides.
    pub fn flags(&self) -> (bool, bool) {
        (self.old.flag(), self.new.flag())
    }
}

/// Equal as JSON means it: the order of keys does not count, and `100` is `100.0`.
pub fn same(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Number(one), Value::Number(two)) => one == two || one.as_f64() == two.as_f64(),
        (Value::Array(one), Value::Array(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same(one, two))
        }
        (Value::Object(one), Value::Object(two)) => {
            one.len() == two.len()
                && one.iter().all(|(key, value)| two.get(key).is_some_and(|other| same(value, other)))
        }
        _ => one == two,
    }
}

/// Two lists joined by key: what only the old one has, what both have, what only the new one has.
pub struct Joined<K, T> {
    pub removed: Vec<(K, T)>,
    pub kept: Vec<(K, T, T)>,
    pub added: Vec<(K, T)>,
}

pub fn joined<K: PartialEq, T>(old: Vec<(K, T)>, new: Vec<(K, T)>) -> Joined<K, T> {
    let (mut removed, mut kept, mut added) = (vec![], vec![], new);
    for (key, old) in old {
        match added.iter().position(|(other, _)| *other == key) {
            Some(index) => {
                let (key, new) = added.remove(index);
                kept.push((key, old, new));
            }
            None => removed.push((key, old)),
        }
    }
    Joined { removed, kept, added }
}

/// The pairs whose halves are in no other pair: of what could be more than one thing nobody knows which it is.
pub fn unambiguous<T: Copy + PartialEq>(pairs: &[(T, T)]) -> Vec<(T, T)> {
    let once = |(one, two): &(T, T)| pairs.iter().filter(|other| other.0 == *one || other.1 == *two).count() == 1;
    pairs.iter().copied().filter(once).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_slot_knows_where_it_is_written() {
        let document = json!({"paths": {"/a~b/{id}": {"get": 1}}, "list": [10, 20]});
        let root = Slot::root(&document);
        let get = root.key("paths").key("/a~b/{id}").key("get");
        assert_eq!((get.value, get.pointer.as_str()), (Some(&json!(1)), "/paths/~1a~0b~1{id}/get"));
        assert_eq!(document.pointer(&get.pointer), get.value);
        let absent = root.key("paths").key("/c");
        assert_eq!((absent.value, absent.pointer.as_str()), (None, "/paths"));
        assert_eq!(root.key("list").items()[1].pointer, "/list/1");
    }

    #[test]
    fn references_are_followed_and_rings_are_not() {
        let document = json!({"a": {"$ref": "#/b"}, "b": {"$ref": "#/c"}, "c": 1, "ring": {"$ref": "#/ring"}});
        let root = Slot::root(&document);
        assert_eq!(root.key("a").resolved(&document).expect("it leads somewhere").pointer, "/c");
        assert_eq!(root.key("ring").resolved(&document).expect_err("a ring").pointer, "/ring/$ref");
    }

    #[test]
    fn numbers_are_compared_by_value_and_objects_without_order() {
        assert!(same(&json!({"a": [100], "b": 1}), &json!({"b": 1.0, "a": [100.0]})));
        assert!(!same(&json!([1, 2]), &json!([2, 1])));
        assert!(!same(&json!({"a": null}), &json!({"b": null})));
    }
}
