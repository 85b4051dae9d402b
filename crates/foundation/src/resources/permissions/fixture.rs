//! The fixture model of permissions.

use async_trait::async_trait;
use sea_query::Condition;
use serde::{Deserialize, Serialize};

use super::model::{PermissionCreate, StoredPermission};
use super::store;
use crate::auth::permission::Target;
use crate::config::nearest;
use crate::db::keyset::whole;
use crate::db::signals::Actor;
use crate::db::versioned;
use crate::db::{Conn, DbResult};
use crate::fixtures::keys::Keys;
use crate::fixtures::loader::{Loader, Referable, Refusal};
use crate::fixtures::models::{KNOWN, Loaded, Model, Properties, Schema, read, written};

/// A permission of the catalogue, known by its name. Those that the server asks for are there by the migrations.
pub struct Permission;

#[derive(Serialize, Deserialize)]
struct PermissionFields {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
    description: String,
}

#[async_trait(?Send)]
impl Model for Permission {
    fn name(&self) -> &'static str {
        Self::MODEL
    }

    fn schema(&self) -> Schema {
        Schema::of("PermissionCreate")
    }

    async fn load(&self, loader: &mut Loader<'_>, properties: &Properties) -> Result<Loaded, Refusal> {
        let PermissionFields { name, target, description } = read(properties)?;
        if let Some(row) = store::find(loader.tx, &name).await? {
            return Ok(Loaded::unchanged((row.id, 0)));
        }
        let new = PermissionCreate { name, target, description };
        let made = super::create(loader.tx, Actor::default(), new, crate::app::now()).await?;
        Ok(Loaded::new((made.id, 0)))
    }

    async fn dump(&self, conn: &mut Conn, _: &Keys) -> DbResult<Vec<Properties>> {
        let page = async |before, limit| versioned::list(conn, Condition::all(), before, limit).await;
        let mut rows = whole(page, |row: &StoredPermission| row.id).await?;
        // the migrations have made some, in an order of their own
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        let fields = |row: StoredPermission| {
            let PermissionCreate { name, target, description } = row.values();
            written(&PermissionFields { name, target, description })
        };
        Ok(rows.into_iter().map(fields).collect())
    }
}

impl Referable for Permission {
    const MODEL: &'static str = "permissions.Permission";
    type Key = String;

    async fn find(conn: &mut Conn, name: &String) -> DbResult<Vec<i64>> {
        Ok(store::find(conn, name).await?.into_iter().map(|row| row.id).collect())
    }

    async fn hint(conn: &mut Conn, name: &String) -> DbResult<String> {
        let rows: Vec<StoredPermission> = versioned::list(conn, Condition::all(), None, KNOWN).await?;
        Ok(nearest(name, rows.iter().map(|row| &row.name)))
    }
}
