//! A lint for migrations of a database that is in use: it finds locks, table rewrites and losses, like squawk and
//! diesel-guard.
//!
//! A destructive statement needs `-- destructive: why` in the header; a statement that locks or rewrites a table that
//! is in use needs `-- locks: why`. The other rules allow no exception. Tables that the migration itself creates are
//! not in use.

mod parsed;
mod rules;

use std::collections::BTreeSet;

use sqlparser::ast::AlterTableOperation;

use self::parsed::Parsed;
use self::rules::{Needs, RULES, Rule};
use crate::Dialect;
use crate::migrations::header::Header;
use crate::migrations::{Revision, Set, script};
use crate::tables::Table;

/// Lints the migrations of one database. Returns one sentence for each finding, with file and line.
pub fn faults(set: &Set, dialect: Dialect) -> Vec<String> {
    set.revisions().iter().flat_map(|revision| of(revision, dialect)).collect()
}

/// Returns one sentence for each migration that has no statement on either database and merges no heads.
pub fn idle(sqlite: &Set, postgres: &Set) -> Vec<String> {
    let empty = |revision: &Revision, dialect| script::statements(&revision.up, dialect).is_empty();
    let idle = |revision: &&Revision| {
        let twin = postgres.find(&revision.id);
        revision.header.parents.len() < 2
            && empty(revision, Dialect::Sqlite)
            && twin.is_none_or(|twin| empty(twin, Dialect::Postgres))
    };
    sqlite
        .revisions()
        .iter()
        .filter(idle)
        .map(|revision| format!("migrations/*/{revision}.up.sql: does nothing"))
        .collect()
}

/// Returns one sentence for each column or table that a migration drops, no later one creates again, and the code still
/// declares: statements of the code read it.
pub fn still_read(set: &Set, declared: &[Table]) -> Vec<String> {
    let mut dropped: Vec<(Name, String)> = vec![];
    for revision in set.revisions() {
        for statement in script::statements(&revision.up, Dialect::Postgres) {
            let sql = Parsed::of(&statement.sql, Dialect::Postgres);
            for made in created(&sql) {
                dropped.retain(|(gone, _)| *gone != made && (made.1.is_some() || gone.0 != made.0));
            }
            let place = format!("{revision}.up.sql, line {}", revision.up_line + statement.line - 1);
            dropped.extend(removed(&sql).into_iter().map(|gone| (gone, place.clone())));
        }
    }
    let reads = |(table, column): &Name| {
        let table = declared.iter().find(|declared| declared.name == *table)?;
        match column {
            Some(column) => table.columns.iter().any(|c| c.name == *column).then(|| format!("{}.{column}", table.name)),
            None => Some(table.name.clone()),
        }
    };
    let fault = |(gone, place): &(Name, String)| {
        let name = reads(gone)?;
        Some(format!(
            "migrations/*/{place}: dropped-and-read: drops {name}, which the code declares: statements read it. Take it \
             out there in a release before this one"
        ))
    };
    dropped.iter().filter_map(fault).collect()
}

/// A table, or a column of it.
type Name = (String, Option<String>);

/// The tables and columns that a statement drops.
fn removed(sql: &Parsed) -> Vec<Name> {
    let mut names: Vec<Name> = sql.dropped_tables().into_iter().map(|table| (table, None)).collect();
    if let Some((table, operations)) = sql.alter_table() {
        for operation in operations {
            if let AlterTableOperation::DropColumn { column_names, .. } = operation {
                names.extend(column_names.iter().map(|column| (table.clone(), Some(column.value.to_lowercase()))));
            }
        }
    }
    names
}

/// The tables and columns that a statement creates.
fn created(sql: &Parsed) -> Vec<Name> {
    let mut names: Vec<Name> = sql.created_table().into_iter().map(|table| (table, None)).collect();
    if let Some((table, operations)) = sql.alter_table() {
        names.extend(operations.iter().filter_map(|operation| match operation {
            AlterTableOperation::AddColumn { column_def, .. } => {
                Some((table.clone(), Some(column_def.name.value.to_lowercase())))
            }
            AlterTableOperation::RenameColumn { new_column_name, .. } => {
                Some((table.clone(), Some(new_column_name.value.to_lowercase())))
            }
            _ => None,
        }));
    }
    names
}

