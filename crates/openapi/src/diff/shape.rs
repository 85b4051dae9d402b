//! A schema as it counts: references followed, `allOf` merged, and each spelling of the same made one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Number, Value};

use super::slot::{Slot, follow};

/// A keyword of a schema and where it is written.
#[derive(Debug, Clone)]
pub struct Word<'a> {
    pub key: &'a str,
    pub value: Cow<'a, Value>,
    pub pointer: String,
}

impl<'a> Word<'a> {
    /// The value as it is written, unless it was made from another.
    pub fn written(&self) -> Option<&'a Value> {
        match self.value {
            Cow::Borrowed(value) => Some(value),
            Cow::Owned(_) => None,
        }
    }
}

/// The alternatives of `oneOf` or `anyOf`.
#[derive(Debug, Clone)]
pub struct Union<'a> {
    pub keyword: &'a str,
    pub pointer: String,
    pub alternatives: Vec<Slot<'a>>,
}

/// What a schema, its references and the members of its `allOf` say together.
#[derive(Debug, Default)]
pub struct Shape<'a> {
    /// Where the schema is written, behind a reference that is all it has.
    pub pointer: String,
    /// The name of the shared schema that this is.
    pub name: Option<String>,
    /// The names of shared schemas of which it is made, if it is none of them alone.
    pub parts: BTreeSet<String>,
    /// The types besides null; without a list any, with an empty one none.
    pub types: Option<BTreeSet<&'a str>>,
    pub types_pointer: String,
    pub nullable: bool,
    pub nullable_pointer: String,
    /// A property may be described in more than one member of an `allOf`.
    pub properties: Vec<(&'a str, Vec<Slot<'a>>)>,
    pub required: BTreeMap<&'a str, String>,
    pub union: Option<Union<'a>>,
    /// All other keywords. What is said more than once stands in the order of nearness.
    pub words: Vec<Word<'a>>,
    /// References that lead nowhere.
    pub unresolved: Vec<Slot<'a>>,
}

/// Bounds: of several the strictest counts. `true`: an upper bound.
pub const BOUNDS: [(&str, bool); 10] = [
    ("maximum", true),
    ("exclusiveMaximum", true),
    ("minimum", false),
    ("exclusiveMinimum", false),
    ("maxLength", true),
    ("minLength", false),
    ("maxItems", true),
    ("minItems", false),
    ("maxProperties", true),
    ("minProperties", false),
];

