//! An OpenAPI document: its operations, and the place of each part in it.

mod schema;

use std::path::Path;

use accord_openapi::{METHODS, from_yaml};
use serde_json::{Map, Value};

use schema::Validators;

pub use schema::{Fault, Unnamed};

/// A document with every `$ref` replaced by what it names.
pub struct Document {
    /// The text of the file.
    pub text: String,
    /// The operations in the order of the document.
    pub operations: Vec<Operation>,
    root: Value,
    validators: Validators,
}

/// An operation of the document.
pub struct Operation {
    /// The `operationId`.
    pub id: String,
    /// The method in capitals.
    pub method: String,
    /// The path, with variables in braces.
    pub path: String,
    /// Set if the operation needs credentials.
    pub protected: bool,
    /// The ways to authenticate, each a list of schemes and their scopes.
    pub security: Vec<Vec<(String, Vec<String>)>>,
    /// The parameters, with those of its path.
    pub parameters: Vec<Parameter>,
    /// The request body.
    pub body: Option<Body>,
    /// The responses by status: `200`, `5XX`.
    pub responses: Map<String, Value>,
    /// The JSON pointer to the operation.
    pub at: String,
}

/// A parameter of an operation.
pub struct Parameter {
    /// The name.
    pub name: String,
    /// `path`, `query`, `header` or `cookie`.
    pub place: String,
    /// Set if the parameter is required.
    pub required: bool,
    /// The schema.
    pub schema: Value,
    /// The example of the document.
    pub example: Option<Value>,
    /// The JSON pointer to the schema.
    pub at: String,
}

/// The request body of an operation.
pub struct Body {
    /// The first declared media type.
    pub media_type: String,
    /// All declared media types.
    pub media_types: Vec<String>,
    /// The schema.
    pub schema: Value,
    /// The first example of the document.
    pub example: Value,
    /// All examples of the document.
    pub examples: Vec<Value>,
    /// The JSON pointer to the schema.
    pub at: String,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read, or is no OpenAPI 3.0 document.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Reads a text, YAML or JSON.
    ///
    /// # Errors
    /// The text is no OpenAPI 3.0 document.
    pub fn parse(text: String) -> Result<Self, String> {
        let root: Value = from_yaml(&text).map_err(|error| format!("is no YAML: {error}"))?;
        let version = root["openapi"].as_str().unwrap_or_default();
        if !version.starts_with("3.0.") {
            return Err(format!("is no OpenAPI 3.0 document: `openapi` is {version:?}"));
        }
        let whole = schema::dereference(&root, &root, &mut vec![])?;
        let paths = whole["paths"].as_object().ok_or("has no paths")?;
        let mut operations = vec![];
        for (path, item) in paths {
            for method in METHODS {
                if let Some(node) = item.get(method) {
                    operations.push(Operation::new(path, method, item, node, &whole["security"])?);
                }
            }
        }
        let order = |operation: &Operation| {
            let item = root["paths"][&operation.path].as_object();
            item.and_then(|item| item.keys().position(|key| key.eq_ignore_ascii_case(&operation.method)))
        };
        // within a path as the document has them
        let mut sorted: Vec<Operation> = vec![];
        for path in paths.keys() {
            let (mut here, rest) = operations.into_iter().partition::<Vec<_>, _>(|operation| operation.path == *path);
            here.sort_by_key(order);
            sorted.extend(here);
            operations = rest;
        }
        Ok(Self { text, operations: sorted, validators: Validators::of(&root), root })
    }

    /// The operation that a request reaches; HEAD reaches that of GET.
    pub fn operation(&self, method: &str, path: &str) -> Option<&Operation> {
        let method = if method == "HEAD" { "GET" } else { method };
        self.meant(path).find(|operation| operation.method == method)
    }

