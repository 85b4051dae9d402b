//! The facts that are known before a request is sent: document and setup together.

use serde_json::{Map, Value};

use super::case::Expect;
use super::constraint::Constraint;
use super::draft::Proof;
use super::expression;
use super::setup::{Fixture, Login, Setup};
use super::values::{self, Form};
use super::walk;
use crate::document::{Document, Operation, Parameter};

/// A document and its setup.
pub struct Plan<'a> {
    pub document: &'a Document,
    pub setup: &'a Setup,
}

/// A part of a request.
#[derive(Clone, Copy)]
pub enum Part<'a> {
    /// The part of the body at this JSON pointer.
    Body(&'a str),
    /// The parameter in this place, of this name.
    Parameter(&'a str, &'a str),
}

/// A valid body, to be changed.
pub struct BodySample<'a> {
    schema: Value,
    at: &'a str,
    value: Value,
    form: Form,
    owned: Vec<String>,
}

impl BodySample<'_> {
    /// The sample as the walk takes it.
    pub fn body<'b>(&'b self, document: &'b Document) -> walk::Sample<'b> {
        let Self { schema, at, value, form, owned } = self;
        walk::Sample { document, schema, at, value, form: *form, owned }
    }
}

impl Plan<'_> {
    /// The body of an operation before the setup's expressions are known: each stands for its example.
    pub fn sample<'b>(&'b self, operation: &'b Operation) -> Option<BodySample<'b>> {
        let body = operation.body.as_ref().filter(|body| body.is_json() || body.is_form())?;
        let shown = values::valid(self.document, &body.schema, Some(&body.example))?;
        let mut value = shown.clone();
        merge(&mut value, &self.setup.needs(&operation.id).body);
        sampled(&mut value, &|pointer| {
            let property =
                pointer.split('/').skip(1).try_fold(&body.schema, |schema, name| schema["properties"].get(name));
            let known = shown.pointer(pointer).cloned();
            known.or_else(|| values::valid(self.document, property?, None))
        });
        let value = values::valid(self.document, &body.schema, Some(&value))?;
        let answers = operation.responses.iter().filter(|(status, _)| status.starts_with('2'));
        let schemas = answers.flat_map(|(_, response)| response["content"].as_object().into_iter().flatten());
        let mut owned: Vec<String> = schemas.flat_map(|(_, content)| walk::names(&content["schema"])).collect();
        owned.extend(["id", "role", "is_admin", "password_hash"].map(Into::into));
        owned.sort();
        owned.dedup();
        let form = if body.is_json() { Form::Json } else { Form::Text };
        let mut schema = body.schema.clone();
        for name in &self.setup.needs(&operation.id).required {
            match schema["required"].as_array_mut() {
                Some(required) => required.push(name.as_str().into()),
                None => schema["required"] = Value::Array(vec![name.as_str().into()]),
            }
        }
        Some(BodySample { schema, at: &body.at, value, form, owned })
    }

    /// A valid value of a parameter.
    pub fn sample_parameter(&self, operation: &Operation, parameter: &Parameter) -> Value {
        let needs = self.setup.needs(&operation.id);
        let map = match parameter.place.as_str() {
            "path" => &needs.path,
            "query" => &needs.query,
            _ => &needs.headers,
        };
        let said = map.get(&parameter.name).filter(|value| expression::names(value).is_empty());
        let given = said.or(parameter.example.as_ref());
        values::valid(self.document, &parameter.schema, given).unwrap_or_default()
    }

    /// A valid value of a parameter that nothing is known by.
    pub fn unknown_value(&self, parameter: &Parameter) -> Option<Value> {
        let known = values::valid(self.document, &parameter.schema, parameter.example.as_ref())?;
        let edges = values::edges(self.document, &parameter.schema, &known, Form::Text);
        let largest = edges.iter().find(|edge| edge.constraint == Constraint::Maximum).map(|edge| edge.value.clone());
        let made_up = ["00000000-0000-4000-8000-000000000000", "there-is-no-such-thing", "zzzzzzzz"];
        let made_up = made_up.iter().map(|text| Value::from(*text));
        let numbers = [i64::from(i32::MAX), 999_999_999].map(Value::from);
        largest.into_iter().chain(made_up).chain(numbers).find(|value| self.document.allows(&parameter.schema, value))
    }

    /// The expected answer to a broken constraint, with the part that errors blame.
    pub fn refused(&self, operation: &Operation, constraint: Constraint, part: Option<Part<'_>>) -> Expect {
        let declared = |status: &&u16| constraint == Constraint::Method || operation.response(**status).is_some();
        let statuses = constraint.statuses().iter().filter(declared).copied().collect();
        let problem = self.setup.habits.problem.as_ref().filter(|problem| problem.faults.is_some());
        let blames = problem.zip(part).map(|(problem, part)| match part {
            Part::Body(pointer) => problem.body_place(pointer),
            Part::Parameter(place, name) => problem.parameter_place(place, name),
        });
        Expect::Refused { statuses, code: self.code(constraint), blames }
    }

    /// The server's word for what breaks a constraint.
    pub fn code(&self, constraint: Constraint) -> Option<String> {
        let input = constraint.is_input().then_some("input");
        [Some(constraint.word()), input].into_iter().flatten().find_map(|word| self.setup.codes.get(word)).cloned()
    }

    /// The fixture that an operation is called about: the first whose answer links to it, a private one only if there
    /// is no other.
    pub fn fixture_for(&self, operation: &Operation) -> Option<String> {
        let linked = self.setup.fixtures.iter().filter(|(_, fixture)| self.links(fixture, operation));
        linked.min_by_key(|(_, fixture)| fixture.private).map(|(name, _)| name.clone())
    }

    /// The fixtures that the setup names in the request of an operation.
    pub fn named_by(&self, operation: &Operation) -> Vec<String> {
        let needs = self.setup.needs(&operation.id);
        let parameters = needs.path.values().chain(needs.query.values()).chain(needs.headers.values());
        let named = parameters.chain(needs.body.values()).flat_map(expression::names);
        named.filter(|name| self.setup.fixtures.contains_key(name)).collect()
    }

    /// The fixtures that an operation can be called about, and that only who made them may know; none where nobody else
    /// is let in anyway.
    pub fn private_fixtures(&self, operation: &Operation) -> Vec<String> {
        if self.is_privileged(operation) {
            return vec![];
        }
        let private = self.setup.fixtures.iter().filter(|(_, fixture)| fixture.private);
        private.filter(|(_, fixture)| self.links(fixture, operation)).map(|(name, _)| name.clone()).collect()
    }

    /// Whether the answer that makes a fixture links to an operation.
    pub fn is_linked(&self, fixture: &str, operation: &Operation) -> bool {
        self.setup.fixtures.get(fixture).is_some_and(|fixture| self.links(fixture, operation))
    }

    /// Whether the privileged person of the setup calls an operation: it asks for a scope that only they have.
    pub fn is_privileged(&self, operation: &Operation) -> bool {
        if self.setup.needs(&operation.id).privileged {
            return true;
        }
        let login = self.setup.people.privileged.as_ref();
        let scopes = login.and_then(|login| login.scopes.as_ref()).into_iter().flatten();
        let mut asked = operation.security.iter().flatten().flat_map(|(_, scopes)| scopes);
        let scopes: Vec<&String> = scopes.collect();
        asked.any(|scope| scopes.contains(&scope))
    }

    fn links(&self, fixture: &Fixture, operation: &Operation) -> bool {
        let maker = self.document.by_id(&fixture.operation);
        let responses = maker.into_iter().flat_map(|maker| maker.responses.values());
        let mut links = responses.flat_map(|response| response["links"].as_object().into_iter().flatten());
        links.any(|(_, link)| link["operationId"] == operation.id.as_str())
    }

    /// Whether somebody can say this of themselves to the operation.
    pub fn can_be(&self, operation: &Operation, proof: Proof) -> bool {
        let schemes = operation.security.iter().find(|way| !way.is_empty()).into_iter().flatten();
        let bearer =
            schemes.map(|(name, _)| carrier(self.document.scheme(name))).any(|(_, _, scheme)| scheme == "Bearer ");
        match proof {
            Proof::None | Proof::Garbage | Proof::Unscoped => true,
            Proof::Stranger => self.setup.people.stranger.is_some() || self.setup.people.fresh.is_some(),
            Proof::Scheme | Proof::Nothing | Proof::Tampered => bearer,
            Proof::Ended => self.setup.people.log_out.is_some() && self.setup.people.fresh.is_some(),
        }
    }

    /// The login of somebody without these scopes.
    pub fn without(&self, scopes: &[String]) -> Option<&Login> {
        let people = &self.setup.people;
        let logins = [&people.caller, &people.stranger, &people.fresh].into_iter().flatten();
        let lacks =
            |login: &&Login| login.scopes.as_ref().is_some_and(|has| scopes.iter().any(|scope| !has.contains(scope)));
        logins.filter(|login| login.scopes.is_some()).find(lacks)
    }
}

