//! How often a post is viewed and shared, and that counting costs a reader nothing.

use std::str::FromStr;
use std::time::Duration;

use contract_tests::{ACCORD, Author, Database, Person, Server, Story, World};
use insta::assert_yaml_snapshot;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, SqliteConnection};

/// Views are written only when they are read, and at the stop.
const NEVER: (&str, &str) = ("ACCORD_VIEW_INTERVAL", "0");

async fn read(by: &Person, post_id: i64, times: usize) {
    for _ in 0..times {
        by.get(format!("/api/v1/posts/{post_id}")).await.expect(200);
    }
}

/// How often the task that writes views has ended so, says the log.
fn runs(server: &Server, how: &str) -> usize {
    let log = server.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["task"] == "flush-statistics" && line["message"] == how).count()
}

async fn views(by: &Person, post_id: i64) -> i64 {
    let statistics = by.get(format!("/api/v1/posts/{post_id}/statistics")).await.expect(200);
    statistics.body["view_number"].as_i64().unwrap()
}

#[tokio::test]
async fn what_others_read_and_share_is_counted() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let (ann, ben, root) = (world.log_in("ann").await, world.log_in("ben").await, world.log_in("root").await);
    let post = ann.writes("A post").await;
    let path = format!("/api/v1/posts/{}", post.id());
    let (statistics, share) = (format!("{path}/statistics"), format!("{path}/share"));
    story.tell("nobody has seen it", ann.get(&statistics)).await;
    story.tell("Ben reads it", ben.get(&path)).await;
    story.tell("it has not changed since", ben.get(&path).header("If-None-Match", post.etag())).await;
    story.tell("he asks for its head", ben.call("HEAD", &path)).await;
    ben.get("/api/v1/posts").await.expect(200);
    ann.get(&path).await.expect(200);
    story.tell("only the first was a view, and the list and Ann's reading are none", ann.get(&statistics)).await;
    read(&ben, post.id(), 1).await;
    read(&root, post.id(), 1).await;
    story.tell("Ben shares it", ben.post(&share)).await;
    ben.post(&share).await.expect(204);
    ann.post(&share).await.expect(204);
    ben.post("/api/v1/vote").json(&json!({ "post_id": post.id(), "vote_dir": 1 })).await.expect(201);
    story.tell("each further reading and sharing counts", root.get(&statistics)).await;
    story.tell("the numbers are not for Ben", ben.get(&statistics)).await;
    let read = ann.get(&path).await;
    assert_eq!(read.body["updated_at"], post.body["updated_at"], "a share changes nothing of the post");
    story.tell("there is no such post", ann.get("/api/v1/posts/99/statistics")).await;
    story.tell("to share neither", ann.post("/api/v1/posts/99/share")).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn the_statistics_of_a_draft_do_not_exist_for_others() {
    let world = World::with_fixtures(&ACCORD, &["posts"]).await;
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    let drafts = ann.get("/api/v1/posts?published=false").await.expect(200);
    let post_id = drafts.body["items"][0]["id"].as_i64().unwrap();
    for call in [
        ben.get(format!("/api/v1/posts/{post_id}/statistics")),
        ben.post(format!("/api/v1/posts/{post_id}/share")),
        ben.get(format!("/api/v1/posts/{post_id}")),
    ] {
        call.await.refused(404, "not_found");
    }
    let statistics = ann.get(format!("/api/v1/posts/{post_id}/statistics")).await.expect(200);
    assert_eq!(statistics.body, json!({ "view_number": 0, "shared_number": 0, "votes": 0 }));
}

#[tokio::test]
async fn statistics_are_for_whom_they_are_granted() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let (ann, ben, root) = (world.log_in("ann").await, world.log_in("ben").await, world.log_in("root").await);
    let (first, second) = (ann.writes("First").await.id(), ann.writes("Second").await.id());
    let ben_id = ben.get("/api/v1/user").await.expect(200).id();
    let statistics = |post_id| format!("/api/v1/posts/{post_id}/statistics");
    story.tell("Ben may not see them", ben.get(statistics(first))).await;

    let grant = json!({ "user_id": ben_id, "permission": "can_view_stats", "object_id": first });
    let grant = root.post("/api/v1/grants").json(&grant).await.expect(201).id();
    story.tell("now those of the first post", ben.get(statistics(first))).await;
    story.tell("not those of the second", ben.get(statistics(second))).await;
    root.delete(format!("/api/v1/grants/{grant}")).await.expect(204);
    story.tell("taken back", ben.get(statistics(first))).await;

    let group = root.post("/api/v1/groups").json(&json!({ "name": "Analysts" })).await.expect(201).id();
    let wide = json!({ "group_id": group, "permission": "can_view_stats" });
    root.post("/api/v1/grants").json(&wide).await.expect(201);
    let member = format!("/api/v1/groups/{group}/members/{ben_id}");
    root.put(&member).await.expect(204);
    story.tell("as a member of a group, those of every post", ben.get(statistics(second))).await;
    let draft = json!({ "title": "A draft", "content": "Not yet.", "published": false });
    let draft = ann.post("/api/v1/posts").json(&draft).await.expect(201).id();
    story.tell("but of a draft he may know nothing", ben.get(statistics(draft))).await;
    root.delete(&member).await.expect(204);
    story.tell("he has left the group", ben.get(statistics(second))).await;

    let other = json!({ "user_id": ben_id, "permission": "can_edit_post" });
    root.post("/api/v1/grants").json(&other).await.expect(201);
    story.tell("another permission is another", ben.get(statistics(first))).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn a_stop_writes_what_was_counted() {
    let mut world = World::with(&ACCORD, &[NEVER]).await;
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    let post_id = ann.writes("A post").await.id();
    read(&ben, post_id, 5).await;
    world.server.terminate().await;
    assert!(world.server.ended().await.success());
    let after = world.another_server(&[]).await;
    assert_eq!(views(&ann.at(&after), post_id).await, 5);
}

