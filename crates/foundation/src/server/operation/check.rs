//! The check of the declared operations at the start.

use std::collections::BTreeMap;

use poem_openapi::registry::{MetaApi, MetaParamIn};

use super::authorization::rule;
use crate::server::path::variable;

/// Returns the reasons why the operations must not be served. Each sentence names its operation.
pub fn faults(apis: &[MetaApi]) -> Vec<String> {
    let mut faults = vec![];
    let mut owners = BTreeMap::new();
    for (index, api) in apis.iter().enumerate() {
        for path in &api.paths {
            if owners.insert(path.path.clone(), index).is_some_and(|owner| owner != index) {
                faults.push(format!(
                    "{}: two API structs have this path, one of them would vanish from the document",
                    path.path
                ));
            }
            let variables: Vec<_> = path.path.split('/').filter_map(variable).collect();
            for operation in &path.operations {
                let name = operation.operation_id.unwrap_or("an operation without operation_id");
                let mut fault =
                    |what: &str| faults.push(format!("{name} ({} {}): {what}", operation.method, path.path));
                if rule(operation).is_none() {
                    fault(
                        "states no access rule; its first parameter must be `Public`, `LoggedIn`, `Enabled`, `Caller`, `Admin` or `Needs<_>`",
                    );
                }
                if operation.operation_id.is_none() || operation.summary.is_none() || operation.tags.len() != 1 {
                    fault("needs an operation_id, a summary and one tag");
                }
                let in_path = operation.params.iter().filter(|p| p.in_type == MetaParamIn::Path);
                if in_path.map(|parameter| parameter.name.as_str()).ne(variables.iter().copied()) {
                    fault("path arguments are bound by position: name them as in the path, in its order");
                }
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use poem_openapi::OpenApi;
    use poem_openapi::payload::PlainText;

    use super::*;
    use crate::auth::Public;
    use crate::server::document;
    use crate::server::operation::Operations;

    struct Careless;

    #[poem_openapi::OpenApi]
    impl Careless {
        /// Tell a secret
        #[oai(path = "/secret", method = "get", operation_id = "tell_secret")]
        async fn secret(&self) -> PlainText<&'static str> {
            PlainText("42")
        }

        /// Swap
        #[oai(path = "/a/:a/b/:b", method = "get", operation_id = "swap")]
        async fn swap(
            &self,
            _public: Public,
            b: poem_openapi::param::Path<i64>,
            a: poem_openapi::param::Path<i64>,
        ) -> PlainText<String> {
            PlainText(format!("{}{}", a.0, b.0))
        }
    }

    #[test]
    fn an_operation_without_a_rule_is_named_and_not_served() {
        let found = faults(&Careless::meta());
        assert!(found.iter().any(|f| f.starts_with("tell_secret (GET /secret): states no access rule")), "{found:#?}");
        assert!(found.iter().any(|f| f.starts_with("swap") && f.contains("bound by position")), "{found:#?}");
        let mut routes = HashMap::new();
        Operations(Careless).add_routes(&mut routes);
        assert!(!routes.contains_key("/secret"));
    }

    #[test]
    fn our_own_operations_are_fit_to_start() {
        assert_eq!(faults(&document::Apis::meta()), Vec::<String>::new());
    }
}
