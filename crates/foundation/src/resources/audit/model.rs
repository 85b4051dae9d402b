//! What goes over the wire for the audit.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::{Example, ParseFromJSON, ParseResult, ToJSON, Type};
use serde::Serialize;
use serde_json::{Value, json};

use crate::auth::permission::Target;
use crate::auth::{Role, Status};
use crate::declared::{List, assert_declared, declared_enum};
use crate::http::page::page;

/// An action on an object, which a resource declares with [`actions!`](crate::actions).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Action {
    name: &'static str,
    object_type: &'static str,
}

static ACTIONS: List<Action> = List::new();
static OBJECT_TYPES: List<ObjectType> = List::new();

declared_enum! {
    /// What was done
    Action in ACTIONS
}

assert_declared!(Action, "actions: ACTIONS");

/// Declares the actions on objects of one type, with what each means: `actions! { "post": POST_UPDATED = "post_updated",
/// "…"; }`. Also makes the list `ACTIONS` for the declaration of the resource, `RESOURCE` of the same module or another one:
/// `actions! { "user" of ACCOUNT: … }`. A declaration without them does not compile.
#[macro_export]
macro_rules! actions {
    ($object_type:literal: $($actions:tt)*) => {
        $crate::actions! { $object_type of RESOURCE: $($actions)* }
    };
    ($object_type:literal of $resource:ident: $($action:ident = $name:literal, $doc:literal;)*) => {
        $(
            #[doc = $doc]
            pub const $action: $crate::resources::audit::model::Action =
                $crate::resources::audit::model::Action::new($name, $object_type);
        )*

        /// The actions that the audit records of the resource.
        pub const ACTIONS: &[$crate::resources::audit::model::Action] = &[$($action),*];

        const _: () = $crate::resources::audit::model::Action::assert_declared(ACTIONS, $resource.actions);
    };
}

impl Action {
    /// An action: its name on the wire and in the database, and the type of the object.
    #[doc(hidden)]
    pub const fn new(name: &'static str, object_type: &'static str) -> Self {
        Self { name, object_type }
    }

    /// The type of the object.
    pub fn object_type(self) -> ObjectType {
        ObjectType { name: self.object_type }
    }

    /// Completes the lists of all actions and types of objects.
    pub(crate) fn complete(actions: Vec<Self>) {
        let mut types: Vec<ObjectType> = vec![];
        for action in &actions {
            if !types.contains(&action.object_type()) {
                types.push(action.object_type());
            }
        }
        ACTIONS.complete(actions);
        OBJECT_TYPES.complete(types);
    }
}

/// The type of an object, which the actions on it name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ObjectType {
    name: &'static str,
}

declared_enum! {
    /// What something was done to
    ObjectType in OBJECT_TYPES
}

/// A recorded state, as the resource of the object has stored it. In the document: `AuditState`.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct State(Value);

impl State {
    /// Records a state. Fields without a value are left out.
    pub fn new(state: &impl Serialize) -> Self {
        let mut value = serde_json::to_value(state).expect("a state is plain data");
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|_, field| !field.is_null());
        }
        Self(value)
    }

    /// Reads a state that is stored as JSON.
    pub(super) fn read(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text).map(Self)
    }

    /// Returns the state as JSON.
    pub(super) fn text(&self) -> String {
        self.0.to_string()
    }

    /// The reason for a failure, if the state has one.
    pub(super) fn reason(&self) -> Option<&str> {
        self.0["reason"].as_str()
    }
}

impl Type for State {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        AuditState::name()
    }

    fn schema_ref() -> MetaSchemaRef {
        AuditState::schema_ref()
    }

    fn register(registry: &mut Registry) {
        AuditState::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ParseFromJSON for State {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Ok(Self(value.unwrap_or_default()))
    }
}

impl ToJSON for State {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.clone())
    }
}

/// What an object was like; only what belongs to its kind, and nothing that names a person or opens a door
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct AuditState {
    /// Role of an account, or that an invitation gives
    role: Option<Role>,
    /// Status of an account
    status: Option<Status>,
    /// Which private fields of an account were changed, or which of a post or a webhook: `email`, `title`, `url`
    changed: Option<Vec<String>>,
    /// The session that was opened or ended
    #[oai(validator(minimum(value = "1")))]
    session_id: Option<i64>,
    /// Why a login failed: `credentials`, `account_disabled`, `email_unverified`, or `present_password` for a request with a token; or why a webhook was disabled: `gone` or `failing`
    reason: Option<String>,
    /// Name of a group or permission
    name: Option<String>,
    /// What a permission is for
    description: Option<String>,
    /// Whose rows a permission may be granted on
    target: Option<Target>,
    /// The member, the user that holds the grant, the owner of a post, or the account of an invitation
    #[oai(validator(minimum(value = "1")))]
    user_id: Option<i64>,
    /// The group that holds the grant
    #[oai(validator(minimum(value = "1")))]
    group_id: Option<i64>,
    /// The permission that is granted
    permission: Option<String>,
    /// The one object that it is granted on
    #[oai(validator(minimum(value = "1")))]
    object_id: Option<i64>,
    /// The host that a webhook calls
    host: Option<String>,
    /// Whether a webhook gets events
    enabled: Option<bool>,
}

/// One change, login or logout, or the failed logins of an hour
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct AuditEvent {
    /// Identifier; it grows with time
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// Who did it; null for a login that failed, a refresh token that was used again, and the command line. The account may be deleted since
    #[oai(nullable, validator(minimum(value = "1")))]
    pub actor_id: Option<i64>,
    /// What was done
    pub action: Action,
    /// What it was done to
    pub object_type: ObjectType,
    /// Its identifier; null for a login with an unknown address
    #[oai(nullable, validator(minimum(value = "1")))]
    pub object_id: Option<i64>,
    /// What it was like before; null for what was created
    #[oai(nullable)]
    pub before: Option<State>,
    /// What it is like since; null for what was deleted
    #[oai(nullable)]
    pub after: Option<State>,
    /// The `X-Request-Id` of the request, as in the log; null for the command line
    #[oai(nullable)]
    pub request_id: Option<String>,
    /// The IP address of the client; null for the command line, for jobs, and for events of earlier releases
    #[oai(nullable)]
    pub address: Option<String>,
    /// How often it was done: more than once only for failed logins. All but `last_at` tells of the first
    #[oai(validator(minimum(value = "1")))]
    pub occurrences: i64,
    /// When it was done for the last time
    pub last_at: DateTime<Utc>,
    /// When it was done
    pub created_at: DateTime<Utc>,
}

impl Example for AuditEvent {
    fn example() -> Self {
        let at = DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("in range");
        let action = Action::find("user_updated").expect("every application has accounts");
        let state = |role: Role| State(json!({ "role": role, "status": Status::Active }));
        Self {
            id: 1,
            actor_id: Some(1),
            action,
            object_type: action.object_type(),
            object_id: Some(2),
            before: Some(state(Role::Active)),
            after: Some(state(Role::Staff)),
            request_id: Some("4f2a9c1b7d3e4a5f8c6b0d9e2f1a3b5c".into()),
            address: Some("192.0.2.1".into()),
            occurrences: 1,
            last_at: at,
            created_at: at,
        }
    }
}

page! {
    /// A page of audit events
    AuditEventPage, AuditEvent, "audit"
}
