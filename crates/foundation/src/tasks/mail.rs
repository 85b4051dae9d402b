//! The job that sends an e-mail: none is lost, and an e-mail that is sent twice has the same number.

use chrono::{DateTime, Utc};
use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::mail_limit::admit;
use super::store::enqueue;
use super::{Fault, Pool, Task};
use crate::app::App;
use crate::auth::code::{self, Codes};
use crate::db::{Conn, DbResult};
use crate::declared;
use crate::mail::message::{self, EmailTemplate, Message};
use crate::mail::transport::SendError;

impl From<SendError> for Fault {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Permanent(text) => Self::Never(text),
            SendError::Temporary(text) => Self::Again(text),
        }
    }
}

/// Sends an e-mail. The transaction that causes the e-mail inserts this job.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendMail {
    /// The address.
    to: Mailbox,
    /// [`Message::NAME`]. The stored jobs of earlier releases say `letter`.
    #[serde(rename = "letter")]
    email: String,
    /// The content.
    data: Value,
    /// The left part of its `Message-ID`: the same in each try, so that a recipient who gets it twice can tell (RFC 5322 section
    /// 3.6.4).
    number: String,
    /// The key of its code, if it has one.
    #[serde(default)]
    code_key: Option<String>,
}

impl SendMail {
    fn new<M: Message>(to: Mailbox, message: &M) -> Self {
        let data = message::content(message);
        Self { to, email: M::NAME.into(), data, number: format!("{:032x}", rand::random::<u128>()), code_key: None }
    }

    /// Returns the same e-mail with a code in it, and the hash of the code.
    fn with_code(self, codes: &Codes) -> (Self, String) {
        let code = codes.of(codes.key(), &self.number).expect("its own key");
        (Self { code_key: Some(codes.key().into()), ..self }, code::hash(&code))
    }
}

impl Task for SendMail {
    const NAME: &'static str = "send-mail";
    const POOL: Pool = Pool::Mail;
    // for about half a day: mail servers are away for longer than databases
    const ATTEMPTS: i64 = 20;

    async fn run(self, app: &App) -> Result<(), Fault> {
        let code = match &self.code_key {
            Some(key) => app.codes.of(key, &self.number).ok_or_else(|| {
                let variable = declared::variable("more_secret_keys");
                Fault::Again(format!("the key of its code is neither SECRET_KEY nor in {variable}"))
            })?,
            None => String::new(),
        };
        let name = &self.email;
        let template = EmailTemplate::find(name)
            .ok_or_else(|| Fault::Never(format!("no resource declares the e-mail `{name}`")))?;
        let rendered = template
            .render(&self.data, &app.mailer.sender, &code)
            .map_err(|error| Fault::Never(format!("the e-mail `{name}` cannot be rendered: {error}")))?;
        Ok(app.mailer.send(self.to, &self.number, rendered).await?)
    }
}

/// Sends an e-mail once the open transaction is committed, unless the address has reached its limit.
///
/// # Errors
/// 503 when the database is away.
pub async fn send<M: Message>(tx: &mut Conn, to: Mailbox, message: &M, now: DateTime<Utc>) -> DbResult<()> {
    if let Some(at) = admit::<M>(tx, &to.email, now).await? {
        enqueue(tx, &SendMail::new(to, message), at, now).await?;
    }
    Ok(())
}

/// Sends an e-mail to the address of an account, as [`send`]. An address to which no e-mail can be sent gets none.
///
/// # Errors
/// 503 when the database is away.
pub async fn send_to<M: Message>(tx: &mut Conn, email: &str, message: &M, now: DateTime<Utc>) -> DbResult<()> {
    match email.parse() {
        Ok(address) => send(tx, Mailbox::new(None, address), message, now).await,
        Err(_) => Ok(()),
    }
}

/// Sends an e-mail with a new code, and returns the hash of the code. Returns `None` if the address has reached its
/// limit: no e-mail is sent.
///
/// # Errors
/// 503 when the database is away.
pub async fn send_with_code<M: Message>(
    tx: &mut Conn,
    to: Mailbox,
    message: &M,
    codes: &Codes,
    now: DateTime<Utc>,
) -> DbResult<Option<String>> {
    let Some(at) = admit::<M>(tx, &to.email, now).await? else { return Ok(None) };
    let (mail, code_hash) = SendMail::new(to, message).with_code(codes);
    enqueue(tx, &mail, at, now).await?;
    Ok(Some(code_hash))
}

/// Sends an e-mail without a limit, and returns the number of its task: for operators on the command line.
///
/// # Errors
/// The database is away.
pub async fn send_unlimited<M: Message>(tx: &mut Conn, to: Mailbox, message: &M, now: DateTime<Utc>) -> DbResult<i64> {
    enqueue(tx, &SendMail::new(to, message), now, now).await
}
