//! Accounts, for admins: roles, statuses, and the admin who must stay.

use contract_tests::{ACCORD, Author, Person, Story, World};
use insta::assert_yaml_snapshot;
use serde_json::{Value, json};

const ANN: &str = "/api/v1/users/1";
const ROOT: &str = "/api/v1/users/3";

/// Changes what an admin may change of an account, whatever its version.
async fn set(admin: &Person, path: &str, change: Value) -> contract_tests::Answer {
    admin.patch(path).header("If-Match", "*").json(&change).await
}

#[tokio::test]
async fn an_admin_makes_changes_and_deletes_an_account() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let root = world.log_in("root").await;
    let new = json!({ "email": "Eve@Example.com", "password": "a long password", "name": "Eve", "role": "staff" });
    let made = story.tell("Root makes an account", root.post("/api/v1/users").json(&new)).await;
    let path = made.header("Location").unwrap().to_owned();
    story.tell("its address is in use", root.post("/api/v1/users").json(&new)).await;
    story.tell("reads it", root.get(&path)).await;
    story.tell("has the newest copy", root.get(&path).header("If-None-Match", made.etag())).await;
    let change = json!({ "role": "admin" });
    story.tell("changes it without saying which version", root.patch(&path).json(&change)).await;
    story.tell("makes Eve an admin", root.patch(&path).header("If-Match", made.etag()).json(&change)).await;
    story.tell("in an old version", root.patch(&path).header("If-Match", made.etag()).json(&change)).await;
    story.tell("lists the admins", root.get("/api/v1/users?role=admin&with_total=true")).await;
    story.tell("finds one by address", root.get("/api/v1/users?email=EVE@example.com")).await;
    story.tell("anyone reads the profile", world.log_in("ann").await.get(format!("{path}/profile"))).await;
    story.tell("deletes it", root.delete(&path).header("If-Match", "*")).await;
    story.tell("it is gone", root.get(&path)).await;
    story.tell("so is the profile", world.log_in("ann").await.get(format!("{path}/profile"))).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn a_disabled_account_may_look_at_itself_and_log_out() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let (ann, root) = (world.log_in("ann").await, world.log_in("root").await);
    let credentials = json!({ "email": "ann@example.com", "password": "the password of ann" });
    let session = world.nobody().post("/api/v1/authenticate").json(&credentials).await.expect(200);
    let refresh = json!({ "refresh_token": session.text("/refresh_token") });
    let disable = root.patch(ANN).header("If-Match", "*").json(&json!({ "status": "disabled" }));
    story.tell("Root disables Ann's account", disable).await;
    story.tell("her token is good for nothing", ann.get("/api/v1/posts")).await;
    story.tell("but looking at the account", ann.get("/api/v1/user")).await;
    let nobody = world.nobody();
    story.tell("she cannot log in", nobody.post("/api/v1/authenticate").json(&credentials)).await;
    let form = "grant_type=password&username=ann@example.com&password=the password of ann";
    let form = nobody.post("/api/v1/login").body("application/x-www-form-urlencoded", form.replace(' ', "+"));
    story.tell("nor by the form", form).await;
    story.tell("nor refresh", nobody.post("/api/v1/token/refresh").json(&refresh)).await;
    let wrong = json!({ "email": "ann@example.com", "password": "not the password" });
    story.tell("a stranger is told nothing of it", nobody.post("/api/v1/authenticate").json(&wrong)).await;
    set(&root, ANN, json!({ "status": "active" })).await.expect(200);
    story.tell("Root opens it again: the token works", ann.get("/api/v1/user/groups")).await;
    nobody.post("/api/v1/token/refresh").json(&refresh).await.expect(200);
    set(&root, ANN, json!({ "status": "disabled" })).await.expect(200);
    story.tell("disabled again, she logs out", ann.post("/api/v1/logout")).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn whoever_is_disabled_meets_403_wherever_the_document_says_it() {
    let world = World::start(&ACCORD).await;
    let (ann, root) = (world.log_in("ann").await, world.log_in("root").await);
    ann.writes("A post").await;
    set(&root, ANN, json!({ "status": "disabled" })).await.expect(200);
    for operation in ACCORD.document().operations.iter().filter(|operation| operation.protected) {
        if operation.declares(403) {
            ann.call_operation(operation, "1").await.refused(403, "account_disabled");
        } else {
            assert!(["get_user", "log_out"].contains(&operation.id.as_str()), "{}", operation.id);
        }
    }
}

#[tokio::test]
async fn the_last_admin_stays() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let root = world.log_in("root").await;
    let demote = |path: &str| root.patch(path).header("If-Match", "*").json(&json!({ "role": "staff" }));
    story.tell("Root gives up the role", demote(ROOT)).await;
    let disable = root.patch(ROOT).header("If-Match", "*").json(&json!({ "status": "disabled" }));
    story.tell("disables the own account", disable).await;
    story.tell("deletes it as an admin", root.delete(ROOT).header("If-Match", "*")).await;
    story.tell("deletes it as a user", root.delete("/api/v1/user")).await;
    // an admin who is disabled is none to rely on
    set(&root, ANN, json!({ "role": "admin", "status": "disabled" })).await.expect(200);
    demote(ROOT).await.refused(409, "last_admin");
    set(&root, ANN, json!({ "status": "active" })).await.expect(200);
    story.tell("beside another admin Root may go", demote(ROOT)).await;
    story.tell("and is an admin no more, with the same token", root.get("/api/v1/users")).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn who_is_no_admin_learns_nothing_of_accounts_by_their_id() {
    let world = World::start(&ACCORD).await;
    let (ann, sam) = (world.log_in("ann").await, world.log_in("sam").await);
    for person in [&ann, &sam] {
        for id in ["1", "2", "99", "nonsense"] {
            for operation in ACCORD.document().operations.iter() {
                let is_admins =
                    operation.security.iter().flatten().any(|(_, scopes)| scopes.iter().any(|s| s == "admin"));
                if is_admins {
                    person.call_operation(operation, id).await.refused(403, "forbidden");
                }
            }
        }
    }
}
