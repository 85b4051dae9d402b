//! Settings of the identity provider whose tokens are accepted.

use super::setting::group;
use super::{AN_HOUR, Config, ConfigError, Env, listed, refuse};
use crate::declared::variable;

group! {
    /// The identity provider.
    Provider {
        pub oidc_issuer: String;
        pub oidc_audience: String;
        oidc_clients: String;
        pub oidc_require_at_jwt: bool;
        pub oidc_link_by_email: bool;
        pub oidc_provision: bool;
        pub oidc_provision_deleted: bool;
        pub oidc_wait: u64 = 1..=AN_HOUR;
    }
}

impl Provider {
    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let (issuer, audience) = (variable("oidc_issuer"), variable("oidc_audience"));
        if self.oidc_issuer.is_empty() {
            let others =
                [self.oidc_require_at_jwt, self.oidc_link_by_email, self.oidc_provision, self.oidc_provision_deleted];
            return match self.oidc_audience.is_empty() && !others.contains(&true) {
                true => Ok(()),
                false => refuse(format!("{issuer} is not set, but other settings of the identity provider are")),
            };
        }
        let url = url::Url::parse(&self.oidc_issuer).ok().filter(|url| url.host().is_some());
        let plain = url.filter(|url| url.query().is_none() && url.fragment().is_none());
        match plain.as_ref().map(url::Url::scheme) {
            Some("https") => {}
            Some("http") if config.env != Env::Prod => {}
            _ => {
                return refuse(format!(
                    "{issuer} must be a URL like https://id.example.com/realm; http only outside prod"
                ));
            }
        }
        if self.oidc_audience.is_empty() {
            return refuse(format!(
                "{audience} is not set: any token of the issuer would do, whomever it was given for"
            ));
        }
        if self.oidc_clients().contains(&self.oidc_audience) {
            let clients = variable("oidc_clients");
            return refuse(format!(
                "{clients} names {audience}: the audience is this API, not a client, or ID tokens of that client would pass"
            ));
        }
        self.check_bounds()
    }

    /// Clients of the identity provider whose tokens count; all if there is none.
    pub fn oidc_clients(&self) -> Vec<String> {
        listed(&self.oidc_clients).map(Into::into).collect()
    }
}
