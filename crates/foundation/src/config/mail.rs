//! Settings of e-mails: the transport, and the pages that they link to.

use super::setting::group;
use super::{Config, ConfigError, Env, refuse};
use crate::declared::variable;

group! {
    /// E-mails.
    Mail {
        pub(super) mail_url: String;
        pub mail_ca: String;
        pub mail_from: String;
        app_url: String;
        pub require_verified: bool;
    }
}

impl Mail {
    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        self.check_bounds()?;
        let fits = |url: url::Url| {
            ["http", "https"].contains(&url.scheme()) && url.query().is_none() && url.fragment().is_none()
        };
        if !self.app_url.is_empty() && !url::Url::parse(&self.app_url).is_ok_and(fits) {
            let app_url = &self.app_url;
            return refuse(format!(
                "`app_url` must be the address of pages, as https://app.example.com, not `{app_url}`"
            ));
        }
        if self.require_verified && config.mail_url().is_empty() {
            let (required, url) = (variable("require_verified"), variable("mail_url"));
            return refuse(format!("{required}=true needs e-mail: set {url}, or nobody could verify"));
        }
        Ok(())
    }

    /// The page of the app with this name, if e-mails link to the app.
    pub fn page(&self, name: &str) -> Option<String> {
        (!self.app_url.is_empty()).then(|| format!("{}/{name}", self.app_url.trim_end_matches('/')))
    }
}

impl Config {
    /// The URL of the transport. Without one (empty), e-mails wait.
    pub fn mail_url(&self) -> &str {
        match self.mail.mail_url.as_str() {
            "auto" if self.env == Env::Prod => "",
            "auto" => "folder:data/mail",
            url => url,
        }
    }
}
