//! Roles and statuses of accounts.

use crate::text_enum;

text_enum! {
    /// What an account may do everywhere: `admin` everything, `staff` and `active` what they own
    #[derive(clap::ValueEnum)]
    pub enum Role {
        /// Sees and changes everything.
        Admin = "admin",
        /// Works for the operator.
        Staff = "staff",
        /// Anyone who registered.
        Active = "active",
    }
}

text_enum! {
    /// Whether an account may be used
    #[derive(Default, clap::ValueEnum)]
    pub enum Status {
        /// It may.
        #[default]
        Active = "active",
        /// An admin has ended it; its tokens are good for nothing but looking at the account and logging out.
        Disabled = "disabled",
    }
}
