//! All SQL for accounts.

use chrono::{DateTime, Utc};
use poem_openapi::types::MaybeUndefined;
use sea_query::{Expr, ExprTrait, LockType, Order, Query, SelectStatement};

use super::model::{AccountUpdate, Profile, StoredUser, User, UserUpdate};
use crate::auth::{Email, Role, Status};
use crate::db::keyset::newest;
use crate::db::tables::{Memberships, Posts, Users, Votes};
use crate::db::{Conn, Constraint, DbError, DbResult};
use crate::error::{Code, Error};

/// What a [`StoredUser`] is read from.
const COLUMNS: [Users; 8] = [
    Users::Id,
    Users::Email,
    Users::Name,
    Users::Role,
    Users::Status,
    Users::Version,
    Users::CreatedAt,
    Users::UpdatedAt,
];

/// A row to insert.
pub struct NewUser {
    /// The address, in lower case.
    pub email: Email,
    /// The public name.
    pub name: Option<String>,
    /// argon2id, as a PHC string.
    pub password_hash: String,
    /// What the account may do.
    pub role: Role,
    /// Whether it may be used.
    pub status: Status,
}

/// Which accounts a list shows.
#[derive(Default)]
pub struct Filter {
    /// Only the one with this address.
    pub email: Option<Email>,
    /// Only those of this role.
    pub role: Option<Role>,
    /// Only those of this status.
    pub status: Option<Status>,
    /// Only the members of this group.
    pub group_id: Option<i64>,
}

/// Inserts an account.
///
/// # Errors
/// 409 `email_in_use`.
pub async fn insert(conn: &mut Conn, user: NewUser, now: DateTime<Utc>) -> Result<StoredUser, Error> {
    let statement = Query::insert()
        .into_table(Users::Table)
        .columns([
            Users::Email,
            Users::Name,
            Users::PasswordHash,
            Users::Role,
            Users::Status,
            Users::CreatedAt,
            Users::UpdatedAt,
        ])
        .values_panic([
            user.email.as_str().into(),
            user.name.into(),
            user.password_hash.into(),
            user.role.word().into(),
            user.status.word().into(),
            now.into(),
            now.into(),
        ])
        .returning(Query::returning().columns(COLUMNS))
        .take();
    conn.one(&statement).await.map_err(taken)
}

/// The account with this id.
pub async fn find(conn: &mut Conn, id: i64) -> DbResult<Option<StoredUser>> {
    conn.maybe(&by_id(id)).await
}

/// The same, kept from other writers until the transaction ends.
pub async fn find_to_change(conn: &mut Conn, id: i64) -> DbResult<Option<StoredUser>> {
    conn.maybe(&by_id(id).lock_exclusive().take()).await
}

fn by_id(id: i64) -> SelectStatement {
    Query::select().columns(COLUMNS).from(Users::Table).and_where(Expr::col(Users::Id).eq(id)).take()
}

/// What everyone may know of a user.
pub async fn find_profile(conn: &mut Conn, id: i64) -> DbResult<Option<Profile>> {
    let statement = Query::select()
        .columns([Users::Id, Users::Name])
        .from(Users::Table)
        .and_where(Expr::col(Users::Id).eq(id))
        .take();
    conn.maybe(&statement).await
}

/// One page, the newest first.
pub async fn list(conn: &mut Conn, filter: &Filter, before: Option<i64>, limit: u64) -> DbResult<Vec<StoredUser>> {
    let mut statement = matching(filter);
    statement.columns(COLUMNS);
    newest(&mut statement, Users::Id, before, limit);
    conn.all(&statement).await
}

/// How many accounts match.
pub async fn count(conn: &mut Conn, filter: &Filter) -> DbResult<i64> {
    let statement = matching(filter).expr(Expr::col(Users::Id).count()).take();
    Ok(conn.one::<(i64,)>(&statement).await?.0)
}

fn matching(filter: &Filter) -> SelectStatement {
    let members = |group_id| {
        Query::select()
            .column(Memberships::UserId)
            .from(Memberships::Table)
            .and_where(Expr::col(Memberships::GroupId).eq(group_id))
            .take()
    };
    let mut statement = Query::select();
    statement
        .from(Users::Table)
        .and_where_option(filter.email.as_ref().map(|email| Expr::col(Users::Email).eq(email.as_str())))
        .and_where_option(filter.role.map(|role| Expr::col(Users::Role).eq(role.word())))
        .and_where_option(filter.status.map(|status| Expr::col(Users::Status).eq(status.word())))
        .and_where_option(filter.group_id.map(|id| Expr::col(Users::Id).in_subquery(members(id))));
    statement
}

/// Whether this is the only account that is an active admin.
///
/// Every change that may take an admin away asks this first, and keeps all admins as they are until its transaction
/// ends: of two that take each other away, the second finds itself alone.
pub async fn is_last_admin(conn: &mut Conn, id: i64) -> DbResult<bool> {
    let statement = Query::select()
        .column(Users::Id)
        .from(Users::Table)
        .and_where(Expr::col(Users::Role).eq(Role::Admin.word()))
        .and_where(Expr::col(Users::Status).eq(Status::Active.word()))
        .order_by(Users::Id, Order::Asc)
        // what refers to an admin may still be written
        .lock(LockType::NoKeyUpdate)
        .take();
    Ok(conn.all::<(i64,)>(&statement).await? == [(id,)])
}

