//! What follows from a commit: who is woken, what is remembered, what is observed.

use super::{
    Plane,
    feed::SETTLE,
    lock,
    session::{Live, Mine},
};
use crate::{
    actors::records::{Batch, Versioned},
    rules::{
        history::{self, Recent},
        job::{JobRecord, State},
        keys,
        record::{PayloadRecord, UniqueRecord},
        schedule::{PageWanted, ReadyJob},
    },
    seams::{
        clock::sleep,
        observer::Notice,
        store::{Committed, Query, StoreError},
    },
    values::{
        event::Event,
        id::{JobId, LaneId, RunId, TenantId},
        key::{Index, Key, Kind},
        time::Timestamp,
    },
};
use bytes::Bytes;
use std::{mem, sync::Arc};

/// A job that a batch changes.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// How it was; `None` for a job that the batch makes.
    pub(crate) before: Option<Versioned<JobRecord>>,
    /// How it is afterwards.
    pub(crate) after: JobRecord,
    /// Its immutable bytes, if they are at hand.
    pub(crate) payload: Option<Arc<PayloadRecord>>,
}

impl Change {
    /// What `change` makes of `before`.
    pub(crate) fn of(before: &Versioned<JobRecord>, after: JobRecord) -> Self {
        Self { before: Some(before.clone()), after, payload: None }
    }

    pub(crate) fn version(&self) -> u64 {
        self.before.as_ref().map_or(0, |before| before.version)
    }

    /// Adds what it takes to make this change.
    pub(crate) fn write(&self, batch: &mut Batch) {
        batch.put(self.version(), &self.after);
        if let (Some(run), true) = (self.after.terms.run, self.concludes()) {
            batch.add(keys::open_jobs(self.after.tenant, run), -1, None);
        }
        self.count(batch);
        if let (Some(unique), true, true) =
            (&self.after.terms.unique, self.concludes(), self.before.is_some())
        {
            batch.delete(UniqueRecord::job_key(self.after.tenant, unique), UNIQUE_VERSION);
        }
    }

    /// Counts the job while it is granted, and not while it is not.
    fn count(&self, batch: &mut Batch) {
        let before = self.before.as_ref().map(|before| &before.record).filter(|job| job.holder().is_some());
        match (before, self.after.holder().is_some()) {
            (None, true) => {
                for (counter, max) in self.after.counters() {
                    batch.add(counter, 1, max);
                }
            }
            (Some(before), false) => {
                for (counter, _) in before.counters() {
                    batch.add(counter, -1, None);
                }
            }
            _ => {}
        }
    }

    /// Whether there is something to tell of: a longer log, or an offer that is made again, is no
    /// news.
    pub(super) fn is_event(&self) -> bool {
        self.before.as_ref().is_none_or(|before| {
            before.record.state != self.after.state
                && history::happening(&before.record) != history::happening(&self.after)
        })
    }

    /// Adds what it tells, if it does, to the history of its job, and answers with that. What the record has no
    /// room for any more goes to the job's own stream. A change that is committed once more tells it anew.
    pub(super) fn tell(&mut self, batch: &mut Batch, now: Timestamp) -> Option<Event> {
        if !self.is_event() {
            return None;
        }
        let event = history::event(&self.after, self.version() + 1, now);
        let told = self.before.as_ref().map(|before| &before.record.history);
        let (recent, out) = told.unwrap_or(&Recent::default()).with(&event);
        self.after.history = recent;
        for (sequence, line) in out {
            batch.append(keys::events(self.after.tenant, self.after.id), sequence, line);
        }
        Some(event)
    }

    /// Whose job it concludes, if it is one of a run.
    pub(super) fn run_concluded(&self) -> Option<(TenantId, RunId)> {
        let run = self.after.terms.run.filter(|_| self.concludes())?;
        Some((self.after.tenant, run))
    }

    fn concludes(&self) -> bool {
        self.after.conclusion().is_some()
            && self.before.as_ref().is_none_or(|before| before.record.conclusion().is_none())
    }
}

/// The version of a unique key: it is written once, and deleted when its job concludes.
const UNIQUE_VERSION: u64 = 1;

