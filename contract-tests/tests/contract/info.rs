//! What a server says of itself.

use contract_tests::{ACCORD, Database, Story, World};
use insta::assert_yaml_snapshot;
use serde_json::Value;

#[tokio::test]
async fn a_server_says_what_it_is_and_how_it_is() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let nobody = world.nobody();
    story.tell("version and contract", nobody.get("/api/v1/info")).await;
    story.tell("where to begin", nobody.get("/")).await;
    story.tell("it runs", nobody.get("/health/live")).await;
    story.tell("it can work", nobody.get("/health/ready")).await;
    story.tell("there is no such path", nobody.get("/api/v1/nothing")).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn what_is_served_is_the_committed_document() {
    let world = World::start(&ACCORD).await;
    let nobody = world.nobody();
    let yaml = nobody.get("/openapi.yaml").await.expect(200);
    let same = yaml.bytes == ACCORD.document().text.as_bytes();
    assert!(same, "`cargo xtask spec check` shows where openapi/accord.yaml differs from what is served");
    let json = nobody.get("/openapi.json").await.expect(200);
    let committed: Value = yaml_serde::from_str(&ACCORD.document().text).unwrap();
    assert!(json.body == committed, "/openapi.json is not /openapi.yaml");
    assert_eq!(json.header("Content-Type"), Some("application/json"));
    let info = nobody.get("/api/v1/info").await.expect(200);
    assert_eq!(info.body["version"], committed["info"]["version"]);
}

#[tokio::test]
async fn the_collection_is_served() {
    let world = World::start(&ACCORD).await;
    let collection = world.nobody().get("/postman.json").await.expect(200);
    let operations = ACCORD.document().operations.len();
    let requests =
        collection.body["item"].as_array().unwrap().iter().flat_map(|folder| folder["item"].as_array().unwrap());
    assert_eq!(requests.count(), operations);
}

#[tokio::test]
async fn the_docs_viewer_needs_no_other_host() {
    let world = World::start(&ACCORD).await;
    let page = world.nobody().get("/docs").await.expect(200);
    let html = String::from_utf8(page.bytes.clone()).unwrap();
    assert!(page.header("Content-Type").unwrap().starts_with("text/html"));
    let links = regex::Regex::new(r#"(?:src|href)\s*=\s*["']?(?:https?:)?//"#).unwrap();
    assert!(!links.is_match(&html), "the page loads something from another host");
}

#[tokio::test]
async fn the_docs_viewer_is_closed_by_a_setting_and_in_production() {
    let prod = [("ACCORD_ENV", "prod"), ("ACCORD_PASSWORD_MEMORY", "19456")];
    let open = [("ACCORD_ENV", "prod"), ("ACCORD_PASSWORD_MEMORY", "19456"), ("ACCORD_DOCS", "true")];
    for (settings, served) in
        [([].as_slice(), true), (&[("ACCORD_DOCS", "false")], false), (&prod, false), (&open, true)]
    {
        let world = World::with(&ACCORD, settings).await;
        let nobody = world.nobody();
        for path in ["/docs", "/docs/swagger-ui.js", "/docs/swagger-ui.css"] {
            let answer = nobody.get(path).await;
            match served {
                true => answer.expect(200),
                false => answer.refused(404, "route_not_found"),
            };
        }
        assert_eq!(nobody.get("/").await.expect(200).body["docs"].is_string(), served);
        nobody.get("/openapi.json").await.expect(200);
    }
}

#[tokio::test]
async fn a_server_is_not_ready_before_its_database_is_migrated() {
    let database = Database::empty(&ACCORD).await;
    let (url, mut story) = (database.url(), Story::default());
    let world = World::on(database, &url, &[("ACCORD_MIGRATE", "off")]).await;
    story.tell("it runs", world.nobody().get("/health/live")).await;
    story.tell("it cannot work", world.nobody().get("/health/ready")).await;
    assert_yaml_snapshot!(story);
}
