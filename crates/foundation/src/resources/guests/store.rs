//! All SQL for invitations.

use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};

use super::model::{InvitationValues, StoredInvitation};
use crate::auth::Email;
use crate::db::keyset::newest;
use crate::db::signals::{Changing, Signalled};
use crate::db::{Conn, Constraint, DbResult, Permit};
use crate::resources::guests::tables::InvitedGuests;

/// An address has one open invitation.
pub const EMAIL_KEY: Constraint = Constraint::unique("invited_guests_email_key", "invited_guests.email");

/// What a [`StoredInvitation`] is read from.
const COLUMNS: [InvitedGuests; 8] = [
    InvitedGuests::Id,
    InvitedGuests::Email,
    InvitedGuests::Role,
    InvitedGuests::InviterId,
    InvitedGuests::UserId,
    InvitedGuests::CreatedAt,
    InvitedGuests::ExpiresAt,
    InvitedGuests::AcceptedAt,
];

impl InvitationValues {
    fn columns(self) -> Vec<(InvitedGuests, Expr)> {
        let mut columns = vec![
            (InvitedGuests::Email, self.email.as_str().into()),
            (InvitedGuests::Role, self.role.as_str().into()),
            (InvitedGuests::InviterId, self.inviter_id.into()),
            (InvitedGuests::UserId, self.user_id.into()),
            (InvitedGuests::ExpiresAt, self.expires_at.into()),
            (InvitedGuests::AcceptedAt, self.accepted_at.into()),
        ];
        columns.extend(self.code_hash.map(|hash| (InvitedGuests::CodeHash, hash.into())));
        columns
    }
}

impl Signalled for StoredInvitation {
    type Table = InvitedGuests;
    type Values = InvitationValues;

    async fn insert(
        conn: &mut Conn,
        permit: Permit<InvitedGuests>,
        invitation: InvitationValues,
        now: DateTime<Utc>,
    ) -> DbResult<Option<Self>> {
        let created = (InvitedGuests::CreatedAt, now.into());
        let (columns, values): (Vec<_>, Vec<_>) = invitation.columns().into_iter().chain([created]).unzip();
        let statement = Query::insert()
            .into_table(InvitedGuests::Table)
            .columns(columns)
            .values_panic(values)
            .returning(Query::returning().columns(COLUMNS))
            .take();
        conn.write_maybe(permit, &statement).await
    }

    async fn delete(&self, conn: &mut Conn, permit: Permit<InvitedGuests>) -> DbResult<bool> {
        let statement =
            Query::delete().from_table(InvitedGuests::Table).and_where(Expr::col(InvitedGuests::Id).eq(self.id)).take();
        Ok(conn.write(permit, &statement).await? == 1)
    }
}

impl Changing for StoredInvitation {
    /// Only an open one: it is accepted once.
    async fn update(
        &self,
        conn: &mut Conn,
        permit: Permit<InvitedGuests>,
        invitation: InvitationValues,
        _: DateTime<Utc>,
    ) -> DbResult<Option<Self>> {
        let statement = Query::update()
            .table(InvitedGuests::Table)
            .values(invitation.columns())
            .and_where(Expr::col(InvitedGuests::Id).eq(self.id))
            .and_where(Expr::col(InvitedGuests::AcceptedAt).is_null())
            .returning(Query::returning().columns(COLUMNS))
            .take();
        conn.write_maybe(permit, &statement).await
    }
}

fn matching(only_of: Option<i64>) -> SelectStatement {
    let mut statement = Query::select();
    statement.from(InvitedGuests::Table).and_where_option(only_of.map(|id| Expr::col(InvitedGuests::InviterId).eq(id)));
    statement
}

fn open() -> SelectStatement {
    let mut statement = matching(None);
    statement.columns(COLUMNS).and_where(Expr::col(InvitedGuests::AcceptedAt).is_null());
    statement
}

/// The invitation with this id; with `only_of` only if it is of this inviter.
pub async fn find(conn: &mut Conn, id: i64, only_of: Option<i64>) -> DbResult<Option<StoredInvitation>> {
    let statement = matching(only_of).columns(COLUMNS).and_where(Expr::col(InvitedGuests::Id).eq(id)).take();
    conn.maybe(&statement).await
}

/// The same, kept from other writers until the transaction ends.
pub async fn find_to_change(conn: &mut Conn, id: i64, only_of: Option<i64>) -> DbResult<Option<StoredInvitation>> {
    let mut statement = matching(only_of);
    statement.columns(COLUMNS).and_where(Expr::col(InvitedGuests::Id).eq(id)).lock_exclusive();
    conn.maybe(&statement).await
}

fn by_code(code_hash: &str, now: DateTime<Utc>) -> SelectStatement {
    let mut statement = open();
    statement
        .and_where(Expr::col(InvitedGuests::CodeHash).eq(code_hash))
        .and_where(Expr::col(InvitedGuests::ExpiresAt).gt(now));
    statement
}

/// The open invitation that this code accepts.
pub async fn find_by_code(conn: &mut Conn, code_hash: &str, now: DateTime<Utc>) -> DbResult<Option<StoredInvitation>> {
    conn.maybe(&by_code(code_hash, now)).await
}

/// The same, kept from other writers until the transaction ends: of two at once the second finds none.
pub async fn find_by_code_to_change(
    conn: &mut Conn,
    code_hash: &str,
    now: DateTime<Utc>,
) -> DbResult<Option<StoredInvitation>> {
    conn.maybe(&by_code(code_hash, now).lock_exclusive().take()).await
}

/// The open invitations of an inviter, kept from other writers until the transaction ends.
pub async fn find_open_to_change(conn: &mut Conn, inviter_id: i64) -> DbResult<Vec<StoredInvitation>> {
    let mut statement = open();
    statement
        .and_where(Expr::col(InvitedGuests::InviterId).eq(inviter_id))
        // by id, like everyone who locks several
        .order_by(InvitedGuests::Id, Order::Asc)
        .lock_exclusive();
    conn.all(&statement).await
}

/// Invitations that nobody has accepted in time, kept from other writers until the transaction ends; only of this
/// address, if one is given.
pub async fn find_expired_to_change(
    conn: &mut Conn,
    email: Option<&Email>,
    now: DateTime<Utc>,
    limit: u64,
) -> DbResult<Vec<StoredInvitation>> {
    let mut statement = open();
    statement
        .and_where_option(email.map(|email| Expr::col(InvitedGuests::Email).eq(email.as_str())))
        .and_where(Expr::col(InvitedGuests::ExpiresAt).lte(now))
        .order_by(InvitedGuests::Id, Order::Asc)
        .limit(limit)
        .lock_exclusive();
    conn.all(&statement).await
}

/// One page, the newest first; only of this inviter, if one is given.
pub async fn list(
    conn: &mut Conn,
    only_of: Option<i64>,
    before: Option<i64>,
    limit: u64,
) -> DbResult<Vec<StoredInvitation>> {
    let mut statement = matching(only_of);
    statement.columns(COLUMNS);
    newest(&mut statement, InvitedGuests::Id, before, limit);
    conn.all(&statement).await
}

/// How many there are.
pub async fn count(conn: &mut Conn, only_of: Option<i64>) -> DbResult<i64> {
    let statement = matching(only_of).expr(Expr::col(InvitedGuests::Id).count()).take();
    Ok(conn.one::<(i64,)>(&statement).await?.0)
}
