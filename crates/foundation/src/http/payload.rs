//! Bodies: those of requests, read and validated against the served document, and those of answers, written straight with
//! serde.
//!
//! poem-openapi's own `Json` names its media type with a charset, takes what its schema forbids, and serialises
//! through a `Value`; its `Form` runs no validators. These do not.

use std::sync::Arc;

use poem::{IntoResponse, Request, RequestBody, Response, Result};
use poem_openapi::payload::{ParsePayload, Payload};
use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::{ParseFromJSON, Type};
use serde::Serialize;
use serde_json::Value;

use crate::error::{Code, Error, FieldError};

/// The body of the request, valid by the document. Request validation puts it into the request's extensions.
#[derive(Clone)]
pub struct ValidBody(pub Arc<Value>);

/// JSON request body.
pub struct JsonIn<T>(pub T);

/// Form request body (`application/x-www-form-urlencoded`).
pub struct FormIn<T>(pub T);

/// JSON answer.
pub struct JsonOut<T>(pub T);

/// A payload that an operation takes: JSON or a form.
pub trait Body: Payload + ParsePayload + Send {
    /// The type of the content.
    type Content: Send + Sync;

    /// The content.
    fn content(self) -> Self::Content;
}

impl<T: ParseFromJSON> Body for JsonIn<T> {
    type Content = T;

    fn content(self) -> T {
        self.0
    }
}

impl<T: ParseFromJSON> Body for FormIn<T> {
    type Content = T;

    fn content(self) -> T {
        self.0
    }
}

macro_rules! payload {
    ($payload:ident, $media_type:literal) => {
        impl<T: Type> Payload for $payload<T> {
            const CONTENT_TYPE: &'static str = $media_type;

            fn check_content_type(_: &str) -> bool {
                true // request validation has checked it against the document
            }

            fn schema_ref() -> MetaSchemaRef {
                T::schema_ref()
            }

            fn register(registry: &mut Registry) {
                T::register(registry);
            }
        }
    };
}

payload!(JsonIn, "application/json");
payload!(FormIn, "application/x-www-form-urlencoded");
payload!(JsonOut, "application/json");

fn valid<T: ParseFromJSON>(request: &Request) -> Result<T> {
    let Some(ValidBody(body)) = request.extensions().get::<ValidBody>() else {
        return Err(Error::internal("an operation with a body ran without request validation").into());
    };
    T::parse_from_json(Some((**body).clone())).map_err(|error| {
        // only a type whose own parser is stricter than its schema comes here
        let detail = error.into_message();
        Error::fields(Code::INVALID, vec![FieldError::body("", detail)]).into()
    })
}

impl<T: ParseFromJSON> ParsePayload for JsonIn<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, _: &mut RequestBody) -> Result<Self> {
        valid(request).map(Self)
    }
}

impl<T: ParseFromJSON> ParsePayload for FormIn<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, _: &mut RequestBody) -> Result<Self> {
        valid(request).map(Self)
    }
}

poem_openapi::impl_apirequest_for_payload!(JsonIn<T>, T: ParseFromJSON);
poem_openapi::impl_apirequest_for_payload!(FormIn<T>, T: ParseFromJSON);

impl<T: Serialize + Send> IntoResponse for JsonOut<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => Response::builder().content_type("application/json").body(body),
            Err(error) => Error::internal(error).response(""),
        }
    }
}
