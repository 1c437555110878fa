//! The answer to a sync, and whether there is anything to say at all: otherwise the call is parked.

use super::{
    Plane,
    effects::Change,
    session::{Live, Session},
    sync::Arrival,
};
use crate::{
    actors::records::Batch,
    rules::job::{State, StopReason},
    seams::store::StoreError,
    values::{
        id::SignalId,
        lease::FencingToken,
        runner::{Incarnation, Mode},
        sync::{Attached, CancelNotice, Held, Logged, Offer, Phase, SignalDelivery, SyncAnswer, SyncRequest},
        time::BootTime,
    },
};
use std::{sync::Arc, time::Duration};

/// What became of the things that a runner has reported, as the answer tells it.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) recorded: Vec<FencingToken>,
    pub(super) fenced: Vec<FencingToken>,
    pub(super) lost: Vec<FencingToken>,
    pub(super) heard: Vec<SignalId>,
    pub(super) logged: Vec<Logged>,
    pub(super) attached: Vec<Attached>,
    /// An offer was confirmed, which is worth an answer by itself.
    pub(super) confirmed: bool,
    /// When to look again, because something is to be sent once more.
    pub(super) look_again_at: Option<BootTime>,
}

impl Told {
    pub(super) fn extend(&mut self, more: Self) {
        self.recorded.extend(more.recorded);
        self.fenced.extend(more.fenced);
        self.lost.extend(more.lost);
        self.heard.extend(more.heard);
        self.logged.extend(more.logged);
        self.attached.extend(more.attached);
        self.confirmed |= more.confirmed;
    }

    const fn is_worth_an_answer(&self) -> bool {
        self.confirmed
            || !(self.recorded.is_empty()
                && self.fenced.is_empty()
                && self.lost.is_empty()
                && self.heard.is_empty()
                && self.logged.is_empty()
                && self.attached.is_empty())
    }
}

/// The parts of a request that its answer depends on. The rest is dropped before the call is parked, since
/// thousands of calls may be parked for long.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) incarnation: Incarnation,
    pub(super) seq: u64,
    intent: Mode,
    seen_generation: u64,
    has_facts: bool,
    held: Box<[Held]>,
    finished: Box<[FencingToken]>,
    declined: Box<[FencingToken]>,
}

impl Said {
    /// Takes the box as well, which would last as long as the call if only its content were moved.
    pub(super) fn in_request(request: Box<SyncRequest>) -> Self {
        let request = *request;
        Self {
            incarnation: request.incarnation,
            seq: request.seq,
            intent: request.intent,
            seen_generation: request.seen_generation,
            has_facts: request.facts.is_some(),
            held: request.held.into(),
            finished: request.finishes.into_iter().map(|finish| finish.token).collect(),
            declined: request.declined.into_iter().map(|declined| declined.token).collect(),
        }
    }
}

/// Whether there was anything to say.
#[derive(Debug)]
pub(super) enum Answered {
    /// This.
    With(Box<SyncAnswer>),
    /// No: the call is parked, until this time at the latest if there is one.
    Nothing { look_again_at: Option<BootTime> },
}

/// How long after a signal was sent it is sent again, if nothing was heard of it.
const SIGNAL_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// How many bytes of signals go into one reply; the first one goes whatever its size.
const SIGNALS_BYTES_MAX: usize = SyncRequest::BYTES_MAX / 4;

impl Plane {
    /// The answer, if there is anything to say or the wait is `over`. Nothing that was `told` is left otherwise.
    pub(super) async fn answer(
        self: &Arc<Self>,
        session: &Session,
        live: &mut Live,
        said: &Said,
        mut told: Told,
        arrival: Arrival,
        over: bool,
    ) -> Result<Answered, StoreError> {
        if !live.loaded {
            self.load(session.who, live).await?;
        }
        let lost = |token: &FencingToken| live.job(*token).is_none() && !told.recorded.contains(token);
        told.lost = said.held.iter().map(|held| held.token).filter(lost).collect();
        let mut offers = self.offer_again(live, said, arrival).await?;
        let held = said.held.len() - told.lost.len();
        let waits = !over && !told.is_worth_an_answer() && offers.is_empty();
        let room = live.room(held, self.now());
        offers.extend(self.grant(session, live, room, waits, arrival).await?);
        self.renew(live).await?;
        self.end_signals(live).await?;

        let cancel = cancels(live, said);
        let signals = self.signals_to_send(live, &mut told, arrival);
        let desired = live.runner.as_ref().map(|runner| &runner.record.desired);
        let desired = desired.filter(|desired| desired.generation > said.seen_generation).cloned();
        let send_facts = live.seeker.is_none() && !said.has_facts;
        let no_more = live.mode() != Mode::Serve && !live.mine.values().any(|mine| mine.is_offered());
        let has_nothing = said.held.is_empty() && said.finished.is_empty();
        let told_no_more = live.told_no_more && !(has_nothing && said.intent == Mode::Leave);
        let worth_it = told.is_worth_an_answer()
            || !offers.is_empty()
            || !cancel.is_empty()
            || !signals.is_empty()
            || desired.is_some()
            || send_facts
            || (no_more && !told_no_more);
        if !worth_it && !over {
            return Ok(Answered::Nothing { look_again_at: told.look_again_at });
        }
        if no_more {
            self.note_drained(live, has_nothing).await?;
            // Not before: what can fail or be dropped has told the runner nothing.
            live.told_no_more = true;
        }
        let expires_at = live.session.as_ref().map(|session| session.record.expires_at);
        let holds_any = !live.mine.is_empty();
        Ok(Answered::With(Box::new(SyncAnswer {
            seq: said.seq,
            term: expires_at.filter(|_| holds_any).map(|at| at.since(arrival.at)),
            lost: told.lost,
            cancel,
            recorded: told.recorded,
            fenced: told.fenced,
            heard: told.heard,
            logged: told.logged,
            attached: told.attached,
            offers,
            signals,
            desired,
            send_facts,
            no_more,
            spread: self.spans.spread,
            park_max: self.spans.sync_park_max(),
        })))
    }

