//! A server stops, and another one takes its place, while clients send requests.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use contract_tests::{ACCORD, Server, Wire, World};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

#[tokio::test]
async fn a_stopping_server_is_not_ready_but_serves_until_the_drain_time_is_over() {
    let mut world = World::with(&ACCORD, &[("ACCORD_DRAIN", "60")]).await;
    let nobody = world.nobody();
    let mut idle = Wire::to(&world).await;
    idle.head("GET /api/v1/info", &[]).await;
    idle.answer().await.expect(200);
    nobody.get("/health/ready").await.expect(200);
    world.server.terminate().await;
    let mut ready = nobody.get("/health/ready").await;
    while ready.status == 200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        ready = nobody.get("/health/ready").await;
    }
    assert_eq!((ready.status, &ready.body), (503, &json!({ "status": "stopping" })));
    nobody.get("/health/live").await.expect(200);
    // a new connection, and one that was open before: each is told to go elsewhere
    let mut new = Wire::to(&world).await;
    for wire in [&mut new, &mut idle] {
        wire.head("GET /api/v1/info", &[]).await;
        assert_eq!(wire.answer().await.expect(200).header("Connection"), Some("close"));
        assert!(wire.closed().await);
    }
    // the second one ends the drain time
    world.server.terminate().await;
    assert_eq!(world.server.ended().await.code(), Some(0), "{}", world.server.log());
}

/// Sends one request after the other on a connection until the server closes it, as HTTP says it may, then opens the
/// next. Returns how many were answered.
async fn send_requests(address: SocketAddr, answered: &AtomicUsize, stop: &AtomicBool) -> Result<(), String> {
    let mut connection: Option<TcpStream> = None;
    while !stop.load(Ordering::Relaxed) {
        let failed = |error: std::io::Error| format!("after {} answers: {error}", answered.load(Ordering::Relaxed));
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => TcpStream::connect(address).await.map_err(failed)?,
        };
        stream.write_all(b"GET /api/v1/info HTTP/1.1\r\nHost: accord\r\n\r\n").await.map_err(failed)?;
        let mut answer = vec![];
        loop {
            let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                if body.len() >= length.unwrap_or(0) {
                    if !head.starts_with("http/1.1 200") {
                        return Err(text);
                    }
                    connection = (!head.contains("connection: close")).then_some(stream);
                    break;
                }
            }
            if stream.read_buf(&mut answer).await.map_err(failed)? == 0 {
                return Err(format!("closed after {} bytes of an answer", answer.len()));
            }
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// `ACCORD_TEST_RESTARTS` sets another number of restarts.
fn restarts() -> usize {
    std::env::var("ACCORD_TEST_RESTARTS").ok().and_then(|number| number.parse().ok()).unwrap_or(3)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_when_servers_take_over_one_socket_from_each_other() {
    let world = World::start(&ACCORD).await;
    let url = world.database.url();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let settings = [("ACCORD_DRAIN", "1")];
    let mut server = Server::on_socket(&ACCORD, &socket, &url, &settings).await;
    assert_eq!(server.address, format!("http://{address}"));
    let (answered, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let (answered, stop) = (answered.clone(), stop.clone());
        clients.spawn(async move { send_requests(address, &answered, &stop).await });
    }
    for _ in 0..restarts() {
        let next = Server::on_socket(&ACCORD, &socket, &url, &settings).await;
        server.terminate().await;
        assert_eq!(server.ended().await.code(), Some(0), "{}", server.log());
        server = next;
    }
    // and with a gap: the kernel keeps connections until the next server takes them
    server.terminate().await;
    assert_eq!(server.ended().await.code(), Some(0), "{}", server.log());
    let server = Server::on_socket(&ACCORD, &socket, &url, &settings).await;
    let before = answered.load(Ordering::Relaxed);
    while answered.load(Ordering::Relaxed) < before + 100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap().unwrap_or_else(|error| panic!("a request was lost: {error}\n{}", server.log()));
    }
    println!("{} requests, none lost", answered.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_socket_that_other_machines_reach_needs_host_to_say_so() {
    let world = World::start(&ACCORD).await;
    let socket = TcpListener::bind("0.0.0.0:0").unwrap();
    let (code, error) = Server::refused_socket(&ACCORD, &socket, &world.database.url(), &[]).await;
    assert!(code == 78 && error.contains("LISTEN_FDS"), "{code}: {error}");
}
