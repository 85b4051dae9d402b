//! Requests that break exactly one constraint.

use serde_json::Value;

use super::case::Case;
use super::constraint::Constraint;
use super::draft::{Change, Proof, Spoiled, encode, plain};
use super::plan::{Part, Plan};
use super::values::{self, Form};
use super::walk::{self, Side};
use crate::document::{Operation, Parameter, essence};

/// Methods that are tried where the document has no operation for them.
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"];

/// Media types that are tried where the document does not name them.
const MEDIA_TYPES: &[&str] = &[
    "text/plain",
    "application/jsonx",
    "application/json",
    "application/xml",
    "application/merge-patch+json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "nonsense",
];

/// Headers whose value is a list.
const LISTS: &[&str] = &["If-Match", "If-None-Match", "Accept"];

/// Every case of an operation.
pub fn refusals(plan: &Plan<'_>, operation: &Operation) -> Vec<Case> {
    let mut cases = Cases { plan, operation, found: vec![] };
    cases.body();
    operation.parameters.iter().for_each(|parameter| cases.parameter(parameter));
    cases.unknown_parameters();
    cases.media_types();
    cases.methods();
    cases.credentials();
    cases.access();
    cases.preconditions();
    cases.found
}

struct Cases<'a> {
    plan: &'a Plan<'a>,
    operation: &'a Operation,
    found: Vec<Case>,
}

