//! The rules of the lint: what each finds in a statement, and its effect on a database that is in use.

use sqlparser::ast::{
    AlterColumnOperation, AlterTableOperation, CascadeOption, ColumnDef, ColumnOption, DataType, DropBehavior,
    Statement, TableConstraint,
};

use super::parsed::{Parsed, name};
use crate::Dialect;
use crate::schema::text;

/// The requirement of a rule for each finding.
#[derive(Clone, Copy, PartialEq)]
pub enum Needs {
    /// The header must have `-- destructive: why`.
    Destructive,
    /// The header must have `-- locks: why`.
    Locks,
    /// The statement must be replaced.
    Never,
}

/// A rule.
pub struct Rule {
    pub name: &'static str,
    pub dialects: &'static [Dialect],
    pub needs: Needs,
    /// Returns the tables that the statement affects; `""` if it is about no table.
    pub find: fn(&Parsed) -> Vec<String>,
    /// What happens, and what to do.
    pub says: &'static str,
}

const BOTH: &[Dialect] = &[Dialect::Sqlite, Dialect::Postgres];
const POSTGRES: &[Dialect] = &[Dialect::Postgres];

/// All rules; the order has no meaning.
pub const RULES: &[Rule] = &[
    Rule {
        name: "drop-table",
        dialects: BOTH,
        needs: Needs::Destructive,
        find: Parsed::dropped_tables,
        says: "the rows are gone, and servers that still use the table fail",
    },
    Rule {
        name: "drop-column",
        dialects: BOTH,
        needs: Needs::Destructive,
        find: |sql| sql.altered(|operation| matches!(operation, AlterTableOperation::DropColumn { .. })),
        says: "the values are gone, and servers that still read the column fail",
    },
    Rule {
        name: "rename",
        dialects: BOTH,
        needs: Needs::Destructive,
        find: |sql| {
            use AlterTableOperation::{RenameColumn, RenameTable};
            sql.altered(|operation| matches!(operation, RenameColumn { .. } | RenameTable { .. }))
        },
        says: "servers that know the old name fail; without downtime it takes three releases (DEVELOPING.md)",
    },
    Rule {
        name: "delete-all",
        dialects: BOTH,
        needs: Needs::Destructive,
        find: Parsed::emptied_tables,
        says: "all rows are gone",
    },
    Rule {
        name: "unknown",
        dialects: BOTH,
        needs: Needs::Destructive,
        find: |sql| {
            let may_destroy = [
                "ALTER TABLE",
                "CREATE TABLE",
                "CREATE INDEX",
                "CREATE UNIQUE INDEX",
                "DELETE",
                "DROP TABLE",
                "TRUNCATE",
                "UPDATE",
            ];
            about_no_table(sql.words.is_empty() || sql.tree.is_none() && sql.begins_with(&may_destroy))
        },
        says: "the lint cannot parse this statement, so it does not know what it locks or destroys",
    },
    Rule {
        name: "not-null-without-default",
        dialects: BOTH,
        needs: Needs::Never,
        find: |sql| {
            sql.altered(|operation| {
                added_column(operation).is_some_and(|column| {
                    let has = |fits: fn(&ColumnOption) -> bool| column.options.iter().any(|o| fits(&o.option));
                    let is_filled = |option: &ColumnOption| {
                        matches!(
                            option,
                            ColumnOption::Default(_) | ColumnOption::Generated { .. } | ColumnOption::Identity(_)
                        )
                    };
                    has(|option| *option == ColumnOption::NotNull) && !has(is_filled)
                })
            })
        },
        says: "fails as soon as there is a row: add the column with a default, or let it be null, fill it, and set NOT NULL then",
    },
    Rule {
        name: "volatile-default",
        dialects: POSTGRES,
        needs: Needs::Locks,
        find: |sql| {
            let is_volatile = |option: &ColumnOption| match option {
                ColumnOption::Default(default) => {
                    let default = default.to_string().to_uppercase();
                    ["CLOCK_TIMESTAMP", "RANDOM", "GEN_RANDOM_UUID", "NEXTVAL"]
                        .iter()
                        .any(|function| text::mentions(&default, function))
                }
                ColumnOption::Generated { .. } | ColumnOption::Identity(_) => true,
                _ => false,
            };
            sql.altered(|operation| {
                added_column(operation)
                    .is_some_and(|column| column.options.iter().any(|option| is_volatile(&option.option)))
            })
        },
        says: "writes the whole table again under an exclusive lock: add the column without it, fill it in batches, then set the default",
    },
    Rule {
        name: "change-type",
        dialects: POSTGRES,
        needs: Needs::Locks,
        find: |sql| sql.altered(|operation| new_type(operation).is_some()),
        says: "writes the whole table again under an exclusive lock: add a new column, fill it in batches, and change over",
    },
    Rule {
        name: "set-not-null",
        dialects: POSTGRES,
        needs: Needs::Locks,
        find: |sql| {
            use AlterTableOperation::AlterColumn;
            sql.altered(|operation| matches!(operation, AlterColumn { op: AlterColumnOperation::SetNotNull, .. }))
        },
        says: "reads the whole table under an exclusive lock: a CHECK (… IS NOT NULL) NOT VALID, validated in a migration of its own, spares it",
    },
    Rule {
        name: "validate-at-once",
        dialects: POSTGRES,
        needs: Needs::Locks,
        find: |sql| {
            sql.altered(|operation| {
                let AlterTableOperation::AddConstraint { constraint, not_valid: false } = operation else {
                    return false;
                };
                matches!(constraint, TableConstraint::Check(_) | TableConstraint::ForeignKey(_))
            })
        },
        says: "reads the whole table under an exclusive lock: add it NOT VALID, and VALIDATE CONSTRAINT in a migration of its own",
    },
    Rule {
        name: "unique-at-once",
        dialects: POSTGRES,
        needs: Needs::Locks,
        find: |sql| {
            use TableConstraint::{Exclude, PrimaryKey, Unique};
            sql.altered(|operation| {
                let AlterTableOperation::AddConstraint { constraint, .. } = operation else { return false };
                matches!(constraint, Unique(_) | PrimaryKey(_) | Exclude(_))
            })
        },
        says: "builds an index under an exclusive lock: nobody reads or writes the table meanwhile",
    },
    Rule {
        name: "index",
        dialects: POSTGRES,
        needs: Needs::Locks,
        find: |sql| match &sql.tree {
            Some(Statement::CreateIndex(index)) if !index.concurrently => vec![name(&index.table_name)],
            _ => vec![],
        },
        says: "nobody writes the table while the index is built",
    },
    Rule {
        name: "update-all",
        dialects: POSTGRES,
        needs: Needs::Locks,
        find: Parsed::updated_whole,
        says: "writes every row in one go and holds them until the end: a WHERE, a LIMIT and `-- repeat until no row changes` show progress",
    },
    Rule {
        name: "concurrently",
        dialects: POSTGRES,
        needs: Needs::Never,
        find: |sql| {
            let of_the_server =
                ["VACUUM", "CREATE DATABASE", "DROP DATABASE", "CREATE TABLESPACE", "DROP TABLESPACE", "ALTER SYSTEM"];
            let concurrently = sql.has("CONCURRENTLY") && sql.begins_with(&["CREATE", "DROP", "REINDEX"]);
            about_no_table(concurrently || sql.begins_with(&of_the_server))
        },
        says: "cannot run in a transaction, and each migration is one",
    },
    Rule {
        name: "transaction",
        dialects: BOTH,
        needs: Needs::Never,
        find: |sql| {
            let words = ["BEGIN", "START TRANSACTION", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"];
            about_no_table(sql.begins_with(&words))
        },
        says: "each migration is one transaction already",
    },
    Rule {
        name: "if-exists",
        dialects: BOTH,
        needs: Needs::Never,
        find: |sql| {
            let found = sql.has_in_a_row("IF EXISTS") || sql.has_in_a_row("IF NOT EXISTS");
            about_no_table(found && !sql.begins_with(&["CREATE EXTENSION", "DROP EXTENSION"]))
        },
        says: "hides a schema that is not what it should be: say what is there",
    },
    Rule {
        name: "cascade",
        dialects: BOTH,
        needs: Needs::Never,
        find: |sql| {
            use AlterTableOperation::{DropColumn, DropConstraint};
            let cascades = |operation: &AlterTableOperation| match operation {
                DropColumn { drop_behavior, .. } | DropConstraint { drop_behavior, .. } => {
                    *drop_behavior == Some(DropBehavior::Cascade)
                }
                _ => false,
            };
            let cascade = match &sql.tree {
                Some(Statement::AlterTable(alter)) => alter.operations.iter().any(cascades),
                Some(Statement::Truncate(truncate)) => truncate.cascade == Some(CascadeOption::Cascade),
                _ => sql.begins_with(&["DROP"]) && sql.words.last().is_some_and(|word| word == "CASCADE"),
            };
            about_no_table(cascade)
        },
        says: "takes away what nobody named: name it, each in its own statement",
    },
    Rule {
        name: "type",
        dialects: POSTGRES,
        needs: Needs::Never,
        find: |sql| {
            let types: Vec<&DataType> = match &sql.tree {
                Some(Statement::CreateTable(create)) => create.columns.iter().map(|column| &column.data_type).collect(),
                Some(Statement::AlterTable(alter)) => {
                    let added = |operation| added_column(operation).map(|column| &column.data_type);
                    alter.operations.iter().filter_map(|operation| added(operation).or(new_type(operation))).collect()
                }
                _ => vec![],
            };
            about_no_table(types.into_iter().any(is_foreign))
        },
        says: "another type is the house's: BIGINT, TEXT, BOOLEAN, TIMESTAMPTZ; identifiers are BIGINT GENERATED BY DEFAULT AS IDENTITY",
    },
];

fn about_no_table(found: bool) -> Vec<String> {
    if found { vec![String::new()] } else { vec![] }
}

fn added_column(operation: &AlterTableOperation) -> Option<&ColumnDef> {
    if let AlterTableOperation::AddColumn { column_def, .. } = operation { Some(column_def) } else { None }
}

fn new_type(operation: &AlterTableOperation) -> Option<&DataType> {
    match operation {
        AlterTableOperation::AlterColumn { op: AlterColumnOperation::SetDataType { data_type, .. }, .. } => {
            Some(data_type)
        }
        _ => None,
    }
}

/// Returns whether PostgreSQL knows the type under another name or with other bounds than SQLite.
fn is_foreign(kind: &DataType) -> bool {
    const FOREIGN: &[&str] = &[
        "SMALLSERIAL",
        "SERIAL",
        "BIGSERIAL",
        "SMALLINT",
        "INT",
        "INTEGER",
        "VARCHAR",
        "CHARACTER VARYING",
        "CHAR",
        "CHARACTER",
        "MONEY",
        "JSON",
        "TIMESTAMP",
        "TIMESTAMP WITHOUT TIME ZONE",
        "TIMETZ",
    ];
    let kind = kind.to_string().to_uppercase();
    FOREIGN.contains(&kind.split('(').next().unwrap_or_default().trim())
}
