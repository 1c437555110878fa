//! Applies what a sync reports: finishes, declines, confirmations, answers to signals, logs and artifacts.
//! All of it is one batch, if it fits; if that conflicts with somebody else's write, each item is a batch of
//! its own.

mod item;

use super::{
    Plane,
    answer::Told,
    effects::{Change, log_subject},
    session::{Live, Session},
};
use crate::{
    actors::records::{Batch, Versioned},
    rules::{
        job::JobRecord,
        keys,
        lifecycle::Finished,
        record::{
            ArtifactRecord, OutcomeRecord, Record as _, Role, SessionRef, SignalRecord, SignalState, Unknown,
        },
    },
    seams::store::StoreError,
    values::{
        id::{JobId, PoolId, TenantId},
        lease::FencingToken,
        sync::{Attached, Attachment, Finish, LogTail, Logged, SignalAnswer, SyncRequest},
        time::Timestamp,
    },
};
use item::{Item, items, portions};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

/// The batch that applies some items, as it is being put together.
struct Work {
    batch: Batch,
    session: SessionRef,
    now: Timestamp,
    /// The jobs that it concerns: as they were, and as the batch makes them.
    jobs: BTreeMap<JobId, Box<(Versioned<JobRecord>, JobRecord)>>,
    answered: Vec<Versioned<SignalRecord>>,
    attached: Vec<ArtifactRecord>,
    told: Told,
    /// Logs that it appends to, by tenant and grant.
    grown: Vec<(TenantId, FencingToken)>,
}

