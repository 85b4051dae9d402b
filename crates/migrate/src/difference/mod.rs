//! The difference between the declared tables and a migrated database: as sentences, or as the scripts of a migration.

pub mod change;
pub mod rename;
mod sql;

use std::collections::BTreeSet;

use self::change::{Change, Part, difference as changes};
use self::rename::{Rename, rename};
use self::sql::{Script, needs_filling, script};
use crate::Dialect;
use crate::schema::{Schema, built, equal, read};
use crate::tables::Table;
use crate::tables::table::Column;

/// The decisions that a developer makes: a rename and a drop with an addition look the same in the schema.
#[derive(Debug, Clone, Default)]
pub struct Decisions {
    /// Renames of columns and tables, old name first: `books.title=books.name` or `tags=labels`.
    pub renames: Vec<String>,
    /// Columns and tables to drop although a similar one is added: `books.title` or `tags`.
    pub drops: Vec<String>,
}

/// The result of a comparison.
#[derive(Debug)]
pub enum Outcome {
    /// The database has the declared tables.
    NoChange,
    /// Decisions are missing. Each sentence says how to make one.
    Ask(Vec<String>),
    /// Existing rows would violate the change. Each sentence says what to do instead.
    Refused(Vec<String>),
    /// The scripts of the migration.
    Scripts(Scripts),
}

/// The scripts of a migration for one database.
#[derive(Debug)]
pub struct Scripts {
    /// The statements of the up file.
    pub up: String,
    /// The statements of the down file.
    pub down: String,
    /// One sentence for each change.
    pub changes: Vec<String>,
    /// One sentence for each loss of rows, values or names by the up file.
    pub destructive: Vec<String>,
}

/// Writes the scripts that change a migrated database into one with the declared tables.
///
/// # Errors
/// The database does not answer, contains something that [`Table`] cannot express, or rejects a declared table; or a
/// decision names a table or a column that does not exist.
pub async fn difference(declared: &[Table], url: &str, decisions: &Decisions) -> anyhow::Result<Outcome> {
    let dialect = Dialect::of(url);
    let to = Schema::declared(declared, dialect);
    let (mut told, live) = (built(declared, url).await?, read(url).await?);
    let renames = renames(&live, &to, decisions)?;

    // the words of the code also for what has another name yet
    let (back, mut written) = (Rename::back(&renames), to.clone());
    for one in &back {
        rename(&mut written, one, dialect);
        rename(&mut told, one, dialect);
    }
    let from = live.in_the_words_of(&written, &told);

    let mut renamed = from.clone();
    renames.iter().for_each(|one| rename(&mut renamed, one, dialect));
    let found = changes(&renamed, &to);
    if found.is_empty() && renames.is_empty() {
        return Ok(Outcome::NoChange);
    }
    let questions = questions(&renamed, &to, &found, &decisions.drops);
    if !questions.is_empty() {
        return Ok(Outcome::Ask(questions));
    }
    let refused: Vec<_> = found.iter().filter_map(refused).collect();
    if !refused.is_empty() {
        return Ok(Outcome::Refused(refused));
    }
    let Script { sql: up, changes, destructive, mut own_lines } =
        script(dialect, &from, &to, &renames, &BTreeSet::new());
    for one in &back {
        if let Rename::Table { from, to } = one {
            let other = |(table, column)| (if table == *from { to.clone() } else { table }, column);
            own_lines = own_lines.into_iter().map(other).collect();
        }
    }
    let down = script(dialect, &to, &from, &back, &own_lines).sql;
    Ok(Outcome::Scripts(Scripts { up, down, changes, destructive }))
}

/// Returns one sentence for each difference between a migrated database and the declared tables. Each names
/// `table.column`.
///
/// # Errors
/// As [`difference`].
pub async fn faults(declared: &[Table], url: &str) -> anyhow::Result<Vec<String>> {
    let to = Schema::declared(declared, Dialect::of(url));
    let from = read(url).await?.in_the_words_of(&to, &built(declared, url).await?);
    Ok(changes(&from, &to).iter().map(|change| change.sentence(&from, &to)).collect())
}

/// Returns one sentence for each difference in meaning between the two databases. Indexes that are declared for one
/// database only are no difference.
pub fn unequal(declared: &[Table], sqlite: &Schema, postgres: &Schema) -> Vec<String> {
    let only = declared.iter().flat_map(|table| &table.indexes).filter(|index| index.only.is_some());
    equal::unequal(sqlite, postgres, &only.map(|index| index.name.clone()).collect::<Vec<_>>())
}

