//! Rate limits by client address (also behind proxies) and by account, and limits on connections.

use std::collections::BTreeSet;

use contract_tests::{ACCORD, Answer, Wire, World};
use serde_json::json;

/// A login of Ann, as it comes in with these lines of `X-Forwarded-For`.
async fn log_in(world: &World, forwarded: &[&str]) -> Answer {
    let credentials = json!({ "email": "ann@example.com", "password": "the password of ann" });
    let call = world.nobody().post("/api/v1/authenticate").json(&credentials);
    forwarded.iter().fold(call, |call, line| call.header("X-Forwarded-For", line)).await
}

#[tokio::test]
async fn whoever_is_no_trusted_proxy_names_nobody() {
    let world =
        World::with(&ACCORD, &[("ACCORD_RATE_LIMIT", "2"), ("ACCORD_TRUSTED_PROXIES", "10.0.0.0/8, ::1")]).await;
    log_in(&world, &["198.51.100.1"]).await.expect(200);
    log_in(&world, &["198.51.100.2"]).await.expect(200);
    log_in(&world, &["198.51.100.3"]).await.refused(429, "rate_limited");
    log_in(&world, &[]).await.refused(429, "rate_limited");
    let log = world.server.log();
    assert!(log.contains("127.0.0.1") && !log.contains("198.51.100"), "{log}");
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_is_counted_alone() {
    let world =
        World::with(&ACCORD, &[("ACCORD_RATE_LIMIT", "2"), ("ACCORD_TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.7")]).await;
    for client in ["198.51.100.1", "198.51.100.2", "2001:db8:0:1::1"] {
        log_in(&world, &[client]).await.expect(200);
        log_in(&world, &[client]).await.expect(200);
        log_in(&world, &[client]).await.refused(429, "rate_limited");
    }
    // what the client has written stands left of what the proxies write
    log_in(&world, &["203.0.113.1, 198.51.100.1"]).await.refused(429, "rate_limited");
    log_in(&world, &["203.0.113.1", "198.51.100.1, 10.0.0.7"]).await.refused(429, "rate_limited");
    // one address in two forms, and a subscriber's other address
    log_in(&world, &["::ffff:198.51.100.1"]).await.refused(429, "rate_limited");
    log_in(&world, &["[2001:db8:0:1:ffff::2]:4711"]).await.refused(429, "rate_limited");
    log_in(&world, &["2001:db8:0:2::1"]).await.expect(200);
    // what is no address is the proxy's own
    log_in(&world, &["198.51.100.9, unknown"]).await.expect(200);
    log_in(&world, &[]).await.expect(200);
    log_in(&world, &["198.51.100.9, unknown"]).await.refused(429, "rate_limited");
    assert!(world.server.log().contains("198.51.100.1"), "{}", world.server.log());
}

#[tokio::test]
async fn wrong_present_passwords_are_limited_and_audited() {
    let world = World::with(&ACCORD, &[("ACCORD_LOGIN_FAILURES", "3")]).await;
    let (ann, ben, root) = (world.log_in("ann").await, world.log_in("ben").await, world.log_in("root").await);
    let change = |old: &str| json!({ "old_password": old, "new_password": "a new password of somebody" });
    let moves = json!({ "email": "ann@elsewhere.example", "password": "guessed" });
    ann.post("/api/v1/user/password").json(&change("guessed")).await.refused(400, "wrong_password");
    ann.patch("/api/v1/user").json(&moves).await.refused(400, "wrong_password");
    ann.post("/api/v1/user/password").json(&change("guessed too")).await.refused(400, "wrong_password");
    // from now on even the right password is not compared
    ann.post("/api/v1/user/password").json(&change("the password of ann")).await.refused(429, "rate_limited");
    ann.patch("/api/v1/user").json(&moves).await.refused(429, "rate_limited");
    // each account is counted alone, and right passwords do not count
    for name in ["one", "two", "three", "four"] {
        let moves = json!({ "email": format!("ben.{name}@example.com"), "password": "the password of ben" });
        ben.patch("/api/v1/user").json(&moves).await.expect(200);
    }
    let events = root.get("/api/v1/audit-events?action=login_failed&with_total=true").await.expect(200);
    assert_eq!(events.body["total"], 3);
    for event in events.body["items"].as_array().unwrap() {
        assert_eq!((&event["actor_id"], &event["object_id"]), (&json!(1), &json!(1)), "{event}");
        assert_eq!(event["after"]["reason"], "present_password");
        assert!(event["request_id"].is_string());
    }
}

/// Behind a proxy, so that a story has as many addresses as it needs.
const PROXY: (&str, &str) = ("ACCORD_TRUSTED_PROXIES", "127.0.0.1");

/// A login with this password, from an address that nobody else has.
async fn from_elsewhere(world: &World, number: usize, email: &str, password: &str) -> Answer {
    let address = format!("198.51.100.{number}");
    let credentials = [("grant_type", "password"), ("username", email), ("password", password)];
    let call = match number % 2 {
        0 => world.nobody().post("/api/v1/login").form(&credentials),
        _ => world.nobody().post("/api/v1/authenticate").json(&json!({ "email": email, "password": password })),
    };
    call.header("X-Forwarded-For", &address).await
}

fn retry_after(answer: &Answer) -> u64 {
    answer.header("Retry-After").unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_answer_of_a_limited_operation_says_what_is_left() {
    let limits = [("ACCORD_RATE_LIMIT", "6"), ("ACCORD_RATE_LIMIT_ACCOUNT", "4"), ("ACCORD_LOGIN_FAILURES", "3")];
    let world = World::with(&ACCORD, &limits).await;
    let nobody = world.nobody();
    let told = |answer: &Answer| {
        [answer.header("RateLimit-Policy"), answer.header("RateLimit")].map(|h| h.unwrap().to_owned())
    };
    let login = async |password: &str| {
        let credentials = json!({ "email": "ann@example.com", "password": password });
        nobody.post("/api/v1/authenticate").json(&credentials).await
    };
    let policy = "\"address\";q=6;w=60, \"logins\";q=3;w=900";
    let answer = login("the password of ann").await.expect(200);
    assert_eq!(told(&answer), [policy, "\"address\";r=5;t=10, \"logins\";r=3;t=300"]);
    let ann = nobody.with_token(answer.text("/token"));
    let answer = login("wrong").await.refused(401, "invalid_credentials");
    assert_eq!(told(&answer), [policy, "\"address\";r=4;t=10, \"logins\";r=2;t=300"]);
    // what is refused before the account is known is counted for the address alone
    let policy = "\"address\";q=6;w=60";
    let answer = nobody.post("/api/v1/authenticate").json(&json!({})).await.refused(400, "invalid");
    assert_eq!(told(&answer), [policy, "\"address\";r=3;t=10"]);
    let answer =
        nobody.post("/api/v1/authenticate").body("text/plain", "Hi").await.refused(415, "unsupported_media_type");
    assert_eq!(told(&answer), [policy, "\"address\";r=2;t=10"]);
    nobody.post("/api/v1/authenticate").await;
    nobody.post("/api/v1/authenticate").await;
    let answer = nobody.post("/api/v1/authenticate").await.refused(429, "rate_limited");
    let wait = retry_after(&answer);
    assert_eq!(told(&answer), [policy.into(), format!("\"address\";r=0;t={wait}")]);

    let policy = "\"address\";q=6;w=60, \"account\";q=4;w=60";
    let answer = ann.patch("/api/v1/user").json(&json!({ "name": "Anna" })).await.expect(200);
    assert_eq!(told(&answer), [policy, "\"address\";r=5;t=10, \"account\";r=3;t=15"]);
    for call in [ann.get("/api/v1/user"), nobody.get("/api/v1/info"), nobody.patch("/api/v1/user")] {
        assert_eq!(call.await.header("RateLimit"), None);
    }
    let unlimited = World::start(&ACCORD).await;
    assert_eq!(log_in(&unlimited, &[]).await.expect(200).header("RateLimit-Policy"), None);
}

#[tokio::test]
async fn an_account_is_limited_from_wherever_it_is_called() {
    let world = World::with(&ACCORD, &[PROXY, ("ACCORD_RATE_LIMIT_ACCOUNT", "2")]).await;
    let (nobody, ann, ben) = (world.nobody(), world.log_in("ann").await, world.log_in("ben").await);
    // one that there is, and one that there is not
    for (email, first) in [("ann@example.com", 409), ("eve@example.com", 201)] {
        let mut number = 0;
        let mut register = async |email: &str| {
            number += 1;
            let account = json!({ "email": email, "password": "a long password" });
            let address = format!("198.51.100.{number}");
            nobody.post("/api/v1/user").json(&account).header("X-Forwarded-For", &address).await
        };
        register(email).await.expect(first);
        register(&email.to_uppercase()).await.expect(409);
        register(email).await.refused(429, "rate_limited");
    }
    let wrong = json!({ "old_password": "not the password", "new_password": "a long password" });
    for (person, status) in [(&ann, 400), (&ann, 400), (&ann, 429), (&ben, 400)] {
        person.post("/api/v1/user/password").json(&wrong).await.expect(status);
    }
    // each token of a session is another one, but the session is the same
    let session = async || log_in(&world, &[]).await.expect(200).text("/refresh_token").to_owned();
    let refresh =
        async |token: &str| nobody.post("/api/v1/token/refresh").json(&json!({ "refresh_token": token })).await;
    let (mut token, other) = (session().await, session().await);
    for _ in 0..2 {
        token = refresh(&token).await.expect(200).text("/refresh_token").to_owned();
    }
    let refused = refresh(&token).await.refused(429, "rate_limited");
    assert!((1..=30).contains(&retry_after(&refused)), "{refused}");
    let form = [("grant_type", "refresh_token"), ("refresh_token", other.as_str()), ("username", "ben@example.com")];
    nobody.post("/api/v1/login").form(&form).await.expect(200);
    for status in [401, 401, 429] {
        refresh("no token of anybody").await.expect(status);
    }
}

#[tokio::test]
async fn wrong_passwords_slow_an_account_down_whether_it_is_there_or_not() {
    let world = World::with(&ACCORD, &[PROXY, ("ACCORD_LOGIN_FAILURES", "10")]).await;
    let root = world.log_in("root").await;
    let mut waits = BTreeSet::new();
    for email in ["ann@example.com", "nobody.knows@example.com"] {
        for number in 1..=10 {
            from_elsewhere(&world, number, email, "not the password").await.refused(401, "invalid_credentials");
        }
        for number in 11..=14 {
            let email = if number % 2 == 0 { email.to_uppercase() } else { email.to_owned() };
            let password = if number > 12 { "the password of ann" } else { "not the password" };
            let refused = from_elsewhere(&world, number, &email, password).await.refused(429, "rate_limited");
            waits.insert(retry_after(&refused));
        }
    }
    assert!(waits.iter().all(|wait| (80..=90).contains(wait)), "{waits:?}");
    // nobody else is slowed down, and who is refused costs no work
    for number in 1..=20 {
        from_elsewhere(&world, number, "ben@example.com", "the password of ben").await.expect(200);
    }
    let events = root.get("/api/v1/audit-events?action=login_failed&with_total=true").await.expect(200);
    assert_eq!(events.body["total"], 20);
}

#[tokio::test]
async fn an_owner_is_not_locked_out_where_they_have_logged_in_before() {
    let world = World::with(&ACCORD, &[PROXY, ("ACCORD_LOGIN_FAILURES", "3")]).await;
    let log_in = async |address: &str, password: &str| {
        let credentials = json!({ "email": "Ann@example.com", "password": password });
        world.nobody().post("/api/v1/authenticate").json(&credentials).header("X-Forwarded-For", address).await
    };
    let (home, away) = ("203.0.113.1", "2001:db8:7:1:aaaa::1");
    for address in [home, away] {
        log_in(address, "the password of ann").await.expect(200);
    }
    let session = log_in(home, "the password of ann").await.expect(200);
    world.nobody().with_token(session.text("/token")).post("/api/v1/logout").await.expect(204);
    for number in 1..=3 {
        log_in(&format!("198.51.100.{number}"), "not the password").await.refused(401, "invalid_credentials");
    }
    for stranger in ["198.51.100.4", "203.0.113.2", "2001:db8:7:2:aaaa::1"] {
        log_in(stranger, "the password of ann").await.refused(429, "rate_limited");
    }
    // a subscriber's other address is the same
    for address in [home, away, "2001:db8:7:1::2"] {
        log_in(address, "the password of ann").await.expect(200);
    }
    // which is no way to try without end
    for _ in 1..=3 {
        log_in(home, "not the password").await.refused(401, "invalid_credentials");
    }
    log_in(home, "the password of ann").await.refused(429, "rate_limited");
    log_in(away, "the password of ann").await.expect(200);
}

#[tokio::test]
async fn headers_do_not_reveal_from_where_somebody_has_logged_in() {
    let world = World::with(&ACCORD, &[PROXY, ("ACCORD_LOGIN_FAILURES", "5")]).await;
    let log_in = async |email: &str, address: &str, password: &str| {
        let credentials = json!({ "email": email, "password": password });
        world.nobody().post("/api/v1/authenticate").json(&credentials).header("X-Forwarded-For", address).await
    };
    let (home, elsewhere) = ("203.0.113.1", "198.51.100.1");
    log_in("ann@example.com", home, "the password of ann").await.expect(200);
    // two wrong ones of strangers, then one from her network: what is shown is the same as without a login from there
    let mut shown = vec![];
    for email in ["ann@example.com", "ben@example.com"] {
        let mut headers = vec![];
        for address in [elsewhere, elsewhere, home] {
            let answer = log_in(email, address, "wrong").await.refused(401, "invalid_credentials");
            headers.push(answer.header("RateLimit").unwrap().split(";t=").next().unwrap().to_owned());
        }
        shown.push(headers);
    }
    assert_eq!(shown[0], shown[1]);
    assert_eq!(shown[0], ["\"logins\";r=4", "\"logins\";r=3", "\"logins\";r=2"]);
    // right ones do not count, in either count
    let answer = log_in("ann@example.com", home, "the password of ann").await.expect(200);
    assert!(answer.header("RateLimit").unwrap().starts_with("\"logins\";r=2"), "{answer}");
}

#[tokio::test]
async fn an_account_that_was_slowed_down_opens_again_by_itself() {
    // one wrong password, and the next try 900 s / 600 later
    let world = World::with(&ACCORD, &[PROXY, ("ACCORD_LOGIN_FAILURES", "600")]).await;
    let wrong = (0..600).map(|number| from_elsewhere(&world, number % 200, "ann@example.com", "wrong"));
    futures_util::future::join_all(wrong).await;
    let refused = loop {
        let answer = from_elsewhere(&world, 1, "ann@example.com", "wrong").await;
        if answer.status == 429 {
            break answer;
        }
    };
    tokio::time::sleep(std::time::Duration::from_secs(retry_after(&refused))).await;
    from_elsewhere(&world, 1, "ann@example.com", "the password of ann").await.expect(200);
}

#[tokio::test]
async fn of_many_tries_at_once_no_more_count_than_one_after_the_other() {
    let world = World::with(&ACCORD, &[PROXY, ("ACCORD_LOGIN_FAILURES", "5")]).await;
    let tries = (0..50).map(|number| from_elsewhere(&world, number, "ann@example.com", "not the password"));
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 5);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 45);
}

