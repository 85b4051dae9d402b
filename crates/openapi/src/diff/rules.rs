//! The table of rules: every kind of difference, whom it breaks, and what to do. The comparison reports nothing else.
//!
//! Ids follow oasdiff's where it has one. `openapi/RULES.md` is made from this table.

use serde::Serialize;

use Prefix::{Bare, Direction, Place, Security};
use Verdict::{Breaking, Compatible, Risky, Wording};

/// How much a difference matters to those who call the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Only texts and examples differ.
    Wording,
    /// Whoever calls the old API can call the new one.
    Compatible,
    /// Some callers may notice: their SDK's names, what they rely on without a promise, or who else may call.
    Risky,
    /// Some callers fail.
    Breaking,
}

impl Verdict {
    /// All of them, the worst first.
    pub const ALL: [Self; 4] = [Breaking, Risky, Compatible, Wording];

    /// The verdict as a word.
    pub fn name(self) -> &'static str {
        match self {
            Wording => "wording",
            Compatible => "compatible",
            Risky => "risky",
            Breaking => "breaking",
        }
    }
}

/// What stands in front of a rule's own words in its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// Nothing.
    Bare,
    /// The part of a message that the schema describes: `request-parameter-`, `response-property-`, …
    Place,
    /// `request-` or `response-`.
    Direction,
    /// `api-security-` or `api-global-security-`.
    Security,
}

impl Prefix {
    /// Every text that this prefix may be.
    pub fn texts(self) -> &'static [&'static str] {
        match self {
            Bare => &[""],
            Place => &[
                "request-parameter-",
                "request-body-",
                "request-property-",
                "response-header-",
                "response-body-",
                "response-property-",
            ],
            Direction => &["request-", "response-"],
            Security => &["api-security-", "api-global-security-"],
        }
    }
}

/// A kind of difference.
#[derive(Debug)]
pub struct Rule {
    /// What follows the prefix; without a prefix the whole id.
    pub name: &'static str,
    /// The prefix of its ids.
    pub prefix: Prefix,
    /// The chapter of `openapi/RULES.md`.
    pub group: &'static str,
    /// The verdict where callers send it.
    pub request: Verdict,
    /// The verdict where callers receive it.
    pub response: Verdict,
    /// What the difference is.
    pub meaning: &'static str,
    /// Why it matters, or what to do.
    pub advice: &'static str,
}

impl Rule {
    /// Every id that findings of this rule may have.
    pub fn ids(&self) -> impl Iterator<Item = String> {
        self.prefix.texts().iter().map(|prefix| format!("{prefix}{}", self.name))
    }
}

/// The rule that an id names.
pub fn by_id(id: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.ids().any(|other| other == id))
}

/// `NAME "name" Prefix(verdict in a request, verdict in a response) "meaning" "advice"`; one verdict stands for both.
macro_rules! table {
    ($($group:literal {
        $($constant:ident $name:literal $prefix:ident($request:ident $(, $response:ident)?)
            $meaning:literal $advice:literal)*
    })*) => {
        $($(#[doc = $meaning]
        pub static $constant: Rule = Rule {
            name: $name,
            prefix: $prefix,
            group: $group,
            request: $request,
            response: table!(@last $request $($response)?),
            meaning: $meaning,
            advice: $advice,
        };)*)*

        /// The table, in its order.
        pub static ALL: &[&Rule] = &[$($(&$constant,)*)*];
    };
    (@last $one:ident) => { $one };
    (@last $request:ident $response:ident) => { $response };
}

