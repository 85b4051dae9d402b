//! The connection that migrations run on, and the table of applied migrations.
//!
//! The table is sqlx's `_sqlx_migrations` with three more columns: the name, the header and the down file. With them a
//! binary can undo a migration that it does not know.

use std::time::{Duration, Instant};

use sea_query::{Alias, Expr, ExprTrait, Order, Query, SelectStatement};
use sea_query_sqlx::SqlxBinder;
use sqlx::migrate::Migrate;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};

use super::header::Header;
use super::set::{Revision, Set};
use crate::{Dialect, connect};

const TABLE: &str = "_sqlx_migrations";

/// The time that SQLite waits for another process that migrates.
const PATIENCE: Duration = Duration::from_secs(600);

/// An applied migration, as the database has recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The position in the order of application.
    pub version: i64,
    /// The name without number and underscores; sqlx's column.
    description: String,
    /// The SHA-384 checksum of the up file without its header.
    pub checksum: Vec<u8>,
    /// The name; `None` if a release without this column applied the migration.
    id: Option<String>,
    /// The header of the up file.
    header: Option<String>,
    /// The down file.
    down: Option<String>,
}

impl Applied {
    /// Returns the name of the files, without the endings.
    pub fn id(&self) -> String {
        let old = || format!("{:04}_{}", self.version, self.description.replace(' ', "_"));
        self.id.clone().unwrap_or_else(old)
    }

    /// Returns the down file, if it was recorded.
    pub fn down(&self) -> Option<&str> {
        self.down.as_deref()
    }

    /// Returns whether servers that know only this set, without the migration, are compatible with its schema.
    pub fn suits(&self, set: &Set) -> bool {
        let header = self.header.as_deref().and_then(|text| Header::split(text).ok());
        match header.map(|(header, _)| header) {
            None => false,
            Some(Header { destructive: None, .. }) => true,
            Some(header) => header.safe_since.is_some_and(|since| set.find(&since).is_some()),
        }
    }
}

/// A row of [`select`].
pub type Row = (i64, String, Vec<u8>, Option<String>, Option<String>, Option<String>);

fn applied((version, description, checksum, id, header, down): Row) -> Applied {
    Applied { version, description, checksum, id, header, down }
}

fn column(name: &str) -> Alias {
    Alias::new(name)
}

/// Selects the applied migrations in the order of application; [`of`] reads the rows.
pub fn select() -> SelectStatement {
    Query::select()
        .columns(["version", "description", "checksum", "id", "header", "down_sql"].map(column))
        .from(column(TABLE))
        .order_by(column("version"), Order::Asc)
        .take()
}

/// Reads the rows of [`select`].
pub fn of(rows: Vec<Row>) -> Vec<Applied> {
    rows.into_iter().map(applied).collect()
}

/// A connection for migrations, closed when dropped. It has no statement timeout: a migration may take long.
pub enum Connected {
    /// SQLite.
    Sqlite(SqliteConnection),
    /// PostgreSQL.
    Postgres(PgConnection),
}

/// Runs `$call` with the connection of whichever database it is.
macro_rules! on {
    ($connected:expr, |$connection:ident| $call:expr) => {
        match $connected {
            Connected::Sqlite($connection) => $call.await,
            Connected::Postgres($connection) => $call.await,
        }
    };
}

/// Renders `$statement` for the database that is there, and runs `$call`.
macro_rules! build {
    ($connected:expr, $statement:expr, |$connection:ident, $sql:ident, $values:ident| $call:expr) => {
        match $connected {
            Connected::Sqlite($connection) => {
                let ($sql, $values) = $statement.build_sqlx(sea_query::SqliteQueryBuilder);
                $call.await
            }
            Connected::Postgres($connection) => {
                let ($sql, $values) = $statement.build_sqlx(sea_query::PostgresQueryBuilder);
                $call.await
            }
        }
    };
}

