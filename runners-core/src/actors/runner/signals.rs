//! Signals to a runner: each is carried out once, and answered until the answer is heard.

use crate::values::{
    command::Command as _,
    id::SignalId,
    opaque::Opaque,
    result::Fault,
    signal::{Ping, Pong},
    sync::{SignalAnswer, SignalDelivery, SignalOutcome},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many signals are remembered as carried out.
const SEEN_MAX: usize = 4096;
/// How many answers may wait to be heard; signals beyond that are left for a later reply.
const UNHEARD_MAX: usize = 1000;

/// The signals a runner was sent.
#[derive(Debug, Default)]
pub(super) struct Signals {
    seen: BTreeSet<SignalId>,
    seen_in_order: VecDeque<SignalId>,
    unheard: BTreeMap<SignalId, SignalOutcome>,
}

impl Signals {
    /// Carries a signal out, unless it was before. Answers whether there is a new answer.
    pub(super) fn deliver(&mut self, signal: &SignalDelivery) -> bool {
        if self.unheard.len() >= UNHEARD_MAX || !self.seen.insert(signal.id) {
            return false;
        }
        self.seen_in_order.push_back(signal.id);
        if self.seen_in_order.len() > SEEN_MAX
            && let Some(oldest) = self.seen_in_order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.unheard.insert(signal.id, answer(&signal.kind, &signal.payload));
        true
    }

    /// Forgets an answer that was heard. Answers whether there was one.
    pub(super) fn heard(&mut self, signal: SignalId) -> bool {
        self.unheard.remove(&signal).is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unheard.is_empty()
    }

    /// Every answer that was not heard yet.
    pub(super) fn unheard(&self) -> impl Iterator<Item = SignalAnswer> + '_ {
        self.unheard.iter().map(|(signal, answer)| SignalAnswer { signal: *signal, answer: answer.clone() })
    }
}

fn answer(kind: &str, payload: &Opaque) -> SignalOutcome {
    if kind != Ping::KIND {
        let message = format!("this runner answers no signals of the kind {kind:?}");
        return SignalOutcome::Fault(Fault::permanent("no_responder", message));
    }
    match serde_json::from_slice::<Ping>(payload.as_bytes()) {
        Ok(Ping { text }) => {
            let pong = serde_json::to_vec(&Pong { text }).expect("a text always serialises");
            SignalOutcome::Result(pong.into())
        }
        Err(error) => {
            SignalOutcome::Fault(Fault::permanent("malformed_payload", format!("payload of {kind}: {error}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn signal(number: u16, kind: &str) -> SignalDelivery {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        SignalDelivery {
            id: SignalId::from_bytes(id),
            kind: kind.to_owned(),
            payload: Opaque::new(&br#"{"text":"here?"}"#[..]),
            expires_in: Duration::from_secs(10),
        }
    }

    #[test]
    fn a_ping_is_answered_once_and_until_it_is_heard() {
        let mut signals = Signals::default();
        let ping = signal(1, Ping::KIND);
        assert!(signals.deliver(&ping));
        assert!(!signals.deliver(&ping));
        let answers: Vec<_> = signals.unheard().collect();
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].answer, SignalOutcome::Result(Opaque::new(&br#"{"text":"here?"}"#[..])));
        assert!(signals.heard(ping.id));
        assert!(!signals.deliver(&ping), "heard is not forgotten");
        assert!(signals.is_empty());
    }

    #[test]
    fn a_signal_of_an_unknown_kind_is_answered_by_a_fault() {
        let mut signals = Signals::default();
        signals.deliver(&signal(1, "screenshot"));
        let answer = signals.unheard().next().unwrap().answer;
        assert!(matches!(answer, SignalOutcome::Fault(fault) if fault.code == "no_responder"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut signals = Signals::default();
        for number in 0..=u16::try_from(SEEN_MAX).unwrap() {
            let signal = signal(number, Ping::KIND);
            signals.deliver(&signal);
            signals.heard(signal.id);
        }
        assert_eq!(signals.seen.len(), SEEN_MAX);
        assert_eq!(signals.seen_in_order.len(), SEEN_MAX);
    }
}
