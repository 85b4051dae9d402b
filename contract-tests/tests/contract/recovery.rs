//! Forgotten passwords and unproved addresses: what a letter proves, once, for a while, and to nobody else.

use std::time::Duration;

use contract_tests::{ACCORD, Answer, Database, Mailbox, Person, Story, World, command_line, refused_start};
use insta::{assert_snapshot, assert_yaml_snapshot};
use serde_json::{Value, json};

const RESET: &str = "Reset your password";
const VERIFY: &str = "Verify your e-mail address";
const ANN: &str = "ann@example.com";
const EVE: &str = "eve@example.com";

/// Letters are sent as soon as they are asked for.
async fn with_mail(mailbox: &Mailbox, settings: &[(&str, &str)]) -> World {
    World::with(&ACCORD, &[&on(mailbox), settings].concat()).await
}

fn on(mailbox: &Mailbox) -> [(&'static str, &str); 3] {
    [("ACCORD_MAIL_URL", mailbox.url()), ("ACCORD_TASK_WORKERS", "2"), ("ACCORD_TASK_LEASE", "1")]
}

fn ask(person: &Person, email: &str) -> contract_tests::Call {
    person.post("/api/v1/password-reset").json(&json!({ "email": email }))
}

fn set(person: &Person, code: &str, password: &str) -> contract_tests::Call {
    person.post("/api/v1/password-reset/confirm").json(&json!({ "code": code, "password": password }))
}

fn verify(person: &Person, code: &str) -> contract_tests::Call {
    person.post("/api/v1/verify-email").json(&json!({ "code": code }))
}

fn log_in(person: &Person, email: &str, password: &str) -> contract_tests::Call {
    person.post("/api/v1/authenticate").json(&json!({ "email": email, "password": password }))
}

async fn register(world: &World, email: &str) -> Answer {
    let account = json!({ "email": email, "password": "the password of eve" });
    world.nobody().post("/api/v1/user").json(&account).await.expect(201)
}

/// As if the last letters had been sent more than five minutes ago.
async fn five_minutes_later(world: &World) {
    let past = "UPDATE mail_limits SET updated_at = '2026-01-02 03:04:05+00:00'";
    world.database.execute(past).await;
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_by_a_letter() {
    let (mailbox, mut story) = (Mailbox::empty(), Story::default());
    let world = with_mail(&mailbox, &[("ACCORD_APP_URL", "https://app.example.com/")]).await;
    let nobody = world.nobody();
    let credentials = json!({ "email": ANN, "password": "the password of ann" });
    let old = nobody.post("/api/v1/authenticate").json(&credentials).await.expect(200);
    let (ann, elsewhere) = (world.nobody().named("ann").with_token(old.text("/token")), world.log_in("ann").await);
    story.tell("Ann asks, in other letters", ask(&nobody, "Ann@Example.com")).await;
    let letters = mailbox.wait(ANN, RESET, 1).await;
    let (letter, code) = (&letters[0], letters[0].code());
    assert!(letter.text.contains(&format!("\nhttps://app.example.com/reset-password#code={code}\n")), "{letter:?}");
    assert!(letter.text.contains(&format!("href=\"https://app.example.com/reset-password#code={code}\"")));
    assert_eq!(world.database.count(&format!("one_time_codes WHERE code_hash = '{code}'")).await, 0, "only a hash");

    set(&nobody, &code, "short").await.refused(400, "invalid").blames("body/password");
    story.tell("the code sets a password", set(&nobody, &code, "a new password")).await;
    story.tell("once", set(&nobody, &code, "another new password")).await.blames("body/code");
    story.tell("a session of before has ended", ann.get("/api/v1/user")).await;
    elsewhere.get("/api/v1/user").await.refused(401, "token_revoked");
    let refresh = json!({ "refresh_token": old.text("/refresh_token") });
    story.tell("with its refresh token", nobody.post("/api/v1/token/refresh").json(&refresh)).await;
    story.tell("the old password is gone", log_in(&nobody, ANN, "the password of ann")).await;
    story.tell("the new one is there", log_in(&nobody, ANN, "a new password")).await.expect(200);
    mailbox.wait(ANN, "Your password was changed", 1).await;
    let events =
        world.log_in("root").await.get("/api/v1/audit-events?limit=1&action=password_changed").await.expect(200);
    let event = &events.body["items"][0];
    assert_eq!((&event["actor_id"], &event["object_id"]), (&json!(1), &json!(1)), "she did it herself");
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn a_code_works_for_its_purpose_for_a_while_and_until_the_next() {
    let mailbox = Mailbox::empty();
    let mut world = with_mail(&mailbox, &[]).await;
    let nobody = world.nobody();
    register(&world, EVE).await;
    let proof = mailbox.code(EVE, VERIFY, 1).await;
    ask(&nobody, EVE).await.expect(202);
    let first = mailbox.code(EVE, RESET, 1).await;
    verify(&nobody, &first).await.refused(400, "verification_invalid").blames("body/code");
    set(&nobody, &proof, "a new password").await.refused(400, "reset_invalid").blames("body/code");
    set(&nobody, &"A".repeat(43), "a new password").await.refused(400, "reset_invalid").blames("body/code");

    // nobody's letter box is filled by somebody who asks again and again
    for _ in 0..3 {
        ask(&nobody, EVE).await.expect(202);
    }
    emptied(&world).await;
    assert_eq!(mailbox.wait(EVE, RESET, 1).await.len(), 1);
    five_minutes_later(&world).await;
    ask(&nobody, EVE).await.expect(202);
    let second = mailbox.code(EVE, RESET, 2).await;
    set(&nobody, &first, "a new password").await.refused(400, "reset_invalid");

    // of two at once one wins
    let (one, other) = tokio::join!(set(&nobody, &second, "a new password"), set(&nobody, &second, "another password"));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 400], "{one}\n{other}");
    let word = if one.status == 204 { "a new password" } else { "another password" };
    log_in(&nobody, EVE, word).await.expect(200);

    // who has reset the password has proved the address, too
    nobody.post("/api/v1/verify-email/resend").json(&json!({ "email": EVE })).await.expect(202);
    emptied(&world).await;
    assert_eq!(mailbox.wait(EVE, VERIFY, 1).await.len(), 1, "no letter to who is verified");

    world.server = world.another_server(&[&on(&mailbox)[..], &[("ACCORD_RESET_TTL", "1")]].concat()).await;
    let nobody = world.nobody();
    five_minutes_later(&world).await;
    ask(&nobody, EVE).await.expect(202);
    let code = mailbox.code(EVE, RESET, 3).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    set(&nobody, &code, "a late password").await.refused(400, "reset_invalid");
    assert_eq!(world.database.count("one_time_codes WHERE purpose = 'reset'").await, 1);
    let run = command_line(&ACCORD, &["task", "run", "purge-codes"], &world.database.url(), "").await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    let purged = async {
        while world.database.count("one_time_codes WHERE purpose = 'reset'").await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), purged).await.expect("the expired code is deleted");
    log_in(&nobody, EVE, word).await.expect(200);
}

