//! `user`: accounts, by the rules of the operations that admins have.

use std::fmt;
use std::str::FromStr;

use clap::Subcommand;
use serde_json::json;

use super::table::{json as as_json, table};
use super::{Failure, checked, open, password, print};
use crate::auth::password::{NewPassword, Passwords};
use crate::auth::{Email, Role, Status};
use crate::config::Config;
use crate::db::keyset::whole;
use crate::db::signals::Actor;
use crate::db::{Conn, Db};
use crate::declared;
use crate::http::etag::IfMatch;
use crate::resources::users;
use crate::resources::users::model::{AccountCreate, AccountUpdate, StoredUser, User, UserValues};
use crate::resources::users::store::{self, Filter};

/// One subcommand.
#[derive(Subcommand)]
pub enum Step {
    /// Make an account; the password is asked for, or the first line of standard input
    Create {
        /// Address to log in with
        email: String,
        /// Name that others see
        #[arg(long)]
        name: Option<String>,
        /// What the account may do
        #[arg(long, value_enum, default_value = "active")]
        role: Role,
        /// Read the password from standard input, also at a terminal
        #[arg(long)]
        password_stdin: bool,
        /// Print the account as JSON
        #[arg(long)]
        json: bool,
    },
    /// End an account with all its tokens, at once
    Disable {
        /// E-mail address or identifier
        user: Who,
    },
    /// Open a disabled account again
    Enable {
        /// E-mail address or identifier
        user: Who,
    },
    /// Set what an account may do
    Role {
        /// E-mail address or identifier
        user: Who,
        /// The new role
        #[arg(value_enum)]
        role: Role,
    },
    /// List accounts, the newest first
    List {
        /// Only those of this role
        #[arg(long, value_enum)]
        role: Option<Role>,
        /// Only those of this status
        #[arg(long, value_enum)]
        status: Option<Status>,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
}

/// An account as the command line names it. Not `Debug`: an address is personal.
#[derive(Clone)]
pub enum Who {
    /// By its identifier.
    Id(i64),
    /// By its address.
    Email(Email),
}

impl FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            return Ok(Self::Email(Email::new(text)));
        }
        text.parse().map(Self::Id).map_err(|_| "is neither an e-mail address nor an identifier".into())
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Email(email) => f.write_str(email.as_str()),
        }
    }
}

impl Who {
    /// The account.
    ///
    /// # Errors
    /// There is none.
    pub async fn find(&self, conn: &mut Conn) -> Result<User, Failure> {
        let id = match self {
            Self::Id(id) => Some(*id),
            Self::Email(email) => store::find_id(conn, email).await?,
        };
        let row = match id {
            Some(id) => store::find(conn, id).await?,
            None => None,
        };
        row.map(|row| row.user)
            .ok_or_else(|| Failure::Other(format!("there is no user {self}: see {} user list", declared::name())))
    }
}

/// Runs it.
pub async fn run(config: &Config, step: Step) -> Result<(), Failure> {
    match step {
        Step::Create { email, name, role, password_stdin, json } => {
            let role = role.as_str();
            let body = |password: &str| json!({ "email": email, "name": name, "role": role, "password": password });
            // what is wrong with the rest is told before anyone types a password
            checked::<AccountCreate>(body("not the password"))?;
            let db = open(config).await?;
            let account = checked::<AccountCreate>(body(&password::read(password_stdin)?))?;
            let user = create(&db, config, account).await?;
            if json {
                return print(&as_json(&user));
            }
            print(&format!("created user {}: {} ({})\n", user.id, user.email.as_str(), user.role.as_str()))
        }
        Step::Disable { user } => change(config, user, None, Some(Status::Disabled)).await,
        Step::Enable { user } => change(config, user, None, Some(Status::Active)).await,
        Step::Role { user, role } => change(config, user, Some(role), None).await,
        Step::List { role, status, json } => {
            let filter = Filter { role, status, ..Filter::default() };
            let users = list(config, &filter).await?;
            print(&if json { as_json(&users) } else { as_table(users) })
        }
    }
}

async fn create(db: &Db, config: &Config, account: AccountCreate) -> Result<User, Failure> {
    let AccountCreate { email, password, name, role } = account;
    let password = NewPassword::new(password.0, "/password")?.of(&email, name.as_deref())?;
    let password_hash = Some(Passwords::of(config).hash(password).await?);
    let mut tx = db.begin().await?;
    let (status, now) = (Status::Active, crate::app::now());
    // whoever runs the server vouches for the address
    let user = UserValues { email, name, password_hash, role, status, email_verified_at: Some(now) };
    let user = users::create(&mut tx, Actor::default(), user, now).await?.user;
    tx.commit().await?;
    Ok(user)
}

async fn change(config: &Config, who: Who, role: Option<Role>, status: Option<Status>) -> Result<(), Failure> {
    let mut tx = open(config).await?.begin().await?;
    let user = who.find(&mut tx).await?;
    let change = AccountUpdate { role, status };
    let user = users::set_access(&mut tx, Actor::default(), user.id, &IfMatch::Any, &change, crate::app::now()).await?;
    let user = user.user;
    tx.commit().await?;
    print(&format!("user {}: {} ({}, {})\n", user.id, user.email.as_str(), user.role.as_str(), user.status.as_str()))
}

async fn list(config: &Config, filter: &Filter) -> Result<Vec<User>, Failure> {
    let mut conn = open(config).await?.read().await?;
    let page = async |before, limit| store::list(&mut conn, filter, before, limit).await;
    let rows = whole(page, |row: &StoredUser| row.user.id).await?;
    Ok(rows.into_iter().map(|row| row.user).collect())
}

fn as_table(users: Vec<User>) -> String {
    let row = |user: User| {
        let name = user.name.unwrap_or_default();
        let created_at = user.created_at.format("%Y-%m-%d").to_string();
        let (role, status) = (user.role.as_str().into(), user.status.as_str().into());
        [user.id.to_string(), user.email.as_str().into(), name, role, status, created_at]
    };
    table(["id", "email", "name", "role", "status", "created"], users.into_iter().map(row))
}
