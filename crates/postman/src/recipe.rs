//! The recipes for error codes: each is one change of the valid request of an operation.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::collection::bearer;
use crate::operation::{Operation, text};
use crate::request::{self, address};
use crate::schema::resolved;

/// One error code, and the changes that provoke it. A recipe is tried on each operation that documents the status; the
/// first change that fits the operation is applied.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The status of the response.
    pub status: u16,
    /// The error code in the response.
    pub code: String,
    /// Set if one operation shows the code for all.
    #[serde(default)]
    pub once: bool,
    /// Set if the request is sent after all others, in a folder of its own.
    #[serde(default)]
    pub last: bool,
    /// The changes, of which the first that fits is applied.
    pub changes: Vec<Change>,
}

/// An error code that no request provokes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unreachable {
    /// The status of the response.
    pub status: u16,
    /// The error code in the response.
    pub code: String,
    /// The reason, which stands in the collection's description.
    pub why: String,
    /// Operations that document the status for this code alone.
    #[serde(default)]
    pub operations: Vec<String>,
    /// Set if each operation may return the code: it excuses those that document the status and that no recipe fits.
    #[serde(default)]
    pub everywhere: bool,
}

/// A change of a valid request. The first keys are conditions: the change fits an operation that meets all of them. The
/// others change the request; one that needs a field or a header which the request does not have does not fit either.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// Fits these operations only.
    pub operations: Vec<String>,
    /// Fits operations whose path begins like this.
    pub under: String,
    /// Fits operations that anybody may call.
    pub public: bool,
    /// Fits operations that reject another account with 403: [`crate::Setup::owned`], and those with a scope.
    pub owned: bool,
    /// Fits bodies in which these fields are required.
    pub requires: Vec<String>,
    /// Fits bodies without these fields.
    pub lacks: Vec<String>,
    /// Fits bodies in which the schemas of these fields have these keywords.
    pub schemas: BTreeMap<String, Map<String, Value>>,
    /// Fits operations with these query parameters.
    pub takes: Vec<String>,

    /// Removes headers.
    pub without: Vec<String>,
    /// Adds headers.
    pub headers: BTreeMap<String, String>,
    /// Sends this token, or none if it is empty. Fits operations that need a token.
    pub token: Option<String>,
    /// Sets query parameters.
    pub query: BTreeMap<String, String>,
    /// Sets path parameters.
    pub path: BTreeMap<String, String>,
    /// Sets body fields that the document has.
    pub fields: Map<String, Value>,
    /// Sets the first body field whose schema fits.
    pub field: Option<AnyField>,
    /// Replaces the body.
    pub body: Option<Body>,
    /// Makes a change that follows from the document.
    pub derive: Option<Derived>,
    /// Runs this script before the request, after the script of the collection.
    pub before: String,
    /// The part of the request that `errors` of the response must name.
    pub blame: Option<Blamed>,
}

/// The first body field whose schema has some keywords and lacks others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnyField {
    /// Keywords that the schema has, with their values.
    #[serde(default)]
    pub with: Map<String, Value>,
    /// Keywords that it does not have with these values.
    #[serde(default)]
    pub without: Map<String, Value>,
    /// The value that is sent.
    pub value: Value,
    /// Set if `errors` of the response must name the field.
    #[serde(default)]
    pub blame: bool,
}

/// A body of any media type.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// The text.
    pub text: String,
    /// The value of `Content-Type`.
    pub media_type: String,
}

/// A change that follows from the document.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Derived {
    /// Sends a body that cannot be parsed.
    MalformedBody,
    /// Leaves out a required field, or gives a field the wrong type.
    InvalidBody,
    /// Sends a word for a number in path or query.
    InvalidParameter,
    /// Adds a field to a body that allows no others.
    UnknownField,
    /// Sends an empty object where the document asks for at least one field.
    EmptyPatch,
    /// Asks for an unknown member of the collection in the path.
    UnknownInPath,
    /// Sends the id of an unknown resource in the body.
    UnknownInBody,
}

/// The part of a request that `errors` must name.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blamed {
    /// `body`, or `query.limit` and the like.
    pub location: String,
    /// The JSON pointer of the part of the body.
    pub pointer: Option<String>,
}

/// The largest integer that JavaScript represents exactly: no resource has this id.
const UNKNOWN_ID: &str = "9007199254740991";

/// A request that the server will reject.
pub(crate) struct Attempt<'a> {
    pub operation: &'a Operation<'a>,
    pub request: Value,
    pub before: Vec<String>,
    pub blamed: Option<Blamed>,
    values: Map<String, Value>,
}

impl<'a> Attempt<'a> {
    /// Returns the valid request of the operation with the first change of the recipe that fits, if there is one.
    pub fn new(operation: &'a Operation<'a>, recipe: &Recipe) -> Option<Self> {
        let changed = |change| {
            let mut attempt = Self::valid(operation, recipe);
            attempt.change(change)?;
            attempt.drop_disabled();
            Some(attempt)
        };
        recipe.changes.iter().find_map(changed)
    }

