//! `permission`: the catalogue and the grants, by the rules of the operations that admins have.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use futures_util::future::BoxFuture;
use sea_query::Condition;
use serde::Serialize;
use serde_json::json;

use super::table::{json as as_json, table};
use super::user::Who;
use super::{Failure, checked, open, print};
use crate::auth::permission::{self, Target};
use crate::auth::{Role, Status};
use crate::config::Config;
use crate::db::keyset::whole;
use crate::db::signals::Actor;
use crate::db::versioned;
use crate::db::{Conn, DbResult};
use crate::declared::{self, List};
use crate::resources::grants::model::{Grant, GrantCreate};
use crate::resources::grants::{self, rules};
use crate::resources::groups::store as groups;
use crate::resources::permissions;
use crate::resources::permissions::model::{HeldPermission, Permission, PermissionCreate, Source, StoredPermission};
use crate::resources::users::model::User;

/// One subcommand.
#[derive(Subcommand)]
pub enum Step {
    /// Put a permission into the catalogue; nobody holds it yet
    Create {
        /// can_ and a word, by which it is granted
        name: String,
        /// What its holder may do
        #[arg(long)]
        description: String,
        /// Whose rows it may be granted on; without it, it is always general
        #[arg(long, value_parser = Targets)]
        target: Option<Target>,
    },
    /// Grant a permission, on all objects or on one
    Grant(Holding),
    /// Take a grant back
    Revoke(Holding),
    /// List the catalogue, or what a user or a group holds of it
    List {
        /// What this user holds, themselves or by a group: e-mail address or identifier
        #[arg(long, conflicts_with = "group")]
        user: Option<Who>,
        /// What is granted to the group of this name
        #[arg(long)]
        group: Option<String>,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Say why a user may or may not use a permission, step by step as the server decides
    Explain {
        /// E-mail address or identifier
        user: Who,
        /// Its name
        permission: String,
        /// On this object; without it, on all
        #[arg(long)]
        object: Option<i64>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// A permission and who holds it.
#[derive(Args)]
pub struct Holding {
    /// Its name
    permission: String,
    #[command(flatten)]
    holder: Holder,
    /// On this object; without it, on all
    #[arg(long)]
    object: Option<i64>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Holder {
    /// E-mail address or identifier of a user
    #[arg(long)]
    user: Option<Who>,
    /// Name of a group
    #[arg(long)]
    group: Option<String>,
}

/// Reads a [`Target`] of the application.
#[derive(Clone)]
struct Targets;

impl TypedValueParser for Targets {
    type Value = Target;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Target, clap::Error> {
        let names = permission::targets().iter().map(|target| target.as_str());
        let name = PossibleValuesParser::new(names).parse_ref(command, argument, value)?;
        Ok(Target::find(&name).expect("one of the names"))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(permission::targets().iter().map(|target| PossibleValue::new(target.as_str()))))
    }
}

static EXPLAIN: List<(Target, Explain)> = List::new();

/// Completes the list of what resources say of an object.
pub(crate) fn complete(explain: Vec<(Target, Explain)>) {
    EXPLAIN.complete(explain);
}

/// Returns what the rules of a resource say of an object and a user, which operations check before and beside the grants.
/// The flag is set if an operation demands the permission.
pub type Explain = for<'a> fn(&'a mut Conn, &'a User, i64, bool) -> BoxFuture<'a, DbResult<(Says, &'static str)>>;

/// Runs it.
pub async fn run(config: &Config, step: Step) -> Result<(), Failure> {
    match step {
        Step::Create { name, description, target } => {
            let target = target.map(Target::as_str);
            let new = checked(json!({ "name": name, "description": description, "target": target }))?;
            create(config, new).await
        }
        Step::Grant(holding) => grant(config, holding).await,
        Step::Revoke(holding) => revoke(config, holding).await,
        Step::List { user, group, json } => {
            let mut conn = open(config).await?.read().await?;
            print(&list(&mut conn, user, group, json).await?)
        }
        Step::Explain { user, permission, object, json } => {
            let mut conn = open(config).await?.read().await?;
            let user = user.find(&mut conn).await?;
            let explanation = explain(&mut conn, user, permission, object).await?;
            print(&if json { as_json(&explanation) } else { explanation.as_text() })
        }
    }
}

async fn create(config: &Config, new: PermissionCreate) -> Result<(), Failure> {
    let mut tx = open(config).await?.begin().await?;
    let row = permissions::create(&mut tx, Actor::default(), new, crate::app::now()).await?;
    tx.commit().await?;
    print(&format!("created permission {}\n", row.name))
}

async fn grant(config: &Config, holding: Holding) -> Result<(), Failure> {
    let mut tx = open(config).await?.begin().await?;
    let new = holding.resolve(&mut tx).await?;
    let grant = grants::create(&mut tx, Actor::default(), new, crate::app::now()).await?;
    tx.commit().await?;
    print(&format!("granted: grant {}, {}\n", grant.id, holding.told()))
}

async fn revoke(config: &Config, holding: Holding) -> Result<(), Failure> {
    let mut tx = open(config).await?.begin().await?;
    let GrantCreate { user_id, group_id, permission, object_id } = holding.resolve(&mut tx).await?;
    let filter = grants::store::Filter { user_id, group_id, permission: Some(permission), ..Default::default() };
    let page = async |before, limit| grants::store::list(&mut tx, &filter, before, limit).await;
    let held = whole(page, |grant: &Grant| grant.id).await?;
    let Some(grant) = held.into_iter().find(|grant| grant.object_id == object_id) else {
        let sentence = format!("there is no such grant, {}: see {} permission list", holding.told(), declared::name());
        return Err(Failure::Other(sentence));
    };
    grants::delete(&mut tx, Actor::default(), grant.id, crate::app::now()).await?;
    tx.commit().await?;
    print(&format!("revoked: grant {}, {}\n", grant.id, holding.told()))
}

impl Holding {
    /// As the operation takes it.
    async fn resolve(&self, conn: &mut Conn) -> Result<GrantCreate, Failure> {
        let user_id = match &self.holder.user {
            Some(user) => Some(user.find(conn).await?.id),
            None => None,
        };
        let group_id = match &self.holder.group {
            Some(name) => Some(group_id(conn, name).await?),
            None => None,
        };
        let (permission, object_id) = (&self.permission, self.object);
        checked(json!({ "user_id": user_id, "group_id": group_id, "permission": permission, "object_id": object_id }))
    }

    /// As a person says it.
    fn told(&self) -> String {
        let holder = match (&self.holder.user, &self.holder.group) {
            (Some(user), _) => user.to_string(),
            (None, group) => format!("the group {}", group.as_deref().unwrap_or_default()),
        };
        format!("{} to {holder}, {}", self.permission, on(None, self.object))
    }
}

async fn group_id(conn: &mut Conn, name: &str) -> Result<i64, Failure> {
    groups::find_id(conn, name).await?.ok_or_else(|| Failure::Other(format!("there is no group {name}")))
}

fn on(target: Option<Target>, object: Option<i64>) -> String {
    match (target, object) {
        (_, None) => "on all".into(),
        (Some(target), Some(id)) => format!("on {} {id}", target.as_str()),
        (None, Some(id)) => format!("on {id}"),
    }
}

async fn list(conn: &mut Conn, user: Option<Who>, group: Option<String>, json: bool) -> Result<String, Failure> {
    if let Some(user) = user {
        let user_id = user.find(conn).await?.id;
        let held = held(conn, user_id).await?;
        let row = |held: HeldPermission| {
            let on = on(None, held.object_id);
            [held.grant_id.map(|id| id.to_string()).unwrap_or_default(), held.permission.clone(), on, by(&held)]
        };
        return Ok(if json {
            as_json(&held)
        } else {
            table(["grant", "permission", "on", "by"], held.into_iter().map(row))
        });
    }
    if let Some(name) = group {
        let filter = grants::store::Filter { group_id: Some(group_id(conn, &name).await?), ..Default::default() };
        let page = async |before, limit| grants::store::list(conn, &filter, before, limit).await;
        let granted = whole(page, |grant: &Grant| grant.id).await?;
        let row = |grant: Grant| [grant.id.to_string(), grant.permission.clone(), on(None, grant.object_id)];
        return Ok(if json {
            as_json(&granted)
        } else {
            table(["grant", "permission", "on"], granted.into_iter().map(row))
        });
    }
    let page = async |before, limit| versioned::list(conn, Condition::all(), before, limit).await;
    let rows = whole(page, |row: &StoredPermission| row.id).await?;
    let catalogue: Vec<_> = rows.into_iter().map(Permission::from).collect();
    let row = |permission: Permission| {
        let target = permission.target.map_or("", Target::as_str).into();
        let required = if permission.required { "yes" } else { "" }.into();
        [permission.name, target, required, permission.description]
    };
    let headings = ["name", "target", "required", "description"];
    Ok(if json { as_json(&catalogue) } else { table(headings, catalogue.into_iter().map(row)) })
}

/// All that is granted to a user and to their groups.
async fn held(conn: &mut Conn, user_id: i64) -> Result<Vec<HeldPermission>, Failure> {
    let page = async |before, limit| permissions::store::list_held(conn, user_id, before, limit).await;
    Ok(whole(page, |held: &HeldPermission| held.grant_id.unwrap_or_default()).await?)
}

/// To whom the grant is.
fn by(held: &HeldPermission) -> String {
    match (&held.group, held.source) {
        (Some(group), _) => format!("the group {}", group.name),
        (None, Source::Admin) => "the role admin".into(),
        (None, _) => "the user".into(),
    }
}

/// What a step of the decision says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// The user may.
    Allows,
    /// The user may not.
    Denies,
    /// Something else decides.
    Neither,
}

#[derive(Debug, Serialize)]
struct Reason {
    check: String,
    says: Says,
    because: String,
}

/// Why a user may or may not.
#[derive(Serialize)]
struct Explanation {
    allowed: bool,
    user_id: i64,
    permission: String,
    object_id: Option<i64>,
    reasons: Vec<Reason>,
    #[serde(skip)]
    summary: String,
}

impl Explanation {
    fn as_text(&self) -> String {
        let row = |reason: &Reason| {
            let says = match reason.says {
                Says::Allows => "allows",
                Says::Denies => "denies",
                Says::Neither => "neither",
            };
            [reason.check.clone(), says.into(), reason.because.clone()]
        };
        let verdict = if self.allowed { "allowed" } else { "denied" };
        format!("{verdict}: {}\n{}", self.summary, table(["check", "says", "because"], self.reasons.iter().map(row)))
    }
}

/// The verdict is that of the server's own check; the reasons are what it looks at.
async fn explain(
    conn: &mut Conn,
    user: User,
    permission: String,
    object_id: Option<i64>,
) -> Result<Explanation, Failure> {
    let row = permissions::store::find(conn, &permission).await?;
    let entry = permission::find(&permission);
    if row.is_none() && entry.is_none() {
        return Err(Failure::Other(format!(
            "there is no permission {permission}: see {} permission list",
            declared::name()
        )));
    }
    let target = row.as_ref().map_or_else(|| entry.and_then(|entry| entry.target), StoredPermission::target);
    let mut reasons = vec![account(&user), role(&user), catalogue(row.is_some())];
    let by_object = match rules::object(target, object_id)? {
        Some((target, id)) => {
            let rule = EXPLAIN.get().iter().find(|(of, _)| *of == target);
            Some(match rule {
                Some((_, explain)) => {
                    let (says, because) = explain(conn, &user, id, entry.is_some()).await?;
                    Reason { check: "object".into(), says, because: because.into() }
                }
                None => object(target, id, target.has(conn, id).await?),
            })
        }
        None => None,
    };
    let object_says = by_object.as_ref().map_or(Says::Neither, |reason| reason.says);
    reasons.extend(by_object);
    let held = held(conn, user.id).await?;
    reasons
        .extend(held.iter().filter(|held| held.permission == permission).map(|held| granted(held, object_id, target)));
    let holds = permission::holds(conn, user.id, &permission, object_id).await?;
    if !holds && user.role != Role::Admin && object_says != Says::Allows {
        let because = "no grant to the user, or to a group of theirs, covers it".into();
        reasons.push(Reason { check: "grants".into(), says: Says::Denies, because });
    }
    let may = user.role == Role::Admin || holds || object_says == Says::Allows;
    let allowed = user.status == Status::Active && object_says != Says::Denies && may;
    let summary = format!("{permission} {} for {}", on(target, object_id), user.email.as_str());
    Ok(Explanation { allowed, user_id: user.id, permission, object_id, reasons, summary })
}

fn account(user: &User) -> Reason {
    let (says, because) = match user.status {
        Status::Active => (Says::Neither, "it is active"),
        Status::Disabled => (Says::Denies, "it is disabled, which ends everything else"),
    };
    Reason { check: "account".into(), says, because: because.into() }
}

fn role(user: &User) -> Reason {
    let (says, because) = match user.role {
        Role::Admin => (Says::Allows, "an admin needs no grant".to_owned()),
        role => (Says::Neither, format!("only an admin needs no grant, and this is {}", role.as_str())),
    };
    Reason { check: "role".into(), says, because }
}

fn catalogue(is_there: bool) -> Reason {
    let (says, because) = match is_there {
        true => (Says::Neither, "it is in the catalogue".into()),
        false => {
            (Says::Denies, format!("the catalogue has no such row: {} permission create makes it", declared::name()))
        }
    };
    Reason { check: "permission".into(), says, because }
}

fn object(target: Target, id: i64, is_there: bool) -> Reason {
    let (says, because) = match is_there {
        true => (Says::Neither, "it is there".into()),
        false => (Says::Denies, format!("{} has no row {id}", target.as_str())),
    };
    Reason { check: "object".into(), says, because }
}

fn granted(held: &HeldPermission, object_id: Option<i64>, target: Option<Target>) -> Reason {
    let covers = held.object_id.is_none() || held.object_id == object_id;
    let says = if covers { Says::Allows } else { Says::Neither };
    let scope = on(target, held.object_id);
    let because = format!("to {}, {scope}{}", by(held), if covers { "" } else { " only" });
    Reason { check: format!("grant {}", held.grant_id.unwrap_or_default()), says, because }
}
