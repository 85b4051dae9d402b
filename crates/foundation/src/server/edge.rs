//! Around everything: request id, address of the client, log line, a task of its own for each request, CORS, deadline, and one form for every error.

use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use ipnet::IpNet;
use poem::http::uri::{PathAndQuery, Uri};
use poem::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response, Result};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::Instrument;

use crate::app::limit::Ledger;
use crate::app::metrics::{InFlight, Metrics};
use crate::config::Config;
use crate::db::Db;
use crate::declared;
use crate::error::{Code, Error};
use crate::http::Origin;
use crate::http::client::ClientAddress;
use crate::http::sent::Sent;
use crate::server::accept::BeyondLimits;
use crate::server::path::percent_decode;
use crate::server::routes;

/// The header that names a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The prefix of the paths of operations.
const OPERATIONS: &str = "/api/";

/// Characters of a client's own request id at most.
const REQUEST_ID_LENGTH: usize = 64;

/// The outermost endpoint. It never fails: whatever goes wrong inside is a problem outside.
pub struct Edge<E> {
    inner: Arc<E>,
    deadline: Duration,
    origins: Vec<String>,
    proxies: Vec<IpNet>,
    /// [`Config::paths_hint`]
    paths_hint: &'static str,
    metrics: Arc<Metrics>,
    /// The database that the operations wait for.
    db: Option<Db>,
    /// Runs the requests, also those of connections that another runtime serves.
    runtime: Handle,
}

impl<E: Endpoint + 'static> Edge<E> {
    /// Around `inner`, with the limits of the settings.
    pub fn new(inner: E, config: &Config, metrics: Arc<Metrics>, db: Db) -> Self {
        Self {
            inner: Arc::new(inner),
            deadline: Duration::from_secs(config.server.request_timeout),
            origins: config.server.cors_origins(),
            proxies: config.server.trusted_proxies(),
            paths_hint: config.paths_hint(),
            metrics,
            db: Some(db),
            runtime: Handle::current(),
        }
    }

    /// Refuses an operation at once, if the database has too much to do to begin with it soon: nothing is read, verified
    /// or looked up for what will be refused.
    fn check_load(&self, path: &str, method: &Method) -> Result<(), Error> {
        match &self.db {
            Some(db) if path.starts_with(OPERATIONS) => Ok(db.check_load(!method.is_safe())?),
            _ => Ok(()),
        }
    }

    /// Runs the request in a task of its own: neither a client that leaves nor the deadline cancels a statement half-way.
    /// The task also writes the log line, so that a request whose client has left is logged and counted when it ends.
    async fn answer(
        &self,
        request: Request,
        record: Record,
        request_id: String,
        allow: Option<&'static str>,
    ) -> Response {
        let (reply, answer) = oneshot::channel();
        let (inner, deadline, span) = (self.inner.clone(), self.deadline, record.span.clone());
        let paths_hint = self.paths_hint;
        let id = request_id.clone();
        let task = async move {
            let work = async move { inner.call(request).await.map(IntoResponse::into_response) };
            let work = AssertUnwindSafe(work).catch_unwind();
            let mut work = pin!(work);
            let respond = |ended| match ended {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => refuse(error, &id, allow, paths_hint),
                // the panic hook has logged the cause
                Err(_) => Error::internal("a request panicked").response(&id),
            };
            match tokio::time::timeout(deadline, &mut work).await {
                Ok(ended) => {
                    let response = respond(ended);
                    record.answered(response.status(), reply.is_closed());
                    drop(record);
                    let _ = reply.send(response);
                }
                Err(_) => {
                    let detail = format!("There was no answer within {} s.", deadline.as_secs());
                    let response = Error::new(Code::TIMEOUT, detail).response(&id);
                    record.answered(response.status(), reply.is_closed());
                    let _ = reply.send(response);
                    record.ended_late(respond(work.await).status());
                }
            }
        };
        self.runtime.spawn(task.instrument(span));
        // no answer: the runtime stops
        answer.await.unwrap_or_else(|error| Error::internal(error).response(&request_id))
    }

    /// Who is at the other end of the connection, or behind it.
    fn client(&self, request: &Request) -> ClientAddress {
        self.warn_of_unknown_proxy(request);
        // a connection that is no socket names nobody
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let peer = request.remote_addr().as_socket_addr().map_or(nobody, |socket| socket.ip());
        ClientAddress::of(peer, request.headers(), &self.proxies)
    }

    /// Warns once if a proxy seems to stand in front of the server that the settings do not name: all its clients would
    /// share one address in rate limits, sessions and the audit. Anybody can send the header, so it is no more than a hint.
    fn warn_of_unknown_proxy(&self, request: &Request) {
        static WARNED: AtomicBool = AtomicBool::new(false);
        if !self.proxies.is_empty() {
            return;
        }
        let mut forwarded = ["x-forwarded-for", "forwarded"].into_iter();
        if let Some(header) = forwarded.find(|name| request.headers().contains_key(*name))
            && !WARNED.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                header,
                "a request has come through a proxy, but `trusted_proxies` is empty: all clients of the proxy count as \
                 one. Set {} to its address, or remove the header there",
                declared::variable("trusted_proxies")
            );
        }
    }

    /// The origin of the request, if it may call from a browser.
    fn origin(&self, request: &Request) -> Option<HeaderValue> {
        let origin = request.headers().get(header::ORIGIN)?;
        self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }
}

