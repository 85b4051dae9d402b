//! The fixture model of grants.

use async_trait::async_trait;
use sea_query::Condition;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{Grant as Row, GrantCreate};
use super::store::{self, Filter};
use crate::db::keyset::whole;
use crate::db::signals::Actor;
use crate::db::versioned;
use crate::db::{Conn, DbResult};
use crate::fixtures::keys::Keys;
use crate::fixtures::loader::{Loader, Refusal};
use crate::fixtures::models;
use crate::fixtures::models::{Loaded, Model, Properties, Schema, documented, read, text, written};
use crate::resources::groups::fixture::Group;
use crate::resources::permissions::fixture::Permission;
use crate::resources::permissions::model::StoredPermission;
use crate::resources::users::fixture::User;

/// A permission given to a user or to a group, on all objects or on one.
pub struct Grant;

#[derive(Serialize, Deserialize)]
struct GrantFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    permission: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Value>,
}

impl GrantFields {
    /// The object that it is on. Its model follows from the permission; one that is always general has none, which the rules
    /// of grants say better.
    async fn object(&self, loader: &mut Loader<'_>) -> Result<Option<i64>, Refusal> {
        let Some(object) = &self.object else { return Ok(None) };
        let target = store::find_permission(loader.tx, &self.permission).await?.flatten();
        let Some(model) = target.and_then(models::of_target) else {
            return Err(Refusal::fault("object", "must be left out: the permission is always general"));
        };
        model.find_object(loader, "object", object).await.map(Some)
    }
}

#[async_trait(?Send)]
impl Model for Grant {
    fn name(&self) -> &'static str {
        "grants.Grant"
    }

    fn schema(&self) -> Schema {
        Schema::empty()
            .with_optional("user", text())
            .with_optional("group", text())
            .with("permission", documented("GrantCreate", Some("permission")))
            .with_optional("object", models::object_schema())
    }

    fn is_last(&self) -> bool {
        true
    }

    async fn load(&self, loader: &mut Loader<'_>, properties: &Properties) -> Result<Loaded, Refusal> {
        let fields: GrantFields = read(properties)?;
        let (user_id, group_id) = match (&fields.user, &fields.group) {
            (Some(user), None) => (Some(loader.id::<User>("user", user).await?), None),
            (None, Some(group)) => (None, Some(loader.id::<Group>("group", group).await?)),
            _ => return Err(Refusal::fault("group", "or `user` says who holds it: one of them")),
        };
        loader.id::<Permission>("permission", &fields.permission).await?;
        let object_id = fields.object(loader).await?;
        let GrantFields { permission, .. } = fields;
        let filter = Filter { user_id, group_id, permission: Some(permission.clone()), ..Filter::default() };
        let page = async |before, limit| store::list(loader.tx, &filter, before, limit).await;
        let held = whole(page, |row: &Row| row.id).await?;
        if let Some(row) = held.into_iter().find(|row| row.object_id == object_id) {
            return Ok(Loaded::unchanged((row.id, 0)));
        }
        let new = GrantCreate { user_id, group_id, permission, object_id };
        let made = super::create(loader.tx, Actor::default(), new, crate::app::now()).await?;
        Ok(Loaded::new((made.id, 0)))
    }

    async fn dump(&self, conn: &mut Conn, keys: &Keys) -> DbResult<Vec<Properties>> {
        let page = async |before, limit| store::list(conn, &Filter::default(), before, limit).await;
        let mut rows = whole(page, |row: &Row| row.id).await?;
        rows.reverse();
        let page = async |before, limit| versioned::list(conn, Condition::all(), before, limit).await;
        let catalogue = whole(page, |row: &StoredPermission| row.id).await?;
        let target = |name: &str| catalogue.iter().find(|row| row.name == name).and_then(StoredPermission::target);
        let fields = |row: Row| {
            let object = match row.object_id {
                None => None,
                Some(id) => Some(keys.of(target(&row.permission).and_then(models::of_target)?.name(), id)?),
            };
            let user = match row.user_id {
                Some(id) => Some(keys.text::<User>(id)?),
                None => None,
            };
            let group = match row.group_id {
                Some(id) => Some(keys.text::<Group>(id)?),
                None => None,
            };
            Some(GrantFields { user, group, permission: row.permission, object })
        };
        Ok(rows.into_iter().filter_map(fields).map(|fields| written(&fields)).collect())
    }
}
