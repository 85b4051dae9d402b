//! Splits a script into statements, so that an error names its statement and a long one reports its progress.

use crate::Dialect;

/// The comment before a statement that is repeated until it changes no row.
pub const REPEAT: &str = "-- repeat until no row changes";

/// One statement of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The SQL without the comments before it and without its semicolon.
    pub sql: String,
    /// The line of the script on which the statement begins; the first line is 1.
    pub line: usize,
    /// Set if the statement is repeated until it changes no row.
    pub repeat: bool,
}

impl Statement {
    /// Returns the beginning of the statement on one line.
    pub fn summary(&self) -> String {
        const CHARACTERS: usize = 60;
        let words = self.sql.split_whitespace().collect::<Vec<_>>().join(" ");
        match words.char_indices().nth(CHARACTERS) {
            Some((end, _)) => format!("{}…", &words[..end]),
            None => words,
        }
    }
}

/// Splits a script at the semicolons that end statements: not those in strings, names, comments, dollar quotes, and in
/// the body of a trigger of SQLite or a function of PostgreSQL.
pub fn statements(script: &str, dialect: Dialect) -> Vec<Statement> {
    let mut found = vec![];
    let (mut at, mut start) = (0, None);
    let (mut repeat, mut words, mut blocks) = (false, vec![], 0_usize);
    let mut finish = |start: usize, end: usize, repeat: bool| {
        let line = script[..start].matches('\n').count() + 1;
        found.push(Statement { sql: script[start..end].trim_end().to_owned(), line, repeat });
    };
    while at < script.len() {
        let token = Token::at(&script[at..], dialect);
        match token.kind {
            Kind::Comment if start.is_none() => repeat |= script[at..at + token.len].trim_end() == REPEAT,
            Kind::Comment | Kind::Space => {}
            Kind::Semicolon if blocks == 0 => {
                if let Some(start) = start.take() {
                    finish(start, at, repeat);
                }
                (repeat, words) = (false, vec![]);
            }
            Kind::Word => {
                start.get_or_insert(at);
                let word = script[at..at + token.len].to_ascii_uppercase();
                // CREATE [TEMP] TRIGGER … BEGIN …; …; END: on PostgreSQL it calls a function and has no BEGIN, but
                // there are functions with BEGIN ATOMIC …; …; END
                let trigger = words.first().is_some_and(|first| first == "CREATE")
                    && words.iter().take(3).any(|word| word == "TRIGGER");
                match word.as_str() {
                    "BEGIN" if trigger => blocks += 1,
                    "ATOMIC" if words.last().is_some_and(|last| last == "BEGIN") => blocks += 1,
                    "CASE" if blocks > 0 => blocks += 1,
                    "END" => blocks = blocks.saturating_sub(1),
                    _ => {}
                }
                words.push(word);
            }
            Kind::Semicolon | Kind::Other => {
                start.get_or_insert(at);
            }
        }
        at += token.len;
    }
    if let Some(start) = start {
        finish(start, script.len(), repeat);
    }
    found
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Space,
    Comment,
    Semicolon,
    Word,
    Other,
}

struct Token {
    kind: Kind,
    len: usize,
}

