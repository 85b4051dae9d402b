//! Runs the commands of "Add a resource" in DEVELOPING.md, in a copy of the sources: a guide that nobody runs goes stale.

use std::process::Command;

use anyhow::Context;

use crate::mutants::Workshop;
use crate::report::{Outcome, Report};
use crate::run;

/// The guide, and the heading of the section.
const GUIDE: &str = "DEVELOPING.md";
const SECTION: &str = "## Add a resource";

/// Checks of the application with the new resource, beside those that the guide names.
const CHECKS: &[&str] =
    &["spec check", "spec lint", "postman check", "migrate check", "contract sqlite --leg acceptances"];

/// `cargo xtask guide`
pub fn run() -> Outcome {
    let text = std::fs::read_to_string(run::root().join(GUIDE))?;
    let commands = commands(&text).with_context(|| format!("{GUIDE} has no block of `sh` below `{SECTION}`"))?;
    let checks =
        CHECKS.iter().map(|check| format!("cargo xtask {check} --application bookshelf\n")).collect::<String>();
    let sources = Workshop::open()?;
    let tools = tempfile::tempdir()?;
    write_cargo(&tools.path().join("cargo"))?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(tools.path().to_path_buf()).chain(std::env::split_paths(&path));
    let mut shell = Command::new("sh");
    shell
        .args(["-e", "-x", "-c", &format!("{commands}\n{checks}")])
        .current_dir(sources.tree())
        .env("PATH", std::env::join_paths(folders)?)
        .env("GUIDE_TREE", sources.tree())
        .env("GUIDE_TASKS", std::env::current_exe()?)
        .env("GUIDE_CARGO", std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .env("CARGO_TARGET_DIR", run::root().join("target"));
    run::silently(&mut shell).with_context(|| format!("the commands of `{SECTION}` in {GUIDE}"))?;
    let count = commands.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).count();
    Ok(Report::passed(count + CHECKS.len(), format!("{count} commands of the guide, and {} checks", CHECKS.len())))
}

/// The first block of commands in the section.
fn commands(guide: &str) -> Option<&str> {
    let section = guide.split_once(SECTION)?.1;
    let section = section.split("\n## ").next()?;
    let block = section.split_once("```sh\n")?.1;
    block.split_once("```").map(|(commands, _)| commands)
}

/// A `cargo` whose `cargo xtask` is this program on the copy. It would take minutes to build it there.
fn write_cargo(file: &std::path::Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let script = "#!/bin/sh\n\
        if [ \"$1\" = xtask ]; then shift; CARGO_MANIFEST_DIR=\"$GUIDE_TREE/xtask\" exec \"$GUIDE_TASKS\" \"$@\"; fi\n\
        exec \"$GUIDE_CARGO\" \"$@\"\n";
    std::fs::write(file, script)?;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_block_of_the_section_is_run() {
        let guide =
            "## Other\n```sh\nno\n```\n## Add a resource\ntext\n\n```sh\ncp a b\n```\n## More\n```sh\nno\n```\n";
        assert_eq!(commands(guide), Some("cp a b\n"));
        assert_eq!(commands("## Add a resource\n\n## More\n```sh\nno\n```\n"), None);
    }
}
