//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a create that a client sends again, because it has lost
//! the answer, happens once.
//!
//! The guard claims the key before the handler runs; the handler commits its change and the answer in one transaction.
//! Must never be: a change without its answer, or the other way round; an answer for another user than the one who has
//! sent the key; an answer that can be read in the database, since it may show a secret.

pub mod store;
pub mod tasks;

use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{IntoResponse, Request, RequestBody, Response};
use poem_openapi::registry::{MetaParamIn, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde_json::Value;
use sha2::{Digest, Sha256};

use self::store::Entry;
use crate::app::App;
use crate::db::Conn;
use crate::error::{Code, Error, FieldError};

/// The header.
pub const HEADER: &str = "Idempotency-Key";

/// Characters of a key at most.
const LONGEST: usize = 255;

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
    let key = &format!("{operation} {key}");
    let (now, request_hash) = (app.now(), hash(&body.to_string()));
    let claim = Claim { user_id, key: key.clone(), run: format!("{:032x}", rand::random::<u128>()) };
    // a run that has not ended by then has died: its transaction is over, and with it what it has changed
    let claimed_until = now + TimeDelta::seconds((2 * app.config.request_timeout).cast_signed());
    let mut tx = app.db.begin().await?;
    if store::insert(&mut tx, &claim, &request_hash, now, claimed_until, now - LIFETIME).await? {
        tx.commit().await?;
        return Ok(Claimed::Run(claim));
    }
    let entry = store::find(&mut tx, &claim).await?;
    drop(tx);
    match entry {
        Some(entry) if entry.request_hash != request_hash => {
            let detail = "was used with another request in the last 24 hours; use a new key for each request";
            let fault = FieldError::parameter(format!("header.{HEADER}"), detail);
            Err(Error::fields(Code::IdempotencyKeyReused, vec![fault]))
        }
        Some(Entry { status: Some(status), headers: Some(headers), body: Some(body), .. }) => {
            replay(key, status, &headers, &body).map(Claimed::Replay)
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
    Error::new(Code::IdempotencyKeyInUse, "The first request with this key has not ended; try again in a second.")
}

fn replay(key: &str, status: i64, headers: &str, body: &str) -> Result<Response, Error> {
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let headers: Option<Vec<(String, String)>> = serde_json::from_str(headers).ok();
    let (Some(status), Some(headers), Some(body)) = (status, headers, open(key, body)) else {
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

/// Answers are encrypted by the key that the client sends, of which the table has only a hash: an answer may show the
/// secret of a webhook, which nobody who reads the table should learn.
fn cipher(key: &str) -> LessSafeKey {
    let digest = Sha256::new().chain_update("accord idempotency answer\0").chain_update(key).finalize();
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &digest).expect("a digest is as long as a key"))
}

fn seal(key: &str, body: &[u8]) -> String {
    let nonce: [u8; NONCE_LEN] = rand::random();
    let mut sealed = body.to_vec();
    let done = cipher(key).seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed);
    done.expect("a body is shorter than AES-GCM allows");
    STANDARD.encode([&nonce[..], &sealed].concat())
}

fn open(key: &str, sealed: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(sealed).ok()?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
    let mut sealed = sealed.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    Some(cipher(key).open_in_place(nonce, Aad::empty(), &mut sealed).ok()?.to_vec())
}

/// Declares the header for a create; the handler commits with it. Without the header it only commits.
pub struct Idempotent(Option<Claim>);

impl Idempotent {
    /// Commits the change together with its answer.
    ///
    /// # Errors
    /// 409 `idempotency_key_in_use` if the run took so long that another one has begun; then nothing is changed.
    pub async fn commit<A: IntoResponse>(self, mut tx: Conn, answer: A) -> Result<Keyed<A>, Error> {
        let mut response = answer.into_response();
        if let Some(claim) = self.0 {
            let body = response.take_body().into_bytes().await.map_err(Error::internal)?;
            let named =
                |name: &HeaderName| Some((name.to_string(), response.headers().get(name)?.to_str().ok()?.to_owned()));
            let headers: Vec<_> = STORED.iter().filter_map(named).collect();
            let headers = serde_json::to_string(&headers).map_err(Error::internal)?;
            let status = response.status().as_u16().into();
            if !store::finish(&mut tx, &claim, status, headers, seal(&claim.key, &body)).await? {
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

impl<'a> ApiExtractor<'a> for Idempotent {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = false;
    type ParamType = String;
    type ParamRawType = String;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        let schema = MetaSchema {
            min_length: Some(1),
            max_length: Some(LONGEST),
            pattern: Some("^[!-~]+$".into()),
            ..MetaSchema::new("string")
        };
        Some(MetaSchemaRef::Inline(Box::new(schema)))
    }

    fn param_raw_type(&self) -> Option<&String> {
        None
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<String>,
    ) -> poem::Result<Self> {
        Ok(Self(request.data::<Claim>().cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_read_only_with_its_key() {
        let sealed = seal("one", b"{}");
        assert_eq!(open("one", &sealed).as_deref(), Some(&b"{}"[..]));
        assert_eq!(open("two", &sealed), None);
        assert_eq!(open("one", "AAAA"), None);
        assert_ne!(seal("one", b"{}"), sealed);
    }
}
