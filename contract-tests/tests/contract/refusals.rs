//! Bad requests: every operation of the document, with everything that can be wrong; nothing of it is written.

use contract_tests::{Answer, Body, Operation, Person, Unnamed, Wire, World, document, examples};
use futures_util::future::join_all;
use serde_json::{Value, json};

const LARGE: usize = 2 << 20;

/// Ann, who has one post; and all that a bad request could change.
async fn ann_with_a_post(world: &World) -> (Person, String) {
    let ann = world.ann().await;
    ann.writes("A post").await;
    let state = state(&ann).await;
    (ann, state)
}

async fn state(ann: &Person) -> String {
    let (user, posts) =
        (ann.get("/api/v1/user").await.expect(200), ann.get("/api/v1/posts?with_total=true").await.expect(200));
    format!("{} {}", user.body, posts.body)
}

fn with_body() -> impl Iterator<Item = (&'static Operation, &'static Body)> {
    document().operations.iter().filter_map(|operation| Some((operation, operation.body.as_ref()?)))
}

/// A schema, with what stands in the one part of its `allOf`.
fn flat(schema: &Value) -> Value {
    let mut flat = schema.clone();
    if let Some(part) = schema["allOf"][0].as_object() {
        for (key, value) in part {
            flat[key] = value.clone();
        }
    }
    flat
}

/// Whether each fault of the answer is in this place.
#[track_caller]
fn assert_only(answer: &Answer, key: &str, place: &str) {
    let errors = answer.body["errors"].as_array().unwrap_or_else(|| panic!("no errors: {answer}"));
    assert!(!errors.is_empty() && errors.iter().all(|error| error[key] == place), "expected {place}: {answer}");
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    let json: Vec<(Vec<u8>, &str)> = vec![
        (b"".into(), "malformed_body"),
        (b" \n".into(), "malformed_body"),
        (b"{".into(), "malformed_body"),
        (b"{} {}".into(), "malformed_body"),
        (b"{'a': 1}".into(), "malformed_body"),
        (b"{\"a\": 1,}".into(), "malformed_body"),
        (b"{\"a\": NaN}".into(), "malformed_body"),
        (b"{\"title\": \"a\", \"title\": \"b\"}".into(), "malformed_body"),
        (b"{\"title\": \"\xff\"}".into(), "malformed_body"),
        (b"{\"title\": \"\x00\"}".into(), "malformed_body"),
        (b"{\"title\": \"\\ud800\"}".into(), "malformed_body"),
        (b"\xef\xbb\xbf{}".into(), "malformed_body"),
        ("[".repeat(100_000).into(), "malformed_body"),
        (format!("{{\"title\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000)).into(), "malformed_body"),
        (format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)).into(), "malformed_body"),
        (b"[]".into(), "invalid"),
        (b"null".into(), "invalid"),
        (b"1".into(), "invalid"),
        (b"\"{}\"".into(), "invalid"),
    ];
    let form: Vec<(Vec<u8>, &str)> = vec![
        (b"".into(), "malformed_body"),
        (b"grant_type=password&grant_type=password".into(), "malformed_body"),
        (b"grant_type=\xff".into(), "malformed_body"),
        (b"grant_type=%FF".into(), "malformed_body"),
        (b"grant_type=%".into(), "malformed_body"),
        (b"{\"grant_type\": \"password\"}".into(), "invalid"),
    ];
    for (operation, body) in with_body() {
        for (bytes, code) in if body.is_json() { &json } else { &form } {
            let answer = operation.bare_call(&ann, "1").body(&body.media_type, bytes.clone()).await;
            answer.refused(400, code);
        }
    }
    assert_eq!(state(&ann).await, before);
}