    fn valid(operation: &'a Operation<'a>, recipe: &Recipe) -> Self {
        let mut request = request::request(operation);
        request["description"] = json!(format!("Refused with {} `{}`.", recipe.status, recipe.code));
        Self { operation, request, before: vec![], blamed: None, values: request::values(operation) }
    }

    fn fits(&self, change: &Change) -> bool {
        let operation = self.operation;
        let properties = operation.body_properties();
        let schema = |name: &str| properties.iter().find(|(known, _)| *known == name).map(|(_, schema)| *schema);
        let query = operation.parameters("query");
        (change.operations.is_empty() || change.operations.iter().any(|id| id == operation.id))
            && operation.path.starts_with(&change.under)
            && (!change.public || operation.is_public())
            && (!change.owned || operation.setup.is_owned(operation))
            && change.requires.iter().all(|name| self.required().contains(&name.as_str()))
            && change.lacks.iter().all(|name| schema(name).is_none())
            && change.schemas.iter().all(|(name, words)| schema(name).is_some_and(|schema| has_all(schema, words)))
            && change.takes.iter().all(|name| query.iter().any(|parameter| parameter["name"] == name.as_str()))
    }

    fn change(&mut self, change: &Change) -> Option<()> {
        self.fits(change).then_some(())?;
        for name in &change.without {
            self.drop_header(name)?;
        }
        for (name, value) in &change.headers {
            self.header(name, value);
        }
        if let Some(token) = &change.token {
            self.as_caller(if token.is_empty() { json!({"type": "noauth"}) } else { bearer(token) })?;
        }
        for (name, value) in &change.query {
            self.query(name, value);
        }
        for (name, value) in &change.path {
            self.path(name, value)?;
        }
        for (name, value) in &change.fields {
            self.known_field(name, value.clone())?;
        }
        if let Some(field) = &change.field {
            self.any_field(field)?;
        }
        if let Some(body) = &change.body {
            self.raw(&body.text, Some(&body.media_type))?;
        }
        if let Some(derived) = change.derive {
            self.derive(derived)?;
        }
        self.before = change.before.lines().map(str::to_owned).collect();
        if change.blame.is_some() {
            self.blamed.clone_from(&change.blame);
        }
        Some(())
    }

    fn derive(&mut self, derived: Derived) -> Option<()> {
        match derived {
            Derived::MalformedBody => self.raw(if self.is_form() { "%zz" } else { "{\"" }, None),
            Derived::InvalidBody => self.invalid_body(),
            Derived::InvalidParameter => self.invalid_parameter(),
            Derived::UnknownField => {
                let closed = self.operation.body_schema()?["additionalProperties"] == false;
                closed.then(|| self.field("unknown", json!("1")))?;
                self.blame("body", Some("/unknown"))
            }
            Derived::EmptyPatch => {
                self.operation.body_schema()?.get("minProperties")?;
                self.raw("{}", None)?;
                self.blame("body", Some(""))
            }
            Derived::UnknownInPath => self.unknown_in_path(),
            Derived::UnknownInBody => self.unknown_in_body(),
        }
    }

    /// Removes what is switched off: a failure does not need it.
    fn drop_disabled(&mut self) {
        for place in ["/header", "/url/query", "/body/urlencoded"] {
            if let Some(entries) = self.request.pointer_mut(place).and_then(Value::as_array_mut) {
                entries.retain(|entry| entry.get("disabled").is_none());
            }
        }
        if let Some(url) = self.request["url"].as_object_mut()
            && url.get("query") == Some(&json!([]))
        {
            url.remove("query");
        }
    }

    fn is_form(&self) -> bool {
        self.request["body"]["mode"] == "urlencoded"
    }

    fn blame(&mut self, location: &str, pointer: Option<&str>) -> Option<()> {
        self.blamed = Some(Blamed { location: location.into(), pointer: pointer.map(Into::into) });
        Some(())
    }

    /// Changes the caller where a token is needed.
    fn as_caller(&mut self, auth: Value) -> Option<()> {
        if self.operation.is_public() {
            return None;
        }
        self.request["auth"] = auth;
        Some(())
    }

    fn header(&mut self, name: &str, value: &str) {
        let entry = json!({"key": name, "value": value});
        if let Some(headers) = self.request["header"].as_array_mut() {
            headers.push(entry);
        }
    }

    fn drop_header(&mut self, name: &str) -> Option<()> {
        let headers = self.request["header"].as_array_mut()?;
        let before = headers.len();
        headers.retain(|header| header["key"] != name);
        (headers.len() < before).then_some(())
    }

