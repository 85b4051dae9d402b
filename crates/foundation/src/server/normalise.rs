//! What poem-openapi writes, turned into what a contract needs. Each function is one correction, and says why.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::auth::access::{self, Access};
use crate::declared::{self, List};
use crate::error::{Code, Error, FieldError};
use crate::http::parameters as shared;
use crate::resources::idempotency;

/// U+0000 is refused wherever a client sends text: PostgreSQL cannot store it, SQLite would.
pub const NO_NUL: &str = "^[^\\u0000]*$";

const PROBLEM: &str = "application/problem+json";

/// Every response header there is: name, description, example.
const HEADERS: &[(&str, &str, &str)] = &[
    ("Cache-Control", "`no-store`: the answer is not for caches", "no-store"),
    (
        "ETag",
        "Strong entity tag of the representation (RFC 9110); send it in `If-Match` or `If-None-Match`",
        "\"3-9f86d081884c7d65\"",
    ),
    ("Location", "Path of what was created", ""),
    (
        "RateLimit",
        "What is left of each limit: `r` calls now, and one more within `t` seconds \
         (draft-ietf-httpapi-ratelimit-headers); absent where the server is set to have no limits",
        "\"address\";r=29;t=2, \"account\";r=28;t=2",
    ),
    (
        "RateLimit-Policy",
        "The limits: `q` calls in `w` seconds, of this `address` or of this `account`; `logins` are wrong passwords",
        "\"address\";q=30;w=60, \"account\";q=30;w=60",
    ),
    ("Retry-After", "Seconds to wait before the next try", "1"),
    ("WWW-Authenticate", "How to authenticate (RFC 6750)", ""),
    (
        "X-Request-Id",
        "Names this request in the server's log; your own is kept if it has at most 64 characters of `A-Za-z0-9._-`",
        "4f2a9c1b7d3e4a5f8c6b0d9e2f1a3b5c",
    ),
];

/// Every error answer there is: status, name, when, an example's code.
const FAILURES: &[(&str, &str, &str, Code)] = &[
    ("400", "BadRequest", "The request breaks a rule of this document; `errors` says where", Code::INVALID),
    ("401", "Unauthorized", "No credentials, or bad ones", Code::UNAUTHENTICATED),
    ("403", "Forbidden", "The caller is known, but may not do this", Code::FORBIDDEN),
    ("404", "NotFound", "It does not exist, or the caller may not know that it does", Code::NOT_FOUND),
    ("408", "RequestTimeout", "The body did not arrive in time", Code::REQUEST_TIMEOUT),
    ("409", "Conflict", "It contradicts the present state", Code::EMAIL_IN_USE),
    ("412", "PreconditionFailed", "`If-Match` names another version than the present one", Code::PRECONDITION_FAILED),
    ("413", "PayloadTooLarge", "The body is too large", Code::PAYLOAD_TOO_LARGE),
    (
        "415",
        "UnsupportedMediaType",
        "The body is of a media type that the operation does not take",
        Code::UNSUPPORTED_MEDIA_TYPE,
    ),
    (
        "422",
        "UnprocessableContent",
        "`Idempotency-Key` was used with another request in the last 24 hours",
        Code::IDEMPOTENCY_KEY_REUSED,
    ),
    ("428", "PreconditionRequired", "`If-Match` is missing", Code::PRECONDITION_REQUIRED),
    (
        "429",
        "TooManyRequests",
        "The address or the account has called this operation too often, or tried too many passwords",
        Code::RATE_LIMITED,
    ),
    (
        "5XX",
        "ServerFault",
        "A fault of the server, or its database is away; with 503 a retry may help",
        Code::DATABASE_UNAVAILABLE,
    ),
];

/// An operation with limits declares it.
const LIMITED: &str = "429";

/// Headers of every answer of an operation that is limited.
const LIMITS: &[&str] = &["RateLimit", "RateLimit-Policy"];

