//! Fixtures: YAML documents of `- model: users.User` with `properties:`, loaded in one transaction.
//!
//! Rows are known by natural keys (an address; owner and title), so loading twice changes nothing.

use serde::Deserialize;
use serde_json::Value;

use crate::auth::password::{NewPassword, Passwords};
use crate::auth::{Email, Role, Status};
use crate::db::signals::{self, Actor};
use crate::db::{Conn, Db};
use crate::error::FieldError;
use crate::resources::posts::model::{PostCreate, Sort, StoredPost};
use crate::resources::posts::rules::Reader;
use crate::resources::posts::store as posts;
use crate::resources::users::{self as accounts, store as users};
use crate::resources::votes::store::StoredVote;

/// What `cargo run` loads into an empty database.
pub const DEMO: &str = include_str!("../fixtures/demo.yaml");

/// How many objects a file had.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Inserted.
    pub new: usize,
    /// There already, left as they are.
    pub unchanged: usize,
}

/// What is wrong with which object of which file. Nothing of the file was loaded.
#[derive(Debug, thiserror::Error)]
#[error("{file}, document {document}, object {object}: {what}")]
pub struct FixtureError {
    file: String,
    document: usize,
    object: usize,
    what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    model: String,
    properties: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    email: String,
    password: String,
    name: Option<String>,
    role: String,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Post {
    owner: String,
    title: String,
    content: String,
    #[serde(default = "yes")]
    published: bool,
    rating: Option<i64>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vote {
    user: String,
    post: String,
}

/// Loads the demo data if there is no account yet.
///
/// # Errors
/// As [`load`].
pub async fn load_demo(db: &Db, passwords: &Passwords) -> Result<Option<Loaded>, FixtureError> {
    let empty = async { users::is_empty(&mut db.read().await?).await };
    let empty = empty.await.map_err(|error| at("fixtures/demo.yaml", 0, 0, error))?;
    if empty { load(db, passwords, "fixtures/demo.yaml", DEMO).await.map(Some) } else { Ok(None) }
}

/// Loads every document of a file, in order, in one transaction.
///
/// # Errors
/// The first object at fault, by file, document and position.
pub async fn load(db: &Db, passwords: &Passwords, file: &str, text: &str) -> Result<Loaded, FixtureError> {
    let mut loaded = Loaded::default();
    let mut tx = db.begin().await.map_err(|error| at(file, 0, 0, error))?;
    for (document, yaml) in yaml_serde::Deserializer::from_str(text).enumerate() {
        let objects = Option::<Vec<Object>>::deserialize(yaml).map_err(|error| at(file, document + 1, 0, error))?;
        for (object, Object { model, properties }) in objects.unwrap_or_default().into_iter().enumerate() {
            let new = match model.as_str() {
                "users.User" => user(&mut tx, passwords, properties).await,
                "posts.Post" => post(&mut tx, properties).await,
                "votes.Vote" => vote(&mut tx, properties).await,
                other => Err(format!("there is no model `{other}`; use users.User, posts.Post or votes.Vote")),
            };
            match new.map_err(|what| at(file, document + 1, object + 1, what))? {
                true => loaded.new += 1,
                false => loaded.unchanged += 1,
            }
        }
    }
    tx.commit().await.map_err(|error| at(file, 0, 0, error))?;
    Ok(loaded)
}

fn at(file: &str, document: usize, object: usize, what: impl ToString) -> FixtureError {
    FixtureError { file: file.into(), document, object, what: what.to_string() }
}

fn read<T: serde::de::DeserializeOwned>(properties: Value) -> Result<T, String> {
    serde_json::from_value(properties).map_err(text)
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

async fn user(tx: &mut Conn, passwords: &Passwords, properties: Value) -> Result<bool, String> {
    let User { email, password, name, role, status } = read(properties)?;
    let email = Email::new(&email);
    if users::find_id(tx, &email).await.map_err(text)?.is_some() {
        return Ok(false);
    }
    if password.starts_with('$') {
        return Err("`password` is a hash; give the password itself, it is hashed on loading".into());
    }
    let told = |fault: FieldError| format!("`password` {}", fault.detail);
    let password = NewPassword::new(password, "/password")
        .map_err(|error| error.fields.into_iter().map(told).collect::<String>())?;
    let password_hash = Some(passwords.hash(password).await.map_err(text)?);
    let (role, now) = (Role::try_from(role)?, crate::app::now());
    let user = users::UserValues { email, name, password_hash, role, status, email_verified_at: Some(now) };
    accounts::create(tx, Actor::default(), user, now).await.map_err(text)?;
    Ok(true)
}

async fn owner(tx: &mut Conn, email: &str) -> Result<i64, String> {
    let id = users::find_id(tx, &Email::new(email)).await.map_err(text)?;
    id.ok_or_else(|| format!("there is no user {email}; put it before what refers to it"))
}

/// The post of this owner, or of anyone, with exactly this title.
async fn find_post(tx: &mut Conn, owner_id: Option<i64>, title: &str) -> Result<Option<i64>, String> {
    let reader = Reader { id: 0, role: Role::Admin };
    let filter = posts::Filter { reader, search: Some(title.into()), owner_id, published: None, sort: Sort::Oldest };
    let rows = posts::list(tx, &filter, None, 0, 1000).await.map_err(text)?;
    Ok(rows.into_iter().find(|row| row.title == title).map(|row| row.id))
}

async fn post(tx: &mut Conn, properties: Value) -> Result<bool, String> {
    let Post { owner: email, title, content, published, rating } = read(properties)?;
    let owner_id = owner(tx, &email).await?;
    if find_post(tx, Some(owner_id), &title).await?.is_some() {
        return Ok(false);
    }
    let post = PostCreate { title, content: content.trim_end().into(), published, rating };
    signals::insert_new::<StoredPost>(tx, Actor::default(), post.by(owner_id), crate::app::now())
        .await
        .map_err(text)?;
    Ok(true)
}

async fn vote(tx: &mut Conn, properties: Value) -> Result<bool, String> {
    let Vote { user, post } = read(properties)?;
    let user_id = owner(tx, &user).await?;
    let post_id = find_post(tx, None, &post).await?;
    let post_id = post_id.ok_or_else(|| format!("there is no post `{post}`; put it before what refers to it"))?;
    let vote = StoredVote { post_id, user_id };
    let added = signals::insert::<StoredVote>(tx, Actor::default(), vote, crate::app::now()).await.map_err(text)?;
    Ok(added.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::db::connect::Settings;
    use crate::db::migrate::{self, Direction, Target};
    use crate::db::signals::Hooks;

    fn passwords() -> Passwords {
        let mut config = Config::load(None).expect("the defaults");
        config.password_memory = 64;
        Passwords::of(&config)
    }

    async fn empty_database(folder: &std::path::Path) -> Db {
        let url = format!("sqlite:{}", folder.join("t.db").display());
        migrate::run_built_in(&url, Direction::Up, Target::Head).await.expect("migrates");
        let timeout = std::time::Duration::from_secs(5);
        Db::connect(&Settings { url, timeout, connections: 1 }, Hooks::default()).await.expect("connects")
    }

    #[tokio::test]
    async fn the_demo_data_loads_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (db, passwords) = (empty_database(folder.path()).await, passwords());
        let first = load_demo(&db, &passwords).await.expect("loads").expect("the database was empty");
        assert!(first.new > 5 && first.unchanged == 0, "{first:?}");
        assert_eq!(load_demo(&db, &passwords).await.expect("looks"), None);
        let again = load(&db, &passwords, "demo.yaml", DEMO).await.expect("loads again");
        assert_eq!(again, Loaded { new: 0, unchanged: first.new });
    }

    #[tokio::test]
    async fn a_fault_names_its_place_and_loads_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (db, passwords) = (empty_database(folder.path()).await, passwords());
        let user = "- model: users.User\n  properties: {email: a@b.co, password: long enough, role: active}\n";
        for (object, sentence) in [
            ("- {model: users.Usr, properties: {}}", "there is no model `users.Usr`"),
            ("- {model: posts.Post, properties: {owner: x@y.zz, title: a, content: b}}", "there is no user x@y.zz"),
            ("- {model: posts.Post, properties: {ownr: a@b.co, title: a, content: b}}", "unknown field `ownr`"),
            ("- {model: users.User, properties: {email: c@d.ee, password: $argon2id$, role: active}}", "is a hash"),
            ("- {model: users.User, properties: {email: c@d.ee, password: Password1, role: active}}", "chosen most"),
        ] {
            let error = load(&db, &passwords, "my.yaml", &format!("{user}---\n{object}\n"))
                .await
                .expect_err(sentence)
                .to_string();
            assert!(error.contains(sentence) && error.starts_with("my.yaml, document 2, object 1"), "{error}");
        }
        assert_eq!(
            load(&db, &passwords, "my.yaml", user).await.expect("loads").new,
            1,
            "nothing was left behind before"
        );
    }
}
