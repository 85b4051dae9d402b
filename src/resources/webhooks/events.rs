//! What webhooks are told: each kind of event is a line of one table, which makes the types of the document, too.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use poem_openapi::registry::{MetaDiscriminatorObject, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{Example, ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::resources::grants::model::Grant;
use crate::resources::groups::model::Group;
use crate::resources::permissions::model::Permission;
use crate::resources::posts::model::Post;
use crate::resources::users::model::Account;

/// A user in a group
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct Membership {
    /// The group's identifier
    #[oai(validator(minimum(value = "1")))]
    pub group_id: i64,
    /// The user's identifier
    #[oai(validator(minimum(value = "1")))]
    pub user_id: i64,
}

impl Example for Membership {
    fn example() -> Self {
        Self { group_id: 1, user_id: 2 }
    }
}

/// A user's vote for a post
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct GivenVote {
    /// The post's identifier
    #[oai(validator(minimum(value = "1")))]
    pub post_id: i64,
    /// The user's identifier
    #[oai(validator(minimum(value = "1")))]
    pub user_id: i64,
}

impl Example for GivenVote {
    fn example() -> Self {
        Self { post_id: 1, user_id: 2 }
    }
}

/// The webhook that is tested
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct TestedWebhook {
    /// The webhook's identifier
    #[oai(validator(minimum(value = "1")))]
    pub webhook_id: i64,
}

impl Example for TestedWebhook {
    fn example() -> Self {
        Self { webhook_id: 1 }
    }
}

/// An event as it is stored and sent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutgoingEvent {
    /// The identifier, the same in each attempt to send the event.
    pub id: String,
    /// The type.
    pub event_type: EventType,
    /// The object of the event, such as `post:7`. Events of one object are sent in order.
    pub object: String,
    /// The JSON text of the request.
    pub body: String,
}

impl OutgoingEvent {
    /// An event that happens now.
    pub fn new(event: &Event<'_>, now: DateTime<Utc>) -> Self {
        let id = new_id();
        Self { event_type: event.event_type(), object: event.object(), body: event.body(&id, now), id }
    }
}

/// Declares the kinds of events: data, types of the document, the object whose events come in order, and each type's
/// name among its kind and among all, its word, and what has happened.
macro_rules! events {
    ($($kind:ident($data:ident) = $event:ident, $types:ident, $doc:literal, $object:literal $key:expr, {
        $($one:ident $all:ident $word:literal $what:literal;)*
    })*) => {
        /// What may be told to a webhook
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
        pub enum EventType {
            $($(#[doc = $what] #[oai(rename = $word)] #[serde(rename = $word)] $all,)*)*
        }

        impl EventType {
            /// The word on the wire.
            pub fn word(self) -> &'static str {
                match self { $($(Self::$all => $word,)*)* }
            }
        }

        /// Something that has happened, to be told.
        pub enum Event<'a> {
            $(#[doc = $doc] $kind($types, &'a $data),)*
        }

        impl Event<'_> {
            /// Its type.
            pub fn event_type(&self) -> EventType {
                match self { $($(Self::$kind($types::$one, _) => EventType::$all,)*)* }
            }

            /// What it is about: events of one object are told in their order.
            pub fn object(&self) -> String {
                match self { $(Self::$kind(_, data) => { let key: fn(&$data) -> i64 = $key; format!("{}:{}", $object, key(data)) })* }
            }

            /// As it is sent.
            pub fn body(&self, id: &str, now: DateTime<Utc>) -> String {
                let text = match self {
                    $(Self::$kind(kind, data) => serde_json::to_string(&Envelope { id, kind, timestamp: now, data }),)*
                };
                text.expect("an event is plain data")
            }
        }

        $(
            #[doc = $doc]
            #[derive(Object)]
            #[oai(example)]
            pub struct $event {
                /// Identifier, which is also `webhook-id`: the same each time this event is sent
                #[oai(validator(pattern = "^evt_[0-9a-f]{32}$"))]
                pub id: String,
                /// What has happened
                #[oai(rename = "type")]
                pub kind: $types,
                /// When it happened
                pub timestamp: DateTime<Utc>,
                /// What it happened to, as it is since; what was deleted as it was
                pub data: $data,
            }

            impl Example for $event {
                fn example() -> Self {
                    let timestamp = DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("in range");
                    let kind = [$($types::$one),*][0];
                    Self { id: "evt_4f2a9c1b7d3e4a5f8c6b0d9e2f1a3b5c".into(), kind, timestamp, data: $data::example() }
                }
            }

            /// What an event of this kind tells
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize)]
            pub enum $types {
                $(#[doc = $what] #[oai(rename = $word)] #[serde(rename = $word)] $one,)*
            }
        )*

        fn register_all(registry: &mut Registry) -> (Vec<MetaSchemaRef>, Vec<(String, String)>) {
            $($event::register(registry);)*
            let refs = vec![$($event::schema_ref()),*];
            let path = |name: &str| format!("#/components/schemas/{name}");
            let mapping = vec![$($(($word.to_owned(), path(stringify!($event)))),*),*];
            (refs, mapping)
        }
    };
}

