//! An operation of the document, and the names that the environment has for what its path needs.

use serde_json::Value;

use crate::schema::resolved;
use crate::setup::Setup;

/// An operation of the document.
pub struct Operation<'a> {
    pub document: &'a Value,
    pub setup: &'a Setup,
    pub id: &'a str,
    pub method: &'a str,
    pub path: &'a str,
    pub value: &'a Value,
}

/// Returns every operation, in the order of the document.
pub fn operations<'a>(document: &'a Value, setup: &'a Setup) -> Vec<Operation<'a>> {
    let all = accord_openapi::operations(document).into_iter();
    all.map(|(path, method, value)| {
        let id = value["operationId"].as_str().unwrap_or_default();
        Operation { document, setup, id, method, path, value }
    })
    .collect()
}

impl<'a> Operation<'a> {
    /// The summary, which people know it by.
    pub fn title(&self) -> &'a str {
        text(&self.value["summary"])
    }

    /// Returns whether it can be called without a token.
    pub fn is_public(&self) -> bool {
        let security = self.value.get("security").or_else(|| self.document.get("security"));
        security.is_none_or(|security| security == &Value::Array(vec![]))
    }

    /// The scopes that it asks for.
    pub fn scopes(&self) -> Vec<&'a str> {
        let ways = self.value["security"].as_array().into_iter().flatten().filter_map(Value::as_object);
        let scopes = ways.flatten().flat_map(|(_, scopes)| scopes.as_array().into_iter().flatten());
        scopes.filter_map(Value::as_str).collect()
    }

    /// The parameters of its path and its own that stand in this place: `path`, `query` or `header`.
    pub fn parameters(&self, place: &str) -> Vec<&'a Value> {
        let shared = self.document["paths"][self.path]["parameters"].as_array().into_iter().flatten();
        let own = self.value["parameters"].as_array().into_iter().flatten();
        let all = shared.chain(own).map(|parameter| resolved(self.document, parameter));
        all.filter(|parameter| parameter["in"] == place).collect()
    }

    /// Media type and media type object of the body that it takes.
    pub fn body(&self) -> Option<(&'a str, &'a Value)> {
        let body = resolved(self.document, self.value.get("requestBody")?);
        let (media_type, media) = body["content"].as_object()?.iter().next()?;
        Some((media_type, media))
    }

    /// The schema of the body, without its reference.
    pub fn body_schema(&self) -> Option<&'a Value> {
        Some(resolved(self.document, &self.body()?.1["schema"]))
    }

    /// The properties of the body and their schemas.
    pub fn body_properties(&self) -> Vec<(&'a str, &'a Value)> {
        let properties = self.body_schema().and_then(|schema| schema["properties"].as_object());
        properties.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema)).collect()
    }

    /// The documented answers by status, each without its reference.
    pub fn answers(&self) -> Vec<(&'a str, &'a Value)> {
        let answers = self.value["responses"].as_object().into_iter().flatten();
        answers.map(|(status, answer)| (status.as_str(), resolved(self.document, answer))).collect()
    }

    /// Returns whether it documents this status by its number.
    pub fn answers_with(&self, status: u16) -> bool {
        self.value["responses"].get(status.to_string()).is_some()
    }

    /// The segments of its path.
    pub fn segments(&self) -> Vec<Segment> {
        let mut found: Vec<Segment> = vec![];
        for text in self.path.trim_matches('/').split('/') {
            let parameter = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).map(str::to_owned);
            let variable = parameter.as_ref().map(|name| match found.last() {
                // `id` and `name` are of what stands before; `user_id` says it itself
                Some(before) if !name.contains('_') => member(&before.text, name),
                _ => camel(name),
            });
            let text = parameter.as_ref().map_or(text.to_owned(), |name| format!(":{name}"));
            found.push(Segment { text, parameter, variable });
        }
        found
    }

    /// For the POST of a collection whose members can be read: the environment's name for the member that it makes
    /// (`noteId` for `/notes`), and the field of the answer that it is known by.
    pub fn member(&self) -> Option<(String, String)> {
        (self.method == "post" && self.answers_with(201)).then_some(())?;
        let key = |path: &str| {
            let key = path.strip_prefix(self.path)?.strip_prefix("/{")?.strip_suffix('}')?;
            (!key.contains('/')).then(|| key.to_owned())
        };
        let members = self.document["paths"].as_object()?.iter();
        let key = members.filter(|(_, item)| item.get("get").is_some()).find_map(|(path, _)| key(path))?;
        Some((member(self.path.rsplit('/').next().unwrap_or_default(), &key), key))
    }
}

/// A segment of a path: `/notes/{id}` is `notes` and `:id`, and the value of `:id` is `{{noteId}}`.
pub struct Segment {
    pub text: String,
    pub parameter: Option<String>,
    pub variable: Option<String>,
}

fn member(collection: &str, key: &str) -> String {
    camel(&format!("{}_{key}", collection.strip_suffix('s').unwrap_or(collection)))
}

/// Converts `note_id` to `noteId`.
pub fn camel(name: &str) -> String {
    let mut words = name.split(['_', '-']);
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| {
        let mut characters = word.chars();
        let head = characters.next().map(|c| c.to_ascii_uppercase());
        text + &head.into_iter().chain(characters).collect::<String>()
    })
}

/// A text of the document as people write it by hand: without the newline at its end.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default().trim_end()
}
