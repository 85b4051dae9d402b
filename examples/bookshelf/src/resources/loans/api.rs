//! `/api/v1/loans`, `/api/v1/user/loans`

use accord_foundation::prelude::*;

use super::model::{Loan, LoanCreate, LoanId, LoanPage, LoanValues};
use super::{LOAN_DAYS, Tag, store};
use crate::resources::authors::CanCurate;
use crate::resources::books::model::{Book, BookId};

/// The operations.
#[derive(Default)]
pub struct LoansApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Loans")]
impl LoansApi {
    /// List loans
    ///
    /// The loans of all users, page by page, the newest first: for admins and who was granted `can_curate`.
    #[oai(path = "/loans", method = "get", operation_id = "list_loans")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        curator: Needs<CanCurate>,
        app: Data<&App>,
        /// loans
        paging: Paging,
        /// Only loans of this user
        #[oai(validator(minimum(value = "1")))]
        user_id: Query<Option<i64>>,
        /// Only loans of this book
        book_id: Query<Option<BookId>>,
        /// Only copies that are on loan, or only returned ones
        open: Query<Option<bool>>,
        with_total: WithTotal,
    ) -> Result<Listed<LoanPage>, Fail<(Forbidden,)>> {
        let mut curator = curator.require(&app.db).await?;
        let filter = store::matching(user_id.0, book_id.0, open.0);
        Ok(crud::list::<Loan, _>(&mut curator, &app, paging.newest("loans")?, &with_total, filter).await?)
    }

    /// List your loans
    ///
    /// Page by page, the newest first.
    #[oai(path = "/user/loans", method = "get", operation_id = "list_own_loans")]
    async fn list_own(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        /// loans
        paging: Paging,
        /// Only copies that are on loan, or only returned ones
        open: Query<Option<bool>>,
        with_total: WithTotal,
    ) -> Result<Listed<LoanPage>, Fail<()>> {
        let filter = store::matching(Some(caller.id), None, open.0);
        Ok(crud::list::<Loan, _>(&mut caller, &app, paging.newest("own_loans")?, &with_total, filter).await?)
    }

    /// Borrow a copy of a book
    ///
    /// The copy must be back within the number of days that the server allows (28). After that you get an e-mail every
    /// week. A copy that is on loan is refused with 409 `copy_on_loan`.
    #[oai(path = "/loans", method = "post", operation_id = "create_loan")]
    async fn create(
        &self,
        mut caller: Caller,
        app: Data<&App>,
        key: Idempotent,
        body: JsonIn<LoanCreate>,
    ) -> Result<Keyed<Created<Loan>>, Fail<(NotFound, Conflict, Unprocessable)>> {
        let (LoanCreate { book_id, copy }, user_id) = (body.0, caller.id);
        let mut change = caller.change(&app).await?;
        let book = change.require::<Book>(book_id).await?;
        if copy > book.copies {
            let detail = format!("is greater than the number of copies, {}", book.copies);
            return Err(Error::fields(Code::INVALID, vec![FieldError::body("/copy", detail)]).into());
        }
        let days = app.config.number(&LOAN_DAYS).cast_signed();
        let due_at = change.now + TimeDelta::days(days);
        let loan = change.insert::<Loan>(LoanValues { book_id, copy, user_id, due_at, returned_at: None }).await?;
        Ok(key.commit(change, crud::created(loan)).await?)
    }

    /// Read a loan
    ///
    /// For the user who has the copy, admins and who was granted `can_curate`.
    #[oai(path = "/loans/:id", method = "get", operation_id = "get_loan")]
    async fn get(
        &self,
        curator: Needs<CanCurate>,
        app: Data<&App>,
        /// The loan's identifier
        id: Path<LoanId>,
        if_none_match: IfNoneMatch,
    ) -> Result<Found<Loan>, Fail<(Forbidden, NotFound)>> {
        let (mut caller, is_curator) = curator.ask(&app.db, None).await?;
        let loan = crud::find::<Loan>(&mut caller, &app, id.0).await?;
        is_curator.or(loan.user_id == caller.id)?;
        Ok(crud::found(loan, &if_none_match))
    }

    /// Return a copy
    ///
    /// Ends the loan. The user who has the copy, admins and who was granted `can_curate` may do it. A loan that has ended
    /// stays as it is.
    #[oai(path = "/loans/:id/return", method = "put", operation_id = "return_loan")]
    async fn end(
        &self,
        curator: Needs<CanCurate>,
        app: Data<&App>,
        /// The loan's identifier
        id: Path<LoanId>,
    ) -> Result<Changed<Loan>, Fail<(Forbidden, NotFound, Conflict)>> {
        let (mut caller, is_curator) = curator.ask(&app.db, None).await?;
        let user_id = caller.id;
        let mut change = caller.change(&app).await?;
        let loan = change.find::<Loan>(id.0, &IfMatch::Any).await?;
        is_curator.or(loan.user_id == user_id)?;
        let returned_at = loan.returned_at.or(Some(change.now));
        let Loan { book_id, copy, user_id, due_at, .. } = loan;
        Ok(change.updated(&loan, LoanValues { book_id, copy, user_id, due_at, returned_at }).await?)
    }
}
