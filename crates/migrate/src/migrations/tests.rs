//! The whole way on SQLite; the contract tests go it on both databases, with the real binary.

use super::set::tests::set;
use super::*;

struct Scratch {
    _folder: tempfile::TempDir,
    url: String,
}

fn scratch() -> Scratch {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("t.db").display());
    Scratch { _folder: folder, url }
}

impl Scratch {
    async fn go(&self, set: &Set, direction: Direction, target: &str) -> Result<String, String> {
        let target = target.parse().expect("a target");
        let steps = run(&self.url, set, direction, &target, &mut |_| {}).await.map_err(|error| error.to_string())?;
        Ok(steps.iter().map(Step::to_string).collect::<Vec<_>>().join(", "))
    }

    async fn current(&self, set: &Set) -> String {
        status(&self.url, set.clone()).await.expect("a status").current()
    }
}

/// Three migrations in a line.
fn line() -> Vec<(&'static str, &'static str, &'static str, &'static str)> {
    vec![
        ("0001_a", "base", "CREATE TABLE a (id INTEGER PRIMARY KEY);", "DROP TABLE a;"),
        ("0002_b", "0001_a", "CREATE TABLE b (id INTEGER PRIMARY KEY);", "DROP TABLE b;"),
        ("0003_c", "0002_b", "CREATE TABLE c (id INTEGER PRIMARY KEY);", "DROP TABLE c;"),
    ]
}

#[tokio::test]
async fn every_kind_of_target_is_reached() {
    use Direction::{Down, Either, Up};
    let (scratch, set) = (scratch(), set(&line()).expect("sound"));
    let go = async |direction, target| scratch.go(&set, direction, target).await;
    assert_eq!(scratch.current(&set).await, "base");
    assert_eq!(go(Up, "head").await.expect("up"), "up 0001_a, up 0002_b, up 0003_c");
    assert_eq!(go(Up, "head").await.expect("again"), "");
    assert_eq!(go(Down, "-2").await.expect("down"), "down 0003_c, down 0002_b");
    assert_eq!(go(Up, "+1").await.expect("up"), "up 0002_b");
    assert_eq!(go(Either, "1").await.expect("back"), "down 0002_b");
    assert_eq!(go(Either, "0003_c").await.expect("forth"), "up 0002_b, up 0003_c");
    assert_eq!(go(Up, "0003").await.expect("there already"), "");
    assert!(go(Up, "1").await.expect_err("the other way").contains("migrate down"));
    assert!(go(Down, "+1").await.is_err());
    assert!(go(Up, "99").await.expect_err("unknown").contains("there is no revision 99: known are 0001_a … 0003_c"));
    assert!(go(Down, "-4").await.expect_err("too far").contains("3 are applied"));
    assert!(go(Down, "-9223372036854775808").await.expect_err("too far").contains("3 are applied"));
    assert_eq!(go(Down, "base").await.expect("base"), "down 0003_c, down 0002_b, down 0001_a");
    assert!("x".parse::<Target>().expect_err("nonsense").contains("is no revision"));
}

#[tokio::test]
async fn a_failure_leaves_the_revision_before_and_names_its_statement() {
    let (scratch, mut files) = (scratch(), line());
    files[2].2 = "CREATE TABLE c (id INTEGER PRIMARY KEY);\n\nINSERT INTO nowhere VALUES (1);\n";
    let error = scratch.go(&set(&files).expect("sound"), Direction::Up, "head").await.expect_err("fails");
    assert_eq!(
        error,
        "up 0003_c: 0003_c.up.sql, line 7: `INSERT INTO nowhere VALUES (1)`: no such table: \
         nowhere. It was undone: the database is at 0002_b"
    );
    let set = set(&line()).expect("sound");
    assert_eq!(scratch.current(&set).await, "0002_b");
    assert_eq!(scratch.go(&set, Direction::Up, "head").await.expect("goes on"), "up 0003_c");
}

#[tokio::test]
async fn a_failure_that_undoes_all_of_a_start_says_so() {
    let (scratch, mut files) = (scratch(), line());
    scratch.go(&set(&files).expect("sound"), Direction::Up, "1").await.expect("up");
    files[2].2 = "INSERT INTO b VALUES (1);\nINSERT OR ROLLBACK INTO b VALUES (1);";
    let error = scratch.go(&set(&files).expect("sound"), Direction::Up, "head").await.expect_err("fails");
    assert!(error.starts_with("up 0003_c: 0003_c.up.sql, line 6: `INSERT OR ROLLBACK INTO b VALUES (1)`: "), "{error}");
    assert!(error.ends_with("the database is at 0001_a"), "{error}");
    assert_eq!(scratch.current(&set(&files).expect("sound")).await, "0001_a");
}

