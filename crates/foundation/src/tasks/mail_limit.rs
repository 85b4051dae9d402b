//! The limit of e-mails to one address, whoever causes them: strangers must not use the server to fill a mailbox.
//!
//! Each kind of e-mail has a limit of its own, so using up one kind never holds back a security notice. Of a kind an
//! address gets one per [`PAUSE`] (see [`Repeat`]) and [`PER_DAY`] a day; after those one an hour, so that a stranger who
//! uses the limit up cannot lock the owner of an account out of resetting the password.
//!
//! Must never be: an address in the table; a response that reveals whether an e-mail was sent to an account.

use chrono::{DateTime, TimeDelta, Utc};
use lettre::Address;
use sea_query::{Cond, Expr, ExprTrait, OnConflict, Order, Query};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Fault, Task};
use crate::app::App;
use crate::db::{Conn, DbResult, Unsignalled};
use crate::mail::message::{Message, Repeat};
use crate::tasks::tables::MailLimits;

/// Between two e-mails of a kind to an address.
const PAUSE: TimeDelta = TimeDelta::minutes(5);

/// E-mails of a kind that an address gets in a day before they become rare.
const PER_DAY: i64 = 10;

/// Between two e-mails of a kind to an address that got [`PER_DAY`] within a day.
pub const LONG_PAUSE: TimeDelta = TimeDelta::hours(1);

const DAY: TimeDelta = TimeDelta::days(1);

/// Limits deleted in one transaction: others want to write, too.
const BATCH: u64 = 500;

/// Counts an e-mail of this kind to this address and returns when to send it. Returns `None` if the limit is reached: the
/// e-mail must not be sent.
///
/// A single statement decides, so concurrent callers cannot exceed the limit.
pub async fn admit<M: Message>(tx: &mut Conn, to: &Address, now: DateTime<Utc>) -> DbResult<Option<DateTime<Utc>>> {
    let old = |column: MailLimits| Expr::col((MailLimits::Table, column));
    let day_is_over = || old(MailLimits::CreatedAt).lte(now - DAY);
    let pause_is_over = || old(MailLimits::UpdatedAt).lte(now - PAUSE);
    let mut admitted = Cond::all().add(
        Cond::any()
            .add(day_is_over())
            .add(old(MailLimits::Number).lt(PER_DAY))
            .add(old(MailLimits::UpdatedAt).lte(now - LONG_PAUSE)),
    );
    // when the e-mail is sent: a later time than now is that of one that waits
    let mut sent_at = Expr::val(now);
    match M::REPEAT {
        Repeat::Dropped => admitted = admitted.add(pause_is_over()),
        Repeat::Delayed => {
            admitted = admitted.add(old(MailLimits::UpdatedAt).lte(now));
            sent_at = Expr::case(pause_is_over(), now).finally(now + PAUSE).into();
        }
        Repeat::Sent => {}
    }
    let on_conflict = OnConflict::columns([MailLimits::AddressHash, MailLimits::Kind])
        .value(MailLimits::Number, Expr::case(day_is_over(), 1).finally(old(MailLimits::Number).add(1)))
        .value(MailLimits::CreatedAt, Expr::case(day_is_over(), now).finally(old(MailLimits::CreatedAt)))
        .value(MailLimits::UpdatedAt, sent_at)
        .action_cond_where(admitted)
        .to_owned();
    let columns =
        [MailLimits::AddressHash, MailLimits::Kind, MailLimits::Number, MailLimits::CreatedAt, MailLimits::UpdatedAt];
    let statement = Query::insert()
        .into_table(MailLimits::Table)
        .columns(columns)
        .values_panic([hash(to).into(), M::NAME.into(), 1.into(), now.into(), now.into()])
        .on_conflict(on_conflict)
        .returning(Query::returning().column(MailLimits::UpdatedAt))
        .take();
    Ok(tx.write_maybe::<(DateTime<Utc>,)>(MailLimits::FREE, &statement).await?.map(|(sent_at,)| sent_at))
}

