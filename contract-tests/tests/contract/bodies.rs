//! Bodies that arrive in another way than HTTP clients send them: too large, too slow, broken off; and the document's
//! examples. What else can be wrong with a body is derived from the document.

use contract_tests::{ACCORD, Body, Operation, Person, Unnamed, Wire, World, examples, known, root_with_everything};
use futures_util::future::join_all;
use serde_json::{Value, json};

const LARGE: usize = 2 << 20;

/// Root with one of everything, and the state that a bad request could change.
async fn root_and_state(world: &World) -> (Person, String) {
    let root = root_with_everything(world).await;
    let state = state(&root).await;
    (root, state)
}

/// The answers that show the account of a person and all posts.
async fn state(person: &Person) -> String {
    let user = person.get("/api/v1/user").await.expect(200);
    let posts = person.get("/api/v1/posts?with_total=true").await.expect(200);
    format!("{} {}", user.body, posts.body)
}

fn with_body() -> impl Iterator<Item = (&'static Operation, &'static Body)> {
    ACCORD.document().operations.iter().filter_map(|operation| Some((operation, operation.body.as_ref()?)))
}

/// Sends the head of a call to an operation, with one more header, on a connection of its own.
async fn begin(world: &World, root: &Person, (operation, body): (&Operation, &Body), header: (&str, &str)) -> Wire {
    let mut headers = vec![("Content-Type", body.media_type.as_str()), header];
    if operation.protected {
        headers.push(("Authorization", root.authorization.as_deref().unwrap()));
    }
    if operation.takes("header", "If-Match") {
        headers.push(("If-Match", "*"));
    }
    let mut wire = Wire::to(world).await;
    wire.head(&format!("{} {}", operation.method, known(operation)), &headers).await;
    wire
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_however_it_is_sent() {
    let world = World::start(&ACCORD).await;
    let (root, before) = root_and_state(&world).await;
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
            let mut wire = begin(&world, &root, target, header).await;
            wire.send(bytes).await;
            wire.answer().await.refused(413, "payload_too_large");
            assert!(wire.closed().await, "what is left of the body would be read as the next request");
        }
    }
    assert_eq!(state(&root).await, before);
}

#[tokio::test]
async fn a_body_of_just_the_allowed_size_is_read() {
    let world = World::with(&ACCORD, &[("ACCORD_MAX_BODY", "1000")]).await;
    let root = world.log_in("root").await;
    let post = |size: usize| {
        let post = json!({ "title": "A post", "content": "x" }).to_string();
        format!("{post:size$}")
    };
    root.post("/api/v1/posts").body("application/json", post(1000)).await.expect(201);
    root.post("/api/v1/posts").body("application/json", post(1001)).await.refused(413, "payload_too_large");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let world = World::with(&ACCORD, &[("ACCORD_BODY_TIMEOUT", "1")]).await;
    let (root, before) = root_and_state(&world).await;
    let stalled = with_body().map(async |target| {
        let mut wire = begin(&world, &root, target, ("Content-Length", "100")).await;
        wire.send("{\"title\"").await;
        wire.answer().await.refused(408, "request_timeout");
        assert!(wire.closed().await, "what is left of the body would be read as the next request");
    });
    join_all(stalled).await;
    assert_eq!(state(&root).await, before);
}

#[tokio::test]
async fn a_body_that_breaks_off_writes_nothing() {
    let world = World::start(&ACCORD).await;
    let (root, before) = root_and_state(&world).await;
    for (operation, body) in with_body() {
        let mut wire = begin(&world, &root, (operation, body), ("Content-Length", "1000")).await;
        wire.send(body.write(&body.example)).await;
    }
    assert_eq!(state(&root).await, before);
}

#[test]
fn every_example_of_the_document_is_valid() {
    let check = |place: &str, content: &Value| {
        let found = examples(content);
        assert!(!found.is_empty(), "{place} has no example");
        for example in found {
            let faults = ACCORD.document().faults(&content["schema"], Unnamed::Refused, &example);
            assert!(faults.is_empty(), "the example of {place}: {}", faults.join("\n"));
        }
    };
    for operation in &ACCORD.document().operations {
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