/// Silent connections are kept for longer than a test takes.
const PATIENT: (&str, &str) = ("ACCORD_HEADER_TIMEOUT", "300");

#[tokio::test]
async fn health_probes_are_answered_while_all_connections_are_taken() {
    let limits = [("ACCORD_MAX_CONNECTIONS", "20"), ("ACCORD_CONNECTIONS_PER_ADDRESS", "0"), PATIENT];
    let world = World::with(&ACCORD, &limits).await;
    let nobody = world.nobody();
    let mut silent = vec![];
    // more than the limit and the reserve together
    for _ in 0..400 {
        silent.push(Wire::to(&world).await);
    }
    for _ in 0..5 {
        nobody.get("/health/live").await.expect(200);
        nobody.get("/health/ready").await.expect(200);
        let refused = nobody.get("/api/v1/info").await.refused(503, "overloaded");
        assert_eq!((retry_after(&refused), refused.header("Connection")), (1, Some("close")));
        nobody.get("/metrics").await.refused(503, "overloaded");
    }
    assert!(world.server.log().contains("all connections are in use"), "{}", world.server.log());
    drop(silent);
    let mut metrics = nobody.get("/metrics").await;
    while metrics.status != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        metrics = nobody.get("/metrics").await;
    }
    let metrics = String::from_utf8(metrics.bytes).unwrap();
    assert!(!metrics.contains("accord_connections_shed_total{limit=\"reserve\"} 0\n"), "{metrics}");
    assert!(metrics.contains("accord_connections_shed_total{limit=\"address\"} 0\n"), "{metrics}");
}

