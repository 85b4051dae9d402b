//! List, create, read, update and delete: the steps that the operations on rows with a version have in common.
//!
//! An object of the document that is stored as it is shown implements [`Record`]. A row with other columns than the object
//! that shows it implements [`Versioned`] and [`Represented`].
//!
//! Reading operations call [`list`] and [`read`]. Writing operations take a [`Change`] from [`Caller::change`]: it carries
//! the transaction, the actor and the time, and inserts, updates and deletes rows with their hooks.

use chrono::{DateTime, Utc};
use poem_openapi::types::Type;
use sea_query::{Condition, Expr, Iden};
use serde::Serialize;

use crate::app::App;
use crate::auth::Caller;
use crate::db::permit::Table;
use crate::db::signals::{self, Actor, Refused};
use crate::db::versioned::{self, Versioned, VersionedTable};
use crate::db::{Conn, Constraint, Row};
use crate::error::{Code, Error, FieldError};
use crate::http::answer::{Changed, Created, Found, Listed, NoContent};
use crate::http::etag::{IfMatch, etag};
use crate::http::page::{Newest, Page};
use crate::http::parameters::{IfNoneMatch, WithTotal};
use crate::http::payload::JsonOut;

/// A row that operations show as an object of the document.
pub trait Represented: Versioned {
    /// The object of the document.
    type Object: Type + Serialize + Send;

    /// The name of the object, with which an error begins: `Book 7 not found.`
    const NAME: &'static str;

    /// The path of the list of all objects. The path of one object ends with its key.
    const PATH: &'static str;

    /// The constraints that a write may violate, with the error code and the sentence for the caller.
    const CONFLICTS: &'static [(Constraint, Code, &'static str)] = &[];

    /// The errors of values that the schema allows.
    fn faults(_: &Self::Values) -> Vec<FieldError> {
        vec![]
    }

    /// The last segment of the path of the object.
    fn key(&self) -> String {
        self.identity().0.to_string()
    }

    /// The object that shows the row.
    fn object(self) -> Self::Object;

    /// The object, and the entity tag of this version.
    fn tagged(self) -> (Self::Object, String) {
        let version = self.identity().1;
        let object = self.object();
        let tag = etag(version, &object);
        (object, tag)
    }
}

/// An object of the document that is its own row. Its version is a field that the document leaves out
/// (`#[oai(skip)] #[serde(skip)]`).
pub trait Record: Type + Serialize + Row + Clone + Sync + 'static {
    /// The table.
    type Table: VersionedTable;

    /// The values that a client writes: all columns but the identifier, the version and the times.
    type Values: Send + Sync;

    /// As [`Represented::NAME`].
    const NAME: &'static str;

    /// As [`Represented::PATH`].
    const PATH: &'static str;

    /// As [`Represented::CONFLICTS`].
    const CONFLICTS: &'static [(Constraint, Code, &'static str)] = &[];

    /// As [`Represented::faults`].
    fn faults(_: &Self::Values) -> Vec<FieldError> {
        vec![]
    }

    /// The identifier and the version.
    fn identity(&self) -> (i64, i64);

    /// The columns with their values.
    fn columns(values: Self::Values) -> Vec<(Self::Table, Expr)>;
}

impl<T: Record> Versioned for T {
    type Table = T::Table;
    type Values = T::Values;

    fn identity(&self) -> (i64, i64) {
        Record::identity(self)
    }

    fn columns(values: T::Values) -> Vec<(T::Table, Expr)> {
        <T as Record>::columns(values)
    }
}

impl<T: Record> Represented for T {
    type Object = T;
    const NAME: &'static str = T::NAME;
    const PATH: &'static str = T::PATH;
    const CONFLICTS: &'static [(Constraint, Code, &'static str)] = T::CONFLICTS;

    fn faults(values: &T::Values) -> Vec<FieldError> {
        <T as Record>::faults(values)
    }

    fn object(self) -> T {
        self
    }
}

/// The error for a row that was not found.
pub fn not_found<R: Represented>(key: impl std::fmt::Display) -> Error {
    Error::not_found(R::NAME, key)
}

/// The error for a write that was refused: of a violated constraint the one that the row declares.
pub fn refused<R: Represented>(refused: Refused) -> Error {
    match R::CONFLICTS.iter().find(|(constraint, ..)| refused.violates(*constraint)) {
        Some((_, code, detail)) => Error::new(*code, *detail),
        None => refused.into(),
    }
}

fn check<R: Represented>(values: &R::Values) -> Result<(), Error> {
    match R::faults(values) {
        faults if faults.is_empty() => Ok(()),
        faults => Err(Error::fields(Code::INVALID, faults)),
    }
}

/// One page of the rows that match, the newest first.
///
/// # Errors
/// 503 when the database is unavailable.
pub async fn page<R: Represented>(
    conn: &mut Conn,
    page: Newest,
    with_total: &WithTotal,
    filter: impl Into<Condition>,
) -> Result<Page<R::Object>, Error> {
    let filter = filter.into();
    let mut rows = versioned::list::<R>(conn, filter.clone(), page.before, page.rows()).await?;
    let next = page.cut(&mut rows, |row| row.identity().0);
    let total = if with_total.0 { Some(versioned::count::<R>(conn, filter).await?) } else { None };
    Ok(Page { items: rows.into_iter().map(R::object).collect(), next, total })
}