/// Bodies that break one rule of the schema each: what is broken, the body, where the fault is.
fn broken(body: &Body) -> Vec<(String, Value, String)> {
    let schema = flat(&body.schema);
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let mut all = vec![];
    for (name, property) in schema["properties"].as_object().unwrap() {
        let (property, pointer) = (flat(property), format!("/{name}"));
        let mut add = |what: &str, value: Option<Value>| {
            let mut sent = body.example.clone();
            match value {
                Some(value) => sent[name] = value,
                None => drop(sent.as_object_mut().unwrap().remove(name)),
            }
            all.push((format!("{name}: {what}"), sent, pointer.clone()));
        };
        if required.contains(&json!(name)) {
            add("missing", None);
        }
        let number = |key: &str| property[key].as_i64();
        let text = property["type"] == "string";
        let free = text && property["enum"].is_null();
        if text && !property["enum"].is_null() {
            add("another word", Some(json!("nonsense")));
        }
        if let Some(length) = number("minLength").filter(|length| *length > 0) {
            add("too short", Some("x".repeat(length as usize - 1).into()));
        }
        if let Some(length) = number("maxLength") {
            add("too long", Some("x".repeat(length as usize + 1).into()));
        }
        if free {
            add("NUL", Some(json!("before\0after")));
        }
        if property["format"] == "email" {
            for address in ["nonsense", "@example.com", "a@b", "a b@example.com", "a@example.com\n", "a@-example.com"] {
                add("no address", Some(json!(address)));
            }
        }
        if !body.is_json() {
            continue;
        }
        if property["nullable"] != true {
            add("null", Some(json!(null)));
        }
        let others = match property["type"].as_str() {
            Some("string") => vec![json!(1), json!(true), json!(["x"]), json!({ "x": 1 })],
            Some("integer") => {
                vec![json!("1"), json!(1.5), json!(true), json!([1]), json!(1e300), json!(u64::MAX), json!(-1e300)]
            }
            Some("boolean") => vec![json!("true"), json!(1), json!([])],
            other => panic!("{name}: these tests know no {other:?}"),
        };
        for other in others {
            add("another type", Some(other));
        }
        if let Some(minimum) = number("minimum") {
            add("too small", Some(json!(minimum - 1)));
        }
        if let Some(maximum) = number("maximum").filter(|maximum| *maximum < i64::MAX) {
            add("too large", Some(json!(maximum + 1)));
        }
    }
    all
}

#[tokio::test]
async fn every_rule_of_a_body_is_enforced_where_it_is_broken() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    for (operation, body) in with_body() {
        for (what, sent, pointer) in broken(body) {
            let answer = operation.bare_call(&ann, "1").body(&body.media_type, body.write(&sent)).await;
            assert_eq!((answer.status, &answer.body["code"]), (400, &json!("invalid")), "{what}: {answer}");
            assert_only(&answer, "pointer", &pointer);
            assert_only(&answer, "location", "body");
        }
    }
    assert_eq!(state(&ann).await, before);
}

#[tokio::test]
async fn a_field_that_an_operation_does_not_take_is_refused() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    for (operation, body) in with_body() {
        let known = flat(&body.schema)["properties"].as_object().unwrap().clone();
        let strange = [
            "nonsense",
            "id",
            "role",
            "owner_id",
            "owner",
            "votes",
            "version",
            "created_at",
            "password_hash",
            "a/b~c",
            "",
        ];
        for name in strange.into_iter().filter(|name| !known.contains_key(*name)) {
            let mut sent = body.example.clone();
            sent[name] = json!("1");
            let answer = operation.bare_call(&ann, "1").body(&body.media_type, body.write(&sent)).await;
            let answer = answer.refused(400, "unknown_field");
            assert_only(&answer, "pointer", &format!("/{}", name.replace('~', "~0").replace('/', "~1")));
        }
    }
    assert_eq!(state(&ann).await, before);
}

#[tokio::test]
async fn a_change_without_a_field_is_refused() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    for (operation, body) in with_body().filter(|(_, body)| !flat(&body.schema)["minProperties"].is_null()) {
        operation.bare_call(&ann, "1").body(&body.media_type, "{}").await.refused(400, "empty_patch");
    }
    assert_eq!(state(&ann).await, before);
}

#[tokio::test]
async fn a_body_of_another_media_type_is_refused() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    for (operation, body) in with_body() {
        let content = body.write(&body.example);
        let other = if body.is_json() { "application/x-www-form-urlencoded" } else { "application/json" };
        for media_type in [
            "",
            "text/plain",
            "application/jsonx",
            "application/merge-patch+json",
            "multipart/form-data; boundary=x",
            "nonsense",
            other,
        ] {
            let answer = operation.bare_call(&ann, "1").body(media_type, content.clone()).await;
            answer.refused(415, "unsupported_media_type");
        }
        let packed = operation.bare_call(&ann, "1").header("Content-Encoding", "gzip");
        packed.body(&body.media_type, content).await.refused(415, "unsupported_media_type");
    }
    assert_eq!(state(&ann).await, before);
}

#[tokio::test]
async fn a_media_type_may_have_parameters() {
    let world = World::start().await;
    let ann = world.ann().await;
    let post = json!({ "title": "Grüße", "content": "ä" }).to_string();
    let sent = ann.post("/api/v1/posts").body("Application/JSON; charset=utf-8", post).await.expect(201);
    assert_eq!(sent.text("/title"), "Grüße");
}

