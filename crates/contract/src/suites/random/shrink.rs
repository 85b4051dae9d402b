//! Makes a scenario that fails as small as it can be: fewer steps, fewer changes, simpler values.

use crate::exchange::Request;
use crate::suites::draft::Change;
use crate::suites::failure::Failure;
use crate::suites::random::play::{play, simpler};
use crate::suites::random::scenario::{Scenario, Step};
use crate::suites::server::Server;

/// Attempts at most: the last ones hardly make it smaller.
const ATTEMPTS: usize = 120;

/// A scenario that fails, its failure, and what was sent.
pub struct Small {
    pub scenario: Scenario,
    pub failure: Failure,
    pub trail: Vec<Request>,
}

/// The smallest scenario found that fails by the same check.
pub async fn shrink(server: &Server<'_>, scenario: Scenario, failure: Failure) -> Small {
    let mut small = Small { scenario, failure, trail: server.trail() };
    let mut attempts = 0;
    'smaller: loop {
        for candidate in smaller(&small.scenario) {
            attempts += 1;
            if attempts > ATTEMPTS {
                return small;
            }
            server.trail();
            if let Err(failure) = play(server, &candidate).await
                && failure.check == small.failure.check
                && failure.sentence == small.failure.sentence
            {
                small = Small { scenario: candidate, failure, trail: server.trail() };
                continue 'smaller;
            }
        }
        return small;
    }
}

/// Scenarios that are a little smaller, the boldest first.
fn smaller(scenario: &Scenario) -> Vec<Scenario> {
    match scenario {
        Scenario::Combination { operation, choices } => {
            let combination = |choices| Scenario::Combination { operation: operation.clone(), choices };
            let fewer = without_one(choices).into_iter().map(combination);
            let mut found: Vec<Scenario> = fewer.collect();
            for (index, choice) in choices.iter().enumerate() {
                for changes in simpler_changes(&choice.changes) {
                    let mut choices = choices.clone();
                    if let Some(Change::Body(pointer, Some(value))) = changes.last() {
                        choices[index].id = format!("body{pointer} = {value}");
                    }
                    choices[index].changes = changes;
                    found.push(combination(choices));
                }
            }
            found
        }
        Scenario::Sequence { fixture, maker, steps } => {
            let sequence = |steps| Scenario::Sequence { fixture: fixture.clone(), maker: maker.clone(), steps };
            let half = steps[..steps.len() / 2].to_vec();
            let mut found: Vec<Scenario> = std::iter::once(half)
                .filter(|half| half.len() < steps.len())
                .chain(without_one(steps))
                .map(sequence)
                .collect();
            for (index, step) in steps.iter().enumerate() {
                if let Step::Update(operation, Some(_)) = step {
                    let mut steps = steps.clone();
                    steps[index] = Step::Update(operation.clone(), None);
                    found.push(sequence(steps));
                }
            }
            found
        }
        Scenario::Pages { list, items, deleted, limit, order } => {
            let pages = |items: usize, deleted: usize, limit: usize, order: Option<String>| Scenario::Pages {
                list: list.clone(),
                items,
                deleted: deleted.min(items),
                limit,
                order,
            };
            let fewer = (*items > 0).then(|| pages(items - 1, *deleted, *limit, order.clone()));
            let kept = (*deleted > 0).then(|| pages(*items, deleted - 1, *limit, order.clone()));
            let shorter = (*limit > 1).then(|| pages(*items, *deleted, limit - 1, order.clone()));
            let unordered = order.is_some().then(|| pages(*items, *deleted, *limit, None));
            [fewer, kept, unordered, shorter].into_iter().flatten().collect()
        }
        Scenario::Ended { operation, then } => {
            without_one(then).into_iter().map(|then| Scenario::Ended { operation: operation.clone(), then }).collect()
        }
    }
}

fn without_one<T: Clone>(list: &[T]) -> Vec<Vec<T>> {
    let without = |index: usize| [&list[..index], &list[index + 1..]].concat();
    (0..list.len()).rev().map(without).collect()
}

/// The changes with a simpler value.
fn simpler_changes(changes: &[Change]) -> Vec<Vec<Change>> {
    let Some((Change::Body(pointer, Some(value)), before)) = changes.split_last() else { return vec![] };
    let with = |value| before.iter().cloned().chain([Change::Body(pointer.clone(), Some(value))]).collect();
    simpler(value).into_iter().map(with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_smaller_comes_to_an_end() {
        let steps = vec![Step::Read("get".into()), Step::Update("put".into(), None), Step::Delete("delete".into())];
        let mut scenario = Scenario::Sequence { fixture: "book".into(), maker: "create".into(), steps };
        for _ in 0..10 {
            match smaller(&scenario).into_iter().next() {
                Some(next) => scenario = next,
                None => return,
            }
        }
        panic!("{scenario}");
    }
}
