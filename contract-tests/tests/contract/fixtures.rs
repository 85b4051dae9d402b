//! Fixtures by the real binary: what a file says is there, all of it or nothing, and comes back out without its secrets.

use contract_tests::{ACCORD, Database, Ended, Mailbox, Person, World, command_line, command_line_with};
use insta::{assert_snapshot, assert_yaml_snapshot};
use serde_json::{Value, json};
use tempfile::TempDir;

const FAILED: i32 = 1;
const USAGE: i32 = 2;
const CONFIGURATION: i32 = 78;

/// Whoever loads and dumps: a database without rows of anybody, and a folder of files.
struct Bench {
    database: Database,
    folder: TempDir,
}

impl Bench {
    async fn new() -> Self {
        Self::with_fixtures(&[]).await
    }

    async fn with_fixtures(names: &[&str]) -> Self {
        Self { database: Database::with_fixtures(&ACCORD, names).await, folder: tempfile::tempdir().unwrap() }
    }

    /// Puts a file into the folder; answers its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// `accord fixtures …`, with the folder left out of what it says.
    async fn fixtures(&self, arguments: &[&str]) -> Ended {
        let arguments = [&["fixtures"], arguments].concat();
        self.told(command_line(&ACCORD, &arguments, &self.database.url(), "").await)
    }

    fn told(&self, ended: Ended) -> Ended {
        let folder = format!("{}/", self.folder.path().display());
        let [stdout, stderr] = [ended.stdout, ended.stderr].map(|text| text.replace(&folder, ""));
        Ended { stdout, stderr, ..ended }
    }

    /// The same, which must succeed; what it printed.
    async fn prints(&self, arguments: &[&str]) -> String {
        let ended = self.fixtures(arguments).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{arguments:?}");
        ended.stdout
    }

    /// Loads a text; what it printed.
    async fn loads(&self, text: &str) -> String {
        let path = self.file("my.yaml", text);
        self.prints(&["load", "--paths", &path]).await
    }

    /// How many rows the tables have that fixtures fill.
    async fn rows(&self) -> i64 {
        let mut rows = 0;
        for table in ["users", "groups", "memberships", "permissions", "grants", "posts", "votes", "post_statistics"] {
            rows += self.database.count(table).await;
        }
        rows
    }

    /// A server on it.
    async fn serve(self) -> World {
        let url = self.database.url();
        World::on(self.database, &url, &[]).await
    }
}

/// Logs somebody in who is none of the people of the tests.
async fn log_in(world: &World, email: &str, password: &str) -> Person {
    let credentials = json!({ "email": email, "password": password });
    let answer = world.nobody().post("/api/v1/authenticate").json(&credentials).await.expect(200);
    world.nobody().named(email).with_token(answer.text("/token"))
}

#[tokio::test]
async fn the_initial_fixtures_load_once() {
    let bench = Bench::new().await;
    let before = bench.rows().await;
    assert_eq!(bench.prints(&["load"]).await, "loaded 8 objects\n");
    let after = bench.rows().await;
    assert_eq!(after, before + 8);
    assert_eq!(bench.prints(&["load"]).await, "0 new, 8 unchanged\n");
    assert_eq!(bench.prints(&[]).await, "0 new, 8 unchanged\n");
    assert_eq!(bench.rows().await, after);
    let world = bench.serve().await;
    let ann = log_in(&world, "ann@example.com", "correct horse battery").await;
    assert_eq!(ann.get("/api/v1/posts?with_total=true").await.expect(200).body["total"], 3);
}

#[tokio::test]
async fn a_test_names_its_fixtures_and_has_them_for_itself() {
    let worlds =
        [World::with_fixtures(&ACCORD, &["posts"]).await, World::with_fixtures(&ACCORD, &["posts.yaml"]).await];
    let mut told = vec![];
    for world in &worlds {
        let ann = world.log_in("ann").await;
        let posts = ann.get("/api/v1/posts?sort=created_at").await.expect(200);
        let post = |post: &Value| json!([post["title"], post["owner"]["name"], post["published"], post["votes"]]);
        told.push(posts.body["items"].as_array().unwrap().iter().map(post).collect::<Vec<_>>());
        ann.delete("/api/v1/posts/1").header("If-Match", "*").await.expect(204);
    }
    assert_eq!(told[0], told[1]);
    assert_yaml_snapshot!(told[0]);
    assert_eq!(
        World::start(&ACCORD).await.log_in("ann").await.get("/api/v1/posts").await.expect(200).body["items"],
        json!([])
    );
}

