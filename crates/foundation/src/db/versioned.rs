//! Rows with an identifier, a version and two times: their statements follow from their columns.

use chrono::{DateTime, Utc};
use sea_query::{Condition, Expr, ExprTrait, LockType, Query, ReturningClause, SelectStatement};

use super::keyset::newest;

use super::permit::{Permit, Table};
use super::signals::{Changing, Signalled};
use super::{Conn, DbResult, Row};

/// A table whose rows have a version. [`tables!`](crate::tables) implements it for tables that are declared `versioned`.
pub trait VersionedTable: Table + Copy + Send + Sync + 'static {
    /// All columns.
    const COLUMNS: &'static [Self];
    /// The identifier, which the database assigns.
    const ID: Self;
    /// The version, which each update raises by one.
    const VERSION: Self;
    /// The time of the insert.
    const CREATED_AT: Self;
    /// The time of the last update.
    const UPDATED_AT: Self;
}

/// A row of such a table. Insert, update and delete are made from its columns; an update or delete affects only the
/// version that was read.
pub trait Versioned: Row + Clone + Sync + 'static {
    /// The table.
    type Table: VersionedTable;

    /// The written values of a row: all columns but the identifier, the version, the times and derived columns.
    type Values: Send + Sync;

    /// The identifier and the version of the row.
    fn identity(&self) -> (i64, i64);

    /// The columns with their values.
    fn columns(values: Self::Values) -> Vec<(Self::Table, Expr)>;

    /// The columns of the table that the row is read from: all of them, unless the row says otherwise.
    fn read() -> &'static [Self::Table] {
        Self::Table::COLUMNS
    }

    /// The columns that an insert or update returns.
    fn returning() -> ReturningClause {
        Query::returning().columns(Self::read().iter().copied())
    }

    /// Completes a statement that selects [`Versioned::read`], for rows that are read from more than one table.
    fn complete(rows: SelectStatement) -> SelectStatement {
        rows
    }
}

/// The row with this identifier.
///
/// # Errors
/// The database is unavailable.
pub async fn find<R: Versioned>(conn: &mut Conn, id: impl Into<i64>) -> DbResult<Option<R>> {
    conn.maybe(&R::complete(select::<R>(by_id::<R>(id)))).await
}

/// The row with this identifier, for an update or delete: other writers wait until the transaction ends.
///
/// # Errors
/// The database is unavailable.
pub async fn find_to_change<R: Versioned>(conn: &mut Conn, id: impl Into<i64>) -> DbResult<Option<R>> {
    // SQLite has one writer at a time and no such clause
    conn.maybe(&R::complete(select::<R>(by_id::<R>(id)).lock_exclusive().take())).await
}

/// The row with this identifier, for a row that will refer to it: it cannot be deleted until the transaction ends.
///
/// # Errors
/// The database is unavailable.
pub async fn find_to_refer<R: Versioned>(conn: &mut Conn, id: impl Into<i64>) -> DbResult<Option<R>> {
    conn.maybe(&R::complete(select::<R>(by_id::<R>(id)).lock(LockType::KeyShare).take())).await
}

/// The rows that match, the newest first: at most `limit`, with identifiers below `before`.
///
/// # Errors
/// The database is unavailable.
pub async fn list<R: Versioned>(
    conn: &mut Conn,
    filter: impl Into<Condition>,
    before: Option<i64>,
    limit: u64,
) -> DbResult<Vec<R>> {
    let mut statement = select::<R>(filter);
    newest(&mut statement, R::Table::ID, before, limit);
    conn.all(&R::complete(statement)).await
}

/// The number of rows that match.
///
/// # Errors
/// The database is unavailable.
pub async fn count<R: Versioned>(conn: &mut Conn, filter: impl Into<Condition>) -> DbResult<i64> {
    let statement =
        Query::select().expr(Expr::col(R::Table::ID).count()).from(R::Table::TABLE).cond_where(filter.into()).take();
    Ok(conn.one::<(i64,)>(&statement).await?.0)
}

/// Selects the rows that match, from the table alone.
pub fn select<R: Versioned>(filter: impl Into<Condition>) -> SelectStatement {
    Query::select().columns(R::read().iter().copied()).from(R::Table::TABLE).cond_where(filter.into()).take()
}

fn by_id<R: Versioned>(id: impl Into<i64>) -> Condition {
    Condition::all().add(Expr::col(R::Table::ID).eq(id.into()))
}

impl<R: Versioned> Signalled for R {
    type Table = <R as Versioned>::Table;
    type Values = <R as Versioned>::Values;

    async fn insert(
        conn: &mut Conn,
        permit: Permit<Self::Table>,
        values: Self::Values,
        now: DateTime<Utc>,
    ) -> DbResult<Option<Self>> {
        let times = [Self::Table::CREATED_AT, Self::Table::UPDATED_AT].map(|column| (column, now.into()));
        let (columns, values): (Vec<_>, Vec<_>) = R::columns(values).into_iter().chain(times).unzip();
        let statement = Query::insert()
            .into_table(Self::Table::TABLE)
            .columns(columns)
            .values_panic(values)
            .returning(R::returning())
            .take();
        conn.write_maybe(permit, &statement).await
    }

    async fn delete(&self, conn: &mut Conn, permit: Permit<Self::Table>) -> DbResult<bool> {
        let (id, version) = self.identity();
        let statement = Query::delete()
            .from_table(Self::Table::TABLE)
            .and_where(Expr::col(Self::Table::ID).eq(id))
            .and_where(Expr::col(Self::Table::VERSION).eq(version))
            .take();
        Ok(conn.write(permit, &statement).await? == 1)
    }
}

impl<R: Versioned> Changing for R {
    async fn update(
        &self,
        conn: &mut Conn,
        permit: Permit<<R as Versioned>::Table>,
        values: <R as Versioned>::Values,
        now: DateTime<Utc>,
    ) -> DbResult<Option<Self>> {
        type Of<R> = <R as Versioned>::Table;
        let (id, version) = self.identity();
        let statement = Query::update()
            .table(Of::<R>::TABLE)
            .values(R::columns(values))
            .value(Of::<R>::VERSION, Expr::col(Of::<R>::VERSION).add(1))
            .value(Of::<R>::UPDATED_AT, now)
            .and_where(Expr::col(Of::<R>::ID).eq(id))
            .and_where(Expr::col(Of::<R>::VERSION).eq(version))
            .returning(R::returning())
            .take();
        conn.write_maybe(permit, &statement).await
    }
}
