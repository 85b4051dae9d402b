//! The one list of hooks: what is called when rows change, in this order.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use sea_query::Iden;

use crate::config::{Config, ConfigError};
use crate::db::permit::Table;
use crate::db::signals::{Context, Hook, Hooks, Refused, Signalled};
use crate::resources::audit::Audit;
use crate::resources::grants::EndGrants;
use crate::resources::grants::model::Grant;
use crate::resources::groups::EndMemberships;
use crate::resources::groups::model::StoredGroup as Group;
use crate::resources::groups::store::Membership;
use crate::resources::guests::EndInvitations;
use crate::resources::guests::model::StoredInvitation as Invitation;
use crate::resources::permissions::model::StoredPermission as Permission;
use crate::resources::posts::RecordChangesByOthers;
use crate::resources::posts::model::StoredPost as Post;
use crate::resources::recovery::{EndCodes, Verify};
use crate::resources::users::identities::RecordIdentities;
use crate::resources::users::model::StoredUser as User;
use crate::resources::users::notices::Notices;
use crate::resources::votes::store::StoredVote as Vote;
use crate::resources::webhooks::hook::Announce;
use crate::resources::webhooks::model::StoredWebhook as Webhook;

/// What is called for each kind of row, in the order in which it is called.
///
/// # Errors
/// The settings freeze a table that has no signals.
pub fn hooks(config: &Config) -> Result<Hooks, ConfigError> {
    let freeze = Freeze { tables: Arc::new(config.frozen().map(str::to_owned).collect()) };
    let mut hooks = Hooks::default()
        .on::<User, _>(freeze.clone())
        .on::<User, _>(EndMemberships)
        .on::<User, _>(EndGrants)
        .on::<User, _>(EndInvitations)
        .on::<User, _>(EndCodes)
        .on::<User, _>(RecordIdentities)
        .on::<User, _>(Audit)
        .on::<User, _>(Announce)
        .on::<Group, _>(freeze.clone())
        .on::<Group, _>(EndGrants)
        .on::<Group, _>(Audit)
        .on::<Group, _>(Announce)
        .on::<Membership, _>(freeze.clone())
        .on::<Membership, _>(Audit)
        .on::<Membership, _>(Announce)
        .on::<Permission, _>(freeze.clone())
        .on::<Permission, _>(EndGrants)
        .on::<Permission, _>(Audit)
        .on::<Permission, _>(Announce)
        .on::<Grant, _>(freeze.clone())
        .on::<Grant, _>(Audit)
        .on::<Grant, _>(Announce)
        .on::<Post, _>(freeze.clone())
        .on::<Post, _>(EndGrants)
        .on::<Post, _>(RecordChangesByOthers)
        .on::<Post, _>(Announce)
        .on::<Vote, _>(freeze.clone())
        .on::<Vote, _>(Announce)
        .on::<Invitation, _>(freeze.clone())
        .on::<Invitation, _>(Audit)
        .on::<Webhook, _>(freeze.clone())
        .on::<Webhook, _>(Audit);
    if !config.mail_url().is_empty() {
        hooks = hooks.on::<User, _>(Notices).on::<User, _>(Verify);
    }
    let tables = hooks.tables();
    match freeze.tables.iter().find(|table| !tables.contains(&table.as_str())) {
        Some(table) => {
            let tables = tables.join(", ");
            Err(ConfigError(format!("ACCORD_FROZEN: `{table}` cannot be frozen; use some of {tables}")))
        }
        None => Ok(hooks),
    }
}

/// Vetoes every change of the tables in `ACCORD_FROZEN`, and every change of another that would change them, too: while
/// data is moved, or an incident is looked at, reading goes on.
#[derive(Clone)]
struct Freeze {
    tables: Arc<BTreeSet<String>>,
}

impl Freeze {
    fn refuses<R: Signalled>(&self, change: Change) -> Result<(), Refused> {
        let own = R::Table::TABLE;
        let tables = [own.unquoted()].into_iter().chain(change.also_of(own.unquoted()).iter().copied());
        match tables.into_iter().find(|table| self.tables.contains(*table)) {
            Some(table) => Err(Refused::Veto(format!("The server does not change {table} for now; try again later."))),
            None => Ok(()),
        }
    }
}

/// What is done to a row.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    Written,
    Deleted,
}

impl Change {
    /// The tables that change with a row of this one, and have no signals for it: by a count, or by the schema.
    fn also_of(self, table: &str) -> &'static [&'static str] {
        match (table, self) {
            ("users", Self::Deleted) => &["invited_guests", "posts", "votes", "webhooks"],
            ("groups", Self::Deleted) => &["memberships"],
            ("posts", Self::Deleted) => &["votes"],
            ("votes", _) => &["posts"],
            _ => &[],
        }
    }
}