#[tokio::test]
async fn the_file_of_a_url_is_the_one_that_is_opened() {
    let set = set(&line()).expect("sound");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("a%20b.db").display());
    run(&url, &set, Direction::Up, &Target::Head, &mut |_| {}).await.expect("up");
    assert_eq!(status(&url, set).await.expect("a status").current(), "0003_c");
}

#[tokio::test]
async fn an_older_binary_undoes_what_it_never_knew() {
    let (scratch, newer) = (scratch(), set(&line()).expect("sound"));
    let older = set(&line()[..1]).expect("sound");
    scratch.go(&newer, Direction::Up, "head").await.expect("up");
    assert_eq!(scratch.go(&older, Direction::Up, "head").await.expect("nothing was taken away"), "");
    assert_eq!(scratch.go(&older, Direction::Either, "1").await.expect("back"), "down 0003_c, down 0002_b");
    assert_eq!(scratch.current(&older).await, "0001_a");
}

#[tokio::test]
async fn an_edited_migration_is_refused_but_can_be_undone() {
    let (scratch, mut files) = (scratch(), line());
    scratch.go(&set(&files).expect("sound"), Direction::Up, "2").await.expect("up");
    files[1].2 = "CREATE TABLE b (id INTEGER PRIMARY KEY, more TEXT);";
    files[1].3 = "DROP TABLE nothing;";
    let edited = set(&files).expect("sound");
    assert!(scratch.go(&edited, Direction::Up, "head").await.expect_err("edited").contains("0002_b was edited"));
    assert_eq!(scratch.go(&edited, Direction::Down, "-1").await.expect("with what was kept"), "down 0002_b");
}

#[tokio::test]
async fn branches_are_applied_in_any_order_once_they_are_joined() {
    let (scratch, mut files) = (scratch(), line());
    files.push(("0003_d", "0002_b", "CREATE TABLE d (id INTEGER PRIMARY KEY);", "DROP TABLE d;"));
    let two = set(&files).expect("sound");
    let error = scratch.go(&two, Direction::Up, "head").await.expect_err("two heads");
    assert!(error.starts_with("two heads: 0003_c (parent 0002_b), 0003_d (parent 0002_b)"), "{error}");
    assert!(scratch.go(&two, Direction::Up, "3").await.expect_err("which?").contains("0003_c, 0003_d"));
    assert_eq!(scratch.go(&two, Direction::Up, "0003_d").await.expect("one"), "up 0001_a, up 0002_b, up 0003_d");
    files.push(("0004_merge", "0003_c, 0003_d", "", ""));
    let joined = set(&files).expect("sound");
    assert_eq!(scratch.go(&joined, Direction::Up, "head").await.expect("joined"), "up 0003_c, up 0004_merge");
    assert_eq!(
        scratch.go(&joined, Direction::Down, "-3").await.expect("back"),
        "down 0004_merge, down 0003_c, down 0003_d"
    );
}

