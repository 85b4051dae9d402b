//! The hooks of all resources: what is called when rows change.

use crate::config::{Config, ConfigError};
use crate::db::signals::Hooks;
use crate::db::tables;
use crate::declared::{self, List};

/// Adds the rows of a resource, and its hooks on rows of any resource.
pub type AddHooks = fn(Hooks, &Config) -> Hooks;

static HOOKS: List<AddHooks> = List::new();

/// Completes the list of all hooks.
pub(crate) fn complete(hooks: Vec<AddHooks>) {
    HOOKS.complete(hooks);
}

/// The hooks for each type of row, in the order in which they are called.
///
/// # Errors
/// The settings freeze a table whose changes call no hooks.
pub fn hooks(config: &Config) -> Result<Hooks, ConfigError> {
    let none = Hooks::frozen(config.database.frozen().map(str::to_owned));
    let hooks = HOOKS.get().iter().fold(none, |hooks, add| add(hooks, config));
    let known = hooks.tables().join(", ");
    hooks.finish(tables::declared()).map_err(|table| {
        ConfigError(format!("{}: `{table}` cannot be frozen; use some of {known}", declared::variable("frozen")))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use tempfile::TempDir;

    use super::*;
    use crate::db::connect::Settings;
    use crate::db::migrate::{self, Direction, Target};
    use crate::db::signals::{self, Actor, Committed, Context, Hook, Refused, Signalled};
    use crate::db::{Conn, Db, DbError, versioned};
    use crate::error::{Code, Error};
    use crate::resources::groups::model::{Group, GroupCreate};

    /// Writes down, under its name, what it is called for; does to a group what its name says.
    struct Scribe<const N: char> {
        calls: Calls,
    }

    type Calls = Arc<Mutex<Vec<String>>>;

    impl<const N: char> Scribe<N> {
        fn saw(&self, signal: &str, name: &str) {
            self.calls.lock().expect("no test panics with it").push(format!("{N} {signal} {name}"));
        }

        fn touch(&self, signal: &str, values: &mut GroupCreate) -> Result<(), Refused> {
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
        async fn before_insert(&self, _: &mut Context<'_>, values: &mut GroupCreate) -> Result<(), Refused> {
            self.touch("before_insert", values)
        }

        async fn after_insert(&self, context: &mut Context<'_>, row: &Group) -> Result<(), Refused> {
            let seen = versioned::find::<Group>(context.tx, row.id).await?.expect("it is there, in the transaction");
            self.saw("after_insert", &seen.name);
            Ok(())
        }

        async fn before_update(&self, _: &mut Context<'_>, _: &Group, values: &mut GroupCreate) -> Result<(), Refused> {
            self.touch("before_update", values)
        }

        async fn after_update(&self, _: &mut Context<'_>, old: &Group, new: &Group) -> Result<(), Refused> {
            self.saw("after_update", &format!("{} to {}", old.name, new.name));
            Ok(())
        }

        async fn before_delete(&self, _: &mut Context<'_>, row: &Group) -> Result<(), Refused> {
            self.saw("before_delete", &row.name);
            Ok(())
        }

        async fn after_delete(&self, context: &mut Context<'_>, row: &Group) -> Result<(), Refused> {
            self.saw("after_delete", &row.name);
            assert!(versioned::find::<Group>(context.tx, row.id).await?.is_none(), "it is gone, in the transaction");
            match row.name.as_str() {
                "staysAB" => Err(Refused::Veto("it stays".into())),
                _ => Ok(()),
            }
        }

        fn after_commit(&self, change: &Committed<Group>) {
            match change {
                Committed::Inserted(row) => self.saw("after_commit of insert", &row.name),
                Committed::Updated(_, new) => self.saw("after_commit of update", &new.name),
                Committed::Deleted(row) => self.saw("after_commit of delete", &row.name),
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
            versioned::find::<Group>(&mut conn, id).await.expect("reads").map(|row| row.name)
        }
    }

    fn named(name: &str) -> GroupCreate {
        GroupCreate { name: name.into() }
    }

    async fn insert(tx: &mut Conn, name: &str) -> Result<Group, Refused> {
        signals::insert_new(tx, Actor::default(), named(name), crate::app::now()).await
    }

    #[tokio::test]
    async fn hooks_are_called_in_their_order_each_once_and_may_change_the_row() {
        let bench = Bench::new().await;
        let mut tx = bench.begin().await;
        let row = insert(&mut tx, "a").await.expect("inserts");
        assert_eq!(row.name, "aAB");
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
        let refused = signals::update(&mut tx, by, &row, named("veto"), now).await.expect_err("refused");
        let error = Error::from(refused);
        assert_eq!((error.code, &*error.detail), (Code::VETOED, "not this one"));
        let committed = tx.commit().await;
        assert!(matches!(committed, Err(DbError::Other(_))), "also if somebody forgets it: {committed:?}");
        assert_eq!(bench.find(before.id).await, None);
        assert_eq!(bench.find(row.id).await.as_deref(), Some("aAB"));

        let mut tx = bench.begin().await;
        signals::delete(&mut tx, by, &stays, now).await.expect_err("refused after the statement");
        drop(tx);
        assert_eq!(bench.find(stays.id).await.as_deref(), Some("staysAB"));
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

        use crate::auth::tables::{Groups, Sessions};
        use crate::db::Unsignalled;

        let bench = Bench::new().await;
        let row = bench.made("a").await;
        let delete = Query::delete().from_table(Groups::Table).take();
        let refused = bench.begin().await.write(Sessions::FREE, &delete).await.expect_err("refused");
        assert!(refused.to_string().contains("the permit is for sessions"), "{refused}");
        assert!(bench.find(row.id).await.is_some());
    }

    #[tokio::test]
    async fn a_derived_column_allows_statements_that_set_it_alone() {
        use sea_query::Query;

        use crate::auth::tables::{PASSWORD_HASH, Users};

        let bench = Bench::new().await;
        let hash = Query::update().table(Users::Table).value(Users::PasswordHash, "x").take();
        let role = Query::update().table(Users::Table).value(Users::Role, "admin").take();
        let both =
            Query::update().table(Users::Table).value(Users::PasswordHash, "x").value(Users::Role, "admin").take();
        let delete = Query::delete().from_table(Users::Table).take();
        let mut tx = bench.begin().await;
        tx.write(PASSWORD_HASH, &hash).await.expect("is kept by logins");
        for refused in [
            tx.write(PASSWORD_HASH, &role).await,
            tx.write(PASSWORD_HASH, &both).await,
            tx.write(PASSWORD_HASH, &delete).await,
        ] {
            let refused = refused.expect_err("refused").to_string();
            assert!(refused.contains("only password_hash of users may be set"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_select_does_not_write() {
        use sea_query::{CommonTableExpression, Query};

        use crate::auth::tables::Groups;

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
        let refused = insert(&mut conn, "a").await.expect_err("refused");
        assert!(refused.to_string().contains("outside a transaction"), "{refused}");
    }

    #[tokio::test]
    async fn rows_of_another_kind_do_not_go_past_the_hooks() {
        use chrono::{DateTime, Utc};

        use crate::auth::tables::Groups;
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

        use crate::auth::tables::Groups;

        let bench = Bench::new().await;
        let mut tx = bench.begin().await;
        let before = insert(&mut tx, "before").await.expect("inserts");
        insert(&mut tx, "veto").await.expect_err("refused");
        let none = Query::select().column(Groups::Id).from(Groups::Table).and_where(Expr::col(Groups::Id).eq(0)).take();
        tx.one::<(i64,)>(&none).await.expect_err("there is none");
        tx.commit().await.expect_err("nothing may stay");
        assert_eq!(bench.find(before.id).await, None);
    }

    #[test]
    fn what_can_be_frozen_is_what_has_hooks() {
        let mut config = Config::load(None).expect("the defaults");
        config.database.freeze("groups, users");
        assert!(hooks(&config).is_ok());
        config.database.freeze("groups, sessions");
        let error = hooks(&config).err().expect("refused");
        insta::assert_snapshot!(error, @"ACCORD_FROZEN: `sessions` cannot be frozen; use some of grants, groups, invited_guests, memberships, permissions, users, webhooks");
    }
}
