//! Decisions about logins.

use super::model::{GrantType, TokenRequest};
use crate::auth::Email;
use crate::error::{Code, Error, FieldError};

/// The proof of a token request.
pub enum Grant {
    /// Address and password.
    Password(Email, String),
    /// The newest refresh token of a session.
    RefreshToken(String),
}

/// The grant of a token request.
///
/// # Errors
/// 400 `invalid`: a field that the grant needs is missing.
pub fn grant(request: TokenRequest) -> Result<Grant, Error> {
    let missing = |field: &str| FieldError::body(format!("/{field}"), "is required for this grant_type");
    match (request.grant_type, request.username, request.password, request.refresh_token) {
        (GrantType::Password, Some(username), Some(password), _) => {
            Ok(Grant::Password(Email::new(&username), password.0))
        }
        (GrantType::RefreshToken, _, _, Some(refresh_token)) => Ok(Grant::RefreshToken(refresh_token)),
        (GrantType::Password, username, password, _) => {
            let absent = [("username", username.is_none()), ("password", password.is_none())];
            let fields = absent.into_iter().filter(|(_, absent)| *absent).map(|(field, _)| missing(field));
            Err(Error::fields(Code::INVALID, fields.collect()))
        }
        (GrantType::RefreshToken, ..) => Err(Error::fields(Code::INVALID, vec![missing("refresh_token")])),
    }
}

/// Adds the error of RFC 6749 section 5.2.
pub fn oauth(error: Error) -> Error {
    let word = match error.code {
        Code::INVALID_CREDENTIALS
        | Code::REFRESH_TOKEN_INVALID
        | Code::REFRESH_TOKEN_USED
        | Code::REFRESH_TOKEN_REUSED
        | Code::ACCOUNT_DISABLED
        | Code::EMAIL_UNVERIFIED => Some("invalid_grant"),
        Code::INVALID => Some("invalid_request"),
        _ => None,
    };
    Error { oauth: word, ..error }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::{Example, Password};

    use super::*;

    #[test]
    fn fields_that_a_grant_needs_are_required_and_those_of_the_other_grant_ignored() {
        let request = |grant_type, username: Option<&str>, password: Option<&str>, refresh_token: Option<&str>| {
            let refresh_token = refresh_token.map(str::to_owned);
            let (username, password) = (username.map(str::to_owned), password.map(|text| Password(text.into())));
            grant(TokenRequest { grant_type, username, password, refresh_token, ..TokenRequest::example() })
        };
        let pointers = |result: Result<Grant, Error>| {
            let fields = result.err().expect("a field is missing").fields;
            fields.into_iter().map(|field| field.pointer.unwrap_or_default()).collect::<Vec<_>>()
        };
        let found = request(GrantType::Password, Some("Ann@example.com"), Some("secret"), Some("token"));
        assert!(matches!(found, Ok(Grant::Password(email, _)) if email == Email::new("ann@example.com")));
        let found = request(GrantType::RefreshToken, Some("ann@example.com"), None, Some("token"));
        assert!(matches!(found, Ok(Grant::RefreshToken(token)) if token == "token"));
        assert_eq!(pointers(request(GrantType::Password, None, None, Some("token"))), ["/username", "/password"]);
        assert_eq!(pointers(request(GrantType::RefreshToken, Some("a"), Some("b"), None)), ["/refresh_token"]);
    }
}
