//! What is only in the text of a statement: SQLite's constraints and their names, and what indexes are over.

use anyhow::{Context, bail, ensure};
use sqlparser::ast::{
    BinaryOperator, ColumnOption, CreateIndex, CreateTable, Expr, ForeignKeyConstraint, Ident, IndexColumn, ObjectName,
    ReferentialAction, Statement, TableConstraint, Value,
};
use sqlparser::dialect::{Dialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;

use crate::tables::Table;
use crate::tables::table::{Action, Check, Column, ForeignKey, Index, Key};

/// The table that a statement of SQLite makes.
pub fn table(sql: &str) -> anyhow::Result<Table> {
    let Statement::CreateTable(parsed) = one(&SQLiteDialect {}, sql)? else { bail!("makes no table: {sql}") };
    let CreateTable { name, columns, constraints, without_rowid, strict, .. } = parsed;
    ensure!(!without_rowid && !strict, "the declared tables know neither STRICT nor WITHOUT ROWID: {sql}");
    let mut table = Table::new(&plain(&name), "");
    for parsed in columns {
        let mut column = Column {
            name: parsed.name.value,
            kind: parsed.data_type.to_string().to_ascii_uppercase(),
            identity: false,
            null: true,
            default: None,
        };
        let own = || vec![column.name.clone()];
        let (mut extra, mut counted) = (String::new(), false);
        let mut keys = vec![];
        for option in parsed.options {
            let called = option.name.map(|name| name.value).unwrap_or_default();
            match option.option {
                ColumnOption::Null => {}
                ColumnOption::NotNull => column.null = false,
                ColumnOption::Default(default) => column.default = Some(literal(default.to_string())),
                ColumnOption::PrimaryKey(_) => keys.push(TableKey::Primary(Key { name: called, columns: own() })),
                ColumnOption::Unique(_) => keys.push(TableKey::Unique(Key { name: called, columns: own() })),
                ColumnOption::ForeignKey(key) => table.foreign_keys.push(foreign_key(called, own(), key)),
                ColumnOption::Check(check) => {
                    table.checks.push(Check { name: called, expression: check.expr.to_string() });
                }
                ColumnOption::DialectSpecific(tokens) => {
                    counted = tokens.iter().any(|token| token.to_string().eq_ignore_ascii_case("AUTOINCREMENT"));
                }
                // what the declared tables do not know makes the type another
                other => extra.push_str(&format!(" {other}")),
            }
        }
        column.kind.push_str(&extra);
        for key in keys {
            match key {
                TableKey::Primary(key) => table.primary_key = Some(key),
                TableKey::Unique(key) => table.uniques.push(key),
            }
        }
        if counted && column.kind == "INTEGER" {
            // 64 bits, as everywhere in SQLite; and it has the name that PostgreSQL gives it
            column = Column { kind: "BIGINT".into(), identity: true, null: false, ..column };
            table.primary_key = Some(Key { name: format!("{}_pkey", table.name), columns: vec![column.name.clone()] });
        }
        table.columns.push(column);
    }
    let called = |name: Option<Ident>| name.map(|name| name.value).unwrap_or_default();
    for constraint in constraints {
        match constraint {
            TableConstraint::PrimaryKey(key) => {
                table.primary_key = Some(Key { name: called(key.name), columns: columns_of(&key.columns) });
            }
            TableConstraint::Unique(key) => {
                table.uniques.push(Key { name: called(key.name), columns: columns_of(&key.columns) });
            }
            TableConstraint::ForeignKey(key) => {
                let columns = key.columns.iter().map(|column| column.value.clone()).collect();
                table.foreign_keys.push(foreign_key(called(key.name.clone()), columns, key));
            }
            TableConstraint::Check(check) => {
                table.checks.push(Check { name: called(check.name), expression: check.expr.to_string() });
            }
            other => bail!("the declared tables know no `{other}`: {sql}"),
        }
    }
    Ok(table)
}

enum TableKey {
    Primary(Key),
    Unique(Key),
}

/// The index that a statement makes.
pub fn index(sql: &str) -> anyhow::Result<Index> {
    let Statement::CreateIndex(parsed) = one(&PostgreSqlDialect {}, sql)? else { bail!("makes no index: {sql}") };
    let CreateIndex { name, using, columns, unique, include, nulls_distinct, with, predicate, .. } = parsed;
    let known = include.is_empty() && nulls_distinct.is_none() && with.is_empty();
    ensure!(known, "the declared tables know neither INCLUDE nor NULLS DISTINCT nor WITH: {sql}");
    let method = using.map(|using| using.to_string().to_ascii_lowercase()).filter(|method| method != "btree");
    Ok(Index {
        name: plain(&name.context("an index without a name")?),
        columns: columns_of(&columns),
        unique,
        condition: predicate.map(|sql| unnested(&sql).to_string()),
        method,
        only: None,
    })
}

/// `TRUE` and `FALSE` as they are written, whoever tells them.
pub fn literal(sql: String) -> String {
    if ["true", "false"].contains(&sql.as_str()) { sql.to_uppercase() } else { sql }
}

/// A condition as one would write it: without the parentheses around it, and with `IN` and `BETWEEN`, which PostgreSQL
/// keeps as `= ANY` and as two comparisons.
pub fn condition(sql: &str) -> String {
    let Ok(parsed) = expression(sql) else { return sql.to_owned() };
    if let Some((column, words)) = in_words(&parsed) {
        return crate::tables::table::one_of(&column, &words);
    }
    let compared = |side: &Expr, wanted: BinaryOperator| match unnested(side) {
        Expr::BinaryOp { left, op, right } if *op == wanted => Some((left.to_string(), unnested(right).to_string())),
        _ => None,
    };
    match unnested(&parsed) {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let ends = compared(left, BinaryOperator::GtEq).zip(compared(right, BinaryOperator::LtEq));
            match ends.filter(|((one, _), (other, _))| one == other) {
                Some(((value, low), (_, high))) => format!("{value} BETWEEN {low} AND {high}"),
                None => unnested(&parsed).to_string(),
            }
        }
        other => other.to_string(),
    }
}

