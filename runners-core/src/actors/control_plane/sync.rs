//! One sync of a runner, from its arrival to its answer.

use super::{
    Plane,
    answer::{Answered, Said, Told},
    effects::Change,
    measures::SyncMeasure,
    parked::Parked,
    session::{Identity, Live, Session},
};
use crate::{
    actors::records::{Batch, Versioned},
    rules::{
        admission::{Admission, admit},
        crash_loop::Starts,
        record::{Record as _, RunnerRecord, SessionRecord, Unknown},
    },
    seams::{observer::Notice, store::StoreError},
    values::{
        id::{JobId, TenantId},
        reply::{Refused, Reply, Superseded},
        runner::{Facts, Mode},
        sync::SyncRequest,
        time::{BootTime, Timestamp},
    },
};
use std::{collections::BTreeSet, sync::Arc};

/// When a request arrived, and until when its answer may be held back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) at: Timestamp,
    pub(super) park_until: BootTime,
}

impl Plane {
    /// Answers a sync, at once or once there is something to say. Thousands of these calls may be parked, so
    /// what they hold is kept small: an `async fn` would hold each of its arguments twice.
    pub(crate) fn sync(
        self: &Arc<Self>,
        who: Identity,
        request: Box<SyncRequest>,
    ) -> impl Future<Output = Result<Reply, StoreError>> + Send {
        let session = self.session(who);
        async move {
            let mut measure = self.measures.sync_arrived(session.who.pool, self.clock.boot());
            let reply = self.sync_measured(&session, request, &mut measure).await;
            measure.answered(&reply, self.clock.boot());
            reply
        }
    }