events! {
    User(Account) = UserEvent, UserEventType, "An event about an account", "user" |account| account.user.id, {
        Created UserCreated "user.created" "An account was registered, or made by an admin";
        Updated UserUpdated "user.updated" "An account was changed";
        Deleted UserDeleted "user.deleted" "An account was deleted";
    }
    Group(Group) = GroupEvent, GroupEventType, "An event about a group", "group" |group| group.id, {
        Created GroupCreated "group.created" "A group was made";
        Updated GroupUpdated "group.updated" "A group was renamed";
        Deleted GroupDeleted "group.deleted" "A group was deleted, and nobody is a member any more";
    }
    Member(Membership) = MemberEvent, MemberEventType, "An event about a member of a group", "group" |member| member.group_id, {
        Added MemberAdded "member.added" "A user came into a group";
        Removed MemberRemoved "member.removed" "A user was taken out of a group";
    }
    Permission(Permission) = PermissionEvent, PermissionEventType, "An event about a permission of the catalogue", "permission" |permission| permission.id, {
        Created PermissionCreated "permission.created" "A permission came into the catalogue";
        Updated PermissionUpdated "permission.updated" "A permission was described otherwise";
        Deleted PermissionDeleted "permission.deleted" "A permission was deleted";
    }
    Grant(Grant) = GrantEvent, GrantEventType, "An event about a grant", "grant" |grant| grant.id, {
        Created GrantCreated "grant.created" "A permission was granted";
        Deleted GrantDeleted "grant.deleted" "A grant was taken back, or went with its holder, its permission or its object";
    }
    Post(Post) = PostEvent, PostEventType, "An event about a post", "post" |post| post.id, {
        Created PostCreated "post.created" "A post was written";
        Updated PostUpdated "post.updated" "A post was changed";
        Deleted PostDeleted "post.deleted" "A post was deleted";
    }
    Vote(GivenVote) = VoteEvent, VoteEventType, "An event about a vote", "post" |vote| vote.post_id, {
        Added VoteAdded "vote.added" "A user voted for a post";
        Removed VoteRemoved "vote.removed" "A user took a vote back";
    }
    Test(TestedWebhook) = TestEvent, TestEventType, "An event that nothing has caused, to test a webhook", "webhook" |tested| tested.webhook_id, {
        Test WebhookTest "webhook.test" "An admin tests the webhook, which gets it whatever its `events` are";
    }
}

/// One shape for all.
#[derive(Serialize)]
struct Envelope<'a, K, D> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a K,
    timestamp: DateTime<Utc>,
    data: &'a D,
}

/// A new identifier.
pub fn new_id() -> String {
    format!("evt_{:032x}", rand::random::<u128>())
}

/// An event as it was written down; in the document one of all kinds.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Told(Value);

impl TryFrom<String> for Told {
    type Error = serde_json::Error;

    fn try_from(text: String) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&text).map(Self)
    }
}

impl Example for Told {
    fn example() -> Self {
        Self(PostEvent::example().to_json().unwrap_or_default())
    }
}

impl Type for Told {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "Event".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Reference("Event".into())
    }

    fn register(registry: &mut Registry) {
        registry.create_schema::<Self, _>("Event".into(), |registry| {
            let (one_of, mapping) = register_all(registry);
            MetaSchema {
                description: Some("What is sent to a webhook, byte for byte as it was signed; `type` says which it is"),
                one_of,
                discriminator: Some(MetaDiscriminatorObject { property_name: "type", mapping }),
                ..MetaSchema::ANY
            }
        });
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ParseFromJSON for Told {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        value.map(Self).ok_or_else(ParseError::expected_input)
    }
}

impl ToJSON for Told {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::server::{document, schema};

    /// What is sent, and the type that the document has for it.
    #[test]
    fn what_is_sent_is_what_the_document_says() {
        let (account, group, permission) = (Account::example(), Group::example(), Permission::example());
        let (member, grant, post) = (Membership::example(), Grant::example(), Post::example());
        let (vote, tested) = (GivenVote::example(), TestedWebhook::example());
        for (event, object, name) in [
            (Event::User(UserEventType::Deleted, &account), "user:1", "UserEvent"),
            (Event::Group(GroupEventType::Updated, &group), "group:1", "GroupEvent"),
            (Event::Member(MemberEventType::Added, &member), "group:1", "MemberEvent"),
            (Event::Permission(PermissionEventType::Created, &permission), "permission:1", "PermissionEvent"),
            (Event::Grant(GrantEventType::Deleted, &grant), "grant:1", "GrantEvent"),
            (Event::Post(PostEventType::Created, &post), "post:1", "PostEvent"),
            (Event::Vote(VoteEventType::Removed, &vote), "post:1", "VoteEvent"),
            (Event::Test(TestEventType::Test, &tested), "webhook:1", "TestEvent"),
        ] {
            assert_eq!(event.object(), object);
            let body: Value = serde_json::from_str(&event.body(&new_id(), crate::app::now())).expect("JSON");
            assert_eq!(body["type"], event.event_type().word());
            for one in [name, "Event"] {
                let schema = json!({ "$ref": format!("#/components/schemas/{one}") });
                let faults = schema::body_faults(&schema::compile(document::document(), &schema), &body);
                assert!(faults.is_empty(), "{one}: {body}");
            }
            let mapping = &document::document()["components"]["schemas"]["Event"]["discriminator"]["mapping"];
            assert_eq!(mapping[event.event_type().word()], format!("#/components/schemas/{name}"));
        }
    }

    #[test]
    fn a_type_is_one_word_everywhere() {
        for (event_type, word) in [(EventType::UserCreated, "user.created"), (EventType::WebhookTest, "webhook.test")] {
            assert_eq!((event_type.word(), json!(event_type)), (word, json!(word)));
        }
    }
}
