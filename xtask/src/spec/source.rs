//! What names a document: the code's own, the committed one, a file, a URL, a release, a revision in git.

use std::path::Path;
use std::time::Duration;

use crate::application::Application;
use accord_openapi::{Named, parse};
use anyhow::{Context, bail};
use semver::Version;
use serde_json::Value;

use super::released;
use crate::git::Git;
use crate::run;

/// Every way to name a document, for messages.
pub const NAMES: &str = "  served        what the code serves
  committed     openapi/accord.yaml
  released      the newest of openapi/released
  v1.2.3        that release
  FILE          a file, YAML or JSON
  http://…      a document that a server serves, e.g. http://127.0.0.1:3000/openapi.json
  REV           openapi/accord.yaml of that revision: a branch, tag or commit
  REV:PATH      that file of that revision";

/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of a document at most.
const LARGEST: usize = 16 * 1024 * 1024;

/// The document that a name stands for.
///
/// # Errors
/// Nothing has this name, or what has it is no OpenAPI document.
pub fn document(name: &str) -> anyhow::Result<Named> {
    document_in(&run::root(), name)
}

/// The name of the document of the application in this folder.
pub fn document_of(root: &Path) -> String {
    Application::of(root).document()
}

/// Reads a document by its name, for the application in the folder `root`.
pub fn document_in(root: &Path, name: &str) -> anyhow::Result<Named> {
    let named = |name: String, value| Ok(Named { name, value });
    match name {
        "served" => {
            let application = Application::of(root);
            return named("what the code serves".into(), application.declared()?.document.clone());
        }
        "committed" => {
            let (application, document) = (Application::of(root), document_of(root));
            return named(application.file(&document), from_file(&root.join(&document), &document)?);
        }
        "released" => {
            let newest = released::newest(root)?;
            let newest = newest.context("nothing is released yet: `cargo xtask spec release X.Y.Z` does it")?;
            return release(root, &newest);
        }
        _ => {}
    }
    if name.starts_with("http://") || name.starts_with("https://") {
        return named(name.into(), parse(&fetch(name)?, name)?);
    }
    let version = Version::parse(name.strip_prefix('v').unwrap_or(name)).ok();
    if let Some(version) = version.filter(|version| root.join(released::name(version)).is_file()) {
        return release(root, &version);
    }
    if Path::new(name).is_file() {
        return named(name.into(), from_file(Path::new(name), name)?);
    }
    of_revision(root, name)
}

fn release(root: &Path, version: &Version) -> anyhow::Result<Named> {
    let file = released::name(version);
    Ok(Named { name: format!("v{version}"), value: from_file(&root.join(&file), &file)? })
}

fn from_file(path: &Path, name: &str) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    parse(&text, name)
}

fn fetch(url: &str) -> anyhow::Result<String> {
    if url.starts_with("https://") {
        bail!("this build speaks no TLS: `curl --output document.yaml {url}`, and name that file");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let answer = client.get(url).send().await.with_context(|| format!("{url} does not answer: is it served?"))?;
        let mut answer = answer.error_for_status().context("the server has no document there")?;
        let mut bytes = vec![];
        while let Some(part) = answer.chunk().await.with_context(|| format!("{url} broke off"))? {
            bytes.extend_from_slice(&part);
            if bytes.len() > LARGEST {
                bail!("{url} sends more than {} MiB: that is no document", LARGEST / 1024 / 1024);
            }
        }
        String::from_utf8(bytes).with_context(|| format!("{url} sends no UTF-8"))
    })
}

