//! The proof that each rule is found where it should be, with the verdict it should have, and nothing else: the table
//! `cases.yaml`, each case in both directions.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::report::Comparison;
use super::rules::Verdict;
use super::witness::{self, Side};
use super::{compare_on, release, rules};

/// The day on which the cases are judged.
const TODAY: &str = "2026-06-01";

#[derive(Deserialize)]
struct Table {
    base: Value,
    places: BTreeMap<String, String>,
    documents: Vec<DocumentCase>,
    schemas: Vec<SchemaCase>,
}

/// Edits of the base document at named places. Without a value there is nothing at the place.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentCase {
    name: String,
    /// What is in both documents.
    #[serde(default)]
    base: BTreeMap<String, Value>,
    #[serde(default)]
    edits: Vec<Edit>,
    at: Option<String>,
    old: Option<Value>,
    new: Option<Value>,
    #[serde(default)]
    release: bool,
    #[serde(default)]
    forward: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    backward: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Edit {
    at: String,
    old: Option<Value>,
    new: Option<Value>,
}

/// A schema at every place where one can stand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemaCase {
    name: String,
    #[serde(default = "everywhere")]
    places: Vec<String>,
    old: Value,
    new: Value,
    #[serde(default)]
    forward: BTreeMap<String, [Option<String>; 2]>,
    #[serde(default)]
    backward: BTreeMap<String, [Option<String>; 2]>,
}

fn everywhere() -> Vec<String> {
    ["property", "body", "parameter", "header"].map(str::to_owned).into()
}

/// Id prefix, whether callers send it, and the pointer of the schema.
const SCHEMAS: [(&str, &str, usize, &str); 6] = [
    ("property", "request-property", 0, "request-schema/properties/value"),
    ("property", "response-property", 1, "response-schema/properties/value"),
    ("body", "request-body", 0, "request-schema"),
    ("body", "response-body", 1, "response-schema"),
    ("parameter", "request-parameter", 0, "parameter/schema"),
    ("header", "response-header", 1, "header/schema"),
];

impl Table {
    fn read() -> Self {
        yaml_serde::from_str(include_str!("cases.yaml")).expect("cases.yaml is a table of cases")
    }

    fn pointer(&self, place: &str) -> String {
        if place.starts_with('/') {
            return place.to_owned();
        }
        let (head, rest) =
            place.split_once('/').map_or((place, String::new()), |(head, rest)| (head, format!("/{rest}")));
        format!("{}{rest}", self.places.get(head).unwrap_or_else(|| panic!("there is no place `{head}`")))
    }

    /// Old and new document.
    fn documents(&self, both: &BTreeMap<String, Value>, edits: &[Edit]) -> (Value, Value) {
        let mut base = self.base.clone();
        for (place, value) in both {
            put(&mut base, &self.pointer(place), Some(value));
        }
        let (mut old, mut new) = (base.clone(), base);
        for edit in edits {
            put(&mut old, &self.pointer(&edit.at), edit.old.as_ref());
            put(&mut new, &self.pointer(&edit.at), edit.new.as_ref());
        }
        (old, new)
    }
}

/// Sets or removes what stands at the pointer, with all that is missing on the way.
fn put(document: &mut Value, pointer: &str, value: Option<&Value>) {
    let mut place = document;
    let steps: Vec<String> =
        pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    let (last, way) = steps.split_last().expect("a case edits a part of the document");
    for step in way {
        place = match place {
            Value::Array(list) => &mut list[step.parse::<usize>().expect("an index")],
            other => &mut other[step.as_str()],
        };
    }
    match (place, value) {
        (Value::Array(list), value) => {
            let index = last.parse::<usize>().expect("an index");
            list.truncate(index.max(list.len().min(index)));
            list.extend(value.cloned());
        }
        (place, Some(value)) => place[last.as_str()] = value.clone(),
        (Value::Object(map), None) => drop(map.shift_remove(last)),
        (Value::Null, None) => {}
        (other, None) => panic!("{pointer}: {other} has no parts"),
    }
}

/// `id: verdict`, as often as it was found; each difference once, however many places it is of effect at.
fn found(old: &Value, new: &Value, with_release: bool) -> Vec<String> {
    let mut findings = compare_on(TODAY, old, new);
    if with_release {
        findings.extend(release(old, new, &findings));
    }
    let differences = Comparison::new("old", "new", findings).differences;
    let mut lines: Vec<String> = differences
        .iter()
        .map(|difference| format!("{}: {}", difference.first.id(), difference.first.verdict.name()))
        .collect();
    lines.sort();
    lines
}

