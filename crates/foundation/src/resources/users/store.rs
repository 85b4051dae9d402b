//! All SQL for accounts.

use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, LockType, OnConflict, Order, Query, SelectStatement};

use super::model::{Profile, StoredUser, UserValues};
use crate::auth::oidc::Identity;
use crate::auth::tables::{Identities, Memberships, Users};
use crate::auth::{Email, Role, Status};
use crate::db::keyset::newest;
use crate::db::signals::{Changing, Signalled};
use crate::db::{Conn, Constraint, DbResult, Permit, Unsignalled};
use crate::resources::users::tables::DeletedIdentities;

/// An address belongs to one account.
pub const EMAIL_KEY: Constraint = Constraint::unique("users_email_key", "users.email");

/// What a [`StoredUser`] is read from.
const COLUMNS: [Users; 10] = [
    Users::Id,
    Users::Email,
    Users::Name,
    Users::Role,
    Users::Status,
    Users::EmailVerifiedAt,
    Users::TokenVersion,
    Users::Version,
    Users::CreatedAt,
    Users::UpdatedAt,
];

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

impl Signalled for StoredUser {
    type Table = Users;
    type Values = UserValues;

    async fn insert(
        conn: &mut Conn,
        permit: Permit<Users>,
        user: UserValues,
        now: DateTime<Utc>,
    ) -> DbResult<Option<Self>> {
        let statement = Query::insert()
            .into_table(Users::Table)
            .columns([
                Users::Email,
                Users::Name,
                Users::PasswordHash,
                Users::Role,
                Users::Status,
                Users::EmailVerifiedAt,
                Users::CreatedAt,
                Users::UpdatedAt,
            ])
            .values_panic([
                user.email.as_str().into(),
                user.name.into(),
                user.password_hash.into(),
                user.role.as_str().into(),
                user.status.as_str().into(),
                user.email_verified_at.into(),
                now.into(),
                now.into(),
            ])
            .returning(Query::returning().columns(COLUMNS))
            .take();
        conn.write_maybe(permit, &statement).await
    }

    /// Its sessions and whatever else belongs to it go by the schema.
    async fn delete(&self, conn: &mut Conn, permit: Permit<Users>) -> DbResult<bool> {
        let delete = Query::delete()
            .from_table(Users::Table)
            .and_where(Expr::col(Users::Id).eq(self.user.id))
            .and_where(Expr::col(Users::Version).eq(self.version))
            .take();
        Ok(conn.write(permit, &delete).await? == 1)
    }
}

impl Changing for StoredUser {
    /// A new password makes every token issued before worthless.
    async fn update(
        &self,
        conn: &mut Conn,
        permit: Permit<Users>,
        user: UserValues,
        now: DateTime<Utc>,
    ) -> DbResult<Option<Self>> {
        let mut statement = Query::update();
        statement
            .table(Users::Table)
            .value(Users::Email, user.email.as_str())
            .value(Users::Name, user.name)
            .value(Users::Role, user.role.as_str())
            .value(Users::Status, user.status.as_str())
            .value(Users::EmailVerifiedAt, user.email_verified_at)
            .value(Users::Version, Expr::col(Users::Version).add(1))
            .value(Users::UpdatedAt, now)
            .and_where(Expr::col(Users::Id).eq(self.user.id))
            .and_where(Expr::col(Users::Version).eq(self.version))
            .returning(Query::returning().columns(COLUMNS));
        if let Some(hash) = user.password_hash {
            statement
                .value(Users::PasswordHash, hash)
                .value(Users::TokenVersion, Expr::col(Users::TokenVersion).add(1));
        }
        conn.write_maybe(permit, &statement).await
    }
}

/// The account with this id.
pub async fn find(conn: &mut Conn, id: i64) -> DbResult<Option<StoredUser>> {
    conn.maybe(&by_id(id)).await
}

/// The same, kept from other writers until the transaction ends.
pub async fn find_to_change(conn: &mut Conn, id: i64) -> DbResult<Option<StoredUser>> {
    conn.maybe(&by_id(id).lock_exclusive().take()).await
}

