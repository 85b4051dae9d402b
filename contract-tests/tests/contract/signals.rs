//! What is called before and after a change: a veto, and the letters and events that go with a change.

use std::collections::BTreeSet;
use std::time::Duration;

use contract_tests::Treatment::Answers;
use contract_tests::{ACCORD, Author, Database, Receiver, World, refused_start};
use insta::assert_snapshot;
use serde_json::json;

const TABLES: [&str; 14] = [
    "audit_events",
    "grants",
    "groups",
    "invited_guests",
    "memberships",
    "one_time_codes",
    "permissions",
    "posts",
    "refresh_tokens",
    "sessions",
    "tasks",
    "users",
    "votes",
    "webhooks",
];

#[tokio::test]
async fn a_veto_leaves_no_trace() {
    let mut world = World::start(&ACCORD).await;
    let (ann, root) = (world.log_in("ann").await, world.log_in("root").await);
    let member = root.get("/api/v1/users?email=ben@example.com").await.body["items"][0]["id"].as_i64().unwrap();
    root.post("/api/v1/groups").json(&json!({ "name": "Editors" })).await.expect(201);
    root.put(format!("/api/v1/groups/1/members/{member}")).await.expect(204);
    let permission = json!({ "name": "can_pin_post", "target": "posts", "description": "Pin posts" });
    root.post("/api/v1/permissions").json(&permission).await.expect(201);
    root.post("/api/v1/grants").json(&json!({ "group_id": 1, "permission": "can_pin_post" })).await.expect(201);
    let post = json!({ "title": "Hello", "content": "World" });
    let post = ann.post("/api/v1/posts").json(&post).await.expect(201).header("location").unwrap().to_owned();
    let id: i64 = post.rsplit('/').next().unwrap().parse().unwrap();
    root.post("/api/v1/vote").json(&json!({ "post_id": id, "vote_dir": 1 })).await.expect(201);

    root.post("/api/v1/webhooks").json(&json!({ "url": "https://hooks.example.com" })).await.expect(201);

    root.post("/api/v1/invited-guests").json(&json!({ "email": "gil@example.com" })).await.expect(201);

    let all = "grants,groups, invited_guests,memberships,permissions,posts,users,votes,webhooks";
    world.server = world.another_server(&[("ACCORD_FROZEN", all)]).await;
    let (ann, root) = (world.log_in("ann").await, world.log_in("root").await);
    let kept = async || {
        let mut kept = vec![];
        for table in TABLES {
            kept.push((table.to_owned(), world.database.count(table).await.to_string()));
        }
        for path in [&post, "/api/v1/groups/1", "/api/v1/permissions/can_pin_post", &format!("/api/v1/users/{member}")]
        {
            let answer = root.get(path).await.expect(200);
            kept.push((path.to_owned(), format!("{:?} {}", answer.header("etag"), answer.body)));
        }
        kept
    };
    let before = kept().await;
    let whole = json!({ "title": "a", "content": "b", "published": true, "rating": null });
    let user = json!({ "email": "eve@example.com", "password": "a long password" });
    let account = json!({ "email": "eve@example.com", "password": "a long password", "role": "staff" });
    let passwords = json!({ "old_password": "the password of ann", "new_password": "another password of ann" });
    let member = format!("/api/v1/users/{member}");
    for call in [
        world.nobody().post("/api/v1/user").json(&user),
        ann.patch("/api/v1/user").json(&json!({ "name": "Eve" })),
        ann.delete("/api/v1/user"),
        ann.post("/api/v1/user/password").json(&passwords),
        root.post("/api/v1/users").json(&account),
        root.patch(&member).header("If-Match", "*").json(&json!({ "role": "staff" })),
        root.delete(&member).header("If-Match", "*"),
        root.post("/api/v1/groups").json(&json!({ "name": "Others" })),
        root.patch("/api/v1/groups/1").header("If-Match", "*").json(&json!({ "name": "Others" })),
        root.delete("/api/v1/groups/1").header("If-Match", "*"),
        root.put("/api/v1/groups/1/members/1"),
        root.delete(member.replace("/users/", "/groups/1/members/")),
        root.post("/api/v1/permissions").json(&json!({ "name": "can_fly", "description": "Fly" })),
        root.patch("/api/v1/permissions/can_pin_post").header("If-Match", "*").json(&json!({ "description": "Pin" })),
        root.delete("/api/v1/permissions/can_pin_post").header("If-Match", "*"),
        root.post("/api/v1/grants").json(&json!({ "group_id": 1, "permission": "can_edit_post" })),
        root.delete("/api/v1/grants/1"),
        ann.post("/api/v1/posts").json(&json!({ "title": "Hello", "content": "World" })),
        ann.put(&post).header("If-Match", "*").json(&whole),
        ann.patch(&post).header("If-Match", "*").json(&json!({ "title": "a" })),
        ann.delete(&post).header("If-Match", "*"),
        ann.post("/api/v1/vote").json(&json!({ "post_id": id, "vote_dir": 1 })),
        root.post("/api/v1/vote").json(&json!({ "post_id": id, "vote_dir": 0 })),
        root.post("/api/v1/invited-guests").json(&json!({ "email": "guy@example.com" })),
        root.delete("/api/v1/invited-guests/1"),
        root.post("/api/v1/webhooks").json(&json!({ "url": "https://others.example.com" })),
        root.patch("/api/v1/webhooks/1").header("If-Match", "*").json(&json!({ "enabled": false })),
        root.delete("/api/v1/webhooks/1").header("If-Match", "*"),
    ] {
        call.await.refused(409, "vetoed");
    }
    assert_eq!(kept().await, before);
    // who wants to change something is told what, and that it will pass
    let refused = ann.post("/api/v1/posts").json(&json!({ "title": "Hello", "content": "World" })).await;
    assert_snapshot!(refused.body["detail"].as_str().unwrap(), @"The server does not change posts for now; try again later.");
}

