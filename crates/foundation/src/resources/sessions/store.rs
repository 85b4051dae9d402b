//! All SQL for sessions and refresh tokens.

use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, JoinType, LockType, Order, Query, SelectStatement};
use sqlx::FromRow;

use super::model::StoredSession;
use crate::auth::tables::{PASSWORD_HASH, Sessions, Users};
use crate::auth::{Email, Role, Status};
use crate::db::keyset::newest;
use crate::db::{Conn, DbResult, Unsignalled};
use crate::http::client::Client;
use crate::resources::sessions::tables::RefreshTokens;

/// What a token is made of.
#[derive(Clone, Copy, FromRow)]
pub struct Account {
    /// The user's id.
    pub id: i64,
    /// The present role.
    #[sqlx(try_from = "String")]
    pub role: Role,
    /// The present status.
    #[sqlx(try_from = "String")]
    pub status: Status,
    /// Raised by each new password.
    pub token_version: i64,
}

/// An account and the hash its password must match.
#[derive(FromRow)]
pub struct Login {
    /// The account.
    #[sqlx(flatten)]
    pub account: Account,
    /// When its address was verified, if it was.
    pub email_verified_at: Option<DateTime<Utc>>,
    /// argon2id or, imported, bcrypt.
    pub password_hash: String,
}

/// The account behind an address.
pub async fn find_login(conn: &mut Conn, email: &Email) -> DbResult<Option<Login>> {
    let statement = Query::select()
        .columns([
            Users::Id,
            Users::Role,
            Users::Status,
            Users::EmailVerifiedAt,
            Users::TokenVersion,
            Users::PasswordHash,
        ])
        .from(Users::Table)
        .and_where(Expr::col(Users::Email).eq(email.as_str()))
        .take();
    conn.maybe(&statement).await
}

/// Whether the account is still there with the password that was verified, and stays so until the transaction ends:
/// a new password must not leave a session behind that the old one has opened.
pub async fn stands(conn: &mut Conn, account: Account) -> DbResult<bool> {
    let statement = Query::select()
        .column(Users::Id)
        .from(Users::Table)
        .and_where(Expr::col(Users::Id).eq(account.id))
        .and_where(Expr::col(Users::TokenVersion).eq(account.token_version))
        // not shared: two logins that both upgrade the hash would wait for each other
        .lock(LockType::NoKeyUpdate)
        .take();
    Ok(conn.maybe::<(i64,)>(&statement).await?.is_some())
}

/// Replaces an imported hash by a stronger one of the same password.
pub async fn upgrade_hash(conn: &mut Conn, user_id: i64, old: &str, new: String) -> DbResult<()> {
    let statement = Query::update()
        .table(Users::Table)
        .value(Users::PasswordHash, new)
        .and_where(Expr::col(Users::Id).eq(user_id))
        .and_where(Expr::col(Users::PasswordHash).eq(old))
        .take();
    conn.write(PASSWORD_HASH, &statement).await?;
    Ok(())
}

