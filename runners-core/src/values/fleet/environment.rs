//! Environments: names that lead to where jobs run, so that where that is can change without the
//! submitters.

use crate::values::{id::PoolId, time::Timestamp};
use serde::{Deserialize, Serialize};

/// Where the jobs of an environment run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "who resolves a route decides on every one")]
pub enum Route {
    /// On the operator's runners: those of its shared pools that admit the tenant.
    Hosted,
    /// On the runners of this pool of the tenant.
    Pool(PoolId),
}

/// An environment, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvironmentView {
    /// What jobs call it: unique within its tenant.
    pub name: String,
    /// Where it leads. Jobs that were submitted before it led there stay where they are.
    pub route: Route,
    /// When it was made.
    pub made_at: Timestamp,
}
