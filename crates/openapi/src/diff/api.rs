//! The document itself, and what belongs to no operation: version, servers, tags, shared components.

use std::collections::HashSet;

use serde_json::Value;

use super::finding::{Finding, Spot, Step};
use super::rules::{self, Rule, Verdict};
use super::slot::{Pair, Slot, joined};
use super::walk::{Role, Walk};
use super::{operation, schema, security};

/// Compares the documents.
pub fn compare(walk: &mut Walk<'_>) {
    let document = Pair { old: Slot::root(walk.old), new: Slot::root(walk.new) };
    walk.each(&document, &["openapi"], &rules::OPENAPI_VERSION_CHANGED);
    walk.within(Step::Part("info".into()), |walk| info(walk, &document.key("info")));
    servers(walk, &document.key("servers"));
    tags(walk, &document.key("tags"));
    operation::paths(walk, &document.key("paths"));
    operation::webhooks(walk, &document.key("webhooks"));
    security::for_all(walk);
    components(walk, &document.key("components"));
    walk.rest(&document, &["openapi", "info", "servers", "tags", "security", "paths", "webhooks", "components"]);
}

fn info<'a>(walk: &mut Walk<'a>, info: &Pair<'a>) {
    version(walk, &info.key("version"));
    const ABOUT: [&str; 3] = ["contact", "license", "termsOfService"];
    walk.each(info, &ABOUT, &rules::INFO_CHANGED);
    walk.rest(info, &["version", ABOUT[0], ABOUT[1], ABOUT[2]]);
}

fn version(walk: &mut Walk<'_>, version: &Pair<'_>) {
    if version.is_same() {
        return;
    }
    let (old, new) = (version.old.text().and_then(Version::read), version.new.text().and_then(Version::read));
    let rule = match (old, new) {
        (_, None) => &rules::API_VERSION_DECREASED,
        (Some(old), Some(new)) if new < old => &rules::API_VERSION_DECREASED,
        _ => &rules::API_VERSION_CHANGED,
    };
    walk.tell_pair(rule, version);
}

/// A version after semver.org, without what it does not order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    numbers: [u64; 3],
    /// A release comes after what was tried before it.
    is_release: bool,
    trial: String,
}

impl Version {
    fn read(text: &str) -> Option<Self> {
        let text = text.split('+').next()?;
        let (numbers, trial) = text.split_once('-').unwrap_or((text, ""));
        let numbers: Vec<u64> = numbers.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        Some(Self { numbers: numbers.try_into().ok()?, is_release: trial.is_empty(), trial: trial.to_owned() })
    }

    /// May this version break callers of the old one? Below 1.0.0 the minor number says so.
    fn may_break(&self, old: &Self) -> bool {
        let significant = |version: &Self| match version.numbers {
            [0, minor, _] => (0, minor),
            [major, ..] => (major, 0),
        };
        significant(self) > significant(old)
    }
}

/// What the new version must say when the new document is to be released after the old one.
pub fn release(old: &Value, new: &Value, findings: &[Finding]) -> Option<Finding> {
    let document = Pair { old: Slot::root(old), new: Slot::root(new) };
    let worst = findings.iter().map(|finding| finding.verdict).max()?;
    let pair = document.key("info").key("version");
    let (one, two) = (Version::read(pair.old.text()?)?, Version::read(pair.new.text()?)?);
    let rule = match worst {
        _ if two < one => return None,
        _ if two == one => &rules::API_VERSION_NOT_BUMPED,
        Verdict::Breaking if !two.may_break(&one) => &rules::API_MAJOR_VERSION_NOT_BUMPED,
        _ => return None,
    };
    let mut walk = Walk::new(old, new, String::new());
    walk.within(Step::Part("info".into()), |walk| walk.tell_pair(rule, &pair));
    walk.findings.pop()
}

