//! A post: written, read, changed, deleted; and who may.

use contract_tests::{ACCORD, Author, Story, World};
use insta::assert_yaml_snapshot;
use serde_json::{Value, json};

#[tokio::test]
async fn a_post_lives_from_creation_to_deletion() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let ann = world.log_in("ann").await;
    let post = json!({ "title": "Hello", "content": "The first post." });
    let created =
        story.tell("Ann writes a post; it is published without a rating", ann.post("/api/v1/posts").json(&post)).await;
    let path = created.header("Location").unwrap().to_owned();
    let read = story.tell("it is where Location says", ann.get(&path)).await;
    assert_eq!((created.etag(), &created.body), (read.etag(), &read.body));
    story.tell("nothing has changed", ann.get(&path).header("If-None-Match", read.etag())).await;

    let rated = json!({ "title": "Hello, world", "rating": 5 });
    let second =
        story.tell("she changes two fields", ann.patch(&path).header("If-Match", read.etag()).json(&rated)).await;
    story.tell("her copy is old now", ann.get(&path).header("If-None-Match", read.etag())).await;
    story
        .tell("a change of the old version is refused", ann.patch(&path).header("If-Match", read.etag()).json(&rated))
        .await;
    story.tell("so is one of no version", ann.patch(&path).json(&rated)).await;
    let unrated = json!({ "rating": null });
    let third =
        story.tell("null removes the rating", ann.patch(&path).header("If-Match", second.etag()).json(&unrated)).await;
    story.tell("a change must name a field", ann.patch(&path).header("If-Match", third.etag()).json(&json!({}))).await;

    let whole = json!({ "title": "Again", "content": "Rewritten.", "published": false, "rating": 1 });
    let fourth = story.tell("she replaces it", ann.put(&path).header("If-Match", third.etag()).json(&whole)).await;
    let half = json!({ "title": "Again" });
    story.tell("a replacement is whole", ann.put(&path).header("If-Match", fourth.etag()).json(&half)).await;
    story.tell("of this version", ann.put(&path).header("If-Match", third.etag()).json(&whole)).await;
    let last = story.tell("it is what she sent", ann.get(&path)).await;
    assert_eq!((fourth.etag(), &fourth.body), (last.etag(), &last.body));

    story.tell("she cannot delete what has changed since", ann.delete(&path).header("If-Match", third.etag())).await;
    story.tell("she deletes it", ann.delete(&path).header("If-Match", last.etag())).await;
    story.tell("it is gone", ann.get(&path)).await;
    story.tell("it cannot be deleted twice", ann.delete(&path).header("If-Match", last.etag())).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn a_draft_is_for_its_owner_and_admins() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let (ann, ben, root) = (world.log_in("ann").await, world.log_in("ben").await, world.log_in("root").await);
    let draft = json!({ "title": "A draft", "content": "Not yet.", "published": false, "rating": 3 });
    let created = story.tell("Ann writes a draft", ann.post("/api/v1/posts").json(&draft)).await;
    let path = format!("/api/v1/posts/{}", created.id());
    story.tell("Ben does not find it", ben.get(&path)).await;
    story.tell("nor in the list", ben.get("/api/v1/posts?with_total=true")).await;
    story.tell("nor among drafts", ben.get("/api/v1/posts?published=false&with_total=true")).await;
    story.tell("nor by search", ben.get("/api/v1/posts?search=draft&with_total=true")).await;
    story
        .tell(
            "he cannot vote for it",
            ben.post("/api/v1/vote").json(&json!({ "post_id": created.id(), "vote_dir": 1 })),
        )
        .await;
    story.tell("nor change it", ben.patch(&path).header("If-Match", "*").json(&json!({ "title": "Mine" }))).await;
    story.tell("nor replace it", ben.put(&path).header("If-Match", "*").json(&draft)).await;
    story.tell("nor delete it", ben.delete(&path).header("If-Match", "*")).await;
    story.tell("an admin sees it", root.get("/api/v1/posts?published=false&with_total=true")).await;
    story
        .tell(
            "Ann publishes it",
            ann.patch(&path).header("If-Match", created.etag()).json(&json!({ "published": true })),
        )
        .await;
    story.tell("now Ben reads it", ben.get(&path)).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn a_stranger_reads_but_does_not_change() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    let post = ann.writes("Hers").await;
    let path = format!("/api/v1/posts/{}", post.id());
    let whole = json!({ "title": "His", "content": "His.", "published": true, "rating": null });
    story.tell("Ben reads Ann's post", ben.get(&path)).await;
    story
        .tell("he may not change it", ben.patch(&path).header("If-Match", post.etag()).json(&json!({ "title": "His" })))
        .await;
    story.tell("nor replace it", ben.put(&path).header("If-Match", post.etag()).json(&whole)).await;
    story.tell("nor delete it", ben.delete(&path).header("If-Match", post.etag())).await;
    story.tell("a stale version makes no difference", ben.delete(&path).header("If-Match", "\"x\"")).await;
    story.tell("without a version he is asked for one", ben.delete(&path)).await;
    let after = ann.get(&path).await.expect(200);
    assert_eq!((post.etag(), &post.body), (after.etag(), &after.body));
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn an_admin_changes_what_others_wrote() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let (ann, root) = (world.log_in("ann").await, world.log_in("root").await);
    let post = ann.writes("Hers").await;
    let path = format!("/api/v1/posts/{}", post.id());
    let whole = json!({ "title": "Moderated", "content": "By an admin.", "published": true, "rating": null });
    let call = root.patch(&path).header("If-Match", post.etag()).json(&json!({ "title": "Edited" }));
    story.tell("an admin changes Ann's post; it stays hers", call).await;
    story.tell("and replaces it", root.put(&path).header("If-Match", "*").json(&whole)).await;
    story.tell("and deletes it", root.delete(&path).header("If-Match", "*")).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn only_the_present_strong_tag_allows_a_change() {
    let world = World::start(&ACCORD).await;
    let ann = world.log_in("ann").await;
    let post = ann.writes("A post").await;
    let (path, tag) = (format!("/api/v1/posts/{}", post.id()), post.etag());
    let bare = tag.trim_matches('"');
    let weak = format!("W/{tag}");
    let future = tag.replacen("\"1-", "\"2-", 1);
    for refused in [
        &weak,
        bare,
        "\"1\"",
        "\"\"",
        "\"x\"",
        "1",
        "",
        "null",
        &future,
        "\"0-0123456789abcdef\"",
        "\"99999999999999999999-0123456789abcdef\"",
    ] {
        let patch = ann.patch(&path).header("If-Match", refused).json(&json!({ "title": "Changed" }));
        patch.await.refused(412, "precondition_failed");
        ann.delete(&path).header("If-Match", refused).await.refused(412, "precondition_failed");
    }
    assert_eq!(ann.get(&path).await.body, post.body);
    let list = format!("\"x\", {weak}, {tag}");
    let changed = ann.patch(&path).header("If-Match", &list).json(&json!({ "title": "Changed" })).await.expect(200);
    assert_ne!(changed.etag(), tag);
    ann.patch(&path).header("If-Match", "*").json(&json!({ "title": "Changed again" })).await.expect(200);
}

