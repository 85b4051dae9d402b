//! Requests at the edge of what a document allows.

use serde_json::Value;

use super::case::{Case, Expect};
use super::constraint::Constraint;
use super::draft::{Change, Proof, encode, plain};
use super::plan::Plan;
use super::setup::Unmatched;
use super::values::{self, Form};
use super::walk::{self, Side};
use crate::document::{Operation, Parameter, essence};

/// Every case of an operation.
pub fn acceptances(plan: &Plan<'_>, operation: &Operation) -> Vec<Case> {
    let mut cases = Cases { plan, operation, found: vec![] };
    cases.add(Constraint::Example, "example", &operation.at, vec![], Expect::Accepted);
    cases.body();
    operation.parameters.iter().for_each(|parameter| cases.parameter(parameter));
    cases.manners();
    cases.found
}

struct Cases<'a> {
    plan: &'a Plan<'a>,
    operation: &'a Operation,
    found: Vec<Case>,
}

impl Cases<'_> {
    fn add(&mut self, constraint: Constraint, id: &str, at: &str, changes: Vec<Change>, expect: Expect) {
        let expect = match (&self.plan.setup.needs(&self.operation.id).letter, expect) {
            (Some(Unmatched { status, code, .. }), Expect::Accepted) => {
                Expect::Answered { status: *status, code: code.clone() }
            }
            (_, expect) => expect,
        };
        self.found.push(Case {
            id: format!("{}/accepts/{id}", self.operation.id),
            operation: self.operation.id.clone(),
            constraint,
            at: self.plan.document.place(at),
            changes,
            fixture: None,
            expect,
        });
    }

    fn body(&mut self) {
        let Some(sample) = self.plan.sample(self.operation) else { return };
        let sample_body = sample.body(self.plan.document);
        for variant in walk::variants(sample_body, Side::Inside) {
            let id = format!("body{}/{}/{}", variant.pointer, variant.constraint.word(), variant.label);
            let touched = variant.changes.iter().filter_map(touched);
            let places = touched.map(|(pointer, value)| (format!("body{pointer}"), plain(value)));
            let expect = may_name(variant.constraint, self.expected(&places.collect::<Vec<_>>()));
            self.add(variant.constraint, &id, &variant.at, variant.changes, expect);
        }
        let body = self.operation.body.as_ref();
        // the first is the valid request itself
        for (index, example) in body.map_or(&[][..], |body| &body.examples).iter().enumerate().skip(1) {
            let change = Change::Body(String::new(), Some(example.clone()));
            self.add(
                Constraint::Example,
                &format!("example/{index}"),
                sample_body.at,
                vec![change],
                Expect::Understood,
            );
        }
        for (label, text) in body.map(|body| spellings(&body.media_type)).into_iter().flatten() {
            let change = Change::MediaType(Some(text));
            self.add(
                Constraint::MediaType,
                &format!("mediaType/{label}"),
                sample_body.at,
                vec![change],
                Expect::Accepted,
            );
        }
    }

    fn parameter(&mut self, parameter: &Parameter) {
        let Parameter { name, place, schema, at, .. } = parameter;
        if !values::is_plain(parameter) {
            return;
        }
        let form = if place == "header" { Form::Header } else { Form::Text };
        let given = self.plan.sample_parameter(self.operation, parameter);
        let edges = values::edges(self.plan.document, schema, &given, form);
        for edge in edges {
            let text = plain(&edge.value);
            if place == "path" && (text.is_empty() || text.contains('/')) {
                continue;
            }
            let id = format!("{place}/{name}/{}/{}", edge.constraint.word(), values::word(&edge.label.into()));
            let encoded = if place == "header" { text.clone() } else { encode(&text) };
            let change = Change::Parameter(place.clone(), name.clone(), Some(encoded));
            let mut expect = self.expected(&[(format!("{place}.{name}"), text.clone())]);
            if let Expect::Accepted = expect {
                if place == "path" {
                    let code = self.plan.code(Constraint::Unknown);
                    expect = Expect::Answered { status: 404, code };
                } else if name.eq_ignore_ascii_case("If-Match") {
                    expect = Expect::Answered { status: 412, code: self.plan.code(Constraint::Version) };
                }
            }
            let expect = may_name(edge.constraint, expect);
            self.add(edge.constraint, &id, &format!("{at}/{}", edge.constraint.word()), vec![change], expect);
        }
        if place == "header" && name.eq_ignore_ascii_case("If-Match") {
            let any = Change::Parameter(place.clone(), name.clone(), Some("*".into()));
            self.add(Constraint::Version, "header/If-Match/any", at, vec![any], Expect::Accepted);
        }
    }

    fn manners(&mut self) {
        let at = self.operation.at.clone();
        let habits = &self.plan.setup.habits;
        if self.operation.method == "GET" && habits.head {
            let head = vec![Change::Method("HEAD".into())];
            self.add(Constraint::Method, "method/HEAD", &at, head, Expect::Mirrored);
        }
        let first = self.plan.document.operations.iter().find(|other| other.path == self.operation.path);
        if habits.options && first.is_some_and(|first| first.id == self.operation.id) {
            let options = vec![Change::Method("OPTIONS".into()), Change::Credentials(Proof::None)];
            self.add(Constraint::Method, "method/OPTIONS", &at, options, Expect::Allowed);
        }
        if !self.operation.protected {
            let garbage = vec![Change::Header("Authorization".into(), "Bearer nonsense".into())];
            self.add(Constraint::Credentials, "credentials/needless", &at, garbage, Expect::Accepted);
        }
        if self.operation.takes("header", "If-None-Match") {
            let current = vec![Change::Parameter("header".into(), "If-None-Match".into(), Some("$current".into()))];
            // without a 304 in the document it must be the whole answer
            let unchanged = Expect::Answered { status: 304, code: None };
            let expect = if self.operation.declares(304) { unchanged } else { Expect::Accepted };
            self.add(Constraint::Version, "header/If-None-Match/current", &at, current, expect);
        }
        let accept = vec![Change::Header("Accept".into(), "*/*".into())];
        self.add(Constraint::MediaType, "accept/any", &at, accept, Expect::Accepted);
    }

    /// A success, unless what is changed names something, which the value does not.
    fn expected(&self, changed: &[(String, String)]) -> Expect {
        let unmatched = |part: &str| self.plan.setup.unmatched(self.operation, part);
        let known =
            |(place, value): &(String, String)| unmatched(place).or_else(|| unmatched(&format!("{place}={value}")));
        match changed.iter().find_map(known) {
            Some(Unmatched { perhaps: true, .. }) => Expect::Understood,
            Some(Unmatched { status, code, .. }) => Expect::Answered { status: *status, code: code.clone() },
            None => Expect::Accepted,
        }
    }
}

/// The least identifier is often that of the first thing there was.
fn may_name(constraint: Constraint, expect: Expect) -> Expect {
    match expect {
        Expect::Answered { status: 404, .. } if constraint == Constraint::Minimum => Expect::Understood,
        expect => expect,
    }
}

/// The part of a body that a change gives another value.
fn touched(change: &Change) -> Option<(&String, &Value)> {
    match change {
        Change::Body(pointer, Some(value)) => Some((pointer, value)),
        _ => None,
    }
}

/// Other ways to write the same media type.
fn spellings(media_type: &str) -> Vec<(&'static str, String)> {
    let essence = essence(media_type);
    vec![("charset", format!("{essence}; charset=utf-8")), ("upper", essence.to_uppercase())]
}