/// A rule that a statement violates, and the line of the statement.
struct Found {
    line: usize,
    rule: &'static Rule,
}

fn of(revision: &Revision, dialect: Dialect) -> Vec<String> {
    let file = |end: &str| format!("migrations/{}/{revision}.{end}.sql", dialect.folder());
    let mut faults = vec![];
    let mut made = BTreeSet::new();
    let mut found = vec![];
    let statements = script::statements(&revision.up, dialect);
    let parsed: Vec<_> = statements.iter().map(|statement| Parsed::of(&statement.sql, dialect)).collect();
    let rebuilt: BTreeSet<String> = parsed.iter().filter_map(Parsed::renamed_table).collect();
    for (statement, sql) in statements.iter().zip(&parsed) {
        made.extend(sql.created_table());
        let line = revision.up_line + statement.line - 1;
        // a table that this migration creates is not in use; SQLite rebuilds a table under its own name
        let is_in_use = |table: &String| !made.contains(table) && !rebuilt.contains(table);
        for rule in RULES.iter().filter(|rule| rule.dialects.contains(&dialect)) {
            if (rule.find)(sql).iter().any(is_in_use) {
                found.push(Found { line, rule });
            }
        }
        let ends = sql.has("WHERE") && sql.begins_with(&["INSERT", "UPDATE", "DELETE", "WITH"]);
        if statement.repeat && !ends {
            let says = "never ends: repeat an INSERT, UPDATE or DELETE whose WHERE no longer finds what it has changed";
            faults.push(format!("{}, line {line}: repeat: {says}", file("up")));
        }
        if let Some(item) = sql.unnamed_constraint() {
            faults.push(format!("{}, line {line}: `{item}` has no name: CONSTRAINT name …", file("up")));
        }
    }
    for (index, comment) in revision.up.lines().enumerate() {
        if is_like_repeat(comment) && comment.trim() != script::REPEAT {
            let line = revision.up_line + index;
            faults.push(format!("{}, line {line}: what is repeated is written `{}`", file("up"), script::REPEAT));
        }
    }
    faults.extend(
        found
            .iter()
            .filter(|found| found.rule.needs == Needs::Never)
            .map(|Found { line, rule }| format!("{}, line {line}: {}: {}", file("up"), rule.name, rule.says)),
    );
    let Header { destructive, locks, .. } = &revision.header;
    for (needs, key, given) in [(Needs::Destructive, "destructive", destructive), (Needs::Locks, "locks", locks)] {
        let of_kind: Vec<_> = found.iter().filter(|found| found.rule.needs == needs).collect();
        if given.is_none() {
            faults.extend(of_kind.iter().map(|Found { line, rule }| {
                format!(
                    "{}, line {line}: {}: {}. If that is meant, say why in the header: `-- {key}: …`",
                    file("up"),
                    rule.name,
                    rule.says
                )
            }));
        // of `destructive` no rule can tell: other rows, or fewer words, may mean as much to servers
        } else if needs == Needs::Locks && of_kind.is_empty() && dialect == Dialect::Postgres {
            faults.push(format!("{}: `-- {key}:` is said of nothing", file("up")));
        }
    }
    let (down, sql) = Header::split(&revision.down).unwrap_or_default();
    let back = script::statements(sql, dialect);
    for statement in &back {
        let sql_of_step = Parsed::of(&statement.sql, dialect);
        // the rest is about servers that are in use, and who goes back has stopped them
        for rule in RULES.iter().filter(|rule| ["transaction", "concurrently"].contains(&rule.name)) {
            if rule.dialects.contains(&dialect) && !(rule.find)(&sql_of_step).is_empty() {
                let line = revision.down[..revision.down.len() - sql.len()].matches('\n').count() + statement.line;
                faults.push(format!("{}, line {line}: {}: {}", file("down"), rule.name, rule.says));
            }
        }
    }
    let nothing = back.is_empty() && !statements.is_empty();
    match (nothing, down.irreversible.is_some() || down.nothing_to_undo.is_some()) {
        (true, false) => faults.push(format!(
            "{}: leads back to nothing: undo it, or say `-- irreversible: why`, or `-- nothing to undo: why`",
            file("down")
        )),
        (false, true) => faults.push(format!("{}: does something, and says that it does not", file("down"))),
        _ => {}
    }
    faults
}

