//! The limits of an operation: calls of an address and of an account, and requests that read many rows.

use std::sync::{Arc, OnceLock};

use poem::Request;

use crate::app::limit::{A_QUARTER, Ledger, Limit, Who};
use crate::config::Config;
use crate::declared::List;
use crate::error::Error;
use crate::http::client::ClientAddress;
use crate::resources::sessions::limits::AccountLimits;
use crate::server::path::percent_decode;

/// Seconds in which an address and an account have their calls.
const A_MINUTE: u64 = 60;

/// Query parameters that make the database read more rows than one page has.
const EXPENSIVE_PARAMETERS: &[&str] = &["search", "with_total"];

/// The `operationId`s that do that in each call.
static EXPENSIVE: List<&'static str> = List::new();

/// Completes the list of operations that read many rows in each call.
pub(crate) fn complete(expensive: Vec<&'static str>) {
    EXPENSIVE.complete(expensive);
}

/// A limit that is created by the first request, which knows the settings. `None` if the settings turn it off.
type Lazy = OnceLock<Option<Arc<Limit>>>;

/// Wrong passwords are counted over all operations that take some.
pub type Logins = Arc<Lazy>;

/// The limits of an operation that declares 429.
pub struct Limits {
    by_address: Lazy,
    by_account: Lazy,
    logins: Logins,
}

impl Limits {
    /// The limits of one operation, and those of the logins of all.
    pub fn new(logins: Logins) -> Self {
        Self { by_address: OnceLock::new(), by_account: OnceLock::new(), logins }
    }

    /// Counts a call of the address.
    ///
    /// # Errors
    /// 429 `rate_limited`.
    pub fn take_address(&self, request: &Request, config: &Config, ledger: &Ledger) -> Result<(), Error> {
        let new = || Limit::new("address", config.limits.rate_limit, A_MINUTE).map(Arc::new);
        match (self.by_address.get_or_init(new), request.data::<ClientAddress>()) {
            (Some(limit), Some(client)) => limit.take(&Who::Address(client.network()), ledger),
            _ => Ok(()),
        }
    }

    /// Counts a call of the account that the token proves.
    ///
    /// # Errors
    /// 429 `rate_limited`.
    pub fn take_user(&self, user_id: i64, config: &Config, ledger: &Ledger) -> Result<(), Error> {
        match self.calls(config) {
            Some(limit) => limit.take(&Who::User(user_id), ledger),
            None => Ok(()),
        }
    }

    /// The limits for the account that the body of a request names.
    pub fn of_account(&self, config: &Config, ledger: &Ledger) -> AccountLimits {
        let new = || Limit::new("logins", config.limits.login_failures, A_QUARTER).map(Arc::new);
        let logins = self.logins.get_or_init(new).clone();
        AccountLimits::new(self.calls(config).clone(), logins, ledger.clone())
    }

    fn calls(&self, config: &Config) -> &Option<Arc<Limit>> {
        self.by_account.get_or_init(|| Limit::new("account", config.limits.rate_limit_account, A_MINUTE).map(Arc::new))
    }
}

/// Returns whether each call of an operation reads many rows.
pub fn reads_many(operation_id: &str) -> bool {
    EXPENSIVE.get().contains(&operation_id)
}

/// Returns whether the query of a request makes the database read more than one page of rows.
pub fn asks_for_many(request: &Request) -> bool {
    let is_named = |pair: &str| {
        let name = percent_decode(pair.split('=').next().unwrap_or_default());
        name.is_some_and(|name| EXPENSIVE_PARAMETERS.contains(&name.as_str()))
    };
    request.uri().query().is_some_and(|query| query.split('&').any(is_named))
}
