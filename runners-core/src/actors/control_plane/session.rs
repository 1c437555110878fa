//! A runner's session as this control plane knows it: one mutex, and what it guards.

use super::Plane;
use crate::{
    actors::{
        records::{Pages, Versioned, read},
        turn::{Turn, Turns},
    },
    rules::{
        eligibility::{Allowance, Presence},
        job::JobRecord,
        record::{PayloadRecord, RunnerRecord, SessionRecord, SessionRef, SignalRecord},
        schedule::Seeker,
    },
    seams::store::StoreError,
    values::{
        digest::Digest,
        id::{JobId, PoolId, RunnerId, SignalId, TenantId},
        key::{Index, Kind},
        lease::FencingToken,
        runner::{Incarnation, Mode},
        time::{BootTime, Timestamp},
    },
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Mutex;

/// For which runner a sync speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) tenant: TenantId,
    pub(crate) pool: PoolId,
    pub(crate) runner: RunnerId,
}

/// A runner's session at this control plane.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) who: Identity,
    pub(crate) live: Mutex<Live>,
    woken: Turn,
    /// Another control plane may have changed what is known of it.
    doubted: AtomicBool,
}

/// What the mutex of a session guards. All of it can be restored from the store and from the runner's next
/// sync. `loaded` says whether it agrees with the store; while a commit is under way it is `false`.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) loaded: bool,
    pub(crate) session: Option<Versioned<SessionRecord>>,
    pub(crate) runner: Option<Versioned<RunnerRecord>>,
    /// The newest request that was seen of this incarnation.
    pub(crate) last: Option<(Incarnation, u64)>,
    /// The newest request followed the one before it: the runner has not missed an answer.
    pub(crate) follows: bool,
    /// The jobs that are offered to the runner, or that it works on.
    /// In boxes: a map has room for eleven even when it is empty again.
    pub(crate) mine: BTreeMap<JobId, Box<Mine>>,
    /// Signals that are not answered, by the id under which the runner was told of each.
    pub(crate) signals: BTreeMap<SignalId, Pending>,
    /// For a runner of the operator: the jobs that its newest request names, since they may be of any tenant.
    /// Behind a pointer, since hardly any runner is.
    pub(crate) named: Option<Arc<BTreeSet<JobId>>>,
    pub(crate) seeker: Option<Seeker>,
    /// The digest under which the runner said what it seeks by.
    pub(crate) facts_told: Option<Digest>,
    /// The generation of the desired state that it has applied.
    pub(crate) seen_generation: u64,
    /// When the newest request came.
    pub(crate) heard_at: Option<BootTime>,
    /// An offer was not confirmed in time, and nothing was heard since.
    pub(crate) suspect: bool,
    /// From the newest request: what the runner intends, and how many more jobs it would start.
    pub(crate) intent: Mode,
    pub(crate) free: u32,
    /// The newest request is parked: its answer is held back.
    pub(crate) parked: bool,
    /// The runner is on the list of those who wait for a job.
    pub(crate) waiting: bool,
    /// The runner was told that it is granted nothing more.
    pub(crate) told_no_more: bool,
    /// How many jobs it may be granted by its pool.
    pub(crate) allowance: Allowance,
    /// The image of container jobs that name none, if its pool has one.
    pub(crate) image: Option<Arc<String>>,
    pub(crate) progress: BTreeMap<JobId, (u64, String)>,
}

/// A job that belongs to a session.
#[derive(Clone, Debug)]
pub(crate) struct Mine {
    pub(crate) job: Versioned<JobRecord>,
    pub(crate) payload: Option<Arc<PayloadRecord>>,
    /// The offer stood in a reply before.
    pub(crate) told: bool,
}

/// A signal that is not answered.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) signal: Versioned<SignalRecord>,
    pub(crate) sent_at: Option<BootTime>,
}

impl Session {
    pub(super) fn new(who: Identity) -> Self {
        Self { who, live: Mutex::default(), woken: Turn::default(), doubted: AtomicBool::new(false) }
    }

