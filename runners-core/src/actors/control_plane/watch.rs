//! What other control planes on the same store wrote: jobs that they made ready or granted, and changes
//! of what runners hold that are at home here. A store with one owner says nothing, and this costs
//! nothing.

mod unread;
mod written;

pub(crate) use written::Written;

use super::{Plane, Unheeded, effects::log_subject, lock};
use crate::{
    actors::records::Versioned,
    rules::{
        job::{JobRecord, State},
        keys,
        record::{LaneRecord, PoolRecord, Record as _},
        schedule::{ReadyJob, Schedule},
    },
    seams::store::{Hint, StoreError},
    values::{
        id::{JobId, LaneId, PoolId, RunnerId, TenantId},
        key::{Key, Kind},
        time::{BootTime, Timestamp},
    },
};
use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use unread::Unread;

/// Jobs as they were read for some hints.
type Jobs = BTreeMap<Key, Versioned<JobRecord>>;

/// How many hints are heeded together, where as many have come: their jobs are read at once.
const HINTS_AT_ONCE_MAX: usize = 256;

/// How long after a read that failed everything is read again.
pub(super) const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What was heard and is not heeded yet.
#[derive(Debug, Default)]
struct Heard {
    /// What was told of the next record that is named.
    told: Told,
    unread: Unread,
    /// When everything is to be read again: something was told of that nobody knows here.
    all_at: Option<BootTime>,
}

/// What was told of a record before it was named.
#[derive(Debug, Default)]
struct Told {
    owners: BTreeSet<RunnerId>,
    lane: Option<LaneId>,
    left: Vec<LaneId>,
}

/// What to do about a record.
#[derive(Debug)]
struct News {
    key: Key,
    told: Told,
    /// Whether it is a job that has to be read.
    is_read: bool,
}

