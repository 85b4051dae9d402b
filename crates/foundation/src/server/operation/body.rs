//! Reading and validation of the body against the document.

use std::time::Duration;

use jsonschema::Validator;
use poem::Request;
use poem::http::header;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::error::{Code, Error, FieldError};
use crate::http::json;
use crate::server::path::percent_decode;
use crate::server::schema;

const JSON: &str = "application/json";

/// The body of an operation.
pub struct Body {
    media_type: String,
    validator: Validator,
}

impl Body {
    /// The body that the document declares for an operation. Returns `None` if the operation takes none.
    pub fn new(document: &Value, operation: &Value) -> Option<Self> {
        let (media_type, content) = operation["requestBody"]["content"].as_object()?.iter().next()?;
        Some(Self { media_type: media_type.clone(), validator: schema::compile(document, &content["schema"]) })
    }

    /// Reads the bytes of the body.
    ///
    /// # Errors
    /// 415, 413, 408, or 400 for a body that ends too early.
    pub async fn read(&self, request: &mut Request, config: &Config) -> Result<Vec<u8>, Error> {
        let content_type = request.content_type().unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case(&self.media_type) || request.headers().contains_key(header::CONTENT_ENCODING) {
            let detail = format!("Send the body as {}, without Content-Encoding.", self.media_type);
            return Err(Error::new(Code::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let too_large =
            || Error::new(Code::PAYLOAD_TOO_LARGE, format!("A body may have {} bytes.", config.server.max_body));
        let length =
            request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: u64| length > config.server.max_body as u64) {
            return Err(too_large());
        }
        let reading = request.take_body().into_bytes_limit(config.server.max_body);
        match tokio::time::timeout(Duration::from_secs(config.server.body_timeout), reading).await {
            Ok(Ok(bytes)) => Ok(bytes.to_vec()),
            Ok(Err(poem::error::ReadBodyError::PayloadTooLarge)) => Err(too_large()),
            Ok(Err(_)) => Err(Error::new(Code::MALFORMED_BODY, "The body ended before its length.")),
            Err(_) => {
                let detail = format!("The body did not arrive within {} s.", config.server.body_timeout);
                Err(Error::new(Code::REQUEST_TIMEOUT, detail))
            }
        }
    }

    /// Parses the body, and returns its violations.
    ///
    /// # Errors
    /// 400 `malformed_body`.
    pub fn parse(&self, bytes: &[u8]) -> Result<(Value, Vec<(Code, FieldError)>), Error> {
        let malformed = |sentence: String| Error::new(Code::MALFORMED_BODY, sentence);
        let value = if self.media_type == JSON { json::parse(bytes) } else { form(bytes) };
        let value = value.map_err(malformed)?;
        let faults = schema::body_faults(&self.validator, &value);
        Ok((value, faults))
    }

    /// Adds the error of RFC 6749 section 5.2 to an error of a form: forms are OAuth2 token requests.
    pub fn oauth(&self, error: Error, fields: &[FieldError]) -> Error {
        let is_form = self.media_type != JSON;
        let grant_type =
            fields.iter().any(|fault| fault.pointer.as_deref() == Some("/grant_type") && fault.detail != "is required");
        let word = if grant_type { "unsupported_grant_type" } else { "invalid_request" };
        Error { oauth: is_form.then_some(word), ..error }
    }
}

/// A form as an object of texts.
fn form(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "The body is not UTF-8.".to_owned())?;
    let mut map = Map::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| {
            let decoded = percent_decode(&text.replace('+', " "));
            decoded.ok_or_else(|| "The body has an escape that is no UTF-8.".to_owned())
        };
        if map.insert(decode(name)?, decode(value)?.into()).is_some() {
            return Err("The body has the same field twice.".into());
        }
    }
    if map.is_empty() { Err("The body is empty.".into()) } else { Ok(Value::Object(map)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_strictly() {
        assert_eq!(form(b"a=1&b=x+y%26").expect("valid")["b"], "x y&");
        assert!(form(b"a=1&a=2").is_err());
        assert!(form(b"").is_err());
        assert!(form(b"a=%ff").is_err());
    }
}
