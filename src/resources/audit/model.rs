//! What goes over the wire for the audit.

use chrono::{DateTime, Utc};
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use crate::auth::permission::Target;
use crate::auth::{Role, Status};
use crate::http::page::page;

/// Declares [`Action`]: each line is one, its word, and the kind of object it is about.
macro_rules! actions {
    ($($action:ident = $word:literal, $object:ident, $doc:literal;)*) => {
        /// What was done
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize)]
        #[oai(rename_all = "snake_case")]
        #[serde(rename_all = "snake_case")]
        pub enum Action {
            $(#[doc = $doc] $action),*
        }

        impl Action {
            /// The word in the database and on the wire.
            pub fn word(self) -> &'static str {
                match self { $(Self::$action => $word),* }
            }

            /// What it is done to.
            pub fn object_type(self) -> ObjectType {
                match self { $(Self::$action => ObjectType::$object),* }
            }
        }

        impl TryFrom<String> for Action {
            type Error = String;

            fn try_from(word: String) -> Result<Self, String> {
                match word.as_str() {
                    $($word => Ok(Self::$action),)*
                    _ => Err(format!("`{word}` is no action")),
                }
            }
        }
    };
}

actions! {
    UserCreated = "user_created", User, "An account was registered, or made by an admin";
    UserUpdated = "user_updated", User, "Role, status, address or name of an account were changed, or the address was verified";
    UserDeleted = "user_deleted", User, "An account was deleted";
    PasswordChanged = "password_changed", User, "An account got another password, which ended its other sessions";
    LoggedIn = "logged_in", User, "Somebody logged in, also by registering or by accepting an invitation; tokens of an identity provider open no session here";
    LoggedOut = "logged_out", User, "Somebody logged out";
    SessionRevoked = "session_revoked", User, "Somebody ended one of their sessions";
    LoginFailed = "login_failed", User, "Somebody failed to log in, or gave a wrong present password with a token; the object is the account, if there is one. Of one hour, account, client network and reason the first ten are an event each, the others are counted in one more";
    RefreshTokenReused = "refresh_token_reused", User, "Somebody used a refresh token of the account again; its session was ended";
    IdentityLinked = "identity_linked", User, "An identity of the provider was linked to an account";
    GroupCreated = "group_created", Group, "A group was made";
    GroupUpdated = "group_updated", Group, "A group was renamed";
    GroupDeleted = "group_deleted", Group, "A group was deleted, with its memberships and grants";
    MemberAdded = "member_added", Group, "A user came into a group";
    MemberRemoved = "member_removed", Group, "A user was taken out of a group";
    PermissionCreated = "permission_created", Permission, "A permission came into the catalogue";
    PermissionUpdated = "permission_updated", Permission, "A permission was described otherwise";
    PermissionDeleted = "permission_deleted", Permission, "A permission was deleted, with its grants";
    GrantCreated = "grant_created", Grant, "A permission was granted";
    GrantDeleted = "grant_deleted", Grant, "A grant was taken back, or went with its holder, its permission or its object";
    PostUpdated = "post_updated", Post, "An admin or the holder of a grant changed a post of somebody else";
    PostDeleted = "post_deleted", Post, "An admin or the holder of a grant deleted a post of somebody else";
    GuestInvited = "guest_invited", InvitedGuest, "Somebody was invited";
    InvitationAccepted = "invitation_accepted", InvitedGuest, "Whoever was invited has made an account";
    InvitationDeleted = "invitation_deleted", InvitedGuest, "An invitation was taken back, has expired, or went with its inviter";
    WebhookCreated = "webhook_created", Webhook, "A webhook was made";
    WebhookUpdated = "webhook_updated", Webhook, "A webhook was changed";
    WebhookDeleted = "webhook_deleted", Webhook, "A webhook was deleted";
    WebhookDisabled = "webhook_disabled", Webhook, "A webhook was disabled because its receiver takes no events";
}

/// What something was done to
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ObjectType {
    /// An account
    User,
    /// A group
    Group,
    /// A permission of the catalogue
    Permission,
    /// A grant
    Grant,
    /// A post
    Post,
    /// An invitation
    InvitedGuest,
    /// A webhook
    Webhook,
}

impl ObjectType {
    /// The word in the database and on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Permission => "permission",
            Self::Grant => "grant",
            Self::Post => "post",
            Self::InvitedGuest => "invited_guest",
            Self::Webhook => "webhook",
        }
    }
}

impl TryFrom<String> for ObjectType {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let types =
            [Self::User, Self::Group, Self::Permission, Self::Grant, Self::Post, Self::InvitedGuest, Self::Webhook];
        types.into_iter().find(|kind| kind.word() == word).ok_or_else(|| format!("`{word}` is no object type"))
    }
}

/// What an object was like; only what belongs to its kind, and nothing that names a person or opens a door
#[derive(Debug, Clone, Default, PartialEq, Eq, Object, Serialize, Deserialize)]
#[oai(rename = "AuditState", skip_serializing_if_is_none)]
#[serde(default)]
pub struct State {
    /// Role of an account, or that an invitation gives
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Status of an account
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Which private fields of an account were changed, or which of a post or a webhook: `email`, `title`, `url`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<Vec<String>>,
    /// The session that was opened or ended
    #[oai(validator(minimum(value = "1")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<i64>,
    /// Why a login failed: `credentials`, `account_disabled`, `email_unverified`, or `present_password` for a request with a token; or why a webhook was disabled: `gone` or `failing`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Name of a group or permission
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What a permission is for
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whose rows a permission may be granted on
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// The member, the user that holds the grant, the owner of a post, or the account of an invitation
    #[oai(validator(minimum(value = "1")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<i64>,
    /// The group that holds the grant
    #[oai(validator(minimum(value = "1")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<i64>,
    /// The permission that is granted
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<String>,
    /// The one object that it is granted on
    #[oai(validator(minimum(value = "1")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_id: Option<i64>,
    /// The host that a webhook calls
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whether a webhook gets events
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
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
        let state = |role| State { role: Some(role), status: Some(Status::Active), ..State::default() };
        Self {
            id: 1,
            actor_id: Some(1),
            action: Action::UserUpdated,
            object_type: ObjectType::User,
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
    AuditEventPage, AuditEvent, "MS9hdWRpdC8wLzE"
}
