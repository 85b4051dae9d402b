//! What a comparison found, told once each, for people, programs and pull requests.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::finding::{Finding, Place, Step};
use super::rules::Verdict;
use super::witness::{self, Witness};

/// How a comparison is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Format {
    /// For people, in a terminal.
    Text,
    /// For programs.
    Json,
    /// For pull requests.
    Markdown,
}

/// One difference as it is written, and all the places where it is of effect.
pub struct Difference {
    /// The finding that is written.
    pub first: Finding,
    /// Operation and place, the first one among them.
    pub uses: Vec<(Option<String>, Place)>,
    /// A value that one side takes and the other refuses.
    pub witness: Option<Witness>,
}

impl Difference {
    /// Names the difference as long as rule, places and values stay: for lists of what was accepted.
    pub fn fingerprint(&self) -> String {
        let Finding { pointer_old, pointer_new, old, new, .. } = &self.first;
        let text = json!([self.first.id(), pointer_old, pointer_new, old, new]).to_string();
        Sha256::digest(text).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }

    /// `PATCH /api/v1/posts/{id} · 200 · /title`, and how many more places there are.
    fn elsewhere(&self) -> String {
        let others = self.uses.len() - 1;
        let mut operations: Vec<&str> = vec![];
        for id in self.uses.iter().filter_map(|(id, _)| id.as_deref()) {
            if Some(id) != self.first.operation.as_deref() && !operations.contains(&id) {
                operations.push(id);
            }
        }
        let names = match operations.len() {
            0 => String::new(),
            1..=NAMED => format!(" ({})", operations.join(", ")),
            more => format!(" ({}, and {} more operations)", operations[..NAMED].join(", "), more - NAMED),
        };
        let places = if others == 1 { "place" } else { "places" };
        format!("and {others} more {places}{names}")
    }

    /// `200 → 100`
    fn change(&self) -> Option<String> {
        let (old, new) = (self.first.old.as_ref(), self.first.new.as_ref());
        let (one, two) = (old.map(Value::to_string), new.map(Value::to_string));
        let from = match (&one, &two) {
            (Some(one), Some(two)) => one.chars().zip(two.chars()).take_while(|(a, b)| a == b).count(),
            _ => 0,
        };
        match (one, two) {
            (Some(one), Some(two)) => Some(format!("{} → {}", short(&one, from), short(&two, from))),
            (Some(one), None) => Some(format!("{} → gone", short(&one, 0))),
            (None, Some(two)) => Some(format!("new: {}", short(&two, 0))),
            (None, None) => None,
        }
    }
}

/// How many operations are named before the rest is counted.
const NAMED: usize = 4;

/// How long a quoted text may be.
const QUOTED: usize = 72;

/// A text for one line; of a long one the part from where it begins to differ.
pub fn short(text: &str, from: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= QUOTED {
        return text.to_owned();
    }
    let start = from.saturating_sub(20).min(characters.len() - QUOTED);
    let end = (start + QUOTED).min(characters.len());
    let dots = |wanted: bool| if wanted { "…" } else { "" };
    let part: String = characters[start..end].iter().collect();
    format!("{}{part}{}", dots(start > 0), dots(end < characters.len()))
}

/// Everything that was found, each difference once, the worst first.
pub struct Comparison {
    old: String,
    new: String,
    /// The differences, the worst first.
    pub differences: Vec<Difference>,
}

impl Comparison {
    /// The findings between the documents of these names, equal ones as one difference.
    pub fn new(old: &str, new: &str, findings: Vec<Finding>) -> Self {
        let mut order: Vec<Difference> = vec![];
        let mut index: BTreeMap<String, usize> = BTreeMap::new();
        for finding in findings {
            let Finding { pointer_old, pointer_new, old, new, verdict, .. } = &finding;
            let key = json!([finding.id(), verdict, pointer_old, pointer_new, old, new]).to_string();
            let place = (finding.operation.clone(), finding.place.clone());
            match index.get(&key) {
                Some(index) => order[*index].uses.push(place),
                None => {
                    index.insert(key, order.len());
                    order.push(Difference { first: finding, uses: vec![place], witness: None });
                }
            }
        }
        for difference in &mut order {
            used_before_shared(difference);
        }
        order.sort_by_key(|difference| std::cmp::Reverse(difference.first.verdict));
        Self { old: old.to_owned(), new: new.to_owned(), differences: order }
    }

