//! What git knows about the repository: revisions, and files as they were.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, bail};

/// A working tree under git.
pub struct Git {
    root: PathBuf,
}

impl Git {
    /// The repository that `root` lies in.
    ///
    /// # Errors
    /// There is no git, or `root` lies in no repository.
    pub fn open(root: &Path) -> anyhow::Result<Self> {
        let git = Self { root: root.to_path_buf() };
        let inside = git.run(&["rev-parse", "--git-dir"])?;
        if !inside.status.success() {
            bail!("{} is not under git", root.display());
        }
        Ok(git)
    }

    /// The commit a revision names; none if there is no such revision.
    pub fn commit(&self, revision: &str) -> anyhow::Result<Option<String>> {
        let name = format!("{revision}^{{commit}}");
        let output = self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &name])?;
        Ok(output.status.success().then(|| line(&output)))
    }

    /// The newest commit that both revisions come from; none if their histories do not meet, as far as they are here.
    pub fn merge_base(&self, one: &str, other: &str) -> anyhow::Result<Option<String>> {
        let output = self.run(&["merge-base", one, other])?;
        Ok(output.status.success().then(|| line(&output)))
    }

    /// Is the history cut off?
    pub fn is_shallow(&self) -> anyhow::Result<bool> {
        Ok(line(&self.run(&["rev-parse", "--is-shallow-repository"])?) == "true")
    }

    /// A file as a commit has it; none if the commit has no such file. `./path` starts at the root that was opened,
    /// `path` at the top of the repository.
    pub fn file(&self, commit: &str, path: &str) -> anyhow::Result<Option<String>> {
        let output = self.run(&["cat-file", "blob", &format!("{commit}:{path}")])?;
        if !output.status.success() {
            return Ok(None);
        }
        let text = String::from_utf8(output.stdout).with_context(|| format!("{path} in {commit} is no text"))?;
        Ok(Some(text))
    }

    /// The names in a folder below the root that was opened, as a commit has it.
    pub fn files(&self, commit: &str, folder: &str) -> anyhow::Result<Vec<String>> {
        let output = self.run(&["ls-tree", "--name-only", "-z", &format!("{commit}:./{folder}")])?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// The files below the root that are tracked, or would be if they were added.
    pub fn worktree(&self) -> anyhow::Result<Vec<String>> {
        let output = self.run(&["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
        if !output.status.success() {
            bail!("`git ls-files` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    fn run(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = Command::new("git");
        // a hook of another repository may have set them
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
            command.env_remove(name);
        }
        let command = command.arg("-C").arg(&self.root).args(arguments).stdin(Stdio::null());
        command.output().context("cannot start `git`: install it, or name files instead of revisions")
    }
}

fn line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A repository for a test: files, commits, branches.
#[cfg(test)]
pub mod sample {
    use super::*;

    pub struct Repository {
        pub folder: tempfile::TempDir,
    }

    impl Repository {
        pub fn new() -> Self {
            let repository = Self { folder: tempfile::tempdir().expect("a folder for the test") };
            repository.git(&["init", "--quiet", "--initial-branch", "main"]);
            repository
        }

        pub fn root(&self) -> &Path {
            self.folder.path()
        }

        pub fn write(&self, name: &str, text: &str) {
            let path = self.root().join(name);
            std::fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }

        pub fn commit(&self, message: &str) {
            self.git(&["add", "--all"]);
            self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        }

        pub fn git(&self, arguments: &[&str]) {
            let settings = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false"];
            let all: Vec<&str> = settings.iter().chain(arguments).copied().collect();
            let git = Git { root: self.root().to_path_buf() };
            let output = git.run(&all).expect("git starts");
            assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
