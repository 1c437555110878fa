//! What can be submitted to runners behind the gateway: commands of the foreign protocol as typed jobs of ours.

use runners_core::{Command, JobResult, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Runs a test: code that the runner evaluates in its own process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RunTest {
    /// Names the test. A runner is never given the same one twice at once.
    pub(crate) test_id: String,
    pub(crate) code: String,
    pub(crate) target_url: String,
    /// How long the runner lets it run, in milliseconds. The timeout of the job should be longer.
    pub(crate) timeout_ms: u64,
    /// What a set-up left, as [`RunSetup`] answers it.
    pub(crate) storage_state: Option<Value>,
    pub(crate) setup_variables: Option<Map<String, Value>>,
    /// Fields of the protocol that this gateway does not know, such as `viewport` or `browser`, by their own names.
    pub(crate) more: Map<String, Value>,
}

impl Command for RunTest {
    const KIND: &'static str = "polling.run_test";
    type Result = TestReport;
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TestReport {
    pub(crate) passed: bool,
    pub(crate) duration_ms: u64,
    /// What went wrong, in the runner's words.
    pub(crate) error: Option<String>,
    /// What went wrong in lines that the runner lets fail. A test that has any has not passed.
    pub(crate) soft_errors: Vec<Value>,
    /// The names of its pictures, which are artifacts of the job.
    pub(crate) screenshots: Vec<String>,
}

impl JobResult for TestReport {
    fn verdict(&self) -> Verdict {
        if self.passed && self.soft_errors.is_empty() { Verdict::Passed } else { Verdict::Failed }
    }
}

/// Runs code that prepares a browser for tests, such as by signing in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RunSetup {
    pub(crate) setup_id: String,
    pub(crate) code: String,
    pub(crate) target_url: String,
    pub(crate) timeout_ms: u64,
    pub(crate) more: Map<String, Value>,
}

impl Command for RunSetup {
    const KIND: &'static str = "polling.run_setup";
    type Result = SetupReport;
}

/// What a set-up left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SetupReport {
    pub(crate) passed: bool,
    pub(crate) duration_ms: u64,
    pub(crate) error: Option<String>,
    pub(crate) storage_state: Option<Value>,
    pub(crate) variables: Map<String, Value>,
}

impl JobResult for SetupReport {
    fn verdict(&self) -> Verdict {
        if self.passed { Verdict::Passed } else { Verdict::Failed }
    }
}

/// Records what a person does in a browser on the runner's machine, until [`StopRecording`] or until the person
/// closes it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    pub(crate) target_url: String,
    pub(crate) more: Map<String, Value>,
}

impl Command for Record {
    const KIND: &'static str = "polling.record";
    type Result = Recording;
}

/// What was recorded. The events themselves are the artifact `events.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recording {
    pub(crate) events: usize,
    /// How many came beyond what is kept.
    pub(crate) missing: usize,
}

impl JobResult for Recording {}

/// A signal to a recording: it ends, with what was recorded.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct StopRecording {}

impl Command for StopRecording {
    const KIND: &'static str = "polling.stop_recording";
    type Result = ();
}

/// A signal to a recording: take a picture, which becomes an artifact of the job.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct CaptureScreenshot {}

impl Command for CaptureScreenshot {
    const KIND: &'static str = "polling.capture_screenshot";
    type Result = ();
}

/// A signal to a runner: does the program behind it answer?
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct PingProgram {}

impl Command for PingProgram {
    const KIND: &'static str = "polling.ping";
    type Result = ();
}