#[tokio::test]
async fn one_address_cannot_take_the_connections_of_others() {
    let limits = [("ACCORD_CONNECTIONS_PER_ADDRESS", "5"), PATIENT];
    for (proxies, expected) in [("", 503), ("127.0.0.1", 200)] {
        let world = World::with(&ACCORD, &[limits[0], limits[1], ("ACCORD_TRUSTED_PROXIES", proxies)]).await;
        let mut silent = vec![];
        for _ in 0..5 {
            silent.push(Wire::to(&world).await);
        }
        let mut same = Wire::to(&world).await;
        same.head("GET /api/v1/info", &[]).await;
        same.answer().await.expect(expected);
        let mut other = Wire::from_address(&world, "127.0.0.2").await;
        other.head("GET /api/v1/info", &[]).await;
        other.answer().await.expect(200);
        let warned = world.server.log().contains("connections_per_address");
        assert_eq!(warned, expected == 503, "{}", world.server.log());
    }
}

/// The number behind the name of a metric.
async fn metric(world: &World, name: &str) -> u64 {
    let metrics = String::from_utf8(world.nobody().get("/metrics").await.expect(200).bytes).unwrap();
    let number = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    number.unwrap_or_else(|| panic!("{name}: {metrics}")).parse().unwrap()
}