#[tokio::test]
async fn a_frozen_table_stops_what_would_change_it_too() {
    let mut world = World::start(&ACCORD).await;
    let root = world.log_in("root").await;
    root.post("/api/v1/groups").json(&json!({ "name": "Editors" })).await.expect(201);
    root.post("/api/v1/grants").json(&json!({ "group_id": 1, "permission": "can_edit_post" })).await.expect(201);
    root.post("/api/v1/groups").json(&json!({ "name": "Others" })).await.expect(201);
    world.server = world.another_server(&[("ACCORD_FROZEN", "grants")]).await;
    let root = world.log_in("root").await;
    root.delete("/api/v1/groups/1").header("If-Match", "*").await.refused(409, "vetoed");
    root.get("/api/v1/groups/1").await.expect(200);
    root.delete("/api/v1/groups/2").header("If-Match", "*").await.expect(204);

    // what goes by the schema, or is counted, has no signals of its own
    let ann = world.log_in("ann").await;
    let (first, second) = (ann.writes("First").await.id(), ann.writes("Second").await.id());
    let vote = |post_id| json!({ "post_id": post_id, "vote_dir": 1 });
    ann.post("/api/v1/vote").json(&vote(first)).await.expect(201);
    world.server = world.another_server(&[("ACCORD_FROZEN", "votes")]).await;
    let (ann, post) = (world.log_in("ann").await, format!("/api/v1/posts/{first}"));
    ann.delete(&post).header("If-Match", "*").await.refused(409, "vetoed");
    ann.delete("/api/v1/user").await.refused(409, "vetoed");
    ann.patch(&post).header("If-Match", "*").json(&json!({ "rating": 5 })).await.expect(200);
    world.server = world.another_server(&[("ACCORD_FROZEN", "posts")]).await;
    let ann = world.log_in("ann").await;
    let refused = ann.post("/api/v1/vote").json(&vote(second)).await.refused(409, "vetoed");
    assert_eq!(refused.body["detail"], "The server does not change posts for now; try again later.");
    ann.delete("/api/v1/user").await.refused(409, "vetoed");
    assert_eq!(ann.get(&post).await.expect(200).body["votes"], 1);
}