/// The place of credentials by a security scheme: place, name, and prefix.
pub fn carrier(scheme: &Value) -> (String, String, &'static str) {
    let text = |key: &str| scheme[key].as_str().unwrap_or_default().to_owned();
    match (scheme["type"].as_str(), scheme["scheme"].as_str()) {
        (Some("apiKey"), _) => (text("in"), text("name"), ""),
        (Some("http"), Some("basic")) => ("header".into(), "Authorization".into(), "Basic "),
        _ => ("header".into(), "Authorization".into(), "Bearer "),
    }
}

/// Puts these over what is there; null takes a property out, as in a merge patch.
pub fn merge(value: &mut Value, over: &Map<String, Value>) {
    let Value::Object(map) = value else {
        if !over.is_empty() {
            *value = Value::Object(over.clone());
        }
        return;
    };
    for (name, part) in over {
        match (part, map.get_mut(name)) {
            (Value::Null, _) => drop(map.shift_remove(name)),
            (Value::Object(over), Some(below @ Value::Object(_))) => merge(below, over),
            _ => drop(map.insert(name.clone(), part.clone())),
        }
    }
}

/// Replaces each expression by what stands in for it.
fn sampled(value: &mut Value, stand_in: &impl Fn(&str) -> Option<Value>) {
    fn go(value: &mut Value, pointer: &str, stand_in: &impl Fn(&str) -> Option<Value>) {
        match value {
            Value::String(text) if text.starts_with('$') && text.contains('.') => {
                *value = stand_in(pointer).unwrap_or_default();
            }
            Value::String(text) => *text = expression::with_placeholders(text),
            Value::Array(items) => {
                items
                    .iter_mut()
                    .enumerate()
                    .for_each(|(index, item)| go(item, &format!("{pointer}/{index}"), stand_in));
            }
            Value::Object(map) => {
                map.iter_mut().for_each(|(key, item)| go(item, &format!("{pointer}/{key}"), stand_in))
            }
            _ => {}
        }
    }
    go(value, "", stand_in);
}
