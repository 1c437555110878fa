//! How a job shares runners with others: whose turn it is, how many may run at once, and which
//! further pools it falls back to.

use crate::values::time::millis;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The key by which a job shares runners fairly with jobs of other keys.
///
/// Among jobs of the same priority in a pool, the key goes first that has the fewest jobs running there
/// in proportion to its weight; then the key that was granted a job longest ago; then the job that has
/// waited longest. A key that was passed over [`PASSED_OVER_MAX`](Self::PASSED_OVER_MAX) times in a row goes
/// before all others, so that none starves. Jobs without a key take part by their age.
///
/// So weights share slots, not turns: a pool with fewer slots than its keys have weight together cannot share
/// them so, and with a single slot keys of any weight take turns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "users write it as it stands")]
pub struct Fairness {
    /// Such as the customer whom the job is for. The same key of another tenant is another key.
    pub key: String,
    /// How large its share is, as a multiple of that of a key of weight 1: from 1 to
    /// [`Fairness::WEIGHT_MAX`].
    pub weight: u32,
}

impl Fairness {
    /// The largest weight.
    pub const WEIGHT_MAX: u32 = 100;
    /// After how many grants of its pool to other keys it is a key's turn, as long as it has a ready job of the
    /// highest priority.
    pub const PASSED_OVER_MAX: u64 = 100;

    /// The key with a weight of 1.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), weight: 1 }
    }
}

/// How many jobs that name the same key are granted at once, in all pools of the tenant together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "users write it as it stands")]
pub struct Concurrency {
    /// Such as the site that is tested. The same key of another tenant is another key.
    pub key: String,
    /// The job is granted only while fewer than this many are offered or running. At least 1; jobs
    /// may name the same key with different limits.
    pub max: u32,
}

impl Concurrency {
    /// The largest number of keys that one job may name.
    pub const KEYS_MAX: usize = 8;

    /// At most `max` jobs of `key` at once.
    #[must_use]
    pub fn new(key: impl Into<String>, max: u32) -> Self {
        Self { key: key.into(), max }
    }
}

/// A further pool whose runners may take a job that has waited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "users write it as it stands")]
pub struct Fallback {
    /// The pool. The job's own pool, and fallbacks before this one, may still take the job too.
    pub pool: String,
    /// How long the job must have been ready, counted anew for every attempt. Not shorter than that of the
    /// fallback before this one.
    #[serde(rename = "after_ms", with = "millis")]
    pub after: Duration,
}

impl Fallback {
    /// The largest number of pools that one job may fall back to.
    pub const POOLS_MAX: usize = 8;

    /// Runners of `pool`, once the job has been ready for `after`.
    #[must_use]
    pub fn new(pool: impl Into<String>, after: Duration) -> Self {
        Self { pool: pool.into(), after }
    }
}
