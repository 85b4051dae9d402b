//! How mail leaves: over SMTP, or as `.eml` files in a folder, which mail programs open.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::{Mailbox, Message, MultiPart};
use lettre::transport::smtp;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncFileTransport, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::message::Rendered;
use crate::config::{Config, ConfigError};
use crate::declared;

/// A server that has not answered by then is tried again later.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Connections to the mail server.
const CONNECTIONS: u32 = 4;

/// The reason why an e-mail was not sent.
#[derive(Debug)]
pub enum SendError {
    /// Another try would fail, too.
    Permanent(String),
    /// A later try may succeed.
    Temporary(String),
}

/// Where mail goes, and in whose name.
#[derive(Clone)]
pub struct Mailer {
    /// The name in e-mails and in `From`.
    pub sender: String,
    from: Mailbox,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder(PathBuf),
    Nowhere,
}

impl Mailer {
    /// As the settings say.
    ///
    /// # Errors
    /// They name no mail server, no folder, no sender or no certificates.
    pub fn of(config: &Config) -> Result<Self, ConfigError> {
        let read = |path: &str| {
            std::fs::read_to_string(path)
                .map_err(|error| ConfigError(format!("cannot read `mail_ca`, the file {path}: {error}")))
        };
        let ca = Some(config.mail.mail_ca.as_str()).filter(|path| !path.is_empty()).map(read).transpose()?;
        Self::new(config.mail_url(), &config.mail.mail_from, ca.as_deref()).map_err(ConfigError)
    }

    /// `url` is `smtp://user:password@host:587?tls=required` (STARTTLS), `smtps://…` (TLS), `smtp://host:25` (neither),
    /// `folder:PATH`, or empty: then mail waits. `ca` are certificates that may vouch for the mail server, as PEM.
    ///
    /// # Errors
    /// What is wrong with the URL, the sender or the certificates, without what may be secret in it.
    fn new(url: &str, from: &str, ca: Option<&str>) -> Result<Self, String> {
        let from: Mailbox = from.parse().map_err(|error| format!("`mail_from` is no address: {error}"))?;
        let way = match url.split_once(':') {
            None if url.is_empty() => Way::Nowhere,
            Some(("folder", path)) if !path.is_empty() => Way::Folder(path.into()),
            Some(("smtp" | "smtps", _)) => {
                let mut builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
                    .map_err(|error| format!("`mail_url` is no address of a mail server: {error}"))?;
                if sends_its_password_in_clear(url) {
                    let sentence =
                        "`mail_url` has a password that would be sent in clear: use smtps://, or ?tls=required";
                    return Err(sentence.into());
                }
                if let Some(ca) = ca {
                    builder = builder.tls(tls(url, ca)?);
                }
                let pool = smtp::PoolConfig::new().max_size(CONNECTIONS);
                Way::Smtp(builder.timeout(Some(TIMEOUT)).pool_config(pool).build())
            }
            _ => return Err("`mail_url` must begin with smtp://, smtps:// or folder:".into()),
        };
        let sender = from.name.clone().unwrap_or_else(|| from.email.to_string());
        Ok(Self { sender, from, way })
    }

    /// Whether there is a way.
    pub fn is_set(&self) -> bool {
        !matches!(self.way, Way::Nowhere)
    }

    /// Sends an e-mail.
    ///
    /// # Errors
    /// The mail server rejects the e-mail, or cannot accept it now.
    pub async fn send(&self, to: Mailbox, number: &str, rendered: Rendered) -> Result<(), SendError> {
        let never = |error: lettre::error::Error| SendError::Permanent(format!("the e-mail is invalid: {error}"));
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(rendered.subject)
            .message_id(Some(format!("<{number}@{}>", self.from.email.domain())))
            .multipart(MultiPart::alternative_plain_html(rendered.text, rendered.html))
            .map_err(never)?;
        match &self.way {
            Way::Smtp(transport) => match transport.send(message).await {
                Ok(_) => Ok(()),
                Err(error) if error.is_permanent() => {
                    Err(SendError::Permanent(format!("the mail server refuses the e-mail: {}", nameless(&error))))
                }
                Err(error) => Err(SendError::Temporary(format!(
                    "the mail server cannot take the e-mail now: {}",
                    nameless(&error)
                ))),
            },
            Way::Folder(folder) => {
                let failed =
                    |error: String| SendError::Temporary(format!("cannot write into {}: {error}", folder.display()));
                tokio::fs::create_dir_all(folder).await.map_err(|error| failed(error.to_string()))?;
                let transport = AsyncFileTransport::<Tokio1Executor>::new(folder);
                transport.send(message).await.map(drop).map_err(|error| failed(error.to_string()))
            }
            Way::Nowhere => {
                Err(SendError::Temporary(format!("there is no mail server: set {}", declared::variable("mail_url"))))
            }
        }
    }
}

