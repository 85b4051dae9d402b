//! Where events may be sent, how they are signed, and when a delivery is given up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use url::{Host, Url};

/// What a secret begins with, so that people and scanners know it.
const SECRET_PREFIX: &str = "whsec_";

/// Reads where a webhook sends to.
///
/// # Errors
/// Why events are not sent there, as a sentence without its subject. A name is judged when it is resolved.
pub fn target(text: &str, private: bool) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is no URL")?;
    // the parser forgives spaces and line ends, where a reader would see another address
    if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Err("must not have spaces in it");
    }
    match url.scheme() {
        "https" => {}
        "http" if private => {}
        "http" => return Err("must begin with https://"),
        _ => return Err("must be an address of the web"),
    }
    if !url.username().is_empty() || url.password().is_some() || text.contains("//@") {
        return Err("must not name a user or a password");
    }
    if url.fragment().is_some() {
        return Err("must not have a fragment");
    }
    if url.port() == Some(0) {
        return Err("names no port that can be called");
    }
    let literal = match url.host() {
        None | Some(Host::Domain("")) => return Err("names no host"),
        Some(Host::Domain(_)) => None,
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
    };
    if !private && literal.is_some_and(|address| !is_public(address)) {
        return Err(NOT_PUBLIC);
    }
    Ok(url)
}

/// What is said of a target that only insiders can reach.
pub const NOT_PUBLIC: &str = "leads to an address that is not public";

/// Networks that belong to nobody in the public internet: the special-purpose registry of IANA, and multicast.
const SPECIAL_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // multicast, reserved, broadcast
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// All that IPv6 has in the public internet is below 2000::/3.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Networks in that which are something else: protocols (Teredo, benchmarks), documentation, 6to4.
const SPECIAL_V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Where a translator puts IPv4 (RFC 6052): the address in the last 32 bits counts.
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Whether an address is one of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let within =
                |(network, bits): &(Ipv4Addr, u32)| (address.to_bits() ^ network.to_bits()).leading_zeros() >= *bits;
            !SPECIAL_V4.iter().any(within)
        }
        IpAddr::V6(address) => {
            let within =
                |(network, bits): &(Ipv6Addr, u32)| (address.to_bits() ^ network.to_bits()).leading_zeros() >= *bits;
            if let Some(mapped) = address.to_ipv4_mapped() {
                return is_public(mapped.into());
            }
            if within(&NAT64) {
                return is_public(Ipv4Addr::from_bits(address.to_bits() as u32).into());
            }
            within(&GLOBAL_V6) && !SPECIAL_V6.iter().any(within)
        }
    }
}

/// A new secret: 256 bits.
pub fn new_secret() -> String {
    format!("{SECRET_PREFIX}{}", STANDARD.encode(rand::random::<[u8; 32]>()))
}

