//! The name of an exclusive right: a job, and the number of its grant.

use crate::values::id::JobId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names one grant of one job. The number grows with every offer, started or not, so that a
/// stale holder is told apart from the present one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "a token is these two numbers and nothing else")]
pub struct FencingToken {
    /// The job.
    pub job: JobId,
    /// The number of the grant, from 1.
    pub grant: u64,
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.job, self.grant)
    }
}
