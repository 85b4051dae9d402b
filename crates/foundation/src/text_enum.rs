//! Enums whose values are texts: on the wire, in the database, in the document and on the command line.

/// Declares an enum with a text for each value. The enum is an enum of the document; its description there is the doc
/// comment. It has `as_str` and `ALL`, and is read from a text by `TryFrom<String>`, which `sqlx` uses, too.
#[macro_export]
macro_rules! text_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$value_meta:meta])* $value:ident = $text:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, poem_openapi::Enum)]
        pub enum $name {
            $($(#[$value_meta])* #[oai(rename = $text)] $value,)+
        }

        impl $name {
            /// Every value, in the order of the declaration.
            pub const ALL: &[Self] = &[$(Self::$value),+];

            /// The text on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text),+ }
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let found = Self::ALL.iter().copied().find(|value| value.as_str() == text);
                found.ok_or_else(|| format!("`{text}` is no value of {}", stringify!($name)))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::try_from(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::auth::Role;

    #[test]
    fn a_value_is_the_same_text_everywhere() {
        for role in Role::ALL {
            assert_eq!(json!(role), role.as_str());
            assert_eq!(Role::try_from(role.as_str().to_owned()), Ok(*role));
            assert_eq!(serde_json::from_value::<Role>(json!(role)).expect("reads"), *role);
        }
        assert_eq!(Role::try_from("boss".to_owned()), Err("`boss` is no value of Role".to_owned()));
    }
}
