//! A server with a database of its own.

use std::time::Duration;

use reqwest::{Client, redirect};

use crate::application::{Application, LogIn};
use crate::database::Database;
use crate::person::Person;
use crate::server::Server;

/// The time for an answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running server and its database. Both are deleted when the value is dropped.
pub struct World {
    /// The server; it is dropped before the database.
    pub server: Server,
    /// The database of the server.
    pub database: Database,
    pub(crate) application: &'static Application,
    client: Client,
}

impl World {
    /// Starts a server with the fixtures and variables of the application's settings.
    pub async fn start(application: &'static Application) -> Self {
        Self::with(application, &[]).await
    }

    /// Starts a server with these fixtures instead.
    pub async fn with_fixtures(application: &'static Application, names: &[&str]) -> Self {
        let database = Database::with_fixtures(application, names).await;
        let url = database.url();
        Self::on(database, &url, &[]).await
    }

    /// Starts a server with these variables over those of the application.
    pub async fn with(application: &'static Application, settings: &[(&str, &str)]) -> Self {
        let database = Database::fresh(application).await;
        let url = database.url();
        Self::on(database, &url, settings).await
    }

    /// Starts a server on a database that is reached by this URL.
    pub async fn on(database: Database, url: &str, settings: &[(&str, &str)]) -> Self {
        let application = database.application;
        let server = Server::start(application, url, settings).await;
        // a client that follows, stores and unpacks would hide what was answered
        // a server that has stopped answering fails its test
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().timeout(PATIENCE).build().unwrap();
        Self { server, database, application, client }
    }

    /// Kills the server without warning, and starts it again on the same database.
    pub async fn restart(&mut self) {
        self.server.kill().await;
        self.server = Server::start(self.application, &self.database.url(), &[]).await;
    }

    /// Starts another server on the same database, with these variables over those of the application.
    pub async fn another_server(&self, settings: &[(&str, &str)]) -> Server {
        Server::start(self.application, &self.database.url(), settings).await
    }

    /// A person without an access token.
    pub fn nobody(&self) -> Person {
        Person {
            name: "nobody".into(),
            authorization: None,
            application: self.application,
            client: self.client.clone(),
            address: self.server.address.clone(),
        }
    }

    /// Logs somebody in, by the request of the application's settings; each call is a new login.
    pub async fn log_in(&self, name: &str) -> Person {
        let LogIn { path, body, token } = self.application.settings.log_in;
        let answer = self.nobody().post(path).json(&body(name)).await.expect(200);
        self.nobody().named(name).with_token(answer.text(token))
    }
}
