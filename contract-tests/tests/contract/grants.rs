//! Groups, permissions and grants: what is granted counts for the next request, what is taken back no longer does.

use contract_tests::{ACCORD, Answer, Author, Call, Person, Story, World, command_line};
use insta::assert_yaml_snapshot;
use serde_json::{Value, json};

const BEN: i64 = 2;

async fn group(root: &Person, name: &str) -> i64 {
    root.post("/api/v1/groups").json(&json!({ "name": name })).await.expect(201).id()
}

async fn grant(root: &Person, grant: Value) -> Answer {
    root.post("/api/v1/grants").json(&grant).await.expect(201)
}

/// Ben's tries to change and to replace a post of Ann's, which end alike.
async fn edits(ben: &Person, post_id: i64) -> u16 {
    let path = format!("/api/v1/posts/{post_id}");
    let change = json!({ "title": "Changed by Ben" });
    let changed = ben.patch(&path).header("If-Match", "*").json(&change).await.status;
    let whole = json!({ "title": "Replaced by Ben", "content": "x", "published": true, "rating": null });
    let replaced = ben.put(&path).header("If-Match", "*").json(&whole).await.status;
    assert_eq!(changed, replaced, "PATCH and PUT need the same");
    changed
}

#[tokio::test]
async fn a_group_is_made_filled_and_deleted() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let (root, ben) = (world.log_in("root").await, world.log_in("ben").await);
    let made = story.tell("Root makes a group", root.post("/api/v1/groups").json(&json!({ "name": "Editors" }))).await;
    let path = made.header("Location").unwrap().to_owned();
    let rename = json!({ "name": "Chief editors" });
    story.tell("renames it", root.patch(&path).header("If-Match", made.etag()).json(&rename)).await;
    story.tell("in an old version", root.patch(&path).header("If-Match", made.etag()).json(&rename)).await;
    let renamed = root.get(&path).await;
    story.tell("has the newest copy", root.get(&path).header("If-None-Match", renamed.etag())).await;
    let other = group(&root, "Others").await;
    story.tell("the name is in use", root.post("/api/v1/groups").json(&rename)).await;
    let taken = root.patch(format!("/api/v1/groups/{other}")).header("If-Match", "*").json(&rename);
    story.tell("another cannot have the name", taken).await;
    story.tell("puts Ben into it", root.put(format!("{path}/members/2"))).await;
    story.tell("once more, which changes nothing", root.put(format!("{path}/members/2"))).await;
    story.tell("nobody has this id", root.put(format!("{path}/members/99"))).await;
    story.tell("no group has this id", root.put("/api/v1/groups/99/members/2")).await;
    story.tell("Ben sees his groups", ben.get("/api/v1/user/groups?with_total=true")).await;
    story.tell("Root sees the members", root.get("/api/v1/users?group_id=1")).await;
    story.tell("and the groups of a user", root.get("/api/v1/groups?user_id=2")).await;
    story.tell("takes him out", root.delete(format!("{path}/members/2"))).await;
    story.tell("Ben is in none", ben.get("/api/v1/user/groups")).await;
    story.tell("Root deletes the group", root.delete(&path).header("If-Match", "*")).await;
    story.tell("it is gone", root.get(&path)).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn the_catalogue_is_kept_by_admins() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let root = world.log_in("root").await;
    story.tell("what the server asks for is there", root.get("/api/v1/permissions?with_total=true")).await;
    let new = json!({ "name": "can_pin_post", "target": "posts", "description": "Pin posts" });
    let made = story.tell("Root adds one", root.post("/api/v1/permissions").json(&new)).await;
    let path = made.header("Location").unwrap().to_owned();
    story.tell("its name is in use", root.post("/api/v1/permissions").json(&new)).await;
    let change = json!({ "description": "Pin posts to the front page" });
    story.tell("describes it", root.patch(&path).header("If-Match", made.etag()).json(&change)).await;
    let read = story.tell("reads it", root.get(&path)).await;
    story.tell("has the newest copy", root.get(&path).header("If-None-Match", read.etag())).await;
    story.tell("deletes it", root.delete(&path).header("If-Match", "*")).await;
    story.tell("it is gone", root.get(&path)).await;
    story.tell("nothing is left to describe", root.patch(&path).header("If-Match", "*").json(&change)).await;
    story.tell("nor to delete", root.delete(&path).header("If-Match", "*")).await;
    let general = json!({ "name": "can_edit_post", "target": null, "description": "Otherwise" });
    root.delete("/api/v1/permissions/can_edit_post").header("If-Match", "*").await.expect(204);
    story.tell("the server asks with a target", root.post("/api/v1/permissions").json(&general)).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn a_grant_counts_for_the_next_request() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let (ann, ben, root) = (world.log_in("ann").await, world.log_in("ben").await, world.log_in("root").await);
    ann.writes("A post").await;
    ann.writes("Another").await;
    let edit = |id: i64| {
        let change = json!({ "content": "As Ben wants it." });
        ben.patch(format!("/api/v1/posts/{id}")).header("If-Match", "*").json(&change)
    };
    story.tell("Ben may not change Ann's post", edit(1)).await;
    let on_one = json!({ "user_id": BEN, "permission": "can_edit_post", "object_id": 1 });
    let made = story.tell("Root grants it on this one", root.post("/api/v1/grants").json(&on_one)).await;
    story.tell("Ben changes it with the same token", edit(1)).await;
    story.tell("but not the other", edit(2)).await;
    story.tell("nor deletes it", ben.delete("/api/v1/posts/1").header("If-Match", "*")).await;
    let editors = group(&root, "Editors").await;
    root.put(format!("/api/v1/groups/{editors}/members/{BEN}")).await.expect(204);
    let on_all = json!({ "group_id": editors, "permission": "can_edit_post" });
    story.tell("Root grants it to a group of his on all", root.post("/api/v1/grants").json(&on_all)).await;
    // a refused one may use up an identifier
    story.tell("once", root.post("/api/v1/grants").json(&on_all)).await;
    story.tell("now the other, too", edit(2)).await;
    story.tell("Ben reads what he holds, and why", ben.get("/api/v1/user/permissions?with_total=true")).await;
    story.tell("Ann holds nothing", ann.get("/api/v1/user/permissions?with_total=true")).await;
    story.tell("Root holds everything", root.get("/api/v1/user/permissions")).await;
    story.tell("Ben sees his own grants", ben.get("/api/v1/grants?with_total=true")).await;
    story.tell("Ann sees none, whatever she asks", ann.get("/api/v1/grants?user_id=2&with_total=true")).await;
    story.tell("nor a single one", ann.get("/api/v1/grants/1")).await;
    story.tell("Root sees all", root.get("/api/v1/grants?permission=can_edit_post&with_total=true")).await;
    let path = made.header("Location").unwrap().to_owned();
    story.tell("takes the first back", root.delete(&path)).await;
    story.tell("once", root.delete(&path)).await;
    story.tell("the group still holds it", edit(1)).await;
    root.delete(format!("/api/v1/groups/{editors}")).header("If-Match", "*").await.expect(204);
    story.tell("with the group it is gone", edit(1)).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn a_grant_names_one_holder_and_what_is_there() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let root = world.log_in("root").await;
    for (step, grant) in [
        ("nobody gets it", json!({ "permission": "can_edit_post" })),
        ("two get it", json!({ "user_id": 1, "group_id": 1, "permission": "can_edit_post" })),
        ("no such user", json!({ "user_id": 99, "permission": "can_edit_post" })),
        ("no such group", json!({ "group_id": 99, "permission": "can_edit_post" })),
        ("no such permission", json!({ "user_id": 1, "permission": "can_fly" })),
        ("no such post", json!({ "user_id": 1, "permission": "can_edit_post", "object_id": 99 })),
        ("it has no objects", json!({ "user_id": 1, "permission": "can_invite", "object_id": 1 })),
    ] {
        story.tell(step, root.post("/api/v1/grants").json(&grant)).await;
    }
    assert_yaml_snapshot!(story);
}

