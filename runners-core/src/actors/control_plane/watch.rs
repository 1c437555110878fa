//! What other control planes on the same store wrote: jobs that they made ready, and changes of
//! what runners hold that are at home here. A store with one owner says nothing, and this costs
//! nothing.

use super::{Plane, effects::log_subject_of, lock};
use crate::{
    actors::records::Versioned,
    rules::{
        job::{JobRecord, State},
        keys,
        record::{LaneRecord, Record as _},
        schedule::{ReadyJob, Schedule},
    },
    seams::store::{Hint, StoreError},
    values::{
        id::{JobId, LaneId, PoolId, RunnerId, TenantId},
        key::{Key, Kind},
        lease::FencingToken,
        time::Timestamp,
    },
};
use futures::{StreamExt as _, stream::BoxStream};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, atomic::Ordering},
};

/// Which versions of jobs this control plane wrote itself: a hint of those is no news.
#[derive(Debug, Default)]
pub(crate) struct Written {
    versions: Mutex<BTreeMap<(TenantId, JobId), u64>>,
}

/// Jobs as they were read for some hints.
type Jobs = BTreeMap<Key, Versioned<JobRecord>>;

/// How many hints are heeded together, where as many have come: their jobs are read at once.
const HINTS_AT_ONCE_MAX: usize = 256;

/// How many jobs are remembered. To forget one costs a read, and nothing else.
const WRITTEN_MAX: usize = 4096;

impl Written {
    /// This control plane has written a job.
    pub(crate) fn note(&self, tenant: TenantId, job: JobId, version: u64) {
        let mut versions = lock(&self.versions);
        if versions.len() >= WRITTEN_MAX {
            versions.clear();
        }
        let newest = versions.entry((tenant, job)).or_default();
        *newest = version.max(*newest);
    }

    fn is_own(&self, tenant: TenantId, job: JobId, version: u64) -> bool {
        lock(&self.versions).get(&(tenant, job)).is_some_and(|newest| version <= *newest)
    }
}

