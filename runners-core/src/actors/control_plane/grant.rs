//! Granting: ready jobs become offers of a session, in one batch.

use super::{
    Plane,
    effects::{Change, Unsure},
    lock,
    session::{Live, Mine, Session},
    sync::Arrival,
};
use crate::{
    actors::records::{Batch, Versioned},
    rules::{
        job::{JobRecord, State},
        record::{PayloadRecord, Record as _, SessionRecord, SessionRef},
        schedule::{ReadyJob, Wish},
    },
    seams::store::StoreError,
    values::{
        id::{JobId, PoolId},
        key::{Key, Kind},
        sync::{Offer, SyncRequest},
        time::Timestamp,
    },
};
use std::{collections::BTreeSet, mem, sync::Arc};

/// How often a grant is tried again after a conflict with somebody else's.
const ROUNDS_MAX: usize = 8;

/// How many jobs are granted in one batch.
const GRANTS_PER_BATCH: usize = 200;

/// How many writes a batch of grants has at most.
const WRITES_PER_BATCH: usize = 900;

/// How many jobs are granted at most in a batch that also applies what a sync reports.
const GRANTS_ALONG_MAX: usize = 50;

/// How many writes those add to such a batch at most.
pub(super) const WRITES_ALONG_MAX: usize = 100;

/// How much of what jobs are to do is read with a page of them, for each job of the page, and of how many
/// jobs at once.
const AHEAD_BYTES_EACH: usize = 2 << 10;
const AHEAD_AT_ONCE: usize = 32;

impl Plane {
    /// Grants up to `room` ready jobs. If there is none and the call `waits`, it is woken when
    /// there is one.
    pub(super) async fn grant(
        self: &Arc<Self>,
        session: &Session,
        live: &mut Live,
        room: usize,
        waits: bool,
        arrival: Arrival,
    ) -> Result<Vec<Offer>, StoreError> {
        let Some(seeker) = live.seeker.clone() else { return Ok(Vec::new()) };
        let pool = session.who.pool;
        let mut granted: Vec<JobId> = Vec::new();
        // A call that is about to be answered cannot wait for this control plane's turn.
        let patient = self.clock.boot() < arrival.park_until;
        for _ in 0..ROUNDS_MAX {
            let room = room.min(GRANTS_PER_BATCH) - granted.len();
            let waits = waits && granted.is_empty();
            let now = patient.then(|| self.now());
            let wish = Wish { room, held: live.mine.len(), waits, now };
            let sought = self.scheduled(|schedule| schedule.seek(pool, &seeker, wish));
            self.read_pages(sought.pages);
            self.await_turns(sought.turns);
            self.wake_all(sought.instead);
            live.waiting = sought.taken.is_empty() && waits && room > 0;
            if sought.taken.is_empty() {
                break;
            }
            let mut taken = Taken { plane: self, pool, jobs: sought.taken };
            taken.leave_to_others(live);
            if taken.jobs.is_empty() {
                break;
            }
            self.fetch_payloads(taken.jobs.iter_mut()).await?;
            taken.fit(WRITES_PER_BATCH);
            let now = self.now();
            let mut changes = taken.offers(live, now);
            match self.commit_grants(live, &mut changes, now).await {
                Ok(()) => {
                    taken.granted();
                    granted.extend(changes.iter().map(|change| change.after.id));
                    self.keep(live, &changes);
                    break;
                }
                Err(StoreError::Conflict(key)) if key.kind == Kind::Job => {
                    let lost = taken.lose(&key);
                    drop(taken);
                    if let Some(job) = lost {
                        self.reconsider(&job.record).await?;
                    }
                }
                // The schedule has taken note that a limit is reached.
                Err(StoreError::Exhausted(_)) => drop(taken),
                Err(error) => return Err(error),
            }
        }
        self.offers(live, granted, arrival).await
    }

