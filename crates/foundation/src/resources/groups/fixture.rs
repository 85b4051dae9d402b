//! The fixture models of groups and memberships.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{model, store};
use crate::auth::permission::Target;
use crate::auth::tables::Groups;
use crate::db::keyset::whole;
use crate::db::signals::{self, Actor};
use crate::db::{Conn, DbResult};
use crate::fixtures::keys::Keys;
use crate::fixtures::loader::{Loader, Refusal};
use crate::fixtures::models::record::{Named, RecordModel};
use crate::fixtures::models::{Loaded, Model, Properties, Schema, read, text, written};
use crate::resources::users::fixture::User;

/// A group, known by its name.
pub type Group = RecordModel<model::Group>;

impl Named for model::Group {
    const MODEL: &'static str = "groups.Group";
    const KEY: Groups = Groups::Name;
    const TARGETS: &'static [Target] = &[Target::GROUPS];
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
