//! The application of unit tests: the resources of the foundation, on tables as they are declared.

#![expect(clippy::disallowed_types, reason = "the migration is made of the declared tables")]

use std::borrow::Cow;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::application::{Application, Resource};
use crate::auth::permission::Target;
use crate::db::Dialect;
use crate::db::migrate::Embedded;
use crate::db::tables::{self, create};
use crate::permissions;
use crate::resources::{
    audit, grants, groups, guests, idempotency, info, permissions as catalogue, recovery, sessions, users, webhooks,
};
use crate::server::document::About;

permissions! {
    CanEditGroup = "can_edit_group" on Some(Target::GROUPS), "Change groups";
}

/// Groups, with a permission as an example.
static EXAMPLE: Resource = Resource { permissions: PERMISSIONS, ..groups::RESOURCE };

pub static APPLICATION: Application = Application {
    about: About {
        title: "Tests",
        version: "0.0.0",
        commit: "unknown",
        description: "The application of unit tests.",
        contact: "Nobody",
        license: ("MIT", "https://spdx.org/licenses/MIT.html"),
    },
    resources: &[
        &users::ACCOUNT,
        &sessions::RESOURCE,
        &recovery::RESOURCE,
        &users::USERS,
        &idempotency::RESOURCE,
        &guests::RESOURCE,
        &groups::RESOURCE,
        &catalogue::RESOURCE,
        &grants::RESOURCE,
        &audit::RESOURCE,
        &webhooks::RESOURCE,
        &info::RESOURCE,
    ],
    example: &EXAMPLE,
    settings: include_str!("../../../accord.toml"),
    migrations: || Embedded { sqlite: migrator(Dialect::Sqlite), postgres: migrator(Dialect::Postgres) },
    fixtures: &[],
    demo: &[],
    collection: "{}",
};

/// One migration that creates all declared tables.
fn migrator(dialect: Dialect) -> Migrator {
    let head = "-- parents: base\n-- message: Tables\n-- created: 2026-11-21\n\n";
    let up: Vec<_> = tables::declared().iter().flat_map(|table| create::create(table, dialect)).collect();
    let drop = |table: &tables::Table| format!("DROP TABLE {};", table.name);
    let down: Vec<_> = tables::declared().iter().rev().map(drop).collect();
    let migration = |kind, statements: Vec<String>| {
        // a statement for one database has no end of its own
        let text = statements.into_iter().map(|statement| statement.trim_end_matches(';').to_owned() + ";\n");
        let sql = AssertSqlSafe(format!("{head}{}", text.collect::<String>())).into_sql_str();
        Migration::new(1, "tables".into(), kind, sql, false)
    };
    let migrations = vec![migration(MigrationType::ReversibleUp, up), migration(MigrationType::ReversibleDown, down)];
    Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT }
}
