//! Renames of tables and columns, and the names that follow from them.

use crate::Dialect;
use crate::schema::{Schema, text};

/// A rename of a table or of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rename {
    /// A rename of a table.
    Table {
        /// The old name.
        from: String,
        /// The new name.
        to: String,
    },
    /// A rename of a column.
    Column {
        /// The table. Renames of tables come first, so this is its new name.
        table: String,
        /// The old name.
        from: String,
        /// The new name.
        to: String,
    },
}

impl Rename {
    /// Returns the renames that undo these.
    pub fn back(renames: &[Self]) -> Vec<Self> {
        let table_before = |name: &String| {
            let before = renames.iter().find_map(|rename| match rename {
                Self::Table { from, to } if to == name => Some(from.clone()),
                _ => None,
            });
            before.unwrap_or_else(|| name.clone())
        };
        let (tables, columns): (Vec<_>, Vec<_>) =
            renames.iter().partition(|rename| matches!(rename, Self::Table { .. }));
        let back = |rename: &Self| match rename {
            Self::Table { from, to } => Self::Table { from: to.clone(), to: from.clone() },
            Self::Column { table, from, to } => {
                Self::Column { table: table_before(table), from: to.clone(), to: from.clone() }
            }
        };
        tables.into_iter().chain(columns).map(back).collect()
    }

    /// Describes the effect on running servers.
    pub fn destroys(&self) -> String {
        let old = match self {
            Self::Table { from, .. } => from.clone(),
            Self::Column { table, from, .. } => format!("{table}.{from}"),
        };
        format!("{old}: servers that know the old name fail")
    }

    /// Describes the rename in one sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::Table { from, to } => format!("{to}: table renamed, was {from}"),
            Self::Column { table, from, to } => format!("{table}.{to}: column renamed, was {from}"),
        }
    }
}

/// Renames a table or a column in a schema. Names that the database derives from it follow as they do in the database.
pub fn rename(schema: &mut Schema, rename: &Rename, dialect: Dialect) {
    let object_text = |schema: &mut Schema, table: &str, old: &str, new: &str| {
        for object in schema.objects.iter_mut().filter(|object| object.concerns(table)) {
            object.create = text::renamed(&object.create, old, new);
        }
    };
    match rename {
        Rename::Table { from: name, to: new } => {
            object_text(schema, name, name, new);
            for object in schema.objects.iter_mut().filter(|object| object.table.as_deref() == Some(name)) {
                object.table = Some(new.clone());
            }
            for table in &mut schema.tables {
                for key in table.foreign_keys.iter_mut().filter(|key| key.table == *name) {
                    key.table.clone_from(new);
                }
                if table.name == *name {
                    table.name.clone_from(new);
                    // SQLite has no name for it
                    let counted = table.columns.iter().any(|column| column.identity) && dialect == Dialect::Sqlite;
                    if let Some(key) = table.primary_key.as_mut().filter(|_| counted) {
                        key.name = format!("{new}_pkey");
                    }
                }
            }
        }
        Rename::Column { table: name, from: old, to: column } => {
            object_text(schema, name, old, column);
            let in_list = |columns: &mut Vec<String>| {
                columns.iter_mut().filter(|name| *name == old).for_each(|name| name.clone_from(column));
            };
            for table in &mut schema.tables {
                for key in table.foreign_keys.iter_mut().filter(|key| key.table == *name) {
                    in_list(&mut key.referred);
                }
                if table.name != *name {
                    continue;
                }
                table.columns.iter_mut().filter(|c| c.name == *old).for_each(|c| c.name.clone_from(column));
                table.primary_key.iter_mut().chain(&mut table.uniques).for_each(|key| in_list(&mut key.columns));
                table.foreign_keys.iter_mut().for_each(|key| in_list(&mut key.columns));
                for check in &mut table.checks {
                    check.expression = text::renamed(&check.expression, old, column);
                }
                for sql in
                    table.indexes.iter_mut().flat_map(|index| index.columns.iter_mut().chain(&mut index.condition))
                {
                    *sql = text::renamed(sql, old, column);
                }
            }
        }
    }
}
