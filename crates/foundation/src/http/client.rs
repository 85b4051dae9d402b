//! Who is at the other end: the address of the connection, or what a trusted proxy says of it; and what a session shows
//! its owner.
//!
//! Must never be: a header believed that no trusted proxy has sent.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use poem::http::{HeaderMap, header};
use poem::{FromRequest, Request, RequestBody, Result};

use super::Origin;

/// Each proxy adds the address it was called from at the right end; what stands left of that, anybody may have written.
const FORWARDED_FOR: &str = "X-Forwarded-For";

/// Who calls, as an address. The edge puts it into the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// From the right, the first address that is no trusted proxy's. Where an entry is missing or none, the proxy that
    /// should have written it is the client.
    pub fn of(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> Self {
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        let mut address = peer.to_canonical();
        while proxies.iter().any(|proxy| proxy.contains(&address))
            && let Some(before) = entries.next().and_then(address_of)
        {
            address = before;
        }
        Self(address)
    }

    /// What counts as one client: of IPv6 the first 64 bits, since a subscriber has all addresses below them.
    pub fn network(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        }
    }
}

/// Characters that are kept of what a client calls itself: enough for the names of browsers.
const USER_AGENT: usize = 200;

/// The sender of a request, as a session keeps it.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its address, and the request.
    pub origin: Origin,
    /// What it calls itself, cut to 200 characters; none if that is not visible ASCII.
    pub user_agent: Option<String>,
}

impl<'a> FromRequest<'a> for Client {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> Result<Self> {
        let origin = request.data::<Origin>().cloned().unwrap_or_default();
        let user_agent = request.headers().get(header::USER_AGENT).and_then(|name| name.to_str().ok());
        let user_agent = user_agent.map(|name| name.chars().take(USER_AGENT).collect());
        Ok(Self { origin, user_agent })
    }
}

/// `192.0.2.1`, `2001:db8::1` or `[2001:db8::1]`; some proxies add a port. An IPv4 address in the form of IPv6 is the former.
fn address_of(entry: &[u8]) -> Option<IpAddr> {
    let entry = str::from_utf8(entry).ok()?.trim();
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let with_port = || entry.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    fn client(peer: &str, lines: &[&str]) -> String {
        let proxies = ["127.0.0.1/32", "10.0.0.0/8", "2001:db8:1::/48"].map(|net| net.parse().expect("a network"));
        let mut headers = HeaderMap::new();
        for line in lines {
            let line = HeaderValue::from_bytes(line.as_bytes()).expect("a header value");
            headers.append(FORWARDED_FOR, line);
        }
        ClientAddress::of(peer.parse().expect("an address"), &headers, &proxies).0.to_string()
    }

    #[test]
    fn only_a_trusted_proxy_names_the_client() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client("127.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("::ffff:127.0.0.1", &["::ffff:198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("2001:db8:1::5", &["[2001:db8:2::7]:4711"]), "2001:db8:2::7");
        assert_eq!(client("127.0.0.1", &[]), "127.0.0.1");
    }

    #[test]
    fn what_the_client_wrote_itself_does_not_count() {
        assert_eq!(client("127.0.0.1", &["203.0.113.9, 198.51.100.7, 10.1.2.3"]), "198.51.100.7");
        assert_eq!(client("127.0.0.1", &["203.0.113.9", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("127.0.0.1", &["é, 198.51.100.7"]), "198.51.100.7");
        // every hop is ours: the first of them
        assert_eq!(client("127.0.0.1", &["10.9.9.9,10.1.2.3"]), "10.9.9.9");
    }

    #[test]
    fn what_is_no_address_leaves_the_proxy_that_wrote_it() {
        for entry in ["unknown", "", "_hidden", "198.51.100.7:port", "[198.51.100.7", "1.2.3", "é"] {
            assert_eq!(client("127.0.0.1", &["203.0.113.9", entry]), "127.0.0.1", "{entry}");
            assert_eq!(client("127.0.0.1", &[&format!("203.0.113.9, {entry}, 10.1.2.3")]), "10.1.2.3", "{entry}");
        }
    }

    #[test]
    fn a_subscriber_is_one_client() {
        let network = |address: &str| ClientAddress(address.parse().expect("an address")).network().to_string();
        assert_eq!(network("2001:db8:2:3:4:5:6:7"), "2001:db8:2:3::");
        assert_eq!(network("198.51.100.7"), "198.51.100.7");
    }
}
