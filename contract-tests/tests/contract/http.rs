//! The manners of HTTP: HEAD, OPTIONS, slashes, request ids, other origins, and calls that come too often.

use std::collections::BTreeSet;
use std::time::Duration;

use contract_tests::{ACCORD, Story, Wire, World, known, root_with_everything};
use insta::assert_yaml_snapshot;
use serde_json::json;

#[tokio::test]
async fn what_is_served_beside_the_document_is_for_reading_only() {
    let world = World::start(&ACCORD).await;
    for path in
        ["/", "/docs", "/openapi.json", "/openapi.yaml", "/postman.json", "/health/live", "/health/ready", "/metrics"]
    {
        let get = world.nobody().get(path).await.expect(200);
        let head = world.nobody().call("HEAD", path).await.expect(200);
        assert_eq!((head.bytes.len(), head.header("Content-Type")), (0, get.header("Content-Type")), "{path}");
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let answer = world.nobody().call(method, path).await.refused(405, "method_not_allowed");
            assert_eq!(answer.header("Allow"), Some("GET, HEAD, OPTIONS"), "{path}");
        }
        world.nobody().call("OPTIONS", path).await.expect(204);
    }
}

#[tokio::test]
async fn head_answers_what_get_would_without_the_content() {
    let world = World::start(&ACCORD).await;
    let root = root_with_everything(&world).await;
    for operation in ACCORD.document().operations.iter().filter(|operation| operation.method == "GET") {
        for person in [&root, &world.nobody()] {
            for target in [known(operation), operation.target("99"), format!("{}?nonsense=1", known(operation))] {
                let get = person.get(&target).await;
                let head = person.call("HEAD", &target).await.expect(get.status);
                assert!(head.bytes.is_empty());
                for name in ["Content-Type", "ETag", "WWW-Authenticate", "Cache-Control"] {
                    assert_eq!(head.header(name), get.header(name), "{target} {name}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_slash_at_the_end_makes_no_difference() {
    let world = World::start(&ACCORD).await;
    let root = root_with_everything(&world).await;
    for operation in ACCORD.document().operations.iter().filter(|operation| operation.method == "GET") {
        let path = known(operation);
        let (without, with) = (root.get(&path).await.expect(200), root.get(format!("{path}/")).await.expect(200));
        assert_eq!(without.body, with.body, "{path}");
    }
    let post = json!({ "title": "A post", "content": "x" });
    root.post("/api/v1/posts/").json(&post).await.expect(201);
    root.get("/api/v1/posts/?limit=1").await.expect(200);
    root.get("/api/v1/posts/1/?nonsense=1").await.refused(400, "unknown_parameter");
    for path in [
        "/api/v1/posts//",
        "//api/v1/posts",
        "/api//v1/posts",
        "/api/v1/posts/1/2",
        "/api/v1",
        "/api/v1/Posts",
        "/docs/nothing",
    ] {
        root.get(path).await.refused(404, "route_not_found");
    }
}

#[tokio::test]
async fn a_path_that_is_no_text_is_no_fault_of_the_server() {
    let world = World::start(&ACCORD).await;
    for target in [
        "/%FF",
        "/%00",
        "/%",
        "/api/v1/%FF",
        "/api/v1/posts%2F1",
        "/\u{1}",
        "/ä",
        "/api/v1/posts/..%2f..%2fetc",
        "/{id}",
        "*",
        "nonsense",
    ] {
        let mut wire = Wire::to(&world).await;
        wire.send(format!("GET {target} HTTP/1.1\r\nHost: accord\r\nConnection: close\r\n\r\n")).await;
        let status = wire.status().await;
        assert!((400..500).contains(&status), "{target}: {status}");
    }
}

#[tokio::test]
async fn a_request_keeps_its_own_id_if_that_is_plain() {
    let world = World::start(&ACCORD).await;
    for id in ["my-request.1_A", "x", &"a".repeat(64)] {
        let answer = world.nobody().get("/api/v1/info").header("X-Request-Id", id).await.expect(200);
        assert_eq!(answer.header("X-Request-Id"), Some(id));
        world.nobody().get("/api/v1/user").header("X-Request-Id", id).await.expect(401);
    }
    let mut ids = BTreeSet::new();
    for id in ["", "two words", "new\tline", "ä", "<script>", &"a".repeat(65)] {
        let answer = world.nobody().get("/api/v1/info").header("X-Request-Id", id).await.expect(200);
        ids.insert(answer.header("X-Request-Id").unwrap().to_owned());
    }
    assert_eq!(ids.len(), 6, "{ids:?}");
    assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())), "{ids:?}");
}

#[tokio::test]
async fn only_listed_origins_may_call_from_a_browser() {
    let origins = "https://app.example.com, http://localhost:5173";
    let (world, mut story) = (World::with(&ACCORD, &[("ACCORD_CORS_ORIGINS", origins)]).await, Story::default());
    let nobody = world.nobody();
    let preflight = |origin: &str| {
        let call = nobody.call("OPTIONS", "/api/v1/posts/1").header("Origin", origin);
        call.header("Access-Control-Request-Method", "PATCH").header("Access-Control-Request-Headers", "if-match")
    };
    story.tell("a browser asks for a listed origin", preflight("https://app.example.com")).await;
    let listed = nobody.get("/api/v1/info").header("Origin", "http://localhost:5173");
    story.tell("a listed origin reads", listed).await;
    story
        .tell("it reads what went wrong, too", nobody.get("/api/v1/user").header("Origin", "http://localhost:5173"))
        .await;
    story.tell("another origin is not told of any right", preflight("https://evil.example")).await;
    story
        .tell("and its browser hides the answer", nobody.get("/api/v1/info").header("Origin", "https://evil.example"))
        .await;
    for origin in ["null", "https://app.example.com.evil.example", "http://app.example.com", "https://APP.example.com"]
    {
        let answer = nobody.get("/api/v1/info").header("Origin", origin).await.expect(200);
        assert_eq!(answer.header("Access-Control-Allow-Origin"), None, "{origin}");
        assert!(answer.header("Vary").unwrap_or_default().contains("Origin"), "a cache would mix them up");
    }
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn without_a_list_no_other_origin_may_call() {
    let world = World::start(&ACCORD).await;
    let answer = world.nobody().get("/api/v1/info").header("Origin", "https://app.example.com").await.expect(200);
    assert_eq!(answer.header("Access-Control-Allow-Origin"), None);
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let world = World::start(&ACCORD).await;
    let mut wire = Wire::to(&world).await;
    for _ in 0..3 {
        wire.head("GET /api/v1/info", &[]).await;
        wire.answer().await.expect(200);
    }
}

#[tokio::test]
async fn a_client_that_sends_no_request_is_not_waited_for() {
    let world = World::with(&ACCORD, &[("ACCORD_HEADER_TIMEOUT", "1")]).await;
    let mut wire = Wire::to(&world).await;
    wire.send("GET /api/v1/info HTTP/1.1\r\nHost:").await;
    assert!(wire.closed().await, "the connection stays open");
}

#[tokio::test]
async fn of_two_headers_that_decide_none_is_chosen() {
    let world = World::start(&ACCORD).await;
    let ann = world.log_in("ann").await;
    let token = ann.authorization.as_deref().unwrap();
    let mut wire = Wire::to(&world).await;
    wire.head("GET /api/v1/user", &[("Authorization", token), ("Authorization", token)]).await;
    wire.answer().await.refused(401, "token_malformed");
    wire.head("GET /api/v1/info", &[("Host", "another")]).await;
    wire.answer().await.refused(400, "invalid");
    let twice = [("Authorization", token), ("If-None-Match", "\"a\""), ("If-None-Match", "\"b\"")];
    wire.head("GET /api/v1/posts/1", &twice).await;
    let refused = wire.answer().await.refused(400, "invalid");
    assert_eq!(refused.body["errors"][0]["location"], "header.If-None-Match");
}

#[tokio::test]
async fn a_refusal_is_short_whatever_was_sent() {
    let world = World::start(&ACCORD).await;
    let names: Vec<_> = (0..5000).map(|number| format!("x{number}=1")).collect();
    let refused =
        world.nobody().get(format!("/api/v1/info?{}", names.join("&"))).await.refused(400, "unknown_parameter");
    assert!(refused.bytes.len() < 10_000, "{} bytes", refused.bytes.len());
    let name = "x".repeat(50_000);
    let refused = world.nobody().get(format!("/api/v1/info?{name}=1")).await.refused(400, "unknown_parameter");
    assert!(refused.bytes.len() < 1_000, "{} bytes", refused.bytes.len());
}

#[tokio::test]
async fn a_client_that_reads_nothing_does_not_keep_its_connection() {
    let world = World::with(&ACCORD, &[("ACCORD_WRITE_TIMEOUT", "1"), ("ACCORD_MAX_CONNECTIONS", "1")]).await;
    let mut silent = Wire::to(&world).await;
    for _ in 0..10 {
        // more than the buffers between the two hold
        silent.head("GET /docs/swagger-ui.js", &[]).await;
    }
    // the one connection there is becomes free again
    for _ in 0..200 {
        let mut wire = Wire::to(&world).await;
        wire.head("GET /api/v1/info", &[]).await;
        if wire.answer().await.status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the silent client keeps its connection");
}

#[tokio::test]
async fn an_operation_called_too_often_says_when_to_come_back() {
    let world = World::with(&ACCORD, &[("ACCORD_RATE_LIMIT", "2")]).await;
    // one of her two calls to authenticate
    let ann = world.log_in("ann").await;
    for operation in ACCORD.document().operations.iter().filter(|operation| operation.responses.contains_key("429")) {
        ann.call_operation(operation, "1").await;
        if operation.id != "authenticate" {
            let second = ann.call_operation(operation, "1").await;
            assert_ne!(second.status, 429, "{second}");
        }
        let refused = ann.call_operation(operation, "1").await.refused(429, "rate_limited");
        let seconds: u64 = refused.header("Retry-After").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        // nobody is let in by being refused
        ann.call_operation(operation, "1").await.refused(429, "rate_limited");
    }
    for _ in 0..10 {
        world.nobody().get("/api/v1/info").await.expect(200);
        ann.get("/api/v1/user").await.expect(200);
    }
}
