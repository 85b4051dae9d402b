//! Bodies that are refused: every operation that takes one, with everything that can be wrong; nothing of it is written.

use contract_tests::{Body, Operation, Person, Unnamed, Wire, World, document, examples};
use futures_util::future::join_all;
use serde_json::{Value, json};

const LARGE: usize = 2 << 20;

/// Ann, who has one post; and all that a bad request of hers could change.
async fn ann_with_a_post(world: &World) -> (Person, String) {
    let ann = world.ann().await;
    ann.writes("A post").await;
    let state = ann.state().await;
    (ann, state)
}

fn with_body() -> impl Iterator<Item = (&'static Operation, &'static Body)> {
    document().operations.iter().filter_map(|operation| Some((operation, operation.body.as_ref()?)))
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
            let call = operation.bare(&ann, operation.target("1"));
            call.body(&body.media_type, bytes.clone()).await.refused(400, code);
        }
    }
    assert_eq!(ann.state().await, before);
}

/// Values of a property that break one rule of its schema each; none leaves it out.
fn broken(body: &Body, name: &str, schema: &Value) -> Vec<Option<Value>> {
    let required = body.schema["required"].as_array().is_some_and(|names| names.contains(&json!(name)));
    let number = |key: &str| schema[key].as_i64();
    let long = |length: i64| Value::from("x".repeat(usize::try_from(length).unwrap()));
    let mut values: Vec<Option<Value>> = vec![];
    if required {
        values.push(None);
    }
    values.extend(number("minLength").filter(|length| *length > 0).map(|length| Some(long(length - 1))));
    values.extend(number("maxLength").map(|length| Some(long(length + 1))));
    if schema["type"] == "string" {
        let word = if schema["enum"].is_null() { "before\0after" } else { "nonsense" };
        values.push(Some(json!(word)));
    }
    if schema["format"] == "email" {
        let addresses = [
            "nonsense",
            "@example.com",
            "a@b",
            "a b@example.com",
            "a@example.com\n",
            "a@-example.com",
            "ü@example.com",
        ];
        values.extend(addresses.map(|address| Some(json!(address))));
    }
    // a form knows texts only
    if !body.is_json() {
        return values;
    }
    if schema["nullable"] != true {
        values.push(Some(json!(null)));
    }
    values.extend(number("minimum").map(|minimum| Some(json!(minimum - 1))));
    values.extend(number("maximum").filter(|maximum| *maximum < i64::MAX).map(|maximum| Some(json!(maximum + 1))));
    let others = match schema["type"].as_str() {
        Some("string") => vec![json!(1), json!(true), json!(["x"]), json!({ "x": 1 })],
        Some("integer") => vec![json!("1"), json!(1.5), json!(true), json!([1]), json!(1e300), json!(u64::MAX)],
        Some("boolean") => vec![json!("true"), json!(1), json!([])],
        other => panic!("{name}: these tests know no {other:?}"),
    };
    values.extend(others.into_iter().map(Some));
    values
}

#[tokio::test]
async fn every_rule_of_a_body_is_enforced_where_it_is_broken() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    for (operation, body) in with_body() {
        for (name, schema) in body.schema["properties"].as_object().unwrap() {
            for value in broken(body, name, schema) {
                let mut sent = body.example.clone();
                match value {
                    Some(value) => sent[name] = value,
                    None => drop(sent.as_object_mut().unwrap().remove(name)),
                }
                let call = operation.bare(&ann, operation.target("1"));
                let answer = call.body(&body.media_type, body.write(&sent)).await;
                answer.refused(400, "invalid").blames(&format!("body/{name}"));
            }
        }
    }
    assert_eq!(ann.state().await, before);
}

#[tokio::test]
async fn a_field_that_an_operation_does_not_take_is_refused() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    let strange =
        ["nonsense", "id", "role", "owner_id", "owner", "votes", "version", "created_at", "password_hash", "a/b~c", ""];
    for (operation, body) in with_body() {
        for name in strange.into_iter().filter(|name| body.schema["properties"].get(name).is_none()) {
            let mut sent = body.example.clone();
            sent[name] = json!("1");
            let call = operation.bare(&ann, operation.target("1"));
            let answer = call.body(&body.media_type, body.write(&sent)).await.refused(400, "unknown_field");
            answer.blames(&format!("body/{}", name.replace('~', "~0").replace('/', "~1")));
        }
    }
    assert_eq!(ann.state().await, before);
}

