//! The fixture model of accounts.

use std::collections::HashMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::model::{StoredUser, UserValues};
use super::store;
use crate::auth::password::{self, NewPassword, is_hash};
use crate::auth::permission::Target;
use crate::auth::{Email, Role, Status};
use crate::config::nearest;
use crate::db::keyset::whole;
use crate::db::signals::Actor;
use crate::db::{Conn, DbResult};
use crate::error::FieldError;
use crate::fixtures::keys::Keys;
use crate::fixtures::loader::{Loader, Referable, Refusal};
use crate::fixtures::models::{KNOWN, Loaded, Model, Properties, Schema, documented, read, written, yes};

/// An account, known by its address. Without a password its owner sets one by a code from an e-mail.
pub struct User;

#[derive(Serialize, Deserialize)]
struct UserFields {
    email: Email,
    #[serde(skip_serializing)]
    password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default = "active")]
    role: Role,
    #[serde(default)]
    status: Status,
    #[serde(default = "yes")]
    email_verified: bool,
}

fn active() -> Role {
    Role::Active
}

#[async_trait(?Send)]
impl Model for User {
    fn name(&self) -> &'static str {
        Self::MODEL
    }

    fn schema(&self) -> Schema {
        Schema::of("AccountCreate")
            .without_need("password")
            .with_optional("status", documented("Status", None))
            .with_optional("email_verified", json!({ "type": "boolean" }))
    }

    fn faults(&self, properties: &Properties) -> Vec<FieldError> {
        let Some(password) = properties.get("password").and_then(|password| password.as_str()) else { return vec![] };
        if is_hash(password) {
            return vec![FieldError::body("/password", "is a hash; give the password itself, it is hashed on loading")];
        }
        let text = |name: &str| properties.get(name).and_then(|value| value.as_str());
        let (email, name) = (Email::new(text("email").unwrap_or_default()), text("name"));
        let fit = NewPassword::new(password.to_owned(), "/password").and_then(|password| password.of(&email, name));
        fit.err().map(|error| error.fields).unwrap_or_default()
    }

    async fn load(&self, loader: &mut Loader<'_>, properties: &Properties) -> Result<Loaded, Refusal> {
        let UserFields { email, password, name, role, status, email_verified } = read(properties)?;
        if let Some(id) = store::find_id(loader.tx, &email).await? {
            return Ok(Loaded::unchanged((id, 0)));
        }
        let password_hash = match password {
            Some(password) => {
                let password = NewPassword::new(password, "/password")?.of(&email, name.as_deref())?;
                loader.passwords.hash(password).await?
            }
            None => password::NONE.into(),
        };
        let now = crate::app::now();
        let email_verified_at = email_verified.then_some(now);
        let user = UserValues { email, name, password_hash: Some(password_hash), role, status, email_verified_at };
        let made = super::create(loader.tx, Actor::default(), user, now).await?;
        Ok(Loaded::new((made.user.id, 0)))
    }

    fn targets(&self) -> &'static [Target] {
        &[Target::USERS]
    }

    async fn find_object(&self, loader: &mut Loader<'_>, property: &str, key: &Value) -> Result<i64, Refusal> {
        let Some(email) = key.as_str() else { return Err(Refusal::fault(property, "must be the address of a user")) };
        loader.id::<Self>(property, &email.to_owned()).await
    }

    async fn keys(&self, conn: &mut Conn, _: &Keys) -> DbResult<HashMap<i64, Value>> {
        let key = |row: StoredUser| (row.user.id, row.user.email.as_str().into());
        Ok(all_users(conn).await?.into_iter().map(key).collect())
    }

    async fn dump(&self, conn: &mut Conn, _: &Keys) -> DbResult<Vec<Properties>> {
        let fields = |StoredUser { user, .. }| UserFields {
            email: user.email,
            password: None,
            name: user.name,
            role: user.role,
            status: user.status,
            email_verified: user.email_verified_at.is_some(),
        };
        Ok(all_users(conn).await?.into_iter().map(|row| written(&fields(row))).collect())
    }
}

/// All accounts, the oldest first.
async fn all_users(conn: &mut Conn) -> DbResult<Vec<StoredUser>> {
    let page = async |before, limit| store::list(conn, &store::Filter::default(), before, limit).await;
    let mut rows = whole(page, |row: &StoredUser| row.user.id).await?;
    rows.reverse();
    Ok(rows)
}

impl Referable for User {
    const MODEL: &'static str = "users.User";
    type Key = String;

    async fn find(conn: &mut Conn, email: &String) -> DbResult<Vec<i64>> {
        Ok(store::find_id(conn, &Email::new(email)).await?.into_iter().collect())
    }

    async fn hint(conn: &mut Conn, email: &String) -> DbResult<String> {
        let rows = store::list(conn, &store::Filter::default(), None, KNOWN).await?;
        Ok(nearest(email, rows.iter().map(|row| row.user.email.as_str())))
    }
}