    fn query(&mut self, name: &str, value: &str) {
        let url = &self.request["url"];
        let list = |name: &str| url[name].as_array().cloned().unwrap_or_default();
        let path = list("path");
        let path: Vec<&str> = path.iter().map(text).collect();
        let mut query = list("query");
        query.retain(|entry| entry["key"] != name);
        query.push(json!({"key": name, "value": value}));
        self.request["url"] = address(&path, query, list("variable"));
    }

    fn path(&mut self, name: &str, value: &str) -> Option<()> {
        let variables = self.request["url"].get_mut("variable")?.as_array_mut()?;
        variables.iter_mut().find(|variable| variable["key"] == name)?["value"] = json!(value);
        Some(())
    }

    /// The body as this text, under the media type it has or another.
    fn raw(&mut self, body: &str, media_type: Option<&str>) -> Option<()> {
        let (documented, _) = self.operation.body()?;
        let _absent = self.drop_header("Content-Type");
        self.header("Content-Type", media_type.unwrap_or(documented));
        self.request["body"] = if self.is_form() || media_type.is_some() {
            json!({"mode": "raw", "raw": body})
        } else {
            request::raw(body)
        };
        Some(())
    }

    /// Sets a field of the body that the document has.
    fn known_field(&mut self, name: &str, value: Value) -> Option<()> {
        self.operation.body_properties().iter().any(|(known, _)| *known == name).then(|| self.field(name, value))
    }

    fn any_field(&mut self, AnyField { with, without, value, blame }: &AnyField) -> Option<()> {
        let document = self.operation.document;
        let fits = |schema: &Value| {
            let schema = resolved(document, schema);
            has_all(schema, with) && (without.is_empty() || !has_all(schema, without))
        };
        let (name, _) = self.operation.body_properties().into_iter().find(|(_, schema)| fits(schema))?;
        self.field(name, value.clone());
        if *blame { self.blame("body", Some(&format!("/{name}"))) } else { Some(()) }
    }

    fn field(&mut self, name: &str, value: Value) {
        self.values.insert(name.into(), value.clone());
        if let Some(fields) = self.request["body"]["urlencoded"].as_array_mut() {
            fields.retain(|field| field["key"] != name);
            fields.push(json!({"key": name, "value": request::plain(&value), "type": "text"}));
        } else {
            self.request["body"] = request::raw(&request::text_of(self.operation, &self.values));
        }
    }

    fn required(&self) -> Vec<&'a str> {
        let required = self.operation.body_schema().and_then(|schema| schema["required"].as_array());
        required.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Leaves out a required field; where none is required, gives one the wrong type.
    fn invalid_body(&mut self) -> Option<()> {
        let name = match self.required().first() {
            Some(name) => {
                self.values.remove(*name);
                if let Some(fields) = self.request["body"]["urlencoded"].as_array_mut() {
                    fields.retain(|field| field["key"] != *name);
                } else {
                    self.request["body"] = request::raw(&request::text_of(self.operation, &self.values));
                }
                *name
            }
            None => {
                let (name, _) = self.operation.body_properties().into_iter().next()?;
                self.field(name, json!([]));
                name
            }
        };
        self.blame("body", Some(&format!("/{name}")))
    }

    /// Replaces a number in path or query by a word.
    fn invalid_parameter(&mut self) -> Option<()> {
        let document = self.operation.document;
        let is_number = |parameter: &&&Value| resolved(document, &parameter["schema"])["type"] == "integer";
        for place in ["path", "query"] {
            let parameters = self.operation.parameters(place);
            if let Some(parameter) = parameters.iter().find(is_number) {
                let name = text(&parameter["name"]);
                match place {
                    "path" => self.in_path(|_| "many"),
                    _ => self.query(name, "many"),
                }
                return self.blame(&format!("{place}.{name}"), None);
            }
        }
        None
    }

    fn in_path<'v>(&mut self, value: impl Fn(&str) -> &'v str) {
        for variable in self.request["url"]["variable"].as_array_mut().into_iter().flatten() {
            variable["value"] = json!(value(text(&variable["key"])));
        }
    }

    fn unknown_in_path(&mut self) -> Option<()> {
        self.request["url"].get("variable")?;
        let unknown = &self.operation.setup.failures.unknown;
        self.in_path(|name| unknown.get(name).map_or(UNKNOWN_ID, String::as_str));
        // no version of it is known either
        if self.drop_header("If-Match").is_some() {
            self.header("If-Match", "*");
        }
        Some(())
    }

    fn unknown_in_body(&mut self) -> Option<()> {
        let properties = self.operation.body_properties();
        let (name, _) =
            properties.into_iter().find(|(name, _)| name.ends_with("_id") && self.values.contains_key(*name))?;
        self.known_field(name, json!(UNKNOWN_ID))
    }
}

/// Returns whether a schema has these keywords with these values.
fn has_all(schema: &Value, words: &Map<String, Value>) -> bool {
    words.iter().all(|(word, value)| schema.get(word) == Some(value))
}
