//! Responses: statuses, headers, links; and bodies by media type, which requests share.

use super::finding::{Spot, Step};
use super::operation::{came_and_went, lifecycle};
use super::parameter::{self, VALUE};
use super::rules::{self, Rule};
use super::schema;
use super::slot::{Pair, Slot, joined};
use super::walk::{Role, Walk};

/// The responses of an operation by status.
pub fn all<'a>(walk: &mut Walk<'a>, responses: &Pair<'a>, method: &str) {
    let list = |side: &Slot<'a>| -> Vec<(String, Slot<'a>)> {
        let statuses = side.entries().into_iter().filter(|(status, _)| !status.starts_with("x-"));
        statuses.map(|(status, slot)| (status.to_uppercase(), slot)).collect()
    };
    let written =
        |side: &Slot<'a>| side.entries().into_iter().map(|(status, _)| status).filter(|key| !key.starts_with("x-"));
    let known: Vec<&str> = written(&responses.old).chain(written(&responses.new)).collect();
    walk.rest(responses, &known);
    let sides = joined(list(&responses.old), list(&responses.new));
    for (status, old, new) in sides.kept {
        walk.within(Step::Status(status.clone()), |walk| {
            if let Some(pair) = walk.resolved(&Pair { old, new }) {
                walk.visit(pair.old.pointer.clone(), pair.new.pointer.clone(), |walk| {
                    response(walk, &pair, method == "head" || is_bodyless(&status));
                });
            }
        });
    }
    for (status, old) in sides.removed {
        let success = status.starts_with('2');
        let rule =
            if success { &rules::RESPONSE_SUCCESS_STATUS_REMOVED } else { &rules::RESPONSE_NON_SUCCESS_STATUS_REMOVED };
        let (old, new) = (Spot::with(&old.pointer, status.as_str()), Spot::bare(&responses.new.pointer));
        walk.within(Step::Status(status), |walk| walk.tell(rule, old, new));
    }
    for (status, new) in sides.added {
        let success = status.starts_with('2');
        let rule =
            if success { &rules::RESPONSE_SUCCESS_STATUS_ADDED } else { &rules::RESPONSE_NON_SUCCESS_STATUS_ADDED };
        let (old, new) = (Spot::bare(&responses.old.pointer), Spot::with(&new.pointer, status.as_str()));
        walk.within(Step::Status(status), |walk| walk.tell(rule, old, new));
    }
}

/// Statuses whose answers have no body (RFC 9110, sections 15 and 6.4.1).
fn is_bodyless(status: &str) -> bool {
    status.starts_with('1') || ["204", "205", "304"].contains(&status)
}

fn response<'a>(walk: &mut Walk<'a>, pair: &Pair<'a>, bodyless: bool) {
    headers(walk, &pair.key("headers"));
    let added =
        if bodyless { &rules::RESPONSE_BODY_ADDED_TO_BODYLESS_STATUS } else { &rules::RESPONSE_MEDIA_TYPE_ADDED };
    walk.acting(Role::ResponseBody, |walk| {
        content(walk, &pair.key("content"), added, &rules::RESPONSE_MEDIA_TYPE_REMOVED);
    });
    links(walk, &pair.key("links"));
    walk.rest(pair, &["headers", "content", "links"]);
}

fn headers<'a>(walk: &mut Walk<'a>, headers: &Pair<'a>) {
    let list = |side: &Slot<'a>| -> Vec<(String, (&'a str, Slot<'a>))> {
        side.entries().into_iter().map(|(name, slot)| (name.to_lowercase(), (name, slot))).collect()
    };
    walk.acting(Role::ResponseHeader, |walk| {
        let sides = joined(list(&headers.old), list(&headers.new));
        for (_, (name, old), (_, new)) in sides.kept {
            walk.within(Step::Header(name.into()), |walk| {
                if let Some(pair) = walk.resolved(&Pair { old, new }) {
                    walk.visit(pair.old.pointer.clone(), pair.new.pointer.clone(), |walk| header(walk, &pair));
                }
            });
        }
        for (_, (name, old)) in sides.removed {
            let required = old.resolved(walk.old).is_ok_and(|header| header.key("required").flag());
            let rule = match required {
                true => &rules::REQUIRED_RESPONSE_HEADER_REMOVED,
                false => &rules::OPTIONAL_RESPONSE_HEADER_REMOVED,
            };
            walk.within(Step::Header(name.into()), |walk| walk.tell(rule, &old, &headers.new.absent()));
        }
        for (_, (name, new)) in sides.added {
            let rule = &rules::RESPONSE_HEADER_ADDED;
            walk.within(Step::Header(name.into()), |walk| walk.tell(rule, &headers.old.absent(), &new));
        }
    });
}