    /// Whether the session can be dropped here: nothing is parked, and nothing was heard of the runner for a
    /// term, so that whatever it holds is another control plane's affair. `false` while the session is in use.
    pub(super) fn is_gone(&self, now: BootTime, term: Duration) -> bool {
        let Ok(live) = self.live.try_lock() else { return false };
        !live.parked && live.heard_at.is_none_or(|at| now.since(at) > term)
    }

    /// Why the session is still kept, for tests that fail.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn described(&self) -> String {
        let Ok(live) = self.live.try_lock() else { return format!("{} in use", self.who.runner) };
        let mine: Vec<&JobId> = live.mine.keys().collect();
        format!("{}: parked {}, heard {:?}, of it {mine:?}", self.who.runner, live.parked, live.heard_at)
    }

    /// Has the parked sync looked at again.
    pub(crate) fn wake(&self) {
        self.woken.next();
    }

    /// Has everything of the runner read again before it is used.
    pub(crate) fn doubt(&self) {
        self.doubted.store(true, Ordering::Release);
    }

    /// Whether it was doubted since this was last asked.
    pub(crate) fn take_doubt(&self) -> bool {
        self.doubted.swap(false, Ordering::AcqRel)
    }

    /// Sees every wake after this call.
    pub(crate) fn woken(&self) -> Turns {
        self.woken.subscribe()
    }
}

impl Live {
    /// What the leases of this session are granted to.
    pub(crate) fn reference(&self) -> Option<SessionRef> {
        self.session.as_ref().map(|session| session.record.reference())
    }

    /// A job of this session, if `token` is its live grant.
    pub(crate) fn job(&self, token: FencingToken) -> Option<&Mine> {
        self.mine.get(&token.job).map(|mine| &**mine).filter(|mine| mine.job.record.token() == token)
    }

    /// Whether the runner may take a job for another one: its tokens do not say of which tenant a job
    /// is, and two tenants may have chosen the same id.
    pub(crate) fn confuses(&self, job: &JobRecord) -> bool {
        match self.mine.get(&job.id) {
            Some(mine) => mine.job.record.tenant != job.tenant,
            None => self.named.as_ref().is_some_and(|named| named.contains(&job.id)),
        }
    }

    /// What the runner is to do, by itself or by the operator's wish.
    pub(crate) fn mode(&self) -> Mode {
        let desired = self.runner.as_ref().map(|runner| runner.record.desired.mode);
        self.intent.max(desired.unwrap_or_default())
    }

    /// Whether it was let go: it means to leave, holds nothing, and was told that it is granted nothing more.
    pub(crate) fn has_left(&self) -> bool {
        self.intent == Mode::Leave && self.told_no_more && self.mine.is_empty() && !self.parked
    }

    /// The limits on its slots, by the operator's wish and that of its pool.
    pub(crate) fn limits(&self) -> impl Iterator<Item = u32> {
        let desired = self.runner.as_ref().and_then(|runner| runner.record.desired.slots);
        desired.into_iter().chain(self.allowance.slots)
    }

    /// How many slots it may use.
    fn slots_limit(&self) -> Option<u32> {
        self.limits().chain(self.allowance.closed.map(|_| 0)).min()
    }

    /// Until when it is offered nothing because it was started again and again.
    pub(crate) fn held_back(&self, now: Timestamp) -> Option<Timestamp> {
        self.session.as_ref()?.record.starts.held_back(now)
    }

    /// What decides how many more jobs it may be offered at `now` while it holds as many.
    pub(crate) fn presence(&self, held: usize, now: Timestamp) -> Presence {
        Presence {
            closed: self.allowance.closed,
            suspect: self.suspect,
            held_back_until: self.held_back(now),
            mode: self.mode(),
            free: self.free as usize,
            limit: self.slots_limit().map(|slots| slots as usize),
            held,
            offered: self.mine.values().filter(|mine| mine.is_offered()).count(),
        }
    }