    /// The operations of a path: one without variables is meant before one with, whatever the method.
    fn meant<'a>(&'a self, path: &str) -> impl Iterator<Item = &'a Operation> {
        let template =
            self.operations.iter().filter(|operation| operation.matches(path)).map(|operation| &operation.path);
        let template = template.min_by_key(|template| template.matches('{').count());
        self.operations.iter().filter(move |operation| Some(&operation.path) == template)
    }

    /// The operation of this id.
    pub fn by_id(&self, id: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.id == id)
    }

    /// The methods that a path has operations for; none if there is no such path.
    pub fn methods(&self, path: &str) -> Vec<&str> {
        self.meant(path).map(|operation| &*operation.method).collect()
    }

    /// The security scheme of this name.
    pub fn scheme(&self, name: &str) -> &Value {
        &self.root["components"]["securitySchemes"][name]
    }

    /// The JSON pointer to a node, made from one that disregards `$ref` and `allOf`.
    pub fn place(&self, pointer: &str) -> String {
        let (mut node, mut at) = (&self.root, String::new());
        for token in pointer.split('/').skip(1) {
            (node, at) = self.followed(node, at);
            let key = token.replace("~1", "/").replace("~0", "~");
            let child = |node: &'_ Value| -> bool {
                node.get(&key).is_some() || key.parse::<usize>().is_ok_and(|index| node.get(index).is_some())
            };
            if !child(node) {
                let parts = node["allOf"].as_array().map_or(&[][..], Vec::as_slice);
                let inside =
                    parts.iter().enumerate().map(|(index, part)| self.followed(part, format!("{at}/allOf/{index}")));
                let Some((part, place)) = inside.into_iter().find(|(part, _)| child(part)) else { return at };
                (node, at) = (part, place);
            }
            let next = node.get(&key).or_else(|| node.get(key.parse::<usize>().ok()?));
            let Some(next) = next else { return at };
            (node, at) = (next, format!("{at}/{token}"));
        }
        at
    }

    /// The violations of a value as sentences, each with its place.
    pub fn faults(&self, schema: &Value, unnamed: Unnamed, value: &Value) -> Vec<String> {
        let said = |fault: Fault| format!("at {:?}: {}", fault.pointer, fault.sentence);
        self.judge(schema, unnamed, value).into_iter().map(said).collect()
    }

    /// Returns whether a value is valid.
    pub fn allows(&self, schema: &Value, value: &Value) -> bool {
        self.validators.get(schema, Unnamed::Allowed).is_none_or(|validator| validator.is_valid(value))
    }

    /// The violations of a value.
    pub fn judge(&self, schema: &Value, unnamed: Unnamed, value: &Value) -> Vec<Fault> {
        let Some(validator) = self.validators.get(schema, unnamed) else {
            let sentence = "the document's schema is not valid itself".to_owned();
            return vec![Fault { keyword: String::new(), pointer: String::new(), sentence }];
        };
        let fault = |error: jsonschema::ValidationError<'_>| Fault {
            keyword: error.kind().keyword().into(),
            pointer: error.instance_path().to_string(),
            sentence: error.to_string(),
        };
        validator.iter_errors(value).map(fault).collect()
    }

    fn followed<'a>(&'a self, node: &'a Value, at: String) -> (&'a Value, String) {
        match node.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                let target = reference.trim_start_matches('#');
                self.root.pointer(target).map_or((node, at), |node| self.followed(node, target.into()))
            }
            None => (node, at),
        }
    }
}

impl Operation {
    fn new(path: &str, method: &str, item: &Value, node: &Value, default_security: &Value) -> Result<Self, String> {
        let at = format!("/paths/{}/{method}", token(path));
        let id = node["operationId"].as_str().map_or_else(|| format!("{method} {path}"), Into::into);
        let security = node.get("security").unwrap_or(default_security).as_array().cloned().unwrap_or_default();
        let scopes = |scopes: &Value| {
            scopes.as_array().into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect()
        };
        let security: Vec<Vec<_>> = security
            .iter()
            .map(|way| way.as_object().into_iter().flatten().map(|(name, list)| (name.clone(), scopes(list))).collect())
            .collect();
        let contents = node["requestBody"]["content"].as_object();
        let content = contents.into_iter().flatten().next();
        let responses = node["responses"].as_object().cloned().unwrap_or_default();
        Ok(Self {
            method: method.to_uppercase(),
            path: path.into(),
            protected: !security.is_empty() && !security.iter().any(Vec::is_empty),
            security,
            parameters: Parameter::all(&at, item, node)?,
            body: content.map(|(media_type, content)| Body {
                media_type: media_type.clone(),
                media_types: contents.into_iter().flatten().map(|(media_type, _)| essence(media_type).into()).collect(),
                schema: schema::without(&content["schema"], "readOnly"),
                example: examples(content).into_iter().next().unwrap_or_default(),
                examples: examples(content),
                at: format!("{at}/requestBody/content/{}/schema", token(media_type)),
            }),
            responses: responses.into_iter().map(|(status, response)| (status, answered(response))).collect(),
            id,
            at,
        })
    }

    fn matches(&self, path: &str) -> bool {
        let path = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
        let (ours, theirs) = (self.path.split('/'), path.split('/'));
        ours.clone().count() == theirs.clone().count()
            && ours.zip(theirs).all(|(ours, theirs)| ours == theirs || (ours.starts_with('{') && !theirs.is_empty()))
    }

    /// The declaration of a status, with the key it is declared by.
    pub fn response(&self, status: u16) -> Option<(String, &Value)> {
        let keys = [status.to_string(), format!("{}XX", status / 100), "default".into()];
        keys.into_iter().find_map(|key| self.responses.get(&key).map(|response| (key, response)))
    }

    /// Returns whether the operation declares exactly this status.
    pub fn declares(&self, status: u16) -> bool {
        self.responses.contains_key(&status.to_string())
    }

