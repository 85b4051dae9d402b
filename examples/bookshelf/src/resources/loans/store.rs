//! The statements on loans that are not those of every record.

use accord_foundation::auth::tables::Users;
use accord_foundation::prelude::*;
use sea_query::{LockType, Order, Query};

use super::tables::{Loans, REMINDED_AT};
use crate::resources::books::model::BookId;
use crate::resources::books::tables::Books;

/// Loans of a user, of a book, and open or returned ones.
pub fn matching(user_id: Option<i64>, book_id: Option<BookId>, open: Option<bool>) -> Condition {
    let returned_at = Expr::col(Loans::ReturnedAt);
    Condition::all()
        .add_option(user_id.map(|id| Expr::col(Loans::UserId).eq(id)))
        .add_option(book_id.map(|id| Expr::col(Loans::BookId).eq(id)))
        .add_option(open.map(|open| if open { returned_at.is_null() } else { returned_at.is_not_null() }))
}

/// An overdue loan, as the reminder describes it.
#[derive(Debug, FromRow)]
pub struct Overdue {
    /// The loan's identifier.
    pub id: i64,
    /// The address of the user who has the copy.
    pub email: String,
    /// The title of the book.
    pub title: String,
    /// When the copy had to be back.
    pub due_at: DateTime<Utc>,
}

/// Open loans that are overdue, and whose user has not been reminded since `since`. No other transaction can return them.
pub async fn overdue(tx: &mut Conn, now: DateTime<Utc>, since: DateTime<Utc>, limit: u64) -> DbResult<Vec<Overdue>> {
    let loan = |column| Expr::col((Loans::Table, column));
    let statement = Query::select()
        .columns([(Loans::Table, Loans::Id), (Loans::Table, Loans::DueAt)])
        .column((Users::Table, Users::Email))
        .column((Books::Table, Books::Title))
        .from(Loans::Table)
        .inner_join(Users::Table, loan(Loans::UserId).equals((Users::Table, Users::Id)))
        .inner_join(Books::Table, loan(Loans::BookId).equals((Books::Table, Books::Id)))
        .and_where(loan(Loans::ReturnedAt).is_null())
        .and_where(loan(Loans::DueAt).lt(now))
        .cond_where(loan(Loans::RemindedAt).is_null().or(loan(Loans::RemindedAt).lte(since)))
        .order_by((Loans::Table, Loans::DueAt), Order::Asc)
        .order_by((Loans::Table, Loans::Id), Order::Asc)
        .limit(limit)
        .lock_with_tables(LockType::Update, [Loans::Table])
        .take();
    tx.all(&statement).await
}

/// Records the time of a reminder. It is no new version of the loan.
pub async fn set_reminded(tx: &mut Conn, id: i64, at: DateTime<Utc>) -> DbResult<()> {
    let statement =
        Query::update().table(Loans::Table).value(Loans::RemindedAt, at).and_where(Expr::col(Loans::Id).eq(id)).take();
    tx.write(REMINDED_AT, &statement).await.map(|_| ())
}
