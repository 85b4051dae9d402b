//! The audit: every change of who may do what, every login and logout, and every failed login.

use std::time::Duration;

use contract_tests::{ACCORD, Author, Call, Database, Person, Story, World, command_line};
use insta::assert_yaml_snapshot;
use serde_json::{Value, json};
use sqlx::Connection;

#[tokio::test]
async fn every_change_of_access_is_an_event() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let (ann, root) = (world.log_in("ann").await, world.log_in("root").await);
    let new = json!({ "email": "eve@example.com", "password": "a long password", "name": "Eve" });
    world.nobody().post("/api/v1/user").json(&new).await.expect(201);
    let eve = root.get("/api/v1/users?email=eve@example.com").await.body["items"][0]["id"].as_i64().unwrap();
    let path = format!("/api/v1/users/{eve}");
    root.patch(&path).header("If-Match", "*").json(&json!({ "role": "staff" })).await.expect(200);
    ann.patch("/api/v1/user")
        .json(&json!({ "email": "ann.b@example.com", "password": "the password of ann", "name": null }))
        .await
        .expect(200);
    root.post("/api/v1/groups").json(&json!({ "name": "Editors" })).await.expect(201);
    let passwords = json!({ "old_password": "the password of ann", "new_password": "another password of ann" });
    ann.post("/api/v1/user/password").json(&passwords).await.expect(204);
    let rename = json!({ "name": "Chief editors" });
    root.patch("/api/v1/groups/1").header("If-Match", "*").json(&rename).await.expect(200);
    root.put(format!("/api/v1/groups/1/members/{eve}")).await.expect(204);
    root.put(format!("/api/v1/groups/1/members/{eve}")).await.expect(204);
    let permission = json!({ "name": "can_pin_post", "target": "posts", "description": "Pin posts" });
    root.post("/api/v1/permissions").json(&permission).await.expect(201);
    let describe = json!({ "description": "Pin posts to the front page" });
    root.patch("/api/v1/permissions/can_pin_post").header("If-Match", "*").json(&describe).await.expect(200);
    root.post("/api/v1/grants").json(&json!({ "group_id": 1, "permission": "can_pin_post" })).await.expect(201);
    root.delete("/api/v1/grants/1").await.expect(204);
    root.delete("/api/v1/permissions/can_pin_post").header("If-Match", "*").await.expect(204);
    root.delete(format!("/api/v1/groups/1/members/{eve}")).await.expect(204);
    root.delete("/api/v1/groups/1").header("If-Match", "*").await.expect(204);
    root.delete(&path).header("If-Match", "*").await.expect(204);
    for address in ["ann.b@example.com", "nobody@example.com"] {
        let wrong = json!({ "email": address, "password": "not the password" });
        world.nobody().post("/api/v1/authenticate").json(&wrong).await.refused(401, "invalid_credentials");
    }
    // what is refused changes nothing, and is no event
    root.delete("/api/v1/grants/99").await.refused(404, "not_found");
    let all = root.get("/api/v1/audit-events?limit=100&with_total=true");
    let all = story.tell("the newest first", all).await;
    let text = all.body.to_string();
    assert!(!text.contains("example.com") && !text.contains("Eve") && !text.contains("password\":"), "{text}");
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn events_are_found_by_who_what_and_when() {
    let world = World::start(&ACCORD).await;
    let root = world.log_in("root").await;
    for name in ["A", "B", "C"] {
        root.post("/api/v1/groups").json(&json!({ "name": name })).await.expect(201);
    }
    root.delete("/api/v1/groups/2").header("If-Match", "*").await.expect(204);
    let count = async |query: &str| {
        let page = root.get(format!("/api/v1/audit-events?with_total=true&{query}")).await.expect(200).body;
        assert_eq!(page["items"].as_array().unwrap().len() as i64, page["total"].as_i64().unwrap(), "{query}");
        page["total"].as_i64().unwrap()
    };
    assert_eq!(count("actor_id=3").await, 5);
    assert_eq!(count("actor_id=1").await, 0);
    assert_eq!(count("action=group_created").await, 3);
    assert_eq!(count("object_type=group&object_id=2").await, 2);
    // those of the fixtures, and the login
    assert_eq!(count("object_type=user").await, 6);
    assert_eq!(count("address=127.0.0.1").await, 5);
    assert_eq!(count("address=192.0.2.1").await, 0);
    assert_eq!(count("address=2001:db8::1").await, 0);
    assert_eq!(count("object_type=user&object_id=2").await, 1);
    assert_eq!(count("object_id=2").await, 3);
    assert_eq!(count("object_type=permission").await, 0);
    let third = root.get("/api/v1/audit-events?object_type=group&limit=2").await.expect(200).body;
    let at = third["items"][1]["created_at"].as_str().unwrap().to_owned();
    assert_eq!((count(&format!("since={at}")).await, count(&format!("until={at}")).await), (2, 8));
    // in UTC this is the year 10000
    let never = "9999-12-31T23:59:59-23:59";
    assert_eq!((count(&format!("since={never}")).await, count(&format!("until={never}")).await), (0, 10));
    let next = third["next"].as_str().unwrap();
    let rest = root.get(format!("/api/v1/audit-events?object_type=group&limit=2&cursor={next}")).await.expect(200).body;
    let ids = [&third, &rest].map(|page| page["items"].as_array().unwrap().clone()).concat();
    let ids: Vec<i64> = ids.iter().map(|event| event["object_id"].as_i64().unwrap()).collect();
    assert_eq!((ids, rest["next"].is_null()), (vec![2, 3, 2, 1], true));
}

