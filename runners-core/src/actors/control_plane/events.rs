//! Events: what a commit tells, in the streams where it is found, and who reads them.

use super::{
    Plane,
    effects::Change,
    feed::{MARGIN, SETTLE},
};
use crate::{
    actors::records::Batch,
    rules::{history, job::JobRecord, keys, record::RunRecord},
    seams::store::{Committed, StoreError, Write},
    values::{
        event::{Event, EventCursor, EventPage, EventsOf, Happening},
        id::{JobId, RunId, TenantId},
        key::Key,
        time::{BootTime, Timestamp},
    },
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    mem,
    pin::pin,
    time::Duration,
};

/// How many bytes of events are read at once.
const EVENTS_PAGE_BYTES: u32 = 128 << 10;
/// How many bytes are read so that a chunk follows on the first one, however large that is: no commit
/// tells as much.
const BEYOND_A_CHUNK_BYTES: u32 = Write::BATCH_BYTES_MAX as u32 + 1;
/// How soon it is looked again for events that stand behind a commit under way, if nothing is
/// heard of it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const _: () = assert!(MARGIN.as_millis() <= LOOK_AGAIN.as_millis());
const _: () = assert!(LOOK_AGAIN.as_millis() <= SETTLE.as_millis());
/// How often a commit is tried whose numbers a reader has passed.
const TRIES_MAX: usize = 8;

/// What a commit tells: lines, each on its way to where it stands.
#[derive(Debug, Default)]
pub(super) struct Telling {
    feeds: BTreeMap<Key, Vec<Bytes>>,
    /// The jobs whose histories have grown.
    jobs: Vec<(TenantId, JobId)>,
    /// How many there are.
    count: u64,
    /// The runs that were looked at.
    runs: BTreeSet<(TenantId, RunId)>,
}

impl Telling {
    /// Adds an event to the feeds of its tenant and of its run.
    fn add(&mut self, tenant: TenantId, event: &Event) {
        let line = history::line(event);
        if let Some(run) = event.run {
            self.feeds.entry(keys::run_feed(tenant, run)).or_default().push(line.clone());
        }
        self.feeds.entry(keys::feed(tenant)).or_default().push(line);
        self.count += 1;
    }
}

impl Plane {
    /// What the changes of a batch tell, which is added to the histories of their jobs before these are put. One
    /// that makes a job and puts the record of its run opens the run.
    pub(super) fn tell_of(changes: &mut [Change], batch: &mut Batch, now: Timestamp) -> Telling {
        let mut lines = Telling::default();
        for change in changes {
            let Some(event) = change.tell(batch, now) else { continue };
            let job = &change.after;
            if let (None, Some(run)) = (&change.before, job.terms.run)
                && lines.runs.insert((job.tenant, run))
                && let Some(version) = batch.put_over(&RunRecord::key_of(job.tenant, run))
            {
                let opened = history::event_of_run(run, Happening::Opened, version + 1, now);
                lines.add(job.tenant, &opened);
            }
            lines.add(job.tenant, &event);
            lines.jobs.push((job.tenant, job.id));
        }
        lines
    }

    /// What is told of a run that is closed, whose record is put in this version.
    pub(super) fn tell_of_closing(run: &RunRecord, version: u64, now: Timestamp) -> Telling {
        let mut lines = Telling::default();
        lines.add(run.tenant, &history::event_of_run(run.id, Happening::Closed, version, now));
        lines
    }