#[tokio::test]
async fn what_cannot_be_frozen_is_refused_at_the_start() {
    let (code, says) =
        refused_start(&ACCORD, &Database::empty(&ACCORD).await.url(), &[("ACCORD_FROZEN", "posts,sessions")], &[])
            .await;
    assert_eq!(code, 78, "{says}");
    assert!(says.contains("ACCORD_FROZEN: `sessions` cannot be frozen; use some of "), "{says}");
    assert!(says.contains("grants, groups"), "{says}");
}

#[tokio::test]
async fn owners_are_told_what_was_changed_of_their_account() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("folder:{}", folder.path().display());
    let settings = [("ACCORD_MAIL_URL", url.as_str()), ("ACCORD_TASK_WORKERS", "1"), ("ACCORD_PURGE_INTERVAL", "0")];
    let world = World::with(&ACCORD, &settings).await;
    let ann = world.log_in("ann").await;
    ann.patch("/api/v1/user").json(&json!({ "name": "Ann B." })).await.expect(200);
    let passwords = json!({ "old_password": "the password of ann", "new_password": "another password of ann" });
    ann.post("/api/v1/user/password").json(&passwords).await.expect(204);
    let credentials = json!({ "email": "ann@example.com", "password": "another password of ann" });
    let token = world.nobody().post("/api/v1/authenticate").json(&credentials).await.expect(200);
    let ann = world.nobody().with_token(token.text("/token"));
    ann.patch("/api/v1/user")
        .json(&json!({ "email": "ann.b@example.com", "password": "another password of ann" }))
        .await
        .expect(200);
    let letters = || {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut letters: Vec<_> = files
            .filter(|path| path.extension().is_some_and(|end| end == "eml"))
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect();
        // the new address gets its own
        letters.retain(|letter| !letter.contains("Subject: Verify"));
        letters.sort_by_key(|letter| letter.contains("address"));
        letters
    };
    let arrived = async {
        while letters().len() < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), arrived).await.expect("two letters");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let letters = letters();
    let told = |letter: &str| {
        letter
            .lines()
            .filter(|line| line.starts_with("To:") || line.starts_with("Subject:"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    // to the address that the account had, and no word of the new one
    assert_snapshot!(letters.iter().map(|letter| told(letter)).collect::<Vec<_>>().join("\n"), @r#"
    To: ann@example.com
    Subject: Your password was changed
    To: ann@example.com
    Subject: Your e-mail address was changed
    "#);
    assert!(!letters.iter().any(|letter| letter.contains("ann.b@")), "{letters:?}");
}

#[tokio::test]
async fn a_user_that_goes_leaves_each_group_with_an_event() {
    let world = World::start(&ACCORD).await;
    let root = world.log_in("root").await;
    for name in ["A", "B"] {
        root.post("/api/v1/groups").json(&json!({ "name": name })).await.expect(201);
    }
    for path in ["/api/v1/groups/1/members/1", "/api/v1/groups/1/members/2", "/api/v1/groups/2/members/2"] {
        root.put(path).await.expect(204);
    }
    root.delete("/api/v1/groups/1").header("If-Match", "*").await.expect(204);
    root.delete("/api/v1/users/2").header("If-Match", "*").await.expect(204);
    let events = root.get("/api/v1/audit-events?limit=3").await.expect(200).body;
    let events = events["items"].as_array().unwrap().iter().rev().map(|event| {
        format!("{} {} {}", event["action"].as_str().unwrap(), event["object_id"], event["before"]["user_id"])
    });
    assert_snapshot!(events.collect::<Vec<_>>().join("\n"), @r"
    group_deleted 1 null
    member_removed 2 2
    user_deleted 2 null
    ");
}

/// Two hundred changes, each of which has an event, a letter and a delivery; the server dies in the middle of every tenth.
#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_when_servers_die() {
    let folder = tempfile::tempdir().unwrap();
    let mail = format!("folder:{}", folder.path().display());
    let settings = [
        ("ACCORD_MAIL_URL", mail.as_str()),
        ("ACCORD_TASK_WORKERS", "4"),
        ("ACCORD_TASK_LEASE", "1"),
        ("ACCORD_PURGE_INTERVAL", "0"),
        ("ACCORD_WEBHOOK_PRIVATE", "true"),
    ];
    let receiver = Receiver::start(&[Answers(204)]).await;
    let mut world = World::with(&ACCORD, &settings).await;
    let webhook = json!({ "url": receiver.url, "events": ["user.updated"] });
    world.log_in("root").await.post("/api/v1/webhooks").json(&webhook).await.expect(201);
    let token = world.log_in("ann").await.token().to_owned();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    // the addresses that an acknowledged change has left behind and brought, by the request that did it
    let mut acknowledged = vec![];
    let (mut address, mut kills) = ("ann@example.com".to_owned(), 0);
    for change in 0..200 {
        let next = format!("ann.{change}@example.com");
        let request_id = format!("change-{change}");
        let call = client
            .patch(format!("{}/api/v1/user", world.server.address))
            .bearer_auth(&token)
            .header("X-Request-Id", &request_id)
            .json(&json!({ "email": next, "password": "the password of ann" }))
            .send();
        let answer = if change % 10 == 9 {
            kills += 1;
            let moment = Duration::from_micros(rand::random_range(0..12_000));
            let killed = async {
                tokio::time::sleep(moment).await;
                world.server.kill().await;
            };
            let (answer, ()) = tokio::join!(call, killed);
            world.server = world.another_server(&settings).await;
            answer
        } else {
            call.await
        };
        match answer {
            Ok(answer) => {
                assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
                acknowledged.push((request_id, address, next.clone()));
                address = next;
            }
            // whether it was made nobody was told
            Err(_) => {
                let now = world.nobody().with_token(&token).get("/api/v1/user").await.expect(200);
                address = now.text("/email").to_owned();
            }
        }
    }
    let emptied = async {
        while world.database.count("tasks").await > 0
            || world.database.count("deliveries WHERE status = 'pending'").await > 0
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), emptied).await.expect("all jobs and deliveries are done");
    assert!(acknowledged.len() >= 180, "{}", acknowledged.len());

    let root = world.log_in("root").await;
    let (mut events, mut cursor) = (vec![], String::new());
    loop {
        let page =
            root.get(format!("/api/v1/audit-events?action=user_updated&limit=100{cursor}")).await.expect(200).body;
        events.extend(
            page["items"].as_array().unwrap().iter().map(|event| event["request_id"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let letters: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "eml"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let line = |letter: &str, name: &str| letter.lines().find(|line| line.starts_with(name)).map(str::to_owned);
    let received = receiver.received();
    let (mut letters_twice, mut deliveries_twice) = (0, 0);
    for (request_id, address, next) in &acknowledged {
        assert_eq!(events.iter().filter(|id| *id == request_id).count(), 1, "{request_id}: one event");
        let to = |letter: &&String| {
            let told = line(letter, "Subject:").is_some_and(|subject| subject.ends_with("was changed"));
            told && line(letter, "To:").is_some_and(|to| to == format!("To: {address}"))
        };
        let numbers: Vec<_> = letters.iter().filter(to).map(|letter| line(letter, "Message-ID:")).collect();
        assert!(!numbers.is_empty(), "{request_id}: no letter to {address}");
        assert!(numbers.windows(2).all(|pair| pair[0] == pair[1]), "{request_id}: {numbers:?}");
        letters_twice += numbers.len() - 1;
        let told = received.iter().filter(|received| received.event()["data"]["email"] == *next);
        let ids: Vec<_> = told.map(|received| received.id()).collect();
        assert!(!ids.is_empty(), "{request_id}: no delivery of {next}");
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{request_id}: {ids:?}");
        deliveries_twice += ids.len() - 1;
    }
    // of one account, so in their order: a delivery that comes again comes at once
    let order: Vec<_> = received.iter().map(|received| received.event()["data"]["email"].to_string()).collect();
    let mut firsts = order.clone();
    firsts.dedup();
    assert_eq!(firsts.iter().collect::<BTreeSet<_>>().len(), firsts.len(), "{order:?}");
    println!(
        "{} of 200 changes acknowledged, {kills} kills: each has its event, letter and delivery; {letters_twice} letters \
         and {deliveries_twice} deliveries came twice",
        acknowledged.len()
    );
}
