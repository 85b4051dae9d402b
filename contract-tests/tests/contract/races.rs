//! Many requests at once.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use contract_tests::{ACCORD, Answer, Author, Database, World};
use futures_util::future::join_all;
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

/// How often each status was answered.
fn statuses(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn an_address_that_registers_twice_at_once_registers_once() {
    let world = World::start(&ACCORD).await;
    for (round, emails) in
        [["eve@example.com"; 2], ["mia@example.com", "MIA@Example.com"], ["Zoe@example.com", "zOE@example.com"]]
            .iter()
            .enumerate()
    {
        let register = emails.map(|email| {
            let account = json!({ "email": email, "password": "a long password" });
            world.nobody().post("/api/v1/user").json(&account).into_future()
        });
        let answers = join_all(register).await;
        assert_eq!(statuses(&answers), BTreeMap::from([(201, 1), (409, 1)]), "round {round}");
        answers
            .into_iter()
            .filter(|answer| answer.status == 409)
            .for_each(|answer| drop(answer.refused(409, "email_in_use")));
    }
}

#[tokio::test]
async fn two_accounts_cannot_move_to_one_address_at_once() {
    let world = World::start(&ACCORD).await;
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    let moves = [(&ann, "new@example.com"), (&ben, "NEW@example.com")].map(|(person, email)| {
        let change = json!({ "email": email, "password": format!("the password of {}", person.name) });
        person.patch("/api/v1/user").json(&change).into_future()
    });
    assert_eq!(statuses(&join_all(moves).await), BTreeMap::from([(200, 1), (409, 1)]));
}

#[tokio::test]
async fn of_two_hundred_votes_of_one_user_one_counts() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30")]).await;
    let ann = world.log_in("ann").await;
    let post_id = ann.writes("A post").await.id();
    let (up, down) = (json!({ "post_id": post_id, "vote_dir": 1 }), json!({ "post_id": post_id, "vote_dir": 0 }));
    let votes = (0..200).map(|_| ann.post("/api/v1/vote").json(&up).into_future());
    assert_eq!(statuses(&join_all(votes).await), BTreeMap::from([(201, 1), (409, 199)]));
    assert_eq!(ann.get(format!("/api/v1/posts/{post_id}")).await.body["votes"], 1);
    let votes = (0..50).map(|_| ann.post("/api/v1/vote").json(&down).into_future());
    assert_eq!(statuses(&join_all(votes).await), BTreeMap::from([(200, 1), (404, 49)]));
    assert_eq!(ann.get(format!("/api/v1/posts/{post_id}")).await.body["votes"], 0);
}

#[tokio::test]
async fn of_fifty_changes_of_one_version_one_wins() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30")]).await;
    let ann = world.log_in("ann").await;
    let post = ann.writes("A post").await;
    let path = format!("/api/v1/posts/{}", post.id());
    let changes = (0..50).map(|number| {
        let title = json!({ "title": format!("Change {number}") });
        ann.patch(&path).header("If-Match", post.etag()).json(&title).into_future()
    });
    let answers = join_all(changes).await;
    assert_eq!(statuses(&answers), BTreeMap::from([(200, 1), (412, 49)]));
    let winner = answers.iter().find(|answer| answer.status == 200).unwrap();
    let after = ann.get(&path).await;
    assert_eq!((winner.etag(), &winner.body), (after.etag(), &after.body));
}

#[tokio::test]
async fn of_many_uses_of_one_refresh_token_one_wins_and_the_session_goes_on() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30"), ("ACCORD_REFRESH_GRACE", "60")]).await;
    let credentials = json!({ "email": "ann@example.com", "password": "the password of ann" });
    let session = world.nobody().post("/api/v1/authenticate").json(&credentials).await.expect(200);
    let refresh = json!({ "refresh_token": session.text("/refresh_token") });
    let uses = (0..10).map(|_| world.nobody().post("/api/v1/token/refresh").json(&refresh).into_future());
    let answers = join_all(uses).await;
    assert_eq!(statuses(&answers), BTreeMap::from([(200, 1), (401, 9)]));
    let winner = answers.iter().find(|answer| answer.status == 200).unwrap();
    world.nobody().with_token(winner.text("/token")).get("/api/v1/user").await.expect(200);
    let refresh = json!({ "refresh_token": winner.text("/refresh_token") });
    world.nobody().post("/api/v1/token/refresh").json(&refresh).await.expect(200);
    for loser in answers.into_iter().filter(|answer| answer.status != 200) {
        loser.refused(401, "refresh_token_used");
    }
}

