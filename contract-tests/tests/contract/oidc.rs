//! Tokens of an identity provider: a small one that publishes its keys, changes them, and is away.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use contract_tests::{ACCORD, Author, Person, Story, World};
use futures_util::future::join_all;
use insta::assert_yaml_snapshot;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const AUDIENCE: &str = "https://api.example.com";
const PROVISION: (&str, &str) = ("ACCORD_OIDC_PROVISION", "true");
const LINK: (&str, &str) = ("ACCORD_OIDC_LINK_BY_EMAIL", "true");

/// A pair of keys, and its name.
struct Pair {
    id: &'static str,
    algorithm: Algorithm,
    signs: EncodingKey,
}

impl Pair {
    /// For ES256.
    fn elliptic(id: &'static str) -> Self {
        let pair = rcgen::KeyPair::generate().unwrap();
        Self { id, algorithm: Algorithm::ES256, signs: EncodingKey::from_ec_der(&pair.serialize_der()) }
    }

    /// For RS256.
    fn rsa(id: &'static str) -> Self {
        // making one takes a second
        static DER: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
            key.to_pkcs1_der().unwrap().as_bytes().to_vec()
        });
        Self { id, algorithm: Algorithm::RS256, signs: EncodingKey::from_rsa_der(&DER) }
    }

    /// What the provider publishes of it.
    fn published(&self) -> Value {
        let mut key = serde_json::to_value(Jwk::from_encoding_key(&self.signs, self.algorithm).unwrap()).unwrap();
        (key["kid"], key["use"]) = (self.id.into(), "sig".into());
        key
    }

    /// A token, with these changes of its header and its claims.
    fn token(&self, issuer: &str, header: Value, claims: Value) -> String {
        let now = Utc::now().timestamp();
        let plain = json!({ "alg": format!("{:?}", self.algorithm), "typ": "JWT", "kid": self.id });
        let said = json!({ "iss": issuer, "sub": "248289761001", "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 300,
            "email": "Jane@example.org", "email_verified": true, "name": "Jane" });
        let header: Header = serde_json::from_value(changed(plain, header)).unwrap();
        jsonwebtoken::encode(&header, &changed(said, claims), &self.signs).unwrap()
    }
}

fn changed(mut value: Value, changes: Value) -> Value {
    for (name, change) in changes.as_object().unwrap() {
        value[name] = change.clone();
    }
    value
}