impl Cases<'_> {
    fn add(&mut self, constraint: Constraint, id: &str, at: &str, changes: Vec<Change>, part: Option<Part<'_>>) {
        let expect = self.plan.refused(self.operation, constraint, part);
        self.found.push(Case {
            id: format!("{}/{id}", self.operation.id),
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
        for variant in walk::variants(sample_body, Side::Outside) {
            let id = format!("body{}/{}/{}", variant.pointer, variant.constraint.word(), variant.label);
            let part = Part::Body(&variant.pointer);
            self.add(variant.constraint, &id, &variant.at, variant.changes, Some(part));
        }
        let spoiled = if sample_body.form == Form::Json { Spoiled::JSON } else { Spoiled::FORM };
        for spoiled in spoiled {
            let id = format!("body/syntax/{}", spoiled.word());
            self.add(Constraint::Syntax, &id, sample_body.at, vec![Change::Bytes(*spoiled)], None);
        }
        if let Some(size) = self.plan.setup.max_body {
            self.add(Constraint::Size, "body/size", sample_body.at, vec![Change::Size(size + 1)], None);
        }
    }

    fn parameter(&mut self, parameter: &Parameter) {
        let Parameter { name, place, schema, .. } = parameter;
        if !values::is_plain(parameter) {
            return;
        }
        let form = if place == "header" { Form::Header } else { Form::Text };
        let document = self.plan.document;
        let given = self.plan.sample_parameter(self.operation, parameter);
        let mut texts: Vec<(Constraint, String, String)> = values::breaks(document, schema, &given, form)
            .into_iter()
            .map(|edge| (edge.constraint, values::word(&edge.label.into()), plain(&edge.value)))
            .collect();
        texts.extend(values::misspelled(schema).into_iter().map(|(c, label, text)| (c, label.into(), text.into())));
        for (constraint, label, text) in texts {
            // a path with an empty part is another path
            if place == "path" && text.is_empty() || place == "header" && !text.is_ascii() {
                continue;
            }
            let encoded = if place == "header" { text } else { encode(&text) };
            self.parameter_is(parameter, constraint, &label, Some(encoded));
        }
        if place != "header" {
            for (label, text) in [("bytes", "%FF"), ("bytes-after", "1%FF"), ("lone-percent", "%"), ("cut-off", "%2")] {
                self.parameter_is(parameter, Constraint::Encoding, label, Some(text.into()));
            }
        }
        if parameter.required && place != "path" {
            self.parameter_is(parameter, Constraint::Required, "missing", None);
        }
        // what is a list may be sent in parts: RFC 9110, section 5.3
        let is_list = LISTS.iter().any(|list| name.eq_ignore_ascii_case(list));
        if place == "query" || place == "header" && !is_list {
            let text = plain(&given);
            let valid = Change::Parameter(
                place.clone(),
                name.clone(),
                Some(if place == "query" { encode(&text) } else { text }),
            );
            let changes = vec![valid, Change::Repeated(place.clone(), name.clone())];
            let id = format!("{place}/{name}/repeated");
            let part = Part::Parameter(place, name);
            self.add(Constraint::Repeated, &id, &parameter.at, changes, Some(part));
        }
    }

    fn parameter_is(&mut self, parameter: &Parameter, constraint: Constraint, label: &str, text: Option<String>) {
        let Parameter { name, place, at, .. } = parameter;
        let id = format!("{place}/{name}/{}/{label}", constraint.word());
        let part = Part::Parameter(place, name);
        let change = Change::Parameter(place.clone(), name.clone(), text);
        self.add(constraint, &id, &format!("{at}/{}", constraint.word()), vec![change], Some(part));
    }

    fn unknown_parameters(&mut self) {
        let known = |name: &str| self.operation.takes("query", name);
        let strange = [
            ("nonsense", "nonsense=1", "nonsense"),
            ("name-only", "nonsense", "nonsense"),
            ("nul", "%00=1", "\0"),
            ("nameless", "=1", ""),
        ];
        let strange =
            strange.into_iter().filter(|(_, _, name)| !known(name)).map(|(l, q, n)| (l, q.to_owned(), n.to_owned()));
        let first = self.operation.parameters.iter().find(|parameter| parameter.place == "query");
        let upper = first.map(|parameter| parameter.name.to_uppercase());
        let upper = upper.filter(|name| !known(name)).map(|name| ("upper", format!("{}=1", encode(&name)), name));
        for (label, query, name) in strange.chain(upper).collect::<Vec<_>>() {
            let part = Part::Parameter("query", &name);
            let at = self.operation.at.clone();
            self.add(
                Constraint::UnknownParameter,
                &format!("query/unknown/{label}"),
                &at,
                vec![Change::Query(query)],
                Some(part),
            );
        }
    }

    fn media_types(&mut self) {
        let Some(body) = &self.operation.body else { return };
        let at = body.at.clone();
        let others = MEDIA_TYPES.iter().filter(|other| !body.media_types.iter().any(|known| known == essence(other)));
        let others: Vec<Option<String>> = others.map(|other| Some((*other).into())).chain([None]).collect();
        for other in others {
            let label = other.as_deref().map_or("missing".into(), |name| values::word(&Value::from(name)));
            let id = format!("body/mediaType/{label}");
            self.add(Constraint::MediaType, &id, &at, vec![Change::MediaType(other)], None);
        }
        let packed = vec![Change::Header("Content-Encoding".into(), "gzip".into())];
        self.add(Constraint::ContentEncoding, "body/contentEncoding/gzip", &at, packed, None);
    }

    /// Once for each path, by its first operation.
    fn methods(&mut self) {
        let document = self.plan.document;
        let first = document.operations.iter().find(|other| other.path == self.operation.path);
        if first.is_none_or(|first| first.id != self.operation.id) {
            return;
        }
        let allow = self.plan.setup.habits.allow(document, &self.operation.target("1"));
        let at = self.operation.at.rsplit_once('/').map_or("", |(path, _)| path);
        for method in METHODS.iter().filter(|method| !allow.iter().any(|allowed| allowed == *method)) {
            let change = Change::Method((*method).into());
            self.add(Constraint::Method, &format!("method/{method}"), at, vec![change.clone()], None);
            let nobody = vec![change, Change::Credentials(Proof::None)];
            self.add(Constraint::Method, &format!("method/{method}/nobody"), at, nobody, None);
        }
    }

    fn credentials(&mut self) {
        if !self.operation.protected {
            return;
        }
        let at = format!("{}/security", self.operation.at);
        let proofs = [
            (Constraint::Credentials, Proof::None, "none"),
            (Constraint::Scheme, Proof::Scheme, "scheme"),
            (Constraint::Token, Proof::Nothing, "nothing"),
            (Constraint::Token, Proof::Garbage, "garbage"),
            (Constraint::Signature, Proof::Tampered, "tampered"),
            (Constraint::Session, Proof::Ended, "ended"),
        ];
        let schemes = proofs.into_iter().filter(|(_, proof, _)| self.plan.can_be(self.operation, *proof));
        for (constraint, proof, label) in schemes.collect::<Vec<_>>() {
            self.add(constraint, &format!("credentials/{label}"), &at, vec![Change::Credentials(proof)], None);
            if proof != Proof::None {
                continue;
            }
            // who has no token is told nothing else
            let hidden = vec![Change::Credentials(proof), Change::Query("nonsense=1".into())];
            self.add(constraint, "credentials/none/first", &at, hidden, None);
        }
        if self.is_scoped() {
            self.add(Constraint::Scope, "scope/missing", &at, vec![Change::Credentials(Proof::Unscoped)], None);
        }
    }

    /// Returns whether the operation asks for a scope.
    fn is_scoped(&self) -> bool {
        self.operation.security.iter().flatten().any(|(_, scopes)| !scopes.is_empty())
    }

    /// Objects of a person are not for others.
    fn access(&mut self) {
        let usual = self.plan.fixture_for(self.operation);
        let at = format!("{}/security", self.operation.at);
        let unowned = usual.as_ref().is_some_and(|name| self.plan.setup.fixtures[name].unowned);
        let shared = self.plan.setup.needs(&self.operation.id).shared || unowned && !self.is_scoped();
        if self.operation.protected && usual.is_some() && self.operation.declares(403) && !shared {
            self.add(Constraint::Owner, "access/stranger", &at, vec![Change::Credentials(Proof::Stranger)], None);
        }
        for name in self.plan.private_fixtures(self.operation) {
            self.add(
                Constraint::Private,
                &format!("access/{name}"),
                &at,
                vec![Change::Credentials(Proof::Stranger)],
                None,
            );
            if let Some(case) = self.found.last_mut() {
                case.fixture = Some(name);
            }
        }
        for parameter in self.operation.parameters.iter().filter(|parameter| parameter.place == "path") {
            if let Some(value) = self.plan.unknown_value(parameter) {
                let change = Change::Parameter("path".into(), parameter.name.clone(), Some(encode(&plain(&value))));
                self.add(
                    Constraint::Unknown,
                    &format!("path/{}/unknown", parameter.name),
                    &parameter.at,
                    vec![change],
                    None,
                );
            }
        }
    }

    /// RFC 9110: `If-Match` names the version that is to be changed.
    fn preconditions(&mut self) {
        let Some(parameter) = self.operation.parameter("header", "If-Match") else { return };
        let at = parameter.at.clone();
        let is =
            |value: Option<&str>| vec![Change::Parameter("header".into(), "If-Match".into(), value.map(Into::into))];
        if self.operation.declares(428) {
            self.add(Constraint::Precondition, "header/If-Match/precondition/missing", &at, is(None), None);
        }
        if self.operation.declares(412) {
            for (label, tag) in [("made-up", "\"x\""), ("other", "\"0-0123456789abcdef\""), ("list", "\"x\", \"y\"")] {
                self.add(Constraint::Version, &format!("header/If-Match/version/{label}"), &at, is(Some(tag)), None);
            }
        }
    }
}
