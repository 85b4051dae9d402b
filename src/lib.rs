//! Accord: the reference application of the foundation. Users write posts, vote for them, and see how they are received.

pub mod resources;

use accord_foundation::application::{self, Application, Migrations};
use accord_foundation::db::migrate::Embedded;
use accord_foundation::fixtures;
use accord_foundation::resources::{
    audit, grants, groups, guests, idempotency, info, permissions, recovery, sessions, users, webhooks,
};
use accord_foundation::server::document::About;

use self::resources::{posts, statistics, votes};

/// The application.
pub static ACCORD: Application = Application {
    name: "accord",
    about: About {
        title: "Accord",
        version: env!("CARGO_PKG_VERSION"),
        commit: env!("ACCORD_COMMIT"),
        description: DESCRIPTION,
        contact: "The Accord team",
        license: ("MIT OR Apache-2.0", "https://spdx.org/licenses/MIT.html"),
    },
    resources: &[
        &users::ACCOUNT,
        &sessions::RESOURCE,
        &recovery::RESOURCE,
        &users::USERS,
        &idempotency::RESOURCE,
        &guests::RESOURCE,
        &groups::RESOURCE,
        &permissions::RESOURCE,
        &grants::RESOURCE,
        &posts::RESOURCE,
        &statistics::RESOURCE,
        &votes::RESOURCE,
        &audit::RESOURCE,
        &webhooks::RESOURCE,
        &info::RESOURCE,
    ],
    example: &posts::RESOURCE,
    settings: include_str!("../accord.toml"),
    migrations: Migrations::Whole(|| Embedded {
        sqlite: sqlx::migrate!("migrations/sqlite"),
        postgres: sqlx::migrate!("migrations/postgres"),
    }),
    fixtures: fixtures!("demo", "editors", "people", "posts"),
    demo: &["demo"],
    collection: include_str!("../postman/accord.postman_collection.json"),
};

/// Makes the application known to the foundation. It is the first call of each program that uses it.
pub fn install() {
    application::install(&ACCORD);
}

/// First lines that a reader of the document sees.
const DESCRIPTION: &str = "\
Accord is an API foundation: accounts, sessions, posts and votes on SQLite and PostgreSQL.

- Register with `POST /api/v1/user` or log in with `POST /api/v1/authenticate`, then send `Authorization: Bearer <token>`.
- Every error is `application/problem+json` (RFC 9457) with a stable `code` and the `request_id` to quote.
- Unknown fields, unknown query parameters and values out of range are refused with 400, never ignored.
- Posts carry an `ETag`; changes need it in `If-Match`, so that no change is lost.
- Times are RFC 3339 in UTC, identifiers are 64-bit integers.";
