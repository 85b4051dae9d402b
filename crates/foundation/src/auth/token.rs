//! Access tokens: HS256 JSON Web Tokens (RFC 7519), short-lived, revocable through session and version.
//!
//! Of several keys the first signs, and each token names its own, so that keys change while everybody stays logged in.
//! Must never be: an algorithm that the token chooses; a token that was made for something else (RFC 8725).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::auth::role::Role;
use crate::declared;
use crate::error::{Code, Error};

/// The issuer of our tokens, and their audience: the application. A token of another issuer, or for another audience, is
/// rejected (RFC 8725 section 3.9).
fn issuer_and_audience() -> &'static str {
    declared::name()
}

/// What they are: no other JSON Web Token passes for one (RFC 9068 section 2.1, RFC 8725 section 3.11).
const TYPE: &str = "at+jwt";

/// Seconds that the clock of another instance may be ahead of ours: `iat` and `nbf` may lie so far in the future. `exp`
/// has no such leeway: a clock that is behind only shortens a token's life.
const CLOCK_SKEW: i64 = 5;

/// Bytes of a key's digest that name it.
const KEY_ID: usize = 8;

/// What a token says. No e-mail, no name, no secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    /// The issuer: the application.
    pub iss: String,
    /// The audience: the application.
    pub aud: String,
    /// The user's id.
    pub sub: String,
    /// Issued, in seconds since 1970.
    pub iat: i64,
    /// Not valid before, in seconds since 1970: the same.
    pub nbf: i64,
    /// Valid until, in seconds since 1970.
    pub exp: i64,
    /// The session's id, a dot, and random bits that make the token unique.
    pub jti: String,
    /// The user's token version when it was issued; a new password raises it.
    pub ver: i64,
    /// The role at that time, for clients; the server reads the present one from the database.
    pub role: Role,
}

impl Claims {
    /// The user's id.
    pub fn user_id(&self) -> Result<i64, Error> {
        self.sub.parse().map_err(|_| malformed())
    }

    /// The session that the token belongs to.
    pub fn session_id(&self) -> Result<i64, Error> {
        let session = self.jti.split_once('.').and_then(|(session, _)| session.parse().ok());
        session.ok_or_else(malformed)
    }
}

pub(crate) fn malformed() -> Error {
    Error::new(Code::TOKEN_MALFORMED, "Log in again: the token is not one of ours.")
}

/// Issues and verifies access tokens with one fixed algorithm.
pub struct Tokens {
    signs: Key,
    /// Tokens that they have signed are good, too.
    others: Vec<Key>,
    validation: Validation,
    lifetime: u32,
}

/// A secret, and how tokens name it.
struct Key {
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl Key {
    fn new(secret: &str) -> Self {
        Self {
            id: key_id(secret),
            encoding: EncodingKey::from_secret(secret.as_bytes()),
            decoding: DecodingKey::from_secret(secret.as_bytes()),
        }
    }
}

/// The name of a key. One way, and of nothing else: whoever reads a token learns no more than its signature tells them.
pub(crate) fn key_id(secret: &str) -> String {
    let digest =
        Sha256::new().chain_update(format!("{} access token key\0", declared::name())).chain_update(secret).finalize();
    URL_SAFE_NO_PAD.encode(&digest[..KEY_ID])
}

impl Tokens {
    /// Tokens signed with the first secret, valid for so many seconds; those that the others have signed are good, too.
    pub fn new(signs: &str, others: &[String], lifetime: u32) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[issuer_and_audience()]);
        validation.set_audience(&[issuer_and_audience()]);
        validation.set_required_spec_claims(&["aud", "exp", "iss", "nbf", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = CLOCK_SKEW.unsigned_abs();
        let others = others.iter().map(|secret| Key::new(secret)).collect();
        Self { signs: Key::new(signs), others, validation, lifetime }
    }

    /// Seconds that a token is valid which is issued now for a session that ends at `ends_at`. Not positive if the session
    /// has ended.
    pub fn lifetime(&self, now: DateTime<Utc>, ends_at: DateTime<Utc>) -> i64 {
        (ends_at - now).num_seconds().min(self.lifetime.into())
    }

    /// A token for one user and session, not valid beyond the end of the session.
    pub fn issue(
        &self,
        user_id: i64,
        role: Role,
        version: i64,
        session_id: i64,
        now: DateTime<Utc>,
        ends_at: DateTime<Utc>,
    ) -> String {
        let iat = now.timestamp();
        let claims = Claims {
            iss: issuer_and_audience().into(),
            aud: issuer_and_audience().into(),
            sub: user_id.to_string(),
            iat,
            nbf: iat,
            exp: iat + self.lifetime(now, ends_at),
            jti: format!("{session_id}.{:016x}", rand::random::<u64>()),
            ver: version,
            role,
        };
        let (kid, typ) = (Some(self.signs.id.clone()), Some(TYPE.into()));
        let header = Header { kid, typ, ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims, &self.signs.encoding).expect("HS256 signs any claims that serialise")
    }

    /// The claims of the `Authorization` header, if the signature and the times hold.
    ///
    /// # Errors
    /// 401 with the code that says which part does not.
    pub fn verify(&self, authorization: Option<&str>, now: DateTime<Utc>) -> Result<Claims, Error> {
        let token = bearer(authorization)?;
        let header = jsonwebtoken::decode_header(token).map_err(|_| malformed())?;
        let key = self.key(header.kid.as_deref()).ok_or_else(signature)?;
        let decoded = jsonwebtoken::decode::<Claims>(token, &key.decoding, &self.validation);
        let decoded = decoded.map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => expired(),
            ErrorKind::InvalidSignature
            | ErrorKind::InvalidAlgorithm
            | ErrorKind::InvalidIssuer
            | ErrorKind::InvalidAudience => signature(),
            _ => malformed(),
        })?;
        if decoded.header.typ.as_deref() != Some(TYPE) {
            return Err(malformed());
        }
        // what the library lets pass: a critical extension (RFC 7515 section 4.1.11), a token from the future, the very second of expiry
        if decoded.header.crit.is_some() || decoded.claims.iat > now.timestamp() + CLOCK_SKEW {
            return Err(malformed());
        }
        if decoded.claims.exp <= now.timestamp() {
            return Err(expired());
        }
        Ok(decoded.claims)
    }

    /// The key that a token names.
    fn key(&self, id: Option<&str>) -> Option<&Key> {
        std::iter::once(&self.signs).chain(&self.others).find(|key| Some(key.id.as_str()) == id)
    }
}

