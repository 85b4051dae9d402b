//! Lists to which each resource of the application adds its part, and string types of the document whose values are
//! such a list.
//!
//! poem-openapi's types describe themselves by functions without a state, so the lists belong to the process. They are
//! complete before anything reads them: [`application::install`](crate::application::install) is the first call of
//! `main`.

use std::sync::OnceLock;

/// The declarations of one sort of all resources of the application, in the order of the resources.
pub struct List<T: 'static>(OnceLock<Vec<T>>);

impl<T> List<T> {
    /// A list that nobody has completed yet.
    #[expect(clippy::new_without_default, reason = "lists are statics")]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Completes the list. A second call changes nothing.
    pub fn complete(&self, values: Vec<T>) {
        let _ = self.0.set(values);
    }

    /// The values.
    ///
    /// # Panics
    /// The application is not installed.
    pub fn get(&self) -> &[T] {
        #[cfg(test)]
        crate::application::install_for_tests();
        self.0.get().expect("the application is installed first")
    }
}

static RESOURCES: List<&'static str> = List::new();

static NAME: List<&'static str> = List::new();

static TITLE: List<&'static str> = List::new();

/// Sets the name and the title of the application, and completes the list of the names of resources.
pub(crate) fn complete(name: &'static str, title: &'static str, resources: Vec<&'static str>) {
    NAME.complete(vec![name]);
    TITLE.complete(vec![title]);
    RESOURCES.complete(resources);
}

/// The name of the application: of its binary, its settings file and variables, its metrics, its tokens
/// and its problem types.
pub fn name() -> &'static str {
    NAME.get()[0]
}

/// The title of the application: of its document and its docs viewer.
pub fn title() -> &'static str {
    TITLE.get()[0]
}

/// The environment variable of a setting: `ACCORD_RATE_LIMIT` for `rate_limit` of `accord`.
pub fn variable(setting: &str) -> String {
    format!("{}_{setting}", name()).to_uppercase()
}

/// Returns whether the application has the resource of this name.
pub fn has(resource: &str) -> bool {
    RESOURCES.get().contains(&resource)
}

/// Returns whether two texts are the same, also while the program is compiled.
pub(crate) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

/// Adds a function to a struct with a field `name`, which fails the compilation if a resource does not declare values that
/// the macro of its module has made.
macro_rules! assert_declared {
    ($type:ident, $part:literal) => {
        impl $type {
            /// Fails the compilation if the resource does not declare all of these.
            #[doc(hidden)]
            pub const fn assert_declared(own: &[Self], declared: &[Self]) {
                let mut at = 0;
                while at < own.len() {
                    let mut found = 0;
                    while found < declared.len() && !$crate::declared::same(declared[found].name, own[at].name) {
                        found += 1;
                    }
                    assert!(found < declared.len(), concat!("the declaration of the resource lacks `", $part, "`"));
                    at += 1;
                }
            }
        }
    };
}
pub(crate) use assert_declared;

/// Makes a struct with a field `name` a string type of the document, whose values a [`List`] holds.
///
/// `declared_enum! { /// DESCRIPTION IN THE DOCUMENT \n Type in LIST }`
macro_rules! declared_enum {
    ($(#[doc = $doc:literal])+ $type:ident in $list:path) => {
        impl $type {
            /// The value on the wire, in the database and on the command line.
            pub const fn as_str(self) -> &'static str {
                self.name
            }

            /// The value of this name, if a resource of the application declares it.
            pub fn find(name: &str) -> Option<Self> {
                $list.get().iter().find(|value| value.name == name).copied()
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name)
            }
        }

        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(name: String) -> Result<Self, String> {
                Self::find(&name).ok_or_else(|| format!("`{name}` is no {}", stringify!($type)))
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::try_from(name).map_err(serde::de::Error::custom)
            }
        }

        impl poem_openapi::types::Type for $type {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn schema_ref() -> poem_openapi::registry::MetaSchemaRef {
                poem_openapi::registry::MetaSchemaRef::Reference(stringify!($type).into())
            }

            fn register(registry: &mut poem_openapi::registry::Registry) {
                registry.create_schema::<Self, _>(stringify!($type).into(), |_| {
                    let mut schema = poem_openapi::registry::MetaSchema::new("string");
                    schema.description = Some(concat!($($doc),+).trim_start());
                    schema.enum_items = $list.get().iter().map(|value| value.name.into()).collect();
                    schema
                });
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(std::iter::once(self))
            }
        }

        impl poem_openapi::types::ParseFromJSON for $type {
            fn parse_from_json(value: Option<serde_json::Value>) -> poem_openapi::types::ParseResult<Self> {
                let value = value.unwrap_or_default();
                let found = value.as_str().and_then(Self::find);
                found.ok_or_else(|| poem_openapi::types::ParseError::expected_type(value))
            }
        }

        impl poem_openapi::types::ParseFromParameter for $type {
            fn parse_from_parameter(value: &str) -> poem_openapi::types::ParseResult<Self> {
                Self::find(value).ok_or_else(|| poem_openapi::types::ParseError::custom("is no value of the enum"))
            }
        }

        impl poem_openapi::types::ToJSON for $type {
            fn to_json(&self) -> Option<serde_json::Value> {
                Some(self.name.into())
            }
        }
    };
}
pub(crate) use declared_enum;