/// Returns whether a line is a comment that begins with the word `repeat`, in whatever case.
fn is_like_repeat(line: &str) -> bool {
    let comment = line.trim_start().strip_prefix("--").map(str::trim_start).unwrap_or_default();
    let word = comment.split(|letter: char| !letter.is_alphanumeric()).next();
    word.is_some_and(|word| word.eq_ignore_ascii_case("repeat"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::declare::{bigint, key};

    fn lint(dialect: Dialect, marks: &str, up: &str, down: &str) -> Vec<String> {
        let header = "-- parent: base\n-- message: m\n-- created: d\n";
        let files =
            [("0001_a.up.sql", format!("{header}{marks}\n{up}")), ("0001_a.down.sql", format!("{header}\n{down}"))];
        let set = Set::of(files.map(|(name, text)| (name.to_owned(), text))).expect("a sound set");
        faults(&set, dialect)
    }

    fn rule(up: &str) -> String {
        let found = lint(Dialect::Postgres, "", up, "SELECT 1");
        assert!(found.len() < 2, "{found:?}");
        found.first().map_or(String::new(), |fault| fault.split(": ").nth(1).unwrap_or_default().to_owned())
    }

    #[test]
    fn each_rule_finds_its_statement_and_lets_its_cure_pass() {
        for (name, bad, good) in [
            ("drop-table", "DROP TABLE posts", "CREATE TABLE x (id BIGINT); DROP TABLE x"),
            (
                "drop-column",
                "ALTER TABLE posts DROP COLUMN title",
                "ALTER TABLE posts ALTER COLUMN title DROP NOT NULL",
            ),
            ("drop-column", "ALTER TABLE posts DROP title", "ALTER TABLE posts DROP CONSTRAINT title_check"),
            ("rename", "ALTER TABLE posts RENAME title TO headline", "ALTER TABLE posts RENAME CONSTRAINT a TO b"),
            ("rename", "ALTER TABLE posts RENAME COLUMN title TO headline", "ALTER INDEX a RENAME TO b"),
            ("rename", "ALTER TABLE posts RENAME TO articles", "ALTER TABLE posts RENAME CONSTRAINT a TO b"),
            ("delete-all", "DELETE FROM posts", "DELETE FROM posts WHERE id < 0"),
            (
                "not-null-without-default",
                "ALTER TABLE a ADD COLUMN b TEXT NOT NULL",
                "ALTER TABLE a ADD COLUMN b TEXT NOT NULL DEFAULT ''",
            ),
            (
                "volatile-default",
                "ALTER TABLE a ADD COLUMN b BIGINT DEFAULT random()",
                "ALTER TABLE a ADD COLUMN b TIMESTAMPTZ DEFAULT now()",
            ),
            ("change-type", "ALTER TABLE a ALTER COLUMN b TYPE BIGINT", "ALTER TABLE a ALTER COLUMN b DROP DEFAULT"),
            ("set-not-null", "ALTER TABLE a ALTER COLUMN b SET NOT NULL", "ALTER TABLE a ALTER COLUMN b SET DEFAULT 1"),
            (
                "validate-at-once",
                "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0)",
                "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0) NOT VALID",
            ),
            (
                "unique-at-once",
                "ALTER TABLE a ADD CONSTRAINT c UNIQUE (b)",
                "ALTER TABLE a ADD CONSTRAINT c UNIQUE USING INDEX d",
            ),
            ("index", "CREATE INDEX i ON a (b)", "CREATE TABLE a (b BIGINT);\nCREATE INDEX i ON a (b)"),
            ("index", "CREATE INDEX ON a (b)", "CREATE TABLE a (b BIGINT);\nCREATE INDEX ON a (b)"),
            ("update-all", "UPDATE a SET b = 1", "UPDATE a SET b = 1 WHERE b IS NULL"),
            ("concurrently", "DROP INDEX CONCURRENTLY i", "DROP INDEX i"),
            ("transaction", "BEGIN", "DO $$ BEGIN END $$"),
            ("if-exists", "CREATE TABLE IF NOT EXISTS a (b BIGINT)", "CREATE EXTENSION IF NOT EXISTS pg_trgm"),
            ("cascade", "DROP FUNCTION f CASCADE", "DROP FUNCTION f"),
            ("type", "CREATE TABLE a (b VARCHAR(9))", "CREATE TABLE a (b TEXT, c TIMESTAMPTZ NOT NULL)"),
            ("type", "CREATE TABLE a (b INT, c TEXT)", "CREATE TABLE a (\"int\" BIGINT)"),
        ] {
            assert_eq!(rule(bad), name, "{bad}");
            assert_eq!(rule(good), "", "{good}");
        }
    }

    #[test]
    fn comments_strings_and_quoted_names_are_no_keywords() {
        for good in [
            "SELECT 'DROP TABLE books; COMMIT' /* CASCADE */ -- IF EXISTS",
            "CREATE TABLE books (\"if\" TEXT, \"exists\" TEXT, note TEXT DEFAULT 'IF EXISTS')",
            "DO $$ BEGIN IF EXISTS (SELECT 1) THEN NULL; END IF; END $$",
            "ALTER TABLE a DROP CONSTRAINT b, ADD CONSTRAINT b FOREIGN KEY (c) REFERENCES d (id) ON DELETE CASCADE NOT VALID",
        ] {
            assert_eq!(rule(good), "", "{good}");
        }
        assert_eq!(rule("ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0) NOT VALID, DROP COLUMN d"), "drop-column");
        assert_eq!(rule("UPDATE a SET b = (SELECT max(c) FROM d WHERE e)"), "update-all");
        assert_eq!(rule("ALTER TABLE a ADD COLUMN b TEXT DEFAULT md5(random()::text)"), "volatile-default");
    }

    #[test]
    fn a_statement_that_cannot_be_parsed_needs_a_reason() {
        let sql = "ALTER TABLE a DO SOMETHING NEW";
        assert_eq!(rule(sql), "unknown");
        assert!(lint(Dialect::Postgres, "-- destructive: it does not\n", sql, "SELECT 1").is_empty());
        assert_eq!(rule("CREATE VIEW a AS SELECT 1"), "", "it locks no table");
    }

    #[test]
    fn a_mark_allows_what_it_is_about_and_nothing_else() {
        let drop = "-- destructive: nobody reads it";
        assert!(lint(Dialect::Postgres, &format!("{drop}\n"), "DROP TABLE a", "SELECT 1").is_empty());
        let wrong = lint(Dialect::Postgres, "-- locks: it is small\n", "DROP TABLE a", "SELECT 1");
        assert!(wrong[0].contains("If that is meant, say why in the header: `-- destructive: …`"), "{wrong:?}");
        assert!(wrong[1].ends_with("`-- locks:` is said of nothing"), "{wrong:?}");
        assert!(wrong[0].starts_with("migrations/postgres/0001_a.up.sql, line 6: drop-table: "), "{wrong:?}");
    }

    #[test]
    fn what_is_dropped_and_still_declared_is_named() {
        let declared = [
            Table::new("books", "Books.").column("id", key()).column("rating", bigint().null()),
            Table::new("loans", "Loans.").column("id", key()),
        ];
        let faults = |up: &str| {
            let header = "-- parent: base\n-- message: m\n-- created: d\n\n";
            let files = [("0001_a.up.sql", format!("{header}{up}")), ("0001_a.down.sql", header.to_owned())];
            let set = Set::of(files.map(|(name, text)| (name.to_owned(), text))).expect("a sound set");
            still_read(&set, &declared)
        };
        let found = faults("SELECT 1;\nALTER TABLE books DROP COLUMN rating;");
        assert!(found[0].contains("0001_a.up.sql, line 6: dropped-and-read: drops books.rating"), "{found:?}");
        assert!(faults("DROP TABLE loans;")[0].contains("drops loans, which"));
        let none = Vec::<String>::new();
        assert_eq!(faults("ALTER TABLE books DROP COLUMN nobody_declares;"), none);
        assert_eq!(faults("ALTER TABLE books DROP COLUMN rating; ALTER TABLE books ADD COLUMN rating BIGINT;"), none);
        assert_eq!(faults("CREATE TABLE new (a BIGINT); DROP TABLE loans; CREATE TABLE loans (a BIGINT);"), none);
    }

    #[test]
    fn only_what_ends_is_repeated_and_what_is_meant_so_is_spelled_so() {
        let repeated = |comment: &str, sql: &str| lint(Dialect::Sqlite, "", &format!("{comment}\n{sql}"), "SELECT 1");
        let update = "UPDATE a SET b = 1 WHERE b IS NULL";
        assert_eq!(repeated(script::REPEAT, update), Vec::<String>::new());
        for endless in ["UPDATE a SET b = 1", "CREATE TABLE a (b BIGINT)", "SELECT 1 WHERE true"] {
            let found = repeated(script::REPEAT, endless);
            assert!(found[0].starts_with("migrations/sqlite/0001_a.up.sql, line 6: repeat: "), "{found:?}");
        }
        for comment in ["-- Repeat until no row changes", "-- repeat until no rows change", "--repeat"] {
            let found = repeated(comment, update);
            assert!(found[0].starts_with("migrations/sqlite/0001_a.up.sql, line 5: "), "{found:?}");
            assert!(found[0].contains("is written `-- repeat until no row changes`"), "{found:?}");
        }
    }

    #[test]
    fn the_way_back_is_one_transaction_as_well() {
        let found = lint(Dialect::Postgres, "", "SELECT 1", "SELECT 2;\nCOMMIT");
        assert!(found[0].starts_with("migrations/postgres/0001_a.down.sql, line 6: transaction: "), "{found:?}");
    }

    #[test]
    fn a_table_that_sqlite_rebuilds_is_not_lost() {
        let rebuild = "CREATE TABLE a_new (id BIGINT);\nINSERT INTO a_new SELECT id FROM a;\nDROP TABLE a;\n\
            ALTER TABLE a_new RENAME TO a;\nCREATE INDEX i ON a (id);";
        assert_eq!(lint(Dialect::Sqlite, "", rebuild, "SELECT 1"), Vec::<String>::new());
        assert_eq!(lint(Dialect::Sqlite, "", "DROP TABLE a", "SELECT 1").len(), 1);
    }

    #[test]
    fn constraints_have_names_and_every_way_leads_back() {
        let nameless = |up: &str| lint(Dialect::Sqlite, "", up, "SELECT 1");
        for item in ["CHECK (b > 0)", "UNIQUE (b)", "FOREIGN KEY (b) REFERENCES c (id)", "PRIMARY KEY (b)"] {
            assert!(nameless(&format!("CREATE TABLE a (b BIGINT, {item})"))[0].contains("has no name"), "{item}");
            assert_eq!(nameless(&format!("CREATE TABLE a (b BIGINT, CONSTRAINT x {item})")), Vec::<String>::new());
        }
        assert!(nameless("ALTER TABLE a ADD COLUMN b BIGINT REFERENCES c (id)")[0].contains("has no name"));
        assert_eq!(nameless("CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT)"), Vec::<String>::new());
        let set = |up: &str| {
            let files = [("0001_a.up.sql", up), ("0001_a.down.sql", "SELECT 1")];
            let header = "-- parent: base\n-- message: m\n-- created: d\n\n";
            Set::of(files.map(|(name, sql)| (name.to_owned(), format!("{header}{sql}")))).expect("a sound set")
        };
        assert_eq!(idle(&set(""), &set("-- Nothing.")), ["migrations/*/0001_a.up.sql: does nothing"]);
        assert_eq!(idle(&set(""), &set("SELECT 1")), Vec::<String>::new());
        assert!(lint(Dialect::Sqlite, "", "SELECT 1", "")[0].contains("leads back to nothing"));
    }
}