/// The servers of the document, of a path or of an operation, known by their addresses.
pub fn servers<'a>(walk: &mut Walk<'a>, servers: &Pair<'a>) {
    let list = |side: &Slot<'a>| -> Vec<(&'a str, Slot<'a>)> {
        side.items().into_iter().map(|server| (server.key("url").text().unwrap_or_default(), server)).collect()
    };
    let mut sides = joined(list(&servers.old), list(&servers.new));
    for (url, old, new) in sides.kept {
        walk.within(Step::Part(format!("server {url}")), |walk| server(walk, &Pair { old, new }));
    }
    while let (false, false) = (sides.removed.is_empty(), sides.added.is_empty()) {
        let ((url, old), (_, new)) = (sides.removed.remove(0), sides.added.remove(0));
        walk.within(Step::Part(format!("server {url}")), |walk| moved(walk, &Pair { old, new }));
    }
    for (url, old) in sides.removed {
        let step = Step::Part(format!("server {url}"));
        walk.within(step, |walk| walk.tell(&rules::SERVER_REMOVED, &old.key("url"), &servers.new.absent()));
    }
    for (url, new) in sides.added {
        let step = Step::Part(format!("server {url}"));
        walk.within(step, |walk| walk.tell(&rules::SERVER_ADDED, &servers.old.absent(), &new.key("url")));
    }
}

fn moved<'a>(walk: &mut Walk<'a>, pair: &Pair<'a>) {
    let base = |slot: &Slot<'a>| base_path(slot.key("url").text().unwrap_or_default()).to_owned();
    let other_path = base(&pair.old) != base(&pair.new);
    let rule = if other_path { &rules::SERVER_BASE_PATH_CHANGED } else { &rules::SERVER_URL_CHANGED };
    walk.tell_pair(rule, &pair.key("url"));
    server(walk, pair);
}

fn server<'a>(walk: &mut Walk<'a>, pair: &Pair<'a>) {
    walk.each(pair, &["variables"], &rules::SERVER_VARIABLE_CHANGED);
    walk.rest(pair, &["url", "variables"]);
}

/// `https://host/api/` → `/api`
fn base_path(url: &str) -> &str {
    let behind = url.split_once("://").map_or(url, |(_, rest)| rest.find('/').map_or("", |slash| &rest[slash..]));
    behind.trim_end_matches('/')
}

fn tags<'a>(walk: &mut Walk<'a>, tags: &Pair<'a>) {
    let list = |side: &Slot<'a>| -> Vec<(&'a str, Slot<'a>)> {
        side.items().into_iter().map(|tag| (tag.key("name").text().unwrap_or_default(), tag)).collect()
    };
    let sides = joined(list(&tags.old), list(&tags.new));
    for (name, old, new) in sides.kept {
        walk.within(Step::Part(format!("tag {name}")), |walk| walk.rest(&Pair { old, new }, &["name"]));
    }
    for (name, old) in sides.removed {
        let step = Step::Part(format!("tag {name}"));
        walk.within(step, |walk| walk.tell(&rules::API_TAG_REMOVED, &old, &tags.new.absent()));
    }
    for (name, new) in sides.added {
        let step = Step::Part(format!("tag {name}"));
        walk.within(step, |walk| walk.tell(&rules::API_TAG_ADDED, &tags.old.absent(), &new));
    }
}

/// The shared parts: names that came and went, texts that every user of a part overrides, parts that nobody uses.
fn components<'a>(walk: &mut Walk<'a>, components: &Pair<'a>) {
    const KINDS: [&str; 9] = [
        "parameters",
        "headers",
        "responses",
        "requestBodies",
        "examples",
        "links",
        "callbacks",
        "pathItems",
        "mediaTypes",
    ];
    let schemas = components.key("schemas");
    let (added, removed) = (&rules::API_SCHEMA_ADDED, &rules::API_SCHEMA_REMOVED);
    let pairs = shared(walk, "schemas", &schemas, added, removed);
    let told: HashSet<Pointers> = walk.findings.iter().map(pointers).collect();
    for (step, pair) in pairs {
        walk.within(step, |walk| shared_schema(walk, &pair, &told));
    }
    security::schemes(walk, &components.key("securitySchemes"));
    for kind in KINDS {
        let parts = components.key(kind);
        let (added, removed) = (&rules::API_COMPONENT_ADDED, &rules::API_COMPONENT_REMOVED);
        for (step, pair) in shared(walk, kind, &parts, added, removed) {
            let used = walk.used_old.contains(&pair.old.pointer) && walk.used_new.contains(&pair.new.pointer);
            if !used && !pair.is_same() {
                walk.within(step, |walk| walk.tell_pair(&rules::COMPONENT_CHANGED, &pair));
            }
        }
    }
    let known: Vec<&str> = KINDS.into_iter().chain(["schemas", "securitySchemes"]).collect();
    walk.rest(components, &known);
}

