//! How fast a runner may speak: waits after errors, waits after answers that say nothing, and how
//! long it lets a call be parked. Pure; what is said is left to the session.

use crate::values::{sync::SyncRequest, time::BootTime};
use std::time::Duration;

/// How long a call may be parked, unless said otherwise.
pub(super) const PARK: Duration = Duration::from_secs(20);
/// The term that is assumed until one is told.
const TERM: Duration = Duration::from_secs(180);
/// The spread that is assumed until one is told.
const SPREAD: Duration = Duration::from_secs(1);
/// The smallest spread that is taken: below it, a refused connection would be tried without end.
const SPREAD_MIN: Duration = Duration::from_millis(100);
/// The shortest park that is learnt.
const PARK_LEARNT_MIN: Duration = Duration::from_secs(5);
/// A call that fails sooner than this was not cut while it was parked.
const CUT_AFTER_MIN: Duration = Duration::from_secs(1);
/// How many cuts of about the same length teach a shorter park.
const CUTS_TO_LEARN: usize = 3;
/// How many answers may come at once and say nothing before the next call waits.
const EMPTY_ANSWERS_MAX: u32 = 3;
/// An answer sooner than this came at once; and how long the next call then waits.
const PACE: Duration = Duration::from_secs(1);

/// How fast a runner may speak.
#[derive(Debug)]
pub(super) struct Pacing {
    park: Duration,
    park_max: Duration,
    learnt: Option<Duration>,
    cuts: Vec<Duration>,
    spread: Duration,
    term: Duration,
    failures: u32,
    empty_answers: u32,
    not_before: Option<BootTime>,
}

impl Pacing {
    pub(super) fn new(park: Duration) -> Self {
        Self {
            park: park.min(SyncRequest::PARK_MAX),
            park_max: SyncRequest::PARK_MAX,
            learnt: None,
            cuts: Vec::new(),
            spread: SPREAD,
            term: TERM,
            failures: 0,
            empty_answers: 0,
            not_before: None,
        }
    }

    /// How long the next call may be parked.
    pub(super) fn park_for(&self) -> Duration {
        self.park.min(self.park_max).min(self.learnt.unwrap_or(self.park))
    }

    /// Before when nothing is sent after an error.
    pub(super) const fn not_before(&self) -> Option<BootTime> {
        self.not_before
    }

    /// After an error: full jitter over a doubling span, `retry_after` at least. `chance` is from
    /// 0 to 1. Answers the wait.
    pub(super) fn failed(&mut self, now: BootTime, retry_after: Duration, chance: f64) -> Duration {
        let spread = self.spread.max(SPREAD_MIN);
        let span = spread.saturating_mul(1 << self.failures.min(16)).min(self.term / 4);
        self.failures = self.failures.saturating_add(1);
        let wait = span.mul_f64(chance.clamp(0.0, 1.0)).max(retry_after);
        self.not_before = Some(now + wait);
        wait
    }

    /// A parked call was cut by something in between after `waited`.
    pub(super) fn cut(&mut self, waited: Duration, park_for: Duration) {
        if waited < CUT_AFTER_MIN || waited >= park_for {
            return;
        }
        let near = self.cuts.first().is_none_or(|first| waited.abs_diff(*first) <= *first / 5);
        if !near {
            self.cuts.clear();
        }
        self.cuts.push(waited);
        if self.cuts.len() >= CUTS_TO_LEARN {
            let shortest = self.cuts.iter().min().copied().unwrap_or(waited);
            self.learnt = Some(shortest.mul_f64(0.8).max(PARK_LEARNT_MIN));
            self.cuts.clear();
        }
    }

    /// After an answer, or word that a later call took the place of this one.
    pub(super) fn answered(&mut self, spread: Duration, waited: Duration) {
        self.spread = spread;
        self.failures = 0;
        self.not_before = None;
        if self.cuts.first().is_some_and(|cut| waited > *cut + *cut / 5) {
            self.cuts.clear();
        }
    }

    pub(super) fn park_max(&mut self, park_max: Duration) {
        self.park_max = park_max;
    }

    pub(super) fn term(&mut self, term: Duration) {
        self.term = term;
    }

    /// An answer said nothing. When several in a row came at once, the next call waits, so that
    /// two sides that misunderstand each other do not keep each other busy.
    pub(super) fn said_nothing(&mut self, asked: BootTime, now: BootTime) {
        if now.since(asked) >= PACE {
            self.empty_answers = 0;
            return;
        }
        self.empty_answers = self.empty_answers.saturating_add(1);
        if self.empty_answers > EMPTY_ANSWERS_MAX {
            self.not_before = Some(now + PACE);
        }
    }

    pub(super) fn said_something(&mut self) {
        self.empty_answers = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: BootTime = BootTime::from_duration(Duration::from_secs(1000));

    #[test]
    fn the_wait_is_full_jitter_over_a_doubling_span_up_to_a_quarter_of_the_term() {
        let mut pacing = Pacing::new(PARK);
        let spans: Vec<_> = (0..9).map(|_| pacing.failed(NOW, Duration::ZERO, 1.0).as_secs()).collect();
        assert_eq!(spans, [1, 2, 4, 8, 16, 32, 45, 45, 45]);
        assert_eq!(pacing.failed(NOW, Duration::ZERO, 0.0), Duration::ZERO);
        assert_eq!(pacing.failed(NOW, Duration::from_secs(7), 0.0), Duration::from_secs(7));
        pacing.answered(SPREAD, Duration::ZERO);
        assert_eq!(pacing.failed(NOW, Duration::ZERO, 1.0), SPREAD);
    }

    #[test]
    fn three_cuts_near_each_other_teach_a_shorter_park() {
        let mut pacing = Pacing::new(PARK);
        for millis in [10_000, 9_800, 10_100] {
            assert_eq!(pacing.park_for(), PARK);
            pacing.cut(Duration::from_millis(millis), PARK);
        }
        assert_eq!(pacing.park_for(), Duration::from_millis(7840));
    }

    #[test]
    fn cuts_of_other_lengths_and_a_call_that_lasted_longer_teach_nothing() {
        let mut pacing = Pacing::new(PARK);
        for secs in [10, 4, 18, 10, 10] {
            pacing.cut(Duration::from_secs(secs), PARK);
        }
        pacing.answered(SPREAD, Duration::from_secs(15));
        pacing.cut(Duration::from_secs(10), PARK);
        pacing.cut(Duration::from_millis(10), PARK);
        assert_eq!(pacing.park_for(), PARK);
    }

    #[test]
    fn a_learnt_park_is_never_below_its_minimum() {
        let mut pacing = Pacing::new(PARK);
        for _ in 0..3 {
            pacing.cut(Duration::from_secs(2), PARK);
        }
        assert_eq!(pacing.park_for(), PARK_LEARNT_MIN);
    }

    #[test]
    fn answers_at_once_that_say_nothing_slow_the_next_call_down() {
        let mut pacing = Pacing::new(PARK);
        for _ in 0..EMPTY_ANSWERS_MAX {
            pacing.said_nothing(NOW, NOW);
            assert_eq!(pacing.not_before(), None);
        }
        pacing.said_nothing(NOW, NOW);
        assert_eq!(pacing.not_before(), Some(NOW + PACE));
    }
}