/// The token of the header `Authorization`.
///
/// # Errors
/// 401 `unauthenticated` without the header, `scheme_missing` if it has another scheme.
pub fn bearer(authorization: Option<&str>) -> Result<&str, Error> {
    let Some(header) = authorization else {
        return Err(Error::new(
            Code::UNAUTHENTICATED,
            "Send `Authorization: Bearer <token>`; POST /api/v1/authenticate gives one.",
        ));
    };
    let (scheme, token) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Error::new(Code::SCHEME_MISSING, "Put the word Bearer and a space before the token."));
    }
    Ok(token.trim())
}

pub(crate) fn signature() -> Error {
    Error::new(Code::TOKEN_SIGNATURE, "Log in again: this server did not sign the token.")
}

fn expired() -> Error {
    Error::new(Code::TOKEN_EXPIRED, "Get a new token with POST /api/v1/token/refresh, or log in again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(tokens: &Tokens, header: Option<&str>, now: DateTime<Utc>) -> Code {
        tokens.verify(header, now).expect_err("a refusal").code
    }

    fn tokens(signs: &str, others: &[&str]) -> Tokens {
        Tokens::new(signs, &others.iter().map(|secret| (*secret).to_owned()).collect::<Vec<_>>(), 60)
    }

    fn bearer(tokens: &Tokens, at: DateTime<Utc>) -> String {
        format!("Bearer {}", tokens.issue(7, Role::Active, 1, 3, at, at + chrono::TimeDelta::days(90)))
    }

    #[test]
    fn only_our_own_unexpired_tokens_pass() {
        let (ours, theirs) = (tokens("ours", &[]), tokens("theirs", &[]));
        let now = crate::app::now();
        let token = bearer(&ours, now);
        let claims = ours.verify(Some(&token), now).expect("valid");
        assert_eq!((claims.user_id().expect("id"), claims.session_id().expect("session")), (7, 3));
        assert_eq!(code(&theirs, Some(&token), now), Code::TOKEN_SIGNATURE);
        assert_eq!(code(&ours, None, now), Code::UNAUTHENTICATED);
        assert_eq!(code(&ours, Some(&token[7..]), now), Code::SCHEME_MISSING);
        assert_eq!(code(&ours, Some("Bearer x"), now), Code::TOKEN_MALFORMED);
        assert_eq!(code(&ours, Some("Bearer"), now), Code::TOKEN_MALFORMED);
        let old = bearer(&ours, now - chrono::TimeDelta::seconds(60));
        assert_eq!(code(&ours, Some(&old), now), Code::TOKEN_EXPIRED);
    }

    #[test]
    fn token_is_not_valid_beyond_the_end_of_its_session() {
        let (tokens, now) = (tokens("ours", &[]), crate::app::now());
        for (left, seconds) in [(3600, 60), (60, 60), (10, 10), (0, 0), (-10, -10)] {
            let ends_at = now + chrono::TimeDelta::seconds(left);
            assert_eq!(tokens.lifetime(now, ends_at), seconds);
            let token = format!("Bearer {}", tokens.issue(7, Role::Active, 1, 3, now, ends_at));
            match tokens.verify(Some(&token), now) {
                Ok(claims) => assert_eq!(claims.exp - claims.iat, seconds),
                Err(error) => assert!(seconds < 1 && error.code == Code::TOKEN_EXPIRED, "{error}"),
            }
        }
    }

    #[test]
    fn keys_change_while_tokens_go_on() {
        let now = crate::app::now();
        let (old, both, new) = (tokens("old", &["new"]), tokens("new", &["old"]), tokens("new", &[]));
        let (by_old, by_new) = (bearer(&old, now), bearer(&both, now));
        for tokens in [&old, &both] {
            assert!(tokens.verify(Some(&by_old), now).is_ok());
            assert!(tokens.verify(Some(&by_new), now).is_ok());
        }
        assert!(new.verify(Some(&by_new), now).is_ok());
        assert_eq!(code(&new, Some(&by_old), now), Code::TOKEN_SIGNATURE);
        // a name that it has not: each key verifies what it has signed itself
        let claims = both.verify(Some(&by_new), now).expect("valid");
        let header = Header { kid: Some(old.signs.id.clone()), ..Header::new(Algorithm::HS256) };
        let token = jsonwebtoken::encode(&header, &claims, &both.signs.encoding).expect("signs");
        assert_eq!(code(&both, Some(&format!("Bearer {token}")), now), Code::TOKEN_SIGNATURE);
    }

    #[test]
    fn what_is_signed_but_is_no_access_token_of_now_is_refused() {
        let (tokens, now) = (tokens("ours", &[]), crate::app::now());
        let ahead = |seconds| bearer(&tokens, now + chrono::TimeDelta::seconds(seconds));
        assert!(tokens.verify(Some(&ahead(CLOCK_SKEW - 1)), now).is_ok());
        assert_eq!(code(&tokens, Some(&ahead(CLOCK_SKEW + 2)), now), Code::TOKEN_MALFORMED);

        let claims = tokens.verify(Some(&ahead(0)), now).expect("valid");
        let good =
            Header { kid: Some(tokens.signs.id.clone()), typ: Some(TYPE.into()), ..Header::new(Algorithm::HS256) };
        let verdict = |header: &Header, claims: &Claims| {
            let token = jsonwebtoken::encode(header, claims, &tokens.signs.encoding).expect("signs");
            tokens.verify(Some(&format!("Bearer {token}")), now).map(|_| ()).map_err(|error| error.code)
        };
        assert_eq!(verdict(&good, &claims), Ok(()));
        for (header, expected) in [
            (Header { crit: Some(vec!["x".into()]), ..good.clone() }, Code::TOKEN_MALFORMED),
            (Header { typ: Some("JWT".into()), ..good.clone() }, Code::TOKEN_MALFORMED),
            (Header { typ: None, ..good.clone() }, Code::TOKEN_MALFORMED),
            (Header { kid: None, ..good.clone() }, Code::TOKEN_SIGNATURE),
            (Header { kid: Some("x".into()), ..good.clone() }, Code::TOKEN_SIGNATURE),
            (Header { alg: Algorithm::HS512, ..good.clone() }, Code::TOKEN_SIGNATURE),
        ] {
            assert_eq!(verdict(&header, &claims), Err(expected), "{header:?}");
        }
        let (iat, nbf) = (claims.iat + CLOCK_SKEW + 2, claims.nbf + CLOCK_SKEW + 2);
        for (claims, expected) in [
            (Claims { iss: "x".into(), ..claims.clone() }, Code::TOKEN_SIGNATURE),
            (Claims { aud: "x".into(), ..claims.clone() }, Code::TOKEN_SIGNATURE),
            (Claims { nbf, ..claims.clone() }, Code::TOKEN_MALFORMED),
            (Claims { iat, ..claims.clone() }, Code::TOKEN_MALFORMED),
            (Claims { exp: claims.iat, ..claims.clone() }, Code::TOKEN_EXPIRED),
        ] {
            assert_eq!(verdict(&good, &claims), Err(expected), "{claims:?}");
        }
    }

    #[test]
    fn the_claims_are_exactly_these() {
        let (tokens, now) = (tokens("ours", &[]), crate::app::now());
        let claims = tokens.verify(Some(&bearer(&tokens, now)), now).expect("valid");
        let value = serde_json::to_value(claims).expect("serialises");
        let names: Vec<_> = value.as_object().expect("an object").keys().cloned().collect();
        assert_eq!(names, ["iss", "aud", "sub", "iat", "nbf", "exp", "jti", "ver", "role"]);
    }
}
