//! Plays a scenario: what each answer must be follows from the document and from the answers before.

use std::collections::BTreeMap;

use serde_json::Value;

use super::scenario::{Choice, Scenario, Step, Verdict};
use crate::derived::constraint::Constraint;
use crate::derived::draft::{Change, Content, Draft, encode, plain};
use crate::derived::expression;
use crate::derived::run::{difference, echoes};
use crate::derived::server::{Base, Failure, Person, Server};
use crate::document::{Operation, Parameter};
use crate::exchange::Answer;

/// Pages of one walk at most: one that does not end is a failure, too.
const PAGES: usize = 50;

/// Plays it until something is not as it must be.
pub async fn play(server: &Server<'_>, scenario: &Scenario) -> Result<(), Failure> {
    match scenario {
        Scenario::Combination { operation, choices } => combination(server, find(server, operation)?, choices).await,
        Scenario::Sequence { fixture, steps, .. } => Sequence::begin(server, fixture).await?.play(steps).await,
        Scenario::Pages { list, items, deleted, limit, order } => {
            pages(server, find(server, list)?, (*items, *deleted), *limit, order.as_deref()).await
        }
        Scenario::Ended { operation, then } => ended(server, find(server, operation)?, then).await,
    }
}

fn find<'a>(server: &Server<'a>, id: &str) -> Result<&'a Operation, Failure> {
    let found = server.plan.document.by_id(id);
    found.ok_or_else(|| Failure::without("C-SETUP", format!("there is no operation {id}"), "an operationId"))
}

/// What may come of a changed request.
#[derive(Debug)]
struct Outlook {
    /// The statuses that may refuse it; it must be refused if there is one.
    refusals: Vec<u16>,
    /// The statuses that say that what is named does not exist.
    unmatched: Vec<u16>,
    /// Any status that is declared, but no refusal of input.
    any: bool,
}

async fn combination(server: &Server<'_>, operation: &Operation, choices: &[Choice]) -> Result<(), Failure> {
    let base = server.base(operation, None).await?;
    let changes: Vec<Change> = choices.iter().flat_map(|choice| choice.changes.clone()).collect();
    let draft = server.changed(operation, &base, &changes).await?;
    let outlook = outlook(server, operation, &draft, choices);
    let before = if outlook.refusals.is_empty() { None } else { Some(server.state(&base).await?) };
    let answer = server.send(operation, &draft, &base.word).await?;
    judge(&outlook, &answer)?;
    if let Some(before) = before
        && let Some(what) = difference(&before, &server.state(&base).await?)
    {
        let sentence = format!("a request that was refused has changed what {what} answers");
        return Err(Failure::of("C-STATE-ON-ERROR", sentence, "the same answer as before", &answer));
    }
    if outlook.refusals.is_empty() && (200..300).contains(&answer.status) {
        echoes(server, operation, None, &answer)?;
    }
    Ok(())
}

fn outlook(server: &Server<'_>, operation: &Operation, draft: &Draft, choices: &[Choice]) -> Outlook {
    let mut broken: Vec<Constraint> = vec![];
    let mut outlook = Outlook { refusals: vec![], unmatched: vec![], any: false };
    for choice in choices {
        match &choice.verdict {
            Verdict::Breaks(constraint) => broken.push(*constraint),
            Verdict::Fits => {}
            Verdict::Unmatched(status) => outlook.unmatched.push(*status),
            Verdict::MayMatch => outlook.any = true,
            Verdict::Judged(status) => {
                outlook.unmatched.extend(status);
                let text = choice.changes.iter().find_map(|change| match change {
                    Change::Parameter(place, name, Some(text)) => Some((operation.parameter(place, name)?, text)),
                    _ => None,
                });
                if text.is_some_and(|(parameter, text)| !fits(server, parameter, text)) {
                    broken.push(Constraint::Type);
                }
            }
        }
    }
    // each change alone may be valid and all of them together not
    if let (Some(body), Content::Value(value)) = (&operation.body, &draft.body)
        && body.is_json()
        && !server.plan.document.allows(&body.schema, value)
    {
        broken.push(Constraint::Type);
    }
    if let (Some(body), Content::Value(value)) = (operation.body.as_ref().filter(|body| !body.is_json()), &draft.body)
        && !server.plan.document.allows(&body.schema, &texts(value))
    {
        broken.push(Constraint::Type);
    }
    for constraint in broken {
        let declared = |status: &&u16| constraint == Constraint::Method || operation.declares(**status);
        outlook.refusals.extend(constraint.statuses().iter().filter(declared));
    }
    outlook
}

