//! Signals: what is called before and after a row changes, in the transaction that changes it.
//!
//! A row of a table with signals is written only through [`insert`], [`update`] and [`delete`]: they alone hold the
//! [`Permit`] that the statement needs. What goes with a row by the schema (`ON DELETE CASCADE`) has no signals of its
//! own; who wants them deletes it before.

use std::any::{Any, TypeId, type_name};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_query::Iden;

use super::permit::{Permit, Table};
use super::tables::Table as Declared;
use super::{Conn, Constraint, DbError, DbResult, Transaction};

/// Whoever does something: in a request, or (default) on the command line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Actor<'a> {
    /// The account, if it is known.
    pub user_id: Option<i64>,
    /// The request, if there is one.
    pub request_id: Option<&'a str>,
    /// The address of the client, if there is one.
    pub address: Option<IpAddr>,
}

/// A row whose changes have signals; its store says how it is written.
pub trait Signalled: Clone + Send + Sync + Sized + 'static {
    /// The table it is in.
    type Table: Table;

    /// What is written of it: the columns that are neither counted nor given by the database.
    type Values: Send + Sync;

    /// Writes a new row; none if there is one like it already, and the store takes that for well.
    fn insert(
        conn: &mut Conn,
        permit: Permit<Self::Table>,
        values: Self::Values,
        now: DateTime<Utc>,
    ) -> impl Future<Output = DbResult<Option<Self>>> + Send;

    /// Deletes the row as it was found; false if it is gone, or in another version by now.
    fn delete(&self, conn: &mut Conn, permit: Permit<Self::Table>) -> impl Future<Output = DbResult<bool>> + Send;
}

/// A row that is also changed, not only added and deleted.
pub trait Changing: Signalled {
    /// Writes all values of the row as it was found; none if it is gone, or in another version by now.
    fn update(
        &self,
        conn: &mut Conn,
        permit: Permit<Self::Table>,
        values: Self::Values,
        now: DateTime<Utc>,
    ) -> impl Future<Output = DbResult<Option<Self>>> + Send;
}

/// Why a change is not made.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A hook does not want it: the sentence says to the caller why. 409 `vetoed`.
    #[error("{0}")]
    Veto(String),
    /// The row is gone, or in another version than the one that was read. 412 `precondition_failed`.
    #[error("the row has changed since it was read")]
    Stale,
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Refused {
    /// Whether this constraint refused the row.
    pub fn violates(&self, constraint: Constraint) -> bool {
        matches!(self, Self::Db(error) if error.violates(constraint))
    }

    /// Returns whether the row of this table was not deleted because other rows refer to it.
    pub fn is_reference_to(&self, table: &str) -> bool {
        matches!(self, Self::Db(error) if error.is_reference_to(table))
    }
}

/// What a hook may use.
pub struct Context<'a> {
    /// The transaction of the change: what is written here is there with it, or not at all.
    pub tx: &'a mut Conn,
    /// Whoever makes the change.
    pub by: Actor<'a>,
    /// When it is made.
    pub now: DateTime<Utc>,
}

/// A change that is durable.
pub enum Committed<R> {
    /// A row is there.
    Inserted(R),
    /// A row was like the first, and is like the second.
    Updated(R, R),
    /// A row is gone.
    Deleted(R),
}

/// Something that is called when rows of a kind change. An error refuses the change: nothing of the transaction stays.
#[async_trait]
#[expect(unused_variables, reason = "what a hook does not care for")]
pub trait Hook<R: Signalled>: Send + Sync + 'static {
    /// The place among the hooks of the row; hooks of one phase are called in the order in which they were added.
    fn phase(&self) -> Phase {
        Phase::React
    }

    /// The types of the events that it publishes.
    fn events(&self) -> Vec<&'static str> {
        vec![]
    }

    /// The tables whose rows this hook deletes, each with its hooks, before the row is deleted. Other rows that refer to a
    /// deleted row change by their foreign key.
    fn ends(&self) -> &'static [&'static str] {
        &[]
    }

    /// A row is to be written; the values may be changed.
    async fn before_insert(&self, context: &mut Context<'_>, values: &mut R::Values) -> Result<(), Refused> {
        Ok(())
    }

    /// A row was written.
    async fn after_insert(&self, context: &mut Context<'_>, row: &R) -> Result<(), Refused> {
        Ok(())
    }

    /// A row is to be changed; the new values may be.
    async fn before_update(&self, context: &mut Context<'_>, old: &R, values: &mut R::Values) -> Result<(), Refused> {
        Ok(())
    }

    /// A row was changed.
    async fn after_update(&self, context: &mut Context<'_>, old: &R, new: &R) -> Result<(), Refused> {
        Ok(())
    }

    /// A row is to be deleted.
    async fn before_delete(&self, context: &mut Context<'_>, row: &R) -> Result<(), Refused> {
        Ok(())
    }

    /// A row was deleted.
    async fn after_delete(&self, context: &mut Context<'_>, row: &R) -> Result<(), Refused> {
        Ok(())
    }

    /// The change is durable. Must be quick and cannot fail: whatever else there is to do is a task, asked for before.
    fn after_commit(&self, change: &Committed<R>) {}
}

