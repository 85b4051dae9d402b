//! A server that keeps the conventions that `accord-testkit` expects of a binary. See its README.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => serve(),
        ["migrate", "up"] | ["fixtures", "load", ..] => match database() {
            // a real server creates tables and rows here
            Some(_) => ExitCode::SUCCESS,
            None => failure("DATABASE_URL is not set"),
        },
        ["books"] => {
            println!("1 Emma");
            ExitCode::SUCCESS
        }
        other => failure(&format!("unknown command {other:?}")),
    }
}

fn database() -> Option<String> {
    std::env::var("DATABASE_URL").ok()
}

fn failure(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::FAILURE
}

fn serve() -> ExitCode {
    if database().is_none() {
        return failure("DATABASE_URL is not set");
    }
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".into());
    let listener = match TcpListener::bind(format!("127.0.0.1:{port}")) {
        Ok(listener) => listener,
        Err(error) => return failure(&format!("port {port}: {error}")),
    };
    let Ok(address) = listener.local_addr() else { return failure("the socket has no address") };
    println!("listening on http://{address}");
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || answer(stream));
    }
    ExitCode::SUCCESS
}

/// Answers the one request of a connection.
fn answer(stream: TcpStream) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length").map_or(Some(0), |length| length.parse().ok())?];
    stream.read_exact(&mut body).ok()?;
    let header = |name: &str| headers.get(name).map_or("", String::as_str);
    let known = header("authorization").starts_with("Bearer token-of-");
    let mut words = line.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let (status, more, content) = match (method, path) {
        ("GET", "/health/live") => ("204 No Content", "", String::new()),
        ("POST", "/log-in") => {
            let body = String::from_utf8_lossy(&body);
            let name = body.split('"').nth(3).unwrap_or("nobody");
            ("200 OK", "", format!(r#"{{"token":"token-of-{name}"}}"#))
        }
        _ if !known => ("401 Unauthorized", "WWW-Authenticate: Bearer\r\n", String::new()),
        ("GET", "/books/1") => ("200 OK", "", r#"{"title":"Emma"}"#.into()),
        // a fault, which the tests use: the document does not declare `shelf`
        ("GET", "/books/3") => ("200 OK", "", r#"{"title":"Persuasion","shelf":7}"#.into()),
        _ => ("404 Not Found", "", String::new()),
    };
    eprintln!("{method} {path} {status} {}", header("x-request-id"));
    let media_type = if content.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let length = content.len();
    let head = format!("HTTP/1.1 {status}\r\n{more}{media_type}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.get_mut().write_all((head + &content).as_bytes()).ok()
}
