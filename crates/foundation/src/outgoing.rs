//! Requests that the server makes itself: to receivers of webhooks, to an identity provider.
//!
//! One request on a connection of its own, over HTTP/1.1, to addresses that the caller has looked at. No redirect is
//! followed, no proxy asked.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::{Request, Response, body};
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use url::{Host, Position, Url};

use crate::declared::List;

static USER_AGENT: List<String> = List::new();

/// Sets the `User-Agent` of requests: the title of the application, as one token (RFC 9110 section 10.1.5), and its version.
pub(crate) fn complete(title: &str, version: &str) {
    let token = title.replace(|character: char| !character.is_ascii_alphanumeric(), "");
    USER_AGENT.complete(vec![format!("{token}/{version}")]);
}

/// The `User-Agent` of requests.
pub fn user_agent() -> &'static str {
    &USER_AGENT.get()[0]
}

/// The head of an answer may have so many bytes.
const HEAD: usize = 64 * 1024;

/// Roots come with the binary, so that a server is trusted alike on every machine.
static TLS: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("the provider has what they need");
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
});

/// The addresses that a URL leads to; none if its host cannot be found.
pub async fn addresses(url: &Url) -> Vec<SocketAddr> {
    let port = url.port_or_known_default().unwrap_or_default();
    match url.host() {
        Some(Host::Ipv4(address)) => vec![SocketAddr::from((address, port))],
        Some(Host::Ipv6(address)) => vec![SocketAddr::from((address, port))],
        Some(Host::Domain(name)) => match tokio::net::lookup_host((name, port)).await {
            Ok(found) => found.collect(),
            Err(_) => vec![],
        },
        None => vec![],
    }
}

/// The `Host` and the target of a request to a URL (RFC 9112 section 3.2.1).
pub fn host_and_target(url: &Url) -> (&str, &str) {
    (&url[Position::BeforeHost..Position::AfterPort], &url[Position::BeforePath..Position::AfterQuery])
}

/// Sends a request to one of these addresses, which the URL leads to; answers what comes back. The connection lives as
/// long as the set.
///
/// # Errors
/// In a few words that name no address: there is no connection, none that is secure, or no answer.
pub async fn send(
    url: &Url,
    addresses: &[SocketAddr],
    request: Request<Full<Bytes>>,
    connection: &mut JoinSet<()>,
) -> Result<Response<body::Incoming>, String> {
    let stream = TcpStream::connect(addresses).await;
    let stream = stream.map_err(|error| format!("cannot connect: {}", error.kind()))?;
    if url.scheme() == "http" {
        return exchange(stream, request, connection).await;
    }
    let name = match url.host() {
        Some(Host::Ipv4(address)) => ServerName::from(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => ServerName::from(IpAddr::V6(address)),
        host => ServerName::try_from(host.map(|host| host.to_string()).unwrap_or_default())
            .map_err(|_| "the URL names no host that can have a certificate".to_owned())?,
    };
    let stream = TlsConnector::from(TLS.clone()).connect(name, stream).await;
    let stream = stream.map_err(|error| format!("no secure connection: {error}"))?;
    exchange(stream, request, connection).await
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
    connection: &mut JoinSet<()>,
) -> Result<Response<body::Incoming>, String> {
    let failed = |error: hyper::Error| format!("no answer: {error}");
    let (mut requests, driver) =
        http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // ends with the set: whoever gives up waiting closes the connection
    connection.spawn(async move { drop(driver.await) });
    requests.send_request(request).await.map_err(failed)
}
