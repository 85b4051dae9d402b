//! The routes: those of the document, and those beside it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use poem::http::Method;
use poem_openapi::OpenApi;
use serde_json::Value;

use crate::auth::Access;
use crate::server::document::{Apis, document};
use crate::server::operation::{Operations, rule};
use crate::server::path::route_key;
use crate::server::system;

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
    Operations(Apis).add_routes(&mut table);
    let methods = |(path, methods): (&String, &HashMap<Method, _>)| -> Vec<_> {
        methods.keys().map(|method| (path.clone(), method.to_string())).collect()
    };
    let mut router: BTreeSet<(String, String)> = table.iter().flat_map(methods).collect();
    let mut lines = vec![];
    for path in Apis::meta().iter().flat_map(|api| &api.paths) {
        for operation in &path.operations {
            let key = (route_key(&path.path), operation.method.to_string());
            if !router.remove(&key) {
                continue; // declared, but the router does not have it
            }
            let access = rule(operation).map_or("none", Access::as_str);
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
}
