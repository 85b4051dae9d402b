//! What goes over the wire for groups.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use poem_openapi::types::Example;
use sea_query::Expr;
use serde::Serialize;
use sqlx::FromRow;

use crate::auth::tables::Groups;
use crate::crud::Record;
use crate::db::Constraint;
use crate::error::Code;
use crate::http::page::page;

/// A group of users
#[derive(Debug, Clone, Object, Serialize, FromRow)]
#[oai(example)]
pub struct Group {
    /// Identifier
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// Name, which no other group has
    pub name: String,
    /// The number of the version
    #[oai(skip)]
    #[serde(skip)]
    pub version: i64,
    /// When it was made
    pub created_at: DateTime<Utc>,
    /// When it was last renamed
    pub updated_at: DateTime<Utc>,
}

impl Example for Group {
    fn example() -> Self {
        let at = DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("in range");
        Self { id: 1, name: "Editors".into(), version: 1, created_at: at, updated_at: at }
    }
}

/// The name is unique.
const UNIQUE_NAME: Constraint = Constraint::unique("groups_name_key", "groups.name");

impl Record for Group {
    type Table = Groups;
    type Values = GroupCreate;
    const NAME: &'static str = "Group";
    const PATH: &'static str = "/api/v1/groups";
    const CONFLICTS: &'static [(Constraint, Code, &'static str)] =
        &[(UNIQUE_NAME, Code::NAME_IN_USE, "Another group has this name.")];

    fn identity(&self) -> (i64, i64) {
        (self.id, self.version)
    }

    fn columns(group: GroupCreate) -> Vec<(Groups, Expr)> {
        vec![(Groups::Name, group.name.into())]
    }
}

/// A new group
#[derive(Debug, Object)]
#[oai(example)]
pub struct GroupCreate {
    /// Name, which no other group has
    #[oai(validator(min_length = 1, max_length = 80))]
    pub name: String,
}

impl Example for GroupCreate {
    fn example() -> Self {
        Self { name: "Editors".into() }
    }
}

/// A change to a group: what is left out stays as it is
#[derive(Debug, Object)]
#[oai(example)]
pub struct GroupUpdate {
    /// New name, which no other group has
    #[oai(skip_serializing_if_is_none, validator(min_length = 1, max_length = 80))]
    pub name: Option<String>,
}

impl Example for GroupUpdate {
    fn example() -> Self {
        Self { name: Some("Chief editors".into()) }
    }
}

page! {
    /// A page of groups
    GroupPage, Group, "groups"
}

/// A user in a group
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct Membership {
    /// The group's identifier
    #[oai(validator(minimum(value = "1")))]
    pub group_id: i64,
    /// The user's identifier
    #[oai(validator(minimum(value = "1")))]
    pub user_id: i64,
}

impl Example for Membership {
    fn example() -> Self {
        Self { group_id: 1, user_id: 2 }
    }
}

impl From<super::store::Membership> for Membership {
    fn from(row: super::store::Membership) -> Self {
        Self { group_id: row.group_id, user_id: row.user_id }
    }
}