/// One line of the table: what is granted, and whether Ben may change the post.
struct Line {
    says: &'static str,
    to: To,
    on: Option<i64>,
    ben: Option<Value>,
    after: After,
    passes: u16,
}

#[derive(Clone, Copy, PartialEq)]
enum To {
    Nobody,
    Ben,
    Sam,
    HisGroup,
    OtherGroup,
}

#[derive(Clone, Copy, PartialEq)]
enum After {
    Nothing,
    OutOfGroup,
    GroupDeleted,
    PermissionDeleted,
    OtherPermission,
}

#[tokio::test]
async fn the_check_passes_exactly_what_the_table_says() {
    use After::{GroupDeleted, Nothing, OtherPermission, OutOfGroup, PermissionDeleted};
    use To::{Ben, HisGroup, Nobody, OtherGroup, Sam};
    let line = |says, to, on, ben, after, passes| Line { says, to, on, ben, after, passes };
    let table = [
        line("nothing is granted", Nobody, None, None, Nothing, 403),
        line("to him, on all", Ben, None, None, Nothing, 200),
        line("to him, on this post", Ben, Some(1), None, Nothing, 200),
        line("to him, on another post", Ben, Some(2), None, Nothing, 403),
        line("to somebody else, on all", Sam, None, None, Nothing, 403),
        line("to somebody else, on this post", Sam, Some(1), None, Nothing, 403),
        line("to his group, on all", HisGroup, None, None, Nothing, 200),
        line("to his group, on this post", HisGroup, Some(1), None, Nothing, 200),
        line("to his group, on another post", HisGroup, Some(2), None, Nothing, 403),
        line("to a group that he is not in", OtherGroup, None, None, Nothing, 403),
        line("he was taken out of the group", HisGroup, None, None, OutOfGroup, 403),
        line("his group was deleted", HisGroup, None, None, GroupDeleted, 403),
        line("the permission has no row", Ben, None, None, PermissionDeleted, 403),
        line("to his group, and the permission has no row", HisGroup, None, None, PermissionDeleted, 403),
        line("another permission", Ben, None, None, OtherPermission, 403),
        line("on all, and he is disabled", Ben, None, Some(json!({ "status": "disabled" })), Nothing, 403),
        line("nothing, and he is staff", Nobody, None, Some(json!({ "role": "staff" })), Nothing, 403),
        line("nothing, and he is an admin", Nobody, None, Some(json!({ "role": "admin" })), Nothing, 200),
        line("no row, and he is an admin", Nobody, None, Some(json!({ "role": "admin" })), PermissionDeleted, 200),
        line("a disabled admin", Nobody, None, Some(json!({ "role": "admin", "status": "disabled" })), Nothing, 403),
    ];
    let world = World::start(&ACCORD).await;
    let (ann, ben, root) = (world.log_in("ann").await, world.log_in("ben").await, world.log_in("root").await);
    ann.writes("A post").await;
    ann.writes("Another").await;
    for (number, Line { says, to, on, ben: state, after, passes }) in table.into_iter().enumerate() {
        let his = group(&root, &format!("His {number}")).await;
        let other = group(&root, &format!("Other {number}")).await;
        root.put(format!("/api/v1/groups/{his}/members/{BEN}")).await.expect(204);
        // a group without anybody would let nobody in by mistake
        root.put(format!("/api/v1/groups/{other}/members/4")).await.expect(204);
        root.put(format!("/api/v1/groups/{his}/members/4")).await.expect(204);
        let mut new = match to {
            Nobody => json!({}),
            Ben => json!({ "user_id": BEN }),
            Sam => json!({ "user_id": 4 }),
            HisGroup => json!({ "group_id": his }),
            OtherGroup => json!({ "group_id": other }),
        };
        new["permission"] = if after == OtherPermission { "can_view_stats" } else { "can_edit_post" }.into();
        if let Some(id) = on {
            new["object_id"] = id.into();
        }
        if to != Nobody {
            grant(&root, new).await;
        }
        if let Some(state) = &state {
            root.patch("/api/v1/users/2").header("If-Match", "*").json(state).await.expect(200);
        }
        let delete = |path: String| root.delete(path).header("If-Match", "*");
        match after {
            OutOfGroup => drop(root.delete(format!("/api/v1/groups/{his}/members/{BEN}")).await.expect(204)),
            GroupDeleted => drop(delete(format!("/api/v1/groups/{his}")).await.expect(204)),
            PermissionDeleted => drop(delete("/api/v1/permissions/can_edit_post".into()).await.expect(204)),
            Nothing | OtherPermission => {}
        }
        assert_eq!(edits(&ben, 1).await, passes, "{says}");
        // as it was before
        let back = json!({ "role": "active", "status": "active" });
        root.patch("/api/v1/users/2").header("If-Match", "*").json(&back).await.expect(200);
        if after == PermissionDeleted {
            let row = json!({ "name": "can_edit_post", "target": "posts", "description": "Change posts of others" });
            root.post("/api/v1/permissions").json(&row).await.expect(201);
        }
        for grant in root.get("/api/v1/grants").await.body["items"].as_array().unwrap() {
            root.delete(format!("/api/v1/grants/{}", grant["id"])).await.expect(204);
        }
        for id in [his, other] {
            root.delete(format!("/api/v1/groups/{id}")).header("If-Match", "*").await;
        }
    }
}