/// The account with this address, kept from other writers until the transaction ends.
pub async fn find_by_email_to_change(tx: &mut Conn, email: &Email) -> DbResult<Option<StoredUser>> {
    let Some(id) = find_id(tx, email).await? else { return Ok(None) };
    // until it was locked it may have got another address
    Ok(find_to_change(tx, id).await?.filter(|found| found.user.email == *email))
}

/// Notes whose an identity is; false if that is known already.
pub async fn link(tx: &mut Conn, identity: &Identity, user_id: i64, now: DateTime<Utc>) -> DbResult<bool> {
    let key = [Identities::Issuer, Identities::Subject];
    let statement = Query::insert()
        .into_table(Identities::Table)
        .columns([Identities::Issuer, Identities::Subject, Identities::UserId, Identities::CreatedAt])
        .values_panic([identity.issuer.as_str().into(), identity.subject.as_str().into(), user_id.into(), now.into()])
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .take();
    Ok(tx.write(Identities::FREE, &statement).await? == 1)
}

/// The pairs of issuer and subject that an account is linked to.
pub async fn identities(conn: &mut Conn, user_id: i64) -> DbResult<Vec<(String, String)>> {
    let statement = Query::select()
        .columns([Identities::Issuer, Identities::Subject])
        .from(Identities::Table)
        .and_where(Expr::col(Identities::UserId).eq(user_id))
        .take();
    conn.all(&statement).await
}

/// Records that the account of an identity was deleted.
pub async fn insert_deleted_identity(tx: &mut Conn, hash: &str, now: DateTime<Utc>) -> DbResult<()> {
    let statement = Query::insert()
        .into_table(DeletedIdentities::Table)
        .columns([DeletedIdentities::IdentityHash, DeletedIdentities::CreatedAt])
        .values_panic([hash.into(), now.into()])
        .on_conflict(OnConflict::column(DeletedIdentities::IdentityHash).do_nothing().to_owned())
        .take();
    tx.write(DeletedIdentities::FREE, &statement).await?;
    Ok(())
}

/// Returns whether an account of this identity was deleted.
pub async fn is_deleted_identity(conn: &mut Conn, hash: &str) -> DbResult<bool> {
    let statement = Query::select()
        .column(DeletedIdentities::IdentityHash)
        .from(DeletedIdentities::Table)
        .and_where(Expr::col(DeletedIdentities::IdentityHash).eq(hash))
        .take();
    Ok(conn.maybe::<(String,)>(&statement).await?.is_some())
}

/// Whether an account belongs to an identity of this issuer.
pub async fn is_linked(conn: &mut Conn, user_id: i64, issuer: &str) -> DbResult<bool> {
    let statement = Query::select()
        .column(Identities::UserId)
        .from(Identities::Table)
        .and_where(Expr::col(Identities::UserId).eq(user_id))
        .and_where(Expr::col(Identities::Issuer).eq(issuer))
        .limit(1)
        .take();
    Ok(conn.maybe::<(i64,)>(&statement).await?.is_some())
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
        .and_where_option(filter.role.map(|role| Expr::col(Users::Role).eq(role.as_str())))
        .and_where_option(filter.status.map(|status| Expr::col(Users::Status).eq(status.as_str())))
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
        .and_where(Expr::col(Users::Role).eq(Role::Admin.as_str()))
        .and_where(Expr::col(Users::Status).eq(Status::Active.as_str()))
        .order_by(Users::Id, Order::Asc)
        // what refers to an admin may still be written
        .lock(LockType::NoKeyUpdate)
        .take();
    Ok(conn.all::<(i64,)>(&statement).await? == [(id,)])
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

/// The hash of the present password, and the version that every new password raises.
pub async fn password(conn: &mut Conn, id: i64) -> DbResult<Option<(String, i64)>> {
    let statement = Query::select()
        .columns([Users::PasswordHash, Users::TokenVersion])
        .from(Users::Table)
        .and_where(Expr::col(Users::Id).eq(id))
        .take();
    conn.maybe(&statement).await
}
