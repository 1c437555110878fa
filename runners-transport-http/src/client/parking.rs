//! How long an answer may be held back on this network, learnt from the calls that were cut.

use runners_core::{
    BootTime, FencingToken,
    protocol::{Answered, Reply, Request},
};
use std::time::Duration;

/// So many cuts running are no accident.
const CUTS_MAX: u32 = 3;

/// Below this, parking is not worth its while, and polls are made instead.
const PARK_MIN: Duration = Duration::from_secs(5);

/// A call that ended sooner was not cut for being parked: the other end is just not well.
const CUT_AFTER_MIN: Duration = Duration::from_secs(1);

/// How long what was learnt holds.
const PARK_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// What was learnt.
#[derive(Debug, Default)]
pub(super) struct Parking {
    /// How many parked calls were cut, running.
    cuts: u32,
    /// After how long the soonest of them was cut.
    soonest: Option<Duration>,
    /// The longest park that passes, and until when it is thought so.
    learnt: Option<(Duration, BootTime)>,
    /// Whether it was said.
    said: bool,
    /// What the runner held when it last synced.
    held: Vec<FencingToken>,
}

impl Parking {
    /// The longest park to ask for: nothing for as long as anybody likes, zero for none at all.
    pub(super) fn park_max(&mut self, now: BootTime) -> Option<Duration> {
        let (park_max, until) = self.learnt?;
        if now < until {
            return Some(park_max);
        }
        // One cut is enough to learn it again.
        *self = Self {
            cuts: CUTS_MAX - 1,
            said: self.said,
            held: std::mem::take(&mut self.held),
            ..Self::default()
        };
        None
    }

    /// A parked call was answered. If others were cut no later than this, it proves something.
    pub(super) fn answered(&mut self, after: Duration) {
        if self.soonest.is_some_and(|soonest| after >= soonest) {
            self.cuts = 0;
            self.soonest = None;
        }
    }

    /// A parked call was cut.
    pub(super) fn cut(&mut self, after: Duration, now: BootTime, poll_interval: Duration) {
        if after < CUT_AFTER_MIN {
            return;
        }
        self.cuts += 1;
        let soonest = self.soonest.map_or(after, |soonest| soonest.min(after));
        self.soonest = Some(soonest);
        if self.cuts < CUTS_MAX {
            return;
        }
        let passes = soonest.mul_f64(0.8);
        let park_max = if passes < PARK_MIN { Duration::ZERO } else { passes };
        self.cuts = 0;
        self.soonest = None;
        self.learnt = Some((park_max, now + PARK_AGAIN_AFTER));
        if std::mem::replace(&mut self.said, true) {
            return;
        }
        let cut_after = soonest.as_secs();
        if park_max.is_zero() {
            let poll_interval = poll_interval.as_secs();
            tracing::warn!(
                cut_after,
                poll_interval,
                "something in between cuts parked calls: polling instead"
            );
        } else {
            let park_for = park_max.as_secs();
            tracing::warn!(cut_after, park_for, "something in between cuts parked calls: parking for less");
        }
    }

    /// Whether an answer to `request` must not be kept waiting even if it tells nothing new: it
    /// confirms something. Takes note of what a runner holds.
    pub(super) fn is_urgent(&mut self, request: &Request) -> bool {
        let Request::Sync(sync) = request else { return false };
        let held: Vec<FencingToken> = sync.held.iter().map(|held| held.token).collect();
        let changed = held != self.held;
        self.held = held;
        changed || !(sync.finishes.is_empty() && sync.declined.is_empty() && sync.answers.is_empty())
    }
}