    /// Looks for a value that proves each breaking difference between schemas.
    pub fn prove(&mut self, old: &Value, new: &Value) {
        for difference in &mut self.differences {
            difference.witness = witness::find(old, new, &difference.first);
        }
    }

    /// The worst verdict; none without a difference.
    pub fn worst(&self) -> Option<Verdict> {
        self.differences.first().map(|difference| difference.first.verdict)
    }

    fn of(&self, verdict: Verdict) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(move |difference| difference.first.verdict == verdict)
    }

    /// `2 breaking, 1 wording`
    pub fn counts(&self) -> String {
        let counts = Verdict::ALL.iter().map(|verdict| (self.of(*verdict).count(), verdict.name()));
        let counts: Vec<String> =
            counts.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
        if counts.is_empty() { "no difference".into() } else { counts.join(", ") }
    }

    /// The whole as text; `wording` includes changes of wording in the format for people.
    pub fn written(&self, format: Format, wording: bool) -> String {
        match format {
            Format::Text => self.text(wording),
            Format::Json => self.json(),
            Format::Markdown => self.markdown(),
        }
    }

    fn text(&self, wording: bool) -> String {
        let mut text = String::new();
        for verdict in Verdict::ALL.into_iter().filter(|verdict| wording || *verdict != Verdict::Wording) {
            let count = self.of(verdict).count();
            if count > 0 {
                let _ = writeln!(text, "{} ({count})\n", verdict.name().to_uppercase());
            }
            for difference in self.of(verdict) {
                paragraph(&mut text, difference);
            }
        }
        let hidden = !wording && self.of(Verdict::Wording).next().is_some();
        let hint = if hidden { " (--wording shows those)" } else { "" };
        let _ = writeln!(text, "{} → {}: {}{hint}", self.old, self.new, self.counts());
        text
    }

    fn json(&self) -> String {
        let counts: serde_json::Map<String, Value> =
            Verdict::ALL.iter().map(|verdict| (verdict.name().to_owned(), self.of(*verdict).count().into())).collect();
        let findings: Vec<Value> = self.differences.iter().map(as_json).collect();
        let whole = json!({
            "old": self.old,
            "new": self.new,
            "verdict": self.worst().map(Verdict::name),
            "counts": counts,
            "findings": findings,
        });
        format!("{whole:#}\n")
    }

    fn markdown(&self) -> String {
        let mut text = format!("### API: {}\n\n`{}` → `{}`\n", self.counts(), self.old, self.new);
        for verdict in Verdict::ALL {
            let differences: Vec<&Difference> = self.of(verdict).collect();
            if differences.is_empty() {
                continue;
            }
            let (mark, folded) = match verdict {
                Verdict::Breaking => ("🔴", false),
                Verdict::Risky => ("🟠", false),
                Verdict::Compatible => ("🟢", true),
                Verdict::Wording => ("⚪", true),
            };
            let title = format!("{mark} {} {}", differences.len(), verdict.name());
            let rows: String = differences.iter().map(|difference| row(difference)).collect();
            let table = format!("| Where | What | Rule | |\n|---|---|---|---|\n{rows}");
            text += &match folded {
                true => format!("\n<details><summary>{title}</summary>\n\n{table}\n</details>\n"),
                false => format!("\n#### {title}\n\n{table}"),
            };
        }
        text
    }
}

/// A shared schema by itself is no place of effect beside the operations that use it.
fn used_before_shared(difference: &mut Difference) {
    if difference.uses.iter().any(|(operation, _)| operation.is_some()) {
        difference.uses.retain(|(operation, _)| operation.is_some());
        let (operation, place) = difference.uses[0].clone();
        (difference.first.operation, difference.first.place) = (operation, place);
    }
}

