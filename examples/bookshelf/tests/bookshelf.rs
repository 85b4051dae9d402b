//! The application as its users see it: scenarios and its command line.

use std::future::IntoFuture;

use accord_testkit::{
    Answer, Application, Database, LogIn, Mailbox, Person, Settings, World, command_line, refused_start,
};
use futures_util::future::join_all;
use serde_json::json;

static BOOKSHELF: Application = Application::new(Settings {
    root: concat!(env!("CARGO_MANIFEST_DIR"), "/../.."),
    build: &["--package", "bookshelf", "--bin", "bookshelf"],
    binary_variable: "BOOKSHELF_BIN",
    prefix: "BOOKSHELF_",
    variables: &[
        ("SECRET_KEY", "a secret that every test of the bookshelf knows"),
        ("BOOKSHELF_ENV", "test"),
        ("BOOKSHELF_DEMO", "false"),
        ("BOOKSHELF_LOG", "info"),
        ("BOOKSHELF_DRAIN", "0"),
        ("BOOKSHELF_RATE_LIMIT", "0"),
        ("BOOKSHELF_RATE_LIMIT_ACCOUNT", "0"),
        ("BOOKSHELF_LOGIN_FAILURES", "0"),
        ("BOOKSHELF_PASSWORD_MEMORY", "64"),
        ("BOOKSHELF_TASK_WORKERS", "0"),
    ],
    document: "examples/bookshelf/openapi/bookshelf.yaml",
    setup: "examples/bookshelf/tests/setup.yaml",
    fixtures: &["demo"],
    log_in: LogIn {
        path: "/api/v1/authenticate",
        body: |name| json!({ "email": format!("{name}@example.com"), "password": "correct horse battery" }),
        token: "/token",
    },
})
.with_binary(env!("CARGO_BIN_EXE_bookshelf"));

#[test]
fn resources_that_are_left_out_are_in_no_file_of_the_tools() {
    for text in [
        include_str!("../openapi/operations.txt"),
        include_str!("../openapi/access.md"),
        include_str!("../postman/setup.yaml"),
        include_str!("setup.yaml"),
    ] {
        for absent in ["webhook", "invited_guest", "invited-guest"] {
            let line = text.lines().find(|line| line.contains(absent));
            assert_eq!(line, None, "{absent}");
        }
    }
}

/// Grants `can_curate` to ann; returns her.
async fn curator(world: &World) -> Person {
    let grant = json!({ "user_id": 1, "permission": "can_curate" });
    world.log_in("root").await.post("/api/v1/grants").json(&grant).await.expect(201);
    world.log_in("ann").await
}

/// Adds an author and a book of two copies, each with the identifier 1.
async fn add_emma(ann: &Person) -> Answer {
    ann.post("/api/v1/authors").json(&json!({ "name": "Jane Austen" })).await.expect(201);
    let emma = json!({ "isbn": "9780141439587", "title": "Emma", "author_id": 1, "copies": 2 });
    ann.post("/api/v1/books").json(&emma).await.expect(201)
}

#[tokio::test]
async fn only_curators_add_books() {
    let world = World::start(&BOOKSHELF).await;
    let emma = json!({ "isbn": "9780141439587", "title": "Emma", "author_id": 1, "copies": 2 });
    world.log_in("ann").await.post("/api/v1/books").json(&emma).await.expect(403);
    let ann = curator(&world).await;
    assert_eq!(add_emma(&ann).await.header("Location"), Some("/api/v1/books/1"));
    assert_eq!(ann.post("/api/v1/books").json(&emma).await.expect(409).body["code"], "isbn_in_use");
    let typo = json!({ "isbn": "9780141439588", "title": "Emma", "author_id": 1, "copies": 2 });
    assert_eq!(ann.post("/api/v1/books").json(&typo).await.expect(400).body["errors"][0]["pointer"], "/isbn");
    let nobody = json!({ "isbn": "9780141439518", "title": "Emma", "author_id": 99, "copies": 2 });
    ann.post("/api/v1/books").json(&nobody).await.expect(404);
}

