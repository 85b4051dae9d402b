//! Loans of copies of books.
//!
//! Must never be: two open loans of one copy; a reminder of a copy that was returned; two reminders within a week.

pub mod api;
pub mod model;
pub mod store;
pub mod tables;
pub mod tasks;

use std::time::Duration;

use accord_foundation::prelude::*;

use self::model::Loan;

/// The chapter of the document.
#[derive(Tags)]
pub enum Tag {
    /// Copies of books that users have borrowed.
    Loans,
}

codes! {
    COPY_ON_LOAN = 409 "copy_on_loan", "The copy is on loan";
}

/// The content of the e-mail about an overdue loan.
#[derive(Debug, Serialize)]
pub struct LoanOverdue {
    /// The title of the book.
    pub title: String,
    /// When the copy had to be back.
    pub due: String,
}

emails! {
    "loan-overdue", Sent = LoanOverdue { title: "Emma".into(), due: "2026-01-02 03:04 UTC".into() };
}

/// The number of days until a copy must be back.
pub const LOAN_DAYS: Setting = Setting::number("loan_days", 1, 365);

/// The number of seconds between two searches for overdue loans.
pub const OVERDUE_INTERVAL: Setting = Setting::number("overdue_interval", 60, 86400);

/// The declaration of the resource.
pub static RESOURCE: Resource = Resource {
    name: "loans",
    apis: &[Api::of::<api::LoansApi>()],
    things: &[Thing { path: "/api/v1/loans/{id}", name: "Loan", variable: "id" }],
    tables: tables::declared,
    hooks: |hooks, _| hooks.entity::<Loan>(),
    codes: CODES,
    emails: EMAILS,
    jobs: &[Kind::every::<tasks::MailOverdue>(|config| Duration::from_secs(config.number(&OVERDUE_INTERVAL)))],
    settings: &[LOAN_DAYS, OVERDUE_INTERVAL],
    contract: include_str!("contract.yaml"),
    postman: include_str!("postman.yaml"),
    ..Resource::EMPTY
};
