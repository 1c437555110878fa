//! Events: what a commit tells, in the streams where it is found, and who reads them.

use super::{
    Plane,
    effects::Change,
    feed::{SETTLE, Ticket},
};
use crate::{
    actors::records::Batch,
    rules::{history, job::JobRecord, keys, record::RunRecord},
    seams::store::{StoreError, Write},
    values::{
        event::{Event, EventCursor, EventPage, EventsOf, Happening},
        id::{JobId, RunId, TenantId},
        key::Key,
        time::Timestamp,
    },
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
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
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(1);
const _: () = assert!(LOOK_AGAIN.as_millis() <= SETTLE.as_millis());

/// What a commit tells, until it is known what became of it.
#[derive(Debug)]
pub(super) struct Telling<'a> {
    ticket: Option<Ticket<'a>>,
    streams: Vec<Key>,
}

/// Lines, each on its way to where it stands.
#[derive(Default)]
struct Lines {
    feeds: BTreeMap<Key, Vec<Bytes>>,
    /// Every stream that they stand in.
    streams: Vec<Key>,
    /// How many there are.
    count: u64,
    /// The runs that were looked at.
    runs: BTreeSet<(TenantId, RunId)>,
}

impl Lines {
    /// Adds an event to the feeds of its tenant and of its run.
    fn add(&mut self, tenant: TenantId, event: &Event) -> Bytes {
        let line = history::line(event);
        if let Some(run) = event.run {
            self.feeds.entry(keys::run_feed(tenant, run)).or_default().push(line.clone());
        }
        self.feeds.entry(keys::feed(tenant)).or_default().push(line.clone());
        self.count += 1;
        line
    }
}

impl Telling<'_> {
    /// The first number in the feeds of what it tells.
    pub(super) fn first(&self) -> u64 {
        self.ticket.as_ref().map_or(0, |ticket| ticket.first)
    }
}

impl Plane {
    /// Adds to a batch what its changes tell. One that makes a job and puts the record of its run
    /// opens the run.
    pub(super) fn tell_of(&self, changes: &[Change], batch: &mut Batch, now: Timestamp) -> Telling<'_> {
        let mut lines = Lines::default();
        for change in changes.iter().filter(|change| change.is_event()) {
            let job = &change.after;
            if let (None, Some(run)) = (&change.before, job.terms.run)
                && lines.runs.insert((job.tenant, run))
                && let Some(version) = batch.put_over(&RunRecord::key_of(job.tenant, run))
            {
                let opened = history::event_of_run(run, Happening::Opened, version + 1, now);
                lines.add(job.tenant, &opened);
            }
            let version = change.version() + 1;
            let line = lines.add(job.tenant, &history::event(job, version, now));
            let own = keys::events(job.tenant, job.id);
            lines.streams.push(own.clone());
            batch.append(own, version, line);
        }
        self.tell_lines(lines, batch)
    }

    /// Adds to a batch that the run is closed whose record it puts in this version.
    pub(super) fn tell_of_closing(
        &self,
        run: &RunRecord,
        version: u64,
        batch: &mut Batch,
        now: Timestamp,
    ) -> Telling<'_> {
        let mut lines = Lines::default();
        lines.add(run.tenant, &history::event_of_run(run.id, Happening::Closed, version, now));
        self.tell_lines(lines, batch)
    }

    fn tell_lines(&self, lines: Lines, batch: &mut Batch) -> Telling<'_> {
        let Lines { feeds, mut streams, count, .. } = lines;
        let ticket = (count > 0).then(|| self.feed.begin(count, self.now()));
        for (stream, lines) in feeds {
            let first = ticket.as_ref().map_or(0, |ticket| ticket.first);
            batch.append(stream.clone(), first, history::chunk(lines.iter()));
            streams.push(stream);
        }
        Telling { ticket, streams }
    }

    /// Wakes those who wait for what was told.
    pub(super) fn told(&self, telling: Telling<'_>) {
        telling.ticket.into_iter().for_each(Ticket::settled);
        if !telling.streams.is_empty() {
            self.webhooks.told();
        }
        telling.streams.iter().for_each(|stream| self.subjects.changed(stream));
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
            let (page, is_held_back) = match of {
                EventsOf::Tenant => self.feed_page(stream.clone(), after).await?,
                EventsOf::Run(run) => {
                    let key = RunRecord::key_of(tenant, run);
                    if self.records.load::<RunRecord>(key).await?.is_none() {
                        return Ok(None);
                    }
                    self.feed_page(stream.clone(), after).await?
                }
                EventsOf::Job(job) => match self.history_page(tenant, job, after).await? {
                    Some(page) => (page, false),
                    None => return Ok(None),
                },
            };
            let over = self.clock.boot() >= until || self.stopping.is_cancelled();
            if page.next > after || over {
                return Ok(Some(page));
            }
            let look_again = if is_held_back { until.min(self.clock.boot() + LOOK_AGAIN) } else { until };
            tokio::select! {
                biased;
                () = changed => {}
                () = self.stopping.cancelled() => {}
                () = self.clock.sleep_until(look_again) => {}
            }
        }
    }

    /// A page of a feed, and whether there is more behind a commit that is under way.
    pub(super) async fn feed_page(
        &self,
        stream: Key,
        after: EventCursor,
    ) -> Result<(EventPage, bool), StoreError> {
        // What is below the horizon stands in the store before it is read.
        let horizon = self.feed.horizon(self.now());
        let (chunks, _) = self.chunks_after(stream, after.number()).await?;
        let mut page = EventPage { events: Vec::new(), next: after };
        for (first, chunk) in chunks {
            if first >= horizon {
                self.feed.found(first);
                return Ok((page, true));
            }
            let events = history::events_in(first, &chunk);
            let new = events.map(|(number, event)| (EventCursor::new(number), event));
            page.events.extend(new.filter(|(cursor, _)| *cursor > after));
            page.next = page.next.max(EventCursor::new(history::last_of(first, &chunk)));
        }
        Ok((page, false))
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
        let stream = keys::events(tenant, job);
        let (chunks, _) = self.chunks_after(stream, after.number()).await?;
        let found = self.records.load::<JobRecord>(JobRecord::key_of(tenant, job)).await?;
        let Some(found) = found else { return Ok(None) };
        let mut page = EventPage { events: Vec::new(), next: after };
        for (sequence, line) in chunks.into_iter().filter(|(sequence, _)| *sequence > after.number()) {
            page.next = EventCursor::new(sequence);
            let event = history::read_line(job, found.record.terms.run, sequence, &line);
            page.events.extend(event.map(|event| (page.next, event)));
        }
        Ok(Some(page))
    }
}