impl<E: Endpoint + 'static> Endpoint for Edge<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let start = Instant::now();
        let in_flight = self.metrics.request();
        let request_id = request_id(&request);
        let method = request.method().clone();
        request.extensions_mut().insert(Sent(method.clone()));
        tidy_path(&mut request);
        let client = self.client(&request);
        request.extensions_mut().insert(Origin { request_id: request_id.clone(), address: Some(client.0) });
        request.extensions_mut().insert(client);
        let ledger = Ledger::default();
        request.extensions_mut().insert(ledger.clone());
        let path = request.uri().path().to_owned();
        let known = routes::route(&path);
        let allow = known.map(|route| route.allow.as_str());
        // the route, not the path: a path is what a client sends, and may hold anything
        let route = known.map_or("-", |route| route.path.as_str());
        let operation = known.and_then(|route| route.operation(&method)).unwrap_or("-");
        let origin = self.origin(&request);

        let span = tracing::info_span!("request", request_id, user_id = tracing::field::Empty);
        let metrics = self.metrics.clone();
        let record = Record { metrics, span, start, operation, method, route, client, _in_flight: in_flight };
        let hosts = request.headers().get_all(header::HOST).iter().count();
        let refused = match allow {
            _ if request.extensions().get::<BeyondLimits>().is_some() => {
                let detail = "Too many connections are open, in all or from your address; try again soon.";
                Some(Error::new(Code::OVERLOADED, detail).response(&request_id))
            }
            // RFC 9112 section 3.2; hyper lets it through
            _ if hosts > 1 => Some(Error::new(Code::INVALID, "Send one Host header.").response(&request_id)),
            Some(allow) if record.method == Method::OPTIONS => Some(options(&request, allow, origin.is_some())),
            _ => self.check_load(&path, &record.method).err().map(|overloaded| overloaded.response(&request_id)),
        };
        let mut response = match refused {
            Some(response) => {
                record.answered(response.status(), false);
                response
            }
            None => self.answer(request, record, request_id.clone(), allow).await,
        };

        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, HeaderValue::from_str(&request_id).expect("checked to be visible ASCII"));
        ledger.write(headers);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if !self.origins.is_empty() {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            let exposed = HeaderValue::from_static(
                "ETag, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id",
            );
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
        Ok(response)
    }
}

/// The log line and the counters of a request. The request is in progress while this value exists.
struct Record {
    metrics: Arc<Metrics>,
    span: tracing::Span,
    start: Instant,
    operation: &'static str,
    method: Method,
    route: &'static str,
    client: ClientAddress,
    _in_flight: InFlight,
}

impl Record {
    /// Logs and counts the answer; `client_left` if nobody waits for it any more.
    fn answered(&self, status: StatusCode, client_left: bool) {
        self.metrics.answered(self.operation, &self.method, status.as_u16(), self.start.elapsed());
        if client_left {
            self.metrics.client_left();
        }
        let client_left = client_left.then_some(true);
        let (method, route, client) = (&self.method, self.route, self.client.0);
        let (status, millis) = (status.as_u16(), self.millis());
        self.span.in_scope(|| tracing::info!(%method, route, status, millis, %client, client_left, "request"));
    }

    /// Logs how a request ended that was answered at its deadline.
    fn ended_late(&self, status: StatusCode) {
        let (method, route, status, millis) = (&self.method, self.route, status.as_u16(), self.millis());
        self.span.in_scope(|| tracing::warn!(%method, route, status, millis, "a request ended after its deadline"));
    }

    fn millis(&self) -> f64 {
        (self.start.elapsed().as_secs_f64() * 10_000.0).round() / 10.0
    }
}

/// The client's id if it is short and plain, else one of ours.
fn request_id(request: &Request) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fits = |id: &&str| !id.is_empty() && id.len() <= REQUEST_ID_LENGTH && id.bytes().all(plain);
    match request.header(&REQUEST_ID).filter(fits) {
        Some(id) => id.into(),
        None => format!("{:032x}", rand::random::<u128>()),
    }
}

