//! CHANGELOG.md as far as promises are concerned: its sections, and what they say is broken.

use semver::Version;

/// The file, from the root.
pub const CHANGELOG: &str = "CHANGELOG.md";

/// Is there a section of exactly this version: `## 1.2.3`, also `## [1.2.3] - 2026-01-31`?
pub fn has_section(changelog: &str, version: &Version) -> bool {
    sections(changelog, "## ").iter().any(|(heading, _)| names_version(heading, version) && !is_unreleased(heading))
}

/// The `### Breaking` part of the version's section, or of the unreleased one; none if there is no such part, or if it
/// says nothing.
pub fn breaking<'a>(changelog: &'a str, version: &Version) -> Option<&'a str> {
    let sections = sections(changelog, "## ");
    let of_version = sections.iter().find(|(heading, _)| names_version(heading, version));
    let section = of_version.or_else(|| sections.iter().find(|(heading, _)| is_unreleased(heading)))?;
    let parts = self::sections(section.1, "### ");
    let (_, text) = parts.iter().find(|(heading, _)| heading.trim().eq_ignore_ascii_case("breaking"))?;
    (!text.trim().is_empty()).then_some(*text)
}

/// Does the text have the name as a word of its own? `list_posts` is none of `get_post`, `/posts` none of `/posts/{id}`.
pub fn names(text: &str, name: &str) -> bool {
    let goes_on = |next: Option<char>| next.is_some_and(|next| next.is_alphanumeric() || "_/{-".contains(next));
    let is_inside = |before: Option<char>| before.is_some_and(|before| before.is_alphanumeric() || before == '_');
    let mut found = text.match_indices(name);
    found.any(|(at, _)| !is_inside(text[..at].chars().next_back()) && !goes_on(text[at + name.len()..].chars().next()))
}

/// Heading and text of each section of a level.
fn sections<'a>(text: &'a str, mark: &str) -> Vec<(&'a str, &'a str)> {
    let starts: Vec<usize> = line_starts(text).filter(|at| text[*at..].starts_with(mark)).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let section = |(start, end): (&usize, usize)| {
        let section = &text[*start + mark.len()..end];
        section.split_once('\n').unwrap_or((section, ""))
    };
    starts.iter().zip(ends).map(section).collect()
}

fn line_starts(text: &str) -> impl Iterator<Item = usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1))
}

fn is_unreleased(heading: &str) -> bool {
    heading.trim_start_matches(['[', ' ']).to_lowercase().starts_with("unreleased")
}

fn names_version(heading: &str, version: &Version) -> bool {
    let mut words = heading.split(|c: char| !(c.is_ascii_alphanumeric() || ".+-".contains(c)));
    words.any(|word| word.strip_prefix('v').unwrap_or(word) == version.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Changelog\n\n## Unreleased\n\n### Breaking\n\n- `get_post` lost `votes`.\n\n### Added\n\n- x\n\n\
        ## [1.10.0] - 2026-01-31\n\n### Breaking\n\n## v1.1.0\n\n- y\n\n### Breaking\n- POST /api/v1/posts: gone\n";

    fn version(text: &str) -> Version {
        text.parse().expect("a version")
    }

    #[test]
    fn a_section_is_found_by_its_whole_version() {
        assert!(has_section(TEXT, &version("1.10.0")) && has_section(TEXT, &version("1.1.0")));
        assert!(!has_section(TEXT, &version("1.0.0")) && !has_section(TEXT, &version("10.0.0")));
        assert!(!has_section("## Unreleased (0.1.0)\n", &version("0.1.0")));
    }

    #[test]
    fn the_breaking_part_is_that_of_the_version_or_of_what_is_unreleased() {
        let part = |text: &str| breaking(TEXT, &version(text));
        assert!(part("1.1.0").is_some_and(|part| names(part, "POST /api/v1/posts")));
        assert!(part("2.0.0").is_some_and(|part| names(part, "get_post") && !part.contains("Added")));
        assert_eq!(part("1.10.0"), None); // it is there, but says nothing
        assert_eq!(breaking("## 1.0.0\n- text\n", &version("1.0.0")), None);
    }

    #[test]
    fn a_name_is_found_only_as_a_whole() {
        assert!(names("- `get_post` and others", "get_post") && names("GET /posts: gone", "GET /posts"));
        assert!(!names("get_posts", "get_post") && !names("forget_post", "get_post"));
        assert!(!names("GET /posts/{id}", "GET /posts") && !names("GET /posts-old", "GET /posts"));
    }
}
