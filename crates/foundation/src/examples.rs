//! The examples that the document shows of its objects.

use chrono::{DateTime, Utc};

/// Gives types of the document their examples: `examples! { BookUpdate { title: Some("Emma".into()) } }`.
#[macro_export]
macro_rules! examples {
    ($($type:ident { $($fields:tt)* })+) => {
        $(impl poem_openapi::types::Example for $type {
            fn example() -> Self {
                Self { $($fields)* }
            }
        })+
    };
}

/// The time in all examples.
///
/// # Panics
/// Never.
pub fn time() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("in range")
}
