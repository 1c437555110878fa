//! What the checker sees of the exchange between runners and control planes.

use super::{Checker, Parked};
use crate::{
    seams::clock::Clock as _,
    values::{
        id::RunnerId,
        reply::Reply,
        runner::{Incarnation, Mode},
        sync::{SyncAnswer, SyncRequest},
    },
};

/// What runners and control planes say to each other, seen where the control plane stands.
impl Checker {
    /// A request has arrived.
    pub(in super::super) fn arrives(&self, runner: RunnerId, plane: usize, request: &SyncRequest) {
        let now = self.clock.boot();
        let mut state = self.state();
        state.statistics.syncs += 1;
        let newer = state.parked.get(&runner).is_none_or(|parked| parked.seq < request.seq);
        if newer && request.intent == Mode::Serve {
            state.parked.insert(runner, Parked { plane, seq: request.seq, free: request.free, since: now });
        }
    }

    /// A request was answered, or will not be.
    pub(in super::super) fn leaves(&self, runner: RunnerId, seq: u64) {
        let mut state = self.state();
        if state.parked.get(&runner).is_some_and(|parked| parked.seq == seq) {
            state.parked.remove(&runner);
        }
    }

    /// The largest incarnation of a runner that was answered.
    pub(in super::super) fn incarnation(&self, runner: RunnerId) -> Option<Incarnation> {
        self.state().sessions.get(&runner).and_then(|seen| seen.incarnation)
    }

    /// A control plane replies. `before` is the largest incarnation that had been answered when
    /// the request arrived.
    pub(in super::super) fn replies(
        &self,
        runner: RunnerId,
        before: Option<Incarnation>,
        request: &SyncRequest,
        reply: &Reply,
    ) {
        match reply {
            Reply::Answer(answer) => self.answers(runner, before, request, answer),
            Reply::Superseded(_) => self.count(|count| count.superseded += 1),
            Reply::Displaced => {
                self.trace(None, format_args!("{runner} {} is displaced", request.incarnation));
                self.count(|count| count.displaced += 1);
            }
            other => self.trace(None, format_args!("{runner} is replied {other:?}")),
        }
    }

    fn answers(
        &self,
        runner: RunnerId,
        before: Option<Incarnation>,
        request: &SyncRequest,
        answer: &SyncAnswer,
    ) {
        let incarnation = request.incarnation;
        if before.is_some_and(|before| before > incarnation) {
            let detail = format!("{runner} {incarnation} was answered after {before:?}");
            self.violate("a larger incarnation displaces a smaller one, never the reverse", None, detail);
        }
        for offer in &answer.offers {
            let token = offer.token;
            self.trace(Some(token.job), format_args!("{token} is offered to {runner} {incarnation}"));
            let before = self.state().offered.insert(token, incarnation);
            self.count(|count| count.offered_again += u64::from(before.is_some()));
        }
        for token in &answer.fenced {
            self.trace(Some(token.job), format_args!("{token} is fenced, as told by {runner} {incarnation}"));
        }
        for token in &answer.recorded {
            self.trace(
                Some(token.job),
                format_args!("{token} is recorded, as told by {runner} {incarnation}"),
            );
        }
        for token in &answer.lost {
            self.trace(Some(token.job), format_args!("{token} is lost, as told by {runner} {incarnation}"));
        }
        let now = self.clock.boot();
        let mut state = self.state();
        for token in &answer.recorded {
            state.recorded.entry(*token).or_insert((now, incarnation));
        }
        state.statistics.fenced += answer.fenced.len() as u64;
        state.statistics.recorded += answer.recorded.len() as u64;
        state.statistics.lost_told += answer.lost.len() as u64;
        state.statistics.cancels_told += answer.cancel.len() as u64;
        let seen = state.sessions.entry(runner).or_default();
        let takeover = seen.incarnation.is_some_and(|before| before < incarnation);
        seen.incarnation = seen.incarnation.max(Some(incarnation));
        let quiet = request.intent != Mode::Serve;
        let broken = quiet
            && !answer.offers.is_empty()
            && seen.no_more.is_some_and(|(told, seq)| told == incarnation && seq < request.seq);
        if answer.no_more && quiet {
            seen.no_more.get_or_insert((incarnation, request.seq));
        } else if !quiet {
            seen.no_more = None;
        }
        state.statistics.takeovers += u64::from(takeover);
        state.statistics.no_more_told += u64::from(answer.no_more);
        drop(state);
        if broken {
            let detail = format!("{runner} was offered a job after it was told that nothing more comes");
            self.violate(
                "after no_more nothing is offered",
                answer.offers.first().map(|o| o.token.job),
                detail,
            );
        }
    }
}
