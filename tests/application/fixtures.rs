//! Fixtures: what is loaded, dumped and refused.

use std::path::Path;

use tempfile::TempDir;

use accord_foundation::auth::password::Passwords;
use accord_foundation::config::Config;
use accord_foundation::db::Db;
use accord_foundation::db::migrate::{self, Direction, Target};
use accord_foundation::fixtures::{
    Counts, FixtureError, Set, Source, built_in, dump, initial, load, load_initial, named,
};
use accord_foundation::resources::hooks::hooks;

/// An empty database, and whoever hashes.
struct Bench {
    db: Db,
    passwords: Passwords,
    folder: TempDir,
}

impl Bench {
    async fn new() -> Self {
        accord::install();
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::load(None).expect("the defaults");
        config.passwords.password_memory = 64;
        config.database.database_url = format!("sqlite:{}", folder.path().join("t.db").display());
        migrate::run_built_in(&config.database.database_url, Direction::Up, Target::Head).await.expect("migrates");
        let db =
            Db::connect(&config.database.connection(), hooks(&config).expect("the defaults")).await.expect("connects");
        Self { db, passwords: Passwords::of(&config), folder }
    }

    fn write(&self, name: &str, text: &str) -> Source {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("writes");
        Source::Path(path)
    }

    async fn load(&self, sources: Vec<Source>) -> Result<Counts, FixtureError> {
        load(&self.db, &self.passwords, Set::of(sources)?).await
    }

    /// Loads a text; a failure as it is told, without the folder.
    async fn load_text(&self, text: &str) -> Result<Counts, String> {
        let told = |error: FixtureError| error.to_string().replace(&format!("{}/", self.folder.path().display()), "");
        self.load(vec![self.write("my.yaml", text)]).await.map_err(told)
    }

    async fn dump(&self) -> String {
        dump::dump(&mut self.db.read().await.expect("reads"), &[]).await.expect("dumps").0
    }
}

fn new(new: usize) -> Counts {
    Counts { new, unchanged: 0 }
}

#[test]
fn the_list_is_the_folder_in_its_order() {
    accord::install();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let entries =
        std::fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("reads").file_name());
    let mut names: Vec<_> = entries.map(|name| name.to_string_lossy().replace(".yaml", "")).collect();
    names.sort();
    assert_eq!(built_in().iter().map(|built_in| built_in.name).collect::<Vec<_>>(), names);
}

#[test]
fn a_name_without_a_file_is_told_with_the_nearest() {
    accord::install();
    assert!(named(initial()).is_ok());
    let error = named(["dmo"]).err().expect("there is none").to_string();
    assert_eq!(error, "there are no fixtures `dmo`; did you mean `demo`?");
    let of = |name| named([name]).expect("is there")[0].to_string();
    assert_eq!(of("posts"), of("posts.yaml"));
}

#[tokio::test]
async fn the_initial_fixtures_load_once() {
    let bench = Bench::new().await;
    let first = load_initial(&bench.db, &bench.passwords).await.expect("loads").expect("the database was empty");
    assert!(first.new > 5 && first.unchanged == 0, "{first:?}");
    assert_eq!(load_initial(&bench.db, &bench.passwords).await.expect("looks"), None);
    let again = bench.load(named(initial()).expect("are there")).await.expect("loads again");
    assert_eq!(again, Counts { new: 0, unchanged: first.new });
}

#[test]
fn everything_that_is_wrong_with_a_file_is_told_by_its_line() {
    accord::install();
    let text = "\
- model: users.User
  properties: { email: eve@example.com, password: long enough words, role: king, nmae: Eve }
- model: users.Usr
  properties: {}
- model: users.User
  properties:
    email: nope
    password: short
- model: users.User
  properties: { email: a@example.com, password: Password1 }
- model: users.User
  properties: { email: a@example.com, password: $argon2id$v=19$x, password_hash: x }
---
- modle: users.User
  properties: {}
- model: users.User
  properties: []
- properties: {}
- just text
---
- model: votes.Vote
  properties:
    user: ann@example.com
    post: { ownr: x, title: 5 }
- model: posts.Post
  properties:
    owner: ann@example.com
    title:
    content: x
    rating: 9
---
foo: 1
---
text
---
- model: users.User
  properties: { email: a@example.com, email: b@example.com }
";
    let bench = tempfile::tempdir().expect("a folder");
    let path = bench.path().join("my.yaml");
    std::fs::write(&path, text).expect("writes");
    let told = Set::of(vec![Source::Path(path)]).expect_err("is wrong").to_string();
    insta::assert_snapshot!(told.replace(&format!("{}/", bench.path().display()), ""));
}