/// `REV` or `REV:PATH`.
fn of_revision(root: &Path, name: &str) -> anyhow::Result<Named> {
    let (revision, path) = match name.split_once(':') {
        Some((revision, path)) => (revision, path.to_owned()),
        None => (name, format!("./{}", document_of(root))),
    };
    let nothing = |why: &str| anyhow::anyhow!("`{name}` names no document: {why}\na document is named by\n{NAMES}");
    let git = Git::open(root).map_err(|error| nothing(&format!("there is no such file, and {error:#}")))?;
    let Some(commit) = git.commit(revision)? else {
        let shallow = if git.is_shallow()? { " (the history here is cut off: `git fetch --unshallow`)" } else { "" };
        let of = if name == revision { String::new() } else { format!(" `{revision}`") };
        return Err(nothing(&format!("there is no such file, release or revision{of}{shallow}")));
    };
    let shown = path.trim_start_matches("./");
    let text = git.file(&commit, &path)?;
    let text = text.with_context(|| format!("the revision `{revision}` ({commit:.12}) has no file {shown}"))?;
    let name = format!("{shown} of {revision}");
    Ok(Named { value: parse(&text, &name)?, name })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::git::sample::Repository;
    use crate::spec::DOCUMENT;

    fn text(title: &str) -> String {
        format!("openapi: 3.0.3\ninfo: {{title: {title}, version: 1.0.0}}\npaths: {{}}\n")
    }

    fn title(root: &Path, name: &str) -> String {
        let named = document_in(root, name).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        named.value["info"]["title"].as_str().expect("a title").to_owned()
    }

    fn failure(root: &Path, name: &str) -> String {
        format!("{:#}", document_in(root, name).expect_err(name))
    }

    #[test]
    fn each_way_of_naming_a_document_finds_it() {
        let repository = Repository::new();
        let root = repository.root();
        repository.write(DOCUMENT, &text("first"));
        repository.write("other.yaml", &text("other"));
        repository.commit("first");
        repository.git(&["tag", "v9.0.0"]);
        repository.write(DOCUMENT, &text("second"));
        for version in ["1.9.0", "1.10.0"] {
            let version: Version = version.parse().expect("a version");
            repository.write(&released::name(&version), &text(&format!("v{version}")));
        }
        assert_eq!(title(root, "committed"), "second");
        assert_eq!(title(root, "HEAD"), "first");
        assert_eq!(title(root, "main:other.yaml"), "other");
        assert_eq!(title(root, "v9.0.0"), "first"); // a tag, for there is no such release
        assert_eq!(title(root, "released"), "v1.10.0");
        assert_eq!(title(root, "1.9.0"), "v1.9.0");
        let json = root.join("document.json");
        std::fs::write(&json, r#"{"openapi": "3.0.3", "info": {"title": "json"}, "paths": {}}"#).expect("a file");
        assert_eq!(title(root, json.to_str().expect("a plain name")), "json");
    }

    #[test]
    fn what_is_not_there_is_told_with_what_could_have_been() {
        let repository = Repository::new();
        repository.commit("nothing yet");
        let root = repository.root();
        let unknown = failure(root, "nowhere");
        assert!(unknown.contains("no such file, release or revision") && unknown.contains(NAMES), "{unknown}");
        assert!(failure(root, "HEAD").contains("has no file openapi/accord.yaml"));
        assert!(failure(root, "gone:x.yaml").contains("revision `gone`"));
        assert!(failure(root, "--help").contains("no such file, release or revision"));
        assert!(failure(root, "released").contains("nothing is released yet"));
        assert!(failure(root, "committed").contains("cannot read openapi/accord.yaml"));
        assert!(failure(root, "https://example.com/x").contains("no TLS"));
        let plain = tempfile::tempdir().expect("a folder");
        assert!(failure(plain.path(), "main").contains("is not under git"));
    }

    #[test]
    fn what_is_no_document_is_told_as_what_it_is() {
        let told = |text: &str| format!("{:#}", parse(text, "x").expect_err(text));
        assert!(told("a: [").contains("x is neither YAML nor JSON"));
        assert!(told("just words").contains("no OpenAPI document"));
        assert!(told("swagger: '2.0'").contains("Swagger 2"));
        assert!(told("openapi: 4.0.0\npaths: {}").contains("OpenAPI 4.0.0"));
        assert!(told("openapi: 3.0.3").contains("no `paths`"));
    }

    #[test]
    fn a_served_document_is_fetched_and_a_refusal_told() {
        let serve = |status: &'static str, body: String| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = listener.local_addr().expect("an address");
            std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().expect("a caller");
                let _ = stream.read(&mut [0; 4096]).expect("a request");
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                stream.write_all((head + &body).as_bytes()).expect("an answer");
            });
            format!("http://{address}/openapi.yaml")
        };
        let root = Path::new("/");
        assert_eq!(title(root, &serve("200 OK", text("live"))), "live");
        assert!(failure(root, &serve("404 Not Found", text("live"))).contains("no document there"));
        assert!(failure(root, "http://127.0.0.1:1/").contains("does not answer"));
    }
}
