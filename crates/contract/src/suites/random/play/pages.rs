//! A list that comes in pages: everything is in it once, in its order.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::document::Operation;
use crate::exchange::Answer;
use crate::suites::draft::{Change, Draft, encode, plain};
use crate::suites::expression;
use crate::suites::failure::Failure;
use crate::suites::person::Person;
use crate::suites::server::Server;

/// Pages of one walk at most: one that does not end is a failure, too.
const PAGES: usize = 50;

/// Makes things, deletes some, and walks through the list of the rest.
pub async fn pages(
    server: &Server<'_>,
    operation: &Operation,
    (items, deleted): (usize, usize),
    limit: usize,
    order: Option<&str>,
) -> Result<(), Failure> {
    let list = &server.plan.setup.lists[&operation.id];
    let caller = server.somebody(operation, true).await?;
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

/// The items that a walk has met.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_order_is_seen() {
        let items = |values: [i64; 3]| values.map(|value| json!({ "stars": value })).to_vec();
        assert!(is_ordered(&items([3, 3, 1]), "-stars"));
        assert!(!is_ordered(&items([3, 3, 1]), "stars"));
        assert!(is_ordered(&[json!({ "at": "a" }), json!({ "at": "b" })], "at"));
    }
}
