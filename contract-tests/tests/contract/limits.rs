//! Who is limited: by the address they call from, behind proxies too.

use contract_tests::{Answer, World};
use serde_json::json;

/// A login of Ann, as it comes in with these lines of `X-Forwarded-For`.
async fn log_in(world: &World, forwarded: &[&str]) -> Answer {
    let credentials = json!({ "email": "ann@example.com", "password": "the password of ann" });
    let call = world.nobody().post("/api/v1/authenticate").json(&credentials);
    forwarded.iter().fold(call, |call, line| call.header("X-Forwarded-For", line)).await
}

#[tokio::test]
async fn whoever_is_no_trusted_proxy_names_nobody() {
    let world = World::with(&[("ACCORD_RATE_LIMIT", "2"), ("ACCORD_TRUSTED_PROXIES", "10.0.0.0/8, ::1")]).await;
    log_in(&world, &["198.51.100.1"]).await.expect(200);
    log_in(&world, &["198.51.100.2"]).await.expect(200);
    log_in(&world, &["198.51.100.3"]).await.refused(429, "rate_limited");
    log_in(&world, &[]).await.refused(429, "rate_limited");
    let log = world.server.log();
    assert!(log.contains("127.0.0.1") && !log.contains("198.51.100"), "{log}");
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_is_counted_alone() {
    let world = World::with(&[("ACCORD_RATE_LIMIT", "2"), ("ACCORD_TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.7")]).await;
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
