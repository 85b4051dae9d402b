//! What the README shows is pasted as it stands, against a server with the demo data.

use std::process::{Command, Stdio};

use contract_tests::{Database, World, command_line};

const README: &str = include_str!("../../../README.md");

/// The block of this language under a heading.
fn block(heading: &str, language: &str) -> &'static str {
    let (_, section) = README.split_once(heading).expect("the README has the heading");
    let (_, code) = section.split_once(&format!("```{language}\n")).expect("with a block of the language");
    code.split_once("```").expect("that ends").0
}

/// What `cargo run` starts, but for the port.
async fn demo() -> World {
    let database = Database::empty().await;
    let url = database.url();
    World::on(database, &url, &[("ACCORD_DEMO", "true"), ("ACCORD_MIGRATE", "up")]).await
}

/// Pastes the shell commands under a heading; what they print tells each of these, in turn.
async fn paste(world: &World, heading: &str, tells: &[&str]) {
    let kept = tempfile::NamedTempFile::new().unwrap();
    let script = block(heading, "sh")
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
    let ended = command_line(&arguments, &world.database.url(), "").await;
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (0, printed, ""), "{command}");
}
