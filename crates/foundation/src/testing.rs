//! The application of unit tests: the resources of the foundation.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use crate::application::{Application, Migrations, Resource};
use crate::auth::permission::Target;
use crate::db::Dialect;
use crate::db::migrate::{self, Embedded};
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
    name: "accord",
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
    migrations: Migrations::OnTop(|| Embedded { sqlite: merge(), postgres: merge() }),
    fixtures: &[],
    demo: &[],
    collection: "{}",
};

/// One migration that joins those of the resources and changes nothing.
fn merge() -> Migrator {
    let text =
        "-- parents: 0002_audit, 0003_invited_guests, 0004_webhooks\n-- message: All\n-- created: 2026-11-29\n\n";
    let file = |kind| Migration::new(1001, "all".into(), kind, text.into_sql_str(), false);
    let migrations = vec![file(MigrationType::ReversibleUp), file(MigrationType::ReversibleDown)];
    Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT }
}

#[test]
fn the_migrations_create_what_is_declared() {
    crate::application::install_for_tests();
    let is_space = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let set = migrate::built_in(dialect).expect("a sound set");
        let up: String = set.revisions().iter().map(|revision| is_space(&revision.up) + " ").collect();
        for table in tables::declared() {
            for statement in create::create(table, dialect) {
                let statement = is_space(statement.trim_end_matches(';'));
                assert!(up.contains(&statement), "no migration for {dialect:?} has {statement}");
            }
        }
    }
}