/// The path of a single object: each answer that shows one links to the operations that take its identifier and ETag.
#[derive(Debug, Clone, Copy)]
pub struct Thing {
    /// The path in the document, such as `/api/v1/groups/{id}`.
    pub path: &'static str,
    /// The name in the names of links, such as `Group`.
    pub name: &'static str,
    /// The variable of the path, and the field of the answer with its value.
    pub variable: &'static str,
}

/// A part of a sentence that a resource adds to the description of an operation of another resource.
#[derive(Debug, Clone, Copy)]
pub struct Note {
    /// The `operationId`.
    pub operation: &'static str,
    /// The part of a sentence that takes its place at `{notes}` in the description.
    pub text: &'static str,
}

static THINGS: List<Thing> = List::new();
static NOTES: List<Note> = List::new();
static EXAMPLE: List<Thing> = List::new();

/// Completes the lists of things and notes.
pub(crate) fn complete(things: Vec<Thing>, notes: Vec<Note>, example: Thing) {
    THINGS.complete(things);
    NOTES.complete(notes);
    EXAMPLE.complete(vec![example]);
}

/// What the operations of a thing do with it, by their method.
const LINKS: &[(&str, &str, &str, &str, &str)] = &[
    ("get", "Get", "Read it again", "If-None-Match", ", or learn that it is unchanged"),
    ("put", "Replace", "Replace it", "If-Match", " in the version just read"),
    ("patch", "Update", "Change it", "If-Match", " in the version just read"),
    ("delete", "Delete", "Delete it", "If-Match", " in the version just read"),
];

/// All corrections, in order.
pub fn normalise(mut document: Value) -> Value {
    // what it is in fact: the few things that 3.0.3 clarified hold for it
    document["openapi"] = json!("3.0.3");
    tidy(&mut document);
    let mut paths = document["paths"].take();
    for (_, item) in entries(&mut paths) {
        entries(item).for_each(|(_, operation)| shared_parameters(operation));
    }
    let things: Vec<_> = THINGS.get().iter().map(|thing| (thing.path, links(&paths, thing))).collect();
    for (path, item) in entries(&mut paths) {
        // of the thing itself, or of the list that it is added to
        let thing = things
            .iter()
            .find(|(thing, _)| thing == path || thing.rsplit_once('/').is_some_and(|(list, _)| list == path));
        for (method, operation) in entries(item) {
            let access = security(operation);
            add_notes(operation);
            parameters(operation);
            responses(operation, access, thing.map(|(_, links)| links));
            if method == "patch" || method == "put" {
                bodies_of_changes(&mut document, operation, method == "put");
            }
        }
    }
    document["paths"] = paths;
    order_tags(&mut document);
    requests_are_closed(&mut document);
    answers_have_every_nullable_field(&mut document);
    let schemas = document["components"]["schemas"].clone();
    nullable_references(&mut document, &schemas);
    components(&mut document);
    let scopes = access::scopes().into_iter().map(|(name, description)| (name.to_owned(), json!(description)));
    document["components"]["securitySchemes"]["oauth2"]["flows"]["password"]["scopes"] = scopes.collect();
    drop_unused(&mut document);
    in_order(&document, "")
}

fn entries(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flat_map(Map::iter_mut)
}

/// Whole numbers as integers (`5.0` makes clients lose the type), one `$ref` in `allOf`, UTC as `Z`, the name and the title
/// of the application in place of `{application-name}` and `{application-title}`, no noise.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for key in ["minimum", "maximum", "multipleOf"] {
                if let Some(number) = map.get(key).and_then(Value::as_f64).filter(|number| number.fract() == 0.0) {
                    map.insert(key.into(), json!(number as i64));
                }
            }
            if let Some(Value::Array(parts)) = map.get_mut("allOf") {
                // the second part repeats what stands beside
                parts.retain(|part| part.get("$ref").is_some());
            }
            if map.get("deprecated") == Some(&json!(false)) {
                map.remove("deprecated");
            }
            // the component's name says it
            if map.get("type") == Some(&json!("object")) {
                map.remove("title");
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::String(text) if text.ends_with("+00:00") && text.len() >= 25 => {
            *text = text.replace("+00:00", "Z");
        }
        Value::String(text) if text.contains("{application-") => {
            *text =
                text.replace("{application-name}", declared::name()).replace("{application-title}", declared::title());
        }
        _ => {}
    }
}

