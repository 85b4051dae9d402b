//! Events as they reach a receiver: signed, in order, at least once, and nobody else.

use std::time::Duration;

use contract_tests::Treatment::{Answers, Hangs, HangsUp, Redirects};
use contract_tests::{ACCORD, Answer, Person, Receiver, SECRET, Story, World, command_line};
use futures_util::future::join_all;
use insta::assert_yaml_snapshot;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

const BY_ITSELF: (&str, &str) = ("ACCORD_TASK_WORKERS", "4");
/// Receivers of tests are on this machine.
const PRIVATE: (&str, &str) = ("ACCORD_WEBHOOK_PRIVATE", "true");
const NOT_PURGING: (&str, &str) = ("ACCORD_PURGE_INTERVAL", "0");
/// Whoever fails twice is given up.
const IMPATIENT: (&str, &str) = ("ACCORD_WEBHOOK_RETRY_FOR", "1");

async fn create(admin: &Person, url: &str) -> Answer {
    admin.post("/api/v1/webhooks").json(&json!({ "url": url })).await.expect(201)
}

/// Sends the event that tests webhook 1; answers the delivery's id.
async fn test(admin: &Person) -> i64 {
    admin.post("/api/v1/webhooks/1/test").await.expect(202).id()
}

/// The delivery, once it is so.
async fn delivery(admin: &Person, id: i64, mut is: impl FnMut(&Value) -> bool) -> Value {
    let wait = async {
        loop {
            let page = admin.get("/api/v1/webhooks/1/deliveries?limit=100").await.expect(200);
            let found = page.body["items"].as_array().unwrap().iter().find(|item| item["id"] == id).cloned();
            if let Some(found) = found.filter(|found| is(found)) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), wait).await.expect("the delivery becomes so")
}

async fn ended(admin: &Person, id: i64) -> Value {
    delivery(admin, id, |delivery| delivery["status"] != "pending").await
}

/// The event of a post with this number: its identifier and its text.
fn event_of_post(post: i64, number: usize) -> (String, String) {
    let id = format!("evt_{number:032x}");
    let at = "2026-01-02T03:04:05.678901Z";
    let post_as_shown = json!({ "id": post, "owner": null, "title": format!("Number {number}"), "content": "x", "published": true,
        "rating": null, "votes": 0, "created_at": at, "updated_at": at });
    let body = json!({ "id": id, "type": "post.updated", "timestamp": at, "data": post_as_shown }).to_string();
    (id, body)
}

/// Inserts the event of a post, as another instance does in the transaction of a change: a delivery for each webhook that
/// wants it.
async fn announce(world: &World, post: i64, number: usize) {
    let (id, body) = event_of_post(post, number);
    let rows = format!(
        "INSERT INTO deliveries (webhook_id, event_id, event_type, object, event, status, created_at) \
         SELECT id, '{id}', 'post.updated', 'post:{post}', '{body}', 'pending', '2026-01-01T00:00:00+00:00' \
         FROM webhooks WHERE enabled AND (event_types IS NULL OR event_types LIKE '%\"post.updated\"%') \
         ON CONFLICT DO NOTHING"
    );
    world.database.execute(&rows).await;
}

/// Inserts the event of a post as the job of a release before 0.4.
async fn announce_as_before(world: &World, post: i64, number: usize) {
    let (id, body) = event_of_post(post, number);
    let payload = json!({ "id": id, "event_type": "post.updated", "object": format!("post:{post}"), "body": body });
    let row = format!(
        "INSERT INTO tasks (name, lane, payload, state, run_at, created_at, updated_at) VALUES ('publish-event', \
         'post:{post}', '{payload}', 'queued', '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00', \
         '2026-01-01T00:00:00+00:00')"
    );
    world.database.execute(&row).await;
}

/// The letters that were written into this folder, but not those that a new address gets.
fn letters(folder: &tempfile::TempDir) -> Vec<String> {
    let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let letters = files.map(|file| std::fs::read_to_string(file).unwrap());
    letters.filter(|letter| !letter.contains("Subject: Verify")).collect()
}

