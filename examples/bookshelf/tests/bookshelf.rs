//! The application as its users see it: its document, its command line, and a scenario.

use std::path::Path;

use accord_testkit::{Application, Database, LogIn, Settings, World, command_line, refused_start};
use serde_json::json;

static BOOKSHELF: Application = Application::new(Settings {
    root: concat!(env!("CARGO_MANIFEST_DIR"), "/../.."),
    build: &["--package", "bookshelf", "--bin", "bookshelf"],
    binary_variable: "BOOKSHELF_BIN",
    prefix: "ACCORD_",
    variables: &[
        ("SECRET_KEY", "a secret that every test of the bookshelf knows"),
        ("ACCORD_ENV", "test"),
        ("ACCORD_DEMO", "false"),
        ("ACCORD_LOG", "info"),
        ("ACCORD_DRAIN", "0"),
        ("ACCORD_RATE_LIMIT", "0"),
        ("ACCORD_RATE_LIMIT_ACCOUNT", "0"),
        ("ACCORD_LOGIN_FAILURES", "0"),
        ("ACCORD_PASSWORD_MEMORY", "64"),
    ],
    document: "examples/bookshelf/openapi/bookshelf.yaml",
    setup: "examples/bookshelf/setup.yaml",
    fixtures: &["demo"],
    log_in: LogIn {
        path: "/api/v1/authenticate",
        body: |name| json!({ "email": format!("{name}@example.com"), "password": "correct horse battery" }),
        token: "/token",
    },
})
.with_binary(env!("CARGO_BIN_EXE_bookshelf"));

/// The committed document is what the code serves; `BOOKSHELF_WRITE=1` writes it.
#[test]
fn the_committed_document_is_served() {
    bookshelf::install();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/bookshelf.yaml");
    let served = accord_foundation::server::document::yaml();
    #[expect(clippy::disallowed_methods, reason = "a switch of this test")]
    if std::env::var("BOOKSHELF_WRITE").is_ok() {
        std::fs::write(&path, served).expect("writes");
    }
    let committed = std::fs::read_to_string(path).expect("the document is committed");
    assert!(committed == served, "run the test with BOOKSHELF_WRITE=1");
    let broken = accord_openapi::lint::faults(accord_foundation::server::document::document());
    assert!(broken.is_empty(), "{:?}", broken.iter().map(|(_, fault)| fault).collect::<Vec<_>>());
    for absent in ["webhook", "Webhooks", "invited-guests", "Invited guests"] {
        assert!(!served.contains(&format!("/{absent}")) && !served.contains(&format!("- name: {absent}")), "{absent}");
    }
}

#[tokio::test]
async fn curators_change_books_and_everyone_reads_them() {
    let world = World::start(&BOOKSHELF).await;
    let (root, ann) = (world.log_in("root").await, world.log_in("ann").await);
    let author = root.post("/api/v1/authors").json(&json!({ "name": "Jane Austen" })).await.expect(201);
    let emma = json!({ "isbn": "9780141439587", "title": "Emma", "author_id": author.body["id"] });
    ann.post("/api/v1/books").json(&emma).await.expect(403);
    let grant = json!({ "user_id": 1, "permission": "can_curate" });
    root.post("/api/v1/grants").json(&grant).await.expect(201);
    let book = ann.post("/api/v1/books").json(&emma).await.expect(201);
    assert_eq!(book.body["title"], "Emma");
    assert_eq!(ann.post("/api/v1/books").json(&emma).await.expect(409).body["code"], "isbn_in_use");
    let typo = json!({ "isbn": "9780141439588", "title": "Emma", "author_id": 1 });
    assert_eq!(ann.post("/api/v1/books").json(&typo).await.expect(400).body["errors"][0]["pointer"], "/isbn");
    let nobody = json!({ "isbn": "9780141439518", "title": "Emma", "author_id": 99 });
    ann.post("/api/v1/books").json(&nobody).await.expect(404);

    let found = ann.get("/api/v1/books?search=EMM&with_total=true").await.expect(200);
    assert_eq!((&found.body["total"], &found.body["items"][0]["id"]), (&json!(1), &book.body["id"]));
    assert_eq!(ann.get("/api/v1/books?search=%25").await.expect(200).body["items"], json!([]));

    let tag = book.header("ETag").expect("a book has one").to_owned();
    let renamed = json!({ "title": "Emma, a novel" });
    ann.patch("/api/v1/books/1").json(&renamed).await.expect(428);
    ann.patch("/api/v1/books/1").header("If-Match", &tag).json(&renamed).await.expect(200);
    ann.patch("/api/v1/books/1").header("If-Match", &tag).json(&renamed).await.expect(412);

    let stays = ann.delete("/api/v1/authors/1").header("If-Match", "*").await.expect(409);
    assert_eq!(stays.body["code"], "vetoed");
    ann.delete("/api/v1/books/1").header("If-Match", "*").await.expect(204);
    ann.delete("/api/v1/authors/1").header("If-Match", "*").await.expect(204);
}

#[tokio::test]
async fn settings_of_resources_that_are_left_out_are_unknown() {
    let settings = [("ACCORD_WEBHOOK_LIMIT", "1")];
    let (code, text) = refused_start(&BOOKSHELF, "sqlite:data/bookshelf.db", &settings, &[]).await;
    assert_eq!(code, 78, "{text}");
    assert!(text.contains("ACCORD_WEBHOOK_LIMIT"), "{text}");
}

#[tokio::test]
async fn the_migrations_go_down_and_up_again() {
    let database = Database::empty(&BOOKSHELF).await;
    for arguments in [["up", "head"], ["down", "base"], ["up", "head"]] {
        let arguments = [&["migrate"], &arguments[..]].concat();
        let ended = command_line(&BOOKSHELF, &arguments, &database.url(), "").await;
        assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.stderr);
    }
}
