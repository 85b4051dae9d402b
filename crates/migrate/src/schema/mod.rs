//! The schema of a database, read into the same values that tables are declared with.

pub mod equal;
mod postgres;
mod sqlite;
pub mod text;

use anyhow::Context;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::Dialect;
use crate::tables::Table;
use crate::tables::create::create;

/// The tables and objects of a database, without the history of the migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Each table follows the tables that it refers to.
    pub tables: Vec<Table>,
    /// Everything but tables and indexes, sorted by kind and name.
    pub objects: Vec<Object>,
}

/// A trigger, a function, a virtual table, …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The kind as CREATE and DROP name it, such as `TRIGGER`.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The table that a trigger belongs to.
    pub table: Option<String>,
    /// The statement that creates the object.
    pub create: String,
}

impl Object {
    /// Reads the object that a CREATE statement creates. Returns `None` if it is no CREATE statement.
    pub fn of(create: &str) -> Option<Self> {
        let mut words =
            create.split(|c: char| c.is_whitespace() || c == '(').filter(|word| !word.is_empty()).peekable();
        words.next().filter(|word| word.eq_ignore_ascii_case("create"))?;
        let mut next = || words.next().map(str::to_ascii_uppercase);
        let mut kind = next()?;
        while ["OR", "REPLACE", "TEMP", "TEMPORARY", "CONSTRAINT"].contains(&kind.as_str()) {
            kind = next()?;
        }
        if ["VIRTUAL", "MATERIALIZED"].contains(&kind.as_str()) {
            kind = format!("{kind} {}", next()?);
        }
        if words.peek().is_some_and(|word| word.eq_ignore_ascii_case("if")) {
            words.by_ref().take(3).for_each(drop);
        }
        let plain = |word: &str| word.rsplit('.').next().unwrap_or(word).replace('"', "");
        let name = plain(words.next()?);
        let table = (kind == "TRIGGER").then(|| words.skip_while(|word| !word.eq_ignore_ascii_case("on")).nth(1));
        Some(Self { kind, name, table: table.flatten().map(plain), create: create.trim_end_matches(';').to_owned() })
    }

    /// Returns the statement for comparison: without extra white space and the quotes that a rename adds.
    pub fn meaning(&self) -> String {
        self.create.replace('"', "").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Returns whether the object is a search index whose content is stored in another table.
    pub fn follows(&self) -> bool {
        let text: String = self.create.split_whitespace().collect();
        self.kind == "VIRTUAL TABLE" && text.contains("content='") && !text.contains("content=''")
    }

    /// Returns whether the object is a trigger of the table, or a trigger or view that names it.
    pub fn concerns(&self, table: &str) -> bool {
        let may = ["TRIGGER", "VIEW"].contains(&self.kind.as_str());
        may && (self.table.as_deref() == Some(table) || text::mentions(&self.create, table))
    }
}

impl Schema {
    /// Returns the schema that the declared tables have on one database, with the SQL as the code spells it.
    pub fn declared(tables: &[Table], dialect: Dialect) -> Self {
        let mut objects: Vec<_> = tables.iter().flat_map(|table| &table.own).collect();
        objects.retain(|own| own.dialect == dialect);
        let objects = objects.iter().filter_map(|own| Object::of(&own.create)).collect();
        let mut tables = tables.to_vec();
        for table in &mut tables {
            table.indexes.retain(|index| index.only.is_none_or(|only| only == dialect));
            table.own.clear();
        }
        Self { tables, objects }
    }

    /// Finds a table by name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// Sorts everything whose order has no meaning.
    fn sorted(mut self) -> Self {
        self.tables.sort_by(|one, other| one.name.cmp(&other.name));
        for table in &mut self.tables {
            table.uniques.sort_by(|one, other| one.name.cmp(&other.name));
            table.foreign_keys.sort_by(|one, other| one.name.cmp(&other.name));
            table.checks.sort_by(|one, other| one.name.cmp(&other.name));
            table.indexes.sort_by(|one, other| one.name.cmp(&other.name));
        }
        // triggers call functions and write into virtual tables
        let place = |object: &Object| (object.kind == "TRIGGER", object.kind.clone(), object.name.clone());
        self.objects.sort_by_key(place);
        let mut ordered: Vec<Table> = vec![];
        while !self.tables.is_empty() {
            let ready = |table: &Table| {
                let there = |name: &String| *name == table.name || ordered.iter().any(|table| table.name == *name);
                table.foreign_keys.iter().all(|key| there(&key.table))
            };
            // of those that refer to each other, or to none that is there, the first
            let next = self.tables.iter().position(ready).unwrap_or_default();
            ordered.push(self.tables.remove(next));
        }
        Self { tables: ordered, ..self }
    }

