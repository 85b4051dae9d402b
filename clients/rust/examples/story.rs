//! The life of a post, told with the generated client: `cargo run --example story http://127.0.0.1:3000`

use accord_client::types::{Code, PostUpdateRating, Problem, ProblemCode};
use accord_client::{Client, Error, ResponseValue};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).expect("usage: story URL");
    let (email, password) = ("story-rust@example.com", "correct horse battery");

    let anyone = Client::new(&url);
    let registered = anyone.register_user().body_map(|user| user.email(email).password(password)).send().await?;
    println!("register");

    let session = anyone.authenticate().body_map(|body| body.email(email).password(password)).send().await?;
    assert_eq!(session.id, registered.id);
    let ann = Client::with_token(&url, &session.token)?;
    println!("log in");

    let post = ann.create_post().body_map(|post| post.title("Hello").content("From Rust.")).send().await?;
    for number in 2..=3 {
        ann.create_post().body_map(|post| post.title(format!("Number {number}")).content("…").rating(5)).send().await?;
    }
    println!("create");

    // a page names the next one: its `next` is our `cursor`
    let first = ann.list_posts().owner_id(session.id).limit(2).send().await?;
    let next = first.next.clone().expect("three posts are more than a page of two");
    let second = ann.list_posts().owner_id(session.id).limit(2).cursor(next).send().await?;
    assert_eq!((first.items.len(), second.items.len(), &second.next), (2, 1, &None));
    assert_eq!(second.items[0].id, post.id, "the newest come first");
    println!("list to the second page");

    // the ETag names the version that was read: the change is made in that version or not at all
    let etag = etag_of(&post);
    let change = ann.update_post().id(post.id).if_match(&etag).body_map(|post| post.title("Hello again".to_owned()));
    let changed = change.send().await?;
    assert_eq!((changed.id, changed.title.as_str()), (post.id, "Hello again"));
    println!("update with the etag");

    let late = ann.update_post().id(post.id).if_match(&etag).body_map(|post| post.title("Too late".to_owned()));
    let refused = late.send().await;
    assert!(matches!(&refused, Err(Error::ErrorResponse(problem)) if problem.code == Code::PreconditionFailed));
    println!("be refused with the old etag");

    let current = etag_of(&changed);
    let read = ann.get_post().id(post.id).if_none_match(&current).send().await;
    assert!(matches!(&read, Err(Error::UnexpectedResponse(answer)) if answer.status() == 304));
    println!("learn that nothing has changed");

    // a field that is left out stays as it is; null is another word
    let rated = &first.items[0];
    let change = ann.update_post().id(rated.id).if_match("*").body_map(|post| post.rating(PostUpdateRating(None)));
    let changed = change.send().await?;
    assert_eq!((rated.rating, changed.rating, &changed.title), (Some(5), None, &rated.title));
    println!("remove the rating with null");

    // `cargo xtask clients` loses the first answer to this request; the retry has the same Idempotency-Key
    let once = ann.create_post().body_map(|post| post.title("Lost answer").content("Created once.")).send().await?;
    let found = ann.list_posts().owner_id(session.id).search(&once.title).send().await?;
    assert_eq!(found.items.iter().map(|post| post.id).collect::<Vec<_>>(), [once.id]);
    ann.delete_post().id(once.id).if_match("*").send().await?;
    println!("create once though the answer is lost");

    let untitled = ann.create_post().body_map(|post| post.title("").content("No title.")).send().await;
    let Err(Error::ErrorResponse(problem)) = untitled else { panic!("a post without a title was taken") };
    assert!(problem.code == Code::Invalid);
    assert_eq!(problem.errors[0].pointer.as_deref(), Some("/title"));
    println!("be told which field is at fault");

    let mut newer = serde_json::to_value(&*problem)?;
    newer["code"] = "of_tomorrow".into();
    let problem: Problem = serde_json::from_value(newer)?;
    assert!(matches!(problem.code, ProblemCode::Other(word) if word == "of_tomorrow"));
    println!("read a code of a newer server");

    for item in first.items.iter().chain(&second.items) {
        ann.delete_post().id(item.id).if_match("*").send().await?;
    }
    let gone = ann.get_post().id(post.id).send().await;
    assert!(matches!(&gone, Err(Error::ErrorResponse(problem)) if problem.code == Code::NotFound));
    ann.delete_user().send().await?;
    println!("delete");
    Ok(())
}

fn etag_of<T>(answer: &ResponseValue<T>) -> String {
    let etag = answer.headers().get("ETag").expect("posts carry an ETag");
    etag.to_str().expect("an ETag is ASCII").to_owned()
}