/// A provider on this machine.
struct Issuer {
    url: String,
    keys: Arc<Mutex<Vec<Value>>>,
    /// How often its keys were asked for.
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Issuer {
    async fn start(pairs: &[&Pair]) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), pairs)
    }

    fn on(listener: TcpListener, pairs: &[&Pair]) -> Self {
        let url = format!("http://{}/realm", listener.local_addr().unwrap());
        let keys = Arc::new(Mutex::new(pairs.iter().map(|pair| pair.published()).collect()));
        let asked = Arc::<AtomicUsize>::default();
        let (issuer, published, count) = (url.clone(), keys.clone(), asked.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (issuer, published, count) = (issuer.clone(), published.clone(), count.clone());
                tokio::spawn(async move { answer(stream, &issuer, &published, &count).await });
            }
        });
        Self { url, keys, asked, task }
    }

    fn publishes(&self, pairs: &[&Pair]) {
        *self.keys.lock().unwrap() = pairs.iter().map(|pair| pair.published()).collect();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn world(&self, more: &[(&str, &str)]) -> World {
        let settings = [("ACCORD_OIDC_ISSUER", self.url.as_str()), ("ACCORD_OIDC_AUDIENCE", AUDIENCE)];
        World::with(&ACCORD, &[&settings[..], more].concat()).await
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(stream: TcpStream, issuer: &str, keys: &Mutex<Vec<Value>>, asked: &AtomicUsize) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    let mut header = String::new();
    while stream.read_line(&mut header).await.is_ok_and(|read| read > 2) {
        header.clear();
    }
    let body = match line.split(' ').nth(1) {
        Some("/realm/.well-known/openid-configuration") => {
            json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys"), "subject_types_supported": ["public"] })
        }
        Some("/realm/keys") => {
            asked.fetch_add(1, Ordering::SeqCst);
            // a key of a kind that is not known yet comes first
            let mut all = vec![json!({ "kty": "new", "kid": "x" })];
            all.extend(keys.lock().unwrap().clone());
            json!({ "keys": all })
        }
        _ => panic!("{line}"),
    };
    let body = body.to_string();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    let _ = stream.write_all((head + &body).as_bytes()).await;
}

fn with(world: &World, token: &str) -> Person {
    world.nobody().named("jane").with_token(token)
}

#[tokio::test]
async fn a_token_of_the_provider_counts_beside_our_own() {
    let (elliptic, rsa) = (Pair::elliptic("e1"), Pair::rsa("r1"));
    let issuer = Issuer::start(&[&elliptic, &rsa]).await;
    let (world, mut story) = (issuer.world(&[PROVISION]).await, Story::default());
    let root = world.log_in("root").await;
    let jane = with(&world, &rsa.token(&issuer.url, json!({}), json!({})));
    let first = story.tell("she gets an account, without a password", jane.get("/api/v1/user")).await;
    let elliptic = with(&world, &elliptic.token(&issuer.url, json!({ "typ": "at+jwt" }), json!({ "email": null })));
    assert_eq!(elliptic.get("/api/v1/user").await.body, first.body, "the subject says who it is");
    story.tell("the audit says so", root.get("/api/v1/audit-events?limit=2")).await;
    jane.writes("A post").await;
    let change = json!({ "old_password": "the password of jane", "new_password": "another password" });
    jane.post("/api/v1/user/password").json(&change).await.refused(400, "wrong_password");
    let moves = json!({ "email": "elsewhere@example.org", "password": "x" });
    jane.patch("/api/v1/user").json(&moves).await.refused(400, "wrong_password").blames("body/password");
    let login = json!({ "email": "jane@example.org", "password": "" });
    world.nobody().post("/api/v1/authenticate").json(&login).await.refused(400, "invalid");
    let login = json!({ "email": "jane@example.org", "password": "the password of jane" });
    world.nobody().post("/api/v1/authenticate").json(&login).await.refused(401, "invalid_credentials");
    assert_eq!(jane.get("/api/v1/sessions").await.expect(200).body["items"], json!([]), "her session is not here");
    jane.post("/api/v1/logout").await.expect(204);
    jane.get("/api/v1/user").await.expect(200);
    let id = first.id();
    let off = json!({ "status": "disabled" });
    root.patch(format!("/api/v1/users/{id}")).header("If-Match", "*").json(&off).await.expect(200);
    jane.get("/api/v1/posts").await.refused(403, "account_disabled");
    root.delete(format!("/api/v1/users/{id}")).header("If-Match", "*").await.expect(204);
    jane.get("/api/v1/user").await.refused(401, "identity_unknown");
    // where the settings say so, the identity gets another account
    let settings = [("ACCORD_OIDC_ISSUER", issuer.url.as_str()), ("ACCORD_OIDC_AUDIENCE", AUDIENCE), PROVISION];
    let readmits = world.another_server(&[&settings[..], &[("ACCORD_OIDC_PROVISION_DELETED", "true")]].concat()).await;
    assert_ne!(jane.at(&readmits).get("/api/v1/user").await.expect(200).id(), id);
    assert_eq!(issuer.asked(), 2, "once by each server");
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn many_first_requests_make_one_account() {
    let pair = Pair::elliptic("e1");
    let issuer = Issuer::start(&[&pair]).await;
    let world = issuer.world(&[PROVISION, ("ACCORD_DB_TIMEOUT", "30")]).await;
    let before = world.database.count("users").await;
    let jane = with(&world, &pair.token(&issuer.url, json!({}), json!({})));
    for answer in join_all((0..10).map(|_| jane.get("/api/v1/user").into_future())).await {
        answer.expect(200);
    }
    assert_eq!(world.database.count("users").await, before + 1);
    assert_eq!(world.database.count("identities").await, 1);
    assert_eq!(issuer.asked(), 1, "who waits for the keys finds what another one has fetched");
}

#[tokio::test]
async fn what_the_provider_has_not_signed_for_us_is_refused() {
    let (elliptic, rsa, strange) = (Pair::elliptic("e1"), Pair::rsa("r1"), Pair::elliptic("e1"));
    let issuer = Issuer::start(&[&elliptic, &rsa]).await;
    let world = issuer.world(&[PROVISION, ("ACCORD_OIDC_CLIENTS", "web, app")]).await;
    let nothing = || json!({});
    let is = |header| rsa.token(&issuer.url, header, json!({ "azp": "web" }));
    let says = |claims| rsa.token(&issuer.url, nothing(), changed(json!({ "azp": "web" }), claims));
    let now = Utc::now().timestamp();
    // RFC 8725 section 2.1: what is public as a key must not be taken for a secret
    let confused = |secret: &[u8]| {
        let header = Header { kid: Some("r1".into()), ..Header::new(Algorithm::HS256) };
        let claims = json!({ "iss": issuer.url, "sub": "1", "aud": AUDIENCE, "exp": now + 300, "azp": "web" });
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap()
    };
    let published = rsa.published();
    let modulus = URL_SAFE_NO_PAD.decode(published["n"].as_str().unwrap()).unwrap();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"r1"}"#);
    let good = says(nothing());
    let [_, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let bad = [
        (strange.token(&issuer.url, nothing(), json!({ "azp": "web" })), "token_signature"),
        (elliptic.token(&issuer.url, json!({ "kid": "r1" }), json!({ "azp": "web" })), "token_signature"),
        (is(json!({ "kid": "e1" })), "token_signature"),
        (is(json!({ "kid": null })), "token_signature"),
        (is(json!({ "kid": "unknown" })), "token_signature"),
        (confused(&modulus), "token_signature"),
        (confused(published.to_string().as_bytes()), "token_signature"),
        (format!("{none}.{payload}."), "token_malformed"),
        (format!("{none}.{payload}.{signature}"), "token_malformed"),
        (is(json!({ "typ": "logout+jwt" })), "token_malformed"),
        (is(json!({ "crit": ["exp"] })), "token_malformed"),
        (says(json!({ "iss": "https://id.example.com" })), "token_signature"),
        (says(json!({ "aud": "https://other.example.com" })), "token_signature"),
        (says(json!({ "aud": ["https://other.example.com"] })), "token_signature"),
        (says(json!({ "azp": "other" })), "token_signature"),
        (says(json!({ "azp": null })), "token_signature"),
        (says(json!({ "aud": null })), "token_malformed"),
        (says(json!({ "sub": null })), "token_malformed"),
        (says(json!({ "sub": "" })), "token_malformed"),
        (says(json!({ "sub": "s".repeat(256) })), "token_malformed"),
        (says(json!({ "sub": "a\0b" })), "token_malformed"),
        (says(json!({ "sub": "a\nb" })), "token_malformed"),
        // ID tokens
        (says(json!({ "nonce": "n-0S6_WzA2Mj" })), "token_malformed"),
        (says(json!({ "at_hash": "MTIzNDU2Nzg5MDEyMzQ1Ng" })), "token_malformed"),
        (says(json!({ "c_hash": "LDktKdoQak3Pk0cnXxCltA" })), "token_malformed"),
        (says(json!({ "azp": AUDIENCE })), "token_malformed"),
        (says(json!({ "typ": "ID" })), "token_malformed"),
        (says(json!({ "token_use": "id" })), "token_malformed"),
        (is(json!({ "typ": "id+jwt" })), "token_malformed"),
        (says(json!({ "exp": null })), "token_malformed"),
        (says(json!({ "nbf": now + 300 })), "token_malformed"),
        (says(json!({ "iat": now + 300 })), "token_malformed"),
        (says(json!({ "exp": now - 31 })), "token_expired"),
    ];
    for (token, code) in &bad {
        let answer = with(&world, token).get("/api/v1/user").await.refused(401, code);
        assert!(answer.header("WWW-Authenticate").unwrap().contains("invalid_token"), "{answer}");
    }
    assert_eq!(world.database.count("identities").await, 0);
    for claims in [
        json!({ "typ": "Bearer" }),
        json!({ "token_use": "access" }),
        json!({ "email": "x\0@example.com" }),
        json!({ "name": "a\0b" }),
        json!({ "exp": now - 20 }),
        json!({ "aud": [AUDIENCE, "other"] }),
        json!({ "azp": "app" }),
    ] {
        with(&world, &says(claims)).get("/api/v1/user").await.expect(200);
    }
    assert_eq!(world.database.count("identities").await, 1);
}

#[tokio::test]
async fn only_typed_access_tokens_count_where_the_settings_say_so() {
    let pair = Pair::elliptic("e1");
    let issuer = Issuer::start(&[&pair]).await;
    let world = issuer.world(&[PROVISION, ("ACCORD_OIDC_REQUIRE_AT_JWT", "true")]).await;
    let of_type = |typ: &str| with(&world, &pair.token(&issuer.url, json!({ "typ": typ }), json!({})));
    of_type("JWT").get("/api/v1/user").await.refused(401, "token_malformed");
    of_type("at+jwt").get("/api/v1/user").await.expect(200);
    of_type("application/at+jwt").get("/api/v1/user").await.expect(200);
}

#[tokio::test]
async fn an_account_of_the_provider_is_deleted_after_a_fresh_login_there() {
    let pair = Pair::elliptic("e1");
    let issuer = Issuer::start(&[&pair]).await;
    let world = issuer.world(&[PROVISION]).await;
    let now = Utc::now().timestamp();
    let logged_in =
        |auth_time: Value| with(&world, &pair.token(&issuer.url, json!({}), json!({ "auth_time": auth_time })));
    for auth_time in [Value::Null, json!(now - 3600)] {
        logged_in(auth_time).delete("/api/v1/user").await.refused(401, "fresh_login_required");
    }
    logged_in(json!(now + 3600)).delete("/api/v1/user").await.refused(401, "token_malformed");
    logged_in(json!(now)).delete("/api/v1/user").await.expect(204);
    logged_in(json!(now)).get("/api/v1/user").await.refused(401, "identity_unknown");
}

#[tokio::test]
async fn requests_that_wait_for_the_keys_share_one_fetch() {
    // a provider that accepts connections and never answers
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, count) = (format!("http://{}/realm", listener.local_addr().unwrap()), Arc::<AtomicUsize>::default());
    let counted = count.clone();
    let silent = tokio::spawn(async move {
        let mut open = vec![];
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            open.push(stream);
        }
    });
    let settings =
        [("ACCORD_OIDC_ISSUER", url.as_str()), ("ACCORD_OIDC_AUDIENCE", AUDIENCE), ("ACCORD_OIDC_WAIT", "1")];
    let world = World::with(&ACCORD, &settings).await;
    let jane = with(&world, &Pair::elliptic("e1").token(&url, json!({}), json!({})));
    let start = std::time::Instant::now();
    for answer in join_all((0..12).map(|_| jane.get("/api/v1/user").into_future())).await {
        answer.refused(503, "issuer_unavailable");
    }
    // a fetch takes five seconds; one after the other they would take a minute
    assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
    assert!((1..=3).contains(&count.load(Ordering::SeqCst)), "{count:?} fetches");
    silent.abort();
}

