//! Python: openapi-python-client, mypy, and an environment of their own.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use serde_json::Value;

use super::check::{self, Complaint};
use super::retries::{Replacement, Retries};
use super::{Language, Places, tools, view};
use crate::run;

pub const LANGUAGE: Language = Language {
    name: "python",
    install,
    generator: view::Generator::OpenapiPythonClient,
    generate,
    retries: RETRIES,
    compile,
    misspelt: "misspelt.py",
    story,
};

/// Makes both generated clients construct the HTTP clients of `retries.py`; `httpx_args` are their arguments.
const RETRIES: Retries = Retries {
    file: "accord_client/idempotent_posts.py",
    template: "\"\"\"The paths of the POST operations that take an `Idempotency-Key`.\"\"\"\n\n\
               IDEMPOTENT_POSTS: tuple[str, ...] = tuple({paths})\n",
    replacements: &[
        Replacement {
            file: CLIENT,
            from: "import httpx\n",
            to: "import httpx\n\nfrom .retries import AsyncRetryClient, RetryClient\n",
            times: 1,
        },
        Replacement { file: CLIENT, from: "= httpx.Client(", to: "= RetryClient(", times: 2 },
        Replacement { file: CLIENT, from: "= httpx.AsyncClient(", to: "= AsyncRetryClient(", times: 2 },
    ],
};

const CLIENT: &str = "accord_client/client.py";

fn install(places: &Places) -> anyhow::Result<()> {
    let python = tools::PYTHON.find()?;
    let requirements = std::fs::read_to_string(places.ours.join("requirements.txt"))?;
    tools::once(&places.tools, "what requirements.txt pins", &[&requirements, &python.version], || {
        let made = run::silently(python.command().args(["-m", "venv"]).arg(&places.tools));
        made.context("`python3 -m venv` fails; on Debian it needs `apt-get install python3-venv`")?;
        let pip = |arguments: &[&str]| {
            let mut command = bin(places, "python");
            command.args(["-m", "pip", "--disable-pip-version-check"]).args(arguments).current_dir(&places.ours);
            run::silently(&mut command)
        };
        // the list is whole: what it does not name is not installed, and `check` says so
        pip(&["install", "--quiet", "--no-deps", "--requirement", "requirements.txt"])?;
        pip(&["check"]).map(drop)
    })
}

/// A program of the environment, which finds its other programs in PATH.
fn bin(places: &Places, name: &str) -> Command {
    let bin = places.tools.join("bin");
    let mut command = Command::new(bin.join(name));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(bin).chain(std::env::split_paths(&path));
    if let Ok(path) = std::env::join_paths(paths) {
        command.env("PATH", path);
    }
    command
}

fn generate(places: &Places, view: &Path, package: &Path) -> anyhow::Result<()> {
    let config = view.with_file_name("config.json");
    std::fs::write(&config, r#"{ "package_name_override": "accord_client" }"#)?;
    let mut command = bin(places, "openapi-python-client");
    command.args(["generate", "--fail-on-warning", "--overwrite", "--meta", "none"]).arg("--path").arg(view);
    command.arg("--config").arg(config).arg("--output-path").arg(package.join("accord_client"));
    run::silently(&mut command).context("openapi-python-client does not take the document")?;
    Ok(())
}

fn compile(places: &Places) -> anyhow::Result<Vec<Complaint>> {
    let mut command = bin(places, "mypy");
    command.args(["--output", "json"]).current_dir(&places.package);
    check::complaints(&mut command, complaint)
}

fn complaint(line: &str) -> Option<Complaint> {
    let told: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    let line = told["line"].as_u64().and_then(|line| usize::try_from(line).ok())?;
    let error = told["severity"] == "error";
    error.then(|| Complaint { file: text("file"), line, code: text("code"), message: text("message") })
}

fn story(places: &Places) -> Command {
    let mut command = bin(places, "python");
    // the package is not installed, but lies where the story is started
    command.env("PYTHONPATH", &places.package).arg("examples/story.py");
    command
}
