//! Settings of the workers that run jobs.

use super::setting::group;
use super::{A_YEAR, AN_HOUR};

group! {
    /// Workers and jobs.
    Tasks {
        pub task_workers: usize = 0..=1_000;
        pub mail_workers: usize = 1..=1_000;
        pub task_lease: u64 = 1..=AN_HOUR;
        pub task_retry: u64 = 1..=AN_HOUR;
        pub purge_interval: u64 = 0..=A_YEAR, " seconds";
    }
}