#[tokio::test]
async fn who_comes_from_a_fixture_is_an_event() {
    let world = World::start(&ACCORD).await;
    let root = world.log_in("root").await;
    let users = root.get("/api/v1/users?with_total=true").await.expect(200);
    let events = root.get("/api/v1/audit-events?action=user_created&with_total=true").await.expect(200);
    assert_eq!(events.body["total"], users.body["total"]);
    let admin = events.body["items"].as_array().unwrap().iter().find(|event| event["object_id"] == 3).unwrap();
    assert_eq!((&admin["actor_id"], &admin["after"]["role"]), (&json!(null), &json!("admin")));
}

#[tokio::test]
async fn each_way_to_fail_to_log_in_is_an_event() {
    let world = World::start(&ACCORD).await;
    let (nobody, root) = (world.nobody(), world.log_in("root").await);
    let account = |email: &str, password: &str| json!({ "email": email, "password": password });
    let form = |username, password| [("grant_type", "password"), ("username", username), ("password", password)];
    for call in [
        nobody.post("/api/v1/authenticate").json(&account("ann@example.com", "not the password")),
        nobody.post("/api/v1/login").form(&form("ben@example.com", "not the password")),
        nobody.post("/api/v1/authenticate").json(&account("nobody@example.com", "the password of ann")),
        nobody.post("/api/v1/authenticate").json(&account("dan@example.com", "not the password")),
        nobody.post("/api/v1/authenticate").json(&account("dan@example.com", "the password of dan")),
        nobody.post("/api/v1/login").form(&form("dan@example.com", "the password of dan")),
    ] {
        let answer = call.await;
        assert!([401, 403].contains(&answer.status), "{answer}");
        let newest = root.get("/api/v1/audit-events?limit=1").await.expect(200).body["items"][0].clone();
        assert_eq!(newest["request_id"], answer.body["request_id"]);
    }
    let events = root.get("/api/v1/audit-events?action=login_failed").await.expect(200);
    let events = events.body["items"].as_array().unwrap().iter();
    let told: Vec<_> = events.map(|event| (&event["object_id"], event["after"]["reason"].as_str().unwrap())).collect();
    let (wrong, disabled) = ("credentials", "account_disabled");
    let dan = &json!(5);
    assert_eq!(
        told,
        [(dan, disabled), (dan, disabled), (dan, wrong), (&json!(null), wrong), (&json!(2), wrong), (&json!(1), wrong)]
    );
}