impl<'a> Shape<'a> {
    /// What the schemas say together; none of them says that anything is allowed.
    pub fn of(document: &'a Value, schemas: &[Slot<'a>]) -> Self {
        let mut shapes = schemas.iter().map(|slot| Self::gather(document, slot, &mut vec![]));
        let mut shape = shapes.next().unwrap_or_default();
        for other in shapes {
            shape.merge(other);
        }
        shape
    }

    fn gather(document: &'a Value, slot: &Slot<'a>, open: &mut Vec<String>) -> Self {
        if open.contains(&slot.pointer) {
            return Self::default();
        }
        open.push(slot.pointer.clone());
        let shape = match slot.key("$ref") {
            reference if reference.is_some() => Self::referring(document, slot, &reference, open),
            _ => Self::written(document, slot, open),
        };
        open.pop();
        shape
    }

    fn referring(document: &'a Value, slot: &Slot<'a>, reference: &Slot<'a>, open: &mut Vec<String>) -> Self {
        let Some(target) = reference.text().and_then(|text| follow(document, text)) else {
            let mut shape = Self::written(document, slot, open);
            shape.unresolved.push(reference.clone());
            return shape;
        };
        let mut referred = Self::gather(document, &target, open);
        if let Some(name) = target.pointer.strip_prefix("/components/schemas/").filter(|name| !name.contains('/')) {
            referred.name = Some(name.to_owned());
        }
        if slot.entries().len() == 1 {
            return referred;
        }
        let mut shape = Self::written(document, slot, open);
        shape.take_over(vec![referred]);
        shape
    }

    /// The schema without its `$ref`.
    fn written(document: &'a Value, slot: &Slot<'a>, open: &mut Vec<String>) -> Self {
        let pointer = slot.pointer.clone();
        let mut shape =
            Self { types_pointer: pointer.clone(), nullable_pointer: pointer.clone(), pointer, ..Self::default() };
        if slot.value == Some(&Value::Bool(false)) {
            // a schema that nothing matches
            let value = Cow::Owned(Value::Object(Default::default()));
            shape.words.push(Word { key: "not", value, pointer: slot.pointer.clone() });
        }
        let mut members = vec![];
        for (key, slot) in slot.entries() {
            match key {
                "$ref" => {}
                "type" => shape.read_types(&slot),
                "nullable" => shape.read_nullable(&slot),
                "properties" => {
                    shape.properties = slot.entries().into_iter().map(|(name, slot)| (name, vec![slot])).collect()
                }
                "required" if slot.value.is_some_and(Value::is_array) => {
                    let names = slot.items().into_iter().filter_map(|name| Some((name.text()?, name.pointer)));
                    shape.required = names.collect();
                }
                "allOf" => members.extend(slot.items()),
                "oneOf" | "anyOf" => members.extend(shape.read_union(key, &slot)),
                "const" => {
                    let value = Value::Array(slot.value.cloned().into_iter().collect());
                    shape.words.push(Word { key: "enum", value: Cow::Owned(value), pointer: slot.pointer });
                }
                _ => shape.words.extend(slot.value.map(|value| Word {
                    key,
                    value: Cow::Borrowed(value),
                    pointer: slot.pointer,
                })),
            }
        }
        let members = members.iter().map(|member| Self::gather(document, member, open)).collect();
        shape.take_over(members);
        shape
    }

    fn read_types(&mut self, slot: &Slot<'a>) {
        let one = slot.text().into_iter();
        let mut types: BTreeSet<&str> =
            one.chain(slot.value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)).collect();
        self.types_pointer = slot.pointer.clone();
        if types.remove("null") {
            self.set_nullable(slot);
        }
        self.types = Some(types);
    }

    fn read_nullable(&mut self, slot: &Slot<'a>) {
        if slot.flag() {
            self.set_nullable(slot);
        } else if slot.value != Some(&Value::Bool(false)) {
            self.words.extend(slot.value.map(|value| Word {
                key: "nullable",
                value: Cow::Borrowed(value),
                pointer: slot.pointer.clone(),
            }));
        }
    }

    fn set_nullable(&mut self, slot: &Slot<'a>) {
        self.nullable = true;
        self.nullable_pointer = slot.pointer.clone();
    }

    /// Null among the alternatives is no alternative; one that is left alone is a member like those of `allOf`.
    fn read_union(&mut self, keyword: &'a str, slot: &Slot<'a>) -> Vec<Slot<'a>> {
        let is_null = |slot: &Slot<'_>| slot.entries().len() == 1 && slot.key("type").text() == Some("null");
        let (nulls, alternatives): (Vec<_>, Vec<_>) = slot.items().into_iter().partition(is_null);
        if let Some(null) = nulls.first() {
            self.set_nullable(null);
        }
        if alternatives.len() == 1 {
            return alternatives;
        }
        let union = Union { keyword, pointer: slot.pointer.clone(), alternatives };
        self.add_union(union);
        vec![]
    }

    /// A second union beside the first is compared as it is written.
    fn add_union(&mut self, union: Union<'a>) {
        if self.union.is_none() {
            self.union = Some(union);
            return;
        }
        let values = union.alternatives.iter().filter_map(|slot| slot.value.cloned()).collect();
        let word = Word { key: union.keyword, value: Cow::Owned(Value::Array(values)), pointer: union.pointer };
        self.words.push(word);
    }

    /// What the members say too. Null is allowed if the schema says so, or if all members do and it names no type.
    fn take_over(&mut self, members: Vec<Self>) {
        if let [member] = &members[..]
            && self.properties.is_empty()
            && self.union.is_none()
        {
            self.name = self.name.take().or(member.name.clone());
        } else {
            self.parts.extend(members.iter().filter_map(|member| member.name.clone()));
        }
        if let Some(first) = members.first().filter(|_| self.types.is_none() && !self.nullable)
            && members.iter().all(|member| member.nullable)
        {
            self.nullable = true;
            self.nullable_pointer = first.nullable_pointer.clone();
        }
        for member in members {
            self.merge(member);
        }
    }

    fn merge(&mut self, other: Self) {
        self.unresolved.extend(other.unresolved);
        match (&mut self.types, other.types) {
            (None, Some(types)) => (self.types, self.types_pointer) = (Some(types), other.types_pointer),
            (Some(own), Some(types)) => *own = intersection(own, &types),
            _ => {}
        }
        for (name, slots) in other.properties {
            match self.properties.iter_mut().find(|(own, _)| *own == name) {
                // once each: a schema may meet itself here again and again
                Some((_, own)) => {
                    let is_new = |slot: &Slot<'a>| own.iter().all(|other| other.pointer != slot.pointer);
                    let others: Vec<Slot<'a>> = slots.into_iter().filter(is_new).collect();
                    own.extend(others);
                }
                None => self.properties.push((name, slots)),
            }
        }
        for (name, pointer) in other.required {
            self.required.entry(name).or_insert(pointer);
        }
        if let Some(union) = other.union {
            self.add_union(union);
        }
        for word in other.words {
            self.add_word(word);
        }
    }

    /// Takes one of its alternatives for all of them; null is allowed if any of them allows it.
    pub fn take_alternative(&mut self, document: &'a Value, union: &Union<'a>, index: usize) {
        for (place, slot) in union.alternatives.iter().enumerate() {
            let alternative = Self::of(document, std::slice::from_ref(slot));
            if alternative.nullable && !self.nullable && self.types.is_none() {
                (self.nullable, self.nullable_pointer) = (true, alternative.nullable_pointer.clone());
            }
            if place == index {
                self.merge(alternative);
            }
        }
    }

    fn add_word(&mut self, word: Word<'a>) {
        let bound = BOUNDS.iter().find(|(key, _)| *key == word.key);
        match (bound, self.words.iter_mut().find(|own| own.key == word.key)) {
            (Some((_, upper)), Some(own)) if own.value.is_number() && word.value.is_number() => {
                let (one, two) = (own.value.as_f64(), word.value.as_f64());
                if (two < one) == *upper {
                    *own = word;
                }
            }
            _ => self.words.push(word),
        }
    }

    /// Takes the nearest word with this key.
    pub fn take(&mut self, key: &str) -> Option<Word<'a>> {
        let index = self.words.iter().position(|word| word.key == key)?;
        Some(self.words.remove(index))
    }

    /// Takes the bound on numbers on one side, whichever keyword says it: of integers `> 4` is `>= 5`.
    pub fn take_bound(&mut self, keyword: &str, exclusive: &str, upper: bool) -> Option<Bound> {
        let is_integer = self.types.as_ref().is_some_and(|types| types.len() == 1 && types.contains("integer"));
        let (plain, other) = (self.take(keyword), self.take(exclusive));
        let is_flag = other.as_ref().is_some_and(|word| *word.value == Value::Bool(true));
        let plain = plain.and_then(|word| Bound::read(&word, is_flag));
        let other = other.and_then(|word| Bound::read(&word, true));
        let strictest = match (plain, other) {
            (Some(one), Some(two)) => {
                if one.is_stricter(&two, upper) {
                    one
                } else {
                    two
                }
            }
            (one, two) => one.or(two)?,
        };
        Some(if is_integer { strictest.inclusive(upper) } else { strictest })
    }
}

