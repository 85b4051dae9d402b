//! `mail`: previews e-mails, and tests the mail server.

use clap::Subcommand;
use lettre::message::Mailbox;

use super::{Failure, open, print};
use crate::config::Config;
use crate::declared;
use crate::mail::message::{self, EmailTemplate};
use crate::mail::transport::Mailer;
use crate::tasks::mail;

/// One subcommand.
#[derive(Subcommand)]
pub enum Step {
    /// Show an e-mail with the contents of an example; without a name, list all
    Preview {
        /// The name of the e-mail
        name: Option<String>,
        /// Show its HTML, for a browser
        #[arg(long)]
        html: bool,
    },
    /// Queue an e-mail to this address; a worker sends it
    Test {
        /// The address
        to: Mailbox,
    },
}

/// Runs it.
pub async fn run(config: &Config, step: Step) -> Result<(), Failure> {
    match step {
        Step::Preview { name: None, .. } => {
            print(&message::declared().iter().map(|email| format!("{}\n", email.name)).collect::<String>())
        }
        Step::Preview { name: Some(name), html } => {
            let Some(email) = EmailTemplate::find(&name) else {
                let names: Vec<&str> = message::declared().iter().map(|email| email.name).collect();
                return Err(Failure::Usage(format!("there is no e-mail `{name}`, only {}", names.join(", "))));
            };
            let sender = Mailer::of(config)?.sender;
            let rendered = email
                .render(&(email.example)(), &sender, message::EXAMPLE_CODE)
                .map_err(|error| Failure::Other(format!("the e-mail `{name}` cannot be rendered: {error}")))?;
            if html {
                return print(&rendered.html);
            }
            print(&format!("Subject: {}\n\n{}", rendered.subject, rendered.text))
        }
        Step::Test { to } => {
            let now = crate::app::now();
            let mut tx = open(config).await?.begin().await?;
            let id = mail::send_unlimited(&mut tx, to, &message::Test {}, now).await?;
            tx.commit().await?;
            print(&format!("task {id} sends it; {} task list tells if it cannot\n", declared::name()))
        }
    }
}