#[tokio::test]
async fn of_several_audiences_it_is_said_who_asked() {
    let pair = Pair::elliptic("e1");
    let issuer = Issuer::start(&[&pair]).await;
    let world = issuer.world(&[PROVISION]).await;
    let several = |azp: Value| pair.token(&issuer.url, json!({}), json!({ "aud": [AUDIENCE, "x"], "azp": azp }));
    with(&world, &several(Value::Null)).get("/api/v1/user").await.refused(401, "token_signature");
    with(&world, &several("anybody".into())).get("/api/v1/user").await.expect(200);
}

#[tokio::test]
async fn the_provider_changes_its_keys() {
    let (old, new, unknown) = (Pair::elliptic("one"), Pair::elliptic("two"), Pair::elliptic("three"));
    let issuer = Issuer::start(&[&old]).await;
    let world = issuer.world(&[PROVISION, ("ACCORD_OIDC_WAIT", "3")]).await;
    let by = |pair: &Pair| with(&world, &pair.token(&issuer.url, json!({}), json!({})));
    by(&old).get("/api/v1/user").await.expect(200);
    issuer.publishes(&[&old, &new]);
    by(&new).get("/api/v1/user").await.refused(401, "token_signature");
    assert_eq!(issuer.asked(), 1, "it was asked a moment ago");
    tokio::time::sleep(Duration::from_millis(3100)).await;
    by(&new).get("/api/v1/user").await.expect(200);
    by(&old).get("/api/v1/user").await.expect(200);
    let made_up = by(&unknown);
    for answer in join_all((0..20).map(|_| made_up.get("/api/v1/user").into_future())).await {
        answer.refused(401, "token_signature");
    }
    assert_eq!(issuer.asked(), 2, "names that are made up make no requests");
}