#[tokio::test]
async fn failed_logins_beyond_ten_an_hour_are_counted_in_one_event() {
    let world = World::start(&ACCORD).await;
    let (nobody, ann, root) = (world.nobody(), world.log_in("ann").await, world.log_in("root").await);
    let wrong = |email: String| json!({ "email": email, "password": "not the password" });
    for number in 0..30 {
        for email in ["ann@example.com".to_owned(), "ben@example.com".into(), format!("nobody{number}@example.com")] {
            nobody.post("/api/v1/authenticate").json(&wrong(email)).await.refused(401, "invalid_credentials");
        }
        let passwords = json!({ "old_password": "not the password", "new_password": "another password of ann" });
        ann.post("/api/v1/user/password").json(&passwords).await.refused(400, "wrong_password");
    }
    let events = root.get("/api/v1/audit-events?action=login_failed&limit=100").await.expect(200);
    let events = events.body["items"].as_array().unwrap();
    // an hour may end meanwhile
    assert!((44..=88).contains(&events.len()), "{events:#?}");
    for (account, reason) in [
        (json!(1), "credentials"),
        (json!(2), "credentials"),
        (json!(null), "credentials"),
        (json!(1), "present_password"),
    ] {
        let same = |event: &&Value| event["object_id"] == account && event["after"]["reason"] == reason;
        let counted: i64 = events.iter().filter(same).map(|event| event["occurrences"].as_i64().unwrap()).sum();
        assert_eq!(counted, 30, "{account} {reason}: {events:#?}");
    }
    for event in events {
        assert_eq!(event["address"], "127.0.0.1");
        assert!(event["created_at"].as_str() <= event["last_at"].as_str(), "{event}");
    }
}

#[tokio::test]
async fn logins_logouts_and_ended_sessions_are_events_with_the_address_of_the_client() {
    let world = World::with(&ACCORD, &[("ACCORD_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let root = world.log_in("root").await;
    let nobody = world.nobody();
    let from = |call: Call| call.header("X-Forwarded-For", "2001:db8::7");
    let credentials = json!({ "email": "ann@example.com", "password": "the password of ann" });
    let form = [("grant_type", "password"), ("username", "ann@example.com"), ("password", "the password of ann")];
    let first = from(nobody.post("/api/v1/authenticate").json(&credentials)).await.expect(200);
    let second = from(nobody.post("/api/v1/login").form(&form)).await.expect(200);
    let second = nobody.with_token(second.text("/access_token"));
    let first_id = first.body["session_id"].as_i64().unwrap();
    let second_id = from(second.get("/api/v1/sessions")).await.expect(200).body["items"][0]["id"].as_i64().unwrap();
    from(second.delete(format!("/api/v1/sessions/{first_id}"))).await.expect(204);
    from(second.post("/api/v1/logout")).await.expect(204);
    let new = json!({ "email": "eve@example.com", "password": "a long password" });
    let eve = from(nobody.post("/api/v1/user").json(&new)).await.expect(201);
    let events = root.get("/api/v1/audit-events?address=2001:db8::7").await.expect(200);
    let told: Vec<_> = events.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|event| {
            assert_eq!((&event["actor_id"], &event["occurrences"]), (&event["object_id"], &json!(1)), "{event}");
            let session =
                [&event["before"], &event["after"]].into_iter().find_map(|state| state["session_id"].as_i64());
            (event["action"].as_str().unwrap(), event["object_id"].as_i64().unwrap(), session)
        })
        .collect();
    let (eve_id, eve_session) = (eve.id(), eve.body["session_id"].as_i64());
    assert_eq!(
        told,
        [
            ("logged_in", 1, Some(first_id)),
            ("logged_in", 1, Some(second_id)),
            ("session_revoked", 1, Some(first_id)),
            ("logged_out", 1, Some(second_id)),
            ("user_created", eve_id, None),
            ("logged_in", eve_id, eve_session),
        ]
    );
}

#[tokio::test]
async fn changes_of_posts_by_others_than_the_owner_are_events() {
    let world = World::start(&ACCORD).await;
    let (ann, ben, root) = (world.log_in("ann").await, world.log_in("ben").await, world.log_in("root").await);
    let post = ann.writes("A post").await.id();
    let path = format!("/api/v1/posts/{post}");
    let change = |by: &Person, title: &str| by.patch(&path).header("If-Match", "*").json(&json!({ "title": title }));
    change(&ann, "Her own").await.expect(200);
    let grant = json!({ "user_id": 2, "permission": "can_edit_post", "object_id": post });
    root.post("/api/v1/grants").json(&grant).await.expect(201);
    change(&ben, "By the holder of a grant").await.expect(200);
    root.delete(&path).header("If-Match", "*").await.expect(204);
    let own = root.writes("Another post").await.id();
    root.delete(format!("/api/v1/posts/{own}")).header("If-Match", "*").await.expect(204);
    let events = root.get("/api/v1/audit-events?object_type=post").await.expect(200);
    let told: Vec<_> = events.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            (
                event["action"].as_str().unwrap(),
                &event["actor_id"],
                &event["object_id"],
                &event["before"],
                &event["after"],
            )
        })
        .collect();
    let (ann, post, changed) = (json!({ "user_id": 1 }), json!(post), json!({ "changed": ["title"], "user_id": 1 }));
    assert_eq!(
        told,
        [("post_deleted", &json!(3), &post, &ann, &Value::Null), ("post_updated", &json!(2), &post, &ann, &changed),]
    );
}

