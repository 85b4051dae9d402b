//! Accounts and permissions from the command line: the same rules as over HTTP, and the server obeys at once.

use std::sync::LazyLock;

use contract_tests::{ACCORD, Author, Database, Ended, World, command_line};
use insta::{assert_snapshot, assert_yaml_snapshot};
use regex::Regex;
use serde_json::{Value, json};

const FAILED: i32 = 1;
const USAGE: i32 = 2;

/// Whoever sits at a terminal.
struct Operator {
    url: String,
    /// As the terminal shows it; `!` marks what went to the standard error.
    transcript: String,
}

impl Operator {
    fn of(database: &Database) -> Self {
        Self { url: database.url(), transcript: String::new() }
    }

    /// Types a command, and keeps it with its outcome.
    async fn types(&mut self, line: &str) -> Ended {
        self.types_with(line, "").await
    }

    /// The same, with this text on standard input.
    async fn types_with(&mut self, line: &str, stdin: &str) -> Ended {
        let arguments: Vec<_> = line.split(' ').skip(1).collect();
        let ended = command_line(&ACCORD, &arguments, &self.url, stdin).await;
        let piped = if stdin.is_empty() { String::new() } else { format!(" <<< {}", stdin.trim_end()) };
        let complaint = ended.stderr.lines().map(|line| format!("! {line}\n")).collect::<String>();
        let code = if ended.code == 0 { String::new() } else { format!("exit {}\n", ended.code) };
        let told = format!("$ {line}{piped}\n{}{complaint}{code}\n", ended.stdout);
        self.transcript += &without_times(&told);
        ended
    }
}

/// Dates and times differ from day to day.
fn without_times(text: &str) -> String {
    static TIME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?Z)?").unwrap());
    TIME.replace_all(text, "[time]").into_owned()
}

#[tokio::test]
async fn an_operator_makes_and_changes_accounts() {
    let world = World::start(&ACCORD).await;
    let mut operator = Operator::of(&world.database);
    operator.types_with("accord user create Eve@Example.com --name Eve --role staff", "the password of eve\n").await;
    let credentials = json!({ "email": "eve@example.com", "password": "the password of eve" });
    let session = world.nobody().post("/api/v1/authenticate").json(&credentials).await.expect(200);
    let eve = world.nobody().named("eve").with_token(session.text("/token"));
    assert_eq!(eve.get("/api/v1/user").await.expect(200).body["role"], "staff");

    operator.types("accord user disable eve@example.com").await;
    eve.get("/api/v1/posts").await.refused(403, "account_disabled");
    operator.types("accord user list --status disabled").await;
    operator.types("accord user enable eve@example.com").await;
    eve.get("/api/v1/posts").await.expect(200);
    operator.types("accord user role eve@example.com admin").await;
    let events = eve.get("/api/v1/audit-events?object_type=user&object_id=6").await.expect(200);
    let own = |event: &&Value| event["actor_id"].is_null() && event["request_id"].is_null();
    let done: Vec<_> = events.body["items"].as_array().unwrap().iter().filter(own).collect();
    let done: Vec<_> = done.iter().map(|event| [&event["action"], &event["before"], &event["after"]]).collect();
    assert_yaml_snapshot!("what_an_operator_did_to_accounts_is_in_the_audit", done);

    operator.types("accord user role eve@example.com active").await;
    eve.get("/api/v1/audit-events").await.refused(403, "forbidden");
    operator.types("accord user list").await;
    let listed = operator.types("accord user list --role staff --json").await;
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert!(listed.as_array().unwrap().iter().all(|user| user["role"] == "staff"), "{listed}");
    assert_snapshot!(operator.transcript);
}