/// A form knows texts only.
fn texts(value: &Value) -> Value {
    let text = |value: &Value| Value::from(value.as_str().map_or_else(|| value.to_string(), Into::into));
    let fields = value.as_object().into_iter().flatten();
    Value::Object(fields.map(|(name, value)| (name.clone(), text(value))).collect())
}

/// Whether a text of a query is what the document allows.
fn fits(server: &Server<'_>, parameter: &Parameter, encoded: &str) -> bool {
    let text = decoded(encoded);
    let value = match parameter.schema["type"].as_str() {
        Some("integer") => text.parse::<i64>().map(Value::from),
        Some("boolean") => return text == "true" || text == "false",
        Some("number") => return text.parse::<f64>().is_ok(),
        _ => Ok(Value::from(text)),
    };
    value.is_ok_and(|value| server.plan.document.allows(&parameter.schema, &value))
}

fn decoded(text: &str) -> String {
    let mut url = match reqwest::Url::parse("http://query") {
        Ok(url) => url,
        Err(_) => return text.into(),
    };
    url.set_query(Some(&format!("x={text}")));
    url.query_pairs().next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn judge(outlook: &Outlook, answer: &Answer) -> Result<(), Failure> {
    let status = answer.status;
    let accepted = (200..300).contains(&status);
    let words = |statuses: &[u16]| statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ");
    if !outlook.refusals.is_empty() {
        let expected = [&outlook.refusals[..], &outlook.unmatched].concat();
        if expected.contains(&status) || outlook.any && status >= 400 {
            return Ok(());
        }
        let sentence = if accepted { "what the document forbids is accepted" } else { "another status" };
        return Err(Failure::of("C-NEG", sentence, words(&expected), answer));
    }
    if accepted || outlook.unmatched.contains(&status) || outlook.any && ![400, 422].contains(&status) {
        return Ok(());
    }
    let mut expected = "a success".to_owned();
    if !outlook.unmatched.is_empty() {
        expected = format!("{expected}, or {}", words(&outlook.unmatched));
    }
    Err(Failure::of("C-POS", "what the document allows is not accepted", expected, answer))
}

/// Something that is made, changed and deleted, and what is known of it.
struct Sequence<'a, 'b> {
    server: &'b Server<'a>,
    fixture: &'b str,
    caller: Person,
    /// The answer that told its identifier, and the links.
    made: Answer,
    /// What it is now; none when it is deleted.
    now: Option<Value>,
    etag: Option<String>,
    /// ETags of versions that were changed since.
    old: Vec<String>,
    /// Operations that have used it.
    used: Vec<String>,
}

impl<'a, 'b> Sequence<'a, 'b> {
    async fn begin(server: &'b Server<'a>, fixture: &'b str) -> Result<Self, Failure> {
        let caller = server.somebody(false).await?;
        let made = server.make(fixture, &caller).await?;
        let (now, etag) = (Some(made.body.clone()), made.header("ETag").map(Into::into));
        Ok(Self { server, fixture, caller, made, now, etag, old: vec![], used: vec![] })
    }

    async fn play(mut self, steps: &[Step]) -> Result<(), Failure> {
        for step in steps {
            match step {
                Step::Read(id) => self.read(find(self.server, id)?, None).await?,
                Step::Unchanged(id) => self.unchanged(find(self.server, id)?).await?,
                Step::Update(id, choice) => self.update(find(self.server, id)?, choice.as_ref()).await?,
                Step::Stale(id) => self.stale(find(self.server, id)?).await?,
                Step::Refused(id, choice) => self.refused(find(self.server, id)?, choice).await?,
                Step::Use(id) => self.used(find(self.server, id)?).await?,
                Step::Delete(id) => self.delete(find(self.server, id)?).await?,
            }
        }
        // whatever was refused meanwhile, it is what it was last
        let document = self.server.plan.document;
        let reads = document.operations.iter().filter(|operation| operation.method == "GET");
        match reads.into_iter().find(|operation| self.server.plan.is_linked(self.fixture, operation)) {
            Some(read) => self.read(read, None).await,
            None => Ok(()),
        }
    }

    /// A valid request about it, in its present version.
    async fn base(&self, operation: &Operation) -> Result<Base, Failure> {
        let fixtures = BTreeMap::from([(self.fixture.to_owned(), self.made.clone())]);
        let linked = self.server.plan.is_linked(self.fixture, operation).then_some(self.fixture);
        let mut base = self.server.base_by(operation, linked, self.caller.clone(), fixtures).await?;
        if operation.takes("header", "If-Match") {
            self.version(operation, &mut base.draft, "If-Match", self.etag.as_ref());
        }
        Ok(base)
    }

    fn version(&self, operation: &Operation, draft: &mut Draft, name: &str, etag: Option<&String>) {
        if let Some(etag) = etag {
            draft.change(operation, &Change::Parameter("header".into(), name.into(), Some(etag.clone())));
        }
    }

    /// It is gone, and so is the answer.
    fn gone(&self, answer: &Answer) -> Result<(), Failure> {
        if [404, 410].contains(&answer.status) {
            return Ok(());
        }
        Err(Failure::of("C-DELETED", "what was deleted is still there", "404", answer))
    }

    async fn read(&mut self, operation: &Operation, with: Option<&str>) -> Result<(), Failure> {
        let mut base = self.base(operation).await?;
        if let Some(etag) = with {
            self.version(operation, &mut base.draft, "If-None-Match", Some(&etag.to_owned()));
        }
        let answer = self.server.send(operation, &base.draft, &base.word).await?;
        let Some(now) = &self.now else { return self.gone(&answer) };
        if with.is_some() {
            if answer.status != 304 {
                return Err(Failure::of("C-304", "it has not changed since its ETag was answered", "304", &answer));
            }
            return Ok(());
        }
        self.server.success(operation, &answer)?;
        let differs = |(name, value): (&String, &Value)| now.get(name).is_some_and(|now| now != value);
        if let Some((name, _)) = answer.body.as_object().into_iter().flatten().find(|pair| differs(*pair)) {
            let sentence = format!("`{name}` is not what was answered last");
            return Err(Failure::of("C-ECHO", sentence, now[name].to_string(), &answer));
        }
        if let (Some(etag), Some(read)) = (&self.etag, answer.header("ETag"))
            && etag != read
        {
            return Err(Failure::of("C-ETAG-SAME", "nothing has changed, and the ETag is another", etag, &answer));
        }
        Ok(())
    }

    async fn unchanged(&mut self, operation: &Operation) -> Result<(), Failure> {
        let conditional = operation.takes("header", "If-None-Match") && operation.declares(304);
        match self.etag.clone().filter(|_| conditional) {
            Some(etag) => self.read(operation, Some(&etag)).await,
            None => self.read(operation, None).await,
        }
    }

    async fn update(&mut self, operation: &Operation, choice: Option<&Choice>) -> Result<(), Failure> {
        let base = self.base(operation).await?;
        let changes = choice.map_or(&[][..], |choice| &choice.changes);
        let draft = self.server.changed(operation, &base, changes).await?;
        let answer = self.server.send(operation, &draft, &base.word).await?;
        let Some(before) = &self.now else { return self.gone(&answer) };
        self.server.success(operation, &answer)?;
        let was = Answer { body: before.clone(), ..self.made.clone() };
        echoes(self.server, operation, Some(&was), &answer)?;
        if !answer.body.is_object() {
            return self.look_again().await;
        }
        let etag = answer.header("ETag").map(ToOwned::to_owned);
        if self.etag.is_some() && etag == self.etag && answer.body != *before {
            return Err(Failure::of("C-ETAG-CHANGES", "it has changed, and its ETag has not", "another ETag", &answer));
        }
        if etag != self.etag {
            self.old.extend(self.etag.take());
        }
        self.old.retain(|old| Some(old) != etag.as_ref());
        (self.etag, self.now) = (etag, Some(answer.body));
        Ok(())
    }

    async fn stale(&mut self, operation: &Operation) -> Result<(), Failure> {
        let Some(old) = self.old.last().cloned().filter(|_| operation.declares(412)) else { return Ok(()) };
        let mut base = self.base(operation).await?;
        self.version(operation, &mut base.draft, "If-Match", Some(&old));
        let answer = self.server.send(operation, &base.draft, &base.word).await?;
        if self.now.is_none() {
            return self.gone(&answer);
        }
        if answer.status != 412 {
            let sentence = "a change of a version that was changed since is not refused";
            return Err(Failure::of("C-412", sentence, "412", &answer));
        }
        Ok(())
    }

    async fn refused(&mut self, operation: &Operation, choice: &Choice) -> Result<(), Failure> {
        let base = self.base(operation).await?;
        let draft = self.server.changed(operation, &base, &choice.changes).await?;
        let mut outlook = outlook(self.server, operation, &draft, std::slice::from_ref(choice));
        if self.now.is_none() {
            outlook.unmatched.extend([404, 410]);
        }
        let answer = self.server.send(operation, &draft, &base.word).await?;
        judge(&outlook, &answer)
    }

    async fn used(&mut self, operation: &Operation) -> Result<(), Failure> {
        let base = self.base(operation).await?;
        let answer = self.server.send(operation, &base.draft, &base.word).await?;
        if self.now.is_none() {
            let unmatched = self.server.plan.setup.needs(&operation.id).unmatched.values();
            if unmatched.into_iter().any(|unmatched| unmatched.status == answer.status) {
                return Ok(());
            }
            return self.gone(&answer);
        }
        let again = self.used.contains(&operation.id) && answer.status == 409;
        if !again {
            self.server.success(operation, &answer)?;
        }
        self.used.push(operation.id.clone());
        self.look_again().await
    }

    /// Something has changed it in a way that no answer has told.
    async fn look_again(&mut self) -> Result<(), Failure> {
        let document = self.server.plan.document;
        let reads = document.operations.iter().filter(|operation| operation.method == "GET");
        let Some(read) = reads.into_iter().find(|operation| self.server.plan.is_linked(self.fixture, operation)) else {
            return Ok(());
        };
        let base = self.base(read).await?;
        let answer = self.server.send(read, &base.draft, &base.word).await?;
        self.server.success(read, &answer)?;
        self.etag = answer.header("ETag").map(Into::into);
        self.now = Some(answer.body);
        Ok(())
    }

    async fn delete(&mut self, operation: &Operation) -> Result<(), Failure> {
        let base = self.base(operation).await?;
        let answer = self.server.send(operation, &base.draft, &base.word).await?;
        if self.now.is_none() {
            return self.gone(&answer);
        }
        self.server.success(operation, &answer)?;
        self.now = None;
        Ok(())
    }
}

/// Makes things, deletes some, and walks through the list of the rest.
async fn pages(
    server: &Server<'_>,
    operation: &Operation,
    (items, deleted): (usize, usize),
    limit: usize,
    order: Option<&str>,
) -> Result<(), Failure> {
    let list = &server.plan.setup.lists[&operation.id];
    let caller = server.somebody(true).await?;
    let mut kept: Vec<String> = vec![];
    for number in 0..items {
        let made = server.make(&list.fixture, &caller).await?;
        if number < deleted {
            delete(server, &list.fixture, &made, &caller).await?;
        } else {
            kept.push(plain(&made.body[&list.key]));
        }
    }
    let found = walk(server, operation, &caller, limit, order).await?;
    let mut keys: Vec<String> = found.items.iter().map(|item| plain(&item[&list.key])).collect();
    let sorted = order.and_then(|order| list.orders.get(order)).is_none_or(|member| is_ordered(&found.items, member));
    if !sorted {
        let sentence = "the items are not in the order that was asked for";
        return Err(Failure::of("C-SORT", sentence, order.unwrap_or_default(), &found.last));
    }
    keys.sort();
    kept.sort();
    if keys != kept {
        let sentence = format!("the pages have the items {}", keys.join(", "));
        let expected = format!("each of what was made and not deleted, once: {}", kept.join(", "));
        return Err(Failure::of("C-PAGES", sentence, expected, &found.last));
    }
    let total = list.total.as_ref().and_then(|total| found.last.body.pointer(total)).filter(|total| !total.is_null());
    if let Some(total) = total.filter(|total| **total != kept.len()) {
        return Err(Failure::of("C-TOTAL", format!("the total is {total}"), kept.len().to_string(), &found.last));
    }
    Ok(())
}

async fn delete(server: &Server<'_>, fixture: &str, made: &Answer, caller: &Person) -> Result<(), Failure> {
    let mut operations = server.plan.document.operations.iter().filter(|operation| operation.method == "DELETE");
    let Some(operation) = operations.find(|operation| server.plan.is_linked(fixture, operation)) else { return Ok(()) };
    let fixtures = BTreeMap::from([(fixture.to_owned(), made.clone())]);
    let base = server.base_by(operation, Some(fixture), caller.clone(), fixtures).await?;
    let answer = server.send(operation, &base.draft, &base.word).await?;
    server.success(operation, &answer)
}

/// What a walk has met.
struct Walk {
    items: Vec<Value>,
    last: Answer,
}

async fn walk(
    server: &Server<'_>,
    operation: &Operation,
    caller: &Person,
    limit: usize,
    order: Option<&str>,
) -> Result<Walk, Failure> {
    let list = &server.plan.setup.lists[&operation.id];
    let base = server.base_by(operation, None, caller.clone(), BTreeMap::new()).await?;
    let mut draft = base.draft;
    let set = |draft: &mut Draft, name: &str, value: &str| {
        draft.change(operation, &Change::Parameter("query".into(), name.into(), Some(encode(value))));
    };
    for (name, value) in &list.query {
        let scope = |name: &str| caller.answer.as_ref().filter(|_| name == "caller");
        let value =
            expression::resolve(value, &scope).map_err(|error| Failure::without("C-SETUP", error, "a query"))?;
        set(&mut draft, name, &plain(&value));
    }
    set(&mut draft, &list.limit, &limit.to_string());
    if let (Some(name), Some(order)) = (&list.sort, order) {
        set(&mut draft, name, order);
    }
    let mut items = vec![];
    for _ in 0..PAGES {
        let answer = server.send(operation, &draft, &base.word).await?;
        server.success(operation, &answer)?;
        let page = answer.body.pointer(&list.items).and_then(Value::as_array).cloned().unwrap_or_default();
        let next = answer.body.pointer(&list.next).filter(|next| !next.is_null()).cloned();
        if page.len() > limit || next.is_some() && page.len() < limit {
            let sentence =
                format!("a page has {} items, and is {}the last", page.len(), if next.is_some() { "not " } else { "" });
            return Err(Failure::of("C-LIMIT", sentence, format!("{limit}, or fewer on the last page"), &answer));
        }
        items.extend(page);
        match next {
            Some(next) => set(&mut draft, &list.cursor, &plain(&next)),
            None => return Ok(Walk { items, last: answer }),
        }
    }
    Err(Failure::without("C-PAGES", format!("the walk has not ended after {PAGES} pages"), "a last page"))
}

/// Whether the members follow each other; with a minus the largest comes first.
fn is_ordered(items: &[Value], member: &str) -> bool {
    let (down, name) = member.strip_prefix('-').map_or((false, member), |name| (true, name));
    items.windows(2).all(|pair| {
        let (one, other) = if down { (&pair[1][name], &pair[0][name]) } else { (&pair[0][name], &pair[1][name]) };
        match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => one <= other,
            _ => plain(one) <= plain(other),
        }
    })
}

