//! How often a job is tried again, and after how long.

use crate::values::time::millis;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How often a job is tried again, and after how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "users write `RetryPolicy { attempts_max: 1, ..Default::default() }`"
)]
pub struct RetryPolicy {
    /// The largest number of confirmed attempts that end in a fault, a timeout or, if
    /// [`failed`](Self::failed) is set, a failed verdict. 3 unless said otherwise, from 1 to 100.
    pub attempts_max: u32,
    /// The largest number of attempts that may be lost with their runner; they do not count
    /// against `attempts_max`. 3 unless said otherwise, at most 100.
    pub losses_max: u32,
    /// Whether a failed verdict is tried again. It is not unless said otherwise.
    pub failed: bool,
    /// The wait before the second attempt; it doubles with each one after. One second unless said
    /// otherwise.
    #[serde(rename = "backoff_ms", with = "millis")]
    pub backoff: Duration,
    /// The longest wait. Five minutes unless said otherwise.
    #[serde(rename = "backoff_max_ms", with = "millis")]
    pub backoff_max: Duration,
}

impl RetryPolicy {
    /// The largest value of [`attempts_max`](Self::attempts_max) and
    /// [`losses_max`](Self::losses_max).
    pub const ATTEMPTS_LIMIT: u32 = 100;

    /// One attempt, whatever comes of it; only losses are made good.
    #[must_use]
    pub fn never() -> Self {
        Self { attempts_max: 1, ..Self::default() }
    }

    /// The wait before another attempt after `ended` have ended: exponential, with equal jitter.
    /// `chance` is between 0 and 1.
    #[must_use]
    pub fn wait(&self, ended: u32, chance: f64) -> Duration {
        let doublings = ended.saturating_sub(1).min(20);
        let full = self.backoff.saturating_mul(1 << doublings).min(self.backoff_max);
        full / 2 + (full / 2).mul_f64(chance.clamp(0.0, 1.0))
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: 3,
            losses_max: 3,
            failed: false,
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(300),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_wait_stays_between_half_and_full(ended in 0u32..1000, chance in 0.0f64..=1.0) {
            let policy = RetryPolicy::default();
            let wait = policy.wait(ended, chance);
            prop_assert!(wait >= policy.backoff / 2 && wait <= policy.backoff_max);
        }
    }

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        let policy = RetryPolicy::default();
        let full = |ended| policy.wait(ended, 1.0).as_secs();
        assert_eq!([full(1), full(2), full(3), full(9), full(30)], [1, 2, 4, 256, 300]);
    }
}
