//! Crash loops: a runner that is started again and again is held back for a while, a longer one each
//! time, so that it does not fail job after job.

use crate::values::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// So many starts within [`WITHIN`] are a crash loop.
pub(crate) const STARTS_MAX: usize = 3;
/// How close together they are.
pub(crate) const WITHIN: Duration = Duration::from_secs(60);
/// How long a runner is held back the first time; it doubles with each one after.
pub(crate) const HOLD: Duration = Duration::from_secs(30);
/// How long it is held back at most.
pub(crate) const HOLD_MAX: Duration = Duration::from_secs(600);
/// After so long without a start, the next time is the first again.
pub(crate) const QUIET: Duration = Duration::from_secs(1800);

/// The starts of a runner, as far as they matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Starts {
    /// The newest starts, oldest first; at most [`STARTS_MAX`].
    recent: Vec<Timestamp>,
    held_until: Timestamp,
    /// How often it was held back without a quiet time between.
    times: u32,
}

impl Starts {
    /// Takes note of a start.
    pub(crate) fn started(&mut self, now: Timestamp) {
        if self.recent.last().is_some_and(|last| now.since(*last) >= QUIET) {
            self.times = 0;
        }
        self.recent.push(now);
        let surplus = self.recent.len().saturating_sub(STARTS_MAX);
        self.recent.drain(..surplus);
        let first = self.recent.first().filter(|_| self.recent.len() == STARTS_MAX);
        if first.is_some_and(|first| now.since(*first) <= WITHIN) {
            let doubled = HOLD.saturating_mul(1 << self.times.min(16));
            self.held_until = now + doubled.min(HOLD_MAX);
            self.times += 1;
            // The next ones are counted anew, or each single start would double the time.
            self.recent.clear();
            self.recent.push(now);
        }
    }

    /// Until when the runner is offered nothing, if it is held back at `now`.
    pub(crate) fn held_back(&self, now: Timestamp) -> Option<Timestamp> {
        // A wall clock that was set back does not hold a runner back for longer.
        (self.held_until > now && self.held_until.since(now) <= HOLD_MAX).then_some(self.held_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_767_225_600_000 + seconds * 1000)
    }

    #[test]
    fn three_starts_within_a_minute_hold_a_runner_back_and_two_do_not() {
        let mut starts = Starts::default();
        for second in [0, 30] {
            starts.started(at(second));
            assert_eq!(starts.held_back(at(second)), None);
        }
        starts.started(at(60));
        assert_eq!(starts.held_back(at(60)), Some(at(90)));
        assert_eq!(starts.held_back(at(90)), None, "it is lifted by itself");
        let mut slow = Starts::default();
        (0..50).for_each(|start| slow.started(at(start * 31)));
        assert_eq!(slow.held_back(at(49 * 31)), None, "that is no crash loop");
    }

    #[test]
    fn the_time_doubles_up_to_its_limit_and_begins_anew_after_a_quiet_time() {
        let mut starts = Starts::default();
        let mut spans = Vec::new();
        for second in 0..20 {
            starts.started(at(second));
            spans.push(starts.held_back(at(second)).map_or(0, |until| until.since(at(second)).as_secs()));
        }
        assert_eq!(spans[2], 30);
        assert_eq!(spans[4], 60);
        assert_eq!(spans.iter().max(), Some(&HOLD_MAX.as_secs()));
        let later = 20 + QUIET.as_secs();
        (0..3).for_each(|second| starts.started(at(later + second)));
        assert_eq!(starts.held_back(at(later + 2)), Some(at(later + 32)));
    }
}
