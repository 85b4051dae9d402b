//! How an event leaves: one POST to an address that was checked, and nowhere else.
//!
//! The address that is judged is the one that is called, for names and for literals alike: a name that is resolved to
//! something else a moment later leads nowhere. No redirect is followed, no proxy asked, no answer kept.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response, body};
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::Url;

use super::rules;
use crate::outgoing;

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
    /// The receiver accepted the connection or the request and did not respond in time: each further try would hold a
    /// worker for as long.
    pub timed_out: bool,
    /// For the admin.
    pub error: String,
}

impl From<String> for Refusal {
    fn from(error: String) -> Self {
        Self { http_status: None, timed_out: false, error }
    }
}

/// Sends an event; answers the status, which is one of success.
///
/// # Errors
/// The receiver cannot be reached, may not be, is too slow, or answers anything but success.
pub async fn send(url: &str, private: bool, patience: Duration, sent: Sent<'_>) -> Result<u16, Refusal> {
    let slow = |_| Refusal { timed_out: true, ..Refusal::from(format!("no answer within {} s", patience.as_secs())) };
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
    Err(Refusal { http_status: Some(status.as_u16()), timed_out: false, error })
}

async fn ask(
    url: &str,
    private: bool,
    sent: Sent<'_>,
    connection: &mut JoinSet<()>,
) -> Result<Response<body::Incoming>, Refusal> {
    let url = rules::target(url, private).map_err(|reason| format!("the URL {reason}"))?;
    let addresses = outgoing::addresses(&url).await;
    // a name that leads to one address inside and one outside is no name of the public internet
    if !private && !addresses.iter().all(|address| rules::is_public(address.ip())) {
        return Err(Refusal::from(format!("the URL {}", rules::NOT_PUBLIC)));
    }
    if addresses.is_empty() {
        return Err(Refusal::from("the host of the URL cannot be found".to_owned()));
    }
    let request = request(&url, sent).map_err(|error| error.to_string())?;
    Ok(outgoing::send(&url, &addresses, request, connection).await?)
}

fn request(url: &Url, sent: Sent<'_>) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let (host, target) = outgoing::host_and_target(url);
    Request::post(target)
        .header(HOST, host)
        .header(USER_AGENT, outgoing::user_agent())
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header("webhook-id", sent.id)
        .header("webhook-timestamp", sent.timestamp)
        .header("webhook-signature", sent.signatures)
        .body(Full::from(sent.body))
}