    /// Commits a batch together with what it tells in the feeds, wakes those who wait for that, and answers
    /// with its first number there. Where readers have passed its numbers meanwhile, which only happens on a
    /// store that is shared, it takes new ones.
    pub(super) async fn commit_telling(
        &self,
        mut batch: Batch,
        telling: Telling,
    ) -> Result<(Committed, u64), StoreError> {
        let Telling { feeds, jobs, count, .. } = telling;
        if count == 0 {
            return self.records.commit(batch).await.map(|committed| (committed, 0));
        }
        let chunk = |lines: Vec<Bytes>| (lines.len() as u64, history::chunk(lines.iter()));
        let chunks: Vec<(Key, (u64, Bytes))> =
            feeds.into_iter().map(|(stream, lines)| (stream, chunk(lines))).collect();
        for _ in 0..TRIES_MAX {
            let ticket = self.feed.begin(count, self.now());
            let first = ticket.first;
            let mut told = if self.feed.is_shared { batch.clone() } else { mem::take(&mut batch) };
            for (stream, (count, chunk)) in &chunks {
                told.append_lines(stream.clone(), first, *count, chunk.clone());
            }
            if self.feed.is_shared {
                told.above(keys::feed_watermark(), first);
            }
            let committed = self.records.commit(told).await;
            match committed {
                Err(StoreError::Below { at, .. }) if self.feed.is_shared => self.feed.refused(&ticket, at),
                // It is under way until it must have arrived.
                Err(StoreError::Unknown(_)) => return committed.map(|committed| (committed, first)),
                committed => {
                    ticket.settled();
                    self.webhooks.told();
                    chunks.iter().for_each(|(stream, _)| self.subjects.changed(stream));
                    jobs.iter().for_each(|(tenant, job)| self.subjects.changed(&keys::events(*tenant, *job)));
                    return committed.map(|committed| (committed, first));
                }
            }
        }
        Err(StoreError::Unavailable("what is told is read faster than it is committed".into()))
    }

    /// Looks for the end of every feed, so that whatever is told from now on goes after it, also if
    /// the wall was ahead when that was told. The feed of a tenant has the numbers of its runs', too.
    pub(super) async fn find_ends(&self) -> Result<(), StoreError> {
        // Usually nothing stands from the present on.
        let present = EventCursor::at(self.now()).number();
        for tenant in self.tenants_listed().await? {
            let (mut last, mut more) = (present, true);
            while more {
                let (chunks, rest) = self.chunks_after(keys::feed(tenant), last).await?;
                let ends = chunks.iter().map(|(first, chunk)| history::last_of(*first, chunk));
                last = ends.fold(last, u64::max);
                more = rest;
            }
            self.feed.found(last);
        }
        Ok(())
    }

    /// The events after a place, held back while there are none. `None` if there is no such job
    /// or run.
    pub(crate) async fn events(
        &self,
        tenant: TenantId,
        of: EventsOf,
        after: EventCursor,
        park_for: Duration,
    ) -> Result<Option<EventPage>, StoreError> {
        if !park_for.is_zero() {
            self.check_serving()?;
        }
        let until = self.clock.boot() + park_for.min(self.spans.park_max);
        let stream = match of {
            EventsOf::Tenant => keys::feed(tenant),
            EventsOf::Run(run) => keys::run_feed(tenant, run),
            EventsOf::Job(job) => keys::events(tenant, job),
        };
        let subject = self.subjects.wait_for(stream.clone());
        loop {
            let mut changed = pin!(subject.notified());
            changed.as_mut().enable();
            let (page, look_again_at) = match of {
                EventsOf::Tenant => self.feed_page(stream.clone(), after).await?,
                EventsOf::Run(run) => {
                    let key = RunRecord::key_of(tenant, run);
                    if self.records.load::<RunRecord>(key).await?.is_none() {
                        return Ok(None);
                    }
                    self.feed_page(stream.clone(), after).await?
                }
                EventsOf::Job(job) => match self.history_page(tenant, job, after).await? {
                    Some(page) => (page, None),
                    None => return Ok(None),
                },
            };
            let over = self.clock.boot() >= until || self.stopping.is_cancelled();
            if page.next > after || over {
                return Ok(Some(page));
            }
            let look_again = look_again_at.map_or(until, |at| until.min(at));
            tokio::select! {
                biased;
                () = changed => {}
                () = self.stopping.cancelled() => {}
                () = self.clock.sleep_until(look_again) => {}
            }
        }
    }

