//! E-mails: the content of each is a type, its look are two templates that the resource declares with `emails!`.

use chrono::{DateTime, Utc};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Serialize;
use serde_json::Value;

use crate::declared::{self, List, assert_declared};

/// The content of an e-mail; the templates know its fields. [`emails!`](crate::emails) implements it.
pub trait Message: Serialize {
    /// The name of the e-mail.
    const NAME: &'static str;

    /// The limit on repeated e-mails of this kind to one address.
    const REPEAT: Repeat;
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

/// An e-mail that a resource declares.
#[derive(Debug, Clone, Copy)]
pub struct EmailTemplate {
    /// The name: of its files, of `mail preview`, and of the jobs that send it.
    pub name: &'static str,
    /// The template of the plain text, which has the subject, too.
    pub text: &'static str,
    /// The template of the same text with markup.
    pub html: &'static str,
    /// The content of an example.
    pub example: fn() -> Value,
}

assert_declared!(EmailTemplate, "emails: EMAILS");

/// Declares the e-mails of a resource: implements [`Message`] for the types of their contents, and makes the list `EMAILS`
/// for the declaration of the resource. Each has a name, a [`Repeat`] and an example. `emails! { "loan-overdue", Sent =
/// LoanOverdue { title: "Emma".into() }; }` has its templates in `emails/loan-overdue.txt` and `emails/loan-overdue.html`
/// beside the file. The declaration is `RESOURCE` of the same module or another one: `emails! { of super::RESOURCE: … }`; one
/// without them does not compile.
#[macro_export]
macro_rules! emails {
    (of $resource:path: $($emails:tt)*) => {
        $crate::emails! { @list $($emails)* }

        const _: () = $crate::mail::message::EmailTemplate::assert_declared(EMAILS, $resource.emails);
    };
    (@list $($name:literal, $repeat:ident = $message:ident { $($field:tt)* };)*) => {
        $(
            impl $crate::mail::message::Message for $message {
                const NAME: &'static str = $name;
                const REPEAT: $crate::mail::message::Repeat = $crate::mail::message::Repeat::$repeat;
            }
        )*

        /// The e-mails of the resource.
        pub(crate) const EMAILS: &[$crate::mail::message::EmailTemplate] = &[$(
            $crate::mail::message::EmailTemplate {
                name: $name,
                text: include_str!(concat!("emails/", $name, ".txt")),
                html: include_str!(concat!("emails/", $name, ".html")),
                example: || $crate::mail::message::content(&$message { $($field)* }),
            },
        )*];
    };
    ($($emails:tt)*) => {
        $crate::emails! { of RESOURCE: $($emails)* }
    };
}

/// The e-mail of `mail test`: the settings of the mail server are right.
#[derive(Debug, Serialize)]
pub struct Test {}

emails! { @list
    "test", Dropped = Test {};
}

/// The code in an e-mail that is an example.
pub const EXAMPLE_CODE: &str = "QmV0dGVyIG5vdCB0byB1c2UgdGhpcyBvbmUuIEV4YW0";

/// The time in an e-mail that is an example.
pub const EXAMPLE_TIME: &str = "2026-01-02 03:04 UTC";

/// The page in an e-mail that is an example.
pub const EXAMPLE_PAGE: &str = "https://app.example.com/page";

/// Formats a time for an e-mail.
pub fn until(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Returns what the templates know of a message.
pub fn content(message: &impl Serialize) -> Value {
    serde_json::to_value(message).expect("a message is plain data")
}

static DECLARED: List<EmailTemplate> = List::new();

/// Completes the list of e-mails.
pub(crate) fn complete(of_resources: Vec<EmailTemplate>) {
    let mut all = [EMAILS, &of_resources].concat();
    all.sort_by_key(|email| email.name);
    DECLARED.complete(all);
}

/// The e-mails of the application, sorted by name.
pub fn declared() -> &'static [EmailTemplate] {
    DECLARED.get()
}

impl EmailTemplate {
    /// Returns the e-mail with this name, if a resource of the application declares it.
    pub fn find(name: &str) -> Option<&'static Self> {
        declared().iter().find(|email| email.name == name)
    }

    /// Renders the templates; `code` is for e-mails that have one.
    ///
    /// # Errors
    /// A template is invalid, or asks for a value that `data` does not have.
    pub fn render(&self, data: &Value, sender: &str, code: &str) -> Result<Rendered, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // the default, said because safety depends on it
        environment
            .set_auto_escape_callback(|name| if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None });
        environment.add_template("layout.txt", include_str!("emails/layout.txt"))?;
        environment.add_template("layout.html", include_str!("emails/layout.html"))?;
        let (text_name, html_name) = (format!("{}.txt", self.name), format!("{}.html", self.name));
        environment.add_template(&text_name, self.text)?;
        environment.add_template(&html_name, self.html)?;
        let known = context! { sender => sender, code => code, program => declared::name(), ..minijinja::Value::from(Serde(data)) };
        let mut rendered = environment.get_template(&text_name)?.render_captured(known.clone())?;
        let subject = rendered.with_state_mut(|state| state.render_block("subject"))?;
        // a value that a user has chosen must not begin a header of its own
        let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = rendered.into_output().trim_start().to_owned();
        let html = environment.get_template(&html_name)?.render(context! { subject => subject.as_str(), ..known })?;
        Ok(Rendered { subject, text, html })
    }
}

/// The parts of an e-mail that is sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The text with markup.
    pub html: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_rendered_with_subject_and_sender() {
        assert!(declared().len() > EMAILS.len(), "e-mails of resources");
        for email in declared() {
            let rendered = email.render(&(email.example)(), "Accord", EXAMPLE_CODE).expect(email.name);
            assert!(!rendered.subject.is_empty() && !rendered.subject.contains('\n'), "{rendered:?}");
            assert!(rendered.text.contains("Accord") && !rendered.text.contains("{%"), "{rendered:?}");
            assert!(rendered.html.contains(&format!("<title>{}</title>", rendered.subject)), "{rendered:?}");
        }
    }

    #[test]
    fn values_that_a_user_has_chosen_are_text() {
        let rendered = EMAILS[0].render(&serde_json::json!({}), "<b>\r\nBcc: x", EXAMPLE_CODE).expect("renders");
        assert!(rendered.html.contains("&lt;b&gt;") && !rendered.html.contains("<b>"), "{rendered:?}");
        assert_eq!(rendered.subject, "Mail from <b> Bcc: x arrives");
    }
}
