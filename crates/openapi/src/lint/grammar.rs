//! What OpenAPI 3.0.3 lets stand where. The walk over a document and the check `oas3-schema` both follow it.

/// The objects of OpenAPI 3.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Root,
    Info,
    Contact,
    License,
    Server,
    ServerVariable,
    Tag,
    Docs,
    PathItem,
    Operation,
    Parameter,
    RequestBody,
    Media,
    Encoding,
    Response,
    Header,
    Example,
    Link,
    Callback,
    Schema,
    Discriminator,
    SecurityScheme,
    Flows,
    Flow,
    Components,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Holds {
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    Flag,
    Number,
    Texts,
    List,
    /// Anything: examples, defaults.
    Data,
    One(Kind),
    Many(Kind),
    /// Names that somebody chose, each with such an object.
    Map(Kind),
}

/// An object: the fields it must have, and all it may have.
pub struct Object {
    kind: Kind,
    pub required: &'static [&'static str],
    pub fields: &'static [(&'static str, Holds)],
}

/// The grammar of one kind; none for a callback, whose keys are expressions.
pub fn object(kind: Kind) -> Option<&'static Object> {
    OBJECTS.iter().find(|object| object.kind == kind)
}

use Holds::{Data, Flag, List, Many, Map, Number, One, Text, Texts, Word};
use Kind::{
    Callback, Components, Contact, Discriminator, Docs, Encoding, Example, Flow, Flows, Header, Info, License, Link,
    Media, Operation, Parameter, PathItem, RequestBody, Response, Root, Schema, SecurityScheme, Server, ServerVariable,
    Tag,
};