#[tokio::test]
async fn search_ignores_case_and_takes_wildcards_literally() {
    let world = World::start(&BOOKSHELF).await;
    let ann = curator(&world).await;
    let book = add_emma(&ann).await;
    let found = ann.get("/api/v1/books?search=EMM&with_total=true").await.expect(200);
    assert_eq!((&found.body["total"], &found.body["items"][0]["id"]), (&json!(1), &book.body["id"]));
    assert_eq!(ann.get("/api/v1/books?search=%25").await.expect(200).body["items"], json!([]));
    assert_eq!(ann.get("/api/v1/books?author_id=2").await.expect(200).body["items"], json!([]));
}

#[tokio::test]
async fn a_change_needs_the_version_that_was_read() {
    let world = World::start(&BOOKSHELF).await;
    let ann = curator(&world).await;
    let tag = add_emma(&ann).await.header("ETag").expect("a book has one").to_owned();
    let renamed = json!({ "title": "Emma, a novel" });
    ann.patch("/api/v1/books/1").json(&renamed).await.expect(428);
    ann.patch("/api/v1/books/1").header("If-Match", &tag).json(&renamed).await.expect(200);
    ann.patch("/api/v1/books/1").header("If-Match", &tag).json(&renamed).await.expect(412);
}

#[tokio::test]
async fn what_is_in_use_cannot_be_deleted() {
    let world = World::start(&BOOKSHELF).await;
    let ann = curator(&world).await;
    add_emma(&ann).await;
    ann.post("/api/v1/loans").json(&json!({ "book_id": 1, "copy": 1 })).await.expect(201);
    for path in ["/api/v1/authors/1", "/api/v1/books/1"] {
        let stays = ann.delete(path).header("If-Match", "*").await.expect(409);
        assert_eq!(stays.body["code"], "vetoed", "{path}");
    }
    let book = json!({ "isbn": "9780141439518", "title": "Pride and Prejudice", "author_id": 1, "copies": 1 });
    ann.post("/api/v1/books").json(&book).await.expect(201);
    ann.delete("/api/v1/books/2").header("If-Match", "*").await.expect(204);
    ann.get("/api/v1/books/2").await.expect(404);
}

#[tokio::test]
async fn a_copy_has_one_open_loan_however_many_ask_at_once() {
    let world = World::start(&BOOKSHELF).await;
    let ann = curator(&world).await;
    add_emma(&ann).await;
    let root = world.log_in("root").await;
    for round in 1..=5 {
        let copy = json!({ "book_id": 1, "copy": 2 });
        let ask = |index: usize| {
            let person = if index.is_multiple_of(2) { &ann } else { &root };
            person.post("/api/v1/loans").json(&copy).into_future()
        };
        let answers = join_all((0..8).map(ask)).await;
        let lent: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
        assert_eq!(lent.len(), 1, "round {round}");
        let refused = answers.iter().filter(|answer| answer.status == 409 && answer.body["code"] == "copy_on_loan");
        assert_eq!(refused.count(), 7, "round {round}");
        assert_eq!(ann.get("/api/v1/loans?open=true").await.expect(200).body["items"][0]["id"], lent[0].body["id"]);
        let path = format!("/api/v1/loans/{}/return", lent[0].body["id"]);
        let returned = ann.put(&path).await.expect(200);
        assert_eq!(ann.put(&path).await.expect(200).body["returned_at"], returned.body["returned_at"]);
    }
    let missing = ann.post("/api/v1/loans").json(&json!({ "book_id": 1, "copy": 3 })).await.expect(400);
    assert_eq!(missing.body["errors"][0]["pointer"], "/copy");
}

