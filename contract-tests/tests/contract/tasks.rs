//! What is done outside of requests: once, by one of several servers, and again when one has died.

use std::collections::BTreeMap;
use std::time::Duration;

use contract_tests::{ACCORD, Server, World, command_line};
use serde_json::Value;

const BY_ITSELF: (&str, &str) = ("ACCORD_TASK_WORKERS", "4");
const NOT_PURGING: (&str, &str) = ("ACCORD_PURGE_INTERVAL", "0");
const SHORT_LEASE: (&str, &str) = ("ACCORD_TASK_LEASE", "1");

/// Puts so many tasks into the database, all due.
async fn ask_for(world: &World, tasks: usize) {
    let row = "('purge-sessions', '{}', 'queued', '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00', \
               '2026-01-01T00:00:00+00:00')";
    let columns = "name, payload, state, run_at, created_at, updated_at";
    let rows = vec![row; tasks].join(", ");
    world.database.execute(&format!("INSERT INTO tasks ({columns}) VALUES {rows}")).await;
}

/// How often the log of a server says of each task that it was done.
fn done(server: &Server, counts: &mut BTreeMap<i64, usize>) -> usize {
    let log = server.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ids: Vec<i64> =
        lines.filter(|line| line["message"] == "task done").filter_map(|line| line["id"].as_i64()).collect();
    ids.iter().for_each(|id| *counts.entry(*id).or_default() += 1);
    ids.len()
}

async fn until_none_is_left(world: &World) {
    let wait = async {
        while world.database.count("tasks").await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("all tasks are done");
}

#[tokio::test]
async fn two_servers_do_each_task_once() {
    let settings = [BY_ITSELF, NOT_PURGING];
    let world = World::with(&ACCORD, &settings).await;
    let other = world.another_server(&settings).await;
    ask_for(&world, 1000).await;
    until_none_is_left(&world).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut counts = BTreeMap::new();
    let shares = [done(&world.server, &mut counts), done(&other, &mut counts)];
    assert_eq!(counts.len(), 1000);
    assert!(counts.values().all(|count| *count == 1), "{shares:?}");
}

#[tokio::test]
async fn what_a_killed_server_had_taken_is_done_by_another() {
    let settings = [BY_ITSELF, NOT_PURGING, SHORT_LEASE];
    let mut world = World::with(&ACCORD, &settings).await;
    ask_for(&world, 300).await;
    let mut counts = BTreeMap::new();
    while done(&world.server, &mut BTreeMap::new()) < 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.server.kill().await;
    done(&world.server, &mut counts);
    world.server = world.another_server(&settings).await;
    until_none_is_left(&world).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    done(&world.server, &mut counts);
    assert_eq!(counts.len(), 300, "none is lost");
    // those that had ended when the database was not told yet
    let twice = counts.values().filter(|count| **count > 1).count();
    assert!(twice <= 4, "{twice} ran twice: more than can be in work");
}

#[tokio::test]
async fn expired_sessions_are_purged() {
    let short = [BY_ITSELF, ("ACCORD_PURGE_INTERVAL", "1"), ("ACCORD_REFRESH_TTL", "1"), ("ACCORD_TOKEN_TTL", "1")];
    let world = World::with(&ACCORD, &short).await;
    world.log_in("ann").await;
    assert!(world.database.count("refresh_tokens").await > 0);
    let wait = async {
        while world.database.count("sessions").await > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the task runs by itself, again and again");
    assert_eq!(world.database.count("refresh_tokens").await, 0);
    assert_eq!(world.database.count("tasks WHERE name = 'purge-sessions'").await, 1, "it is one row");
}

#[tokio::test]
async fn what_an_operator_asks_for_runs_once_though_another_runs_by_itself() {
    let world = World::with(&ACCORD, &[BY_ITSELF]).await;
    let url = world.database.url();
    assert_eq!(command_line(&ACCORD, &["task", "run", "purge-sessions"], &url, "").await.code, 0);
    let wait = async {
        while world.database.count("tasks WHERE name = 'purge-sessions'").await > 1 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it ends");
    let mut counts = BTreeMap::new();
    while done(&world.server, &mut counts) < 2 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(
        world.database.count("tasks WHERE key = 'purge-sessions'").await,
        1,
        "the one that runs by itself stays"
    );
}

#[tokio::test]
async fn sessions_that_can_be_refreshed_are_kept() {
    let world = World::with(&ACCORD, &[BY_ITSELF, ("ACCORD_PURGE_INTERVAL", "1")]).await;
    let ann = world.log_in("ann").await;
    let mut counts = BTreeMap::new();
    while done(&world.server, &mut counts) < 2 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ann.get("/api/v1/user").await.expect(200);
    assert!(world.database.count("sessions").await > 0);
}

#[tokio::test]
async fn an_operator_looks_after_tasks() {
    let world = World::start(&ACCORD).await;
    let url = world.database.url();
    let types = async |line: &str| command_line(&ACCORD, &line.split(' ').collect::<Vec<_>>(), &url, "").await;
    let says = async |line: &str| {
        let ended = types(line).await;
        assert_eq!(ended.code, 0, "{line}: {}", ended.stderr);
        ended.stdout
    };
    assert_eq!(
        says("task run").await,
        "send-mail\nsend-code\npublish-event\ndeliver-webhook\npurge-mail-limits\npurge-sessions\npurge-codes\npurge-idempotency-keys\npurge-invitations\npurge-audit-events\npurge-deliveries\nseal-webhook-secrets\n"
    );
    assert_eq!(says("task list --json").await, "[]\n");
    assert!(says("task run purge-sessions --in 1d").await.starts_with("task 1: purge-sessions, at "));
    says("task run purge-sessions").await;
    let listed: Value = serde_json::from_str(&says("task list --json").await).unwrap();
    let states: Vec<_> = listed.as_array().unwrap().iter().map(|task| (&task["id"], &task["state"])).collect();
    assert_eq!(states, [(&2.into(), &"queued".into()), (&1.into(), &"queued".into())]);
    assert_eq!(says("task list --failed --json").await, "[]\n");
    assert_eq!(says("task cancel 2").await, "task 2 is cancelled\n");
    assert_eq!(says("task retry 1").await, "task 1 is tried again\n");
    for (line, code, words) in [
        (
            "task run nonsense",
            2,
            "there is no task `nonsense`, only send-mail, send-code, publish-event, deliver-webhook, purge-mail-limits, purge-sessions, purge-codes, purge-idempotency-keys, purge-invitations, purge-audit-events, purge-deliveries, seal-webhook-secrets",
        ),
        ("task run purge-sessions --payload {\"x\":1}", 2, "--payload is not what purge-sessions takes"),
        ("task run purge-sessions --in 3", 2, "`3` is no time"),
        ("task retry 9", 1, "no task 9 waits or has failed"),
        ("task cancel 9", 1, "there is no task 9"),
    ] {
        let ended = types(line).await;
        assert_eq!(ended.code, code, "{line}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{line}: {}", ended.stderr);
    }
    // what is due runs as soon as somebody works
    let _worker = world.another_server(&[BY_ITSELF, NOT_PURGING]).await;
    until_none_is_left(&world).await;
}
