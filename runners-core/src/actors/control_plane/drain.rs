//! Runners that are to hold nothing any more: because they drain and their time is over, or because
//! they are removed.

use super::{
    Plane, Unheeded,
    effects::Change,
    session::{Identity, Live, Mine},
    sync::RELEASES_PER_BATCH,
};
use crate::{
    actors::records::{Batch, Versioned},
    rules::{
        job::StopReason,
        keys,
        record::{Record as _, RunnerRecord, SignalRecord, SignalState},
    },
    seams::store::StoreError,
    values::{
        id::{RunnerId, TenantId},
        result::Fault,
        sync::SignalOutcome,
    },
};
use std::sync::Arc;

/// How often a change that others are faster with is tried.
const ROUNDS_MAX: usize = 16;

impl Plane {
    /// Takes from a draining runner what it still holds, once its time is over. One that is to be
    /// removed is, when nothing is left.
    pub(super) async fn due_runner(
        self: &Arc<Self>,
        runner: Versioned<RunnerRecord>,
    ) -> Result<(), StoreError> {
        let RunnerRecord { tenant, id, pool, .. } = runner.record;
        let who = Identity { tenant, pool, runner: id };
        let session = self.session(who);
        let mut live = session.live.lock().await;
        self.load(who, &mut live).await?;
        let Some(Versioned { version, mut record }) = live.runner.clone() else { return Ok(()) };
        if record.drain_by.is_none_or(|by| by > self.now()) {
            return Ok(());
        }
        let offered = self.take_back(&mut live).await?;
        let remove = record.retiring && live.mine.is_empty();
        // An offer may be started before it lapses, and is looked at again then.
        let again = offered || (record.retiring && !remove);
        record.drain_by = again.then(|| self.now() + self.spans.start_within);
        let mut batch = Batch::new();
        batch.put(version, &record);
        self.records.commit(batch).await?;
        record.drain_by.into_iter().for_each(|by| self.due.hint(by));
        live.runner = Some(Versioned { version: version + 1, record });
        drop(live);
        session.wake();
        if remove { self.remove_runner(tenant, id).await.map(drop) } else { Ok(()) }
    }

    /// Has every attempt of a session stopped that its job may go on with elsewhere. Whether anything
    /// is offered: that may have been started already, so it is left to be confirmed or to lapse.
    async fn take_back(self: &Arc<Self>, live: &mut Live) -> Result<bool, StoreError> {
        let (now, slack) = (self.now(), self.spans.start_within);
        let stop = |mine: &Mine| {
            let mut job = mine.job.record.clone();
            job.stop(StopReason::Drained, now, slack).then(|| Change::of(&mine.job, job))
        };
        let mut changes: Vec<Change> = live.mine.values().filter_map(|mine| stop(mine)).collect();
        for page in changes.chunks_mut(RELEASES_PER_BATCH) {
            live.loaded = false;
            self.commit(Batch::new(), page, now).await?;
            live.loaded = true;
            self.keep(live, page);
        }
        Ok(live.mine.values().any(|mine| mine.is_offered()))
    }

    /// Remembers that a draining runner holds nothing any more, and removes one that was only kept
    /// until then.
    pub(super) async fn note_drained(
        self: &Arc<Self>,
        live: &mut Live,
        has_nothing: bool,
    ) -> Result<(), StoreError> {
        let Some(session) = &live.session else { return Ok(()) };
        if !has_nothing || !live.mine.is_empty() {
            return Ok(());
        }
        let (version, mut record) = (session.version, session.record.clone());
        let (tenant, runner) = (record.tenant, record.runner);
        if !std::mem::replace(&mut record.drained, true) {
            self.write_session(live, version, record, Batch::new(), &[]).await?;
        }
        if live.runner.as_ref().is_some_and(|runner| runner.record.retiring) {
            let plane = Arc::clone(self);
            // Its answer says that nothing more comes, so this is for afterwards. If it is lost in a
            // crash, it is done when the runner's time is over.
            self.duties.spawn(async move {
                if let Err(error) = plane.remove_runner(tenant, runner).await {
                    tracing::warn!(%runner, error = &error as &dyn std::error::Error, "a drained runner is not removed yet");
                }
            });
        }
        Ok(())
    }

