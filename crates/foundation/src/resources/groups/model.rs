//! What goes over the wire for groups.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use poem_openapi::types::Example;
use serde::Serialize;
use sqlx::FromRow;

use crate::http::etag::etag;
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
    /// When it was made
    pub created_at: DateTime<Utc>,
    /// When it was last renamed
    pub updated_at: DateTime<Utc>,
}

impl Example for Group {
    fn example() -> Self {
        let at = DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("in range");
        Self { id: 1, name: "Editors".into(), created_at: at, updated_at: at }
    }
}

/// A group with what its answer does not show.
#[derive(Clone, FromRow)]
pub struct StoredGroup {
    /// What it shows.
    #[sqlx(flatten)]
    pub group: Group,
    /// Counts the changes, for `If-Match`.
    pub version: i64,
}

impl StoredGroup {
    /// What it shows, and the tag that names this version.
    pub fn tagged(self) -> (Group, String) {
        let tag = etag(self.version, &self.group);
        (self.group, tag)
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
    GroupPage, Group, "MS9ncm91cHMvMC8x"
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

impl From<StoredGroup> for Group {
    fn from(row: StoredGroup) -> Self {
        row.group
    }
}