impl Plane {
    /// Heeds what others write, until the control plane stops.
    pub(super) async fn serve_hints(self: Arc<Self>, hints: BoxStream<'static, Hint>) {
        let mut hints = hints.ready_chunks(HINTS_AT_ONCE_MAX);
        let mut heard = Heard::default();
        loop {
            let next_at = heard.unread.next_at().into_iter().chain(heard.all_at).min();
            let told = tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                told = hints.next() => told,
                () = self.clock.sleep_until(next_at.unwrap_or_default()), if next_at.is_some() => Some(Vec::new()),
            };
            let Some(told) = told else { return };
            if let Err(error) = self.heed_told(told, &mut heard).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "a change could not be read");
                heard.unread.clear();
                // What can be doubted is doubted at once, and the rest is read when that may go well.
                if heard.all_at.replace(self.clock.boot() + READ_AGAIN_AFTER).is_none() {
                    self.doubt_all_that_is_known();
                }
            }
        }
    }

    async fn heed_told(self: &Arc<Self>, told: Vec<Hint>, heard: &mut Heard) -> Result<(), StoreError> {
        self.heed_each(told, heard).await?;
        self.read_due(&mut heard.unread).await?;
        if heard.all_at.is_some_and(|at| at <= self.clock.boot()) {
            heard.unread.clear();
            self.read_what_nothing_doubts().await?;
            self.doubt_all_that_is_known();
            heard.all_at = None;
        }
        Ok(())
    }

    async fn heed_each(self: &Arc<Self>, told: Vec<Hint>, heard: &mut Heard) -> Result<(), StoreError> {
        let mut news = Vec::new();
        for hint in told {
            match hint {
                Hint::Owner(head) => heard.told.owners.extend(id_of(&head).map(RunnerId::from_bytes)),
                Hint::Lane(head) => heard.told.lane = id_of(&head).map(LaneId::from_bytes),
                Hint::Left(head) => heard.told.left.extend(id_of(&head).map(LaneId::from_bytes)),
                Hint::Changed(key) => {
                    let told = mem::take(&mut heard.told);
                    let is_read = key.kind == Kind::Job && self.is_to_be_read(&key, &told);
                    news.push(News { key, told, is_read });
                }
                Hint::All => {
                    heard.all_at = Some(self.clock.boot());
                    // At once, however long it takes to read the rest.
                    self.doubt_all_that_is_known();
                }
            }
        }
        let read = news.iter().filter(|news| news.is_read).map(|news| news.key.clone());
        let mut jobs = self.jobs_of(read.collect()).await?;
        for News { key, told, is_read } in news {
            match id_of(&key.id) {
                Some(id) if key.kind == Kind::Job && !is_read => {
                    self.heed_unread_job(key, JobId::from_bytes(id), told, &mut heard.unread);
                }
                id => self.heed(&key, id, told, heard, &mut jobs).await?,
            }
        }
        Ok(())
    }

    /// Whether what happened to a job cannot be told from what was heard: if this control plane has written
    /// it too, it may be older; one that became ready may be granted here at once; and if anything is counted
    /// here, one of which no lane was told may count in it.
    fn is_to_be_read(&self, key: &Key, told: &Told) -> bool {
        let Some(id) = id_of(&key.id) else { return true };
        let (schedule, now) = (lock(&self.schedule), self.now());
        self.written.knows(key.tenant, JobId::from_bytes(id))
            || told.lane.is_some_and(|lane| schedule.left_to_others(lane, &id, now).is_none())
            || (told.lane.is_none() && told.left.is_empty() && schedule.counts())
    }

    /// Another control plane has changed a job, which is not read: or not now, where it may grant the job
    /// itself.
    fn heed_unread_job(self: &Arc<Self>, key: Key, id: JobId, told: Told, unread: &mut Unread) {
        self.heard_of_others();
        told.owners.into_iter().for_each(|runner| self.doubt_session(runner));
        let now = self.now();
        let left_for = self.scheduled(|schedule| {
            for lane in told.left {
                schedule.gone_whatever_its_key(lane, key.tenant, id);
                schedule.others_granted(lane, now);
                schedule.doubt_counters_of(lane);
            }
            let lane = told.lane?;
            // One that is ready again has given its place back.
            schedule.doubt_counters_of(lane);
            Some(schedule.left_to_others(lane, id.as_bytes(), now).unwrap_or_default())
        });
        self.subjects.changed(&key);
        self.subjects.changed(&log_subject(key.tenant, id));
        self.subjects.changed(&keys::events(key.tenant, id));
        if let Some(span) = left_for {
            unread.add(key, self.clock.boot() + span);
        } else {
            unread.remove(&key);
        }
    }

    /// Reads the jobs that others have had their turn for.
    async fn read_due(self: &Arc<Self>, unread: &mut Unread) -> Result<(), StoreError> {
        loop {
            let now = self.clock.boot();
            let keys: BTreeSet<Key> =
                std::iter::from_fn(|| unread.take(now)).take(HINTS_AT_ONCE_MAX).collect();
            if keys.is_empty() {
                return Ok(());
            }
            for (key, found) in self.jobs_of(keys).await? {
                self.heed_job(&key, BTreeSet::new(), found).await?;
            }
        }
    }

    /// Jobs that are there, read together.
    async fn jobs_of(&self, keys: BTreeSet<Key>) -> Result<Jobs, StoreError> {
        if keys.is_empty() {
            return Ok(Jobs::new());
        }
        let keys: Vec<Key> = keys.into_iter().collect();
        let found = self.records.load_all(keys.clone()).await?;
        Ok(keys.into_iter().zip(found).filter_map(|(key, found)| Some((key, found?))).collect())
    }

    async fn heed(
        self: &Arc<Self>,
        key: &Key,
        id: Option<[u8; 16]>,
        told: Told,
        heard: &mut Heard,
        jobs: &mut Jobs,
    ) -> Result<(), StoreError> {
        let owners = told.owners;
        match (key.kind, id) {
            (Kind::Job, Some(id)) => {
                let was_unread = heard.unread.remove(key);
                // Told of twice, it was heeded at once as it is now.
                if let Some(found) = jobs.remove(key) {
                    let id = JobId::from_bytes(id);
                    // What was written here is known here, but for a job that was ready and not read.
                    if was_unread || !self.written.is_own(key.tenant, id, found.version) {
                        self.heed_job(key, owners, found).await?;
                    }
                } else {
                    owners.into_iter().for_each(|runner| self.doubt_session(runner));
                }
            }
            (Kind::Events | Kind::Credential, _) => self.subjects.changed(key),
            (Kind::Log, Some(id)) => {
                self.subjects.changed(&log_subject(key.tenant, JobId::from_bytes(id)));
            }
            (Kind::Session, Some(id)) => self.doubt_session(RunnerId::from_bytes(id)),
            (Kind::Signal, Some(_)) => {
                self.subjects.changed(key);
                owners.into_iter().for_each(|runner| self.doubt_session(runner));
            }
            (Kind::Lane, _) => self.heed_lane(key).await?,
            (Kind::Member, id) => self.heard_of_member(id),
            (Kind::Pool, Some(id)) => {
                if !self.heed_pool(key.tenant, PoolId::from_bytes(id)).await? {
                    // What is being submitted to it here is looked for again.
                    drop(Unheeded::new(self, key.clone()));
                }
            }
            _ => self.heed_setting(key).await?,
        }
        Ok(())
    }

    async fn heed_job(
        self: &Arc<Self>,
        key: &Key,
        owners: BTreeSet<RunnerId>,
        found: Versioned<JobRecord>,
    ) -> Result<(), StoreError> {
        self.heard_of_others();
        let job = found.record;
        owners.into_iter().for_each(|runner| self.doubt_session(runner));
        job.due_at().into_iter().for_each(|at| self.due.hint(at));
        self.doubt_counters_of(&job);
        self.subjects.changed(&keys::events(key.tenant, job.id));
        if job.holder().is_none() {
            self.subjects.changed(&log_subject(key.tenant, job.id));
        }
        match job.state {
            State::Ready { .. } => {
                for pool in job.open_pools() {
                    self.know_lane(job.host(), job.lane(), pool).await?;
                }
                self.make_ready(ReadyJob { version: found.version, record: job, payload: None });
            }
            State::Offered { ready_at, .. } => self.heed_grant(&job, ready_at),
            // Of a short one this is the first that is heard.
            State::Running { .. } => self.heed_grant(&job, job.submitted_at),
            State::Concluded { .. } => {
                self.heed_grant(&job, job.submitted_at);
                self.subjects.changed(key);
            }
            _ => {}
        }
        Ok(())
    }

    /// Another control plane has granted a job, which was ready since then if it was not put off. If it was,
    /// that is found out when it is to be granted here.
    fn heed_grant(self: &Arc<Self>, job: &JobRecord, ready_at: Timestamp) {
        let (lane, now) = (job.lane(), self.now());
        let ready = keys::ready(lane, job.terms.priority, ready_at, job.tenant, job.id);
        self.scheduled(|schedule| {
            schedule.gone(lane, &ready);
            schedule.others_granted(lane, now);
        });
    }

    /// Reads a lane that another control plane made.
    async fn know_lane(
        self: &Arc<Self>,
        tenant: TenantId,
        lane: LaneId,
        pool: PoolId,
    ) -> Result<(), StoreError> {
        self.listings.heard(pool);
        {
            let schedule = lock(&self.schedule);
            if !schedule.knows_pool(pool) || schedule.knows_lane(lane, pool) {
                return Ok(());
            }
        }
        let key = Key::new(tenant, LaneRecord::KIND, keys::pair(lane.as_bytes(), pool.as_bytes()));
        if let Some(found) = self.records.load::<LaneRecord>(key).await? {
            let pages = self.scheduled(|schedule| schedule.add_pool(pool, vec![found.record]));
            self.read_pages(pages);
        }
        Ok(())
    }

    /// What is known of a runner's session may be old: it is read again before it is used.
    pub(crate) fn doubt_session(&self, runner: RunnerId) {
        for session in self.sessions.of_runner(runner) {
            session.doubt();
            session.wake();
        }
    }

    /// Reads what is not looked up when it is used, but only where somebody has told of it.
    async fn read_what_nothing_doubts(self: &Arc<Self>) -> Result<(), StoreError> {
        self.read_rollout().await?;
        self.read_suspended().await?;
        let placed = lock(&self.schedule).placed_pools();
        for (tenant, pool) in placed {
            if !self.read_pool(tenant, pool).await? {
                drop(Unheeded::new(self, PoolRecord::key_of(tenant, pool)));
            }
        }
        Ok(())
    }

    /// Anything may have changed.
    fn doubt_all_that_is_known(self: &Arc<Self>) {
        self.doubt_sessions(|_, _| true);
        let lanes = lock(&self.schedule).all_lanes();
        lanes.into_iter().for_each(|lane| self.doubt(lane));
        self.scheduled(Schedule::doubt_all_counters);
        self.lanes_doubted.store(true, Ordering::Release);
        self.forget_pools();
        self.due.hint(self.now());
        self.subjects.all_changed();
    }
}

/// The id that the bytes of a hint, or of a key, begin with.
fn id_of(bytes: &Bytes) -> Option<[u8; 16]> {
    bytes.first_chunk().copied()
}
