//! `coverage SEEN`: compares the answers that a run has seen with those that the document promises.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use contract_tests::{cells, document};

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: coverage FILE, where FILE is what a run with ACCORD_CONTRACT_SEEN=FILE has written");
        return ExitCode::from(2);
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{path}: {error}; run the tests with ACCORD_CONTRACT_SEEN={path}");
            return ExitCode::from(2);
        }
    };
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    let seen: BTreeSet<(&str, &str, &str)> =
        lines.iter().filter_map(|line| Some((*line.first()?, *line.get(1)?, *line.get(2)?))).collect();
    // the server's own faults are provoked once for all operations
    let fault_seen =
        seen.iter().any(|(_, status, media_type)| status.starts_with('5') && media_type.ends_with("problem+json"));
    let is_seen = |(operation, status, media_type): &(String, String, String)| match status.as_str() {
        "5XX" => fault_seen,
        status => seen.contains(&(operation, status, media_type)),
    };

    let mut exchanges: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &lines {
        *exchanges.entry(line[0]).or_default() += 1;
    }
    let promised = cells(document());
    println!("{:20} {:>9} {:>10}  unseen", "operation", "answers", "exchanges");
    for operation in &document().operations {
        let (ours, count) =
            (promised.iter().filter(|cell| cell.0 == operation.id), exchanges.get(operation.id.as_str()));
        let unseen: Vec<_> = ours.clone().filter(|cell| !is_seen(cell)).map(|cell| cell.1.as_str()).collect();
        println!("{:20} {:>9} {:>10}  {}", operation.id, ours.count(), count.unwrap_or(&0), unseen.join(" "));
    }
    let unseen: Vec<_> = promised.iter().filter(|cell| !is_seen(cell)).collect();
    let (operations, all) = (document().operations.len(), promised.len());
    if unseen.is_empty() {
        println!("{operations} operations, {all} documented answers, all seen in {} exchanges", lines.len());
        return ExitCode::SUCCESS;
    }
    println!("\nThe document promises answers that nothing has provoked:");
    for (operation, status, media_type) in &unseen {
        println!("  {operation} {status} {media_type}");
    }
    println!("Add a test to contract-tests that provokes each, or take it out of the document.");
    println!("{} of {all} documented answers were not seen", unseen.len());
    ExitCode::FAILURE
}
