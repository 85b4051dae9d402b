//! All SQL for votes. Each function keeps the count of the post in the same transaction.

use accord_foundation::auth::tables::Users;
use accord_foundation::db::Permit;
use accord_foundation::db::signals::Signalled;
use accord_foundation::prelude::*;
use sea_query::{LockType, OnConflict, Order, Query, SelectStatement};

use crate::resources::posts::model::PostId;
use crate::resources::posts::tables::{Posts, VOTES};
use crate::resources::votes::tables::Votes;

/// A vote is for a post that exists.
pub const POST: Constraint = Constraint::foreign_key("votes_post_id_fkey");

/// A vote of a user for a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct StoredVote {
    /// The post.
    pub post_id: PostId,
    /// The user.
    pub user_id: i64,
}

impl Signalled for StoredVote {
    type Table = Votes;
    type Values = Self;

    /// None if the user has voted already. Also counts it.
    async fn insert(conn: &mut Conn, permit: Permit<Votes>, vote: Self, now: DateTime<Utc>) -> DbResult<Option<Self>> {
        let columns = [Votes::PostId, Votes::UserId];
        let statement = Query::insert()
            .into_table(Votes::Table)
            .columns([Votes::PostId, Votes::UserId, Votes::CreatedAt])
            .values_panic([vote.post_id.into(), vote.user_id.into(), now.into()])
            .on_conflict(OnConflict::columns(columns).do_nothing().to_owned())
            .returning(Query::returning().columns(columns))
            .take();
        let new = conn.write_maybe(permit, &statement).await?;
        if new.is_some() {
            count(conn, vote.post_id, 1).await?;
        }
        Ok(new)
    }

    /// Also counts it down.
    async fn delete(&self, conn: &mut Conn, permit: Permit<Votes>) -> DbResult<bool> {
        let statement = Query::delete()
            .from_table(Votes::Table)
            .and_where(Expr::col(Votes::PostId).eq(self.post_id))
            .and_where(Expr::col(Votes::UserId).eq(self.user_id))
            .take();
        if conn.write(permit, &statement).await? == 0 {
            return Ok(false);
        }
        count(conn, self.post_id, -1).await?;
        Ok(true)
    }
}

async fn count(conn: &mut Conn, post_id: PostId, change: i64) -> DbResult<()> {
    let statement = Query::update()
        .table(Posts::Table)
        .value(Posts::Votes, Expr::col(Posts::Votes).add(change))
        .and_where(Expr::col(Posts::Id).eq(post_id))
        .take();
    conn.write(VOTES, &statement).await?;
    Ok(())
}

/// The vote of a user for a post.
pub async fn find(conn: &mut Conn, post_id: PostId, user_id: i64) -> DbResult<Option<StoredVote>> {
    let statement = Query::select()
        .columns([Votes::PostId, Votes::UserId])
        .from(Votes::Table)
        .and_where(Expr::col(Votes::PostId).eq(post_id))
        .and_where(Expr::col(Votes::UserId).eq(user_id))
        .take();
    conn.maybe(&statement).await
}

/// Votes in the order of posts and users, behind one of them.
pub async fn list(conn: &mut Conn, after: Option<(PostId, i64)>, limit: u64) -> DbResult<Vec<StoredVote>> {
    let place = Expr::tuple([Expr::col(Votes::PostId), Expr::col(Votes::UserId)]);
    let statement = Query::select()
        .columns([Votes::PostId, Votes::UserId])
        .from(Votes::Table)
        .and_where_option(after.map(|(post, user)| place.gt(Expr::tuple([Expr::val(post), Expr::val(user)]))))
        .order_by(Votes::PostId, Order::Asc)
        .order_by(Votes::UserId, Order::Asc)
        .limit(limit)
        .take();
    conn.all(&statement).await
}

/// How many users have voted for a post.
pub async fn count_of(conn: &mut Conn, post_id: PostId) -> DbResult<i64> {
    let statement =
        Query::select().column(Posts::Votes).from(Posts::Table).and_where(Expr::col(Posts::Id).eq(post_id)).take();
    Ok(conn.one::<(i64,)>(&statement).await?.0)
}

/// Keeps the voter's account until the transaction ends: its deletion would count the same vote down again.
///
/// Who removes a vote locks first the account, then the post, then the vote, as whoever deletes an account or a post
/// does; in another order two of them would wait for each other. Adding one locks the account by the foreign key.
pub async fn hold(conn: &mut Conn, user_id: i64) -> DbResult<()> {
    let statement = Query::select()
        .column(Users::Id)
        .from(Users::Table)
        .and_where(Expr::col(Users::Id).eq(user_id))
        .lock(LockType::KeyShare)
        .take();
    conn.maybe::<(i64,)>(&statement).await?;
    Ok(())
}

/// Counts down the votes of an account that is deleted; the votes themselves go by the schema. First locks every post that
/// changes with the account: posts come before grants for everyone, and no vote of this user slips in between the count
/// and the deletion.
pub async fn uncount_of(conn: &mut Conn, user_id: i64) -> DbResult<()> {
    // by id: two deletions that share posts would else wait for each other
    let posts = Query::select()
        .column(Posts::Id)
        .from(Posts::Table)
        .and_where(Expr::col(Posts::OwnerId).eq(user_id).or(Expr::col(Posts::Id).in_subquery(voted_by(user_id))))
        .order_by(Posts::Id, Order::Asc)
        .lock(LockType::NoKeyUpdate)
        .take();
    conn.all::<(i64,)>(&posts).await?;
    let uncount = Query::update()
        .table(Posts::Table)
        .value(Posts::Votes, Expr::col(Posts::Votes).sub(1))
        .and_where(Expr::col(Posts::Id).in_subquery(voted_by(user_id)))
        .take();
    conn.write(VOTES, &uncount).await?;
    Ok(())
}

fn voted_by(user_id: i64) -> SelectStatement {
    Query::select().column(Votes::PostId).from(Votes::Table).and_where(Expr::col(Votes::UserId).eq(user_id)).take()
}
