//! A document as the checks see it: every object with its kind and place, references followed, operations whole.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::Fault;
use super::grammar::{self, Holds, Kind};
use crate::METHODS;

/// One object of the document.
#[derive(Clone)]
pub struct Node<'a> {
    pub kind: Kind,
    /// JSON pointer (RFC 6901) to it.
    pub pointer: String,
    pub value: &'a Value,
}

impl<'a> Node<'a> {
    /// A text field; empty if it is not there.
    pub fn text(&self, field: &str) -> &'a str {
        self.value[field].as_str().unwrap_or_default()
    }

    pub fn has(&self, field: &str) -> bool {
        self.value.get(field).is_some()
    }

    /// Field names or entries of a map below.
    pub fn entries(&self, field: &str) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        let map = self.value[field].as_object().into_iter().flatten();
        map.map(|(name, value)| (name.as_str(), value))
    }

    /// The strings of a list below.
    pub fn texts(&self, field: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.value[field].as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    /// The last step of the pointer: the name in its map.
    pub fn name(&self) -> String {
        unescape(self.pointer.rsplit('/').next().unwrap_or_default())
    }

    /// Does it lie in the map `parent`, and what is its name there?
    pub fn named_in(&self, parent: &str) -> Option<String> {
        let (before, _) = self.pointer.rsplit_once('/')?;
        (before.rsplit('/').next() == Some(parent)).then(|| self.name())
    }

    pub fn fault(&self, problem: impl Into<String>) -> Fault {
        Fault { pointer: self.pointer.clone(), problem: problem.into() }
    }

    /// A fault at what lies below.
    pub fn fault_at(&self, steps: &[&str], problem: impl Into<String>) -> Fault {
        let below: String = steps.iter().map(|step| format!("/{}", escape(step))).collect();
        Fault { pointer: format!("{}{below}", self.pointer), problem: problem.into() }
    }

    /// The object below, of a kind.
    pub fn below(&self, kind: Kind, steps: &[&str]) -> Option<Self> {
        let below: String = steps.iter().map(|step| format!("/{}", escape(step))).collect();
        let value = self.value.pointer(&below)?;
        Some(Node { kind, pointer: format!("{}{below}", self.pointer), value })
    }
}

pub fn escape(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

pub fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// The document, walked once.
pub struct Document<'a> {
    pub value: &'a Value,
    /// Every object, references among them, in the order of the document.
    nodes: Vec<Node<'a>>,
    /// What `examples` finds once for all its checks.
    pub invalid_examples: OnceCell<Vec<(Kind, Fault)>>,
}

impl<'a> Document<'a> {
    pub fn new(value: &'a Value) -> Self {
        let mut document = Self { value, nodes: vec![], invalid_examples: OnceCell::new() };
        document.walk(Kind::Root, String::new(), value);
        document
    }

    fn walk(&mut self, kind: Kind, pointer: String, value: &'a Value) {
        let Some(fields) = value.as_object() else { return };
        self.nodes.push(Node { kind, pointer: pointer.clone(), value });
        if value.get("$ref").is_some() {
            return;
        }
        let Some(object) = grammar::object(kind) else {
            // a callback: expressions to path items
            for (name, item) in fields {
                self.walk(Kind::PathItem, format!("{pointer}/{}", escape(name)), item);
            }
            return;
        };
        for (name, holds) in object.fields {
            let Some(field) = fields.get(*name) else { continue };
            let place = format!("{pointer}/{name}");
            match holds {
                Holds::One(kind) => self.walk(*kind, place, field),
                Holds::Many(kind) => {
                    for (index, entry) in field.as_array().into_iter().flatten().enumerate() {
                        self.walk(*kind, format!("{place}/{index}"), entry);
                    }
                }
                Holds::Map(kind) => {
                    let entries = field.as_object().into_iter().flatten();
                    for (name, entry) in entries.filter(|(name, _)| !is_extension(*kind, name)) {
                        self.walk(*kind, format!("{place}/{}", escape(name)), entry);
                    }
                }
                _ => {}
            }
        }
    }

    /// Every object, references among them.
    pub fn nodes(&self) -> &[Node<'a>] {
        &self.nodes
    }