impl Connected {
    /// Opens the database. If `create` is set, a missing SQLite file is created.
    pub async fn open(url: &str, create: bool) -> Result<Self, sqlx::Error> {
        Ok(match Dialect::of(url) {
            Dialect::Sqlite => {
                // foreign keys are off so that tables can be rebuilt; they are checked afterwards
                let options = connect::sqlite_options(url, PATIENCE)?.foreign_keys(false).create_if_missing(create);
                let began = Instant::now();
                // two that make the file at once both turn WAL on, for which SQLite does not wait
                let connection = loop {
                    match SqliteConnection::connect_with(&options).await {
                        Err(error) if connect::is_unavailable(&error) && began.elapsed() < PATIENCE => {
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                        connection => break connection?,
                    }
                };
                Self::Sqlite(connection)
            }
            Dialect::Postgres => {
                let mut connection = PgConnection::connect(url).await?;
                // or the server would go on with the statement of a process that was killed, and hold its locks
                if connection.server_version_num() >= Some(140_000) {
                    connection.execute("SET client_connection_check_interval = '1s'").await?;
                }
                Self::Postgres(connection)
            }
        })
    }

    /// Returns the dialect of the database.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs one statement. Returns the number of changed rows.
    pub async fn execute(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => Ok(connection.execute(sql).await?.rows_affected()),
            Self::Postgres(connection) => Ok(connection.execute(sql).await?.rows_affected()),
        }
    }

    /// Locks the database against other processes that migrate, and waits for them. Closing the connection releases the
    /// lock.
    pub async fn lock(&mut self) -> Result<(), sqlx::migrate::MigrateError> {
        match self {
            // one transaction around everything: there is no other lock
            Self::Sqlite(connection) => {
                connection.execute("BEGIN IMMEDIATE").await?;
                Ok(())
            }
            Self::Postgres(connection) => {
                connection.lock().await?;
                // a statement that waits for a table makes all later ones wait as well
                connection.execute("SET lock_timeout = '10s'").await?;
                Ok(())
            }
        }
    }

    /// Commits what was done under the lock, and releases it.
    pub async fn unlock(&mut self) -> Result<(), sqlx::migrate::MigrateError> {
        match self {
            Self::Sqlite(connection) => {
                connection.execute("COMMIT").await?;
                Ok(())
            }
            Self::Postgres(connection) => connection.unlock().await,
        }
    }

