//! All SQL for grants. The check itself is in `auth::permission`.

use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement, UnionType};

use super::model::{Grant, GrantCreate};
use crate::auth::permission::Target;
use crate::auth::tables::{Grants, Permissions};
use crate::db::keyset::newest;
use crate::db::signals::Signalled;
use crate::db::{Conn, Constraint, DbResult, Permit};

/// A permission is granted once to a user or group, on all objects or on one.
pub const KEYS: [Constraint; 2] = [
    Constraint::unique_index("grants_user_key", "index 'grants_user_key'"),
    Constraint::unique_index("grants_group_key", "index 'grants_group_key'"),
];

/// A grant is of a permission, to a user or group, that exist.
pub const REFERENCES: [Constraint; 3] = [
    Constraint::foreign_key("grants_user_id_fkey"),
    Constraint::foreign_key("grants_group_id_fkey"),
    Constraint::foreign_key("grants_permission_fkey"),
];

/// What a [`Grant`] is read from.
const COLUMNS: [Grants; 6] =
    [Grants::Id, Grants::UserId, Grants::GroupId, Grants::Permission, Grants::ObjectId, Grants::CreatedAt];

/// Which grants a list shows.
#[derive(Default)]
pub struct Filter {
    /// Only this user's, whatever else is asked for: the others are not for the reader to know.
    pub only_of: Option<i64>,
    /// Only this user's.
    pub user_id: Option<i64>,
    /// Only this group's.
    pub group_id: Option<i64>,
    /// Only of this permission.
    pub permission: Option<String>,
    /// Only of permissions for rows of this table.
    pub target: Option<Target>,
    /// Only on this object.
    pub object_id: Option<i64>,
}

impl Signalled for Grant {
    type Table = Grants;
    type Values = GrantCreate;

    async fn insert(
        conn: &mut Conn,
        permit: Permit<Grants>,
        grant: GrantCreate,
        now: DateTime<Utc>,
    ) -> DbResult<Option<Self>> {
        let statement = Query::insert()
            .into_table(Grants::Table)
            .columns([Grants::UserId, Grants::GroupId, Grants::Permission, Grants::ObjectId, Grants::CreatedAt])
            .values_panic([
                grant.user_id.into(),
                grant.group_id.into(),
                grant.permission.into(),
                grant.object_id.into(),
                now.into(),
            ])
            .returning(Query::returning().columns(COLUMNS))
            .take();
        conn.write_maybe(permit, &statement).await
    }

    async fn delete(&self, conn: &mut Conn, permit: Permit<Grants>) -> DbResult<bool> {
        let statement = Query::delete().from_table(Grants::Table).and_where(Expr::col(Grants::Id).eq(self.id)).take();
        Ok(conn.write(permit, &statement).await? == 1)
    }
}

/// The grant with this id; with `only_of` only if it is this user's.
pub async fn find(conn: &mut Conn, id: i64, only_of: Option<i64>) -> DbResult<Option<Grant>> {
    let mut statement = matching(&Filter { only_of, ..Filter::default() });
    statement.columns(COLUMNS).and_where(Expr::col(Grants::Id).eq(id));
    conn.maybe(&statement).await
}

/// The grant with this id, kept from other writers until the transaction ends.
pub async fn find_to_change(conn: &mut Conn, id: i64) -> DbResult<Option<Grant>> {
    let statement = Query::select()
        .columns(COLUMNS)
        .from(Grants::Table)
        .and_where(Expr::col(Grants::Id).eq(id))
        .lock_exclusive()
        .take();
    conn.maybe(&statement).await
}

/// All that match one of the filters, kept from other writers until the transaction ends.
pub async fn find_all_to_change(conn: &mut Conn, filters: &[Filter]) -> DbResult<Vec<Grant>> {
    // a branch each, which walks an index of its own; an OR would walk every grant
    let ids = filters.iter().map(|filter| matching(filter).column(Grants::Id).take());
    let Some(ids) = ids.reduce(|mut ids, more| ids.union(UnionType::All, more).take()) else { return Ok(vec![]) };
    let statement = Query::select()
        .columns(COLUMNS)
        .from(Grants::Table)
        .and_where(Expr::col(Grants::Id).in_subquery(ids))
        // all of them by id, like everyone who locks several: two that share some would else wait for each other
        .order_by(Grants::Id, Order::Asc)
        .lock_exclusive()
        .take();
    conn.all(&statement).await
}

/// The table whose rows a permission of the catalogue may be granted on, if it is there.
pub async fn find_permission(conn: &mut Conn, name: &str) -> DbResult<Option<Option<Target>>> {
    let statement = Query::select()
        .column(Permissions::Target)
        .from(Permissions::Table)
        .and_where(Expr::col(Permissions::Name).eq(name))
        .take();
    let row = conn.maybe::<(Option<String>,)>(&statement).await?;
    // a table that a newer release knows is none that this one can grant on
    Ok(row.map(|(target,)| target.and_then(|word| Target::try_from(word).ok())))
}

/// One page, the newest first.
pub async fn list(conn: &mut Conn, filter: &Filter, before: Option<i64>, limit: u64) -> DbResult<Vec<Grant>> {
    let mut statement = matching(filter);
    statement.columns(COLUMNS);
    newest(&mut statement, Grants::Id, before, limit);
    conn.all(&statement).await
}

/// How many grants match.
pub async fn count(conn: &mut Conn, filter: &Filter) -> DbResult<i64> {
    let statement = matching(filter).expr(Expr::col(Grants::Id).count()).take();
    Ok(conn.one::<(i64,)>(&statement).await?.0)
}

fn matching(filter: &Filter) -> SelectStatement {
    let of = |target: Target| {
        Query::select()
            .column(Permissions::Name)
            .from(Permissions::Table)
            .and_where(Expr::col(Permissions::Target).eq(target.as_str()))
            .take()
    };
    let mut statement = Query::select();
    statement
        .from(Grants::Table)
        .and_where_option(filter.only_of.map(|id| Expr::col(Grants::UserId).eq(id)))
        .and_where_option(filter.user_id.map(|id| Expr::col(Grants::UserId).eq(id)))
        .and_where_option(filter.group_id.map(|id| Expr::col(Grants::GroupId).eq(id)))
        .and_where_option(filter.permission.as_deref().map(|name| Expr::col(Grants::Permission).eq(name)))
        .and_where_option(filter.target.map(|target| Expr::col(Grants::Permission).in_subquery(of(target))))
        .and_where_option(filter.object_id.map(|id| Expr::col(Grants::ObjectId).eq(id)));
    statement
}
