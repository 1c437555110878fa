//! How long what has ended is kept.

use crate::values::{
    digest::Digest,
    time::{millis, optional_millis},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a tenant's ended jobs, and what they left, are kept. With a job go its payload,
/// results, history, logs and artifacts; what is still running is never touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "hosts write `Retention { jobs_max, ..Retention::default() }`")]
pub struct Retention {
    /// How long after its end a job is kept; for ever if not given. Thirty days unless said
    /// otherwise, at least a minute.
    #[serde(rename = "concluded_for_ms", with = "optional_millis")]
    pub concluded_for: Option<Duration>,
    /// How many ended jobs are kept, the newest; any number unless given.
    pub jobs_max: Option<u32>,
    /// How long after it was attached an artifact is kept, if its job is kept longer and has
    /// ended; as long as the job unless given, at least a minute.
    #[serde(rename = "artifacts_for_ms", with = "optional_millis")]
    pub artifacts_for: Option<Duration>,
    /// How many artifacts of ended jobs are kept, the newest; any number unless given.
    pub artifacts_max: Option<u32>,
    /// How long the feed of the tenant is kept. A day unless said otherwise, at least a minute.
    #[serde(rename = "events_for_ms", with = "millis")]
    pub events_for: Duration,
}

impl Retention {
    /// The shortest span that may be given.
    pub const SPAN_MIN: Duration = Duration::from_secs(60);

    /// Jobs and artifacts are kept for ever.
    pub const FOREVER: Self = Self {
        concluded_for: None,
        jobs_max: None,
        artifacts_for: None,
        artifacts_max: None,
        events_for: Duration::from_secs(24 * 60 * 60),
    };
}

impl Default for Retention {
    fn default() -> Self {
        Self { concluded_for: Some(Duration::from_secs(30 * 24 * 60 * 60)), ..Self::FOREVER }
    }
}

/// Artifacts that nothing names, as far as it was looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnnamedArtifacts {
    /// How many were looked at.
    pub looked_at: u64,
    /// Those that nothing names, each with its length in bytes. They are removed once nothing has
    /// named them for the grace of the control plane.
    pub unnamed: Vec<(Digest, u64)>,
    /// Where to look on, if there are more.
    pub next: Option<Digest>,
}