    /// Offers that the runner does not list: it has not heard of them, or has not yet said so.
    async fn offer_again(
        self: &Arc<Self>,
        live: &mut Live,
        said: &Said,
        arrival: Arrival,
    ) -> Result<Vec<Offer>, StoreError> {
        let listed = |token: FencingToken| {
            said.held.iter().any(|held| held.token == token)
                || said.finished.contains(&token)
                || said.declined.contains(&token)
        };
        let now = self.now();
        let mut again = Vec::new();
        let mut unheard = Vec::new();
        for mine in live.mine.values().filter(|mine| mine.is_offered()) {
            let token = mine.job.record.token();
            if listed(token) {
                continue;
            }
            unheard.push(token.job);
            if mine.told {
                let mut job = mine.job.record.clone();
                job.offer_again(now, self.spans.start_within);
                again.push(Change::of(&mine.job, job));
            }
        }
        if !again.is_empty() {
            live.loaded = false;
            self.commit(Batch::new(), &mut again, now).await?;
            live.loaded = true;
            self.keep(live, &again);
        }
        self.offers(live, unheard, arrival).await
    }

    /// Puts the expiry of the session off, once a third of the term is over.
    async fn renew(&self, live: &mut Live) -> Result<(), StoreError> {
        let Some(session) = live.session.as_ref().filter(|_| !live.mine.is_empty()) else { return Ok(()) };
        let now = self.now();
        if session.record.expires_at >= now + self.spans.term * 2 / 3 {
            return Ok(());
        }
        let (version, mut record) = (session.version, session.record.clone());
        record.expires_at = now + self.spans.term;
        record.ended = false;
        self.write_session(live, version, record, Batch::new(), &[]).await
    }

    fn signals_to_send(&self, live: &mut Live, told: &mut Told, arrival: Arrival) -> Vec<SignalDelivery> {
        let (now, boot) = (self.now(), self.clock.boot());
        let mut signals = Vec::new();
        let mut size = 0;
        // A runner that is held back after a crash loop is granted jobs from then on.
        told.look_again_at = live.held_back(now).map(|until| boot + until.since(now));
        live.signals.retain(|_, pending| pending.signal.record.expires_at > now);
        for pending in live.signals.values_mut() {
            let record = &pending.signal.record;
            let again_at = pending.sent_at.map(|at| at + SIGNAL_AGAIN_AFTER);
            if let Some(again_at) = again_at.filter(|at| *at > boot) {
                told.look_again_at = Some(told.look_again_at.map_or(again_at, |at| at.min(again_at)));
                continue;
            }
            size += record.payload.len();
            if size > SIGNALS_BYTES_MAX && !signals.is_empty() {
                break; // The next reply has the rest, and it is asked for at once.
            }
            pending.sent_at = Some(boot);
            signals.push(SignalDelivery {
                id: record.told_as(),
                kind: record.kind.clone(),
                payload: record.payload.clone(),
                // Counted from when the runner sent the request, like every span on this wire.
                expires_in: record.expires_at.since(arrival.at),
                attempt: record.attempt,
            });
        }
        signals
    }
}

/// Attempts that are to stop and that the runner does not yet report as cancelling or finished.
fn cancels(live: &Live, said: &Said) -> Vec<CancelNotice> {
    let heard = |token: FencingToken| {
        said.held.iter().any(|held| held.token == token && held.phase == Phase::Cancelling)
            || said.finished.contains(&token)
    };
    let stopping = live.mine.values().filter_map(|mine| match mine.job.record.state {
        State::Running { stop: Some(stop), .. } => Some((mine, stop.reason)),
        _ => None,
    });
    stopping
        .filter(|(mine, _)| !heard(mine.job.record.token()))
        .map(|(mine, reason)| CancelNotice {
            token: mine.job.record.token(),
            // An attempt that is over its deadline gets no grace: its time included that.
            grace: if reason == StopReason::Deadline { Duration::ZERO } else { mine.job.record.terms.grace },
            requeue: reason == StopReason::Drained,
        })
        .collect()
}