#[async_trait]
impl<R: Signalled> Hook<R> for Freeze {
    async fn before_insert(&self, _: &mut Context<'_>, _: &mut R::Values) -> Result<(), Refused> {
        self.refuses::<R>(Change::Written)
    }

    async fn before_update(&self, _: &mut Context<'_>, _: &R, _: &mut R::Values) -> Result<(), Refused> {
        self.refuses::<R>(Change::Written)
    }

    async fn before_delete(&self, _: &mut Context<'_>, _: &R) -> Result<(), Refused> {
        self.refuses::<R>(Change::Deleted)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tempfile::TempDir;

    use super::*;
    use crate::db::connect::Settings;
    use crate::db::migrate::{self, Direction, Target};
    use crate::db::signals::{self, Actor, Committed};
    use crate::db::{Conn, Db, DbError};
    use crate::error::{Code, Error};
    use crate::resources::groups::store::{self as groups, GroupValues};

    /// Writes down, under its name, what it is called for; does to a group what its name says.
    struct Scribe<const N: char> {
        calls: Calls,
    }

    type Calls = Arc<Mutex<Vec<String>>>;

    impl<const N: char> Scribe<N> {
        fn saw(&self, signal: &str, name: &str) {
            self.calls.lock().expect("no test panics with it").push(format!("{N} {signal} {name}"));
        }

        fn touch(&self, signal: &str, values: &mut GroupValues) -> Result<(), Refused> {
            self.saw(signal, &values.name);
            if values.name == "veto" {
                return Err(Refused::Veto("not this one".into()));
            }
            values.name.push(N);
            Ok(())
        }
    }

    #[async_trait]
    impl<const N: char> Hook<Group> for Scribe<N> {
        async fn before_insert(&self, _: &mut Context<'_>, values: &mut GroupValues) -> Result<(), Refused> {
            self.touch("before_insert", values)
        }

        async fn after_insert(&self, context: &mut Context<'_>, row: &Group) -> Result<(), Refused> {
            let seen = groups::find(context.tx, row.group.id).await?.expect("it is there, in the transaction");
            self.saw("after_insert", &seen.group.name);
            Ok(())
        }

        async fn before_update(&self, _: &mut Context<'_>, _: &Group, values: &mut GroupValues) -> Result<(), Refused> {
            self.touch("before_update", values)
        }

        async fn after_update(&self, _: &mut Context<'_>, old: &Group, new: &Group) -> Result<(), Refused> {
            self.saw("after_update", &format!("{} to {}", old.group.name, new.group.name));
            Ok(())
        }

        async fn before_delete(&self, _: &mut Context<'_>, row: &Group) -> Result<(), Refused> {
            self.saw("before_delete", &row.group.name);
            Ok(())
        }

        async fn after_delete(&self, context: &mut Context<'_>, row: &Group) -> Result<(), Refused> {
            self.saw("after_delete", &row.group.name);
            assert!(groups::find(context.tx, row.group.id).await?.is_none(), "it is gone, in the transaction");
            match row.group.name.as_str() {
                "staysAB" => Err(Refused::Veto("it stays".into())),
                _ => Ok(()),
            }
        }

        fn after_commit(&self, change: &Committed<Group>) {
            match change {
                Committed::Inserted(row) => self.saw("after_commit of insert", &row.group.name),
                Committed::Updated(_, new) => self.saw("after_commit of update", &new.group.name),
                Committed::Deleted(row) => self.saw("after_commit of delete", &row.group.name),
            }
        }
    }

    struct Bench {
        _folder: TempDir,
        db: Db,
        calls: Calls,
    }

    impl Bench {
        async fn new() -> Self {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let url = format!("sqlite:{}", folder.path().join("t.db").display());
            migrate::run_built_in(&url, Direction::Up, Target::Head).await.expect("migrates");
            let calls = Calls::default();
            let hooks = Hooks::default()
                .on::<Group, _>(Scribe::<'A'> { calls: calls.clone() })
                .on::<Group, _>(Scribe::<'B'> { calls: calls.clone() })
                .on::<Group, _>(Scribe::<'A'> { calls: calls.clone() });
            let timeout = std::time::Duration::from_secs(5);
            let settings = Settings { url, timeout, connections: 1, queue: timeout };
            let db = Db::connect(&settings, hooks).await.expect("connects");
            Self { _folder: folder, db, calls }
        }

        async fn begin(&self) -> Conn {
            self.db.begin().await.expect("a transaction")
        }

        fn calls(&self) -> String {
            std::mem::take(&mut *self.calls.lock().expect("no test panics with it")).join("\n")
        }

        async fn made(&self, name: &str) -> Group {
            let mut tx = self.begin().await;
            let row = insert(&mut tx, name).await.expect("inserts");
            tx.commit().await.expect("commits");
            self.calls();
            row
        }

        async fn find(&self, id: i64) -> Option<String> {
            let mut conn = self.db.read().await.expect("a connection");
            groups::find(&mut conn, id).await.expect("reads").map(|row| row.group.name)
        }
    }

    fn named(name: &str) -> GroupValues {
        GroupValues { name: name.into() }
    }

    async fn insert(tx: &mut Conn, name: &str) -> Result<Group, Refused> {
        signals::insert_new(tx, Actor::default(), named(name), crate::app::now()).await
    }

    #[tokio::test]
    async fn hooks_are_called_in_their_order_each_once_and_may_change_the_row() {
        let bench = Bench::new().await;
        let mut tx = bench.begin().await;
        let row = insert(&mut tx, "a").await.expect("inserts");
        assert_eq!(row.group.name, "aAB");
        insta::assert_snapshot!(bench.calls(), @r"
        A before_insert a
        B before_insert aA
        A after_insert aAB
        B after_insert aAB
        ");
        tx.commit().await.expect("commits");
        insta::assert_snapshot!(bench.calls(), @r"
        A after_commit of insert aAB
        B after_commit of insert aAB
        ");

        let mut tx = bench.begin().await;
        let (by, now) = (Actor::default(), crate::app::now());
        let new = signals::update(&mut tx, by, &row, named("b"), now).await.expect("updates").expect("was as found");
        assert!(signals::delete(&mut tx, by, &new, now).await.expect("deletes"));
        tx.commit().await.expect("commits");
        insta::assert_snapshot!(bench.calls(), @r"
        A before_update b
        B before_update bA
        A after_update aAB to bAB
        B after_update aAB to bAB
        A before_delete bAB
        B before_delete bAB
        A after_delete bAB
        B after_delete bAB
        A after_commit of update bAB
        B after_commit of update bAB
        A after_commit of delete bAB
        B after_commit of delete bAB
        ");
    }

    #[tokio::test]
    async fn a_veto_leaves_nothing_of_its_transaction() {
        let bench = Bench::new().await;
        let (row, stays) = (bench.made("a").await, bench.made("stays").await);
        let (by, now) = (Actor::default(), crate::app::now());

        let mut tx = bench.begin().await;
        let before = insert(&mut tx, "before").await.expect("inserts");
        let refused = signals::update(&mut tx, by, &row, named("veto"), now).await.err().expect("refused");
        let error = Error::from(refused);
        assert_eq!((error.code, &*error.detail), (Code::Vetoed, "not this one"));
        let committed = tx.commit().await;
        assert!(matches!(committed, Err(DbError::Other(_))), "also if somebody forgets it: {committed:?}");
        assert_eq!(bench.find(before.group.id).await, None);
        assert_eq!(bench.find(row.group.id).await.as_deref(), Some("aAB"));

        let mut tx = bench.begin().await;
        signals::delete(&mut tx, by, &stays, now).await.expect_err("refused after the statement");
        drop(tx);
        assert_eq!(bench.find(stays.group.id).await.as_deref(), Some("staysAB"));
        assert!(!bench.calls().contains("after_commit"), "nothing was committed");
    }

    #[tokio::test]
    async fn a_row_that_has_changed_meanwhile_is_not_written_and_has_no_signals_after() {
        let bench = Bench::new().await;
        let row = bench.made("a").await;
        let (by, now) = (Actor::default(), crate::app::now());
        let mut tx = bench.begin().await;
        signals::update(&mut tx, by, &row, named("b"), now).await.expect("updates").expect("was as found");
        bench.calls();
        assert!(signals::update(&mut tx, by, &row, named("c"), now).await.expect("looks").is_none());
        assert!(!signals::delete(&mut tx, by, &row, now).await.expect("looks"));
        assert!(!bench.calls().contains("after"));
    }

    #[tokio::test]
    async fn a_permit_for_one_table_is_none_for_another() {
        use sea_query::Query;

        use crate::db::Unsignalled;
        use crate::db::tables::{Groups, Sessions};

        let bench = Bench::new().await;
        let row = bench.made("a").await;
        let delete = Query::delete().from_table(Groups::Table).take();
        let refused = bench.begin().await.write(Sessions::FREE, &delete).await.expect_err("refused");
        assert!(refused.to_string().contains("the permit is for sessions"), "{refused}");
        assert!(bench.find(row.group.id).await.is_some());
    }

    #[tokio::test]
    async fn a_permit_for_what_another_table_keeps_is_for_that_column() {
        use sea_query::Query;

        use crate::db::Unsignalled;
        use crate::db::tables::{Sessions, Users};

        let bench = Bench::new().await;
        let hash = Query::update().table(Users::Table).value(Users::PasswordHash, "x").take();
        let role = Query::update().table(Users::Table).value(Users::Role, "admin").take();
        let both =
            Query::update().table(Users::Table).value(Users::PasswordHash, "x").value(Users::Role, "admin").take();
        let delete = Query::delete().from_table(Users::Table).take();
        let mut tx = bench.begin().await;
        tx.write(Sessions::FREE.also::<Users>(), &hash).await.expect("is kept by logins");
        for refused in [
            tx.write(Sessions::FREE.also::<Users>(), &role).await,
            tx.write(Sessions::FREE.also::<Users>(), &both).await,
            tx.write(Sessions::FREE.also::<Users>(), &delete).await,
        ] {
            let refused = refused.expect_err("refused").to_string();
            assert!(refused.contains("the permit is for password_hash of users"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_select_does_not_write() {
        use sea_query::{CommonTableExpression, Query};

        use crate::db::tables::Groups;

        let bench = Bench::new().await;
        let delete = Query::delete().from_table(Groups::Table).returning(Query::returning().column(Groups::Id)).take();
        let gone = CommonTableExpression::new().query(delete).table_name("gone").to_owned();
        let select = Query::select().column(Groups::Id).from("gone").with_cte(gone).take();
        let refused = bench.begin().await.all::<(i64,)>(&select).await.expect_err("refused");
        assert!(refused.to_string().contains("does not only read"), "{refused}");
    }

    #[tokio::test]
    async fn a_write_needs_a_transaction() {
        let bench = Bench::new().await;
        let mut conn = bench.db.read().await.expect("a connection");
        let refused = insert(&mut conn, "a").await.err().expect("refused");
        assert!(refused.to_string().contains("outside a transaction"), "{refused}");
    }

    #[tokio::test]
    async fn rows_of_another_kind_do_not_go_past_the_hooks() {
        use chrono::{DateTime, Utc};

        use crate::db::tables::Groups;
        use crate::db::{DbResult, Permit};

        #[derive(Clone)]
        struct Shortcut;

        impl Signalled for Shortcut {
            type Table = Groups;
            type Values = ();

            async fn insert(_: &mut Conn, _: Permit<Groups>, (): (), _: DateTime<Utc>) -> DbResult<Option<Self>> {
                panic!("it is not asked");
            }

            async fn delete(&self, _: &mut Conn, _: Permit<Groups>) -> DbResult<bool> {
                panic!("it is not asked");
            }
        }

        let bench = Bench::new().await;
        let (mut tx, now) = (bench.begin().await, crate::app::now());
        let refused = signals::insert::<Shortcut>(&mut tx, Actor::default(), (), now).await.err().expect("refused");
        assert!(refused.to_string().contains("have hooks for rows of another kind"), "{refused}");
        signals::delete(&mut tx, Actor::default(), &Shortcut, now).await.expect_err("refused");
    }

    #[tokio::test]
    async fn a_veto_outlives_the_next_fault() {
        use sea_query::{Expr, ExprTrait, Query};

        use crate::db::tables::Groups;

        let bench = Bench::new().await;
        let mut tx = bench.begin().await;
        let before = insert(&mut tx, "before").await.expect("inserts");
        insert(&mut tx, "veto").await.err().expect("refused");
        let none = Query::select().column(Groups::Id).from(Groups::Table).and_where(Expr::col(Groups::Id).eq(0)).take();
        tx.one::<(i64,)>(&none).await.expect_err("there is none");
        tx.commit().await.expect_err("nothing may stay");
        assert_eq!(bench.find(before.group.id).await, None);
    }

    #[test]
    fn what_can_be_frozen_is_what_has_hooks() {
        let mut config = Config::load(None).expect("the defaults");
        config.freeze("posts, votes");
        assert!(hooks(&config).is_ok());
        config.freeze("posts, sessions");
        let error = hooks(&config).err().expect("refused");
        insta::assert_snapshot!(error, @"ACCORD_FROZEN: `sessions` cannot be frozen; use some of grants, groups, invited_guests, memberships, permissions, posts, users, votes, webhooks");
    }
}