#[tokio::test]
async fn a_loan_is_for_its_user_and_for_curators() {
    let world = World::start(&BOOKSHELF).await;
    add_emma(&curator(&world).await).await;
    let register = json!({ "email": "bob@example.com", "password": "correct horse battery" });
    world.nobody().post("/api/v1/user").json(&register).await.expect(201);
    let (ann, bob, root) = (world.log_in("ann").await, world.log_in("bob").await, world.log_in("root").await);
    root.post("/api/v1/loans").json(&json!({ "book_id": 1, "copy": 1 })).await.expect(201);
    bob.get("/api/v1/loans/1").await.expect(403);
    bob.put("/api/v1/loans/1/return").await.expect(403);
    bob.get("/api/v1/loans").await.expect(403);
    assert_eq!(bob.get("/api/v1/user/loans").await.expect(200).body["items"], json!([]));
    assert_eq!(root.get("/api/v1/user/loans?open=true").await.expect(200).body["items"][0]["id"], 1);
    ann.get("/api/v1/loans/1").await.expect(200);
    ann.put("/api/v1/loans/1/return").await.expect(200);
    assert_eq!(root.get("/api/v1/user/loans?open=true").await.expect(200).body["items"], json!([]));
}

#[tokio::test]
async fn an_overdue_loan_is_mailed_once_a_week_until_it_is_returned() {
    let mailbox = Mailbox::empty();
    let settings = [("BOOKSHELF_MAIL_URL", mailbox.url()), ("BOOKSHELF_TASK_WORKERS", "1")];
    let world = World::with(&BOOKSHELF, &settings).await;
    let ann = curator(&world).await;
    add_emma(&ann).await;
    for copy in [1, 2] {
        ann.post("/api/v1/loans").json(&json!({ "book_id": 1, "copy": copy })).await.expect(201);
    }
    ann.put("/api/v1/loans/2/return").await.expect(200);
    let url = world.database.url();
    let run = async || assert_eq!(command_line(&BOOKSHELF, &["task", "run", "mail-overdue"], &url, "").await.code, 0);
    run().await;
    world.database.execute("UPDATE loans SET due_at = '2026-01-02 03:04:00+00:00'").await;
    run().await;
    run().await;
    let first = mailbox.wait("ann@example.com", "Please return \"Emma\"", 1).await;
    assert!(first[0].text.contains("It was due on 2026-01-02 03:04 UTC."), "{}", first[0].text);
    world.database.execute("UPDATE loans SET reminded_at = '2026-01-03 03:04:00+00:00' WHERE id = 1").await;
    run().await;
    mailbox.wait("ann@example.com", "Please return \"Emma\"", 2).await;
    run().await;
    assert_eq!(mailbox.letters().len(), 2);
}

#[tokio::test]
async fn fixtures_name_authors_by_name_and_books_by_isbn() {
    let world = World::with_fixtures(&BOOKSHELF, &["demo", "catalogue"]).await;
    let root = world.log_in("root").await;
    let books = root.get("/api/v1/books").await.expect(200);
    assert_eq!(books.body["items"][0]["title"], "Emma");
    let url = world.database.url();
    let arguments = ["fixtures", "dump", "authors.Author", "books.Book"];
    let dump = command_line(&BOOKSHELF, &arguments, &url, "").await;
    assert_eq!(dump.code, 0, "{}", dump.stderr);
    insta::assert_snapshot!(dump.stdout);
}

#[tokio::test]
async fn settings_of_resources_that_are_left_out_are_unknown() {
    let settings = [("BOOKSHELF_WEBHOOK_LIMIT", "1")];
    let (code, text) = refused_start(&BOOKSHELF, "sqlite:data/bookshelf.db", &settings, &[]).await;
    assert_eq!(code, 78, "{text}");
    assert!(text.contains("BOOKSHELF_WEBHOOK_LIMIT"), "{text}");
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

#[tokio::test]
async fn names_are_those_of_the_application() {
    let world = World::start(&BOOKSHELF).await;
    for path in ["/metrics", "/docs", "/openapi.yaml", "/nowhere"] {
        let text = String::from_utf8(world.nobody().get(path).await.bytes).expect("text");
        assert!(text.to_lowercase().contains("bookshelf"), "{path}: {text}");
        let text = text.replace("The Accord team", "");
        assert!(!text.to_lowercase().contains("accord"), "{path}: {text}");
    }
}
