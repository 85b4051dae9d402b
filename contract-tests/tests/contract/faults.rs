//! The database goes away and comes back; the server is asked to end.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::{Duration, Instant};

use contract_tests::{ACCORD, Author, Database, Mailbox, Person, Story, Wire, World};
use insta::assert_yaml_snapshot;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, SqliteConnection};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Stands between a server and PostgreSQL, and can be cut.
struct Proxy {
    address: SocketAddr,
    target: String,
    serving: JoinHandle<()>,
    /// Connections that were accepted before the last change carry nothing any more.
    frozen: watch::Sender<()>,
}

impl Proxy {
    async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let frozen = watch::Sender::new(());
        Self { address, serving: serve(listener, target.clone(), frozen.clone()), target, frozen }
    }

    /// Stops forwarding on every present connection without closing it, as a failover does. New ones work.
    fn freeze(&self) {
        self.frozen.send_replace(());
    }

    /// Ends every connection, and takes no new one.
    async fn cut(&mut self) {
        self.serving.abort();
        let _aborted = (&mut self.serving).await;
    }

    /// Listens again where it did.
    async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("the port is still free");
        self.serving = serve(listener, self.target.clone(), self.frozen.clone());
    }
}

fn serve(listener: TcpListener, target: String, frozen: watch::Sender<()>) -> JoinHandle<()> {
    tokio::spawn(async move {
        // dropped with this task, and with it all connections
        let mut connections = JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            let (target, mut frozen) = (target.clone(), frozen.subscribe());
            connections.spawn(async move {
                let Ok(mut server) = TcpStream::connect(target).await else { return };
                tokio::select! {
                    _ended = copy_bidirectional(&mut client, &mut server) => {}
                    // both sockets stay open, and nobody reads them
                    _frozen = frozen.changed() => std::future::pending().await,
                }
            });
        }
    })
}

/// Operations that a server answers without its database.
const WITHOUT_DATABASE: &[&str] = &["get_info"];

#[tokio::test]
async fn a_database_that_goes_away_costs_503_until_it_is_back() {
    if !Database::on_postgres() {
        return;
    }
    let database = Database::fresh(&ACCORD).await;
    let options = PgConnectOptions::from_str(&database.url()).unwrap();
    let mut proxy = Proxy::to(format!("{}:{}", options.get_host(), options.get_port())).await;
    let url = options.host("127.0.0.1").port(proxy.address.port()).to_url_lossy().to_string();
    let world = World::on(database, &url, &[("ACCORD_DB_TIMEOUT", "1")]).await;
    let ann = world.log_in("ann").await;
    ann.writes("A post").await;

    proxy.cut().await;
    for operation in
        ACCORD.document().operations.iter().filter(|operation| !WITHOUT_DATABASE.contains(&operation.id.as_str()))
    {
        ann.call_operation(operation, "1").await.refused(503, "database_unavailable");
    }
    let nobody = world.nobody();
    nobody.get("/api/v1/info").await.expect(200);
    nobody.get("/health/live").await.expect(200);
    let ready = nobody.get("/health/ready").await.expect(503);
    assert_eq!(ready.body, json!({ "status": "unavailable", "database": "unavailable" }));
    nobody.get("/api/v1/user").await.refused(401, "unauthenticated");

    proxy.mend().await;
    let mut healed = false;
    for _ in 0..50 {
        healed = healed || ann.get("/health/ready").await.status == 200;
        tokio::time::sleep(Duration::from_millis(if healed { 0 } else { 100 })).await;
    }
    assert!(healed, "it does not heal by itself");
    ann.get("/api/v1/posts/1").await.expect(200);
    ann.writes("Another post").await;
}

