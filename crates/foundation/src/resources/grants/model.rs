//! What goes over the wire for grants.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use poem_openapi::types::Example;
use serde::Serialize;
use sqlx::FromRow;

use crate::auth::permission;
use crate::http::page::page;

/// A grant
#[derive(Debug, Clone, Object, Serialize, FromRow)]
#[oai(example)]
pub struct Grant {
    /// Identifier
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// The user that holds it, or null
    #[oai(nullable, validator(minimum(value = "1")))]
    pub user_id: Option<i64>,
    /// The group that holds it, or null
    #[oai(nullable, validator(minimum(value = "1")))]
    pub group_id: Option<i64>,
    /// Name of the permission
    pub permission: String,
    /// The one object that it is granted on, a row of the permission's target; null for all
    #[oai(nullable, validator(minimum(value = "1")))]
    pub object_id: Option<i64>,
    /// When it was granted
    pub created_at: DateTime<Utc>,
}

impl Example for Grant {
    fn example() -> Self {
        let at = DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("in range");
        let permission = permission::example().name.into();
        Self { id: 1, user_id: Some(2), group_id: None, permission, object_id: Some(1), created_at: at }
    }
}

/// A new grant, to a user or to a group
#[derive(Debug, Object)]
#[oai(example)]
pub struct GrantCreate {
    /// The user that gets it; either this or `group_id`
    #[oai(skip_serializing_if_is_none, validator(minimum(value = "1")))]
    pub user_id: Option<i64>,
    /// The group that gets it; either this or `user_id`
    #[oai(skip_serializing_if_is_none, validator(minimum(value = "1")))]
    pub group_id: Option<i64>,
    /// Name of the permission
    #[oai(validator(max_length = 60, pattern = "^can_[a-z0-9_]{1,56}$"))]
    pub permission: String,
    /// The one object that it is granted on, a row of the permission's target; left out for all
    #[oai(skip_serializing_if_is_none, validator(minimum(value = "1")))]
    pub object_id: Option<i64>,
}

impl Example for GrantCreate {
    fn example() -> Self {
        Self { user_id: Some(2), group_id: None, permission: permission::example().name.into(), object_id: Some(1) }
    }
}

page! {
    /// A page of grants
    GrantPage, Grant, "grants"
}