impl Token {
    /// The token that a text, which is not empty, begins with. One that is not closed goes to the end.
    fn at(text: &str, dialect: Dialect) -> Self {
        let until = |kind, from: usize, end: &str| {
            let len = text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
            Self { kind, len }
        };
        let run = |kind, belongs: fn(char) -> bool| Self {
            kind,
            len: text.find(|letter| !belongs(letter)).unwrap_or(text.len()),
        };
        let first = text.chars().next().expect("the text is not empty");
        match first {
            _ if text.starts_with("--") => until(Kind::Comment, 2, "\n"),
            _ if text.starts_with("/*") && dialect == Dialect::Postgres => {
                Self { kind: Kind::Comment, len: nested(text) }
            }
            'E' | 'e' if text[1..].starts_with('\'') && dialect == Dialect::Postgres => {
                Self { kind: Kind::Other, len: escaped(text) }
            }
            _ if text.starts_with("/*") => until(Kind::Comment, 2, "*/"),
            ';' => Self { kind: Kind::Semicolon, len: 1 },
            // a quote that is doubled inside begins the next token at once
            '\'' | '"' | '`' => until(Kind::Other, 1, &first.to_string()),
            '$' => match dollar_tag(text) {
                Some(tag) => until(Kind::Other, tag.len(), tag),
                None => Self { kind: Kind::Other, len: 1 },
            },
            _ if first.is_whitespace() => run(Kind::Space, char::is_whitespace),
            _ if is_word(first) => run(Kind::Word, |letter| is_word(letter) || letter == '$'),
            _ => Self { kind: Kind::Other, len: first.len_utf8() },
        }
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// How long a comment is that may have others in it.
fn nested(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut marks = text.char_indices().map(|(at, _)| at);
    while let Some(at) = marks.next() {
        match &text[at..] {
            rest if rest.starts_with("/*") => depth += 1,
            rest if rest.starts_with("*/") => depth -= 1,
            _ => continue,
        }
        // neither `/*/` nor `*/*` is two
        marks.next();
        if depth == 0 {
            return at + 2;
        }
    }
    text.len()
}

/// How long a string is in which a backslash escapes the next letter: `E'it\'s'`.
fn escaped(text: &str) -> usize {
    let mut letters = text.char_indices().skip(2);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '\'' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `$$` or `$name$` at the beginning of a text.
fn dollar_tag(text: &str) -> Option<&str> {
    let end = text[1..].find('$')? + 2;
    text[1..end - 1].chars().all(is_word).then(|| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(script: &str) -> Vec<String> {
        statements(script, Dialect::Postgres).into_iter().map(|statement| statement.sql).collect()
    }

    #[test]
    fn only_the_ends_of_statements_split() {
        assert_eq!(split("A; B ;\n-- c; d\nE"), ["A", "B", "E"]);
        assert_eq!(split("-- nothing;\n/* ; */ ;; "), Vec::<String>::new());
        assert_eq!(
            split("INSERT INTO t VALUES ('a;b', 'it''s;', \"x;y\"); SELECT 1 -- ;\n;"),
            ["INSERT INTO t VALUES ('a;b', 'it''s;', \"x;y\")", "SELECT 1 -- ;"]
        );
        assert_eq!(
            split("CREATE FUNCTION f() AS $$ BEGIN a; b; END $$; CREATE FUNCTION g() AS $b$ $$;$$ $b$; X"),
            ["CREATE FUNCTION f() AS $$ BEGIN a; b; END $$", "CREATE FUNCTION g() AS $b$ $$;$$ $b$", "X"]
        );
        let trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN x THEN 1 END; DELETE FROM b; END";
        assert_eq!(
            split(&format!("{trigger}; CREATE TRIGGER u BEFORE DELETE ON a EXECUTE FUNCTION f(); X")),
            [trigger, "CREATE TRIGGER u BEFORE DELETE ON a EXECUTE FUNCTION f()", "X"]
        );
    }

    #[test]
    fn what_only_postgresql_has_is_read_as_it_reads_it() {
        assert_eq!(split(r"SELECT E'a\';b', e'\\'; X"), [r"SELECT E'a\';b', e'\\'", "X"]);
        assert_eq!(split(r"SELECT 'a\'; X"), [r"SELECT 'a\'", "X"]);
        assert_eq!(split("/* a /* ; */ ; */ A; B"), ["A", "B"]);
        assert_eq!(split("SELECT a$b$; SELECT $b$;$b$; X"), ["SELECT a$b$", "SELECT $b$;$b$", "X"]);
        let atomic = "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END";
        assert_eq!(split(&format!("{atomic}; X")), [atomic, "X"]);
        let sqlite =
            |script| statements(script, Dialect::Sqlite).into_iter().map(|found| found.sql).collect::<Vec<_>>();
        assert_eq!(sqlite("/* a /* ; */ A; B"), ["A", "B"], "comments of SQLite do not nest");
    }

    #[test]
    fn a_statement_knows_its_line_and_whether_it_is_repeated() {
        let script = "-- One.\nSELECT 1;\n\n-- Two.\n-- repeat until no row changes\nUPDATE a\nSET b = 1;\nSELECT 3;";
        let found: Vec<_> = statements(script, Dialect::Sqlite)
            .iter()
            .map(|found| (found.summary(), found.line, found.repeat))
            .collect();
        let expected = [("SELECT 1", 2, false), ("UPDATE a SET b = 1", 6, true), ("SELECT 3", 8, false)];
        assert_eq!(found, expected.map(|(sql, line, repeat)| (sql.to_owned(), line, repeat)));
    }
}
