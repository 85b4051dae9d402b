//! The second collection: for each operation and each documented refusal that can be provoked from outside, a request
//! that provokes it. What applies to which operation follows from the document; `recipes.rs` says how each code is
//! provoked, and the coverage here that nothing documented was left out.

mod recipes;

use serde_json::{Value, json};

use self::recipes::{Attempt, RECIPES, Recipe, UNREACHABLE};
use super::answers::Answers;
use super::collection::{Head, envelope, events, folder, folders, id};
use super::operation::{Operation, operations, text};
use super::prepare;
use super::request::address;
use super::schema::inlined;
use super::scripts::{self, Answer};

/// The collection of a document's failures.
pub fn collection(document: &Value) -> Value {
    let operations = operations(document);
    let plan = plan(&operations);
    let items = |operation: &Operation<'_>, last: bool| -> Vec<Value> {
        let own = plan.iter().filter(|(by, recipe)| by.id == operation.id && recipe.last == last);
        own.filter_map(|(operation, recipe)| item(operation, recipe)).collect()
    };
    let mut folders = folders(document, "failures/folder", &|operation| items(operation, false));
    folders.push(folder(id("failures/anywhere"), "Any path", "What is no operation.", anywhere(&operations)));
    let limited: Vec<Value> = operations.iter().flat_map(|operation| items(operation, true)).collect();
    if !limited.is_empty() {
        folders.push(folder(id("failures/limits"), LIMITS, LIMITS_COST, limited));
    }
    envelope(&Head {
        id: id("failures"),
        name: format!("{}: failures", text(&document["info"]["title"])),
        description: description(&operations),
        prepare: prepare::failures(document),
        folders,
    })
}

/// The folder that leaves its traces on the server.
pub const LIMITS: &str = "Rate limits";

const LIMITS_COST: &str = "Each request calls until it is refused, and so uses up what the server allows its address in a \
    minute: send these last, and wait a minute before anything that registers or logs in.";

fn description(operations: &[Operation<'_>]) -> String {
    let mut lines = vec![
        "Each request is refused, and its script checks how: the status, the media type, the headers, the body \
         against its schema, the `code`, and the part of the request that `errors` names. It uses the environment of \
         the other collection; what it needs (an account, a second one, a post) it makes."
            .to_owned(),
        String::new(),
        "Documented, but not to be provoked with a click:".to_owned(),
        String::new(),
    ];
    for reason in UNREACHABLE {
        let is_alone = |by: &&Operation<'_>| reason.of.contains(&by.id) || is_excused(reason.status);
        let by: Vec<&str> = operations
            .iter()
            .filter(|operation| operation.answers_with(reason.status) && is_alone(operation))
            .map(Operation::title)
            .collect();
        let by = if by.is_empty() { String::new() } else { format!(" ({})", by.join(", ")) };
        lines.push(format!("- {} `{}`{by}: {}", reason.status, reason.code, reason.why));
    }
    lines.join("\n")
}

/// Whether no code of a status can be provoked.
fn is_excused(status: u16) -> bool {
    let tried = RECIPES.iter().any(|recipe| recipe.status == status);
    !tried && UNREACHABLE.iter().any(|reason| reason.status == status)
}

/// Which recipe is tried on which operation.
fn plan<'a, 'd>(operations: &'a [Operation<'d>]) -> Vec<(&'a Operation<'d>, &'static Recipe)> {
    let fits = |operation: &Operation<'_>, recipe: &Recipe| {
        operation.answers_with(recipe.status) && Attempt::new(operation, recipe).is_some()
    };
    let mut plan = vec![];
    for recipe in RECIPES {
        let mut fitting: Vec<_> = operations.iter().filter(|operation| fits(operation, recipe)).collect();
        if recipe.once {
            // the plainest one, whatever the order of the document
            fitting.sort_by_key(|operation| (operation.method != "get", operation.segments().len(), operation.id));
            fitting.truncate(1);
        }
        plan.extend(fitting.into_iter().map(|operation| (operation, recipe)));
    }
    plan
}

