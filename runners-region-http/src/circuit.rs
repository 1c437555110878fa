//! When a region that fails again and again is left alone, and when it is tried again: a rule, which
//! is given the time. What counts as a failure is decided by who calls.

use runners_core::BootTime;
use std::time::Duration;

/// How many failures in a row open a circuit.
const FAILURES_MAX: u32 = 5;
/// How long a circuit is open at first.
const OPEN_FOR: Duration = Duration::from_secs(5);
/// How long it is open at most, as it doubles with every probe that fails.
const OPEN_FOR_MAX: Duration = Duration::from_secs(5 * 60);

/// Whether a region is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Circuit {
    failures: u32,
    opened: Option<Opened>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Opened {
    until: BootTime,
    span: Duration,
    probing: bool,
}

/// What a call is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Call.
    Call,
    /// Find out first whether the region is back, and tell.
    Probe,
    /// Another call finds out: wait until it has, and ask again.
    Await,
    /// Do not call for so long.
    Wait(Duration),
}

impl Circuit {
    pub(crate) fn admit(&mut self, now: BootTime) -> Admission {
        match &mut self.opened {
            None => Admission::Call,
            Some(opened) if now < opened.until => Admission::Wait(opened.until.since(now)),
            Some(opened) if opened.probing => Admission::Await,
            Some(opened) => {
                opened.probing = true;
                Admission::Probe
            }
        }
    }

    /// The region answered.
    pub(crate) const fn succeeded(&mut self) {
        self.failures = 0;
        self.opened = None;
    }

    /// The region did not answer, or is out of order.
    pub(crate) fn failed(&mut self, now: BootTime) {
        self.failures = self.failures.saturating_add(1);
        match self.opened {
            // A call that began before the circuit opened says nothing new.
            Some(opened) if !opened.probing => {}
            Some(opened) => self.open(now, opened.span.saturating_mul(2).min(OPEN_FOR_MAX)),
            None if self.failures >= FAILURES_MAX => self.open(now, OPEN_FOR),
            None => {}
        }
    }

    /// The probe was given up: the next call makes another.
    pub(crate) const fn gave_up_probe(&mut self) {
        if let Some(opened) = &mut self.opened {
            opened.probing = false;
        }
    }

    /// How long it is open yet.
    pub(crate) fn left(&self, now: BootTime) -> Duration {
        self.opened.map_or(Duration::ZERO, |opened| opened.until.since(now))
    }

    /// Whether it is open.
    pub(crate) const fn is_open(&self) -> bool {
        self.opened.is_some()
    }

    fn open(&mut self, now: BootTime, span: Duration) {
        self.opened = Some(Opened { until: now + span, span, probing: false });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> BootTime {
        BootTime::from_duration(Duration::from_secs(seconds))
    }

    fn open() -> Circuit {
        let mut circuit = Circuit::default();
        (0..FAILURES_MAX).for_each(|_| circuit.failed(at(0)));
        circuit
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let mut circuit = Circuit::default();
        for _ in 0..3 {
            (1..FAILURES_MAX).for_each(|_| circuit.failed(at(0)));
            assert_eq!(circuit.admit(at(0)), Admission::Call);
            circuit.succeeded();
        }
        assert_eq!(open().admit(at(1)), Admission::Wait(Duration::from_secs(4)));
    }

    #[test]
    fn one_probe_finds_out_and_the_others_wait() {
        let mut circuit = open();
        assert_eq!(circuit.admit(at(5)), Admission::Probe);
        assert_eq!(circuit.admit(at(5)), Admission::Await);
        circuit.gave_up_probe();
        assert_eq!(circuit.admit(at(5)), Admission::Probe);
        circuit.succeeded();
        assert_eq!(circuit.admit(at(5)), Admission::Call);
        assert!(!circuit.is_open());
    }

    #[test]
    fn it_stays_open_twice_as_long_with_every_probe_that_fails_up_to_a_limit() {
        let mut circuit = open();
        let (mut now, mut span) = (at(0), OPEN_FOR);
        for _ in 0..20 {
            assert_eq!(circuit.admit(now), Admission::Wait(span));
            // What ends late does not prolong it.
            circuit.failed(now);
            now = now + span;
            assert_eq!(circuit.admit(now), Admission::Probe);
            circuit.failed(now);
            span = (span * 2).min(OPEN_FOR_MAX);
        }
        assert_eq!(span, OPEN_FOR_MAX);
    }
}
