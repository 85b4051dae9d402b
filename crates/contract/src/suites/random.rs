//! Random combinations and sequences, the same for the same seed; what fails is made as small as it can be.

mod play;
mod scenario;
mod shrink;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::options::Options;
use super::report::{LegReport, told};
use super::server::Server;
use scenario::Stock;

/// Failures that are made small at most; more of them would only repeat what these tell.
const TOLD: usize = 5;

/// Runs the cases from the seed on.
pub async fn run(server: &Server<'_>, options: &Options, report: &mut LegReport, tell: &impl Fn(&str)) {
    let stock = Stock::of(server.plan, &options.operations);
    for number in 0..options.cases {
        let id = format!("random-{}-{number}", options.seed);
        if !options.only.is_empty() && !options.only.contains(&id) {
            continue;
        }
        // each case from a seed of its own: one that failed is run again without those before it
        let mut random = StdRng::seed_from_u64(options.seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
        let Some(scenario) = stock.scenario(&mut random) else { continue };
        report.count(scenario.operation(), scenario.word());
        server.trail();
        let Err(failure) = play::play(server, &scenario).await else { continue };
        if report.failures.len() >= TOLD {
            report.notes.push(format!("{id}: {} {}", failure.check, failure.sentence));
            continue;
        }
        let small = shrink::shrink(server, scenario, failure).await;
        let before = &small.trail[..small.trail.len().saturating_sub(1)];
        let mut failure = told(small.failure, &id, "", before, options);
        failure.operation = small.scenario.operation().into();
        failure.at = small.scenario.at(server.plan.document);
        failure.again =
            format!("{} --leg random --seed {} --cases {} --only {id}", options.command, options.seed, options.cases);
        tell(&format!("{}\n  {}", failure.text(&options.address), small.scenario));
        report.failures.push(failure);
    }
}
