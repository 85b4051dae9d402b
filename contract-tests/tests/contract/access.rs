//! Who may call: every operation of the document, with every kind of bad token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract_tests::{ACCORD, Answer, Author, Person, SECRET, World};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

const HOUR: i64 = 3600;

/// What a part of a token says.
fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// A token that is good, with the changes of header and claims, signed with this algorithm and secret.
fn forge(token: &str, header: Value, claims: Value, algorithm: Algorithm, secret: &str) -> String {
    let changed = |mut value: Value, changes: Value| {
        for (name, change) in changes.as_object().unwrap() {
            value[name] = change.clone();
        }
        value
    };
    let algorithm = json!({ "alg": format!("{algorithm:?}") });
    let header = changed(changed(part(token, 0), algorithm), header);
    let header: Header = serde_json::from_value(header).unwrap();
    let key = EncodingKey::from_secret(secret.as_bytes());
    format!("Bearer {}", jsonwebtoken::encode(&header, &changed(part(token, 1), claims), &key).unwrap())
}

/// Values of `Authorization` that prove nobody, and the code each is refused with.
fn bad_tokens(person: &Person) -> Vec<(String, &'static str)> {
    let token = person.token();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("a token has three parts")
    };
    let now = part(token, 1)["iat"].as_i64().unwrap();
    // another character at the front, where each is possible
    let tampered = format!("{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]);
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
    let mut admin = part(token, 1);
    (admin["sub"], admin["role"]) = ("3".into(), "admin".into());
    let admin = URL_SAFE_NO_PAD.encode(admin.to_string());
    let nothing = || json!({});
    let hs256 = Algorithm::HS256;
    let says = |claims| forge(token, nothing(), claims, hs256, SECRET);
    let is = |header| forge(token, header, nothing(), hs256, SECRET);
    let signed = |algorithm, secret| forge(token, nothing(), nothing(), algorithm, secret);
    let theirs = "another secret that is as long as ours";
    let embedded = json!({ "jwk": { "kty": "oct", "k": URL_SAFE_NO_PAD.encode(theirs) } });
    vec![
        (is(json!({ "crit": ["b64"] })), "token_malformed"),
        (is(json!({ "typ": "JWT" })), "token_malformed"),
        (is(json!({ "typ": null })), "token_malformed"),
        ("Bearer".into(), "token_malformed"),
        ("Bearer x".into(), "token_malformed"),
        (format!("Bearer {header}.{payload}"), "token_malformed"),
        (format!("Bearer {token}.x"), "token_malformed"),
        (format!("Bearer {token} {token}"), "token_malformed"),
        (format!("Bearer {}", "a".repeat(4000)), "token_malformed"),
        (format!("Bearer {none}.{payload}."), "token_malformed"),
        (format!("Bearer {none}.{payload}.{signature}"), "token_malformed"),
        (says(json!({ "iat": now + HOUR, "exp": now + 2 * HOUR })), "token_malformed"),
        (says(json!({ "nbf": now + HOUR, "exp": now + 2 * HOUR })), "token_malformed"),
        (says(json!({ "nbf": null })), "token_malformed"),
        (says(json!({ "aud": null })), "token_malformed"),
        (says(json!({ "exp": null })), "token_malformed"),
        (format!("Basic {}", URL_SAFE_NO_PAD.encode("ann@example.com:the password of ann")), "scheme_missing"),
        (token.into(), "scheme_missing"),
        (format!("Token {token}"), "scheme_missing"),
        (says(json!({ "iat": now - 2 * HOUR, "nbf": now - 2 * HOUR, "exp": now - HOUR })), "token_expired"),
        (format!("Bearer {header}.{payload}.{tampered}"), "token_signature"),
        (format!("Bearer {header}.{admin}.{signature}"), "token_signature"),
        (signed(hs256, theirs), "token_signature"),
        (signed(hs256, ""), "token_signature"),
        (signed(Algorithm::HS512, SECRET), "token_signature"),
        (forge(token, embedded, nothing(), hs256, theirs), "token_signature"),
        (is(json!({ "kid": null })), "token_signature"),
        (is(json!({ "kid": "../../dev/null" })), "token_signature"),
        (says(json!({ "iss": "another" })), "token_signature"),
        (says(json!({ "aud": "another" })), "token_signature"),
        (says(json!({ "aud": ["accord", "another"] })), "token_malformed"),
    ]
}

#[tokio::test]
async fn whoever_has_no_good_token_meets_401_before_anything_else() {
    let world = World::start(&ACCORD).await;
    let ann = world.log_in("ann").await;
    let mut bad: Vec<(Person, &str)> = vec![(world.nobody(), "unauthenticated")];
    bad.extend(bad_tokens(&ann).into_iter().map(|(value, code)| (ann.with_authorization(&value), code)));
    for operation in ACCORD.document().operations.iter().filter(|operation| operation.protected) {
        for (person, code) in &bad {
            let target = format!("{}?nonsense=1", operation.target("nonsense"));
            let call = person.call(&operation.method, target);
            let call = if operation.body.is_some() { call.body("text/plain", "{") } else { call };
            let answer = call.await.refused(401, code);
            let challenge = answer.header("WWW-Authenticate").unwrap();
            assert!(challenge.starts_with("Bearer"), "{challenge}");
            // RFC 6750 section 3.1: no error word for a request without a token
            let token_was_sent = code.starts_with("token");
            assert_eq!(challenge.contains("error=\"invalid_token\""), token_was_sent, "{code}: {challenge}");
        }
    }
}

