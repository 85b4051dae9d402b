//! Alternatives: `oneOf` and `anyOf`, and the property that says which one it is.

use serde_json::Value;

use super::{alike, schemas, words};
use crate::spec::diff::finding::{Spot, Step};
use crate::spec::diff::rules;
use crate::spec::diff::shape::{Shape, Union};
use crate::spec::diff::slot::{Pair, Slot, joined};
use crate::spec::diff::walk::Walk;

/// Both have alternatives.
pub fn compare<'a>(walk: &mut Walk<'a>, old: &Union<'a>, new: &Union<'a>) {
    if old.keyword != new.keyword {
        let (old, new) = (Spot::with(&old.pointer, old.keyword), Spot::with(&new.pointer, new.keyword));
        walk.tell(&rules::UNION_KIND_CHANGED, old, new);
    }
    let by_name = |union: &Union<'a>| -> Vec<(String, Slot<'a>)> {
        union.alternatives.iter().map(|slot| (label(slot), slot.clone())).collect()
    };
    let sides = joined(by_name(old), by_name(new));
    let mut pairs: Vec<(String, Slot<'a>, Slot<'a>)> = sides.kept;
    let (mut removed, mut added) = (vec![], sides.added);
    for (name, one) in sides.removed {
        let twin = added.iter().position(|(_, two)| alike(walk, std::slice::from_ref(&one), std::slice::from_ref(two)));
        match twin {
            Some(index) => pairs.push((name, one, added.remove(index).1)),
            None => removed.push((name, one)),
        }
    }
    // one that is left on each side was changed in place
    if let ([(name, one)], [(_, two)]) = (&removed[..], &added[..])
        && !name.starts_with("#/")
    {
        pairs.push((name.clone(), one.clone(), two.clone()));
        (removed, added) = (vec![], vec![]);
    }
    for (name, one, two) in pairs {
        walk.within(alternative(&name), |walk| schemas(walk, &[one], &[two]));
    }
    for (name, one) in removed {
        walk.within(alternative(&name), |walk| walk.tell(&rules::ONE_OF_REMOVED, &one, Spot::bare(&new.pointer)));
    }
    for (name, two) in added {
        walk.within(alternative(&name), |walk| walk.tell(&rules::ONE_OF_ADDED, Spot::bare(&old.pointer), &two));
    }
}

/// What an alternative is called: its reference, else its place in the list.
fn label(slot: &Slot<'_>) -> String {
    match slot.key("$ref").text() {
        Some(reference) => reference.to_owned(),
        None => slot.value.map(Value::to_string).unwrap_or_default(),
    }
}

fn alternative(label: &str) -> Step {
    let name = label.rsplit('/').next().filter(|_| label.starts_with("#/")).unwrap_or("alternative");
    Step::Field(format!("({name})"))
}

/// On which side the alternatives are, where the other has one schema.
pub enum Wrapped {
    Before,
    Now,
}

/// One schema that became an alternative among others, or the only one left.
pub fn wrapped<'a>(walk: &mut Walk<'a>, plain: &[Slot<'a>], union: &Union<'a>, wrapped: Wrapped) {
    let twin = union.alternatives.iter().position(|slot| {
        let slot = std::slice::from_ref(slot);
        match wrapped {
            Wrapped::Now => alike(walk, plain, slot),
            Wrapped::Before => alike(walk, slot, plain),
        }
    });
    let (one, many) = (Spot::from(&plain[0]), Spot::with(&union.pointer, union.keyword));
    let Some(twin) = twin else {
        return match wrapped {
            Wrapped::Now => walk.tell(&rules::UNION_CHANGED, one, many),
            Wrapped::Before => walk.tell(&rules::UNION_CHANGED, many, one),
        };
    };
    for (_, slot) in union.alternatives.iter().enumerate().filter(|(index, _)| *index != twin) {
        let one = Spot::bare(&plain[0].pointer);
        walk.within(alternative(&label(slot)), |walk| match wrapped {
            Wrapped::Now => walk.tell(&rules::ONE_OF_ADDED, one, slot),
            Wrapped::Before => walk.tell(&rules::ONE_OF_REMOVED, slot, one),
        });
    }
}

/// The property that says which alternative a value is.
pub fn discriminator<'a>(walk: &mut Walk<'a>, old: &mut Shape<'a>, new: &mut Shape<'a>) {
    let words = words(old, new, "discriminator");
    match words.values() {
        (None, Some(_)) => return words.tell(walk, &rules::DISCRIMINATOR_ADDED),
        (Some(_), None) => return words.tell(walk, &rules::DISCRIMINATOR_REMOVED),
        _ => {}
    }
    let pair = words.slots();
    walk.each(&pair, &["propertyName"], &rules::DISCRIMINATOR_PROPERTY_NAME_CHANGED);
    let mapping = pair.key("mapping");
    let sides = joined(mapping.old.entries(), mapping.new.entries());
    for (_, one, two) in sides.kept {
        let pair = Pair { old: one, new: two };
        if !pair.is_same() {
            walk.tell_pair(&rules::DISCRIMINATOR_MAPPING_CHANGED, &pair);
        }
    }
    for (_, one) in sides.removed {
        walk.tell(&rules::DISCRIMINATOR_MAPPING_DELETED, &one, &mapping.new.absent());
    }
    for (_, two) in sides.added {
        walk.tell(&rules::DISCRIMINATOR_MAPPING_ADDED, &mapping.old.absent(), &two);
    }
    walk.rest(&pair, &["propertyName", "mapping"]);
}
