//! What a container that ran to its end leaves: its exit code, and what its JUnit file tells.

use runners_core::{JobResult, Verdict};
use serde::{Deserialize, Serialize};

/// What became of a container that ended by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ContainerResult {
    /// What its program ended with; 0 has passed.
    pub exit_code: i64,
    /// The image as it was asked for.
    pub image: String,
    /// The image as the engine knows it, by its content.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image_id: String,
    /// The image by its digest in its registry, as `name@sha256:…`, if it is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// What its JUnit file tells, if the job names one and it was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestSummary>,
    /// How many files of its output folder became artifacts.
    pub artifacts: usize,
    /// What is worth knowing, in sentences: files that were left out, or that it ran out of something.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl JobResult for ContainerResult {
    fn verdict(&self) -> Verdict {
        if self.exit_code == 0 { Verdict::Passed } else { Verdict::Failed }
    }
}

/// What a JUnit file tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TestSummary {
    /// How many tests there are.
    pub total: usize,
    /// How many failed.
    pub failed: usize,
    /// How many could not be carried out.
    pub errored: usize,
    /// How many were left out.
    pub skipped: usize,
    /// Each test, in order: of those that failed or errored at most [`FAILED_MAX`](Self::FAILED_MAX), of the
    /// others at most [`OTHERS_MAX`](Self::OTHERS_MAX).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<TestCase>,
}

impl TestSummary {
    /// The most failed tests that are told of one by one.
    pub const FAILED_MAX: usize = 100;
    /// The most others that are.
    pub const OTHERS_MAX: usize = 200;

    /// The tests that failed, or could not be carried out, as far as they are told.
    pub fn failures(&self) -> impl Iterator<Item = &TestCase> {
        self.cases.iter().filter(|case| case.state.is_failure())
    }
}

/// One test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TestCase {
    /// Its class, or file.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub class: String,
    /// Its name.
    pub name: String,
    /// How it ended.
    pub state: TestState,
    /// How long it took, in milliseconds, if that was written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What it says, cut at [`MESSAGE_BYTES_MAX`](Self::MESSAGE_BYTES_MAX).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl TestCase {
    /// The longest message, and the longest name.
    pub const MESSAGE_BYTES_MAX: usize = 500;
}

/// How a test ended, from the best to the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "JUnit knows no other")]
pub enum TestState {
    /// It passed.
    #[default]
    Passed,
    /// It was left out.
    Skipped,
    /// It failed.
    Failed,
    /// It could not be carried out.
    Errored,
}

impl TestState {
    /// Whether it failed, or could not be carried out.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Errored)
    }
}
