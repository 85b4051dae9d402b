//! Identities of a provider, and the accounts they belong to.
//!
//! Must never be: an account for an identity whose address nobody has verified, here or there; whoever registered with
//! the address of somebody else would wait for them in their account. A deleted account that its owner's next request makes
//! again.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::model::{StoredUser, UserValues};
use super::store;
use crate::app::App;
use crate::auth::oidc::Identity;
use crate::auth::{Caller, Email, Role, Status, password};
use crate::db::Conn;
use crate::db::signals::{Actor, Context, Hook, Refused};
use crate::error::{Code, Error};
use crate::http::Origin;
use crate::resources::audit::{self, Event};
use crate::resources::sessions;

/// Characters of a name at most.
const NAME: usize = 80;

/// The account of an identity; if the settings say so, one that it gets now.
///
/// # Errors
/// 401 `identity_unknown`, 503 when the database is away.
pub async fn caller(app: &App, identity: &Identity, origin: &Origin) -> Result<Caller, Error> {
    let proven = async || Caller::identified(&app.db, identity, origin.clone()).await;
    if let Some(caller) = proven().await? {
        return Ok(caller);
    }
    if app.config.provider.oidc_link_by_email || app.config.provider.oidc_provision {
        adopt(app, identity, origin).await?;
    }
    proven().await?.ok_or_else(|| {
        let detail = "The token is good, but nobody here is who it means; ask the operator for an account.";
        Error::new(Code::IDENTITY_UNKNOWN, detail)
    })
}

/// Links an account to an identity, if there is one that may be; of two requests at once one does.
async fn adopt(app: &App, identity: &Identity, origin: &Origin) -> Result<(), Error> {
    let Some(email) = identity.email.as_deref().and_then(Email::checked) else { return Ok(()) };
    let now = app.now();
    let mut tx = app.db.begin().await?;
    let by = origin.actor(None);
    let hash = identity_hash(&identity.issuer, &identity.subject);
    let found = match store::find_by_email_to_change(&mut tx, &email).await? {
        // an address that the provider gives to somebody else does not bring them the account
        Some(found) if store::is_linked(&mut tx, found.user.id, &identity.issuer).await? => return Ok(()),
        Some(found) if app.config.provider.oidc_link_by_email && found.user.email_verified_at.is_some() => found,
        None if !app.config.provider.oidc_provision_deleted && store::is_deleted_identity(&mut tx, &hash).await? => {
            return Ok(());
        }
        None if app.config.provider.oidc_provision => match provision(&mut tx, by, email, identity, now).await? {
            Some(made) => made,
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    if store::link(&mut tx, identity, found.user.id, now).await? {
        let after = Linked { host: host(&identity.issuer) };
        let event = Event::of(sessions::IDENTITY_LINKED, found.user.id).after(&after).by_itself();
        audit::record(&mut tx, by, event).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// The state of a linked identity that the audit records.
#[derive(Serialize)]
struct Linked {
    /// The host of the provider.
    host: Option<String>,
}

/// A new account without a password; none if it may not be made now.
async fn provision(
    tx: &mut Conn,
    by: Actor<'_>,
    email: Email,
    identity: &Identity,
    now: DateTime<Utc>,
) -> Result<Option<StoredUser>, Error> {
    let name: Option<String> = identity.name.as_ref().map(|name| name.chars().filter(|c| !c.is_control()).collect());
    let name = name.map(|name| name.trim().chars().take(NAME).collect::<String>()).filter(|name| !name.is_empty());
    let user = UserValues {
        email,
        name,
        password_hash: Some(password::NONE.into()),
        role: Role::Active,
        status: Status::Active,
        email_verified_at: Some(now),
    };
    match super::create(tx, by, user, now).await {
        Ok(made) => Ok(Some(made)),
        // somebody else was first, or accounts are frozen
        Err(error) if error.code.status() == 409 => Ok(None),
        Err(error) => Err(error),
    }
}

/// The hash that identifies an identity whose account was deleted; it does not reveal the subject.
fn identity_hash(issuer: &str, subject: &str) -> String {
    let digest = Sha256::new().chain_update(issuer).chain_update("\0").chain_update(subject).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Records the identities of an account that is deleted, so that the next request with a token of the provider does not
/// make it again: who deletes an account, its owner or an admin, expects it to stay deleted.
pub struct RecordIdentities;

#[async_trait]
impl Hook<StoredUser> for RecordIdentities {
    async fn before_delete(&self, context: &mut Context<'_>, row: &StoredUser) -> Result<(), Refused> {
        for (issuer, subject) in store::identities(context.tx, row.user.id).await? {
            store::insert_deleted_identity(context.tx, &identity_hash(&issuer, &subject), context.now).await?;
        }
        Ok(())
    }
}

fn host(issuer: &str) -> Option<String> {
    url::Url::parse(issuer).ok()?.host_str().map(Into::into)
}