/// A path with a trailing slash is the one without it. In one that is no UTF-8 each `%` stands for itself: the
/// router would reject it before authorization.
fn tidy_path(request: &mut Request) {
    let path = request.uri().path();
    let trimmed = path.strip_suffix('/').filter(|trimmed| !trimmed.is_empty() && !trimmed.ends_with('/'));
    let readable = percent_decode(path).is_some();
    if trimmed.is_none() && readable {
        return;
    }
    let trimmed = trimmed.unwrap_or(path);
    let trimmed = if readable { trimmed.to_owned() } else { trimmed.replace('%', "%25") };
    let query = request.uri().query().map_or(String::new(), |query| format!("?{query}"));
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(format!("{trimmed}{query}")).ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

/// What a path takes; with what a browser asks before it calls from another origin.
fn options(request: &Request, allow: &str, cross_origin: bool) -> Response {
    let mut response = Response::builder().status(StatusCode::NO_CONTENT).header(header::ALLOW, allow).finish();
    if cross_origin && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        let headers = response.headers_mut();
        let methods = HeaderValue::from_str(allow).expect("made of method names");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        let accepted = HeaderValue::from_static(
            "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id",
        );
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, accepted);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(600));
    }
    response
}

/// Any error of ours, poem or poem-openapi as the one error body.
fn refuse(error: poem::Error, request_id: &str, allow: Option<&str>, paths_hint: &'static str) -> Response {
    let ours = match error.downcast_ref::<Error>() {
        Some(ours) => ours.clone(),
        None => match error.status() {
            StatusCode::NOT_FOUND => Error::new(Code::ROUTE_NOT_FOUND, paths_hint),
            StatusCode::METHOD_NOT_ALLOWED => {
                Error::new(Code::METHOD_NOT_ALLOWED, format!("The path takes {}.", allow.unwrap_or_default()))
            }
            // parameters and body are valid, so nothing else should come from the framework
            status if status.is_client_error() => Error::new(Code::INVALID, "The request cannot be read."),
            _ => Error::internal(&error),
        },
    };
    let not_allowed = ours.code == Code::METHOD_NOT_ALLOWED;
    let mut response = ours.response(request_id);
    if let Some(allow) = allow.filter(|_| not_allowed) {
        let allow = HeaderValue::from_str(allow).expect("made of method names");
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge<F: Fn() + Send + Sync + 'static>(work: F, deadline: Duration) -> impl Endpoint<Output = Response> {
        let inner = poem::endpoint::make(move |_| {
            work();
            async { tokio::time::sleep(Duration::from_millis(50)).await }
        });
        let metrics = Arc::new(Metrics::new(crate::app::now()));
        let (origins, proxies) = (vec![], vec![]);
        Edge {
            inner: Arc::new(inner),
            deadline,
            origins,
            proxies,
            paths_hint: "",
            metrics,
            db: None,
            runtime: Handle::current(),
        }
    }

    async fn problem(endpoint: impl Endpoint<Output = Response>) -> (StatusCode, serde_json::Value, bool) {
        let response = endpoint.call(Request::default()).await.expect("the edge never fails");
        let (status, retry) = (response.status(), response.headers().contains_key(header::RETRY_AFTER));
        let id = response.headers()[&REQUEST_ID].to_str().expect("ASCII").to_owned();
        let body: serde_json::Value = response.into_body().into_json().await.expect("JSON");
        assert_eq!(body["request_id"], id.as_str());
        (status, body, retry)
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_tells_nothing() {
        let (status, body, _) = problem(edge(|| panic!("secret cause"), Duration::from_secs(5))).await;
        assert_eq!((status.as_u16(), &body["code"]), (500, &"internal".into()));
        assert!(!body.to_string().contains("secret"));
    }

    #[tokio::test]
    async fn a_missed_deadline_is_a_problem_with_retry_after() {
        let (status, body, retry) = problem(edge(|| {}, Duration::from_millis(1))).await;
        assert_eq!((status.as_u16(), &body["code"], retry), (503, &"timeout".into(), true));
    }

    #[test]
    fn one_trailing_slash_is_dropped_and_what_is_no_text_is_kept() {
        for (sent, meant) in [
            ("/a/", "/a"),
            ("/a/?b=1", "/a?b=1"),
            ("/", "/"),
            ("/a", "/a"),
            ("//", "//"),
            ("/a//", "/a//"),
            ("/%41/", "/%41"),
            ("/%FF/", "/%25FF"),
            ("/%?a=%FF", "/%25?a=%FF"),
        ] {
            let mut request = Request::builder().uri_str(sent).finish();
            tidy_path(&mut request);
            assert_eq!(request.uri().to_string(), meant);
        }
    }
}
