//! Parameters that many operations share, as types of a handler's arguments: `If-Match`, `If-None-Match`, paging.
//!
//! poem-openapi knows one parameter for each argument, with its name and description beside the argument. These types
//! bring both: the document has a placeholder for the argument, which `server::normalise` replaces by [`documented`].

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Error;
use crate::http::etag::IfMatch;
use crate::http::page::{Cursor, Newest};

/// The number of items on a page if the request does not say.
const DEFAULT_LIMIT: i64 = 20;

/// The largest number of items on a page.
const MOST: i64 = 100;

/// The title of the schema of a placeholder begins with this.
const SHARED: &str = "shared parameter: ";

/// The header `If-None-Match`.
pub struct IfNoneMatch(pub Option<String>);

/// The parameters `limit` and `cursor` of a list. The doc comment of the argument names the items, as a plural.
pub struct Paging {
    /// The number of items on a page.
    pub limit: usize,
    cursor: Option<String>,
}

impl Paging {
    /// The page that is asked for of a list that shows the newest first; cursors name the list.
    ///
    /// # Errors
    /// 400 `invalid_cursor` when the cursor was not made by this list.
    pub fn newest(&self, list: &'static str) -> Result<Newest, Error> {
        Ok(Newest::new(list, self.limit, self.cursor(list)?))
    }

    /// The position that is asked for in a list of this order.
    ///
    /// # Errors
    /// 400 `invalid_cursor` when the cursor was not made by this list in this order.
    pub fn cursor(&self, sort: &str) -> Result<Option<Cursor>, Error> {
        self.cursor.as_deref().map(|text| Cursor::decode(text, sort)).transpose()
    }
}

/// The parameter `with_total` of a list.
pub struct WithTotal(pub bool);

/// The parameters that a placeholder of the document stands for; `None` for a parameter of its own.
pub fn documented(parameter: &Value) -> Option<Vec<Value>> {
    let name = parameter["schema"]["title"].as_str()?.strip_prefix(SHARED)?;
    let header = |name: &str, description: &str| {
        let schema = json!({ "type": "string", "maxLength": 1000 });
        vec![json!({ "name": name, "schema": schema, "in": "header", "description": description, "required": false })]
    };
    let query = |name: &str, schema: Value, description: &str| json!({ "name": name, "schema": schema, "in": "query", "description": description, "required": false });
    Some(match name {
        "If-Match" => header(name, "ETag of the version you have read, or `*`"),
        "If-None-Match" => header(name, "ETag of the copy you have"),
        "Idempotency-Key" => {
            let schema = json!({ "type": "string", "maxLength": 255, "minLength": 1, "pattern": "^[!-~]+$" });
            let description = "Makes it safe to send the request again: with the same key it is done once within 24 hours, and answered the same";
            vec![
                json!({ "name": name, "schema": schema, "in": "header", "description": description, "required": false }),
            ]
        }
        "paging" => {
            let items = parameter["description"].as_str().unwrap_or("items");
            let limit = json!({ "type": "integer", "format": "int64", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT });
            let cursor = json!({ "type": "string", "minLength": 1, "maxLength": 200 });
            vec![
                query("limit", limit, &format!("How many {items} a page has at most")),
                query("cursor", cursor, "`next` of the page before"),
            ]
        }
        "with_total" => {
            let schema = json!({ "type": "boolean", "default": false });
            vec![query(name, schema, "Also count all matches, which costs more than the page")]
        }
        unknown => unreachable!("no type of this module has the name {unknown}"),
    })
}

/// Implements the extractor of each type, with its placeholder in the document.
macro_rules! shared {
    ($($type:ty = $name:literal in $place:ident, |$request:ident| $read:expr;)*) => {
        $(impl<'a> poem_openapi::ApiExtractor<'a> for $type {
            const TYPES: &'static [poem_openapi::ApiExtractorType] = &[poem_openapi::ApiExtractorType::Parameter];
            const PARAM_IS_REQUIRED: bool = false;
            type ParamType = String;
            type ParamRawType = String;

            fn param_in() -> Option<poem_openapi::registry::MetaParamIn> {
                Some(poem_openapi::registry::MetaParamIn::$place)
            }

            fn param_schema_ref() -> Option<poem_openapi::registry::MetaSchemaRef> {
                Some($crate::http::parameters::placeholder($name))
            }

            fn param_raw_type(&self) -> Option<&String> {
                None
            }

            async fn from_request(
                $request: &'a poem::Request,
                _: &mut poem::RequestBody,
                _: poem_openapi::ExtractParamOptions<String>,
            ) -> poem::Result<Self> {
                $read
            }
        })*
    };
}
pub(crate) use shared;

/// The schema of the placeholder of a shared parameter.
pub(crate) fn placeholder(name: &str) -> MetaSchemaRef {
    let schema = MetaSchema { title: Some(format!("{SHARED}{name}")), ..MetaSchema::new("string") };
    MetaSchemaRef::Inline(Box::new(schema))
}

shared! {
    IfMatch = "If-Match" in Header, |request| Ok(Self::required(request.header("If-Match"))?);
    IfNoneMatch = "If-None-Match" in Header, |request| Ok(Self(request.header("If-None-Match").map(str::to_owned)));
    Paging = "paging" in Query, |request| {
        // request validation has checked both
        let Query { limit, cursor, .. } = request.params()?;
        let limit = usize::try_from(limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or_default();
        Ok(Self { limit, cursor })
    };
    WithTotal = "with_total" in Query, |request| {
        let Query { with_total, .. } = request.params()?;
        Ok(Self(with_total))
    };
}

/// The parameters in the query.
#[derive(Deserialize)]
struct Query {
    limit: Option<i64>,
    cursor: Option<String>,
    #[serde(default)]
    with_total: bool,
}
