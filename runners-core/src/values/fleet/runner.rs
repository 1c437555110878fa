//! Runners as an operator sees them.

use crate::values::{
    id::{PoolId, RunnerId},
    runner::Desired,
    time::Timestamp,
};

/// Which runners are listed.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "callers write `RunnerFilter { pool, ..Default::default() }`")]
pub struct RunnerFilter {
    /// Those of this pool; of every pool unless given.
    pub pool: Option<PoolId>,
}

/// A runner, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunnerView {
    /// The runner.
    pub id: RunnerId,
    /// Its pool.
    pub pool: PoolId,
    /// What it is called.
    pub name: String,
    /// What is wanted of it.
    pub desired: Desired,
    /// When it was registered; the beginning of 1970 if an earlier release did it.
    pub made_at: Timestamp,
}
