//! What is asked of an orchestrator: checks, each with an input and a region.

use super::OrchestrationOptions;
use crate::values::time::optional_millis;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// Checks that are to be carried out in regions. It is read from JSON, and checked, by
/// [`from_json`](Self::from_json).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OrchestrationRequest {
    /// From 1 to [`RUNNERS_MAX`](Self::RUNNERS_MAX) checks. The same one may stand there twice.
    pub runners: Vec<AskedCheck>,
    /// Where they are carried out.
    pub mode: OrchestrationMode,
    /// How many jobs may be under way at once; all of them unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u64>,
    /// How long the whole run may take, in milliseconds on the wire; for ever unless given.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_millis")]
    pub timeout: Option<Duration>,
    /// Words by which runs are found again. At most [`TAGS_MAX`](Self::TAGS_MAX).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The name of the run, chosen by the caller: a repeat of the same request under it is the same
    /// run. One is made unless given.
    #[serde(rename = "runId", default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// What goes beyond the wire's own members: how regions are counted, and tried again.
    #[serde(default, skip_serializing_if = "OrchestrationOptions::is_default")]
    pub options: OrchestrationOptions,
}

impl OrchestrationRequest {
    /// The largest number of checks in one request.
    pub const RUNNERS_MAX: usize = 10_000;
    /// The largest number of checks of one page in one region.
    pub const CHECKS_PER_JOB_MAX: usize = 500;
    /// The largest number of tags.
    pub const TAGS_MAX: usize = 50;
    /// The largest name of a check, a region or a tag, in bytes.
    pub const NAME_BYTES_MAX: usize = 200;
    /// The largest address, in bytes.
    pub const URL_BYTES_MAX: usize = 8 << 10;
    /// The largest name of a run, in bytes.
    pub const RUN_ID_BYTES_MAX: usize = 200;
    /// The largest request, in bytes of JSON: 3 MiB.
    pub const BYTES_MAX: usize = 3 << 20;
    /// The largest number and the longest time in milliseconds: what every reader of JSON can hold.
    pub const NUMBER_MAX: u64 = (1 << 53) - 1;
    /// Names that a run cannot have, because other things stand there on the wire.
    pub const RESERVED: [&str; 3] = ["docs", "spec.json", "orchestrator"];

    /// A request to carry checks out in regions.
    #[must_use]
    pub fn remote(runners: impl IntoIterator<Item = AskedCheck>) -> Self {
        Self::new(OrchestrationMode::Remote, runners)
    }

    /// A request to carry checks out where the orchestrator is.
    #[must_use]
    pub fn local(runners: impl IntoIterator<Item = AskedCheck>) -> Self {
        Self::new(OrchestrationMode::Local, runners)
    }

    fn new(mode: OrchestrationMode, runners: impl IntoIterator<Item = AskedCheck>) -> Self {
        Self {
            runners: runners.into_iter().collect(),
            mode,
            concurrency: None,
            timeout: None,
            tags: Vec::new(),
            run_id: None,
            options: OrchestrationOptions::default(),
        }
    }
}

/// Where the checks of a request are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "the wire knows these two")]
pub enum OrchestrationMode {
    /// Where the orchestrator is. Regions are not looked at.
    Local,
    /// In the region that each check names.
    Remote,
}

/// One check that is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AskedCheck {
    /// The name under which the region knows it.
    pub name: String,
    /// The region; not looked at in local mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Its input. The member `url` says which page it looks at, and must be there.
    #[serde(default)]
    pub input: Map<String, Value>,
}

impl AskedCheck {
    /// Asks for a check of a page.
    #[must_use]
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        let input = Map::from_iter([("url".to_owned(), Value::String(url.into()))]);
        Self { name: name.into(), region: None, input }
    }

    /// Has it carried out in this region.
    #[must_use]
    pub fn in_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Gives it one more member of input.
    #[must_use]
    pub fn with_input(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.input.insert(name.into(), value.into());
        self
    }

    /// The page it looks at, as the input says; empty if that is no text.
    #[must_use]
    pub fn url(&self) -> &str {
        self.input.get("url").and_then(Value::as_str).unwrap_or_default()
    }
}
