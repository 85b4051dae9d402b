//! Comparison of a file with the generated value. Each difference names the request and the part, both values, and who
//! changed it.

mod parts;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use self::parts::{Part, exported, parts};
use crate::{stamp, text};

/// Returns the requests of a collection with the names of their folders.
pub fn requests(collection: &Value) -> Vec<(&str, &Value)> {
    let folders = collection["item"].as_array().into_iter().flatten();
    folders
        .flat_map(|folder| {
            let name = folder["name"].as_str().unwrap_or_default();
            folder["item"].as_array().into_iter().flatten().map(move |item| (name, item))
        })
        .collect()
}

/// The author of a difference.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Edit {
    Hand,
    App,
    Document,
    Unknown,
}

impl Edit {
    fn sentence(self) -> &'static str {
        match self {
            Self::Hand => "changed by hand",
            Self::App => "changed in the app",
            Self::Document => "the document has changed",
            Self::Unknown => "changed by hand, or the document has changed",
        }
    }
}

/// A file, the value that is generated for it, and its last committed version.
pub struct Comparison<'a> {
    /// The name of the file.
    pub name: &'a str,
    /// The text of the file.
    pub file: &'a str,
    /// The generated value.
    pub wanted: &'a Value,
    /// The version before the change, if there is one.
    pub committed: Option<Value>,
    /// Variables whose values are not printed.
    pub secret: &'a [String],
}

impl Comparison<'_> {
    /// Returns one sentence for each part of the file that differs from the generated value: request and part, both
    /// values, and who has changed it.
    pub fn differences(&self) -> Vec<String> {
        let Self { name, file, wanted, .. } = self;
        if *file == text(wanted) {
            return vec![];
        }
        let found: Value = match serde_json::from_str(file) {
            Ok(found) => found,
            Err(error) => return vec![format!("{name}: no JSON: {error}")],
        };
        let with_ids = !exported(&found);
        let (left, right) = (parts(&found, wanted, with_ids), parts(wanted, wanted, with_ids));
        let differences: Vec<(Vec<String>, String)> = missing(&left, &right)
            .into_iter()
            .chain(changed(&left, &right, self.secret))
            .chain(unexpected(&left, &right))
            .collect();
        if differences.is_empty() && exported(&found) {
            return vec![format!(
                "{name}: an export of the app with nothing changed: it only lacks the form that is generated"
            )];
        }
        if differences.is_empty() {
            return vec![format!("{name}: the right content, but not in the order or layout that is generated")];
        }
        let edit = self.edits(&found);
        // the same difference in many requests is one sentence
        let mut listed: Vec<(&[String], &String, Edit, usize)> = vec![];
        for (place, what) in &differences {
            let edit = edit(place);
            let same = |other: &&mut (&[String], &String, Edit, usize)| {
                place.len() > 1 && other.0[1..] == place[1..] && (other.1, other.2) == (what, edit)
            };
            match listed.iter_mut().find(same) {
                Some((.., more)) => *more += 1,
                None => listed.push((place, what, edit, 0)),
            }
        }
        let sentence = |(place, what, edit, more): &(&[String], &String, Edit, usize)| {
            let more = if *more > 0 { format!("; the same in {more} more") } else { String::new() };
            format!("{name}: {}: {what} ({}){more}", place.join(" › "), edit.sentence())
        };
        listed.iter().map(sentence).collect()
    }

    /// Returns the author of the difference at a place, from the stamp of the whole file or else from the committed
    /// version of this part.
    fn edits(&self, found: &Value) -> impl Fn(&[String]) -> Edit {
        let by_hand = if exported(found) { Edit::App } else { Edit::Hand };
        let whole = match stamp::read(found) {
            Some(stamp) if stamp == stamp::of(found) => Some(Edit::Document),
            Some(stamp) if stamp == stamp::of(self.wanted) => Some(by_hand),
            // without a stamp in what is generated (an environment) only a person can have made a difference
            None if stamp::read(self.wanted).is_none() => Some(by_hand),
            _ => None,
        };
        let base =
            self.committed.as_ref().filter(|base| stamp::read(base).is_some_and(|stamp| stamp == stamp::of(base)));
        let base = base.map(|base| parts(base, self.wanted, !exported(found)));
        let (found, wanted) =
            (parts(found, self.wanted, !exported(found)), parts(self.wanted, self.wanted, !exported(found)));
        move |place: &[String]| {
            let below = |parts: &[Part]| -> Vec<Part> {
                parts.iter().filter(|part| part.place.starts_with(place)).cloned().collect()
            };
            match (whole, &base) {
                (Some(edit), _) => edit,
                (None, Some(base)) if below(base) == below(&found) => Edit::Document,
                (None, Some(base)) if below(base) == below(&wanted) => by_hand,
                _ => Edit::Unknown,
            }
        }
    }
}

