//! Info: which version of what is running.

pub mod api;
pub mod model;

use crate::application::Resource;
use crate::server::document::Api;

/// The version that is running.
pub static RESOURCE: Resource =
    Resource { name: "info", apis: &[Api::of::<api::InfoApi>()], settings: &[], ..Resource::EMPTY };
