//! Runs the cases of the suites against a server.

use std::collections::BTreeSet;
use std::time::Instant;

use futures_util::future::join_all;

use super::case::{Case, Expect, Leg};
use super::cases::cases;
use super::constraint::Constraint;
use super::failure::Failure;
use super::options::Options;
use super::plan::Plan;
use super::report::{LegReport, Report, told};
use super::server::{Base, Server, difference};
use super::setup::Setup;
use super::{access, judge, random};
use crate::document::{Document, Operation};

/// Requests on their way at once, where none of them may change anything.
const AT_ONCE: usize = 8;

/// Runs the suites. Calls `tell` with the text of each failure, and returns the report.
///
/// # Errors
/// A login fails, or the setup file does not fit the document.
pub async fn run(document: &Document, setup: &Setup, options: &Options, tell: impl Fn(&str)) -> Result<Report, String> {
    let plan = Plan { document, setup };
    let faults = setup.faults(document);
    if !faults.is_empty() {
        return Err(faults.join("\n"));
    }
    let mut report = Report::default();
    for leg in &options.legs {
        // each on its own, so that one leg cannot hide what another has done
        let tag = format!("{}{}", &leg.word()[..1], options.tag);
        let connected = Server::connect(&plan, options, &tag).await;
        let server = connected.map_err(|failure| told(failure, "people", "", &[], options).text(&options.address))?;
        let began = Instant::now();
        let mut leg_report = LegReport::new(*leg);
        match leg {
            Leg::Random => random::run(&server, options, &mut leg_report, &tell).await,
            Leg::Access => access::run(&server, options, &mut leg_report, &tell).await,
            leg => derived(&server, *leg, options, &mut leg_report, &tell).await,
        }
        leg_report.requests = server.sent();
        leg_report.seconds = began.elapsed().as_secs_f64();
        report.legs.push(leg_report);
    }
    Ok(report)
}

/// Lists the cases of the suites; sends nothing.
pub fn list(document: &Document, setup: &Setup, options: &Options) -> Vec<Case> {
    let plan = Plan { document, setup };
    let legs = options.legs.iter();
    let of_leg = |leg: &Leg| {
        let operations = document.operations.iter().filter(|operation| options.wants(operation));
        operations.flat_map(|operation| chosen(&plan, *leg, operation, options).0).collect::<Vec<_>>()
    };
    legs.flat_map(of_leg).collect()
}

/// The cases of an operation that are to be run.
fn chosen(plan: &Plan<'_>, leg: Leg, operation: &Operation, options: &Options) -> (Vec<Case>, usize) {
    let (mut cases, skipped) = cases(plan, leg, operation);
    if !options.only.is_empty() {
        cases.retain(|case| options.only.contains(&case.id));
    }
    (cases, skipped)
}

async fn derived(server: &Server<'_>, leg: Leg, options: &Options, report: &mut LegReport, tell: &impl Fn(&str)) {
    for operation in server.plan.document.operations.iter().filter(|operation| options.wants(operation)) {
        let (cases, skipped) = chosen(server.plan, leg, operation, options);
        report.skipped += skipped;
        for case in &cases {
            report.count(&operation.id, check_of(case));
        }
        if cases.is_empty() {
            continue;
        }
        let failures = match leg {
            Leg::Refusals => refused(server, operation, &cases).await,
            _ => accepted(server, operation, &cases).await,
        };
        for (id, failure) in failures {
            let at = cases.iter().find(|case| case.id == id).map_or(operation.at.clone(), |case| case.at.clone());
            let told = told(failure, &id, &at, &[], options);
            tell(&told.text(&options.address));
            report.failures.push(told);
        }
    }
}

/// The check that a case is counted under.
fn check_of(case: &Case) -> &'static str {
    match case.expect {
        Expect::Refused { .. } => case.constraint.check(),
        Expect::Mirrored => "C-HEAD",
        Expect::Allowed => "C-ALLOW",
        Expect::Answered { status: 304, .. } => "C-304",
        _ => match case.constraint {
            Constraint::Example => "C-EXAMPLES",
            Constraint::Default => "C-DEFAULT",
            _ => "C-POS",
        },
    }
}

type Failures = Vec<(String, Failure)>;

/// All cases of one operation on one valid request: nothing of them is written, so the request stays valid.
async fn refused(server: &Server<'_>, operation: &Operation, cases: &[Case]) -> Failures {
    let mut failures = vec![];
    let first = async {
        let base = server.base(operation, None).await?;
        let answer = server.send(operation, &base.draft, &base.word).await?;
        server.success(operation, &answer)
    };
    if let Err(failure) = first.await {
        return vec![(format!("{}/base", operation.id), failure)];
    }
    let fixtures: BTreeSet<Option<String>> = cases.iter().map(|case| case.fixture.clone()).collect();
    for fixture in fixtures {
        let batch: Vec<&Case> = cases.iter().filter(|case| case.fixture == fixture).collect();
        let base = match server.base(operation, fixture.as_deref()).await {
            Ok(base) => base,
            Err(failure) => return vec![(format!("{}/base", operation.id), failure)],
        };
        let before = server.state(&base).await;
        for some in batch.chunks(AT_ONCE) {
            let checked = join_all(some.iter().map(|case| check(server, operation, &base, case))).await;
            let broken = some.iter().zip(checked).filter_map(|(case, checked)| Some((case.id.clone(), checked.err()?)));
            failures.extend(broken);
        }
        let after = server.state(&base).await;
        match (before, after) {
            (Ok(before), Ok(after)) if before == after => {}
            (Ok(_), Ok(_)) => failures.extend(guilty(server, operation, &batch, &failures).await),
            (before, after) => {
                failures.extend(
                    [before, after].into_iter().filter_map(Result::err).map(|f| (format!("{}/state", operation.id), f)),
                );
            }
        }
        if fixture.is_none()
            && let Err(failure) = last(server, operation, &base).await
        {
            failures.push((format!("{}/base", operation.id), failure));
        }
    }
    failures
}