/// Returns the places that only the right side has; a whole request is one place, not one for each of its parts.
fn absent(left: &[Part], right: &[Part]) -> Vec<Vec<String>> {
    let known: BTreeSet<&[String]> =
        left.iter().flat_map(|part| (1..=part.place.len()).map(|length| &part.place[..length])).collect();
    let mut places: Vec<Vec<String>> = vec![];
    for part in right {
        let first = (1..=part.place.len()).map(|length| &part.place[..length]).find(|place| !known.contains(place));
        if let Some(place) = first
            && places.last().is_none_or(|last| last != place)
        {
            places.push(place.to_vec());
        }
    }
    places
}

/// The text that stands at exactly this place, for a sentence.
fn quoted(parts: &[Part], place: &[String]) -> String {
    parts.iter().find(|part| part.place == place).map(|part| format!(" {}", short(&part.value, 0))).unwrap_or_default()
}

fn missing(found: &[Part], wanted: &[Part]) -> Vec<(Vec<String>, String)> {
    let places = absent(found, wanted).into_iter();
    places.map(|place| (place.clone(), format!("missing; the document makes it{}", quoted(wanted, &place)))).collect()
}

fn unexpected(found: &[Part], wanted: &[Part]) -> Vec<(Vec<String>, String)> {
    let places = absent(wanted, found).into_iter();
    places.map(|place| (place.clone(), format!("only in the file{}", quoted(found, &place)))).collect()
}

fn changed(found: &[Part], wanted: &[Part], secret: &[String]) -> Vec<(Vec<String>, String)> {
    let found: BTreeMap<&[String], &Part> = found.iter().map(|part| (part.place.as_slice(), part)).collect();
    let pairs = wanted.iter().filter_map(|wanted| {
        let found = *found.get(wanted.place.as_slice())?;
        (found.value != wanted.value).then_some((found, wanted))
    });
    let differ: Vec<(&Part, &Part)> = pairs.collect();
    // an address is reported once, as a whole
    let whole: Vec<&[String]> = differ.iter().filter(|(f, _)| f.is("raw")).map(|(f, _)| f.parent()).collect();
    let differ = differ.iter().filter(|(f, _)| !((f.is("host") || f.is("path")) && whole.contains(&f.parent())));
    differ.map(|(found, wanted)| difference(found, wanted, secret)).collect()
}

/// The place, to the line where a text has lines, and both sides.
fn difference(found: &Part, wanted: &Part, secret: &[String]) -> (Vec<String>, String) {
    let mut place = found.place.clone();
    if found.is_secret(secret) {
        return (place, "the file holds a secret, which is not shown here; the document makes none".into());
    }
    let (Some(left), Some(right)) = (lines(&found.value), lines(&wanted.value)) else {
        let from = first_difference(&found.value.to_string(), &wanted.value.to_string());
        let sides = (short(&found.value, from), short(&wanted.value, from));
        return (place, format!("the file has {}, the document makes {}", sides.0, sides.1));
    };
    let first = left.iter().zip(&right).take_while(|(one, two)| one == two).count();
    let rest = |lines: &[&str]| lines.len() - first;
    let last = left[first..].iter().rev().zip(right[first..].iter().rev()).take_while(|(one, two)| one == two).count();
    let (here, there) = (rest(&left) - last, rest(&right) - last);
    if let Some(name) = place.last_mut() {
        name.push_str(&format!(" line {}", first + 1));
    }
    let side = |lines: &[&str], count: usize| match count {
        0 => "nothing".to_owned(),
        1 => format!("`{}`", lines[first].trim()),
        more => format!("`{}` and {} lines more", lines[first].trim(), more - 1),
    };
    (place, format!("the file has {}, the document makes {}", side(&left, here), side(&right, there)))
}

