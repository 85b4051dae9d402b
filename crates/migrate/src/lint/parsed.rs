//! A statement as the lint sees it: its tokens, and its syntax tree.

use sqlparser::ast::{
    AlterTableOperation, ColumnOption, ColumnOptionDef, FromTable, ObjectName, Statement, TableConstraint, TableFactor,
    TableWithJoins,
};
use sqlparser::dialect::{Dialect as Grammar, PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::Dialect;

/// A statement of a migration.
pub struct Parsed {
    /// The tokens, without white space and comments: keywords and plain names in upper case, `''` for a string of any
    /// kind, names in double quotes as they are.
    pub words: Vec<String>,
    /// The syntax tree; `None` if sqlparser does not know the statement.
    pub tree: Option<Statement>,
}

impl Parsed {
    /// Parses one statement.
    pub fn of(sql: &str, dialect: Dialect) -> Self {
        let grammar: &dyn Grammar = match dialect {
            Dialect::Sqlite => &SQLiteDialect {},
            Dialect::Postgres => &PostgreSqlDialect {},
        };
        let tokens = Tokenizer::new(grammar, sql).tokenize().unwrap_or_default();
        let tree = Parser::parse_sql(grammar, sql).ok().and_then(|mut statements| statements.pop());
        Self { words: tokens.iter().filter_map(word).collect(), tree }
    }

    /// Returns whether the statement begins with one of these texts, each a list of words.
    pub fn begins_with(&self, beginnings: &[&str]) -> bool {
        beginnings.iter().any(|beginning| {
            let mut words = self.words.iter();
            beginning.split(' ').all(|word| words.next().is_some_and(|next| next == word))
        })
    }

    /// Returns whether a keyword stands anywhere in the statement.
    pub fn has(&self, keyword: &str) -> bool {
        self.words.iter().any(|word| word == keyword)
    }

    /// Returns whether these words follow each other anywhere in the statement.
    pub fn has_in_a_row(&self, words: &str) -> bool {
        let words: Vec<_> = words.split(' ').collect();
        self.words.windows(words.len()).any(|window| window == words)
    }

    /// Returns the table and the operations of an ALTER TABLE statement.
    pub fn alter_table(&self) -> Option<(String, &[AlterTableOperation])> {
        match &self.tree {
            Some(Statement::AlterTable(alter)) => Some((name(&alter.name), &alter.operations)),
            _ => None,
        }
    }

    /// Returns the table of an ALTER TABLE statement if one of its operations fits.
    pub fn altered(&self, fits: impl Fn(&AlterTableOperation) -> bool) -> Vec<String> {
        let table = self.alter_table().filter(|(_, operations)| operations.iter().any(fits)).map(|(table, _)| table);
        table.into_iter().collect()
    }

    /// Returns the tables of a DROP TABLE statement.
    pub fn dropped_tables(&self) -> Vec<String> {
        match &self.tree {
            Some(Statement::Drop { object_type: sqlparser::ast::ObjectType::Table, names, .. }) => {
                names.iter().map(name).collect()
            }
            _ => vec![],
        }
    }

    /// Returns the table that the statement creates. sqlparser does not know the arguments of every virtual table.
    pub fn created_table(&self) -> Option<String> {
        match &self.tree {
            Some(Statement::CreateTable(create)) => Some(name(&create.name)),
            _ if self.begins_with(&["CREATE VIRTUAL TABLE"]) => {
                let named = self.words.get(3)?;
                Some(named.trim_matches('"').to_lowercase())
            }
            _ => None,
        }
    }

    /// Returns the new name of a table that the statement renames.
    pub fn renamed_table(&self) -> Option<String> {
        self.alter_table()?.1.iter().find_map(|operation| match operation {
            AlterTableOperation::RenameTable {
                table_name: sqlparser::ast::RenameTableNameKind::To(new) | sqlparser::ast::RenameTableNameKind::As(new),
            } => Some(name(new)),
            _ => None,
        })
    }

    /// Returns the tables from which a DELETE statement without WHERE, or a TRUNCATE statement, deletes all rows.
    pub fn emptied_tables(&self) -> Vec<String> {
        match &self.tree {
            Some(Statement::Delete(delete)) if delete.selection.is_none() => {
                let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) = &delete.from;
                tables.iter().filter_map(table).collect()
            }
            Some(Statement::Truncate(truncate)) => {
                truncate.table_names.iter().map(|target| name(&target.name)).collect()
            }
            _ => vec![],
        }
    }

    /// Returns the table of an UPDATE statement without WHERE.
    pub fn updated_whole(&self) -> Vec<String> {
        match &self.tree {
            Some(Statement::Update(update)) if update.selection.is_none() => table(&update.table).into_iter().collect(),
            _ => vec![],
        }
    }

    /// Returns the first constraint without a name; the databases would name it, and not alike.
    pub fn unnamed_constraint(&self) -> Option<String> {
        match &self.tree {
            Some(Statement::CreateTable(create)) => {
                let columns = create.columns.iter().find(|column| has_unnamed(&column.options));
                let constraint = || create.constraints.iter().find(|constraint| is_unnamed(constraint));
                columns.map(ToString::to_string).or_else(|| constraint().map(ToString::to_string))
            }
            Some(Statement::AlterTable(alter)) => {
                let unnamed = |operation: &&AlterTableOperation| match operation {
                    AlterTableOperation::AddConstraint { constraint, .. } => is_unnamed(constraint),
                    AlterTableOperation::AddColumn { column_def, .. } => has_unnamed(&column_def.options),
                    _ => false,
                };
                alter.operations.iter().find(unnamed).map(ToString::to_string)
            }
            _ => None,
        }
    }
}