#[tokio::test]
async fn what_the_rules_refuse_changes_no_account() {
    let world = World::start(&ACCORD).await;
    let root = world.log_in("root").await;
    let users = async || root.get("/api/v1/users?limit=100").await.expect(200).body.to_string();
    let before = users().await;
    let mut operator = Operator::of(&world.database);
    let long = format!("accord user create eve@example.com --name {}", "n".repeat(81));
    for (line, stdin, code) in [
        ("accord user create eve", "a long password\n", USAGE),
        ("accord user create eve@example.com", "short\n", USAGE),
        ("accord user create eve@example.com", "", USAGE),
        ("accord user create eve@example.com --role king", "", USAGE),
        ("accord user create eve@example.com --password secret", "", USAGE),
        ("accord user create ANN@example.com", "a long password\n", FAILED),
        (&long, "a long password\n", USAGE),
        ("accord user disable nobody@example.com", "", FAILED),
        ("accord user disable ann", "", USAGE),
        ("accord user disable 99", "", FAILED),
        ("accord user disable root@example.com", "", FAILED),
        ("accord user role root@example.com staff", "", FAILED),
    ] {
        let ended = operator.types_with(line, stdin).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{line}: {}", ended.stderr);
        assert!(!ended.stderr.contains("a long password") && !ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
    assert_eq!(users().await, before);
    assert_snapshot!(operator.transcript);
}

#[tokio::test]
async fn an_operator_grants_revokes_and_explains() {
    let world = World::start(&ACCORD).await;
    let (ann, ben, root) = (world.log_in("ann").await, world.log_in("ben").await, world.log_in("root").await);
    let (first, second) = (ann.writes("First").await.id(), ann.writes("Second").await.id());
    assert_eq!((first, second), (1, 2));
    let statistics = |post_id| ben.get(format!("/api/v1/posts/{post_id}/statistics"));
    let mut operator = Operator::of(&world.database);
    operator.types("accord permission list").await;
    operator.types("accord permission explain ben@example.com can_view_stats --object 1").await;
    statistics(1).await.refused(403, "forbidden");

    operator.types("accord permission grant can_view_stats --user ben@example.com --object 1").await;
    statistics(1).await.expect(200);
    statistics(2).await.refused(403, "forbidden");
    operator.types("accord permission explain ben@example.com can_view_stats --object 1").await;
    operator.types("accord permission explain ben@example.com can_view_stats --object 2").await;

    let group = root.post("/api/v1/groups").json(&json!({ "name": "Analysts" })).await.expect(201).id();
    root.put(format!("/api/v1/groups/{group}/members/2")).await.expect(204);
    operator.types("accord permission grant can_view_stats --group Analysts").await;
    statistics(2).await.expect(200);
    operator.types("accord permission explain ben@example.com can_view_stats --object 2").await;
    operator.types("accord permission list --user ben@example.com").await;
    operator.types("accord permission list --group Analysts").await;

    operator.types("accord permission revoke can_view_stats --user ben@example.com --object 1").await;
    statistics(1).await.expect(200);
    operator.types("accord permission revoke can_view_stats --group Analysts").await;
    statistics(1).await.refused(403, "forbidden");

    operator.types("accord permission explain root@example.com can_view_stats").await;
    operator.types("accord user disable ben@example.com").await;
    operator.types("accord permission grant can_view_stats --user 2").await;
    let explained = operator.types("accord permission explain 2 can_view_stats --json").await;
    let explained: Value = serde_json::from_str(&explained.stdout).unwrap();
    assert_eq!((&explained["allowed"], &explained["reasons"][0]["says"]), (&json!(false), &json!("denies")));
    let draft = json!({ "title": "A draft", "content": "Not yet.", "published": false });
    let draft = ann.post("/api/v1/posts").json(&draft).await.expect(201).id();
    operator.types("accord user enable 2").await;
    for line in [
        "ben@example.com can_view_stats --object 3",
        "ann@example.com can_view_stats --object 3",
        "2 can_view_stats --object 9",
    ] {
        operator.types(&format!("accord permission explain {line}")).await;
    }
    ben.get(format!("/api/v1/posts/{draft}/statistics")).await.refused(404, "not_found");
    ann.get(format!("/api/v1/posts/{draft}/statistics")).await.expect(200);
    operator.types("accord permission create can_pin_post --description Pin --target posts").await;
    operator.types("accord permission explain ann@example.com can_pin_post").await;
    assert_snapshot!(operator.transcript);

    let events = root.get("/api/v1/audit-events?action=grant_created").await.expect(200);
    let events = events.body["items"].as_array().unwrap();
    assert!(events.len() == 3 && events.iter().all(|event| event["actor_id"].is_null()), "{events:?}");
}

#[tokio::test]
async fn what_the_rules_refuse_grants_nothing() {
    let world = World::start(&ACCORD).await;
    let root = world.log_in("root").await;
    let grants = async || root.get("/api/v1/grants?limit=100").await.expect(200).body.to_string();
    let mut operator = Operator::of(&world.database);
    operator.types("accord permission grant can_edit_post --user ben@example.com").await;
    let before = grants().await;
    for (line, code) in [
        ("accord permission grant can_edit_post", USAGE),
        ("accord permission grant can_edit_post --user 2 --group Analysts", USAGE),
        ("accord permission grant can_edit_post --user 2 --object x", USAGE),
        ("accord permission grant can_edit_post --user 2 --object 0", USAGE),
        ("accord permission grant can_invite --user 2 --object 1", USAGE),
        ("accord permission grant anything --user 2", USAGE),
        ("accord permission grant can_fly --user 2", FAILED),
        ("accord permission grant can_edit_post --user 99", FAILED),
        ("accord permission grant can_edit_post --group Analysts", FAILED),
        ("accord permission grant can_edit_post --user 2 --object 99", FAILED),
        ("accord permission grant can_edit_post --user 2", FAILED),
        ("accord permission revoke can_edit_post --user 2 --object 1", FAILED),
        ("accord permission revoke can_view_stats --user 2", FAILED),
        ("accord permission create can_edit_post --description x --target posts", FAILED),
        ("accord permission create anything --description x", USAGE),
        ("accord permission explain 2 can_fly", FAILED),
        ("accord permission explain 2 can_invite --object 1", USAGE),
        ("accord permission list --user 2 --group Analysts", USAGE),
    ] {
        let ended = operator.types(line).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{line}: {}", ended.stderr);
    }
    assert_eq!(grants().await, before);
    assert_snapshot!(operator.transcript);
}

#[tokio::test]
async fn a_database_that_is_not_there_is_not_made() {
    if Database::on_postgres() {
        return;
    }
    let ended = command_line(&ACCORD, &["user", "list"], "sqlite:nowhere/accord.db", "").await;
    assert_eq!((ended.code, ended.stdout.as_str()), (FAILED, ""));
    assert!(ended.stderr.contains("nowhere/accord.db") && ended.stderr.contains("migrate"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_database_without_tables_says_what_to_do() {
    let database = Database::empty(&ACCORD).await;
    let url = database.url();
    if !Database::on_postgres() {
        std::fs::write(url.trim_start_matches("sqlite:"), "").unwrap();
    }
    let ended = command_line(&ACCORD, &["user", "list"], &url, "").await;
    assert_eq!((ended.code, ended.stdout.as_str()), (FAILED, ""));
    assert!(ended.stderr.contains("accord migrate up"), "{}", ended.stderr);
}