/// The lines of a script or of a longer text.
fn lines(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::Array(lines) if !lines.is_empty() => lines.iter().map(Value::as_str).collect(),
        Value::String(text) if text.contains('\n') => Some(text.lines().collect()),
        _ => None,
    }
}

/// The largest length of a quoted text, in characters.
const QUOTED: usize = 80;

/// A value for a sentence; of a long one the part from where it begins to differ.
fn short(value: &Value, from: usize) -> String {
    let characters: Vec<char> = value.to_string().chars().collect();
    if characters.len() <= QUOTED {
        return characters.into_iter().collect();
    }
    let start = from.saturating_sub(20).min(characters.len() - QUOTED);
    let part: String = characters[start..start + QUOTED].iter().collect();
    let dots = |wanted: bool| if wanted { "…" } else { "" };
    format!("{}{part}{}", dots(start > 0), dots(start + QUOTED < characters.len()))
}

fn first_difference(one: &str, two: &str) -> usize {
    one.chars().zip(two.chars()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stamp::stamped;

    fn sample() -> Value {
        stamped(json!({"info": {"name": "x"}, "variable": [], "item": [{"name": "Session", "item": [{
            "id": "1",
            "name": "Log in",
            "event": [{"listen": "test", "script": {"exec": ["one();", "pm.environment.set(\"JWT\", 1);", "two();"]}}],
            "request": {"method": "POST", "header": [{"key": "Accept", "value": "a"}],
                "url": {"raw": "{{baseUrl}}/login", "path": ["login"]}},
            "response": [{"id": "2", "name": "200 OK", "code": 200}],
        }]}]}))
    }

    fn after(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let (mut file, wanted) = (sample(), sample());
        change(&mut file);
        Comparison { name: "c.json", file: &text(&file), wanted: &wanted, committed: None, secret: &[] }.differences()
    }

    fn item(file: &mut Value) -> &mut Value {
        &mut file["item"][0]["item"][0]
    }

    #[test]
    fn a_changed_script_is_quoted_with_its_line() {
        let found = after(|file| item(file)["event"][0]["script"]["exec"] = json!(["one();", "two();"]));
        let wanted = "the file has nothing, the document makes `pm.environment.set(\"JWT\", 1);` (changed by hand)";
        assert_eq!(found, [format!("c.json: request \"Log in\" › event test line 2: {wanted}")]);
        let found = after(|file| item(file)["event"] = json!([]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("c.json: request \"Log in\" › event test: missing"), "{found:?}");
    }

    #[test]
    fn other_parts_are_named() {
        assert!(after(|_| ()).is_empty());
        let found = after(|file| item(file)["request"]["method"] = json!("GET"));
        let both = "the file has \"GET\", the document makes \"POST\" (changed by hand)";
        assert_eq!(found, [format!("c.json: request \"Log in\" › method: {both}")]);
        let found = after(|file| item(file)["request"]["header"][0]["value"] = json!("b"));
        let both = "the file has \"b\", the document makes \"a\" (changed by hand)";
        assert_eq!(found, [format!("c.json: request \"Log in\" › header Accept › value: {both}")]);
        let found = after(|file| item(file)["request"]["url"] = json!({"raw": "{{baseUrl}}/in", "path": ["in"]}));
        assert_eq!(found.len(), 1, "{found:?}");
        let found = after(|file| item(file)["response"] = json!([]));
        assert_eq!(
            found,
            ["c.json: request \"Log in\" › example 200 OK: missing; the document makes it (changed by hand)"]
        );
        let layout =
            Comparison { name: "c.json", file: &sample().to_string(), wanted: &sample(), committed: None, secret: &[] };
        assert_eq!(
            layout.differences(),
            ["c.json: the right content, but not in the order or layout that is generated"]
        );
    }

    #[test]
    fn a_renamed_request_is_the_same_and_a_new_one_is_not() {
        let found = after(|file| item(file)["name"] = json!("Log on"));
        let both = "the file has \"Log on\", the document makes \"Log in\" (changed by hand)";
        assert_eq!(found, [format!("c.json: request \"Log in\" › name: {both}")]);
        let found = after(|file| {
            let copy = json!({"id": "9", "name": "Mine", "request": {"method": "GET"}});
            file["item"][0]["item"].as_array_mut().expect("items").push(copy);
        });
        assert_eq!(found, ["c.json: request \"Mine\": only in the file (changed by hand)"]);
    }

    #[test]
    fn the_app_and_the_document_are_listed_from_a_hand() {
        let export = |file: &mut Value| {
            file["info"]["_exporter_id"] = json!("1");
            let item = item(file);
            item.as_object_mut().expect("an item").remove("id");
            item["event"][0]["script"]["packages"] = json!({});
        };
        let found = after(export);
        assert!(found.len() == 1 && found[0].contains("an export of the app with nothing changed"), "{found:?}");
        let found = after(|file| {
            export(file);
            item(file)["request"]["method"] = json!("GET");
        });
        assert!(found.len() == 1 && found[0].ends_with("(changed in the app)"), "{found:?}");
        let (file, mut wanted) = (sample(), sample());
        item(&mut wanted)["request"]["method"] = json!("PUT");
        let wanted = stamped(wanted);
        let found = Comparison { name: "c.json", file: &text(&file), wanted: &wanted, committed: None, secret: &[] }
            .differences();
        assert!(found.len() == 1 && found[0].ends_with("(the document has changed)"), "{found:?}");
    }

    #[test]
    fn where_both_have_changed_the_committed_version_decides() {
        let (base, mut file, mut wanted) = (sample(), sample(), sample());
        item(&mut file)["request"]["method"] = json!("GET");
        item(&mut wanted)["response"][0]["code"] = json!(201);
        let wanted = stamped(wanted);
        let compare = |committed| {
            Comparison { name: "c.json", file: &text(&file), wanted: &wanted, committed, secret: &[] }.differences()
        };
        let found = compare(Some(base));
        assert!(found[0].contains("method") && found[0].ends_with("(changed by hand)"), "{found:?}");
        assert!(found[1].contains("code") && found[1].ends_with("(the document has changed)"), "{found:?}");
        assert!(compare(None).iter().all(|found| found.ends_with("or the document has changed)")));
    }

    #[test]
    fn the_same_difference_in_many_requests_is_listed_once() {
        let mut wanted = sample();
        let items = wanted["item"][0]["item"].as_array_mut().expect("items");
        items.push(json!({"id": "8", "name": "Also", "request": {"method": "POST"}}));
        let wanted = stamped(wanted);
        let file = text(&wanted).replace("\"POST\"", "\"GET\"");
        let found =
            Comparison { name: "c.json", file: &file, wanted: &wanted, committed: None, secret: &[] }.differences();
        assert!(found.len() == 1 && found[0].ends_with("(changed by hand); the same in 1 more"), "{found:?}");
    }

    #[test]
    fn a_secret_is_not_repeated() {
        let wanted = json!({"values": [{"key": "JWT", "value": "", "type": "secret"}]});
        let file = json!({"values": [{"key": "JWT", "value": "eyJhb", "type": "secret"}]}).to_string();
        let secret = ["JWT".to_owned()];
        let found =
            Comparison { name: "e.json", file: &file, wanted: &wanted, committed: None, secret: &secret }.differences();
        assert!(
            found[0].contains("variable JWT › value: the file holds a secret") && !found[0].contains("eyJ"),
            "{found:?}"
        );
    }
}
