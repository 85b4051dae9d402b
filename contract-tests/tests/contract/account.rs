//! An account: registered, changed, deleted.

use contract_tests::{ACCORD, Author, Story, World};
use insta::assert_yaml_snapshot;
use serde_json::json;

#[tokio::test]
async fn an_account_lives_from_registration_to_deletion() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let nobody = world.nobody();
    let account = json!({ "email": "Carl@Example.COM", "password": "a long password", "name": "Carl" });
    let session = story.tell("Carl registers", nobody.post("/api/v1/user").json(&account)).await;
    let carl = world.nobody().named("carl").with_token(session.text("/token"));

    let location = session.header("Location").unwrap();
    story.tell("his account is where Location says, its address in lower case", carl.get(location)).await;
    story.tell("he takes another name", carl.patch("/api/v1/user").json(&json!({ "name": "Carlo" }))).await;
    story.tell("he takes it back", carl.patch("/api/v1/user").json(&json!({ "name": null }))).await;
    story
        .tell(
            "he moves to a new address",
            carl.patch("/api/v1/user").json(&json!({ "email": "carl@NEW.example", "password": "a long password" })),
        )
        .await;
    story
        .tell(
            "the address of Ann is in use",
            carl.patch("/api/v1/user").json(&json!({ "email": "ANN@example.com", "password": "a long password" })),
        )
        .await;
    for password in [json!(null), json!("not his password")] {
        let mut change = json!({ "email": "carl@elsewhere.example" });
        if password.is_string() {
            change["password"] = password;
        }
        let refused = carl.patch("/api/v1/user").json(&change);
        story.tell("another address needs the password", refused).await.blames("body/password");
    }
    let same = json!({ "email": "carl@new.example", "name": "Carl" });
    carl.patch("/api/v1/user").json(&same).await.expect(200);
    story.tell("a change must name a field", carl.patch("/api/v1/user").json(&json!({}))).await;
    let role = json!({ "name": "Carl", "role": "admin" });
    story.tell("nobody makes himself an admin", carl.patch("/api/v1/user").json(&role)).await;
    story.tell("nothing of that was written", carl.get("/api/v1/user")).await;

    story.tell("he deletes his account", carl.delete("/api/v1/user")).await;
    story.tell("his token is worth nothing", carl.get("/api/v1/user")).await;
    let credentials = json!({ "email": "carl@new.example", "password": "a long password" });
    story.tell("he cannot log in", nobody.post("/api/v1/authenticate").json(&credentials)).await;
    story.tell("the address is free again", nobody.post("/api/v1/user").json(&credentials)).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn an_address_registers_once_in_any_case() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    for email in ["ann@example.com", "Ann@Example.com"] {
        let account = json!({ "email": email, "password": "a long password" });
        story.tell("the address is in use", world.nobody().post("/api/v1/user").json(&account)).await;
    }
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn registering_takes_the_longest_and_the_strangest_that_is_allowed() {
    let world = World::start(&ACCORD).await;
    let label = "b".repeat(63);
    let longest = format!("{}@{label}.{label}.{}.com", "a".repeat(64), "c".repeat(57));
    assert_eq!(longest.len(), 254);
    for (email, password, name) in [
        (longest.as_str(), "ü".repeat(128), json!("Ä".repeat(80))),
        ("x+y.z'q@sub.example.org", "48205739".into(), json!("🦀")),
        ("short@a.bc", " spaces \" and 'quotes' % _ ".into(), json!(null)),
    ] {
        let account = json!({ "email": email, "password": password, "name": name });
        let session = world.nobody().post("/api/v1/user").json(&account).await.expect(201);
        let user = world.nobody().with_token(session.text("/token")).get("/api/v1/user").await.expect(200);
        assert_eq!((user.text("/email"), &user.body["name"]), (email, &name));
        let credentials = json!({ "email": email, "password": password });
        world.nobody().post("/api/v1/authenticate").json(&credentials).await.expect(200);
    }
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let nobody = world.nobody();
    let old = json!({ "email": "ann@example.com", "password": "the password of ann" });
    let session = nobody.post("/api/v1/authenticate").json(&old).await.expect(200);
    let elsewhere = nobody.clone().named("ann elsewhere").with_token(session.text("/token"));
    let here = nobody.post("/api/v1/authenticate").json(&old).await.expect(200);
    let ann = nobody.clone().named("ann").with_token(here.text("/token"));

    let wrong = json!({ "old_password": "not the password", "new_password": "the new password" });
    story.tell("the old password must be right", ann.post("/api/v1/user/password").json(&wrong)).await;
    story.tell("nothing has happened", ann.get("/api/v1/user")).await;
    let right = json!({ "old_password": "the password of ann", "new_password": "the new password" });
    story.tell("Ann takes a new one", ann.post("/api/v1/user/password").json(&right)).await;
    story.tell("the token of the request has ended", ann.get("/api/v1/user")).await;
    story.tell("so has that of another session", elsewhere.get("/api/v1/user")).await;
    let refresh = json!({ "refresh_token": session.text("/refresh_token") });
    story.tell("and its refresh token", nobody.post("/api/v1/token/refresh").json(&refresh)).await;
    let refresh = json!({ "refresh_token": here.text("/refresh_token") });
    let next = nobody.post("/api/v1/token/refresh").json(&refresh);
    let next = story.tell("that of this session gives the next pair", next).await;
    story.tell("and it goes on", ann.with_token(next.text("/token")).get("/api/v1/user")).await;
    story.tell("the old password is wrong", nobody.post("/api/v1/authenticate").json(&old)).await;
    let new = json!({ "email": "ann@example.com", "password": "the new password" });
    story.tell("the new one is right", nobody.post("/api/v1/authenticate").json(&new)).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn deleting_an_account_needs_a_fresh_login() {
    let world = World::start(&ACCORD).await;
    let nobody = world.nobody();
    let credentials = json!({ "email": "ann@example.com", "password": "the password of ann" });
    let old = nobody.post("/api/v1/authenticate").json(&credentials).await.expect(200);
    let an_hour_ago = (chrono::Utc::now() - chrono::TimeDelta::hours(1)).format("%Y-%m-%d %H:%M:%S+00:00");
    world.database.execute(&format!("UPDATE sessions SET created_at = '{an_hour_ago}'")).await;
    let refused = nobody.with_token(old.text("/token")).delete("/api/v1/user").await;
    let refused = refused.refused(401, "fresh_login_required");
    let challenge = refused.header("WWW-Authenticate").unwrap();
    assert!(challenge.contains(r#"error="insufficient_user_authentication""#), "{challenge}");
    assert!(challenge.contains(r#"max_age="300""#), "{challenge}");
    // a stolen refresh token is no login
    let refresh = json!({ "refresh_token": old.text("/refresh_token") });
    let next = nobody.post("/api/v1/token/refresh").json(&refresh).await.expect(200);
    nobody.with_token(next.text("/token")).delete("/api/v1/user").await.refused(401, "fresh_login_required");
    nobody.with_token(next.text("/token")).get("/api/v1/user").await.expect(200);
    world.log_in("ann").await.delete("/api/v1/user").await.expect(204);
}

#[tokio::test]
async fn a_deleted_account_leaves_its_posts_and_takes_its_votes() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    let (hers, his) = (ann.writes("By Ann").await.id(), ben.writes("By Ben").await.id());
    for post_id in [hers, his] {
        ann.post("/api/v1/vote").json(&json!({ "post_id": post_id, "vote_dir": 1 })).await.expect(201);
        ben.post("/api/v1/vote").json(&json!({ "post_id": post_id, "vote_dir": 1 })).await.expect(201);
    }
    story.tell("both have two votes", ben.get("/api/v1/posts?sort=created_at")).await;
    story.tell("Ann deletes her account", ann.delete("/api/v1/user")).await;
    story.tell("her post has no owner, her votes are gone", ben.get("/api/v1/posts?sort=created_at")).await;
    let path = format!("/api/v1/posts/{hers}");
    story.tell("a post without an owner is nobody's to change", ben.delete(&path).header("If-Match", "*")).await;
    let root = world.log_in("root").await;
    story.tell("but an admin's", root.delete(&path).header("If-Match", "*")).await;
    assert_yaml_snapshot!(story);
}
