//! How an event leaves: one POST to an address that was checked, and nowhere else.
//!
//! The address that is judged is the one that is called, for names and for literals alike: a name that is resolved to
//! something else a moment later leads nowhere. No redirect is followed, no proxy asked, no answer kept.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response, body};
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::rules;

const OURSELVES: &str = concat!("Accord/", env!("CARGO_PKG_VERSION"));

/// The head of an answer may have so many bytes.
const HEAD: usize = 64 * 1024;

/// So much of an answer is taken off the wire before the connection is closed, and for no longer than that: a receiver
/// that is still writing should not be cut off.
const BODY: usize = 16 * 1024;
const BODY_WAIT: Duration = Duration::from_secs(1);

/// An event as it is sent.
pub struct Sent<'a> {
    /// The same in each try.
    pub id: &'a str,
    /// Seconds since 1970, of this try.
    pub timestamp: i64,
    /// [`rules::signatures`]
    pub signatures: String,
    /// JSON.
    pub body: String,
}

/// Why a receiver has not taken an event, in a few words that name no secret and no address.
#[derive(Debug)]
pub struct Refusal {
    /// What it answered, if it did.
    pub http_status: Option<u16>,
    /// For the admin.
    pub error: String,
}

impl From<String> for Refusal {
    fn from(error: String) -> Self {
        Self { http_status: None, error }
    }
}

/// Sends an event; answers the status, which is one of success.
///
/// # Errors
/// The receiver cannot be reached, may not be, is too slow, or answers anything but success.
pub async fn send(url: &str, private: bool, patience: Duration, sent: Sent<'_>) -> Result<u16, Refusal> {
    let slow = |_| Refusal::from(format!("no answer within {} s", patience.as_secs()));
    let mut connection = JoinSet::new();
    let response = timeout(patience, ask(url, private, sent, &mut connection)).await.map_err(slow)??;
    let status = response.status();
    let mut rest = response.into_body();
    let drain = async {
        let mut taken = 0;
        while let Some(Ok(frame)) = rest.frame().await {
            taken += frame.data_ref().map_or(0, Bytes::len);
            if taken > BODY {
                break;
            }
        }
    };
    let _ = timeout(BODY_WAIT, drain).await;
    if status.is_success() {
        return Ok(status.as_u16());
    }
    let error = match status.is_redirection() {
        true => format!("answered {}: redirects are not followed", status.as_u16()),
        false => format!("answered {}", status.as_u16()),
    };
    Err(Refusal { http_status: Some(status.as_u16()), error })
}

async fn ask(
    url: &str,
    private: bool,
    sent: Sent<'_>,
    connection: &mut JoinSet<()>,
) -> Result<Response<body::Incoming>, Refusal> {
    let url = rules::target(url, private).map_err(|reason| format!("the URL {reason}"))?;
    let addresses = addresses(&url, private).await?;
    let stream = TcpStream::connect(addresses.as_slice()).await;
    let stream = stream.map_err(|error| format!("cannot connect: {}", error.kind()))?;
    if url.scheme() == "http" {
        return exchange(stream, &url, sent, connection).await;
    }
    let name = match url.host() {
        Some(Host::Ipv4(address)) => ServerName::from(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => ServerName::from(IpAddr::V6(address)),
        host => ServerName::try_from(host.map(|host| host.to_string()).unwrap_or_default())
            .map_err(|_| "the URL names no host that can have a certificate".to_owned())?,
    };
    let stream = TlsConnector::from(TLS.clone()).connect(name, stream).await;
    let stream = stream.map_err(|error| format!("no secure connection: {error}"))?;
    exchange(stream, &url, sent, connection).await
}

/// Where to connect. A name that leads to one address inside and one outside is no name of the public internet.
async fn addresses(url: &Url, private: bool) -> Result<Vec<SocketAddr>, Refusal> {
    let port = url.port_or_known_default().unwrap_or_default();
    let found = match url.host() {
        Some(Host::Ipv4(address)) => vec![SocketAddr::from((address, port))],
        Some(Host::Ipv6(address)) => vec![SocketAddr::from((address, port))],
        Some(Host::Domain(name)) => match tokio::net::lookup_host((name, port)).await {
            Ok(found) => found.collect(),
            Err(_) => vec![],
        },
        None => vec![],
    };
    if found.is_empty() {
        return Err(Refusal::from("the host of the URL cannot be found".to_owned()));
    }
    if !private && !found.iter().all(|address| rules::is_public(address.ip())) {
        return Err(Refusal::from(format!("the URL {}", rules::NOT_PUBLIC)));
    }
    Ok(found)
}

/// Roots come with the binary, so that a receiver is trusted alike on every machine.
static TLS: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("the provider has what they need");
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
});

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    url: &Url,
    sent: Sent<'_>,
    connection: &mut JoinSet<()>,
) -> Result<Response<body::Incoming>, Refusal> {
    let failed = |error: hyper::Error| Refusal::from(format!("no answer: {error}"));
    let (mut requests, driver) =
        http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // ends with the set: whoever gives up waiting closes the connection
    connection.spawn(async move { drop(driver.await) });
    requests.send_request(request(url, sent).map_err(|error| error.to_string())?).await.map_err(failed)
}

fn request(url: &Url, sent: Sent<'_>) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    Request::post(target)
        .header(HOST, host)
        .header(USER_AGENT, OURSELVES)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header("webhook-id", sent.id)
        .header("webhook-timestamp", sent.timestamp)
        .header("webhook-signature", sent.signatures)
        .body(Full::from(sent.body))
}
