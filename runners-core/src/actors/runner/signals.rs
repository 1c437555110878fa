//! Signals to a runner: each is carried out once, and answered until the answer is heard. Who
//! carries one out is left to the actor.

use crate::values::{
    id::SignalId,
    sync::{SignalAnswer, SignalOutcome},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many signals are remembered as carried out.
const SEEN_MAX: usize = 4096;
/// How many answers may wait to be heard; signals beyond that are left for a later reply.
const UNHEARD_MAX: usize = 1000;
/// How many signals are carried out at once; those beyond that are left for a later reply.
const RESPONDING_MAX: usize = 128;

/// The signals a runner was sent.
#[derive(Debug, Default)]
pub(super) struct Signals {
    seen: BTreeSet<SignalId>,
    seen_in_order: VecDeque<SignalId>,
    responding: BTreeSet<SignalId>,
    unheard: BTreeMap<SignalId, SignalOutcome>,
}

impl Signals {
    /// Takes a signal. Answers whether it is to be carried out: it was not before, and there is
    /// room.
    pub(super) fn deliver(&mut self, signal: SignalId) -> bool {
        let full = self.unheard.len() >= UNHEARD_MAX || self.responding.len() >= RESPONDING_MAX;
        if full || !self.seen.insert(signal) {
            return false;
        }
        self.seen_in_order.push_back(signal);
        if self.seen_in_order.len() > SEEN_MAX
            && let Some(oldest) = self.seen_in_order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.responding.insert(signal);
        true
    }

    /// A signal was carried out, or has expired before it was. Answers whether there is a new
    /// answer to tell.
    pub(super) fn responded(&mut self, signal: SignalId, outcome: Option<SignalOutcome>) -> bool {
        let responding = self.responding.remove(&signal);
        match outcome {
            Some(outcome) if responding => self.unheard.insert(signal, outcome).is_none(),
            _ => false,
        }
    }

    /// Forgets an answer that was heard. Answers whether there was one.
    pub(super) fn heard(&mut self, signal: SignalId) -> bool {
        self.unheard.remove(&signal).is_some()
    }

    /// Whether every answer was heard.
    pub(super) fn is_empty(&self) -> bool {
        self.unheard.is_empty()
    }

    /// How many signals are being carried out.
    pub(super) fn responding(&self) -> usize {
        self.responding.len()
    }

    /// Every answer that was not heard yet.
    pub(super) fn unheard(&self) -> impl Iterator<Item = SignalAnswer> + '_ {
        self.unheard.iter().map(|(signal, answer)| SignalAnswer { signal: *signal, answer: answer.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::opaque::Opaque;

    fn signal(number: usize) -> SignalId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(number as u64).to_be_bytes());
        SignalId::from_bytes(id)
    }

    fn outcome() -> Option<SignalOutcome> {
        Some(SignalOutcome::Result(Opaque::new(&b"1"[..])))
    }

    #[test]
    fn a_signal_is_carried_out_once_and_answered_until_it_is_heard() {
        let mut signals = Signals::default();
        assert!(signals.deliver(signal(1)));
        assert!(!signals.deliver(signal(1)), "it is being carried out");
        assert!(signals.responded(signal(1), outcome()));
        assert!(!signals.responded(signal(1), outcome()), "it is answered once");
        assert!(!signals.deliver(signal(1)));
        assert_eq!(signals.unheard().count(), 1);
        assert!(signals.heard(signal(1)));
        assert!(!signals.deliver(signal(1)), "heard is not forgotten");
        assert!(signals.is_empty());
    }

    #[test]
    fn what_is_carried_out_at_once_is_bounded_and_the_rest_comes_later() {
        let mut signals = Signals::default();
        assert!((0..RESPONDING_MAX).all(|number| signals.deliver(signal(number))));
        assert!(!signals.deliver(signal(RESPONDING_MAX)));
        assert!(!signals.responded(signal(0), None), "an expired one has no answer");
        assert!(signals.deliver(signal(RESPONDING_MAX)), "it was left, not lost");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut signals = Signals::default();
        for number in 0..=SEEN_MAX {
            signals.deliver(signal(number));
            signals.responded(signal(number), outcome());
            signals.heard(signal(number));
        }
        assert_eq!(signals.seen.len(), SEEN_MAX);
        assert_eq!(signals.seen_in_order.len(), SEEN_MAX);
    }
}