    /// The parameter of this name. Names of headers are compared without regard to case.
    pub fn parameter(&self, place: &str, name: &str) -> Option<&Parameter> {
        let same = |other: &str| if place == "header" { other.eq_ignore_ascii_case(name) } else { other == name };
        self.parameters.iter().find(|parameter| parameter.place == place && same(&parameter.name))
    }

    /// Returns whether the operation has a parameter of this name.
    pub fn takes(&self, place: &str, name: &str) -> bool {
        self.parameter(place, name).is_some()
    }

    /// The path with this value in place of each variable.
    pub fn target(&self, value: &str) -> String {
        let segments = self.path.split('/').map(|segment| if segment.starts_with('{') { value } else { segment });
        segments.collect::<Vec<_>>().join("/")
    }
}

impl Parameter {
    fn all(operation: &str, item: &Value, node: &Value) -> Result<Vec<Self>, String> {
        let list = |node: &Value, at: &str| {
            let list = node["parameters"].as_array().into_iter().flatten().enumerate();
            list.map(|(index, node)| Self::new(node, &format!("{at}/parameters/{index}"))).collect::<Vec<_>>()
        };
        let above = operation.rsplit_once('/').map_or("", |(path, _)| path);
        let mut all = list(node, operation).into_iter().collect::<Result<Vec<_>, _>>()?;
        for parameter in list(item, above) {
            let parameter = parameter?;
            if !all.iter().any(|other| (&other.place, &other.name) == (&parameter.place, &parameter.name)) {
                all.push(parameter);
            }
        }
        Ok(all)
    }

    fn new(node: &Value, at: &str) -> Result<Self, String> {
        let text = |key: &str| node[key].as_str().map(ToOwned::to_owned).ok_or(format!("{at} has no `{key}`"));
        Ok(Self {
            name: text("name")?,
            place: text("in")?,
            required: node["required"] == true,
            schema: node["schema"].clone(),
            example: examples(node).into_iter().next(),
            at: format!("{at}/schema"),
        })
    }
}

impl Body {
    /// Writes a value in the media type of the body.
    pub fn write(&self, value: &Value) -> Vec<u8> {
        if self.is_json() {
            return value.to_string().into();
        }
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), Into::into);
        let fields = value.as_object().into_iter().flatten();
        let mut form = reqwest::Url::parse("http://form").expect("a URL");
        form.query_pairs_mut().extend_pairs(fields.map(|(name, value)| (name, plain(value))));
        form.query().unwrap_or_default().into()
    }

    /// Reads a body. Returns `None` if it cannot be read.
    pub fn read(&self, bytes: &[u8]) -> Option<Value> {
        if self.is_json() {
            return serde_json::from_slice(bytes).ok();
        }
        let mut form = reqwest::Url::parse("http://form").ok()?;
        form.set_query(Some(std::str::from_utf8(bytes).ok()?));
        let pairs = form.query_pairs().map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())));
        Some(Value::Object(pairs.collect()))
    }

    /// Returns whether the media type is JSON of any kind.
    pub fn is_json(&self) -> bool {
        let essence = essence(&self.media_type);
        essence == "application/json" || essence.ends_with("+json")
    }

    /// Returns whether the media type is a form as browsers send it.
    pub fn is_form(&self) -> bool {
        essence(&self.media_type) == "application/x-www-form-urlencoded"
    }
}

/// Every example of a media type or parameter: its own, its named ones, its schema's.
pub fn examples(content: &Value) -> Vec<Value> {
    let named = content["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
    let own = [content.get("example"), content["schema"].get("example")];
    named.chain(own.into_iter().flatten()).cloned().collect()
}

/// A media type without its parameters.
pub fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// A response, without the properties that are only sent, and with media types that can be compared.
fn answered(mut response: Value) -> Value {
    let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) else { return response };
    let parts = std::mem::take(content).into_iter();
    content.extend(parts.map(|(media_type, mut part)| {
        part["schema"] = schema::without(&part["schema"], "writeOnly");
        (essence(&media_type).to_owned(), part)
    }));
    response
}

/// A key as a part of a JSON pointer.
pub fn token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_through_references() {
        let document = Document::parse(
            r##"
openapi: 3.0.3
paths:
  /a/{id}:
    parameters: [{ name: id, in: path, required: true, schema: { type: integer } }]
    get:
      operationId: get_a
      parameters: [{ name: sort, in: query, schema: { allOf: [{ $ref: "#/components/schemas/Sort" }], default: x } }]
      responses: { "200": { description: Fine } }
components:
  schemas:
    Sort: { type: string, enum: [x, y] }
"##
            .into(),
        )
        .unwrap();
        let sort = document.by_id("get_a").unwrap().parameter("query", "sort").unwrap();
        assert_eq!(document.place(&format!("{}/enum", sort.at)), "/components/schemas/Sort/enum");
        assert_eq!(document.place(&format!("{}/default", sort.at)), "/paths/~1a~1{id}/get/parameters/0/schema/default");
        assert!(document.by_id("get_a").unwrap().takes("path", "id"));
    }
}
