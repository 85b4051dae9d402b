//! At most one vote of a user for a post.

use contract_tests::{ACCORD, Author, Story, World};
use insta::assert_yaml_snapshot;
use serde_json::json;

#[tokio::test]
async fn a_vote_is_given_once_and_taken_back_once() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    let post_id = ann.writes("A post").await.id();
    let (up, down) = (json!({ "post_id": post_id, "vote_dir": 1 }), json!({ "post_id": post_id, "vote_dir": 0 }));
    story.tell("there is nothing to take back", ben.post("/api/v1/vote").json(&down)).await;
    story.tell("Ben votes", ben.post("/api/v1/vote").json(&up)).await;
    story.tell("once", ben.post("/api/v1/vote").json(&up)).await;
    story.tell("Ann votes for her own post", ann.post("/api/v1/vote").json(&up)).await;
    story.tell("the post has two", ann.get(format!("/api/v1/posts/{post_id}"))).await;
    story.tell("Ben takes his back", ben.post("/api/v1/vote").json(&down)).await;
    story.tell("once", ben.post("/api/v1/vote").json(&down)).await;
    story.tell("the post has one", ann.get(format!("/api/v1/posts/{post_id}"))).await;
    let nowhere = json!({ "post_id": 99, "vote_dir": 1 });
    story.tell("there is no such post", ann.post("/api/v1/vote").json(&nowhere)).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn a_deleted_post_takes_its_votes_along() {
    let world = World::start(&ACCORD).await;
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    let post_id = ann.writes("A post").await.id();
    let up = json!({ "post_id": post_id, "vote_dir": 1 });
    ben.post("/api/v1/vote").json(&up).await.expect(201);
    ann.delete(format!("/api/v1/posts/{post_id}")).header("If-Match", "*").await.expect(204);
    ben.post("/api/v1/vote").json(&up).await.refused(404, "not_found");
    // an id is never given twice, so an old vote can never count for a new post
    assert_ne!(ann.writes("Another").await.id(), post_id);
}