#[tokio::test]
async fn references_that_lead_nowhere_are_told_together_and_nothing_is_loaded() {
    let bench = Bench::new().await;
    bench.load(named(["posts"]).expect("is there")).await.expect("loads");
    let twin = "- model: posts.Post\n  properties: { owner: ben@example.com, title: Hello, content: Another of this title. }\n";
    let vote = "- model: votes.Vote\n  properties: { post: Hello, user: dan@example.com }\n";
    // of the posts of this title that which the file itself describes
    assert_eq!(bench.load_text(&format!("{vote}{twin}")).await, Ok(new(2)));
    assert_eq!(bench.load_text(&format!("{vote}{twin}")).await, Ok(Counts { new: 0, unchanged: 2 }));
    let before = bench.dump().await;
    let text = "\
- model: users.User
  properties: { email: new@example.com }
- model: posts.Post
  properties: { owner: an@example.com, title: Alpha, content: b }
- model: votes.Vote
  properties: { post: Helo, user: ann@example.com }
- model: votes.Vote
  properties: { post: { owner: sam@example.com, title: Hello }, user: ann@example.com }
- model: groups.Membership
  properties: { group: Editors, user: ann@example.com }
- model: votes.Vote
  properties: { post: Hello, user: dan@example.com }
- model: posts.Post
  properties: { owner: new@example.com, title: Twin, content: b, nth: 3 }
- model: users.User
  properties: { email: z@example.com, name: One }
- model: users.User
  properties: { email: z@example.com, name: Two }
- model: grants.Grant
  properties: { user: z@example.com, permission: can_edit_posts }
- model: grants.Grant
  properties: { user: z@example.com, permission: can_invite, object: Hello }
- model: grants.Grant
  properties: { permission: can_invite }
- model: grants.Grant
  properties: { user: z@example.com, group: Editors, permission: can_invite }
";
    insta::assert_snapshot!(bench.load_text(text).await.expect_err("is refused"));
    assert_eq!(bench.dump().await, before);
}

#[tokio::test]
async fn what_a_rule_refuses_is_told_by_its_place() {
    let bench = Bench::new().await;
    let fine = "- model: groups.Group\n  properties: { name: Editors }\n";
    let target =
        "- model: permissions.Permission\n  properties: { name: can_pin_post, target: posts, description: x }\n";
    assert_eq!(bench.load_text(&format!("{target}---\n{target}")).await, Ok(Counts { new: 1, unchanged: 1 }));
    let settings = bench.folder.path().join("frozen.toml");
    std::fs::write(&settings, "frozen = \"groups\"\n").expect("writes");
    let mut config = Config::load(Some(&settings)).expect("fits");
    config.database.database_url = format!("sqlite:{}", bench.folder.path().join("t.db").display());
    let frozen = Db::connect(&config.database.connection(), hooks(&config).expect("a table")).await.expect("connects");
    let bench = Bench { db: frozen, ..bench };
    insta::assert_snapshot!(bench.load_text(fine).await.expect_err("is refused"), @r"
    nothing was loaded
      my.yaml, document 1, line 1: The server does not change groups for now; try again later.
    ");
}

#[tokio::test]
async fn neither_order_nor_alternation_nor_documents_lose_a_row() {
    let bench = Bench::new().await;
    // each before what it refers to, the models by turns, over several documents
    let text = "\
- model: grants.Grant
  properties: { group: Editors, permission: can_pin_post, object: Second }
- model: votes.Vote
  properties: { user: a@example.com, post: { owner: a@example.com, title: First, nth: 2 } }
---
- model: statistics.PostStatistics
  properties: { post: Second, view_number: 3 }
- model: posts.Post
  properties: { owner: a@example.com, title: First, content: One. }
- model: users.User
  properties: { email: B@example.com }
- model: posts.Post
  properties: { owner: a@example.com, title: First, content: Two., nth: 2 }
---
# nothing but a comment
---
- model: groups.Membership
  properties: { group: Editors, user: b@example.com }
- model: permissions.Permission
  properties: { name: can_pin_post, target: posts, description: Pin }
- model: groups.Group
  properties: { name: Editors }
---
- model: users.User
  properties: { email: a@example.com }
- model: posts.Post
  properties: { owner: null, title: Second, content: Nobody's., published: false }
";
    assert_eq!(bench.load_text(text).await, Ok(new(11)));
    assert_eq!(bench.load_text(text).await, Ok(Counts { new: 0, unchanged: 11 }));
    let dump = bench.dump().await;
    let empty = Bench::new().await;
    // the permissions that the server asks for are there by the migrations, however many these are
    let unchanged = empty.dump().await.matches("permissions.Permission").count();
    assert_eq!(empty.load_text(&dump).await, Ok(Counts { new: 11, unchanged }));
    assert_eq!(empty.dump().await, dump);
    let catalogue = dump.find("---\n- model: permissions.Permission").expect("it is dumped");
    let posts = dump.find("---\n- model: posts.Post").expect("they are dumped");
    insta::assert_snapshot!(format!("{}{}", &dump[..catalogue], &dump[posts..]));
}

#[tokio::test]
async fn what_is_needed_is_loaded_before_and_once() {
    let bench = Bench::new().await;
    bench.write("people.yaml", "- model: users.User\n  properties: { email: own@example.com }\n");
    bench.write("both.yaml", "needs: [people, people.yaml]\n");
    let post = "- model: posts.Post\n  properties: { owner: own@example.com, title: x, content: y }\n";
    let count = bench.load_text(&format!("{post}---\nneeds: [both]\n---\nneeds: [people]\n")).await;
    // the file beside it, not what is built in under this name
    assert_eq!(count, Ok(new(2)));
    assert_eq!(bench.load_text("needs: [posts]").await, Ok(new(12)), "what is built in needs what is built in");
}

#[tokio::test]
async fn needs_that_go_in_a_circle_or_nowhere_are_told() {
    let bench = Bench::new().await;
    bench.write("other.yaml", "needs: [my]\n---\nneeds: [peple]\n---\nneeds: 5\n");
    let told = bench.load_text("# a comment\nneeds:\n  - other\n").await.expect_err("is refused");
    insta::assert_snapshot!(told, @r"
    nothing was loaded
      other.yaml, document 1, line 1: needs go round in a circle: my.yaml needs other.yaml needs my.yaml
      other.yaml, document 2, line 3: there is no file `peple` beside it, and there are no fixtures `peple`; did you mean `people`?
      other.yaml, document 3, line 5: beside lists of objects a document may only be `needs: [NAME, …]`
    ");
}
