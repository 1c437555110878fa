//! What an operator does: make pools, and say what is wanted of runners.

use super::{ControlPlane, caller::LocalRunnerCaller};
use crate::{
    actors::{
        client::Client,
        error::Error,
        records::{Batch, Versioned},
        runner::{Runner, RunnerBuilder},
    },
    rules::{
        record::{PoolRecord, RunnerRecord, UniqueRecord},
        submission,
    },
    seams::{random, store::StoreError},
    values::{
        id::{PoolId, RunnerId, TenantId},
        principal::{Principal, Scope},
        reply::{RefusalCode, Refused},
        runner::{Desired, Mode},
    },
};

use std::sync::Arc;

/// How often a change that others are faster with is tried.
const ROUNDS_MAX: usize = 16;

impl ControlPlane {
    /// Describes a runner of the tenant `default` in this very process. A pool that does not exist
    /// is told by the runner's end: make it with [`create_pool`](Self::create_pool) first.
    pub fn local_runner(&self, pool: &str) -> RunnerBuilder {
        let plane = &self.plane;
        let id = random::id(&*plane.random, plane.now(), RunnerId::new);
        let caller = LocalRunnerCaller::new(Arc::clone(plane), TenantId::DEFAULT, pool, id);
        Runner::builder(caller)
            .artifacts(TenantId::DEFAULT, Arc::clone(&plane.artifacts))
            .clock(Arc::clone(&plane.clock))
            .random(Arc::clone(&plane.random))
            .observer(Arc::clone(&plane.observer))
    }

    /// A client of the tenant `default` in this very process, which may do everything.
    #[must_use]
    pub fn local_client(&self) -> Client {
        let plane = &self.plane;
        let scopes = [Scope::Submit, Scope::Read, Scope::Admin].into();
        Client::builder(self.caller(Principal::Api { tenant: TenantId::DEFAULT, scopes }))
            .artifacts(TenantId::DEFAULT, Arc::clone(&plane.artifacts))
            .clock(Arc::clone(&plane.clock))
            .random(Arc::clone(&plane.random))
            .build()
    }

    /// Makes a pool, or finds the one of that name.
    ///
    /// # Errors
    /// [`Error::Refused`] for a malformed name, [`Error::Store`].
    pub async fn create_pool(&self, tenant: TenantId, name: &str) -> Result<PoolId, Error> {
        submission::name("name", name).map_err(Error::Refused)?;
        let id = random::id(&*self.plane.random, self.plane.now(), PoolId::new);
        let pool = PoolRecord::new(tenant, id, name);
        let mut batch = Batch::new();
        batch.put(0, &UniqueRecord::of_pool(&pool));
        batch.put(0, &pool);
        match self.plane.records.commit(batch).await {
            Ok(_) => Ok(id),
            Err(StoreError::Conflict(_)) => {
                let found = self.plane.pool_by_name(tenant, name).await.map_err(Error::Store)?;
                found.ok_or_else(|| {
                    Error::Store(StoreError::Unavailable("the pool's name was just freed".into()))
                })
            }
            Err(error) => Err(Error::Store(error)),
        }
    }

    /// Says what a runner is to do, now and after any restart: serve, drain, or leave.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such runner, [`Error::Store`].
    pub async fn set_mode(&self, tenant: TenantId, runner: RunnerId, mode: Mode) -> Result<(), Error> {
        self.change_desired(tenant, runner, |desired| desired.mode = mode).await
    }

    /// Limits how many jobs a runner executes at once, below its own limit; `None` lifts it.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such runner, [`Error::Store`].
    pub async fn set_slots(
        &self,
        tenant: TenantId,
        runner: RunnerId,
        slots: Option<u32>,
    ) -> Result<(), Error> {
        self.change_desired(tenant, runner, |desired| desired.slots = slots).await
    }

    /// Removes a runner: its next sync is told so, and it exits. What it holds is lost.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such runner, [`Error::Store`].
    pub async fn remove_runner(&self, tenant: TenantId, runner: RunnerId) -> Result<(), Error> {
        self.change_runner(tenant, runner, |record| record.removed = true).await
    }

    async fn change_desired(
        &self,
        tenant: TenantId,
        runner: RunnerId,
        change: impl Fn(&mut Desired),
    ) -> Result<(), Error> {
        let next = |record: &mut RunnerRecord| {
            change(&mut record.desired);
            record.desired.generation += 1;
        };
        self.change_runner(tenant, runner, next).await
    }

    async fn change_runner(
        &self,
        tenant: TenantId,
        runner: RunnerId,
        change: impl Fn(&mut RunnerRecord),
    ) -> Result<(), Error> {
        let plane = &self.plane;
        for _ in 0..ROUNDS_MAX {
            let found = plane.records.load::<RunnerRecord>(RunnerRecord::key_of(tenant, runner)).await;
            let Some(Versioned { version, mut record }) = found.map_err(Error::Store)? else {
                let problem = format!("runner: there is no runner {runner}");
                return Err(Error::Refused(Refused::new(RefusalCode::NotFound, problem)));
            };
            change(&mut record);
            let mut batch = Batch::new();
            batch.put(version, &record);
            match plane.records.commit(batch).await {
                Ok(_) => {
                    let session = super::lock(&plane.sessions).get(&runner).cloned();
                    if let Some(session) = session {
                        let mut live = session.live.lock().await;
                        if record.removed {
                            live.loaded = false;
                            live.last = None;
                        }
                        live.runner = Some(Versioned { version: version + 1, record });
                        drop(live);
                        session.wake();
                    }
                    return Ok(());
                }
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(Error::Store(error)),
            }
        }
        Err(Error::Store(StoreError::Unavailable("the runner changes faster than it can be told".into())))
    }
}
