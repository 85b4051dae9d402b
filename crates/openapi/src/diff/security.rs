//! Who may call: alternatives of schemes with their scopes, and the schemes themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Spot, Step};
use super::operation::came_and_went;
use super::rules;
use super::slot::{Pair, Slot, joined};
use super::walk::Walk;

/// Schemes that are needed together, each with its scopes. An empty one lets anybody in.
type Alternative = BTreeMap<String, BTreeSet<String>>;

/// What an operation needs. What both sides take from the document is told once, by [`for_all`].
pub fn operation<'a>(walk: &mut Walk<'a>, operation: &Pair<'a>) {
    let (own, document) = (operation.key("security"), for_document(walk));
    if !own.old.is_some() && !own.new.is_some() {
        walk.inherits_security = true;
        return;
    }
    let effective = |own: Slot<'a>, document: Slot<'a>| if own.is_some() { own } else { document };
    requirements(walk, &Pair { old: effective(own.old, document.old), new: effective(own.new, document.new) });
}

/// The document's rule for all operations without one of their own.
pub fn for_all(walk: &mut Walk<'_>) {
    let pair = for_document(walk);
    if walk.inherits_security {
        walk.within(Step::Part("security".into()), |walk| requirements(walk, &pair));
    }
}

fn for_document<'a>(walk: &Walk<'a>) -> Pair<'a> {
    Pair { old: Slot::root(walk.old), new: Slot::root(walk.new) }.key("security")
}

fn requirements<'a>(walk: &mut Walk<'a>, pair: &Pair<'a>) {
    let (old, new) = (alternatives(&pair.old), alternatives(&pair.new));
    let is_open = |list: &[(Alternative, Slot<'a>)]| list.iter().any(|(alternative, _)| alternative.is_empty());
    match (is_open(&old), is_open(&new)) {
        (true, false) => return walk.tell_pair(&rules::SECURITY_ADDED, pair),
        (false, true) => return walk.tell_pair(&rules::SECURITY_REMOVED, pair),
        _ => {}
    }
    let others = joined(old, new);
    let by_schemes = |list: Vec<(Alternative, Slot<'a>)>| -> Vec<(Vec<String>, (Alternative, Slot<'a>))> {
        list.into_iter().map(|entry| (entry.0.keys().cloned().collect(), entry)).collect()
    };
    let others = joined(by_schemes(others.removed), by_schemes(others.added));
    for (_, old, new) in others.kept {
        scopes(walk, &old, &new);
    }
    for (_, (_, old)) in others.removed {
        walk.tell(&rules::SECURITY_ALTERNATIVE_REMOVED, &old, &pair.new.absent());
    }
    for (_, (_, new)) in others.added {
        walk.tell(&rules::SECURITY_ALTERNATIVE_ADDED, &pair.old.absent(), &new);
    }
}

/// A list without entries lets anybody in, as an empty entry does. What is no such list is taken for a scheme, so that
/// it lets nobody in.
fn alternatives<'a>(security: &Slot<'a>) -> Vec<(Alternative, Slot<'a>)> {
    let texts = |slot: &Slot<'_>| -> BTreeSet<String> {
        let scopes = slot.items();
        let scopes = if scopes.is_empty() { vec![slot.clone()] } else { scopes };
        scopes.iter().filter_map(|scope| Some(scope.text()?.to_owned())).collect()
    };
    let alternative = |slot: Slot<'a>| {
        let mut schemes: Alternative =
            slot.entries().into_iter().map(|(scheme, scopes)| (scheme.to_owned(), texts(&scopes))).collect();
        schemes.extend(slot.text().map(|text| (text.to_owned(), BTreeSet::new())));
        (schemes, slot)
    };
    let list = security.items();
    let list = if list.is_empty() { vec![security.clone()] } else { list };
    list.into_iter().map(alternative).collect()
}

