//! Statistics of posts: how often each was viewed and shared.
//!
//! Must never be: a statement for a view, a number that one instance overwrites for another, a view told to somebody
//! who may not see the statistics.

pub mod api;
pub mod fixture;
pub mod model;
pub mod store;
pub mod tables;
pub mod tasks;
pub mod views;

use accord_foundation::prelude::*;

use self::views::Views;
use crate::resources::posts::{POST_STATISTICS, explain};

permissions! {
    CanViewStats = "can_view_stats" on Some(POST_STATISTICS), "Read the statistics of the posts of others";
}

/// Seconds between two writings of the counted views.
pub const VIEW_INTERVAL: Setting = Setting::number("view_interval", 0, 3600);

/// The declaration of the resource.
pub static RESOURCE: Resource = Resource {
    name: "statistics",
    apis: &[Api::of::<api::StatisticsApi>()],
    expensive: &["get_post_statistics"],
    tables: tables::declared,
    permissions: PERMISSIONS,
    targets: &[POST_STATISTICS],
    explain: &[(POST_STATISTICS, explain::explain)],
    models: &[&fixture::PostStatistics],
    local_jobs: &[tasks::FLUSH_STATISTICS],
    state: |state| state.insert(Views::default()),
    settings: &[VIEW_INTERVAL],
    contract: include_str!("contract.yaml"),
    ..Resource::EMPTY
};
