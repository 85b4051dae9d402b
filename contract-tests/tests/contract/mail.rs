//! Mail as it leaves: a conversation with a mail server that takes it, refuses it, or hangs up; or a file.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_tests::{World, command_line};
use insta::assert_snapshot;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const BY_ITSELF: (&str, &str) = ("ACCORD_TASK_WORKERS", "1");

/// How a mail server treats a letter.
#[derive(Clone, Copy)]
enum Treatment {
    Takes,
    /// 451: come back later (RFC 5321 section 4.2.1).
    NotNow,
    /// 550: never.
    Never,
    /// The connection ends in the middle of the letter.
    HangsUp,
}

/// A mail server that knows what it does with each letter; the last treatment is for all that follow.
struct MailServer {
    address: String,
    letters: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    async fn start(treatments: &'static [Treatment]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let letters = Arc::new(Mutex::new(vec![]));
        let taken = letters.clone();
        tokio::spawn(async move {
            let mut treatments = treatments.iter().copied().peekable();
            while let Ok((stream, _)) = listener.accept().await {
                let treatment = *treatments.peek().unwrap();
                if treatments.len() > 1 {
                    treatments.next();
                }
                let taken = taken.clone();
                tokio::spawn(async move { converse(stream, treatment, &taken).await });
            }
        });
        Self { address, letters }
    }

    fn letters(&self) -> Vec<String> {
        self.letters.lock().unwrap().clone()
    }
}

/// One connection, as RFC 5321 has it.
async fn converse(stream: TcpStream, treatment: Treatment, letters: &Mutex<Vec<String>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut letter = String::new();
    stream.write_all(b"220 mail.test ESMTP\r\n").await.ok()?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let answer = match line.get(..4)?.to_uppercase().as_str() {
            "EHLO" => "250 mail.test",
            "RCPT" if matches!(treatment, Treatment::Never) => "550 5.1.1 <ann@example.com>: nobody has this address",
            "RCPT" if matches!(treatment, Treatment::NotNow) => "451 4.7.1 <ann@example.com>: come back later",
            "MAIL" | "RCPT" | "RSET" | "NOOP" => "250 as you wish",
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                if matches!(treatment, Treatment::HangsUp) {
                    return None;
                }
                while !letter.ends_with("\r\n.\r\n") {
                    letter.push(char::from(stream.read_u8().await.ok()?));
                }
                letters.lock().unwrap().push(std::mem::take(&mut letter));
                "250 taken"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await.ok()?;
                return None;
            }
            _ => "502 what?",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
    }
}

async fn ask_for_a_letter(world: &World) {
    let ended = command_line(&["mail", "test", "Ann <ann@example.com>"], &world.database.url(), "").await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), wait).await.unwrap_or_else(|_| panic!("{what}"));
}

/// The lines of a header in a letter.
fn header<'a>(letter: &'a str, name: &str) -> &'a str {
    let line = letter.lines().find(|line| line.starts_with(&format!("{name}: "))).unwrap_or_else(|| panic!("{letter}"));
    line.split_once(": ").unwrap().1
}

#[tokio::test]
async fn a_letter_arrives_though_the_mail_server_fails_at_first() {
    let mail = MailServer::start(&[Treatment::HangsUp, Treatment::NotNow, Treatment::Takes]).await;
    let world = World::with(&[BY_ITSELF, ("ACCORD_MAIL_URL", &format!("smtp://{}", mail.address))]).await;
    ask_for_a_letter(&world).await;
    until("the letter arrives", async || !mail.letters().is_empty()).await;
    let letters = mail.letters();
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(header(letter, "To"), "\"Ann\" <ann@example.com>".replace('"', ""));
    assert_eq!(header(letter, "Subject"), "Mail from Accord arrives");
    assert!(header(letter, "Message-ID").ends_with("@localhost.localdomain>"), "{letter}");
    for part in ["text/plain", "text/html", "the settings of the mail server are"] {
        assert!(letter.contains(part), "{part}: {letter}");
    }
    let log = world.server.log();
    assert_eq!(log.matches("\"message\":\"task failed\"").count(), 2, "{log}");
    assert!(!log.contains("ann@example.com"), "no address in the log: {log}");
}

#[tokio::test]
async fn a_letter_that_is_refused_for_good_stays_for_a_person_to_see() {
    let mail = MailServer::start(&[Treatment::Never]).await;
    let world = World::with(&[BY_ITSELF, ("ACCORD_MAIL_URL", &format!("smtp://{}", mail.address))]).await;
    ask_for_a_letter(&world).await;
    let failed = async || {
        let ended = command_line(&["task", "list", "--failed", "--json"], &world.database.url(), "").await;
        serde_json::from_str::<Value>(&ended.stdout).unwrap()
    };
    until("it is parked", async || failed().await[0]["state"] == "failed").await;
    let error = failed().await[0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("refuses the letter") && error.contains("550"), "{error}");
    assert!(error.contains("nobody has this address") && !error.contains('@'), "{error}");
    let log = world.server.log();
    assert!(log.contains("task failed for good") && !log.contains("ann@example.com"), "{log}");
}

#[tokio::test]
async fn without_a_mail_server_letters_are_files() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("folder:{}", folder.path().display());
    let world = World::with(&[BY_ITSELF, ("ACCORD_MAIL_URL", &url)]).await;
    ask_for_a_letter(&world).await;
    let files = || std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    until("a file is there", async || world.database.count("tasks WHERE name = 'send-mail'").await == 0).await;
    let files = files();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].extension().unwrap(), "eml");
    assert!(std::fs::read_to_string(&files[0]).unwrap().contains("Subject: Mail from Accord arrives"));
}

#[tokio::test]
async fn letters_can_be_looked_at_before_anyone_gets_one() {
    let world = World::start().await;
    let shows = async |arguments: &[&str]| command_line(arguments, &world.database.url(), "").await;
    assert_eq!(shows(&["mail", "preview"]).await.stdout, "email-changed\npassword-changed\ntest\n");
    assert_snapshot!("a_letter_as_text", shows(&["mail", "preview", "test"]).await.stdout);
    assert_snapshot!("a_letter_as_html", shows(&["mail", "preview", "test", "--html"]).await.stdout);
    let unknown = shows(&["mail", "preview", "nonsense"]).await;
    assert_eq!(
        (unknown.code, unknown.stderr.as_str()),
        (2, "accord: there is no letter `nonsense`, only email-changed, password-changed, test\n")
    );
}
