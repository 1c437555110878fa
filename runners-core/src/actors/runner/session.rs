//! One runner's side of the sync protocol as a state machine: what it knows, when it speaks, and
//! what follows from what it is told. Pure: it takes the time and chance, and answers effects.
//! Carrying them out (calls, attempts, disk) is left to the actor around it.

mod body;
mod effect;
mod reply;
mod tenure;
#[cfg(test)]
mod tests;
mod timing;
mod trail;

pub(super) use effect::{Effect, LeaseView, Next, Order, Settled, Stop, StopReason};
pub(super) use tenure::Tenure;

use super::{ExitReason, pacing::Pacing, signals::Signals};
use crate::values::{
    digest::Digest,
    id::TenantId,
    lease::FencingToken,
    outcome::Outcome,
    runner::{Desired, Facts, Incarnation, Mode},
    sync::{Finish, Phase},
    time::BootTime,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use timing::Sent;
use trail::Trail;

/// What a stop leaves, after its grace, for telling what ended.
const STOP_SLACK: Duration = Duration::from_secs(3);

/// One runner's side of the sync protocol.
#[derive(Debug)]
pub(super) struct Session {
    incarnation: Incarnation,
    facts: Facts,
    facts_digest: Digest,
    facts_wanted: bool,
    seq: u64,
    newest: u64,
    calls: BTreeMap<u64, Sent>,
    held: BTreeMap<FencingToken, HeldAttempt>,
    /// Attempts whose lease is gone and that have not stopped yet: they take a slot, nothing else.
    winding: BTreeSet<FencingToken>,
    declined: BTreeMap<FencingToken, String>,
    finishes: BTreeMap<FencingToken, Ended>,
    trails: BTreeMap<FencingToken, Trail>,
    signals: Signals,
    intent: Mode,
    tenure: Tenure,
    desired: Desired,
    /// The first request that said that nothing new is taken.
    quiet_from: Option<u64>,
    no_more: bool,
    stop_by: Option<BootTime>,
    pacing: Pacing,
    connected: bool,
    last_error: Option<String>,
    /// Since when there is news that is told at once.
    news: Option<BootTime>,
    /// Since when there is something to tell that may be gathered.
    murmur: Option<BootTime>,
    effects: Vec<Effect>,
    exit: Option<ExitReason>,
}

#[derive(Clone, Copy, Debug)]
struct HeldAttempt {
    phase: Phase,
    /// Whose job it is, if it is hosted.
    tenant: Option<TenantId>,
    view: LeaseView,
    confirmed: bool,
}

#[derive(Clone, Debug)]
struct Ended {
    finish: Finish,
    /// How many answers have come since.
    answers: u32,
    /// It is of an earlier start, so it is not held by this one.
    spooled: bool,
}

impl Session {
    pub(super) fn new(incarnation: Incarnation, facts: Facts, pacing: Pacing, spooled: Vec<Finish>) -> Self {
        let ended = |finish: Finish| (finish.token, Ended { finish, answers: 0, spooled: true });
        Self {
            incarnation,
            facts_digest: facts.digest(),
            facts,
            facts_wanted: true,
            seq: 0,
            newest: 0,
            calls: BTreeMap::new(),
            held: BTreeMap::new(),
            winding: BTreeSet::new(),
            declined: BTreeMap::new(),
            finishes: spooled.into_iter().map(ended).collect(),
            trails: BTreeMap::new(),
            signals: Signals::default(),
            intent: Mode::Serve,
            tenure: Tenure::default(),
            desired: Desired::default(),
            quiet_from: None,
            no_more: false,
            stop_by: None,
            pacing,
            connected: false,
            last_error: None,
            news: None,
            murmur: None,
            effects: Vec::new(),
            exit: None,
        }
    }

    /// Takes the effects that have gathered.
    pub(super) fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Why the session is over, once it is.
    pub(super) const fn exit_reason(&self) -> Option<&ExitReason> {
        self.exit.as_ref()
    }

    /// Says what the host wants: serve, drain or leave.
    pub(super) fn intend(&mut self, intent: Mode, now: BootTime) {
        if self.stop_by.is_none() && self.intent != intent {
            let before = self.mode();
            self.intent = intent;
            self.mode_changed(before);
            self.news.get_or_insert(now);
            self.settle();
        }
    }

    /// Stops: what runs is cancelled, and the session is over once that is told, or when `grace`
    /// and a little more have passed.
    pub(super) fn stop(&mut self, grace: Duration, now: BootTime) {
        self.intend(Mode::Leave, now);
        self.stop_by = Some(now + grace + STOP_SLACK);
        self.news.get_or_insert(now);
        self.stop_all(Some(grace));
        self.settle();
    }

    /// Is over at once, because of what the actor met.
    pub(super) fn end(&mut self, reason: ExitReason) {
        if self.exit.is_none() {
            self.exit = Some(reason);
            self.stop_all(None);
        }
    }

    /// What the runner says of itself.
    pub(super) const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Changes what the runner says of itself, but for what it was started with.
    pub(super) fn change_facts(&mut self, mut facts: Facts, now: BootTime) {
        facts.slots = self.facts.slots;
        facts.kinds.clone_from(&self.facts.kinds);
        if facts != self.facts {
            self.facts_digest = facts.digest();
            self.facts = facts;
            self.facts_wanted = true;
            self.news.get_or_insert(now);
        }
    }

    /// How many signals are being carried out.
    pub(super) fn responding(&self) -> usize {
        self.signals.responding()
    }

    /// What the lease of an attempt is worth, if it is held.
    pub(super) fn lease(&self, token: FencingToken) -> Option<LeaseView> {
        self.held.get(&token).map(|held| held.view)
    }

    /// Has a request sent that renews every lease. Answers the newest one that went before it.
    pub(super) fn renew(&mut self, now: BootTime) -> u64 {
        self.news.get_or_insert(now);
        self.seq
    }

    /// Gives a lease up: declined if it was never confirmed, else ended without an outcome.
    pub(super) fn release(&mut self, token: FencingToken, now: BootTime) -> Settled {
        let Some(held) = self.held.remove(&token) else { return Settled::Closed };
        self.winding.insert(token);
        self.effects.push(Effect::Stop(token, Stop { why: StopReason::Lost, grace: None }));
        if held.confirmed {
            let finish = Finish {
                token,
                tenant: held.tenant,
                outcome: Outcome::Lapsed,
                result: None,
                result_artifact: None,
                missing: Vec::new(),
                log_end: None,
            };
            self.finishes.insert(token, Ended { finish, answers: 0, spooled: false });
        } else {
            self.declined.insert(token, "released".to_owned());
            self.sweep(token);
        }
        self.news.get_or_insert(now);
        Settled::Open
    }

    /// Lets go of what an attempt has logged and attached, once nothing is held or to be told of it.
    fn sweep(&mut self, token: FencingToken) {
        if !self.held.contains_key(&token) && !self.finishes.contains_key(&token) {
            self.trails.remove(&token);
        }
    }

    /// Whether a finish or decline is still to be recorded.
    pub(super) fn settled(&self, token: FencingToken) -> Settled {
        let open = self.finishes.contains_key(&token) || self.declined.contains_key(&token);
        if open { Settled::Open } else { Settled::Closed }
    }

    /// Takes note that an attempt was told to stop. Answers whether that is news.
    pub(super) fn cancelling(&mut self, token: FencingToken) -> bool {
        let held = self.held.get_mut(&token);
        held.is_some_and(|held| std::mem::replace(&mut held.phase, Phase::Cancelling) == Phase::Running)
    }

    /// An attempt has ended. Answers whether its finish is wanted: not when its lease is gone.
    pub(super) fn finish(&mut self, finish: Finish, now: BootTime) -> bool {
        let token = finish.token;
        self.winding.remove(&token);
        let wanted = self.held.remove(&token).is_some();
        if wanted {
            if let Some(trail) = self.trails.get_mut(&token) {
                trail.log.close();
            }
            self.finishes.insert(token, Ended { finish, answers: 0, spooled: false });
        } else {
            self.sweep(token);
        }
        self.news.get_or_insert(now);
        self.settle();
        wanted
    }

    /// How many more jobs would be started now.
    pub(super) fn free(&self) -> u32 {
        if self.mode() != Mode::Serve || self.exit.is_some() {
            return 0;
        }
        let slots = self.desired.slots.map_or(self.facts.slots, |limit| limit.min(self.facts.slots));
        let taken = u32::try_from(self.held.len() + self.winding.len()).unwrap_or(u32::MAX);
        slots.saturating_sub(taken)
    }

    pub(super) fn snapshot(&self) -> super::RunnerSnapshot {
        super::RunnerSnapshot {
            incarnation: self.incarnation,
            connected: self.connected,
            mode: self.mode(),
            slots: self.desired.slots.map_or(self.facts.slots, |limit| limit.min(self.facts.slots)),
            free: self.free(),
            held: self.held.keys().copied().collect(),
            unrecorded: self.finishes.len(),
            last_error: self.last_error.clone(),
            exit: self.exit.clone(),
        }
    }

    /// What holds now: the strictest of what the host, the operator and its tenure want.
    fn mode(&self) -> Mode {
        let tenure = if self.tenure.over { Mode::Leave } else { Mode::Serve };
        self.intent.max(self.desired.mode).max(tenure)
    }

    fn mode_changed(&mut self, before: Mode) {
        match (before, self.mode()) {
            (Mode::Serve, Mode::Serve) => {}
            (_, Mode::Serve) => (self.quiet_from, self.no_more) = (None, false),
            (Mode::Serve, _) => self.quiet_from = Some(self.seq + 1),
            _ => {}
        }
    }

    fn stop_all(&mut self, grace: Option<Duration>) {
        let stop = Stop { why: StopReason::Shutdown, grace };
        let stops = self.held.keys().chain(&self.winding).map(|token| Effect::Stop(*token, stop));
        self.effects.extend(stops);
    }

    /// Is over when nothing is held or untold, and either nothing more will come or the
    /// runner was stopped.
    fn settle(&mut self) {
        let idle = self.held.is_empty() && self.winding.is_empty();
        let told = self.finishes.is_empty() && self.signals.is_empty();
        if self.exit.is_none() && idle && told && self.mode() == Mode::Leave {
            if self.stop_by.is_some() {
                self.exit = Some(ExitReason::Stopped);
            } else if self.no_more {
                self.exit = Some(ExitReason::Left);
            }
        }
    }
}
