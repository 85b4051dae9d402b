//! The list of everything that a document constrains, and how breaking it is answered.

/// A kind of constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Constraint {
    Required,
    Type,
    Nullable,
    Format,
    Enum,
    Minimum,
    Maximum,
    MultipleOf,
    MinLength,
    MaxLength,
    Pattern,
    MinItems,
    MaxItems,
    UniqueItems,
    MinProperties,
    MaxProperties,
    AdditionalProperties,
    ServerOwned,
    Composition,
    Spelling,
    Encoding,
    Repeated,
    UnknownParameter,
    Syntax,
    MediaType,
    ContentEncoding,
    Size,
    Method,
    Credentials,
    Scheme,
    Token,
    Signature,
    Session,
    Scope,
    Owner,
    Private,
    Unknown,
    Precondition,
    Version,
    /// Of valid requests only.
    Example,
    Optional,
    Default,
}

/// The facts of a kind.
struct Kind {
    constraint: Constraint,
    /// The name in ids, in a setup file, and as a keyword of schemas.
    word: &'static str,
    /// The check that holds a server to it.
    check: &'static str,
    /// The statuses that may refuse it; those that the document declares.
    statuses: &'static [u16],
}

const INPUT: &[u16] = &[400, 422];

#[rustfmt::skip]
const KINDS: &[Kind] = {
    use Constraint as C;
    &[
        Kind { constraint: C::Required, word: "required", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::Type, word: "type", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::Nullable, word: "nullable", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::Format, word: "format", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::Enum, word: "enum", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::Minimum, word: "minimum", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::Maximum, word: "maximum", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::MultipleOf, word: "multipleOf", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::MinLength, word: "minLength", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::MaxLength, word: "maxLength", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::Pattern, word: "pattern", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::MinItems, word: "minItems", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::MaxItems, word: "maxItems", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::UniqueItems, word: "uniqueItems", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::MinProperties, word: "minProperties", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::MaxProperties, word: "maxProperties", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::AdditionalProperties, word: "additionalProperties", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::ServerOwned, word: "serverOwned", check: "C-SERVER-OWNED", statuses: INPUT },
        Kind { constraint: C::Composition, word: "composition", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::Spelling, word: "spelling", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::Encoding, word: "encoding", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::Repeated, word: "repeated", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::UnknownParameter, word: "unknownParameter", check: "C-NEG", statuses: INPUT },
        Kind { constraint: C::Syntax, word: "syntax", check: "C-SYNTAX", statuses: &[400] },
        Kind { constraint: C::MediaType, word: "mediaType", check: "C-415", statuses: &[415] },
        Kind { constraint: C::ContentEncoding, word: "contentEncoding", check: "C-415", statuses: &[415] },
        Kind { constraint: C::Size, word: "size", check: "C-413", statuses: &[413] },
        Kind { constraint: C::Method, word: "method", check: "C-405", statuses: &[405] },
        Kind { constraint: C::Credentials, word: "credentials", check: "C-401", statuses: &[401] },
        Kind { constraint: C::Scheme, word: "scheme", check: "C-401", statuses: &[401] },
        Kind { constraint: C::Token, word: "token", check: "C-401", statuses: &[401] },
        Kind { constraint: C::Signature, word: "signature", check: "C-401", statuses: &[401] },
        Kind { constraint: C::Session, word: "session", check: "C-401", statuses: &[401] },
        Kind { constraint: C::Scope, word: "scope", check: "C-403", statuses: &[403] },
        Kind { constraint: C::Owner, word: "owner", check: "C-403", statuses: &[403, 404] },
        Kind { constraint: C::Private, word: "private", check: "C-403", statuses: &[404, 403] },
        Kind { constraint: C::Unknown, word: "unknown", check: "C-404", statuses: &[404] },
        Kind { constraint: C::Precondition, word: "precondition", check: "C-428", statuses: &[428, 400] },
        Kind { constraint: C::Version, word: "version", check: "C-412", statuses: &[412] },
        Kind { constraint: C::Example, word: "example", check: "C-EXAMPLES", statuses: &[] },
        Kind { constraint: C::Optional, word: "optional", check: "C-POS", statuses: &[] },
        Kind { constraint: C::Default, word: "default", check: "C-DEFAULT", statuses: &[] },
    ]
};

impl Constraint {
    fn kind(self) -> &'static Kind {
        KINDS.iter().find(|kind| kind.constraint == self).expect("`every_constraint_is_listed_once` says so")
    }

    /// The name in ids, in a setup file, and as a keyword of schemas.
    pub fn word(self) -> &'static str {
        self.kind().word
    }

    /// The check that holds a server to it when it is broken.
    pub fn check(self) -> &'static str {
        self.kind().check
    }

    /// The statuses that may refuse it.
    pub fn statuses(self) -> &'static [u16] {
        self.kind().statuses
    }

    /// Whether it is about a value of the request.
    pub fn is_input(self) -> bool {
        self.kind().statuses == INPUT
    }

    /// The kind of this name.
    pub fn named(word: &str) -> Option<Self> {
        KINDS.iter().find(|kind| kind.word == word).map(|kind| kind.constraint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_constraint_is_listed_once() {
        for (index, kind) in KINDS.iter().enumerate() {
            assert_eq!(kind.constraint as usize, index, "{}", kind.word);
        }
        assert_eq!(KINDS.len(), Constraint::Default as usize + 1);
    }
}