impl Plane {
    /// Commits changes of jobs, with whatever else is in `batch`, and does what follows. Each has what it tells
    /// in its history then.
    pub(crate) async fn commit(
        self: &Arc<Self>,
        mut batch: Batch,
        changes: &mut [Change],
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        self.wake_lanes(changes).await?;
        let telling = Self::tell_of(changes, &mut batch, now);
        let changes = &*changes;
        changes.iter().for_each(|change| change.write(&mut batch));
        let readied = changes.iter().filter(|change| change.after.ready_key().is_some());
        let lanes = readied.map(|change| change.after.lane()).collect();
        let counters = batch.counters();
        let runs = changes.iter().filter_map(Change::run_concluded).collect();
        let mut unsure = Unsure { plane: self, lanes, counters: counters.clone(), runs };
        let committed = self.commit_telling(batch, telling).await.map(|(committed, _)| committed);
        match &committed {
            Err(StoreError::Unknown(_)) => {}
            Err(StoreError::Exhausted(full)) => {
                unsure.clear();
                self.scheduled(|schedule| schedule.exhausted(full));
            }
            _ => unsure.clear(),
        }
        drop(unsure);
        let committed = committed?;
        self.look_at_runs(changes, &counters, &committed);
        self.heard_counters(counters, &committed);
        for change in changes {
            self.written.note(change.after.tenant, change.after.id, change.version() + 1);
        }
        changes.iter().for_each(|change| self.follow(change));
        self.measures.changed(changes, now);
        Ok(committed)
    }

    /// Does what follows from one change that was committed.
    fn follow(self: &Arc<Self>, change: &Change) {
        let job = &change.after;
        let ready_before = change.before.as_ref().and_then(|before| before.record.ready_key());
        let ready_now = job.ready_key();
        if ready_before != ready_now {
            if let Some(key) = ready_before {
                let lane = change.before.as_ref().map_or_else(|| job.lane(), |before| before.record.lane());
                self.scheduled(|schedule| schedule.gone(lane, &key));
            }
            if ready_now.is_some() {
                self.look_at_target(change);
                self.make_ready(ReadyJob {
                    version: change.version() + 1,
                    record: job.clone(),
                    payload: change.payload.clone(),
                });
            }
        }
        if let Some(at) = job.due_at() {
            self.due.hint(at);
        }
        if let Some(before) = &change.before
            && matches!(before.record.state, State::Running { .. })
            && (job.token() != before.record.token() || !matches!(job.state, State::Running { .. }))
        {
            self.live.attempt_over(before.record.token());
        }
        if job.awaits_sealing() {
            self.upkeep.logs.notify_one();
        }
        if job.conclusion().is_some() {
            self.subjects.changed(&job_subject(job));
        }
        if change.before.is_some() && job.holder().is_none() {
            self.subjects.changed(&log_subject(job.tenant, job.id));
        }
        self.notice(change);
        self.trace(change);
    }

    /// Puts a ready job where runners find it.
    pub(crate) fn make_ready(self: &Arc<Self>, job: ReadyJob) {
        if let Some(runner) = self.scheduled(|schedule| schedule.ready(job)) {
            self.wake(runner);
        }
    }

    fn notice(&self, change: &Change) {
        let job = &change.after;
        if change.before.as_ref().is_some_and(|before| before.record.state == job.state) {
            return;
        }
        let token = change.before.as_ref().map_or_else(|| job.token(), |before| before.record.token());
        let notice = match &job.state {
            State::Concluded { conclusion, .. } => {
                Notice::JobConcluded { job: job.id, conclusion: *conclusion }
            }
            State::Offered { to, .. } => Notice::JobOffered { token: job.token(), runner: to.runner },
            State::Running { by, stop: None, .. } => {
                Notice::JobRunning { token: job.token(), runner: by.runner }
            }
            State::Running { .. } => return,
            _ if change.before.is_none() => Notice::JobAccepted { job: job.id },
            // What was never granted does not go back.
            _ if change.before.as_ref().is_some_and(|before| before.record.holder().is_none()) => return,
            _ => {
                let before = change.before.as_ref().map_or(0, |before| before.record.attempts.len());
                let outcome = job.attempts.get(before).map(|ended| ended.outcome.clone());
                Notice::JobRequeued { token, outcome }
            }
        };
        self.observer.observe(&notice);
    }

    /// Takes over into a session what was committed for it.
    pub(crate) fn keep(&self, live: &mut Live, changes: &[Change]) {
        let session = live.reference();
        for change in changes {
            let id = change.after.id;
            let known = live.mine.remove(&id);
            if change.after.holder().is_none() || change.after.holder() != session {
                live.progress.remove(&id);
                continue;
            }
            let known = known.filter(|mine| mine.job.record.grant == change.after.grant);
            let told = known.as_ref().is_some_and(|mine| mine.told);
            let payload = change.payload.clone().or_else(|| known.and_then(|mine| mine.payload));
            let job = Versioned { version: change.version() + 1, record: change.after.clone() };
            live.mine.insert(id, Box::new(Mine { job, payload, told }));
        }
    }

