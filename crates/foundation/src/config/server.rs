//! Settings of the HTTP server: its address, its limits, and what browsers, proxies and operators may do.

use ipnet::IpNet;
use std::net::IpAddr;
use toml::Value;

use super::setting::group;
use super::tokens::check_length;
use super::{AN_HOUR, Config, ConfigError, Env, listed, refuse};
use crate::declared::variable;

group! {
    /// The HTTP server.
    Server {
        pub host: String;
        pub port: u16;
        docs: Value;
        pub max_body: usize = 1..=1 << 30;
        pub header_timeout: u64 = 1..=AN_HOUR;
        pub body_timeout: u64 = 1..=AN_HOUR;
        pub write_timeout: u64 = 1..=AN_HOUR;
        pub request_timeout: u64 = 1..=AN_HOUR;
        pub idle_timeout: u64 = 1..=AN_HOUR;
        pub max_connections: usize = 1..=1_000_000;
        pub connections_per_address: usize = 0..=1_000_000;
        pub max_unsent: usize = 1..=1 << 40;
        pub drain: u64 = 0..=AN_HOUR, " seconds";
        pub grace: u64 = 0..=AN_HOUR, " seconds";
        trusted_proxies: String;
        cors_origins: String;
        pub metrics_token: String;
    }
}

impl Server {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.check_bounds()?;
        if matches!(&self.docs, Value::String(docs) if docs != "auto") {
            return refuse(format!("{} must be true, false or auto", variable("docs")));
        }
        for origin in self.cors_origins() {
            let parsed = url::Url::parse(&origin).map(|url| url.origin().ascii_serialization());
            if parsed.as_ref() != Ok(&origin) {
                return refuse(format!(
                    "{}: `{origin}` is no origin; write it as https://app.example.com",
                    variable("cors_origins")
                ));
            }
        }
        if let Some(none) = listed(&self.trusted_proxies).find(|text| network(text).is_none()) {
            return refuse(format!(
                "`trusted_proxies`: `{none}` is no address and no range; write them as 10.0.0.7, 10.0.0.0/8 or 2001:db8::/32"
            ));
        }
        check_length(&variable("metrics_token"), &self.metrics_token)
    }

    /// Returns whether the host is a loopback address.
    pub(super) fn is_local(&self) -> bool {
        // other names than `localhost` may resolve to any address
        match self.host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        }
    }

    /// Origins that may call from a browser.
    pub fn cors_origins(&self) -> Vec<String> {
        listed(&self.cors_origins).map(Into::into).collect()
    }

    /// Proxies that may name the client they were called from.
    pub fn trusted_proxies(&self) -> Vec<IpNet> {
        listed(&self.trusted_proxies).filter_map(network).collect()
    }
}

impl Config {
    /// Returns whether the docs viewer is served.
    pub fn docs(&self) -> bool {
        match &self.server.docs {
            Value::Boolean(docs) => *docs,
            _ => self.env != Env::Prod,
        }
    }

    /// The sentence of a 404 for a path that does not exist.
    pub fn paths_hint(&self) -> &'static str {
        if self.docs() { "See /docs for the paths there are." } else { "See /openapi.json for the paths there are." }
    }
}

/// An address alone or a range.
fn network(text: &str) -> Option<IpNet> {
    let alone = || text.parse().ok().map(|address: IpAddr| address.to_canonical().into());
    text.parse().ok().or_else(alone)
}
