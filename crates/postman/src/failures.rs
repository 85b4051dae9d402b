//! The collection of failures: for each operation and each documented error that a client can provoke, a request that
//! provokes it. The document says what applies to which operation, the recipes of the setup how each error code is
//! provoked, and the coverage here that nothing documented is left out.

use serde_json::{Value, json};

use crate::answers::Answers;
use crate::collection::{Head, envelope, events, folder, folders};
use crate::operation::{Operation, operations, text};
use crate::prepare;
use crate::recipe::{Attempt, Recipe, Unreachable};
use crate::request::address;
use crate::schema::inlined;
use crate::scripts::{self, Answer};
use crate::setup::{Anywhere, Failures, Setup};

/// Returns the collection of a document's failures: one request for each operation and each error code that a recipe of
/// the setup provokes.
pub fn failures(document: &Value, setup: &Setup) -> Value {
    let operations = operations(document, setup);
    let plan = plan(&operations, setup);
    let items = |operation: &Operation<'_>, last: bool| -> Vec<Value> {
        let own = plan.iter().filter(|(by, recipe)| by.id == operation.id && recipe.last == last);
        own.filter_map(|(operation, recipe)| item(operation, recipe)).collect()
    };
    let mut folders = folders(document, setup, "failures/folder", &|operation| items(operation, false));
    if let Some(codes) = &setup.failures.anywhere {
        let items = anywhere(&operations, setup, codes);
        folders.push(folder(setup.id("failures/anywhere"), "Any path", "What is no operation.", items));
    }
    let limited: Vec<Value> = operations.iter().flat_map(|operation| items(operation, true)).collect();
    if !limited.is_empty() {
        let last = &setup.failures.last;
        folders.push(folder(setup.id("failures/limits"), &last.name, &last.description, limited));
    }
    envelope(
        setup,
        &Head {
            id: setup.id("failures"),
            name: format!("{}: failures", text(&document["info"]["title"])),
            description: description(&operations, setup),
            prepare: prepare::failures(document, setup),
            checks: scripts::checks(document, plan.iter().filter_map(|(operation, recipe)| answer(operation, recipe))),
            folders,
        },
    )
}

fn description(operations: &[Operation<'_>], setup: &Setup) -> String {
    let mut lines = vec![setup.failures.description.trim_end().to_owned()];
    if !setup.failures.unreachable.is_empty() {
        lines.extend(["", "Documented, but not to be provoked with a click:", ""].map(str::to_owned));
    }
    let plan = plan(operations, setup);
    for reason in sorted(&setup.failures.unreachable, |reason| reason.status) {
        let is_alone = |by: &&Operation<'_>| excuses(reason, by, &plan) || is_excused(setup, reason.status);
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

/// Returns the items by status, those of one status in their order: the order of the resources that declare them.
fn sorted<T>(items: &[T], status: impl Fn(&T) -> u16) -> Vec<&T> {
    let mut items: Vec<&T> = items.iter().collect();
    items.sort_by_key(|item| status(item));
    items
}

/// Returns whether an operation documents the status for this code alone.
fn excuses(reason: &Unreachable, operation: &Operation<'_>, plan: &[(&Operation<'_>, &Recipe)]) -> bool {
    let is_tried = || plan.iter().any(|(by, recipe)| by.id == operation.id && recipe.status == reason.status);
    reason.operations.iter().any(|id| id == operation.id) || reason.everywhere && !is_tried()
}

/// Returns whether no code of a status can be provoked.
fn is_excused(setup: &Setup, status: u16) -> bool {
    let tried = setup.failures.recipes.iter().any(|recipe| recipe.status == status);
    !tried && setup.failures.unreachable.iter().any(|reason| reason.status == status)
}

/// Returns the recipes and the operations they are tried on.
fn plan<'a, 'd>(operations: &'a [Operation<'d>], setup: &'a Setup) -> Vec<(&'a Operation<'d>, &'a Recipe)> {
    let fits = |operation: &Operation<'_>, recipe: &Recipe| {
        operation.answers_with(recipe.status) && Attempt::new(operation, recipe).is_some()
    };
    let mut plan = vec![];
    for recipe in sorted(&setup.failures.recipes, |recipe| recipe.status) {
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
    let answer = answer(operation, recipe)?;
    let test = scripts::failure(&answer, recipe.status, &recipe.code, attempt.blamed.as_ref());
    Some(json!({
        "id": operation.setup.id(&format!("failures/{}/{}/{}", operation.id, recipe.status, recipe.code)),
        "name": format!("{} {} – {}", recipe.status, recipe.code, operation.title()),
        "event": events(&attempt.before, &test),
        "request": attempt.request,
        "response": [],
    }))
}