/// Opens a session that can be refreshed until then; answers its id.
pub async fn insert(
    conn: &mut Conn,
    user_id: i64,
    client: &Client,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> DbResult<i64> {
    let statement = Query::insert()
        .into_table(Sessions::Table)
        .columns([Sessions::UserId, Sessions::Address, Sessions::UserAgent, Sessions::CreatedAt, Sessions::ExpiresAt])
        .values_panic([
            user_id.into(),
            client.origin.address.map(|address| address.to_string()).into(),
            client.user_agent.clone().into(),
            now.into(),
            expires_at.into(),
        ])
        .returning(Query::returning().column(Sessions::Id))
        .take();
    Ok(conn.write_one::<(i64,)>(Sessions::FREE, &statement).await?.0)
}

/// Notes that a session was refreshed, and can be again until then.
pub async fn extend(conn: &mut Conn, session_id: i64, now: DateTime<Utc>, expires_at: DateTime<Utc>) -> DbResult<()> {
    let statement = Query::update()
        .table(Sessions::Table)
        .value(Sessions::RefreshedAt, now)
        .value(Sessions::ExpiresAt, expires_at)
        .and_where(Expr::col(Sessions::Id).eq(session_id))
        .take();
    conn.write(Sessions::FREE, &statement).await?;
    Ok(())
}

/// The sessions of a user that go on, the newest first, behind this id.
pub async fn page(
    conn: &mut Conn,
    user_id: i64,
    now: DateTime<Utc>,
    before: Option<i64>,
    limit: u64,
) -> DbResult<Vec<StoredSession>> {
    let mut statement = open(user_id, now);
    statement.columns([
        Sessions::Id,
        Sessions::Address,
        Sessions::UserAgent,
        Sessions::CreatedAt,
        Sessions::RefreshedAt,
        Sessions::ExpiresAt,
    ]);
    newest(&mut statement, Sessions::Id, before, limit);
    conn.all(&statement).await
}

/// How many sessions of a user go on.
pub async fn count(conn: &mut Conn, user_id: i64, now: DateTime<Utc>) -> DbResult<i64> {
    let statement = open(user_id, now).expr(Expr::col(Sessions::Id).count()).take();
    Ok(conn.one::<(i64,)>(&statement).await?.0)
}

fn open(user_id: i64, now: DateTime<Utc>) -> SelectStatement {
    Query::select()
        .from(Sessions::Table)
        .and_where(Expr::col(Sessions::UserId).eq(user_id))
        .and_where(Expr::col(Sessions::RevokedAt).is_null())
        .and_where(Expr::col(Sessions::ExpiresAt).gt(now))
        .take()
}

/// Stores the hash of a new refresh token.
pub async fn insert_refresh_token(
    conn: &mut Conn,
    token_hash: &str,
    session_id: i64,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> DbResult<()> {
    let statement = Query::insert()
        .into_table(RefreshTokens::Table)
        .columns([
            RefreshTokens::TokenHash,
            RefreshTokens::SessionId,
            RefreshTokens::CreatedAt,
            RefreshTokens::ExpiresAt,
        ])
        .values_panic([token_hash.into(), session_id.into(), now.into(), expires_at.into()])
        .take();
    conn.write(RefreshTokens::FREE, &statement).await?;
    Ok(())
}

/// Keeps the account of a refresh token until the transaction ends. Its deletion takes the account first and the tokens
/// last; in another order the two would wait for each other.
pub async fn hold(conn: &mut Conn, token_hash: &str) -> DbResult<()> {
    let session = Expr::col((Sessions::Table, Sessions::UserId)).equals((Users::Table, Users::Id));
    let token = Expr::col((RefreshTokens::Table, RefreshTokens::SessionId)).equals((Sessions::Table, Sessions::Id));
    let statement = Query::select()
        .column((Users::Table, Users::Id))
        .from(Users::Table)
        .join(JoinType::InnerJoin, Sessions::Table, session)
        .join(JoinType::InnerJoin, RefreshTokens::Table, token)
        .and_where(Expr::col((RefreshTokens::Table, RefreshTokens::TokenHash)).eq(token_hash))
        .lock_with_tables(LockType::KeyShare, [Users::Table])
        .take();
    conn.maybe::<(i64,)>(&statement).await?;
    Ok(())
}

/// Marks a refresh token as used; answers its session if it was unused and had not expired. Of two at once one gets it.
pub async fn use_refresh_token(conn: &mut Conn, token_hash: &str, now: DateTime<Utc>) -> DbResult<Option<i64>> {
    let statement = Query::update()
        .table(RefreshTokens::Table)
        .value(RefreshTokens::UsedAt, now)
        .and_where(Expr::col(RefreshTokens::TokenHash).eq(token_hash))
        .and_where(Expr::col(RefreshTokens::UsedAt).is_null())
        .and_where(Expr::col(RefreshTokens::ExpiresAt).gt(now))
        .returning(Query::returning().column(RefreshTokens::SessionId))
        .take();
    Ok(conn.write_maybe::<(i64,)>(RefreshTokens::FREE, &statement).await?.map(|(id,)| id))
}

/// The session of a refresh token, whatever has become of it.
pub async fn session_of(conn: &mut Conn, token_hash: &str) -> DbResult<Option<i64>> {
    let statement = Query::select()
        .column(RefreshTokens::SessionId)
        .from(RefreshTokens::Table)
        .and_where(Expr::col(RefreshTokens::TokenHash).eq(token_hash))
        .take();
    Ok(conn.maybe::<(i64,)>(&statement).await?.map(|(id,)| id))
}

/// The addresses like this pattern from which sessions of an account were opened, of the newest so many.
pub async fn addresses(conn: &mut Conn, email: &Email, like: &str, limit: u64) -> DbResult<Vec<String>> {
    let user = Expr::col((Users::Table, Users::Id)).equals((Sessions::Table, Sessions::UserId));
    let statement = Query::select()
        .column((Sessions::Table, Sessions::Address))
        .from(Sessions::Table)
        .join(JoinType::InnerJoin, Users::Table, user)
        .and_where(Expr::col((Users::Table, Users::Email)).eq(email.as_str()))
        .and_where(Expr::col((Sessions::Table, Sessions::Address)).like(like))
        .order_by((Sessions::Table, Sessions::Id), Order::Desc)
        .limit(limit)
        .take();
    Ok(conn.all::<(String,)>(&statement).await?.into_iter().map(|(address,)| address).collect())
}

/// What is known of a refresh token that was used before.
#[derive(Clone, Copy, FromRow)]
pub struct Used {
    /// The session that it belongs to.
    pub session_id: i64,
    /// Whose that is.
    pub user_id: i64,
    /// When.
    pub used_at: DateTime<Utc>,
}

/// A refresh token that was used before.
pub async fn find_used(conn: &mut Conn, token_hash: &str) -> DbResult<Option<Used>> {
    let session = Expr::col((RefreshTokens::Table, RefreshTokens::SessionId)).equals((Sessions::Table, Sessions::Id));
    let statement = Query::select()
        .columns([RefreshTokens::SessionId, RefreshTokens::UsedAt].map(|column| (RefreshTokens::Table, column)))
        .column((Sessions::Table, Sessions::UserId))
        .from(RefreshTokens::Table)
        .join(JoinType::InnerJoin, Sessions::Table, session)
        .and_where(Expr::col((RefreshTokens::Table, RefreshTokens::TokenHash)).eq(token_hash))
        .and_where(Expr::col((RefreshTokens::Table, RefreshTokens::UsedAt)).is_not_null())
        .take();
    conn.maybe(&statement).await
}

/// A session that has not been revoked.
#[derive(Clone, Copy, FromRow)]
pub struct Standing {
    /// Its account.
    #[sqlx(flatten)]
    pub account: Account,
    /// The time of the login.
    pub created_at: DateTime<Utc>,
}

/// Returns a session that has not been revoked, with its account.
pub async fn find_standing(conn: &mut Conn, session_id: i64) -> DbResult<Option<Standing>> {
    let user = Expr::col((Users::Table, Users::Id)).equals((Sessions::Table, Sessions::UserId));
    let statement = Query::select()
        .columns([Users::Id, Users::Role, Users::Status, Users::TokenVersion].map(|column| (Users::Table, column)))
        .column((Sessions::Table, Sessions::CreatedAt))
        .from(Sessions::Table)
        .join(JoinType::InnerJoin, Users::Table, user)
        .and_where(Expr::col((Sessions::Table, Sessions::Id)).eq(session_id))
        .and_where(Expr::col((Sessions::Table, Sessions::RevokedAt)).is_null())
        .take();
    conn.maybe(&statement).await
}

/// Ends a session: its access tokens and its refresh tokens stop working. Answers whether it went on until now.
pub async fn revoke(conn: &mut Conn, session_id: i64, now: DateTime<Utc>) -> DbResult<bool> {
    end(conn, Expr::col(Sessions::Id).eq(session_id), now).await
}

/// The same with a session of this user.
pub async fn revoke_of(conn: &mut Conn, user_id: i64, session_id: i64, now: DateTime<Utc>) -> DbResult<bool> {
    let own = Expr::col(Sessions::Id).eq(session_id).and(Expr::col(Sessions::UserId).eq(user_id));
    end(conn, own.and(Expr::col(Sessions::ExpiresAt).gt(now)), now).await
}

/// Ends every session of a user, but this one if there is one.
pub async fn revoke_all(conn: &mut Conn, user_id: i64, but: Option<i64>, now: DateTime<Utc>) -> DbResult<()> {
    let mut which = Expr::col(Sessions::UserId).eq(user_id);
    if let Some(kept) = but {
        which = which.and(Expr::col(Sessions::Id).ne(kept));
    }
    end(conn, which, now).await?;
    Ok(())
}

async fn end(conn: &mut Conn, which: Expr, now: DateTime<Utc>) -> DbResult<bool> {
    let statement = Query::update()
        .table(Sessions::Table)
        .value(Sessions::RevokedAt, now)
        .and_where(which)
        .and_where(Expr::col(Sessions::RevokedAt).is_null())
        .take();
    Ok(conn.write(Sessions::FREE, &statement).await? > 0)
}

/// Sessions that could not be refreshed any more at that time.
pub async fn expired(conn: &mut Conn, before: DateTime<Utc>, limit: u64) -> DbResult<Vec<i64>> {
    let statement = Query::select()
        .column(Sessions::Id)
        .from(Sessions::Table)
        .and_where(Expr::col(Sessions::ExpiresAt).lt(before))
        .order_by(Sessions::ExpiresAt, Order::Asc)
        .limit(limit)
        .take();
    Ok(conn.all::<(i64,)>(&statement).await?.into_iter().map(|(id,)| id).collect())
}

/// Deletes sessions, with their tokens; answers how many.
pub async fn delete(tx: &mut Conn, ids: &[i64]) -> DbResult<u64> {
    let ids = ids.iter().copied();
    let statement = Query::delete().from_table(Sessions::Table).and_where(Expr::col(Sessions::Id).is_in(ids)).take();
    tx.write(Sessions::FREE, &statement).await
}
