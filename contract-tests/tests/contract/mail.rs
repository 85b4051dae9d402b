//! Mail as it leaves: a conversation with a mail server that takes it, refuses it, hangs up, is away, or cannot be
//! trusted; or a file.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_tests::{ACCORD, World, command_line};
use insta::assert_snapshot;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

const BY_ITSELF: (&str, &str) = ("ACCORD_TASK_WORKERS", "1");
const SOON_AGAIN: (&str, &str) = ("ACCORD_TASK_RETRY", "1");

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
    /// The connection ends when the whole letter is there: nobody is told that it has arrived.
    Forgets,
}

/// Whether a mail server encrypts.
#[derive(Clone)]
enum Tls {
    No,
    /// When asked: STARTTLS (RFC 3207).
    OnRequest(TlsAcceptor),
    /// From the first byte on (RFC 8314).
    FromTheStart(TlsAcceptor),
}

/// A certificate that vouches for itself, as the file of `mail_ca`, and what a server does with it.
pub(crate) fn certificate() -> (TempDir, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.der().clone()], made.signing_key.into()).unwrap();
    (folder, TlsAcceptor::from(Arc::new(config)))
}

/// A mail server that knows what it does with each letter; the last treatment is for all that follow.
struct MailServer {
    address: String,
    heard: Arc<Heard>,
}

/// What a mail server was told.
#[derive(Default)]
struct Heard {
    letters: Mutex<Vec<String>>,
    /// Lines that whoever listens could read.
    clear: Mutex<String>,
}

impl MailServer {
    async fn start(treatments: &'static [Treatment]) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").await.unwrap(), treatments, Tls::No)
    }

    async fn encrypting(tls: Tls) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").await.unwrap(), &[Treatment::Takes], tls)
    }

    fn listen(listener: TcpListener, treatments: &'static [Treatment], tls: Tls) -> Self {
        let address = listener.local_addr().unwrap().to_string();
        let heard = Arc::new(Heard::default());
        let hears = heard.clone();
        tokio::spawn(async move {
            let mut treatments = treatments.iter().copied().peekable();
            while let Ok((stream, _)) = listener.accept().await {
                let treatment = *treatments.peek().unwrap();
                if treatments.len() > 1 {
                    treatments.next();
                }
                let (tls, hears) = (tls.clone(), hears.clone());
                tokio::spawn(async move { receive(stream, treatment, tls, &hears).await });
            }
        });
        Self { address, heard }
    }

    fn letters(&self) -> Vec<String> {
        self.heard.letters.lock().unwrap().clone()
    }

    fn clear(&self) -> String {
        self.heard.clear.lock().unwrap().clone()
    }
}

/// One connection, as RFC 5321 has it.
async fn receive(mut stream: TcpStream, treatment: Treatment, tls: Tls, heard: &Heard) -> Option<()> {
    const GREETING: &[u8] = b"220 mail.test ESMTP\r\n";
    let acceptor = match tls {
        Tls::FromTheStart(acceptor) => {
            let mut stream = acceptor.accept(stream).await.ok()?;
            stream.write_all(GREETING).await.ok()?;
            converse(stream, treatment, None, heard).await;
            return None;
        }
        Tls::OnRequest(acceptor) => Some(acceptor),
        Tls::No => None,
    };
    stream.write_all(GREETING).await.ok()?;
    let offer = if acceptor.is_some() { "250-STARTTLS\r\n" } else { "" };
    let stream = converse(stream, treatment, Some(offer), heard).await?;
    converse(acceptor?.accept(stream).await.ok()?, treatment, None, heard).await;
    None
}

