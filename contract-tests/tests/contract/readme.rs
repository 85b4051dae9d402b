//! What the README shows is pasted as it stands, against a server with the demo data.

use std::process::{Command, Stdio};
use std::time::Duration;

use contract_tests::{ACCORD, Database, World, command_line};

const README: &str = include_str!("../../../README.md");

/// The block of this language under a heading.
fn block(heading: &str, language: &str) -> &'static str {
    let (_, section) = README.split_once(heading).expect("the README has the heading");
    let (_, code) = section.split_once(&format!("```{language}\n")).expect("with a block of the language");
    code.split_once("```").expect("that ends").0
}

/// What `cargo run` starts, but for the port.
async fn demo() -> World {
    demo_with(&[]).await
}

async fn demo_with(settings: &[(&str, &str)]) -> World {
    let database = Database::empty(&ACCORD).await;
    let url = database.url();
    let settings = [&[("ACCORD_DEMO", "true"), ("ACCORD_MIGRATE", "up")], settings].concat();
    World::on(database, &url, &settings).await
}

/// Pastes the shell commands under a heading; what they print tells each of these, in turn.
async fn paste(world: &World, heading: &str, tells: &[&str]) {
    run(world, block(heading, "sh").to_owned(), tells).await;
}

/// Pastes these commands; answers what they print.
async fn run(world: &World, script: String, tells: &[&str]) -> String {
    let kept = tempfile::NamedTempFile::new().unwrap();
    let script = script
        .replace("http://127.0.0.1:3000", &world.server.address)
        .replace("/tmp/accord-post", &kept.path().display().to_string());
    let run = move || {
        let shell = Command::new("bash").arg("-c").arg(script).stdin(Stdio::null()).output();
        shell.expect("bash is there, as the README needs it; so is curl")
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let (told, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && complaints.is_empty(), "{complaints}\n{told}");
    let mut rest = &*told;
    for expected in tells {
        let at = rest.find(expected).unwrap_or_else(|| panic!("`{expected}` is not told, or not in its turn:\n{told}"));
        rest = &rest[at + expected.len()..];
    }
    told.into_owned()
}

/// The receiver of the README, until it is dropped.
struct Python(std::process::Child);

impl Python {
    fn receives(port: u16, secret: &str) -> Self {
        let script = block("## Webhooks", "py").replace("8000", &port.to_string());
        let mut command = Command::new("python3");
        command.args(["-c", &script]).env("SECRET", secret).stdout(Stdio::piped()).stderr(Stdio::null());
        Self(command.spawn().expect("python3 is there, as the README needs it"))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[tokio::test]
async fn the_receiver_in_ten_lines_takes_what_is_signed_by_its_secret() {
    let world = demo_with(&[("ACCORD_TASK_WORKERS", "2"), ("ACCORD_WEBHOOK_PRIVATE", "true")]).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = block("## Webhooks", "sh").replace("8000", &port.to_string());
    let told = run(&world, script, &["SECRET=whsec_", "python3 receiver.py", "HTTP/1.1 202 Accepted"]).await;
    let secret = told.split(['=', ' ']).nth(1).unwrap().trim_end_matches('=');
    let until = async |what: &str| {
        let wait = async {
            while world.database.count(&format!("deliveries WHERE {what}")).await == 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(40), wait).await.unwrap_or_else(|_| panic!("a delivery has {what}"));
    };
    let other = Python::receives(port, "whsec_QmV0dGVyIG5vdCB0byB1c2UgdGhpcyBvbmUuIEV4YW0=");
    until("http_status = 401").await;
    drop(other);
    let _receiver = Python::receives(port, &format!("{secret}="));
    until("status = 'succeeded' AND http_status = 204").await;
}

#[tokio::test]
async fn the_tour_with_curl_works_when_pasted() {
    let tells = [
        "HTTP/1.1 201 Created",
        "\"title\":\"From the tour\"",
        "\"items\":[{\"id\":4",
        "HTTP/1.1 200 OK",
        "\"rating\":5",
        "HTTP/1.1 412 Precondition Failed",
        "\"votes\":1",
        "\"pointer\":\"/colour\"",
    ];
    paste(&demo().await, "## A tour with curl", &tells).await;
}

#[tokio::test]
async fn the_grant_with_curl_counts_when_pasted_and_is_explained() {
    let (world, heading) = (demo().await, "## Who may do what");
    let tells = ["HTTP/1.1 403 Forbidden", "HTTP/1.1 201 Created", "HTTP/1.1 200 OK", "\"view_number\":0"];
    paste(&world, heading, &tells).await;
    let (command, printed) = block(heading, "console").split_once('\n').unwrap();
    let arguments: Vec<_> = command.strip_prefix("$ accord ").expect("a command of ours").split(' ').collect();
    let ended = command_line(&ACCORD, &arguments, &world.database.url(), "").await;
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (0, printed, ""), "{command}");
}
