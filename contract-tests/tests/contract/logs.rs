//! What a server writes down: enough to find a request again, nothing that is private.

use std::time::Duration;

use contract_tests::{ACCORD, Answer, SECRET, Server, World};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::test]
async fn every_request_is_in_the_log_and_nothing_private_is() {
    let world = World::with(&ACCORD, &[("ACCORD_LOG_FORMAT", "json")]).await;
    let nobody = world.nobody();
    let mut answers: Vec<Answer> = vec![];
    let account = json!({ "email": "secretive@example.com", "password": "a very private word", "name": "Gwendolyn" });
    let session = nobody.post("/api/v1/user").json(&account).await.expect(201);
    let person = nobody.with_token(session.text("/token"));
    let wrong = json!({ "email": "secretive@example.com", "password": "another private word" });
    let change = json!({ "old_password": "a very private word", "new_password": "a third private word" });
    let form = [("grant_type", "password"), ("username", "secretive@example.com"), ("password", "a very private word")];
    for call in [
        person.get("/api/v1/user"),
        person.patch("/api/v1/user").json(&json!({ "email": "moved@example.com", "password": "a very private word" })),
        person.patch("/api/v1/user").json(&json!({ "email": "ann@example.com", "password": "a very private word" })),
        person.patch("/api/v1/user").json(&json!({ "email": "no private word" })),
        person.get("/api/v1/posts?search=a+very+private+search"),
        person.get("/api/v1/posts?nonsense=private-parameter"),
        person.get("/api/v1/posts/private-path"),
        person.get("/private-route?token=private-token"),
        nobody.post("/api/v1/authenticate").json(&wrong),
        nobody.post("/api/v1/authenticate").json(&account),
        nobody.post("/api/v1/login").form(&form),
        nobody.post("/api/v1/token/refresh").json(&json!({ "refresh_token": session.text("/refresh_token") })),
        nobody.with_authorization("Bearer a-private-token").get("/api/v1/user"),
        person.post("/api/v1/user/password").json(&change),
        person.get("/api/v1/user"),
        nobody.get("/api/v1/info").header("X-Request-Id", "my-own-id"),
    ] {
        answers.push(call.await);
    }
    answers.push(session.clone());

    let log = world.server.log();
    for secret in [
        "secretive",
        "moved@",
        "ann@",
        "Gwendolyn",
        "private",
        "argon2",
        "Bearer",
        "eyJ",
        SECRET,
        session.text("/token"),
        session.text("/refresh_token"),
    ] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "the log tells {secret}");
    }
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("a line of the log is JSON")).collect();
    for answer in &answers {
        let id = answer.header("X-Request-Id").unwrap();
        let of_request = lines.iter().filter(|line| line.to_string().contains(&format!("\"{id}\"")));
        let told = of_request.filter(|line| line.to_string().contains(&answer.status.to_string())).count();
        assert!(told >= 1, "the log does not tell of {answer}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_trusted_is_warned_of_once() {
    let warnings = |world: &World| world.server.log().matches("ACCORD_TRUSTED_PROXIES").count();
    let ask = async |world: &World, header: &str, value: &str| {
        world.nobody().get("/api/v1/info").header(header, value).await.expect(200);
    };
    let world = World::start(&ACCORD).await;
    world.nobody().get("/api/v1/info").await.expect(200);
    assert_eq!(warnings(&world), 0);
    for _ in 0..3 {
        ask(&world, "X-Forwarded-For", "192.0.2.1").await;
        ask(&world, "Forwarded", "for=192.0.2.1").await;
    }
    assert_eq!(warnings(&world), 1, "{}", world.server.log());
    assert!(!world.server.log().contains("192.0.2.1"), "{}", world.server.log());
    let world = World::with(&ACCORD, &[("ACCORD_TRUSTED_PROXIES", "127.0.0.1")]).await;
    ask(&world, "X-Forwarded-For", "192.0.2.1").await;
    assert_eq!(warnings(&world), 0);
}

#[tokio::test]
async fn a_pretty_log_tells_the_same() {
    let world = World::with(&ACCORD, &[("ACCORD_LOG_FORMAT", "pretty")]).await;
    let answer = world.nobody().get("/api/v1/info").header("X-Request-Id", "my-own-id").await.expect(200);
    let line = world.server.log().lines().find(|line| line.contains("my-own-id")).map(str::to_owned);
    assert!(line.is_some_and(|line| line.contains("200")), "{answer}\n{}", world.server.log());
}

#[tokio::test]
async fn a_log_reader_that_stalls_stops_no_request_and_no_signal() {
    let world = World::start(&ACCORD).await;
    // the statements, too: so that the pipe and the queue are full soon
    let settings = [("ACCORD_LOG", "trace,accord=trace"), ("ACCORD_LOG_FORMAT", "json")];
    let (mut server, log) = Server::with_stalled_log(&ACCORD, &world.database.url(), &settings).await;
    let ann = world.log_in("ann").await.at(&server);
    let mut log = BufReader::new(log);
    let list_posts = async || {
        for _ in 0..100 {
            ann.get("/api/v1/posts?search=anything").await.expect(200);
        }
    };
    let dropped = async || -> u64 {
        let metrics = String::from_utf8(ann.get("/metrics").await.expect(200).bytes).unwrap();
        let line = metrics.lines().find_map(|line| line.strip_prefix("accord_log_lines_dropped_total "));
        line.expect("the metric is there").parse().unwrap()
    };
    while dropped().await == 0 {
        list_posts().await;
    }

    // the reader goes on: a line reports how many are missing
    let reads = async {
        let mut text = String::new();
        loop {
            text.clear();
            assert!(log.read_line(&mut text).await.unwrap() > 0, "the log ends");
            let line: Value = serde_json::from_str(&text).expect("a line of the log is JSON");
            if let Some(missing) = line["dropped"].as_u64() {
                return missing;
            }
        }
    };
    let missing = tokio::time::timeout(Duration::from_secs(60), reads).await.expect("a line reports what is missing");
    assert!(missing > 0 && missing <= dropped().await);

    // it stalls again: more than the pipe holds waits when the server is to stop
    list_posts().await;
    server.terminate().await;
    assert_eq!(server.ended().await.code(), Some(0));
}
