//! Starting other programs: where the repository is, what they print, how they end.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// The top of the repository. Cargo names it at run time: the compiled-in path is that of the checkout which
/// built the binary, and two checkouts may share a target directory.
pub fn root() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&xtask).parent().expect("xtask lies in the repository").to_path_buf()
}

/// A cargo command in the repository; the same cargo that runs this task.
pub fn cargo(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    // what cargo tells this task about itself: build scripts that watch these variables (ring's does) would build
    // again, and everything above them
    let ours =
        |name: &str| ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(ours) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs to the end, everything it prints passed on.
pub fn passing_on(command: &mut Command) -> anyhow::Result<()> {
    let name = shown(command);
    let status = command.status().with_context(|| format!("cannot start `{name}`"))?;
    if !status.success() {
        bail!("`{name}` failed ({status})");
    }
    Ok(())
}

/// What a program left behind.
pub struct Ended {
    pub success: bool,
    pub stdout: String,
}

/// Runs to the end and keeps stdout; stderr (progress) is passed on.
pub fn keeping_stdout(command: &mut Command) -> anyhow::Result<Ended> {
    let name = shown(command);
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = started.with_context(|| format!("cannot start `{name}`"))?;
    let mut stdout = String::new();
    let mut reader = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let mut line = vec![];
    while reader.read_until(b'\n', &mut line)? > 0 {
        stdout.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(Ended { success: child.wait()?.success(), stdout })
}

/// Runs to the end in silence; the error carries what it printed.
pub fn silently(command: &mut Command) -> anyhow::Result<String> {
    let name = shown(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{name}`"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{name}` failed ({}):\n{}{}", output.status, stdout, stderr.trim_end());
    }
    Ok(stdout)
}

/// The file a name stands for, by PATH.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Sixteen random bytes in hex, for names and passwords that live as long as the task.
pub fn random_hex() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    words.join(" ")
}