    /// Begins the transaction of one migration.
    pub async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.execute(self.either("SAVEPOINT migration", "BEGIN")).await.map(drop)
    }

    /// Commits the transaction of one migration.
    pub async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.execute(self.either("RELEASE migration", "COMMIT")).await.map(drop)
    }

    /// Rolls back to [`Connected::begin`].
    pub async fn rollback(&mut self) -> Result<(), sqlx::Error> {
        self.execute(self.either("ROLLBACK TO migration", "ROLLBACK")).await?;
        if let Self::Sqlite(_) = self {
            self.execute("RELEASE migration").await?;
        }
        Ok(())
    }

    fn either(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }

    /// Describes rows whose foreign key has no match: SQLite checks none while tables are rebuilt. Returns `None` if
    /// there are none.
    pub async fn dangling(&mut self) -> Result<Option<String>, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => {
                let rows = sqlx::query_as::<_, (String, String)>(
                    "SELECT \"table\", \"parent\" FROM pragma_foreign_key_check LIMIT 1",
                );
                let row = rows.fetch_optional(connection).await?;
                Ok(row.map(|(table, parent)| format!("rows of {table} refer to rows of {parent} that are not there")))
            }
            Self::Postgres(_) => Ok(None),
        }
    }

    /// Reads the applied migrations in order; writes nothing.
    pub async fn applied(&mut self) -> Result<Vec<Applied>, sqlx::Error> {
        let columns = self.columns().await?;
        if columns.is_empty() {
            return Ok(vec![]);
        }
        let mut statement = select();
        if !columns.iter().any(|column| column == "id") {
            // a release before these columns
            statement.clear_selects().columns(["version", "description", "checksum"].map(column));
            for _ in 0..3 {
                statement.expr(Expr::cust("CAST(NULL AS TEXT)"));
            }
        }
        let rows = build!(self, statement, |connection, sql, values| sqlx::query_as_with::<_, Row, _>(
            AssertSqlSafe(sql),
            values
        )
        .fetch_all(connection))?;
        Ok(of(rows))
    }

    async fn columns(&mut self) -> Result<Vec<String>, sqlx::Error> {
        let columns: Vec<(String,)> = match self {
            Self::Sqlite(connection) => {
                let sql = "SELECT name FROM pragma_table_info('_sqlx_migrations')";
                sqlx::query_as(sql).fetch_all(connection).await?
            }
            Self::Postgres(connection) => {
                let sql = "SELECT attname::text FROM pg_attribute \
                           WHERE attrelid = to_regclass('_sqlx_migrations') AND attnum > 0 AND NOT attisdropped";
                sqlx::query_as(sql).fetch_all(connection).await?
            }
        };
        Ok(columns.into_iter().map(|(name,)| name).collect())
    }

    /// Creates the table of applied migrations, or adds its missing columns. Headers and down files are updated from
    /// the set, unless a newer release has migrated the database: its files are newer.
    pub async fn prepare(&mut self, set: &Set) -> Result<Vec<Applied>, sqlx::migrate::MigrateError> {
        on!(self, |connection| connection.ensure_migrations_table(TABLE))?;
        let columns = self.columns().await?;
        for name in ["id", "header", "down_sql"].into_iter().filter(|name| !columns.iter().any(|c| c == name)) {
            self.execute(&format!("ALTER TABLE {TABLE} ADD COLUMN {name} TEXT")).await?;
        }
        let applied = self.applied().await?;
        let is_newest = applied.iter().all(|row| set.find(&row.id()).is_some());
        for row in applied.iter().filter(|row| is_newest || row.down.is_none()) {
            let id = row.id();
            let known = set.find(&id).filter(|known| known.checksum == row.checksum);
            let header = known.map(|known| known.header.to_string()).or(row.header.clone());
            let down = known.map(|known| known.down.clone()).or(row.down.clone());
            if (&row.id, &row.header, &row.down) != (&Some(id.clone()), &header, &down) {
                let update = Query::update()
                    .table(column(TABLE))
                    .values([("id", id.into()), ("header", header.into()), ("down_sql", down.into())])
                    .and_where(Expr::col(column("version")).eq(row.version))
                    .take();
                self.write(&update).await?;
            }
        }
        Ok(self.applied().await?)
    }

    /// Records an applied migration after all others.
    pub async fn remember(&mut self, revision: &Revision, last: i64, took: Duration) -> Result<Applied, sqlx::Error> {
        let name = revision.id.split_once('_').map_or("", |(_, name)| name);
        // the number, unless another branch has taken it
        let version = Ord::max(revision.number(), last + 1);
        let row = Applied {
            version,
            description: name.replace('_', " "),
            checksum: revision.checksum.clone(),
            id: Some(revision.id.clone()),
            header: Some(revision.header.to_string()),
            down: Some(revision.down.clone()),
        };
        let columns =
            ["version", "description", "success", "checksum", "execution_time", "id", "header", "down_sql"].map(column);
        let insert = Query::insert()
            .into_table(column(TABLE))
            .columns(columns)
            .values_panic([
                row.version.into(),
                row.description.clone().into(),
                true.into(),
                row.checksum.clone().into(),
                i64::try_from(took.as_nanos()).unwrap_or(i64::MAX).into(),
                row.id.clone().into(),
                row.header.clone().into(),
                row.down.clone().into(),
            ])
            .take();
        self.write(&insert).await?;
        Ok(row)
    }

    /// Deletes the record of a migration that was undone.
    pub async fn forget(&mut self, version: i64) -> Result<(), sqlx::Error> {
        let delete =
            Query::delete().from_table(column(TABLE)).and_where(Expr::col(column("version")).eq(version)).take();
        self.write(&delete).await
    }

    async fn write(&mut self, statement: &impl SqlxBinder) -> Result<(), sqlx::Error> {
        build!(self, statement, |connection, sql, values| async {
            sqlx::query_with(AssertSqlSafe(sql), values).execute(connection).await.map(drop)
        })
    }
}
