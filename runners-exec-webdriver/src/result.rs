//! What a replayed flow leaves: each step with its duration, and why the flow failed if it did.

pub use runners_core::report::StepState;
use runners_core::{JobResult, Verdict};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The result of a flow that was replayed to its end or to its first failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FlowResult {
    /// The title of the flow.
    pub title: String,
    /// Failed if a step failed.
    pub verdict: Verdict,
    /// From the start of the first step to the end of the last, in milliseconds.
    pub duration_ms: u64,
    /// Every step of the flow, in order.
    pub steps: Vec<StepResult>,
    /// What was kept beside the steps' own, such as `final.png`.
    #[serde(default)]
    pub artifacts: Vec<String>,
    /// What went wrong in the page while no step looked, a line each: uncaught errors, errors of the
    /// console, requests that failed, dialogs of popups that were dismissed since no step answers them, dialogs
    /// that were left open at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub page_errors: Vec<String>,
    /// The browser engine that it was replayed in, such as `chromium`, or what the browser calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
}

/// What is left of a flow that was cut short: it was cancelled, ran out of time, or lost its browser. It has no
/// verdict. Of an attempt it is the artifact [`CutShort::ARTIFACT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CutShort {
    /// The title of the flow.
    pub title: String,
    /// What cut it short, and where.
    pub reason: String,
    /// From the start of the first step until it was cut short, in milliseconds.
    pub duration_ms: u64,
    /// Every step of the flow, in order. The one that was under way is [`StepState::CutShort`].
    pub steps: Vec<StepResult>,
    /// As [`FlowResult::page_errors`], as far as they were heard by then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub page_errors: Vec<String>,
    /// As [`FlowResult::engine`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
}

/// How one step went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepResult {
    /// Its place in the flow, from 0.
    pub index: usize,
    /// What its author calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its type as the format writes it, such as `click`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it does, in one line.
    pub description: String,
    /// How it ended.
    pub state: StepState,
    /// How often it was tried again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// How long it took, in milliseconds, with all retries.
    pub duration_ms: u64,
    /// Why it failed, was excused, skipped or cut short, in one line; of a step that passed, what is to be known of it,
    /// such as a mask that no element matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The address of the page on which it failed, or was cut short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_url: Option<String>,
    /// The path of the baseline that its picture was compared with, or should have been, such as
    /// `sign-in/cart-chrome-1280x720.png`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// The names of what was kept of it, such as `steps/03-failed.png`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
}

impl FlowResult {
    /// The step that failed, if one did.
    #[must_use]
    pub fn failure(&self) -> Option<&StepResult> {
        self.steps.iter().find(|step| step.state == StepState::Failed)
    }
}

impl CutShort {
    /// The name of the artifact that has it, as JSON.
    pub const ARTIFACT: &str = "cut-short.json";
}

impl JobResult for FlowResult {
    fn verdict(&self) -> Verdict {
        self.verdict
    }
}

impl fmt::Display for StepResult {
    /// One line: place, state, duration, description, and the reason if there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, state, ms) = (self.index + 1, self.state, self.duration_ms);
        match &self.reason {
            Some(reason) => write!(f, "{number:>3}  {state:<7} {ms:>6} ms  {reason}"),
            None => write!(f, "{number:>3}  {state:<7} {ms:>6} ms  {}", self.description),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}
