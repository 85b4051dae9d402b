//! Bookshelf: a second application on the foundation. Everyone reads authors and books, and borrows copies; who was
//! granted `can_curate` changes them. It has neither webhooks nor invited guests.

pub mod resources;

use accord_foundation::application::{self, Application, Migrations};
use accord_foundation::db::migrate::Embedded;
use accord_foundation::fixtures;
use accord_foundation::resources::{audit, grants, groups, idempotency, info, permissions, recovery, sessions, users};
use accord_foundation::server::document::About;

use self::resources::{authors, books, loans};

/// The application.
pub static BOOKSHELF: Application = Application {
    name: "bookshelf",
    about: About {
        title: "Bookshelf",
        version: env!("CARGO_PKG_VERSION"),
        commit: "unknown",
        description: "\
Bookshelf is a catalogue of authors and their books, whose copies users borrow.

- Register with `POST /api/v1/user` or log in with `POST /api/v1/authenticate`, then send `Authorization: Bearer <token>`.
- Every error is `application/problem+json` (RFC 9457) with a stable `code` and the `request_id` to quote.
- Authors and books carry an `ETag`; changes need it in `If-Match`, so that no change is lost.",
        contact: "The Accord team",
        license: ("MIT OR Apache-2.0", "https://spdx.org/licenses/MIT.html"),
    },
    resources: &[
        &users::ACCOUNT,
        &sessions::RESOURCE,
        &recovery::RESOURCE,
        &users::USERS,
        &idempotency::RESOURCE,
        &groups::RESOURCE,
        &permissions::RESOURCE,
        &grants::RESOURCE,
        &authors::RESOURCE,
        &books::RESOURCE,
        &loans::RESOURCE,
        &audit::RESOURCE,
        &info::RESOURCE,
    ],
    example: &books::RESOURCE,
    settings: include_str!("../bookshelf.toml"),
    migrations: Migrations::OnTop(|| Embedded {
        sqlite: sqlx::migrate!("migrations/sqlite"),
        postgres: sqlx::migrate!("migrations/postgres"),
    }),
    fixtures: fixtures!("catalogue", "demo", "people"),
    demo: &["demo", "catalogue"],
    collection: include_str!("../postman/bookshelf.postman_collection.json"),
};

/// Makes the application known to the foundation. It is the first call of each program that uses it.
pub fn install() {
    application::install(&BOOKSHELF);
}
