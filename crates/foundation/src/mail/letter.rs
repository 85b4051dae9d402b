//! Letters: what each tells is a type, how it looks are two templates in `letters/`.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a letter tells; its fields are what the templates know.
pub trait Letter: Serialize {
    /// The name of its templates: `letters/NAME.txt`, which has the subject, and `letters/NAME.html`.
    const NAME: &'static str;

    /// The limit on repeated e-mails of this kind to one address.
    const REPEAT: Repeat = Repeat::Dropped;
}

/// The treatment of an e-mail whose address got one of the same kind less than five minutes ago (`tasks::mail_limit`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Dropped: the earlier e-mail serves the same purpose.
    Dropped,
    /// Sent when the pause ends, unless another one waits for that already: a security notice must not be lost,
    /// and all of its kind say the same.
    Delayed,
    /// Sent at once, since each says something else. Only the number per day is limited.
    Sent,
}

/// The settings of the mail server are right.
#[derive(Debug, Serialize, Deserialize)]
pub struct Test {}

impl Letter for Test {
    const NAME: &'static str = "test";
}

/// The password of an account is another one.
#[derive(Debug, Serialize, Deserialize)]
pub struct PasswordChanged {}

impl Letter for PasswordChanged {
    const NAME: &'static str = "password-changed";
    const REPEAT: Repeat = Repeat::Delayed;
}

/// An account has another address. Goes to the old one, and does not tell the new one.
#[derive(Debug, Serialize, Deserialize)]
pub struct EmailChanged {}

impl Letter for EmailChanged {
    const NAME: &'static str = "email-changed";
    const REPEAT: Repeat = Repeat::Delayed;
}

/// Who has an address may set a new password of the account with it.
#[derive(Debug, Serialize, Deserialize)]
pub struct PasswordReset {
    /// Where the code can be typed in, if there is such a page.
    pub page: Option<String>,
    /// When the code expires.
    pub until: String,
}

impl Letter for PasswordReset {
    const NAME: &'static str = "password-reset";
}

/// Who has an address may say so.
#[derive(Debug, Serialize, Deserialize)]
pub struct VerifyEmail {
    /// Where the code can be typed in, if there is such a page.
    pub page: Option<String>,
    /// When the code expires.
    pub until: String,
}

impl Letter for VerifyEmail {
    const NAME: &'static str = "verify-email";
}

/// Who has an address may make an account with it. Says nothing that the inviter has chosen: they may be anyone.
#[derive(Debug, Serialize, Deserialize)]
pub struct Invitation {
    /// Where the code can be typed in, if there is such a page.
    pub page: Option<String>,
    /// When the code expires.
    pub until: String,
}

impl Letter for Invitation {
    const NAME: &'static str = "invitation";
    const REPEAT: Repeat = Repeat::Sent;
}

/// A webhook gets nothing any more.
#[derive(Debug, Serialize, Deserialize)]
pub struct WebhookDisabled {
    /// Its identifier.
    pub id: i64,
    /// What it calls.
    pub host: String,
    /// What it is for.
    pub description: Option<String>,
    /// Why it is disabled.
    pub reason: String,
}

impl Letter for WebhookDisabled {
    const NAME: &'static str = "webhook-disabled";
    const REPEAT: Repeat = Repeat::Sent;
}

/// A letter as it is sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    /// One line.
    pub subject: String,
    /// For who reads no HTML.
    pub text: String,
    /// The same with markup.
    pub html: String,
}

macro_rules! letters {
    ($($letter:ty = $example:expr;)*) => {
        /// Every letter by its name, with something to show in it.
        pub fn examples() -> Vec<(&'static str, Value)> {
            vec![$((<$letter>::NAME, serde_json::to_value::<$letter>($example).expect("a letter is plain data"))),*]
        }
    };
}

/// What stands for a code in a letter that is only looked at.
pub const EXAMPLE_CODE: &str = "QmV0dGVyIG5vdCB0byB1c2UgdGhpcyBvbmUuIEV4YW0";

const UNTIL: &str = "2026-01-02 03:04 UTC";

fn page() -> Option<String> {
    Some("https://app.example.com/page".into())
}

/// A time as letters say it.
pub fn until(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

letters! {
    EmailChanged = EmailChanged {};
    Invitation = Invitation { page: page(), until: UNTIL.into() };
    PasswordChanged = PasswordChanged {};
    PasswordReset = PasswordReset { page: page(), until: UNTIL.into() };
    Test = Test {};
    VerifyEmail = VerifyEmail { page: page(), until: UNTIL.into() };
    WebhookDisabled = WebhookDisabled {
        id: 1,
        host: "example.com".into(),
        description: Some("Tells the search engine".into()),
        reason: "it answered 410 (Gone)".into(),
    };
}

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        const TEMPLATES: &[(&str, &str)] = &[$(($name, include_str!(concat!("letters/", $name)))),*];
    };
}

templates!(
    "email-changed.html",
    "email-changed.txt",
    "invitation.html",
    "invitation.txt",
    "layout.html",
    "layout.txt",
    "password-changed.html",
    "password-changed.txt",
    "password-reset.html",
    "password-reset.txt",
    "test.html",
    "test.txt",
    "verify-email.html",
    "verify-email.txt",
    "webhook-disabled.html",
    "webhook-disabled.txt",
);

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // the default, said because safety hangs on it
    environment
        .set_auto_escape_callback(|name| if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None });
    for (name, text) in TEMPLATES {
        environment.add_template(name, text).expect("the templates are compiled in and tested");
    }
    environment
});

/// Fills the templates of a letter; `code` is for those that have one.
///
/// # Errors
/// There is no such letter, or it does not tell what the templates ask for.
pub fn write(name: &str, data: &Value, sender: &str, code: &str) -> Result<Written, minijinja::Error> {
    let text = ENVIRONMENT.get_template(&format!("{name}.txt"))?;
    let html = ENVIRONMENT.get_template(&format!("{name}.html"))?;
    let known = context! { sender => sender, code => code, ..minijinja::Value::from(Serde(data)) };
    let mut rendered = text.render_captured(known.clone())?;
    let subject = rendered.with_state_mut(|state| state.render_block("subject"))?;
    // what a user has chosen must not begin a header of its own
    let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = rendered.into_output().trim_start().to_owned();
    let html = html.render(context! { subject => subject.as_str(), ..known })?;
    Ok(Written { subject, text, html })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_can_be_written() {
        for (name, data) in examples() {
            let written = write(name, &data, "Accord", EXAMPLE_CODE).expect(name);
            assert!(!written.subject.is_empty() && !written.subject.contains('\n'), "{written:?}");
            assert!(written.text.contains("Accord") && !written.text.contains("{%"), "{written:?}");
            assert!(written.html.contains(&format!("<title>{}</title>", written.subject)), "{written:?}");
        }
        let files = TEMPLATES.iter().filter(|(name, _)| !name.starts_with("layout")).count();
        assert_eq!(files, 2 * examples().len(), "a template without a letter");
    }

    #[test]
    fn what_a_user_has_chosen_is_text() {
        let written = write("test", &serde_json::json!({}), "<b>\r\nBcc: x", EXAMPLE_CODE).expect("writes");
        assert!(written.html.contains("&lt;b&gt;") && !written.html.contains("<b>"), "{written:?}");
        assert_eq!(written.subject, "Mail from <b> Bcc: x arrives");
    }
}
