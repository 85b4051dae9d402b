//! The types of loans in the document. A loan is stored as it is shown.

use accord_foundation::prelude::*;

use super::COPY_ON_LOAN;
use super::tables::Loans;
use crate::resources::books::model::BookId;

id_type! {
    /// The identifier of a loan.
    LoanId
}

/// A loan of a copy of a book
#[derive(Debug, Clone, Object, Serialize, FromRow)]
#[oai(example)]
pub struct Loan {
    /// Identifier
    pub id: LoanId,
    /// The book's identifier
    pub book_id: BookId,
    /// The number of the copy
    #[oai(validator(minimum(value = "1")))]
    pub copy: i64,
    /// The identifier of the user who has the copy
    #[oai(validator(minimum(value = "1")))]
    pub user_id: i64,
    /// When the copy must be back
    pub due_at: DateTime<Utc>,
    /// When it was returned; null while it is on loan
    #[oai(nullable)]
    pub returned_at: Option<DateTime<Utc>>,
    /// The number of the version.
    #[oai(skip)]
    #[serde(skip)]
    pub version: i64,
    /// When the copy was borrowed
    pub created_at: DateTime<Utc>,
    /// When the loan was last changed
    pub updated_at: DateTime<Utc>,
}

/// A new loan
#[derive(Debug, Object)]
#[oai(example)]
pub struct LoanCreate {
    /// The book's identifier
    pub book_id: BookId,
    /// The number of the copy, from 1 to the number of copies of the book
    #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
    pub copy: i64,
}

/// The written values of a loan.
#[expect(missing_docs, reason = "Loan documents them")]
pub struct LoanValues {
    pub book_id: BookId,
    pub copy: i64,
    pub user_id: i64,
    pub due_at: DateTime<Utc>,
    pub returned_at: Option<DateTime<Utc>>,
}

examples! {
    Loan {
        id: LoanId(1), book_id: BookId(1), copy: 1, user_id: 1, due_at: examples::time(), returned_at: None,
        version: 1, created_at: examples::time(), updated_at: examples::time(),
    }
    LoanCreate { book_id: BookId(1), copy: 1 }
}

page! {
    /// A page of loans
    LoanPage, Loan, "loans"
}

impl Record for Loan {
    type Table = Loans;
    type Values = LoanValues;
    const NAME: &'static str = "Loan";
    const PATH: &'static str = "/api/v1/loans";
    const CONFLICTS: &'static [(Constraint, Code, &'static str)] = &[(
        Constraint::unique("loans_open_idx", "loans.book_id, loans.copy"),
        COPY_ON_LOAN,
        "The copy is on loan. Borrow another one, or wait until it is returned.",
    )];

    fn identity(&self) -> (i64, i64) {
        (self.id.0, self.version)
    }

    fn columns(loan: LoanValues) -> Vec<(Loans, Expr)> {
        vec![
            (Loans::BookId, loan.book_id.into()),
            (Loans::Copy, loan.copy.into()),
            (Loans::UserId, loan.user_id.into()),
            (Loans::DueAt, loan.due_at.into()),
            (Loans::ReturnedAt, loan.returned_at.into()),
        ]
    }
}