/// The column and its words, if the condition is that it is one of some.
pub fn words(condition: &str) -> Option<(String, Vec<String>)> {
    in_words(&expression(condition).ok()?)
}

/// Whether the text names it, otherwise than in a string.
pub fn mentions(sql: &str, name: &str) -> bool {
    renamed(sql, name, "\0") != sql
}

/// The text with another name where the old one stands, otherwise than in a string.
pub fn renamed(sql: &str, old: &str, new: &str) -> String {
    let (mut result, mut word, mut quoted) = (String::new(), String::new(), false);
    let flush = |word: &mut String, result: &mut String| {
        result.push_str(if word == old { new } else { word });
        word.clear();
    };
    for c in sql.chars() {
        if !quoted && (c.is_alphanumeric() || c == '_') {
            word.push(c);
            continue;
        }
        flush(&mut word, &mut result);
        quoted ^= c == '\'';
        result.push(c);
    }
    flush(&mut word, &mut result);
    result
}

fn one(dialect: &dyn Dialect, sql: &str) -> anyhow::Result<Statement> {
    let mut statements = Parser::parse_sql(dialect, sql).with_context(|| format!("cannot be read: {sql}"))?;
    statements.pop().filter(|_| statements.is_empty()).with_context(|| format!("is not one statement: {sql}"))
}

fn expression(sql: &str) -> anyhow::Result<Expr> {
    Ok(Parser::new(&PostgreSqlDialect {}).try_with_sql(sql)?.parse_expr()?)
}

fn in_words(condition: &Expr) -> Option<(String, Vec<String>)> {
    let (column, list) = match unnested(condition) {
        Expr::InList { expr, list, negated: false } => (expr, list.iter().collect()),
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => match unnested(right) {
            Expr::Array(array) => (left, array.elem.iter().collect()),
            _ => return None,
        },
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => (left, vec![&**right]),
        _ => return None,
    };
    let Expr::Identifier(column) = unnested(column) else { return None };
    let word = |word: &Expr| match unnested(word) {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(word) => Some(word.clone()),
            _ => None,
        },
        _ => None,
    };
    Some((column.value.clone(), list.into_iter().map(word).collect::<Option<_>>()?))
}

/// Without parentheses and casts around it.
fn unnested(expression: &Expr) -> &Expr {
    match expression {
        Expr::Nested(inner) => unnested(inner),
        Expr::Cast { expr, .. } if matches!(**expr, Expr::Value(_)) => unnested(expr),
        other => other,
    }
}

fn columns_of(columns: &[IndexColumn]) -> Vec<String> {
    let column = |column: &IndexColumn| match (&column.column.expr, &column.operator_class) {
        (Expr::Identifier(name), None) if column.column.options == Default::default() => name.value.clone(),
        _ => column.to_string(),
    };
    columns.iter().map(column).collect()
}

fn foreign_key(name: String, columns: Vec<String>, key: ForeignKeyConstraint) -> ForeignKey {
    ForeignKey {
        name,
        columns,
        table: plain(&key.foreign_table),
        referred: key.referred_columns.into_iter().map(|column| column.value).collect(),
        on_delete: action(key.on_delete),
        on_update: action(key.on_update),
    }
}

