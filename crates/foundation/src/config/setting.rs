//! Settings with their bounds: those of resources as values, those of the foundation as the fields of groups.

use std::ops::RangeInclusive;

use toml::Value;

use super::{ConfigError, refuse};

/// A setting of a resource. Its default stands in the settings file of the application.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A whole number with its bounds, and the meaning of 0 where it is allowed beside them.
    Number { least: u64, most: u64, zero: Option<&'static str> },
    /// A flag, and the warning at a start in production if it is set.
    Flag { warning: &'static str },
}

impl Setting {
    /// A whole number with its bounds, both included.
    pub const fn number(name: &'static str, least: u64, most: u64) -> Self {
        Self { name, kind: Kind::Number { least, most, zero: None } }
    }

    /// A whole number with its bounds, or 0 with this meaning.
    pub const fn number_or_zero(name: &'static str, least: u64, most: u64, zero: &'static str) -> Self {
        Self { name, kind: Kind::Number { least, most, zero: Some(zero) } }
    }

    /// A flag. If it is set, a start in production logs the name of its variable, "is set", and the warning.
    pub const fn flag(name: &'static str, warning: &'static str) -> Self {
        Self { name, kind: Kind::Flag { warning } }
    }

    /// Checks the value of the setting.
    pub(super) fn check(&self, value: Option<&Value>) -> Result<(), ConfigError> {
        let name = self.name;
        let Some(value) = value else {
            return refuse(format!("the settings file of the application has no default of `{name}`"));
        };
        match self.kind {
            Kind::Flag { .. } if value.is_bool() => Ok(()),
            Kind::Flag { .. } => refuse(format!("`{name}` must be true or false")),
            Kind::Number { least, most, zero } => {
                match (value.as_integer().and_then(|number| u64::try_from(number).ok()), zero) {
                    (Some(0), Some(_)) => Ok(()),
                    (Some(number), Some(zero)) if !(least..=most).contains(&number) => {
                        refuse(format!("`{name}` must be 0 ({zero}) or {least} to {most}, not {number}"))
                    }
                    (Some(number), _) => within(name, number, &(least..=most), ""),
                    (None, _) => refuse(format!("`{name}` must be a whole number that is not negative")),
                }
            }
        }
    }
}

/// Checks the bounds of a number.
pub(super) fn within(name: &str, number: u64, bounds: &RangeInclusive<u64>, unit: &str) -> Result<(), ConfigError> {
    let (least, most) = (bounds.start(), bounds.end());
    match bounds.contains(&number) {
        true => Ok(()),
        false if *least == 0 => refuse(format!("`{name}` must be at most {most}{unit}, not {number}")),
        false => refuse(format!("`{name}` must be {least} to {most}{unit}, not {number}")),
    }
}

/// Declares a group of settings: a struct whose fields have the names of the settings, each number with its bounds and
/// the unit that the message about them names. `group! { /// TEXT \n Group { db_wait: u64 = 0..=AN_HOUR, " seconds"; } }`
macro_rules! group {
    ($(#[$doc:meta])+ $group:ident {
        $($visibility:vis $setting:ident: $type:ty $(= $bounds:expr $(, $unit:literal)?)?;)*
    }) => {
        $(#[$doc])+
        #[derive(Clone, serde::Deserialize)]
        #[expect(missing_docs, reason = "the settings file documents each field")]
        pub struct $group {
            $($visibility $setting: $type,)*
        }

        impl $group {
            /// Checks the bounds of each number.
            pub(super) fn check_bounds(&self) -> Result<(), $crate::config::ConfigError> {
                $($(
                    let number = u64::try_from(self.$setting).unwrap_or(u64::MAX);
                    let unit: &str = concat!("" $(, $unit)?);
                    $crate::config::setting::within(stringify!($setting), number, &($bounds), unit)?;
                )?)*
                Ok(())
            }
        }
    };
}
pub(super) use group;