/// Integers are numbers.
fn intersection<'a>(one: &BTreeSet<&'a str>, two: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    let both = |types: &BTreeSet<&'a str>, others: &BTreeSet<&'a str>| -> Vec<&'a str> {
        types.iter().copied().filter(|name| takes(others, name)).collect()
    };
    both(one, two).into_iter().chain(both(two, one)).collect()
}

/// Do the types take this one too?
pub fn takes(types: &BTreeSet<&str>, name: &str) -> bool {
    types.contains(name) || (name == "integer" && types.contains("number"))
}

/// The largest or smallest number.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    pub number: Number,
    pub exclusive: bool,
    pub pointer: String,
}

impl Bound {
    fn read(word: &Word<'_>, exclusive: bool) -> Option<Self> {
        Some(Self { number: word.value.as_number()?.clone(), exclusive, pointer: word.pointer.clone() })
    }

    fn number(&self) -> f64 {
        self.number.as_f64().unwrap_or_default()
    }

    /// Does it exclude more than the other?
    pub fn is_stricter(&self, other: &Self, upper: bool) -> bool {
        match self.number().partial_cmp(&other.number()) {
            Some(std::cmp::Ordering::Equal) => self.exclusive && !other.exclusive,
            order => (order == Some(std::cmp::Ordering::Less)) == upper,
        }
    }

