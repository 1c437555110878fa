//! Runners: listed, renamed, told what is wanted of them, and removed.

use super::{Management, ROUNDS_MAX, audit::Deed, not_found, refused};
use crate::{
    actors::{
        control_plane::Unheeded,
        error::Error,
        records::{Batch, Pages, Versioned, read},
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
            presence::Presence,
            runner::{Drain, RunnerFilter, RunnerView},
        },
        id::{RunnerId, TenantId},
        key::{Index, Kind},
        principal::Scope,
        reply::RefusalCode,
        runner::{Desired, Mode},
    },
};
use std::{sync::Arc, time::Duration};

/// How many runners one page looks at before it is given with fewer items than were asked for.
const SCANNED_MAX: usize = 4096;

impl Management {
    /// Lists the runners of the tenant, oldest first.
    ///
    /// The pool is looked up in an index; the state, as [presence](Self::presence) knows it, is applied to what
    /// is found there. So a page may have fewer items than were asked for, or none, and still be followed by
    /// another: go on while there is a `next`.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn runners(
        &self,
        filter: &RunnerFilter,
        paging: &Paging,
    ) -> Result<Listing<RunnerView>, Error> {
        if filter.state.is_some() {
            return Ok(self.runners_and_presence(filter, paging).await?.map(|(runner, _)| runner));
        }
        Ok(self.runners_unsifted(filter, paging).await?.map(|runner| view(runner.record)))
    }

    /// Lists runners as [`Management::runners`] does, each with its presence: whether it is online, and what
    /// it does.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn runners_and_presence(
        &self,
        filter: &RunnerFilter,
        paging: &Paging,
    ) -> Result<Listing<(RunnerView, Presence)>, Error> {
        let limit = paging.checked()? as usize;
        let mut paging = paging.clone();
        let (mut items, mut scanned) = (Vec::new(), 0);
        loop {
            let page = self.runners_unsifted(filter, &paging).await?;
            scanned += page.items.len();
            let ids: Vec<RunnerId> = page.items.iter().map(|runner| runner.record.id).collect();
            let presence = self.presence(&ids).await?;
            let all = page.items.into_iter().map(|runner| view(runner.record)).zip(presence);
            items.extend(all.filter(|(runner, presence)| {
                filter.state.is_none_or(|state| presence.state(runner.desired.mode) == state)
            }));
            // One that does not match makes room for one more.
            paging.limit = u32::try_from(limit - items.len()).unwrap_or(u32::MAX);
            if page.next.is_none() || paging.limit == 0 || scanned >= SCANNED_MAX {
                return Ok(Listing { items, next: page.next });
            }
            paging.after = page.next;
        }
    }

    async fn runners_unsifted(
        &self,
        filter: &RunnerFilter,
        paging: &Paging,
    ) -> Result<Listing<Versioned<RunnerRecord>>, Error> {
        let tenant = self.with(Scope::Read)?;
        let state = format!("{:?}", filter.state);
        match filter.pool {
            Some(pool) => {
                self.pool_record(tenant, pool).await?;
                let prefix = keys::parent_kind_prefix(tenant, pool.as_bytes(), RunnerRecord::KIND);
                self.list(Index::Parent, prefix, &["runners", &pool.to_string(), &state], paging).await
            }
            None => {
                let prefix = keys::listed_prefix(tenant, Kind::Runner, None);
                self.list(Index::Listed, prefix, &["runners", &state], paging).await
            }
        }
    }

    /// One runner of the tenant.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn runner(&self, runner: RunnerId) -> Result<RunnerView, Error> {
        let tenant = self.with(Scope::Read)?;
        self.runner_record(tenant, runner).await.map(|found| view(found.record))
    }

    /// Renames a runner. Those that enrol by themselves may come with names that others of the tenant have;
    /// none is given one here.
    ///
    /// # Errors
    /// [`Error::Refused`] (`conflict`) if another runner of the tenant has the name, or as [`Management`] says.
    pub async fn rename_runner(&self, runner: RunnerId, name: &str) -> Result<(), Error> {
        submission::name("name", name)?;
        let tenant = self.with(Scope::Admin)?;
        self.runner_record(tenant, runner).await?;
        self.no_other_runner_has(tenant, name, Some(runner)).await?;
        let deed = Deed::new("renamed", "runner").called(name);
        self.change_runner(runner, deed, |record| name.clone_into(&mut record.name)).await
    }

    /// Refuses a name that a runner of the tenant has, other than the one that `may` have it.
    pub(super) async fn no_other_runner_has(
        &self,
        tenant: TenantId,
        name: &str,
        may: Option<RunnerId>,
    ) -> Result<(), Error> {
        let mut pages = Pages::of(Index::Listed, keys::listed_prefix(tenant, Kind::Runner, None));
        while let Some(rows) = pages.next(&self.plane.records).await.map_err(Error::Store)? {
            for (_, row) in &rows {
                let other = read::<RunnerRecord>(row).map_err(Error::Store)?.record;
                if other.name == name && Some(other.id) != may {
                    let problem = "name: there is a runner of that name: choose another";
                    return Err(refused(RefusalCode::Conflict, problem));
                }
            }
        }
        Ok(())
    }

    /// Sets what a runner has to do, now and after any restart: serve, drain, or leave.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn set_mode(&self, runner: RunnerId, mode: Mode) -> Result<(), Error> {
        self.want(runner, mode, &Drain::default(), false).await
    }

    /// Drains a runner: it takes nothing new and finishes what it holds. It stays connected, and serves again
    /// when it is [resumed](Self::resume_runner). The wish is kept, and told to the runner until it has
    /// followed it, over restarts of either side.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn drain_runner(&self, runner: RunnerId, drain: &Drain) -> Result<(), Error> {
        self.want(runner, Mode::Drain, drain, false).await
    }

    /// Drains a runner, and has it exit then. If it is started again it exits again, until it is
    /// [resumed](Self::resume_runner).
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn shut_down_runner(&self, runner: RunnerId, drain: &Drain) -> Result<(), Error> {
        self.want(runner, Mode::Leave, drain, false).await
    }

    /// Lets a runner serve again that was drained, shut down or retired.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn resume_runner(&self, runner: RunnerId) -> Result<(), Error> {
        self.want(runner, Mode::Serve, &Drain::default(), false).await
    }

    /// Drains a runner, has it exit, and removes it then, which is at once if it has drained already or its session is
    /// over; at the latest once `within`, and the grace of the jobs
    /// that it runs, are over. Its credential stays good until then, since it still has to report its results.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn retire_runner(&self, runner: RunnerId, within: Duration) -> Result<(), Error> {
        let drain = Drain { within: Some(within), ..Drain::default() };
        self.want(runner, Mode::Leave, &drain, true).await?;
        // One that is away would never hear of it.
        let tenant = self.with(Scope::Admin)?;
        self.plane.remove_if_nothing_is_left(tenant, runner).await.map_err(Error::Store)
    }

    async fn want(&self, runner: RunnerId, mode: Mode, drain: &Drain, retiring: bool) -> Result<(), Error> {
        let too_long = |field: &str, limit: &dyn std::fmt::Display| {
            refused(RefusalCode::Invalid, format!("{field}: is over its limit of {limit}: shorten it"))
        };
        if drain.note.as_ref().is_some_and(|note| note.len() > Desired::NOTE_BYTES_MAX) {
            return Err(too_long("note", &format!("{} bytes", Desired::NOTE_BYTES_MAX)));
        }
        if drain.within.is_some_and(|within| within > Drain::WITHIN_MAX) {
            return Err(too_long("within", &format!("{} s", Drain::WITHIN_MAX.as_secs())));
        }
        let drain_by = drain.within.map(|within| self.plane.now() + within);
        let next = |record: &mut RunnerRecord| {
            record.desired.mode = mode;
            record.desired.note.clone_from(&drain.note);
            record.desired.generation += 1;
            (record.drain_by, record.retiring) = (drain_by, retiring);
        };
        let verb = match (mode, retiring) {
            (_, true) => "retired",
            (Mode::Serve, _) => "resumed",
            (Mode::Drain, _) => "drained",
            (Mode::Leave, _) => "shut down",
        };
        let deed = Deed { note: drain.note.as_deref(), ..Deed::new(verb, "runner") };
        self.change_runner(runner, deed, next).await?;
        drain_by.into_iter().for_each(|by| self.plane.due.hint(by));
        Ok(())
    }

    /// Limits how many jobs a runner executes at once, below its own limit; `None` lifts it.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn set_slots(&self, runner: RunnerId, slots: Option<u32>) -> Result<(), Error> {
        let to = slots.map_or_else(|| "no limit".to_owned(), |slots| slots.to_string());
        let next = |record: &mut RunnerRecord| {
            record.desired.slots = slots;
            record.desired.generation += 1;
        };
        self.change_runner(runner, Deed::new("limited the slots of", "runner").called(&to), next).await
    }

    /// Removes a runner at once: its credentials are revoked, its jobs count as lost, signals that wait for it
    /// are answered, and its next sync is told, so that it exits for good. Until then it may go on working on
    /// its jobs. To let it finish them first, [retire](Self::retire_runner) it.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn remove_runner(&self, runner: RunnerId) -> Result<(), Error> {
        let tenant = self.with(Scope::Admin)?;
        match self.plane.remove_runner(tenant, runner).await {
            Ok(true) => self.note_alone(tenant, Deed::new("removed", "runner"), runner).await,
            Ok(false) => Err(not_found("runner", runner)),
            Err(error) => Err(Error::Store(error)),
        }
    }

    async fn change_runner(
        &self,
        runner: RunnerId,
        deed: Deed<'_>,
        change: impl Fn(&mut RunnerRecord),
    ) -> Result<(), Error> {
        let tenant = self.with(Scope::Admin)?;
        for _ in 0..ROUNDS_MAX {
            let Versioned { version, mut record } = self.runner_record(tenant, runner).await?;
            change(&mut record);
            let mut batch = Batch::new();
            batch.put(version, &record);
            self.note(&mut batch, tenant, deed, runner).await;
            let mut changed = Unheeded::new(&self.plane, record.key());
            match changed.commit(batch).await {
                Ok(_) => {
                    self.tell(runner, Versioned { version: version + 1, record }).await;
                    changed.heeded();
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
        let session = self.plane.sessions.find(changed.record.tenant, runner);
        if let Some(session) = session {
            let mut live = session.live.lock().await;
            // A later change may have been told before this one.
            if live.runner.as_ref().is_none_or(|known| known.version < changed.version) {
                live.runner = Some(changed);
            }
            drop(live);
            session.wake();
        }
    }

    /// The record of a runner of the tenant. One that was removed is there only for itself, to be
    /// told so.
    pub(crate) async fn runner_record(
        &self,
        tenant: TenantId,
        runner: RunnerId,
    ) -> Result<Versioned<RunnerRecord>, Error> {
        let found = self.plane.records.load::<RunnerRecord>(RunnerRecord::key_of(tenant, runner)).await;
        let found = found.map_err(Error::Store)?.filter(|found| !found.record.removed);
        found.ok_or_else(|| not_found("runner", runner))
    }
}

pub(super) fn view(runner: RunnerRecord) -> RunnerView {
    RunnerView {
        id: runner.id,
        pool: runner.pool,
        name: runner.name,
        desired: runner.desired,
        made_at: runner.made_at,
        drain_by: runner.drain_by,
        retiring: runner.retiring,
        facts: runner.facts.map(|(_, facts)| Arc::unwrap_or_clone(facts)),
    }
}