    /// Every object of a kind that is no reference.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Node<'a>> {
        self.nodes.iter().filter(move |node| node.kind == kind && !node.has("$ref"))
    }

    /// Every reference of a kind.
    pub fn references(&self) -> impl Iterator<Item = (&Node<'a>, &'a str)> {
        self.nodes.iter().filter_map(|node| Some((node, node.value["$ref"].as_str()?)))
    }

    /// The object that a reference leads to; an object itself stays what it is.
    pub fn resolve(&self, node: &Node<'a>) -> Option<Node<'a>> {
        let mut node = node.clone();
        let mut seen = HashSet::new();
        while let Some(reference) = node.value["$ref"].as_str() {
            let pointer = reference.strip_prefix('#')?;
            if !seen.insert(pointer) {
                return None;
            }
            node = Node { kind: node.kind, pointer: pointer.to_owned(), value: self.value.pointer(pointer)? };
        }
        Some(node)
    }

    /// A schema without what only wraps it: references followed, an `allOf` of one opened.
    pub fn schema(&self, node: &Node<'a>) -> Option<Node<'a>> {
        let mut node = self.resolve(node)?;
        for _ in 0..8 {
            match node.value["allOf"].as_array() {
                Some(parts) if parts.len() == 1 => {
                    node = self.resolve(&node.below(Kind::Schema, &["allOf", "0"])?)?;
                }
                _ => break,
            }
        }
        Some(node)
    }

    /// The ids of the operations that an answer links to.
    pub fn linked(&self, answer: &Node<'a>) -> Vec<&'a str> {
        let links = answer.entries("links").filter_map(|(name, _)| answer.below(Kind::Link, &["links", name]));
        links.filter_map(|link| Some(self.resolve(&link)?.text("operationId"))).collect()
    }

    pub fn component(&self, kind: Kind, map: &str, name: &str) -> Option<Node<'a>> {
        let root = Node { kind: Kind::Root, pointer: String::new(), value: self.value };
        root.below(kind, &["components", map, name])
    }

    /// Every object that these lead to, themselves among them.
    fn reach(&self, starts: impl Iterator<Item = String>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut todo: Vec<String> = starts.collect();
        let mut opened = HashSet::new();
        while let Some(start) = todo.pop() {
            if !opened.insert(start.clone()) {
                continue;
            }
            let below = format!("{start}/");
            for node in self.nodes.iter().filter(|node| node.pointer == start || node.pointer.starts_with(&below)) {
                found.insert(node.pointer.clone());
                todo.extend(node.value["$ref"].as_str().map(|reference| reference.trim_start_matches('#').to_owned()));
            }
        }
        found
    }

    /// Everything that the operations lead to.
    pub fn used(&self) -> BTreeSet<String> {
        self.reach(std::iter::once("/paths".into()))
    }

    fn reached(&self, starts: &[Kind], kind: Kind) -> Vec<Node<'a>> {
        let in_paths = |node: &&Node| node.pointer.starts_with("/paths/") && starts.contains(&node.kind);
        let reached = self.reach(self.nodes.iter().filter(in_paths).map(|node| node.pointer.clone()));
        self.of(kind).filter(|node| reached.contains(&node.pointer)).cloned().collect()
    }

    /// Schemas of what clients send: parameters and bodies.
    pub fn sent(&self) -> Vec<Node<'a>> {
        self.reached(&[Kind::Parameter, Kind::RequestBody], Kind::Schema)
    }

    /// Schemas of what clients get: bodies and headers of answers.
    pub fn answered(&self) -> Vec<Node<'a>> {
        self.reached(&[Kind::Response], Kind::Schema)
    }

    /// Schemas of the bodies alone, without parameters.
    pub fn bodies(&self) -> Vec<Node<'a>> {
        self.reached(&[Kind::RequestBody], Kind::Schema)
    }

    pub fn operations(&self) -> Vec<Operation<'_, 'a>> {
        let of_paths = |node: &&Node<'a>| node.pointer.matches('/').count() == 3 && node.pointer.starts_with("/paths/");
        let operation = |node: &Node<'a>| {
            let mut steps = node.pointer.split('/').skip(2);
            let path = unescape(steps.next()?);
            let method = METHODS.iter().find(|method| node.pointer.ends_with(&format!("/{method}")))?;
            Some(Operation { document: self, node: node.clone(), path, method })
        };
        self.of(Kind::Operation).filter(of_paths).filter_map(operation).collect()
    }
}

