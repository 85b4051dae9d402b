//! Tokens of an identity provider (OpenID Connect Core 1.0, RFC 9068): RS256 and ES256, by the keys it publishes.
//!
//! Must never be: an algorithm that the token chooses and its key is not made for; a token that was given for somebody
//! else, or for another use; a request that waits for the provider because of a key that was asked for a moment ago, or for
//! longer than one fetch takes.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::header::{ACCEPT, HOST, USER_AGENT};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::Url;

use crate::auth::token::{malformed, signature};
use crate::config::Config;
use crate::declared;
use crate::error::{Code, Error};
use crate::outgoing;

/// Seconds that the provider's clock may differ from ours, for `exp`, `nbf` and `iat`.
const LEEWAY: u64 = 30;

/// Keys are fetched again after so long, so that one that was withdrawn stops working …
const FRESH: Duration = Duration::from_secs(60 * 60);

/// … and work for so long while the provider cannot be reached.
const USABLE: Duration = Duration::from_secs(24 * 60 * 60);

/// The provider has so long to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of an answer of the provider at most.
const ANSWER: usize = 256 * 1024;

/// Bytes of a modulus of RSA at least (RFC 7518 section 3.3).
const RSA_BYTES: usize = 2048 / 8;

/// The type of an access token (RFC 9068 section 2.1).
const TYPED: &str = "at+jwt";

/// Characters of a subject at most (OpenID Connect Core section 2).
const SUBJECT: usize = 255;

/// Who a token of the provider is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// Whom it means: never another one, and the same for ever.
    pub subject: String,
    /// Their address, if the provider has verified it.
    pub email: Option<String>,
    /// What they are called.
    pub name: Option<String>,
    /// The time of the login, if the token has it.
    pub logged_in_at: Option<DateTime<Utc>>,
}

/// Verifies the tokens of one provider.
pub struct Oidc {
    issuer: String,
    audience: String,
    /// Clients whose tokens count; all if there is none.
    clients: Vec<String>,
    /// Between two fetches at least.
    wait: Duration,
    keys: RwLock<Option<Keys>>,
    /// The end of the last fetch of the keys. Held during a fetch, so that many requests make one.
    fetched: Mutex<Option<Instant>>,
    /// Rejects tokens of any type but `at+jwt`.
    only_typed: bool,
}

struct Keys {
    by_id: HashMap<String, Key>,
    fetched: Instant,
}

#[derive(Clone)]
struct Key {
    algorithm: Algorithm,
    decoding: Arc<DecodingKey>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    /// One, or a list of them: the library looks for ours.
    aud: Value,
    #[serde(default)]
    azp: Option<String>,
    exp: i64,
    #[serde(default)]
    iat: Option<i64>,
    #[serde(default)]
    email: Option<String>,
    /// True, or as some providers have it, "true".
    #[serde(default)]
    email_verified: Value,
    #[serde(default)]
    name: Option<String>,
    /// The time of the login, in seconds since 1970 (RFC 9068 section 2.2.1).
    #[serde(default)]
    auth_time: Option<i64>,
    /// Claims that say what kind of token it is, see [`Oidc::is_access_token`].
    #[serde(default)]
    nonce: Option<Value>,
    #[serde(default)]
    at_hash: Option<Value>,
    #[serde(default)]
    c_hash: Option<Value>,
    #[serde(default)]
    s_hash: Option<Value>,
    #[serde(default)]
    typ: Option<Value>,
    #[serde(default)]
    token_use: Option<Value>,
}

/// What the provider says of itself (OpenID Connect Discovery 1.0 section 3).
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct KeySet {
    // one by one: a key of a kind that we do not know spoils none of the others
    keys: Vec<Value>,
}

impl Oidc {
    /// That of the settings; none if they name no issuer.
    pub fn of(config: &Config) -> Option<Self> {
        (!config.provider.oidc_issuer.is_empty()).then(|| Self {
            issuer: config.provider.oidc_issuer.clone(),
            audience: config.provider.oidc_audience.clone(),
            clients: config.provider.oidc_clients(),
            wait: Duration::from_secs(config.provider.oidc_wait),
            keys: RwLock::default(),
            fetched: Mutex::default(),
            only_typed: config.provider.oidc_require_at_jwt,
        })
    }

    /// Whether a token may be one of the provider's: it is signed by a key of a pair, and ours are not.
    pub fn may_have_signed(token: &str) -> bool {
        jsonwebtoken::decode_header(token).is_ok_and(|header| ours(header.alg))
    }

