//! What a region found: one result for each check that it was asked for.

use crate::values::{digest::Digest, time::whole_millis};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};
use std::time::Duration;

/// What became of one check in one region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RegionResult {
    /// The name of the check.
    pub name: String,
    /// What it found.
    #[serde(rename = "status")]
    pub state: ResultState,
    /// What it answered, where that was an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Map<String, Value>>,
    /// Why it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// How long it took, in milliseconds, as the region says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<Number>,
    /// The browser engine it was carried out with, if the region says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// The runner that carried it out, if the region is a pool of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<String>,
    /// What it left, if the region is a pool of ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<ResultArtifact>,
    /// What it left that is not kept here, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

impl RegionResult {
    /// A result with nothing but a name and what was found.
    #[must_use]
    pub fn new(name: impl Into<String>, state: ResultState) -> Self {
        Self {
            name: name.into(),
            state,
            details: None,
            error_message: None,
            duration_ms: None,
            engine: None,
            runner: None,
            artifacts: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// A check that reached no verdict, and why.
    #[must_use]
    pub fn errored(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { error_message: Some(message.into()), ..Self::new(name, ResultState::Error) }
    }

    /// Says how long it took.
    #[must_use]
    pub fn with_duration(mut self, duration: Duration) -> Self {
        self.duration_ms = Some(whole_millis(duration).into());
        self
    }
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "the wire knows these three")]
pub enum ResultState {
    /// What it looks at is as it should be.
    Pass,
    /// It is not.
    Fail,
    /// No verdict was reached.
    Error,
}

/// Bytes that a check left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ResultArtifact {
    /// A relative path.
    pub name: String,
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub length: u64,
    /// Its media type.
    pub media_type: String,
}

impl ResultArtifact {
    /// Names bytes that were kept.
    #[must_use]
    pub fn new(name: impl Into<String>, digest: Digest, length: u64, media_type: impl Into<String>) -> Self {
        Self { name: name.into(), digest, length, media_type: media_type.into() }
    }
}