    #[expect(clippy::manual_async_fn, reason = "an `async fn` would hold each of its arguments twice")]
    fn sync_measured<'a>(
        self: &'a Arc<Self>,
        session: &'a Arc<Session>,
        request: Box<SyncRequest>,
        measure: &'a mut SyncMeasure<'_>,
    ) -> impl Future<Output = Result<Reply, StoreError>> + Send {
        async move {
            let park_for = request.park_for.min(self.spans.sync_park_max());
            let arrival = Arrival { at: self.now(), park_until: self.clock.boot() + park_for };
            let mut live = session.live.lock().await;
            // What is awaited before and after the park is boxed, so that the future stays small.
            if let Some(reply) = Box::pin(self.open(session, &mut live, &request)).await? {
                return Ok(reply);
            }
            let mut told = Box::pin(self.apply(session, &mut live, &request)).await?;
            let said = Said::in_request(request);
            let newest = (said.incarnation, said.seq);
            let parked = Parked { plane: self, session, newest, done: false };
            let reply = loop {
                let mut woken = session.woken();
                let over = self.clock.boot() >= arrival.park_until || self.stopping.is_cancelled();
                let answer = Box::pin(self.answer(session, &mut live, &said, told, arrival, over)).await;
                let look_again_at = match answer {
                    Ok(Answered::Nothing { look_again_at }) => look_again_at,
                    Ok(Answered::With(answer)) => {
                        self.wait_no_more(session.who, &mut live, !answer.offers.is_empty());
                        break Ok(Reply::Answer(answer));
                    }
                    Err(error) => {
                        self.wait_no_more(session.who, &mut live, false);
                        break Err(error);
                    }
                };
                live.parked = true;
                drop(live);
                measure.served(self.clock.boot());
                let next_signal = look_again_at.map_or(arrival.park_until, |at| at.min(arrival.park_until));
                tokio::select! {
                    biased;
                    () = self.stopping.cancelled() => {}
                    () = woken.changed() => {}
                    () = self.clock.sleep_until(next_signal) => {}
                }
                told = Told::default();
                live = session.live.lock().await;
                if live.last != Some(newest) {
                    break Ok(removed(&live).unwrap_or_else(|| self.superseded(said.seq)));
                }
                let elsewhere = Box::pin(self.is_elsewhere(session, &mut live)).await;
                // Only now: another control plane may have removed it.
                if let Some(refused) = removed(&live) {
                    self.wait_no_more(session.who, &mut live, false);
                    break Ok(refused);
                }
                if !matches!(elsewhere, Ok(false)) {
                    self.wait_no_more(session.who, &mut live, false);
                    break elsewhere.map(|_| self.superseded(said.seq));
                }
            };
            parked.done();
            reply
        }
    }

    /// Whether the runner has moved to another control plane while its call was parked here: from
    /// then on, only that one speaks for it.
    async fn is_elsewhere(self: &Arc<Self>, session: &Session, live: &mut Live) -> Result<bool, StoreError> {
        if session.take_doubt() || !live.loaded {
            self.load(session.who, live).await?;
        }
        Ok(live.session.as_ref().is_none_or(|session| session.record.home != self.me))
    }

    pub(super) fn superseded(&self, seq: u64) -> Reply {
        Reply::Superseded(Superseded { seq, spread: self.spans.spread })
    }

    /// Decides whether the request counts, and prepares the session for it. Answers a reply if the request
    /// is to be applied no further: it is refused, superseded or displaced.
    async fn open(
        self: &Arc<Self>,
        session: &Session,
        live: &mut Live,
        request: &SyncRequest,
    ) -> Result<Option<Reply>, StoreError> {
        let who = session.who;
        let follows = live.last == Some((request.incarnation, request.seq.wrapping_sub(1)));
        if session.take_doubt() || !live.loaded || !follows {
            self.load(who, live).await?;
        }
        if let Some(refused) = removed(live) {
            return Ok(Some(refused));
        }
        if let Some(reply) = self.admit(who, live, request).await? {
            return Ok(Some(reply));
        }
        if live.last.is_none_or(|(incarnation, _)| incarnation != request.incarnation) {
            self.observer.observe(&Notice::RunnerArrived { runner: who.runner });
        }
        live.last = Some((request.incarnation, request.seq));
        live.follows = follows && live.session.as_ref().is_some_and(|session| session.record.home == self.me);
        live.heard_at = Some(self.clock.boot());
        live.suspect = false;
        live.intent = request.intent;
        live.free = request.free.min(Facts::SLOTS_MAX);
        live.seen_generation = request.seen_generation;
        live.named = (who.tenant == TenantId::OPERATOR).then(|| Arc::new(named(request)));
        if request.intent == Mode::Serve {
            live.told_no_more = false;
        }
        self.take_facts(who, live, request);
        if live.parked {
            // Wakes the older call, which is still parked, so that it sees it was superseded.
            live.parked = false;
            session.wake();
        }
        self.ensure_runner(who, live, request).await?;
        self.keep_facts(live).await?;
        self.ensure_pool(who.tenant, who.pool).await?;
        self.release_strays(live).await?;
        Ok(None)
    }

    /// Decides whether the request is listened to, and puts its session in place. A reply, if it is not.
    async fn admit(
        self: &Arc<Self>,
        who: Identity,
        live: &mut Live,
        request: &SyncRequest,
    ) -> Result<Option<Reply>, StoreError> {
        let last = live.last.filter(|(incarnation, _)| *incarnation == request.incarnation);
        let last = last.map_or(0, |(_, seq)| seq);
        let mut rounds = 1;
        loop {
            let stored = live.session.as_ref().map(|session| &session.record);
            let put = match admit(stored, self.me, last, request.incarnation, request.seq) {
                Admission::Displaced => return Ok(Some(Reply::Displaced)),
                Admission::Superseded => return Ok(Some(self.superseded(request.seq))),
                Admission::New => self.put_session(who, live, request, 0).await,
                Admission::Takeover => self.take_over(who, live, request).await,
                Admission::Move => self.put_session(who, live, request, request.seq).await,
                Admission::Same => return Ok(None),
            };
            match put {
                // Whoever has it at another control plane was faster: it is decided by what it is now.
                Err(StoreError::Conflict(_)) if rounds < ADMIT_ROUNDS_MAX => self.load(who, live).await?,
                Err(error) => return Err(error),
                // Until then, the control plane that it comes from may have granted it more.
                Ok(()) => return self.load_owned(who, live).await.map(|()| None),
            }
            if let Some(refused) = removed(live) {
                return Ok(Some(refused));
            }
            rounds += 1;
        }
    }

    async fn put_session(
        &self,
        who: Identity,
        live: &mut Live,
        request: &SyncRequest,
        floor: u64,
    ) -> Result<(), StoreError> {
        let (version, mut record) = match &live.session {
            Some(session) => (session.version, session.record.clone()),
            None => (0, self.new_session(who, request)),
        };
        if record.incarnation != request.incarnation {
            // What an earlier start holds is released in a moment. If that is cut short and nothing more
            // is heard of the runner, the session is due as before.
            let holds = !live.mine.is_empty();
            let expires_at = if holds { record.expires_at.max(self.now()) } else { Timestamp::default() };
            record = SessionRecord { starts: record.starts, expires_at, ..self.new_session(who, request) };
        }
        if live.session.as_ref().is_none_or(|session| session.record.incarnation != request.incarnation) {
            record.starts.started(self.now());
            if let Some(until) = record.starts.held_back(self.now()) {
                tracing::warn!(runner = %who.runner, until = %until, "a runner starts again and again: it is held back");
            }
        }
        record.home = self.me;
        record.floor = floor;
        self.write_session(live, version, record, Batch::new(), &[]).await
    }

    fn new_session(&self, who: Identity, request: &SyncRequest) -> SessionRecord {
        SessionRecord {
            tenant: who.tenant,
            runner: who.runner,
            incarnation: request.incarnation,
            home: self.me,
            floor: 0,
            expires_at: Timestamp::from_millis(0),
            ended: false,
            drained: false,
            synced_at: self.now(),
            starts: Starts::default(),
            unknown: Unknown::new(),
        }
    }

    /// Writes the session with whatever else is in `batch`.
    pub(super) async fn write_session(
        &self,
        live: &mut Live,
        version: u64,
        mut record: SessionRecord,
        mut batch: Batch,
        expect: &[(crate::values::key::Key, u64)],
    ) -> Result<(), StoreError> {
        record.synced_at = self.synced_at(live).unwrap_or_default().max(record.synced_at);
        batch.put(version, &record);
        expect.iter().for_each(|(key, version)| batch.expect(key.clone(), *version));
        live.loaded = false;
        self.records.commit(batch).await?;
        live.loaded = true;
        if record.expires_at > Timestamp::default() && !record.ended {
            self.due.hint(record.expires_at);
        }
        live.session = Some(Versioned { version: version + 1, record });
        Ok(())
    }

    /// A later start takes the place of an earlier one: the finishes that it left are applied
    /// first, then its session ends, and what it held is released.
    async fn take_over(
        self: &Arc<Self>,
        who: Identity,
        live: &mut Live,
        request: &SyncRequest,
    ) -> Result<(), StoreError> {
        self.apply_spooled(live, &request.finishes).await?;
        live.last = None;
        live.seeker = None;
        live.told_no_more = false;
        // Signals that were sent to the earlier start have not reached this one.
        live.signals.values_mut().for_each(|pending| pending.sent_at = None);
        self.put_session(who, live, request, 0).await
    }

    /// Releases whatever belongs to an earlier start.
    async fn release_strays(self: &Arc<Self>, live: &mut Live) -> Result<(), StoreError> {
        let Some(session) = live.reference() else { return Ok(()) };
        let now = self.now();
        let mut strays: Vec<Change> = live
            .mine
            .values()
            .filter_map(|mine| {
                let holder = mine.job.record.holder().filter(|holder| *holder != session)?;
                let mut job = mine.job.record.clone();
                job.lose(holder, now, self.chance()).ok()?;
                Some(Change::of(&mine.job, job))
            })
            .collect();
        for page in strays.chunks_mut(RELEASES_PER_BATCH) {
            live.loaded = false;
            self.commit(Batch::new(), page, now).await?;
            live.loaded = true;
            self.keep(live, page);
        }
        Ok(())
    }

    async fn ensure_runner(
        &self,
        who: Identity,
        live: &mut Live,
        request: &SyncRequest,
    ) -> Result<(), StoreError> {
        if let Some(Versioned { version, record }) = &live.runner {
            let (version, mut record) = (*version, record.clone());
            if record.made_at > Timestamp::default() {
                return Ok(());
            }
            // Records of the first release have no time of creation, and are in no index.
            record.made_at = self.now();
            let mut batch = Batch::new();
            batch.put(version, &record);
            self.records.commit(batch).await?;
            live.runner = Some(Versioned { version: version + 1, record });
            return Ok(());
        }
        let name = request.facts.as_ref().map_or("", |facts| facts.name.as_str());
        let record = RunnerRecord::new(who.tenant, who.runner, who.pool, name, self.now());
        let mut batch = Batch::new();
        batch.put(0, &record);
        match self.records.commit(batch).await {
            Ok(_) => live.runner = Some(Versioned { version: 1, record }),
            Err(StoreError::Conflict(_)) => live.runner = self.records.load(record.key()).await?,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// The jobs that a request tells of.
fn named(request: &SyncRequest) -> BTreeSet<JobId> {
    let held = request.held.iter().map(|held| held.token.job);
    let finished = request.finishes.iter().map(|finish| finish.token.job);
    held.chain(finished).chain(request.declined.iter().map(|declined| declined.token.job)).collect()
}

/// What a runner that was removed is told.
fn removed(live: &Live) -> Option<Reply> {
    let removed = live.runner.as_ref().is_some_and(|runner| runner.record.removed);
    removed.then(|| Reply::Refused(Refused::removed()))
}

/// How often it is decided on a request whose session others write at the same time.
const ADMIT_ROUNDS_MAX: u32 = 4;

/// How many jobs are released in one batch: each is up to thirteen writes.
pub(super) const RELEASES_PER_BATCH: usize = 64;
