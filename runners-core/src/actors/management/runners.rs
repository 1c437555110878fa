//! Runners: listed, renamed, told what is wanted of them, and removed.

use super::{Management, ROUNDS_MAX, not_found};
use crate::{
    actors::{
        control_plane::lock,
        error::Error,
        records::{Batch, Versioned},
    },
    rules::{
        keys,
        record::{Record as _, RunnerRecord},
        submission,
    },
    seams::store::StoreError,
    values::{
        fleet::{
            listing::{Listing, Paging},
            runner::{RunnerFilter, RunnerView},
        },
        id::{RunnerId, TenantId},
        key::{Index, Kind},
        principal::Scope,
        runner::{Desired, Mode},
    },
};

impl Management {
    /// Lists the runners of the tenant, oldest first.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn runners(
        &self,
        filter: &RunnerFilter,
        paging: &Paging,
    ) -> Result<Listing<RunnerView>, Error> {
        let tenant = self.with(Scope::Read)?;
        let page = match filter.pool {
            Some(pool) => {
                self.pool_record(tenant, pool).await?;
                let prefix = keys::parent_kind_prefix(tenant, pool.as_bytes(), RunnerRecord::KIND);
                self.list(Index::Parent, prefix, &["runners", &pool.to_string()], paging).await?
            }
            None => {
                let prefix = keys::listed_prefix(tenant, Kind::Runner, None);
                self.list(Index::Listed, prefix, &["runners"], paging).await?
            }
        };
        Ok(page.map(|runner: Versioned<RunnerRecord>| view(runner.record)))
    }

    /// One runner of the tenant.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn runner(&self, runner: RunnerId) -> Result<RunnerView, Error> {
        let tenant = self.with(Scope::Read)?;
        self.runner_record(tenant, runner).await.map(|found| view(found.record))
    }

    /// Renames a runner.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn rename_runner(&self, runner: RunnerId, name: &str) -> Result<(), Error> {
        submission::name("name", name)?;
        self.change_runner(runner, |record| name.clone_into(&mut record.name)).await
    }

    /// Says what a runner is to do, now and after any restart: serve, drain, or leave.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn set_mode(&self, runner: RunnerId, mode: Mode) -> Result<(), Error> {
        self.change_desired(runner, |desired| desired.mode = mode).await
    }

    /// Limits how many jobs a runner executes at once, below its own limit; `None` lifts it.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn set_slots(&self, runner: RunnerId, slots: Option<u32>) -> Result<(), Error> {
        self.change_desired(runner, |desired| desired.slots = slots).await
    }

    /// Removes a runner: its next sync is told so, and it exits. What it holds is lost.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn remove_runner(&self, runner: RunnerId) -> Result<(), Error> {
        self.change_runner(runner, |record| record.removed = true).await
    }

    async fn change_desired(&self, runner: RunnerId, change: impl Fn(&mut Desired)) -> Result<(), Error> {
        let next = |record: &mut RunnerRecord| {
            change(&mut record.desired);
            record.desired.generation += 1;
        };
        self.change_runner(runner, next).await
    }

    pub(crate) async fn change_runner(
        &self,
        runner: RunnerId,
        change: impl Fn(&mut RunnerRecord),
    ) -> Result<(), Error> {
        let tenant = self.with(Scope::Admin)?;
        let plane = &self.plane;
        for _ in 0..ROUNDS_MAX {
            let Versioned { version, record: before } = self.runner_record(tenant, runner).await?;
            let mut record = before.clone();
            change(&mut record);
            let mut batch = Batch::new();
            if record.removed && !before.removed && record.counted {
                record.counted = false;
                batch.add(keys::runners_of(tenant, record.pool), -1, None);
            }
            batch.put(version, &record);
            match plane.records.commit(batch).await {
                Ok(_) => {
                    self.tell(runner, Versioned { version: version + 1, record }).await;
                    return Ok(());
                }
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(Error::Store(error)),
            }
        }
        Err(Error::Store(StoreError::Unavailable("the runner changes faster than it can be told".into())))
    }

    /// Has the session of a runner go by its new record at once.
    async fn tell(&self, runner: RunnerId, changed: Versioned<RunnerRecord>) {
        let session = lock(&self.plane.sessions).get(&runner).cloned();
        if let Some(session) = session {
            let mut live = session.live.lock().await;
            if changed.record.removed {
                live.loaded = false;
                live.last = None;
            }
            live.runner = Some(changed);
            drop(live);
            session.wake();
        }
    }

    pub(crate) async fn runner_record(
        &self,
        tenant: TenantId,
        runner: RunnerId,
    ) -> Result<Versioned<RunnerRecord>, Error> {
        let found = self.plane.records.load(RunnerRecord::key_of(tenant, runner)).await;
        found.map_err(Error::Store)?.ok_or_else(|| not_found("runner", runner))
    }
}

pub(super) fn view(runner: RunnerRecord) -> RunnerView {
    RunnerView {
        id: runner.id,
        pool: runner.pool,
        name: runner.name,
        desired: runner.desired,
        made_at: runner.made_at,
    }
}