    /// Removes a runner that holds nothing and is granted nothing more, since it has drained or its session is over.
    pub(crate) async fn remove_if_nothing_is_left(
        self: &Arc<Self>,
        tenant: TenantId,
        runner: RunnerId,
    ) -> Result<(), StoreError> {
        let key = RunnerRecord::key_of(tenant, runner);
        let Some(found) = self.records.load::<RunnerRecord>(key).await? else { return Ok(()) };
        let who = Identity { tenant, pool: found.record.pool, runner };
        let session = self.session(who);
        let mut live = session.live.lock().await;
        self.load(who, &mut live).await?;
        let is_over =
            live.session.as_ref().is_none_or(|session| session.record.ended || session.record.drained);
        let is_free = is_over && live.mine.is_empty();
        drop(live);
        if is_free { self.remove_runner(tenant, runner).await.map(drop) } else { Ok(()) }
    }

    /// Removes a runner at once: its credentials are good no longer, what it holds is lost, and
    /// whoever waits for its answer is told. Whether there was one.
    pub(crate) async fn remove_runner(
        self: &Arc<Self>,
        tenant: TenantId,
        runner: RunnerId,
    ) -> Result<bool, StoreError> {
        // If this is cut short, its next or parked call is told all the same.
        let removing = Unheeded::new(self, RunnerRecord::key_of(tenant, runner));
        let Some(record) = self.mark_removed(tenant, runner).await? else {
            removing.heeded();
            return Ok(false);
        };
        self.remove_credentials(tenant, runner).await?;
        let who = Identity { tenant, pool: record.pool, runner };
        let session = self.session(who);
        let mut live = session.live.lock().await;
        self.load(who, &mut live).await?;
        self.lose_all(&mut live).await?;
        self.give_up_signals(&mut live, runner).await?;
        self.dismiss(who, &mut live);
        drop(live);
        session.wake();
        removing.heeded();
        self.give_up_pinned(tenant, who.pool, runner).await?;
        Ok(true)
    }

    async fn mark_removed(
        &self,
        tenant: TenantId,
        runner: RunnerId,
    ) -> Result<Option<RunnerRecord>, StoreError> {
        for _ in 0..ROUNDS_MAX {
            let key = RunnerRecord::key_of(tenant, runner);
            let Some(found) = self.records.load::<RunnerRecord>(key).await? else { return Ok(None) };
            let Versioned { version, mut record } = found;
            if record.removed {
                return Ok(Some(record));
            }
            let mut batch = Batch::new();
            if std::mem::take(&mut record.counted) {
                batch.add(keys::runners_of(tenant, record.pool), -1, None);
            }
            (record.removed, record.drain_by) = (true, None);
            batch.put(version, &record);
            match self.records.commit(batch).await {
                Ok(_) => return Ok(Some(record)),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Unavailable("the runner changes faster than it can be removed".into()))
    }

    /// Answers the signals to a runner that is gone for good.
    async fn give_up_signals(&self, live: &mut Live, runner: RunnerId) -> Result<(), StoreError> {
        let waiting: Vec<Versioned<SignalRecord>> =
            live.signals.values().map(|pending| pending.signal.clone()).collect();
        let mut batch = Batch::new();
        let mut ended = Vec::with_capacity(waiting.len());
        for Versioned { version, mut record } in waiting {
            let fault = Fault::permanent("runner_removed", format!("{runner} was removed"));
            record.end(SignalState::Answered(SignalOutcome::Fault(fault)), self.now());
            batch.put(version, &record);
            ended.push(record.key());
        }
        self.records.commit(batch).await?;
        live.signals.clear();
        ended.iter().for_each(|key| self.subjects.changed(key));
        Ok(())
    }
}