/// The hash of a mailbox: `ann+shop@example.com` is delivered to `ann@example.com` (subaddressing, RFC 5233), so both are
/// one.
fn hash(address: &Address) -> String {
    let user = address.user().split_once('+').map_or(address.user(), |(user, _)| user);
    let mailbox = format!("{user}@{}", address.domain()).to_lowercase();
    Sha256::digest(mailbox.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Deletes the limits of addresses that got no e-mail for a day.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeMailLimits {}

impl Task for PurgeMailLimits {
    const NAME: &'static str = "purge-mail-limits";

    async fn run(self, app: &App) -> Result<(), Fault> {
        let (mut purged, before) = (0, app.now() - DAY);
        loop {
            // on SQLite others write while this looks
            let last = last_of_batch(&mut app.db.read().await?, before).await?;
            let mut tx = app.db.begin().await?;
            purged += delete(&mut tx, last.unwrap_or(before)).await?;
            tx.commit().await?;
            if last.is_none() {
                tracing::info!(limits = purged, "purged");
                return Ok(());
            }
        }
    }
}

/// The time of the last limit of a full batch of those to delete. Returns `None` if fewer than a batch are left.
async fn last_of_batch(conn: &mut Conn, before: DateTime<Utc>) -> DbResult<Option<DateTime<Utc>>> {
    let statement = Query::select()
        .column(MailLimits::UpdatedAt)
        .from(MailLimits::Table)
        .and_where(Expr::col(MailLimits::UpdatedAt).lte(before))
        .order_by(MailLimits::UpdatedAt, Order::Asc)
        .limit(1)
        .offset(BATCH - 1)
        .take();
    Ok(conn.maybe::<(DateTime<Utc>,)>(&statement).await?.map(|(last,)| last))
}

async fn delete(tx: &mut Conn, until: DateTime<Utc>) -> DbResult<u64> {
    let statement =
        Query::delete().from_table(MailLimits::Table).and_where(Expr::col(MailLimits::UpdatedAt).lte(until)).take();
    tx.write(MailLimits::FREE, &statement).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::db::connect::Settings;
    use crate::db::migrate::{self, Direction, Target};
    use crate::db::signals::Hooks;
    use crate::resources::guests::emails::Invitation;
    use crate::resources::recovery::emails::PasswordReset;
    use crate::resources::users::emails::PasswordChanged;

    const NO: Option<i64> = None;

    struct Bench {
        _folder: tempfile::TempDir,
        db: Db,
    }

    impl Bench {
        async fn new() -> Self {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let url = format!("sqlite:{}", folder.path().join("t.db").display());
            migrate::run_built_in(&url, Direction::Up, Target::Head).await.expect("migrates");
            let timeout = std::time::Duration::from_secs(5);
            let settings = Settings { url, timeout, connections: 1, queue: timeout };
            Self { _folder: folder, db: Db::connect(&settings, Hooks::default()).await.expect("connects") }
        }

        /// At this second; returns the second at which the e-mail is sent.
        async fn at<M: Message>(&self, second: i64, to: &str) -> Option<i64> {
            let begin = DateTime::from_timestamp(1_790_000_000, 0).expect("in range");
            let mut tx = self.db.begin().await.expect("a transaction");
            let to = to.parse().expect("an address");
            let sent_at = admit::<M>(&mut tx, &to, begin + TimeDelta::seconds(second)).await.expect("decides");
            tx.commit().await.expect("commits");
            sent_at.map(|at| (at - begin).num_seconds())
        }
    }

    #[tokio::test]
    async fn codes_within_the_pause_are_dropped() {
        let bench = Bench::new().await;
        assert_eq!(bench.at::<PasswordReset>(0, "ann@example.com").await, Some(0));
        assert_eq!(bench.at::<PasswordReset>(299, "ann@example.com").await, NO);
        assert_eq!(bench.at::<PasswordReset>(299, "ANN+shop@Example.com").await, NO);
        assert_eq!(bench.at::<PasswordReset>(299, "ben@example.com").await, Some(299));
        assert_eq!(bench.at::<PasswordReset>(300, "ann@example.com").await, Some(300));
    }

    #[tokio::test]
    async fn notices_within_the_pause_are_sent_once_at_its_end() {
        let bench = Bench::new().await;
        for (second, sent_at) in [(0, Some(0)), (10, Some(310)), (20, NO), (310, Some(610)), (910, Some(910))] {
            assert_eq!(bench.at::<PasswordChanged>(second, "ann@example.com").await, sent_at, "{second}");
        }
    }

    #[tokio::test]
    async fn invitations_are_limited_by_the_day_and_then_by_the_hour() {
        let bench = Bench::new().await;
        for second in 0..10 {
            assert_eq!(bench.at::<Invitation>(second, "ann@example.com").await, Some(second));
        }
        assert_eq!(bench.at::<PasswordReset>(10, "ann@example.com").await, Some(10), "another kind");
        for (second, sent_at) in [(10, NO), (3608, NO), (3609, Some(3609)), (3610, NO), (86_400, Some(86_400))] {
            assert_eq!(bench.at::<Invitation>(second, "ann@example.com").await, sent_at, "{second}");
        }
        assert_eq!(bench.at::<Invitation>(86_401, "ann@example.com").await, Some(86_401), "another day");
    }
}
