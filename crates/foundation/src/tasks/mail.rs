//! The task that sends a letter: none is lost, and one that is sent twice has one number.

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
use crate::mail::letter::{self, Letter};
use crate::mail::transport::Refusal;

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ForGood(text) => Self::Never(text),
            Refusal::ForNow(text) => Self::Again(text),
        }
    }
}

/// Sends a letter. Written in the transaction of what it tells of.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendMail {
    /// The address.
    to: Mailbox,
    /// [`Letter::NAME`]
    letter: String,
    /// What the letter tells.
    data: Value,
    /// The left part of its `Message-ID`: the same in each try, so that who gets it twice can tell (RFC 5322 section
    /// 3.6.4).
    number: String,
    /// The key of its code, if it has one.
    #[serde(default)]
    code_key: Option<String>,
}

impl SendMail {
    fn new<L: Letter>(to: Mailbox, letter: &L) -> Self {
        let data = serde_json::to_value(letter).expect("a letter is plain data");
        Self { to, letter: L::NAME.into(), data, number: format!("{:032x}", rand::random::<u128>()), code_key: None }
    }

    /// The same with a code in it, and what is stored of that.
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
                Fault::Again("the key of its code is neither SECRET_KEY nor in ACCORD_MORE_SECRET_KEYS".into())
            })?,
            None => String::new(),
        };
        let written = letter::write(&self.letter, &self.data, &app.mailer.sender, &code)
            .map_err(|error| Fault::Never(format!("the letter {} cannot be written: {error}", self.letter)))?;
        Ok(app.mailer.send(self.to, &self.number, written).await?)
    }
}

/// Sends an e-mail once the open transaction is committed, unless the address has reached its limit.
///
/// # Errors
/// 503 when the database is away.
pub async fn send<L: Letter>(tx: &mut Conn, to: Mailbox, letter: &L, now: DateTime<Utc>) -> DbResult<()> {
    if let Some(at) = admit::<L>(tx, &to.email, now).await? {
        enqueue(tx, &SendMail::new(to, letter), at, now).await?;
    }
    Ok(())
}

/// Sends an e-mail with a new code, and returns the hash of the code. Returns `None` if the address has reached its
/// limit: no e-mail is sent.
///
/// # Errors
/// 503 when the database is away.
pub async fn send_with_code<L: Letter>(
    tx: &mut Conn,
    to: Mailbox,
    letter: &L,
    codes: &Codes,
    now: DateTime<Utc>,
) -> DbResult<Option<String>> {
    let Some(at) = admit::<L>(tx, &to.email, now).await? else { return Ok(None) };
    let (mail, code_hash) = SendMail::new(to, letter).with_code(codes);
    enqueue(tx, &mail, at, now).await?;
    Ok(Some(code_hash))
}

/// Sends an e-mail without a limit, and returns the number of its task: for operators on the command line.
///
/// # Errors
/// The database is away.
pub async fn send_unlimited<L: Letter>(tx: &mut Conn, to: Mailbox, letter: &L, now: DateTime<Utc>) -> DbResult<i64> {
    enqueue(tx, &SendMail::new(to, letter), now, now).await
}