/// `id`, then where it is, what it is, and why it matters.
fn paragraph(text: &mut String, difference: &Difference) {
    let Difference { first, uses, witness } = difference;
    let _ = writeln!(text, "  {}", first.id());
    let operation = first.operation.as_deref().map(|id| format!(" ({id})")).unwrap_or_default();
    let _ = writeln!(text, "    where  {}{operation}", first.place);
    if uses.len() > 1 {
        let _ = writeln!(text, "           {}", difference.elsewhere());
    }
    if let Some(change) = difference.change() {
        let _ = writeln!(text, "    what   {change}");
    }
    if let Some(witness) = witness {
        let _ = writeln!(text, "    proof  {}", proof(witness));
    }
    let _ = writeln!(text, "    why    {} {}\n", first.rule.meaning, first.rule.advice);
}

/// `was taken, is refused: null`
fn proof(witness: &Witness) -> String {
    let value = match &witness.value {
        Value::String(text) if text.chars().count() > QUOTED / 2 => {
            let start: String = text.chars().take(10).collect();
            format!("{:?} and so on, {} characters in all", start, text.chars().count())
        }
        Value::Array(list) if list.len() > 10 => format!("a list of {} entries", list.len()),
        value => short(&value.to_string(), 0),
    };
    let what = if witness.sent { "was taken, is refused" } else { "was never answered, may be" };
    format!("{what}: {value}")
}

fn as_json(difference: &Difference) -> Value {
    let Finding { rule, pointer_old, pointer_new, old, new, verdict, .. } = &difference.first;
    json!({
        "id": difference.first.id(),
        "verdict": verdict,
        "group": rule.group,
        "fingerprint": difference.fingerprint(),
        "pointer_old": pointer_old,
        "pointer_new": pointer_new,
        "old": old,
        "new": new,
        "meaning": rule.meaning,
        "advice": rule.advice,
        "witness": difference.witness.as_ref().map(|witness| witness_as_json(witness, &difference.first)),
        "uses": difference.uses.iter().map(place_as_json).collect::<Vec<_>>(),
    })
}

/// The value, and the schemas of which one takes it.
fn witness_as_json(witness: &Witness, finding: &Finding) -> Value {
    let schemas = finding.between.as_ref().map(|between| (&between.old, &between.new));
    json!({
        "value": witness.value,
        "callers": if witness.sent { "send" } else { "receive" },
        "schema_old": schemas.map(|(old, _)| old),
        "schema_new": schemas.map(|(_, new)| new),
    })
}

fn place_as_json((operation, place): &(Option<String>, Place)) -> Value {
    let mut map = serde_json::Map::new();
    map.insert("place".into(), place.to_string().into());
    if let Some(id) = operation {
        map.insert("operation_id".into(), id.as_str().into());
    }
    for step in &place.0 {
        let (key, value) = match step {
            Step::Operation { method, path } => {
                map.insert("method".into(), method.as_str().into());
                ("path", path.clone())
            }
            Step::Parameter { location, name } => {
                map.insert("in".into(), location.as_str().into());
                ("parameter", name.clone())
            }
            Step::Part(name) => ("part", name.clone()),
            Step::Callback(name) => ("callback", name.clone()),
            Step::RequestBody => ("part", "request body".to_owned()),
            Step::Status(status) => ("status", status.clone()),
            Step::Header(name) => ("header", name.clone()),
            Step::Link(name) => ("link", name.clone()),
            Step::MediaType(name) => ("media_type", name.clone()),
            Step::Field(_) => ("field", place.field()),
        };
        map.insert(key.into(), value.into());
    }
    map.into()
}

fn row(difference: &Difference) -> String {
    let Difference { first, uses, witness } = difference;
    let more = if uses.len() > 1 { format!("<br>{}", cell(&difference.elsewhere())) } else { String::new() };
    let change = difference.change().map(|change| code(&change)).unwrap_or_default();
    let proof = witness.as_ref().map(|witness| format!(" ({})", proof(witness))).unwrap_or_default();
    let why = format!("{} {}{proof}", first.rule.meaning, first.rule.advice);
    format!("| {}{more} | {change} | `{}` | {} |\n", cell(&first.place.to_string()), first.id(), cell(&why))
}

