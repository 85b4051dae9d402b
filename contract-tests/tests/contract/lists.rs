//! Lists: pages, orders, filters, search.

use std::collections::BTreeMap;

use contract_tests::{ACCORD, Answer, Author, Person, Story, World};
use insta::assert_yaml_snapshot;
use serde_json::{Value, json};

fn ids(page: &Answer) -> Vec<i64> {
    page.body["items"].as_array().unwrap().iter().map(|post| post["id"].as_i64().unwrap()).collect()
}

async fn write(by: &Person, count: usize) {
    for number in 1..=count {
        by.writes(&format!("Post {number}")).await;
    }
}

/// All pages from the first to the last, each within its limit.
async fn walk(by: &Person, query: &str, limit: usize) -> Vec<i64> {
    let first = format!("/api/v1/posts?limit={limit}{query}");
    let (mut target, mut all) = (first.clone(), vec![]);
    loop {
        let page = by.get(&target).await.expect(200);
        let found = ids(&page);
        assert!(found.len() <= limit);
        all.extend(found);
        assert!(all.len() <= 100, "the walk does not end: {all:?}");
        let Some(next) = page.body["next"].as_str() else { return all };
        assert_eq!(ids(&page).len(), limit, "only the last page is short");
        target = format!("{first}&cursor={next}");
    }
}

#[tokio::test]
async fn a_page_says_what_is_on_it_and_what_is_next() {
    let (world, mut story) = (World::start(&ACCORD).await, Story::default());
    let ann = world.log_in("ann").await;
    story.tell("nothing was written yet", ann.get("/api/v1/posts")).await;
    story.tell("no post is counted", ann.get("/api/v1/posts?with_total=true")).await;
    write(&ann, 3).await;
    let page = story.tell("the newest two of three", ann.get("/api/v1/posts?limit=2&with_total=true")).await;
    let next = page.text("/next");
    story.tell("the rest", ann.get(format!("/api/v1/posts?limit=2&cursor={next}"))).await;
    let call = ann.get(format!("/api/v1/posts?limit=2&sort=created_at&cursor={next}"));
    story.tell("a cursor belongs to its order", call).await;
    story.tell("and is nothing one makes up", ann.get("/api/v1/posts?cursor=nonsense")).await;
    story.tell("leaving out one", ann.get("/api/v1/posts?skip=1&limit=1")).await;
    story.tell("leaving out all", ann.get("/api/v1/posts?skip=10000")).await;
    let call = ann.get("/api/v1/posts?limit=0&skip=-1&sort=title&published=maybe&owner_id=0&with_total=1&page=2");
    story.tell("every fault is named", call).await;
    assert_yaml_snapshot!(story);
}

#[tokio::test]
async fn a_walk_meets_each_post_once_in_every_order() {
    let world = World::start(&ACCORD).await;
    let (ann, ben) = (world.log_in("ann").await, world.log_in("ben").await);
    write(&ann, 26).await;
    for post_id in [3, 7, 8, 20] {
        ann.post("/api/v1/vote").json(&json!({ "post_id": post_id, "vote_dir": 1 })).await.expect(201);
    }
    ben.post("/api/v1/vote").json(&json!({ "post_id": 7, "vote_dir": 1 })).await.expect(201);

    let oldest: Vec<i64> = (1..=26).collect();
    let newest: Vec<i64> = oldest.iter().rev().copied().collect();
    let mut voted = vec![7, 20, 8, 3];
    voted.extend(newest.iter().filter(|id| ![3, 7, 8, 20].contains(*id)));
    for (sort, expected) in [("created_at", &oldest), ("-created_at", &newest), ("-votes", &voted)] {
        for limit in [1, 7, 13, 100] {
            assert_eq!(&walk(&ann, &format!("&sort={sort}"), limit).await, expected, "{sort} {limit}");
        }
    }
    assert_eq!(walk(&ann, "", 7).await, newest, "the newest come first unless asked otherwise");
    let page = ann.get("/api/v1/posts").await;
    assert_eq!((ids(&page).len(), &page.body["total"]), (20, &json!(null)));
    assert_eq!(ann.get("/api/v1/posts?with_total=true&limit=1").await.body["total"], 26);
    let single = ann.get(format!("/api/v1/posts/{}", newest[0])).await;
    assert_eq!(page.body["items"][0], single.body, "an item of a list is the post itself");
}

