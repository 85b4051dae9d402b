//! A TCP proxy before the server that loses one answer, as a broken connection does.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Context;

/// Forwards all connections to a server. Its threads end with this process.
pub struct Proxy {
    /// The URL to use in place of the server's.
    pub address: String,
    lost: Arc<AtomicBool>,
}

impl Proxy {
    /// Starts the proxy. The first request that has `text` in its body reaches the server; when the server answers, the
    /// proxy closes the connection and does not forward the answer.
    pub fn start(server: &str, text: &'static str) -> anyhow::Result<Self> {
        let server = server.strip_prefix("http://").context("the server listens on http://…")?.to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = format!("http://{}", listener.local_addr()?);
        let lost = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&lost);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, lost) = (server.clone(), Arc::clone(&shared));
                thread::spawn(move || forward(&client, &server, text.as_bytes(), &lost));
            }
        });
        Ok(Self { address, lost })
    }

    /// Returns whether an answer was lost.
    pub fn has_lost_an_answer(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }
}

/// Forwards one connection until either side closes it.
fn forward(client: &TcpStream, server: &str, text: &[u8], lost: &AtomicBool) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    // set before the request is forwarded, so that the next bytes from the server are its answer
    let loses = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let forwarded = pass_on(&server, client, |_| !loses.load(Ordering::SeqCst));
            // ends the other direction as well
            let _closed = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
            forwarded
        });
        // a client may send the text in two parts
        let mut sent = vec![];
        let forwarded = pass_on(client, &server, |bytes| {
            sent.extend_from_slice(bytes);
            if sent.windows(text.len()).any(|part| part == text) && !lost.swap(true, Ordering::SeqCst) {
                loses.store(true, Ordering::SeqCst);
            }
            sent.drain(..sent.len().saturating_sub(text.len()));
            true
        });
        let _closed = server.shutdown(Shutdown::Write);
        forwarded
    })
}

/// Copies what arrives until it ends or `inspect` returns `false`.
fn pass_on(mut from: &TcpStream, mut to: &TcpStream, mut inspect: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 || !inspect(&buffer[..length]) {
            return Ok(());
        }
        to.write_all(&buffer[..length])?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a request in two parts and returns the answer.
    fn answer(address: &str, parts: [&str; 2]) -> String {
        let mut stream = TcpStream::connect(address.strip_prefix("http://").expect("a URL")).expect("a connection");
        for part in parts {
            stream.write_all(part.as_bytes()).expect("a request");
            thread::sleep(std::time::Duration::from_millis(20));
        }
        let mut answer = String::new();
        let _broken = stream.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn first_answer_to_the_text_is_lost_and_all_others_are_forwarded() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let server = format!("http://{}", listener.local_addr().expect("an address"));
        let served = thread::spawn(move || {
            for stream in listener.incoming().take(3) {
                let mut stream = stream.expect("a connection");
                let mut request = [0; 8];
                stream.read_exact(&mut request).expect("a request");
                stream.write_all(&request).expect("an answer");
            }
        });
        let proxy = Proxy::start(&server, "lose").expect("a proxy");
        assert_eq!(answer(&proxy.address, ["keep", " it!"]), "keep it!");
        assert!(!proxy.has_lost_an_answer());
        assert_eq!(answer(&proxy.address, ["** lo", "se!"]), "");
        assert!(proxy.has_lost_an_answer());
        assert_eq!(answer(&proxy.address, ["** lo", "se!"]), "** lose!");
        served.join().expect("three requests were served");
    }
}