fn item(operation: &Operation<'_>, recipe: &Recipe) -> Option<Value> {
    let attempt = Attempt::new(operation, recipe)?;
    let status = recipe.status.to_string();
    let (_, answer) = operation.answers().into_iter().find(|(documented, _)| *documented == status)?;
    let answer = Answer::of(operation.document, answer);
    let test = scripts::failure(&answer, recipe.status, recipe.code, attempt.blamed.as_ref());
    Some(json!({
        "id": id(&format!("failures/{}/{}/{}", operation.id, recipe.status, recipe.code)),
        "name": format!("{} {} – {}", recipe.status, recipe.code, operation.title()),
        "event": events(&attempt.before, &test),
        "request": attempt.request,
        "response": [],
    }))
}

/// What a path answers that is not in the document, and a method that a path of it does not take.
fn anywhere(operations: &[Operation<'_>]) -> Vec<Value> {
    let takes = |path: &str, method: &str| operations.iter().any(|o| o.path == path && o.method == method);
    let readable = operations.iter().find(|o| o.method == "get" && !takes(o.path, "delete") && !o.path.contains('{'));
    // every problem has the same body; its headers are those that none lacks
    let refusal = operations.iter().flat_map(Operation::answers).find(|(status, _)| *status == "400");
    let (Some(readable), Some((_, refusal))) = (readable, refusal) else { return vec![] };
    let answer = Answer::of(readable.document, refusal);
    let path: Vec<&str> = readable.path.trim_matches('/').split('/').collect();
    let nowhere: Vec<&str> = path[..path.len() - 1].iter().copied().chain(["no-such-path"]).collect();
    let cases = [(404, "route_not_found", "GET", nowhere, ""), (405, "method_not_allowed", "DELETE", path, ALLOW)];
    let item = |(status, code, method, path, more): (u16, &str, &str, Vec<&str>, &str)| {
        let mut test = scripts::failure(&answer, status, code, None);
        test.extend(more.lines().map(str::to_owned));
        json!({
            "id": id(&format!("failures/anywhere/{code}")),
            "name": format!("{status} {code} – Any path"),
            "event": events(&[], &test),
            "request": {"auth": {"type": "noauth"}, "method": method, "header": [], "url": address(&path, vec![], vec![])},
            "response": [],
        })
    };
    cases.into_iter().map(item).collect()
}

const ALLOW: &str = "pm.test(\"header Allow names what the path takes\", () => \
    pm.expect((pm.response.headers.get(\"Allow\") || \"\").split(\", \")).to.include(\"GET\").and.not.include(\"DELETE\"));";

/// What the document promises and nothing here provokes or excuses; and what is excused or provoked for nothing.
pub fn uncovered(document: &Value) -> Vec<String> {
    let operations = operations(document);
    let plan = plan(&operations);
    let mut faults = vec![];
    for operation in &operations {
        let statuses = operation.answers().into_iter().filter_map(|(status, _)| status.parse::<u16>().ok());
        for status in statuses.filter(|status| (400..500).contains(status)) {
            let tried = plan.iter().any(|(by, recipe)| by.id == operation.id && recipe.status == status);
            let excused = UNREACHABLE.iter().any(|reason| reason.status == status && reason.of.contains(&operation.id));
            if !tried && !excused && !is_excused(status) {
                faults.push(format!("no request provokes {status} of {}", operation.id));
            }
        }
    }
    let known = codes(document);
    let tried = || plan.iter().map(|(_, recipe)| recipe.code).chain(["route_not_found", "method_not_allowed"]);
    for code in &known {
        let excused = UNREACHABLE.iter().any(|reason| reason.code == code);
        match (tried().any(|tried| tried == code), excused) {
            (false, false) => faults.push(format!("no request provokes the code `{code}`")),
            (true, true) => faults.push(format!("the code `{code}` is provoked, and excused")),
            _ => {}
        }
    }
    let named = RECIPES.iter().map(|recipe| recipe.code).chain(UNREACHABLE.iter().map(|reason| reason.code));
    let unknown = named.filter(|code| !known.iter().any(|known| known == code));
    faults.extend(unknown.map(|code| format!("the document has no code `{code}`")));
    faults.into_iter().map(|fault| format!("{fault}: see xtask/src/postman/failures/recipes.rs")).collect()
}

/// Refusals that were seen to name a part of the request, while the request here asks for none.
pub fn unblamed(document: &Value, answers: &Answers) -> Vec<String> {
    let operations = operations(document);
    let plan = plan(&operations).into_iter();
    let lenient = plan.filter(|(operation, recipe)| {
        let asks = Attempt::new(operation, recipe).is_some_and(|attempt| attempt.blamed.is_some());
        !asks && answers.name_a_fault(operation.id, recipe.code)
    });
    lenient
        .map(|(operation, recipe)| {
            let code = recipe.code;
            format!(
                "`{code}` of {} names a part of the request: see xtask/src/postman/failures/recipes.rs",
                operation.id
            )
        })
        .collect()
}

/// Every word that `code` of a problem may be.
fn codes(document: &Value) -> Vec<String> {
    let refusals = operations(document).into_iter().flat_map(|operation| operation.answers());
    let schemas = refusals.filter_map(|(_, answer)| answer["content"].get("application/problem+json"));
    let problem = schemas.map(|media| inlined(document, &media["schema"])).next().unwrap_or_default();
    let words = problem["properties"]["code"]["enum"].as_array().into_iter().flatten();
    words.filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    fn request<'a>(collection: &'a Value, name: &str) -> &'a Value {
        let folders = collection["item"].as_array().into_iter().flatten();
        let mut items = folders.flat_map(|folder| folder["item"].as_array().into_iter().flatten());
        items.find(|item| item["name"] == name).unwrap_or_else(|| panic!("no request {name}"))
    }

    #[test]
    fn each_refusal_differs_from_the_valid_request_in_what_it_is_about() {
        let document = spec::committed().expect("the committed document");
        let all = collection(&document);
        let of = |name: &str| &request(&all, name)["request"];
        assert_eq!(of("401 unauthenticated – List posts")["auth"]["type"], "noauth");
        assert_eq!(of("403 forbidden – Change a post")["auth"]["bearer"][0]["value"], "{{strangerJWT}}");
        assert_eq!(of("404 not_found – Read a post")["url"]["variable"][0]["value"], "9007199254740991");
        assert_eq!(of("428 precondition_required – Delete a post")["header"], json!([]));
        assert!(
            of("400 unknown_parameter – Read a post")["url"]["raw"]
                .as_str()
                .is_some_and(|raw| raw.ends_with("?unknown=1"))
        );
        let body = |name: &str| of(name)["body"].clone();
        assert!(!body("400 invalid – Create a post")["raw"].as_str().expect("JSON").contains("title"));
        assert_eq!(body("400 empty_patch – Change a post")["raw"], "{}");
        assert!(
            body("409 already_voted – Vote for a post")["raw"].as_str().expect("JSON").contains(": {{votedPostId}},")
        );
        let form = body("401 invalid_credentials – Log in")["urlencoded"].clone();
        assert!(form.as_array().expect("a form").iter().any(|field| field["value"] == "not the password"), "{form}");
    }

    #[test]
    fn what_one_operation_shows_for_all_is_asked_once() {
        let document = spec::committed().expect("the committed document");
        let operations = operations(&document);
        let count = |code: &str| plan(&operations).iter().filter(|(_, recipe)| recipe.code == code).count();
        assert_eq!(count("token_signature"), 1);
        assert_eq!(count("unauthenticated"), operations.iter().filter(|operation| !operation.is_public()).count());
    }

    #[test]
    fn the_description_gives_the_reason_for_what_no_click_provokes() {
        let document = spec::committed().expect("the committed document");
        let description = text(&collection(&document)["info"]["description"]).to_owned();
        for reason in UNREACHABLE {
            assert!(
                description.contains(&format!("`{}`", reason.code)) && description.contains(reason.why),
                "{description}"
            );
        }
        assert!(
            description.contains("408 `request_timeout` (Register") && !description.contains("()"),
            "{description}"
        );
    }
}