#[tokio::test]
async fn a_current_copy_is_not_sent_again() {
    let world = World::start(&ACCORD).await;
    let ann = world.log_in("ann").await;
    let post = ann.writes("A post").await;
    let (path, tag) = (format!("/api/v1/posts/{}", post.id()), post.etag());
    for current in [tag.to_owned(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".into()] {
        let answer = ann.get(&path).header("If-None-Match", &current).await.expect(304);
        assert_eq!(answer.etag(), tag);
    }
    for other in ["\"x\"", "\"\"", tag.trim_matches('"')] {
        ann.get(&path).header("If-None-Match", other).await.expect(200);
    }
}

#[tokio::test]
async fn a_vote_makes_a_copy_old_but_is_no_new_version() {
    let world = World::start(&ACCORD).await;
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    let post = ann.writes("A post").await;
    let path = format!("/api/v1/posts/{}", post.id());
    ben.post("/api/v1/vote").json(&json!({ "post_id": post.id(), "vote_dir": 1 })).await.expect(201);
    let voted = ann.get(&path).header("If-None-Match", post.etag()).await.expect(200);
    assert_ne!(voted.etag(), post.etag());
    assert_eq!((&voted.body["votes"], &voted.body["updated_at"]), (&json!(1), &post.body["updated_at"]));
    // the writer has lost nothing, so the change goes through
    let changed =
        ann.patch(&path).header("If-Match", post.etag()).json(&json!({ "title": "Changed" })).await.expect(200);
    assert_eq!(changed.body["votes"], 1);
}

#[tokio::test]
async fn a_change_touches_only_the_fields_it_names() {
    let world = World::start(&ACCORD).await;
    let ann = world.log_in("ann").await;
    let full = json!({ "title": "Title", "content": "Content", "published": false, "rating": 4 });
    let post = ann.post("/api/v1/posts").json(&full).await.expect(201);
    let path = format!("/api/v1/posts/{}", post.id());
    for (field, value) in [
        ("title", json!("T")),
        ("content", json!("C")),
        ("published", json!(true)),
        ("rating", json!(null)),
        ("rating", json!(2)),
    ] {
        let before = ann.get(&path).await.expect(200);
        let after = ann.patch(&path).header("If-Match", before.etag()).json(&json!({ field: value })).await.expect(200);
        let mut expected = before.body.clone();
        expected[field] = value;
        expected["updated_at"] = after.body["updated_at"].clone();
        assert_eq!(after.body, expected);
        assert!(after.text("/updated_at") > before.text("/updated_at"));
    }
}

#[tokio::test]
async fn what_is_allowed_is_stored_as_it_was_sent() {
    let world = World::start(&ACCORD).await;
    let ann = world.log_in("ann").await;
    for (title, content, rating) in [
        ("x".into(), "y".into(), json!(1)),
        ("Ä".repeat(200), "🦀".repeat(20_000), json!(5)),
        (" % _ \\ ' \" ; -- ".into(), "two\nlines\tand \u{1b} \u{7f} \u{200b} \u{feff}".into(), json!(null)),
        ("مرحبا e\u{301} é".into(), "</script>{{7*7}}${x}%00%0a".into(), json!(3)),
    ] {
        let sent: Value = json!({ "title": title, "content": content, "published": true, "rating": rating });
        let created = ann.post("/api/v1/posts").json(&sent).await.expect(201);
        let read = ann.get(created.header("Location").unwrap()).await.expect(200);
        for field in ["title", "content", "published", "rating"] {
            assert_eq!(read.body[field], sent[field], "{field}");
        }
        let replaced =
            ann.put(created.header("Location").unwrap()).header("If-Match", read.etag()).json(&sent).await.expect(200);
        assert_eq!(replaced.body["content"], sent["content"]);
    }
}
