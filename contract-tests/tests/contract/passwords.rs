//! Passwords: which are refused, how they are kept, and what many at once do.

use contract_tests::{ACCORD, Database, Story, World, command_line};
use futures_util::future::join_all;
use insta::assert_yaml_snapshot;
use serde_json::json;
use sqlx::{Connection, PgConnection, SqliteConnection};

/// How Ann's password is kept, which nobody is told otherwise.
async fn hash_of_ann(database: &Database) -> String {
    let (statement, url) = ("SELECT password_hash FROM users WHERE email = 'ann@example.com'", database.url());
    if Database::on_postgres() {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        return sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap();
    }
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap()
}

async fn keep_for_ann(database: &Database, hash: &str) {
    let (statement, url) = ("UPDATE users SET password_hash = $1 WHERE email = 'ann@example.com'", database.url());
    if Database::on_postgres() {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::query(statement).bind(hash).execute(&mut connection).await.unwrap();
    } else {
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query(statement).bind(hash).execute(&mut connection).await.unwrap();
    }
}

#[tokio::test]
async fn the_most_common_passwords_are_refused_where_one_is_set() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let (nobody, ann, root) = (world.nobody(), world.log_in("ann").await, world.log_in("root").await);
    let account = json!({ "email": "eve@example.com", "password": "Password1" });
    story.tell("Eve may not register with it", nobody.post("/api/v1/user").json(&account)).await;
    story.tell("nor may an admin give it to her", root.post("/api/v1/users").json(&account)).await;
    let change = json!({ "old_password": "the password of ann", "new_password": "QWERTYUIOP" });
    story.tell("Ann may not change to one", ann.post("/api/v1/user/password").json(&change)).await;
    story.tell("her token still works: nothing has changed", ann.get("/api/v1/user")).await;
    let presented = json!({ "email": "ann@example.com", "password": "Password1" });
    story.tell("one that is presented is only wrong", nobody.post("/api/v1/authenticate").json(&presented)).await;
    assert_yaml_snapshot!(story);

    let arguments = ["user", "create", "eve@example.com"];
    let ended = command_line(&ACCORD, &arguments, &world.database.url(), "iloveyou\n").await;
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stderr.contains("password") && ended.stderr.contains("chosen most"), "{ended:?}");
    let users = root.get("/api/v1/users?email=eve@example.com").await.expect(200);
    assert_eq!(users.body["items"], json!([]));
}

#[tokio::test]
async fn address_and_name_are_refused_as_password_where_one_is_set() {
    let world = World::start(&ACCORD).await;
    let (nobody, ann, root) = (world.nobody(), world.log_in("ann").await, world.log_in("root").await);
    for password in ["eve.lovelace@example.com", "EVE.Lovelace@Example.com", "Eve.Lovelace", "eve Lovelace"] {
        let account = json!({ "email": "Eve.Lovelace@example.com", "name": "Eve Lovelace", "password": password });
        for call in [nobody.post("/api/v1/user"), root.post("/api/v1/users")] {
            call.json(&account).await.refused(400, "password_personal").blames("body/password");
        }
    }
    let change = json!({ "old_password": "the password of ann", "new_password": "Ann@example.com" });
    let refused = ann.post("/api/v1/user/password").json(&change).await;
    refused.refused(400, "password_personal").blames("body/new_password");
    // an address that is the password
    let moves = json!({ "email": "ann-lovelace@example.com", "password": "ANN-Lovelace" });
    ann.patch("/api/v1/user").json(&moves).await.refused(400, "wrong_password");
    let change = json!({ "old_password": "the password of ann", "new_password": "ANN-Lovelace" });
    ann.post("/api/v1/user/password").json(&change).await.expect(204);
    let credentials = json!({ "email": "ann@example.com", "password": "ANN-Lovelace" });
    let session = nobody.post("/api/v1/authenticate").json(&credentials).await.expect(200);
    let moved = nobody.with_token(session.text("/token")).patch("/api/v1/user").json(&moves).await;
    moved.refused(400, "password_personal").blames("body/password");

    let ended =
        command_line(&ACCORD, &["user", "create", "eve.lovelace@example.com"], &world.database.url(), "Eve.Lovelace\n")
            .await;
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stderr.contains("the address or the name of the account"), "{ended:?}");
}

/// Of another program, for `correct horse`: cost 4.
const BCRYPT: &str = "$2b$04$SDEzmkX7WXbjkHIzFyeEbOmb3Mm6jUYoL3LRojSd4FP.FJgPhJ0jq";

#[tokio::test]
async fn a_login_keeps_the_password_as_strong_as_the_settings_say() {
    let world = World::start(&ACCORD).await;
    let nobody = world.nobody();
    world.log_in("ann").await;
    let weak = hash_of_ann(&world.database).await;
    assert!(weak.starts_with("$argon2id$v=19$m=64,t=2,p=1$"), "{weak}");

    let stronger = world.another_server(&[("ACCORD_PASSWORD_MEMORY", "128"), ("ACCORD_PASSWORD_TIME", "3")]).await;
    let wrong = json!({ "email": "ann@example.com", "password": "not the password" });
    nobody.at(&stronger).post("/api/v1/authenticate").json(&wrong).await.refused(401, "invalid_credentials");
    assert_eq!(hash_of_ann(&world.database).await, weak);
    let right = json!({ "email": "ann@example.com", "password": "the password of ann" });
    nobody.at(&stronger).post("/api/v1/authenticate").json(&right).await.expect(200);
    let strong = hash_of_ann(&world.database).await;
    assert!(strong.starts_with("$argon2id$v=19$m=128,t=3,p=1$"), "{strong}");

    // nobody weakens it again
    world.log_in("ann").await;
    assert_eq!(hash_of_ann(&world.database).await, strong);

    keep_for_ann(&world.database, BCRYPT).await;
    let imported = json!({ "email": "ann@example.com", "password": "correct horse" });
    nobody.post("/api/v1/authenticate").json(&imported).await.expect(200);
    let upgraded = hash_of_ann(&world.database).await;
    assert!(upgraded.starts_with("$argon2id$v=19$m=64,t=2,p=1$"), "{upgraded}");
    nobody.post("/api/v1/authenticate").json(&imported).await.expect(200);
}

#[tokio::test]
async fn of_too_many_passwords_at_once_some_are_refused_and_all_else_goes_on() {
    // each takes a good part of a second
    let world = World::with(
        &ACCORD,
        &[
            ("ACCORD_PASSWORD_WORKERS", "1"),
            ("ACCORD_PASSWORD_QUEUE", "2"),
            ("ACCORD_PASSWORD_MEMORY", "65536"),
            ("ACCORD_PASSWORD_TIME", "8"),
        ],
    )
    .await;
    let register = |number: i32| {
        let account = json!({ "email": format!("user{number}@example.com"), "password": "a long password" });
        let call = world.nobody().post("/api/v1/user").json(&account);
        async move { call.await }
    };
    let meanwhile = async {
        for _ in 0..5 {
            world.nobody().get("/api/v1/info").await.expect(200);
        }
    };
    let (answers, ()) = tokio::join!(join_all((0..10).map(register)), meanwhile);
    let registered = answers.iter().filter(|answer| answer.status == 201).count();
    assert!((3..10).contains(&registered), "{registered}");
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        answer.refused(503, "overloaded");
    }
    // there is room again
    register(10).await.expect(201);
}
