//! E-mail addresses: checked by the document's pattern, kept in lower case so that one address is one account.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What HTML calls a valid e-mail address, with at least one dot behind the `@`.
const PATTERN: &str = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$";

/// Characters of an address at most (RFC 5321 section 4.5.3.1.3, less the angle brackets).
const MAX_LENGTH: usize = 254;

/// An address in lower case. Not `Debug`: it is personal and must not reach a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Email(String);

impl Email {
    /// Lower-cases an address; its form is checked by the document before.
    pub fn new(text: &str) -> Self {
        Self(text.to_lowercase())
    }

    /// An address that comes from elsewhere, if it has the form that the document asks for.
    pub fn checked(text: &str) -> Option<Self> {
        let rule = json!({ "maxLength": MAX_LENGTH, "pattern": PATTERN });
        jsonschema::is_valid(&rule, &text.into()).then(|| Self::new(text))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Email {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl Type for Email {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_email".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            max_length: Some(MAX_LENGTH),
            pattern: Some(PATTERN.into()),
            ..MetaSchema::new_with_format("string", "email")
        }))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ParseFromJSON for Email {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        match value {
            Some(Value::String(text)) => Ok(Self::new(&text)),
            other => Err(ParseError::expected_type(other.unwrap_or_default())),
        }
    }
}

impl ToJSON for Email {
    fn to_json(&self) -> Option<Value> {
        Some(Value::String(self.0.clone()))
    }
}
