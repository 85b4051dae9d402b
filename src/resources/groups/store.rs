//! All SQL for groups and their members.

use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, OnConflict, Query, SelectStatement};

use super::model::{GroupUpdate, StoredGroup};
use crate::db::keyset::newest;
use crate::db::tables::{Groups, Memberships};
use crate::db::{Conn, Constraint, DbError, DbResult};
use crate::error::{Code, Error};

/// What a [`StoredGroup`] is read from.
const COLUMNS: [Groups; 5] = [Groups::Id, Groups::Name, Groups::Version, Groups::CreatedAt, Groups::UpdatedAt];

/// Makes a group.
///
/// # Errors
/// 409 `name_in_use`.
pub async fn insert(conn: &mut Conn, name: &str, now: DateTime<Utc>) -> Result<StoredGroup, Error> {
    let statement = Query::insert()
        .into_table(Groups::Table)
        .columns([Groups::Name, Groups::CreatedAt, Groups::UpdatedAt])
        .values_panic([name.into(), now.into(), now.into()])
        .returning(Query::returning().columns(COLUMNS))
        .take();
    conn.one(&statement).await.map_err(taken)
}

/// The group with this id.
pub async fn find(conn: &mut Conn, id: i64) -> DbResult<Option<StoredGroup>> {
    conn.maybe(&by_id(id)).await
}

/// The same, kept from other writers until the transaction ends.
pub async fn find_to_change(conn: &mut Conn, id: i64) -> DbResult<Option<StoredGroup>> {
    conn.maybe(&by_id(id).lock_exclusive().take()).await
}

/// The id of the group with this name.
pub async fn find_id(conn: &mut Conn, name: &str) -> DbResult<Option<i64>> {
    let statement =
        Query::select().column(Groups::Id).from(Groups::Table).and_where(Expr::col(Groups::Name).eq(name)).take();
    Ok(conn.maybe::<(i64,)>(&statement).await?.map(|(id,)| id))
}

fn by_id(id: i64) -> SelectStatement {
    Query::select().columns(COLUMNS).from(Groups::Table).and_where(Expr::col(Groups::Id).eq(id)).take()
}

/// One page, the newest first; only those that this user is in, if one is named.
pub async fn list(conn: &mut Conn, member: Option<i64>, before: Option<i64>, limit: u64) -> DbResult<Vec<StoredGroup>> {
    let mut statement = matching(member);
    statement.columns(COLUMNS);
    newest(&mut statement, Groups::Id, before, limit);
    conn.all(&statement).await
}

/// How many groups match.
pub async fn count(conn: &mut Conn, member: Option<i64>) -> DbResult<i64> {
    let statement = matching(member).expr(Expr::col(Groups::Id).count()).take();
    Ok(conn.one::<(i64,)>(&statement).await?.0)
}

fn matching(member: Option<i64>) -> SelectStatement {
    let of = |user_id| {
        Query::select()
            .column(Memberships::GroupId)
            .from(Memberships::Table)
            .and_where(Expr::col(Memberships::UserId).eq(user_id))
            .take()
    };
    let mut statement = Query::select();
    statement
        .from(Groups::Table)
        .and_where_option(member.map(|user_id| Expr::col(Groups::Id).in_subquery(of(user_id))));
    statement
}

/// Changes the named fields of the group as it was found; none if it is in another version by now.
///
/// # Errors
/// 409 `name_in_use`.
pub async fn update(
    conn: &mut Conn,
    found: &StoredGroup,
    change: GroupUpdate,
    now: DateTime<Utc>,
) -> Result<Option<StoredGroup>, Error> {
    let statement = Query::update()
        .table(Groups::Table)
        .value(Groups::Name, change.name.unwrap_or_else(|| found.group.name.clone()))
        .value(Groups::Version, Expr::col(Groups::Version).add(1))
        .value(Groups::UpdatedAt, now)
        .and_where(Expr::col(Groups::Id).eq(found.group.id))
        .and_where(Expr::col(Groups::Version).eq(found.version))
        .returning(Query::returning().columns(COLUMNS))
        .take();
    conn.maybe(&statement).await.map_err(taken)
}

/// Deletes the group and, by the schema, its memberships and grants; false if it is in another version by now.
pub async fn delete(conn: &mut Conn, found: &StoredGroup) -> DbResult<bool> {
    let statement = Query::delete()
        .from_table(Groups::Table)
        .and_where(Expr::col(Groups::Id).eq(found.group.id))
        .and_where(Expr::col(Groups::Version).eq(found.version))
        .take();
    Ok(conn.execute(&statement).await? == 1)
}

/// Puts a user into a group; false if they are in it already.
pub async fn add_member(conn: &mut Conn, group_id: i64, user_id: i64, now: DateTime<Utc>) -> DbResult<bool> {
    let statement = Query::insert()
        .into_table(Memberships::Table)
        .columns([Memberships::GroupId, Memberships::UserId, Memberships::CreatedAt])
        .values_panic([group_id.into(), user_id.into(), now.into()])
        .on_conflict(OnConflict::columns([Memberships::GroupId, Memberships::UserId]).do_nothing().to_owned())
        .take();
    Ok(conn.execute(&statement).await? == 1)
}

/// Takes a user out of a group; false if they were not in it.
pub async fn remove_member(conn: &mut Conn, group_id: i64, user_id: i64) -> DbResult<bool> {
    let statement = Query::delete()
        .from_table(Memberships::Table)
        .and_where(Expr::col(Memberships::GroupId).eq(group_id))
        .and_where(Expr::col(Memberships::UserId).eq(user_id))
        .take();
    Ok(conn.execute(&statement).await? == 1)
}

fn taken(error: DbError) -> Error {
    if error.violates(Constraint::GroupsName) {
        return Error::new(Code::NameInUse, "Another group has this name.");
    }
    error.into()
}