#[tokio::test]
async fn rows_that_refer_to_nothing_undo_their_migration() {
    let (scratch, mut files) = (scratch(), line());
    files[1].2 = "CREATE TABLE b (a BIGINT REFERENCES a (id));\nINSERT INTO b VALUES (7);";
    let error = scratch.go(&set(&files).expect("sound"), Direction::Up, "head").await.expect_err("dangling");
    assert!(error.contains("rows of b refer to rows of a that are not there"), "{error}");
    assert!(error.ends_with("the database is at 0001_a"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_undone_is_refused_before_anything_is() {
    let (scratch, files) = (scratch(), line());
    let mut texts: Vec<_> = files
        .iter()
        .flat_map(|(id, parent, up, down)| {
            let header = format!("-- parent: {parent}\n-- message: m\n-- created: d\n");
            [
                (format!("{id}.up.sql"), format!("{header}\n{up}")),
                (format!("{id}.down.sql"), format!("{header}\n{down}")),
            ]
        })
        .collect();
    texts[3].1 = "-- parent: 0001_a\n-- irreversible: the rows are gone\n\n".into();
    let set = Set::of(texts).expect("sound");
    scratch.go(&set, Direction::Up, "head").await.expect("up");
    let error = scratch.go(&set, Direction::Down, "base").await.expect_err("no way back");
    assert_eq!(error, "0002_b cannot be undone: the rows are gone; nothing was changed");
    assert_eq!(scratch.current(&set).await, "0003_c");
}

#[tokio::test]
async fn a_statement_is_repeated_until_it_changes_nothing_and_tells() {
    let (scratch, mut files) = (scratch(), line());
    files[1].2 = "INSERT INTO a WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25) SELECT i FROM n;\n\
        -- repeat until no row changes\n\
        UPDATE a SET id = -id WHERE id IN (SELECT id FROM a WHERE id > 0 LIMIT 10);";
    files[1].3 = "DELETE FROM a;";
    let mut lines = vec![];
    let mut tell = |line: &str| lines.push(line.to_owned());
    run(&scratch.url, &set(&files[..2]).expect("sound"), Direction::Up, &Target::Head, &mut tell).await.expect("up");
    assert_eq!(lines.len(), 2, "{lines:?}");
    let place = "up 0002_b, statement 2 of 2 (`UPDATE a SET id = -id WHERE id IN (SELECT id FROM a WHERE id…`): ";
    assert!(lines[0].starts_with(&format!("{place}10 rows in ")), "{lines:?}");
    assert!(lines[1].starts_with(&format!("{place}25 rows in ")) && lines[1].ends_with(", done"), "{lines:?}");
}

#[tokio::test]
async fn the_way_back_is_the_newest_that_was_written() {
    let (scratch, mut files) = (scratch(), line());
    let older = set(&files[..2]).expect("sound");
    scratch.go(&older, Direction::Up, "head").await.expect("up");
    let kept = async || status(&scratch.url, older.clone()).await.expect("status").applied[1].down().map(str::to_owned);
    files[1].3 = "DROP TABLE b; -- repaired";
    let newer = set(&files).expect("sound");
    scratch.go(&newer, Direction::Up, "head").await.expect("up");
    assert!(kept().await.expect("kept").ends_with("-- repaired"), "a repaired way back is kept");
    scratch.go(&older, Direction::Up, "head").await.expect("nothing to do");
    assert!(kept().await.expect("kept").ends_with("-- repaired"), "an older release does not know better");
}

#[tokio::test]
async fn a_history_of_before_is_completed() {
    let (scratch, set) = (scratch(), set(&line()).expect("sound"));
    scratch.go(&set, Direction::Up, "2").await.expect("up");
    let mut connected = Connected::open(&scratch.url, false).await.expect("opens");
    for name in ["id", "header", "down_sql"] {
        connected.execute(&format!("ALTER TABLE _sqlx_migrations DROP COLUMN {name}")).await.expect("as before");
    }
    let before = status(&scratch.url, set.clone()).await.expect("reads it as it is");
    assert_eq!((before.current().as_str(), before.applied[1].down()), ("0002_b", None));
    assert_eq!(scratch.go(&set, Direction::Up, "head").await.expect("up"), "up 0003_c");
    let after = status(&scratch.url, set.clone()).await.expect("status");
    assert!(after.applied[0].down().expect("it is kept now").ends_with("DROP TABLE a;"));
}

#[tokio::test]
async fn of_many_starters_one_does_everything() {
    let (scratch, set) = (scratch(), set(&line()).expect("sound"));
    let starters = (0..8).map(|_| scratch.go(&set, Direction::Up, "head"));
    let mut did: Vec<_> =
        futures_util::future::join_all(starters).await.into_iter().map(|did| did.expect("up")).collect();
    did.sort();
    assert_eq!(did[7], "up 0001_a, up 0002_b, up 0003_c");
    assert!(did[..7].iter().all(String::is_empty), "{did:?}");
}

#[test]
fn a_server_goes_on_unless_what_it_needs_is_taken_away() {
    let set = set(&line()).expect("sound");
    let applied = |marks: &str| {
        let header = format!("-- parent: 0003_c\n-- message: m\n-- created: d\n{marks}\n");
        history::of(vec![(4, "d".into(), vec![], Some("0004_d".into()), Some(header), None)]).remove(0)
    };
    assert!(applied("").suits(&set));
    assert!(!applied("-- destructive: gone\n").suits(&set));
    assert!(applied("-- destructive: gone\n-- safe since: 0003_c\n").suits(&set));
    assert!(!applied("-- destructive: gone\n-- safe since: 0004_x\n").suits(&set));
    assert!(!history::of(vec![(4, "d".into(), vec![], None, None, None)])[0].suits(&set), "nothing is known of it");
}