#[tokio::test]
async fn events_are_deleted_when_they_have_expired_and_by_nobody_else() {
    let mut world = World::start(&ACCORD).await;
    world.log_in("root").await;
    let old = "INSERT INTO audit_events (action, object_type, created_at)
        VALUES ('group_created', 'group', '2024-01-02 03:04:05.000001+00:00')";
    world.database.execute(old).await;
    let delete = "DELETE FROM audit_events WHERE action = 'group_created'";
    let refused = by_hand(&world, delete).await.expect_err("it has not expired").to_string();
    assert!(refused.contains("never deleted"), "{refused}");
    let kept = world.database.count("audit_events WHERE action <> 'group_created'").await;
    for (ttl, left) in [("0", 1), ("31622400", 0)] {
        let settings = [("ACCORD_TASK_WORKERS", "1"), ("ACCORD_AUDIT_TTL", ttl)];
        world.server = world.another_server(&settings).await;
        let run = command_line(&ACCORD, &["task", "run", "purge-audit-events"], &world.database.url(), "").await;
        assert_eq!(run.code, 0, "{}", run.stderr);
        let done = async {
            while world.database.count("tasks WHERE name = 'purge-audit-events' AND key IS NULL").await > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), done).await.expect("the task ends");
        assert_eq!(world.database.count("audit_events WHERE action = 'group_created'").await, left, "{ttl}");
    }
    assert_eq!(world.database.count("audit_events WHERE action <> 'group_created'").await, kept);
    let refused = by_hand(&world, "DELETE FROM audit_events").await.expect_err("they have not expired").to_string();
    assert!(refused.contains("never deleted"), "{refused}");
}