impl Plane {
    /// Heeds what others write, until the control plane stops.
    pub(super) async fn serve_hints(self: Arc<Self>, hints: BoxStream<'static, Hint>) {
        let mut hints = hints.ready_chunks(HINTS_AT_ONCE_MAX);
        // An owner's hint goes before the change that it belongs to.
        let mut owners = BTreeSet::new();
        loop {
            let told = tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                told = hints.next() => told,
            };
            let Some(told) = told else { return };
            if let Err(error) = self.heed_each(told, &mut owners).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "a change could not be read");
                self.heed_all();
            }
        }
    }

    async fn heed_each(
        self: &Arc<Self>,
        told: Vec<Hint>,
        owners: &mut BTreeSet<RunnerId>,
    ) -> Result<(), StoreError> {
        let mut jobs = self.jobs_told_of(&told).await?;
        for hint in told {
            match hint {
                Hint::Owner(owner) => {
                    owners.extend(<[u8; 16]>::try_from(owner.as_ref()).map(RunnerId::from_bytes));
                }
                Hint::Lane(_) => {}
                Hint::Changed(key) => self.heed(&key, std::mem::take(owners), &mut jobs).await?,
                Hint::All => {
                    self.heed_all();
                    self.read_rollout().await.and(self.read_suspended().await)?;
                }
            }
        }
        Ok(())
    }

    /// The jobs that hints are of, read together.
    async fn jobs_told_of(&self, told: &[Hint]) -> Result<Jobs, StoreError> {
        let of_job = |hint: &Hint| match hint {
            Hint::Changed(key) if key.kind == Kind::Job => Some(key.clone()),
            _ => None,
        };
        let keys: Vec<Key> = told.iter().filter_map(of_job).collect::<BTreeSet<_>>().into_iter().collect();
        if keys.is_empty() {
            return Ok(Jobs::new());
        }
        let found = self.records.load_all(keys.clone()).await?;
        Ok(keys.into_iter().zip(found).filter_map(|(key, found)| Some((key, found?))).collect())
    }

    async fn heed(
        self: &Arc<Self>,
        key: &Key,
        owners: BTreeSet<RunnerId>,
        jobs: &mut Jobs,
    ) -> Result<(), StoreError> {
        let id = key.id.get(..16).and_then(|id| <[u8; 16]>::try_from(id).ok());
        match (key.kind, id) {
            (Kind::Job, Some(id)) => {
                // Told of twice, it was heeded at once as it is now.
                if let Some(found) = jobs.remove(key) {
                    self.heed_job(key, JobId::from_bytes(id), owners, found).await?;
                } else {
                    owners.into_iter().for_each(|runner| self.doubt_session(runner));
                }
            }
            (Kind::Events | Kind::Credential, _) => self.subjects.changed(key),
            (Kind::Log, Some(id)) => {
                let token = FencingToken { job: JobId::from_bytes(id), grant: 0 };
                self.subjects.changed(&log_subject_of(key.tenant, token));
            }
            (Kind::Session | Kind::Runner, Some(id)) => self.doubt_session(RunnerId::from_bytes(id)),
            (Kind::Signal, Some(_)) => {
                self.subjects.changed(key);
                owners.into_iter().for_each(|runner| self.doubt_session(runner));
            }
            (Kind::Lane, _) => self.heed_lane(key).await?,
            (Kind::Tenant, _) => self.read_suspended().await?,
            (Kind::Member, id) => self.heard_of_member(id),
            (Kind::Rollout, _) => self.read_rollout().await?,
            (Kind::Pool, Some(id)) => {
                self.forget_pools();
                self.read_pool(key.tenant, PoolId::from_bytes(id)).await?;
                self.doubt_sessions(|_, pool| pool == PoolId::from_bytes(id));
            }
            _ => {}
        }
        Ok(())
    }

    async fn heed_job(
        self: &Arc<Self>,
        key: &Key,
        id: JobId,
        owners: BTreeSet<RunnerId>,
        found: Versioned<JobRecord>,
    ) -> Result<(), StoreError> {
        if self.written.is_own(key.tenant, id, found.version) {
            return Ok(());
        }
        self.heard_of_others();
        let job = found.record;
        owners.into_iter().for_each(|runner| self.doubt_session(runner));
        job.due_at().into_iter().for_each(|at| self.due.hint(at));
        self.doubt_counters_of(&job);
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
                self.subjects.changed(&log_subject_of(key.tenant, job.token()));
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

    /// Anything may have changed.
    fn heed_all(self: &Arc<Self>) {
        self.doubt_sessions(|_, _| true);
        let lanes = lock(&self.schedule).all_lanes();
        lanes.into_iter().for_each(|lane| self.doubt(lane));
        self.scheduled(Schedule::doubt_all_counters);
        self.lanes_doubted.store(true, Ordering::Release);
        self.forget_pools();
        self.due.hint(self.now());
        self.subjects.all_changed();
    }

    /// Lists the lanes again of every pool that a runner here belongs to, if any may be missing.
    pub(super) async fn list_doubted_lanes(self: &Arc<Self>) -> Result<(), StoreError> {
        if !self.lanes_doubted.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let pools: BTreeSet<(TenantId, PoolId)> =
            self.sessions.all().iter().map(|session| (session.who.tenant, session.who.pool)).collect();
        for (tenant, pool) in pools {
            let listed = self.lanes_of(tenant, pool).await;
            let mut lanes = listed.inspect_err(|_| self.lanes_doubted.store(true, Ordering::Release))?;
            let pages = self.scheduled(|schedule| {
                lanes.retain(|lane| !schedule.knows_lane(lane.id, pool));
                schedule.add_pool(pool, lanes)
            });
            self.read_pages(pages);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_of_a_job_says_nothing_of_anothers_with_its_id() {
        let (written, job) = (Written::default(), JobId::from_bytes([1; 16]));
        written.note(TenantId::DEFAULT, job, 3);
        assert!(written.is_own(TenantId::DEFAULT, job, 3));
        assert!(!written.is_own(TenantId::DEFAULT, job, 4));
        assert!(!written.is_own(TenantId::from_bytes([9; 16]), job, 3));
    }
}