#[tokio::test]
async fn a_signed_token_is_not_enough() {
    let world = World::start(&ACCORD).await;
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    ann.writes("A post").await;
    let forged = |changes| forge(ann.token(), json!({}), changes, Algorithm::HS256, SECRET);
    let mut bad = vec![
        (ann.with_authorization(&forged(json!({ "sub": "x" }))), "token_malformed"),
        (ann.with_authorization(&forged(json!({ "jti": "x" }))), "token_malformed"),
        (ann.with_authorization(&forged(json!({ "sub": "99" }))), "user_gone"),
        (ann.with_authorization(&forged(json!({ "sub": "2" }))), "token_revoked"),
        (ann.with_authorization(&forged(json!({ "jti": "99.x" }))), "token_revoked"),
        (ann.with_authorization(&forged(json!({ "ver": 2 }))), "token_revoked"),
        (ann.with_authorization(&forged(json!({ "ver": 0 }))), "token_revoked"),
    ];
    ben.post("/api/v1/logout").await.expect(204);
    bad.push((ben, "token_revoked"));
    for operation in ACCORD.document().operations.iter().filter(|operation| operation.protected) {
        for (person, code) in &bad {
            person.call_operation(operation, "1").await.refused(401, code);
        }
    }
    ann.get("/api/v1/posts/1").await.expect(200);
}

#[tokio::test]
async fn a_key_is_changed_while_everybody_stays_logged_in() {
    let next = "the next secret that the tests will know";
    let world = World::start(&ACCORD).await;
    let ann = world.log_in("ann").await;
    // the next key is known before it signs, so that no instance refuses what another has issued
    let server = async |key: &str, more: &str| {
        world.another_server(&[("SECRET_KEY", key), ("ACCORD_MORE_SECRET_KEYS", more)]).await
    };
    let (knows, signs, forgot) = (server(SECRET, next).await, server(next, SECRET).await, server(next, "").await);
    let credentials = json!({ "email": "ben@example.com", "password": "the password of ben" });
    let login = world.nobody().at(&signs).post("/api/v1/authenticate").json(&credentials).await.expect(200);
    let ben = world.nobody().named("ben").with_token(login.text("/token"));
    assert_ne!(part(ann.token(), 0)["kid"], part(ben.token(), 0)["kid"]);
    for server in [&knows, &signs] {
        ann.at(server).get("/api/v1/user").await.expect(200);
        ben.at(server).get("/api/v1/user").await.expect(200);
    }
    ben.at(&forgot).get("/api/v1/user").await.expect(200);
    ann.at(&forgot).get("/api/v1/user").await.refused(401, "token_signature");
}

#[tokio::test]
async fn the_role_in_a_token_counts_for_nothing() {
    let world = World::start(&ACCORD).await;
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    ann.writes("A post").await;
    let admin = forge(ben.token(), json!({}), json!({ "role": "admin" }), Algorithm::HS256, SECRET);
    let pretender = ben.with_authorization(&admin);
    pretender.delete("/api/v1/posts/1").header("If-Match", "*").await.refused(403, "forbidden");
    assert_eq!(pretender.get("/api/v1/user").await.body["role"], "active");
}

#[tokio::test]
async fn what_one_may_not_know_answers_like_what_is_not_there() {
    let world = World::start(&ACCORD).await;
    let (ann, ben, sam, root) =
        (world.log_in("ann").await, world.log_in("ben").await, world.log_in("sam").await, world.log_in("root").await);
    let draft = json!({ "title": "A draft", "content": "Not yet.", "published": false });
    let draft = ann.post("/api/v1/posts").json(&draft).await.expect(201).id();
    // neither on all nor on this one does a grant open a draft
    for (user_id, object_id) in [(2, None), (4, Some(draft))] {
        for permission in ["can_delete_post", "can_edit_post", "can_view_stats"] {
            let mut grant = json!({ "user_id": user_id, "permission": permission });
            if let Some(id) = object_id {
                grant["object_id"] = id.into();
            }
            root.post("/api/v1/grants").json(&grant).await.expect(201);
        }
    }
    let told = |answer: Answer, id: i64| {
        let differ = ["x-request-id", "date", "content-length"];
        let headers = answer.headers.iter().filter(|(name, _)| !differ.contains(&name.as_str()));
        let headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
        let mut body = answer.body;
        body["request_id"] = Value::Null;
        (answer.status, headers, body.to_string().replace(&format!(" {id} "), " ID "))
    };
    let mut compared = vec![];
    for operation in &ACCORD.document().operations {
        let (there, absent) = match operation.path.as_str() {
            path if path.contains("/posts/{id}") => (draft, draft + 1),
            "/api/v1/vote" => (draft, draft + 1),
            // the first is Ben's
            "/api/v1/grants/{id}" if operation.method == "GET" => (1, 99),
            _ => continue,
        };
        for person in [&sam, &ben] {
            if operation.path.contains("grants") && person.name == "ben" {
                continue;
            }
            let ask = async |id: i64| {
                let call = if operation.path.ends_with("/vote") {
                    person.post("/api/v1/vote").json(&json!({ "post_id": id, "vote_dir": 1 }))
                } else {
                    person.call_operation(operation, &id.to_string())
                };
                told(call.await, id)
            };
            let (known, unknown) = (ask(there).await, ask(absent).await);
            assert_eq!(known, unknown, "{} {}", person.name, operation.id);
            assert_eq!(known.0, 404, "{} {}", person.name, operation.id);
            compared.push(operation.id.clone());
        }
    }
    assert!(compared.len() >= 15, "{compared:?}");
}

#[tokio::test]
async fn a_token_says_nothing_private() {
    let world = World::start(&ACCORD).await;
    let claims = part(world.log_in("ann").await.token(), 1).to_string();
    assert!(!claims.contains("example.com") && !claims.contains("password") && !claims.contains("Ann"), "{claims}");
}
