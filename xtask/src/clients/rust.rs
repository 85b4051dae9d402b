//! Rust: progenitor's own command, and cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde_json::Value;

use super::check::{self, Complaint};
use super::retries::{Replacement, Retries};
use super::{Language, Places, tools, view};
use crate::run;

pub const LANGUAGE: Language = Language {
    name: "rust",
    install,
    generator: view::Generator::Progenitor,
    generate,
    retries: RETRIES,
    compile,
    misspelt: "misspelt.rs",
    story,
};

/// Adds the number of retries to the client. progenitor's library can generate a client with data of ours, its command
/// cannot, and `Client::new` would have one more argument.
const RETRIES: Retries = Retries {
    file: "src/idempotent_posts.rs",
    template: "//! The paths of the POST operations that take an `Idempotency-Key`.\n\n\
               pub const IDEMPOTENT_POSTS: &[&str] = &{paths};\n",
    replacements: &[
        Replacement {
            file: "src/generated.rs",
            from: "    pub(crate) client: reqwest::Client,\n}",
            to: "    pub(crate) client: reqwest::Client,\n    pub(crate) retries: u32,\n}",
            times: 1,
        },
        Replacement {
            file: "src/generated.rs",
            from: "            client,\n        }",
            to: "            client,\n            retries: crate::retries::DEFAULT,\n        }",
            times: 1,
        },
    ],
};

/// The generator is as new as the library that its code calls, which the manifest pins.
fn generator(places: &Places) -> anyhow::Result<String> {
    let manifest = std::fs::read_to_string(places.ours.join("Cargo.toml"))?;
    let version = manifest.lines().find_map(|line| line.strip_prefix("progenitor-client = \"=")?.strip_suffix('"'));
    Ok(version.context("clients/rust/Cargo.toml pins no `progenitor-client = \"=…\"`")?.to_owned())
}

fn install(places: &Places) -> anyhow::Result<()> {
    let version = generator(places)?;
    let name = format!("cargo-progenitor {version}");
    tools::once(&places.tools, &name, &[&name], || {
        let mut command = run::cargo(["install", "--locked", "--debug", "--quiet", "--version", &version]);
        command.arg("--root").arg(&places.tools).arg("--target-dir").arg(target(places)).arg("cargo-progenitor");
        run::silently(&mut command).map(drop)
    })
}

/// One target folder for generator and client; the workspace's would be built again for other features.
fn target(places: &Places) -> PathBuf {
    places.tools.join("target")
}

fn generate(places: &Places, view: &Path, package: &Path) -> anyhow::Result<()> {
    let crate_of_its_own = view.with_file_name("progenitor");
    let mut command = Command::new(places.tools.join("bin/cargo-progenitor"));
    command.arg("progenitor").arg("--input").arg(view).arg("--output").arg(&crate_of_its_own);
    // builders: a parameter or a field that is added later breaks no caller
    command.args(["--interface", "builder", "--include-client", "false", "--name", "accord-client"]);
    command.args(["--version", &api_version(view)?]);
    let taken = run::silently(command.env_remove("RUST_BACKTRACE"));
    taken.context("progenitor does not take the document")?;
    std::fs::copy(crate_of_its_own.join("src/lib.rs"), package.join("src/generated.rs"))?;
    Ok(())
}

fn api_version(view: &Path) -> anyhow::Result<String> {
    let view: Value = serde_json::from_str(&std::fs::read_to_string(view)?)?;
    Ok(view["info"]["version"].as_str().unwrap_or_default().to_owned())
}

fn compile(places: &Places) -> anyhow::Result<Vec<Complaint>> {
    let mut command = run::cargo(["build", "--quiet", "--locked", "--keep-going", "--message-format", "json"]);
    // the story speaks plain http
    command.args(["--no-default-features", "--lib", "--example", "story", "--example", "misspelt"]);
    command.arg("--target-dir").arg(target(places)).current_dir(&places.package);
    check::complaints(&mut command, complaint)
}

/// A line of cargo's: a warning is as bad as an error.
fn complaint(line: &str) -> Option<Complaint> {
    let told: Value = serde_json::from_str(line).ok()?;
    let message = told.get("message").filter(|_| told["reason"] == "compiler-message")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let place = message["spans"].as_array()?.iter().find(|span| span["is_primary"] == true);
    // without a place: the linker's errors, and the sums at the end
    let sum = message["level"] != "error" || text(&message["message"]).starts_with("aborting due to ");
    if place.is_none() && sum {
        return None;
    }
    let place = place.unwrap_or(&Value::Null);
    Some(Complaint {
        file: text(&place["file_name"]),
        line: place["line_start"].as_u64().and_then(|line| usize::try_from(line).ok()).unwrap_or_default(),
        code: text(&message["code"]["code"]),
        message: text(&message["message"]),
    })
}

fn story(places: &Places) -> Command {
    Command::new(target(places).join("debug/examples/story"))
}
