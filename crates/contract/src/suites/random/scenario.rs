//! Random cases: combinations of changes to one request, and sequences of requests about one object.

use std::fmt;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use crate::document::{Document, Operation};
use crate::suites::case::{Case, Expect, Leg};
use crate::suites::cases::cases;
use crate::suites::constraint::Constraint;
use crate::suites::draft::{Change, encode};
use crate::suites::expression;
use crate::suites::plan::Plan;

/// A random case.
#[derive(Clone, Debug)]
pub enum Scenario {
    /// Several changes to one valid request.
    Combination { operation: String, choices: Vec<Choice> },
    /// Requests about one thing, from its making to after its end.
    Sequence { fixture: String, maker: String, steps: Vec<Step> },
    /// Things are made, some are deleted, and the list is walked through.
    Pages { list: String, items: usize, deleted: usize, limit: usize, order: Option<String> },
    /// The session ends, and its credentials are used on.
    Ended { operation: String, then: Vec<String> },
}

/// A change, and what is known of it.
#[derive(Clone, Debug)]
pub struct Choice {
    pub id: String,
    pub changes: Vec<Change>,
    /// The parts of the request that it is about: no two changes are about the same.
    pub targets: Vec<String>,
    pub verdict: Verdict,
    /// The JSON pointer to the constraint in the document.
    pub at: String,
}

/// The effect of a change on a valid request.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Breaks this constraint.
    Breaks(Constraint),
    /// Leaves the request valid.
    Fits,
    /// The value is valid and names nothing.
    Unmatched(u16),
    /// The value is valid, and may name something.
    MayMatch,
    /// The document says whether it is valid, once all changes are made; valid, it may be answered by this status, too.
    Judged(Option<u16>),
}

/// A step of a sequence.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads it: it is what it was last.
    Read(String),
    /// Reads it with its ETag: it has not changed.
    Unchanged(String),
    /// Changes it in its version, with this change to the valid body.
    Update(String, Option<Choice>),
    /// Changes it, or deletes it, in a version that it no longer has.
    Stale(String),
    /// Sends what must be refused.
    Refused(String, Choice),
    /// Does something else with it.
    Use(String),
    /// Deletes it.
    Delete(String),
}

/// The parts that scenarios are made of.
pub struct Stock {
    /// The possible changes, by operation.
    choices: Vec<(String, Vec<Choice>)>,
    things: Vec<Thing>,
    lists: Vec<(String, Vec<String>)>,
    ends: Vec<String>,
    protected: Vec<String>,
}

/// A fixture, and the operations that its links lead to.
struct Thing {
    fixture: String,
    maker: String,
    reads: Vec<String>,
    updates: Vec<String>,
    deletes: Vec<String>,
    uses: Vec<String>,
}