#[tokio::test]
async fn while_the_provider_is_away_our_own_tokens_work() {
    let pair = Pair::elliptic("e1");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let issuer = Issuer::on(listener, &[&pair]);
    let world = issuer.world(&[PROVISION, ("ACCORD_OIDC_WAIT", "1")]).await;
    let url = issuer.url.clone();
    drop(issuer);
    tokio::task::yield_now().await;
    let jane = with(&world, &pair.token(&url, json!({}), json!({})));
    let ann = world.log_in("ann").await;
    let answer = jane.get("/api/v1/user").await.refused(503, "issuer_unavailable");
    assert_eq!(answer.header("Retry-After"), Some("1"));
    ann.get("/api/v1/user").await.expect(200);
    let issuer = Issuer::on(TcpListener::bind(address).await.unwrap(), &[&pair]);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    jane.get("/api/v1/user").await.expect(200);
    drop(issuer);
    jane.get("/api/v1/user").await.expect(200);
    ann.get("/api/v1/user").await.expect(200);
}

#[tokio::test]
async fn an_account_is_linked_by_its_address_only_where_both_sides_have_verified_it() {
    let pair = Pair::elliptic("e1");
    let issuer = Issuer::start(&[&pair]).await;
    let says = |claims| pair.token(&issuer.url, json!({}), claims);
    let ann = |verified: Value| says(json!({ "sub": "ann", "email": "Ann@Example.com", "email_verified": verified }));
    let world = issuer.world(&[]).await;
    let answer = with(&world, &ann(true.into())).get("/api/v1/user").await.refused(401, "identity_unknown");
    assert!(answer.header("WWW-Authenticate").unwrap().contains("invalid_token"), "{answer}");

    let world = issuer.world(&[PROVISION]).await;
    with(&world, &ann(true.into())).get("/api/v1/user").await.refused(401, "identity_unknown");
    for claims in [json!({ "email": null }), json!({ "email_verified": false }), json!({ "email": "no address" })] {
        with(&world, &says(claims)).get("/api/v1/user").await.refused(401, "identity_unknown");
    }

    let world = issuer.world(&[LINK]).await;
    for verified in [Value::Null, false.into(), "no".into(), 1.into()] {
        with(&world, &ann(verified)).get("/api/v1/user").await.refused(401, "identity_unknown");
    }
    with(&world, &says(json!({}))).get("/api/v1/user").await.refused(401, "identity_unknown");
    // whoever registers with her address has not proved that it is theirs
    let thief = json!({ "email": "jane@example.org", "password": "a long password" });
    world.nobody().post("/api/v1/user").json(&thief).await.expect(201);
    with(&world, &says(json!({}))).get("/api/v1/user").await.refused(401, "identity_unknown");
    assert_eq!(world.database.count("identities").await, 0);
    assert_eq!(with(&world, &ann("true".into())).get("/api/v1/user").await.expect(200).id(), 1);
    let moved = says(json!({ "sub": "ann", "email": "elsewhere@example.org" }));
    assert_eq!(with(&world, &moved).get("/api/v1/user").await.expect(200).id(), 1, "the subject stays");
    let newcomer = says(json!({ "sub": "another", "email": "ann@example.com" }));
    with(&world, &newcomer).get("/api/v1/user").await.refused(401, "identity_unknown");
}
