//! Routes beside the document: the front page, the viewer, the document itself, health, metrics.

use poem::http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, Request, Response, Result};
use serde_json::json;

use crate::app::App;
use crate::application::application;
use crate::db::DbError;
use crate::db::migrate::{self, Fitness};
use crate::error::{Code, Error};
use crate::server::compressed::Compressed;
use crate::server::{docs, document, metrics};

/// What is served beside the document; all GET.
pub const ROUTES: &[(&str, Page)] = &[
    ("/", Page::Front),
    ("/docs", Page::Docs),
    ("/docs/swagger-ui.css", Page::DocsStyle),
    ("/docs/swagger-ui.js", Page::DocsScript),
    ("/health/live", Page::Live),
    ("/health/ready", Page::Ready),
    ("/metrics", Page::Metrics),
    ("/openapi.json", Page::DocumentJson),
    ("/openapi.yaml", Page::DocumentYaml),
    ("/postman.json", Page::Postman),
];

/// One of [`ROUTES`].
#[derive(Debug, Clone, Copy)]
pub enum Page {
    /// Where to go.
    Front,
    /// The viewer.
    Docs,
    /// Its style sheet.
    DocsStyle,
    /// Its script.
    DocsScript,
    /// The process runs.
    Live,
    /// The database answers and has the schema this binary needs.
    Ready,
    /// For who has `metrics_token`.
    Metrics,
    /// The document.
    DocumentJson,
    /// The document, as it is committed.
    DocumentYaml,
    /// The Postman collection.
    Postman,
}

impl Page {
    /// Who may read it.
    pub fn access(self) -> &'static str {
        match self {
            Self::Metrics => "metrics_token",
            _ => "public",
        }
    }
}

impl Endpoint for Page {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if matches!(self, Self::Docs | Self::DocsStyle | Self::DocsScript) && !app(&request)?.config.docs() {
            return Err(Error::new(Code::ROUTE_NOT_FOUND, app(&request)?.config.paths_hint()).into());
        }
        Ok(match self {
            Self::Front => {
                let mut links = json!({
                    "name": document::about().title,
                    "message": "Hello World",
                    "version": document::about().version,
                });
                if app(&request)?.config.docs() {
                    links["docs"] = "/docs".into();
                }
                links["openapi"] = "/openapi.json".into();
                json_response(StatusCode::OK, &links)
            }
            Self::Docs => docs::page(&request),
            Self::DocsStyle => docs::style(&request),
            Self::DocsScript => docs::script(&request),
            Self::Live => json_response(StatusCode::OK, &json!({ "status": "alive" })),
            Self::Ready => ready(&request).await?,
            Self::Metrics => metrics::page(&request, app(&request)?).await?,
            Self::DocumentJson => {
                static JSON: Compressed = Compressed::new();
                JSON.response(request.headers(), "application/json", document::json())
            }
            Self::DocumentYaml => {
                static YAML: Compressed = Compressed::new();
                YAML.response(request.headers(), "application/yaml", document::yaml())
            }
            Self::Postman => {
                static COLLECTION: Compressed = Compressed::new();
                COLLECTION.response(request.headers(), "application/json", application().collection)
            }
        })
    }
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response {
    Response::builder()
        .status(status)
        .content_type("application/json")
        .header(header::CACHE_CONTROL, "no-store")
        .body(body.to_string())
}

fn app(request: &Request) -> Result<&App, Error> {
    request.data::<App>().ok_or_else(|| Error::internal("the router has no App"))
}

async fn ready(request: &Request) -> Result<Response> {
    let app = app(request)?;
    let unavailable = |body: serde_json::Value| {
        let mut response = json_response(StatusCode::SERVICE_UNAVAILABLE, &body);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        response
    };
    if app.is_stopping() {
        return Ok(unavailable(json!({ "status": "stopping" })));
    }
    let unready = |database: &str| unavailable(json!({ "status": "unavailable", "database": database }));
    // Through the pool: it is what requests use, and it gives up in time. An overloaded server is ready all the same: if
    // each one were taken out of service, none would be left.
    let db = app.db.in_background();
    let fitness = async { migrate::fitness(&mut db.read().await?).await };
    let fitness = match fitness.await {
        Ok(Fitness::Fits) => db.check_writable().await.map(|()| Fitness::Fits),
        unfit => unfit,
    };
    Ok(match fitness {
        Ok(Fitness::Fits) => json_response(StatusCode::OK, &json!({ "status": "ready", "database": "healthy" })),
        Ok(Fitness::Behind) => unready("needs migration"),
        Ok(Fitness::Ahead { .. }) => unready("needs a newer release"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            unready(if matches!(error, DbError::Unwritable(_)) { "unwritable" } else { "unavailable" })
        }
    })
}
