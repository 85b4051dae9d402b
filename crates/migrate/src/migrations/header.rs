//! The header of a migration: `-- key: value` lines at the top of its files.

use std::fmt;

/// The parent of the first migration: the empty database.
pub const BASE: &str = "base";

/// The header of one file. The checksum does not cover the header: a message may be corrected, or a key added, later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The parents: one migration, several for a merge, none for the first migration.
    pub parents: Vec<String>,
    /// The purpose, in one line.
    pub message: String,
    /// The day on which the migration was written, as `2026-11-21`.
    pub created: String,
    /// The reason why the migration may drop or rename something that servers still use.
    pub destructive: Option<String>,
    /// A migration whose servers no longer use what this one drops. Servers that know it are compatible.
    pub safe_since: Option<String>,
    /// The reason why the migration may lock or rewrite a table that is in use.
    pub locks: Option<String>,
    /// The reason why the migration cannot be undone; in a down file without statements.
    pub irreversible: Option<String>,
    /// The reason why a down file without statements undoes the migration nevertheless.
    pub nothing_to_undo: Option<String>,
    /// Unknown header lines, kept for forward compatibility.
    pub unknown: Vec<String>,
}

impl Header {
    /// Parses the header at the top of a file, which ends with an empty line. Returns the header and the rest. A file
    /// that does not begin with its parent has no header.
    ///
    /// # Errors
    /// A key appears twice or without a value; or the header contains SQL, which would never be run.
    pub fn split(text: &str) -> Result<(Self, &str), String> {
        let mut header = Self::default();
        if !text.starts_with("-- parent") {
            return Ok((header, text));
        }
        let (top, rest) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut seen = vec![];
        for line in top.lines() {
            if !line.starts_with("--") {
                return Err(format!("an empty line ends the header, and must stand before `{}`", line.trim()));
            }
            let Some((key, value)) = line.strip_prefix("-- ").and_then(|line| line.split_once(':')) else {
                header.unknown.push(line.to_owned());
                continue;
            };
            let value = value.trim();
            if value.is_empty() {
                return Err(format!("`-- {key}:` says nothing"));
            }
            if seen.contains(&key) {
                return Err(format!("`-- {key}:` stands twice"));
            }
            seen.push(key);
            let text = Some(value.to_owned());
            match key {
                "parent" | "parents" => {
                    let parents = value.split(',').map(str::trim).filter(|parent| *parent != BASE);
                    header.parents = parents.map(str::to_owned).collect();
                }
                "message" => header.message = value.to_owned(),
                "created" => header.created = value.to_owned(),
                "destructive" => header.destructive = text,
                "safe since" => header.safe_since = text,
                "locks" => header.locks = text,
                "irreversible" => header.irreversible = text,
                "nothing to undo" => header.nothing_to_undo = text,
                _ => header.unknown.push(line.to_owned()),
            }
        }
        Ok((header, rest))
    }
}

/// Formats the header as the top of a file, with the empty line that ends it.
impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.parents[..] {
            [] => writeln!(f, "-- parent: {BASE}")?,
            [parent] => writeln!(f, "-- parent: {parent}")?,
            parents => writeln!(f, "-- parents: {}", parents.join(", "))?,
        }
        writeln!(f, "-- message: {}", self.message)?;
        writeln!(f, "-- created: {}", self.created)?;
        let marks = [
            ("destructive", &self.destructive),
            ("safe since", &self.safe_since),
            ("locks", &self.locks),
            ("irreversible", &self.irreversible),
            ("nothing to undo", &self.nothing_to_undo),
        ];
        for (key, value) in marks {
            if let Some(value) = value {
                writeln!(f, "-- {key}: {value}")?;
            }
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_leaves_the_rest_alone() {
        let header = Header {
            parents: vec!["0008_a".into(), "0008_b".into()],
            message: "Join: a and b".into(),
            created: "2026-11-21".into(),
            locks: Some("the table is small".into()),
            ..Header::default()
        };
        let rest = "-- A comment: of the first statement.\nSELECT 1;\n";
        let text = format!("{header}{rest}");
        assert!(text.starts_with("-- parents: 0008_a, 0008_b\n-- message: Join: a and b\n"), "{text}");
        assert_eq!(Header::split(&text).expect("reads"), (header, rest));
        assert_eq!(Header::split(rest).expect("no header"), (Header::default(), rest));
    }

    #[test]
    fn the_first_has_no_parent_and_nonsense_is_refused() {
        let (header, rest) = Header::split("-- parent: base\n-- message: m\n-- created: d\n\nX").expect("reads");
        assert!(header.parents.is_empty() && rest == "X");
        assert!(Header::split("-- parent: a\n-- parent: b\n").expect_err("twice").contains("twice"));
        assert!(Header::split("-- parent:\n").expect_err("empty").contains("says nothing"));
        for text in ["-- parent: a\nDROP TABLE b;\n\nX", "-- parent: a\n \nX"] {
            assert!(Header::split(text).expect_err("SQL").contains("an empty line ends the header"), "{text}");
        }
    }

    #[test]
    fn what_a_newer_release_says_beside_is_passed_over() {
        let text = "-- parent: a\n-- colour: red\n-- and more\n-- destructive: gone\n\n-- parent: of nothing\nX";
        let (header, rest) = Header::split(text).expect("reads");
        assert_eq!((header.destructive.as_deref(), rest), (Some("gone"), "-- parent: of nothing\nX"));
        assert_eq!(header.unknown, ["-- colour: red", "-- and more"]);
    }
}