#[tokio::test]
async fn silent_connections_to_the_database_are_replaced_within_10_seconds() {
    if !Database::on_postgres() {
        return;
    }
    let database = Database::fresh(&ACCORD).await;
    let options = PgConnectOptions::from_str(&database.url()).unwrap();
    let proxy = Proxy::to(format!("{}:{}", options.get_host(), options.get_port())).await;
    let url = options.clone().host("127.0.0.1").port(proxy.address.port()).to_url_lossy().to_string();
    let mailbox = Mailbox::empty();
    let settings = [
        ("ACCORD_DB_TIMEOUT", "1"),
        ("ACCORD_TASK_WORKERS", "1"),
        ("ACCORD_MAIL_URL", mailbox.url()),
        ("ACCORD_LOG", "debug"),
    ];
    let world = World::on(database, &url, &settings).await;
    let ann = world.log_in("ann").await;
    ann.writes("A post").await;
    let calls = |number: usize, target: &'static str| {
        let calls: JoinSet<_> = (0..number).map(|_| ann.get(target).into_future()).collect();
        calls.join_all()
    };
    // every connection of the pool is open, and has nothing to do
    calls(20, "/api/v1/posts/1").await;
    proxy.freeze();
    let since = Instant::now();
    let answers = calls(20, "/api/v1/posts/1").await;
    assert!(since.elapsed() < Duration::from_secs(10), "it took {:?}", since.elapsed());
    assert!(answers.iter().all(|answer| [200, 503].contains(&answer.status)), "{answers:?}");
    ann.get("/api/v1/posts/1").await.expect(200);

    // every connection of the pool waits for the result of a statement
    let mut other = options.connect().await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE posts IN ACCESS EXCLUSIVE MODE").execute(&mut other).await.unwrap();
    let waiting = tokio::spawn(calls(5, "/api/v1/posts/1"));
    let is_waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'relation'";
    while !waiting.is_finished() && sqlx::query_scalar::<_, i64>(is_waiting).fetch_one(&mut other).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    proxy.freeze();
    let since = Instant::now();
    other.close().await.unwrap();
    while ann.get("/api/v1/posts/1").await.status != 200 {
        assert!(since.elapsed() < Duration::from_secs(10), "it does not heal:\n{}", world.server.log());
    }
    // those that had a connection when it froze get 503, the others a new one
    let answers = waiting.await.unwrap();
    assert!(answers.iter().all(|answer| [200, 503].contains(&answer.status)), "{answers:?}");
    assert!(calls(20, "/api/v1/posts/1").await.iter().all(|answer| answer.status == 200));
    ann.get("/health/ready").await.expect(200);
    // writes, and the workers
    ann.writes("Another post").await;
    ann.post("/api/v1/password-reset").json(&json!({ "email": "ann@example.com" })).await.expect(202);
    mailbox.wait("ann@example.com", "Reset your password", 1).await;
}

#[tokio::test]
async fn a_locked_database_costs_writers_503_and_readers_nothing() {
    if Database::on_postgres() {
        return;
    }
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "1")]).await;
    let ann = world.log_in("ann").await;
    ann.writes("A post").await;
    let options = SqliteConnectOptions::from_str(&world.database.url()).unwrap();
    let mut other = options.connect().await.unwrap();
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();

    let post = json!({ "title": "A post", "content": "x" });
    ann.post("/api/v1/posts").json(&post).await.refused(503, "database_unavailable");
    ann.patch("/api/v1/user").json(&json!({ "name": "Anna" })).await.refused(503, "database_unavailable");
    ann.post("/api/v1/vote").json(&json!({ "post_id": 1, "vote_dir": 1 })).await.refused(503, "database_unavailable");
    ann.delete("/api/v1/posts/1").header("If-Match", "*").await.refused(503, "database_unavailable");
    ann.get("/api/v1/posts/1").await.expect(200);
    ann.get("/health/live").await.expect(200);

    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    ann.post("/api/v1/posts").json(&post).await.expect(201);
    assert_eq!(ann.get("/api/v1/user").await.body["name"], "Ann");
}

/// Makes PostgreSQL refuse to store posts, sessions and tables, as it does without space on its disk.
const FULL: &str = "
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
    CREATE FUNCTION full_disk_event() RETURNS event_trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON posts EXECUTE FUNCTION full_disk();
    CREATE TRIGGER full_disk BEFORE INSERT ON sessions EXECUTE FUNCTION full_disk();
    CREATE EVENT TRIGGER full_disk ON ddl_command_start EXECUTE FUNCTION full_disk_event();
";

/// Ends that.
const FREE: &str = "
    DROP EVENT TRIGGER full_disk;
    DROP TRIGGER full_disk ON posts;
    DROP TRIGGER full_disk ON sessions;