#[tokio::test]
async fn a_change_without_a_field_is_refused() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    for (operation, body) in with_body().filter(|(_, body)| !body.schema["minProperties"].is_null()) {
        let call = operation.bare(&ann, operation.target("1"));
        call.body(&body.media_type, "{}").await.refused(400, "empty_patch").blames("body");
    }
    assert_eq!(ann.state().await, before);
}

#[tokio::test]
async fn a_body_of_another_media_type_is_refused() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    for (operation, body) in with_body() {
        let (bare, content) = (|| operation.bare(&ann, operation.target("1")), body.write(&body.example));
        let other = if body.is_json() { "application/x-www-form-urlencoded" } else { "application/json" };
        let others = [
            "",
            "text/plain",
            "application/jsonx",
            "application/merge-patch+json",
            "multipart/form-data",
            "nonsense",
            other,
        ];
        for media_type in others {
            bare().body(media_type, content.clone()).await.refused(415, "unsupported_media_type");
        }
        let packed = bare().header("Content-Encoding", "gzip").body(&body.media_type, content);
        packed.await.refused(415, "unsupported_media_type");
    }
    assert_eq!(ann.state().await, before);
}

#[tokio::test]
async fn a_media_type_may_have_parameters() {
    let world = World::start().await;
    let ann = world.ann().await;
    let post = json!({ "title": "Grüße", "content": "ä" }).to_string();
    let sent = ann.post("/api/v1/posts").body("Application/JSON; charset=utf-8", post).await.expect(201);
    assert_eq!(sent.text("/title"), "Grüße");
}

/// Sends the head of a call to an operation, with one more header, on a connection of its own.
async fn begin(world: &World, ann: &Person, (operation, body): (&Operation, &Body), header: (&str, &str)) -> Wire {
    let mut headers = vec![("Content-Type", body.media_type.as_str()), header];
    if operation.protected {
        headers.push(("Authorization", ann.authorization.as_deref().unwrap()));
    }
    if operation.takes("header", "If-Match") {
        headers.push(("If-Match", "*"));
    }
    let mut wire = Wire::to(world).await;
    wire.head(&format!("{} {}", operation.method, operation.target("1")), &headers).await;
    wire
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_however_it_is_sent() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    let large = vec![b' '; LARGE];
    let chunk = [format!("{LARGE:x}\r\n").as_bytes(), &large, b"\r\n0\r\n\r\n"].concat();
    let length = LARGE.to_string();
    let cases: [((&str, &str), &[u8]); 3] = [
        (("Content-Length", &length), &large),
        (("Transfer-Encoding", "chunked"), &chunk),
        // only announced: the answer does not wait for it
        (("Content-Length", "99999999999999"), b""),
    ];
    for target in with_body() {
        for (header, bytes) in cases {
            let mut wire = begin(&world, &ann, target, header).await;
            wire.send(bytes).await;
            wire.answer().await.refused(413, "payload_too_large");
            assert!(wire.closed().await, "what is left of the body would be read as the next request");
        }
    }
    assert_eq!(ann.state().await, before);
}

#[tokio::test]
async fn a_body_of_just_the_allowed_size_is_read() {
    let world = World::with(&[("ACCORD_MAX_BODY", "1000")]).await;
    let ann = world.ann().await;
    let post = |size: usize| {
        let post = json!({ "title": "A post", "content": "x" }).to_string();
        format!("{post:size$}")
    };
    ann.post("/api/v1/posts").body("application/json", post(1000)).await.expect(201);
    ann.post("/api/v1/posts").body("application/json", post(1001)).await.refused(413, "payload_too_large");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let world = World::with(&[("ACCORD_BODY_TIMEOUT", "1")]).await;
    let (ann, before) = ann_with_a_post(&world).await;
    let stalled = with_body().map(async |target| {
        let mut wire = begin(&world, &ann, target, ("Content-Length", "100")).await;
        wire.send("{\"title\"").await;
        wire.answer().await.refused(408, "request_timeout");
        assert!(wire.closed().await, "what is left of the body would be read as the next request");
    });
    join_all(stalled).await;
    assert_eq!(ann.state().await, before);
}

#[tokio::test]
async fn a_body_that_breaks_off_writes_nothing() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    for (operation, body) in with_body() {
        let mut wire = begin(&world, &ann, (operation, body), ("Content-Length", "1000")).await;
        wire.send(body.write(&body.example)).await;
    }
    assert_eq!(ann.state().await, before);
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
            let content = json!({ "schema": body.schema, "example": body.example });
            check(&format!("the body of {}", operation.id), &content);
        }
        for (status, response) in &operation.responses {
            for (media_type, content) in response["content"].as_object().into_iter().flatten() {
                check(&format!("{} {status} {media_type}", operation.id), content);
            }
        }
    }
}
