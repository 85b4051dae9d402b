//! The server under test: who calls it, what is made before a request, and the request itself.

mod people;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Client, Method, redirect};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use super::draft::{Change, Content, Draft, encode, plain};
use super::expression::{self, UNIQUE, UNIQUE_ISBN, isbn};
use super::failure::Failure;
use super::options::Options;
use super::person::Person;
use super::plan::{Plan, merge};
use super::setup::Probe;
use super::values;
use crate::conformity::hold;
use crate::document::Operation;
use crate::exchange::{Answer, Request};
use crate::recorder::{self, Origin};

/// The number of retries at a busy server, and the longest wait before each in seconds.
const PATIENCE: usize = 2;
const LONGEST_WAIT: u64 = 10;

/// The server, and the people who are logged in.
pub struct Server<'a> {
    pub plan: &'a Plan<'a>,
    pub address: String,
    client: Client,
    noted: bool,
    caller: Person,
    stranger: Person,
    privileged: Person,
    ended: OnceCell<Option<String>>,
    /// The prefix of the words of this run.
    tag: String,
    words: AtomicU32,
    sent: AtomicUsize,
    /// The requests since the last call of `trail`; `None` if they are not kept.
    trail: Mutex<Option<Vec<Request>>>,
}

/// A valid request, and all that was made for it.
#[derive(Clone)]
pub struct Base {
    pub draft: Draft,
    pub caller: Person,
    /// The answer that created each fixture, by name.
    pub fixtures: BTreeMap<String, Answer>,
    /// The values of parameters by the links: `header.If-Match`.
    pub linked: BTreeMap<String, String>,
    /// Replaces the word that is another one each time.
    pub word: String,
}

/// The answers of all operations that read: target, status, body.
pub type State = Vec<(String, u16, Vec<u8>)>;

impl<'a> Server<'a> {
    /// Logs in whom the setup names.
    pub async fn connect(plan: &'a Plan<'a>, options: &Options, tag: &str) -> Result<Self, Failure> {
        // a client that follows, stores and unpacks would hide what was answered
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().build();
        let client = client.map_err(|error| Failure::without("C-SETUP", error.to_string(), "a client"))?;
        let mut server = Self {
            plan,
            address: options.address.trim_end_matches('/').into(),
            noted: options.noted,
            client,
            caller: Person::default(),
            stranger: Person::default(),
            privileged: Person::default(),
            ended: OnceCell::new(),
            tag: tag.into(),
            words: AtomicU32::new(0),
            sent: AtomicUsize::new(0),
            trail: Mutex::new(None),
        };
        let people = &plan.setup.people;
        if let Some(login) = people.caller.as_ref().or(people.fresh.as_ref()) {
            server.caller = server.log_in(login).await?;
        }
        if let Some(login) = people.stranger.as_ref().or(people.fresh.as_ref()) {
            server.stranger = server.log_in(login).await?;
        }
        if let Some(login) = &people.privileged {
            server.privileged = server.log_in(login).await?;
        }
        Ok(server)
    }

    /// Requests so far.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Returns the requests since the last call, and keeps the following ones.
    pub fn trail(&self) -> Vec<Request> {
        let mut trail = self.trail.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        trail.replace(vec![]).unwrap_or_default()
    }

    /// A word of this run that was not there before.
    fn word(&self) -> String {
        let number = self.words.fetch_add(1, Ordering::Relaxed);
        let (width, length) = (UNIQUE.len(), self.tag.len().min(UNIQUE.len()));
        format!("{}{:0>rest$}", &self.tag[..length], base36(number), rest = width - length)
    }