/// The place in a description at which other resources add what they do in the operation.
const NOTES_HERE: &str = "{notes}";

/// Adds the notes of other resources to the description of an operation.
fn add_notes(operation: &mut Value) {
    let Some(description) = operation["description"].as_str().filter(|text| text.contains(NOTES_HERE)) else { return };
    let notes = NOTES.get().iter().filter(|note| operation["operationId"] == note.operation).map(|note| note.text);
    operation["description"] = description.replace(NOTES_HERE, &notes.collect::<String>()).into();
}

/// A handler states its rule by one word; the document says it as a scheme and its scope. `[{}]` would say "anonymous
/// allowed"; `[]` says "public", which is meant.
fn security(operation: &mut Value) -> Access {
    let word = operation["security"][0].as_object().and_then(|one| one.keys().next());
    let access = word.and_then(|word| Access::of(word)).unwrap_or(Access::Public);
    let scopes: Vec<_> = access.scope().into_iter().collect();
    operation["security"] = if access == Access::Public { json!([]) } else { json!([{ "oauth2": scopes }]) };
    access
}

/// Puts shared parameters in the place of their placeholders.
fn shared_parameters(operation: &mut Value) {
    if let Some(parameters) = operation["parameters"].as_array_mut() {
        let own = |parameter: Value| shared::documented(&parameter).unwrap_or_else(|| vec![parameter]);
        *parameters = std::mem::take(parameters).into_iter().flat_map(own).collect();
    }
}

/// `explode` only where it is the default; text without U+0000.
fn parameters(operation: &mut Value) {
    for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
        if let Some(map) = parameter.as_object_mut() {
            map.remove("explode");
        }
        no_nul(&mut parameter["schema"]);
    }
    if operation["parameters"].is_null()
        && let Some(map) = operation.as_object_mut()
    {
        map.remove("parameters");
    }
}

/// The failures that follow from the operation's shape, each as a reference; headers with their real names.
fn responses(operation: &mut Value, access: Access, links: Option<&Value>) {
    let mut by_shape = vec!["400", "5XX"];
    if access != Access::Public {
        by_shape.push("401");
    }
    // an account may be disabled, or unverified
    if !matches!(access, Access::Public | Access::LoggedIn) {
        by_shape.push("403");
    }
    if operation.get("requestBody").is_some() {
        by_shape.extend(["408", "413", "415"]);
    }
    let parameters = operation["parameters"].as_array();
    if parameters.into_iter().flatten().any(|parameter| parameter["name"] == idempotency::HEADER) {
        by_shape.extend(["409", "422"]);
    }
    let Some(declared) = operation["responses"].as_object_mut() else { return };
    for status in by_shape {
        declared.insert(status.into(), Value::Null);
    }
    let limited = declared.contains_key(LIMITED);
    let mut sorted: Vec<_> = std::mem::take(declared).into_iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    for (status, mut response) in sorted {
        if let Some((_, name, ..)) = FAILURES.iter().find(|(failure, ..)| *failure == status) {
            response = json!({ "$ref": format!("#/components/responses/{name}") });
        } else {
            success(&mut response, limited);
        }
        declared.insert(status, response);
    }
    // what one operation returns is what another takes
    for status in ["200", "201"] {
        if let (Some(response), Some(links)) = (declared.get_mut(status), links)
            && (response["headers"].get("ETag").is_some() || status == "201")
        {
            response["links"] = links.clone();
        }
    }
}

/// poem-openapi writes header names in capitals.
fn success(response: &mut Value, limited: bool) {
    let mut headers = Map::new();
    let declared: Vec<String> = entries(&mut response["headers"]).map(|(name, _)| name.to_lowercase()).collect();
    for (name, ..) in HEADERS {
        if *name == "X-Request-Id" || (limited && LIMITS.contains(name)) || declared.contains(&name.to_lowercase()) {
            headers.insert((*name).into(), header_reference(name));
        }
    }
    response["headers"] = Value::Object(headers);
}