/// The order in which the hooks of a row are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Vetoes before anything else is done.
    Freeze,
    /// Locks rows that change with this one, in the order that all transactions keep.
    Lock,
    /// Deletes rows that must not outlive this one, with their own hooks.
    End,
    /// Everything else.
    React,
    /// Records the change in the audit.
    Record,
    /// Sends the change to webhooks.
    Publish,
    /// Sends e-mails.
    Notify,
}

/// The hooks, in the order in which they are called. Cheap to clone.
#[derive(Clone, Default)]
pub struct Hooks {
    lists: Arc<HashMap<TypeId, Rows>>,
    freeze: Freeze,
}

/// The hooks for one kind of row.
struct Rows {
    table: String,
    /// A [`List`] of that kind.
    list: Box<dyn Any + Send + Sync>,
    /// The tables whose rows the hooks delete themselves.
    ends: Vec<&'static str>,
    /// The tables that each change of a row changes, too.
    also: Vec<String>,
    /// [`Hook::events`] of each hook.
    events: fn(&Self) -> Vec<&'static str>,
}

type List<R> = Vec<(TypeId, Arc<dyn Hook<R>>)>;

impl Hooks {
    /// No hooks yet, except that every change of these tables will be vetoed, once [`Hooks::finish`] has been called.
    pub fn frozen(tables: impl IntoIterator<Item = String>) -> Self {
        Self {
            lists: Arc::default(),
            freeze: Freeze { frozen: Arc::new(tables.into_iter().collect()), ..Freeze::default() },
        }
    }

    /// Adds rows of type `R`: their changes call hooks, and can be frozen.
    #[must_use]
    pub fn entity<R: Signalled>(self) -> Self {
        let freeze = self.freeze.clone();
        self.on::<R, _>(freeze)
    }

    /// Appends a hook for rows of type `R` to those of its phase. Adding the same hook type again has no effect.
    #[must_use]
    pub fn on<R: Signalled, H: Hook<R>>(mut self, hook: H) -> Self {
        let rows = self.rows::<R>();
        rows.ends.extend(hook.ends());
        let list = rows.list.downcast_mut::<List<R>>().expect("kept under the type of its rows");
        if list.iter().all(|(known, _)| *known != TypeId::of::<H>()) {
            let place = list.iter().position(|(_, other)| other.phase() > hook.phase()).unwrap_or(list.len());
            list.insert(place, (TypeId::of::<H>(), Arc::new(hook)));
        }
        self
    }

    /// Declares that a change of a row of type `R` also sets a [`DerivedColumn`](super::DerivedColumn) of another table.
    #[must_use]
    pub fn also_changes<R: Signalled, T: Table>(mut self) -> Self {
        self.rows::<R>().also.push(T::TABLE.unquoted().to_owned());
        self
    }

    fn rows<R: Signalled>(&mut self) -> &mut Rows {
        let lists = Arc::get_mut(&mut self.lists).expect("hooks are listed before anyone shares them");
        lists.entry(TypeId::of::<R>()).or_insert_with(|| Rows {
            table: R::Table::TABLE.unquoted().to_owned(),
            list: Box::new(List::<R>::new()),
            ends: vec![],
            also: vec![],
            events: |rows| {
                let list = rows.list.downcast_ref::<List<R>>();
                list.into_iter().flatten().flat_map(|(_, hook)| hook.events()).collect()
            },
        })
    }