";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn full_disk_costs_writers_503_and_readers_nothing() {
    let world = World::start(&ACCORD).await;
    let ann = world.log_in("ann").await;
    ann.writes("A post").await;
    let post = json!({ "title": "A long post", "content": "x".repeat(10_000) });
    let mut written = 1;
    if Database::on_postgres() {
        world.database.execute(FULL).await;
    } else {
        let file = world.database.url().strip_prefix("sqlite:").unwrap().to_owned();
        let size = |suffix: &str| std::fs::metadata(format!("{file}{suffix}")).map_or(0, |file| file.len());
        world.server.limit_file_size(Some(size("").max(size("-wal")))).await;
        // there is room in the files that are there
        while written < 1000 && ann.post("/api/v1/posts").json(&post).await.status == 201 {
            written += 1;
        }
    }
    ann.post("/api/v1/posts").json(&post).await.refused(503, "database_unwritable");
    let credentials = json!({ "email": "ben@example.com", "password": "the password of ben" });
    let login = || world.nobody().post("/api/v1/authenticate").json(&credentials);
    // what readiness writes 5 s after a failure is smaller, so it may fit a few times
    let mut ready = ann.get("/health/ready").await;
    for _ in 0..20 {
        login().await.refused(503, "database_unwritable");
        ready = ann.get("/health/ready").await;
        if ready.status == 503 {
            break;
        }
    }
    assert_eq!(ready.body, json!({ "status": "unavailable", "database": "unwritable" }));
    ann.get("/health/live").await.expect(200);
    ann.get("/api/v1/posts/1").await.expect(200);

    if Database::on_postgres() {
        world.database.execute(FREE).await;
    } else {
        world.server.limit_file_size(None).await;
    }
    // nobody has written yet
    let since = Instant::now();
    while ann.get("/health/ready").await.status != 200 {
        assert!(since.elapsed() < Duration::from_secs(60), "it does not heal:\n{}", world.server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    login().await.expect(200);
    ann.post("/api/v1/posts").json(&post).await.expect(201);
    let posts = ann.get("/api/v1/posts?with_total=true").await.expect(200);
    assert_eq!(posts.body["total"], written + 1);
}

/// Holds a lock that whoever writes posts waits for, until it is dropped; on PostgreSQL also whoever reads them.
struct Lock {
    _postgres: Option<PgConnection>,
    _sqlite: Option<SqliteConnection>,
}

impl Lock {
    async fn take(database: &Database) -> Self {
        if Database::on_postgres() {
            let mut other = PgConnectOptions::from_str(&database.url()).unwrap().connect().await.unwrap();
            sqlx::raw_sql("BEGIN; LOCK TABLE posts IN ACCESS EXCLUSIVE MODE").execute(&mut other).await.unwrap();
            return Self { _postgres: Some(other), _sqlite: None };
        }
        let mut other = SqliteConnectOptions::from_str(&database.url()).unwrap().connect().await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        Self { _postgres: None, _sqlite: Some(other) }
    }
}

#[tokio::test]
async fn requests_that_would_wait_too_long_for_the_database_are_refused_at_once() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_QUEUE", "1"), ("ACCORD_DB_TIMEOUT", "20")]).await;
    let ann = world.log_in("ann").await;
    // so that the server knows how long a write takes
    for _ in 0..5 {
        ann.writes("A post").await;
    }
    let lock = Lock::take(&world.database).await;
    let post = json!({ "title": "A post", "content": "x" });
    let mut calls: JoinSet<_> = (0..60).map(|_| ann.post("/api/v1/posts").json(&post).into_future()).collect();
    // while the others wait for the lock
    for _ in 0..30 {
        let answer = calls.join_next().await.unwrap().unwrap().refused(503, "overloaded");
        assert!(answer.header("Retry-After").is_some_and(|seconds| seconds.parse::<u32>().unwrap() >= 1));
    }
    world.nobody().get("/health/live").await.expect(200);
    if !Database::on_postgres() {
        ann.get("/health/ready").await.expect(200);
        ann.get("/api/v1/posts/1").await.expect(200);
    }
    drop(lock);
    let answers = calls.join_all().await;
    let written = answers.iter().filter(|answer| answer.status == 201).count();
    assert!(written > 0 && answers.iter().all(|answer| [201, 503].contains(&answer.status)), "{answers:?}");
    ann.writes("Another post").await;
}

