//! The one document: made from the types of the handlers, normalised once, then served, committed, and used as the validator.

use std::collections::HashMap;
use std::sync::OnceLock;

use poem::endpoint::BoxEndpoint;
use poem::http::Method;
use poem_openapi::registry::{MetaApi, Registry};
use poem_openapi::{ContactObject, LicenseObject, OpenApi, OpenApiService, ServerObject};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::declared::List;
use crate::server::normalise;

/// The operations of a resource, as functions: poem-openapi knows them only as types.
#[derive(Clone, Copy)]
pub struct Api {
    meta: fn() -> Vec<MetaApi>,
    register: fn(&mut Registry),
    add_routes: fn(&mut Routes),
}

/// poem-openapi's routes: the handlers by path and method.
type Routes = HashMap<String, HashMap<Method, BoxEndpoint<'static>>>;

impl Api {
    /// The paths and their operations.
    pub fn meta(&self) -> Vec<MetaApi> {
        (self.meta)()
    }

    /// The operations of a type without fields.
    pub const fn of<A: OpenApi + Default>() -> Self {
        Self { meta: A::meta, register: A::register, add_routes: |routes| A::default().add_routes(routes) }
    }
}

/// Title, version and texts of the document.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// The title.
    pub title: &'static str,
    /// The version of the contract and of the server.
    pub version: &'static str,
    /// The commit that was built.
    pub commit: &'static str,
    /// The first lines that a reader of the document sees, as Markdown.
    pub description: &'static str,
    /// The name of the contact.
    pub contact: &'static str,
    /// The SPDX expression of the licence, and its address.
    pub license: (&'static str, &'static str),
}

static ABOUT: List<About> = List::new();
static APIS: List<Api> = List::new();

/// Completes the list of all operations.
pub(crate) fn complete(about: &About, apis: Vec<Api>) {
    ABOUT.complete(vec![*about]);
    APIS.complete(apis);
}

/// Title, version and texts of the document.
pub fn about() -> &'static About {
    &ABOUT.get()[0]
}

/// The operations of all resources.
pub struct Apis;

impl OpenApi for Apis {
    fn meta() -> Vec<MetaApi> {
        APIS.get().iter().flat_map(|api| (api.meta)()).collect()
    }

    fn register(registry: &mut Registry) {
        APIS.get().iter().for_each(|api| (api.register)(registry));
    }

    fn add_routes(self, routes: &mut Routes) {
        APIS.get().iter().for_each(|api| (api.add_routes)(routes));
    }
}

/// The operations, to describe them; [`operation::service`](super::operation::service) serves them.
pub fn service() -> OpenApiService<Apis, ()> {
    let About { title, version, description, contact, license: (license, address), .. } = *about();
    OpenApiService::new(Apis, title, version)
        .description(description)
        .contact(ContactObject::new().name(contact))
        .license(LicenseObject::new(license).url(address))
        .server(ServerObject::new("http://127.0.0.1:3000").description("Where `cargo run` listens"))
}

/// The document: what is served and committed.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let raw = serde_json::from_str(&service().spec()).expect("poem-openapi writes JSON");
        normalise::normalise(raw)
    })
}

/// The document as YAML, as it is committed.
pub fn yaml() -> &'static str {
    static YAML: OnceLock<String> = OnceLock::new();
    YAML.get_or_init(|| accord_openapi::to_yaml(document()))
}

/// The document as JSON.
pub fn json() -> &'static str {
    static JSON: OnceLock<String> = OnceLock::new();
    JSON.get_or_init(|| serde_json::to_string_pretty(document()).expect("plain data"))
}

/// SHA-256 of the document as [`yaml`] returns it, in hexadecimal.
pub fn checksum() -> &'static str {
    static SUM: OnceLock<String> = OnceLock::new();
    SUM.get_or_init(|| Sha256::digest(yaml().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_compiles_and_every_example_is_valid() {
        let document = document();
        for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
            let validator = crate::server::schema::compile(document, schema);
            if let Some(example) = schema.get("example") {
                let faults: Vec<_> =
                    validator.iter_errors(example).map(|e| format!("{}: {e}", e.instance_path())).collect();
                assert!(faults.is_empty(), "{name}: {faults:#?}");
            }
        }
    }

    #[test]
    fn the_canonical_text_reads_back_as_the_document() {
        assert_eq!(&accord_openapi::from_yaml(yaml()).expect("our own text"), document());
    }
}
