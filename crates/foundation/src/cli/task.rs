//! `task`: what waits to be done outside of requests, or has failed.

use std::str::FromStr;
use std::time::Duration;

use chrono::TimeDelta;
use clap::Subcommand;
use serde_json::Value;

use super::table::{json as as_json, table};
use super::{Failure, open, print};
use crate::config::Config;
use crate::db::keyset::whole;
use crate::declared;
use crate::tasks::Kind;
use crate::tasks::kinds;
use crate::tasks::store::{self, Seen};

/// One subcommand.
#[derive(Subcommand)]
pub enum Step {
    /// List what waits, runs or has failed, the newest first
    List {
        /// Only what has failed too often to be tried again
        #[arg(long)]
        failed: bool,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Ask for a task; a worker runs it
    Run {
        /// Which one; without it, all are named
        name: Option<String>,
        /// Its fields, as a JSON object
        #[arg(long, default_value = "{}", value_parser = parsed)]
        payload: Value,
        /// How long to wait before: 30s, 10m, 2h, 1d
        #[arg(long = "in", value_name = "TIME")]
        later: Option<Later>,
    },
    /// Run what has failed, or waits, now, with all tries before it again
    Retry {
        /// Its number
        id: i64,
    },
    /// Take a task out; one that runs is stopped within seconds
    Cancel {
        /// Its number
        id: i64,
    },
}

/// A time from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Later(Duration);

impl FromStr for Later {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
        let found = units.iter().find_map(|(unit, seconds)| {
            let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
            Some(Self(Duration::from_secs(u64::from(number) * seconds)))
        });
        found.ok_or_else(|| format!("`{text}` is no time: write it as 30s, 10m, 2h or 1d"))
    }
}

fn parsed(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text)
}

/// Runs it.
pub async fn run(config: &Config, step: Step) -> Result<(), Failure> {
    match step {
        Step::List { failed, json } => {
            let mut conn = open(config).await?.read().await?;
            let page = async |before, limit| store::list(&mut conn, failed, before, limit).await;
            let tasks = whole(page, |task: &Seen| task.id).await?;
            print(&if json { as_json(&tasks) } else { as_table(tasks) })
        }
        Step::Run { name: None, .. } => {
            print(&kinds().iter().map(|kind| format!("{}\n", kind.name)).collect::<String>())
        }
        Step::Run { name: Some(name), payload, later } => {
            let kind = known(&name)?;
            kind.check(&payload)
                .map_err(|error| Failure::Usage(format!("--payload is not what {name} takes: {error}")))?;
            let now = crate::app::now();
            let run_at = now + TimeDelta::from_std(later.map_or(Duration::ZERO, |later| later.0)).unwrap_or_default();
            let mut tx = open(config).await?.begin().await?;
            let id = store::insert(&mut tx, &name, kind.pool, &payload, run_at, now).await?;
            tx.commit().await?;
            print(&format!("task {id}: {name}, at {}\n", run_at.format("%FT%TZ")))
        }
        Step::Retry { id } => {
            let mut tx = open(config).await?.begin().await?;
            if !store::retry(&mut tx, id, crate::app::now()).await? {
                return Err(Failure::Other(format!(
                    "no task {id} waits or has failed: see {} task list",
                    declared::name()
                )));
            }
            tx.commit().await?;
            print(&format!("task {id} is tried again\n"))
        }
        Step::Cancel { id } => {
            let mut tx = open(config).await?.begin().await?;
            if !store::cancel(&mut tx, id).await? {
                return Err(Failure::Other(format!("there is no task {id}: see {} task list", declared::name())));
            }
            tx.commit().await?;
            print(&format!("task {id} is cancelled\n"))
        }
    }
}

fn known(name: &str) -> Result<&'static Kind, Failure> {
    let names = || kinds().iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
    let found = kinds().iter().find(|kind| kind.name == name);
    found.ok_or_else(|| Failure::Usage(format!("there is no task `{name}`, only {}", names())))
}

fn as_table(tasks: Vec<Seen>) -> String {
    let row = |task: Seen| {
        [
            task.id.to_string(),
            task.name,
            task.state,
            task.run_at.format("%FT%TZ").to_string(),
            task.attempts.to_string(),
            task.error.unwrap_or_default(),
        ]
    };
    table(["id", "task", "state", "due", "tries", "error"], tasks.into_iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!("10m".parse(), Ok(Later(Duration::from_secs(600))));
        assert_eq!("1d".parse(), Ok(Later(Duration::from_secs(86_400))));
        for text in ["10", "", "m", "-1s", "1w", "99999999999s"] {
            assert!(text.parse::<Later>().is_err(), "{text}");
        }
    }
}