/// Whether a control plane that may hold answers back would have held this one back.
pub(super) fn tells_nothing(reply: &Reply) -> bool {
    match reply {
        Reply::Answer(answer) => {
            let told = [
                answer.lost.is_empty(),
                answer.cancel.is_empty(),
                answer.recorded.is_empty(),
                answer.fenced.is_empty(),
                answer.heard.is_empty(),
                answer.logged.is_empty(),
                answer.attached.is_empty(),
                answer.offers.is_empty(),
                answer.signals.is_empty(),
                answer.desired.is_none(),
                !answer.send_facts,
                !answer.no_more,
            ];
            told.into_iter().all(|nothing| nothing)
        }
        Reply::Job(job) => job.conclusion().is_none(),
        Reply::Answered(answered) => matches!(answered, Answered::Waiting),
        Reply::Log(page) => page.chunks.is_empty() && !page.ended,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::{protocol::Held, testing::samples};

    const POLL: Duration = Duration::from_secs(3);

    fn at(seconds: u64) -> BootTime {
        BootTime::from_duration(Duration::from_secs(seconds))
    }

    fn cut(parking: &mut Parking, times: u32, after: u64) {
        for _ in 0..times {
            parking.cut(Duration::from_secs(after), at(0), POLL);
        }
    }

    #[test]
    fn three_early_cuts_running_lead_to_polls() {
        let mut parking = Parking::default();
        cut(&mut parking, 2, 4);
        assert_eq!(parking.park_max(at(0)), None);
        cut(&mut parking, 1, 6);
        assert_eq!(parking.park_max(at(0)), Some(Duration::ZERO));
    }

    #[test]
    fn three_late_cuts_running_lead_to_shorter_parks() {
        let mut parking = Parking::default();
        cut(&mut parking, 3, 15);
        assert_eq!(parking.park_max(at(0)), Some(Duration::from_secs(12)));
        cut(&mut parking, 3, 5);
        assert_eq!(parking.park_max(at(0)), Some(Duration::ZERO));
    }

    #[test]
    fn a_call_that_was_held_as_long_as_those_cut_ends_the_row() {
        let mut parking = Parking::default();
        cut(&mut parking, 2, 4);
        parking.answered(Duration::from_secs(1));
        parking.answered(Duration::from_secs(4));
        cut(&mut parking, 2, 4);
        assert_eq!(parking.park_max(at(0)), None);
        parking.answered(Duration::from_secs(3));
        cut(&mut parking, 1, 4);
        assert_eq!(parking.park_max(at(0)), Some(Duration::ZERO));
    }

    #[test]
    fn a_server_that_is_not_well_is_no_cut() {
        let mut parking = Parking::default();
        for _ in 0..9 {
            parking.cut(Duration::from_millis(999), at(0), POLL);
        }
        assert_eq!(parking.park_max(at(0)), None);
    }

    #[test]
    fn parking_is_tried_again_and_one_cut_ends_the_try() {
        let mut parking = Parking::default();
        cut(&mut parking, 3, 4);
        assert_eq!(parking.park_max(at(599)), Some(Duration::ZERO));
        assert_eq!(parking.park_max(at(600)), None);
        parking.cut(Duration::from_secs(4), at(600), POLL);
        assert_eq!(parking.park_max(at(601)), Some(Duration::ZERO));
        assert_eq!(parking.park_max(at(1200)), None);
    }

    #[test]
    fn an_answer_that_confirms_something_is_not_kept_waiting() {
        let mut parking = Parking::default();
        let mut sync = samples::sync_idle(1);
        assert!(!parking.is_urgent(&Request::Sync(Box::new(sync.clone()))));
        let token = FencingToken { job: runners_core::JobId::from_bytes([1; 16]), grant: 1 };
        sync.held = vec![Held { token, phase: Default::default() }];
        let holding = Request::Sync(Box::new(sync));
        assert!(parking.is_urgent(&holding), "a new attempt waits to be confirmed");
        assert!(!parking.is_urgent(&holding), "it is confirmed");
    }

    #[test]
    fn only_what_would_have_been_held_back_tells_nothing() {
        let silent: Vec<&str> = samples::replies()
            .into_iter()
            .filter(|(_, reply)| tells_nothing(reply))
            .map(|(name, _)| name)
            .collect();
        let expected = [
            "answer-empty",
            "answered-waiting",
            "job",
            "job-scheduled",
            "job-blocked",
            "job-ready",
            "job-offered",
            "job-running",
        ];
        assert_eq!(silent, expected);
    }
}