/// What is said after the greeting, until the client asks for TLS. In clear there may be an `offer` of that.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    treatment: Treatment,
    offer: Option<&str>,
    heard: &Heard,
) -> Option<S> {
    let mut stream = BufReader::new(stream);
    let mut letter = String::new();
    let ehlo = format!("250-mail.test\r\n{}250 AUTH PLAIN", offer.unwrap_or_default());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if offer.is_some() {
            heard.clear.lock().unwrap().push_str(&line);
        }
        let answer = match line.get(..4)?.to_uppercase().as_str() {
            "EHLO" => &ehlo,
            "STAR" if offer.is_some_and(|offer| !offer.is_empty()) => {
                stream.write_all(b"220 go on\r\n").await.ok()?;
                return Some(stream.into_inner());
            }
            "AUTH" => "235 welcome",
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
                heard.letters.lock().unwrap().push(std::mem::take(&mut letter));
                if matches!(treatment, Treatment::Forgets) {
                    return None;
                }
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
    let ended = command_line(&ACCORD, &["mail", "test", "Ann <ann@example.com>"], &world.database.url(), "").await;
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
    let world = World::with(&ACCORD, &[BY_ITSELF, ("ACCORD_MAIL_URL", &format!("smtp://{}", mail.address))]).await;
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
    let world = World::with(&ACCORD, &[BY_ITSELF, ("ACCORD_MAIL_URL", &format!("smtp://{}", mail.address))]).await;
    ask_for_a_letter(&world).await;
    let failed = async || {
        let ended = command_line(&ACCORD, &["task", "list", "--failed", "--json"], &world.database.url(), "").await;
        serde_json::from_str::<Value>(&ended.stdout).unwrap()
    };
    until("it is parked", async || failed().await[0]["state"] == "failed").await;
    let error = failed().await[0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("refuses the e-mail") && error.contains("550"), "{error}");
    assert!(error.contains("nobody has this address") && !error.contains('@'), "{error}");
    let log = world.server.log();
    assert!(log.contains("task failed for good") && !log.contains("ann@example.com"), "{log}");
}

#[tokio::test]
async fn who_gets_a_letter_twice_can_tell() {
    let mail = MailServer::start(&[Treatment::Forgets, Treatment::Takes]).await;
    let world =
        World::with(&ACCORD, &[BY_ITSELF, SOON_AGAIN, ("ACCORD_MAIL_URL", &format!("smtp://{}", mail.address))]).await;
    ask_for_a_letter(&world).await;
    until("it is done", async || world.database.count("tasks WHERE name = 'send-mail'").await == 0).await;
    let numbers: Vec<_> = mail.letters().iter().map(|letter| header(letter, "Message-ID").to_owned()).collect();
    assert_eq!(numbers.len(), 2);
    assert_eq!(numbers[0], numbers[1]);
}

#[tokio::test]
async fn no_letter_is_lost_while_the_mail_server_is_away() {
    const LETTERS: usize = 20;
    // a port that is ours, and refuses connections until somebody listens
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("smtp://{}", socket.local_addr().unwrap());
    let world = World::with(&ACCORD, &[BY_ITSELF, SOON_AGAIN, ("ACCORD_MAIL_URL", &url)]).await;
    for _ in 0..LETTERS {
        ask_for_a_letter(&world).await;
    }
    let failed = || world.server.log().matches("\"message\":\"task failed\"").count();
    until("all have failed", async || failed() > LETTERS).await;
    let waiting = async || world.database.count("tasks WHERE name = 'send-mail'").await;
    assert_eq!(waiting().await, LETTERS as i64);
    let mail = MailServer::listen(socket.listen(128).unwrap(), &[Treatment::Takes], Tls::No);
    until("all are sent", async || waiting().await == 0).await;
    let letters = mail.letters();
    let numbers: BTreeSet<_> = letters.iter().map(|letter| header(letter, "Message-ID")).collect();
    assert_eq!((letters.len(), numbers.len()), (LETTERS, LETTERS), "each once");
}

/// With a password in the URL, and this file of authorities.
async fn sending_to(scheme: &str, mail: &MailServer, query: &str, ca: Option<&TempDir>) -> World {
    let url = format!("{scheme}://accord:a-secret@{}{query}", mail.address);
    let ca = ca.map(|folder| folder.path().join("ca.pem").display().to_string()).unwrap_or_default();
    let world = World::with(&ACCORD, &[BY_ITSELF, ("ACCORD_MAIL_URL", &url), ("ACCORD_MAIL_CA", &ca)]).await;
    ask_for_a_letter(&world).await;
    world
}

/// What a letter waits for after a try; it stays queued.
async fn fault(world: &World) -> String {
    let task = async || {
        let ended = command_line(&ACCORD, &["task", "list", "--json"], &world.database.url(), "").await;
        let tasks: Value = serde_json::from_str(&ended.stdout).unwrap();
        tasks.as_array().unwrap().iter().find(|task| task["name"] == "send-mail").unwrap().clone()
    };
    until("it was tried", async || task().await["error"].is_string()).await;
    let task = task().await;
    assert_eq!(task["state"], "queued", "{task}");
    task["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn mail_is_encrypted_on_request() {
    let (ca, acceptor) = certificate();
    let mail = MailServer::encrypting(Tls::OnRequest(acceptor)).await;
    let _world = sending_to("smtp", &mail, "?tls=required", Some(&ca)).await;
    until("the letter arrives", async || !mail.letters().is_empty()).await;
    assert_eq!(header(&mail.letters()[0], "Subject"), "Mail from Accord arrives");
    let clear = mail.clear();
    let verbs: Vec<_> = clear.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(verbs, ["EHLO", "STARTTLS"], "all else is for the server alone: {clear}");
}

#[tokio::test]
async fn mail_is_encrypted_from_the_start() {
    let (ca, acceptor) = certificate();
    let mail = MailServer::encrypting(Tls::FromTheStart(acceptor)).await;
    let _world = sending_to("smtps", &mail, "", Some(&ca)).await;
    until("the letter arrives", async || !mail.letters().is_empty()).await;
    assert_eq!(header(&mail.letters()[0], "Subject"), "Mail from Accord arrives");
}

#[tokio::test]
async fn a_mail_server_that_nobody_vouches_for_gets_no_letter() {
    let (other, _) = certificate();
    for (scheme, query) in [("smtp", "?tls=required"), ("smtps", "")] {
        for ca in [None, Some(&other)] {
            let (_, acceptor) = certificate();
            let tls = if query.is_empty() { Tls::FromTheStart(acceptor) } else { Tls::OnRequest(acceptor) };
            let mail = MailServer::encrypting(tls).await;
            let world = sending_to(scheme, &mail, query, ca).await;
            let error = fault(&world).await;
            assert!(error.contains("invalid peer certificate"), "{scheme}: {error}");
            assert!(mail.letters().is_empty() && !mail.clear().contains("AUTH"), "{}", mail.clear());
            assert!(!mail.clear().contains('@') && !world.server.log().contains("a-secret"), "{}", mail.clear());
        }
    }
}

#[tokio::test]
async fn a_mail_server_that_does_not_encrypt_gets_no_letter_if_it_must() {
    let mail = MailServer::encrypting(Tls::No).await;
    let world = sending_to("smtp", &mail, "?tls=required", None).await;
    let error = fault(&world).await;
    assert!(error.to_lowercase().contains("starttls"), "{error}");
    let clear = mail.clear();
    assert!(mail.letters().is_empty() && clear.lines().all(|line| ["EHLO", "QUIT"].contains(&&line[..4])), "{clear}");
}

#[tokio::test]
async fn without_a_mail_server_letters_are_files() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("folder:{}", folder.path().display());
    let world = World::with(&ACCORD, &[BY_ITSELF, ("ACCORD_MAIL_URL", &url)]).await;
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
    let world = World::start(&ACCORD).await;
    let shows = async |arguments: &[&str]| command_line(&ACCORD, arguments, &world.database.url(), "").await;
    assert_eq!(
        shows(&["mail", "preview"]).await.stdout,
        "email-changed\ninvitation\npassword-changed\npassword-reset\ntest\nverify-email\nwebhook-disabled\n"
    );
    assert_snapshot!("a_letter_as_text", shows(&["mail", "preview", "test"]).await.stdout);
    assert_snapshot!("a_letter_as_html", shows(&["mail", "preview", "test", "--html"]).await.stdout);
    let unknown = shows(&["mail", "preview", "nonsense"]).await;
    assert_eq!(
        (unknown.code, unknown.stderr.as_str()),
        (
            2,
            "accord: there is no e-mail `nonsense`, only email-changed, invitation, password-changed, password-reset, test, verify-email, webhook-disabled\n"
        )
    );
}