/// Sets role and status of an account in the version it was found in; none if it is in another by now.
pub async fn set_access(
    conn: &mut Conn,
    found: &StoredUser,
    change: &AccountUpdate,
    now: DateTime<Utc>,
) -> DbResult<Option<StoredUser>> {
    let User { id, role, status, .. } = found.user;
    let statement = Query::update()
        .table(Users::Table)
        .value(Users::Role, change.role.unwrap_or(role).word())
        .value(Users::Status, change.status.unwrap_or(status).word())
        .value(Users::Version, Expr::col(Users::Version).add(1))
        .value(Users::UpdatedAt, now)
        .and_where(Expr::col(Users::Id).eq(id))
        .and_where(Expr::col(Users::Version).eq(found.version))
        .returning(Query::returning().columns(COLUMNS))
        .take();
    conn.maybe(&statement).await
}

/// The id of the account with this address.
pub async fn find_id(conn: &mut Conn, email: &Email) -> DbResult<Option<i64>> {
    let statement = Query::select()
        .column(Users::Id)
        .from(Users::Table)
        .and_where(Expr::col(Users::Email).eq(email.as_str()))
        .take();
    Ok(conn.maybe::<(i64,)>(&statement).await?.map(|(id,)| id))
}

/// Whether there is no account at all.
pub async fn is_empty(conn: &mut Conn) -> DbResult<bool> {
    let statement = Query::select().column(Users::Id).from(Users::Table).limit(1).take();
    Ok(conn.maybe::<(i64,)>(&statement).await?.is_none())
}

/// Changes the named fields; none if the account is gone.
///
/// # Errors
/// 409 `email_in_use`.
pub async fn update(
    conn: &mut Conn,
    id: i64,
    change: UserUpdate,
    now: DateTime<Utc>,
) -> Result<Option<StoredUser>, Error> {
    let mut statement = Query::update();
    statement
        .table(Users::Table)
        .value(Users::Version, Expr::col(Users::Version).add(1))
        .value(Users::UpdatedAt, now)
        .and_where(Expr::col(Users::Id).eq(id));
    if let Some(email) = change.email {
        statement.value(Users::Email, email.as_str());
    }
    match change.name {
        MaybeUndefined::Undefined => {}
        MaybeUndefined::Null => {
            statement.value(Users::Name, None::<String>);
        }
        MaybeUndefined::Value(name) => {
            statement.value(Users::Name, name);
        }
    }
    statement.returning(Query::returning().columns(COLUMNS));
    conn.maybe(&statement).await.map_err(taken)
}

/// Counts down the votes of an account that goes. The caller has locked it: no vote of this user slips in between the
/// count and the deletion.
pub async fn take_back_votes(conn: &mut Conn, id: i64) -> DbResult<()> {
    let voted =
        Query::select().column(Votes::PostId).from(Votes::Table).and_where(Expr::col(Votes::UserId).eq(id)).take();
    // every post that changes, by its id: two deletions that share posts would else wait for each other
    let posts = Query::select()
        .column(Posts::Id)
        .from(Posts::Table)
        .and_where(Expr::col(Posts::OwnerId).eq(id).or(Expr::col(Posts::Id).in_subquery(voted.clone())))
        .order_by(Posts::Id, Order::Asc)
        .lock(LockType::NoKeyUpdate)
        .take();
    conn.all::<(i64,)>(&posts).await?;
    let uncount = Query::update()
        .table(Posts::Table)
        .value(Posts::Votes, Expr::col(Posts::Votes).sub(1))
        .and_where(Expr::col(Posts::Id).in_subquery(voted))
        .take();
    conn.execute(&uncount).await?;
    Ok(())
}

/// Deletes the account and, by the schema, its votes, memberships and sessions.
pub async fn delete(conn: &mut Conn, id: i64) -> DbResult<()> {
    let delete = Query::delete().from_table(Users::Table).and_where(Expr::col(Users::Id).eq(id)).take();
    conn.execute(&delete).await?;
    Ok(())
}

/// The hash of the present password.
pub async fn password_hash(conn: &mut Conn, id: i64) -> DbResult<Option<String>> {
    let statement =
        Query::select().column(Users::PasswordHash).from(Users::Table).and_where(Expr::col(Users::Id).eq(id)).take();
    Ok(conn.maybe::<(String,)>(&statement).await?.map(|(hash,)| hash))
}

/// Replaces the password if it is still the one that was verified, and makes every token issued before worthless.
pub async fn set_password(
    conn: &mut Conn,
    id: i64,
    old_hash: &str,
    new_hash: String,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let statement = Query::update()
        .table(Users::Table)
        .value(Users::PasswordHash, new_hash)
        .value(Users::TokenVersion, Expr::col(Users::TokenVersion).add(1))
        .value(Users::UpdatedAt, now)
        .and_where(Expr::col(Users::Id).eq(id))
        .and_where(Expr::col(Users::PasswordHash).eq(old_hash))
        .take();
    Ok(conn.execute(&statement).await? == 1)
}

fn taken(error: DbError) -> Error {
    if error.violates(Constraint::UsersEmail) {
        return Error::new(Code::EmailInUse, "Log in, or use another address.");
    }
    error.into()
}
