//! What cargo checks: formatting, clippy, unit tests.

use crate::report::{Failed, Outcome, Report};
use crate::test_output::{Count, failures};
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
    for targets in [&["--lib", "--bins", "--test", "application"][..], &["--doc"]] {
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