#[tokio::test]
async fn a_vote_and_the_end_of_its_post_leave_no_half() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30")]).await;
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    for round in 0..10 {
        let post_id = ann.writes(&format!("Post {round}")).await.id();
        let vote = ben.post("/api/v1/vote").json(&json!({ "post_id": post_id, "vote_dir": 1 })).into_future();
        let delete = ann.delete(format!("/api/v1/posts/{post_id}")).header("If-Match", "*").into_future();
        let answers = join_all([vote, delete]).await;
        assert!([201, 404].contains(&answers[0].status), "{}", answers[0]);
        assert_eq!(answers[1].status, 204, "{}", answers[1]);
    }
}

#[tokio::test]
async fn changes_of_different_fields_in_any_version_are_all_kept() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30")]).await;
    let ann = world.log_in("ann").await;
    let post = ann.writes("A post").await;
    let path = format!("/api/v1/posts/{}", post.id());
    for round in 0..20 {
        let (title, content, rating) = (format!("Title {round}"), format!("Content {round}"), round % 5 + 1);
        let changes = [json!({ "title": title }), json!({ "content": content }), json!({ "rating": rating })];
        let changes = changes.map(|change| ann.patch(&path).header("If-Match", "*").json(&change).into_future());
        assert_eq!(statuses(&join_all(changes).await), BTreeMap::from([(200, 3)]));
        let after = ann.get(&path).await.body;
        assert_eq!(
            (&after["title"], &after["content"], &after["rating"]),
            (&json!(title), &json!(content), &json!(rating))
        );
    }
}

#[tokio::test]
async fn accounts_that_are_deleted_at_once_take_each_vote_back_once() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30")]).await;
    let ann = world.log_in("ann").await;
    for number in 1..=10 {
        ann.writes(&format!("Post {number}")).await;
    }
    let mut voters = vec![];
    for number in 0..8 {
        let account = json!({ "email": format!("voter{number}@example.com"), "password": "a long password" });
        let session = world.nobody().post("/api/v1/user").json(&account).await.expect(201);
        let voter = world.nobody().with_token(session.text("/token"));
        // in another order each
        for step in 0..10 {
            let vote = json!({ "post_id": (number + step * 3) % 10 + 1, "vote_dir": 1 });
            voter.post("/api/v1/vote").json(&vote).await.expect(201);
        }
        voters.push(voter);
    }
    let (leaving, staying) = voters.split_at(6);
    let deletions = leaving.iter().map(|voter| voter.delete("/api/v1/user").into_future());
    let back = json!({ "post_id": 5, "vote_dir": 0 });
    let votes = staying.iter().map(|voter| voter.post("/api/v1/vote").json(&back).into_future());
    assert_eq!(statuses(&join_all(deletions.chain(votes)).await), BTreeMap::from([(200, 2), (204, 6)]));
    for post in ann.get("/api/v1/posts").await.body["items"].as_array().unwrap() {
        assert_eq!(post["votes"], if post["id"] == 5 { 0 } else { 2 }, "{post}");
    }
}

