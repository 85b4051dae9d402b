//! What goes over the wire for permissions.

use chrono::{DateTime, Utc};
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object};
use serde::Serialize;
use sqlx::FromRow;

use crate::auth::permission::{self, Target};
use crate::crud::Represented;
use crate::db::Constraint;
use crate::error::Code;
use crate::http::page::page;

/// A permission of the catalogue
#[derive(Debug, Clone, Object, Serialize)]
#[oai(example)]
pub struct Permission {
    /// Identifier, by which the audit knows it
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// Name, by which it is granted
    pub name: String,
    /// Whose rows it may be granted on; null if it is always general
    #[oai(nullable)]
    pub target: Option<Target>,
    /// What its holder may do
    pub description: String,
    /// Whether the server asks for it: without a row it would be denied to everyone but admins
    pub required: bool,
    /// When it was made
    pub created_at: DateTime<Utc>,
    /// When it was last described otherwise
    pub updated_at: DateTime<Utc>,
}

impl Example for Permission {
    fn example() -> Self {
        let at = DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("in range");
        Self {
            id: 1,
            name: permission::example().name.into(),
            target: permission::example().target,
            description: permission::example().description.into(),
            required: true,
            created_at: at,
            updated_at: at,
        }
    }
}

/// A permission as its row has it.
#[derive(Clone, FromRow)]
#[expect(missing_docs, reason = "model::Permission documents them")]
pub struct StoredPermission {
    pub id: i64,
    pub name: String,
    pub target: Option<String>,
    pub description: String,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The name is unique.
const UNIQUE_NAME: Constraint = Constraint::unique("permissions_name_key", "permissions.name");

impl Represented for StoredPermission {
    type Object = Permission;
    const NAME: &'static str = "Permission";
    const PATH: &'static str = "/api/v1/permissions";
    const CONFLICTS: &'static [(Constraint, Code, &'static str)] =
        &[(UNIQUE_NAME, Code::NAME_IN_USE, "The catalogue has a permission of this name.")];

    fn key(&self) -> String {
        self.name.clone()
    }

    fn object(self) -> Permission {
        self.into()
    }
}

impl StoredPermission {
    /// What is written to leave it as it is.
    pub fn values(&self) -> PermissionCreate {
        PermissionCreate { name: self.name.clone(), target: self.target(), description: self.description.clone() }
    }

    /// The table whose rows it may be granted on.
    pub fn target(&self) -> Option<Target> {
        // a table that a newer release knows is none that this one can grant on
        self.target.clone().and_then(|word| Target::try_from(word).ok())
    }
}

impl From<StoredPermission> for Permission {
    fn from(row: StoredPermission) -> Self {
        Self {
            id: row.id,
            target: row.target(),
            required: permission::find(&row.name).is_some(),
            name: row.name,
            description: row.description,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A new permission
#[derive(Debug, Object)]
#[oai(example)]
pub struct PermissionCreate {
    /// Name, by which it is granted; no other permission has it
    #[oai(validator(max_length = 60, pattern = "^can_[a-z0-9_]{1,56}$"))]
    pub name: String,
    /// Whose rows it may be granted on; null or left out if it is always general
    #[oai(nullable)]
    pub target: Option<Target>,
    /// What its holder may do
    #[oai(validator(min_length = 1, max_length = 200))]
    pub description: String,
}

impl Example for PermissionCreate {
    fn example() -> Self {
        let description = "Move objects to the archive".into();
        Self { name: "can_archive".into(), target: permission::example().target, description }
    }
}

/// A change to a permission: what is left out stays as it is
#[derive(Debug, Object)]
#[oai(example)]
pub struct PermissionUpdate {
    /// What its holder may do
    #[oai(skip_serializing_if_is_none, validator(min_length = 1, max_length = 200))]
    pub description: Option<String>,
}

impl Example for PermissionUpdate {
    fn example() -> Self {
        Self { description: Some("Move objects to the archive, and back".into()) }
    }
}

page! {
    /// A page of permissions
    PermissionPage, Permission, "permissions"
}

/// Why somebody holds a permission
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The role `admin` passes everything.
    Admin,
    /// It is granted to the user.
    Direct,
    /// It is granted to a group that the user is in.
    Group,
}

/// A permission that you hold, and why
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct HeldPermission {
    /// Name of the permission
    pub permission: String,
    /// The one object that you hold it on; null for all
    #[oai(nullable, validator(minimum(value = "1")))]
    pub object_id: Option<i64>,
    /// Why you hold it
    pub source: Source,
    /// The group that it is granted to; null unless `source` is `group`
    #[oai(nullable)]
    pub group: Option<HoldingGroup>,
    /// The grant; null if `source` is `admin`
    #[oai(nullable, validator(minimum(value = "1")))]
    pub grant_id: Option<i64>,
}

/// The group by which a permission is held
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct HoldingGroup {
    /// Identifier
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// What it is called
    pub name: String,
}

impl Example for HoldingGroup {
    fn example() -> Self {
        Self { id: 1, name: "Editors".into() }
    }
}

impl Example for HeldPermission {
    fn example() -> Self {
        Self {
            permission: permission::example().name.into(),
            object_id: Some(1),
            source: Source::Group,
            group: Some(HoldingGroup::example()),
            grant_id: Some(1),
        }
    }
}

page! {
    /// A page of the permissions that you hold
    HeldPermissionPage, HeldPermission, "held"
}