/// The valid request itself, once all that differ from it were refused: it is what they differ from.
async fn last(server: &Server<'_>, operation: &Operation, base: &Base) -> Result<(), Failure> {
    let answer = server.send(operation, &base.draft, &base.word).await?;
    server.success(operation, &answer).map_err(|failure| Failure {
        check: "C-STATE-ON-ERROR".into(),
        sentence: "after requests that were all to be refused, the valid one is no longer accepted".into(),
        ..failure
    })
}

/// The cases that change what can be read, each tried alone; but not those that are known to fail.
async fn guilty(server: &Server<'_>, operation: &Operation, batch: &[&Case], known: &Failures) -> Failures {
    let mut failures = vec![];
    for case in batch.iter().filter(|case| !known.iter().any(|(id, _)| *id == case.id)) {
        let alone = async {
            let base = server.base(operation, case.fixture.as_deref()).await?;
            let before = server.state(&base).await?;
            let draft = server.changed(operation, &base, &case.changes).await?;
            let answer = server.send(operation, &draft, &base.word).await?;
            let after = server.state(&base).await?;
            match difference(&before, &after) {
                None => Ok(()),
                Some(what) => {
                    let sentence = format!("a request that must be refused changes what {what} answers");
                    Err(Failure::of("C-STATE-ON-ERROR", sentence, case.expect.to_string(), &answer))
                }
            }
        };
        if let Err(failure) = alone.await {
            failures.push((case.id.clone(), failure));
        }
    }
    if failures.is_empty() && known.is_empty() {
        let sentence = "requests that were all refused have changed what can be read; none of them does it alone";
        let failure = Failure::without("C-STATE-ON-ERROR", sentence, "the same answers before and after");
        failures.push((format!("{}/state", operation.id), failure));
    }
    failures
}

/// Each case on a valid request of its own, for each of them is written.
async fn accepted(server: &Server<'_>, operation: &Operation, cases: &[Case]) -> Failures {
    let mut failures = vec![];
    let at_once = if operation.method == "GET" { AT_ONCE } else { 2 };
    for some in cases.chunks(at_once) {
        let one = async |case: &Case| {
            let base = server.base(operation, case.fixture.as_deref()).await?;
            check(server, operation, &base, case).await
        };
        let checked = join_all(some.iter().map(one)).await;
        failures.extend(some.iter().zip(checked).filter_map(|(case, checked)| Some((case.id.clone(), checked.err()?))));
    }
    failures
}

/// Sends the request of a case and judges what comes of it.
async fn check(server: &Server<'_>, operation: &Operation, base: &Base, case: &Case) -> Result<(), Failure> {
    let draft = server.changed(operation, base, &case.changes).await?;
    if let Expect::Refused { statuses, .. } = &case.expect
        && statuses.is_empty()
    {
        let sentence = "the document has this constraint, and declares no status that refuses what breaks it";
        let wanted: Vec<String> = case.constraint.statuses().iter().map(u16::to_string).collect();
        return Err(Failure::without("C-UNDOC-STATUS", sentence, wanted.join(" or ")));
    }
    let before = match &case.expect {
        Expect::Accepted if ["PUT", "PATCH"].contains(&operation.method.as_str()) => {
            judge::read(server, operation, base).await?
        }
        _ => None,
    };
    let answer = server.send(operation, &draft, &base.word).await?;
    match &case.expect {
        Expect::Refused { statuses, code, blames } => {
            judge::refusal(server, case, &answer, statuses, code.as_deref(), blames.as_deref())
        }
        Expect::Answered { status, code } => judge::refusal(server, case, &answer, &[*status], code.as_deref(), None),
        Expect::Accepted => {
            server.success(operation, &answer).map_err(|failure| Failure {
                check: "C-POS".into(),
                sentence: "what the document allows is not accepted".into(),
                expected: "a success".into(),
                ..failure
            })?;
            judge::echoes(server, operation, before.as_ref(), &answer)?;
            judge::read_back(server, operation, base, &answer).await
        }
        Expect::Mirrored => {
            let get = server.send(operation, &base.draft, &base.word).await?;
            judge::mirrored(&get, &answer)
        }
        Expect::Understood if [400, 422].contains(&answer.status) => {
            Err(Failure::of("C-POS", "what the document allows is refused", case.expect.to_string(), &answer))
        }
        // what is promised of it stands in the habits, and every exchange is held to them
        Expect::Allowed | Expect::Understood => Ok(()),
    }
}