impl Plane {
    /// Applies what `request` tells.
    pub(super) async fn apply(
        self: &Arc<Self>,
        session: &Session,
        live: &mut Live,
        request: &SyncRequest,
    ) -> Result<Told, StoreError> {
        for progress in &request.progress {
            if live.job(progress.token).is_some() {
                let newest = live.progress.entry(progress.token.job).or_default();
                if progress.number >= newest.0 {
                    *newest = (progress.number, progress.text.clone());
                }
            }
        }
        let items = items(live, request);
        let mut told = Told::default();
        let mut batches = portions(live, &items).into_iter().peekable();
        while let Some(items) = batches.next() {
            let along = batches.peek().is_none().then_some((session.who.pool, request));
            match self.apply_items(live, items, along).await {
                Ok(more) => told.extend(more),
                // Only a job that was to be granted along with the items can have reached a limit.
                Err(StoreError::Conflict(_) | StoreError::Exhausted(_)) => {
                    self.apply_each(session, live, items, &mut told).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(told)
    }

    /// Applies each item by itself, since somebody else has changed what one of them concerns.
    async fn apply_each(
        self: &Arc<Self>,
        session: &Session,
        live: &mut Live,
        items: &[Item<'_>],
        told: &mut Told,
    ) -> Result<(), StoreError> {
        for item in items {
            self.load(session.who, live).await?;
            match self.apply_items(live, std::slice::from_ref(item), None).await {
                Ok(more) => told.extend(more),
                // The runner reports it again, and everything is read again before it is applied.
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.load(session.who, live).await
    }

    /// Applies finishes that an earlier start of the runner left.
    pub(super) async fn apply_spooled(
        self: &Arc<Self>,
        live: &mut Live,
        finishes: &[Finish],
    ) -> Result<(), StoreError> {
        let items: Vec<Item<'_>> =
            finishes.iter().filter(|finish| live.job(finish.token).is_some()).map(Item::Finish).collect();
        for item in items {
            self.apply_items(live, &[item], None).await?;
        }
        Ok(())
    }

    /// Applies items in one batch. With `along`, the same batch also grants ready jobs to the slots that the
    /// items free; the answer then has these offers as it has every one that the runner does not list.
    async fn apply_items(
        self: &Arc<Self>,
        live: &mut Live,
        items: &[Item<'_>],
        along: Option<(PoolId, &SyncRequest)>,
    ) -> Result<Told, StoreError> {
        let Some(session) = live.reference() else { return Ok(Told::default()) };
        let mut work = Work {
            batch: Batch::new(),
            session,
            now: self.now(),
            jobs: BTreeMap::new(),
            answered: Vec::new(),
            attached: Vec::new(),
            told: Told::default(),
            grown: Vec::new(),
        };
        for item in items {
            match item {
                Item::Tail(tail) => work.tail(live, tail),
                Item::Attach(attachment) => work.attach(live, attachment),
                Item::Confirm(token) => work.confirm(live, *token, self.spans.start_within),
                Item::Finish(finish) => self.finish(live, &mut work, finish).await?,
                Item::Decline(declined) => work.decline(live, declined.token),
                Item::Answer(answer) => work.answer(live, answer),
                Item::Missing(token) => work.missing(live, *token, self.chance()),
            }
        }
        self.put_attached(&mut work).await?;
        let Work { mut batch, now, jobs, answered, told, grown, .. } = work;
        let touched = jobs.values().map(|job| job.1.key()).collect();
        let mut changes: Vec<Change> = Vec::with_capacity(jobs.len());
        for (before, after) in jobs.into_values().map(|job| *job) {
            if before.record == after {
                batch.expect(after.key(), before.version);
            } else {
                changes.push(Change::of(&before, after));
            }
        }
        // Until the batch is committed, what is known of the session is ahead of the store.
        live.loaded = false;
        self.keep(live, &changes);
        let taken = self.take_along(live, along, &touched).await?;
        let granted = taken.offers(live, now);
        let renewed = if granted.is_empty() { None } else { self.hold_session(live, &mut batch, now) };
        changes.extend(granted);
        self.commit(batch, &mut changes, now).await?;
        taken.granted();
        self.keep(live, &changes);
        live.session = renewed.or(live.session.take());
        live.loaded = true;
        for signal in answered {
            live.signals.remove(&signal.record.told_as());
            self.subjects.changed(&signal.record.key());
        }
        for (tenant, token) in grown {
            self.subjects.changed(&log_subject(tenant, token.job));
        }
        Ok(told)
    }

    async fn finish(&self, live: &Live, work: &mut Work, finish: &Finish) -> Result<(), StoreError> {
        let chance = self.chance();
        let session = work.session;
        let now = work.now;
        if let Some(job) = work.job(live, finish.token) {
            match job.finish(finish, session, now, chance) {
                Ok(Finished::Before) => {}
                Ok(Finished::Now { beside }) => {
                    let tenant = job.tenant;
                    if let (Some(digest), None) = (finish.result_artifact, &finish.result) {
                        let role = Role::Result;
                        work.batch.put(0, &ArtifactRecord::of_role(tenant, finish.token, role, digest, 0));
                    }
                    if let Some(result) = beside {
                        let record = OutcomeRecord { tenant, token: finish.token, result };
                        work.batch.put(0, &record);
                    }
                }
                Err(_) => {
                    work.told.fenced.push(finish.token);
                    return Ok(());
                }
            }
            work.told.recorded.push(finish.token);
            return Ok(());
        }
        // It may have been recorded by a request whose reply was lost.
        let own = live.session.as_ref().map(|session| session.record.tenant);
        let Some(own) = own else { return Ok(()) };
        // Only the operator's runners work for others.
        let tenant = finish.tenant.filter(|_| own == TenantId::OPERATOR).unwrap_or(own);
        let stored = self.records.load::<JobRecord>(JobRecord::key_of(tenant, finish.token.job)).await?;
        let before = stored.is_some_and(|stored| {
            let mut job = stored.record;
            let by =
                job.attempts.iter().find(|ended| ended.grant == finish.token.grant).map(|ended| ended.by);
            let mine = by.filter(|by| by.runner == session.runner);
            mine.is_some_and(|by| job.finish(finish, by, now, chance) == Ok(Finished::Before))
        });
        let list = if before { &mut work.told.recorded } else { &mut work.told.fenced };
        list.push(finish.token);
        Ok(())
    }

    /// Puts what was attached, unless the same stands there already.
    async fn put_attached(&self, work: &mut Work) -> Result<(), StoreError> {
        if work.attached.is_empty() {
            return Ok(());
        }
        let keys = work.attached.iter().map(ArtifactRecord::key).collect();
        let stored = self.records.load_all::<ArtifactRecord>(keys).await?;
        for (record, stored) in work.attached.iter().zip(stored) {
            if stored.as_ref().is_none_or(|stored| stored.record.digest != record.digest) {
                work.batch.put(stored.map_or(0, |stored| stored.version), record);
            }
        }
        Ok(())
    }
}

impl Work {
    /// A job of the session as the batch has changed it so far, if `token` is its live grant.
    fn job(&mut self, live: &Live, token: FencingToken) -> Option<&mut JobRecord> {
        let (_, job) = &mut **match self.jobs.entry(token.job) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let mine = live.job(token)?;
                place.insert(Box::new((mine.job.clone(), mine.job.record.clone())))
            }
        };
        (job.token() == token && job.holder() == Some(self.session)).then_some(job)
    }

    fn confirm(&mut self, live: &Live, token: FencingToken, start_within: std::time::Duration) {
        let (session, now) = (self.session, self.now);
        let job = self.job(live, token);
        if job.is_some_and(|job| job.confirm(token, session, now, start_within).is_ok()) {
            self.told.confirmed = true;
        }
    }

    fn decline(&mut self, live: &Live, token: FencingToken) {
        let session = self.session;
        let declined = self.job(live, token).is_some_and(|job| job.decline(token, session).is_ok());
        let list = if declined { &mut self.told.recorded } else { &mut self.told.fenced };
        list.push(token);
    }

    fn missing(&mut self, live: &Live, token: FencingToken, chance: f64) {
        let (session, now) = (self.session, self.now);
        if let Some(job) = self.job(live, token) {
            let _ = job.lose(session, now, chance);
        }
    }

    fn tail(&mut self, live: &Live, tail: &LogTail) {
        let Some(job) = self.job(live, tail.token) else { return };
        let tenant = job.tenant;
        let stream = keys::log(tenant, tail.token);
        let length = tail.bytes.len();
        let kept = job.log_tail(tail.token, tail.offset, length as u64);
        let within = |offset: u64| usize::try_from(offset - tail.offset).map_or(length, |at| at.min(length));
        if !kept.is_empty() {
            let bytes = tail.bytes.as_bytes().slice(within(kept.start)..within(kept.end));
            self.batch.append(stream, kept.start, bytes);
        }
        self.grown.push((tenant, tail.token));
        let end = tail.offset.saturating_add(length as u64);
        self.told.logged.push(Logged { token: tail.token, offset: end });
    }

    fn attach(&mut self, live: &Live, attachment: &Attachment) {
        let Attachment { token, name, digest, length, media_type } = attachment.clone();
        let good = Attachment::is_name(&name) && media_type.len() <= Attachment::NAME_BYTES_MAX;
        let job = self.job(live, token).filter(|_| good);
        let Some(tenant) = job.map(|job| job.tenant) else { return };
        self.told.attached.push(Attached { token, name: name.clone() });
        let (attached_at, role, unknown) = (self.now, None, Unknown::new());
        self.attached.push(ArtifactRecord {
            tenant,
            token,
            name,
            digest,
            length,
            media_type,
            attached_at,
            role,
            unknown,
        });
    }

    fn answer(&mut self, live: &Live, answer: &SignalAnswer) {
        if let Some(pending) = live.signals.get(&answer.signal) {
            let mut record = pending.signal.record.clone();
            record.end(SignalState::Answered(answer.answer.clone()), self.now);
            self.batch.put(pending.signal.version, &record);
            self.answered.push(Versioned { version: pending.signal.version + 1, record });
        }
        self.told.heard.push(answer.signal);
    }
}