    /// Ends the list: derives from the declared tables what a change of each row changes, too.
    ///
    /// # Errors
    /// A table is frozen whose changes call no hooks: its name.
    pub fn finish(self, tables: &[Declared]) -> Result<Self, String> {
        let known = self.tables();
        if let Some(unknown) = self.freeze.frozen.iter().find(|table| !known.contains(&table.as_str())) {
            return Err(unknown.clone());
        }
        let mut relations = HashMap::new();
        for rows in self.lists.values() {
            let refers = |table: &&Declared| {
                let name = table.name.as_str();
                table.foreign_keys.iter().any(|key| key.table == rows.table)
                    && known.contains(&name)
                    && !rows.ends.contains(&name)
            };
            let by_key = tables.iter().filter(refers).map(|table| table.name.clone()).collect();
            relations.insert(rows.table.clone(), Related { by_change: rows.also.clone(), by_deletion: by_key });
        }
        let _ = self.freeze.related.set(relations);
        Ok(self)
    }

    /// Returns whether a hook deletes rows of the second table before a row of the first is deleted.
    pub fn ends(&self, table: &str, ended: &str) -> bool {
        self.lists.values().any(|rows| rows.table == table && rows.ends.contains(&ended))
    }

    /// The types of the events that the hooks publish, in alphabetical order.
    pub fn events(&self) -> Vec<&'static str> {
        let mut events: Vec<_> = self.lists.values().flat_map(|rows| (rows.events)(rows)).collect();
        events.sort_unstable();
        events
    }

    /// The tables whose rows have hooks, by their names.
    pub fn tables(&self) -> Vec<&str> {
        let mut tables: Vec<_> = self.lists.values().map(|rows| rows.table.as_str()).collect();
        tables.sort_unstable();
        tables
    }

    /// Those for rows of this kind. Another kind for the same table would go past them.
    fn of<R: Signalled>(&self) -> DbResult<Vec<Arc<dyn Hook<R>>>> {
        let table = R::Table::TABLE;
        let list = self.lists.get(&TypeId::of::<R>()).and_then(|rows| rows.list.downcast_ref::<List<R>>());
        if list.is_none() && self.lists.values().any(|rows| rows.table == table.unquoted()) {
            let text = format!("{} have hooks for rows of another kind than {}", table.unquoted(), type_name::<R>());
            return Err(DbError::Other(sqlx::Error::Protocol(text)));
        }
        Ok(list.into_iter().flatten().map(|(_, hook)| hook.clone()).collect())
    }
}

/// Vetoes every change of the tables of the setting `frozen`, and every change of another table that would change them, too:
/// while data is moved, or an incident is investigated, reading goes on.
#[derive(Clone, Default)]
struct Freeze {
    frozen: Arc<BTreeSet<String>>,
    related: Arc<OnceLock<HashMap<String, Related>>>,
}

/// The tables that change with a row of another table, without hooks of their own.
struct Related {
    /// By each change, in a derived column.
    by_change: Vec<String>,
    /// By its deletion, through a foreign key.
    by_deletion: Vec<String>,
}