fn header<'a>(walk: &mut Walk<'a>, pair: &Pair<'a>) {
    let required = pair.key("required");
    match required.flags() {
        (false, true) => walk.tell_pair(&rules::RESPONSE_HEADER_BECAME_REQUIRED, &required),
        (true, false) => walk.tell_pair(&rules::RESPONSE_HEADER_BECAME_OPTIONAL, &required),
        _ => {}
    }
    let lives = [&rules::DEPRECATED, &rules::DEPRECATED, &rules::REACTIVATED];
    lifecycle(walk, &pair.key("deprecated"), &pair.key("x-sunset"), lives);
    let style = &rules::RESPONSE_HEADER_STYLE_CHANGED;
    parameter::value(walk, pair, "simple", [style, style, &rules::RESPONSE_HEADER_CONTENT_CHANGED]);
    let known: Vec<&str> = VALUE.into_iter().chain(["required"]).collect();
    walk.rest(pair, &known);
}

fn links<'a>(walk: &mut Walk<'a>, links: &Pair<'a>) {
    let sides = joined(links.old.entries(), links.new.entries());
    let step = |name: &str| Step::Link(name.to_owned());
    came_and_went(walk, links, &sides, step, &rules::LINK_ADDED, &rules::LINK_REMOVED);
    for (name, old, new) in sides.kept {
        walk.within(step(name), |walk| {
            if let Some(pair) = walk.resolved(&Pair { old, new }) {
                const LEADS: [&str; 5] = ["operationId", "operationRef", "parameters", "requestBody", "server"];
                walk.each(&pair, &LEADS, &rules::LINK_CHANGED);
                walk.rest(&pair, &LEADS);
            }
        });
    }
}

/// A body by media type: its type and subtype, the parameters aside.
pub fn content<'a>(walk: &mut Walk<'a>, content: &Pair<'a>, added: &'static Rule, removed: &'static Rule) {
    let exact = joined(content.old.entries(), content.new.entries());
    let essence = |list: Vec<(&'a str, Slot<'a>)>| -> Vec<(String, (&'a str, Slot<'a>))> {
        list.into_iter().map(|(name, slot)| (essence(name), (name, slot))).collect()
    };
    let others = joined(essence(exact.removed), essence(exact.added));
    for (name, old, new) in exact.kept {
        walk.within(Step::MediaType(name.into()), |walk| media_type(walk, &Pair { old, new }));
    }
    for (_, (name, old), (new_name, new)) in others.kept {
        walk.within(Step::MediaType(name.into()), |walk| {
            if spaceless(name) != spaceless(new_name) {
                let (old, new) = (Spot::with(&old.pointer, name), Spot::with(&new.pointer, new_name));
                walk.tell(&rules::MEDIA_TYPE_PARAMETERS_CHANGED, old, new);
            }
            media_type(walk, &Pair { old, new });
        });
    }
    for (_, (name, old)) in others.removed {
        let (old, new) = (Spot::with(&old.pointer, name), Spot::bare(&content.new.pointer));
        walk.within(Step::MediaType(name.into()), |walk| walk.tell(removed, old, new));
    }
    for (_, (name, new)) in others.added {
        let (old, new) = (Spot::bare(&content.old.pointer), Spot::with(&new.pointer, name));
        walk.within(Step::MediaType(name.into()), |walk| walk.tell(added, old, new));
    }
}

/// `Application/JSON; charset=utf-8` → `application/json`
fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_lowercase()
}

fn spaceless(media_type: &str) -> String {
    media_type.split_whitespace().collect::<String>().to_lowercase()
}

fn media_type<'a>(walk: &mut Walk<'a>, pair: &Pair<'a>) {
    let schema = pair.key("schema");
    match (schema.old.is_some(), schema.new.is_some()) {
        (false, true) => walk.tell_pair(&rules::BODY_MEDIA_TYPE_SCHEMA_ADDED, &schema),
        (true, false) => walk.tell_pair(&rules::BODY_MEDIA_TYPE_SCHEMA_REMOVED, &schema),
        _ => schema::compare(walk, &schema),
    }
    walk.each(pair, &["encoding"], &rules::BODY_ENCODING_CHANGED);
    walk.rest(pair, &["schema", "encoding"]);
}