    /// A page of a feed; and, if there is more behind a commit that is or may be under way, when to look
    /// again.
    pub(super) async fn feed_page(
        &self,
        stream: Key,
        after: EventCursor,
    ) -> Result<(EventPage, Option<BootTime>), StoreError> {
        // What was found by now is mostly found again.
        self.raise_watermark().await;
        let (page, is_all) = self.page_below(stream.clone(), after).await?;
        if is_all {
            return Ok((page, None));
        }
        if !self.feed.is_shared {
            return Ok((page, Some(self.clock.boot() + LOOK_AGAIN)));
        }
        if page.next > after || !self.raise_watermark().await {
            return Ok((page, Some(self.feed.look_again_at(self.now()))));
        }
        // What was raised over stands there only now.
        let (page, is_all) = self.page_below(stream, after).await?;
        Ok((page, (!is_all).then(|| self.feed.look_again_at(self.now()))))
    }

    /// A page of what can be read already, and whether that is all that was found.
    async fn page_below(&self, stream: Key, after: EventCursor) -> Result<(EventPage, bool), StoreError> {
        // What is below the horizon stands in the store before it is read.
        let horizon = self.feed.horizon(self.now());
        let (chunks, _) = self.chunks_after(stream, after.number()).await?;
        let mut page = EventPage { events: Vec::new(), next: after };
        let highest = chunks.last().map_or(0, |(first, _)| *first);
        for (first, chunk) in chunks {
            if first >= horizon {
                self.feed.found_beyond(first, highest);
                return Ok((page, false));
            }
            let events = history::events_in(first, &chunk);
            let new = events.map(|(number, event)| (EventCursor::new(number), event));
            page.events.extend(new.filter(|(cursor, _)| *cursor > after));
            page.next = page.next.max(EventCursor::new(history::last_of(first, &chunk)));
        }
        Ok((page, true))
    }

    /// Raises the watermark if that is due. Whether it may have been raised: by this, or by another reader
    /// that was waited for. Where it was not, what is beyond is held back until it is.
    async fn raise_watermark(&self) -> bool {
        if self.feed.due(self.now()).is_none() {
            return false;
        }
        let _alone = self.feed.raising.lock().await;
        let Some(to) = self.feed.due(self.now()) else { return true };
        let mut batch = Batch::new();
        batch.raise(keys::feed_watermark(), to);
        let raised = self.records.commit(batch).await;
        self.feed.tried();
        match raised {
            Ok(_) => self.feed.raised(to),
            Err(error) => {
                tracing::debug!(error = &error as &dyn Error, "what is to be read next was not raised over");
            }
        }
        true
    }

    /// The next chunks of a feed or history with lines after a number, and whether there are more.
    /// Streams are read by bytes and these by numbers, so the chunk that was read last comes first again:
    /// where it fills a page by itself, more is read, or the page would never be any other.
    async fn chunks_after(&self, stream: Key, number: u64) -> Result<(Vec<(u64, Bytes)>, bool), StoreError> {
        let (chunks, more) = self.records.chunks(stream.clone(), number + 1, EVENTS_PAGE_BYTES).await?;
        let was_read = |(first, chunk): &(u64, Bytes)| history::last_of(*first, chunk) <= number;
        if more && chunks.iter().all(was_read) {
            return self.records.chunks(stream, number + 1, BEYOND_A_CHUNK_BYTES).await;
        }
        Ok((chunks, more))
    }

    async fn history_page(
        &self,
        tenant: TenantId,
        job: JobId,
        after: EventCursor,
    ) -> Result<Option<EventPage>, StoreError> {
        let found = self.records.load::<JobRecord>(JobRecord::key_of(tenant, job)).await?;
        let Some(found) = found else { return Ok(None) };
        let (chunks, more) = self.chunks_after(keys::events(tenant, job), after.number()).await?;
        let told = history::events_of(&found.record, &chunks, !more);
        let new = told.into_iter().map(|(sequence, event)| (EventCursor::new(sequence), event));
        let events: Vec<_> = new.filter(|(cursor, _)| *cursor > after).collect();
        let read = chunks.last().map_or(after, |(sequence, _)| EventCursor::new(*sequence));
        let next = events.last().map_or(after, |(cursor, _)| *cursor).max(read);
        Ok(Some(EventPage { events, next: next.max(after) }))
    }
}