async fn until_letters(folder: &tempfile::TempDir, count: usize) -> Vec<String> {
    let wait = async {
        while letters(folder).len() < count {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("letters are written");
    letters(folder)
}

#[tokio::test]
async fn a_webhook_lives_from_creation_to_deletion() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let (root, ann) = (world.log_in("root").await, world.log_in("ann").await);
    let path = "/api/v1/webhooks/1";
    let new = json!({ "url": "https://hooks.example.com/accord", "description": "Search", "events": ["post.created"] });
    let refused = ann.post("/api/v1/webhooks").json(&new);
    story.tell("ann is no admin", refused).await.refused(403, "forbidden");
    let made = story.tell("root makes one", root.post("/api/v1/webhooks").json(&new)).await;
    let secret = made.text("/secret").to_owned();
    let read = story.tell("the secret is not shown again", root.get(path)).await;
    assert_eq!((made.etag(), read.body.get("secret")), (read.etag(), None));
    story.tell("they know it", root.get(path).header("If-None-Match", read.etag())).await.expect(304);
    let change = json!({ "description": null, "events": [], "enabled": false });
    let blind = root.patch(path).json(&change);
    story.tell("they change it blindly", blind).await.refused(428, "precondition_required");
    let changed = story.tell("they change it", root.patch(path).header("If-Match", read.etag()).json(&change)).await;
    let stale = root.patch(path).header("If-Match", read.etag()).json(&json!({ "rotate_secret": true }));
    story.tell("that was another version", stale).await.refused(412, "precondition_failed");
    let rotate = root.patch(path).header("If-Match", changed.etag()).json(&json!({ "rotate_secret": true }));
    let rotated = story.tell("they rotate the secret", rotate).await;
    assert_ne!(rotated.text("/secret"), secret);
    let test = root.post("/api/v1/webhooks/1/test");
    story.tell("it is disabled", test).await.refused(409, "webhook_disabled");
    let enable = root.patch(path).header("If-Match", "*").json(&json!({ "enabled": true, "rotate_secret": false }));
    story.tell("they enable it", enable).await.expect(200);
    story.tell("they test it", root.post("/api/v1/webhooks/1/test")).await.expect(202);
    let list = root.get("/api/v1/webhooks/1/deliveries?status=pending&with_total=true");
    story.tell("nobody works here", list).await;
    let again = root.post("/api/v1/webhooks/1/deliveries/1/redeliver");
    story.tell("it is sent anyway", again).await.expect(202);
    assert_eq!(world.database.count("deliveries WHERE status = 'pending'").await, 1);
    story.tell("all there are", root.get("/api/v1/webhooks?with_total=true")).await;
    story.tell("they delete it", root.delete(path).header("If-Match", "*")).await.expect(204);
    story.tell("it is gone", root.get(path)).await.refused(404, "not_found");
    assert_eq!(world.database.count("deliveries").await, 0);
    let audit = root.get("/api/v1/audit-events?object_type=webhook&limit=100");
    let audit = story.tell("what the audit has", audit).await;
    let text = format!("{} {}", audit.body, world.server.log());
    assert!(!text.contains("whsec_") && !text.contains("/accord\""), "no secret, and no path: {text}");
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn a_test_event_arrives_signed() {
    let receiver = Receiver::start(&[Answers(204)]).await;
    let (world, mut story) = (World::with(&ACCORD, &[BY_ITSELF, PRIVATE]).await, Story::default());
    let root = world.log_in("root").await;
    let secret = create(&root, &receiver.url).await.text("/secret").to_owned();
    let asked = story.tell("root tests it", root.post("/api/v1/webhooks/1/test")).await;
    let received = receiver.gets(1).await.remove(0);
    assert_eq!(received.line, "POST /hooks?from=test HTTP/1.1");
    let named = |name: &str| received.headers[name].as_str();
    assert_eq!(named("content-type"), "application/json");
    assert_eq!(format!("http://{}/hooks?from=test", named("host")), receiver.url);
    assert!(named("user-agent").starts_with("Accord/"), "{received:?}");
    let age = chrono::Utc::now().timestamp() - named("webhook-timestamp").parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{received:?}");
    assert_eq!(received.signatures(), [received.signed_by(&secret)]);
    assert_eq!(received.event(), asked.body["event"], "what the delivery shows is what was sent");
    assert_eq!((received.event()["type"].as_str(), received.id()), (Some("webhook.test"), asked.text("/event/id")));
    ended(&root, 1).await;
    story.tell("it was taken", root.get("/api/v1/webhooks/1/deliveries?status=succeeded")).await;
    story.tell("nothing has failed", root.get("/api/v1/webhooks/1/deliveries?status=failed&with_total=true")).await;
    let log = world.server.log();
    assert!(!log.contains("whsec_") && !log.contains(&secret[6..]) && !log.contains("/hooks"), "{log}");
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn what_fails_is_sent_again_and_what_follows_waits() {
    let receiver = Receiver::start(&[HangsUp, Answers(200)]).await;
    let settings = [BY_ITSELF, PRIVATE];
    let world = World::with(&ACCORD, &settings).await;
    let _other = world.another_server(&settings).await;
    let root = world.log_in("root").await;
    let secret = create(&root, &receiver.url).await.text("/secret").to_owned();
    for _ in 0..4 {
        test(&root).await;
    }
    let first = delivery(&root, 1, |delivery| delivery["attempts"] == 1).await;
    assert_eq!((&first["status"], &first["http_status"]), (&json!("pending"), &json!(null)));
    assert!(first["error"].as_str().unwrap().starts_with("no answer: "), "{first}");
    assert!(!root.get("/api/v1/webhooks/1").await.body["first_failed_at"].is_null());
    let received = receiver.gets(5).await;
    let page = root.get("/api/v1/webhooks/1/deliveries").await.expect(200);
    let ids: Vec<String> = (0..4).map(|n| page.text(&format!("/items/{n}/event/id")).to_owned()).rev().collect();
    let arrived: Vec<_> = received.iter().map(|received| received.id()).collect();
    assert_eq!(arrived, [&ids[0], &ids[0], &ids[1], &ids[2], &ids[3]]);
    assert_eq!(received[0].body, received[1].body);
    for one in &received {
        assert_eq!(one.signatures(), [one.signed_by(&secret)]);
    }
    let first = ended(&root, 1).await;
    assert_eq!((&first["status"], &first["attempts"], &first["error"]), (&json!("succeeded"), &json!(2), &json!(null)));
    assert!(root.get("/api/v1/webhooks/1").await.body["first_failed_at"].is_null(), "success is the end of failures");
}

#[tokio::test]
async fn events_of_one_object_arrive_in_order_at_those_who_want_them_and_once() {
    let (all, some, none) = (
        Receiver::start(&[Answers(200)]).await,
        Receiver::start(&[Answers(200)]).await,
        Receiver::start(&[Answers(200)]).await,
    );
    let settings = [BY_ITSELF, PRIVATE];
    let world = World::with(&ACCORD, &settings).await;
    let _other = world.another_server(&settings).await;
    let root = world.log_in("root").await;
    create(&root, &all.url).await;
    for (receiver, events) in [(&some, ["post.updated", "user.created"]), (&none, ["post.created", "post.deleted"])] {
        root.post("/api/v1/webhooks").json(&json!({ "url": receiver.url, "events": events })).await.expect(201);
    }
    for number in 0..12 {
        announce(&world, (number % 2) as i64 + 1, number).await;
    }
    // the job of an earlier release, which has run before but could not record it
    announce_as_before(&world, 1, 0).await;
    for receiver in [&all, &some] {
        let received = receiver.gets(12).await;
        for post in [1, 2] {
            let of_post = received.iter().map(|one| one.event()).filter(|event| event["data"]["id"] == post);
            let ids: Vec<_> = of_post.map(|event| event["id"].as_str().unwrap().to_owned()).collect();
            assert!(ids.len() == 6 && ids.is_sorted(), "{ids:?}");
        }
    }
    let wait = async {
        while world.database.count("tasks WHERE key IS NULL").await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("all is done");
    assert_eq!((all.received().len(), some.received().len(), none.received().len()), (12, 12, 0));
    // each is an event as the document has it
    let page = root.get("/api/v1/webhooks/1/deliveries?with_total=true").await.expect(200);
    assert_eq!(page.body["total"], 12);
}

#[tokio::test]
async fn both_secrets_sign_while_the_receiver_changes_over() {
    let receiver = Receiver::start(&[Answers(200)]).await;
    let world = World::with(&ACCORD, &[BY_ITSELF, PRIVATE, ("ACCORD_WEBHOOK_SECRET_OVERLAP", "4")]).await;
    let root = world.log_in("root").await;
    let mut secrets = vec![create(&root, &receiver.url).await.text("/secret").to_owned()];
    for _ in 0..2 {
        let rotate = root.patch("/api/v1/webhooks/1").header("If-Match", "*").json(&json!({ "rotate_secret": true }));
        secrets.push(rotate.await.expect(200).text("/secret").to_owned());
    }
    let rotated = std::time::Instant::now();
    test(&root).await;
    let received = receiver.gets(1).await.remove(0);
    let both = [received.signed_by(&secrets[2]), received.signed_by(&secrets[1])];
    assert_eq!(received.signatures(), both, "the new one first; the oldest no more");
    tokio::time::sleep(Duration::from_secs(5).saturating_sub(rotated.elapsed())).await;
    test(&root).await;
    let received = receiver.gets(2).await.remove(1);
    assert_eq!(received.signatures(), [received.signed_by(&secrets[2])], "the overlap is over");
}

#[tokio::test]
async fn secrets_are_encrypted_at_rest_and_again_after_a_change_of_keys() {
    const OTHER_KEY: &str = "another secret, which comes after it";
    let receiver = Receiver::start(&[Answers(204)]).await;
    let mut world = World::with(&ACCORD, &[BY_ITSELF, PRIVATE]).await;
    let root = world.log_in("root").await;
    let secret = create(&root, &receiver.url).await.text("/secret").to_owned();
    let plain = async |world: &World| {
        let plain = format!("webhooks WHERE secret LIKE '%{}%' OR secret LIKE 'whsec%'", &secret[10..30]);
        world.database.count(&plain).await
    };
    let seal = async |world: &World| {
        let run = command_line(&ACCORD, &["task", "run", "seal-webhook-secrets"], &world.database.url(), "").await;
        assert_eq!(run.code, 0, "{}", run.stderr);
        let done = async {
            while world.database.count("tasks WHERE name = 'seal-webhook-secrets' AND key IS NULL").await > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), done).await.expect("the task ends");
    };
    let mut number = 0;
    let mut signs = async |world: &World| {
        number += 1;
        test(&world.log_in("root").await).await;
        let received = receiver.gets(number).await.remove(number - 1);
        assert_eq!(received.signatures(), [received.signed_by(&secret)], "{number}");
    };
    assert_eq!(plain(&world).await, 0);
    signs(&world).await;

    // as 0.3.0 has written it
    world.database.execute(&format!("UPDATE webhooks SET secret = '{secret}'")).await;
    signs(&world).await;
    seal(&world).await;
    assert_eq!(plain(&world).await, 0);
    signs(&world).await;

    let (old, new) = (("ACCORD_MORE_SECRET_KEYS", SECRET), ("SECRET_KEY", OTHER_KEY));
    world.server = world.another_server(&[BY_ITSELF, PRIVATE, old, new]).await;
    signs(&world).await;
    seal(&world).await;
    world.server = world.another_server(&[BY_ITSELF, PRIVATE, new]).await;
    signs(&world).await;
    let events = world.log_in("root").await.get("/api/v1/audit-events?object_type=webhook").await.expect(200);
    let actions: Vec<_> = events.body["items"].as_array().unwrap().iter().map(|event| &event["action"]).collect();
    assert_eq!(actions, ["webhook_created"], "it is the same secret");
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_not_called_again_and_its_maker_gets_a_mail() {
    // the first refusal gives time to ask for the second delivery, which waits for the first
    let receiver = Receiver::start(&[Answers(500), Answers(410)]).await;
    let folder = tempfile::tempdir().unwrap();
    let mail = format!("folder:{}", folder.path().display());
    let (world, mut story) =
        (World::with(&ACCORD, &[BY_ITSELF, PRIVATE, ("ACCORD_MAIL_URL", &mail)]).await, Story::default());
    let root = world.log_in("root").await;
    create(&root, &receiver.url).await;
    let (first, second) = (test(&root).await, test(&root).await);
    for (id, error) in [(first, "answered 410"), (second, "the webhook is disabled")] {
        let failed = ended(&root, id).await;
        assert_eq!((&failed["status"], &failed["error"]), (&json!("failed"), &json!(error)));
    }
    assert_eq!(receiver.received().len(), 2);
    let letters = until_letters(&folder, 1).await;
    assert!(letters[0].contains("To: root@example.com"), "{letters:?}");
    assert!(letters[0].contains("Subject: Webhook 1 of Accord is disabled"), "{letters:?}");
    assert!(letters[0].contains("answered 410"), "{letters:?}");
    story.tell("it is disabled", root.get("/api/v1/webhooks/1/deliveries?status=failed")).await;
    assert_eq!(root.get("/api/v1/webhooks/1").await.body["enabled"], false);
    story.tell("and the audit says so", root.get("/api/v1/audit-events?action=webhook_disabled")).await;
    for call in ["test", "deliveries/1/redeliver"] {
        root.post(format!("/api/v1/webhooks/1/{call}")).await.refused(409, "webhook_disabled");
    }
    announce_as_before(&world, 1, 1).await;
    let wait = async {
        while world.database.count("tasks WHERE name = 'publish-event'").await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it is published");
    assert_eq!(world.database.count("deliveries").await, 2, "nobody wants it");

    receiver.treats(Answers(200));
    let enable = json!({ "enabled": true });
    let enabled = root.patch("/api/v1/webhooks/1").header("If-Match", "*").json(&enable).await.expect(200);
    assert!(enabled.body["first_failed_at"].is_null());
    root.post("/api/v1/webhooks/1/deliveries/1/redeliver").await.expect(202);
    let received = receiver.gets(3).await;
    assert_eq!((received[0].id(), &received[0].body), (received[2].id(), &received[2].body), "the same event");
    let again = ended(&root, first).await;
    assert_eq!((&again["status"], &again["attempts"], &again["error"]), (&json!("succeeded"), &json!(3), &json!(null)));
    root.post("/api/v1/webhooks/1/deliveries/99/redeliver").await.refused(404, "not_found");
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn who_fails_for_too_long_is_disabled_and_all_admins_get_a_mail_if_the_maker_is_gone() {
    let (receiver, folder) = (Receiver::start(&[Answers(500)]).await, tempfile::tempdir().unwrap());
    let mail = format!("folder:{}", folder.path().display());
    let world = World::with(&ACCORD, &[BY_ITSELF, PRIVATE, IMPATIENT, ("ACCORD_MAIL_URL", &mail)]).await;
    let root = world.log_in("root").await;
    let maker = json!({ "email": "eve@example.com", "password": "a long password", "role": "admin" });
    let eve = root.post("/api/v1/users").json(&maker).await.expect(201).id();
    let login = world
        .nobody()
        .post("/api/v1/authenticate")
        .json(&json!({ "email": "eve@example.com", "password": "a long password" }));
    let token = login.await.expect(200).text("/token").to_owned();
    let (eve_herself, webhook) =
        (world.nobody().with_token(&token), json!({ "url": receiver.url, "events": ["post.created"] }));
    eve_herself.post("/api/v1/webhooks").json(&webhook).await.expect(201);
    root.delete(format!("/api/v1/users/{eve}")).header("If-Match", "*").await.expect(204);
    let id = test(&root).await;
    let failed = ended(&root, id).await;
    assert_eq!(
        (&failed["status"], &failed["attempts"], &failed["http_status"]),
        (&json!("failed"), &json!(2), &json!(500))
    );
    let webhook = root.get("/api/v1/webhooks/1").await.body;
    assert_eq!((&webhook["enabled"], &webhook["created_by"]), (&json!(false), &json!(null)));
    assert_eq!(webhook["disabled_reason"], "failing");
    let letters = until_letters(&folder, 1).await;
    assert!(letters.len() == 1 && letters[0].contains("To: root@example.com"), "{letters:?}");
    assert_eq!(receiver.received().len(), 2);
    let log = world.server.log();
    assert!(!log.contains("root@example.com") && !log.contains("whsec_"), "{log}");
}

#[tokio::test]
async fn one_success_keeps_a_webhook_though_a_delivery_fails_for_good() {
    let receiver = Receiver::start(&[Answers(500)]).await;
    let world = World::with(&ACCORD, &[BY_ITSELF, PRIVATE, ("ACCORD_WEBHOOK_RETRY_FOR", "2")]).await;
    let root = world.log_in("root").await;
    create(&root, &receiver.url).await;
    announce(&world, 1, 1).await;
    delivery(&root, 1, |delivery| delivery["attempts"] == 1).await;
    // of another object, so that it does not wait
    receiver.treats(Answers(200));
    let second = test(&root).await;
    assert_eq!(ended(&root, second).await["status"], "succeeded");
    receiver.treats(Answers(503));
    assert_eq!(ended(&root, 1).await["status"], "failed");
    assert_eq!(root.get("/api/v1/webhooks/1").await.body["enabled"], true);
}

#[tokio::test]
async fn a_slow_receiver_and_one_that_sends_elsewhere_have_failed() {
    let receiver = Receiver::start(&[Hangs]).await;
    let world = World::with(&ACCORD, &[BY_ITSELF, PRIVATE, ("ACCORD_WEBHOOK_TIMEOUT", "1")]).await;
    let root = world.log_in("root").await;
    create(&root, &receiver.url).await;
    let id = test(&root).await;
    let slow = delivery(&root, id, |delivery| delivery["attempts"] == 1).await;
    assert_eq!((&slow["status"], &slow["error"]), (&json!("pending"), &json!("no answer within 1 s")));
    receiver.treats(Redirects);
    let elsewhere = delivery(&root, id, |delivery| delivery["attempts"] == 2).await;
    assert_eq!(elsewhere["error"], "answered 302: redirects are not followed");
    assert_eq!((&elsewhere["http_status"], receiver.received().len()), (&json!(302), 2));
}

#[tokio::test]
async fn insiders_are_not_called() {
    let receiver = Receiver::start(&[Answers(200)]).await;
    let world = World::with(&ACCORD, &[BY_ITSELF]).await;
    let root = world.log_in("root").await;
    let port = receiver.url.split([':', '/']).nth(4).unwrap().to_owned();
    for url in [
        receiver.url.clone(),
        "http://example.com/".into(),
        format!("https://127.0.0.1:{port}/"),
        "https://2130706433/".into(),
        "https://0x7f.1/".into(),
        "https://10.1.2.3/".into(),
        "https://169.254.169.254/latest/meta-data/".into(),
        "https://[::1]/".into(),
        "https://[::ffff:127.0.0.1]/".into(),
        "https://[fd00::1]/".into(),
        "https://[64:ff9b::7f00:1]/".into(),
    ] {
        let refused = root.post("/api/v1/webhooks").json(&json!({ "url": url })).await.refused(400, "invalid");
        assert_eq!(refused.body["errors"][0]["pointer"], "/url", "{url}");
    }
    // a name says nothing until it is resolved
    create(&root, &format!("https://localhost:{port}/")).await;
    let change = json!({ "url": format!("https://127.0.0.1:{port}/") });
    let refused = root.patch("/api/v1/webhooks/1").header("If-Match", "*").json(&change).await;
    assert_eq!(refused.refused(400, "invalid").body["errors"][0]["pointer"], "/url");
    let id = test(&root).await;
    let failed = delivery(&root, id, |delivery| delivery["attempts"] == 1).await;
    assert_eq!(failed["error"], "the URL leads to an address that is not public");
    // one that was made when it was allowed
    world.database.execute(&format!("UPDATE webhooks SET url = 'https://127.0.0.1:{port}/'")).await;
    let failed = delivery(&root, id, |delivery| delivery["attempts"] == 2).await;
    assert_eq!(failed["error"], "the URL leads to an address that is not public");
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn there_are_no_more_webhooks_than_the_settings_say() {
    let (world, mut story) = (World::with(&ACCORD, &[("ACCORD_WEBHOOK_LIMIT", "3")]).await, Story::default());
    let root = world.log_in("root").await;
    create(&root, "https://hooks.example.com/0").await;
    let more = (1..8).map(|number| {
        root.post("/api/v1/webhooks")
            .json(&json!({ "url": format!("https://hooks.example.com/{number}") }))
            .into_future()
    });
    let answers = join_all(more).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 2);
    answers
        .into_iter()
        .filter(|answer| answer.status != 201)
        .for_each(|answer| drop(answer.refused(409, "too_many_webhooks")));
    let late = root.post("/api/v1/webhooks").json(&json!({ "url": "https://hooks.example.com/late" }));
    story.tell("who comes late is told, too", late).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn email_is_sent_while_a_receiver_is_silent() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start(&[Hangs]).await);
    let mail = format!("folder:{}", folder.path().display());
    let settings =
        [BY_ITSELF, PRIVATE, NOT_PURGING, ("ACCORD_WEBHOOK_TIMEOUT", "600"), ("ACCORD_MAIL_URL", mail.as_str())];
    let world = World::with(&ACCORD, &settings).await;
    let root = world.log_in("root").await;
    create(&root, &receiver.url).await;
    for number in 0..10 {
        announce(&world, 1000 + number as i64, number).await;
    }
    let tried = async {
        while receiver.received().len() < 10 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), tried).await.expect("every event is tried");
    world.nobody().post("/api/v1/password-reset").json(&json!({ "email": "ann@example.com" })).await.expect(202);
    let sent = until_letters(&folder, 1).await;
    assert!(sent[0].contains("Subject: Reset your password"), "{}", sent[0]);
    assert_eq!(world.database.count("deliveries WHERE attempts = 0").await, 10, "no attempt has ended");
}

#[tokio::test]
async fn silent_receiver_does_not_delay_the_events_of_another() {
    let (silent, good) = (Receiver::start(&[Hangs]).await, Receiver::start(&[Answers(200)]).await);
    let world = World::with(&ACCORD, &[BY_ITSELF, PRIVATE, NOT_PURGING, ("ACCORD_WEBHOOK_TIMEOUT", "2")]).await;
    let root = world.log_in("root").await;
    create(&root, &silent.url).await;
    create(&root, &good.url).await;
    const EVENTS: usize = 40;
    for number in 0..EVENTS {
        announce(&world, 1000 + number as i64, number).await;
    }
    let all = async {
        while good.received().len() < EVENTS {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("the other receiver gets every event");
    assert!(silent.received().len() <= 32, "one receiver gets a bounded number of requests at once");
}

#[tokio::test]
async fn receiver_that_times_out_is_paused_as_a_whole() {
    let silent = Receiver::start(&[Hangs]).await;
    let world = World::with(&ACCORD, &[BY_ITSELF, PRIVATE, NOT_PURGING, ("ACCORD_WEBHOOK_TIMEOUT", "1")]).await;
    let root = world.log_in("root").await;
    create(&root, &silent.url).await;
    for number in 0..100 {
        announce(&world, 1000 + number as i64, number).await;
    }
    let timed_out = async {
        while world.database.count("deliveries WHERE attempts > 0").await == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), timed_out).await.expect("the first attempts time out");
    tokio::time::sleep(Duration::from_secs(6)).await;
    let tried = silent.received().len();
    assert!(tried < 50, "32 requests at once, and one after each pause: {tried}");
    silent.treats(Answers(200));
    let all = async {
        while world.database.count("deliveries WHERE status = 'pending'").await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("the first success ends the pause");
}

#[tokio::test]
async fn event_that_an_earlier_release_has_enqueued_is_delivered() {
    let receiver = Receiver::start(&[Answers(200)]).await;
    let world = World::with(&ACCORD, &[BY_ITSELF, PRIVATE, NOT_PURGING]).await;
    create(&world.log_in("root").await, &receiver.url).await;
    announce_as_before(&world, 7, 1).await;
    assert_eq!(receiver.gets(1).await[0].event()["data"]["id"], 7);
}

#[tokio::test]
async fn many_pending_events_are_delivered_in_order_per_object_and_once() {
    const EVENTS: usize = 2_000;
    let receiver = Receiver::start(&[Answers(200)]).await;
    let settings = [BY_ITSELF, PRIVATE, NOT_PURGING];
    let world = World::with(&ACCORD, &settings).await;
    create(&world.log_in("root").await, &receiver.url).await;
    let rows = format!(
        "INSERT INTO deliveries (webhook_id, event_id, event_type, object, event, status, created_at) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {EVENTS}) \
         SELECT 1, 'evt_' || i, 'post.updated', 'post:' || (i % 50), '{{\"number\":' || i || '}}', 'pending', \
         '2026-01-01T00:00:00+00:00' FROM n"
    );
    world.database.execute(&rows).await;
    let _other = world.another_server(&settings).await;
    let all = async {
        while world.database.count("deliveries WHERE status = 'pending'").await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), all).await.expect("every event is delivered");
    let numbers: Vec<_> = receiver.received().iter().map(|one| one.event()["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers.len(), EVENTS, "no event is sent twice");
    for object in 0..50 {
        let of_object: Vec<_> = numbers.iter().filter(|number| *number % 50 == object).collect();
        assert!(of_object.len() == EVENTS / 50 && of_object.is_sorted(), "{of_object:?}");
    }
}

#[tokio::test]
async fn delivery_that_a_stop_interrupts_is_sent_by_another_process_at_once() {
    let receiver = Receiver::start(&[Hangs]).await;
    let settings =
        [BY_ITSELF, PRIVATE, NOT_PURGING, ("ACCORD_TASK_LEASE", "3600"), ("ACCORD_GRACE", "0"), ("ACCORD_DRAIN", "0")];
    let mut world = World::with(&ACCORD, &settings).await;
    create(&world.log_in("root").await, &receiver.url).await;
    announce(&world, 1, 1).await;
    receiver.gets(1).await;
    world.server.terminate().await;
    world.server.ended().await;
    receiver.treats(Answers(200));
    let _other = world.another_server(&settings).await;
    receiver.gets(2).await;
}

#[tokio::test]
async fn webhook_limit_holds_when_the_first_webhooks_are_created_concurrently() {
    let world = World::with(&ACCORD, &[("ACCORD_WEBHOOK_LIMIT", "2")]).await;
    let root = world.log_in("root").await;
    for round in 0..5 {
        let creates = (0..8).map(|number| {
            let body = json!({ "url": format!("https://hooks.example.com/{number}") });
            root.post("/api/v1/webhooks").json(&body).into_future()
        });
        let mut created = 0;
        for answer in join_all(creates).await {
            match answer.status {
                201 => created += 1,
                _ => drop(answer.refused(409, "too_many_webhooks")),
            }
        }
        assert_eq!((created, world.database.count("webhooks").await), (2, 2), "round {round}");
        world.database.execute("DELETE FROM webhooks").await;
    }
}

#[tokio::test]
async fn deliveries_are_kept_for_a_time() {
    let receiver = Receiver::start(&[Answers(200), HangsUp]).await;
    let settings = [BY_ITSELF, PRIVATE, ("ACCORD_WEBHOOK_DELIVERIES_TTL", "1"), ("ACCORD_PURGE_INTERVAL", "1")];
    let world = World::with(&ACCORD, &settings).await;
    let root = world.log_in("root").await;
    create(&root, &receiver.url).await;
    test(&root).await;
    test(&root).await;
    let wait = async {
        while world.database.count("deliveries").await > 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it is purged");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.database.count("deliveries WHERE status = 'pending'").await, 1, "what is still tried stays");
}

#[tokio::test]
async fn what_is_disabled_by_hand_sends_nothing_that_waits() {
    let receiver = Receiver::start(&[HangsUp]).await;
    let world = World::with(&ACCORD, &[BY_ITSELF, PRIVATE, NOT_PURGING]).await;
    let root = world.log_in("root").await;
    create(&root, &receiver.url).await;
    let id = test(&root).await;
    delivery(&root, id, |delivery| delivery["attempts"] == 1).await;
    let off = json!({ "enabled": false });
    root.patch("/api/v1/webhooks/1").header("If-Match", "*").json(&off).await.expect(200);
    assert_eq!(ended(&root, id).await["error"], "the webhook is disabled");
    assert_eq!(world.database.count("tasks WHERE state = 'queued'").await, 0, "nothing holds up what comes later");
    receiver.treats(Answers(200));
    root.patch("/api/v1/webhooks/1").header("If-Match", "*").json(&json!({ "enabled": true })).await.expect(200);
    root.post(format!("/api/v1/webhooks/1/deliveries/{id}/redeliver")).await.expect(202);
    assert_eq!(ended(&root, id).await["status"], "succeeded");
}

#[tokio::test]
async fn every_change_is_told_to_who_wants_it() {
    let receiver = Receiver::start(&[Answers(204)]).await;
    let picky = Receiver::start(&[Answers(204)]).await;
    let world = World::with(&ACCORD, &[BY_ITSELF, PRIVATE, NOT_PURGING]).await;
    let (ann, root) = (world.log_in("ann").await, world.log_in("root").await);
    create(&root, &receiver.url).await;
    root.post("/api/v1/webhooks").json(&json!({ "url": picky.url, "events": ["group.deleted"] })).await.expect(201);
    let any = |call: contract_tests::Call| call.header("If-Match", "*");
    root.post("/api/v1/groups").json(&json!({ "name": "Editors" })).await.expect(201);
    any(root.patch("/api/v1/groups/1")).json(&json!({ "name": "Chief editors" })).await.expect(200);
    root.put("/api/v1/groups/1/members/1").await.expect(204);
    let permission = json!({ "name": "can_pin_post", "target": "posts", "description": "Pin posts" });
    root.post("/api/v1/permissions").json(&permission).await.expect(201);
    any(root.patch("/api/v1/permissions/can_pin_post")).json(&json!({ "description": "Pin" })).await.expect(200);
    root.post("/api/v1/grants").json(&json!({ "group_id": 1, "permission": "can_pin_post" })).await.expect(201);
    ann.post("/api/v1/posts").json(&json!({ "title": "Hello", "content": "World" })).await.expect(201);
    any(ann.patch("/api/v1/posts/1")).json(&json!({ "title": "Hello again" })).await.expect(200);
    root.post("/api/v1/vote").json(&json!({ "post_id": 1, "vote_dir": 1 })).await.expect(201);
    root.post("/api/v1/vote").json(&json!({ "post_id": 1, "vote_dir": 0 })).await.expect(200);
    any(ann.delete("/api/v1/posts/1")).await.expect(204);
    // with its members, and with the grant, which is told
    any(root.delete("/api/v1/groups/1")).await.expect(204);
    any(root.delete("/api/v1/permissions/can_pin_post")).await.expect(204);
    let eve = json!({ "email": "eve@example.com", "password": "a long password" });
    world.nobody().post("/api/v1/user").json(&eve).await.expect(201);
    any(root.patch("/api/v1/users/6")).json(&json!({ "role": "staff" })).await.expect(200);
    any(root.delete("/api/v1/users/6")).await.expect(204);

    let mut told: Vec<_> = receiver.gets(17).await.iter().map(contract_tests::Received::event).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(receiver.received().len(), 17);
    // those of one object come in their order, others as it happens
    let object = |event: &Value| {
        match event["type"].as_str().unwrap().split('.').next().unwrap() {
            "member" => "group",
            "vote" => "post",
            kind => kind,
        }
        .to_owned()
    };
    told.sort_by_key(|event| (event["timestamp"].as_str().unwrap().to_owned(), object(event)));
    let line = |event: &Value| {
        let mut data = event["data"].clone();
        let fields = data.as_object_mut().unwrap();
        fields.retain(|name, _| !name.ends_with("_at"));
        format!("{} {data}", event["type"].as_str().unwrap())
    };
    insta::assert_snapshot!(told.iter().map(line).collect::<Vec<_>>().join("\n"));
    assert_eq!(
        picky.received().iter().map(|received| received.event()["type"].clone()).collect::<Vec<_>>(),
        ["group.deleted"]
    );
}

#[tokio::test]
async fn a_receiver_that_nobody_vouches_for_is_told_nothing() {
    let (_folder, acceptor) = crate::mail::certificate();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/hooks", listener.local_addr().unwrap());
    let heard = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut first = [0];
                if stream.read(&mut first).await.is_ok_and(|read| read > 0) {
                    return first;
                }
            }
        }
    });
    let world = World::with(&ACCORD, &[BY_ITSELF, PRIVATE, IMPATIENT]).await;
    let root = world.log_in("root").await;
    create(&root, &url).await;
    let id = test(&root).await;
    let failed = ended(&root, id).await;
    let error = failed["error"].as_str().unwrap();
    assert!(error.starts_with("no secure connection: invalid peer certificate"), "{error}");
    assert!(failed["http_status"].is_null() && !heard.is_finished(), "{failed}");
    heard.abort();
}
