//! Events: what webhooks are sent when a row changes. A resource declares its events with [`events!`](crate::events); the
//! types of the document follow from all of them.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use poem_openapi::registry::{MetaDiscriminatorObject, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{Example, ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::db::signals::Signalled;
use crate::declared::{List, declared_enum};

/// The type of an event, such as `group.created`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EventType {
    name: &'static str,
}

static GROUPS: List<EventGroup> = List::new();
static TYPES: List<EventType> = List::new();
static EXAMPLE: List<EventGroup> = List::new();

declared_enum! {
    /// What may be told to a webhook
    EventType in TYPES
}

impl EventType {
    /// An event type; a released name never changes its meaning.
    pub const fn new(name: &'static str) -> Self {
        Self { name }
    }
}

/// The events about one type of object, which have one schema in the document.
#[derive(Clone, Copy)]
pub struct EventGroup {
    /// The event types.
    pub types: &'static [EventType],
    /// The name of the schema.
    pub schema: &'static str,
    /// Adds the schema to the document.
    pub register: fn(&mut Registry),
    /// An event, as an example.
    pub example: fn() -> Value,
}

/// Completes the lists of all events.
pub(crate) fn complete(groups: Vec<EventGroup>, example: Option<EventGroup>) {
    TYPES.complete(groups.iter().flat_map(|group| group.types).copied().collect());
    GROUPS.complete(groups);
    EXAMPLE.complete(example.into_iter().collect());
}

/// The events that stand as examples in the document.
pub fn example() -> EventGroup {
    EXAMPLE.get().first().or(GROUPS.get().first()).copied().expect("an application with webhooks has events")
}

/// The data of an event: the object as the API shows it.
pub trait Payload: Serialize + Send + Sync {
    /// The object, such as `group:7`. Events of one object are sent in order.
    fn object(&self) -> String;
}

/// The change of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// An insert.
    Created,
    /// An update.
    Updated,
    /// A deletion.
    Deleted,
}

/// A row whose changes are sent to webhooks.
pub trait Published: Signalled {
    /// The data of the events.
    type Data: Payload + From<Self>;

    /// The type of the event of a change; `None` if the change has no event.
    fn event_type(change: Change) -> Option<EventType>;
}

/// An event as it is stored and sent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutgoingEvent {
    /// The identifier, the same in each attempt to send the event.
    pub id: String,
    /// The type.
    pub event_type: EventType,
    /// The object of the event, such as `group:7`. Events of one object are sent in order.
    pub object: String,
    /// The JSON text of the request.
    pub body: String,
}

impl OutgoingEvent {
    /// An event that happens now.
    pub fn new<D: Payload>(event_type: EventType, data: &D, now: DateTime<Utc>) -> Self {
        let id = format!("evt_{:032x}", rand::random::<u128>());
        let envelope = Envelope { id: &id, kind: event_type, timestamp: now, data };
        let body = serde_json::to_string(&envelope).expect("an event is plain data");
        Self { event_type, object: data.object(), body, id }
    }
}

/// The shape of all events.
#[derive(Serialize)]
struct Envelope<'a, D> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: EventType,
    timestamp: DateTime<Utc>,
    data: &'a D,
}

