//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a create that a client sends again, because it has lost
//! the answer, happens once.
//!
//! The server claims the key before the handler runs; the handler commits its change and the answer in one transaction.
//! Must never be: a change without its answer, or the other way round; an answer for another user than the one who has
//! sent the key; an answer that can be read in the database, since it may show a secret.

pub mod store;
pub mod tables;
pub mod tasks;

use std::marker::PhantomData;
use std::time::Duration;

use chrono::TimeDelta;
use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaResponses, Registry};
use serde_json::Value;
use sha2::{Digest, Sha256};

use self::store::Entry;
use crate::app::App;
use crate::application::Resource;
use crate::auth::seal::{Sealed, Seals};
use crate::db::Conn;
use crate::error::{Code, Error, FieldError};
use crate::http::parameters::shared;
use crate::tasks::Kind;

/// Creates that clients may send again.
pub static RESOURCE: Resource = Resource {
    name: "idempotency",
    tables: tables::declared,
    jobs: &[Kind::every::<tasks::PurgeIdempotencyKeys>(|config| Duration::from_secs(config.tasks.purge_interval))],
    contract: include_str!("contract.yaml"),
    postman: include_str!("postman.yaml"),
    ..Resource::EMPTY
};

/// The header.
pub const HEADER: &str = "Idempotency-Key";

/// The time for which a response is stored.
const LIFETIME: TimeDelta = TimeDelta::hours(24);

/// Headers of an answer that are stored: all that a create declares but the ones that belong to a request.
const STORED: [HeaderName; 4] = [header::LOCATION, header::ETAG, header::CACHE_CONTROL, header::CONTENT_TYPE];

/// A key that a request has claimed: no other request runs with it.
#[derive(Clone)]
pub struct Claim {
    user_id: i64,
    key: String,
    /// Names this run: one that was taken for dead must not store its answer.
    run: String,
    /// Encrypts the answer, which may show the secret of a webhook.
    seals: Seals,
}

/// The result of claiming a key.
pub enum Claimed {
    /// The request runs.
    Run(Claim),
    /// The request has run before: its stored response.
    Replay(Response),
}

/// Claims a key for a request of this user to this operation; `body` tells whether a repeated request is the same.
///
/// # Errors
/// 409 `idempotency_key_in_use` while another request with the key runs, 422 `idempotency_key_reused` if the key belongs to
/// another request.
pub async fn claim(app: &App, user_id: i64, key: &str, operation: &str, body: &Value) -> Result<Claimed, Error> {
    // each operation has keys of its own
    let key = format!("{operation} {key}");
    let (now, request_hash) = (app.now(), hash(&body.to_string()));
    let run = format!("{:032x}", rand::random::<u128>());
    let claim = Claim { user_id, key, run, seals: app.seals.clone() };
    // a run that has not ended by then has died: its transaction is over, and with it what it has changed
    let claimed_until = now + TimeDelta::seconds((2 * app.config.server.request_timeout).cast_signed());
    let mut tx = app.db.begin().await?;
    if store::insert(&mut tx, &claim, &request_hash, now, claimed_until, now - LIFETIME).await? {
        tx.commit().await?;
        return Ok(Claimed::Run(claim));
    }
    let entry = store::find(&mut tx, &claim).await?;
    drop(tx);
    match entry {
        Some(entry) if entry.request_hash != request_hash => {
            Err(reused("was used with another request in the last 24 hours; use a new key for each request"))
        }
        Some(Entry { status: Some(status), headers: Some(headers), body: Some(body), .. }) => {
            // `None` after the key of the server that has encrypted it was taken away
            let body = app.seals.open(&Sealed::from(body));
            let body = body.ok_or_else(|| reused("was used, and its answer can no longer be read; use a new key"))?;
            replay(status, &headers, body).map(Claimed::Replay)
        }
        // it runs, or has failed a moment ago
        _ => Err(in_use()),
    }
}

/// Gives up the claim of a request that has changed nothing, so that it can be sent again with the same key.
pub async fn release(app: &App, claim: &Claim) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    store::delete(&mut tx, claim).await?;
    Ok(tx.commit().await?)
}

fn in_use() -> Error {
    Error::new(Code::IDEMPOTENCY_KEY_IN_USE, "The first request with this key has not ended; try again in a second.")
}

fn reused(detail: &str) -> Error {
    let fault = FieldError::parameter(format!("header.{HEADER}"), detail);
    Error::fields(Code::IDEMPOTENCY_KEY_REUSED, vec![fault])
}

fn replay(status: i64, headers: &str, body: String) -> Result<Response, Error> {
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let headers: Option<Vec<(String, String)>> = serde_json::from_str(headers).ok();
    let (Some(status), Some(headers)) = (status, headers) else {
        return Err(Error::internal("a stored answer cannot be read"));
    };
    let mut response = Response::builder().status(status).body(body);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Declares the header for a create; the handler commits with it. Without the header it only commits.
pub struct Idempotent(Option<Claim>);

impl Idempotent {
    /// Commits the change together with its answer.
    ///
    /// # Errors
    /// 409 `idempotency_key_in_use` if the run took so long that another one has begun; then nothing is changed.
    pub async fn commit<A: IntoResponse>(self, tx: impl Into<Conn>, answer: A) -> Result<Keyed<A>, Error> {
        let mut tx = tx.into();
        let mut response = answer.into_response();
        if let Some(claim) = self.0 {
            let body = response.take_body().into_string().await.map_err(Error::internal)?;
            let named =
                |name: &HeaderName| Some((name.to_string(), response.headers().get(name)?.to_str().ok()?.to_owned()));
            let headers: Vec<_> = STORED.iter().filter_map(named).collect();
            let headers = serde_json::to_string(&headers).map_err(Error::internal)?;
            let status = response.status().as_u16().into();
            if !store::finish(&mut tx, &claim, status, headers, claim.seals.seal(&body).as_str().into()).await? {
                return Err(in_use());
            }
            response.set_body(body);
        }
        tx.commit().await?;
        Ok(Keyed(response, PhantomData))
    }
}

/// An answer that was stored with its change.
pub struct Keyed<A>(Response, PhantomData<fn() -> A>);

impl<A> IntoResponse for Keyed<A> {
    fn into_response(self) -> Response {
        self.0
    }
}

impl<A: ApiResponse> ApiResponse for Keyed<A> {
    fn meta() -> MetaResponses {
        A::meta()
    }

    fn register(registry: &mut Registry) {
        A::register(registry);
    }
}

shared! {
    Idempotent = "Idempotency-Key" in Header, |request| Ok(Self(request.data::<Claim>().cloned()));
}
