//! A session: opened, refreshed, ended.

use std::time::Duration;

use contract_tests::{ACCORD, Answer, Story, World};
use insta::assert_yaml_snapshot;
use serde_json::{Value, json};

fn ann(password: &str) -> Value {
    json!({ "email": "ann@example.com", "password": password })
}

fn refresh(session: &Answer) -> Value {
    json!({ "refresh_token": session.text("/refresh_token") })
}

#[tokio::test]
async fn logging_in_takes_address_and_password() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let nobody = world.nobody();
    let right = json!({ "email": "ANN@Example.com", "password": "the password of ann" });
    let session = story.tell("the address counts without case", nobody.post("/api/v1/authenticate").json(&right)).await;
    let ann_herself = world.nobody().named("ann").with_token(session.text("/token"));
    story.tell("the token is hers", ann_herself.get("/api/v1/user")).await;
    let call = nobody.post("/api/v1/authenticate").json(&ann("The password of ann"));
    let mut wrong = story.tell("the password counts as it is", call).await;
    let stranger = json!({ "email": "nobody@example.com", "password": "the password of ann" });
    let mut unknown = story.tell("an unknown address", nobody.post("/api/v1/authenticate").json(&stranger)).await;
    for answer in [&mut wrong, &mut unknown] {
        answer.body["request_id"] = Value::Null;
    }
    assert_eq!(wrong.body, unknown.body, "the answer tells which addresses have an account");
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn logging_in_with_a_form_follows_oauth2() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let login = || world.nobody().post("/api/v1/login");
    let password = [("grant_type", "password"), ("username", "ann@example.com"), ("password", "the password of ann")];
    let extras = [("scope", ""), ("client_id", "docs"), ("client_secret", "")];
    let call = login().form(&[&password[..], &extras].concat());
    let token = story.tell("the password grant, as clients send it", call).await;
    let ann = world.nobody().named("ann").with_token(token.text("/access_token"));
    story.tell("the token is hers", ann.get("/api/v1/user")).await;
    let grant = [("grant_type", "refresh_token"), ("refresh_token", token.text("/refresh_token"))];
    story.tell("the refresh grant", login().form(&grant)).await;
    story.tell("works once", login().form(&grant)).await;
    let wrong = [("grant_type", "password"), ("username", "ann@example.com"), ("password", "wrong")];
    story.tell("a wrong password", login().form(&wrong)).await;
    story.tell("the password grant without a password", login().form(&password[..2])).await;
    story.tell("the password grant without anything", login().form(&password[..1])).await;
    story.tell("the refresh grant without a token", login().form(&[("grant_type", "refresh_token")])).await;
    story.tell("no grant", login().form(&password[1..])).await;
    story.tell("another grant", login().form(&[("grant_type", "client_credentials")])).await;
    let unknown = [("grant_type", "refresh_token"), ("refresh_token", "unknown")];
    story.tell("an unknown refresh token", login().form(&unknown)).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_reuse_ends_the_session() {
    let (world, mut story) = (World::with(&ACCORD, &[("ACCORD_REFRESH_GRACE", "0")]).await, Story::default());
    let nobody = world.nobody();
    let first = nobody.post("/api/v1/authenticate").json(&ann("the password of ann")).await.expect(200);
    let second = story.tell("Ann refreshes", nobody.post("/api/v1/token/refresh").json(&refresh(&first))).await;
    assert_ne!(first.text("/token"), second.text("/token"));
    assert_ne!(first.text("/refresh_token"), second.text("/refresh_token"));
    let by_first = nobody.clone().named("ann, first token").with_token(first.text("/token"));
    let by_second = nobody.clone().named("ann, second token").with_token(second.text("/token"));
    story.tell("the first access token lives until it expires", by_first.get("/api/v1/user")).await;
    story.tell("the second is good", by_second.get("/api/v1/user")).await;
    story
        .tell(
            "somebody uses the first refresh token again",
            nobody.post("/api/v1/token/refresh").json(&refresh(&first)),
        )
        .await;
    story.tell("now the session has ended", by_second.get("/api/v1/user")).await;
    story.tell("with every access token", by_first.get("/api/v1/user")).await;
    story.tell("and the newest refresh token", nobody.post("/api/v1/token/refresh").json(&refresh(&second))).await;
    let call = nobody.post("/api/v1/token/refresh").json(&json!({ "refresh_token": "unknown" }));
    story.tell("an unknown refresh token", call).await;
    nobody.post("/api/v1/token/refresh").json(&refresh(&first)).await.refused(401, "refresh_token_reused");
    let events = world.log_in("root").await.get("/api/v1/audit-events?action=refresh_token_reused");
    story.tell("the audit says so, once", events).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn a_refresh_that_is_sent_twice_ends_nothing() {
    let (world, mut story) = (World::with(&ACCORD, &[("ACCORD_REFRESH_GRACE", "2")]).await, Story::default());
    let nobody = world.nobody();
    let first = nobody.post("/api/v1/authenticate").json(&ann("the password of ann")).await.expect(200);
    let second = nobody.post("/api/v1/token/refresh").json(&refresh(&first)).await.expect(200);
    story.tell("the first once more", nobody.post("/api/v1/token/refresh").json(&refresh(&first))).await;
    let here = nobody.clone().named("ann").with_token(second.text("/token"));
    story.tell("the session goes on", here.get("/api/v1/user")).await;
    let third = nobody.post("/api/v1/token/refresh").json(&refresh(&second)).await.expect(200);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    story.tell("but not for long", nobody.post("/api/v1/token/refresh").json(&refresh(&first))).await;
    nobody.post("/api/v1/token/refresh").json(&refresh(&third)).await.refused(401, "refresh_token_invalid");
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn one_sees_where_one_is_logged_in_and_ends_what_one_does_not_know() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let nobody = world.nobody();
    let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
    let log_in =
        |agent: &str| nobody.post("/api/v1/authenticate").json(&ann("the password of ann")).header("User-Agent", agent);
    let (elsewhere, phone) = (log_in(browser).await.expect(200), log_in(&"long ".repeat(60)).await.expect(200));
    let session = log_in("curl/8").await.expect(200);
    let stranger = world.log_in("ben").await;
    let her = nobody.clone().named("ann").with_token(session.text("/token"));
    nobody.post("/api/v1/token/refresh").json(&refresh(&elsewhere)).await.expect(200);
    let list = story.tell("she sees them all", her.get("/api/v1/sessions?with_total=true")).await;
    let items = list.body["items"].as_array().unwrap();
    let ids: Vec<_> = items.iter().map(|item| item["id"].as_i64().unwrap()).collect();
    let id = |session: &Answer| session.body["session_id"].as_i64().unwrap();
    assert_eq!(ids, [id(&session), id(&phone), id(&elsewhere)], "the newest first");
    assert_eq!(items[1]["user_agent"].as_str().map(str::len), Some(200));
    let page = story.tell("page by page", her.get("/api/v1/sessions?limit=1")).await;
    let next = format!("/api/v1/sessions?limit=1&cursor={}", page.text("/next"));
    assert_eq!(her.get(next).await.body["items"][0]["id"], id(&phone));
    let ended = format!("/api/v1/sessions/{}", id(&elsewhere));
    stranger.delete(&ended).await.refused(404, "not_found");
    story.tell("she ends the one she does not know", her.delete(&ended)).await;
    story.tell("it has ended", her.delete(&ended)).await;
    let there = nobody.clone().named("somebody").with_token(elsewhere.text("/token"));
    story.tell("its token is worth nothing", there.get("/api/v1/user")).await;
    assert_eq!(her.get("/api/v1/sessions").await.body["items"].as_array().map(Vec::len), Some(2));
    her.delete(format!("/api/v1/sessions/{}", id(&session))).await.expect(204);
    her.get("/api/v1/user").await.refused(401, "token_revoked");
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn a_session_that_has_expired_is_not_shown_and_cannot_be_ended() {
    let world = World::with(&ACCORD, &[("ACCORD_REFRESH_TTL", "1")]).await;
    let ann = world.log_in("ann").await;
    let id = ann.get("/api/v1/sessions").await.expect(200).body["items"][0]["id"].clone();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(ann.get("/api/v1/sessions?with_total=true").await.expect(200).body["total"], 0);
    ann.delete(format!("/api/v1/sessions/{id}")).await.refused(404, "not_found");
}

#[tokio::test]
async fn refreshing_does_not_extend_a_session_beyond_its_end() {
    let mut world = World::with(&ACCORD, &[("ACCORD_SESSION_TTL", "600"), ("ACCORD_TOKEN_TTL", "86400")]).await;
    let nobody = world.nobody();
    let login = nobody.post("/api/v1/authenticate").json(&ann("the password of ann")).await.expect(200);
    let next = nobody.post("/api/v1/token/refresh").json(&refresh(&login)).await.expect(200);
    for session in [&login, &next] {
        let seconds = session.body["expires_in"].as_i64().unwrap();
        assert!((1..=600).contains(&seconds), "{session}");
    }
    let sessions = nobody.with_token(next.text("/token")).get("/api/v1/sessions").await.expect(200);
    let time =
        |name: &str| sessions.text(&format!("/items/0/{name}")).parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!((time("expires_at") - time("created_at")).num_seconds(), 600, "{sessions}");

    // the default, 90 days: refreshed a moment ago, but opened too long ago
    world.restart().await;
    let nobody = world.nobody();
    for (days, goes_on) in [(89, true), (90, false)] {
        let session = nobody.post("/api/v1/authenticate").json(&ann("the password of ann")).await.expect(200);
        let opened = chrono::Utc::now() - chrono::TimeDelta::days(days);
        let (id, opened) = (&session.body["session_id"], opened.format("%Y-%m-%d %H:%M:%S+00:00"));
        world.database.execute(&format!("UPDATE sessions SET created_at = '{opened}' WHERE id = {id}")).await;
        let refreshed = nobody.post("/api/v1/token/refresh").json(&refresh(&session)).await;
        if goes_on {
            let list =
                nobody.with_token(refreshed.expect(200).text("/token")).get("/api/v1/sessions").await.expect(200);
            let ends_at = list.text("/items/0/expires_at").parse::<chrono::DateTime<chrono::Utc>>().unwrap();
            let left = ends_at - chrono::Utc::now();
            assert!(left <= chrono::TimeDelta::days(1) && left > chrono::TimeDelta::hours(23), "{list}");
        } else {
            refreshed.refused(401, "refresh_token_invalid");
        }
    }
}

#[tokio::test]
async fn answers_with_tokens_secrets_and_personal_data_are_not_stored_by_caches() {
    let world = World::start(&ACCORD).await;
    let (nobody, root) = (world.nobody(), world.log_in("root").await);
    let session = nobody.post("/api/v1/authenticate").json(&ann("the password of ann")).await.expect(200);
    let next = nobody.post("/api/v1/token/refresh").json(&refresh(&session)).await.expect(200);
    let her = nobody.with_token(next.text("/token"));
    let grant = [("grant_type", "password"), ("username", "ann@example.com"), ("password", "the password of ann")];
    let account = json!({ "email": "eve@example.com", "password": "a long password" });
    let hook = root.post("/api/v1/webhooks").json(&json!({ "url": "https://example.com/hooks" })).await.expect(201);
    let rotates = root.patch(format!("/api/v1/webhooks/{}", hook.id())).header("If-Match", "*");
    for answer in [
        session,
        next,
        hook,
        rotates.json(&json!({ "rotate_secret": true })).await.expect(200),
        nobody.post("/api/v1/login").form(&grant).await.expect(200),
        nobody.post("/api/v1/user").json(&account).await.expect(201),
        her.get("/api/v1/user").await.expect(200),
        her.patch("/api/v1/user").json(&json!({ "name": "Ann" })).await.expect(200),
        her.get("/api/v1/sessions").await.expect(200),
    ] {
        assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{answer}");
    }
}

#[tokio::test]
async fn logging_out_ends_this_session_only() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let nobody = world.nobody();
    let session = nobody.post("/api/v1/authenticate").json(&ann("the password of ann")).await.expect(200);
    let here = nobody.clone().named("ann").with_token(session.text("/token"));
    let elsewhere = world.log_in("ann").await.named("ann elsewhere");
    story.tell("Ann logs out", here.post("/api/v1/logout")).await;
    story.tell("her token is revoked", here.get("/api/v1/user")).await;
    story.tell("she cannot log out twice", here.post("/api/v1/logout")).await;
    story.tell("her refresh token has ended", nobody.post("/api/v1/token/refresh").json(&refresh(&session))).await;
    story.tell("her other session goes on", elsewhere.get("/api/v1/user")).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn tokens_expire() {
    let (world, mut story) =
        (World::with(&ACCORD, &[("ACCORD_TOKEN_TTL", "1"), ("ACCORD_REFRESH_TTL", "3")]).await, Story::default());
    let nobody = world.nobody();
    let session =
        story.tell("Ann logs in", nobody.post("/api/v1/authenticate").json(&ann("the password of ann"))).await;
    let ann = nobody.clone().named("ann").with_token(session.text("/token"));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    story.tell("her access token has expired", ann.get("/api/v1/user")).await;
    let second =
        story.tell("her refresh token has not", nobody.post("/api/v1/token/refresh").json(&refresh(&session))).await;
    tokio::time::sleep(Duration::from_millis(3100)).await;
    story.tell("now it has", nobody.post("/api/v1/token/refresh").json(&refresh(&second))).await;
    assert_yaml_snapshot!(story);
}
