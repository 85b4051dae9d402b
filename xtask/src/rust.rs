//! What cargo checks: formatting, clippy, unit tests.

use crate::report::{Failed, Outcome, Report};
use crate::{contract, run};

/// `cargo xtask fmt`
pub fn fmt() -> Outcome {
    let ended = run::keeping_stdout(&mut run::cargo(["fmt", "--all", "--check"]))?;
    if !ended.success {
        let text = format!("{}\nthe sources are not formatted: run `cargo fmt`", ended.stdout.trim_end());
        return Err(Failed::new(0, 1, text).into());
    }
    Ok(Report::passed(1, "formatted"))
}

/// `cargo xtask lint`
pub fn lint() -> Outcome {
    let arguments = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    let ended = run::keeping_stdout(&mut run::cargo(arguments))?;
    if !ended.success {
        return Err(Failed::new(0, 1, "clippy names the places above").into());
    }
    Ok(Report::passed(1, "no warnings"))
}

#[derive(clap::Args, Default)]
pub struct TestArguments {
    /// Run only the tests whose names contain one of these
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// Run the contract tests on SQLite instead
    #[arg(long)]
    e2e: bool,
}

/// `cargo xtask test`
pub fn test(TestArguments { filters, e2e }: TestArguments) -> Outcome {
    if e2e {
        return contract::run_filtered(filters);
    }
    let (mut passed, mut failed, mut output) = (0, 0, String::new());
    for targets in [&["--lib", "--bins", "--test", "application", "--test", "bookshelf"][..], &["--doc"]] {
        // all packages at once, here as in the other tasks: cargo then builds what they share with one set of features
        let mut command = run::cargo(["test", "--workspace", "--no-fail-fast"]);
        command.args(targets).arg("--").args(&filters);
        let ended = run::keeping_stdout(&mut command)?;
        let count = Count::of(&ended.stdout);
        passed += count.passed;
        if !ended.success {
            // a test that does not compile is not counted
            failed += count.failed.max(1);
            output.push_str(&failures(&ended.stdout));
        }
    }
    if failed > 0 {
        let text = format!("{output}\na unit test fails, or does not compile (see above)");
        return Err(Failed::new(passed, failed, text).into());
    }
    Ok(Report::passed(passed, format!("{passed} unit tests")))
}

/// The sums of all `test result:` lines.
#[derive(Debug, Default, PartialEq)]
pub struct Count {
    pub passed: usize,
    pub failed: usize,
}

impl Count {
    pub fn of(stdout: &str) -> Self {
        let number = |line: &str, word: &str| -> usize {
            let before = line.split(word).next().unwrap_or_default();
            before.split_whitespace().last().and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        let results = stdout.lines().filter(|line| line.starts_with("test result:"));
        results.fold(Self::default(), |sum, line| Self {
            passed: sum.passed + number(line, " passed"),
            failed: sum.failed + number(line, " failed"),
        })
    }
}

/// The output without the lines of the tests that passed.
pub fn failures(stdout: &str) -> String {
    let passed = |line: &str| line.starts_with("test ") && line.ends_with(" ... ok");
    let empty = |line: &str| line.starts_with("test result: ok") || line.starts_with("running ");
    let kept = stdout.lines().filter(|line| !passed(line) && !empty(line)).collect::<Vec<_>>().join("\n");
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_all_test_binaries_are_added() {
        let stdout = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\n\
            test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n\
            test result: ok. 20 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out\n";
        assert_eq!(Count::of(stdout), Count { passed: 21, failed: 1 });
        assert!(failures(stdout).starts_with("test b ... FAILED"));
    }
}