const OBJECTS: &[Object] = &[
    Object {
        kind: Root,
        required: &["openapi", "info", "paths"],
        fields: &[
            ("openapi", Text),
            ("info", One(Info)),
            ("servers", Many(Server)),
            ("tags", Many(Tag)),
            ("paths", Map(PathItem)),
            ("components", One(Components)),
            ("security", List),
            ("externalDocs", One(Docs)),
        ],
    },
    Object {
        kind: Info,
        required: &["title", "version"],
        fields: &[
            ("title", Text),
            ("description", Text),
            ("version", Text),
            ("termsOfService", Text),
            ("contact", One(Contact)),
            ("license", One(License)),
        ],
    },
    Object { kind: Contact, required: &[], fields: &[("name", Text), ("url", Text), ("email", Text)] },
    Object { kind: License, required: &["name"], fields: &[("name", Text), ("url", Text)] },
    Object {
        kind: Server,
        required: &["url"],
        fields: &[("url", Text), ("description", Text), ("variables", Map(ServerVariable))],
    },
    Object {
        kind: ServerVariable,
        required: &["default"],
        fields: &[("default", Text), ("enum", Texts), ("description", Text)],
    },
    Object {
        kind: Tag,
        required: &["name"],
        fields: &[("name", Text), ("description", Text), ("externalDocs", One(Docs))],
    },
    Object { kind: Docs, required: &["url"], fields: &[("url", Text), ("description", Text)] },
    Object {
        kind: PathItem,
        required: &[],
        fields: &[
            ("summary", Text),
            ("description", Text),
            ("servers", Many(Server)),
            ("parameters", Many(Parameter)),
            ("get", One(Operation)),
            ("put", One(Operation)),
            ("post", One(Operation)),
            ("delete", One(Operation)),
            ("options", One(Operation)),
            ("head", One(Operation)),
            ("patch", One(Operation)),
            ("trace", One(Operation)),
        ],
    },
    Object {
        kind: Operation,
        required: &["responses"],
        fields: &[
            ("operationId", Text),
            ("summary", Text),
            ("description", Text),
            ("tags", Texts),
            ("deprecated", Flag),
            ("security", List),
            ("parameters", Many(Parameter)),
            ("requestBody", One(RequestBody)),
            ("responses", Map(Response)),
            ("callbacks", Map(Callback)),
            ("servers", Many(Server)),
            ("externalDocs", One(Docs)),
        ],
    },
    Object {
        kind: Parameter,
        required: &["name", "in"],
        fields: &[
            ("name", Text),
            ("in", Word(&["path", "query", "header", "cookie"])),
            ("description", Text),
            ("required", Flag),
            ("deprecated", Flag),
            ("allowEmptyValue", Flag),
            ("style", Text),
            ("explode", Flag),
            ("allowReserved", Flag),
            ("schema", One(Schema)),
            ("example", Data),
            ("examples", Map(Example)),
            ("content", Map(Media)),
        ],
    },
    Object {
        kind: RequestBody,
        required: &["content"],
        fields: &[("description", Text), ("content", Map(Media)), ("required", Flag)],
    },
    Object {
        kind: Media,
        required: &[],
        fields: &[("schema", One(Schema)), ("example", Data), ("examples", Map(Example)), ("encoding", Map(Encoding))],
    },
    Object {
        kind: Encoding,
        required: &[],
        fields: &[
            ("contentType", Text),
            ("headers", Map(Header)),
            ("style", Text),
            ("explode", Flag),
            ("allowReserved", Flag),
        ],
    },
    Object {
        kind: Response,
        required: &["description"],
        fields: &[("description", Text), ("headers", Map(Header)), ("content", Map(Media)), ("links", Map(Link))],
    },
    Object {
        kind: Header,
        required: &[],
        fields: &[
            ("description", Text),
            ("required", Flag),
            ("deprecated", Flag),
            ("style", Text),
            ("explode", Flag),
            ("schema", One(Schema)),
            ("example", Data),
            ("examples", Map(Example)),
            ("content", Map(Media)),
        ],
    },
    Object {
        kind: Example,
        required: &[],
        fields: &[("summary", Text), ("description", Text), ("value", Data), ("externalValue", Text)],
    },
    Object {
        kind: Link,
        required: &[],
        fields: &[
            ("operationRef", Text),
            ("operationId", Text),
            ("parameters", Data),
            ("requestBody", Data),
            ("description", Text),
            ("server", One(Server)),
        ],
    },
    Object {
        kind: Schema,
        required: &[],
        fields: &[
            ("title", Text),
            ("type", Word(&["string", "integer", "number", "boolean", "array", "object"])),
            ("format", Text),
            ("description", Text),
            ("multipleOf", Number),
            ("maximum", Number),
            ("exclusiveMaximum", Flag),
            ("minimum", Number),
            ("exclusiveMinimum", Flag),
            ("maxLength", Number),
            ("minLength", Number),
            ("pattern", Text),
            ("maxItems", Number),
            ("minItems", Number),
            ("uniqueItems", Flag),
            ("maxProperties", Number),
            ("minProperties", Number),
            ("required", Texts),
            ("enum", List),
            ("allOf", Many(Schema)),
            ("oneOf", Many(Schema)),
            ("anyOf", Many(Schema)),
            ("not", One(Schema)),
            ("items", One(Schema)),
            ("properties", Map(Schema)),
            ("additionalProperties", One(Schema)),
            ("default", Data),
            ("nullable", Flag),
            ("discriminator", One(Discriminator)),
            ("readOnly", Flag),
            ("writeOnly", Flag),
            ("xml", Data),
            ("externalDocs", One(Docs)),
            ("example", Data),
            ("deprecated", Flag),
        ],
    },
    Object { kind: Discriminator, required: &["propertyName"], fields: &[("propertyName", Text), ("mapping", Data)] },
    Object {
        kind: SecurityScheme,
        required: &["type"],
        fields: &[
            ("type", Word(&["apiKey", "http", "oauth2", "openIdConnect"])),
            ("description", Text),
            ("name", Text),
            ("in", Text),
            ("scheme", Text),
            ("bearerFormat", Text),
            ("flows", One(Flows)),
            ("openIdConnectUrl", Text),
        ],
    },
    Object {
        kind: Flows,
        required: &[],
        fields: &[
            ("implicit", One(Flow)),
            ("password", One(Flow)),
            ("clientCredentials", One(Flow)),
            ("authorizationCode", One(Flow)),
        ],
    },
    Object {
        kind: Flow,
        required: &["scopes"],
        fields: &[("authorizationUrl", Text), ("tokenUrl", Text), ("refreshUrl", Text), ("scopes", Data)],
    },
    Object {
        kind: Components,
        required: &[],
        fields: &[
            ("schemas", Map(Schema)),
            ("responses", Map(Response)),
            ("parameters", Map(Parameter)),
            ("examples", Map(Example)),
            ("requestBodies", Map(RequestBody)),
            ("headers", Map(Header)),
            ("securitySchemes", Map(SecurityScheme)),
            ("links", Map(Link)),
            ("callbacks", Map(Callback)),
        ],
    },
];