#[tokio::test]
async fn expensive_requests_leave_connections_for_cheap_ones() {
    // nothing makes a reader of SQLite wait
    if !Database::on_postgres() {
        return;
    }
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "20")]).await;
    let ann = world.log_in("ann").await;
    ann.writes("A post").await;
    let lock = Lock::take(&world.database).await;
    let targets = ["/posts?search=post", "/posts?%73earch=post", "/posts?with_total=true", "/posts/1/statistics"];
    let calls = targets.iter().cycle().take(20).map(|target| ann.get(format!("/api/v1{target}")).into_future());
    let calls: JoinSet<_> = calls.collect();
    others_are_served_while_calls_wait_for_a_lock(&world, &ann).await;
    drop(lock);
    assert!(calls.join_all().await.iter().all(|answer| answer.status < 500));
}

#[tokio::test]
async fn changes_leave_connections_for_readers() {
    // SQLite reads by other connections than it writes
    if !Database::on_postgres() {
        return;
    }
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "20")]).await;
    let ann = world.log_in("ann").await;
    let lock = Lock::take(&world.database).await;
    let post = json!({ "title": "A post", "content": "x" });
    let calls: JoinSet<_> = (0..20).map(|_| ann.post("/api/v1/posts").json(&post).into_future()).collect();
    others_are_served_while_calls_wait_for_a_lock(&world, &ann).await;
    drop(lock);
    let answers = calls.join_all().await;
    assert!(answers.iter().all(|answer| [201, 503].contains(&answer.status)), "{answers:?}");
}

/// Reads what is not locked, as soon as calls wait for the lock of a table.
async fn others_are_served_while_calls_wait_for_a_lock(world: &World, ann: &Person) {
    let mut other = PgConnectOptions::from_str(&world.database.url()).unwrap().connect().await.unwrap();
    let is_waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'relation'";
    let (mut before, mut waiting) = (0, 0);
    // until all that get a connection have one
    while waiting == 0 || waiting > before {
        before = waiting;
        tokio::time::sleep(Duration::from_millis(100)).await;
        waiting = sqlx::query_scalar::<_, i64>(is_waiting).fetch_one(&mut other).await.unwrap();
    }
    let served = async {
        for _ in 0..10 {
            ann.get("/api/v1/user").await.expect(200);
        }
    };
    // much earlier than the database gives up waiting for the lock
    tokio::time::timeout(Duration::from_secs(10), served).await.expect("a connection is free for others");
}

#[tokio::test]
async fn a_server_that_is_asked_to_end_finishes_what_it_has_begun() {
    let mut world = World::start(&ACCORD).await;
    let ann = world.log_in("ann").await;
    let post = json!({ "title": "The last post", "content": "x" }).to_string();
    let (first, second) = post.split_at(10);
    let headers = [
        ("Authorization", ann.authorization.as_deref().unwrap()),
        ("Content-Type", "application/json"),
        ("Content-Length", &post.len().to_string()),
    ];
    let mut wire = Wire::to(&world).await;
    wire.head("POST /api/v1/posts", &headers).await;
    wire.send(first).await;
    // until the server has begun to read
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.server.terminate().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let address = world.server.address.strip_prefix("http://").unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "it still takes connections");
    wire.send(second).await;
    wire.answer().await.expect(201);
    let status = world.server.ended().await;
    assert_eq!(status.code(), Some(0), "{}", world.server.log());
}

#[tokio::test]
async fn a_server_that_is_asked_to_end_does_not_wait_for_silent_clients() {
    let mut world = World::with(&ACCORD, &[("ACCORD_GRACE", "15")]).await;
    let (mut half, _idle) = (Wire::to(&world).await, Wire::to(&world).await);
    half.send("GET /api/v1/info HTTP/1.1\r\nHost:").await;
    let asked = Instant::now();
    world.server.terminate().await;
    let status = world.server.ended().await;
    assert_eq!(status.code(), Some(0), "{}", world.server.log());
    assert!(asked.elapsed() < Duration::from_secs(8), "it took {:?}", asked.elapsed());
}