#[tokio::test]
async fn a_grant_ends_with_its_holder_its_permission_and_its_object() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let (ann, root) = (world.log_in("ann").await, world.log_in("root").await);
    let (first, second) = (ann.writes("First").await.id(), ann.writes("Second").await.id());
    let editors = group(&root, "Editors").await;
    for (name, target) in [("can_pin_post", "posts"), ("can_lead_group", "groups"), ("can_praise_user", "users")] {
        let new = json!({ "name": name, "target": target, "description": "Of a client" });
        root.post("/api/v1/permissions").json(&new).await.expect(201);
    }
    for new in [
        json!({ "group_id": editors, "permission": "can_edit_post", "object_id": first }),
        json!({ "user_id": 4, "permission": "can_pin_post", "object_id": first }),
        json!({ "user_id": 4, "permission": "can_praise_user", "object_id": first }),
        json!({ "user_id": 4, "permission": "can_lead_group", "object_id": editors }),
        json!({ "user_id": BEN, "permission": "can_lead_group", "object_id": editors }),
        json!({ "user_id": BEN, "permission": "can_edit_post" }),
        json!({ "user_id": 4, "permission": "can_praise_user", "object_id": BEN }),
        json!({ "group_id": editors, "permission": "can_invite" }),
        json!({ "user_id": 4, "permission": "can_pin_post", "object_id": second }),
        json!({ "user_id": 4, "permission": "can_edit_post", "object_id": second }),
    ] {
        grant(&root, new).await;
    }
    let mut ended = async |step: &str, gone: Call| {
        gone.header("If-Match", "*").await.expect(204);
        let left = root.get("/api/v1/grants?limit=100").await.expect(200).body["items"].as_array().unwrap().len();
        let events = root.get("/api/v1/audit-events?action=grant_deleted&limit=100").await.expect(200);
        assert_eq!(left + events.body["items"].as_array().unwrap().len(), 10, "{step}: each end is an event");
        story.tell(step, root.get("/api/v1/grants?limit=100")).await;
    };
    ended("Ann deletes the first post", ann.delete(format!("/api/v1/posts/{first}"))).await;
    ended("Root deletes Ben", root.delete(format!("/api/v1/users/{BEN}"))).await;
    ended("the group", root.delete(format!("/api/v1/groups/{editors}"))).await;
    ended("a permission", root.delete("/api/v1/permissions/can_pin_post")).await;
    let events = root.get("/api/v1/audit-events?action=grant_deleted&actor_id=1").await.expect(200);
    let of_ann: Vec<_> = events.body["items"].as_array().unwrap().iter().map(|event| &event["before"]).collect();
    assert!(of_ann.len() == 2 && of_ann.iter().all(|grant| grant["object_id"] == first), "{of_ann:?}");
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn the_four_permissions_of_a_table_come_and_go_with_their_migration() {
    let world = World::start(&ACCORD).await;
    let root = world.log_in("root").await;
    let listed = root.get("/api/v1/permissions?target=posts").await.expect(200);
    let names = |answer: &Answer| {
        let items = answer.body["items"].as_array().unwrap().clone();
        let mut names: Vec<_> = items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let four = ["can_create_post", "can_delete_post", "can_edit_post", "can_read_post"];
    assert_eq!(names(&listed), four);
    let of_statistics =
        root.get("/api/v1/permissions?target=post_statistics&with_total=true&limit=1").await.expect(200);
    assert_eq!((names(&of_statistics), &of_statistics.body["total"]), (vec!["can_view_stats".to_owned()], &json!(1)));

    grant(&root, json!({ "user_id": 2, "permission": "can_delete_post" })).await;
    let migrate = async |target| {
        let ended = command_line(&ACCORD, &["migrate", "to", target], &world.database.url(), "").await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    };
    let count = async |table| world.database.count(table).await;
    migrate("0012").await;
    assert_eq!(count("permissions WHERE target = 'posts'").await, 2, "can_edit_post, and can_view_stats as before");
    assert_eq!(count("grants").await, 0, "what was granted goes with the permission");
    migrate("head").await;
    assert_eq!(names(&root.get("/api/v1/permissions?target=posts").await.expect(200)), four);
}

#[tokio::test]
async fn who_was_granted_it_deletes_posts_of_others() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let (ann, ben, root) = (world.log_in("ann").await, world.log_in("ben").await, world.log_in("root").await);
    let (first, second) = (ann.writes("The first").await, ann.writes("The second").await);
    let path = |post: &Answer| format!("/api/v1/posts/{}", post.id());
    let delete = |post: &Answer| ben.delete(path(post)).header("If-Match", post.etag());
    story.tell("Ben may not delete Ann's post", delete(&first)).await;
    grant(&root, json!({ "user_id": 2, "permission": "can_delete_post", "object_id": first.id() })).await;
    story.tell("with a grant on it he may", delete(&first)).await;
    story.tell("but no other", delete(&second)).await;
    let change = json!({ "title": "His" });
    story.tell("nor may he change that", ben.patch(path(&second)).header("If-Match", "*").json(&change)).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn a_grant_opens_no_draft() {
    let world = World::start(&ACCORD).await;
    let (ann, ben, root) = (world.log_in("ann").await, world.log_in("ben").await, world.log_in("root").await);
    let draft = json!({ "title": "A draft", "content": "x", "published": false });
    let draft = ann.post("/api/v1/posts").json(&draft).await.expect(201).id();
    grant(&root, json!({ "user_id": BEN, "permission": "can_edit_post", "object_id": draft })).await;
    assert_eq!(edits(&ben, draft).await, 404);
}

#[tokio::test]
async fn a_permission_without_a_row_is_told_at_the_start() {
    let mut world = World::start(&ACCORD).await;
    let root = world.log_in("root").await;
    assert!(!world.server.log().contains("no row defines"), "{}", world.server.log());
    root.delete("/api/v1/permissions/can_edit_post").header("If-Match", "*").await.expect(204);
    world.restart().await;
    let log = world.server.log();
    let line =
        log.lines().find(|line| line.contains("no row defines the permission")).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("can_edit_post") && line.contains("POST /api/v1/permissions"), "{line}");
}
