//! What other control planes on the same store wrote: jobs that they made ready, and changes of
//! what runners hold that are at home here. A store with one owner says nothing, and this costs
//! nothing.

use super::{Plane, effects::log_subject_of, lock};
use crate::{
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
    pub(super) async fn serve_hints(self: Arc<Self>, mut hints: BoxStream<'static, Hint>) {
        // An owner's hint goes before the change that it belongs to.
        let mut owners = BTreeSet::new();
        loop {
            let hint = tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                hint = hints.next() => hint,
            };
            let heeded = match hint {
                None => return,
                Some(Hint::Owner(owner)) => {
                    owners.extend(<[u8; 16]>::try_from(owner.as_ref()).map(RunnerId::from_bytes));
                    Ok(())
                }
                Some(Hint::Lane(_)) => Ok(()),
                Some(Hint::Changed(key)) => self.heed(&key, std::mem::take(&mut owners)).await,
                Some(Hint::All) => {
                    self.heed_all();
                    self.read_rollout().await.and(self.read_suspended().await)
                }
            };
            if let Err(error) = heeded {
                tracing::warn!(error = &error as &dyn std::error::Error, "a change could not be read");
                self.heed_all();
            }
        }
    }

    async fn heed(self: &Arc<Self>, key: &Key, owners: BTreeSet<RunnerId>) -> Result<(), StoreError> {
        let id = key.id.get(..16).and_then(|id| <[u8; 16]>::try_from(id).ok());
        match (key.kind, id) {
            (Kind::Job, Some(id)) => self.heed_job(key, JobId::from_bytes(id), owners).await?,
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
    ) -> Result<(), StoreError> {
        let Some(found) = self.records.load::<JobRecord>(key.clone()).await? else { return Ok(()) };
        if self.written.is_own(key.tenant, id, found.version) {
            return Ok(());
        }
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
            State::Offered { ready_at, .. } => {
                let (lane, priority) = (job.lane(), job.terms.priority);
                let ready = keys::ready(lane, priority, ready_at, key.tenant, id);
                self.scheduled(|schedule| schedule.gone(lane, &ready));
            }
            State::Concluded { .. } => {
                self.subjects.changed(key);
                self.subjects.changed(&log_subject_of(key.tenant, job.token()));
            }
            _ => {}
        }
        Ok(())
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
