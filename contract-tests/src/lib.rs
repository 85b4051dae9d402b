//! The application under test, for the scenarios of `tests/contract`. The program `accord-contract` derives all other
//! requests from the document and from `setup.yaml`.

use std::future::Future;

pub use accord_testkit::*;
use serde_json::json;

/// The secret that signs access tokens: with it a test can forge one.
pub const SECRET: &str = "a secret that every contract test knows";

/// The server of this repository.
pub static ACCORD: Application = Application::new(Settings {
    root: concat!(env!("CARGO_MANIFEST_DIR"), "/.."),
    build: &["--package", "accord", "--bin", "accord"],
    binary_variable: "ACCORD_BIN",
    prefix: "ACCORD_",
    variables: &[
        ("SECRET_KEY", SECRET),
        ("ACCORD_ENV", "test"),
        ("ACCORD_DEMO", "false"),
        ("ACCORD_LOG", "info"),
        ("ACCORD_DRAIN", "0"),
        ("ACCORD_RATE_LIMIT", "0"),
        ("ACCORD_RATE_LIMIT_ACCOUNT", "0"),
        ("ACCORD_LOGIN_FAILURES", "0"),
        ("ACCORD_PASSWORD_MEMORY", "64"),
        ("ACCORD_DATABASE_CONNECTIONS", "5"),
        // on a busy machine the server would reject a burst of requests
        ("ACCORD_DB_QUEUE", "0"),
        ("ACCORD_WEBHOOK_LIMIT", "10000"),
        // a scenario that needs jobs sets it
        ("ACCORD_TASK_WORKERS", "0"),
    ],
    document: "openapi/accord.yaml",
    setup: "contract-tests/setup.yaml",
    fixtures: &["people"],
    log_in: LogIn {
        path: "/api/v1/authenticate",
        body: |name| json!({ "email": format!("{name}@example.com"), "password": format!("the password of {name}") }),
        token: "/token",
    },
});

/// Requests that many scenarios begin with.
pub trait Author {
    /// Creates a post with this title; the answer has its id and ETag.
    fn writes(&self, title: &str) -> impl Future<Output = Answer> + Send;
}

impl Author for Person {
    async fn writes(&self, title: &str) -> Answer {
        let post = json!({ "title": title, "content": format!("The text of {title}.") });
        self.post("/api/v1/posts").json(&post).await.expect(201)
    }
}

/// Logs root in, and creates one of everything that a path can name: each has the identifier 1.
pub async fn root_with_everything(world: &World) -> Person {
    let root = world.log_in("root").await;
    root.writes("A post").await;
    root.post("/api/v1/groups").json(&json!({ "name": "Editors" })).await.expect(201);
    root.post("/api/v1/grants").json(&json!({ "group_id": 1, "permission": "can_edit_post" })).await.expect(201);
    root.post("/api/v1/invited-guests").json(&json!({ "email": "gil@example.com" })).await.expect(201);
    root.post("/api/v1/webhooks").json(&json!({ "url": "https://example.com/hooks" })).await.expect(201);
    root.post("/api/v1/webhooks/1/test").await.expect(202);
    root
}

/// The path of an operation to the objects of [`root_with_everything`].
pub fn known(operation: &Operation) -> String {
    let known = |segment| match segment {
        "{name}" => "can_edit_post",
        variable if variable.starts_with('{') => "1",
        segment => segment,
    };
    operation.path.split('/').map(known).collect::<Vec<_>>().join("/")
}
