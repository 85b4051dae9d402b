//! What the clients need of the machine, named when it is missing, and what is installed below `target/clients/.tools`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use crate::run;

/// A program that the machine must have.
pub struct Tool {
    program: &'static str,
    /// What it is, for a person, and the oldest version that will do.
    wanted: &'static str,
    oldest: (u32, u32),
    install: &'static str,
}

pub const NODE: Tool = Tool {
    program: "node",
    wanted: "Node.js 20 or newer",
    oldest: (20, 0),
    install: "from https://nodejs.org, or Debian: `apt-get install nodejs npm`",
};

pub const NPM: Tool = Tool {
    program: "npm",
    wanted: "npm 9 or newer, which comes with Node.js",
    oldest: (9, 0),
    install: "from https://nodejs.org, or Debian: `apt-get install npm`",
};

pub const PYTHON: Tool = Tool {
    program: "python3",
    wanted: "Python 3.11 or newer",
    oldest: (3, 11),
    install: "from https://www.python.org, or Debian: `apt-get install python3 python3-venv`",
};

impl Tool {
    /// Its file and version, or what to install.
    pub fn find(&self) -> anyhow::Result<Found> {
        self.found(run::in_path(self.program), |file| run::silently(Command::new(file).arg("--version")))
    }

    fn found(&self, file: Option<PathBuf>, version: impl Fn(&Path) -> anyhow::Result<String>) -> anyhow::Result<Found> {
        let Tool { program, wanted, install, .. } = self;
        let Some(file) = file else { bail!("`{program}` is missing: install {wanted} {install}") };
        let version = version(&file)?.trim().to_owned();
        let new_enough = numbers(&version).is_some_and(|numbers| numbers >= self.oldest);
        if !new_enough {
            bail!("`{program}` is version {version}: install {wanted} {install}");
        }
        Ok(Found { file, version })
    }
}

/// A tool of the machine.
pub struct Found {
    pub file: PathBuf,
    pub version: String,
}

impl Found {
    pub fn command(&self) -> Command {
        Command::new(&self.file)
    }
}

/// The first two numbers of `v20.20.2`, `11.19.1`, `Python 3.11.7`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let start = version.find(|letter: char| letter.is_ascii_digit())?;
    let mut numbers = version[start..].split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// Installs into a folder unless it holds just this already. What half an installation left is thrown away.
pub fn once(
    folder: &Path,
    what: &str,
    pinned: &[&str],
    install: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let wanted: String = Sha256::digest(pinned.join("\n")).iter().map(|byte| format!("{byte:02x}")).collect();
    let stamp = folder.join("installed");
    if std::fs::read_to_string(&stamp).ok().as_deref() == Some(&wanted) {
        return Ok(());
    }
    eprintln!("clients: {what} is installed …");
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder)?;
    install()?;
    std::fs::write(&stamp, wanted)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_version(tool: &Tool, version: &str) -> anyhow::Result<Found> {
        tool.found(Some("/bin/tool".into()), |_| Ok(version.to_owned()))
    }

    #[test]
    fn a_missing_tool_is_named_with_what_to_install() {
        for (tool, named) in [
            (NODE, "`node` is missing: install Node.js 20 or newer from https://nodejs.org"),
            (NPM, "`npm` is missing: install npm 9 or newer, which comes with Node.js"),
            (PYTHON, "`python3` is missing: install Python 3.11 or newer from https://www.python.org"),
        ] {
            let error = tool.found(None, |_| Ok(String::new())).err().expect("it is missing").to_string();
            assert!(error.starts_with(named), "{error}");
            assert!(error.contains("`apt-get install "), "{error}");
        }
    }

    #[test]
    fn an_old_tool_is_told_with_its_version() {
        let error = with_version(&PYTHON, "Python 3.9.2\n").err().expect("too old").to_string();
        assert!(error.starts_with("`python3` is version Python 3.9.2: install Python 3.11 or newer"), "{error}");
        for (tool, version) in
            [(PYTHON, "Python 3.11.7\n"), (NODE, "v20.0.0\n"), (NPM, "11.19.1\n"), (NODE, "v100.1.0")]
        {
            assert!(with_version(&tool, version).is_ok(), "{version}");
        }
    }

    #[test]
    fn an_installation_is_made_again_when_what_is_pinned_changes() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let folder = parent.path().join("tools");
        let times = std::cell::Cell::new(0);
        let install = || {
            times.set(times.get() + 1);
            assert!(!folder.join("of-before").exists());
            Ok(std::fs::write(folder.join("of-before"), "")?)
        };
        for (pinned, installed) in [("one", 1), ("one", 1), ("two", 2)] {
            once(&folder, "a tool", &[pinned], install).expect("an installation");
            assert_eq!(times.get(), installed, "{pinned}");
        }
        assert!(once(&folder, "a tool", &["three"], || bail!("no network")).is_err());
        once(&folder, "a tool", &["three"], install).expect("the next try installs");
        assert_eq!(times.get(), 3);
    }
}