    /// Who a token is about, if its signature, its times, its issuer and its audience hold.
    ///
    /// # Errors
    /// 401 with the code that says which part does not; 503 `issuer_unavailable`.
    pub async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Identity, Error> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| malformed())?;
        // a logout token, or anything else that the provider signs, is no token to act with (RFC 8725 section 3.11)
        let kind = header.typ.as_deref().map(|typ| typ.trim_start_matches("application/").to_ascii_lowercase());
        if header.crit.is_some() || !matches!(kind.as_deref(), None | Some("jwt" | TYPED)) {
            return Err(malformed());
        }
        let id = header.kid.ok_or_else(signature)?;
        let key = self.key(&id).await?.filter(|key| key.algorithm == header.alg).ok_or_else(signature)?;
        let mut validation = Validation::new(key.algorithm);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY;
        let decoded = jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation);
        let claims = decoded.map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => stale(),
            ErrorKind::InvalidSignature
            | ErrorKind::InvalidAlgorithm
            | ErrorKind::InvalidIssuer
            | ErrorKind::InvalidAudience => signature(),
            _ => malformed(),
        })?;
        if !self.is_access_token(kind.as_deref() == Some(TYPED), &claims.claims) {
            let detail =
                "Send an access token: this one is for a client to read (an ID token), or was issued for another use.";
            return Err(Error::new(Code::TOKEN_MALFORMED, detail));
        }
        self.judge(claims.claims, now)
    }

    /// Returns whether a token is an access token. A provider signs ID tokens with the same keys, and clients hand them around
    /// freely: they prove who has logged in to a client, not that the client may act for them (RFC 9068 section 5, RFC 8725
    /// section 3.11). Type `at+jwt` says what a token is. Many providers do not send it, so of other tokens all are
    /// rejected that have a mark of an ID token.
    fn is_access_token(&self, typed: bool, claims: &Claims) -> bool {
        if typed {
            return true;
        }
        // OpenID Connect Core sections 2 and 3.3.2.11; the FAPI profile has the last
        let marks = [&claims.nonce, &claims.at_hash, &claims.c_hash, &claims.s_hash];
        // Keycloak and Cognito say the use in a claim
        let is_use = |claim: &Option<Value>, uses: &[&str]| match claim {
            None | Some(Value::Null) => true,
            Some(Value::String(word)) => uses.iter().any(|allowed| word.eq_ignore_ascii_case(allowed)),
            Some(_) => false,
        };
        // the audience of an ID token is the client that asked for it (section 2)
        let for_its_client = claims.azp.as_ref().is_some_and(|client| *client == self.audience);
        !self.only_typed
            && marks.into_iter().all(Option::is_none)
            && is_use(&claims.typ, &["Bearer", "at+jwt", "JWT"])
            && is_use(&claims.token_use, &["access"])
            && !for_its_client
    }

    /// What the library does not look at.
    fn judge(&self, claims: Claims, now: DateTime<Utc>) -> Result<Identity, Error> {
        let leeway = LEEWAY.cast_signed();
        if claims.exp + leeway <= now.timestamp() {
            return Err(stale());
        }
        // PostgreSQL cannot store U+0000, and no provider has a reason for other control characters
        let is_plain = !claims.sub.chars().any(char::is_control);
        if claims.sub.is_empty() || claims.sub.chars().count() > SUBJECT || !is_plain {
            return Err(malformed());
        }
        let from_the_future = |at: i64| at > now.timestamp().saturating_add(leeway);
        if claims.iat.is_some_and(from_the_future) || claims.auth_time.is_some_and(from_the_future) {
            return Err(malformed());
        }
        // OpenID Connect Core section 3.1.3.7: of several audiences it is said which one asked for the token
        let several = claims.aud.as_array().is_some_and(|all| all.len() > 1);
        let strange = match &claims.azp {
            Some(client) => !self.clients.is_empty() && !self.clients.contains(client),
            None => several || !self.clients.is_empty(),
        };
        if strange {
            return Err(signature());
        }
        let verified = claims.email_verified == Value::Bool(true) || claims.email_verified == "true";
        Ok(Identity {
            issuer: claims.iss,
            subject: claims.sub,
            email: claims.email.filter(|_| verified),
            name: claims.name,
            logged_in_at: claims.auth_time.and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        })
    }

    /// The key of this name; none if the provider has no such key.
    async fn key(&self, id: &str) -> Result<Option<Key>, Error> {
        if let Some(key) = self.known(id, FRESH).flatten() {
            return Ok(Some(key));
        }
        // a request with an old but good key does not wait: one request fetches, the others continue
        let mut fetched = match (self.known(id, USABLE).flatten(), self.fetched.try_lock()) {
            (_, Ok(fetched)) => fetched,
            (Some(key), Err(_)) => return Ok(Some(key)),
            (None, Err(_)) => self.fetched.lock().await,
        };
        // a request that has waited uses what the other one has fetched
        if let Some(key) = self.known(id, FRESH).flatten() {
            return Ok(Some(key));
        }
        // it also shares a failure: requests that fetched one after the other would each wait for all before them
        if fetched.is_none_or(|ended| ended.elapsed() >= self.wait) {
            let keys = timeout(PATIENCE, self.fetch()).await.unwrap_or_else(|_| Err("no answer in time".into()));
            *fetched = Some(Instant::now());
            match keys {
                Ok(by_id) => {
                    tracing::info!(keys = by_id.len(), "fetched the keys of the identity provider");
                    let keys = Keys { by_id, fetched: Instant::now() };
                    *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(keys);
                }
                Err(reason) => tracing::warn!(reason, "the identity provider gives no keys"),
            }
        }
        drop(fetched);
        self.known(id, USABLE).ok_or_else(|| {
            let error = Error::new(Code::ISSUER_UNAVAILABLE, "Try again soon; who logs in here is not affected.");
            Error { retry_after: Some(self.wait.as_secs().max(1)), ..error }
        })
    }

    /// The key of this name, if there are keys that are younger than that.
    fn known(&self, id: &str, age: Duration) -> Option<Option<Key>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let keys = keys.as_ref().filter(|keys| keys.fetched.elapsed() < age)?;
        Some(keys.by_id.get(id).cloned())
    }

    async fn fetch(&self) -> Result<HashMap<String, Key>, String> {
        let place = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let discovery: Discovery = get(&place).await?;
        if discovery.issuer != self.issuer {
            let variable = declared::variable("oidc_issuer");
            return Err(format!("it calls itself `{}`, {variable} is `{}`", discovery.issuer, self.issuer));
        }
        // what is not secret must still not be changed on the way
        if self.issuer.starts_with("https:") && !discovery.jwks_uri.starts_with("https:") {
            return Err("its jwks_uri is not https".into());
        }
        let set: KeySet = get(&discovery.jwks_uri).await?;
        let keys: HashMap<String, Key> = set.keys.into_iter().filter_map(read).collect();
        if keys.is_empty() { Err("none of its keys is for RS256 or ES256".into()) } else { Ok(keys) }
    }
}

