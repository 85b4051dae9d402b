//! The way through both documents at once: where it is, whom a difference there would meet, and what was found so far.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::finding::{Between, Finding, Place, Spot, Step};
use super::rules::{self, Prefix, Rule, Verdict};
use super::slot::{Pair, Slot};

/// The part of a message that a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    RequestParameter,
    RequestBody,
    RequestProperty,
    ResponseHeader,
    ResponseBody,
    ResponseProperty,
    /// A shared schema by itself: nobody says yet whether it is sent or received.
    Shared,
}

impl Role {
    pub fn is_request(self) -> bool {
        matches!(self, Self::RequestParameter | Self::RequestBody | Self::RequestProperty)
    }

    /// What the parts of a value play when the value itself plays this.
    pub fn inside(self) -> Self {
        match self {
            Self::RequestBody => Self::RequestProperty,
            Self::ResponseBody => Self::ResponseProperty,
            other => other,
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::RequestParameter => "request-parameter-",
            Self::RequestBody => "request-body-",
            Self::RequestProperty => "request-property-",
            Self::ResponseHeader => "response-header-",
            Self::ResponseBody => "response-body-",
            Self::ResponseProperty | Self::Shared => "response-property-",
        }
    }
}

/// The same part of both documents, and everything a verdict on its differences depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Visit {
    old: String,
    new: String,
    role: Role,
    swapped: bool,
    idle: bool,
}

/// The comparison under way.
pub struct Walk<'a> {
    pub old: &'a Value,
    pub new: &'a Value,
    /// `YYYY-MM-DD`, for dates of removal.
    pub today: String,
    place: Vec<Step>,
    operation: Option<String>,
    pub role: Role,
    /// In a callback the server calls: what callers send and receive there is the other way round.
    swapped: bool,
    /// What is read only does not travel in requests: a difference there breaks nobody.
    idle: bool,
    pub findings: Vec<Finding>,
    /// Parts that were found equal.
    equal: HashSet<Visit>,
    /// What was found in messages, their place aside: most are shared by many operations.
    known: HashMap<Visit, Vec<Finding>>,
    /// Parts on the way to this place, from the message on: a schema may contain itself.
    open: Vec<Visit>,
    /// Parts of this message that were visited.
    visited: HashSet<Visit>,
    /// Pointers of the shared parts that were used, on either side.
    pub used_old: BTreeSet<String>,
    pub used_new: BTreeSet<String>,
    /// An operation has no rule of its own who may call it, on both sides.
    pub inherits_security: bool,
    /// The schemas that are compared.
    between: Option<Between>,
}

impl<'a> Walk<'a> {
    pub fn new(old: &'a Value, new: &'a Value, today: String) -> Self {
        Self {
            old,
            new,
            today,
            place: vec![],
            operation: None,
            role: Role::Shared,
            swapped: false,
            idle: false,
            findings: vec![],
            equal: HashSet::new(),
            known: HashMap::new(),
            open: vec![],
            visited: HashSet::new(),
            used_old: BTreeSet::new(),
            used_new: BTreeSet::new(),
            inherits_security: false,
            between: None,
        }
    }

    /// Goes one step, and back.
    pub fn within(&mut self, step: Step, inside: impl FnOnce(&mut Self)) {
        self.place.push(step);
        inside(self);
        self.place.pop();
    }

    /// Is the place this one?
    pub fn is_here(&self, place: &Place) -> bool {
        place.0 == self.place
    }

    /// Goes into an operation, and back.
    pub fn within_operation(&mut self, id: Option<&str>, step: Step, inside: impl FnOnce(&mut Self)) {
        let outer = self.operation.clone();
        // a callback without an id is told by that of its operation
        self.operation = id.map(str::to_owned).or(self.operation.take());
        self.within(step, inside);
        self.operation = outer;
    }

