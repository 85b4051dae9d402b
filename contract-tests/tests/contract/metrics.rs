//! What operators measure at `/metrics`, and who may.

use std::time::Duration;

use contract_tests::{ACCORD, Author, Person, Server, World, command_line};

const TOKEN: &str = "a token that only the monitoring knows";
const BY_ITSELF: (&str, &str) = ("ACCORD_TASK_WORKERS", "1");
const NOT_PURGING: (&str, &str) = ("ACCORD_PURGE_INTERVAL", "0");

/// What a server that hides nothing tells.
struct Told(String);

impl Told {
    async fn by(server: &Person) -> Self {
        let answer = server.get("/metrics").await.expect(200);
        assert_eq!(answer.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        Self(String::from_utf8(answer.bytes).unwrap())
    }

    /// The number behind a name and its labels.
    fn number(&self, name: &str) -> Option<f64> {
        let line = self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map(|number| number.parse().unwrap())
    }
}

fn answered(operation: &str, method: &str, status: u16) -> String {
    format!(r#"accord_http_requests_total{{method="{method}",operation="{operation}",status="{status}"}}"#)
}

#[tokio::test]
async fn requests_are_counted_by_operation() {
    let world = World::start(&ACCORD).await;
    let (ann, nobody) = (world.log_in("ann").await, world.nobody());
    let post_id = ann.writes("A post").await.id();
    for path in [format!("/api/v1/posts/{post_id}"), format!("/api/v1/posts/{post_id}/"), "/api/v1/posts/77".into()] {
        let _ = nobody.get(path).await;
    }
    ann.get(format!("/api/v1/posts/{post_id}")).await.expect(200);
    nobody.call("HEAD", "/health/live").await.expect(200);
    let told = Told::by(&nobody).await;
    for (operation, method, status, number) in [
        ("create_post", "POST", 201, 1.0),
        ("get_post", "GET", 401, 3.0),
        ("get_post", "GET", 200, 1.0),
        ("/health/live", "HEAD", 200, 1.0),
    ] {
        let name = answered(operation, method, status);
        assert_eq!(told.number(&name), Some(number), "{name}: {}", told.0);
    }
    assert_eq!(told.number(r#"accord_http_request_duration_seconds_count{operation="get_post"}"#), Some(4.0));
    assert_eq!(told.number("accord_http_requests_in_flight"), Some(1.0), "this one");
    assert_eq!(Told::by(&nobody).await.number(&answered("/metrics", "GET", 200)), Some(1.0));
}

#[tokio::test]
async fn a_label_is_never_what_a_client_has_made_up() {
    let world = World::start(&ACCORD).await;
    let nobody = world.nobody();
    let lines = async || Told::by(&nobody).await.0.lines().filter(|line| line.contains("requests_total{")).count();
    nobody.get("/made-up/0").await.refused(404, "route_not_found");
    nobody.call("MADEUP", "/docs").await.refused(405, "method_not_allowed");
    lines().await;
    let before = lines().await;
    for number in 1..20 {
        nobody.get(format!("/made-up/{number}?x={number}")).await.refused(404, "route_not_found");
        nobody.call(&format!("MADEUP{number}"), "/docs").await.refused(405, "method_not_allowed");
    }
    assert_eq!(lines().await, before);
    let told = Told::by(&nobody).await;
    assert_eq!(told.number(&answered("-", "GET", 404)), Some(20.0));
    assert_eq!(told.number(&answered("-", "other", 405)), Some(20.0));
    assert!(!told.0.to_lowercase().contains("made"), "{}", told.0);
}

#[tokio::test]
async fn runs_of_tasks_are_counted() {
    let world = World::with(&ACCORD, &[BY_ITSELF, NOT_PURGING]).await;
    let nobody = world.nobody();
    let done = r#"accord_task_runs_total{outcome="done",task="purge-sessions"}"#;
    let until = async |done: f64, name: &str| {
        let wait = async {
            while Told::by(&nobody).await.number(name) != Some(done) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("{name}"));
    };
    until(0.0, done).await;
    for arguments in [&["task", "run", "purge-sessions"][..], &["task", "run", "purge-sessions", "--in", "1h"]] {
        assert_eq!(command_line(&ACCORD, arguments, &world.database.url(), "").await.code, 0);
    }
    // no worker knows what to do with it
    let columns = "name, payload, state, run_at, created_at, updated_at";
    let time = "'2026-01-01T00:00:00+00:00'";
    let row = format!("'send-mail', '{{\"x\": 1}}', 'queued', {time}, {time}, {time}");
    world.database.execute(&format!("INSERT INTO tasks ({columns}) VALUES ({row})")).await;
    until(1.0, done).await;
    until(1.0, r#"accord_task_runs_total{outcome="parked",task="send-mail"}"#).await;
    let told = Told::by(&nobody).await;
    for (name, number) in [
        (r#"accord_task_duration_seconds_count{task="purge-sessions"}"#, 1.0),
        (r#"accord_tasks{state="queued",task="purge-sessions"}"#, 1.0),
        (r#"accord_tasks{state="failed",task="send-mail"}"#, 1.0),
        (r#"accord_tasks{state="running",task="send-mail"}"#, 0.0),
        // what is due in an hour is not late
        (r#"accord_task_lateness_seconds{task="purge-sessions"}"#, 0.0),
    ] {
        assert_eq!(told.number(name), Some(number), "{name}: {}", told.0);
    }
}

#[tokio::test]
async fn what_waits_in_vain_is_late() {
    let world = World::start(&ACCORD).await;
    let columns = "name, payload, state, run_at, created_at, updated_at";
    let time = "'2026-01-01T00:00:00+00:00'";
    for _ in 0..2 {
        let row = format!("'purge-sessions', '{{}}', 'queued', {time}, {time}, {time}");
        world.database.execute(&format!("INSERT INTO tasks ({columns}) VALUES ({row})")).await;
    }
    let told = Told::by(&world.nobody()).await;
    let late = told.number(r#"accord_task_lateness_seconds{task="purge-sessions"}"#).unwrap();
    assert!(late > 3600.0, "{late}");
    assert_eq!(told.number(r#"accord_tasks{state="queued",task="purge-sessions"}"#), Some(2.0));
}

#[tokio::test]
async fn the_process_tells_what_it_is_and_has() {
    let world = World::start(&ACCORD).await;
    world.log_in("ann").await;
    let told = Told::by(&world.nobody()).await;
    let info = world.nobody().get("/api/v1/info").await.expect(200);
    let (commit, version) = (info.text("/commit"), info.text("/version"));
    assert_eq!(told.number(&format!(r#"accord_build_info{{commit="{commit}",version="{version}"}}"#)), Some(1.0));
    assert_eq!(told.number("accord_database_up"), Some(1.0));
    assert_eq!(told.number(r#"accord_password_workers{state="idle"}"#), Some(2.0));
    assert!(told.0.contains("accord_database_connections{pool="), "{}", told.0);
    let started = told.number("process_start_time_seconds").unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((now - 60.0..=now).contains(&started), "{started}");
    let names = told.0.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next());
    let mut sorted: Vec<_> = names.clone().collect();
    sorted.sort_unstable();
    sorted.dedup();
    assert!(names.eq(sorted), "each name once, in their order");
}

#[tokio::test]
async fn nothing_of_a_user_is_told() {
    let world = World::start(&ACCORD).await;
    let ann = world.log_in("ann").await;
    let secret = "4711-secret-word";
    ann.get(format!("/api/v1/posts?search={secret}")).await.expect(200);
    ann.get(format!("/{secret}")).await.refused(404, "route_not_found");
    world.nobody().call("GET", "/metrics").header("X-Request-Id", secret).await.expect(200);
    let told = Told::by(&world.nobody()).await.0;
    assert!(!told.contains(secret) && !told.contains('@') && !told.contains("user_id"), "{told}");
}

async fn asks(server: &Server, authorization: &str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.get(format!("{}/metrics", server.address)).header("Authorization", authorization);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn in_production_metrics_are_for_who_has_the_token() {
    let prod = [("ACCORD_ENV", "prod"), ("ACCORD_PASSWORD_MEMORY", "19456")];
    let world = World::with(&ACCORD, &prod).await;
    let hidden = world.nobody().get("/metrics").await.refused(404, "route_not_found");
    let unknown = world.nobody().get("/nowhere").await.refused(404, "route_not_found");
    assert_eq!(hidden.body["detail"], unknown.body["detail"]);
    assert_eq!(asks(&world.server, "Bearer ").await.0, 404, "no token is not an empty one");

    let with_token = [prod[0], prod[1], ("ACCORD_METRICS_TOKEN", TOKEN)];
    let other = world.another_server(&with_token).await;
    world.nobody().at(&other).get("/metrics").await.refused(401, "unauthenticated");
    for wrong in ["Bearer", "Bearer ", &format!("Bearer {TOKEN}x"), &format!("Bearer {}", &TOKEN[1..]), TOKEN] {
        assert_eq!(asks(&other, wrong).await.0, 401, "{wrong}");
    }
    let (status, told) = asks(&other, &format!("Bearer {TOKEN}")).await;
    assert_eq!(status, 200, "{told}");
    assert!(told.contains(&format!("{} 6\n", answered("/metrics", "GET", 401))), "{told}");
    assert!(!told.contains(TOKEN) && !other.log().contains(TOKEN));
}
