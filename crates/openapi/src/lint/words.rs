//! Names and sentences: how they are written.

/// `list_posts`, `id`, `sha256`.
pub fn is_snake_case(name: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.split('_').all(is_word)
}

/// `password-reset`, `v1`.
pub fn is_kebab_case(name: &str) -> bool {
    !name.contains('_') && is_snake_case(&name.replace('-', "_"))
}

/// `PostPage`.
pub fn is_pascal_case(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase()) && name.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Header names whose casing the words alone do not give.
const HEADERS: &[&str] = &["ETag", "RateLimit", "RateLimit-Policy", "WWW-Authenticate", "TE", "DNT"];

/// A header name as its specification writes it.
pub fn header_case(name: &str) -> String {
    if let Some(known) = HEADERS.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        return (*known).to_owned();
    }
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters.map(|letter| letter.to_ascii_lowercase())).collect::<String>()
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// Does the text only stand in for one that is to be written?
pub fn is_placeholder(text: &str) -> bool {
    let marks = ["todo", "fixme", "xxx", "tbd", "lorem", "placeholder", "foo", "foobar", "asdf"];
    let mut words = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    words.any(|word| marks.contains(&word.as_str()))
}

/// Letters and digits alone, in lower case.
pub fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_by_their_casing() {
        assert!(["list_posts", "id", "sha256", "oauth2_login"].iter().all(|name| is_snake_case(name)));
        assert!(!["listPosts", "List_posts", "list__posts", "_id", "2fa", ""].iter().any(|name| is_snake_case(name)));
        assert!(is_kebab_case("password-reset") && !is_kebab_case("password_reset"));
        assert!(is_pascal_case("PostPage") && !is_pascal_case("post_page") && !is_pascal_case("Post_Page"));
    }

    #[test]
    fn a_header_has_one_right_casing() {
        let cases = [("ETAG", "ETag"), ("x-request-id", "X-Request-Id"), ("WWW-AUTHENTICATE", "WWW-Authenticate")];
        for (given, right) in cases {
            assert_eq!(header_case(given), right);
        }
    }

    #[test]
    fn a_placeholder_is_a_word_not_a_part_of_one() {
        assert!(is_placeholder("TODO: say more") && is_placeholder("Lorem ipsum dolor"));
        assert!(!is_placeholder("Keeps the food todos apart"));
    }
}
