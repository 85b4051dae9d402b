//! Request validation and authorization, in front of each operation.
//!
//! The order is part of the contract: token (401) → limit by address (429) → media type and size (415, 413, 408) →
//! caller (401, 403) → parameters and body (400) → limit by account (429). So a stranger learns nothing of the rules, no
//! request holds a database connection while a slow body arrives, and a rejected request costs no work for a password.

mod authorization;
mod body;
mod check;
mod limits;
mod parameters;

use std::collections::HashMap;
use std::sync::Arc;

use poem::endpoint::BoxEndpoint;
use poem::http::Method;
use poem::{Endpoint, EndpointExt, Request, Response, Result};
use poem_openapi::registry::{MetaApi, Registry};
use poem_openapi::{OpenApi, OpenApiService};

use self::authorization::Proof;
pub use self::authorization::rule;
use self::body::Body;
use self::limits::{Limits, Logins};
use self::parameters::Parameters;
use crate::app::App;
use crate::app::limit::Ledger;
use crate::auth::Access;
use crate::auth::access::Proven;
use crate::error::Error;
use crate::http::payload::ValidBody;
use crate::resources::idempotency::{self, Claimed};
use crate::server::path::route_key;
use crate::server::{document, schema};

pub(crate) use self::limits::complete;

/// Returns the reasons why the operations of the application must not be served.
pub fn faults() -> Vec<String> {
    check::faults(&document::Apis::meta())
}

/// The operations of the application as a service.
pub fn service() -> OpenApiService<Operations<document::Apis>, ()> {
    OpenApiService::new(Operations(document::Apis), document::about().title, document::about().version)
}

/// A list of APIs, each operation behind validation and authorization.
pub struct Operations<T>(pub T);

impl<T: OpenApi> OpenApi for Operations<T> {
    fn meta() -> Vec<MetaApi> {
        T::meta()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn add_routes(self, table: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        let mut routes = HashMap::new();
        self.0.add_routes(&mut routes);
        let logins = Logins::default();
        for path in T::meta().iter().flat_map(|api| &api.paths) {
            for operation in &path.operations {
                // an operation without a rule is not served: the start has rejected it before
                let Some(access) = rule(operation) else { continue };
                let key = route_key(&path.path);
                let Some(endpoint) = routes.get_mut(&key).and_then(|methods| methods.remove(&operation.method)) else {
                    continue;
                };
                let operation_endpoint =
                    Operation::new(endpoint, access, &path.path, &operation.method, logins.clone());
                table.entry(key).or_default().insert(operation.method.clone(), operation_endpoint.boxed());
            }
        }
    }
}

/// One operation: its handler, and what a request must fulfil before it is called.
struct Operation {
    endpoint: BoxEndpoint<'static>,
    access: Access,
    parameters: Parameters,
    body: Option<Body>,
    /// Set if the operation declares 429.
    limits: Option<Limits>,
    /// Set if each call reads many rows.
    expensive: bool,
    /// Set if the operation declares `Idempotency-Key`.
    takes_key: bool,
}

impl Operation {
    fn new(endpoint: BoxEndpoint<'static>, access: Access, path: &str, method: &Method, logins: Logins) -> Self {
        let document = document::document();
        let operation = &document["paths"][path][method.as_str().to_lowercase()];
        let parameters = Parameters::new(document, path, operation);
        Self {
            endpoint,
            access,
            takes_key: parameters.has(idempotency::HEADER),
            parameters,
            body: Body::new(document, operation),
            limits: operation["responses"].get("429").map(|_| Limits::new(logins)),
            expensive: operation["operationId"].as_str().is_some_and(limits::reads_many),
        }
    }

    /// Counts a call of the account that the token proves or the body names, and calls the handler.
    async fn run_limited(&self, mut request: Request, app: &App, user_id: Option<i64>) -> Result<Response> {
        let Some(limits) = &self.limits else { return self.run(request, app, user_id).await };
        let ledger = request.data::<Ledger>().cloned().unwrap_or_default();
        if let Some(user_id) = user_id {
            limits.take_user(user_id, &app.config, &ledger)?;
            return self.run(request, app, Some(user_id)).await;
        }
        let of_account = limits.of_account(&app.config, &ledger);
        request.extensions_mut().insert(of_account.clone());
        let answer = self.run(request, app, None).await;
        of_account.settle(&answer);
        answer
    }

    /// Calls the handler; with an `Idempotency-Key` once, however often the request is sent.
    async fn run(&self, mut request: Request, app: &App, user_id: Option<i64>) -> Result<Response> {
        let key = request.header(idempotency::HEADER).filter(|_| self.takes_key).map(str::to_owned);
        let (Some(key), Some(user_id)) = (key, user_id) else { return self.endpoint.call(request).await };
        let body = request.data::<ValidBody>().map(|ValidBody(body)| body.clone()).unwrap_or_default();
        let operation = format!("{} {}", request.method(), request.uri().path());
        let claim = match idempotency::claim(app, user_id, &key, &operation, &body).await? {
            Claimed::Replay(response) => return Ok(response),
            Claimed::Run(claim) => claim,
        };
        request.extensions_mut().insert(claim.clone());
        let answer = self.endpoint.call(request).await;
        if !answer.as_ref().is_ok_and(|response| response.status().is_success()) {
            // only who sends the same request again notices that the key was not given up, and waits
            if let Err(error) = idempotency::release(app, &claim).await {
                tracing::warn!(%error, "an Idempotency-Key stays claimed");
            }
        }
        answer
    }
}

impl Endpoint for Operation {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let Some(mut app) = request.data::<App>().cloned() else {
            return Err(Error::internal("the router has no App").into());
        };
        if !request.method().is_safe() {
            app = app.for_changes();
            request.extensions_mut().insert(app.clone());
        }
        let proof = match self.access {
            Access::Public => None,
            _ => Some(Proof::of(&app, &request).await?),
        };
        if let Some(limits) = &self.limits {
            let ledger = request.data::<Ledger>().cloned().unwrap_or_default();
            limits.take_address(&request, &app.config, &ledger)?;
        }
        let bytes = match &self.body {
            Some(body) => Some((body, body.read(&mut request, &app.config).await?)),
            None => None,
        };
        // before the caller, who takes a connection
        let is_expensive = self.expensive || limits::asks_for_many(&request);
        let _place = if is_expensive { Some(app.db.admit_expensive().await.map_err(Error::from)?) } else { None };
        let mut user_id = None;
        if let Some(proof) = proof {
            let mut caller = proof.caller(&app, &request).await?;
            tracing::Span::current().record("user_id", caller.id);
            self.access.admits(&caller, &app.config)?;
            user_id = Some(caller.id);
            if self.takes_key && request.headers().contains_key(idempotency::HEADER) {
                // claiming the key takes a connection
                caller.release();
            }
            request.extensions_mut().insert(Proven::new(caller));
        }
        let mut faults = self.parameters.violations(&request);
        if let Some((body, bytes)) = bytes {
            let (value, body_faults) = body.parse(&bytes).map_err(|error| body.oauth(error, &[]))?;
            faults.extend(body_faults);
            request.extensions_mut().insert(ValidBody(Arc::new(value)));
        }
        if !faults.is_empty() {
            let error = schema::refuse(faults);
            let fields = error.fields.clone();
            return Err(match &self.body {
                Some(body) => body.oauth(error, &fields).into(),
                None => error.into(),
            });
        }
        self.run_limited(request, &app, user_id).await
    }
}