/// In a map of paths or statuses `x-` begins an extension; elsewhere it begins a name like any other.
fn is_extension(kind: Kind, name: &str) -> bool {
    name.starts_with("x-") && matches!(kind, Kind::PathItem | Kind::Response)
}

/// One operation with everything it refers to.
pub struct Operation<'d, 'a> {
    document: &'d Document<'a>,
    pub node: Node<'a>,
    pub path: String,
    pub method: &'static str,
}

impl<'a> Operation<'_, 'a> {
    pub fn id(&self) -> &'a str {
        self.node.text("operationId")
    }

    /// Its parameters, and those of its path that it does not declare itself; references followed.
    pub fn parameters(&self) -> Vec<Node<'a>> {
        let item = self.node.pointer.rsplit_once('/').map_or("", |(item, _)| item);
        let own = self.parameters_of(&self.node.pointer);
        let key = |node: &Node<'a>| (node.text("in"), node.text("name"));
        let overridden: Vec<_> = own.iter().map(key).collect();
        let shared = self.parameters_of(item).into_iter().filter(|node| !overridden.contains(&key(node)));
        shared.chain(own.iter().cloned()).collect()
    }

    fn parameters_of(&self, pointer: &str) -> Vec<Node<'a>> {
        let list = format!("{pointer}/parameters");
        let is_in = |node: &&Node| node.pointer.rsplit_once('/').is_some_and(|(parent, _)| parent == list);
        let nodes = self.document.nodes().iter().filter(|node| node.kind == Kind::Parameter).filter(is_in);
        nodes.filter_map(|node| self.document.resolve(node)).collect()
    }

    pub fn parameter(&self, place: &str, name: &str) -> Option<Node<'a>> {
        let fits = |node: &Node| node.text("in") == place && node.text("name").eq_ignore_ascii_case(name);
        self.parameters().into_iter().find(fits)
    }

    pub fn takes(&self, header: &str) -> bool {
        self.parameter("header", header).is_some()
    }

    pub fn body(&self) -> Option<Node<'a>> {
        self.document.resolve(&self.node.below(Kind::RequestBody, &["requestBody"])?)
    }

    /// Each status and its answer, references followed.
    pub fn responses(&self) -> Vec<(&'a str, Node<'a>)> {
        let statuses = self.node.entries("responses").filter(|(status, _)| !status.starts_with("x-"));
        let response = |(status, _)| {
            let node = self.node.below(Kind::Response, &["responses", status])?;
            Some((status, self.document.resolve(&node)?))
        };
        statuses.filter_map(response).collect()
    }

    /// The answers of success.
    pub fn successes(&self) -> Vec<(&'a str, Node<'a>)> {
        self.responses().into_iter().filter(|(status, _)| status.starts_with('2')).collect()
    }

    pub fn declares(&self, status: &str) -> bool {
        self.node.value["responses"].get(status).is_some()
    }

    /// Does it need credentials? Its own rule, or the document's.
    pub fn is_protected(&self) -> bool {
        let rule = self.node.value.get("security").or(self.document.value.get("security"));
        let alternatives = rule.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        !alternatives.is_empty() && alternatives.iter().all(|one| one.as_object().is_some_and(|one| !one.is_empty()))
    }
}

/// The header of an answer, by its name in any casing.
pub fn header<'a>(document: &Document<'a>, response: &Node<'a>, name: &str) -> Option<Node<'a>> {
    let (own, _) = response.entries("headers").find(|(own, _)| own.eq_ignore_ascii_case(name))?;
    document.resolve(&response.below(Kind::Header, &["headers", own])?)
}

/// The schema of each media type of a body or an answer, with what wraps it.
pub fn schemas<'a>(content: &Node<'a>) -> Vec<(&'a str, Node<'a>)> {
    let media = content.entries("content");
    media.filter_map(|(name, _)| Some((name, content.below(Kind::Schema, &["content", name, "schema"])?))).collect()
}