#[tokio::test]
async fn what_was_acknowledged_survives_the_death_of_the_server() {
    let database = Database::fresh(&ACCORD).await;
    let url = database.url();
    let mut story = Story::default();
    let mut world = World::on(database, &url, &[]).await;
    let ann = world.log_in("ann").await;
    story.tell("Ann writes a post", ann.post("/api/v1/posts").json(&json!({ "title": "Kept", "content": "x" }))).await;
    world.restart().await;
    let ann = world.nobody().named("ann").with_token(ann.token());
    story.tell("after the server was killed and started again it is there", ann.get("/api/v1/posts/1")).await;
    assert_yaml_snapshot!(story);
}

/// Runs `meanwhile` while nobody can write posts.
async fn while_posts_are_locked(database: &Database, meanwhile: impl Future<Output = ()>) {
    let url = database.url();
    if Database::on_postgres() {
        let mut other = PgConnectOptions::from_str(&url).unwrap().connect().await.unwrap();
        sqlx::raw_sql("BEGIN; LOCK TABLE posts IN EXCLUSIVE MODE").execute(&mut other).await.unwrap();
        meanwhile.await;
        other.close().await.unwrap();
    } else {
        let mut other = SqliteConnectOptions::from_str(&url).unwrap().connect().await.unwrap();
        sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
        meanwhile.await;
        other.close().await.unwrap();
    }
}

/// Sends a post and leaves without waiting for the answer.
async fn sends_a_post_and_leaves(world: &World, ann: &Person, request_id: &str) {
    let post = json!({ "title": "Left alone", "content": "x" }).to_string();
    let length = post.len().to_string();
    let headers = [
        ("Authorization", ann.authorization.as_deref().unwrap()),
        ("Content-Type", "application/json"),
        ("Content-Length", &length),
        ("X-Request-Id", request_id),
    ];
    let mut wire = Wire::to(world).await;
    wire.head("POST /api/v1/posts", &headers).await;
    wire.send(post).await;
    // until the request is in work, and until the server has seen that the client left
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(wire);
    tokio::time::sleep(Duration::from_millis(500)).await;
}

#[tokio::test]
async fn a_request_whose_client_leaves_is_logged_and_counted_when_it_ends() {
    let world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30")]).await;
    let ann = world.log_in("ann").await;
    while_posts_are_locked(&world.database, sends_a_post_and_leaves(&world, &ann, "left-alone")).await;
    let of_request = |line: &&str| line.contains("left-alone") && line.contains("\"route\"");
    let mut line = None;
    for _ in 0..200 {
        line = world.server.log().lines().find(of_request).map(str::to_owned);
        if line.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let line = line.expect("the request is in the log");
    for part in ["\"status\":201", "\"client_left\":true", "\"user_id\":1"] {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(ann.get("/api/v1/posts/1").await.expect(200).body["title"], "Left alone");
    let metrics = String::from_utf8(ann.get("/metrics").await.expect(200).bytes).unwrap();
    for counted in [
        r#"accord_http_requests_total{method="POST",operation="create_post",status="201"} 1"#,
        "accord_http_clients_left_total 1",
        "accord_http_requests_in_flight 1",
    ] {
        assert!(metrics.contains(counted), "{counted}: {metrics}");
    }
}

#[tokio::test]
async fn a_server_that_is_asked_to_end_finishes_requests_whose_client_has_left() {
    let mut world = World::with(&ACCORD, &[("ACCORD_DB_TIMEOUT", "30"), ("ACCORD_GRACE", "30")]).await;
    let ann = world.log_in("ann").await;
    let meanwhile = async {
        sends_a_post_and_leaves(&world, &ann, "left-alone").await;
        world.server.terminate().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    while_posts_are_locked(&world.database, meanwhile).await;
    assert_eq!(world.server.ended().await.code(), Some(0), "{}", world.server.log());
    assert!(world.server.log().contains("\"client_left\":true"), "{}", world.server.log());
    let other = world.another_server(&[]).await;
    assert_eq!(ann.at(&other).get("/api/v1/posts/1").await.expect(200).body["title"], "Left alone");
}