fn scopes(walk: &mut Walk<'_>, old: &(Alternative, Slot<'_>), new: &(Alternative, Slot<'_>)) {
    for (scheme, before) in &old.0 {
        let Some(after) = new.0.get(scheme) else { continue };
        let (one, two) = (old.1.key(scheme).pointer, new.1.key(scheme).pointer);
        for scope in after.difference(before) {
            walk.tell(&rules::SECURITY_SCOPE_ADDED, Spot::bare(&one), Spot::with(&two, scope.as_str()));
        }
        for scope in before.difference(after) {
            walk.tell(&rules::SECURITY_SCOPE_REMOVED, Spot::with(&one, scope.as_str()), Spot::bare(&two));
        }
    }
}

/// The schemes of the document by name.
pub fn schemes<'a>(walk: &mut Walk<'a>, schemes: &Pair<'a>) {
    let sides = joined(schemes.old.entries(), schemes.new.entries());
    let step = |name: &str| Step::Part(format!("components.securitySchemes.{name}"));
    let (added, removed) = (&rules::API_SECURITY_COMPONENT_ADDED, &rules::API_SECURITY_COMPONENT_REMOVED);
    came_and_went(walk, schemes, &sides, step, added, removed);
    for (name, old, new) in sides.kept {
        walk.within(step(name), |walk| {
            if let Some(pair) = walk.resolved(&Pair { old, new }) {
                scheme(walk, &pair);
            }
        });
    }
}

fn scheme<'a>(walk: &mut Walk<'a>, pair: &Pair<'a>) {
    const SENT: [&str; 3] = ["scheme", "in", "name"];
    if pair.key("type").is_same() {
        walk.each(pair, &SENT, &rules::API_SECURITY_COMPONENT_TYPE_CHANGED);
        walk.each(pair, &["openIdConnectUrl"], &rules::API_SECURITY_COMPONENT_OAUTH_URL_CHANGED);
        flows(walk, &pair.key("flows"));
    } else {
        walk.tell_pair(&rules::API_SECURITY_COMPONENT_TYPE_CHANGED, &pair.key("type"));
    }
    walk.rest(pair, &["type", SENT[0], SENT[1], SENT[2], "openIdConnectUrl", "flows"]);
}

fn flows<'a>(walk: &mut Walk<'a>, flows: &Pair<'a>) {
    let sides = joined(flows.old.entries(), flows.new.entries());
    let step = |name: &str| Step::Part(format!("flow {name}"));
    let added = &rules::API_SECURITY_COMPONENT_OAUTH_FLOW_ADDED;
    came_and_went(walk, flows, &sides, step, added, &rules::API_SECURITY_COMPONENT_OAUTH_FLOW_REMOVED);
    for (name, old, new) in sides.kept {
        walk.within(step(name), |walk| {
            let pair = Pair { old, new };
            const URLS: [&str; 2] = ["authorizationUrl", "refreshUrl"];
            walk.each(&pair, &URLS, &rules::API_SECURITY_COMPONENT_OAUTH_URL_CHANGED);
            walk.each(&pair, &["tokenUrl"], &rules::API_SECURITY_COMPONENT_OAUTH_TOKEN_URL_CHANGED);
            offered(walk, &pair.key("scopes"));
            walk.rest(&pair, &["tokenUrl", "scopes", URLS[0], URLS[1]]);
        });
    }
}

/// The scopes that a flow offers.
fn offered<'a>(walk: &mut Walk<'a>, scopes: &Pair<'a>) {
    let sides = joined(scopes.old.entries(), scopes.new.entries());
    let known: Vec<&str> = scopes.old.entries().iter().chain(&scopes.new.entries()).map(|(name, _)| *name).collect();
    walk.rest(scopes, &known);
    let step = |name: &str| Step::Part(format!("scope {name}"));
    let added = &rules::API_SECURITY_COMPONENT_OAUTH_SCOPE_ADDED;
    came_and_went(walk, scopes, &sides, step, added, &rules::API_SECURITY_COMPONENT_OAUTH_SCOPE_REMOVED);
    for (name, old, new) in sides.kept {
        let pair = Pair { old, new };
        if !pair.is_same() {
            walk.within(step(name), |walk| {
                walk.tell_pair(&rules::API_SECURITY_COMPONENT_OAUTH_SCOPE_CHANGED, &pair);
            });
        }
    }
}