#[tokio::test]
async fn a_walk_goes_on_where_it_was_whatever_is_written_meanwhile() {
    let world = World::start(&ACCORD).await;
    let ann = world.log_in("ann").await;
    write(&ann, 9).await;
    let (mut target, mut seen) = ("/api/v1/posts?limit=3".to_owned(), vec![]);
    loop {
        let page = ann.get(&target).await.expect(200);
        seen.extend(ids(&page));
        assert!(seen.len() <= 9, "a post is met twice: {seen:?}");
        ann.writes("Written meanwhile").await;
        // the last one read is the cursor's own row
        let last = seen.last().unwrap();
        ann.delete(format!("/api/v1/posts/{last}")).header("If-Match", "*").await.expect(204);
        let Some(next) = page.body["next"].as_str() else { break };
        target = format!("/api/v1/posts?limit=3&cursor={next}");
    }
    assert_eq!(seen, [9, 8, 7, 6, 5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn a_filter_leaves_out_what_it_must() {
    let world = World::with_fixtures(&ACCORD, &["posts"]).await;
    let (ann, ben, root) = (world.log_in("ann").await, world.log_in("ben").await, world.log_in("root").await);
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for person in [&ann, &ben, &root] {
        for query in [
            "",
            "owner_id=1",
            "owner_id=2",
            "owner_id=99",
            "published=true",
            "published=false",
            "owner_id=2&published=false&search=DRAFT",
        ] {
            let page = person.get(format!("/api/v1/posts?with_total=true&{query}")).await.expect(200);
            let titles: Vec<String> = titles(&page);
            assert_eq!(page.body["total"], titles.len());
            found.insert(format!("{}: {query}", person.name), titles);
        }
    }
    assert_yaml_snapshot!(found);
}

fn titles(page: &Answer) -> Vec<String> {
    page.body["items"].as_array().unwrap().iter().map(|post| post["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_search_finds_the_text_and_nothing_else() {
    let world = World::start(&ACCORD).await;
    let ann = world.log_in("ann").await;
    for (title, content) in [
        ("Ärger im Büro", "Grüße aus Köln"),
        ("100% sure", "snake_case"),
        ("100 times sure", "snakeXcase"),
        ("back\\slash", "She said \"hello\" and 'bye'"),
        ("ΟΔΥΣΣΕΥΣ", "Ελλάδα МОСКВА"),
        ("日本語", "AND OR NOT NEAR * ( )"),
        ("ab", "the end\nof a line"),
    ] {
        ann.post("/api/v1/posts").json(&json!({ "title": title, "content": content })).await.expect(201);
    }
    let mut found: BTreeMap<&str, Value> = BTreeMap::new();
    for search in [
        "ärger",
        "ÄRGER",
        "arger",
        "ä",
        "büro",
        "GRÜSSE",
        "grüße",
        "100%",
        "%",
        "_",
        "snake_case",
        "snake",
        "SNAKE_",
        "\\",
        "k\\s",
        "\"hello\"",
        "\"",
        "'bye'",
        "ΟΔΥΣ",
        "οδυσσευς",
        "ελλάδα",
        "москва",
        "日本",
        "日本語",
        "本",
        "and or",
        "*",
        "( )",
        "ab",
        "b",
        "end\nof",
        "e",
        "im b",
        "zz",
        "nothing like it",
        " ",
    ] {
        let mut url = String::from("/api/v1/posts?with_total=true&sort=created_at&search=");
        search.bytes().for_each(|byte| url.push_str(&format!("%{byte:02X}")));
        let page = ann.get(url).await.expect(200);
        assert_eq!(page.body["total"], titles(&page).len(), "{search}");
        found.insert(search, json!(titles(&page)));
    }
    assert_yaml_snapshot!(found);
    assert_eq!(walk(&ann, "&search=sure&sort=created_at", 1).await, [2, 3], "a search has pages too");
}

#[tokio::test]
async fn a_search_follows_every_change() {
    let world = World::start(&ACCORD).await;
    let ann = world.log_in("ann").await;
    let post = ann.writes("Elephants").await;
    let path = format!("/api/v1/posts/{}", post.id());
    let finds = async |text: &str| ids(&ann.get(format!("/api/v1/posts?search={text}")).await).len();
    assert_eq!((finds("elephant").await, finds("giraffe").await), (1, 0));
    ann.patch(&path)
        .header("If-Match", "*")
        .json(&json!({ "title": "Giraffes", "content": "Tall." }))
        .await
        .expect(200);
    assert_eq!((finds("elephant").await, finds("giraffe").await), (0, 1));
    ann.delete(&path).header("If-Match", "*").await.expect(204);
    assert_eq!(finds("giraffe").await, 0);
}