fn header_reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

fn links(paths: &Value, Thing { path, name: thing, variable }: &Thing) -> Value {
    let link = |(method, verb, description, header, version): &(&str, &str, &str, &str, &str)| {
        let operation = paths[*path].get(*method)?;
        let mut parameters = json!({ *variable: format!("$response.body#/{variable}") });
        let mut description = (*description).to_owned();
        if operation["parameters"].as_array().into_iter().flatten().any(|parameter| parameter["name"] == *header) {
            parameters[format!("header.{header}")] = json!("$response.header.ETag");
            description += version;
        }
        let link = json!({
            "operationId": operation["operationId"],
            "description": description,
            "parameters": parameters,
        });
        Some((format!("{verb}{thing}"), link))
    };
    // what lies below the thing needs no tag
    let below = paths.as_object().into_iter().flatten().filter(|(below, _)| {
        below.strip_prefix(*path).is_some_and(|rest| rest.starts_with('/') && !rest.contains('{'))
    });
    let operations = below.flat_map(|(_, item)| item.as_object().into_iter().flatten());
    let link_below = |(_, operation): (&String, &Value)| {
        let id = operation["operationId"].as_str()?;
        let parameters = json!({ *variable: format!("$response.body#/{variable}") });
        let link = json!({ "operationId": id, "description": operation["summary"], "parameters": parameters });
        Some((id.split('_').map(capitalised).collect(), link))
    };
    Value::Object(LINKS.iter().filter_map(link).chain(operations.filter_map(link_below)).collect())
}

