//! Invited guests: who may invite whom, and what becomes of an invitation.

use std::time::Duration;

use contract_tests::{ACCORD, Answer, Call, Mailbox, Person, Story, World, command_line};
use insta::assert_yaml_snapshot;
use serde_json::{Value, json};

const INVITED: &str = "You are invited to Accord";
const GIL: &str = "gil@example.com";

async fn with_mail(mailbox: &Mailbox, settings: &[(&str, &str)]) -> World {
    World::with(&ACCORD, &[&on(mailbox), settings].concat()).await
}

fn on(mailbox: &Mailbox) -> [(&'static str, &str); 2] {
    [("ACCORD_MAIL_URL", mailbox.url()), ("ACCORD_TASK_WORKERS", "2")]
}

fn invite(by: &Person, email: &str, role: &str) -> Call {
    by.post("/api/v1/invited-guests").json(&json!({ "email": email, "role": role }))
}

fn accept(world: &World, code: &str) -> Call {
    let acceptance = json!({ "code": code, "password": "the password of gil" });
    world.nobody().named("gil").post("/api/v1/invited-guests/accept").json(&acceptance)
}

async fn id(root: &Person, email: &str) -> i64 {
    let found = root.get(format!("/api/v1/users?email={email}")).await.expect(200);
    found.body["items"][0]["id"].as_i64().unwrap()
}

async fn lets_invite(root: &Person, email: &str) -> Answer {
    let grant = json!({ "user_id": id(root, email).await, "permission": "can_invite" });
    root.post("/api/v1/grants").json(&grant).await.expect(201)
}

#[tokio::test]
async fn a_guest_is_invited_and_comes_in() {
    let (mailbox, mut story) = (Mailbox::empty(), Story::default());
    let world = with_mail(&mailbox, &[("ACCORD_APP_URL", "https://app.example.com")]).await;
    let (ann, ben, root) = (world.log_in("ann").await, world.log_in("ben").await, world.log_in("root").await);
    story.tell("Ann may not invite", invite(&ann, GIL, "active")).await;
    lets_invite(&root, "ann@example.com").await;
    story.tell("now she may", invite(&ann, "Gil@Example.com", "active")).await;
    story.tell("not twice", invite(&ann, GIL, "active")).await;
    story.tell("no member", invite(&ann, "BEN@example.com", "active")).await;
    story.tell("nobody of more rights", invite(&ann, "guy@example.com", "staff")).await;
    let path = "/api/v1/invited-guests/1";
    story.tell("she sees what is hers", ann.get("/api/v1/invited-guests?with_total=true")).await;
    story.tell("Ben sees nothing", ben.get("/api/v1/invited-guests?with_total=true")).await;
    story.tell("also of this one", ben.get(path)).await;
    ben.delete(path).await.refused(404, "not_found");

    let letters = mailbox.wait(GIL, INVITED, 1).await;
    let (letter, code) = (&letters[0], letters[0].code());
    assert!(letter.text.contains(&format!("\nhttps://app.example.com/accept-invitation#code={code}\n")), "{letter:?}");
    assert!(!letter.text.contains("ann"), "nothing of the inviter: {letter:?}");
    let session = story.tell("Gil accepts", accept(&world, &code)).await.expect(201);
    story.tell("once", accept(&world, &code)).await.blames("body/code");
    let gil = world.nobody().named("gil").with_token(session.text("/token"));
    story.tell("and is there", gil.get("/api/v1/user")).await;
    story.tell("which Ann sees", ann.get(path)).await;
    story.tell("and an admin", root.get(path)).await;
    story.tell("Gil does not", gil.get(path)).await;
    story.tell("who is a member now", invite(&ann, GIL, "active")).await;
    story.tell("what has happened", ann.delete(path)).await;
    gil.get("/api/v1/user").await.expect(200);
    let events = root.get("/api/v1/audit-events?object_type=invited_guest").await.expect(200);
    let told = |event: &Value| format!("{} by {}, {}", event["action"], event["actor_id"], event["after"]);
    let told: Vec<String> = events.body["items"].as_array().unwrap().iter().map(told).collect();
    let gil = session.id();
    assert_eq!(
        told,
        [
            r#""invitation_deleted" by 1, null"#.to_owned(),
            format!(r#""invitation_accepted" by {gil}, {{"role":"active","user_id":{gil}}}"#),
            r#""guest_invited" by 1, {"role":"active"}"#.to_owned(),
        ]
    );
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn an_invitation_is_taken_back_expires_and_is_sent_anew() {
    let mailbox = Mailbox::empty();
    let mut world = with_mail(&mailbox, &[]).await;
    let root = world.log_in("root").await;
    let taken = invite(&root, GIL, "staff").await.expect(201).id();
    let code = mailbox.code(GIL, INVITED, 1).await;
    root.delete(format!("/api/v1/invited-guests/{taken}")).await.expect(204);
    accept(&world, &code).await.refused(400, "invitation_invalid").blames("body/code");
    root.delete(format!("/api/v1/invited-guests/{taken}")).await.refused(404, "not_found");

    world.server = world.another_server(&[&on(&mailbox)[..], &[("ACCORD_INVITATION_TTL", "1")]].concat()).await;
    let root = world.log_in("root").await;
    invite(&root, GIL, "staff").await.expect(201);
    invite(&root, GIL, "staff").await.refused(409, "already_invited");
    let late = mailbox.code(GIL, INVITED, 2).await;
    invite(&root, "guy@example.com", "active").await.expect(201);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    accept(&world, &late).await.refused(400, "invitation_invalid");
    let listed = root.get("/api/v1/invited-guests").await.expect(200);
    let states: Vec<_> = listed.body["items"].as_array().unwrap().iter().map(|item| item["status"].clone()).collect();
    assert_eq!(states, ["expired", "expired"]);

    // who has not come in time may be asked again
    world.server = world.another_server(&on(&mailbox)).await;
    let root = world.log_in("root").await;
    invite(&root, GIL, "staff").await.expect(201);
    let code = mailbox.code(GIL, INVITED, 3).await;
    assert_eq!(world.database.count("invited_guests").await, 2);
    command_line(&ACCORD, &["task", "run", "purge-invitations"], &world.database.url(), "").await;
    let purged = async {
        while world.database.count("invited_guests").await > 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), purged).await.expect("what has expired is deleted");

    // of two at once one comes in
    let (one, other) = tokio::join!(accept(&world, &code), accept(&world, &code));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400], "{one}\n{other}");
    let session = if one.status == 201 { one } else { other };
    let gil = world.nobody().with_token(session.text("/token")).get("/api/v1/user").await.expect(200);
    assert_eq!((&gil.body["role"], &gil.body["email"]), (&json!("staff"), &json!(GIL)));
    assert!(gil.body["email_verified_at"].is_string(), "the letter has reached him: {gil}");
}

