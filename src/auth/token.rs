//! Access tokens: HS256 JSON Web Tokens (RFC 7519), short-lived, revocable through session and version.

use chrono::{DateTime, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::auth::Role;
use crate::error::{Code, Error};

/// Who issues our tokens; a token of another issuer is refused.
const ISSUER: &str = "accord";

/// Seconds that the clock of another instance may be ahead of ours.
const CLOCK_SKEW: i64 = 5;

/// What a token says. No e-mail, no name, no secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    /// Always [`ISSUER`].
    pub iss: String,
    /// The user's id.
    pub sub: String,
    /// Issued, in seconds since 1970.
    pub iat: i64,
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

fn malformed() -> Error {
    Error::new(Code::TokenMalformed, "Log in again: the token is not one of ours.")
}

/// Issues and verifies access tokens with one fixed algorithm.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    lifetime: u32,
}

impl Tokens {
    /// Tokens signed with this secret, valid for so many seconds.
    pub fn new(secret: &[u8], lifetime: u32) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // an expired token is expired: a clock that is behind only shortens its life
        validation.leeway = 0;
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
            lifetime,
        }
    }

    /// Seconds that a token is valid.
    pub fn lifetime(&self) -> u32 {
        self.lifetime
    }

    /// A token for one user and session.
    pub fn issue(&self, user_id: i64, role: Role, version: i64, session_id: i64, now: DateTime<Utc>) -> String {
        let iat = now.timestamp();
        let claims = Claims {
            iss: ISSUER.into(),
            sub: user_id.to_string(),
            iat,
            exp: iat + i64::from(self.lifetime),
            jti: format!("{session_id}.{:016x}", rand::random::<u64>()),
            ver: version,
            role,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .expect("HS256 signs any claims that serialise")
    }

    /// The claims of the `Authorization` header, if the signature and the times hold.
    ///
    /// # Errors
    /// 401 with the code that says which part does not.
    pub fn verify(&self, authorization: Option<&str>, now: DateTime<Utc>) -> Result<Claims, Error> {
        let Some(header) = authorization else {
            return Err(Error::new(
                Code::Unauthenticated,
                "Send `Authorization: Bearer <token>`; POST /api/v1/authenticate gives one.",
            ));
        };
        let (scheme, token) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Error::new(Code::SchemeMissing, "Put the word Bearer and a space before the token."));
        }
        let decoded = jsonwebtoken::decode::<Claims>(token.trim(), &self.decoding, &self.validation);
        let decoded = decoded.map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => expired(),
            ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm | ErrorKind::InvalidIssuer => {
                Error::new(Code::TokenSignature, "Log in again: this server did not sign the token.")
            }
            _ => malformed(),
        })?;
        // what the library lets pass: a critical extension (RFC 7515 section 4.1.11), a token from the future, the very second of expiry
        if decoded.header.crit.is_some() || decoded.claims.iat > now.timestamp() + CLOCK_SKEW {
            return Err(malformed());
        }
        if decoded.claims.exp <= now.timestamp() {
            return Err(expired());
        }
        Ok(decoded.claims)
    }
}

fn expired() -> Error {
    Error::new(Code::TokenExpired, "Get a new token with POST /api/v1/token/refresh, or log in again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(tokens: &Tokens, header: Option<&str>, now: DateTime<Utc>) -> Code {
        tokens.verify(header, now).expect_err("a refusal").code
    }

    #[test]
    fn only_our_own_unexpired_tokens_pass() {
        let (ours, theirs) = (Tokens::new(&[1; 32], 60), Tokens::new(&[2; 32], 60));
        let now = crate::app::now();
        let token = format!("Bearer {}", ours.issue(7, Role::Active, 1, 3, now));
        let claims = ours.verify(Some(&token), now).expect("valid");
        assert_eq!((claims.user_id().expect("id"), claims.session_id().expect("session")), (7, 3));
        assert_eq!(code(&theirs, Some(&token), now), Code::TokenSignature);
        assert_eq!(code(&ours, None, now), Code::Unauthenticated);
        assert_eq!(code(&ours, Some(&token[7..]), now), Code::SchemeMissing);
        assert_eq!(code(&ours, Some("Bearer x"), now), Code::TokenMalformed);
        assert_eq!(code(&ours, Some("Bearer"), now), Code::TokenMalformed);
        let old = format!("Bearer {}", ours.issue(7, Role::Active, 1, 3, now - chrono::TimeDelta::seconds(60)));
        assert_eq!(code(&ours, Some(&old), now), Code::TokenExpired);
    }

    #[test]
    fn a_critical_extension_and_a_token_from_the_future_are_refused() {
        let (tokens, now) = (Tokens::new(&[1; 32], 60), crate::app::now());
        let ahead = |seconds| {
            format!("Bearer {}", tokens.issue(7, Role::Active, 1, 3, now + chrono::TimeDelta::seconds(seconds)))
        };
        assert!(tokens.verify(Some(&ahead(CLOCK_SKEW)), now).is_ok());
        assert_eq!(code(&tokens, Some(&ahead(CLOCK_SKEW + 2)), now), Code::TokenMalformed);

        let claims = tokens.verify(Some(&ahead(0)), now).expect("valid");
        let header = Header { crit: Some(vec!["x".into()]), ..Header::new(Algorithm::HS256) };
        let token = jsonwebtoken::encode(&header, &claims, &tokens.encoding).expect("signs");
        assert_eq!(code(&tokens, Some(&format!("Bearer {token}")), now), Code::TokenMalformed);
    }

    #[test]
    fn the_claims_are_exactly_these() {
        let claims =
            Claims { iss: "".into(), sub: "".into(), iat: 0, exp: 0, jti: "".into(), ver: 0, role: Role::Active };
        let value = serde_json::to_value(claims).expect("serialises");
        let names: Vec<_> = value.as_object().expect("an object").keys().cloned().collect();
        assert_eq!(names, ["iss", "sub", "iat", "exp", "jti", "ver", "role"]);
    }
}
