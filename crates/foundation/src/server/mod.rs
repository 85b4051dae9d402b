//! Serving: the document, validation and authorization in front of each operation, the edge around everything, and the
//! accept loop.
//!
//! Order, from the outside: accept loop → edge (request id, log, task of its own, CORS, deadline, problems) →
//! router → operation (token, limit by address, body limit, caller, parameters, body, limit by account) → handler.

pub mod accept;
pub mod compressed;
pub mod connections;
pub mod docs;
pub mod document;
pub mod edge;
pub mod metrics;
pub mod normalise;
pub mod operation;
pub mod path;
pub mod routes;
pub mod schema;
pub mod stream;
pub mod system;
pub mod unsent;

use poem::middleware::AddData;
use poem::{Endpoint, EndpointExt, Response, Route};

use crate::app::App;

/// Everything that is served.
pub fn endpoint(app: App) -> impl Endpoint<Output = Response> {
    let (config, metrics, db) = (app.config.clone(), app.metrics.clone(), app.db.clone());
    let router = Route::new();
    // API responses are not compressed: the length of a compressed response reveals parts of its content (BREACH)
    let router = system::ROUTES.iter().fold(router, |router, (path, page)| router.at(path, poem::get(*page)));
    // not at "/": that would take the front page
    let inner = router.nest_no_strip("/api", operation::service()).with(AddData::new(app));
    edge::Edge::new(inner, &config, metrics, db)
}