/// A statement of somebody who has the database.
async fn by_hand(world: &World, statement: &'static str) -> Result<(), sqlx::Error> {
    let url = world.database.url();
    if Database::on_postgres() {
        let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.map(drop)
    } else {
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.map(drop)
    }
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_done() {
    if !Database::on_postgres() {
        // a trigger of SQLite cannot say that its disk is full, and the code is the same
        return;
    }
    let world = World::start(&ACCORD).await;
    let (ann, root) = (world.log_in("ann").await, world.log_in("root").await);
    for name in ["Editors", "Others"] {
        root.post("/api/v1/groups").json(&json!({ "name": name })).await.expect(201);
    }
    root.put("/api/v1/groups/1/members/2").await.expect(204);
    root.post("/api/v1/grants").json(&json!({ "group_id": 1, "permission": "can_edit_post" })).await.expect(201);
    let post = ann.writes("A post").await.id();
    let on_post = json!({ "user_id": 2, "permission": "can_edit_post", "object_id": post });
    root.post("/api/v1/grants").json(&on_post).await.expect(201);
    let all =
        ["users", "groups", "permissions", "grants", "users?group_id=1", "users?group_id=2", "posts", "audit-events"];
    let state = async || {
        let lists = all.map(|list| root.get(format!("/api/v1/{list}")).into_future());
        futures_util::future::join_all(lists).await.into_iter().map(|list| list.expect(200).body).collect::<Vec<_>>()
    };
    let before = state().await;
    let mut other = sqlx::PgConnection::connect(&world.database.url()).await.unwrap();
    let full = "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER no_space BEFORE INSERT ON audit_events EXECUTE FUNCTION no_space()";
    sqlx::raw_sql(full).execute(&mut other).await.unwrap();
    let account = json!({ "email": "eve@example.com", "password": "a long password" });
    let wrong = json!({ "email": "ann@example.com", "password": "not the password" });
    let password = json!({ "old_password": "the password of ann", "new_password": "a long password" });
    let right = json!({ "email": "ann@example.com", "password": "the password of ann" });
    let permission = json!({ "name": "can_pin_post", "target": "posts", "description": "Pin posts" });
    for call in [
        world.nobody().post("/api/v1/user").json(&account),
        world.nobody().post("/api/v1/authenticate").json(&wrong),
        ann.patch("/api/v1/user").json(&json!({ "name": "Anna" })),
        ann.post("/api/v1/user/password").json(&password),
        ann.delete("/api/v1/user"),
        ann.delete(format!("/api/v1/posts/{post}")),
        root.post("/api/v1/users").json(&account),
        root.patch("/api/v1/users/1").json(&json!({ "status": "disabled" })),
        root.delete("/api/v1/users/1"),
        root.post("/api/v1/groups").json(&json!({ "name": "New" })),
        root.patch("/api/v1/groups/1").json(&json!({ "name": "New" })),
        root.delete("/api/v1/groups/1"),
        root.put("/api/v1/groups/2/members/2"),
        root.delete("/api/v1/groups/1/members/2"),
        root.post("/api/v1/permissions").json(&permission),
        root.patch("/api/v1/permissions/can_edit_post").json(&json!({ "description": "New" })),
        root.delete("/api/v1/permissions/can_edit_post"),
        root.post("/api/v1/grants").json(&json!({ "group_id": 2, "permission": "can_edit_post" })),
        root.delete("/api/v1/grants/1"),
        ann.post("/api/v1/logout"),
        ann.delete("/api/v1/sessions/1"),
        world.nobody().post("/api/v1/authenticate").json(&right),
        root.delete(format!("/api/v1/posts/{post}")),
    ] {
        call.header("If-Match", "*").await.refused(503, "database_unwritable");
    }
    assert_eq!(state().await, before);
    sqlx::raw_sql("DROP TRIGGER no_space ON audit_events").execute(&mut other).await.unwrap();
    world.nobody().post("/api/v1/authenticate").json(&right).await.expect(200);
}

#[tokio::test]
async fn who_tries_passwords_fills_the_audit_no_faster_than_the_limit() {
    let world = World::with(&ACCORD, &[("ACCORD_RATE_LIMIT", "5")]).await;
    let root = world.log_in("root").await;
    let wrong = json!({ "email": "root@example.com", "password": "not the password" });
    let mut failed = 0;
    for _ in 0..20 {
        let answer = world.nobody().post("/api/v1/authenticate").json(&wrong).await;
        match answer.status {
            401 => failed += 1,
            _ => drop(answer.refused(429, "rate_limited")),
        }
    }
    let events = root.get("/api/v1/audit-events?action=login_failed&with_total=true").await.expect(200);
    assert_eq!(events.body["total"], failed);
    assert!((1..10).contains(&failed), "{failed}");
}

#[tokio::test]
async fn an_event_outlives_its_account_and_names_its_request() {
    let world = World::start(&ACCORD).await;
    let (ann, root) = (world.log_in("ann").await, world.log_in("root").await);
    ann.delete("/api/v1/user").header("X-Request-Id", "the-last-one").await.expect(204);
    let events = root.get("/api/v1/audit-events?actor_id=1").await.expect(200);
    assert_eq!(events.body["items"][0]["request_id"], "the-last-one");
    assert_eq!(events.body["items"][0]["action"], "user_deleted");
}

#[tokio::test]
async fn nobody_changes_an_event_not_even_by_hand() {
    let world = World::start(&ACCORD).await;
    let root = world.log_in("root").await;
    root.post("/api/v1/groups").json(&json!({ "name": "Editors" })).await.expect(201);
    let wrong = json!({ "email": "ann@example.com", "password": "not the password" });
    world.nobody().post("/api/v1/authenticate").json(&wrong).await.refused(401, "invalid_credentials");
    for statement in [
        "UPDATE audit_events SET actor_id = 1",
        "UPDATE audit_events SET occurrences = occurrences + 1",
        "UPDATE audit_events SET occurrences = 1 WHERE action = 'login_failed'",
        "UPDATE audit_events SET occurrences = occurrences + 1, id = 99 WHERE action = 'login_failed'",
        "UPDATE audit_events SET occurrences = occurrences + 1, address = NULL WHERE action = 'login_failed'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
    ] {
        let done = by_hand(&world, statement).await;
        // SQLite does not know the word
        let refusal =
            if statement.starts_with("TRUNCATE") && !Database::on_postgres() { "syntax error" } else { "never" };
        let error = done.expect_err(statement).to_string();
        assert!(error.contains(refusal), "{statement}: {error}");
    }
    assert_eq!(root.get("/api/v1/audit-events?action=group_created").await.body["items"][0]["actor_id"], 3);
}
