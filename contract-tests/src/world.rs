//! One server with one database, and the people who use it.

use std::time::Duration;

use accord_contract::{Answer, Operation};
use reqwest::{Client, Method, redirect};
use serde_json::json;

use crate::call::Call;
use crate::database::Database;
use crate::server::Server;

/// Signs the access tokens of every world, so that tests can forge them.
pub const SECRET: &str = "a secret that every contract test knows";

/// The time for an answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running server and its database. Both are gone when it is dropped.
pub struct World {
    /// The real binary; dropped before the database.
    pub server: Server,
    /// Where it keeps what it knows.
    pub database: Database,
    client: Client,
}

impl World {
    /// With the fixtures `people` and the settings of tests: no demo data, no rate limit.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same, with these fixtures in its database instead of the people alone.
    pub async fn with_fixtures(names: &[&str]) -> Self {
        let database = Database::with_fixtures(names).await;
        let url = database.url();
        Self::on(database, &url, &[]).await
    }

    /// With these variables over the settings of tests.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let database = Database::fresh().await;
        let url = database.url();
        Self::on(database, &url, settings).await
    }

    /// On a database that is reached by this URL.
    pub async fn on(database: Database, url: &str, settings: &[(&str, &str)]) -> Self {
        let server = Server::start(url, settings).await;
        // a client that follows, stores and unpacks would hide what was answered
        // a server that has stopped answering fails its test
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().timeout(PATIENCE).build().unwrap();
        Self { server, database, client }
    }

    /// Kills the server without warning, and starts it again on the same database.
    pub async fn restart(&mut self) {
        self.server.kill().await;
        self.server = Server::start(&self.database.url(), &[]).await;
    }

    /// Another server on the same database, with these variables over the settings of tests.
    pub async fn another_server(&self, settings: &[(&str, &str)]) -> Server {
        Server::start(&self.database.url(), settings).await
    }

    /// Somebody without an access token.
    pub fn nobody(&self) -> Person {
        Person {
            name: "nobody".into(),
            authorization: None,
            client: self.client.clone(),
            address: self.server.address.clone(),
        }
    }

    /// Ann, who has an account like any other; each call is a new login.
    pub async fn ann(&self) -> Person {
        self.log_in("ann").await
    }

    /// Ben, another one.
    pub async fn ben(&self) -> Person {
        self.log_in("ben").await
    }

    /// Root, an admin.
    pub async fn root(&self) -> Person {
        self.log_in("root").await
    }

    /// Sam, who works for the operator.
    pub async fn sam(&self) -> Person {
        self.log_in("sam").await
    }

    /// Root, and one of everything that a path can name: each has the identifier 1.
    pub async fn root_with_everything(&self) -> Person {
        let root = self.root().await;
        root.writes("A post").await;
        root.post("/api/v1/groups").json(&json!({ "name": "Editors" })).await.expect(201);
        root.post("/api/v1/grants").json(&json!({ "group_id": 1, "permission": "can_edit_post" })).await.expect(201);
        root.post("/api/v1/invited-guests").json(&json!({ "email": "gil@example.com" })).await.expect(201);
        root.post("/api/v1/webhooks").json(&json!({ "url": "https://example.com/hooks" })).await.expect(201);
        root.post("/api/v1/webhooks/1/test").await.expect(202);
        root
    }

    async fn log_in(&self, name: &str) -> Person {
        let credentials =
            json!({ "email": format!("{name}@example.com"), "password": format!("the password of {name}") });
        let answer = self.nobody().post("/api/v1/authenticate").json(&credentials).await.expect(200);
        self.nobody().named(name).with_token(answer.text("/token"))
    }
}

/// Whoever calls: a name for the story, and what stands in `Authorization`.
#[derive(Clone)]
pub struct Person {
    /// As the story calls them.
    pub name: String,
    /// The whole value of the header.
    pub authorization: Option<String>,
    client: Client,
    address: String,
}

impl Person {
    /// The same, as the story calls them.
    pub fn named(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The same, with this access token.
    pub fn with_token(&self, token: &str) -> Self {
        self.with_authorization(&format!("Bearer {token}"))
    }

    /// The same, with this value in `Authorization`.
    pub fn with_authorization(&self, value: &str) -> Self {
        Self { authorization: Some(value.into()), ..self.clone() }
    }

    /// The same, who calls this server.
    pub fn at(&self, server: &Server) -> Self {
        Self { address: server.address.clone(), ..self.clone() }
    }

    /// The access token.
    pub fn token(&self) -> &str {
        let value = self.authorization.as_deref().unwrap_or_default();
        value.strip_prefix("Bearer ").expect("a person who is logged in")
    }

    /// A request to a path with its query.
    pub fn call(&self, method: &str, target: impl Into<String>) -> Call {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let call = Call::new(self.client.clone(), &self.address, &self.name, method, target.into());
        match &self.authorization {
            Some(value) => call.header("Authorization", value),
            None => call,
        }
    }

    /// GET
    pub fn get(&self, target: impl Into<String>) -> Call {
        self.call("GET", target)
    }

    /// POST
    pub fn post(&self, target: impl Into<String>) -> Call {
        self.call("POST", target)
    }

    /// PUT
    pub fn put(&self, target: impl Into<String>) -> Call {
        self.call("PUT", target)
    }

    /// PATCH
    pub fn patch(&self, target: impl Into<String>) -> Call {
        self.call("PATCH", target)
    }

    /// DELETE
    pub fn delete(&self, target: impl Into<String>) -> Call {
        self.call("DELETE", target)
    }

    /// A valid request for an operation: the document's example as its body, any version where it asks for one, and
    /// `id` in place of each variable of the path.
    pub fn call_operation(&self, operation: &Operation, id: &str) -> Call {
        let call = self.call(&operation.method, operation.target(id));
        let call = if operation.takes("header", "If-Match") { call.header("If-Match", "*") } else { call };
        match &operation.body {
            Some(body) => call.body(&body.media_type, body.write(&body.example)),
            None => call,
        }
    }

    /// All that a request of theirs could have changed.
    pub async fn state(&self) -> String {
        let user = self.get("/api/v1/user").await.expect(200);
        let posts = self.get("/api/v1/posts?with_total=true").await.expect(200);
        format!("{} {}", user.body, posts.body)
    }

    /// Writes a post with this title; the answer has its id and ETag.
    pub async fn writes(&self, title: &str) -> Answer {
        let post = json!({ "title": title, "content": format!("The text of {title}.") });
        self.post("/api/v1/posts").json(&post).await.expect(201)
    }
}

/// The path of an operation to what [`World::root_with_everything`] has made.
pub fn known(operation: &Operation) -> String {
    let known = |segment| match segment {
        "{name}" => "can_edit_post",
        variable if variable.starts_with('{') => "1",
        segment => segment,
    };
    operation.path.split('/').map(known).collect::<Vec<_>>().join("/")
}