    /// Takes ready jobs for what a request has left free once it is applied, to be granted in the
    /// batch that applies it. None is one of those that the batch `changes`.
    pub(super) async fn take_along(
        self: &Arc<Self>,
        live: &Live,
        along: Option<(PoolId, &SyncRequest)>,
        changes: &BTreeSet<Key>,
    ) -> Result<Taken<'_>, StoreError> {
        let pool = along.map_or(PoolId::DEFAULT, |(pool, _)| pool);
        let mut taken = Taken { plane: self, pool, jobs: Vec::new() };
        let (Some((_, request)), Some(seeker)) = (along, &live.seeker) else { return Ok(taken) };
        let held = request.held.iter().filter(|held| live.job(held.token).is_some()).count();
        let room = live.room(held, self.now()).min(GRANTS_ALONG_MAX);
        if room == 0 {
            return Ok(taken);
        }
        let wish = Wish { room, held: live.mine.len(), waits: false, now: Some(self.now()) };
        let sought = self.scheduled(|schedule| schedule.seek(pool, seeker, wish));
        self.read_pages(sought.pages);
        self.await_turns(sought.turns);
        self.wake_all(sought.instead);
        taken.jobs = sought.taken;
        taken.lose_all(|job| {
            let mine = live.mine.get(&job.id).is_some_and(|mine| mine.job.record.tenant == job.tenant);
            mine || changes.contains(&job.key())
        });
        taken.leave_to_others(live);
        self.fetch_payloads(taken.jobs.iter_mut()).await?;
        taken.fit(WRITES_ALONG_MAX);
        Ok(taken)
    }

    /// The change that offers `job` to a session.
    fn offer(&self, job: &ReadyJob, pool: PoolId, to: SessionRef, now: Timestamp) -> Option<Change> {
        let mut after = job.record.clone();
        after.offer_in(pool, to, now, self.spans.start_within).ok()?;
        let before = Versioned { version: job.version, record: job.record.clone() };
        Some(Change { before: Some(before), after, payload: job.payload.clone() })
    }

    /// Commits offers under the condition that the session is as it is known, and at home here.
    pub(super) async fn commit_grants(
        self: &Arc<Self>,
        live: &mut Live,
        changes: &mut [Change],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        let session = self.hold_session(live, &mut batch, now);
        // If the commit fails otherwise, or this future is dropped in it, the session has to be read again.
        let loaded = mem::replace(&mut live.loaded, false);
        match self.commit(batch, changes, now).await {
            Ok(_) => {
                live.session = session;
                live.loaded = loaded;
                Ok(())
            }
            Err(StoreError::Conflict(key)) if key.kind == Kind::Job => {
                live.loaded = loaded;
                Err(StoreError::Conflict(key))
            }
            Err(StoreError::Exhausted(key)) => {
                live.loaded = loaded;
                Err(StoreError::Exhausted(key))
            }
            Err(error) => Err(error),
        }
    }

    /// Makes `batch` depend on the session being as it is known here, and renews it if a third of its term is
    /// over. Answers the session as it is after the batch.
    pub(super) fn hold_session(
        &self,
        live: &Live,
        batch: &mut Batch,
        now: Timestamp,
    ) -> Option<Versioned<SessionRecord>> {
        let mut session = live.session.clone()?;
        let record = &mut session.record;
        if record.ended || record.drained || record.expires_at < now + self.spans.term * 2 / 3 {
            record.expires_at = now + self.spans.term;
            record.ended = false;
            record.drained = false;
            batch.put(session.version, record);
            self.due.hint(record.expires_at);
            session.version += 1;
        } else {
            batch.expect(record.key(), session.version);
        }
        Some(session)
    }

    /// Reads what the first of these jobs are to do, so that no grant has to read it: as much as is worth
    /// it. Where others grant, too, it would often be for nothing.
    pub(super) async fn read_ahead(
        &self,
        jobs: impl Iterator<Item = &mut ReadyJob>,
    ) -> Result<(), StoreError> {
        if !lock(&self.schedule).precedence().is_alone() {
            return Ok(());
        }
        let mut jobs: Vec<&mut ReadyJob> = jobs.collect();
        let (mut bytes, bytes_max) = (0, jobs.len() * AHEAD_BYTES_EACH);
        for portion in jobs.chunks_mut(AHEAD_AT_ONCE) {
            if bytes > bytes_max {
                break;
            }
            self.fetch_payloads(portion.iter_mut().map(|job| &mut **job)).await?;
            bytes += portion.iter().filter_map(|job| job.payload.as_deref()).map(size_of).sum::<usize>();
        }
        Ok(())
    }

    async fn fetch_payloads(&self, jobs: impl Iterator<Item = &mut ReadyJob>) -> Result<(), StoreError> {
        let mut missing: Vec<&mut ReadyJob> = jobs.filter(|job| job.payload.is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let key = |job: &ReadyJob| PayloadRecord::key_of(job.record.tenant, job.record.id);
        let keys = missing.iter().map(|job| key(job)).collect();
        let payloads = self.records.load_all::<PayloadRecord>(keys).await?;
        for (job, payload) in missing.iter_mut().zip(payloads) {
            job.payload = payload.map(|payload| Arc::new(payload.record));
        }
        Ok(())
    }

    /// Reads a job again that has changed since it was scheduled, and schedules it again if it is ready.
    async fn reconsider(self: &Arc<Self>, job: &JobRecord) -> Result<(), StoreError> {
        // If it cannot be read, its lane is read again later: the job may be ready.
        let mut unsure =
            Unsure { plane: self, lanes: vec![job.lane()], counters: Vec::new(), runs: Vec::new() };
        let stored = self.records.load::<JobRecord>(job.key()).await?;
        unsure.clear();
        let ready = stored.filter(|stored| matches!(stored.record.state, State::Ready { .. }));
        if let Some(Versioned { version, record }) = ready {
            self.make_ready(ReadyJob { version, record, payload: None });
        }
        Ok(())
    }

    /// The offers that stand for jobs of the session, as they go into a reply.
    pub(super) async fn offers(
        &self,
        live: &mut Live,
        jobs: Vec<JobId>,
        arrival: Arrival,
    ) -> Result<Vec<Offer>, StoreError> {
        let mut offers = Vec::with_capacity(jobs.len());
        let image = live.image.clone();
        let image = image.as_ref().map(|image| &***image).or(self.default_image.as_deref());
        let mut size = 0;
        for id in jobs {
            let Some(mine) = live.mine.get_mut(&id) else { continue };
            let payload = match &mine.payload {
                Some(payload) => Arc::clone(payload),
                None => match self.records.load(PayloadRecord::key_of(mine.job.record.tenant, id)).await? {
                    Some(payload) => Arc::new(payload.record),
                    None => continue,
                },
            };
            size += size_of(&payload);
            if size > OFFERS_BYTES_MAX && !offers.is_empty() {
                break;
            }
            mine.told = true;
            offers.extend(offer_of(mine, &payload, arrival, image));
            mine.payload = Some(payload);
        }
        Ok(offers)
    }
}