/// What stands in `webhook-signature`: a signature by each secret, as the Standard Webhooks have it.
pub fn signatures<S: AsRef<str>>(secrets: &[S], id: &str, timestamp: i64, body: &str) -> String {
    let sign = |secret: &S| {
        let key = STANDARD.decode(secret.as_ref().trim_start_matches(SECRET_PREFIX)).expect("only we make secrets");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    secrets.iter().map(sign).collect::<Vec<_>>().join(" ")
}

/// Whether what has failed since then is not tried again.
pub fn is_given_up(since: DateTime<Utc>, retry_for: u64, now: DateTime<Utc>) -> bool {
    let most = i64::try_from(retry_for).ok().and_then(TimeDelta::try_seconds).unwrap_or(TimeDelta::MAX);
    now - since >= most
}

/// The pause after a failed attempt: as long as the attempts have failed (since `since`), so that each pause is about as
/// long as all before it together; at least `shortest` seconds, at most an hour.
pub fn pause(since: DateTime<Utc>, shortest: u64, now: DateTime<Utc>) -> TimeDelta {
    let longest = TimeDelta::hours(1);
    let shortest = i64::try_from(shortest).ok().and_then(TimeDelta::try_seconds);
    (now - since).max(shortest.unwrap_or(longest)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_grows_with_the_failure_and_is_bounded() {
        let now = crate::app::now();
        for (failed_for, shortest, seconds) in [(10, 20, 20), (60, 20, 60), (7200, 20, 3600), (10, u64::MAX, 3600)] {
            let pause = pause(now - TimeDelta::seconds(failed_for), shortest, now);
            assert_eq!(pause.num_seconds(), seconds, "{failed_for} {shortest}");
        }
    }

    #[test]
    fn only_public_addresses_are_called() {
        for (address, public) in [
            ("1.1.1.1", true),
            ("8.8.8.8", true),
            ("9.255.255.255", true),
            ("11.0.0.0", true),
            ("100.63.255.255", true),
            ("100.128.0.0", true),
            ("172.15.255.255", true),
            ("172.32.0.0", true),
            ("198.17.255.255", true),
            ("198.20.0.0", true),
            ("223.255.255.255", true),
            ("2606:4700:4700::1111", true),
            ("2a00:1450:4001:80b::200e", true),
            ("2001:200::1", true),
            ("::ffff:1.1.1.1", true),
            ("64:ff9b::1.1.1.1", true),
            // unspecified, private, shared, loopback, link-local
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("10.0.0.1", false),
            ("100.64.0.1", false),
            ("100.127.255.255", false),
            ("127.0.0.1", false),
            ("127.255.255.255", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.168.0.1", false),
            // protocols, documentation, 6to4's relay, benchmarks, multicast, reserved, broadcast
            ("192.0.0.8", false),
            ("192.0.2.1", false),
            ("192.88.99.1", false),
            ("198.18.0.1", false),
            ("198.19.255.255", false),
            ("198.51.100.1", false),
            ("203.0.113.1", false),
            ("224.0.0.1", false),
            ("239.255.255.250", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::127.0.0.1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:169.254.169.254", false),
            ("64:ff9b::10.0.0.1", false),
            ("64:ff9b:1::1", false),
            ("100::1", false),
            ("2001::1", false),
            ("2001:2::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::", false),
            ("3fff::1", false),
            ("5f00::1", false),
            ("fc00::1", false),
            ("fd12:3456::1", false),
            ("fe80::1", false),
            ("febf::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().expect("an address")), public, "{address}");
        }
    }

    #[test]
    fn a_target_is_a_public_address_of_the_web() {
        for (text, reason) in [
            ("https://example.com/hooks?a=b", None),
            ("https://example.com:8443", None),
            ("https://1.1.1.1/", None),
            ("https://[2606:4700:4700::1111]/", None),
            // a name is judged when it is resolved
            ("https://localhost/", None),
            ("http://example.com/", Some("https://")),
            ("ftp://example.com/", Some("of the web")),
            ("file:///etc/passwd", Some("of the web")),
            ("example.com", Some("no URL")),
            ("https://", Some("no URL")),
            ("https://user@example.com/", Some("user")),
            ("https://:word@example.com/", Some("user")),
            ("https://@example.com/", Some("user")),
            ("https://example.com/#part", Some("fragment")),
            ("https://example.com/#", Some("fragment")),
            ("https://example.com:0/", Some("port")),
            (" https://example.com/", Some("spaces")),
            ("https://exam\nple.com/", Some("spaces")),
            ("https://127.0.0.1/", Some("not public")),
            ("https://2130706433/", Some("not public")),
            ("https://0x7f.1/", Some("not public")),
            ("https://0177.0.0.1/", Some("not public")),
            ("https://127.1/", Some("not public")),
            ("https://\u{ff11}27.0.0.1/", Some("not public")),
            ("https://[::1]/", Some("not public")),
            ("https://[::ffff:127.0.0.1]/", Some("not public")),
            ("https://[::ffff:7f00:1]/", Some("not public")),
            ("https://169.254.169.254/latest/meta-data/", Some("not public")),
        ] {
            let found = target(text, false).err();
            match reason {
                Some(words) => assert!(found.is_some_and(|found| found.contains(words)), "{text}: {found:?}"),
                None => assert_eq!(found, None, "{text}"),
            }
        }
        for text in ["http://127.0.0.1:8080/", "https://[::1]/", "http://localhost/"] {
            assert!(target(text, true).is_ok(), "{text}");
        }
        assert!(target("http://user@localhost/", true).is_err());
    }

    /// Examples of https://www.standardwebhooks.com and of its libraries.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let first = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let signed = |secrets: &[&str]| {
            signatures(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#)
        };
        assert_eq!(signed(&[first.0]), first.1);
        let both = signed(&[&new_secret(), first.0]);
        assert!(both.starts_with("v1,") && both.ends_with(&format!(" {}", first.1)), "{both}");
        let other = signatures(
            &["whsec_plJ3nmyCDGBKInavdOK15jsl"],
            "msg_loFOjxBNrRLzqYUf",
            1_731_705_121,
            r#"{"event_type":"ping","data":{"success":true}}"#,
        );
        assert_eq!(other, "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=");
    }

    #[test]
    fn secrets_are_long_and_not_alike() {
        let secret = new_secret();
        assert_eq!(STANDARD.decode(&secret[SECRET_PREFIX.len()..]).expect("base64").len(), 32);
        assert_ne!(secret, new_secret());
    }

    #[test]
    fn a_delivery_is_given_up_when_its_time_is_over() {
        let now = crate::app::now();
        assert!(!is_given_up(now - TimeDelta::seconds(86_399), 86_400, now));
        assert!(is_given_up(now - TimeDelta::seconds(86_400), 86_400, now));
    }
}