#[tokio::test]
async fn what_is_asked_while_the_account_goes_away_is_done_or_refused() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30")]).await;
    let ann = world.log_in("ann").await;
    ann.writes("A post").await;
    for round in 0..5 {
        let account = json!({ "email": format!("leaver{round}@example.com"), "password": "a long password" });
        let session = world.nobody().post("/api/v1/user").json(&account).await.expect(201);
        let leaver = world.nobody().with_token(session.text("/token"));
        let refresh = json!({ "refresh_token": session.text("/refresh_token") });
        let credentials = json!({ "email": account["email"], "password": account["password"] });
        let post = json!({ "title": "The last one", "content": "x" });
        let mut calls = vec![];
        for number in 0..10 {
            calls.push(leaver.post("/api/v1/posts").json(&post).into_future());
            calls
                .push(leaver.post("/api/v1/vote").json(&json!({ "post_id": 1, "vote_dir": number % 2 })).into_future());
            if number == 3 {
                calls.push(leaver.delete("/api/v1/user").into_future());
                calls.push(world.nobody().post("/api/v1/token/refresh").json(&refresh).into_future());
                calls.push(world.nobody().post("/api/v1/authenticate").json(&credentials).into_future());
            }
        }
        // the recorder refuses a 500 and every status that is not documented
        for answer in join_all(calls).await {
            assert!(answer.status < 500, "{answer}");
        }
        assert_eq!(ann.get("/api/v1/posts/1").await.body["votes"], 0, "the votes of who has left are taken back");
    }
}

#[tokio::test]
async fn a_session_that_the_old_password_opens_does_not_outlive_it() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30")]).await;
    let (ann, nobody) = (world.log_in("ann").await, world.nobody());
    // both verify the old password while nobody can write; then the change comes first
    let mut lock = None;
    if !Database::on_postgres() {
        let options = SqliteConnectOptions::from_str(&world.database.url()).unwrap();
        let mut other = options.connect().await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        lock = Some(other);
    }
    let (old, new) = ("the password of ann", "the new password");
    let change = json!({ "old_password": old, "new_password": new });
    let change = tokio::spawn(ann.post("/api/v1/user/password").json(&change).into_future());
    tokio::time::sleep(Duration::from_millis(if lock.is_some() { 500 } else { 0 })).await;
    let credentials = json!({ "email": "ann@example.com", "password": old });
    let logins = [(); 5].map(|()| tokio::spawn(nobody.post("/api/v1/authenticate").json(&credentials).into_future()));
    if let Some(other) = lock {
        tokio::time::sleep(Duration::from_millis(500)).await;
        other.close().await.unwrap();
    }
    change.await.unwrap().expect(204);
    let mut failed = 0;
    for login in join_all(logins).await {
        let login = login.unwrap();
        if login.status == 401 {
            failed += 1;
            continue;
        }
        let refresh = json!({ "refresh_token": login.text("/refresh_token") });
        nobody.with_token(login.text("/token")).get("/api/v1/user").await.refused(401, "token_revoked");
        nobody.post("/api/v1/token/refresh").json(&refresh).await.refused(401, "refresh_token_invalid");
    }
    let root = world.log_in("root").await;
    let events = root.get("/api/v1/audit-events?action=login_failed&with_total=true").await.expect(200);
    assert_eq!(events.body["total"], failed, "each that failed is an event");
}

#[tokio::test]
async fn nothing_passes_after_the_answer_that_took_the_grant_back() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30")]).await;
    let (ann, ben, root) = (world.log_in("ann").await, world.log_in("ben").await, world.log_in("root").await);
    let path = format!("/api/v1/posts/{}", ann.writes("A post").await.id());
    let grant = json!({ "user_id": 2, "permission": "can_edit_post", "object_id": 1 });
    let edit = || ben.patch(&path).header("If-Match", "*").json(&json!({ "rating": 1 })).into_future();
    for round in 0..50 {
        let granted = root.post("/api/v1/grants").json(&grant).await.expect(201);
        let revoke = root.delete(format!("/api/v1/grants/{}", granted.id())).into_future();
        // what is under way meanwhile may pass or not
        let (revoked, _, passes) =
            tokio::join!(revoke, join_all((0..4).map(|_| edit())), async { edit().await.status });
        assert!([200, 403].contains(&passes), "round {round}: {passes}");
        revoked.expect(204);
        for answer in join_all((0..3).map(|_| edit())).await {
            answer.refused(403, "forbidden");
        }
    }
}

