//! The same check side by side over the regions of a run.

use super::{Finding, ResultArtifact, ResultState};
use serde::{Deserialize, Serialize};
use serde_json::Number;

/// One check of one page, over all regions of a run in which it was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ComparedCheck {
    /// The page.
    pub url: String,
    /// The check.
    pub name: String,
    /// Whether all regions found the same.
    pub agree: bool,
    /// What each region found, in the order of the run. One that was asked twice stands here twice.
    pub regions: Vec<ComparedRegion>,
}

impl ComparedCheck {
    pub(crate) const fn new(url: String, name: String) -> Self {
        Self { url, name, agree: true, regions: Vec::new() }
    }
}

/// What one region found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ComparedRegion {
    /// The region; none in local mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What it found; nothing while its job has not ended.
    #[serde(rename = "status", default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ResultState>,
    /// Why it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<Number>,
    /// What it left: screenshots among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<ResultArtifact>,
    /// What comparing the regions tells about the check there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
}

impl ComparedRegion {
    /// A region of which nothing is known yet.
    pub(crate) const fn of(region: Option<String>) -> Self {
        Self {
            region,
            state: None,
            error_message: None,
            duration_ms: None,
            artifacts: Vec::new(),
            finding: None,
        }
    }
}