/// Ends a session, and uses its credentials on.
async fn ended(server: &Server<'_>, operation: &Operation, then: &[String]) -> Result<(), Failure> {
    let base = server.base(operation, None).await?;
    let answer = server.send(operation, &base.draft, &base.word).await?;
    server.success(operation, &answer)?;
    for id in then {
        let operation = find(server, id)?;
        // what it needs is made by another: the one who has left cannot
        let mut later = server.base_by(operation, None, server.somebody(false).await?, BTreeMap::new()).await?;
        later.draft.credentials = server.credentials(operation, &base.caller);
        let answer = server.send(operation, &later.draft, &later.word).await?;
        if answer.status != 401 {
            let sentence = "credentials of a session that has ended still work";
            return Err(Failure::of("C-401", sentence, "401", &answer));
        }
    }
    Ok(())
}

/// A value that says the same with less.
pub fn simpler(value: &Value) -> Vec<Value> {
    match value {
        Value::String(text) if !text.is_empty() => {
            let characters: Vec<char> = text.chars().collect();
            let half: String = characters[..characters.len() / 2].iter().collect();
            let rest: String = characters[characters.len() / 2..].iter().collect();
            let plain = "x".repeat(characters.len());
            [half, rest, plain].into_iter().filter(|other| other != text).map(Value::from).collect()
        }
        Value::Number(number) if number.as_i64() != Some(0) => {
            let halved = number.as_i64().map(|number| number / 2);
            [Some(0), halved].into_iter().flatten().map(Value::from).collect()
        }
        Value::Array(items) if !items.is_empty() => vec![Value::Array(items[..items.len() / 2].to_vec())],
        Value::Object(map) if !map.is_empty() => map
            .keys()
            .map(|name| {
                Value::Object(
                    map.iter().filter(|(other, _)| *other != name).map(|(k, v)| (k.clone(), v.clone())).collect(),
                )
            })
            .collect(),
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_order_is_seen() {
        let items = |values: [i64; 3]| values.map(|value| json!({ "votes": value })).to_vec();
        assert!(is_ordered(&items([3, 3, 1]), "-votes"));
        assert!(!is_ordered(&items([3, 3, 1]), "votes"));
        assert!(is_ordered(&[json!({ "at": "a" }), json!({ "at": "b" })], "at"));
    }

    #[test]
    fn simpler_values_come_to_an_end() {
        let mut value = json!({ "a": ["xyz", 12], "b": "\u{1f600}\u{1f600}" });
        for _ in 0..1000 {
            match simpler(&value).into_iter().next() {
                Some(next) => value = next,
                None => return,
            }
        }
        panic!("{value}");
    }
}
