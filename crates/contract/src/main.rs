//! The program `accord-contract`: checks that a server keeps its OpenAPI document.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use accord_contract::{Document, Leg, Options, Setup, coverage, list, matrix, run};
use clap::Parser;

/// Checks that a server keeps its OpenAPI document.
///
/// Sends requests that the document forbids, requests that it just allows, and random mixtures of both, and checks each
/// answer against the document.
#[derive(Parser)]
#[command(after_help = "Exit codes: 0 the server keeps its document, 1 it does not, 2 nothing could be run.")]
struct Arguments {
    /// The URL of the server, with the base path of the document if it has one
    #[arg(long, required_unless_present_any = ["list", "coverage"])]
    url: Option<String>,
    /// The OpenAPI 3.0 document, YAML or JSON
    #[arg(long)]
    document: PathBuf,
    /// The facts that the document does not state: how to log in, what must exist before a request
    #[arg(long)]
    setup: Option<PathBuf>,
    /// The suites to run; without it all of them
    #[arg(long = "leg", value_enum)]
    legs: Vec<Leg>,
    /// The seed of the random cases
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The number of random cases
    #[arg(long, default_value_t = 300)]
    cases: usize,
    /// Only this operation; may be repeated
    #[arg(long = "operation")]
    operations: Vec<String>,
    /// Only this case, as a failure names it; may be repeated
    #[arg(long)]
    only: Vec<String>,
    /// Name the cases, and send nothing
    #[arg(long)]
    list: bool,
    /// Send nothing: compare this file, which ACCORD_CONTRACT_SEEN named in a run, with the answers of the document
    #[arg(long, value_name = "SEEN")]
    coverage: Option<PathBuf>,
    /// The prefix of the names that this run makes up; without it a new one each time
    #[arg(long)]
    tag: Option<String>,
    /// Write the report as JSON, too
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write the results of the suite `access` as Markdown
    #[arg(long)]
    matrix: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match check(Arguments::parse()).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

async fn check(arguments: Arguments) -> Result<usize, String> {
    let document = Document::read(&arguments.document)?;
    if let Some(path) = &arguments.coverage {
        let seen = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let compared = coverage(&document, &seen);
        say(compared.as_ref().unwrap_or_else(|text| text));
        return Ok(usize::from(compared.is_err()));
    }
    let setup = arguments.setup.as_deref().map_or_else(|| Ok(Setup::default()), Setup::read)?;
    let unknown = arguments.operations.iter().find(|id| document.by_id(id).is_none());
    if let Some(id) = unknown {
        return Err(format!("the document has no operation {id}"));
    }
    let options = options(&arguments);
    let cases = list(&document, &setup, &options);
    if arguments.list {
        cases.iter().for_each(|case| say(&format!("{}  {}  #{}", case.id, case.expect, case.at)));
        return Ok(0);
    }
    let random = options.legs.contains(&Leg::Random);
    if !options.only.is_empty() && cases.is_empty() && options.legs.iter().all(|leg| leg.is_listed()) {
        return Err(format!("there is no case {}; --list names all", options.only.join(" or ")));
    }
    if random {
        say(&format!("random: seed {}, {} cases", options.seed, options.cases));
    }
    let report = run(&document, &setup, &options, |failure| say(&format!("{failure}\n"))).await?;
    for leg in &report.legs {
        say(&format!("{}\n", leg.table()));
    }
    for leg in &report.legs {
        leg.notes.iter().for_each(|note| say(&format!("{}: {note}", leg.leg.word())));
        say(&leg.summary());
    }
    if let Some(path) = &arguments.json {
        let text = format!("{:#}\n", report.json(&options.address));
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if let Some(path) = &arguments.matrix {
        let text = matrix(&document, &setup, &report);
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(report.failures())
}

/// Prints a line; who has closed the pipe has read enough.
fn say(text: &str) {
    let _closed = writeln!(std::io::stdout(), "{text}");
}

fn options(arguments: &Arguments) -> Options {
    let mut legs = if arguments.legs.is_empty() { Leg::ALL.to_vec() } else { arguments.legs.clone() };
    legs.sort_unstable();
    legs.dedup();
    let setup = arguments.setup.as_ref().map(|path| format!(" --setup {}", path.display())).unwrap_or_default();
    let url = arguments.url.as_deref().unwrap_or("http://127.0.0.1:3000").trim_end_matches('/');
    Options {
        address: url.into(),
        legs,
        operations: arguments.operations.clone(),
        only: arguments.only.clone(),
        seed: arguments.seed,
        cases: arguments.cases,
        tag: arguments.tag.clone().unwrap_or_else(now),
        command: format!("accord-contract --url {url} --document {}{setup}", arguments.document.display()),
        noted: true,
    }
}

/// Four letters or digits that hardly any other run has.
fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut rest = since.as_micros();
    let mut text = String::new();
    for _ in 0..4 {
        text.push(char::from_digit((rest % 36) as u32, 36).unwrap_or('0'));
        rest /= 36;
    }
    text
}