    fn operation(&self, id: &str) -> Result<&'a Operation, Failure> {
        let found = self.plan.document.by_id(id);
        found.ok_or_else(|| Failure::without("C-SETUP", format!("there is no operation {id}"), "an operationId"))
    }

    /// A request with nothing of the setup but a body.
    fn unprepared<'b>(
        &self,
        operation: &Operation,
        over: &Map<String, Value>,
        scope: &impl Fn(&str) -> Option<&'b Answer>,
    ) -> Result<Draft, Failure> {
        let mut draft = Draft { method: operation.method.clone(), path: operation.path.clone(), ..Draft::default() };
        if let Some(body) = &operation.body {
            if !body.is_json() && !body.is_form() {
                return Err(self.must_say(operation, &format!("{} is neither JSON nor a form", body.media_type)));
            }
            let mut value = values::valid(self.plan.document, &body.schema, Some(&body.example)).unwrap_or_default();
            merge(&mut value, over);
            let value = expression::resolve(&value, scope);
            let value = value.map_err(|error| self.must_say(operation, &error))?;
            draft.body = Content::Value(value);
            draft.media_type = Some(body.media_type.clone());
        }
        Ok(draft)
    }

    fn must_say(&self, operation: &Operation, what: &str) -> Failure {
        let sentence = format!("no valid request can be made: {what}");
        Failure::without("C-SETUP", sentence, format!("`operations.{}` of the setup file must say it", operation.id))
    }

    /// A valid request for an operation, and what it needs; `fixture` instead of the usual one.
    pub async fn base(&self, operation: &Operation, fixture: Option<&str>) -> Result<Base, Failure> {
        let needs = self.plan.setup.needs(&operation.id);
        let caller = self.somebody(operation, needs.fresh || needs.ends).await?;
        self.base_by(operation, fixture, caller, BTreeMap::new()).await
    }

    /// A valid request by this person, with fixtures that exist already.
    pub async fn base_by(
        &self,
        operation: &Operation,
        fixture: Option<&str>,
        caller: Person,
        mut fixtures: BTreeMap<String, Answer>,
    ) -> Result<Base, Failure> {
        let needs = self.plan.setup.needs(&operation.id);
        let word = self.word();
        let linked_by = fixture.map(Into::into).or_else(|| self.plan.fixture_for(operation));
        if let Some(name) = &linked_by
            && !fixtures.contains_key(name)
        {
            fixtures.insert(name.clone(), self.make(name, &caller).await?);
        }
        self.make_what_it_names(operation, &caller, &mut fixtures).await?;
        let scope = |name: &str| if name == "caller" { caller.answer.as_ref() } else { fixtures.get(name) };
        let mut draft = self.unprepared(operation, &needs.body, &scope)?;
        draft.credentials = self.credentials(operation, &caller);
        let mut linked = BTreeMap::new();
        if let Some(answer) = linked_by.as_ref().and_then(|name| fixtures.get(name)) {
            linked = self.linked(answer, operation)?;
        }
        for (key, value) in &linked {
            let (place, name) = key.split_once('.').unwrap_or(("path", key));
            // with it the answer would be that nothing has changed
            if !name.eq_ignore_ascii_case("If-None-Match") {
                let encoded = if place == "header" { value.clone() } else { encode(value) };
                draft.change(operation, &Change::Parameter(place.into(), name.into(), Some(encoded)));
            }
        }
        let given = [("path", &needs.path), ("query", &needs.query), ("header", &needs.headers)];
        self.parametrise(operation, &mut draft, given, &scope)?;
        self.fill(operation, &mut draft)?;
        Ok(Base { draft, caller, fixtures, linked, word })
    }

    /// Makes the fixtures that the setup's request names and that are not there yet.
    pub async fn make_what_it_names(
        &self,
        operation: &Operation,
        by: &Person,
        fixtures: &mut BTreeMap<String, Answer>,
    ) -> Result<(), Failure> {
        for name in self.plan.named_by(operation) {
            if let Entry::Vacant(free) = fixtures.entry(name) {
                let made = self.make(free.key(), by).await?;
                free.insert(made);
            }
        }
        Ok(())
    }

    /// Gives the parameters that the setup names their values.
    fn parametrise<'b, const N: usize>(
        &self,
        operation: &Operation,
        draft: &mut Draft,
        given: [(&str, &BTreeMap<String, Value>); N],
        scope: &impl Fn(&str) -> Option<&'b Answer>,
    ) -> Result<(), Failure> {
        for (place, map) in given {
            for (name, value) in map {
                let value = expression::resolve(value, scope).map_err(|error| self.must_say(operation, &error))?;
                let text = if place == "header" { plain(&value) } else { encode(&plain(&value)) };
                draft.change(operation, &Change::Parameter(place.into(), name.clone(), Some(text)));
            }
        }
        Ok(())
    }

    /// The server's word for programs in a refusal.
    pub fn code<'b>(&self, answer: &'b Answer) -> Option<&'b str> {
        let problem = self.plan.setup.habits.problem.as_ref()?;
        answer.body[problem.code.as_ref()?].as_str()
    }

    /// Gives each required parameter that nothing has said a value.
    fn fill(&self, operation: &Operation, draft: &mut Draft) -> Result<(), Failure> {
        for parameter in operation.parameters.iter().filter(|parameter| parameter.required) {
            let (place, name) = (&parameter.place, &parameter.name);
            let there = match place.as_str() {
                "path" => draft.variables.contains_key(name),
                "query" => draft.query.iter().any(|(other, _)| other == name),
                _ => draft.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)),
            };
            if there {
                continue;
            }
            let value = values::valid(self.plan.document, &parameter.schema, parameter.example.as_ref());
            let Some(value) = value else {
                return Err(self.must_say(operation, &format!("{place} parameter {name} has no example")));
            };
            let text = if place == "header" { plain(&value) } else { encode(&plain(&value)) };
            draft.change(operation, &Change::Parameter(place.clone(), name.clone(), Some(text)));
        }
        Ok(())
    }

    /// Makes a fixture, and before it those that it needs.
    pub async fn make(&self, name: &str, caller: &Person) -> Result<Answer, Failure> {
        let fixture = &self.plan.setup.fixtures[name];
        let operation = self.operation(&fixture.operation)?;
        let maker = if self.plan.is_privileged(operation) { &self.privileged } else { caller };
        let needs = self.plan.setup.needs(&operation.id);
        let mut over = needs.body.clone();
        over.extend(fixture.body.clone());
        let mut made = BTreeMap::new();
        for needed in over.values().chain(needs.path.values()).flat_map(expression::names) {
            if self.plan.setup.fixtures.contains_key(&needed) && !made.contains_key(&needed) {
                let answer = Box::pin(self.make(&needed, caller)).await?;
                made.insert(needed, answer);
            }
        }
        let scope = |name: &str| if name == "caller" { caller.answer.as_ref() } else { made.get(name) };
        let mut draft = self.unprepared(operation, &over, &scope)?;
        draft.credentials = self.credentials(operation, maker);
        self.parametrise(operation, &mut draft, [("path", &needs.path)], &scope)?;
        self.fill(operation, &mut draft)?;
        let answer = self.send(operation, &draft, &self.word()).await?;
        self.success(operation, &answer)?;
        Ok(answer)
    }

    /// The values of an operation's parameters by the links of an answer: `path.id`, `header.If-Match`.
    pub fn linked(&self, answer: &Answer, operation: &Operation) -> Result<BTreeMap<String, String>, Failure> {
        let maker = self.plan.document.operation(&answer.request.method, answer.request.path());
        let response = maker.and_then(|maker| maker.response(answer.status));
        let links = response.and_then(|(_, response)| response["links"].as_object());
        let mut links = links.into_iter().flatten().map(|(_, link)| link);
        let link = links.find(|link| link["operationId"] == operation.id.as_str());
        let mut found = BTreeMap::new();
        for (key, expression) in link.and_then(|link| link["parameters"].as_object()).into_iter().flatten() {
            let value = match expression.as_str() {
                Some(text) => expression::evaluate(text, answer),
                None => Ok(expression.clone()),
            };
            let value = value.map_err(|error| Failure::of("C-LINK", error, "what the link names", answer))?;
            let place = operation.parameters.iter().find(|parameter| &parameter.name == key);
            let key = place.map_or_else(|| key.clone(), |parameter| format!("{}.{key}", parameter.place));
            found.insert(key, plain(&value));
        }
        Ok(found)
    }

    /// The valid request with changes.
    pub async fn changed(&self, operation: &Operation, base: &Base, changes: &[Change]) -> Result<Draft, Failure> {
        let mut draft = base.draft.clone();
        for change in changes {
            match change {
                Change::Credentials(proof) => self.prove(operation, &mut draft, *proof).await?,
                Change::Parameter(place, name, Some(value)) if value == "$current" => {
                    let current = base.linked.get(&format!("{place}.{name}")).cloned();
                    draft.change(operation, &Change::Parameter(place.clone(), name.clone(), current));
                }
                change => draft.change(operation, change),
            }
        }
        Ok(draft)
    }

    /// Whether a request that must be accepted was.
    pub fn success(&self, operation: &Operation, answer: &Answer) -> Result<(), Failure> {
        let unread = self.plan.setup.needs(&operation.id).letter.as_ref();
        let is_unread =
            unread.is_some_and(|said| answer.status == said.status && self.code(answer) == said.code.as_deref());
        if (200..300).contains(&answer.status) || is_unread {
            return Ok(());
        }
        let sentence = "a request that is valid by the document is not accepted";
        let expected = format!(
            "a success; if the example of {} cannot work as it is, `operations.{}` of the setup file must say what does",
            operation.id, operation.id
        );
        Err(Failure::of("C-EXAMPLES", sentence, expected, answer))
    }

    /// Sends a request, and holds its answer to the document.
    pub async fn send(&self, operation: &Operation, draft: &Draft, word: &str) -> Result<Answer, Failure> {
        self.exchange(with_word(draft.request(operation), word)).await
    }

    /// Sends a request as it is. If the server is busy, sends it again after `Retry-After`.
    pub async fn exchange(&self, request: Request) -> Result<Answer, Failure> {
        for _ in 0..PATIENCE {
            let answer = self.held(request.clone()).await?;
            let seconds = answer.header("Retry-After").and_then(|seconds| seconds.parse::<u64>().ok());
            match seconds.filter(|_| [429, 503].contains(&answer.status)) {
                Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds.min(LONGEST_WAIT))).await,
                None => return Ok(answer),
            }
        }
        self.held(request).await
    }

    async fn held(&self, request: Request) -> Result<Answer, Failure> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        if let Some(trail) = self.trail.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).as_mut() {
            trail.push(request.clone());
        }
        let answer = match self.transport(&request).await {
            Ok(answer) => answer,
            Err(error) => {
                let mut failure = Failure::without("C-5XX", format!("there is no answer: {error}"), "an answer");
                failure.request = Some(Box::new(request));
                return Err(failure);
            }
        };
        if self.noted {
            recorder::note(self.plan.document, &answer, Origin::Derived);
        }
        match hold(self.plan.document, &self.plan.setup.habits, &answer) {
            Ok(()) => Ok(answer),
            Err(violation) => Err(Failure::of(violation.check, violation.sentence, violation.expected, &answer)),
        }
    }

    async fn transport(&self, request: &Request) -> Result<Answer, String> {
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|error| error.to_string())?;
        let mut builder = self.client.request(method, format!("{}{}", self.address, request.target));
        for (name, value) in &request.headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|error| error.to_string())?;
            builder = builder.header(name, value);
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        let response = builder.send().await.map_err(|error| format!("{error:?}"))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.map_err(|error| format!("{error:?}"))?;
        Ok(Answer::new(request.clone(), status, headers, bytes.to_vec()))
    }

    /// The answers of each GET that the fixtures of the base lead to.
    pub async fn state(&self, base: &Base) -> Result<State, Failure> {
        let mut state = vec![];
        for operation in self.plan.document.operations.iter().filter(|operation| operation.method == "GET") {
            let by = if self.plan.is_privileged(operation) { &self.privileged } else { &base.caller };
            let Some(request) = self.probe(operation, base, by)? else { continue };
            let answer = self.exchange(request.clone()).await?;
            state.push((request.target, answer.status, answer.bytes));
        }
        Ok(state)
    }

    /// The request that reads, if all that it needs is there.
    pub fn probe(&self, operation: &Operation, base: &Base, by: &Person) -> Result<Option<Request>, Failure> {
        let probe = &self.plan.setup.needs(&operation.id).probe;
        if matches!(probe, Some(Probe::Used(false))) {
            return Ok(None);
        }
        let mut draft = Draft { method: "GET".into(), path: operation.path.clone(), ..Draft::default() };
        for answer in base.fixtures.values() {
            for (key, value) in self.linked(answer, operation)? {
                if let Some(("path" | "query", name)) = key.split_once('.') {
                    let place = if key.starts_with("path") { "path" } else { "query" };
                    draft.change(operation, &Change::Parameter(place.into(), name.into(), Some(encode(&value))));
                }
            }
        }
        if let Some(Probe::Query(query)) = probe {
            for (name, value) in query {
                let value = encode(&plain(value));
                draft.change(operation, &Change::Parameter("query".into(), name.clone(), Some(value)));
            }
        }
        let filled = operation.parameters.iter().filter(|parameter| parameter.required).all(|parameter| {
            draft.variables.contains_key(&parameter.name) || draft.query.iter().any(|(name, _)| *name == parameter.name)
        });
        draft.credentials = self.credentials(operation, by);
        Ok(filled.then(|| draft.request(operation)))
    }
}

