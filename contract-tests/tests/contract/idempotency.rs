//! `Idempotency-Key`: a create that is sent again happens once, and is answered the same.

use std::time::Duration;

use contract_tests::{ACCORD, Answer, Person, World};
use futures_util::future::join_all;
use serde_json::{Value, json};

const KEY: &str = "8e03978e-40d5-43e8-bc93-6894a57f9324";

/// Every create that takes a key: its path, a body, and another one.
fn creates() -> Vec<(&'static str, Value, Value)> {
    let webhook = |path: &str| json!({ "url": format!("https://example.com/{path}") });
    let post = |title: &str| json!({ "title": title, "content": "Written once." });
    vec![
        ("/api/v1/posts", post("One"), post("Another")),
        ("/api/v1/groups", json!({ "name": "Editors" }), json!({ "name": "Readers" })),
        (
            "/api/v1/permissions",
            json!({ "name": "can_dance", "description": "Dances.", "target": null }),
            json!({ "name": "can_sing", "description": "Sings.", "target": null }),
        ),
        (
            "/api/v1/grants",
            json!({ "user_id": 1, "permission": "can_edit_post" }),
            json!({ "user_id": 1, "permission": "can_delete_post" }),
        ),
        ("/api/v1/invited-guests", json!({ "email": "gil@example.com" }), json!({ "email": "hal@example.com" })),
        (
            "/api/v1/users",
            json!({ "email": "ida@example.com", "password": "the password of ida" }),
            json!({ "email": "jon@example.com", "password": "the password of jon" }),
        ),
        ("/api/v1/webhooks", webhook("one"), webhook("another")),
    ]
}

async fn create(person: &Person, path: &str, key: &str, body: &Value) -> Answer {
    person.post(path).header("Idempotency-Key", key).json(body).await
}

fn same(first: &Answer, again: &Answer) {
    assert_eq!(first.status, again.status, "{again}");
    assert_eq!(first.body, again.body, "{again}");
    for name in ["Location", "ETag", "Cache-Control", "Content-Type"] {
        assert_eq!(first.header(name), again.header(name), "{name}: {again}");
    }
}

#[tokio::test]
async fn create_with_the_same_key_happens_once_and_with_another_body_is_rejected_with_422() {
    let world = World::start(&ACCORD).await;
    let root = world.log_in("root").await;
    for (path, body, other) in creates() {
        let key = format!("{KEY}{path}");
        let first = create(&root, path, &key, &body).await.expect(201);
        let again = create(&root, path, &key, &body).await.expect(201);
        same(&first, &again);
        assert_ne!(first.header("X-Request-Id"), again.header("X-Request-Id"), "each request has its own id");
        let refused = create(&root, path, &key, &other).await.refused(422, "idempotency_key_reused");
        refused.blames("header.Idempotency-Key");
        create(&root, path, &format!("{key}2"), &other).await.expect(201);
    }
    assert_eq!(world.database.count("posts").await, 2);
    // each operation has keys of its own
    create(&root, "/api/v1/groups", &format!("{KEY}/api/v1/posts"), &json!({ "name": "Others" })).await.expect(201);
    let tasks = world.database.count("tasks WHERE name = 'send-mail'").await;
    assert_eq!(tasks, 2, "an invitation that is repeated sends no second e-mail");
}

#[tokio::test]
async fn keys_of_two_users_are_two_keys() {
    let world = World::start(&ACCORD).await;
    let post = json!({ "title": "One", "content": "…" });
    let hers = create(&world.log_in("ann").await, "/api/v1/posts", KEY, &post).await.expect(201);
    let his = create(&world.log_in("ben").await, "/api/v1/posts", KEY, &post).await.expect(201);
    assert_ne!(hers.id(), his.id());
    // in another session she is the same
    same(&hers, &create(&world.log_in("ann").await, "/api/v1/posts", KEY, &post).await);
    for key in ["", "a key", &"k".repeat(256)] {
        create(&world.log_in("ann").await, "/api/v1/posts", key, &post).await.refused(400, "invalid");
    }
}