/// The headers of a call that a [`Wire`] sends.
fn headers<'a>(operation: &Operation, body: &'a Body, ann: &'a Person) -> Vec<(&'a str, &'a str)> {
    let mut headers = vec![("Content-Type", body.media_type.as_str())];
    if operation.protected {
        headers.push(("Authorization", ann.authorization.as_deref().unwrap()));
    }
    if operation.takes("header", "If-Match") {
        headers.push(("If-Match", "*"));
    }
    headers
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_however_it_is_sent() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    let large = vec![b' '; LARGE];
    let chunk = [format!("{:x}\r\n", large.len()).as_bytes(), &large, b"\r\n0\r\n\r\n"].concat();
    for (operation, body) in with_body() {
        let (request_line, headers) =
            (format!("{} {}", operation.method, operation.target("1")), headers(operation, body, &ann));
        let length = large.len().to_string();
        let cases: [(&str, &str, &[u8]); 3] = [
            ("Content-Length", &length, &large),
            ("Transfer-Encoding", "chunked", &chunk),
            // only announced: the answer does not wait for it
            ("Content-Length", "99999999999999", b""),
        ];
        for (name, value, bytes) in cases {
            let mut wire = Wire::to(&world).await;
            wire.head(&request_line, &[&headers[..], &[(name, value)]].concat()).await;
            wire.send(bytes).await;
            wire.answer().await.refused(413, "payload_too_large");
        }
    }
    assert_eq!(state(&ann).await, before);
}

#[tokio::test]
async fn a_body_of_just_the_allowed_size_is_read() {
    let world = World::with(&[("ACCORD_MAX_BODY", "1000")]).await;
    let ann = world.ann().await;
    let post = |size: usize| {
        let post = json!({ "title": "A post", "content": "x" }).to_string();
        post.clone() + &" ".repeat(size - post.len())
    };
    ann.post("/api/v1/posts").body("application/json", post(1000)).await.expect(201);
    ann.post("/api/v1/posts").body("application/json", post(1001)).await.refused(413, "payload_too_large");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let world = World::with(&[("ACCORD_BODY_TIMEOUT", "1")]).await;
    let (ann, before) = ann_with_a_post(&world).await;
    let stalled = with_body().map(async |(operation, body)| {
        let (request_line, headers) =
            (format!("{} {}", operation.method, operation.target("1")), headers(operation, body, &ann));
        let mut wire = Wire::to(&world).await;
        wire.head(&request_line, &[&headers[..], &[("Content-Length", "100")]].concat()).await;
        wire.send("{\"title\"").await;
        wire.answer().await.refused(408, "request_timeout")
    });
    join_all(stalled).await;
    assert_eq!(state(&ann).await, before);
}

#[tokio::test]
async fn a_body_that_breaks_off_writes_nothing() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    for (operation, body) in with_body().filter(|(operation, _)| operation.id != "delete_user") {
        let mut wire = Wire::to(&world).await;
        let headers = headers(operation, body, &ann);
        wire.head(
            &format!("{} {}", operation.method, operation.target("1")),
            &[&headers[..], &[("Content-Length", "1000")]].concat(),
        )
        .await;
        wire.send(body.write(&body.example)).await;
    }
    assert_eq!(state(&ann).await, before);
}

#[tokio::test]
async fn a_query_parameter_that_an_operation_does_not_take_is_refused() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    for operation in &document().operations {
        for (query, name) in
            [("nonsense=1", "nonsense"), ("Limit=1", "Limit"), ("nonsense", "nonsense"), ("%00=1", "\0"), ("=1", "")]
        {
            let call = ann.call(&operation.method, format!("{}?{query}", operation.target("1")));
            let call = if operation.takes("header", "If-Match") { call.header("If-Match", "*") } else { call };
            let call = match &operation.body {
                Some(body) => call.body(&body.media_type, body.write(&body.example)),
                None => call,
            };
            let answer = call.await.refused(400, "unknown_parameter");
            assert_only(&answer, "location", &format!("query.{name}"));
        }
    }
    assert_eq!(state(&ann).await, before);
}

#[tokio::test]
async fn every_rule_of_a_query_parameter_is_enforced() {
    let world = World::start().await;
    let (ann, _) = ann_with_a_post(&world).await;
    for operation in &document().operations {
        for parameter in operation.parameters.iter().filter(|parameter| parameter.place == "query") {
            let (name, schema) = (&parameter.name, flat(&parameter.schema));
            let number = |key: &str| schema[key].as_i64();
            let mut values: Vec<String> = vec!["%FF".into(), "%".into(), "%2".into(), "%00".into()];
            values.extend(number("minimum").map(|minimum| (minimum - 1).to_string()));
            values.extend(number("maximum").and_then(|maximum| maximum.checked_add(1)).map(|above| above.to_string()));
            values
                .extend(number("minLength").filter(|length| *length > 0).map(|length| "x".repeat(length as usize - 1)));
            values.extend(number("maxLength").map(|length| "x".repeat(length as usize + 1)));
            let others: &[&str] = match schema["type"].as_str() {
                Some("integer") => &[
                    "",
                    "x",
                    "1.5",
                    "1e1",
                    "+1",
                    "01",
                    "%201",
                    "0x1",
                    "1,2",
                    "9223372036854775808",
                    "99999999999999999999",
                ],
                Some("boolean") => &["", "1", "yes", "TRUE", "null"],
                Some("string") if !schema["enum"].is_null() => &["", "nonsense"],
                _ => &[],
            };
            values.extend(others.iter().map(|value| (*value).to_owned()));
            for value in values {
                let answer =
                    ann.call(&operation.method, format!("{}?{name}={value}", operation.target("1"))).await.expect(400);
                assert_only(&answer, "location", &format!("query.{name}"));
            }
            let valid = schema["enum"][0].as_str().unwrap_or(if schema["type"] == "boolean" { "true" } else { "1" });
            let twice = ann.call(&operation.method, format!("{}?{name}={valid}&{name}={valid}", operation.target("1")));
            assert_only(&twice.await.refused(400, "invalid"), "location", &format!("query.{name}"));
        }
    }
}

