//! A receiver of webhooks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The treatment of one request by a receiver.
#[derive(Clone, Copy, Debug)]
pub enum Treatment {
    /// Answer with this status.
    Answers(u16),
    /// Redirect to the receiver itself.
    Redirects,
    /// Never answer.
    Hangs,
    /// Close the connection without an answer.
    HangsUp,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// `POST /path HTTP/1.1`
    pub line: String,
    /// The headers; their names are in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Received {
    /// The event.
    pub fn event(&self) -> Value {
        serde_json::from_str(&self.body).expect("an event is JSON")
    }

    /// The event's identifier.
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    /// The signatures, each with its version.
    pub fn signatures(&self) -> Vec<&str> {
        self.headers["webhook-signature"].split(' ').collect()
    }

    /// The expected signature by this secret, as Standard Webhooks define it. The library for JSON Web Tokens computes
    /// it, so that the check does not use the server's own code.
    pub fn signed_by(&self, secret: &str) -> String {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).unwrap();
        let signed = format!("{}.{}.{}", self.id(), self.headers["webhook-timestamp"], self.body);
        let key = EncodingKey::from_secret(&key);
        let mac = crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap();
        format!("v1,{}", STANDARD.encode(URL_SAFE_NO_PAD.decode(mac).unwrap()))
    }
}

/// A server for webhooks that listens until it is dropped.
pub struct Receiver {
    /// The URL of the receiver: `http://127.0.0.1:PORT/hooks?from=test`.
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
    treatments: Arc<Mutex<VecDeque<Treatment>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Receiver {
    /// Starts a receiver. Each treatment is for one request, the last one for all further requests.
    pub async fn start(treatments: &[Treatment]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks?from=test", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(vec![]));
        let treatments = Arc::new(Mutex::new(treatments.iter().copied().collect()));
        let (kept, told) = (received.clone(), treatments.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, kept.clone(), told.clone()));
            }
        });
        Self { url, received, treatments, task }
    }

    /// Sets the treatment of all further requests.
    pub fn treats(&self, treatment: Treatment) {
        *self.treatments.lock().unwrap() = VecDeque::from([treatment]);
    }

    /// The requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Waits for `count` requests, and returns all.
    ///
    /// # Panics
    /// The requests do not arrive within 40 seconds.
    pub async fn gets(&self, count: usize) -> Vec<Received> {
        let wait = async {
            while self.received().len() < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let arrived = tokio::time::timeout(Duration::from_secs(40), wait).await;
        let received = self.received();
        assert!(arrived.is_ok(), "{count} should have arrived, not {received:?}");
        received
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(
    stream: TcpStream,
    received: Arc<Mutex<Vec<Received>>>,
    treatments: Arc<Mutex<VecDeque<Treatment>>>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let body = String::from_utf8(body).ok()?;
    let treatment = {
        let mut treatments = treatments.lock().unwrap();
        if treatments.len() > 1 { treatments.pop_front()? } else { *treatments.front()? }
    };
    let path = line.split(' ').nth(1)?.to_owned();
    received.lock().unwrap().push(Received { line: line.trim_end().into(), headers, body });
    let answer = match treatment {
        Treatment::Answers(204) => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        Treatment::Answers(status) => format!("HTTP/1.1 {status} Told\r\nContent-Length: 5\r\n\r\ntaken"),
        Treatment::Redirects => format!("HTTP/1.1 302 Found\r\nLocation: {path}\r\nContent-Length: 0\r\n\r\n"),
        Treatment::Hangs => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            return None;
        }
        Treatment::HangsUp => return None,
    };
    stream.write_all(answer.as_bytes()).await.ok()
}
