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
    /// Those that failed or errored, in order; at most [`FAILED_MAX`](Self::FAILED_MAX).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailedTest>,
}

impl TestSummary {
    /// The most failed tests that are told of one by one.
    pub const FAILED_MAX: usize = 50;
}

/// A test that failed, or could not be carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FailedTest {
    /// Its class, or file.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub class: String,
    /// Its name.
    pub name: String,
    /// What it says, cut at [`MESSAGE_BYTES_MAX`](Self::MESSAGE_BYTES_MAX).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl FailedTest {
    /// The longest message.
    pub const MESSAGE_BYTES_MAX: usize = 500;
}
