//! Checks as data: what is asked, what became of it, and why one did not pass. What a check does, and
//! how it is found by its name, is in the seam `checks`.

use crate::values::{
    command::Command,
    result::{Fault, JobResult, Verdict},
    time::{millis, optional_millis},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{fmt, time::Duration};

/// The command to carry out one check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunCheck {
    /// The name under which it is registered.
    pub check: String,
    /// Its input; members that are left out have their defaults.
    #[serde(default)]
    pub input: Map<String, Value>,
    /// How long it may take; [`TIMEOUT`](Self::TIMEOUT) if absent.
    #[serde(
        rename = "timeout_ms",
        default,
        skip_serializing_if = "Option::is_none",
        with = "optional_millis"
    )]
    pub timeout: Option<Duration>,
}

impl RunCheck {
    /// How long a check may take that does not say so.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// Asks for a check with this input.
    ///
    /// # Errors
    /// The input does not become a JSON object: it is no struct and no map.
    pub fn new(check: impl Into<String>, input: &impl Serialize) -> Result<Self, CheckInputError> {
        let refused = |source| CheckInputError { source };
        let input = match serde_json::to_value(input).map_err(|error| refused(Some(error)))? {
            Value::Object(input) => input,
            Value::Null => Map::new(),
            _ => return Err(refused(None)),
        };
        Ok(Self { check: check.into(), input, timeout: None })
    }

    /// Gives it so long.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl Command for RunCheck {
    const KIND: &'static str = "check";
    type Result = CheckResult;
}

/// An input of a check that is no JSON object.
#[derive(Debug, thiserror::Error)]
#[error("the input of a check must be a struct, a map or `()`")]
pub struct CheckInputError {
    source: Option<serde_json::Error>,
}

/// What became of a check. It has the check's name, however the check ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckResult {
    /// The name of the check.
    pub name: String,
    /// How it ended.
    pub state: CheckState,
    /// Why it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What it answered, if that was not `()`. An answer that is no object is its member `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Map<String, Value>>,
    /// How long it took.
    #[serde(rename = "duration_ms", with = "millis")]
    pub duration: Duration,
    /// The names of the artifacts that it left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// The browser engine that it was carried out with, such as `chromium`, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CheckState {
    /// What it looks at is as it should be.
    Passed,
    /// It is not.
    Failed,
    /// The check itself is broken: it panicked, or gave up.
    Errored,
    /// It took longer than it may.
    TimedOut,
}

impl CheckResult {
    /// A result of which no more is known than how the check ended, and how long it took.
    #[must_use]
    pub fn new(name: impl Into<String>, state: CheckState, duration: Duration) -> Self {
        let (message, details, engine) = (None, None, None);
        Self { name: name.into(), state, message, details, duration, artifacts: Vec::new(), engine }
    }

    /// What the check answered, as the type that it answers.
    ///
    /// # Errors
    /// The check answered something else, or nothing.
    pub fn details_as<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        let details = self.details.clone().map_or(Value::Null, Value::Object);
        serde_json::from_value(details)
    }
}

impl JobResult for CheckResult {
    /// Only what passed has passed.
    fn verdict(&self) -> Verdict {
        if self.state == CheckState::Passed { Verdict::Passed } else { Verdict::Failed }
    }
}

impl fmt::Display for CheckResult {
    /// One line: name, state, and the reason if there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            CheckState::Passed => "passed",
            CheckState::Failed => "failed",
            CheckState::Errored => "errored",
            CheckState::TimedOut => "timed out",
        };
        write!(f, "{}: {state}", self.name)?;
        self.message.as_ref().map_or(Ok(()), |message| write!(f, ": {message}"))
    }
}

/// Why a check did not pass, by what that means for its result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// What it looks at is not as it should be.
    #[error("{message}")]
    Failed {
        /// Why, in one line.
        message: String,
    },
    /// The check itself cannot go on.
    #[error("{message}")]
    Errored {
        /// Why, in one line.
        message: String,
    },
    /// Trouble that is nobody's verdict, such as a browser that died. The attempt has no result, and
    /// is tried again if the fault says so.
    #[error("{}", .0.message)]
    Fault(#[from] Fault),
}

impl CheckError {
    /// What it looks at is not as it should be.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into() }
    }

    /// The check itself cannot go on.
    #[must_use]
    pub fn errored(message: impl Into<String>) -> Self {
        Self::Errored { message: message.into() }
    }
}
