//! Where this work and the main branch parted: the document and the promises there were.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::git::Git;
use crate::spec::{released, source};

/// Where this work and the main branch parted.
pub struct MergeBase {
    pub commit: String,
    pub branch: String,
    pub document: Value,
    /// The promises there were: file and text.
    promises: Vec<(String, String)>,
}

impl MergeBase {
    /// Promises that are no longer what they were.
    pub fn lost(&self, root: &Path) -> Vec<String> {
        let changed = |(file, text): &(String, String)| {
            let now = std::fs::read_to_string(root.join(file)).ok();
            let repair = format!("restore it: `git checkout {:.12} -- {file}`", self.commit);
            match now {
                Some(now) if now == *text => None,
                Some(_) => Some(format!("{file}: is not what it was in {:.12}; {repair}", self.commit)),
                None => Some(format!("{file}: is there in {:.12}, but not any more; {repair}", self.commit)),
            }
        };
        self.promises.iter().filter_map(changed).collect()
    }
}

/// The merge base of HEAD and a revision, or of HEAD and the main branch.
///
/// # Errors
/// There is none; the error says why.
pub fn find(root: &Path, base: Option<&str>) -> anyhow::Result<MergeBase> {
    let git = Git::open(root)?;
    let shallow =
        if git.is_shallow()? { "; the history is cut off: `git fetch --unshallow` brings the rest" } else { "" };
    let candidates = base.map_or(vec!["origin/main", "main"], |revision| vec![revision]);
    let known = candidates.iter().find(|name| git.commit(name).is_ok_and(|commit| commit.is_some()));
    let branch = *known.with_context(|| format!("there is no revision {}{shallow}", candidates.join(" and no ")))?;
    let commit = git.merge_base("HEAD", branch)?;
    let commit = commit.with_context(|| format!("HEAD and {branch} have no commit in common{shallow}"))?;
    let name = source::document_of(root);
    let text = git.file(&commit, &format!("./{name}"))?;
    let text = text.with_context(|| format!("{commit:.12} has no {name}"))?;
    let document = accord_openapi::parse(&text, &format!("{name} of {commit:.12}"))?;
    let mut promises = vec![];
    for name in git.files(&commit, released::FOLDER)?.iter().filter(|name| name.ends_with(".yaml")) {
        let file = format!("{}/{name}", released::FOLDER);
        promises.extend(git.file(&commit, &format!("./{file}"))?.map(|text| (file, text)));
    }
    Ok(MergeBase { commit, branch: branch.to_owned(), document, promises })
}
