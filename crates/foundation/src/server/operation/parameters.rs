//! Validation of path, query and headers against the document.

use jsonschema::Validator;
use poem::Request;
use serde_json::Value;

use crate::error::{Code, FieldError};
use crate::server::path::{percent_decode, variable};
use crate::server::schema;

/// The parameters of an operation.
pub struct Parameters {
    /// Segments of the path in the document.
    template: Vec<String>,
    declared: Vec<Parameter>,
}

struct Parameter {
    name: String,
    place: Place,
    kind: Kind,
    validator: Validator,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Path,
    Query,
    Header,
}

/// The type by which the text of a parameter is read.
#[derive(Clone, Copy)]
enum Kind {
    Integer,
    Boolean,
    Text,
}

impl Parameters {
    /// The parameters that the document declares for an operation.
    pub fn new(document: &Value, path: &str, operation: &Value) -> Self {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        Self {
            template: path.split('/').map(Into::into).collect(),
            declared: parameters.map(|parameter| Parameter::new(document, parameter)).collect(),
        }
    }

    /// Returns whether the operation has a parameter of this name.
    pub fn has(&self, name: &str) -> bool {
        self.declared.iter().any(|parameter| parameter.name == name)
    }

    /// The violations in path, query and headers.
    pub fn violations(&self, request: &Request) -> Vec<(Code, FieldError)> {
        let mut faults = vec![];
        let mut given: Vec<(Place, String, Option<String>)> = vec![];
        for (template, segment) in self.template.iter().zip(request.uri().path().split('/')) {
            if let Some(name) = variable(template) {
                given.push((Place::Path, name.into(), percent_decode(segment)));
            }
        }
        for pair in request.uri().query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| percent_decode(&text.replace('+', " "));
            let name = decode(name).unwrap_or_else(|| name.into());
            let location = format!("query.{}", schema::shorten(&name));
            if !self.declared.iter().any(|parameter| parameter.place == Place::Query && parameter.name == name) {
                let fault = FieldError::parameter(location, "the operation takes no such parameter");
                faults.push((Code::UNKNOWN_PARAMETER, fault));
            } else if given.iter().any(|(place, other, _)| *place == Place::Query && *other == name) {
                faults.push((Code::INVALID, FieldError::parameter(location, "is given twice")));
            } else {
                given.push((Place::Query, name, decode(value)));
            }
        }
        for parameter in self.declared.iter().filter(|parameter| parameter.place == Place::Header) {
            let mut values = request.headers().get_all(&parameter.name).iter();
            if let Some(value) = values.next() {
                given.push((Place::Header, parameter.name.clone(), value.to_str().ok().map(Into::into)));
            }
            if values.next().is_some() {
                let location = format!("header.{}", parameter.name);
                faults.push((Code::INVALID, FieldError::parameter(location, "is given twice")));
            }
        }
        for parameter in &self.declared {
            let values = given.iter().filter(|(place, name, _)| *place == parameter.place && *name == parameter.name);
            for fault in values.filter_map(|(_, _, text)| parameter.fault(text.as_deref())) {
                faults.push((Code::INVALID, fault));
            }
        }
        faults
    }
}

impl Parameter {
    fn new(document: &Value, parameter: &Value) -> Self {
        let schema = schema::resolve(document, &parameter["schema"]);
        let kind = schema["type"].as_str().or_else(|| schema["allOf"][0]["type"].as_str());
        Self {
            name: parameter["name"].as_str().unwrap_or_default().into(),
            place: match parameter["in"].as_str() {
                Some("path") => Place::Path,
                Some("header") => Place::Header,
                _ => Place::Query,
            },
            kind: match kind {
                Some("integer") => Kind::Integer,
                Some("boolean") => Kind::Boolean,
                _ => Kind::Text,
            },
            validator: schema::compile(document, &schema),
        }
    }

    /// Returns the error of the text of this parameter. `None` stands for a text that is not UTF-8.
    fn fault(&self, text: Option<&str>) -> Option<FieldError> {
        let place = match self.place {
            Place::Path => "path",
            Place::Query => "query",
            Place::Header => "header",
        };
        let fault = |detail: String| Some(FieldError::parameter(format!("{place}.{}", self.name), detail));
        let Some(text) = text else {
            return fault("must be UTF-8, with `%` only before two hexadecimal digits".into());
        };
        let value = match self.kind {
            Kind::Integer => match integer(text) {
                Some(number) => number.into(),
                None => return fault("must be a whole number of at most 64 bits".into()),
            },
            Kind::Boolean => match text.parse::<bool>() {
                Ok(flag) => flag.into(),
                Err(_) => return fault("must be true or false".into()),
            },
            Kind::Text => text.into(),
        };
        schema::value_fault(&self.validator, &value).and_then(fault)
    }
}

/// Decimal digits without a plus, leading zeros or spaces: one number, one spelling.
fn integer(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().filter(|number| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(integer("-7"), Some(-7));
        for text in ["+7", "07", " 7", "7.0", "1e3", "0x7", "9223372036854775808", "", "٣"] {
            assert_eq!(integer(text), None, "{text}");
        }
    }
}
