//! The fixture models of groups and memberships.

use std::collections::HashMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::StoredGroup;
use super::store::{self, GroupValues};
use crate::auth::permission::Target;
use crate::config::nearest;
use crate::db::keyset::whole;
use crate::db::signals::{self, Actor};
use crate::db::{Conn, DbResult};
use crate::fixtures::dump::Keys;
use crate::fixtures::load::{Loader, Refusal};
use crate::fixtures::models::{KNOWN, Loaded, Model, Properties, Referable, Schema, read, text, written};
use crate::resources::users::fixture::User;

/// A group, known by its name.
pub struct Group;

#[derive(Serialize, Deserialize)]
struct GroupFields {
    name: String,
}

#[async_trait(?Send)]
impl Model for Group {
    fn name(&self) -> &'static str {
        Self::MODEL
    }

    fn schema(&self) -> Schema {
        Schema::of("GroupCreate")
    }

    async fn load(&self, loader: &mut Loader<'_>, properties: &Properties) -> Result<Loaded, Refusal> {
        let GroupFields { name } = read(properties)?;
        if let Some(id) = store::find_id(loader.tx, &name).await? {
            return Ok(Loaded::unchanged((id, 0)));
        }
        let values = GroupValues { name };
        let made: StoredGroup = signals::insert_new(loader.tx, Actor::default(), values, crate::app::now()).await?;
        Ok(Loaded::new((made.group.id, 0)))
    }

    fn targets(&self) -> &'static [Target] {
        &[Target::GROUPS]
    }

    async fn find_object(&self, loader: &mut Loader<'_>, property: &str, key: &Value) -> Result<i64, Refusal> {
        let Some(name) = key.as_str() else { return Err(Refusal::fault(property, "must be the name of a group")) };
        loader.id::<Self>(property, &name.to_owned()).await
    }

    async fn keys(&self, conn: &mut Conn, _: &Keys) -> DbResult<HashMap<i64, Value>> {
        let key = |row: StoredGroup| (row.group.id, row.group.name.into());
        Ok(all_groups(conn).await?.into_iter().map(key).collect())
    }

    async fn dump(&self, conn: &mut Conn, _: &Keys) -> DbResult<Vec<Properties>> {
        let rows = all_groups(conn).await?.into_iter();
        Ok(rows.map(|row| written(&GroupFields { name: row.group.name })).collect())
    }
}

/// All groups, the oldest first.
async fn all_groups(conn: &mut Conn) -> DbResult<Vec<StoredGroup>> {
    let page = async |before, limit| store::list(conn, None, before, limit).await;
    let mut rows = whole(page, |row: &StoredGroup| row.group.id).await?;
    rows.reverse();
    Ok(rows)
}

impl Referable for Group {
    const MODEL: &'static str = "groups.Group";
    type Key = String;

    async fn find(conn: &mut Conn, name: &String) -> DbResult<Vec<i64>> {
        Ok(store::find_id(conn, name).await?.into_iter().collect())
    }

    async fn hint(conn: &mut Conn, name: &String) -> DbResult<String> {
        let rows = store::list(conn, None, None, KNOWN).await?;
        Ok(nearest(name, rows.iter().map(|row| &row.group.name)))
    }
}

/// A user in a group.
pub struct Membership;

#[derive(Serialize, Deserialize)]
struct MembershipFields {
    group: String,
    user: String,
}

#[async_trait(?Send)]
impl Model for Membership {
    fn name(&self) -> &'static str {
        "groups.Membership"
    }

    fn schema(&self) -> Schema {
        Schema::empty().with("group", text()).with("user", text())
    }

    async fn load(&self, loader: &mut Loader<'_>, properties: &Properties) -> Result<Loaded, Refusal> {
        let MembershipFields { group, user } = read(properties)?;
        let group_id = loader.id::<Group>("group", &group).await?;
        let user_id = loader.id::<User>("user", &user).await?;
        let row = (group_id, user_id);
        if store::find_membership(loader.tx, group_id, user_id).await?.is_some() {
            return Ok(Loaded::unchanged(row));
        }
        let values = store::Membership { group_id, user_id };
        signals::insert_new::<store::Membership>(loader.tx, Actor::default(), values, crate::app::now()).await?;
        Ok(Loaded::new(row))
    }

    async fn dump(&self, conn: &mut Conn, keys: &Keys) -> DbResult<Vec<Properties>> {
        let page = async |after, limit| store::list_memberships(conn, after, limit).await;
        let rows = whole(page, |row: &store::Membership| (row.group_id, row.user_id)).await?;
        let fields = |row: &store::Membership| {
            Some(MembershipFields { group: keys.text::<Group>(row.group_id)?, user: keys.text::<User>(row.user_id)? })
        };
        Ok(rows.iter().filter_map(fields).map(|fields| written(&fields)).collect())
    }
}