/// Returns the documented answer that a recipe provokes.
fn answer(operation: &Operation<'_>, recipe: &Recipe) -> Option<Answer> {
    let status = recipe.status.to_string();
    let (_, answer) = operation.answers().into_iter().find(|(documented, _)| *documented == status)?;
    Some(Answer::of(operation.document, answer))
}

/// Returns the requests for a path that the document does not have, and for a method that a path does not take.
fn anywhere(operations: &[Operation<'_>], setup: &Setup, codes: &Anywhere) -> Vec<Value> {
    let takes = |path: &str, method: &str| operations.iter().any(|o| o.path == path && o.method == method);
    let readable = operations.iter().find(|o| o.method == "get" && !takes(o.path, "delete") && !o.path.contains('{'));
    // every problem has the same body; its headers are those that none lacks
    let refusal = operations.iter().flat_map(Operation::answers).find(|(status, _)| *status == "400");
    let (Some(readable), Some((_, refusal))) = (readable, refusal) else { return vec![] };
    let answer = Answer::of(readable.document, refusal);
    let path: Vec<&str> = readable.path.trim_matches('/').split('/').collect();
    let nowhere: Vec<&str> = path[..path.len() - 1].iter().copied().chain(["no-such-path"]).collect();
    let cases = [(404, &*codes.path, "GET", nowhere, ""), (405, &*codes.method, "DELETE", path, ALLOW)];
    let item = |(status, code, method, path, more): (u16, &str, &str, Vec<&str>, &str)| {
        let mut test = scripts::failure(&answer, status, code, None);
        test.extend(more.lines().map(str::to_owned));
        json!({
            "id": setup.id(&format!("failures/anywhere/{code}")),
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

/// Returns the documented statuses and error codes for which the setup has neither a recipe nor a reason, and the recipes
/// and reasons for codes that the document does not have.
pub fn uncovered(document: &Value, setup: &Setup) -> Vec<String> {
    let operations = operations(document, setup);
    let plan = plan(&operations, setup);
    let Failures { recipes, unreachable, anywhere, .. } = &setup.failures;
    let mut faults = vec![];
    for operation in &operations {
        let statuses = operation.answers().into_iter().filter_map(|(status, _)| status.parse::<u16>().ok());
        for status in statuses.filter(|status| (400..500).contains(status)) {
            let tried = plan.iter().any(|(by, recipe)| by.id == operation.id && recipe.status == status);
            let of = |reason: &Unreachable| excuses(reason, operation, &plan);
            let excused = unreachable.iter().any(|reason| reason.status == status && of(reason));
            if !tried && !excused && !is_excused(setup, status) {
                faults.push(format!("no request provokes {status} of {}", operation.id));
            }
        }
    }
    let known = codes(&operations);
    let anywhere = anywhere.iter().flat_map(|codes| [codes.path.as_str(), codes.method.as_str()]);
    let tried = || plan.iter().map(|(_, recipe)| recipe.code.as_str()).chain(anywhere.clone());
    for code in &known {
        let excused = unreachable.iter().any(|reason| reason.code == *code);
        match (tried().any(|tried| tried == code), excused) {
            (false, false) => faults.push(format!("no request provokes the code `{code}`")),
            (true, true) => faults.push(format!("the code `{code}` is provoked, and excused")),
            _ => {}
        }
    }
    let named = recipes.iter().map(|recipe| &recipe.code).chain(unreachable.iter().map(|reason| &reason.code));
    let unknown = named.filter(|code| !known.contains(code));
    faults.extend(unknown.map(|code| format!("the document has no code `{code}`")));
    faults
}

/// Returns the recipes that expect no invalid part of the request in `errors` although a recorded response names one.
pub fn unblamed(document: &Value, setup: &Setup, answers: &Answers) -> Vec<String> {
    let operations = operations(document, setup);
    let plan = plan(&operations, setup).into_iter();
    let lenient = plan.filter(|(operation, recipe)| {
        let asks = Attempt::new(operation, recipe).is_some_and(|attempt| attempt.blamed.is_some());
        !asks && answers.name_a_fault(operation.id, &recipe.code)
    });
    lenient
        .map(|(operation, recipe)| format!("`{}` of {} names a part of the request", recipe.code, operation.id))
        .collect()
}

/// Returns the values of `code` in an error response.
fn codes(operations: &[Operation<'_>]) -> Vec<String> {
    let answers =
        operations.iter().flat_map(|by| by.answers().into_iter().map(move |(_, answer)| (by.document, answer)));
    let schemas = answers.filter_map(|(document, answer)| {
        Some((document, &answer["content"].get("application/problem+json")?["schema"]))
    });
    let problem = schemas.map(|(document, schema)| inlined(document, schema)).next().unwrap_or_default();
    let words = problem["properties"]["code"]["enum"].as_array().into_iter().flatten();
    words.filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        let problem = json!({"content": {"application/problem+json": {"schema": {"properties": {
            "code": {"enum": ["invalid", "not_found", "no_token", "busy"]}}}}}});
        json!({"info": {"title": "Notes"}, "tags": [{"name": "Notes"}], "paths": {
            "/notes": {
                "get": {"operationId": "list_notes", "summary": "List notes", "tags": ["Notes"], "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer"}}],
                    "responses": {"200": {}, "400": problem}},
                "post": {"operationId": "create_note", "summary": "Create a note", "tags": ["Notes"],
                    "security": [{"bearer": []}],
                    "requestBody": {"content": {"application/json": {"example": {"title": "One"}, "schema": {
                        "required": ["title"], "properties": {"title": {"type": "string"}}}}}},
                    "responses": {"201": {}, "400": problem, "401": problem}},
            },
            "/notes/{id}": {"get": {"operationId": "get_note", "summary": "Read a note", "tags": ["Notes"],
                "responses": {"200": {}, "404": problem}}},
        }})
    }

    fn setup() -> Setup {
        let text = "
failures:
  recipes:
    - { status: 400, code: invalid, changes: [{ derive: invalid_body }, { derive: invalid_parameter }] }
    - { status: 401, code: no_token, changes: [{ token: '' }] }
    - { status: 404, code: not_found, changes: [{ derive: unknown_in_path }] }
  unreachable:
    - { status: 503, code: busy, why: it takes load }
";
        Setup::parse(text).expect("a setup")
    }

    fn request(collection: &Value, name: &str) -> Value {
        let found = crate::requests(collection).into_iter().find(|(_, item)| item["name"] == name);
        found.unwrap_or_else(|| panic!("no request {name}")).1["request"].clone()
    }

    #[test]
    fn each_failure_is_the_valid_request_with_one_change() {
        let collection = failures(&document(), &setup());
        assert_eq!(crate::requests(&collection).len(), 4);
        assert_eq!(request(&collection, "400 invalid – Create a note")["body"]["raw"], "{}");
        let list = request(&collection, "400 invalid – List notes");
        assert_eq!(list["url"]["raw"], "{{baseUrl}}/notes?limit=many");
        assert_eq!(request(&collection, "401 no_token – Create a note")["auth"]["type"], "noauth");
        let read = request(&collection, "404 not_found – Read a note");
        assert_eq!(read["url"]["variable"][0]["value"], "9007199254740991");
        assert!(text(&collection["info"]["description"]).contains("- 503 `busy`: it takes load"));
    }

    #[test]
    fn an_uncovered_status_or_code_is_found() {
        let (document, mut setup) = (document(), setup());
        assert_eq!(uncovered(&document, &setup), Vec::<String>::new());
        setup.failures.recipes.retain(|recipe| recipe.code != "no_token");
        setup.failures.unreachable[0].code = "idle".into();
        let wanted = [
            "no request provokes 401 of create_note",
            "no request provokes the code `no_token`",
            "no request provokes the code `busy`",
            "the document has no code `idle`",
        ];
        assert_eq!(uncovered(&document, &setup), wanted);
    }

    #[test]
    fn a_code_of_everywhere_excuses_what_no_recipe_fits() {
        let (mut document, mut setup) = (document(), setup());
        let problem = document["paths"]["/notes"]["get"]["responses"]["400"].clone();
        document["paths"]["/notes/{id}"]["get"]["responses"]["400"] = problem;
        setup.failures.recipes[0].changes.truncate(1);
        let wanted = ["no request provokes 400 of list_notes", "no request provokes 400 of get_note"];
        assert_eq!(uncovered(&document, &setup), wanted);
        setup.failures.unreachable[0].status = 400;
        setup.failures.unreachable[0].everywhere = true;
        assert_eq!(uncovered(&document, &setup), Vec::<String>::new());
        let described = text(&failures(&document, &setup)["info"]["description"]).to_owned();
        assert!(described.contains("- 400 `busy` (List notes, Read a note): it takes load"), "{described}");
    }

    #[test]
    fn a_recorded_response_that_names_a_part_needs_a_blame() {
        let answer = json!({"x": {"operation": "get_note", "status": 404, "media_type": null, "headers": {},
            "request": {"method": "GET", "target": "/notes/1", "headers": {}, "body": null},
            "body": {"code": "not_found", "errors": [{"location": "path.id"}]}}});
        let answers = Answers::parse(&answer.to_string()).expect("answers");
        let wanted = ["`not_found` of get_note names a part of the request"];
        assert_eq!(unblamed(&document(), &setup(), &answers), wanted);
    }
}
