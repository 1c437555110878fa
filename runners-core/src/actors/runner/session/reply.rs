//! What follows from a reply, or from none.

use super::{Effect, ExitReason, HeldAttempt, LeaseView, Order, Sent, Session, Stop, StopReason};
use crate::{
    actors::{error::with_causes, keeper::Trust, runner::respond::Ask},
    seams::{executor::Executors, observer::Notice, transport::TransportError},
    values::{
        id::SignalId,
        job::JobSpec,
        lease::FencingToken,
        reply::{RefusalCode, Refused, Reply},
        result::Fault,
        runner::{Desired, Mode},
        sync::{Offer, Phase, SignalDelivery, SignalOutcome, SyncAnswer},
        time::BootTime,
    },
};
use std::time::Duration;

impl Session {
    /// Takes what came of the request `seq`. `chance` draws from 0 to 1.
    pub(in super::super) fn answered(
        &mut self,
        seq: u64,
        reply: Result<Reply, TransportError>,
        executors: &Executors,
        now: BootTime,
        chance: &dyn Fn() -> f64,
    ) {
        let Some(sent) = self.calls.remove(&seq) else { return };
        match reply {
            Ok(Reply::Answer(answer)) if answer.seq == seq => self.hear(&sent, *answer, executors, now),
            Ok(Reply::Superseded(superseded)) => {
                self.spoke(superseded.spread, &sent, now);
                if seq == self.seq {
                    self.pacing.said_nothing(sent.asked, now);
                }
            }
            Ok(Reply::Displaced) => self.end(ExitReason::Displaced),
            Ok(Reply::Refused(refused)) => self.end(ExitReason::Refused(refused)),
            Ok(_) => {
                self.cut_off(seq, &sent, "a reply of another kind".to_owned(), Duration::ZERO, now, chance);
            }
            Err(TransportError::Busy { retry_after }) => {
                self.cut_off(seq, &sent, "control plane is busy".to_owned(), retry_after, now, chance);
            }
            Err(error) if error.is_transient() => {
                let parked = !sent.urgent && !sent.given_up;
                if parked {
                    self.pacing.cut(now.since(sent.asked), sent.park_for);
                }
                self.cut_off(seq, &sent, with_causes(&error), Duration::ZERO, now, chance);
            }
            Err(error) => self.end(ExitReason::Refused(refusal(&error))),
        }
        self.settle();
    }

    /// Only trouble of the newest request calls for a retry: an older one is overtaken.
    fn cut_off(
        &mut self,
        seq: u64,
        sent: &Sent,
        error: String,
        retry_after: Duration,
        now: BootTime,
        chance: &dyn Fn() -> f64,
    ) {
        if seq == self.seq && !sent.given_up {
            self.failed(error, retry_after, now, chance);
        }
    }

    fn spoke(&mut self, spread: Duration, sent: &Sent, now: BootTime) {
        self.pacing.answered(spread, now.since(sent.asked));
        if !std::mem::replace(&mut self.connected, true) {
            self.last_error = None;
            self.effects.push(Effect::Tell(Notice::Connected));
        }
    }

    fn hear(&mut self, sent: &Sent, answer: SyncAnswer, executors: &Executors, now: BootTime) {
        self.spoke(answer.spread, sent, now);
        self.pacing.park_max(answer.park_max);
        self.finishes.values_mut().for_each(|ended| ended.answers += 1);
        let seq = answer.seq;
        let fresh = seq >= self.newest;
        self.newest = self.newest.max(seq);
        let mut news = !answer.offers.is_empty() || !answer.signals.is_empty();
        for token in &answer.lost {
            news |= self.lose(*token);
        }
        for token in answer.recorded.iter().chain(&answer.fenced) {
            news |= self.forget(*token);
        }
        for signal in &answer.heard {
            news |= self.signals.heard(*signal);
        }
        news |= self.trails_heard(sent, &answer);
        if let Some(term) = answer.term {
            self.pacing.term(term);
            news |= self.renewed(sent, seq, term, &answer.lost);
        }
        for notice in &answer.cancel {
            news |= self.cancelling(notice.token);
            let why = if notice.requeue { StopReason::Shutdown } else { StopReason::Cancelled };
            let stop = Stop { why, grace: Some(notice.grace) };
            self.effects.push(Effect::Stop(notice.token, stop));
        }
        if let Some(desired) = answer.desired {
            news |= self.desire(desired, now);
        }
        self.facts_wanted = answer.send_facts || (self.facts_wanted && !sent.facts);
        if fresh {
            for offer in answer.offers {
                self.offered(sent, offer, executors, now);
            }
        }
        for signal in answer.signals {
            self.signalled(sent, signal, now);
        }
        if answer.no_more && self.quiet_from.is_some_and(|from| seq >= from) && !self.no_more {
            self.no_more = true;
            news = true;
            self.effects.push(Effect::Tell(Notice::Drained));
        }
        if news { self.pacing.said_something() } else { self.pacing.said_nothing(sent.asked, now) }
    }

    /// The right is gone: the attempt stops, and what it came to is nobody's business.
    fn lose(&mut self, token: FencingToken) -> bool {
        if self.held.remove(&token).is_some() {
            self.winding.insert(token);
            self.trails.remove(&token);
            self.effects.push(Effect::Stop(token, Stop { why: StopReason::Lost, grace: None }));
            return true;
        }
        self.forget(token)
    }

    fn forget(&mut self, token: FencingToken) -> bool {
        let finish = self.finishes.remove(&token).is_some();
        self.sweep(token);
        if finish {
            self.effects.push(Effect::Forget(token));
        }
        self.declined.remove(&token).is_some() || finish
    }

