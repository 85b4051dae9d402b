//! Alternatives: `oneOf` and `anyOf`, and the property that says which one it is.

use serde_json::Value;

use super::{does_not_count, schemas, words};
use crate::diff::finding::{Finding, Spot, Step};
use crate::diff::rules::{self, Verdict};
use crate::diff::shape::{Shape, Union};
use crate::diff::slot::{Pair, Slot, joined};
use crate::diff::walk::Walk;

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
        let others: Vec<Slot<'a>> = added.iter().map(|(_, two)| two.clone()).collect();
        match nearest(walk, std::slice::from_ref(&one), &others, Wrapped::Now) {
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
#[derive(Clone, Copy)]
pub enum Wrapped {
    Before,
    Now,
}

/// One schema that became an alternative among others, or the only one left: tells the others, and adds to the shape
/// around the alternatives what the one says. False if the schema is none of them, which is told.
pub fn unwrap<'a>(
    walk: &mut Walk<'a>,
    plain: &[Slot<'a>],
    union: &Union<'a>,
    shape: &mut Shape<'a>,
    wrapped: Wrapped,
) -> bool {
    let (one, many) = (Spot::from(&plain[0]), Spot::with(&union.pointer, union.keyword));
    let Some(twin) = nearest(walk, plain, &union.alternatives, wrapped) else {
        match wrapped {
            Wrapped::Now => walk.tell(&rules::UNION_CHANGED, one, many),
            Wrapped::Before => walk.tell(&rules::UNION_CHANGED, many, one),
        }
        return false;
    };
    for (_, slot) in union.alternatives.iter().enumerate().filter(|(index, _)| *index != twin) {
        let one = Spot::bare(&plain[0].pointer);
        walk.within(alternative(&label(slot)), |walk| match wrapped {
            Wrapped::Now => walk.tell(&rules::ONE_OF_ADDED, one, slot),
            Wrapped::Before => walk.tell(&rules::ONE_OF_REMOVED, slot, one),
        });
    }
    let document = match wrapped {
        Wrapped::Now => walk.new,
        Wrapped::Before => walk.old,
    };
    shape.take("discriminator");
    shape.take_alternative(document, union, twin);
    // the alternative may have alternatives itself
    shape.union.take().is_none_or(|inner| unwrap(walk, plain, &inner, shape, wrapped))
}

/// The alternative that differs least from the schema, null aside; none if each breaks it.
fn nearest<'a>(walk: &mut Walk<'a>, plain: &[Slot<'a>], among: &[Slot<'a>], wrapped: Wrapped) -> Option<usize> {
    let about_null = [&rules::BECAME_NULLABLE, &rules::BECAME_NOT_NULLABLE].map(|rule| rule.name);
    let worst = |walk: &mut Walk<'a>, slot: &Slot<'a>| {
        let slot = std::slice::from_ref(slot);
        let found = walk.probe(|walk| match wrapped {
            Wrapped::Now => schemas(walk, plain, slot),
            Wrapped::Before => schemas(walk, slot, plain),
        });
        let is_null = |finding: &&Finding| about_null.contains(&finding.rule.name) && walk.is_here(&finding.place);
        let counted = found.iter().filter(|finding| !does_not_count(finding) && !is_null(finding));
        counted.map(|finding| finding.verdict).max()
    };
    let verdicts: Vec<(usize, Option<Verdict>)> =
        among.iter().enumerate().map(|(index, slot)| (index, worst(walk, slot))).collect();
    let least = verdicts.into_iter().min_by_key(|(_, verdict)| *verdict)?;
    (least.1 < Some(Verdict::Breaking)).then_some(least.0)
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