fn action(action: Option<ReferentialAction>) -> Action {
    match action {
        None | Some(ReferentialAction::NoAction) => Action::NoAction,
        Some(ReferentialAction::Restrict) => Action::Restrict,
        Some(ReferentialAction::Cascade) => Action::Cascade,
        Some(ReferentialAction::SetNull) => Action::SetNull,
        Some(ReferentialAction::SetDefault) => Action::SetDefault,
    }
}

/// The last name, without the schema and the quotes.
fn plain(name: &ObjectName) -> String {
    let last = name.0.last().and_then(|part| part.as_ident());
    last.map_or_else(|| name.to_string(), |name| name.value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_back_as_they_were_written() {
        for (told, written) in [
            ("role = ANY (ARRAY['admin'::text, 'staff'::text])", "role IN ('admin', 'staff')"),
            ("role = 'admin'::text", "role IN ('admin')"),
            ("rating >= 1 AND rating <= 5", "rating BETWEEN 1 AND 5"),
            ("(rating >= 1 AND votes <= 5)", "rating >= 1 AND votes <= 5"),
            ("(user_id IS NULL) <> (group_id IS NULL)", "(user_id IS NULL) <> (group_id IS NULL)"),
        ] {
            assert_eq!(condition(told), written);
        }
        assert_eq!(words("word IN ('it''s')").expect("words").1, ["it's"]);
        assert_eq!(words("rating BETWEEN 1 AND 5"), None);
        assert_eq!(words("role NOT IN ('admin')"), None);
    }

    #[test]
    fn a_name_is_another_only_where_it_stands_for_itself() {
        let sql = "UPDATE \"posts\" SET posts_id = new.posts WHERE word = 'posts' AND posts.id = 1";
        let other = "UPDATE \"articles\" SET posts_id = new.articles WHERE word = 'posts' AND articles.id = 1";
        assert_eq!(renamed(sql, "posts", "articles"), other);
        assert!(mentions(sql, "posts_id") && !mentions(sql, "post"));
    }

    #[test]
    fn a_table_of_sqlite_is_read_whole() {
        let read = table(
            "CREATE TABLE \"tasks\" (\n id INTEGER PRIMARY KEY AUTOINCREMENT, -- counted\n name TEXT COLLATE NOCASE NOT NULL, \
             due BIGINT CONSTRAINT tasks_due_check CHECK (due > 0) CONSTRAINT tasks_due_fkey REFERENCES days (id) ON DELETE SET NULL, \
             key TEXT DEFAULT 'none', CONSTRAINT tasks_key_key UNIQUE (key), FOREIGN KEY (key) REFERENCES keys (key))",
        )
        .expect("a table");
        let columns: Vec<_> = read.columns.iter().map(|c| (c.name.as_str(), c.kind.as_str(), c.null)).collect();
        assert_eq!(
            columns,
            [
                ("id", "BIGINT", false),
                ("name", "TEXT COLLATE NOCASE", false),
                ("due", "BIGINT", true),
                ("key", "TEXT", true)
            ]
        );
        assert_eq!(read.columns[3].default.as_deref(), Some("'none'"));
        assert_eq!(read.primary_key.expect("counted").name, "tasks_pkey");
        assert_eq!(read.uniques[0].name, "tasks_key_key");
        assert_eq!((read.checks[0].name.as_str(), read.checks[0].expression.as_str()), ("tasks_due_check", "due > 0"));
        let keys: Vec<_> = read.foreign_keys.iter().map(|key| (key.name.as_str(), key.on_delete)).collect();
        assert_eq!(keys, [("tasks_due_fkey", Action::SetNull), ("", Action::NoAction)]);
    }

    #[test]
    fn an_index_is_read_whole() {
        let told = "CREATE UNIQUE INDEX grants_user_key ON public.grants USING btree (user_id, COALESCE(object_id, 0::bigint)) WHERE user_id IS NOT NULL";
        let read = index(told).expect("an index");
        assert_eq!(read.columns, ["user_id", "COALESCE(object_id, 0::BIGINT)"]);
        assert_eq!((read.unique, read.condition.as_deref(), read.method), (true, Some("user_id IS NOT NULL"), None));
        let read = index("CREATE INDEX i ON posts USING gin (search_text gin_trgm_ops, id DESC)").expect("an index");
        assert_eq!(read.columns, ["search_text gin_trgm_ops", "id DESC"]);
        assert_eq!(read.method.as_deref(), Some("gin"));
    }
}
