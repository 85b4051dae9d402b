//! The one document: made from the types of the handlers, normalised once, then served, committed, and used as the validator.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use poem::endpoint::BoxEndpoint;
use poem::http::Method;
use poem_openapi::registry::{MetaApi, Registry};
use poem_openapi::{ContactObject, LicenseObject, OpenApi, OpenApiService, ServerObject};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::auth::Access;
use crate::declared::List;
use crate::resources::info::model::Info;
use crate::server::guard::{self, Guarded};
use crate::server::{normalise, system};

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

/// The operations, each behind its guard.
pub fn service() -> OpenApiService<Guarded<Apis>, ()> {
    let About { title, version, description, contact, license: (license, address), .. } = *about();
    OpenApiService::new(Guarded(Apis), title, version)
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

/// The document as `openapi/accord.yaml` has it.
pub fn yaml() -> &'static str {
    static YAML: OnceLock<String> = OnceLock::new();
    YAML.get_or_init(|| accord_openapi::to_yaml(document()))
}

/// The document as JSON.
pub fn json() -> &'static str {
    static JSON: OnceLock<String> = OnceLock::new();
    JSON.get_or_init(|| serde_json::to_string_pretty(document()).expect("plain data"))
}

/// What `get_info` answers.
pub fn info() -> Info {
    let sum = Sha256::digest(yaml().as_bytes());
    Info {
        version: about().version.into(),
        commit: about().commit.into(),
        contract_sha256: sum.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// What makes the API unfit to start; empty when it is fit.
pub fn faults() -> Vec<String> {
    guard::faults(&Apis::meta())
}

/// A path that is served, in the document or beside it.
#[derive(Debug)]
pub struct Route {
    /// As the document writes it, e.g. `/api/v1/groups/{id}`.
    pub path: String,
    /// The methods it takes, as `Allow` says them.
    pub allow: String,
    segments: Vec<String>,
    /// By method; beside the document the path stands for it.
    operations: BTreeMap<String, String>,
}

impl Route {
    /// The `operationId` of what a method does here, if it does anything; beside the document the path.
    pub fn operation(&self, method: &Method) -> Option<&str> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.operations.get(method.as_str()).map(String::as_str)
    }
}

/// The route of a request's path; one without variables wins over one with.
pub fn route(path: &str) -> Option<&'static Route> {
    static ROUTES: OnceLock<Vec<Route>> = OnceLock::new();
    let routes = ROUTES.get_or_init(routes);
    let fits = |route: &&Route| {
        let segments: Vec<_> = path.split('/').collect();
        segments.len() == route.segments.len()
            && route
                .segments
                .iter()
                .zip(segments)
                .all(|(own, sent)| own == sent || (own.starts_with('{') && !sent.is_empty()))
    };
    routes.iter().filter(fits).min_by_key(|route| route.path.matches('{').count())
}

fn routes() -> Vec<Route> {
    let documented = document()["paths"].as_object().into_iter().flatten().map(|(path, item)| {
        let id = |operation: &Value| operation["operationId"].as_str().unwrap_or("-").to_owned();
        let operations = item.as_object().into_iter().flatten();
        (path.clone(), operations.map(|(method, operation)| (method.to_uppercase(), id(operation))).collect())
    });
    let beside = system::ROUTES.iter().map(|(path, _)| ((*path).to_owned(), vec![("GET".into(), (*path).into())]));
    let route = |(path, operations): (String, Vec<(String, String)>)| {
        let mut methods: Vec<_> = operations.iter().map(|(method, _)| method.clone()).collect();
        if methods.iter().any(|method| method == "GET") {
            methods.push("HEAD".into());
        }
        methods.push("OPTIONS".into());
        let segments = path.split('/').map(Into::into).collect();
        Route { path, allow: methods.join(", "), segments, operations: operations.into_iter().collect() }
    };
    documented.chain(beside).map(route).collect()
}

/// The whole API on one page, from the router itself: operation id, method, path, access, tag.
pub fn operations() -> String {
    let mut table = HashMap::new();
    Guarded(Apis).add_routes(&mut table);
    let methods = |(path, methods): (&String, &HashMap<Method, _>)| -> Vec<_> {
        methods.keys().map(|method| (path.clone(), method.to_string())).collect()
    };
    let mut router: BTreeSet<(String, String)> = table.iter().flat_map(methods).collect();
    let mut lines = vec![];
    for path in Apis::meta().iter().flat_map(|api| &api.paths) {
        for operation in &path.operations {
            let key = (guard::route_key(&path.path), operation.method.to_string());
            if !router.remove(&key) {
                continue; // declared, but the router does not have it
            }
            let access = guard::access(operation).map_or("none", Access::as_str);
            let (id, tag) = (operation.operation_id.unwrap_or("-"), operation.tags.first().unwrap_or(&"-"));
            lines.push(format!("{id:23} {:7} {:40} {access:14} {tag}", operation.method.as_str(), path.path));
        }
    }
    for (path, method) in router {
        lines.push(format!("{:23} {method:7} {path:40} {:14} -", "-", "none"));
    }
    for (path, page) in system::ROUTES {
        lines.push(format!("{:23} {:7} {path:40} {:14} not in the document", "-", "GET", page.access()));
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_its_route_and_its_methods() {
        let allow = |path: &str| route(path).map(|route| route.allow.as_str());
        assert_eq!(allow("/api/v1/groups/7"), Some("GET, PATCH, DELETE, HEAD, OPTIONS"));
        assert_eq!(allow("/docs"), Some("GET, HEAD, OPTIONS"));
        assert_eq!(allow("/api/v1/groups/"), None);
        assert_eq!(allow("/nowhere"), None);
        let operation = |path: &str, method| route(path).and_then(|route| route.operation(&method));
        assert_eq!(operation("/api/v1/groups/7", Method::HEAD), Some("get_group"));
        assert_eq!(operation("/api/v1/groups/7", Method::POST), None);
        assert_eq!(operation("/docs", Method::GET), Some("/docs"));
    }

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