/// What did not come out as expected; collects the ids that did.
#[derive(Default)]
struct Proof {
    faults: Vec<String>,
    proved: BTreeSet<String>,
    comparisons: usize,
}

impl Proof {
    fn hold(&mut self, name: &str, mut expected: Vec<String>, old: &Value, new: &Value, with_release: bool) {
        expected.sort();
        let found = found(old, new, with_release);
        self.comparisons += 1;
        if expected == found {
            self.proved.extend(found.iter().filter_map(|line| Some(line.split_once(':')?.0.to_owned())));
        } else {
            self.faults.push(format!("{name}\n  expected {expected:?}\n  found    {found:?}"));
        }
    }
}

/// A verdict, or a list of them for a rule that is found more than once.
fn lines(expected: &BTreeMap<String, Value>) -> Vec<String> {
    let verdicts = |value: &Value| match value {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    let line = |(id, value): (&String, &Value)| {
        verdicts(value)
            .iter()
            .map(|verdict| format!("{id}: {}", verdict.as_str().expect("a verdict")))
            .collect::<Vec<_>>()
    };
    expected.iter().flat_map(line).collect()
}

fn prove() -> Proof {
    let (table, mut proof) = (Table::read(), Proof::default());
    for case in &table.documents {
        let single = case.at.iter().map(|at| Edit { at: at.clone(), old: case.old.clone(), new: case.new.clone() });
        let edits: Vec<Edit> = single.chain(case.edits.iter().cloned()).collect();
        let (old, new) = table.documents(&case.base, &edits);
        let nothing = case.forward.is_none() && case.backward.is_none();
        for (direction, expected, old, new) in
            [("forward", &case.forward, &old, &new), ("backward", &case.backward, &new, &old)]
        {
            let name = format!("{}, {direction}", case.name);
            match expected {
                Some(expected) => proof.hold(&name, lines(expected), old, new, case.release),
                None if nothing => proof.hold(&name, vec![], old, new, case.release),
                None => {}
            }
        }
    }
    for case in &table.schemas {
        for (kind, prefix, side, place) in
            SCHEMAS.iter().filter(|(kind, ..)| case.places.iter().any(|place| place == kind))
        {
            let edit = Edit { at: (*place).into(), old: Some(case.old.clone()), new: Some(case.new.clone()) };
            let (old, new) = table.documents(&BTreeMap::new(), &[edit]);
            for (direction, expected, old, new) in
                [("forward", &case.forward, &old, &new), ("backward", &case.backward, &new, &old)]
            {
                let verdicts = expected.iter().filter_map(|(rule, verdicts)| Some((rule, verdicts[*side].as_ref()?)));
                let lines = verdicts.map(|(rule, verdict)| format!("{prefix}-{rule}: {verdict}")).collect();
                proof.hold(&format!("{}, as {kind} ({prefix}), {direction}", case.name), lines, old, new, false);
            }
        }
    }
    proof
}

#[test]
fn every_case_has_exactly_its_findings() {
    let proof = prove();
    let (count, faults) = (proof.comparisons, proof.faults);
    assert!(faults.is_empty(), "{} of {count} comparisons:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_rule_is_proved_by_a_case() {
    let proved = prove().proved;
    let unproved = rules::ALL.iter().filter(|rule| !rule.ids().any(|id| proved.contains(&id)));
    assert_eq!(unproved.map(|rule| rule.name).collect::<Vec<_>>(), Vec::<&str>::new());
    for id in &proved {
        assert!(rules::by_id(id).is_some(), "{id}");
    }
}

/// Every schema of the table, in a document where callers send it and receive it.
fn schemas() -> Vec<Value> {
    let table = Table::read();
    let whole = |case: &DocumentCase| ["request-schema", "response-schema"].map(Some).contains(&case.at.as_deref());
    let bodies = table.documents.into_iter().filter(whole).flat_map(|case| [case.old, case.new]).flatten();
    let mut schemas: Vec<Value> = vec![];
    for schema in table.schemas.into_iter().flat_map(|case| [case.old, case.new]).chain(bodies) {
        // JSON Schema knows nothing of references to elsewhere, nor of what does not travel
        let is_plain = !["$ref", "readOnly", "writeOnly"].iter().any(|word| schema.to_string().contains(word));
        if is_plain && !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    schemas
}

/// The schemas, and some of them with another in an object, a list, a union and an `allOf`.
fn composed() -> Vec<Value> {
    let plain = schemas();
    let others = plain.iter().cycle().skip(7);
    let composed = plain.iter().zip(others).step_by(3).flat_map(|(one, two)| {
        [
            json!({"type": "object", "required": ["a"], "properties": {"a": one, "b": two}}),
            json!({"type": "object", "additionalProperties": one, "properties": {"b": two}}),
            json!({"type": "array", "items": one, "minItems": 1}),
            json!({"anyOf": [one, two]}),
            json!({"anyOf": [two, one, {"type": "null"}]}),
            json!({"allOf": [one, two]}),
        ]
    });
    composed.chain(plain.iter().cloned()).collect()
}

fn sent_and_received(schema: &Value) -> Value {
    let content = json!({"application/json": {"schema": schema}});
    json!({"paths": {"/": {"post": {
        "requestBody": {"content": content},
        "responses": {"200": {"content": content}},
    }}}})
}

const SENT: &str = "/paths/~1/post/requestBody/content/application~1json/schema";

/// The table's word against JSON Schema's: whatever pair of schemas, if nothing is said to break those who send, no
/// value that was taken is refused, and if nothing is said to break or risk anything for those who receive, they get
/// no value that was not allowed.
#[test]
fn no_value_contradicts_a_verdict() {
    let documents: Vec<Value> = composed().iter().map(sent_and_received).collect();
    let sides: Vec<Side<'_>> = documents.iter().map(|document| Side::new(document, &[SENT.to_owned()])).collect();
    let validators: Vec<_> = sides.iter().map(|side| side.validator().expect("a schema")).collect();
    let mut values: Vec<Value> = vec![];
    for value in sides.iter().flat_map(Side::candidates) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let taken: Vec<Vec<bool>> =
        validators.iter().map(|validator| values.iter().map(|value| validator.is_valid(value)).collect()).collect();
    let lost = |one: usize, two: usize| (0..values.len()).find(|value| taken[one][*value] && !taken[two][*value]);
    let mut faults = vec![];
    for (one, old) in documents.iter().enumerate() {
        for (two, new) in documents.iter().enumerate().skip(one % STRIDE).step_by(STRIDE) {
            let findings = compare_on(TODAY, old, new);
            let worst = |sent: bool| {
                let of_side = findings
                    .iter()
                    .filter(|finding| finding.between.as_ref().is_some_and(|between| between.sent == sent));
                of_side.map(|finding| finding.verdict).max().unwrap_or(Verdict::Wording)
            };
            let ids: Vec<String> = findings.iter().map(|finding| finding.id()).collect();
            let is_said = |name: &str| ids.iter().any(|id| id.ends_with(name));
            // nobody sends a property before it has a name
            let is_refusal_said = worst(true) > Verdict::Compatible || is_said("new-optional-request-property");
            if let Some(value) = lost(one, two).filter(|_| !is_refusal_said) {
                faults.push(format!("{} → {}: refuses {}, but {ids:?}", schema(old), schema(new), values[value]));
            }
            // readers were told that there may be more values
            let is_surprise_said = worst(false) > Verdict::Compatible || is_said("extensible-enum-value-added");
            if let Some(value) = lost(two, one).filter(|_| !is_surprise_said) {
                faults.push(format!("{} → {}: sends {}, but {ids:?}", schema(old), schema(new), values[value]));
            }
        }
    }
    let pairs = documents.len().pow(2) / STRIDE;
    println!("{pairs} pairs, {} values", values.len());
    assert!(faults.is_empty(), "{} contradictions with {} values:\n{}", faults.len(), values.len(), faults.join("\n"));
}

/// How many pairs are left out between two.
const STRIDE: usize = 7;

fn schema(document: &Value) -> &Value {
    document.pointer(SENT).expect("it is there")
}

/// Breaking differences of schemas come with a value that proves them.
#[test]
fn breaking_differences_have_witnesses() {
    let table = Table::read();
    let (mut proved, mut without) = (0, vec![]);
    for case in &table.schemas {
        let (old, new) = (sent_and_received(&case.old), sent_and_received(&case.new));
        for (old, new) in [(&old, &new), (&new, &old)] {
            for finding in compare_on(TODAY, old, new).iter().filter(|finding| finding.verdict == Verdict::Breaking) {
                match witness::find(old, new, finding) {
                    Some(_) => proved += 1,
                    // what JSON Schema has no keyword for
                    None if finding.rule.name.starts_with("discriminator-") => {}
                    None => without.push(format!("{}: {}", case.name, finding.id())),
                }
            }
        }
    }
    assert!(without.is_empty(), "{proved} proved, {} not:\n{}", without.len(), without.join("\n"));
}