#[tokio::test]
async fn what_the_file_says_is_what_is_stored() {
    let world = World::with_fixtures(&ACCORD, &["posts"]).await;
    let post = world.log_in("ben").await.get("/api/v1/posts/1").await.expect(200);
    assert_snapshot!(format!("{:?}", post.text("/content")));
    assert_eq!((&post.body["rating"], &post.body["votes"]), (&json!(5), &json!(2)));
    let statistics = world.log_in("ann").await.get("/api/v1/posts/1/statistics").await.expect(200);
    assert_eq!(statistics.body, json!({ "view_number": 43, "shared_number": 7, "votes": 2 }));
}

#[tokio::test]
async fn passwords_are_hashed_and_roles_and_statuses_kept() {
    let world = World::start(&ACCORD).await;
    assert_eq!(world.database.count("users WHERE password_hash LIKE '$argon2id$%'").await, 5);
    let root = world.log_in("root").await;
    let users = root.get("/api/v1/users").await.expect(200);
    let of = |user: &Value| format!("{} {} {}", user["email"], user["role"], user["status"]).replace('"', "");
    let users: Vec<_> = users.body["items"].as_array().unwrap().iter().map(of).collect();
    assert_yaml_snapshot!(users);
    let disabled = json!({ "email": "dan@example.com", "password": "the password of dan" });
    world.nobody().post("/api/v1/authenticate").json(&disabled).await.refused(403, "account_disabled");
}

#[tokio::test]
async fn what_a_fixture_grants_counts() {
    let world = World::with_fixtures(&ACCORD, &["editors"]).await;
    let (ben, sam, root) = (world.log_in("ben").await, world.log_in("sam").await, world.log_in("root").await);
    let change = json!({ "title": "Hello, edited" });
    ben.patch("/api/v1/posts/1").header("If-Match", "*").json(&change).await.expect(200);
    sam.patch("/api/v1/posts/1").header("If-Match", "*").json(&change).await.refused(403, "forbidden");
    sam.get("/api/v1/posts/1/statistics").await.expect(200);
    sam.get("/api/v1/posts/3/statistics").await.refused(403, "forbidden");
    let own = root.get("/api/v1/permissions/can_pin_post").await.expect(200);
    assert_eq!((&own.body["target"], &own.body["required"]), (&json!("posts"), &json!(false)));
}

#[tokio::test]
async fn neither_order_nor_alternation_nor_documents_lose_a_row() {
    let bench = Bench::new().await;
    let before = bench.rows().await;
    let mut text = String::new();
    for number in 1..=20 {
        // each before what it refers to, the models by turns, every five in a document of their own
        text += &format!(
            "\
- model: votes.Vote
  properties: {{ post: Post {number}, user: user{number}@example.com }}
- model: posts.Post
  properties: {{ owner: user{}@example.com, title: Post {number}, content: Text. }}
- model: users.User
  properties: {{ email: user{number}@example.com }}
{}",
            21 - number,
            if number % 5 == 0 { "---\n" } else { "" },
        );
    }
    assert_eq!(bench.loads(&text).await, "loaded 60 objects\n");
    assert_eq!(bench.rows().await, before + 60);
    assert_eq!(bench.loads(&text).await, "0 new, 60 unchanged\n");
    assert_eq!(bench.rows().await, before + 60);
}

