//! What is asked of a recorder, before and while it records, and what it answers. Plain data.

use crate::{engine::Engine, flow::BrowserFlow};
use runners_core::{Command, JobResult};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The command to record a flow: a person drives the browser that its attempt opens, and
/// [steers](SteerRecording) it.
///
/// The job's own time limit counts too. Whichever way it ends, what was recorded is kept as the artifact
/// [`ARTIFACT`](Self::ARTIFACT), also while it goes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "users write `RecordFlow { url, ..Default::default() }`")]
pub struct RecordFlow {
    /// The absolute address of the page that it begins with.
    pub url: String,
    /// What the flow is called. The address of its page if empty.
    #[serde(default)]
    pub name: String,
    /// The size of the page in CSS pixels, width and height; that of the browser if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewport: Option<(u32, u32)>,
    /// The engine to record in; whichever the runner has if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// After how many milliseconds it ends by itself. Half an hour if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_ms: Option<u64>,
}

impl RecordFlow {
    /// The name of the artifact that has the flow so far.
    pub const ARTIFACT: &str = "flow.json";
    /// The longest name in bytes.
    pub const NAME_BYTES_MAX: usize = 200;
    /// The smallest and the largest width and height of a page.
    pub const SIDE: std::ops::RangeInclusive<u32> = 100..=8_192;

    /// Begins at a page.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }
}

impl Command for RecordFlow {
    const KIND: &'static str = "record_flow";
    type Result = RecordedFlow;
}

/// The flow that was recorded.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedFlow {
    /// The flow, to be replayed as it is.
    pub flow: BrowserFlow,
    /// What each of its steps does, in one line.
    pub recorded: Vec<RecordedStep>,
    /// The names of the secrets that it is to be given: what was typed there was not recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// What could not be recorded as it was, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Why the recording ended.
    pub ended: Ended,
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ended {
    /// Somebody stopped it.
    Stopped,
    /// The page that it began with was closed, or the browser.
    Closed,
    /// Its time was over.
    TimeLimit,
    /// The flow has as many steps, or bytes, as a flow may have.
    Full,
    /// The job was cancelled, or its time was over.
    Cancelled,
}

impl JobResult for RecordedFlow {}

/// Steers a recording: a signal to its attempt. Each is answered with the steps that there are then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SteerRecording {
    /// Ends it.
    Stop,
    /// Asks for the steps.
    List,
    /// Takes back what changed the steps last.
    Undo,
    /// Takes a step out.
    Delete {
        /// Its [id](RecordedStep::id).
        step: String,
    },
    /// Puts a step elsewhere.
    Move {
        /// Its id.
        step: String,
        /// Where it is to be, from 0.
        to: usize,
    },
    /// Puts another step in the place of one.
    Edit {
        /// Its id.
        step: String,
        /// The step as the format writes it.
        with: Value,
    },
    /// Adds a step that looks at something.
    Assert {
        /// What is to be so.
        what: Asserted,
        /// Of which element; not needed for an address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        aim: Option<Aim>,
    },
    /// Adds a step that takes a picture.
    Screenshot {
        /// Its name: letters, digits, hyphens and underscores.
        name: String,
    },
    /// Answers the dialog that the page has open.
    Dialog {
        /// Whether it is accepted or dismissed.
        accept: bool,
        /// What is answered to a prompt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },
}

impl Command for SteerRecording {
    const KIND: &'static str = "record_flow.steer";
    type Result = RecordedSteps;
}

/// What a step is to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Asserted {
    /// That an element is to be seen.
    Visible,
    /// That an element says what it says now, or another text.
    Text(Option<String>),
    /// That the page is where it is now.
    Url,
}

/// Which element is meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Aim {
    /// The one at a point of the page, in CSS pixels of its viewport.
    Point {
        /// To the right.
        x: f64,
        /// Down.
        y: f64,
    },
    /// The first one that a selector finds, as a flow writes it.
    Selector(String),
}

/// The steps of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedSteps {
    /// The newest steps, in order; at most [`STEPS_MAX`](Self::STEPS_MAX).
    pub steps: Vec<RecordedStep>,
    /// How many there are.
    pub total: usize,
}

impl RecordedSteps {
    /// The most steps of one answer.
    pub const STEPS_MAX: usize = 150;
    /// The most bytes of all steps of one answer as the format writes them; older ones go without.
    pub const DOCUMENTS_BYTES_MAX: usize = 24 * 1024;
}

impl JobResult for RecordedSteps {}

/// One step of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedStep {
    /// What it is called in this recording, whatever its place.
    pub id: String,
    /// Its place, from 0.
    pub index: usize,
    /// What it does, in one line.
    pub description: String,
    /// The step as the format writes it, where that is short enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Value>,
}