fn stale() -> Error {
    Error::new(Code::TOKEN_EXPIRED, "Get a new token where you got this one.")
}

/// Algorithms that a provider may sign with: of pairs of keys, so that what verifies cannot sign.
fn ours(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::RS256 | Algorithm::ES256)
}

/// A key that may verify, and its name.
fn read(key: Value) -> Option<(String, Key)> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    let is_for_signing = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(key) if modulus(&key.n)? >= RSA_BYTES => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    if !is_for_signing || jwk.common.key_algorithm.is_some_and(|algorithm| algorithm != named) {
        return None;
    }
    let decoding = Arc::new(DecodingKey::from_jwk(&jwk).ok()?);
    Some((jwk.common.key_id?, Key { algorithm, decoding }))
}

/// Bytes of a number as a key has it: base64url of the big-endian bytes (RFC 7518 section 6.3.1.1).
fn modulus(text: &str) -> Option<usize> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok().map(|bytes| bytes.len())
}

async fn get<T: for<'de> Deserialize<'de>>(url: &str) -> Result<T, String> {
    let parsed = Url::parse(url).map_err(|error| format!("{url}: {error}"))?;
    let addresses = outgoing::addresses(&parsed).await;
    let (host, target) = outgoing::host_and_target(&parsed);
    let request = Request::get(target)
        .header(HOST, host)
        .header(USER_AGENT, outgoing::user_agent())
        .header(ACCEPT, "application/json")
        .body(Full::<Bytes>::default())
        .map_err(|error| format!("{url}: {error}"))?;
    let mut connection = JoinSet::new();
    let response = outgoing::send(&parsed, &addresses, request, &mut connection).await;
    let response = response.map_err(|error| format!("{url}: {error}"))?;
    if response.status() != 200 {
        return Err(format!("{url} answers {}", response.status().as_u16()));
    }
    let body = Limited::new(response.into_body(), ANSWER).collect().await;
    let body = body.map_err(|error| format!("{url}: {error}"))?.to_bytes();
    serde_json::from_slice(&body).map_err(|error| format!("{url}: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_keys_that_may_verify_are_read() {
        let rsa = |bytes: usize| "A".repeat(bytes.div_ceil(3) * 4);
        let ec = json!({ "kty": "EC", "crv": "P-256", "kid": "e", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" });
        let with = |mut key: Value, name: &str, value: &str| {
            key[name] = value.into();
            key
        };
        let large = json!({ "kty": "RSA", "kid": "r", "n": rsa(256), "e": "AQAB" });
        let algorithm = |key: Value| read(key).map(|(id, key)| (id, key.algorithm));
        assert_eq!(algorithm(ec.clone()), Some(("e".into(), Algorithm::ES256)));
        assert_eq!(algorithm(large.clone()), Some(("r".into(), Algorithm::RS256)));
        assert_eq!(algorithm(with(ec.clone(), "use", "sig")), Some(("e".into(), Algorithm::ES256)));
        for key in [
            with(large.clone(), "n", &rsa(128)),
            with(large.clone(), "use", "enc"),
            with(large.clone(), "alg", "RS512"),
            with(large, "alg", "PS256"),
            with(ec, "alg", "RS256"),
            json!({ "kty": "oct", "kid": "o", "k": "AAAA" }),
            json!({ "kty": "new", "kid": "n" }),
            json!("x"),
        ] {
            assert_eq!(algorithm(key.clone()), None, "{key}");
        }
    }
}
