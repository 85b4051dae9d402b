//! All SQL for the catalogue, and for what a user holds of it.

use sea_query::{Condition, Expr, ExprTrait, JoinType, Query, SelectStatement};
use sqlx::FromRow;

use super::model::{HeldPermission, HoldingGroup, PermissionCreate, Source, StoredPermission};
use crate::auth::permission::Target;
use crate::auth::tables::{Grants, Groups, Memberships, Permissions};
use crate::db::keyset::newest;
use crate::db::versioned::{self, Versioned};
use crate::db::{Conn, DbResult};

impl Versioned for StoredPermission {
    type Table = Permissions;
    type Values = PermissionCreate;

    fn identity(&self) -> (i64, i64) {
        (self.id, self.version)
    }

    fn columns(permission: PermissionCreate) -> Vec<(Permissions, Expr)> {
        vec![
            (Permissions::Name, permission.name.into()),
            (Permissions::Target, permission.target.map(Target::as_str).into()),
            (Permissions::Description, permission.description.into()),
        ]
    }
}

/// The permission of this name.
pub async fn find(conn: &mut Conn, name: &str) -> DbResult<Option<StoredPermission>> {
    conn.maybe(&versioned::select::<StoredPermission>(Expr::col(Permissions::Name).eq(name))).await
}

/// The permission of this name. Other writers wait until the transaction ends.
pub async fn find_to_change(conn: &mut Conn, name: &str) -> DbResult<Option<StoredPermission>> {
    let by_name = Expr::col(Permissions::Name).eq(name);
    conn.maybe(&versioned::select::<StoredPermission>(by_name).lock_exclusive().take()).await
}

/// Selects the permissions on rows of a table; without a table, all.
pub fn on(target: Option<Target>) -> Condition {
    Condition::all().add_option(target.map(|target| Expr::col(Permissions::Target).eq(target.as_str())))
}

#[derive(FromRow)]
struct Held {
    grant_id: i64,
    permission: String,
    object_id: Option<i64>,
    group_id: Option<i64>,
    group_name: Option<String>,
}

/// One page of what is granted to a user or to one of their groups, the newest grant first.
pub async fn list_held(
    conn: &mut Conn,
    user_id: i64,
    before: Option<i64>,
    limit: u64,
) -> DbResult<Vec<HeldPermission>> {
    let group = Expr::col((Groups::Table, Groups::Id)).equals((Grants::Table, Grants::GroupId));
    let mut statement = held_by(user_id);
    statement
        .expr_as(Expr::col((Grants::Table, Grants::Id)), "grant_id")
        .columns([Grants::Permission, Grants::ObjectId, Grants::GroupId].map(|column| (Grants::Table, column)))
        .expr_as(Expr::col((Groups::Table, Groups::Name)), "group_name")
        .join(JoinType::LeftJoin, Groups::Table, group);
    newest(&mut statement, (Grants::Table, Grants::Id), before, limit);
    Ok(conn.all::<Held>(&statement).await?.into_iter().map(HeldPermission::from).collect())
}

/// How many grants a user and their groups hold.
pub async fn count_held(conn: &mut Conn, user_id: i64) -> DbResult<i64> {
    let statement = held_by(user_id).expr(Expr::col((Grants::Table, Grants::Id)).count()).take();
    Ok(conn.one::<(i64,)>(&statement).await?.0)
}

fn held_by(user_id: i64) -> SelectStatement {
    let groups = Query::select()
        .column(Memberships::GroupId)
        .from(Memberships::Table)
        .and_where(Expr::col(Memberships::UserId).eq(user_id))
        .take();
    let own = Expr::col((Grants::Table, Grants::UserId)).eq(user_id);
    let by_group = Expr::col((Grants::Table, Grants::GroupId)).in_subquery(groups);
    Query::select().from(Grants::Table).and_where(own.or(by_group)).take()
}

impl From<Held> for HeldPermission {
    fn from(row: Held) -> Self {
        let group = row.group_id.zip(row.group_name).map(|(id, name)| HoldingGroup { id, name });
        let source = if group.is_some() { Source::Group } else { Source::Direct };
        let Held { permission, object_id, grant_id, .. } = row;
        Self { permission, object_id, source, group, grant_id: Some(grant_id) }
    }
}