    /// Has the ready jobs of a lane read again.
    pub(crate) fn doubt(self: &Arc<Self>, lane: LaneId) {
        let page = self.scheduled(|schedule| schedule.doubt(lane));
        self.read_pages(page.into_iter().collect());
    }

    /// Has the ready jobs of lanes read again, and counters.
    fn doubt_all(self: &Arc<Self>, lanes: &[LaneId], counters: &[Key]) {
        lanes.iter().for_each(|lane| self.doubt(*lane));
        if !counters.is_empty() {
            self.scheduled(|schedule| schedule.doubt_counters(counters));
        }
    }

    /// Reads pages of lanes beside everything else.
    pub(crate) fn read_pages(self: &Arc<Self>, pages: Vec<PageWanted>) {
        for page in pages {
            let plane = Arc::clone(self);
            self.duties.spawn(async move {
                let mut wanted = Some(page);
                while let Some(page) = wanted.take() {
                    wanted = plane.read_page(page).await;
                }
            });
        }
    }

    async fn read_page(self: &Arc<Self>, page: PageWanted) -> Option<PageWanted> {
        let size = lock(&self.schedule).page_size(page.lane);
        let query = Query::Range {
            index: Index::Ready,
            prefix: Bytes::copy_from_slice(page.lane.as_bytes()),
            after: page.after,
            until: None,
            newest_first: false,
            limit: u32::try_from(size).unwrap_or(u32::MAX),
        };
        let jobs = async {
            let (rows, more) = self.records.page(query).await?;
            let mut jobs = Vec::with_capacity(rows.len());
            for (key, row) in rows {
                let Versioned { version, record } = crate::actors::records::read(&row)?;
                jobs.push((key, ReadyJob { version, record, payload: None }));
            }
            self.read_ahead(jobs.iter_mut().map(|(_, job)| job)).await?;
            Ok::<_, StoreError>((jobs, more))
        };
        match jobs.await {
            Ok((jobs, more)) => {
                let (woken, next) = self.scheduled(|schedule| schedule.page(page.lane, jobs, more));
                self.wake_all(woken);
                next
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "ready jobs could not be read");
                self.scheduled(|schedule| schedule.page_failed(page.lane));
                None
            }
        }
    }
}

/// A commit of which it is not known whether it was applied: nobody waits for it any more, or the
/// store does not tell. The lanes in which it may have made jobs ready are read again, and the
/// counters that it may have changed, or those jobs would wait until this control plane is started
/// again, and the runs that it may have ended: at once, and when the commit must have arrived if it
/// ever does.
pub(super) struct Unsure<'a> {
    pub(super) plane: &'a Arc<Plane>,
    pub(super) lanes: Vec<LaneId>,
    pub(super) counters: Vec<Key>,
    pub(super) runs: Vec<(TenantId, RunId)>,
}

impl Unsure<'_> {
    /// It is known after all.
    pub(super) fn clear(&mut self) {
        self.lanes.clear();
        self.counters.clear();
        self.runs.clear();
    }
}

impl Drop for Unsure<'_> {
    fn drop(&mut self) {
        let (lanes, counters) = (mem::take(&mut self.lanes), mem::take(&mut self.counters));
        let runs = mem::take(&mut self.runs);
        if lanes.is_empty() && counters.is_empty() && runs.is_empty() {
            return;
        }
        self.plane.doubt_all(&lanes, &counters);
        self.plane.runs.may_have_ended(&runs);
        let plane = Arc::clone(self.plane);
        self.plane.duties.spawn(async move {
            tokio::select! {
                biased;
                () = plane.stopping.cancelled() => {}
                () = sleep(&*plane.clock, SETTLE) => {
                    plane.doubt_all(&lanes, &counters);
                    plane.runs.may_have_ended(&runs);
                }
            }
        });
    }
}

/// What is waited for until a job ends.
pub(crate) fn job_subject(job: &JobRecord) -> Key {
    JobRecord::key_of(job.tenant, job.id)
}

/// What is waited for until the log of an attempt grows, or an attempt ends.
pub(crate) fn log_subject(tenant: TenantId, job: JobId) -> Key {
    Key::new(tenant, Kind::Log, Bytes::copy_from_slice(job.as_bytes()))
}
