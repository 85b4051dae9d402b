//! Entity tags (RFC 9110 section 8.8.3): `"<version>-<hash>"`.
//!
//! The hash is of the representation, so the tag is strong: any difference in the answer is another tag.
//! The version counts the changes that writes can lose. A write compares only the version, inside its
//! statement: a counter that changed in between changes the representation, but nothing that a write overwrites.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::db::signals::Refused;
use crate::error::{Code, Error};

/// The tag of a representation.
pub fn etag(version: i64, representation: &impl Serialize) -> String {
    let json = serde_json::to_vec(representation).expect("a representation is plain data");
    let hash = Sha256::digest(&json);
    format!(
        "\"{version}-{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}\"",
        hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]
    )
}

/// What `If-Match` allows to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`: whatever is there.
    Any,
    /// One of these versions; none when the header has no tag of ours.
    Versions(Vec<i64>),
}

impl IfMatch {
    /// Reads the header. Weak and foreign tags match nothing (strong comparison, RFC 9110 section 13.1.1).
    ///
    /// # Errors
    /// 428 when it is missing.
    pub fn required(header: Option<&str>) -> Result<Self, Error> {
        let Some(header) = header else {
            return Err(Error::new(
                Code::PRECONDITION_REQUIRED,
                "Send If-Match with the ETag that you read, so that no change is lost.",
            ));
        };
        if header.trim() == "*" {
            return Ok(Self::Any);
        }
        let version = |tag: &str| {
            let (version, hash) = tag.trim().strip_prefix('"')?.strip_suffix('"')?.split_once('-')?;
            let ours = hash.len() == 16 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            // one number, one spelling
            version.parse().ok().filter(|number: &i64| ours && number.to_string() == version)
        };
        Ok(Self::Versions(header.split(',').filter_map(version).collect()))
    }

    /// Whether this version may be changed.
    ///
    /// # Errors
    /// 412 when it may not.
    pub fn allows(&self, version: i64) -> Result<(), Error> {
        match self {
            Self::Versions(versions) if !versions.contains(&version) => Err(changed()),
            _ => Ok(()),
        }
    }
}

/// The resource is not in the version that the caller has read.
fn changed() -> Error {
    Refused::Stale.into()
}

/// Whether `If-None-Match` names the present tag, so that 304 is the answer (weak comparison).
pub fn is_current(if_none_match: Option<&str>, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let same = |candidate: &str| opaque(candidate) == opaque(tag);
    if_none_match.is_some_and(|header| header.trim() == "*" || header.split(',').any(same))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_version_and_representation() {
        let tag = etag(3, &"a");
        assert_ne!(tag, etag(3, &"b"));
        assert_eq!(IfMatch::required(Some(&tag)).expect("given"), IfMatch::Versions(vec![3]));
        assert!(is_current(Some(&format!("\"x\", W/{tag}")), &tag));
        assert!(!is_current(Some("\"x\""), &tag));
        assert!(!is_current(None, &tag));
    }

    #[test]
    fn weak_foreign_and_stale_tags_change_nothing() {
        let tag = etag(3, &"a");
        for header in [
            format!("W/{tag}"),
            "\"3\"".into(),
            "3-0123456789abcdef".into(),
            etag(3, &"a").replace("3-", "03-"),
            "".into(),
            etag(2, &"a"),
        ] {
            let if_match = IfMatch::required(Some(&header)).expect("given");
            assert_eq!(if_match.allows(3).expect_err(&header).code, Code::PRECONDITION_FAILED);
        }
        assert!(IfMatch::required(Some("*")).expect("given").allows(3).is_ok());
        assert!(IfMatch::required(Some(&format!("\"x\", {tag}"))).expect("given").allows(3).is_ok());
        assert_eq!(IfMatch::required(None).expect_err("missing").code, Code::PRECONDITION_REQUIRED);
    }
}
