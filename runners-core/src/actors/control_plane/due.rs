//! What is due by itself: offers that lapsed, sessions that expired, deadlines, waits that are
//! over. It has an index of its own, so that nothing is looked for that is not due.

use super::{
    Plane,
    effects::Change,
    lock,
    reaping::ReapGate,
    session::{Identity, Live, Mine},
    sessions::Sweep,
    sync::RELEASES_PER_BATCH,
};
use crate::{
    actors::records::{Batch, PAGE_ROWS, Versioned, read},
    rules::{
        job::JobRecord,
        keys,
        lifecycle::Due,
        record::{Record as _, SessionRecord},
    },
    seams::{
        clock::Clock,
        observer::Notice,
        store::{Query, StoreError, Stored},
    },
    values::{
        id::RunnerId,
        key::{Index, Kind},
        time::Timestamp,
    },
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

/// Tells the duty when something is due earlier than it knows.
#[derive(Debug)]
pub(crate) struct DueSignal {
    next: Mutex<Timestamp>,
    earlier: Notify,
}

/// Later than everything.
const NEVER: Timestamp = Timestamp::from_millis(u64::MAX);

impl Default for DueSignal {
    fn default() -> Self {
        Self { next: Mutex::new(NEVER), earlier: Notify::new() }
    }
}

impl DueSignal {
    /// Something is due at `at`.
    pub(crate) fn hint(&self, at: Timestamp) {
        let mut next = lock(&self.next);
        if at < *next {
            *next = at;
            self.earlier.notify_one();
        }
    }

    /// A round begins: whatever is hinted at from now on, it may miss.
    fn begin(&self) {
        *lock(&self.next) = NEVER;
    }

    /// The round found that the next thing is due at `at`. When it really is, hints included.
    fn end(&self, at: Timestamp) -> Timestamp {
        let mut next = lock(&self.next);
        *next = at.min(*next);
        *next
    }
}

/// How long the duty sleeps at most: others may have written something that is due.
const SLEEP_MAX: Duration = Duration::from_secs(10);
/// The same while others are known to be there: most of what they write is not read here, and they see to
/// what is due of it unless they are gone.
const SLEEP_MAX_BESIDE_OTHERS: Duration = Duration::from_secs(2);
/// How long after an error the duty tries again.
const ERROR_WAIT: Duration = Duration::from_secs(1);
/// How long after somebody else had changed what was due the duty looks at it again.
const CONFLICT_WAIT: Duration = Duration::from_secs(1);

impl Plane {
    /// Does what is due, until the control plane stops.
    pub(super) async fn serve_due(self: Arc<Self>) {
        let mut gate = ReapGate::new(&*self.clock, &*self.wall, self.spans.term);
        let mut sweep = Sweep::default();
        while !self.stopping.is_cancelled() {
            self.due.begin();
            let reap = gate.is_open(&*self.clock, &*self.wall, self.spans.term);
            let done = match self.list_doubted_lanes().await {
                Ok(()) => self.due_round(reap).await,
                Err(error) => Err(error),
            };
            let sleep = match done {
                Ok(next) => {
                    let next = self.due.end(next.unwrap_or(NEVER));
                    let alone = lock(&self.schedule).precedence().is_alone();
                    let longest = if alone { SLEEP_MAX } else { SLEEP_MAX_BESIDE_OTHERS };
                    next.since(self.now()).min(longest)
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "due work was not done");
                    ERROR_WAIT
                }
            };
            self.read_wanted_pages();
            self.sessions.sweep(&mut sweep, self.clock.boot(), self.spans.term);
            let deadline = self.clock.boot() + sleep;
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => {}
                () = self.due.earlier.notified() => {}
                () = self.clock.sleep_until(deadline) => {}
            }
        }
    }

    /// Asks again for pages that could not be read before.
    fn read_wanted_pages(self: &Arc<Self>) {
        let pages = self.scheduled(|schedule| {
            let pools = schedule.pools();
            pools.into_iter().flat_map(|pool| schedule.pages_wanted(pool)).collect()
        });
        self.read_pages(pages);
    }

    /// Does everything that is due now. When the next thing is.
    async fn due_round(self: &Arc<Self>, reap: bool) -> Result<Option<Timestamp>, StoreError> {
        let (mut after, mut turn) = (None, None::<Timestamp>);
        let mut failed = None;
        loop {
            let now = self.now();
            let query = Query::Range {
                index: Index::Due,
                prefix: bytes::Bytes::new(),
                after: after.take(),
                until: Some(keys::due_after(now)),
                newest_first: false,
                limit: PAGE_ROWS,
            };
            let (rows, more) = self.records.page(query).await?;
            let deliveries: Vec<&Stored> =
                rows.iter().map(|(_, row)| row).filter(|row| row.key.kind == Kind::Delivery).collect();
            if !deliveries.is_empty() {
                match self.due_deliveries(&deliveries, now).await {
                    Err(error @ StoreError::Broken(_)) => drop(failed.get_or_insert(error)),
                    done => done?,
                }
            }
            for (at, row) in &rows {
                if let Some(from) = self.turn_of_another(at, row, now) {
                    turn = Some(turn.map_or(from, |turn| turn.min(from)));
                    continue;
                }
                match self.due_one(row, reap, now).await {
                    // Somebody else was faster, or else it is due still: a later round sees.
                    Err(StoreError::Conflict(_)) => {
                        let again = now + CONFLICT_WAIT;
                        turn = Some(turn.map_or(again, |turn| turn.min(again)));
                    }
                    // A row that nobody can read, say: what comes after it is due all the same.
                    Err(error @ (StoreError::Broken(_) | StoreError::Exhausted(_))) => {
                        failed.get_or_insert(error);
                    }
                    done => done?,
                }
            }
            match rows.last() {
                Some((last, _)) if more => after = Some(last.clone()),
                _ => break,
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let next = Query::Range {
            index: Index::Due,
            prefix: bytes::Bytes::new(),
            after: Some(keys::due_after(self.now())),
            until: None,
            newest_first: false,
            limit: 1,
        };
        let (rows, _) = self.records.page(next).await?;
        let next = rows.first().and_then(|(key, _)| keys::due_at(key));
        Ok(next.into_iter().chain(turn).min())
    }

    /// Until when what is due is left to another control plane, if it is.
    fn turn_of_another(&self, at: &[u8], row: &Stored, now: Timestamp) -> Option<Timestamp> {
        // What each keeps in memory of a session is let go of by each.
        if row.key.kind != Kind::Job {
            return None;
        }
        let schedule = lock(&self.schedule);
        let from = schedule.precedence().due_from(&row.key.id, keys::due_at(at)?);
        (from > now).then_some(from)
    }

    async fn due_one(self: &Arc<Self>, row: &Stored, reap: bool, now: Timestamp) -> Result<(), StoreError> {
        match row.key.kind {
            Kind::Job => self.due_job(read(row)?, now).await,
            Kind::Session if reap => self.reap(read(row)?).await,
            Kind::Signal => self.due_signal(read(row)?).await,
            Kind::Runner => self.due_runner(read(row)?).await,
            Kind::Credential => self.forget_credential(&read(row)?, now).await,
            Kind::Lane => self.due_lane(read(row)?, now).await,
            Kind::Run => self.time_out_run(read(row)?, now).await,
            Kind::Holding => {
                self.due_holding(read(row)?);
                Ok(())
            }
            Kind::Repeat => self.forget_repeat(read(row)?).await,
            _ => Ok(()),
        }
    }

    async fn due_job(self: &Arc<Self>, job: Versioned<JobRecord>, now: Timestamp) -> Result<(), StoreError> {
        let Some(session) = job.record.holder() else {
            let mut after = job.record.clone();
            return match after.due(now, self.spans.start_within, self.chance()) {
                Due::Nothing => Ok(()),
                Due::Release => self.release_dependants(job, now).await,
                Due::Changed | Due::Lapsed(_) => {
                    self.commit(Batch::new(), &mut [Change::of(&job, after)], now).await.map(drop)
                }
            };
        };
        let slack = self.spans.start_within;
        self.change_held(&job, session.runner, move |job, chance| job.due(now, slack, chance)).await
    }

    /// Changes a job that belongs to a session, under the session's mutex.
    pub(super) async fn change_held(
        self: &Arc<Self>,
        job: &Versioned<JobRecord>,
        runner: RunnerId,
        change: impl FnOnce(&mut JobRecord, f64) -> Due,
    ) -> Result<(), StoreError> {
        let who = Identity { tenant: job.record.host(), pool: job.record.pool(), runner };
        let session = self.session(who);
        let mut live = session.live.lock().await;
        let known = live.mine.get(&job.record.id).filter(|_| live.loaded).map(|mine| mine.job.clone());
        let before = known.filter(|known| known.version >= job.version).unwrap_or_else(|| job.clone());
        let mut after = before.record.clone();
        let due = change(&mut after, self.chance());
        if due == Due::Nothing {
            return Ok(());
        }
        let mut changes = [Change::of(&before, after)];
        let loaded = std::mem::replace(&mut live.loaded, false);
        self.commit(Batch::new(), &mut changes, self.now()).await?;
        live.loaded = loaded;
        self.keep(&mut live, &changes);
        if let Due::Lapsed(_) = due {
            live.suspect = true;
        }
        drop(live);
        session.wake();
        Ok(())
    }

    /// Gives up a session of which nothing was heard for a whole term: what it held is lost.
    async fn reap(self: &Arc<Self>, stored: Versioned<SessionRecord>) -> Result<(), StoreError> {
        let (tenant, runner) = (stored.record.tenant, stored.record.runner);
        let known = self.sessions.find(tenant, runner);
        let mut unknown_live = Live::default();
        let mut guard = None;
        let who = match &known {
            Some(session) => {
                guard = Some(session.live.lock().await);
                session.who
            }
            None => Identity { tenant, pool: crate::values::id::PoolId::from_bytes([0; 16]), runner },
        };
        let live = guard.as_deref_mut().unwrap_or(&mut unknown_live);
        self.load(who, live).await?;
        let Some(session) = live.session.clone() else { return Ok(()) };
        if session.record.ended || session.record.expires_at > self.now() {
            return Ok(());
        }
        let has_leases = !live.mine.is_empty();
        let pools: Vec<_> = live.mine.values().map(|mine| mine.job.record.terms.pool).collect();
        self.end_session(live, session).await?;
        if has_leases {
            self.observer.observe(&Notice::RunnerLost { runner });
        }
        self.measures.leases_expired(pools);
        Ok(())
    }

    /// Ends a session in the batch that takes the last of what it held, so that it is due again
    /// wherever this is cut short: nothing else looks for jobs that a session holds.
    async fn end_session(
        self: &Arc<Self>,
        live: &mut Live,
        session: Versioned<SessionRecord>,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let Versioned { version, mut record } = session;
        record.ended = true;
        record.synced_at = self.synced_at(live).unwrap_or_default().max(record.synced_at);
        let mut held = self.losses(live, now);
        let mut pages = held.chunks_mut(RELEASES_PER_BATCH).peekable();
        loop {
            let page = pages.next().unwrap_or_default();
            let is_last = pages.peek().is_none();
            let mut batch = Batch::new();
            if is_last {
                batch.put(version, &record);
            } else {
                batch.expect(record.key(), version);
            }
            live.loaded = false;
            self.commit(batch, page, now).await?;
            live.loaded = true;
            self.keep(live, page);
            if is_last {
                live.session = Some(Versioned { version: version + 1, record });
                return self.end_signals(live).await;
            }
        }
    }

    /// Ends every job of a session as lost.
    pub(super) async fn lose_all(self: &Arc<Self>, live: &mut Live) -> Result<(), StoreError> {
        let now = self.now();
        let mut held = self.losses(live, now);
        for page in held.chunks_mut(RELEASES_PER_BATCH) {
            live.loaded = false;
            self.commit(Batch::new(), page, now).await?;
            live.loaded = true;
            self.keep(live, page);
        }
        self.end_signals(live).await
    }

    /// The loss of every job of a session, whichever start of its runner holds it.
    fn losses(&self, live: &Live, now: Timestamp) -> Vec<Change> {
        let loss = |mine: &Mine| {
            let mut job = mine.job.record.clone();
            job.lose(job.holder()?, now, self.chance()).ok()?;
            Some(Change::of(&mine.job, job))
        };
        live.mine.values().filter_map(|mine| loss(mine)).collect()
    }
}