#[tokio::test]
async fn one_fault_anywhere_and_nothing_is_loaded() {
    let bench = Bench::with_fixtures(&["posts"]).await;
    let before = bench.rows().await;
    let fine = bench.file("fine.yaml", "- model: users.User\n  properties: { email: eve@example.com }\n");
    let mut told = String::new();
    for (name, text) in [
        ("model", "- model: users.Usr\n  properties: {}\n"),
        ("property", "- model: posts.Post\n  properties:\n    ownr: eve@example.com\n    title: a\n    content: b\n"),
        ("limit", "- model: groups.Group\n  properties: { name: '' }\n"),
        ("hash", "- model: users.User\n  properties: { email: a@example.com, password: $argon2id$v=19$m=1$x }\n"),
        ("role", "- model: users.User\n  properties: { email: a@example.com, role: king }\n"),
        ("reference", "- model: votes.Vote\n  properties: { post: Helo, user: eve@example.com }\n"),
        ("two", "- model: votes.Vote\n  properties: { post: Helo, user: evee@example.com }\n- 5\n"),
        ("twice", "- model: users.User\n  properties: { email: eve@example.com, name: Another }\n"),
        (
            "rule",
            "- model: grants.Grant\n  properties: { user: eve@example.com, permission: can_invite, object: Hello }\n",
        ),
        ("yaml", "- model: [users.User\n"),
        ("need", "needs: [psots]\n"),
    ] {
        let group = "- model: groups.Group\n  properties: { name: Editors }\n---\n";
        let file = bench.file(&format!("{name}.yaml"), &format!("# {name}\n{group}{text}"));
        let ended = bench.fixtures(&["load", "people", "--paths", &fine, &file]).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (FAILED, ""), "{name}: {}", ended.stderr);
        assert_eq!(bench.rows().await, before, "{name}");
        told += &ended.stderr;
    }
    assert_snapshot!(told);
}

#[tokio::test]
async fn what_a_rule_refuses_at_the_end_takes_back_what_was_written() {
    let bench = Bench::new().await;
    let before = bench.rows().await;
    let arguments = ["fixtures", "load", "posts"];
    let ended = command_line_with(&ACCORD, &arguments, &bench.database.url(), &[("ACCORD_FROZEN", "votes")]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (FAILED, ""));
    assert_snapshot!(ended.stderr);
    assert_eq!(bench.rows().await, before);
}

#[tokio::test]
async fn names_and_files_that_are_not_there_are_told() {
    let bench = Bench::new().await;
    let mut told = String::new();
    for (arguments, code) in [
        (vec!["load", "peple"], FAILED),
        (vec!["check", "peple"], FAILED),
        (vec!["load", "--paths", "nowhere.yaml"], FAILED),
        (vec!["dump", "posts.Pots"], USAGE),
        (vec!["laod"], USAGE),
    ] {
        let ended = bench.fixtures(&arguments).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{arguments:?}: {}", ended.stderr);
        told += ended.stderr.lines().next().unwrap();
        told += "\n";
    }
    assert_snapshot!(told);
}

#[tokio::test]
async fn what_is_built_in_is_listed_and_checked_without_a_database() {
    let nowhere = "sqlite:nowhere/accord.db";
    let listed = command_line(&ACCORD, &["fixtures", "list"], nowhere, "").await;
    assert_eq!((listed.code, listed.stderr.as_str()), (0, ""));
    assert_snapshot!(listed.stdout);
    let checked = command_line(&ACCORD, &["fixtures", "check"], nowhere, "").await;
    assert_eq!((checked.code, checked.stderr.as_str()), (0, ""));
    assert_snapshot!(checked.stdout, @"checked 4 fixtures with 43 objects");
    let bench = Bench::new().await;
    let before = bench.rows().await;
    let path = bench.file("my.yaml", "- model: votes.Vote\n  properties: { post: Hello, user: ann@example.com }\n");
    let other = bench.file("other.yaml", "needs: [my]\n---\n- model: users.Usr\n  properties: {}\n");
    let own = bench.file("own.yaml", "needs: [my]\n");
    let ended = bench.fixtures(&["check", "people", "--paths", &path, &other, &own]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (FAILED, ""));
    assert_snapshot!(ended.stderr, @r"
    accord: nothing was loaded
      my.yaml, document 1, line 2: `post` refers to no posts.Post: there is no `Hello`
      other.yaml, document 2, line 3: there is no model `users.Usr`; did you mean `users.User`?
    ");
    assert_eq!(bench.prints(&["check", "posts"]).await, "checked 1 fixtures with 12 objects\n");
    assert_eq!(bench.rows().await, before);
}

#[tokio::test]
async fn known_passwords_stay_out_of_production() {
    let bench = Bench::new().await;
    let (before, url) = (bench.rows().await, bench.database.url());
    let prod = [("ACCORD_ENV", "prod"), ("ACCORD_PASSWORD_MEMORY", "19456")];
    for names in [vec![], vec!["people"], vec!["posts"]] {
        let arguments = [vec!["fixtures", "load"], names].concat();
        let ended = command_line_with(&ACCORD, &arguments, &url, &prod).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (CONFIGURATION, ""), "{arguments:?}");
        assert!(ended.stderr.contains("known passwords") && ended.stderr.contains("--paths"), "{}", ended.stderr);
    }
    assert_eq!(bench.rows().await, before);
    let own = bench.file("own.yaml", "- model: users.User\n  properties: { email: op@example.com, role: admin }\n");
    let ended = command_line_with(&ACCORD, &["fixtures", "load", "--paths", &own], &url, &prod).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "loaded 1 objects\n"), "{}", ended.stderr);
}

