//! What a run tells, page by page or as a stream, from any place on.

use super::{ledger, local::LocalTransport};
use crate::{
    seams::{clock::Clock as _, orchestration::OrchestratorError},
    values::{
        event::EventCursor,
        orchestration::{RunEvent, RunPage},
    },
};
use futures::{Stream, stream};
use std::{collections::VecDeque, pin::pin, time::Duration};

/// How many bytes of events are read at once.
const PAGE_BYTES: u32 = 256 << 10;
/// The longest that a page may be held back.
const PARK_MAX: Duration = Duration::from_secs(60);
/// How long a page of a stream is held back.
const PARK: Duration = Duration::from_secs(30);

impl LocalTransport {
    /// What a run told after a place, held back up to `park_for`, and a minute at most, while there is
    /// nothing. [`EventCursor::START`] is before everything.
    async fn events(
        &self,
        run: &str,
        after: EventCursor,
        park_for: Duration,
    ) -> Result<RunPage, OrchestratorError> {
        let shared = &self.shared;
        let until = shared.clock.boot() + park_for.min(PARK_MAX);
        let journal = self.record(run).await?.record.journal();
        let subject = shared.subjects.wait_for(journal.clone());
        loop {
            let mut changed = pin!(subject.notified());
            changed.as_mut().enable();
            // Read before the journal, so that an end is not told before what leads to it.
            let found = self.record(run).await?.record;
            let from = after.number();
            let chunks = shared.records.chunks(journal.clone(), from, PAGE_BYTES).await;
            let (chunks, _) = chunks.map_err(OrchestratorError::Store)?;
            let mut page = RunPage { events: Vec::new(), next: after, ended: false };
            for (begin, chunk) in chunks {
                let new = ledger::events_in(begin, &chunk).filter(|(end, _)| *end > from);
                page.events.extend(new.map(|(end, event)| (EventCursor::new(end), event)));
                page.next = page.next.max(EventCursor::new(begin + chunk.len() as u64));
            }
            page.ended = found.completed_at.is_some() && page.next.number() >= found.journal_bytes;
            let over = shared.clock.boot() >= until || shared.stopping.is_cancelled();
            if page.next > after || page.ended || over {
                return Ok(page);
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = shared.stopping.cancelled() => {}
                () = shared.clock.sleep_until(until) => {}
            }
        }
    }

    /// What a run tells from a place on, as it happens, until it has ended. Each event comes with the
    /// place after it, from which another stream goes on. An error ends the stream.
    pub(super) fn stream(
        &self,
        run: &str,
        after: EventCursor,
    ) -> impl Stream<Item = Result<(EventCursor, RunEvent), OrchestratorError>> + Send + use<> {
        let following = Following {
            client: self.clone(),
            run: run.to_owned(),
            next: after,
            ready: VecDeque::new(),
            ended: false,
        };
        stream::try_unfold(following, |mut following| async move {
            loop {
                if let Some(event) = following.ready.pop_front() {
                    return Ok(Some((event, following)));
                }
                if following.ended {
                    return Ok(None);
                }
                if following.client.shared.stopping.is_cancelled() {
                    return Err(OrchestratorError::Stopping);
                }
                let page = following.client.events(&following.run, following.next, PARK).await?;
                (following.next, following.ended) = (page.next, page.ended);
                following.ready.extend(page.events);
            }
        })
    }
}

/// Where a stream is.
struct Following {
    client: LocalTransport,
    run: String,
    next: EventCursor,
    ready: VecDeque<(EventCursor, RunEvent)>,
    ended: bool,
}