#[tokio::test]
async fn slow_clients_are_cut_when_their_answers_take_too_much_memory() {
    const LIMIT: u64 = 8 << 20;
    let limit = LIMIT.to_string();
    let world = World::with(&ACCORD, &[("ACCORD_MAX_UNSENT", &limit), ("ACCORD_WRITE_TIMEOUT", "300")]).await;
    let ann = world.log_in("ann").await;
    for number in 0..100 {
        let content = format!("{number} {}", "€".repeat(19_990));
        ann.post("/api/v1/posts").json(&json!({ "title": "A long post", "content": content })).await.expect(201);
    }
    let mut slow = vec![];
    for _ in 0..6 {
        let mut wire = Wire::slow(&world).await;
        let token = ann.authorization.as_deref().unwrap();
        wire.head("GET /api/v1/posts?limit=100", &[("Authorization", token)]).await;
        slow.push(wire);
    }
    // six answers of 6 MB each: one of them fits
    let cut = async {
        while metric(&world, "accord_connections_cut_total").await < 4 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), cut).await.expect("the slowest are cut");
    let list = ann.get("/api/v1/posts?limit=100").await.expect(200);
    assert!(list.bytes.len() > 6_000_000, "{} bytes", list.bytes.len());
    let unsent = metric(&world, "accord_unsent_bytes").await;
    assert!(unsent <= LIMIT, "{unsent}");
    drop(slow);
    while metric(&world, "accord_unsent_bytes").await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
