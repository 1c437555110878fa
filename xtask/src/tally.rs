//! Counts tests from what their programs print, and collects what was skipped and why.
//!
//! A test that cannot be done here prints `skipped: ` and the reason, and returns. Its program
//! counts it as passed; we do not.

use std::{collections::BTreeSet, fmt};

/// What a line starts with that tells what was skipped, and why.
const SKIPPED: &str = "skipped:";

/// How many tests there were, by what came of them. Displays as the closing line of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Reads the output of test programs that were run with `--show-output`, line by line.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: Counts,
    /// Why something was skipped: each line once.
    skips: BTreeSet<String>,
    /// The tests that failed.
    failures: Vec<String>,
    /// Within the output of tests that passed.
    among_passed: bool,
    /// The test whose output is being read has said that it was skipped.
    counted_as_skipped: bool,
    /// How many tests of the program that is being read have said so.
    said_skipped: u64,
    /// How many programs have begun, less those that have come to their end.
    unfinished: i64,
}

impl Tally {
    /// Reads a line. Whether it is worth showing: the output of tests that passed is not.
    pub(crate) fn read(&mut self, line: &str) -> bool {
        if let Some(reason) = line.strip_prefix(SKIPPED) {
            self.read_skip(reason);
            return true;
        }
        let result = line.strip_prefix("test result: ");
        if let Some(result) =
            result.and_then(|rest| rest.strip_prefix("ok. ").or(rest.strip_prefix("FAILED. ")))
        {
            self.among_passed = false;
            self.unfinished -= 1;
            self.read_result(result);
            return true;
        }
        match line {
            _ if !self.among_passed && is_beginning(line) => self.unfinished += 1,
            "successes:" => self.among_passed = true,
            "failures:" => self.among_passed = false,
            _ if self.among_passed && line.starts_with("---- ") => self.counted_as_skipped = false,
            _ => self.read_test(line),
        }
        !self.among_passed
    }

    pub(crate) const fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Whether every program that began has said what came of its tests. One that was killed has not.
    pub(crate) const fn is_whole(&self) -> bool {
        self.unfinished == 0
    }

    /// Takes tests that failed for passed, since each passed when it was run again.
    pub(crate) fn forgive(&mut self) -> Vec<String> {
        self.counts.passed += self.counts.failed;
        self.counts.failed = 0;
        std::mem::take(&mut self.failures)
    }

    /// What was skipped and why, each line once and as it was printed.
    pub(crate) fn skips(&self) -> impl Iterator<Item = &str> {
        self.skips.iter().map(String::as_str)
    }

    fn read_skip(&mut self, reason: &str) {
        self.skips.insert(format!("{SKIPPED}{reason}"));
        if self.among_passed && !self.counted_as_skipped {
            self.counted_as_skipped = true;
            self.said_skipped += 1;
        }
    }

    fn read_test(&mut self, line: &str) {
        let Some((name, result)) = line.strip_prefix("test ").and_then(|test| test.split_once(" ... "))
        else {
            return;
        };
        if result == "FAILED" {
            self.failures.push(name.to_owned());
        } else if let Some(reason) = result.strip_prefix("ignored") {
            let reason = reason.trim_start_matches([',', ' ']);
            let reason = if reason.is_empty() { "marked as ignored" } else { reason };
            self.skips.insert(format!("{SKIPPED} {name}: {reason}"));
        }
    }

    /// Reads `3 passed; 0 failed; 1 ignored; …`.
    fn read_result(&mut self, result: &str) {
        let count = |what: &str| {
            let parts = result.split(';').filter_map(|part| part.trim().split_once(' '));
            let mut found =
                parts.filter(|(_, name)| *name == what).filter_map(|(count, _)| count.parse().ok());
            found.next().unwrap_or(0_u64)
        };
        let said = std::mem::take(&mut self.said_skipped);
        self.counts.passed += count("passed").saturating_sub(said);
        self.counts.failed += count("failed");
        self.counts.skipped += count("ignored") + said;
    }
}

/// Whether a line is the first that a program of tests prints: `running 4 tests`.
fn is_beginning(line: &str) -> bool {
    let count = line
        .strip_prefix("running ")
        .and_then(|rest| rest.strip_suffix(" tests").or_else(|| rest.strip_suffix(" test")));
    count.is_some_and(|count| count.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
running 4 tests
test replay::clicks ... ok
test replay::types ... ok
test slow ... ignored, takes a minute
test replay::hovers ... FAILED

successes:

---- replay::clicks stdout ----
skipped: ChromeDriver was not found
skipped: ChromeDriver was not found

---- replay::types stdout ----
test result: is what this test prints

successes:
    replay::clicks
    replay::types

failures:

---- replay::hovers stdout ----
skipped by nobody

failures:
    replay::hovers

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s

running 1 test
test core ... ok

successes:

successes:
    core

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s
";

    fn read(output: &str) -> (Tally, Vec<&str>) {
        let mut tally = Tally::default();
        let shown = output.lines().filter(|line| tally.read(line)).collect();
        (tally, shown)
    }

    #[test]
    fn what_said_that_it_was_skipped_is_not_counted_as_passed() {
        let (tally, _) = read(OUTPUT);
        assert_eq!(tally.counts().to_string(), "2 passed, 1 failed, 2 skipped");
        assert_eq!(tally.failures(), ["replay::hovers"]);
    }

    #[test]
    fn each_reason_is_told_once() {
        let (tally, _) = read(OUTPUT);
        let skips: Vec<_> = tally.skips().collect();
        assert_eq!(skips, ["skipped: ChromeDriver was not found", "skipped: slow: takes a minute"]);
    }

    #[test]
    fn only_the_output_of_tests_that_failed_is_shown() {
        let (_, shown) = read(OUTPUT);
        assert!(shown.contains(&"skipped by nobody"));
        assert!(!shown.contains(&"    replay::clicks"));
    }

    #[test]
    fn a_run_without_tests_counts_nothing() {
        assert_eq!(read("running 0 tests").0.counts(), Counts::default());
    }

    #[test]
    fn a_program_that_was_killed_leaves_the_run_unfinished() {
        assert!(read(OUTPUT).0.is_whole());
        let (killed, _) = read(
            "running 2 tests\ntest one ... ok\nrunning 1 test\ntest two ... FAILED\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored",
        );
        assert!(!killed.is_whole());
    }

    #[test]
    fn what_passed_when_it_was_run_again_counts_as_passed_and_is_named() {
        let (mut tally, _) = read(OUTPUT);
        assert_eq!(tally.forgive(), ["replay::hovers"]);
        assert_eq!(tally.counts().to_string(), "3 passed, 0 failed, 2 skipped");
        assert!(tally.failures().is_empty());
    }
}