    fn trails_heard(&mut self, sent: &Sent, answer: &SyncAnswer) -> bool {
        let mut news = false;
        for logged in &answer.logged {
            if let Some(trail) = self.trails.get_mut(&logged.token) {
                news |= trail.log.logged(logged.offset);
            }
        }
        for attached in &answer.attached {
            let Some(trail) = self.trails.get_mut(&attached.token) else { continue };
            // One that was replaced after the request was sent is still to be attached.
            let told = trail.attachments.get(&attached.name).is_some_and(|(_, before)| *before < answer.seq);
            if told {
                trail.attachments.remove(&attached.name);
                news = true;
            }
        }
        for (token, number) in &sent.progress {
            if let Some(trail) = self.trails.get_mut(token) {
                trail.progress.take_if(|(newest, _)| newest == number);
            }
        }
        news
    }

    /// A term counts for what this very request listed, from when it was sent.
    fn renewed(&mut self, sent: &Sent, seq: u64, term: Duration, lost: &[FencingToken]) -> bool {
        let trust = Trust::renewed(sent.asked, term);
        let mut news = false;
        for token in sent.listed.iter().filter(|token| !lost.contains(token)) {
            if let Some(held) = self.held.get_mut(token) {
                held.view.trust = held.view.trust.or(trust);
                held.view.renewed_by = held.view.renewed_by.max(seq);
                news |= !std::mem::replace(&mut held.confirmed, true);
            }
        }
        news
    }

    fn desire(&mut self, desired: Desired, now: BootTime) -> bool {
        if desired.generation <= self.desired.generation {
            return false;
        }
        let before = self.mode();
        let told = Notice::DesiredChanged { mode: desired.mode, slots: desired.slots };
        self.effects.push(Effect::Tell(told));
        self.desired = desired;
        self.mode_changed(before);
        self.news.get_or_insert(now);
        true
    }

    fn offered(&mut self, sent: &Sent, offer: Offer, executors: &Executors, now: BootTime) {
        let token = offer.token;
        let trust = Trust::offered(sent.asked, offer.start_within);
        if let Some(held) = self.held.get_mut(&token) {
            held.view.trust = held.view.trust.or(trust);
            return;
        }
        if self.finishes.contains_key(&token) || self.declined.contains_key(&token) {
            return; // The next request says so again.
        }
        self.news.get_or_insert(now);
        match self.taken(offer, trust, executors, now) {
            Ok(order) => {
                let view = LeaseView { trust, renewed_by: 0 };
                let (phase, tenant) = (Phase::Running, order.tenant);
                self.held.insert(token, HeldAttempt { phase, tenant, view, confirmed: false });
                self.effects.push(Effect::Start(Box::new(order)));
                self.used(now);
            }
            Err(why) => {
                self.declined.insert(token, why);
            }
        }
    }

    fn taken(
        &self,
        offer: Offer,
        trust: Trust,
        executors: &Executors,
        now: BootTime,
    ) -> Result<Order, String> {
        let spec: JobSpec = serde_json::from_slice(offer.spec.as_bytes())
            .map_err(|error| format!("specification is not readable: {error}"))?;
        if spec.job != offer.token.job {
            return Err(format!("specification is of {}", spec.job));
        }
        if let (Some(told), Some(named)) = (offer.tenant, spec.tenant)
            && told != named
        {
            return Err(format!("specification is of {named}, and the offer of {told}"));
        }
        if executors.get(&spec.kind).is_none() {
            return Err(format!("no executor for the kind {:?}", spec.kind));
        }
        if trust.until <= now {
            return Err("offer came too late to be started".to_owned());
        }
        if self.free() == 0 {
            let free =
                if self.mode() == Mode::Serve { "no slot is free" } else { "runner takes nothing new" };
            return Err(free.to_owned());
        }
        Ok(Order {
            token: offer.token,
            tenant: offer.tenant,
            attempt: offer.attempt,
            spec,
            spec_bytes: offer.spec,
            signature: offer.signature,
            payload: offer.payload,
            payload_artifact: offer.payload_artifact,
            image: offer.image,
        })
    }

    fn signalled(&mut self, sent: &Sent, signal: SignalDelivery, now: BootTime) {
        let expires_at = sent.asked + signal.expires_in;
        if expires_at <= now || !self.signals.deliver(signal.id) {
            return;
        }
        match signal.attempt.filter(|token| !self.held.contains_key(token)) {
            Some(token) => {
                let fault = Fault::permanent("attempt_ended", format!("{token} has ended"));
                self.responded(signal.id, Some(SignalOutcome::Fault(fault)), now);
            }
            None => self.effects.push(Effect::Respond(Box::new(Ask {
                signal: signal.id,
                kind: signal.kind,
                payload: signal.payload,
                attempt: signal.attempt,
                expires_at,
            }))),
        }
    }

    /// A signal was carried out, or expired before it was.
    pub(in super::super) fn responded(
        &mut self,
        signal: SignalId,
        outcome: Option<SignalOutcome>,
        now: BootTime,
    ) {
        if self.signals.responded(signal, outcome) {
            self.news.get_or_insert(now);
        }
    }
}

/// What a final error of the transport amounts to.
fn refusal(error: &TransportError) -> Refused {
    let code = match error {
        TransportError::Unauthorized(_) => RefusalCode::Expired,
        _ => RefusalCode::Invalid,
    };
    Refused::new(code, error.to_string())
}