#[tokio::test]
async fn no_grant_is_left_on_a_post_that_goes_at_the_same_time() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30")]).await;
    let (ann, root) = (world.log_in("ann").await, world.log_in("root").await);
    for round in 0..20 {
        let post_id = ann.writes(&format!("Post {round}")).await.id();
        let grants = [2, 4, 5].map(|user_id| {
            let grant = json!({ "user_id": user_id, "permission": "can_edit_post", "object_id": post_id });
            root.post("/api/v1/grants").json(&grant).into_future()
        });
        let delete = ann.delete(format!("/api/v1/posts/{post_id}")).header("If-Match", "*").into_future();
        let (granted, deleted) = tokio::join!(join_all(grants), delete);
        deleted.expect(204);
        assert!(granted.iter().all(|answer| [201, 404].contains(&answer.status)), "{:?}", statuses(&granted));
        let left = root.get(format!("/api/v1/grants?object_id={post_id}")).await.expect(200);
        assert_eq!(left.body["items"], json!([]), "round {round}");
    }
}

#[tokio::test]
async fn who_takes_the_same_grants_away_at_once_does_not_wait_for_the_other() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30")]).await;
    let (ann, root) = (world.log_in("ann").await, world.log_in("root").await);
    for round in 0..5 {
        let name = format!("can_do_{round}");
        let new = json!({ "name": name, "target": "posts", "description": "Of a client" });
        root.post("/api/v1/permissions").json(&new).await.expect(201);
        let group = json!({ "name": format!("Group {round}") });
        let group = root.post("/api/v1/groups").json(&group).await.expect(201).id();
        let account = json!({ "email": format!("eve{round}@example.com"), "password": "a long password" });
        let user = root.post("/api/v1/users").json(&account).await.expect(201).id();
        let mut calls = vec![
            root.delete(format!("/api/v1/permissions/{name}")),
            root.delete(format!("/api/v1/groups/{group}")),
            root.delete(format!("/api/v1/users/{user}")),
        ];
        for number in 0..5 {
            let post_id = ann.writes(&format!("Post {number}")).await.id();
            for holder in [json!({ "user_id": user }), json!({ "group_id": group })] {
                let mut grant = holder;
                grant["permission"] = name.as_str().into();
                grant["object_id"] = post_id.into();
                root.post("/api/v1/grants").json(&grant).await.expect(201);
            }
            calls.insert(number % 3, ann.delete(format!("/api/v1/posts/{post_id}")));
        }
        let answers = join_all(calls.into_iter().map(|call| call.header("If-Match", "*").into_future())).await;
        assert_eq!(statuses(&answers), BTreeMap::from([(204, 8)]), "round {round}");
    }
    let ends = root.get("/api/v1/audit-events?action=grant_deleted&limit=100&with_total=true").await.expect(200);
    assert_eq!(ends.body["total"], 50, "each is taken away once");
}

#[tokio::test]
async fn what_holds_grants_on_each_other_goes_at_once() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30")]).await;
    let root = world.log_in("root").await;
    for number in 0..4 {
        for target in ["groups", "users"] {
            let new =
                json!({ "name": format!("can_do_{target}_{number}"), "target": target, "description": "Of a client" });
            root.post("/api/v1/permissions").json(&new).await.expect(201);
        }
    }
    for round in 0..5 {
        let mut groups = vec![];
        for name in ["A", "B"] {
            let group = json!({ "name": format!("{name} {round}") });
            groups.push(root.post("/api/v1/groups").json(&group).await.expect(201).id());
        }
        let account = json!({ "email": format!("eve{round}@example.com"), "password": "a long password" });
        let user = root.post("/api/v1/users").json(&account).await.expect(201).id();
        for number in 0..4 {
            let (on_group, on_user) = (format!("can_do_groups_{number}"), format!("can_do_users_{number}"));
            for grant in [
                json!({ "group_id": groups[0], "permission": on_group, "object_id": groups[1] }),
                json!({ "group_id": groups[1], "permission": on_group, "object_id": groups[0] }),
                json!({ "group_id": groups[0], "permission": on_user, "object_id": user }),
                json!({ "user_id": user, "permission": on_group, "object_id": groups[0] }),
            ] {
                root.post("/api/v1/grants").json(&grant).await.expect(201);
            }
        }
        let paths = [format!("groups/{}", groups[0]), format!("groups/{}", groups[1]), format!("users/{user}")];
        let calls = paths.map(|path| root.delete(format!("/api/v1/{path}")).header("If-Match", "*").into_future());
        assert_eq!(statuses(&join_all(calls).await), BTreeMap::from([(204, 3)]), "round {round}");
    }
    let ends = root.get("/api/v1/audit-events?action=grant_deleted&limit=1&with_total=true").await.expect(200);
    assert_eq!(ends.body["total"], 80, "each is taken away once");
}

