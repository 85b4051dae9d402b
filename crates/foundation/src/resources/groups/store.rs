//! All SQL for groups and their members.

use chrono::{DateTime, Utc};
use sea_query::{Condition, Expr, ExprTrait, OnConflict, Order, Query};
use sqlx::FromRow;

use crate::auth::tables::{Groups, Memberships};
use crate::db::signals::Signalled;
use crate::db::{Conn, Constraint, DbResult, Permit};

/// A member is in a group that exists.
pub const MEMBERSHIPS_GROUP: Constraint = Constraint::foreign_key("memberships_group_id_fkey");

/// A member is an account that exists.
pub const MEMBERSHIPS_USER: Constraint = Constraint::foreign_key("memberships_user_id_fkey");

/// A user in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Membership {
    /// The group.
    pub group_id: i64,
    /// The user.
    pub user_id: i64,
}

impl Signalled for Membership {
    type Table = Memberships;
    type Values = Self;

    /// None if the user is in the group already.
    async fn insert(
        conn: &mut Conn,
        permit: Permit<Memberships>,
        member: Self,
        now: DateTime<Utc>,
    ) -> DbResult<Option<Self>> {
        let columns = [Memberships::GroupId, Memberships::UserId];
        let statement = Query::insert()
            .into_table(Memberships::Table)
            .columns([Memberships::GroupId, Memberships::UserId, Memberships::CreatedAt])
            .values_panic([member.group_id.into(), member.user_id.into(), now.into()])
            .on_conflict(OnConflict::columns(columns).do_nothing().to_owned())
            .returning(Query::returning().columns(columns))
            .take();
        conn.write_maybe(permit, &statement).await
    }

    async fn delete(&self, conn: &mut Conn, permit: Permit<Memberships>) -> DbResult<bool> {
        let statement = Query::delete()
            .from_table(Memberships::Table)
            .and_where(Expr::col(Memberships::GroupId).eq(self.group_id))
            .and_where(Expr::col(Memberships::UserId).eq(self.user_id))
            .take();
        Ok(conn.write(permit, &statement).await? == 1)
    }
}

/// Where a user is in; they stay so until the transaction ends.
pub async fn find_memberships(conn: &mut Conn, user_id: i64) -> DbResult<Vec<Membership>> {
    let statement = Query::select()
        .columns([Memberships::GroupId, Memberships::UserId])
        .from(Memberships::Table)
        .and_where(Expr::col(Memberships::UserId).eq(user_id))
        .order_by(Memberships::GroupId, Order::Asc)
        .lock_exclusive()
        .take();
    conn.all(&statement).await
}

/// Memberships in the order of groups and users, behind one of them.
pub async fn list_memberships(conn: &mut Conn, after: Option<(i64, i64)>, limit: u64) -> DbResult<Vec<Membership>> {
    let place = Expr::tuple([Expr::col(Memberships::GroupId), Expr::col(Memberships::UserId)]);
    let statement = Query::select()
        .columns([Memberships::GroupId, Memberships::UserId])
        .from(Memberships::Table)
        .and_where_option(after.map(|(group, user)| place.gt(Expr::tuple([Expr::val(group), Expr::val(user)]))))
        .order_by(Memberships::GroupId, Order::Asc)
        .order_by(Memberships::UserId, Order::Asc)
        .limit(limit)
        .take();
    conn.all(&statement).await
}

/// Whether a user is in a group; then it stays so until the transaction ends.
pub async fn find_membership(conn: &mut Conn, group_id: i64, user_id: i64) -> DbResult<Option<Membership>> {
    let statement = Query::select()
        .columns([Memberships::GroupId, Memberships::UserId])
        .from(Memberships::Table)
        .and_where(Expr::col(Memberships::GroupId).eq(group_id))
        .and_where(Expr::col(Memberships::UserId).eq(user_id))
        .lock_exclusive()
        .take();
    conn.maybe(&statement).await
}

/// The id of the group with this name.
pub async fn find_id(conn: &mut Conn, name: &str) -> DbResult<Option<i64>> {
    let statement =
        Query::select().column(Groups::Id).from(Groups::Table).and_where(Expr::col(Groups::Name).eq(name)).take();
    Ok(conn.maybe::<(i64,)>(&statement).await?.map(|(id,)| id))
}

/// Selects the groups that a user is in; without a user, all groups.
pub fn of_member(user_id: Option<i64>) -> Condition {
    let of = |user_id| {
        Query::select()
            .column(Memberships::GroupId)
            .from(Memberships::Table)
            .and_where(Expr::col(Memberships::UserId).eq(user_id))
            .take()
    };
    Condition::all().add_option(user_id.map(|user_id| Expr::col(Groups::Id).in_subquery(of(user_id))))
}
