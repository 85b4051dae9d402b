//! Tests with the server of `crates/testkit/library`.

use std::path::Path;

use serde_json::json;

use super::*;

static LIBRARY: Application = Application::new(Settings {
    root: concat!(env!("CARGO_MANIFEST_DIR"), "/library"),
    build: &["--package", "testkit-library"],
    binary_variable: "LIBRARY_BIN",
    prefix: "LIBRARY_",
    variables: &[("LIBRARY_LOG", "info")],
    document: "openapi.yaml",
    setup: "setup.yaml",
    fixtures: &["people"],
    log_in: LogIn { path: "/log-in", body: |name| json!({ "name": name }), token: "/token" },
});

#[tokio::test]
async fn story_records_steps_and_hides_credentials() {
    let world = World::start(&LIBRARY).await;
    let ann = world.log_in("ann").await;
    assert_eq!((ann.name.as_str(), ann.token()), ("ann", "token-of-ann"));
    let mut story = Story::default();
    story.tell("a book", ann.get("/books/1")).await.expect(200);
    let operation = LIBRARY.document().by_id("get_book").unwrap();
    story.tell("without a token", world.nobody().call_operation(operation, "1")).await.expect(401);
    let expected = json!([
        { "step": "a book", "request": "ann: GET /books/1", "status": 200, "answer": { "title": "Emma" } },
        {
            "step": "without a token",
            "request": "nobody: GET /books/1",
            "status": 401,
            "headers": { "WWW-Authenticate": "Bearer" },
        },
    ]);
    assert_eq!(serde_json::to_value(&story).unwrap(), expected);
}

#[tokio::test]
#[should_panic(expected = "C-SCHEMA get_book: the body breaks its schema")]
async fn answer_that_breaks_the_document_panics() {
    let world = World::start(&LIBRARY).await;
    world.log_in("ann").await.get("/books/3").await;
}

#[tokio::test]
async fn wire_sends_bytes_and_the_log_has_the_request() {
    let world = World::start(&LIBRARY).await;
    let mut wire = Wire::to(&world).await;
    wire.head("GET /books/2", &[("Authorization", "Bearer token-of-ann"), ("X-Request-Id", "seven")]).await;
    assert_eq!(wire.answer().await.status, 404);
    assert!(wire.closed().await);
    assert_eq!(world.server.log(), "GET /books/2 404 Not Found seven\n");
}

#[tokio::test]
async fn command_returns_its_exit_code_and_output() {
    let database = Database::empty(&LIBRARY).await;
    let ended = command_line(&LIBRARY, &["books"], &database.url(), "").await;
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "1 Emma\n"));
    let ended = command_line(&LIBRARY, &["burn"], &database.url(), "").await;
    assert_eq!((ended.code, ended.stderr.as_str()), (1, "unknown command [\"burn\"]\n"));
    let (code, error) = refused_start(&LIBRARY, &database.url(), &[("PORT", "none")], &[]).await;
    assert!(code == 1 && error.starts_with("port none: "), "{code} {error}");
}

#[tokio::test]
async fn receiver_keeps_requests_and_answers_as_configured() {
    let receiver = Receiver::start(&[Treatment::Answers(503), Treatment::Answers(204)]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for status in [503, 204, 204] {
        let answer = client.post(&receiver.url).header("Webhook-Id", "evt_1").body("{}").send().await.unwrap();
        assert_eq!(answer.status(), status);
    }
    let received = receiver.gets(3).await;
    assert_eq!((received[0].id(), received[2].event()), ("evt_1", json!({})));
}

#[tokio::test]
async fn mailbox_reads_the_code_of_an_email() {
    let mailbox = Mailbox::empty();
    let folder = mailbox.url().strip_prefix("folder:").unwrap();
    let code = "QmV0dGVyIG5vdCB0byB1c2UgdGhpcyBvbmUuIEV4YW0";
    let letter =
        format!("To: ann@example.com\r\nSubject: Code\r\nMessage-ID: <1>\r\n\r\n<html>\r\n{code}\r\n</html>\r\n");
    std::fs::write(Path::new(folder).join("1.eml"), letter).unwrap();
    assert_eq!(mailbox.code("ann@example.com", "Code", 1).await, code);
}