/// `group` → `Group`
fn capitalised(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

/// PATCH names at least one field; PUT names every one.
fn bodies_of_changes(document: &mut Value, operation: &Value, whole: bool) {
    let Some(name) = operation.pointer("/requestBody/content/application~1json/schema/$ref").and_then(Value::as_str)
    else {
        return;
    };
    let Some(schema) = document.pointer_mut(name.trim_start_matches('#')) else { return };
    if whole {
        schema["required"] = names(&schema["properties"]);
    } else {
        schema["minProperties"] = json!(1);
    }
}

fn names(properties: &Value) -> Value {
    properties.as_object().into_iter().flatten().map(|(name, _)| json!(name)).collect()
}

/// The chapters that the paths use, in the order in which they use them.
fn order_tags(document: &mut Value) {
    let mut used: Vec<String> = vec![];
    for (_, item) in entries(&mut document["paths"]) {
        for (_, operation) in entries(item) {
            let tag = operation["tags"][0].as_str().unwrap_or_default().to_owned();
            if !used.contains(&tag) {
                used.push(tag);
            }
        }
    }
    if let Some(tags) = document["tags"].as_array_mut() {
        tags.retain(|tag| used.iter().any(|name| tag["name"] == name.as_str()));
        tags.sort_by_key(|tag| used.iter().position(|name| tag["name"] == name.as_str()));
    }
}

/// Objects that clients send take no unknown fields (request validation rejects them) and no U+0000.
fn requests_are_closed(document: &mut Value) {
    for name in reachable(document, |operation| operation.get("requestBody").cloned()) {
        let schema = &mut document["components"]["schemas"][name];
        if schema["type"] == "object" {
            schema["additionalProperties"] = json!(false);
            for (_, property) in entries(&mut schema["properties"]) {
                no_nul(property);
            }
        }
    }
}

/// 3.0.3: `nullable` counts only beside a `type`, so that of what is referred to is repeated.
fn nullable_references(value: &mut Value, schemas: &Value) {
    match value {
        Value::Object(map) => {
            if map.get("nullable") == Some(&json!(true))
                && let Some(name) = map.get("allOf").and_then(|parts| parts[0]["$ref"].as_str())
                && let Some(name) = name.strip_prefix("#/components/schemas/")
            {
                map.insert("type".into(), schemas[name]["type"].clone());
            }
            map.values_mut().for_each(|value| nullable_references(value, schemas));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| nullable_references(item, schemas)),
        _ => {}
    }
}

fn no_nul(schema: &mut Value) {
    let has = |key: &str| schema.get(key).is_some();
    if schema["type"] == "string" && !has("enum") && !has("pattern") {
        schema["pattern"] = json!(NO_NUL);
    }
    // indexing has put a null where there was no type
    if schema["type"].is_null()
        && let Some(map) = schema.as_object_mut()
    {
        map.remove("type");
    }
}

/// serde writes `null` where a nullable field has no value, so the field is always there. Fields that may be
/// absent are never null.
fn answers_have_every_nullable_field(document: &mut Value) {
    for name in reachable(document, |operation| operation.get("responses").cloned()) {
        let schema = &mut document["components"]["schemas"][name];
        let Some(properties) = schema["properties"].as_object() else { continue };
        let required: BTreeSet<_> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let always =
            |(name, property): &(&String, &Value)| required.contains(name.as_str()) || property["nullable"] == true;
        let names: Value = properties.iter().filter(always).map(|(name, _)| json!(name)).collect();
        schema["required"] = names;
        // 3.0.3: a list of none is no list
        if schema["required"] == json!([])
            && let Some(map) = schema.as_object_mut()
        {
            map.remove("required");
        }
    }
}

/// The names of the schemas that a part of the operations leads to.
fn reachable(document: &Value, part: impl Fn(&Value) -> Option<Value>) -> BTreeSet<String> {
    let items = document["paths"].as_object().into_iter().flatten().filter_map(|(_, item)| item.as_object());
    let mut todo: Vec<Value> = items.flatten().filter_map(|(_, operation)| part(operation)).collect();
    let mut found = BTreeSet::new();
    while let Some(value) = todo.pop() {
        for reference in references(&value) {
            if let Some(name) = reference.strip_prefix("#/components/schemas/")
                && found.insert(name.to_owned())
            {
                todo.push(document["components"]["schemas"][name].clone());
            }
        }
    }
    found
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => {
            let own = map.get("$ref").and_then(Value::as_str).map(Into::into);
            own.into_iter().chain(map.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => vec![],
    }
}

/// Headers and failures stand once and are referred to.
fn components(document: &mut Value) {
    let header = |(name, description, example): &(&str, &str, &str)| {
        let mut schema = json!({ "type": "string" });
        if *name == "ETag" {
            schema["pattern"] = json!("^\"[0-9]+-[0-9a-f]{16}\"$");
        }
        match *name {
            "RateLimit" => schema["pattern"] = json!("^(\"[a-z]+\";r=[0-9]+;t=[0-9]+(, )?)+$"),
            "RateLimit-Policy" => schema["pattern"] = json!("^(\"[a-z]+\";q=[0-9]+;w=[0-9]+(, )?)+$"),
            _ => {}
        }
        if *name == "Retry-After" {
            schema = json!({ "type": "integer", "minimum": 1 });
        }
        let example = match *name {
            "Retry-After" => json!(1),
            "WWW-Authenticate" => json!(format!("Bearer realm=\"{}\"", declared::name())),
            "Location" => json!(EXAMPLE.get()[0].path.replace(&format!("{{{}}}", EXAMPLE.get()[0].variable), "1")),
            _ => json!(example),
        };
        let mut header = json!({ "description": description, "schema": schema, "example": example });
        // a server may be set to have none
        if !LIMITS.contains(name) {
            header["required"] = json!(true);
        }
        ((*name).to_owned(), header)
    };
    let operations = document["paths"].as_object().into_iter().flatten().filter_map(|(_, item)| item.as_object());
    let answers = operations.flatten().filter_map(|(_, operation)| operation["responses"].as_object());
    let limited = answers.filter(|answers| answers.contains_key(LIMITED)).flat_map(|answers| answers.keys().cloned());
    let limited: BTreeSet<String> = limited.collect();
    let failure = |(status, name, description, code): &(&str, &str, &str, Code)| {
        let mut headers = Map::new();
        headers.insert("Cache-Control".into(), header_reference("Cache-Control"));
        headers.insert("X-Request-Id".into(), header_reference("X-Request-Id"));
        for name in LIMITS.iter().filter(|_| limited.contains(*status)) {
            headers.insert((*name).into(), header_reference(name));
        }
        match *status {
            "401" => headers.insert("WWW-Authenticate".into(), header_reference("WWW-Authenticate")),
            "429" => headers.insert("Retry-After".into(), header_reference("Retry-After")),
            _ => None,
        };
        if *status == "5XX" {
            // a 500 has none
            let description = "Seconds to wait before the next try; with 503";
            let header =
                json!({ "description": description, "schema": { "type": "integer", "minimum": 1 }, "example": 1 });
            headers.insert("Retry-After".into(), header);
        }
        let content =
            json!({ PROBLEM: { "schema": { "$ref": "#/components/schemas/Problem" }, "example": example(*code) } });
        ((*name).to_owned(), json!({ "description": description, "headers": headers, "content": content }))
    };
    let components = &mut document["components"];
    components["headers"] = Value::Object(HEADERS.iter().map(header).collect());
    components["responses"] = Value::Object(FAILURES.iter().map(failure).collect());
    components["schemas"]["Problem"]["example"] = example(Code::INVALID);
    // a code that a later version adds is no breaking change: clients fall back on the status
    components["schemas"]["Code"]["x-extensible-enum"] = json!(true);
}

fn example(code: Code) -> Value {
    let error = match code {
        Code::INVALID => Error::fields(code, vec![FieldError::body("/title", "must not be empty")]),
        Code::NOT_FOUND => Error::not_found(EXAMPLE.get()[0].name, 99),
        code => Error::new(code, code.title().to_owned() + "."),
    };
    serde_json::to_value(error.problem("4f2a9c1b7d3e4a5f8c6b0d9e2f1a3b5c")).expect("plain data")
}

/// Components that nothing refers to only confuse.
fn drop_unused(document: &mut Value) {
    loop {
        let used: BTreeSet<_> = references(document).into_iter().collect();
        let mut dropped = false;
        for kind in ["schemas", "responses", "headers"] {
            let Some(map) = document["components"][kind].as_object_mut() else { continue };
            let before = map.len();
            map.retain(|name, _| used.contains(&format!("#/components/{kind}/{name}")));
            dropped |= map.len() != before;
        }
        if !dropped {
            return;
        }
    }
}

/// The order of keys within an object; others follow by name.
const ORDER: &[&str] = &[
    "openapi",
    "operationId",
    "name",
    "in",
    "$ref",
    "type",
    "format",
    "title",
    "summary",
    "description",
    "version",
    "contact",
    "license",
    "tags",
    "deprecated",
    "security",
    "servers",
    "required",
    "nullable",
    "schema",
    "parameters",
    "requestBody",
    "headers",
    "content",
    "links",
    "responses",
];

/// Canonical order: keys of the language as in [`ORDER`]; names that people chose (paths and their methods, properties,
/// statuses, examples) as they were declared.
fn in_order(value: &Value, parent: &str) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<_> = map.iter().collect();
            // the methods of a path, too
            let chosen = parent.starts_with('/')
                || matches!(
                    parent,
                    "paths" | "properties" | "responses" | "example" | "default" | "schemas" | "mapping" | "scopes"
                );
            if parent.is_empty() {
                let top = ["openapi", "info", "servers", "tags", "paths", "components"];
                pairs.sort_by_key(|(key, _)| top.iter().position(|known| known == key).unwrap_or(top.len()));
            } else if !chosen {
                let rank = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
                pairs.sort_by(|(a, _), (b, _)| rank(a).cmp(&rank(b)).then(a.cmp(b)));
            }
            Value::Object(pairs.into_iter().map(|(key, value)| (key.clone(), in_order(value, key))).collect())
        }
        Value::Array(items) => items.iter().map(|item| in_order(item, "[]")).collect(),
        other => other.clone(),
    }
}
