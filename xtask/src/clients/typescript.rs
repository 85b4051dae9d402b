//! TypeScript: openapi-typescript for the types, openapi-fetch for the calls, tsc, and node.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::check::{self, Complaint};
use super::retries::Retries;
use super::{Language, Places, tools, view};
use crate::run;

pub const LANGUAGE: Language = Language {
    name: "typescript",
    install,
    generator: view::Generator::OpenapiTypescript,
    generate,
    retries: RETRIES,
    compile,
    misspelt: "misspelt.ts",
    story,
};

/// `createClient` is ours and hands the retries to openapi-fetch.
const RETRIES: Retries = Retries {
    file: "src/idempotent-posts.ts",
    template: "/** The paths of the POST operations that take an `Idempotency-Key`. */\n\
               export const idempotentPosts: readonly string[] = {paths};\n",
    replacements: &[],
};

fn install(places: &Places) -> anyhow::Result<()> {
    let (node, npm) = (tools::NODE.find()?, tools::NPM.find()?);
    let read = |name: &str| std::fs::read_to_string(places.ours.join(name));
    let (manifest, lock) = (read("package.json")?, read("package-lock.json")?);
    tools::once(&places.tools, "what package-lock.json pins", &[&manifest, &lock, &node.version], || {
        std::fs::write(places.tools.join("package.json"), &manifest)?;
        std::fs::write(places.tools.join("package-lock.json"), &lock)?;
        let mut command = npm.command();
        command.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&places.tools);
        run::silently(&mut command).map(drop)
    })
}

/// A command of an installed package.
fn bin(places: &Places, name: &str) -> Command {
    Command::new(places.tools.join("node_modules/.bin").join(name))
}

fn generate(places: &Places, view: &Path, package: &Path) -> anyhow::Result<()> {
    let mut command = bin(places, "openapi-typescript");
    // `Problem` beside `components["schemas"]["Problem"]`; what has a default need not be sent
    command.args(["--root-types", "--root-types-no-schema-prefix", "--default-non-nullable=false"]);
    command.arg(view).arg("--output").arg(package.join("src/schema.ts"));
    run::silently(&mut command).context("openapi-typescript does not take the document")?;
    Ok(())
}

fn compile(places: &Places) -> anyhow::Result<Vec<Complaint>> {
    let modules = places.package.join("node_modules");
    if !modules.exists() {
        std::os::unix::fs::symlink(places.tools.join("node_modules"), &modules)?;
    }
    let mut command = bin(places, "tsc");
    command.args(["--pretty", "false"]).current_dir(&places.package);
    check::complaints(&mut command, complaint)
}

/// `examples/story.ts(4,60): error TS2367: This comparison …`
fn complaint(line: &str) -> Option<Complaint> {
    let (place, rest) = line.split_once("): error ")?;
    let (file, position) = place.rsplit_once('(')?;
    let (code, message) = rest.split_once(": ")?;
    let line = position.split(',').next()?.parse().ok()?;
    Some(Complaint { file: file.into(), line, code: code.into(), message: message.into() })
}

fn story(_: &Places) -> Command {
    let mut command = Command::new("node");
    command.arg("dist/examples/story.js");
    command
}