    /// How many more jobs it may be offered at `now`.
    pub(crate) fn room(&self, held: usize, now: Timestamp) -> usize {
        self.presence(held, now).room().unwrap_or(0)
    }
}

impl Mine {
    pub(crate) const fn is_offered(&self) -> bool {
        matches!(self.job.record.state, crate::rules::job::State::Offered { .. })
    }
}

impl Plane {
    /// The session of a runner, made when there is none.
    pub(crate) fn session(&self, who: Identity) -> Arc<Session> {
        self.sessions.of(who)
    }

    /// When the runner spoke last, as far as this control plane has heard it.
    pub(crate) fn synced_at(&self, live: &Live) -> Option<Timestamp> {
        live.heard_at.map(|at| self.now() - self.clock.boot().since(at))
    }

    /// Reads everything of a runner anew.
    pub(crate) async fn load(&self, who: Identity, live: &mut Live) -> Result<(), StoreError> {
        live.loaded = false;
        live.session = self.records.load(SessionRecord::key_of(who.tenant, who.runner)).await?;
        live.runner = self.records.load(RunnerRecord::key_of(who.tenant, who.runner)).await?;
        live.share_facts();
        (live.allowance, live.image) = self.pool_terms(who.tenant, who.pool).await?;
        self.load_owned(who, live).await
    }

    /// Reads anew what a runner holds, and which signals it was sent.
    pub(super) async fn load_owned(&self, who: Identity, live: &mut Live) -> Result<(), StoreError> {
        live.loaded = false;
        let known = std::mem::take(&mut live.mine);
        let sent = std::mem::take(&mut live.signals);
        let mut pages = Pages::of(Index::Owner, Bytes::copy_from_slice(who.runner.as_bytes()));
        while let Some(rows) = pages.next(&self.records).await? {
            for (_, row) in &rows {
                // The operator's runners work for others too, but nobody else's do.
                match row.key.kind {
                    Kind::Job => {
                        let job = read::<JobRecord>(row)?;
                        if job.record.host() == who.tenant {
                            live.take_job(job, &known);
                        }
                    }
                    Kind::Signal => {
                        let signal = read::<SignalRecord>(row)?;
                        if signal.record.host() == who.tenant {
                            live.take_signal(signal, &sent);
                        }
                    }
                    _ => {}
                }
            }
        }
        live.loaded = true;
        Ok(())
    }
}

impl Live {
    /// Keeps what the runner says of itself once, however often it was read.
    fn share_facts(&mut self) {
        let kept = self.runner.as_mut().and_then(|runner| runner.record.facts.as_mut());
        if let (Some((_, kept)), Some(seeker)) = (kept, &self.seeker)
            && *kept == seeker.facts
        {
            *kept = Arc::clone(&seeker.facts);
        }
    }

    fn take_job(&mut self, job: Versioned<JobRecord>, known: &BTreeMap<JobId, Box<Mine>>) {
        let before = known.get(&job.record.id).filter(|mine| mine.job.record.grant == job.record.grant);
        let payload = before.and_then(|mine| mine.payload.clone());
        let told = before.is_none_or(|mine| mine.told);
        self.mine.insert(job.record.id, Box::new(Mine { job, payload, told }));
    }

    fn take_signal(&mut self, signal: Versioned<SignalRecord>, sent: &BTreeMap<SignalId, Pending>) {
        let told_as = signal.record.told_as();
        let sent_at = sent.get(&told_as).and_then(|pending| pending.sent_at);
        self.signals.insert(told_as, Pending { signal, sent_at });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How large a session may be before it holds anything: there may be ten thousand idle ones. With the
    /// counts of its `Arc` it takes 768 bytes; the next size of which the allocator has blocks is 896.
    const SESSION_BYTES_MAX: usize = 768 - 2 * size_of::<usize>();

    #[test]
    fn a_session_is_small() {
        assert!(size_of::<Session>() <= SESSION_BYTES_MAX, "{} bytes", size_of::<Session>());
    }
}
