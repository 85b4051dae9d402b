//! Settings of password hashes: their cost, and the workers that compute them.

use argon2::Params;

use super::setting::group;
use super::{Config, ConfigError, Env, refuse};

/// KiB and passes of a password hash in production: what OWASP's password storage cheat sheet has for argon2id, each as
/// good as the others.
const COSTS: &[(u32, u32)] = &[(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

group! {
    /// Password hashes.
    Passwords {
        pub password_workers: u32 = 1..=1_000;
        pub password_queue: usize = 1..=1_000_000;
        // argon2 needs at least 8 KiB
        pub password_memory: u32 = 8..=1 << 21;
        pub password_time: u32 = 1..=1_000;
    }
}

impl Passwords {
    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        self.check_bounds()?;
        let (memory, time) = (self.password_memory, self.password_time);
        let enough = |(least_memory, least_time): &(u32, u32)| memory >= *least_memory && time >= *least_time;
        if config.env == Env::Prod && !COSTS.iter().any(enough) {
            let costs: Vec<_> = COSTS.iter().map(|(memory, time)| format!("{memory} and {time}")).collect();
            return refuse(format!(
                "`password_memory` and `password_time` must be at least {}, not {memory} and {time}: less is no protection",
                costs.join(", or ")
            ));
        }
        Ok(())
    }

    /// The cost of a password hash: one lane, because the workers use the cores.
    pub fn params(&self) -> Params {
        Params::new(self.password_memory, self.password_time, 1, None).expect("the bounds were checked")
    }
}