#[tokio::test]
async fn an_account_without_a_password_gets_one_by_a_letter_only() {
    let bench = Bench::new().await;
    bench.loads("- model: users.User\n  properties: { email: Eve@example.com }\n").await;
    let mailbox = Mailbox::empty();
    let url = bench.database.url();
    let settings = [("ACCORD_MAIL_URL", mailbox.url()), ("ACCORD_TASK_WORKERS", "1")];
    let world = World::on(bench.database, &url, &settings).await;
    for password in ["", "null", "~", "password"] {
        let credentials = json!({ "email": "eve@example.com", "password": password });
        let answer = world.nobody().post("/api/v1/authenticate").json(&credentials).await;
        assert!([400, 401].contains(&answer.status), "{password}: {}", answer.body);
    }
    world.nobody().post("/api/v1/password-reset").json(&json!({ "email": "eve@example.com" })).await.expect(202);
    let code = mailbox.code("eve@example.com", "Reset your password", 1).await;
    let reset = json!({ "code": code, "password": "the password of eve" });
    world.nobody().post("/api/v1/password-reset/confirm").json(&reset).await.expect(204);
    log_in(&world, "eve@example.com", "the password of eve").await;
}

#[tokio::test]
async fn a_dump_makes_the_same_database_again_and_tells_no_secret() {
    let bench = Bench::with_fixtures(&["editors"]).await;
    let world = bench.serve().await;
    let (ann, ben, root) = (world.log_in("ann").await, world.log_in("ben").await, world.log_in("root").await);
    for content in ["- no list\n\n  but: text\n", "  leading\ttab", "null", "two\r\nlines \\ \" '", "\u{2028}Grüße 😀"]
    {
        let post = json!({ "title": "Alike", "content": content, "published": false });
        ann.post("/api/v1/posts").json(&post).await.expect(201);
    }
    ben.post("/api/v1/vote").json(&json!({ "post_id": 3, "vote_dir": 1 })).await.expect(201);
    let grant = json!({ "user_id": 1, "permission": "can_edit_post", "object_id": 6 });
    root.post("/api/v1/grants").json(&grant).await.expect(201);
    let secret = root.post("/api/v1/webhooks").json(&json!({ "url": "https://example.com/hooks?key=hidden" })).await;
    root.post("/api/v1/invited-guests").json(&json!({ "email": "gil@example.com" })).await.expect(201);
    let carl = json!({ "email": "carl@example.com", "password": "the password of carl" });
    let session = world.nobody().post("/api/v1/user").json(&carl).await.expect(201);
    // whose posts stay without an owner
    ben.delete("/api/v1/user").await.expect(204);

    let bench = Bench { database: world.database, folder: tempfile::tempdir().unwrap() };
    let dump = bench.prints(&["dump"]).await;
    let secrets =
        ["$argon2", "password of", "whsec_", "hidden", "gil@", secret.text("/secret"), session.text("/token")];
    for secret in secrets.iter().chain(&[session.text("/refresh_token")]) {
        assert!(!dump.contains(secret), "{secret} is in\n{dump}");
    }
    assert!(!dump.lines().any(|line| line.contains("password") && !line.starts_with('#')), "{dump}");
    assert_snapshot!(dump);

    let copy = Bench::new().await;
    copy.loads(&dump).await;
    assert_eq!(copy.prints(&["dump"]).await, dump);
    let before = copy.rows().await;
    assert!(copy.loads(&dump).await.starts_with("0 new, "));
    assert_eq!(copy.rows().await, before);

    let path = bench.folder.path().join("out.yaml").display().to_string();
    assert_eq!(bench.prints(&["dump", "groups.Group", "--out", &path]).await, "wrote 1 objects to out.yaml\n");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("name: Editors") && !text.contains("ann@example.com"), "{text}");
}