/// The response of an operation that lists the rows that match, the newest first.
///
/// # Errors
/// 503 when the database is unavailable.
pub async fn list<R: Represented, P: From<Page<R::Object>> + Type + Serialize + Send>(
    caller: &mut Caller,
    app: &App,
    newest: Newest,
    with_total: &WithTotal,
    filter: impl Into<Condition>,
) -> Result<Listed<P>, Error> {
    let mut conn = caller.read(&app.db).await?;
    let page = page::<R>(&mut conn, newest, with_total, filter).await?;
    Ok(Listed::Page(JsonOut(page.into())))
}

/// The response of an operation that reads a row.
///
/// # Errors
/// 404 if the row does not exist, 503 when the database is unavailable.
pub async fn read<R: Represented>(
    caller: &mut Caller,
    app: &App,
    id: impl Into<i64>,
    if_none_match: &IfNoneMatch,
) -> Result<Found<R::Object>, Error> {
    Ok(found(find::<R>(caller, app, id).await?, if_none_match))
}

/// The row with this identifier.
///
/// # Errors
/// 404 if it does not exist, 503 when the database is unavailable.
pub async fn find<R: Represented>(caller: &mut Caller, app: &App, id: impl Into<i64>) -> Result<R, Error> {
    let id = id.into();
    let mut conn = caller.read(&app.db).await?;
    versioned::find(&mut conn, id).await?.ok_or_else(|| not_found::<R>(id))
}

/// The response that shows a row, unless `If-None-Match` names its version.
pub fn found<R: Represented>(row: R, if_none_match: &IfNoneMatch) -> Found<R::Object> {
    Found::unless_current(row.tagged(), if_none_match.0.as_deref())
}

/// A transaction in which a caller changes rows. It is rolled back unless it is committed.
pub struct Change<'a> {
    /// The transaction.
    pub tx: Conn,
    /// The caller.
    pub by: Actor<'a>,
    /// The time of the change.
    pub now: DateTime<Utc>,
}

impl Caller {
    /// Begins a transaction, on the same connection where the database allows it.
    ///
    /// # Errors
    /// 503 when the database is unavailable or locked for too long.
    pub async fn change(&mut self, app: &App) -> Result<Change<'_>, Error> {
        let tx = self.begin(&app.db).await?;
        Ok(Change { tx, by: (&*self).into(), now: app.now() })
    }
}

impl From<Change<'_>> for Conn {
    fn from(change: Change<'_>) -> Self {
        change.tx
    }
}

impl Change<'_> {
    /// Inserts a row.
    ///
    /// # Errors
    /// 400 `invalid` for values that [`Represented::faults`] rejects; the error of a violated constraint; 409 `vetoed` by
    /// a hook.
    pub async fn insert<R: Represented>(&mut self, values: R::Values) -> Result<R, Error> {
        check::<R>(&values)?;
        signals::insert_new(&mut self.tx, self.by, values, self.now).await.map_err(refused::<R>)
    }

    /// The row to update or delete, in a version that `If-Match` allows. Other writers wait until the transaction ends.
    ///
    /// # Errors
    /// 404 if the row does not exist, 412 if it has another version.
    pub async fn find<R: Represented>(&mut self, id: impl Into<i64>, if_match: &IfMatch) -> Result<R, Error> {
        let id = id.into();
        let row = versioned::find_to_change::<R>(&mut self.tx, id).await?.ok_or_else(|| not_found::<R>(id))?;
        if_match.allows(row.identity().1)?;
        Ok(row)
    }

    /// Checks that a row exists that another one will refer to. It cannot be deleted until the transaction ends.
    ///
    /// # Errors
    /// 404 if it does not exist.
    pub async fn require<R: Represented>(&mut self, id: impl Into<i64>) -> Result<R, Error> {
        let id = id.into();
        versioned::find_to_refer::<R>(&mut self.tx, id).await?.ok_or_else(|| not_found::<R>(id))
    }

    /// Updates a row that was read in this transaction.
    ///
    /// # Errors
    /// As [`Change::insert`]; 412 if the row has changed since.
    pub async fn update<R: Represented>(&mut self, row: &R, values: R::Values) -> Result<R, Error> {
        check::<R>(&values)?;
        signals::update_unchanged(&mut self.tx, self.by, row, values, self.now).await.map_err(refused::<R>)
    }

    /// Deletes a row that was read in this transaction.
    ///
    /// # Errors
    /// 409 `vetoed` by a hook, or because other rows refer to the row; 412 if the row has changed since.
    pub async fn delete<R: Represented>(&mut self, row: &R) -> Result<(), Error> {
        signals::delete_unchanged(&mut self.tx, self.by, row, self.now).await.map_err(|refused| {
            if refused.is_reference_to(R::Table::TABLE.unquoted()) {
                let detail = format!("{} {} is in use: delete what refers to it first.", R::NAME, row.key());
                return Error::new(Code::VETOED, detail);
            }
            refused.into()
        })
    }

    /// Updates a row, commits, and returns the response.
    ///
    /// # Errors
    /// As [`Change::update`].
    pub async fn updated<R: Represented>(mut self, row: &R, values: R::Values) -> Result<Changed<R::Object>, Error> {
        let (object, tag) = self.update(row, values).await?.tagged();
        self.tx.commit().await?;
        Ok(Changed::Changed(JsonOut(object), tag))
    }

    /// Deletes a row, commits, and returns the response.
    ///
    /// # Errors
    /// As [`Change::delete`].
    pub async fn deleted<R: Represented>(mut self, row: &R) -> Result<NoContent, Error> {
        self.delete(row).await?;
        self.tx.commit().await?;
        Ok(NoContent::Done)
    }
}

/// The response to the insert of a row.
pub fn created<R: Represented>(row: R) -> Created<R::Object> {
    let location = format!("{}/{}", R::PATH, row.key());
    let (object, tag) = row.tagged();
    Created::Created(JsonOut(object), location, tag)
}