/// The renames that are asked for, those of tables first.
fn renames(from: &Schema, to: &Schema, decisions: &Decisions) -> anyhow::Result<Vec<Rename>> {
    let (mut tables, mut columns) = (vec![], vec![]);
    for text in &decisions.renames {
        let form = "say `--rename books.title=books.name` or `--rename tags=labels`";
        let (old, new) = text.split_once('=').ok_or_else(|| anyhow::anyhow!("`--rename {text}`: {form}"))?;
        match (old.split_once('.'), new.split_once('.')) {
            (None, None) => {
                anyhow::ensure!(from.table(old).is_some(), "`--rename {text}`: the database has no table {old}");
                anyhow::ensure!(from.table(new).is_none(), "`--rename {text}`: the database has a table {new} already");
                anyhow::ensure!(to.table(new).is_some(), "`--rename {text}`: the code declares no table {new}");
                anyhow::ensure!(to.table(old).is_none(), "`--rename {text}`: the code declares {old} as well");
                tables.push(Rename::Table { from: old.into(), to: new.into() });
            }
            (Some((_, old)), Some((table, new))) => {
                let is = |table: Option<&Table>, name: &str| table.is_some_and(|table| has(table, name).is_some());
                anyhow::ensure!(is(to.table(table), new), "`--rename {text}`: the code declares no {table}.{new}");
                let both = is(to.table(table), old);
                anyhow::ensure!(!both, "`--rename {text}`: the code declares {table}.{old} as well");
                columns.push((text, Rename::Column { table: table.into(), from: old.into(), to: new.into() }));
            }
            _ => anyhow::bail!("`--rename {text}`: {form}"),
        }
    }
    let before = |name: &String| {
        let before = tables.iter().find_map(|one| match one {
            Rename::Table { from, to } if to == name => Some(from),
            _ => None,
        });
        before.unwrap_or(name).clone()
    };
    for (text, column) in &columns {
        if let Rename::Column { table, from: old, .. } = column {
            let table = before(table);
            let there = from.table(&table).is_some_and(|table| has(table, old).is_some());
            anyhow::ensure!(there, "`--rename {text}`: the database has no {table}.{old}");
        }
    }
    for drop in &decisions.drops {
        let is_in = |schema: &Schema| match drop.split_once('.') {
            Some((table, column)) => schema.table(table).is_some_and(|table| has(table, column).is_some()),
            None => schema.table(drop).is_some(),
        };
        anyhow::ensure!(is_in(from), "`--drop {drop}`: the database has no {drop}");
        anyhow::ensure!(!is_in(to), "`--drop {drop}`: the code declares it");
    }
    tables.extend(columns.into_iter().map(|(_, column)| column));
    Ok(tables)
}

fn has<'t>(table: &'t Table, column: &str) -> Option<&'t Column> {
    table.columns.iter().find(|other| other.name == column)
}

/// What goes while something like it comes.
fn questions(from: &Schema, to: &Schema, found: &[Change], drops: &[String]) -> Vec<String> {
    let mut questions = vec![];
    for change in found {
        let likely: Vec<(String, String)> = match (&change.from, &change.to) {
            (Some(Part::Table(gone)), None) => {
                let new = to.tables.iter().filter(|table| from.table(&table.name).is_none() && alike(gone, table));
                new.map(|table| (gone.name.clone(), table.name.clone())).collect()
            }
            (Some(Part::Column(gone)), None) => {
                let (Some(old), Some(new)) = (from.table(&change.table), to.table(&change.table)) else { continue };
                let new = new.columns.iter().filter(|column| has(old, &column.name).is_none());
                let new = new.filter(|column| (&column.kind, column.identity) == (&gone.kind, gone.identity));
                let full = |name: &str| format!("{}.{name}", change.table);
                new.map(|column| (full(&gone.name), full(&column.name))).collect()
            }
            _ => continue,
        };
        let Some((gone, _)) = likely.first().filter(|(gone, _)| !drops.contains(gone)) else { continue };
        let new: Vec<_> = likely.iter().map(|(_, new)| new.as_str()).collect();
        let renames: Vec<_> = new.iter().map(|new| format!("`--rename {gone}={new}`")).collect();
        questions.push(format!(
            "{gone} goes and {} comes: say {} to keep what it has, or `--drop {gone}` to lose it",
            new.join(" or "),
            renames.join(" or "),
        ));
    }
    questions
}

/// More than half of the columns of either are in both.
fn alike(one: &Table, other: &Table) -> bool {
    let same =
        one.columns.iter().filter(|column| has(other, &column.name).is_some_and(|o| o.kind == column.kind)).count();
    same * 2 > one.columns.len().max(other.columns.len())
}

fn refused(change: &Change) -> Option<String> {
    match (&change.from, &change.to) {
        (None, Some(Part::Column(column))) if needs_filling(column) => Some(format!(
            "{}.{}: the rows that are there would have nothing in it, and it allows no null: declare it with `.null()` or \
             `.default(…)`; or in steps: add it with `.null()`, fill it in a migration of its own, then take `.null()` away",
            change.table, column.name
        )),
        _ => None,
    }
}
