//! Settings of the limits on requests and logins.

use super::setting::group;

group! {
    /// Rate limits. 0 is no limit.
    Limits {
        pub rate_limit: u32;
        pub rate_limit_account: u32;
        pub login_failures: u32;
    }
}