/// How many bytes of offers go into one reply; the first one goes whatever its size.
const OFFERS_BYTES_MAX: usize = SyncRequest::BYTES_MAX / 2;

/// How many writes a grant is, beside the counters that it counts in.
const GRANT_WRITES: usize = 2;

fn size_of(payload: &PayloadRecord) -> usize {
    payload.spec.len() + payload.payload.as_ref().map_or(0, crate::values::opaque::Opaque::len) + 256
}

fn offer_of(mine: &Mine, payload: &PayloadRecord, arrival: Arrival, image: Option<&str>) -> Option<Offer> {
    let job = &mine.job.record;
    let State::Offered { start_by, .. } = job.state else { return None };
    Some(Offer {
        token: job.token(),
        tenant: (job.host() != job.tenant).then_some(job.tenant),
        attempt: job.next_attempt(),
        start_within: start_by.since(arrival.at),
        spec: payload.spec.clone(),
        signature: payload.signature.clone(),
        payload: payload.payload.clone(),
        payload_artifact: payload.payload_artifact,
        image: image.map(str::to_owned),
    })
}

/// Jobs that were taken from the schedule. Those that are still here when it is dropped were not
/// granted, and go back.
pub(super) struct Taken<'a> {
    plane: &'a Arc<Plane>,
    pool: PoolId,
    jobs: Vec<ReadyJob>,
}

impl Taken<'_> {
    /// The changes that offer them to the session.
    pub(super) fn offers(&self, live: &Live, now: Timestamp) -> Vec<Change> {
        let Some(to) = live.reference() else { return Vec::new() };
        self.jobs.iter().filter_map(|job| self.plane.offer(job, self.pool, to, now)).collect()
    }

    /// They were granted, and do not go back.
    pub(super) fn granted(mut self) {
        for job in mem::take(&mut self.jobs) {
            self.plane.settled(job.record.lane(), self.pool);
        }
    }

    /// Takes out a job that somebody else has changed.
    fn lose(&mut self, key: &Key) -> Option<ReadyJob> {
        let at = self.jobs.iter().position(|job| job.record.key() == *key)?;
        let job = self.jobs.swap_remove(at);
        self.plane.settled(job.record.lane(), self.pool);
        Some(job)
    }

    /// Takes out jobs that are not ready any more. The schedule may learn that a job is ready when
    /// the job has long been granted: the commit that made it ready was seen before it was answered.
    fn lose_all(&mut self, is_lost: impl Fn(&JobRecord) -> bool) {
        for job in self.jobs.extract_if(.., |job| is_lost(&job.record)) {
            self.plane.settled(job.record.lane(), self.pool);
        }
    }

    /// Gives back jobs that the runner would confuse with one that it holds, or with each other, because they
    /// have the same id in different tenants. Ids are random, so this hardly ever happens.
    fn leave_to_others(&mut self, live: &Live) {
        let mut seen = BTreeSet::new();
        let confused: Vec<ReadyJob> = self
            .jobs
            .extract_if(.., |job| live.confuses(&job.record) || !seen.insert(job.record.id))
            .collect();
        confused.into_iter().for_each(|job| self.give_back(job));
    }

    fn give_back(&self, job: ReadyJob) {
        self.plane.settled(job.record.lane(), self.pool);
        self.plane.make_ready(job);
    }

    /// Gives back what would not fit into one reply, or one batch.
    fn fit(&mut self, writes_max: usize) {
        let (mut size, mut writes) = (0, 0);
        let fits = self.jobs.iter().take_while(|job| {
            size += job.payload.as_deref().map_or(0, size_of);
            writes += GRANT_WRITES + job.record.counters_count();
            size <= OFFERS_BYTES_MAX && writes <= writes_max
        });
        let fits = fits.count().max(1);
        let rest = self.jobs.split_off(fits.min(self.jobs.len()));
        rest.into_iter().for_each(|job| self.give_back(job));
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        mem::take(&mut self.jobs).into_iter().for_each(|job| self.give_back(job));
    }
}