/// Declares the events about one type of object: the names of the schemas, the data, the object with its identifier, the
/// event types, and the event of each change of a row. Also makes the list `EVENTS` for the declaration of the resource.
#[macro_export]
macro_rules! events {
    ($(
        $(#[doc = $doc:literal])+
        $event:ident($types:ident): $data:ident = $object:literal |$this:ident| $id:expr, {
            $($one:ident = $name:literal, $what:literal;)+
        }
        $(for $row:ty { $($change:ident => $type:ident),+ $(,)? })?
    )+) => {
        $(
            $(#[doc = $doc])+
            #[derive(poem_openapi::Object)]
            #[oai(example)]
            pub struct $event {
                /// Identifier, which is also `webhook-id`: the same each time this event is sent
                #[oai(validator(pattern = "^evt_[0-9a-f]{32}$"))]
                pub id: String,
                /// What has happened
                #[oai(rename = "type")]
                pub kind: $types,
                /// When it happened
                pub timestamp: chrono::DateTime<chrono::Utc>,
                /// What it happened to, as it is since; what was deleted as it was
                pub data: $data,
            }

            impl poem_openapi::types::Example for $event {
                fn example() -> Self {
                    Self {
                        id: "evt_4f2a9c1b7d3e4a5f8c6b0d9e2f1a3b5c".into(),
                        kind: [$($types::$one),+][0],
                        timestamp: chrono::DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("in range"),
                        data: $data::example(),
                    }
                }
            }

            /// What an event of this kind tells
            #[derive(Debug, Clone, Copy, PartialEq, Eq, poem_openapi::Enum)]
            pub enum $types {
                $(#[doc = $what] #[oai(rename = $name)] $one,)+
            }

            impl $types {
                /// Every type, in the order of the declaration.
                pub const ALL: &[$crate::resources::webhooks::events::EventType] =
                    &[$($crate::resources::webhooks::events::EventType::new($name)),+];
            }

            impl From<$types> for $crate::resources::webhooks::events::EventType {
                fn from(one: $types) -> Self {
                    $types::ALL[one as usize]
                }
            }

            impl $crate::resources::webhooks::events::Payload for $data {
                fn object(&self) -> String {
                    let $this = self;
                    format!("{}:{}", $object, $id)
                }
            }

            $(impl $crate::resources::webhooks::events::Published for $row {
                type Data = $data;

                fn event_type(
                    change: $crate::resources::webhooks::events::Change,
                ) -> Option<$crate::resources::webhooks::events::EventType> {
                    match change {
                        $($crate::resources::webhooks::events::Change::$change => Some($types::$type.into()),)+
                        #[allow(unreachable_patterns, reason = "some rows are never updated")]
                        _ => None,
                    }
                }
            })?
        )+

        /// The events of the resource.
        pub const EVENTS: &[$crate::resources::webhooks::events::EventGroup] = &[
            $($crate::resources::webhooks::events::EventGroup {
                types: $types::ALL,
                schema: stringify!($event),
                register: <$event as poem_openapi::types::Type>::register,
                example: || {
                    let example = <$event as poem_openapi::types::Example>::example();
                    poem_openapi::types::ToJSON::to_json(&example).unwrap_or_default()
                },
            }),+
        ];
    };
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

events! {
    /// An event that nothing has caused, to test a webhook
    TestEvent(TestEventType): TestedWebhook = "webhook" |tested| tested.webhook_id, {
        Test = "webhook.test", "An admin tests the webhook, which gets it whatever its `events` are";
    }
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
        Self((example().example)())
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
            let (mut one_of, mut mapping) = (vec![], vec![]);
            for group in GROUPS.get() {
                (group.register)(registry);
                let schema = MetaSchemaRef::Reference(group.schema.into());
                let path = format!("#/components/schemas/{}", group.schema);
                mapping.extend(group.types.iter().map(|one| (one.as_str().to_owned(), path.clone())));
                one_of.push(schema);
            }
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

    #[test]
    fn each_example_fits_its_schema_and_that_of_all_events() {
        for group in GROUPS.get() {
            let example = (group.example)();
            for name in [group.schema, "Event"] {
                let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
                let faults = schema::body_faults(&schema::compile(document::document(), &schema), &example);
                assert!(faults.is_empty(), "{name}: {example}");
            }
            let mapping = &document::document()["components"]["schemas"]["Event"]["discriminator"]["mapping"];
            for event_type in group.types {
                assert_eq!(mapping[event_type.as_str()], format!("#/components/schemas/{}", group.schema));
            }
        }
    }

    #[test]
    fn what_is_sent_is_what_the_document_says() {
        crate::application::install_for_tests();
        let event = OutgoingEvent::new(TestEventType::Test.into(), &TestedWebhook::example(), crate::app::now());
        assert_eq!((event.object.as_str(), event.event_type.as_str()), ("webhook:1", "webhook.test"));
        let body: Value = serde_json::from_str(&event.body).expect("JSON");
        assert_eq!(body["type"], "webhook.test");
        let schema = json!({ "$ref": "#/components/schemas/TestEvent" });
        let faults = schema::body_faults(&schema::compile(document::document(), &schema), &body);
        assert!(faults.is_empty(), "{body}");
    }
}
