//! The output of `cargo test`: counts and failures.

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
