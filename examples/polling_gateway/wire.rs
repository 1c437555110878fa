//! The foreign protocol as it is written: one URL, one envelope, names with a colon. What the names do is left to
//! the gateway and to the seats of its runners.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Every message, both ways.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) name: String,
    /// Milliseconds since 1970.
    pub(crate) timestamp: u64,
    #[serde(default)]
    pub(crate) payload: Map<String, Value>,
}

/// What the runner says of itself when it polls.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Poll {
    pub(crate) system_info: Option<SystemInfo>,
    /// It says farewell.
    pub(crate) disconnect: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct SystemInfo {
    /// `linux 6.1.0`.
    pub(crate) platform: String,
    pub(crate) memory: Memory,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    /// In bytes. Some clients count in fractions of them.
    pub(crate) total: f64,
}

/// How a test or a set-up ended. Fields that only some versions send have defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ended {
    #[serde(rename = "status")]
    pub(crate) ended: EndedAs,
    #[serde(default)]
    pub(crate) duration_ms: f64,
    pub(crate) error: Option<EndedError>,
    #[serde(default)]
    pub(crate) logs: Vec<LogLine>,
    #[serde(default)]
    pub(crate) soft_errors: Vec<Value>,
    /// Sent by version 2: how many screenshots belong to it. They may still be on their way.
    pub(crate) screenshot_count: Option<usize>,
    /// Base64.
    pub(crate) video_data: Option<String>,
    pub(crate) video_filename: Option<String>,
    /// Of a set-up: what a browser keeps, for the tests that come after it.
    pub(crate) storage_state: Option<Value>,
    pub(crate) variables: Option<Map<String, Value>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndedAs {
    Passed,
    Failed,
    Error,
    Timeout,
    Cancelled,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct EndedError {
    #[serde(default)]
    pub(crate) message: String,
    /// Base64.
    pub(crate) screenshot: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LogLine {
    #[serde(default)]
    pub(crate) level: String,
    #[serde(default)]
    pub(crate) message: String,
}

/// A step of a test, as version 2 tells it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepEvent {
    pub(crate) step_index: u32,
    #[serde(default)]
    pub(crate) total_steps: u32,
    #[serde(rename = "status")]
    pub(crate) state: String,
    pub(crate) label: Option<String>,
    pub(crate) error: Option<Value>,
}

/// A picture that a test or a recording has taken.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Screenshot {
    pub(crate) filename: String,
    /// Base64.
    pub(crate) data: String,
}

/// What is heard of a command, by the name after `response:`.
#[derive(Clone, Debug)]
pub(crate) enum Response {
    Progress(String),
    Step(StepEvent),
    Ended(Box<Ended>),
    Screenshot(Screenshot),
    Recorded(Vec<Value>),
    RecordingStopped,
    Pong,
    Error { code: String, message: String },
}

impl Response {
    /// Reads a response. `None` for one that nobody here has a use for.
    pub(crate) fn read(message: &Message) -> Result<Option<Self>, serde_json::Error> {
        let payload = || Value::Object(message.payload.clone());
        let text = |field: &str| message.payload.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
        Ok(Some(match message.name.as_str() {
            "response:test_progress" => Self::Progress(text("step")),
            "response:step_event" => Self::Step(serde_json::from_value(payload())?),
            "response:test_result" | "response:setup_result" => {
                Self::Ended(serde_json::from_value(payload())?)
            }
            "response:screenshot" => Self::Screenshot(serde_json::from_value(payload())?),
            "response:recording_event" => {
                let events = message.payload.get("events").and_then(Value::as_array);
                Self::Recorded(events.cloned().unwrap_or_default())
            }
            "response:recording_stopped" => Self::RecordingStopped,
            "response:pong" => Self::Pong,
            "response:error" => Self::Error { code: text("code"), message: text("message") },
            _ => return Ok(None),
        }))
    }

    /// Which command it answers: its identifier, or the session of a recording.
    pub(crate) fn answers(message: &Message) -> Option<&str> {
        let field = |name| message.payload.get(name).and_then(Value::as_str);
        field("correlationId").or_else(|| field("sessionId"))
    }
}