/// The word of a token. A keyword in quotes is a name.
fn word(token: &Token) -> Option<String> {
    Some(match token {
        Token::Whitespace(_) | Token::EOF => return None,
        Token::Word(word) if word.quote_style.is_none() => word.value.to_uppercase(),
        Token::Word(word) => format!("\"{}\"", word.value),
        Token::SingleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::DollarQuotedString(_) => "''".into(),
        other => other.to_string(),
    })
}

/// Returns the last part of a name in lower case, without schema and quotes.
pub fn name(name: &ObjectName) -> String {
    let last = name.0.last().and_then(|part| part.as_ident());
    last.map_or_else(|| name.to_string(), |ident| ident.value.clone()).to_lowercase()
}

fn table(from: &TableWithJoins) -> Option<String> {
    if let TableFactor::Table { name: table, .. } = &from.relation { Some(name(table)) } else { None }
}

fn has_unnamed(options: &[ColumnOptionDef]) -> bool {
    let is_counted = |option: &ColumnOptionDef| {
        matches!(&option.option, ColumnOption::DialectSpecific(tokens)
            if tokens.iter().any(|token| token.to_string().eq_ignore_ascii_case("AUTOINCREMENT")))
    };
    // SQLite allows no name between INTEGER and PRIMARY KEY AUTOINCREMENT
    let counted = options.iter().any(is_counted);
    options.iter().any(|option| match option.option {
        ColumnOption::PrimaryKey(_) => option.name.is_none() && !counted,
        ColumnOption::Unique(_) | ColumnOption::ForeignKey(_) | ColumnOption::Check(_) => option.name.is_none(),
        _ => false,
    })
}

fn is_unnamed(constraint: &TableConstraint) -> bool {
    match constraint {
        TableConstraint::PrimaryKey(key) => key.name.is_none(),
        TableConstraint::Unique(key) => key.name.is_none(),
        TableConstraint::ForeignKey(key) => key.name.is_none(),
        TableConstraint::Check(check) => check.name.is_none(),
        TableConstraint::PrimaryKeyUsingIndex(key) | TableConstraint::UniqueUsingIndex(key) => key.name.is_none(),
        TableConstraint::Exclude(exclude) => exclude.name.is_none(),
        _ => false,
    }
}