/// Tells the parts of a kind that came and went, and gives those that stayed.
fn shared<'a>(
    walk: &mut Walk<'a>,
    kind: &str,
    parts: &Pair<'a>,
    added: &'static Rule,
    removed: &'static Rule,
) -> Vec<(Step, Pair<'a>)> {
    let step = |name: &str| Step::Part(format!("components.{kind}.{name}"));
    // a part that only changed its name was told where it is used
    let renamed = |walk: &Walk<'_>, pointer: &str| {
        let told = |finding: &Finding| finding.rule.name == rules::SCHEMA_RENAMED.name;
        walk.findings
            .iter()
            .filter(|finding| told(finding))
            .any(|told| [&told.pointer_old, &told.pointer_new].contains(&&pointer.to_owned()))
    };
    let sides = joined(parts.old.entries(), parts.new.entries());
    for (name, old) in sides.removed.iter().filter(|(_, old)| !renamed(walk, &old.pointer)).collect::<Vec<_>>() {
        walk.within(step(name), |walk| {
            walk.tell(removed, Spot::with(&old.pointer, *name), Spot::bare(&parts.new.pointer))
        });
    }
    for (name, new) in sides.added.iter().filter(|(_, new)| !renamed(walk, &new.pointer)).collect::<Vec<_>>() {
        walk.within(step(name), |walk| {
            walk.tell(added, Spot::bare(&parts.old.pointer), Spot::with(&new.pointer, *name))
        });
    }
    sides.kept.into_iter().map(|(name, old, new)| (step(name), Pair { old, new })).collect()
}

/// Where a difference is written, on either side.
type Pointers = (String, String);

fn pointers(finding: &Finding) -> Pointers {
    (finding.pointer_old.clone(), finding.pointer_new.clone())
}

/// What a shared schema says by itself: texts that every user of it overrides, and what no message shows.
fn shared_schema<'a>(walk: &mut Walk<'a>, pair: &Pair<'a>, told: &HashSet<Pointers>) {
    let found = walk.probe(|walk| walk.acting(Role::Shared, |walk| schema::compare(walk, pair)));
    let (texts, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|finding| finding.verdict == Verdict::Wording);
    walk.findings.extend(texts);
    let is_inside = |finding: &Finding| {
        finding.pointer_old.starts_with(&pair.old.pointer) || finding.pointer_new.starts_with(&pair.new.pointer)
    };
    if others.iter().any(|finding| is_inside(finding) && !told.contains(&pointers(finding))) {
        walk.tell_pair(&rules::COMPONENT_CHANGED, pair);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_semver_orders_them() {
        let read = |text| Version::read(text).expect("a version");
        let order = ["0.1.0", "0.2.0-rc.1", "0.2.0", "0.10.0", "1.0.0"];
        assert!(order.windows(2).all(|pair| read(pair[0]) < read(pair[1])));
        assert!(Version::read("0.1.0x").is_none() && Version::read("1.2").is_none());
        assert!(read("2.0.0").may_break(&read("1.9.9")) && !read("1.10.0").may_break(&read("1.9.9")));
        assert!(read("0.2.0").may_break(&read("0.1.9")) && !read("0.1.10").may_break(&read("0.1.9")));
        assert!(read("1.0.0").may_break(&read("0.9.0")));
    }

    #[test]
    fn the_base_path_is_what_follows_the_host() {
        assert_eq!(base_path("https://a.example/api/"), "/api");
        assert_eq!(base_path("https://a.example"), "");
        assert_eq!(base_path("/v1"), "/v1");
    }
}
