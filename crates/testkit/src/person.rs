//! A caller of a server.

use accord_contract::Operation;
use reqwest::{Client, Method};

use crate::application::Application;
use crate::call::Call;
use crate::server::Server;

/// A caller of a server: a name for the scenario, and the value of `Authorization`.
#[derive(Clone)]
pub struct Person {
    /// The name in scenarios.
    pub name: String,
    /// The whole value of the header; without it no header is sent.
    pub authorization: Option<String>,
    pub(crate) application: &'static Application,
    pub(crate) client: Client,
    pub(crate) address: String,
}

impl Person {
    /// Returns the person with another name.
    pub fn named(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Returns the person with this access token.
    pub fn with_token(&self, token: &str) -> Self {
        self.with_authorization(&format!("Bearer {token}"))
    }

    /// Returns the person with this value of `Authorization`.
    pub fn with_authorization(&self, value: &str) -> Self {
        Self { authorization: Some(value.into()), ..self.clone() }
    }

    /// Returns the person as a caller of this server.
    pub fn at(&self, server: &Server) -> Self {
        Self { address: server.address.clone(), ..self.clone() }
    }

    /// The access token.
    ///
    /// # Panics
    /// The person has none.
    pub fn token(&self) -> &str {
        let value = self.authorization.as_deref().unwrap_or_default();
        value.strip_prefix("Bearer ").expect("a person who is logged in")
    }

    /// Creates a request to a path with its query.
    pub fn call(&self, method: &str, target: impl Into<String>) -> Call {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let call = Call::new(self.application, self.client.clone(), &self.address, &self.name, method, target.into());
        match &self.authorization {
            Some(value) => call.header("Authorization", value),
            None => call,
        }
    }

    /// Creates a GET request.
    pub fn get(&self, target: impl Into<String>) -> Call {
        self.call("GET", target)
    }

    /// Creates a POST request.
    pub fn post(&self, target: impl Into<String>) -> Call {
        self.call("POST", target)
    }

    /// Creates a PUT request.
    pub fn put(&self, target: impl Into<String>) -> Call {
        self.call("PUT", target)
    }

    /// Creates a PATCH request.
    pub fn patch(&self, target: impl Into<String>) -> Call {
        self.call("PATCH", target)
    }

    /// Creates a DELETE request.
    pub fn delete(&self, target: impl Into<String>) -> Call {
        self.call("DELETE", target)
    }

    /// Creates a valid request for an operation: the document's example as its body, `If-Match: *` if the operation takes
    /// it, and `id` in place of each variable of the path.
    pub fn call_operation(&self, operation: &Operation, id: &str) -> Call {
        let call = self.call(&operation.method, operation.target(id));
        let call = if operation.takes("header", "If-Match") { call.header("If-Match", "*") } else { call };
        match &operation.body {
            Some(body) => call.body(&body.media_type, body.write(&body.example)),
            None => call,
        }
    }
}
