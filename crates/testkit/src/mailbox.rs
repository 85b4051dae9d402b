//! The e-mails that a server sends, as files.

use std::path::Path;
use std::time::Duration;

use regex::Regex;
use tempfile::TempDir;

/// The time for an e-mail.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that a server writes its e-mails to.
pub struct Mailbox {
    folder: TempDir,
    url: String,
}

/// An e-mail.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The recipient.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The `Message-ID`.
    pub number: String,
    /// The whole text, decoded.
    pub text: String,
    sent: std::time::SystemTime,
}

impl Mailbox {
    /// Creates an empty folder.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("folder:{}", folder.path().display());
        Self { folder, url }
    }

    /// The URL of the folder, for the setting that names the mail server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All e-mails that have arrived, the oldest first.
    pub fn letters(&self) -> Vec<Letter> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|end| end == "eml"));
        let mut letters: Vec<Letter> = files.filter_map(|path| Letter::read(&path)).collect();
        letters.sort_by_key(|letter| letter.sent);
        letters
    }

    /// Waits for `number` e-mails with this recipient and subject, and returns them, the oldest first.
    pub async fn wait(&self, to: &str, subject: &str, number: usize) -> Vec<Letter> {
        let found = || {
            let letters = self.letters().into_iter();
            letters.filter(|letter| letter.to == to && letter.subject == subject).collect::<Vec<_>>()
        };
        let wait = async {
            while found().len() < number {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "{number} letters to {to}, `{subject}`: {:?}", self.letters());
        found()
    }

    /// Waits like [`Self::wait`], and returns the code in the newest e-mail.
    pub async fn code(&self, to: &str, subject: &str, number: usize) -> String {
        self.wait(to, subject, number).await.last().unwrap().code()
    }
}

impl Letter {
    /// Reads a file. Returns `None` while the server is still writing it.
    fn read(path: &Path) -> Option<Self> {
        let raw = std::fs::read_to_string(path).ok()?.replace("\r\n", "\n");
        let (head, _) = raw.split_once("\n\n")?;
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let (to, subject, number) = (header("To: ")?, header("Subject: ")?, header("Message-ID: ")?);
        raw.contains("</html>").then_some(())?;
        // quoted-printable (RFC 2045 section 6.7) and HTML, as far as the e-mails of tests use them
        let text = raw.replace("=\n", "").replace("=3D", "=").replace("&#x2f;", "/");
        let sent = std::fs::metadata(path).and_then(|file| file.modified()).ok()?;
        Some(Self { to, subject, number, text, sent })
    }

    /// The code that stands in a line of its own.
    ///
    /// # Panics
    /// The e-mail has no code.
    pub fn code(&self) -> String {
        let line = Regex::new(r"(?m)^[\w-]{43}$").unwrap();
        line.find(&self.text).unwrap_or_else(|| panic!("no code: {}", self.text)).as_str().into()
    }
}