#[tokio::test]
async fn a_header_that_is_too_long_is_refused() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    for operation in &document().operations {
        for parameter in operation.parameters.iter().filter(|parameter| parameter.place == "header") {
            let Some(length) = flat(&parameter.schema)["maxLength"].as_u64() else { continue };
            let call = ann
                .call(&operation.method, operation.target("1"))
                .header(&parameter.name, &"x".repeat(length as usize + 1));
            let call = match &operation.body {
                Some(body) => call.body(&body.media_type, body.write(&body.example)),
                None => call,
            };
            let answer = call.await.refused(400, "invalid");
            assert_only(&answer, "location", &format!("header.{}", parameter.name));
        }
    }
    assert_eq!(state(&ann).await, before);
}

#[tokio::test]
async fn an_id_that_is_none_is_refused_and_an_unknown_one_not_found() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    let with_id = document().operations.iter().filter(|operation| operation.path.ends_with("/{id}"));
    for operation in with_id {
        for id in [
            "abc",
            "-1",
            "0",
            "1.5",
            "+1",
            "01",
            "1e0",
            "%201",
            "9223372036854775808",
            "99999999999999999999",
            "%FF",
            "%00",
            "%",
            "1%00",
            "%D9%A1",
        ] {
            let answer = operation.call(&ann, id).await.refused(400, "invalid");
            assert_only(&answer, "location", "path.id");
        }
        for id in ["2", "9223372036854775807"] {
            let answer = operation.call(&ann, id).await.refused(404, "not_found");
            assert_eq!(answer.text("/detail"), format!("Post {id} not found."));
        }
    }
    assert_eq!(state(&ann).await, before);
}

#[tokio::test]
async fn a_change_must_name_the_version_it_is_of() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    for operation in document().operations.iter().filter(|operation| operation.takes("header", "If-Match")) {
        let call = |id: &str| {
            let call = ann.call(&operation.method, operation.target(id));
            match &operation.body {
                Some(body) => call.body(&body.media_type, body.write(&body.example)),
                None => call,
            }
        };
        call("1").await.refused(428, "precondition_required");
        call("99").await.refused(428, "precondition_required");
        for tag in ["\"x\"", "\"0-0123456789abcdef\""] {
            call("1").header("If-Match", tag).await.refused(412, "precondition_failed");
        }
    }
    assert_eq!(state(&ann).await, before);
}

#[tokio::test]
async fn an_operation_called_too_often_says_when_to_come_back() {
    let world = World::with(&[("ACCORD_RATE_LIMIT", "2")]).await;
    let ann = world.ann().await;
    for operation in &document().operations {
        let limited = operation.responses.contains_key("429");
        let mut refused = None;
        for _ in 0..3 {
            let answer = operation.bare_call(&ann, "1").body("text/plain", "").await;
            refused = (answer.status == 429).then_some(answer);
        }
        let Some(refused) = refused else {
            assert!(!limited, "{} knows no limit", operation.id);
            continue;
        };
        let answer = refused.refused(429, "rate_limited");
        let seconds: u64 = answer.header("Retry-After").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        if operation.id == "log_out" || operation.id == "delete_user" {
            return;
        }
    }
}

#[test]
fn every_example_of_the_document_is_valid() {
    let check = |place: &str, content: &Value| {
        let found = examples(content);
        assert!(!found.is_empty(), "{place} has no example");
        for example in found {
            let faults = document().faults(&content["schema"], Unnamed::Refused, &example);
            assert!(faults.is_empty(), "the example of {place}: {}", faults.join("\n"));
        }
    };
    for operation in &document().operations {
        if let Some(body) = &operation.body {
            check(&format!("the body of {}", operation.id), &json!({ "schema": body.schema, "example": body.example }));
        }
        for (status, response) in &operation.responses {
            for (media_type, content) in response["content"].as_object().into_iter().flatten() {
                check(&format!("{} {status} {media_type}", operation.id), content);
            }
        }
    }
}