table! {
"Operations and paths" {
    ENDPOINT_ADDED "endpoint-added" Bare(Compatible)
        "There is a new operation." "Nobody calls it yet."
    API_REMOVED_WITHOUT_DEPRECATION "api-removed-without-deprecation" Bare(Breaking)
        "An operation is gone that was never marked as deprecated."
        "Keep it, mark it `deprecated: true` with an `x-sunset` date, and remove it after that date."
    API_REMOVED_BEFORE_SUNSET "api-removed-before-sunset" Bare(Breaking)
        "A deprecated operation is gone before its `x-sunset` date, or it had none."
        "Keep it until the day that was promised."
    API_REMOVED_WITH_DEPRECATION "api-removed-with-deprecation" Bare(Compatible)
        "A deprecated operation is gone after its `x-sunset` date."
        "Callers were told, and had the time that was promised."
    API_OPERATION_MOVED "api-operation-moved" Bare(Breaking)
        "An operation has the same id at another method or path."
        "Calls to the old place get 404 or 405: serve both until the old one's sunset."
    PATH_PARAMETER_RENAMED "path-parameter-renamed" Bare(Risky)
        "A variable of the path has another name."
        "The URLs stay the same, but arguments of generated clients change their name."
    API_OPERATION_ID_REMOVED "api-operation-id-removed" Bare(Risky)
        "The operation id is gone or another."
        "Requests stay the same, but the method of every generated client changes its name."
    API_OPERATION_ID_ADDED "api-operation-id-added" Bare(Compatible)
        "The operation has an id where it had none." "Generated clients can name their method after it."
    TAG_CHANGED "tag-changed" Bare(Risky)
        "The operation has other tags."
        "Requests stay the same, but generated clients move the method to another module."
    ENDPOINT_DEPRECATED "endpoint-deprecated" Bare(Compatible)
        "The operation is deprecated and says until when it works." "Callers have until the `x-sunset` date."
    API_DEPRECATED_SUNSET_MISSING "api-deprecated-sunset-missing" Bare(Breaking)
        "The operation is deprecated without a date." "Say with `x-sunset: YYYY-MM-DD` how long callers can rely on it."
    ENDPOINT_REACTIVATED "endpoint-reactivated" Bare(Compatible)
        "The operation is no longer deprecated." "Callers may stay."
    SUNSET_ADDED "sunset-added" Bare(Compatible)
        "A date of removal is given where there was none." "Callers can plan."
    SUNSET_DELETED "sunset-deleted" Bare(Breaking)
        "The promised date of removal is gone." "Callers relied on that date: put it back."
    SUNSET_MOVED_EARLIER "sunset-moved-earlier" Bare(Breaking)
        "The date of removal is earlier than promised, or no date."
        "Keep the day that was promised, or give a later one."
    SUNSET_MOVED_LATER "sunset-moved-later" Bare(Compatible)
        "The date of removal is later than promised." "Callers have more time."
    CALLBACK_ADDED "callback-added" Bare(Compatible)
        "The server can call a new callback." "Only callers who give an address get it."
    CALLBACK_REMOVED "callback-removed" Bare(Breaking)
        "The server no longer calls a callback." "Callers wait for it in vain."
    WEBHOOK_ADDED "webhook-added" Bare(Compatible)
        "There is a new webhook." "Only those who register get it."
    WEBHOOK_REMOVED "webhook-removed" Bare(Breaking)
        "A webhook is gone." "Those who registered wait for it in vain."
}
"Parameters" {
    REQUEST_PARAMETER_REMOVED "request-parameter-removed" Bare(Breaking)
        "A parameter is gone."
        "Unknown parameters are refused, and where they are not, the request does something else than before."
    REQUEST_PARAMETER_REMOVED_WITH_DEPRECATION "request-parameter-removed-with-deprecation" Bare(Compatible)
        "A deprecated parameter is gone after its `x-sunset` date."
        "Callers were told, and had the time that was promised."
    REQUEST_PARAMETER_RENAMED "request-parameter-renamed" Bare(Breaking)
        "A parameter has another name and the same schema."
        "Take both names for a while: the old one as a deprecated parameter."
    NEW_REQUIRED_REQUEST_PARAMETER "new-required-request-parameter" Bare(Breaking)
        "There is a new required parameter." "Requests of today lack it: make it optional with a default."
    NEW_OPTIONAL_REQUEST_PARAMETER "new-optional-request-parameter" Bare(Compatible)
        "There is a new optional parameter." "Requests of today lack it, which is allowed."
    REQUEST_PARAMETER_BECAME_REQUIRED "request-parameter-became-required" Bare(Breaking)
        "A parameter that could be left out is required." "Requests without it are refused: keep it optional."
    REQUEST_PARAMETER_BECAME_OPTIONAL "request-parameter-became-optional" Bare(Compatible)
        "A required parameter can be left out." "Requests of today send it, which is allowed."
    REQUEST_PARAMETER_STYLE_CHANGED "request-parameter-style-changed" Bare(Breaking)
        "The parameter's value is written in another `style`." "Values of today are read as something else."
    REQUEST_PARAMETER_EXPLODE_CHANGED "request-parameter-explode-changed" Bare(Breaking)
        "Lists and objects in the parameter are written in another way (`explode`)."
        "Values of today are read as something else."
    REQUEST_PARAMETER_ALLOW_RESERVED_CHANGED "request-parameter-allow-reserved-changed" Bare(Risky)
        "Whether reserved characters stand for themselves in the parameter is another."
        "Clients that escape them, or do not, may be misread."
    REQUEST_PARAMETER_EMPTY_VALUE_REFUSED "request-parameter-empty-value-refused" Bare(Breaking)
        "The parameter no longer takes an empty value." "Requests with `?name=` are refused."
    REQUEST_PARAMETER_EMPTY_VALUE_ALLOWED "request-parameter-empty-value-allowed" Bare(Compatible)
        "The parameter takes an empty value." "Requests of today stay valid."
    REQUEST_PARAMETER_CONTENT_CHANGED "request-parameter-content-changed" Bare(Breaking)
        "The parameter's value is no longer plain but in a media type, or the other way."
        "Values of today are read as something else."
}
"Request bodies" {
    REQUEST_BODY_ADDED_REQUIRED "request-body-added-required" Bare(Breaking)
        "The operation needs a body where it had none." "Requests of today lack it: make it optional."
    REQUEST_BODY_ADDED_OPTIONAL "request-body-added-optional" Bare(Compatible)
        "The operation takes a body where it had none." "Requests of today lack it, which is allowed."
    REQUEST_BODY_REMOVED "request-body-removed" Bare(Breaking)
        "The operation takes no body any more." "What callers send is refused or ignored."
    REQUEST_BODY_BECAME_REQUIRED "request-body-became-required" Bare(Breaking)
        "The body that could be left out is required." "Requests without it are refused: keep it optional."
    REQUEST_BODY_BECAME_OPTIONAL "request-body-became-optional" Bare(Compatible)
        "The required body can be left out." "Requests of today send it, which is allowed."
    REQUEST_BODY_MEDIA_TYPE_ADDED "request-body-media-type-added" Bare(Compatible)
        "The body may come in a new media type." "The others still work."
    REQUEST_BODY_MEDIA_TYPE_REMOVED "request-body-media-type-removed" Bare(Breaking)
        "The body may no longer come in a media type." "Requests in it get 415: keep it beside the new one."
}
"Responses" {
    RESPONSE_SUCCESS_STATUS_ADDED "response-success-status-added" Bare(Risky)
        "The operation may succeed with a new status." "Clients that expect the others take it for a fault."
    RESPONSE_SUCCESS_STATUS_REMOVED "response-success-status-removed" Bare(Breaking)
        "The operation no longer succeeds with a status."
        "Clients that wait for exactly this status take the answer for a fault."
    RESPONSE_NON_SUCCESS_STATUS_ADDED "response-non-success-status-added" Bare(Compatible)
        "The operation may fail in a new way." "Clients handle failures they do not know by their class, 4xx or 5xx."
    RESPONSE_NON_SUCCESS_STATUS_REMOVED "response-non-success-status-removed" Bare(Risky)
        "The operation no longer answers a status other than success."
        "Clients that react to it (refresh, retry, merge) wait in vain."
    RESPONSE_MEDIA_TYPE_ADDED "response-media-type-added" Bare(Risky)
        "The answer may come in a new media type." "Clients that do not say what they accept may get it."
    RESPONSE_MEDIA_TYPE_REMOVED "response-media-type-removed" Bare(Breaking)
        "The answer no longer comes in a media type." "Clients cannot read what they get instead."
    RESPONSE_BODY_ADDED_TO_BODYLESS_STATUS "response-body-added-to-bodyless-status" Bare(Breaking)
        "An answer has a body that HTTP forbids there (1xx, 204, 205, 304, or to HEAD)."
        "Servers drop it and clients hang: take it out."
    RESPONSE_HEADER_ADDED "response-header-added" Bare(Compatible)
        "The answer has a new header." "Clients ignore headers they do not know."
    REQUIRED_RESPONSE_HEADER_REMOVED "required-response-header-removed" Bare(Breaking)
        "A header that every such answer had is gone." "Clients that read it fail: keep it."
    OPTIONAL_RESPONSE_HEADER_REMOVED "optional-response-header-removed" Bare(Risky)
        "A header that some such answers had is gone." "Clients must live without it already, but may do so badly."
    RESPONSE_HEADER_BECAME_OPTIONAL "response-header-became-optional" Bare(Breaking)
        "A header that every such answer had may be missing."
        "Clients that read it fail when it does: keep it required."
    RESPONSE_HEADER_BECAME_REQUIRED "response-header-became-required" Bare(Compatible)
        "A header that some such answers had is always there." "Clients that read it find it."
    RESPONSE_HEADER_STYLE_CHANGED "response-header-style-changed" Bare(Breaking)
        "The header's value is written in another way (`style`, `explode`)." "Clients read something else out of it."
    RESPONSE_HEADER_CONTENT_CHANGED "response-header-content-changed" Bare(Breaking)
        "The header's value is no longer plain but in a media type, or the other way."
        "Clients read something else out of it."
    LINK_ADDED "link-added" Bare(Compatible)
        "The answer has a new link." "Tools that follow links reach more."
    LINK_REMOVED "link-removed" Bare(Risky)
        "A link of the answer is gone."
        "Tools that follow links reach less; a contract test may lose its way to an operation."
    LINK_CHANGED "link-changed" Bare(Risky)
        "A link of the answer leads elsewhere or hands over something else."
        "Tools that follow links send other requests."
}
"Media types" {
    MEDIA_TYPE_PARAMETERS_CHANGED "media-type-parameters-changed" Bare(Risky)
        "The media type has other parameters, such as `charset`."
        "Clients that compare the whole name, and generated code, take it for another type."
    BODY_MEDIA_TYPE_SCHEMA_ADDED "body-media-type-schema-added" Direction(Breaking, Compatible)
        "The body has a schema where anything was allowed." "Requests may break it; in an answer it is a promise more."
    BODY_MEDIA_TYPE_SCHEMA_REMOVED "body-media-type-schema-removed" Direction(Compatible, Breaking)
        "The body has no schema any more." "In an answer all that it promised is taken back."
    BODY_ENCODING_CHANGED "body-encoding-changed" Direction(Breaking, Risky)
        "Parts of the body are written in another way (`encoding`)." "Bodies of today are read as something else."
}
"Types and formats" {
    TYPE_CHANGED "type-changed" Place(Breaking)
        "Values are of another type." "Add a new field of the new type beside the old one."
    TYPE_GENERALIZED "type-generalized" Place(Compatible, Breaking)
        "Values may be of more types than before."
        "Requests of today stay valid; readers of answers meet types they do not know."
    TYPE_SPECIALIZED "type-specialized" Place(Breaking, Compatible)
        "Values may be of fewer types than before."
        "Requests with the others are refused; answers hold what readers know."
    BECAME_NULLABLE "became-nullable" Place(Compatible, Breaking)
        "The value may be null." "Requests of today stay valid; readers of answers fail on null."
    BECAME_NOT_NULLABLE "became-not-nullable" Place(Breaking, Compatible)
        "The value may no longer be null." "Requests with null are refused; answers hold what readers know."
    FORMAT_NARROWED "format-narrowed" Place(Breaking, Risky)
        "The format takes only some of the values that were taken." "Requests with the others are refused."
    FORMAT_CHANGED "format-changed" Place(Risky)
        "The format is another, or is gone."
        "Generated clients change the type of the field, and numbers may overflow the one they have."
    FORMAT_REPLACED "format-replaced" Place(Breaking)
        "One format stands in place of another that has other values."
        "Neither side understands the other's values: add a new field."
}
"Bounds" {
    MAX_SET "max-set" Place(Breaking, Compatible)
        "There is a largest number where there was none." "Requests above it are refused."
    MAX_UNSET "max-unset" Place(Compatible, Risky)
        "There is no largest number any more." "Readers may meet numbers they have no room for."
    MAX_DECREASED "max-decreased" Place(Breaking, Compatible)
        "The largest number is smaller." "Requests between the two are refused."
    MAX_INCREASED "max-increased" Place(Compatible, Risky)
        "The largest number is larger." "Readers may meet numbers they have no room for."
    MIN_SET "min-set" Place(Breaking, Compatible)
        "There is a smallest number where there was none." "Requests below it are refused."
    MIN_UNSET "min-unset" Place(Compatible, Risky)
        "There is no smallest number any more." "Readers may meet numbers they do not expect, such as negative ones."
    MIN_INCREASED "min-increased" Place(Breaking, Compatible)
        "The smallest number is larger." "Requests between the two are refused."
    MIN_DECREASED "min-decreased" Place(Compatible, Risky)
        "The smallest number is smaller." "Readers may meet numbers they do not expect, such as zero."
    MAX_LENGTH_SET "max-length-set" Place(Breaking, Compatible)
        "Texts have a longest length where they had none." "Longer ones are refused."
    MAX_LENGTH_UNSET "max-length-unset" Place(Compatible, Risky)
        "Texts have no longest length any more." "Readers may cut them, or have no room in a column."
    MAX_LENGTH_DECREASED "max-length-decreased" Place(Breaking, Compatible)
        "Texts must be shorter." "Texts between the two lengths are refused."
    MAX_LENGTH_INCREASED "max-length-increased" Place(Compatible, Risky)
        "Texts may be longer." "Readers may cut them, or have no room in a column."
    MIN_LENGTH_SET "min-length-set" Place(Breaking, Compatible)
        "Texts have a shortest length where they had none." "Shorter ones are refused."
    MIN_LENGTH_UNSET "min-length-unset" Place(Compatible, Risky)
        "Texts have no shortest length any more." "Readers may meet empty texts."
    MIN_LENGTH_INCREASED "min-length-increased" Place(Breaking, Compatible)
        "Texts must be longer." "Texts between the two lengths are refused."
    MIN_LENGTH_DECREASED "min-length-decreased" Place(Compatible, Risky)
        "Texts may be shorter." "Readers may meet shorter texts than they expect, such as empty ones."
    MAX_ITEMS_SET "max-items-set" Place(Breaking, Compatible)
        "Lists have a most number of entries where they had none." "Longer ones are refused."
    MAX_ITEMS_UNSET "max-items-unset" Place(Compatible, Risky)
        "Lists have no most number of entries any more." "Readers may have no room for longer ones."
    MAX_ITEMS_DECREASED "max-items-decreased" Place(Breaking, Compatible)
        "Lists must have fewer entries." "Lists between the two are refused."
    MAX_ITEMS_INCREASED "max-items-increased" Place(Compatible, Risky)
        "Lists may have more entries." "Readers may have no room for longer ones."
    MIN_ITEMS_SET "min-items-set" Place(Breaking, Compatible)
        "Lists have a least number of entries where they had none." "Shorter ones are refused."
    MIN_ITEMS_UNSET "min-items-unset" Place(Compatible, Risky)
        "Lists have no least number of entries any more." "Readers that take the first entry may find none."
    MIN_ITEMS_INCREASED "min-items-increased" Place(Breaking, Compatible)
        "Lists must have more entries." "Lists between the two are refused."
    MIN_ITEMS_DECREASED "min-items-decreased" Place(Compatible, Risky)
        "Lists may have fewer entries." "Readers that take the first entry may find none."
    MAX_PROPERTIES_SET "max-properties-set" Place(Breaking, Compatible)
        "Objects have a most number of properties where they had none." "Larger ones are refused."
    MAX_PROPERTIES_UNSET "max-properties-unset" Place(Compatible, Risky)
        "Objects have no most number of properties any more." "Readers may have no room for larger ones."
    MAX_PROPERTIES_DECREASED "max-properties-decreased" Place(Breaking, Compatible)
        "Objects must have fewer properties." "Objects between the two are refused."
    MAX_PROPERTIES_INCREASED "max-properties-increased" Place(Compatible, Risky)
        "Objects may have more properties." "Readers may have no room for larger ones."
    MIN_PROPERTIES_SET "min-properties-set" Place(Breaking, Compatible)
        "Objects have a least number of properties where they had none."
        "Smaller ones, such as an empty change, are refused."
    MIN_PROPERTIES_UNSET "min-properties-unset" Place(Compatible, Risky)
        "Objects have no least number of properties any more." "Readers may meet empty ones."
    MIN_PROPERTIES_INCREASED "min-properties-increased" Place(Breaking, Compatible)
        "Objects must have more properties." "Objects between the two are refused."
    MIN_PROPERTIES_DECREASED "min-properties-decreased" Place(Compatible, Risky)
        "Objects may have fewer properties." "Readers may meet smaller ones than they expect."
    MULTIPLE_OF_SET "multiple-of-set" Place(Breaking, Compatible)
        "Numbers must be multiples where any was allowed." "The others are refused."
    MULTIPLE_OF_UNSET "multiple-of-unset" Place(Compatible, Risky)
        "Numbers need not be multiples any more." "Readers may have rounded."
    MULTIPLE_OF_CHANGED "multiple-of-changed" Place(Breaking, Risky)
        "Numbers must be multiples of another number." "Numbers of today are refused."
    MULTIPLE_OF_GENERALIZED "multiple-of-generalized" Place(Compatible, Risky)
        "Numbers must be multiples of a divisor of the old number."
        "All numbers of today are taken; readers meet finer ones."
    UNIQUE_ITEMS_SET "unique-items-set" Place(Breaking, Compatible)
        "Lists must not repeat an entry." "Lists that do are refused."
    UNIQUE_ITEMS_UNSET "unique-items-unset" Place(Compatible, Risky)
        "Lists may repeat an entry." "Readers may use the entries as keys."
    PATTERN_ADDED "pattern-added" Place(Breaking, Compatible)
        "Texts must match a pattern." "Texts that do not are refused."
    PATTERN_REMOVED "pattern-removed" Place(Compatible, Risky)
        "Texts need not match a pattern any more." "Readers that take them apart by it may fail."
    PATTERN_CHANGED "pattern-changed" Place(Risky)
        "Texts must match another pattern."
        "Which texts that changes cannot be told from the patterns: see that every old one still matches."
}
"Values" {
    BECAME_ENUM "became-enum" Place(Breaking, Compatible)
        "Only listed values are allowed where any was." "The others are refused."
    ENUM_UNSET "enum-unset" Place(Compatible, Risky)
        "Any value is allowed where only listed ones were." "Readers that match on the values meet others."
    ENUM_VALUE_ADDED "enum-value-added" Place(Compatible, Risky)
        "There is one more value."
        "Readers that match on the values meet one they do not know; `x-extensible-enum: true` would have told them."
    EXTENSIBLE_ENUM_VALUE_ADDED "extensible-enum-value-added" Place(Compatible)
        "There is one more value in a list that said it may grow." "Readers were told by `x-extensible-enum`."
    ENUM_VALUE_REMOVED "enum-value-removed" Place(Breaking, Compatible)
        "There is one value less." "Requests with it are refused: take it as long as somebody may send it."
    ENUM_BECAME_EXTENSIBLE "enum-became-extensible" Place(Compatible)
        "The list of values says that it may grow." "Readers should be ready for values they do not know."
    ENUM_BECAME_CLOSED "enum-became-closed" Place(Compatible, Risky)
        "The list of values no longer says that it may grow." "Generated clients change the type of the field."
    DEFAULT_VALUE_ADDED "default-value-added" Place(Risky, Compatible)
        "What is left out has a value." "Requests that leave it out may do something else than before."
    DEFAULT_VALUE_REMOVED "default-value-removed" Place(Risky, Compatible)
        "What is left out has no value any more." "Requests that leave it out may do something else than before."
    DEFAULT_VALUE_CHANGED "default-value-changed" Place(Risky, Compatible)
        "What is left out has another value." "Requests that leave it out do something else than before."
}
"Objects" {
    NEW_REQUIRED_REQUEST_PROPERTY "new-required-request-property" Bare(Breaking)
        "There is a new required property." "Requests of today lack it: make it optional with a default."
    NEW_OPTIONAL_REQUEST_PROPERTY "new-optional-request-property" Bare(Compatible)
        "There is a new optional property." "Requests of today lack it, which is allowed."
    REQUEST_PROPERTY_REMOVED "request-property-removed" Bare(Breaking)
        "A property is gone from an object that takes no unknown ones."
        "Requests with it are refused: take it, and mark it deprecated."
    REQUEST_PROPERTY_NO_LONGER_READ "request-property-no-longer-read" Bare(Risky)
        "A property is gone from an object that takes unknown ones." "Requests with it are taken, and it is ignored."
    RESPONSE_REQUIRED_PROPERTY_ADDED "response-required-property-added" Bare(Compatible)
        "Answers have a new property." "Readers ignore what they do not know."
    RESPONSE_OPTIONAL_PROPERTY_ADDED "response-optional-property-added" Bare(Compatible)
        "Answers may have a new property." "Readers ignore what they do not know."
    RESPONSE_PROPERTY_ADDED_TO_CLOSED_OBJECT "response-property-added-to-closed-object" Bare(Risky)
        "Answers have a new property in an object that was to have no unknown ones."
        "Readers that hold it to its schema refuse it."
    RESPONSE_REQUIRED_PROPERTY_REMOVED "response-required-property-removed" Bare(Breaking)
        "A property that every answer had is gone." "Readers that use it fail: keep it."
    RESPONSE_OPTIONAL_PROPERTY_REMOVED "response-optional-property-removed" Bare(Risky)
        "A property that some answers had is gone." "Readers must live without it already, but may do so badly."
    PROPERTY_RENAMED "property-renamed" Direction(Breaking)
        "A property has another name and the same schema." "Take or send both names for a while."
    PROPERTY_BECAME_REQUIRED "property-became-required" Direction(Breaking, Compatible)
        "A property that could be left out is required." "Requests without it are refused."
    PROPERTY_BECAME_OPTIONAL "property-became-optional" Direction(Compatible, Breaking)
        "A property that was always there may be missing." "Readers of answers that use it fail."
    PROPERTY_BECAME_READ_ONLY "property-became-read-only" Direction(Breaking, Compatible)
        "Callers may no longer send the property." "Requests with it are refused, or it is ignored."
    PROPERTY_BECAME_NOT_READ_ONLY "property-became-not-read-only" Direction(Compatible)
        "Callers may send the property." "Requests of today lack it, which is allowed."
    PROPERTY_BECAME_WRITE_ONLY "property-became-write-only" Direction(Compatible, Breaking)
        "Answers no longer have the property." "Readers that use it fail."
    PROPERTY_BECAME_NOT_WRITE_ONLY "property-became-not-write-only" Direction(Compatible, Risky)
        "Answers have a property that only requests had." "See that it may be shown: it may be a secret."
    ADDITIONAL_PROPERTIES_CLOSED "additional-properties-closed" Direction(Breaking, Compatible)
        "The object takes no unknown properties any more." "Requests with one are refused."
    ADDITIONAL_PROPERTIES_OPENED "additional-properties-opened" Direction(Compatible, Risky)
        "The object may have unknown properties." "Readers that refuse what they do not know fail."
    DEPRECATED "deprecated" Place(Compatible)
        "It is deprecated." "Callers should stop using it."
    REACTIVATED "reactivated" Place(Compatible)
        "It is no longer deprecated." "Callers may stay."
}
"Unions and other constraints" {
    ONE_OF_ADDED "one-of-added" Place(Compatible, Breaking)
        "There is one more alternative (`oneOf`, `anyOf`)." "Readers of answers meet one that they do not know."
    ONE_OF_REMOVED "one-of-removed" Place(Breaking, Compatible)
        "There is one alternative less (`oneOf`, `anyOf`)." "Requests of that kind are refused."
    UNION_CHANGED "union-changed" Place(Breaking)
        "Alternatives stand in place of one schema, which is not among them, or the other way."
        "Neither side understands the other's values."
    UNION_KIND_CHANGED "union-kind-changed" Place(Risky)
        "`oneOf` stands in place of `anyOf`, or the other way."
        "Values that match more than one alternative are valid in one only, and generated types change."
    DISCRIMINATOR_ADDED "discriminator-added" Place(Risky)
        "A property says which alternative it is." "Generated types change."
    DISCRIMINATOR_REMOVED "discriminator-removed" Place(Risky)
        "No property says any more which alternative it is." "Generated types change."
    DISCRIMINATOR_PROPERTY_NAME_CHANGED "discriminator-property-name-changed" Place(Breaking)
        "Another property says which alternative it is." "Clients look at the old one."
    DISCRIMINATOR_MAPPING_ADDED "discriminator-mapping-added" Place(Compatible)
        "There is one more name for an alternative." "The others still work."
    DISCRIMINATOR_MAPPING_DELETED "discriminator-mapping-deleted" Place(Risky)
        "There is one name less for an alternative." "Clients that send or await it no longer find the alternative."
    DISCRIMINATOR_MAPPING_CHANGED "discriminator-mapping-changed" Place(Risky)
        "A name stands for another alternative." "Clients read the value as something else."
    CONSTRAINT_ADDED "constraint-added" Place(Breaking, Compatible)
        "A keyword of JSON Schema that restricts values was added (`not`, `if`, `contains`, `propertyNames`, …)."
        "Requests with values that it excludes are refused."
    CONSTRAINT_REMOVED "constraint-removed" Place(Compatible, Risky)
        "A keyword of JSON Schema that restricts values was removed." "Readers may meet values that it excluded."
    CONSTRAINT_CHANGED "constraint-changed" Place(Risky)
        "A keyword of JSON Schema restricts values in another way." "See that every old value is still taken."
}
"Security" {
    SECURITY_ADDED "added" Security(Breaking)
        "Anybody could call it, now credentials are needed." "Callers without them get 401."
    SECURITY_REMOVED "removed" Security(Risky)
        "Credentials were needed, now anybody can call it." "EXPOSURE: make sure that the whole world may do this."
    SECURITY_ALTERNATIVE_ADDED "alternative-added" Security(Risky)
        "There is one more way to prove who calls." "Make sure that it is as strict as the others."
    SECURITY_ALTERNATIVE_REMOVED "alternative-removed" Security(Breaking)
        "There is one way less to prove who calls." "Callers who use it get 401."
    SECURITY_SCOPE_ADDED "scope-added" Security(Breaking)
        "One more scope is needed." "Callers without it get 403."
    SECURITY_SCOPE_REMOVED "scope-removed" Security(Risky)
        "A scope is no longer needed." "EXPOSURE: make sure that callers without it may do this."
    API_SECURITY_COMPONENT_ADDED "api-security-component-added" Bare(Compatible)
        "A new security scheme is declared." "By itself it lets nobody in."
    API_SECURITY_COMPONENT_REMOVED "api-security-component-removed" Bare(Breaking)
        "A security scheme is gone." "Callers who use it get 401."
    API_SECURITY_COMPONENT_TYPE_CHANGED "api-security-component-type-changed" Bare(Breaking)
        "Credentials are sent in another way (`type`, `scheme`, `in`, `name`)." "Callers of today get 401."
    API_SECURITY_COMPONENT_OAUTH_URL_CHANGED "api-security-component-oauth-url-changed" Bare(Breaking)
        "The address to log in, to refresh or to discover is another." "Clients ask at the old one: keep it answering."
    API_SECURITY_COMPONENT_OAUTH_TOKEN_URL_CHANGED "api-security-component-oauth-token-url-changed" Bare(Breaking)
        "The address that gives tokens is another." "Clients ask at the old one: keep it answering."
    API_SECURITY_COMPONENT_OAUTH_FLOW_ADDED "api-security-component-oauth-flow-added" Bare(Compatible)
        "There is a new flow to get a token." "The others still work."
    API_SECURITY_COMPONENT_OAUTH_FLOW_REMOVED "api-security-component-oauth-flow-removed" Bare(Breaking)
        "There is one flow less to get a token." "Clients that use it get no token."
    API_SECURITY_COMPONENT_OAUTH_SCOPE_ADDED "api-security-component-oauth-scope-added" Bare(Compatible)
        "There is a new scope to ask for." "By itself it asks nothing of anybody."
    API_SECURITY_COMPONENT_OAUTH_SCOPE_REMOVED "api-security-component-oauth-scope-removed" Bare(Breaking)
        "There is one scope less to ask for." "Clients that ask for it are refused."
    API_SECURITY_COMPONENT_OAUTH_SCOPE_CHANGED "api-security-component-oauth-scope-changed" Bare(Wording)
        "A scope is described in other words." "See that it still means the same."
}
"Servers, version, tags, components" {
    SERVER_ADDED "server-added" Bare(Compatible)
        "There is one more server." "The others still work."
    SERVER_REMOVED "server-removed" Bare(Risky)
        "A server is no longer named." "Callers who use it should move, if it is switched off."
    SERVER_URL_CHANGED "server-url-changed" Bare(Risky)
        "A server has another host."
        "Generated clients call the new one; whoever wrote the old one down must move, if it is switched off."
    SERVER_BASE_PATH_CHANGED "server-base-path-changed" Bare(Breaking)
        "All operations of a server lie under another path." "Calls to the old paths get 404."
    SERVER_VARIABLE_CHANGED "server-variable-changed" Bare(Risky)
        "A variable of a server's address has other values."
        "Clients that use the default or a value that is gone call elsewhere."
    API_VERSION_CHANGED "api-version-changed" Bare(Compatible)
        "The version of the API is higher." "It says what kind of change to expect."
    API_VERSION_DECREASED "api-version-decreased" Bare(Breaking)
        "The version of the API is lower, or no version." "Versions only go up: `MAJOR.MINOR.PATCH`."
    API_VERSION_NOT_BUMPED "api-version-not-bumped" Bare(Breaking)
        "What is to be released differs, but has the version of the old release (only with `--release`)."
        "Raise the version in the root `Cargo.toml`."
    API_MAJOR_VERSION_NOT_BUMPED "api-major-version-not-bumped" Bare(Breaking)
        "What is to be released breaks callers, but its version does not say so (only with `--release`)."
        "Raise the major version, below 1.0.0 the minor one, in the root `Cargo.toml`; or take the break back."
    OPENAPI_VERSION_CHANGED "openapi-version-changed" Bare(Risky)
        "The document is written in another version of OpenAPI." "Tools that read the old version may refuse it."
    API_TAG_ADDED "api-tag-added" Bare(Compatible)
        "A tag is declared." "Documentation has one more chapter."
    API_TAG_REMOVED "api-tag-removed" Bare(Compatible)
        "A tag is no longer declared." "Documentation has one chapter less."
    SCHEMA_RENAMED "schema-renamed" Bare(Risky)
        "A named schema has another name."
        "Messages stay the same, but the type of every generated client changes its name."
    SCHEMA_REFERENCE_CHANGED "schema-reference-changed" Bare(Risky)
        "Another named schema, or none, is used here, alone or as a member of `allOf`."
        "Generated clients change the type of the field, or what a type is made of."
    API_SCHEMA_ADDED "api-schema-added" Bare(Compatible)
        "There is a new named schema." "Generated clients get one more type."
    API_SCHEMA_REMOVED "api-schema-removed" Bare(Risky)
        "A named schema is gone." "Generated clients lose the type."
    API_COMPONENT_ADDED "api-component-added" Bare(Compatible)
        "There is a new shared part of the document." "What uses it is told by itself."
    API_COMPONENT_REMOVED "api-component-removed" Bare(Compatible)
        "A shared part of the document is gone." "What used it is told by itself."
    COMPONENT_CHANGED "component-changed" Bare(Risky)
        "A shared part is another, but no message: nobody uses it, or its users override what changed."
        "Generated clients may have a type for it."
    REFERENCE_UNRESOLVED "reference-unresolved" Bare(Breaking)
        "A `$ref` leads nowhere, in one of the documents." "Tools refuse the document: repair the reference."
}
"Texts and all else" {
    DESCRIPTION_CHANGED "description-changed" Bare(Wording)
        "It is described in other words." "See that they still mean the same."
    SUMMARY_CHANGED "summary-changed" Bare(Wording)
        "Its one-line summary is another." "See that it still means the same."
    TITLE_CHANGED "title-changed" Bare(Wording)
        "Its title is another." "See that it still means the same."
    EXAMPLE_CHANGED "example-changed" Bare(Wording)
        "Its example is another." "Documentation, mocks and collections show the new one."
    EXTERNAL_DOCS_CHANGED "external-docs-changed" Bare(Wording)
        "The link to further documentation is another." "See that it leads somewhere."
    INFO_CHANGED "info-changed" Bare(Wording)
        "What the document says about itself is another (contact, licence, terms)." "Generated packages show it."
    EXTENSION_CHANGED "extension-changed" Bare(Risky)
        "An extension (`x-…`) is another." "What it means is known only to the tools that read it."
    UNKNOWN_KEYWORD_CHANGED "unknown-keyword-changed" Bare(Risky)
        "A keyword that this comparison does not know is another."
        "See what it means in the version of OpenAPI that the document names."
}
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_id_is_of_one_rule_and_in_the_fields_form() {
        let mut ids = BTreeSet::new();
        for id in ALL.iter().flat_map(|rule| rule.ids()) {
            assert!(id.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'), "{id}");
            assert!(ids.insert(id.clone()), "{id} is the id of two rules");
            assert!(by_id(&id).is_some());
        }
        assert!(by_id("request-property-frobnicated").is_none());
    }

    #[test]
    fn every_rule_has_two_sentences() {
        for rule in ALL {
            assert!(rule.meaning.ends_with('.') && rule.advice.ends_with('.'), "{}", rule.name);
        }
    }
}