    pub fn acting(&mut self, role: Role, inside: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.role, role);
        inside(self);
        self.role = outer;
    }

    /// Where server and caller change roles.
    pub fn swapped(&mut self, inside: impl FnOnce(&mut Self)) {
        self.swapped = !self.swapped;
        inside(self);
        self.swapped = !self.swapped;
    }

    /// Where nothing travels, if `idle`.
    pub fn idling(&mut self, idle: bool, inside: impl FnOnce(&mut Self)) {
        let outer = self.idle;
        self.idle |= idle;
        inside(self);
        self.idle = outer;
    }

    /// Is this sent by those who call the API?
    pub fn is_sent(&self) -> bool {
        self.role.is_request() != self.swapped
    }

    /// Visits a part, once in a message: in a ring of schemas there is no end of ways to the same part. What was found
    /// in the same message before is told again, at this place.
    pub fn visit(&mut self, old: String, new: String, inside: impl FnOnce(&mut Self)) {
        let visit = Visit { old, new, role: self.role, swapped: self.swapped, idle: self.idle };
        if self.equal.contains(&visit) || self.open.contains(&visit) {
            return;
        }
        let is_message = self.open.is_empty();
        if is_message {
            self.visited.clear();
            if self.tell_again(&visit) {
                return;
            }
        }
        if !self.visited.insert(visit.clone()) {
            return;
        }
        let before = self.findings.len();
        self.open.push(visit.clone());
        inside(self);
        self.open.pop();
        if is_message && self.findings.len() == before {
            self.equal.extend(self.visited.drain());
        } else if is_message {
            self.keep(visit, before);
        }
    }

    /// Tells what was found in a message before; false if it was not visited.
    fn tell_again(&mut self, visit: &Visit) -> bool {
        let Some(found) = self.known.get(visit) else { return false };
        let here = |finding: &Finding| {
            let place = self.place.iter().chain(&finding.place.0).cloned().collect();
            Finding { place: Place(place), operation: self.operation.clone(), ..finding.clone() }
        };
        self.findings.extend(found.iter().map(here));
        true
    }

    /// Keeps what was found in a message, from where it begins.
    fn keep(&mut self, visit: Visit, before: usize) {
        let inner = |finding: &Finding| {
            let place = finding.place.0[self.place.len()..].to_vec();
            Finding { place: Place(place), ..finding.clone() }
        };
        let found = self.findings[before..].iter().map(inner).collect();
        self.known.insert(visit, found);
    }

    /// Where two schemas are compared.
    pub fn between(&mut self, old: &[Slot<'a>], new: &[Slot<'a>], inside: impl FnOnce(&mut Self)) {
        let written =
            |slots: &[Slot<'a>]| slots.iter().filter(|slot| slot.is_some()).map(|slot| slot.pointer.clone()).collect();
        let between = Between { old: written(old), new: written(new), sent: self.is_sent() };
        let outer = self.between.replace(between);
        inside(self);
        self.between = outer;
    }

    /// What a part of the comparison finds, without telling it.
    pub fn probe(&mut self, inside: impl FnOnce(&mut Self)) -> Vec<Finding> {
        let (findings, visited) = (std::mem::take(&mut self.findings), std::mem::take(&mut self.visited));
        inside(self);
        self.visited = visited;
        std::mem::replace(&mut self.findings, findings)
    }

    /// Tells a difference.
    pub fn tell(&mut self, rule: &'static Rule, old: impl Into<Spot>, new: impl Into<Spot>) {
        let (old, new): (Spot, Spot) = (old.into(), new.into());
        self.findings.push(Finding {
            rule,
            prefix: self.prefix(rule),
            verdict: self.verdict(rule),
            operation: self.operation.clone(),
            place: Place(self.place.clone()),
            pointer_old: old.pointer,
            pointer_new: new.pointer,
            old: old.value,
            new: new.value,
            between: self.between.clone(),
        });
    }

    pub fn tell_pair(&mut self, rule: &'static Rule, pair: &Pair<'_>) {
        self.tell(rule, &pair.old, &pair.new);
    }

    fn prefix(&self, rule: &Rule) -> &'static str {
        match rule.prefix {
            Prefix::Bare => "",
            Prefix::Place => self.role.prefix(),
            Prefix::Direction if self.role.is_request() => "request-",
            Prefix::Direction => "response-",
            Prefix::Security if self.in_operation() => "api-security-",
            Prefix::Security => "api-global-security-",
        }
    }

    fn in_operation(&self) -> bool {
        self.place.iter().any(|step| matches!(step, Step::Operation { .. }))
    }

    fn verdict(&self, rule: &Rule) -> Verdict {
        let verdict = match (rule.prefix, self.role) {
            (_, Role::Shared) => rule.request.max(rule.response),
            _ if self.is_sent() => rule.request,
            _ => rule.response,
        };
        let undirected = matches!(rule.prefix, Prefix::Bare | Prefix::Security);
        match verdict {
            Verdict::Wording => verdict,
            // the table has only what this means when the caller calls
            Verdict::Compatible if undirected && self.swapped => Verdict::Risky,
            _ if self.idle => Verdict::Compatible,
            _ => verdict,
        }
    }

    /// Follows the references of a part other than a schema. None if one leads nowhere, which is told.
    pub fn resolved(&mut self, pair: &Pair<'a>) -> Option<Pair<'a>> {
        let (old, new) = (pair.old.resolved(self.old), pair.new.resolved(self.new));
        self.beside_references(pair);
        match (old, new) {
            (Ok(old), Ok(new)) => {
                self.used_old.insert(old.pointer.clone());
                self.used_new.insert(new.pointer.clone());
                Some(Pair { old, new })
            }
            (Err(old), Err(new)) if old.value == new.value => None,
            (old, new) => {
                let either = |side: Result<Slot<'_>, Slot<'_>>| match side {
                    Ok(slot) => Spot::bare(&slot.pointer),
                    Err(reference) => Spot::from(&reference),
                };
                self.tell(&rules::REFERENCE_UNRESOLVED, either(old), either(new));
                None
            }
        }
    }

    /// What is written beside a `$ref`.
    fn beside_references(&mut self, pair: &Pair<'a>) {
        let only = |slot: &Slot<'a>| if slot.key("$ref").is_some() { slot.clone() } else { slot.absent() };
        self.rest(&Pair { old: only(&pair.old), new: only(&pair.new) }, &["$ref"]);
    }

    /// Every key of an object that the caller does not know: texts, extensions, and what nobody knows. With this at
    /// each object no difference goes unnoticed.
    pub fn rest(&mut self, pair: &Pair<'a>, known: &[&str]) {
        let is_map = |slot: &Slot<'_>| slot.value.is_none_or(Value::is_object);
        if !is_map(&pair.old) || !is_map(&pair.new) {
            if !pair.is_same() {
                self.tell_pair(&rules::UNKNOWN_KEYWORD_CHANGED, pair);
            }
            return;
        }
        let mut keys: Vec<&str> = pair.old.entries().into_iter().map(|(key, _)| key).collect();
        keys.extend(pair.new.entries().into_iter().map(|(key, _)| key).filter(|key| !pair.old.key(key).is_some()));
        for key in keys.into_iter().filter(|key| !known.contains(key)) {
            let pair = pair.key(key);
            if !pair.is_same() {
                self.tell_pair(word(key), &pair);
            }
        }
    }

    /// Tells the difference under each of the keys by one rule.
    pub fn each(&mut self, pair: &Pair<'a>, keys: &[&str], rule: &'static Rule) {
        for key in keys {
            let pair = pair.key(key);
            if !pair.is_same() {
                self.tell_pair(rule, &pair);
            }
        }
    }
}

/// The rule for a keyword that no part of the comparison reads.
pub fn word(key: &str) -> &'static Rule {
    match key {
        "description" | "bearerFormat" | "$comment" => &rules::DESCRIPTION_CHANGED,
        "summary" => &rules::SUMMARY_CHANGED,
        "title" => &rules::TITLE_CHANGED,
        "example" | "examples" => &rules::EXAMPLE_CHANGED,
        "externalDocs" => &rules::EXTERNAL_DOCS_CHANGED,
        _ if key.starts_with("x-") => &rules::EXTENSION_CHANGED,
        _ => &rules::UNKNOWN_KEYWORD_CHANGED,
    }
}