/// The first target whose answer differs.
pub fn difference(before: &State, after: &State) -> Option<String> {
    let differing = before.iter().zip(after).find(|(before, after)| before != after);
    differing.map(|((target, ..), _)| format!("GET {target}"))
}

/// Puts the word, and the ISBN that belongs to it, in place of their placeholders.
pub fn with_word(request: Request, word: &str) -> Request {
    replaced(replaced(request, UNIQUE, word), UNIQUE_ISBN, &isbn(word))
}

/// Replaces a text by another one of the same length.
fn replaced(mut request: Request, from: &str, to: &str) -> Request {
    request.target = request.target.replace(from, to);
    request.headers.iter_mut().for_each(|(_, value)| *value = value.replace(from, to));
    if let Some(body) = &mut request.body {
        let (from, to) = (from.as_bytes(), to.as_bytes());
        let mut at = 0;
        while let Some(found) = body[at..].windows(from.len()).position(|window| window == from) {
            body[at + found..at + found + from.len()].copy_from_slice(to);
            at += found + from.len();
        }
    }
    request
}

fn base36(mut number: u32) -> String {
    let mut digits = vec![];
    loop {
        digits.push(char::from_digit(number % 36, 36).unwrap_or('0'));
        number /= 36;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_put_in_everywhere_and_keeps_its_length() {
        let request = Request {
            by: String::new(),
            method: "POST".into(),
            target: format!("/a?b={UNIQUE}"),
            headers: vec![],
            body: Some(format!("{UNIQUE}{UNIQUE}\u{0}").into()),
        };
        let request = with_word(request, "abcdefgh");
        assert_eq!(
            (request.target.as_str(), request.body.as_deref()),
            ("/a?b=abcdefgh", Some(&b"abcdefghabcdefgh\0"[..]))
        );
    }

    #[test]
    fn each_word_has_a_valid_isbn_of_its_own() {
        assert_eq!(isbn("00000000"), UNIQUE_ISBN);
        let body = format!("{{\"isbn\": \"{UNIQUE_ISBN}\"}}");
        let request = |body: &str| Request {
            by: String::new(),
            method: "POST".into(),
            target: "/books".into(),
            headers: vec![],
            body: Some(body.to_owned().into()),
        };
        let sent = with_word(request(&body), "0000000a").body;
        assert_eq!(sent.as_deref(), Some(&b"{\"isbn\": \"9780000000101\"}"[..]));
        assert_ne!(isbn("tag00001"), isbn("tag00002"));
    }
}