    /// Replaces the database's spelling of SQL by that of the code where both mean the same. `declared` and `built` are
    /// the same tables: as the code declares them, and as the database reports them.
    pub fn in_the_words_of(mut self, declared: &Self, built: &Self) -> Self {
        for table in &mut self.tables {
            let (Some(written), Some(told)) = (declared.table(&table.name), built.table(&table.name)) else { continue };
            for column in &mut table.columns {
                let same = told.columns.iter().find(|other| *other == column);
                let same = same.and_then(|same| written.columns.iter().find(|other| other.name == same.name));
                if let Some(same) = same {
                    *column = same.clone();
                }
            }
            for check in &mut table.checks {
                let same = told.checks.iter().find(|other| other.expression == check.expression);
                let same = same.and_then(|same| written.checks.iter().find(|other| other.name == same.name));
                if let Some(same) = same {
                    check.expression.clone_from(&same.expression);
                }
            }
            for index in &mut table.indexes {
                let mut same = told.indexes.clone();
                same.iter_mut().for_each(|other| other.name.clone_from(&index.name));
                let same = same.iter().position(|other| other == index).map(|at| &told.indexes[at].name);
                let same = same.and_then(|same| written.indexes.iter().find(|other| other.name == *same));
                if let Some(same) = same {
                    *index = crate::tables::table::Index { name: index.name.clone(), ..same.clone() };
                }
            }
        }
        for object in &mut self.objects {
            let is = |other: &&Object| (&other.kind, &other.name) == (&object.kind, &object.name);
            let told = built.objects.iter().find(is).filter(|told| told.meaning() == object.meaning());
            if let Some(written) = told.and_then(|_| declared.objects.iter().find(is)) {
                *object = written.clone();
            }
        }
        self
    }
}

/// Reads the schema of a database.
///
/// # Errors
/// The database does not answer, or contains something that [`Table`] cannot express.
pub async fn read(url: &str) -> anyhow::Result<Schema> {
    Ok(match Dialect::of(url) {
        Dialect::Sqlite => {
            let mut connection = SqliteConnection::connect(url).await?;
            let schema = sqlite::read(&mut connection).await?;
            connection.close().await?;
            schema
        }
        Dialect::Postgres => {
            let mut connection = PgConnection::connect(url).await?;
            let schema = postgres::read(&mut connection).await?;
            connection.close().await?;
            schema
        }
    })
}

/// Creates the declared tables in a database of the same kind and reads them back: in memory for SQLite, in a schema
/// that is rolled back for PostgreSQL.
///
/// # Errors
/// The database does not answer, or rejects a declared table.
pub async fn built(tables: &[Table], url: &str) -> anyhow::Result<Schema> {
    match Dialect::of(url) {
        Dialect::Sqlite => {
            let mut connection = SqliteConnection::connect("sqlite::memory:").await?;
            for statement in tables.iter().flat_map(|table| create(table, Dialect::Sqlite)) {
                let done = sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut connection).await;
                done.with_context(|| refused(&statement))?;
            }
            sqlite::read(&mut connection).await
        }
        Dialect::Postgres => {
            let mut connection = PgConnection::connect(url).await.context("PostgreSQL does not answer")?;
            let mut transaction = connection.begin().await?;
            let own = "CREATE SCHEMA accord_declared; SET LOCAL search_path = accord_declared, public";
            sqlx::raw_sql(own).execute(&mut *transaction).await?;
            for statement in tables.iter().flat_map(|table| create(table, Dialect::Postgres)) {
                let done = sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut *transaction).await;
                done.with_context(|| refused(&statement))?;
            }
            let schema = postgres::read(&mut transaction).await?;
            transaction.rollback().await?;
            connection.close().await?;
            Ok(schema)
        }
    }
}

fn refused(statement: &str) -> String {
    format!("the code declares what the database refuses:\n{statement}")
}