/// Headers that change nothing about a request.
const NEUTRAL: &[(&str, &str)] = &[
    ("Accept", "text/html"),
    ("Accept", "application/xml;q=0.9, */*;q=0.1"),
    ("Accept", ""),
    ("Accept-Language", "de, en;q=0.5"),
    ("Accept-Charset", "iso-8859-1"),
    ("Cookie", "session=1; a=b"),
    ("Range", "bytes=0-1"),
    ("Origin", "https://evil.example"),
    ("X-Forwarded-For", "127.0.0.1, ::1"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("If-Modified-Since", "Wed, 21 Oct 2015 07:28:00 GMT"),
    ("Forwarded", "for=\"_x\";proto=https"),
    ("Cache-Control", "no-cache, max-age=0"),
    ("X-Unknown", "\u{fc}"),
];

/// Characters that are easily mistaken, dropped or counted wrong.
const ODD: &[char] = &[
    'a',
    'Z',
    '0',
    ' ',
    '\t',
    '\n',
    '\r',
    '"',
    '\'',
    '\\',
    '/',
    '%',
    '_',
    '&',
    '=',
    '+',
    '?',
    '#',
    ';',
    '<',
    '>',
    '$',
    '{',
    '}',
    '\u{1}',
    '\u{7f}',
    '\u{a0}',
    '\u{df}',
    '\u{130}',
    '\u{301}',
    '\u{200b}',
    '\u{202e}',
    '\u{feff}',
    '\u{fffd}',
    '\u{ffff}',
    '\u{65e5}',
    '\u{1f600}',
    '\u{1f468}',
    '\u{10ffff}',
    '\0',
];

impl Stock {
    /// Everything that the document has, or only of these operations.
    pub fn of(plan: &Plan<'_>, only: &[String]) -> Self {
        let wanted = |id: &String| only.is_empty() || only.contains(id);
        let operations: Vec<&Operation> =
            plan.document.operations.iter().filter(|operation| wanted(&operation.id)).collect();
        let choices = operations.iter().map(|operation| (operation.id.clone(), choices(plan, operation))).collect();
        let lists = plan.setup.lists.iter().filter(|(id, _)| wanted(id));
        let ids = |keep: &dyn Fn(&Operation) -> bool| {
            operations.iter().filter(|operation| keep(operation)).map(|operation| operation.id.clone()).collect()
        };
        Self {
            choices,
            things: things(plan).into_iter().filter(|thing| wanted(&thing.maker)).collect(),
            lists: lists.map(|(id, list)| (id.clone(), list.orders.keys().cloned().collect())).collect(),
            ends: ids(&|operation| plan.setup.needs(&operation.id).ends),
            protected: ids(&|operation| operation.protected),
        }
    }

    /// The scenario that these random numbers lead to; none if the document has nothing to make one of.
    pub fn scenario(&self, random: &mut StdRng) -> Option<Scenario> {
        let drawn = match random.random_range(0..100) {
            0..60 => Self::combination,
            60..90 => Self::sequence,
            90..96 => Self::pages,
            _ => Self::ended,
        };
        drawn(self, random).or_else(|| self.combination(random))
    }

    fn combination(&self, random: &mut StdRng) -> Option<Scenario> {
        let (operation, stock) = self.choices.choose(random)?;
        // one half breaks nothing, with more at once: what is valid alone must be valid together
        let valid = random.random_bool(0.5);
        let fits = |choice: &&Choice| !valid || matches!(choice.verdict, Verdict::Fits | Verdict::Judged(_));
        let stock: Vec<&Choice> = stock.iter().filter(fits).collect();
        let wanted = random.random_range(1..=if valid { 6 } else { 4 });
        let mut choices: Vec<Choice> = vec![];
        for _ in 0..wanted {
            let choice = match random.random_range(0..10) {
                0 => neutral(random)?,
                1..4 if !valid => fuzzed(&stock, random).or_else(|| neutral(random))?,
                _ => one_part(&stock, random).or_else(|| neutral(random))?,
            };
            if !choices.iter().any(|other| overlap(other, &choice)) {
                choices.push(choice);
            }
        }
        Some(Scenario::Combination { operation: operation.clone(), choices })
    }

    fn sequence(&self, random: &mut StdRng) -> Option<Scenario> {
        let thing = self.things.choose(random)?;
        let of = |operation: &String, breaking: bool, random: &mut StdRng| {
            let stock = &self.choices.iter().find(|(id, _)| id == operation)?.1;
            let fits = |choice: &&Choice| match choice.verdict {
                Verdict::Breaks(constraint) => breaking && constraint != Constraint::Method,
                Verdict::Judged(_) => !breaking && choice.targets.iter().all(|target| target.starts_with("body/")),
                _ => false,
            };
            stock.iter().filter(fits).collect::<Vec<_>>().choose(random).map(|choice| (*choice).clone())
        };
        let mut steps = vec![];
        for _ in 0..random.random_range(3..=9) {
            let changes: Vec<&String> = thing.updates.iter().chain(&thing.deletes).collect();
            let step = match random.random_range(0..12) {
                0..2 => thing.reads.choose(random).cloned().map(Step::Read),
                2 => thing.reads.choose(random).cloned().map(Step::Unchanged),
                3..6 => thing.updates.choose(random).map(|id| Step::Update(id.clone(), of(id, false, random))),
                6..8 => changes.choose(random).map(|id| Step::Stale((*id).clone())),
                8..10 => {
                    changes.choose(random).and_then(|id| Some(Step::Refused((*id).clone(), of(id, true, random)?)))
                }
                10 => thing.uses.choose(random).cloned().map(Step::Use),
                _ => thing.deletes.choose(random).cloned().map(Step::Delete),
            };
            steps.extend(step);
        }
        let (fixture, maker) = (thing.fixture.clone(), thing.maker.clone());
        (!steps.is_empty()).then_some(Scenario::Sequence { fixture, maker, steps })
    }

    fn pages(&self, random: &mut StdRng) -> Option<Scenario> {
        let (list, orders) = self.lists.choose(random)?;
        let items = random.random_range(0..=9);
        Some(Scenario::Pages {
            list: list.clone(),
            items,
            deleted: random.random_range(0..=items / 3),
            limit: *[1, 2, 3, 5, 7, 13].choose(random)?,
            order: orders.choose(random).filter(|_| random.random_bool(0.8)).cloned(),
        })
    }

    fn ended(&self, random: &mut StdRng) -> Option<Scenario> {
        let operation = self.ends.choose(random)?.clone();
        Some(Scenario::Ended { operation, then: self.protected.choose_multiple(random, 3).cloned().collect() })
    }
}

/// A change to one of the parts, each part as likely as the others, however much can be done to it.
fn one_part(stock: &[&Choice], random: &mut StdRng) -> Option<Choice> {
    let mut parts: Vec<&Vec<String>> = stock.iter().map(|choice| &choice.targets).collect();
    parts.sort();
    parts.dedup();
    let part = parts.choose(random)?;
    let here: Vec<&&Choice> = stock.iter().filter(|choice| &choice.targets == *part).collect();
    here.choose(random).map(|choice| (**choice).clone())
}

/// Returns whether one of two changes would undo or hide the other.
fn overlap(one: &Choice, other: &Choice) -> bool {
    let within = |one: &String, other: &String| {
        other.strip_prefix(one.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let clash = |target: &String| other.targets.iter().any(|other| within(target, other) || within(other, target));
    one.targets.iter().any(clash)
}

/// The derived cases of an operation as choices.
fn choices(plan: &Plan<'_>, operation: &Operation) -> Vec<Choice> {
    let legs = [Leg::Refusals, Leg::Acceptances].into_iter();
    let cases = legs.flat_map(|leg| cases(plan, leg, operation).0);
    let usable = |case: &Case| case.fixture.is_none() && case.constraint != Constraint::Example;
    cases.filter(usable).filter_map(choice).collect()
}

fn choice(case: Case) -> Option<Choice> {
    let verdict = match &case.expect {
        Expect::Refused { .. } => Verdict::Breaks(case.constraint),
        Expect::Accepted => Verdict::Fits,
        Expect::Answered { status, .. } => Verdict::Unmatched(*status),
        Expect::Understood => Verdict::MayMatch,
        Expect::Mirrored | Expect::Allowed => return None,
    };
    // several changes of a body may contradict each other when they are combined: the whole is judged
    let body = case.changes.iter().all(|change| matches!(change, Change::Body(..) | Change::Ensure(..)));
    let verdict = if body && verdict == Verdict::Fits { Verdict::Judged(None) } else { verdict };
    let mut targets: Vec<String> = case.changes.iter().map(target).collect();
    targets.sort();
    targets.dedup();
    Some(Choice { id: case.id, changes: case.changes, targets, verdict, at: case.at })
}

fn target(change: &Change) -> String {
    match change {
        Change::Body(pointer, _) | Change::Ensure(pointer, _) => format!("body{pointer}"),
        Change::Bytes(_) | Change::Size(_) => "body".into(),
        Change::Parameter(place, name, _) | Change::Repeated(place, name) => format!("{place}.{}", name.to_lowercase()),
        Change::Query(_) => "query".into(),
        Change::MediaType(_) => "header.content-type".into(),
        Change::Header(name, _) => format!("header.{}", name.to_lowercase()),
        Change::Method(_) => "method".into(),
        Change::Credentials(_) => "header.authorization".into(),
    }
}

fn neutral(random: &mut StdRng) -> Option<Choice> {
    let (name, value) = NEUTRAL.choose(random)?;
    let change = Change::Header((*name).into(), (*value).into());
    Some(Choice {
        id: format!("{name}: {value}"),
        targets: vec![target(&change)],
        changes: vec![change],
        verdict: Verdict::Fits,
        at: String::new(),
    })
}

/// A part of the body, or a parameter, with a value that nobody has thought of.
fn fuzzed(stock: &[&Choice], random: &mut StdRng) -> Option<Choice> {
    let like = stock.choose(random)?;
    match like.changes.last()? {
        Change::Body(pointer, _) if pointer.len() > 1 => {
            let value = odd(random);
            let change = Change::Body(pointer.clone(), Some(value.clone()));
            let changes = like.changes[..like.changes.len() - 1].iter().cloned().chain([change]).collect();
            let (id, targets) = (format!("body{pointer} = {value}"), like.targets.clone());
            let verdict = Verdict::Judged(unmatched(stock, &targets));
            Some(Choice { id, changes, targets, verdict, at: like.at.clone() })
        }
        Change::Parameter(place, name, Some(_)) if place == "query" => {
            let text = odd(random).as_str().map(encode)?;
            let change = Change::Parameter(place.clone(), name.clone(), Some(text.clone()));
            let (id, targets) = (format!("{place}.{name} = {text}"), vec![target(&change)]);
            let verdict = Verdict::Judged(unmatched(stock, &targets));
            Some(Choice { id, changes: vec![change], targets, verdict, at: like.at.clone() })
        }
        _ => None,
    }
}

/// The answer to a valid value that names nothing.
fn unmatched(stock: &[&Choice], targets: &[String]) -> Option<u16> {
    let here = stock.iter().filter(|choice| choice.targets == targets);
    here.filter_map(|choice| if let Verdict::Unmatched(status) = choice.verdict { Some(status) } else { None }).next()
}

/// A value of any kind, odd ones before all.
fn odd(random: &mut StdRng) -> Value {
    let numbers = [0.0, -0.0, 1e308, -1e308, 0.1, 1e-308];
    let whole = [0, 1, -1, 5, 6, 1 << 31, -(1 << 31) - 1, (1 << 53) + 1, i64::MAX, i64::MIN];
    match random.random_range(0..10) {
        0 => whole.choose(random).map_or(Value::Null, |number| json!(number)),
        1 => numbers.choose(random).map_or(Value::Null, |number| json!(number)),
        2 => json!(random.random::<i64>()),
        3 => json!(random.random_bool(0.5)),
        4 => [Value::Null, json!([]), json!({}), json!([null]), json!({ "": null })]
            .choose(random)
            .cloned()
            .unwrap_or_default(),
        _ => {
            let length = *[0, 1, 2, 7, 80, 81, 128, 200, 201, 254].choose(random).unwrap_or(&1);
            let pool: Vec<char> = ODD.choose_multiple(random, 4).copied().collect();
            json!((0..length).filter_map(|_| pool.choose(random)).collect::<String>())
        }
    }
}

fn things(plan: &Plan<'_>) -> Vec<Thing> {
    let linked = |fixture: &str, methods: &[&str]| -> Vec<String> {
        let operations = plan.document.operations.iter();
        let operations = operations.filter(|operation| methods.contains(&operation.method.as_str()));
        operations
            .filter(|operation| plan.is_linked(fixture, operation))
            .map(|operation| operation.id.clone())
            .collect()
    };
    let thing = |(name, fixture): (&String, &crate::suites::setup::Fixture)| Thing {
        fixture: name.clone(),
        maker: fixture.operation.clone(),
        reads: linked(name, &["GET"]),
        updates: linked(name, &["PUT", "PATCH"]),
        deletes: linked(name, &["DELETE"]),
        uses: plan
            .setup
            .operations
            .iter()
            .filter(|(_, needs)| needs.body.values().flat_map(expression::names).any(|used| used == *name))
            .map(|(id, _)| id.clone())
            .collect(),
    };
    plan.setup.fixtures.iter().map(thing).collect()
}

impl Scenario {
    /// The operation that it is counted under.
    pub fn operation(&self) -> &str {
        match self {
            Self::Combination { operation, .. } | Self::Ended { operation, .. } => operation,
            Self::Sequence { maker, .. } => maker,
            Self::Pages { list, .. } => list,
        }
    }

    /// The kind, as a column of the table.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Combination { .. } => "combinations",
            Self::Sequence { .. } => "sequences",
            Self::Pages { .. } => "pages",
            Self::Ended { .. } => "ended sessions",
        }
    }

    /// The place in the document, if the scenario is about one constraint.
    pub fn at(&self, document: &Document) -> String {
        match self {
            Self::Combination { operation, choices } => match choices.as_slice() {
                [one] if !one.at.is_empty() => one.at.clone(),
                _ => document.by_id(operation).map_or(String::new(), |operation| operation.at.clone()),
            },
            _ => document.by_id(self.operation()).map_or(String::new(), |operation| operation.at.clone()),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Combination { operation, choices } => {
                let ids: Vec<&str> = choices.iter().map(|choice| choice.id.as_str()).collect();
                write!(f, "is the valid {operation} with: {}", ids.join("; "))
            }
            Self::Sequence { fixture, steps, .. } => {
                let steps: Vec<String> = steps.iter().map(Step::to_string).collect();
                write!(f, "is a new {fixture}, then: {}", steps.join("; "))
            }
            Self::Pages { list, items, deleted, limit, order } => {
                write!(f, "is {list} of {items} items, {deleted} of them deleted, {limit} a page, ordered by {order:?}")
            }
            Self::Ended { operation, then } => {
                write!(f, "is {operation}, then with the same credentials {}", then.join(", "))
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(id) => write!(f, "{id}"),
            Self::Unchanged(id) => write!(f, "{id} with its ETag"),
            Self::Update(id, None) | Self::Use(id) | Self::Delete(id) => write!(f, "{id}"),
            Self::Update(id, Some(choice)) => write!(f, "{id} ({})", choice.id),
            Self::Stale(id) => write!(f, "{id} of an old version"),
            Self::Refused(id, choice) => write!(f, "{id}, to be refused ({})", choice.id),
        }
    }
}