    pub fn is_same(&self, other: &Self) -> bool {
        self.exclusive == other.exclusive && (self.number == other.number || self.number() == other.number())
    }

    /// The same bound on integers without `exclusive`.
    fn inclusive(mut self, upper: bool) -> Self {
        if let (true, Some(number)) = (self.exclusive, self.number.as_i64()) {
            self.number = if upper { number.saturating_sub(1) } else { number.saturating_add(1) }.into();
            self.exclusive = false;
        }
        self
    }

    /// For people: `5`, `more than 5`.
    pub fn shown(&self, upper: bool) -> Value {
        match (self.exclusive, upper) {
            (false, _) => Value::Number(self.number.clone()),
            (true, true) => format!("less than {}", self.number).into(),
            (true, false) => format!("more than {}", self.number).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(document: &Value) -> Shape<'_> {
        Shape::of(document, &[Slot::root(document).key("schema")])
    }

    #[test]
    fn null_has_five_spellings() {
        for schema in [
            json!({"type": "string", "nullable": true}),
            json!({"type": ["string", "null"]}),
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
            json!({"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Text"}]}),
            json!({"allOf": [{"type": "string", "nullable": true}]}),
        ] {
            let document = json!({"schema": schema, "components": {"schemas": {"Text": {"type": "string"}}}});
            let shape = of(&document);
            assert!(shape.nullable, "{schema}");
            assert_eq!(shape.types, Some(["string"].into()), "{schema}");
            assert!(shape.union.is_none(), "{schema}");
        }
    }

    #[test]
    fn members_of_all_of_are_one_schema_and_the_strictest_bound_counts() {
        let document = json!({"schema": {"description": "outer", "maxLength": 10, "allOf": [
            {"type": "object", "properties": {"a": {}}, "required": ["a"], "description": "inner", "maxLength": 5},
            {"properties": {"a": {"minLength": 1}, "b": {}}, "required": ["b"], "maxLength": 7},
        ]}});
        let mut shape = of(&document);
        assert_eq!(shape.required.keys().copied().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(shape.properties[0].1.len(), 2);
        assert_eq!(shape.take("description").expect("a text").value.as_str(), Some("outer"));
        let bound = shape.take("maxLength").expect("a bound");
        assert_eq!((bound.value.as_i64(), bound.pointer.as_str()), (Some(5), "/schema/allOf/0/maxLength"));
    }

    #[test]
    fn exclusive_bounds_are_one_thing_in_both_versions() {
        for schema in [
            json!({"type": "integer", "minimum": 4, "exclusiveMinimum": true}),
            json!({"type": "integer", "exclusiveMinimum": 4}),
            json!({"type": "integer", "minimum": 5, "exclusiveMinimum": 1}),
        ] {
            let document = json!({"schema": schema});
            let bound = of(&document).take_bound("minimum", "exclusiveMinimum", false).expect("a bound");
            assert_eq!(bound.shown(false), json!(5), "{schema}");
        }
        let document = json!({"schema": {"type": "number", "exclusiveMinimum": 4}});
        let bound = of(&document).take_bound("minimum", "exclusiveMinimum", false).expect("a bound");
        assert_eq!(bound.shown(false), json!("more than 4"));
    }

    #[test]
    fn a_property_that_two_members_describe_by_the_whole_ends() {
        let node = json!({"$ref": "#/components/schemas/Node"});
        let member = json!({"properties": {"next": node}});
        let document = |length: u32| {
            json!({"paths": {}, "components": {"schemas": {
                "Node": {"allOf": [member, member], "properties": {"name": {"type": "string", "maxLength": length}}},
            }}})
        };
        let found = crate::diff::compare(&document(5), &document(4));
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn a_schema_that_is_all_of_itself_ends() {
        let document = json!({"schema": {"$ref": "#/components/schemas/Ring"}, "components": {"schemas": {
            "Ring": {"allOf": [{"$ref": "#/components/schemas/Ring"}], "type": "object"},
        }}});
        assert_eq!(of(&document).name.as_deref(), Some("Ring"));
    }
}
