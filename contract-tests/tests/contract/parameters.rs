//! Parameters that are refused: every operation with every bad query, header and path; and calls that come too often.

use contract_tests::{Operation, Parameter, Person, World, document};

async fn ann_with_a_post(world: &World) -> (Person, String) {
    let ann = world.ann().await;
    ann.writes("A post").await;
    let state = ann.state().await;
    (ann, state)
}

/// Every parameter of every operation that is sent in this place.
fn parameters(place: &str) -> impl Iterator<Item = (&'static Operation, &'static Parameter)> {
    let of = |operation: &'static Operation| operation.parameters.iter().map(move |parameter| (operation, parameter));
    document().operations.iter().flat_map(of).filter(move |(_, parameter)| parameter.place == place)
}

#[tokio::test]
async fn a_query_parameter_that_an_operation_does_not_take_is_refused() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    let strange =
        [("nonsense=1", "nonsense"), ("Limit=1", "Limit"), ("nonsense", "nonsense"), ("%00=1", "\0"), ("=1", "")];
    for operation in &document().operations {
        for (query, name) in strange {
            let call = operation.bare(&ann, format!("{}?{query}", operation.target("1")));
            operation.filled(call).await.refused(400, "unknown_parameter").blames(&format!("query.{name}"));
        }
    }
    assert_eq!(ann.state().await, before);
}

#[tokio::test]
async fn every_rule_of_a_query_parameter_is_enforced() {
    let world = World::start().await;
    let (ann, _) = ann_with_a_post(&world).await;
    for (operation, Parameter { name, schema, .. }) in parameters("query") {
        let number = |key: &str| schema[key].as_i64();
        let long = |length: i64| "x".repeat(usize::try_from(length).unwrap());
        let mut values: Vec<String> = ["%FF", "%", "%2", "%00"].map(Into::into).into();
        values.extend(number("minimum").map(|minimum| (minimum - 1).to_string()));
        values.extend(number("maximum").and_then(|maximum| maximum.checked_add(1)).map(|above| above.to_string()));
        values.extend(number("minLength").filter(|length| *length > 0).map(|length| long(length - 1)));
        values.extend(number("maxLength").map(|length| long(length + 1)));
        let others: &[&str] = match schema["type"].as_str() {
            Some("integer") => &[
                "",
                "x",
                "1.5",
                "1e1",
                "+1",
                "01",
                "%201",
                "0x1",
                "1,2",
                "9223372036854775808",
                "99999999999999999999",
            ],
            Some("boolean") => &["", "1", "yes", "TRUE", "null"],
            Some("string") if !schema["enum"].is_null() => &["", "nonsense"],
            _ => &[],
        };
        values.extend(others.iter().map(|value| (*value).into()));
        let valid = schema["enum"][0].as_str().unwrap_or(if schema["type"] == "boolean" { "true" } else { "1" });
        values.push(format!("{valid}&{name}={valid}"));
        for value in values {
            let answer = operation.bare(&ann, format!("{}?{name}={value}", operation.target("1"))).await.expect(400);
            answer.blames(&format!("query.{name}"));
        }
    }
}

#[tokio::test]
async fn a_header_that_is_too_long_is_refused() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    for (operation, Parameter { name, schema, .. }) in parameters("header") {
        let length = usize::try_from(schema["maxLength"].as_u64().unwrap()).unwrap();
        let call = ann.call(&operation.method, operation.target("1")).header(name, &"x".repeat(length + 1));
        operation.filled(call).await.refused(400, "invalid").blames(&format!("header.{name}"));
    }
    assert_eq!(ann.state().await, before);
}

#[tokio::test]
async fn an_id_that_is_none_is_refused_and_an_unknown_one_not_found() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    let none = [
        "abc",
        "-1",
        "0",
        "1.5",
        "+1",
        "01",
        "1e0",
        "%201",
        "9223372036854775808",
        "99999999999999999999",
        "%FF",
        "%00",
        "%",
        "1%00",
        "%D9%A1",
        "1%FF",
        "{id}",
    ];
    for (operation, Parameter { name, .. }) in parameters("path") {
        for id in none {
            operation.call(&ann, id).await.refused(400, "invalid").blames(&format!("path.{name}"));
            // who has no token is not told
            if operation.protected {
                operation.call(&world.nobody(), id).await.refused(401, "unauthenticated");
            }
        }
        for id in ["2", "9223372036854775807"] {
            let answer = operation.call(&ann, id).await.refused(404, "not_found");
            assert_eq!(answer.text("/detail"), format!("Post {id} not found."));
        }
    }
    assert_eq!(ann.state().await, before);
}

#[tokio::test]
async fn a_change_must_name_the_version_it_is_of() {
    let world = World::start().await;
    let (ann, before) = ann_with_a_post(&world).await;
    for operation in document().operations.iter().filter(|operation| operation.takes("header", "If-Match")) {
        let call = |id: &str| operation.filled(ann.call(&operation.method, operation.target(id)));
        call("1").await.refused(428, "precondition_required");
        call("99").await.refused(428, "precondition_required");
        for tag in ["\"x\"", "\"0-0123456789abcdef\""] {
            call("1").header("If-Match", tag).await.refused(412, "precondition_failed");
        }
    }
    assert_eq!(ann.state().await, before);
}

#[tokio::test]
async fn an_operation_called_too_often_says_when_to_come_back() {
    let world = World::with(&[("ACCORD_RATE_LIMIT", "2")]).await;
    // one of her two calls to authenticate
    let ann = world.ann().await;
    for operation in document().operations.iter().filter(|operation| operation.responses.contains_key("429")) {
        operation.call(&ann, "1").await;
        if operation.id != "authenticate" {
            let second = operation.call(&ann, "1").await;
            assert_ne!(second.status, 429, "{second}");
        }
        let refused = operation.call(&ann, "1").await.refused(429, "rate_limited");
        let seconds: u64 = refused.header("Retry-After").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        // nobody is let in by being refused
        operation.call(&ann, "1").await.refused(429, "rate_limited");
    }
    for _ in 0..10 {
        world.nobody().get("/api/v1/info").await.expect(200);
        ann.get("/api/v1/user").await.expect(200);
    }
}
