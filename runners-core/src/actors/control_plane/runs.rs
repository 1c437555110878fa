//! Runs: made and opened by the first job of them that is accepted, and closed when the last of their
//! open jobs has ended.
//!
//! Which job is the last, only the commit that ends it tells. So a run is closed by a commit of its
//! own, right after: what was cut short between the two is found in the owner index, where open
//! runs stand as work for the control plane.

use super::{Plane, effects::Change, lock};
use crate::{
    actors::records::{Batch, Pages, Versioned, read},
    rules::{
        keys,
        record::{Record as _, RunRecord},
    },
    seams::store::{Committed, StoreError, Stored},
    values::{
        id::{RunId, TenantId},
        key::{Index, Key},
        time::BootTime,
    },
};
use std::{
    collections::BTreeSet,
    mem,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

/// Runs that may have to be closed.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    ended: Mutex<Ended>,
    any: Notify,
}

#[derive(Debug, Default)]
struct Ended {
    /// The last of their jobs has ended, or nobody knows.
    runs: BTreeSet<(TenantId, RunId)>,
    /// There were more than are remembered.
    more: bool,
}

/// How many runs are remembered. What is beyond is found by looking at every open run.
const ENDED_MAX: usize = 4096;
/// How often every open run is looked at: another control plane may have died before it closed one.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// How long after an error the duty tries again.
const ERROR_WAIT: Duration = Duration::from_secs(5);
/// How much of a feed is read to see whether a line is its last: more than the line has.
const BEHIND_BYTES: u32 = 4 << 10;
/// How often a run is read again that others change meanwhile.
const ROUNDS_MAX: usize = 16;

impl Runs {
    /// The last open job of these runs has ended, or may have.
    pub(super) fn may_have_ended(&self, runs: &[(TenantId, RunId)]) {
        if runs.is_empty() {
            return;
        }
        let mut ended = lock(&self.ended);
        for run in runs {
            if ended.runs.len() < ENDED_MAX {
                ended.runs.insert(*run);
            } else {
                ended.more = true;
            }
        }
        drop(ended);
        self.any.notify_one();
    }
}

impl Plane {
    /// Takes note of the runs whose last open job a commit has ended.
    pub(super) fn look_at_runs(&self, changes: &[Change], counters: &[Key], committed: &Committed) {
        let has_ended = |(tenant, run): &(TenantId, RunId)| {
            let key = keys::open_jobs(*tenant, *run);
            let mut sums = counters.iter().zip(&committed.counters).rev();
            sums.find(|(counter, _)| **counter == key).is_some_and(|(_, sum)| *sum == 0)
        };
        let ended: Vec<_> = changes.iter().filter_map(Change::run_concluded).filter(has_ended).collect();
        self.runs.may_have_ended(&ended);
    }

    /// Closes runs whose jobs have ended, until the control plane stops.
    pub(super) async fn serve_runs(self: Arc<Self>) {
        let mut look_at: Option<BootTime> = None;
        while !self.stopping.is_cancelled() {
            let Ended { runs, more } = mem::take(&mut *lock(&self.runs.ended));
            let now = self.clock.boot();
            let all = more || look_at.is_none_or(|at| at <= now);
            let (wait, is_done) = match self.close_runs(&runs, all).await {
                Ok(()) => {
                    look_at = if all { Some(now + LOOK_EVERY) } else { look_at };
                    (look_at.map_or(LOOK_EVERY, |at| at.since(now)), true)
                }
                // A record that nobody can read, say: it is not looked at again and again.
                Err(error @ StoreError::Broken(_)) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a run was not closed");
                    look_at = if all { Some(now + LOOK_EVERY) } else { look_at };
                    (look_at.map_or(LOOK_EVERY, |at| at.since(now)), true)
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "runs were not closed");
                    let mut ended = lock(&self.runs.ended);
                    ended.runs.extend(runs);
                    ended.more |= all;
                    (ERROR_WAIT, false)
                }
            };
            let deadline = self.clock.boot() + wait;
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => {}
                () = self.runs.any.notified(), if is_done => {}
                () = self.clock.sleep_until(deadline) => {}
            }
        }
    }

    /// Closes runs, whatever of that fails.
    async fn close_runs(&self, runs: &BTreeSet<(TenantId, RunId)>, all: bool) -> Result<(), StoreError> {
        let mut closed = Ok(());
        for (tenant, run) in runs {
            closed = both(closed, self.close_run(*tenant, *run).await);
        }
        if all { both(closed, self.close_every_run().await) } else { closed }
    }

    /// Closes every open run that no job is open of.
    async fn close_every_run(&self) -> Result<(), StoreError> {
        let mut closed = Ok(());
        let mut pages = Pages::of(Index::Owner, keys::upkeep_of(RunRecord::KIND));
        while let Some(rows) = pages.next(&self.records).await? {
            for (_, row) in &rows {
                closed = both(closed, self.close_if_ended(row).await);
            }
            self.pause().await;
        }
        closed
    }

    async fn close_if_ended(&self, row: &Stored) -> Result<(), StoreError> {
        let Versioned { record, .. } = read::<RunRecord>(row)?;
        match self.read_counter(&keys::open_jobs(record.tenant, record.id)).await? {
            0 => self.close_run(record.tenant, record.id).await,
            _ => Ok(()),
        }
    }

    /// Closes a run that no job is open of, and tells so.
    async fn close_run(&self, tenant: TenantId, run: RunId) -> Result<(), StoreError> {
        // The version that this has written, if a job has told something behind it.
        let mut overtaken = None;
        for _ in 0..ROUNDS_MAX {
            let found = self.records.load::<RunRecord>(RunRecord::key_of(tenant, run)).await?;
            let is_closed_behind = |version| found.as_ref().is_some_and(|found| found.version == version);
            let again = overtaken.is_some_and(is_closed_behind);
            let Some(Versioned { version, mut record }) = found.filter(|found| found.record.open || again)
            else {
                return Ok(());
            };
            record.open = false;
            let mut batch = Batch::new();
            batch.put(version, &record);
            // A job that was added meanwhile keeps it open.
            batch.add(keys::open_jobs(tenant, run), 0, Some(0));
            let telling = Self::tell_of_closing(&record, version + 1, self.now());
            let committed = self.commit_telling(batch, telling).await;
            if matches!(committed, Err(StoreError::Unknown(_))) {
                // It is looked at again: it may have been closed, or not.
                return committed.map(drop);
            }
            match committed {
                Ok((_, told_at)) => {
                    // One that was added, and has ended, while this was under way.
                    let stream = keys::run_feed(tenant, run);
                    let (chunks, more) = self.records.chunks(stream, told_at, BEHIND_BYTES).await?;
                    if !more && chunks.iter().all(|(first, _)| *first <= told_at) {
                        return Ok(());
                    }
                    overtaken = Some(version + 1);
                }
                Err(StoreError::Exhausted(_)) => return Ok(()),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Unavailable("the run changes faster than it can be closed".into()))
    }
}

/// What came of two things, of which the second is done whatever comes of the first. An error that may pass is told
/// before one that stays.
fn both(first: Result<(), StoreError>, second: Result<(), StoreError>) -> Result<(), StoreError> {
    match (first, second) {
        (Err(StoreError::Broken(_)), Err(second)) => Err(second),
        (first, second) => first.and(second),
    }
}
