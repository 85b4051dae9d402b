-- parents: 1001_catalogue
-- message: Loans
-- created: 2026-11-30

DROP TABLE loans;