#[tokio::test]
async fn of_two_admins_who_take_each_other_away_one_stays() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30")]).await;
    let (ann, root) = (world.log_in("ann").await, world.log_in("root").await);
    let promote = json!({ "role": "admin", "status": "active" });
    root.patch("/api/v1/users/1").header("If-Match", "*").json(&promote).await.expect(200);
    for (round, change) in
        [json!({ "role": "active" }), json!({ "status": "disabled" })].iter().cycle().take(10).enumerate()
    {
        let take = |by: &contract_tests::Person, id: i64| {
            by.patch(format!("/api/v1/users/{id}")).header("If-Match", "*").json(change).into_future()
        };
        let answers = join_all([take(&ann, 3), take(&root, 1)]).await;
        // the second is refused as the last, or as no admin any more
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert!(matches!(statuses[..], [200, 403 | 409] | [403 | 409, 200]), "round {round}: {statuses:?}");
        let (left, lost) = if statuses[0] == 200 { (&ann, 3) } else { (&root, 1) };
        left.patch(format!("/api/v1/users/{lost}")).header("If-Match", "*").json(&promote).await.expect(200);
    }
}

#[tokio::test]
async fn admins_who_delete_themselves_at_once_leave_one() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30")]).await;
    let (ann, ben, root) = (world.log_in("ann").await, world.log_in("ben").await, world.log_in("root").await);
    for id in [1, 2] {
        let promote = json!({ "role": "admin" });
        root.patch(format!("/api/v1/users/{id}")).header("If-Match", "*").json(&promote).await.expect(200);
    }
    let deletions = [&ann, &ben, &root].map(|person| person.delete("/api/v1/user").into_future());
    assert_eq!(statuses(&join_all(deletions).await), BTreeMap::from([(204, 2), (409, 1)]));
}

#[tokio::test]
async fn what_one_instance_decides_the_other_knows() {
    let world = World::start(&ACCORD).await;
    let other = world.another_server(&[]).await;
    let (ann, ben, root) = (world.log_in("ann").await, world.log_in("ben").await, world.log_in("root").await);
    let (there, path) = (ben.at(&other), format!("/api/v1/posts/{}", ann.writes("A post").await.id()));
    let edit = async || there.patch(&path).header("If-Match", "*").json(&json!({ "rating": 1 })).await.status;
    let admin = |path: &str| root.call(if path.ends_with("users/2") { "PATCH" } else { "DELETE" }, path);
    assert_eq!(edit().await, 403);
    let grant = json!({ "user_id": 2, "permission": "can_edit_post" });
    let grant = root.post("/api/v1/grants").json(&grant).await.expect(201).id();
    assert_eq!(edit().await, 200);
    admin(&format!("/api/v1/grants/{grant}")).await.expect(204);
    assert_eq!(edit().await, 403);
    let group = root.post("/api/v1/groups").json(&json!({ "name": "Editors" })).await.expect(201).id();
    let grant = json!({ "group_id": group, "permission": "can_edit_post" });
    root.post("/api/v1/grants").json(&grant).await.expect(201);
    let member = format!("/api/v1/groups/{group}/members/2");
    root.put(&member).await.expect(204);
    assert_eq!(edit().await, 200);
    admin(&member).await.expect(204);
    assert_eq!(edit().await, 403);
    let user = |change| admin("/api/v1/users/2").header("If-Match", "*").json(&change);
    user(json!({ "role": "admin" })).await.expect(200);
    assert_eq!(edit().await, 200);
    user(json!({ "status": "disabled" })).await.expect(200);
    assert_eq!(edit().await, 403);
    there.get("/api/v1/posts").await.refused(403, "account_disabled");
}