/// A text that a table of Markdown can hold.
fn cell(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('|', "\\|").replace('*', "\\*").replace('\n', " ")
}

/// A text as code in a table of Markdown, backticks in it or not.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\|");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::compare;

    /// Two operations share a schema; one has a link.
    fn document(title: Value, summary: &str) -> Value {
        let operation = |id: &str| {
            json!({
                "operationId": id,
                "summary": summary,
                "responses": {"200": {"description": "Ok", "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Post"}},
                }}},
            })
        };
        json!({
            "paths": {"/a|b": {"get": operation("get_a")}, "/b": {"get": operation("get_b")}},
            "components": {"schemas": {"Post": {"type": "object", "properties": {"title": title}}}},
        })
    }

    fn comparison(title: Value, summary: &str) -> Comparison {
        let (old, new) = (document(json!({"type": "string"}), "Read"), document(title, summary));
        let mut comparison = Comparison::new("old", "new", compare(&old, &new));
        comparison.prove(&old, &new);
        comparison
    }

    #[test]
    fn a_shared_difference_is_told_once_the_worst_first() {
        let text = comparison(json!({"type": "string", "nullable": true}), "Get").text(false);
        let expected = "\
BREAKING (1)

  response-property-became-nullable
    where  GET /a|b · 200 · application/json · /title (get_a)
           and 1 more place (get_b)
    what   false → true
    proof  was never answered, may be: null
    why    The value may be null. Requests of today stay valid; readers of answers fail on null.

old → new: 1 breaking, 2 wording (--wording shows those)
";
        assert_eq!(text, expected);
    }

    #[test]
    fn texts_are_shown_when_asked_for() {
        let comparison = comparison(json!({"type": "string"}), "Get");
        assert_eq!(comparison.worst(), Some(Verdict::Wording));
        let shown = comparison.text(true);
        assert!(shown.contains("WORDING (2)") && shown.contains(r#"what   "Read" → "Get""#), "{shown}");
        assert_eq!(comparison.text(false), "old → new: 2 wording (--wording shows those)\n");
    }

    #[test]
    fn json_keeps_every_use_and_both_pointers() {
        let json = comparison(json!({"type": "integer"}), "Read").json();
        let json: Value = serde_json::from_str(&json).expect("it is JSON");
        assert_eq!(json["counts"], json!({"breaking": 1, "risky": 0, "compatible": 0, "wording": 0}));
        let finding = &json["findings"][0];
        assert_eq!(finding["id"], "response-property-type-changed");
        assert_eq!(finding["pointer_new"], "/components/schemas/Post/properties/title/type");
        assert_eq!(finding["uses"].as_array().map(Vec::len), Some(2));
        let used = &finding["uses"][1];
        assert_eq!(
            (&used["operation_id"], &used["status"], &used["field"]),
            (&json!("get_b"), &json!("200"), &json!("/title"))
        );
        assert_eq!(finding["fingerprint"].as_str().map(str::len), Some(12));
    }

    #[test]
    fn markdown_escapes_what_would_end_a_cell_and_folds_texts() {
        let markdown = comparison(json!({"type": "integer"}), "Get").markdown();
        assert!(markdown.starts_with("### API: 1 breaking, 2 wording\n"), "{markdown}");
        assert!(
            markdown.contains(r"| GET /a\|b · 200 · application/json · /title<br>and 1 more place (get_b) |"),
            "{markdown}"
        );
        assert!(markdown.contains("<details><summary>⚪ 2 wording</summary>"), "{markdown}");
        assert_eq!(code("a `b` | c"), r"`` a `b` \| c ``");
    }

    #[test]
    fn a_fingerprint_is_of_the_change_and_not_of_its_surroundings() {
        let print = |title: Value, summary: &str| comparison(title, summary).differences[0].fingerprint();
        let nullable = json!({"type": "string", "nullable": true});
        assert_eq!(print(nullable.clone(), "Read"), print(nullable.clone(), "Get"));
        assert_ne!(print(nullable, "Read"), print(json!({"type": "integer"}), "Read"));
    }
}