/// Until nothing is left to be done.
async fn emptied(world: &World) {
    let wait = async {
        while world.database.count("tasks WHERE key IS NULL").await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(30), wait).await.is_err() {
        let tasks = command_line(&ACCORD, &["task", "list"], &world.database.url(), "").await;
        panic!("not all tasks are done: {}", tasks.stdout);
    }
}

/// Until no e-mail is due. Returns the number of those that wait for the end of a pause.
async fn settled(world: &World) -> i64 {
    let busy = async || {
        world.database.count("tasks WHERE name = 'send-code'").await > 0
            || world.database.count("tasks WHERE name = 'send-mail' AND run_at = created_at").await > 0
    };
    let wait = async {
        while busy().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("what is due is sent");
    world.database.count("tasks WHERE name = 'send-mail'").await
}

#[tokio::test]
async fn an_address_gets_one_letter_of_a_kind_in_five_minutes_whoever_causes_it() {
    const STRANGER: &str = "stranger@example.org";
    const CHANGED: &str = "Your e-mail address was changed";
    let mailbox = Mailbox::empty();
    let world = with_mail(&mailbox, &[]).await;
    let nobody = world.nobody();
    let number = |to: &str, subject: &str| {
        mailbox.letters().iter().filter(|letter| letter.to == to && letter.subject == subject).count()
    };
    // one account changes its address to the stranger's and back, again and again
    let eve = nobody.with_token(register(&world, EVE).await.text("/token"));
    for email in [STRANGER, EVE].repeat(10) {
        let change = json!({ "email": email, "password": "the password of eve" });
        eve.patch("/api/v1/user").json(&change).await.expect(200);
    }
    // a second notice waits for the end of the pause, for each of both addresses
    assert_eq!(settled(&world).await, 2);
    for email in [STRANGER, EVE] {
        assert_eq!((number(email, VERIFY), number(email, CHANGED)), (1, 1), "{email}: {:?}", mailbox.letters());
    }
    // other accounts register with it, in other letters and with a subaddress, and are deleted
    for email in [STRANGER, "Stranger@Example.org", "stranger+1@example.org", "stranger+2@example.org"] {
        let other = nobody.with_token(register(&world, email).await.text("/token"));
        other.delete("/api/v1/user").await.expect(204);
    }
    register(&world, "stranger+3@example.org").await;
    settled(&world).await;
    let letters = mailbox.letters().into_iter().filter(|letter| letter.to.contains("stranger"));
    assert_eq!(letters.count(), 2, "{:?}", mailbox.letters());
    // each kind has a limit of its own
    ask(&nobody, EVE).await.expect(202);
    mailbox.wait(EVE, RESET, 1).await;
    // a notice is late, not lost
    world.database.execute("UPDATE tasks SET run_at = created_at WHERE name = 'send-mail'").await;
    mailbox.wait(EVE, CHANGED, 2).await;
    mailbox.wait(STRANGER, CHANGED, 2).await;
}

#[tokio::test]
async fn a_code_ends_with_what_it_proves() {
    let mailbox = Mailbox::empty();
    let world = with_mail(&mailbox, &[]).await;
    let (nobody, root) = (world.nobody(), world.log_in("root").await);
    let ann = world.log_in("ann").await;
    ask(&nobody, ANN).await.expect(202);
    let code = mailbox.code(ANN, RESET, 1).await;
    ann.patch("/api/v1/user")
        .json(&json!({ "email": "anna@example.com", "password": "the password of ann" }))
        .await
        .expect(200);
    let proof = mailbox.code("anna@example.com", VERIFY, 1).await;
    ann.patch("/api/v1/user").json(&json!({ "email": ANN, "password": "the password of ann" })).await.expect(200);
    set(&nobody, &code, "a new password").await.refused(400, "reset_invalid");
    verify(&nobody, &proof).await.refused(400, "verification_invalid");

    ask(&nobody, "ben@example.com").await.expect(202);
    let code = mailbox.code("ben@example.com", RESET, 1).await;
    let change = json!({ "old_password": "the password of ben", "new_password": "another password of ben" });
    world.log_in("ben").await.post("/api/v1/user/password").json(&change).await.expect(204);
    set(&nobody, &code, "a new password").await.refused(400, "reset_invalid");

    ask(&nobody, "sam@example.com").await.expect(202);
    let code = mailbox.code("sam@example.com", RESET, 1).await;
    let sam = root.get("/api/v1/users?email=sam@example.com").await.body["items"][0]["id"].clone();
    let disable = json!({ "status": "disabled" });
    root.patch(format!("/api/v1/users/{sam}")).header("If-Match", "*").json(&disable).await.expect(200);
    set(&nobody, &code, "a new password").await.refused(400, "reset_invalid");

    register(&world, EVE).await;
    let proof = mailbox.code(EVE, VERIFY, 1).await;
    let eve = world.nobody().with_token(log_in(&nobody, EVE, "the password of eve").await.expect(200).text("/token"));
    eve.delete("/api/v1/user").await.expect(204);
    verify(&nobody, &proof).await.refused(400, "verification_invalid");
}

#[tokio::test]
async fn a_code_is_not_used_up_by_what_the_server_does_not_allow() {
    let mailbox = Mailbox::empty();
    let mut world = with_mail(&mailbox, &[]).await;
    register(&world, EVE).await;
    ask(&world.nobody(), EVE).await.expect(202);
    let (proof, code) = (mailbox.code(EVE, VERIFY, 1).await, mailbox.code(EVE, RESET, 1).await);
    world.server = world.another_server(&[&on(&mailbox)[..], &[("ACCORD_FROZEN", "users")]].concat()).await;
    verify(&world.nobody(), &proof).await.refused(409, "vetoed");
    set(&world.nobody(), &code, "a new password").await.refused(409, "vetoed");
    world.server = world.another_server(&on(&mailbox)).await;
    verify(&world.nobody(), &proof).await.expect(204);
    set(&world.nobody(), &code, "a new password").await.expect(204);
}

/// What an answer says, without what is another one each time.
fn said(mut answer: Answer) -> String {
    for name in ["date", "x-request-id"] {
        assert!(answer.headers.remove(name).is_some(), "{name}");
    }
    format!("{} {:?} {:?}", answer.status, answer.headers, String::from_utf8_lossy(&answer.bytes))
}

#[tokio::test]
async fn nobody_learns_which_addresses_are_known() {
    let mailbox = Mailbox::empty();
    let mut world = World::with(&ACCORD, &[("ACCORD_MAIL_URL", mailbox.url())]).await;
    let nobody = world.nobody();
    for path in ["/api/v1/password-reset", "/api/v1/verify-email/resend"] {
        let mut answers = vec![];
        for email in [ANN, "nobody@example.com", "dan@example.com"] {
            let before = world.database.count("tasks").await;
            answers.push(said(nobody.post(path).json(&json!({ "email": email })).await));
            assert_eq!(world.database.count("tasks").await, before + 1, "{path} {email}");
        }
        assert_eq!((&answers[0], &answers[0]), (&answers[1], &answers[2]));
        assert!(answers[0].starts_with("202 ") && answers[0].ends_with(r#" """#), "{}", answers[0]);
    }
    assert_eq!(world.database.count("one_time_codes").await, 0, "nobody was looked up yet");
    world.server = world.another_server(&on(&mailbox)).await;
    emptied(&world).await;
    // Dan is disabled; the addresses of the others are verified
    let letters = mailbox.letters().into_iter().map(|letter| format!("{} {}", letter.to, letter.subject));
    assert_eq!(letters.collect::<Vec<_>>(), [format!("{ANN} {RESET}")]);
    let log = world.server.log();
    for private in ["@", &mailbox.letters()[0].code()] {
        assert!(!log.contains(private), "{log}");
    }
}

#[tokio::test]
async fn an_address_is_verified_by_the_letter_that_it_gets() {
    let (mailbox, mut story) = (Mailbox::empty(), Story::default());
    let world = with_mail(&mailbox, &[]).await;
    let nobody = world.nobody();
    let session = register(&world, EVE).await;
    let eve = world.nobody().named("eve").with_token(session.text("/token"));
    story.tell("Eve has registered", eve.get("/api/v1/user")).await;
    let code = mailbox.code(EVE, VERIFY, 1).await;
    story.tell("the code of the letter", verify(&nobody, &code)).await;
    story.tell("verifies", eve.get("/api/v1/user")).await;
    story.tell("once", verify(&nobody, &code)).await.blames("body/code");
    let change =
        eve.patch("/api/v1/user").json(&json!({ "email": "eva@example.com", "password": "the password of eve" }));
    story.tell("another address is not verified", change).await;
    let first = mailbox.code("eva@example.com", VERIFY, 1).await;
    let resend = || nobody.post("/api/v1/verify-email/resend").json(&json!({ "email": "eva@example.com" }));
    five_minutes_later(&world).await;
    story.tell("another letter", resend()).await;
    let second = mailbox.code("eva@example.com", VERIFY, 2).await;
    verify(&nobody, &first).await.refused(400, "verification_invalid");
    verify(&nobody, &second).await.expect(204);
    // an admin knows what somebody has said, not what they have proved
    let account = json!({ "email": "joe@example.com", "password": "the password of joe" });
    let joe = world.log_in("root").await.post("/api/v1/users").json(&account).await.expect(201);
    assert_eq!(joe.body["email_verified_at"], Value::Null);
    verify(&nobody, &mailbox.code("joe@example.com", VERIFY, 1).await).await.expect(204);
    let events = world.log_in("root").await.get("/api/v1/audit-events?action=user_updated&limit=2").await.expect(200);
    let told: Vec<_> =
        events.body["items"].as_array().unwrap().iter().map(|event| event["after"]["changed"].clone()).collect();
    assert_eq!(told, [json!(["email_verified_at"]), json!(["email_verified_at"])]);
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn whoever_must_verify_first_may_put_it_right_and_nothing_else() {
    let mailbox = Mailbox::empty();
    let world = with_mail(&mailbox, &[("ACCORD_REQUIRE_VERIFIED", "true")]).await;
    let (nobody, root) = (world.nobody(), world.log_in("root").await);
    let session = register(&world, "evee@example.com").await;
    let eve = world.nobody().named("eve").with_token(session.text("/token"));
    let rules = include_str!("../../../openapi/operations.txt");
    let mut refused = 0;
    for operation in ACCORD.document().operations.iter().filter(|operation| operation.protected) {
        let line = rules.lines().find(|line| line.split_whitespace().next() == Some(&operation.id)).unwrap();
        match line.split_whitespace().nth(3).unwrap() {
            "logged_in" | "enabled" => {}
            _ => {
                eve.call_operation(operation, "1").await.refused(403, "email_unverified");
                refused += 1;
            }
        }
    }
    assert!(refused > 30, "{refused}");
    log_in(&nobody, "evee@example.com", "the password of eve").await.refused(403, "email_unverified");
    log_in(&nobody, "evee@example.com", "the wrong password").await.refused(401, "invalid_credentials");
    let form = [("grant_type", "password"), ("username", "evee@example.com"), ("password", "the password of eve")];
    let answer = nobody.post("/api/v1/login").form(&form).await.refused(403, "email_unverified");
    assert_eq!(answer.body["error"], "invalid_grant");
    let events = root.get("/api/v1/audit-events?action=login_failed&limit=1").await.expect(200);
    assert_eq!(events.body["items"][0]["after"]["reason"], "email_unverified");

    // what was mistyped is put right with the token that registering gave
    eve.get("/api/v1/user").await.expect(200);
    let refresh = json!({ "refresh_token": session.text("/refresh_token") });
    let session = nobody.post("/api/v1/token/refresh").json(&refresh).await.expect(200);
    let eve = nobody.with_token(session.text("/token"));
    let change = json!({ "email": EVE, "password": "the password of eve" });
    eve.patch("/api/v1/user").json(&change).await.expect(200);
    eve.get("/api/v1/posts").await.refused(403, "email_unverified");
    verify(&nobody, &mailbox.code(EVE, VERIFY, 1).await).await.expect(204);
    eve.get("/api/v1/posts").await.expect(200);
    log_in(&nobody, EVE, "the password of eve").await.expect(200);
    let gone = register(&world, "joe@example.com").await;
    nobody.with_token(gone.text("/token")).delete("/api/v1/user").await.expect(204);
    // fixtures and the command line vouch
    world.log_in("ann").await.get("/api/v1/posts").await.expect(200);
    let made =
        command_line(&ACCORD, &["user", "create", "kim@example.com"], &world.database.url(), "the password of kim\n")
            .await;
    assert_eq!(made.code, 0, "{}", made.stderr);
    log_in(&nobody, "kim@example.com", "the password of kim").await.expect(200);
}

#[tokio::test]
async fn nobody_is_asked_to_verify_without_a_way_to_do_it() {
    let settings = [("ACCORD_REQUIRE_VERIFIED", "true"), ("ACCORD_MAIL_URL", "")];
    let (code, says) = refused_start(&ACCORD, &Database::empty(&ACCORD).await.url(), &settings, &[]).await;
    assert_eq!(code, 78, "{says}");
    assert_snapshot!(says.trim_end(), @"accord: ACCORD_REQUIRE_VERIFIED=true needs e-mail: set ACCORD_MAIL_URL, or nobody could verify");
    for page in ["app.example.com", "ftp://app.example.com", "https://app.example.com/#/"] {
        let (code, says) =
            refused_start(&ACCORD, &Database::empty(&ACCORD).await.url(), &[("ACCORD_APP_URL", page)], &[]).await;
        assert!(code == 78 && says.contains("`app_url` must be"), "{says}");
    }
}

/// Many ask; the server dies right after each answer.
#[tokio::test]
async fn a_letter_that_was_promised_is_sent_though_the_server_dies() {
    const TIMES: u64 = 12;
    let mailbox = Mailbox::empty();
    let mut world = with_mail(&mailbox, &[]).await;
    let mut unsent = 0;
    for time in 0..TIMES {
        let email = format!("eve.{time}@example.com");
        register(&world, &email).await;
        ask(&world.nobody(), &email).await.expect(202);
        tokio::time::sleep(Duration::from_millis(time)).await;
        world.server.kill().await;
        let waits = format!("tasks WHERE name IN ('send-code', 'send-mail') AND payload LIKE '%{email}%'");
        unsent += i64::from(world.database.count(&waits).await > 0);
        world.server = world.another_server(&on(&mailbox)).await;
    }
    for time in 0..TIMES {
        let email = format!("eve.{time}@example.com");
        let code = mailbox.code(&email, RESET, 1).await;
        set(&world.nobody(), &code, "a new password").await.expect(204);
        log_in(&world.nobody(), &email, "a new password").await.expect(200);
    }
    emptied(&world).await;
    for time in 0..TIMES {
        let letters = mailbox.wait(&format!("eve.{time}@example.com"), RESET, 1).await;
        let same =
            |pair: &[contract_tests::Letter]| pair[0].number == pair[1].number && pair[0].code() == pair[1].code();
        assert!(letters.windows(2).all(same), "one that came twice has one number and one code: {letters:?}");
    }
    assert!(unsent > 0, "the server has died too late each time");
    println!("{unsent} of {TIMES} letters were not sent when the server died; all {TIMES} arrived");
}