/// A server that offers no TLS, or whoever stands in front of it, would be told the password. To this machine itself
/// nobody listens.
fn sends_its_password_in_clear(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let required = url.scheme() == "smtps" || asked(&url).as_deref() == Some("required");
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    url.password().is_some() && !required && !local
}

/// What `mail_url` says of TLS; of several the first, as lettre takes it.
fn asked(url: &url::Url) -> Option<String> {
    url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned())
}

/// What `mail_url` says of TLS, with more certificates to trust.
fn tls(url: &str, ca: &str) -> Result<Tls, String> {
    let unfit = |error: &dyn std::fmt::Display| format!("`mail_ca` holds no certificates in PEM: {error}");
    if !ca.contains("-----BEGIN CERTIFICATE-----") {
        return Err(unfit(&"there is no BEGIN CERTIFICATE"));
    }
    let url = url::Url::parse(url).map_err(|error| error.to_string())?;
    let certificates = Certificate::from_pem(ca.as_bytes()).map_err(|error| unfit(&error))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let parameters = TlsParameters::builder(host).add_root_certificate(certificates);
    let parameters = parameters.build().map_err(|error| unfit(&error))?;
    match (url.scheme(), asked(&url).as_deref()) {
        ("smtps", _) => Ok(Tls::Wrapper(parameters)),
        (_, Some("required")) => Ok(Tls::Required(parameters)),
        (_, Some("opportunistic")) => Ok(Tls::Opportunistic(parameters)),
        _ => Err("`mail_ca` is set, but `mail_url` asks for no TLS: add ?tls=required to it".into()),
    }
}

/// What went wrong, without the addresses that mail servers like to repeat: it is logged.
fn nameless(error: &smtp::Error) -> String {
    let text = error.to_string();
    let words = text.split_whitespace().map(|word| if word.contains('@') { "[address]" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_says_the_way() {
        for (url, fits) in [
            ("", true),
            ("folder:data/mail", true),
            ("smtp://user:word@mail.example.com:587?tls=required", true),
            ("smtps://mail.example.com", true),
            ("smtps://user:word@mail.example.com", true),
            ("smtp://user:word@localhost:1025", true),
            ("smtp://user:word@mail.example.com", false),
            ("smtp://user:word@mail.example.com?tls=opportunistic", false),
            ("smtp://user:word@mail.example.com?tls=opportunistic&tls=required", false),
            ("folder:", false),
            ("http://mail.example.com", false),
            ("smtp://", false),
            ("mail.example.com", false),
        ] {
            let mailer = Mailer::new(url, "Accord <accord@example.com>", None);
            assert_eq!(mailer.is_ok(), fits, "{url}");
        }
        let error = Mailer::new("", "nobody", None).err().expect("refused");
        assert!(error.contains("`mail_from`"), "{error}");
    }

    #[test]
    fn certificates_that_cannot_be_meant_are_refused() {
        let block = |text: &str| format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
        for (url, ca, words) in [
            ("smtps://mail.example.com", "no certificate", "`mail_ca` holds no certificates"),
            ("smtps://mail.example.com", &block("????"), "`mail_ca` holds no certificates"),
            ("smtps://mail.example.com", &block("AAAA"), "`mail_ca` holds no certificates"),
        ] {
            let error = Mailer::new(url, "accord@example.com", Some(ca)).err().expect("refused");
            assert!(error.contains(words), "{error}");
        }
    }
}