impl Freeze {
    fn check<R: Signalled>(&self, is_deletion: bool) -> Result<(), Refused> {
        let own = R::Table::TABLE;
        let related = self.related.get().and_then(|related| related.get(own.unquoted()));
        let by_change = related.into_iter().flat_map(|related| &related.by_change);
        let by_deletion = related.into_iter().filter(|_| is_deletion).flat_map(|related| &related.by_deletion);
        let mut tables = [own.unquoted()].into_iter().chain(by_deletion.chain(by_change).map(String::as_str));
        match tables.find(|table| self.frozen.contains(*table)) {
            Some(table) => Err(Refused::Veto(format!("The server does not change {table} for now; try again later."))),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl<R: Signalled> Hook<R> for Freeze {
    fn phase(&self) -> Phase {
        Phase::Freeze
    }

    async fn before_insert(&self, _: &mut Context<'_>, _: &mut R::Values) -> Result<(), Refused> {
        self.check::<R>(false)
    }

    async fn before_update(&self, _: &mut Context<'_>, _: &R, _: &mut R::Values) -> Result<(), Refused> {
        self.check::<R>(false)
    }

    async fn before_delete(&self, _: &mut Context<'_>, _: &R) -> Result<(), Refused> {
        self.check::<R>(true)
    }
}

/// Calls one signal on each hook; the first that refuses ends it, and the transaction.
macro_rules! signal {
    ($hooks:expr, $tx:expr, $by:expr, $now:expr, $signal:ident($($argument:expr),*)) => {
        for hook in &$hooks {
            let context = &mut Context { tx: &mut *$tx, by: $by, now: $now };
            if let Err(refused) = hook.$signal(context, $($argument),*).await {
                $tx.transaction = match $tx.transaction {
                    Transaction::Open => Transaction::Refused,
                    other => other,
                };
                return Err(refused);
            }
        }
    };
}

/// Inserts a row with its signals; none if there was one like it, and nothing was written.
///
/// # Errors
/// A hook refuses it, or the database does.
pub async fn insert<R: Signalled>(
    tx: &mut Conn,
    by: impl Into<Actor<'_>>,
    mut values: R::Values,
    now: DateTime<Utc>,
) -> Result<Option<R>, Refused> {
    let (hooks, by) = (tx.hooks.of::<R>()?, by.into());
    signal!(hooks, tx, by, now, before_insert(&mut values));
    let Some(row) = R::insert(tx, Permit::new(), values, now).await? else { return Ok(None) };
    signal!(hooks, tx, by, now, after_insert(&row));
    when_durable(tx, hooks, || Committed::Inserted(row.clone()));
    Ok(Some(row))
}

/// The same for a row that has nothing like it.
///
/// # Errors
/// As [`insert`].
pub async fn insert_new<R: Signalled>(
    tx: &mut Conn,
    by: impl Into<Actor<'_>>,
    values: R::Values,
    now: DateTime<Utc>,
) -> Result<R, Refused> {
    let none = || DbError::Other(sqlx::Error::Protocol(format!("no {} was written", type_name::<R>())));
    insert(tx, by, values, now).await?.ok_or_else(|| none().into())
}

/// Changes a row as it was found, with its signals; none if it is gone or in another version by now.
///
/// # Errors
/// A hook refuses it, or the database does.
pub async fn update<R: Changing>(
    tx: &mut Conn,
    by: impl Into<Actor<'_>>,
    old: &R,
    mut values: R::Values,
    now: DateTime<Utc>,
) -> Result<Option<R>, Refused> {
    let (hooks, by) = (tx.hooks.of::<R>()?, by.into());
    signal!(hooks, tx, by, now, before_update(old, &mut values));
    let Some(new) = old.update(tx, Permit::new(), values, now).await? else { return Ok(None) };
    signal!(hooks, tx, by, now, after_update(old, &new));
    when_durable(tx, hooks, || Committed::Updated(old.clone(), new.clone()));
    Ok(Some(new))
}

/// Deletes a row as it was found, with its signals; false if it is gone or in another version by now.
///
/// # Errors
/// A hook refuses it, or the database does.
pub async fn delete<R: Signalled>(
    tx: &mut Conn,
    by: impl Into<Actor<'_>>,
    row: &R,
    now: DateTime<Utc>,
) -> Result<bool, Refused> {
    let (hooks, by) = (tx.hooks.of::<R>()?, by.into());
    signal!(hooks, tx, by, now, before_delete(row));
    if !row.delete(tx, Permit::new()).await? {
        return Ok(false);
    }
    signal!(hooks, tx, by, now, after_delete(row));
    when_durable(tx, hooks, || Committed::Deleted(row.clone()));
    Ok(true)
}

/// Updates a row that has not changed since it was read.
///
/// # Errors
/// [`Refused::Stale`] if it has; otherwise as [`update`].
pub async fn update_unchanged<R: Changing>(
    tx: &mut Conn,
    by: impl Into<Actor<'_>>,
    old: &R,
    values: R::Values,
    now: DateTime<Utc>,
) -> Result<R, Refused> {
    update(tx, by, old, values, now).await?.ok_or(Refused::Stale)
}

/// Deletes a row that has not changed since it was read.
///
/// # Errors
/// [`Refused::Stale`] if it has; otherwise as [`delete`].
pub async fn delete_unchanged<R: Signalled>(
    tx: &mut Conn,
    by: impl Into<Actor<'_>>,
    row: &R,
    now: DateTime<Utc>,
) -> Result<(), Refused> {
    if delete(tx, by, row, now).await? { Ok(()) } else { Err(Refused::Stale) }
}

fn when_durable<R: Signalled>(tx: &mut Conn, hooks: Vec<Arc<dyn Hook<R>>>, change: impl FnOnce() -> Committed<R>) {
    if hooks.is_empty() {
        return;
    }
    let change = change();
    tx.when_durable(move || hooks.iter().for_each(|hook| hook.after_commit(&change)));
}