#[tokio::test]
async fn a_crash_loses_one_interval_at_most() {
    let mut world = World::with(&ACCORD, &[("ACCORD_VIEW_INTERVAL", "1")]).await;
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    let post_id = ann.writes("A post").await.id();
    let other = world.another_server(&[NEVER]).await;
    read(&ben, post_id, 3).await;
    // the other server shows what the first has written by itself
    let written = async {
        while views(&ann.at(&other), post_id).await < 3 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), written).await.expect("views are written every second");
    read(&ben, post_id, 2).await;
    world.server.kill().await;
    let kept = views(&ann.at(&other), post_id).await;
    assert!((3..=5).contains(&kept), "{kept}");
    assert!(runs(&world.server, "task done") >= 1, "by a task, also where those of all do not run");
    assert_eq!(runs(&other, "task done"), 0, "who has counted nothing writes nothing");
}

#[tokio::test]
async fn two_servers_add_up() {
    let world = World::with(&ACCORD, &[NEVER]).await;
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    let post_id = ann.writes("A post").await.id();
    let other = world.another_server(&[NEVER]).await;
    read(&ben, post_id, 2).await;
    read(&ben.at(&other), post_id, 3).await;
    assert_eq!(views(&ann, post_id).await, 2, "each writes what it has counted");
    assert_eq!(views(&ann.at(&other), post_id).await, 5);
    read(&ben, post_id, 1).await;
    let rounds = (0..10).map(|round| {
        let (ann, ben) = if round % 2 == 0 { (ann.clone(), ben.clone()) } else { (ann.at(&other), ben.at(&other)) };
        tokio::spawn(async move {
            read(&ben, post_id, 4).await;
            ben.post(format!("/api/v1/posts/{post_id}/share")).await.expect(204);
            views(&ann, post_id).await
        })
    });
    for round in rounds.collect::<Vec<_>>() {
        round.await.unwrap();
    }
    views(&ann.at(&other), post_id).await;
    let statistics = ann.get(format!("/api/v1/posts/{post_id}/statistics")).await;
    assert_eq!(statistics.body, json!({ "view_number": 46, "shared_number": 10, "votes": 0 }));
}

#[tokio::test]
async fn views_of_a_post_that_is_deleted_are_dropped() {
    let world = World::with(&ACCORD, &[NEVER]).await;
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    let (kept, deleted) = (ann.writes("Kept").await.id(), ann.writes("Deleted").await.id());
    views(&ann, deleted).await;
    read(&ben, kept, 2).await;
    read(&ben, deleted, 2).await;
    ben.post(format!("/api/v1/posts/{deleted}/share")).await.expect(204);
    ann.delete(format!("/api/v1/posts/{deleted}")).header("If-Match", "*").await.expect(204);
    assert_eq!(views(&ann, kept).await, 2);
    ann.get(format!("/api/v1/posts/{deleted}/statistics")).await.refused(404, "not_found");
    assert_eq!(runs(&world.server, "task failed"), 0, "{}", world.server.log());
}

/// Keeps the server from writing statistics until it is let go.
enum Lock {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Lock {
    async fn take(url: &str) -> Self {
        if Database::on_postgres() {
            let mut other = PgConnectOptions::from_str(url).unwrap().connect().await.unwrap();
            let lock = "BEGIN; LOCK TABLE post_statistics IN ACCESS EXCLUSIVE MODE";
            sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
            return Self::Postgres(other);
        }
        let mut other = SqliteConnectOptions::from_str(url).unwrap().connect().await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        Self::Sqlite(other)
    }

    async fn let_go(self) {
        match self {
            Self::Sqlite(other) => other.close().await.unwrap(),
            Self::Postgres(other) => other.close().await.unwrap(),
        }
    }
}

#[tokio::test]
async fn a_reader_never_waits_for_the_counting() {
    let world = World::with(&ACCORD, &[("ACCORD_VIEW_INTERVAL", "1"), ("ACCORD_DB_TIMEOUT", "1")]).await;
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    let post_id = ann.writes("A post").await.id();
    let lock = Lock::take(&world.database.url()).await;
    read(&ben, post_id, 20).await;
    let failed = async {
        while runs(&world.server, "task failed") == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), failed).await.expect("the failure is in the log");
    read(&ben, post_id, 5).await;
    ann.get(format!("/api/v1/posts/{post_id}/statistics")).await.refused(503, "database_unavailable");
    lock.let_go().await;
    assert_eq!(views(&ann, post_id).await, 25, "what could not be written was kept");
}

#[tokio::test]
async fn a_view_costs_no_statement() {
    let world = World::with(&ACCORD, &[NEVER, ("ACCORD_LOG", "warn,sqlx::query=debug")]).await;
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    let post_id = ann.writes("A post").await.id();
    // a busy pool may open one more connection, and set it up
    let is_ours = |line: &&str| line.contains("\"target\":\"sqlx::query\"") && !line.contains("PRAGMA");
    let statements = async || {
        // the server writes its log beside its answers: what it has written is all when nothing more comes
        let mut seen = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = world.server.log().lines().filter(is_ours).count();
            if now == seen {
                return now;
            }
            seen = now;
        }
    };
    let before = statements().await;
    for person in [&ann, &ben, &ann, &ben] {
        read(person, post_id, 10).await;
    }
    // who calls, and the post
    assert_eq!(statements().await - before, 4 * 10 * 2);
    assert_eq!(views(&ann, post_id).await, 20);
}
