//! Bytes on a connection, for requests that an HTTP client refuses to send.

use std::net::SocketAddr;
use std::time::Duration;

use accord_contract::recorder::Origin;
use accord_contract::{Answer, Request};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::application::Application;
use crate::world::World;

/// The time for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection for one request.
pub struct Wire {
    application: &'static Application,
    stream: TcpStream,
    sent: Vec<u8>,
}

impl Wire {
    /// Connects to the server of a world.
    pub async fn to(world: &World) -> Self {
        let address = world.server.address.strip_prefix("http://").expect("an address");
        let stream = TcpStream::connect(address).await.expect("the server listens");
        Self { application: world.application, stream, sent: vec![] }
    }

    /// Connects from this address, one of those of the machine: each of 127.0.0.0/8 is.
    pub async fn from_address(world: &World, address: &str) -> Self {
        let server = world.server.address.strip_prefix("http://").expect("an address");
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(address.parse().expect("an address"), 0)).unwrap();
        let stream = socket.connect(server.parse().expect("an address")).await.expect("the server listens");
        Self { application: world.application, stream, sent: vec![] }
    }

    /// Connects with a small buffer, so that the server keeps what is not read.
    pub async fn slow(world: &World) -> Self {
        let server = world.server.address.strip_prefix("http://").expect("an address");
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(server.parse().expect("an address")).await.expect("the server listens");
        Self { application: world.application, stream, sent: vec![] }
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.sent.extend_from_slice(bytes.as_ref());
        // a server that has answered already may have closed: its answer is still to be read
        let _closed = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Sends the head of a request with these headers.
    pub async fn head(&mut self, request_line: &str, headers: &[(&str, &str)]) {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        self.send(format!("{request_line} HTTP/1.1\r\nHost: accord\r\n{headers}\r\n")).await;
    }

    /// Reads the answer and checks it against the document.
    pub async fn answer(&mut self) -> Answer {
        let request = read_request(&std::mem::take(&mut self.sent));
        let reading = timeout(PATIENCE, read_answer(&mut self.stream)).await;
        let read = reading.unwrap_or_else(|_| panic!("{} {}: no answer in time", request.method, request.target));
        let (status, headers, body) =
            read.unwrap_or_else(|| panic!("{} {}: no answer", request.method, request.target));
        let answer = Answer::new(request, status, headers, body);
        self.application.record(&answer, Origin::Test);
        answer
    }

    /// Reads the status only, of an answer to bytes that are no HTTP: no document applies to it.
    pub async fn status(&mut self) -> u16 {
        let read = timeout(PATIENCE, read_answer(&mut self.stream)).await.expect("an answer in time");
        read.expect("an answer").0
    }

    /// Reads until the server closes the connection. Returns `false` if it does not close it in time.
    pub async fn closed(&mut self) -> bool {
        let mut rest = vec![];
        timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.is_ok()
    }
}

fn head_and_rest(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((&bytes[..end], &bytes[end + 4..]))
}

fn header_lines(head: &str) -> impl Iterator<Item = (&str, &str)> {
    head.lines().skip(1).filter_map(|line| line.split_once(": "))
}

fn read_request(sent: &[u8]) -> Request {
    let (head, body) = head_and_rest(sent).unwrap_or((sent, b""));
    let head = String::from_utf8_lossy(head);
    let mut words = head.lines().next().unwrap_or_default().split(' ').map(str::to_owned);
    Request {
        by: "a connection".into(),
        method: words.next().unwrap_or_default(),
        target: words.next().unwrap_or_default(),
        headers: header_lines(&head).map(|(name, value)| (name.into(), value.into())).collect(),
        body: Some(body.to_vec()),
    }
}

async fn read_answer(stream: &mut TcpStream) -> Option<(u16, HeaderMap, Vec<u8>)> {
    let mut bytes = vec![];
    loop {
        if let Some((head, rest)) = head_and_rest(&bytes) {
            let head = String::from_utf8_lossy(head);
            let mut headers = HeaderMap::new();
            for (name, value) in header_lines(&head) {
                headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?);
            }
            let length = headers.get("content-length").map_or(Some(0), |value| value.to_str().ok()?.parse().ok())?;
            if rest.len() >= length {
                let status = head.split(' ').nth(1)?.parse().ok()?;
                return Some((status, headers, rest[..length].to_vec()));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
