//! The README's tour is pasted as it stands, against a server of our own.

use std::process::{Command, Stdio};

use contract_tests::World;

/// The block of shell commands under a heading.
fn block<'a>(readme: &'a str, heading: &str) -> &'a str {
    let (_, section) = readme.split_once(heading).expect("the README has the heading");
    let (_, code) = section.split_once("```sh\n").expect("with a block of shell commands");
    code.split_once("```").expect("that ends").0
}

#[tokio::test]
async fn the_tour_with_curl_works_when_pasted() {
    let world = World::start().await;
    let readme = include_str!("../../../README.md");
    let kept = tempfile::NamedTempFile::new().unwrap();
    // the demo account is ann's; here she has the password of the tests, and the port is the server's
    let script = block(readme, "## A tour with curl")
        .replace("http://127.0.0.1:3000", &world.server.address)
        .replace("correct horse battery", "the password of ann")
        .replace("/tmp/accord-post", &kept.path().display().to_string());
    let run = move || {
        let shell = Command::new("bash").arg("-c").arg(script).stdin(Stdio::null()).output();
        shell.expect("bash is there, as the tour needs it; so is curl")
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let (told, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && complaints.is_empty(), "{complaints}\n{told}");
    let mut rest = &*told;
    for expected in [
        "HTTP/1.1 201 Created",
        "\"title\":\"From the tour\"",
        "\"items\":[{\"id\":1",
        "HTTP/1.1 200 OK",
        "\"rating\":5",
        "HTTP/1.1 412 Precondition Failed",
        "\"votes\":1",
        "\"pointer\":\"/colour\"",
    ] {
        let at = rest.find(expected).unwrap_or_else(|| panic!("`{expected}` is not told, or not in its turn:\n{told}"));
        rest = &rest[at..];
    }
}