#[tokio::test]
async fn an_address_gets_ten_invitations_a_day_then_one_an_hour() {
    let world = World::start(&ACCORD).await;
    let root = world.log_in("root").await;
    for _ in 0..10 {
        let id = invite(&root, GIL, "active").await.expect(201).id();
        root.delete(format!("/api/v1/invited-guests/{id}")).await.expect(204);
    }
    let refused = invite(&root, GIL, "active").await.refused(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("3600"));
    assert_eq!(world.database.count("invited_guests").await, 0);
    assert_eq!(world.database.count("tasks WHERE name = 'send-mail'").await, 10);
    invite(&root, "guy@example.com", "active").await.expect(201);
    let long_ago = "UPDATE mail_limits SET updated_at = '2026-01-02 03:04:05+00:00'";
    world.database.execute(long_ago).await;
    invite(&root, GIL, "active").await.expect(201);
}

#[tokio::test]
async fn an_invitation_is_worth_what_its_inviter_is() {
    let mailbox = Mailbox::empty();
    let world = with_mail(&mailbox, &[]).await;
    let (root, ann) = (world.log_in("root").await, world.log_in("ann").await);
    let grant = lets_invite(&root, "ann@example.com").await.id();
    invite(&ann, GIL, "active").await.expect(201);
    let code = mailbox.code(GIL, INVITED, 1).await;
    let user = format!("/api/v1/users/{}", id(&root, "ann@example.com").await);
    let set = |change: Value| root.patch(&user).header("If-Match", "*").json(&change);

    root.delete(format!("/api/v1/grants/{grant}")).await.expect(204);
    accept(&world, &code).await.refused(400, "invitation_invalid");
    // what is one's own stays to be seen
    ann.get("/api/v1/invited-guests/1").await.expect(200);
    lets_invite(&root, "ann@example.com").await;
    set(json!({ "status": "disabled" })).await.expect(200);
    accept(&world, &code).await.refused(400, "invitation_invalid");
    set(json!({ "status": "active", "role": "admin" })).await.expect(200);
    invite(&ann, "guy@example.com", "admin").await.expect(201);
    let admin = mailbox.code("guy@example.com", INVITED, 1).await;
    set(json!({ "role": "active" })).await.expect(200);
    accept(&world, &admin).await.refused(400, "invitation_invalid");
    assert_eq!(world.database.count("users WHERE role = 'admin'").await, 1);
    accept(&world, &code).await.expect(201);

    // with an account go its open invitations, and the address is free
    root.delete(&user).header("If-Match", "*").await.expect(204);
    accept(&world, &admin).await.refused(400, "invitation_invalid");
    root.get("/api/v1/invited-guests/2").await.refused(404, "not_found");
    let kept = root.get("/api/v1/invited-guests/1").await.expect(200);
    assert_eq!((&kept.body["status"], &kept.body["inviter_id"]), (&json!("accepted"), &Value::Null));
    invite(&root, "guy@example.com", "active").await.expect(201);

    // somebody may have registered meanwhile
    let code = mailbox.code("guy@example.com", INVITED, 2).await;
    let account = json!({ "email": "guy@example.com", "password": "the password of guy" });
    world.nobody().post("/api/v1/user").json(&account).await.expect(201);
    accept(&world, &code).await.refused(409, "email_in_use");
}

#[tokio::test]
async fn a_code_of_one_kind_opens_no_other_door() {
    let mailbox = Mailbox::empty();
    let world = with_mail(&mailbox, &[]).await;
    let (nobody, root) = (world.nobody(), world.log_in("root").await);
    invite(&root, GIL, "active").await.expect(201);
    let code = mailbox.code(GIL, INVITED, 1).await;
    nobody.post("/api/v1/verify-email").json(&json!({ "code": code })).await.refused(400, "verification_invalid");
    let reset = |code: &str| {
        let body = json!({ "code": code, "password": "a new password" });
        nobody.post("/api/v1/password-reset/confirm").json(&body)
    };
    reset(&code).await.refused(400, "reset_invalid");
    nobody.post("/api/v1/password-reset").json(&json!({ "email": "ann@example.com" })).await.expect(202);
    let other = mailbox.code("ann@example.com", "Reset your password", 1).await;
    accept(&world, &other).await.refused(400, "invitation_invalid");
    reset(&other).await.expect(204);
    accept(&world, &code).await.expect(201);
    let log = world.server.log();
    assert!(!log.contains('@') && !log.contains(&code) && !log.contains(&other), "{log}");
}