#[tokio::test]
async fn of_many_requests_at_once_with_one_key_one_creates() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30")]).await;
    let ann = world.log_in("ann").await;
    let post = json!({ "title": "One", "content": "…" });
    for round in 0..5 {
        let key = format!("{KEY}-{round}");
        let answers = join_all((0..20).map(|_| create(&ann, "/api/v1/posts", &key, &post))).await;
        let (created, waits): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
        assert!(created.iter().all(|answer| answer.id() == created[0].id()), "{created:?}");
        assert!(!created.is_empty());
        for answer in waits {
            answer.refused(409, "idempotency_key_in_use");
        }
        assert_eq!(world.database.count("posts").await, round + 1);
        same(&created[0], &create(&ann, "/api/v1/posts", &key, &post).await);
    }
}

#[tokio::test]
async fn request_that_changed_nothing_gives_its_key_up() {
    let world = World::start(&ACCORD).await;
    let root = world.log_in("root").await;
    let group = |name: &str| json!({ "name": name });
    create(&root, "/api/v1/groups", "first", &group("Editors")).await.expect(201);
    create(&root, "/api/v1/groups", "second", &group("Editors")).await.refused(409, "name_in_use");
    create(&root, "/api/v1/groups", "second", &group("Readers")).await.expect(201);
    create(&root, "/api/v1/groups", "second", &group("Editors")).await.refused(422, "idempotency_key_reused");
}

#[tokio::test]
async fn key_of_a_running_request_is_409_and_of_a_dead_one_free() {
    let world = World::start(&ACCORD).await;
    let ann = world.log_in("ann").await;
    let post = json!({ "title": "One", "content": "…" });
    let first = create(&ann, "/api/v1/posts", KEY, &post).await.expect(201);
    let claimed = async |until: &str| {
        let empty = "UPDATE idempotency_keys SET status = NULL, headers = NULL, body = NULL";
        world.database.execute(&format!("{empty}, claimed_until = '{until}'")).await;
    };
    claimed("2100-01-02 03:04:05+00:00").await;
    create(&ann, "/api/v1/posts", KEY, &post).await.refused(409, "idempotency_key_in_use");
    claimed("2026-01-02 03:04:05+00:00").await;
    let second = create(&ann, "/api/v1/posts", KEY, &post).await.expect(201);
    assert_ne!(first.id(), second.id(), "what a dead request would have changed was rolled back");
    // after a day a key is new again
    world.database.execute("UPDATE idempotency_keys SET created_at = '2026-01-02 03:04:05+00:00'").await;
    let other = json!({ "title": "Another", "content": "…" });
    let third = create(&ann, "/api/v1/posts", KEY, &other).await.expect(201);
    assert_ne!(second.id(), third.id());
}

#[tokio::test]
async fn stored_answers_are_unreadable_and_purged_after_a_day() {
    let world = World::with(&ACCORD, &[("ACCORD_TASK_WORKERS", "1"), ("ACCORD_PURGE_INTERVAL", "1")]).await;
    let root = world.log_in("root").await;
    let webhook = json!({ "url": "https://example.com/hooks" });
    let first = create(&root, "/api/v1/webhooks", KEY, &webhook).await.expect(201);
    let again = create(&root, "/api/v1/webhooks", KEY, &webhook).await;
    assert_eq!(first.text("/secret"), again.text("/secret"), "who has lost the answer learns the secret");
    let readable = "idempotency_keys WHERE body LIKE '%secret%' OR body LIKE '%example.com%'";
    assert_eq!(world.database.count(readable).await, 0);
    assert_eq!(world.database.count("idempotency_keys").await, 1);
    // as after a change of SECRET_KEY without the old one among the others
    world.database.execute("UPDATE idempotency_keys SET body = 'sealed:1:unknown:AAAA'").await;
    create(&root, "/api/v1/webhooks", KEY, &webhook).await.refused(422, "idempotency_key_reused");
    world.database.execute("UPDATE idempotency_keys SET created_at = '2026-01-02 03:04:05+00:00'").await;
    let purged = async {
        while world.database.count("idempotency_keys").await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), purged).await.expect("old keys are purged");
}
