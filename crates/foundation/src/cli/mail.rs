//! `accord mail …`: how letters look, and whether they arrive.

use clap::Subcommand;
use lettre::message::Mailbox;

use super::{Failure, open, print};
use crate::config::Config;
use crate::declared;
use crate::mail::letter;
use crate::mail::transport::Mailer;
use crate::tasks::mail;

/// One subcommand.
#[derive(Subcommand)]
pub enum Step {
    /// Show a letter with made-up contents; without a name, list all
    Preview {
        /// Which one
        name: Option<String>,
        /// Its HTML, for a browser
        #[arg(long)]
        html: bool,
    },
    /// Ask for a letter to this address; a worker sends it
    Test {
        /// Who gets it
        to: Mailbox,
    },
}

/// Runs it.
pub async fn run(config: &Config, step: Step) -> Result<(), Failure> {
    match step {
        Step::Preview { name: None, .. } => {
            print(&letter::examples().iter().map(|(name, _)| format!("{name}\n")).collect::<String>())
        }
        Step::Preview { name: Some(name), html } => {
            let examples = letter::examples();
            let names: Vec<&str> = examples.iter().map(|(name, _)| *name).collect();
            let Some((_, data)) = examples.iter().find(|(known, _)| *known == name) else {
                return Err(Failure::Usage(format!("there is no letter `{name}`, only {}", names.join(", "))));
            };
            let sender = Mailer::of(config)?.sender;
            let written = letter::write(&name, data, &sender, letter::EXAMPLE_CODE)
                .map_err(|error| Failure::Other(error.to_string()))?;
            if html {
                return print(&written.html);
            }
            print(&format!("Subject: {}\n\n{}", written.subject, written.text))
        }
        Step::Test { to } => {
            let now = crate::app::now();
            let mut tx = open(config).await?.begin().await?;
            let id = mail::send_unlimited(&mut tx, to, &letter::Test {}, now).await?;
            tx.commit().await?;
            print(&format!("task {id} sends it; {} task list tells if it cannot\n", declared::name()))
        }
    }
}
