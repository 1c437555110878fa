//! Webhooks: events of the feed become deliveries, and deliveries are tried until they succeed or
//! are given up.
//!
//! A webhook's record says up to which event deliveries were made; they are made in the batch that
//! moves it on, so none is left out or made twice. No more of them wait for a webhook than a limit: what is beyond
//! stays in the feed until there is room. A try is claimed before it is made: if this process dies under it, it is
//! made again.

mod calls;
mod lines;
mod ripe;

use super::Plane;
use crate::{
    actors::records::{Batch, Pages, Versioned, read},
    rules::{
        keys,
        record::{DeliveryRecord, DeliveryState, Unknown, WebhookRecord},
        webhook::{WAITING_MAX, wants},
    },
    seams::{store::StoreError, webhook::WebhookSender},
    values::{
        event::EventCursor,
        id::{TenantId, WebhookId},
        key::{Index, Kind},
        time::{BootTime, Timestamp},
        webhook::delivery_id,
    },
};
use lines::{Lines, Place};
use std::{
    collections::BTreeSet,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// What is known of webhooks beside the store.
#[derive(Debug)]
pub(crate) struct Webhooks {
    pub(crate) sender: Option<Arc<dyn WebhookSender>>,
    /// There may be a webhook to be told of events.
    any: AtomicBool,
    told: Notify,
    lines: Lines,
    turns: Semaphore,
}

/// How many calls are under way at once, over all webhooks.
const CALLS_MAX: usize = 32;
/// How many deliveries are made in one batch.
const DELIVERIES_PER_BATCH: usize = 400;
/// How often it is looked for events of which nothing was heard: others may have written them.
const LOOK_EVERY: Duration = Duration::from_secs(10);

impl Webhooks {
    pub(super) fn new(sender: Option<Arc<dyn WebhookSender>>) -> Self {
        Self {
            sender,
            any: AtomicBool::new(true),
            told: Notify::new(),
            lines: Lines::default(),
            turns: Semaphore::new(CALLS_MAX),
        }
    }

    /// Something was told, which webhooks may wait for.
    pub(super) fn told(&self) {
        if self.any.load(Ordering::Acquire) {
            self.told.notify_one();
        }
    }

    /// A webhook was made.
    pub(crate) fn made(&self) {
        self.any.store(true, Ordering::Release);
    }

    /// A delivery of a webhook is due at `at`.
    pub(crate) fn due(&self, tenant: TenantId, webhook: WebhookId, at: Timestamp) {
        self.lines.due(Place { tenant, webhook }, at);
    }

    /// Waits for the turn of a call. Turns go round.
    async fn turn(&self) -> SemaphorePermit<'_> {
        self.turns.acquire().await.expect("invariant: it is never closed")
    }
}

impl Plane {
    /// Makes deliveries of events and has them tried, until the control plane stops.
    pub(super) async fn serve_webhooks(self: Arc<Self>) {
        if self.webhooks.sender.is_none() {
            return;
        }
        let mut look_at = self.clock.boot();
        loop {
            if look_at <= self.clock.boot() {
                let look_again_at = self.make_deliveries().await.unwrap_or_else(|error| {
                    tracing::warn!(error = &error as &dyn Error, "webhooks were not told of events");
                    None
                });
                look_at = look_again_at.unwrap_or_else(|| self.clock.boot() + LOOK_EVERY);
            }
            self.begin_calls();
            let due = self.webhooks.lines.next().map(|at| self.clock.boot() + at.since(self.now()));
            let deadline = due.into_iter().chain([look_at]).min().unwrap_or(look_at);
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = self.webhooks.told.notified() => look_at = self.clock.boot(),
                () = self.webhooks.lines.changed() => {}
                () = self.clock.sleep_until(deadline) => {}
            }
        }
    }

    /// Makes deliveries of what is new. When to look again, if there is more behind a commit that is under way. What
    /// fails is told at the end.
    async fn make_deliveries(&self) -> Result<Option<BootTime>, StoreError> {
        let mut pages = Pages::of(Index::Owner, keys::upkeep_of(Kind::Webhook));
        let (mut there, mut failed, mut look_again_at) = (BTreeSet::new(), None, None::<BootTime>);
        self.webhooks.any.store(false, Ordering::Release);
        while let Some(rows) = pages.next(&self.records).await.inspect_err(|_| self.webhooks.made())? {
            self.webhooks.made();
            for (_, row) in &rows {
                let made = match read::<WebhookRecord>(row) {
                    Ok(webhook) => {
                        there.insert(Place::of(&webhook.record));
                        self.make_deliveries_of(webhook).await
                    }
                    Err(error) => Err(error),
                };
                match made {
                    Ok(at) => look_again_at = look_again_at.into_iter().chain(at).min(),
                    Err(error) => drop(failed.get_or_insert(error)),
                }
            }
        }
        if failed.is_none() {
            self.webhooks.lines.gone_but(&there, self.now());
        }
        failed.map_or(Ok(look_again_at), Err)
    }

    async fn make_deliveries_of(
        &self,
        mut webhook: Versioned<WebhookRecord>,
    ) -> Result<Option<BootTime>, StoreError> {
        let place = Place::of(&webhook.record);
        self.webhooks.lines.known(place);
        loop {
            let room = self.room_of(place).await?.min(DELIVERIES_PER_BATCH);
            if room == 0 {
                return Ok(None);
            }
            let record = &mut webhook.record;
            let after = EventCursor::new(record.cursor);
            let (page, look_again_at) = self.feed_page(keys::feed(record.tenant), after).await?;
            if page.next <= after {
                return Ok(look_again_at);
            }
            let now = self.now();
            let (mut batch, mut made) = (Batch::new(), 0);
            record.cursor = page.next.number();
            for (cursor, event) in page.events.iter().filter(|(_, event)| wants(&record.spec, event)) {
                batch.put(
                    0,
                    &DeliveryRecord {
                        tenant: record.tenant,
                        id: delivery_id(record.id, cursor.number()),
                        webhook: record.id,
                        event: event.what.name().to_owned(),
                        body: serde_json::to_string(event).expect("an event is plain data"),
                        made_at: now,
                        tries: 0,
                        state: DeliveryState::Waiting { next_at: now },
                        problem: None,
                        unknown: Unknown::new(),
                    },
                );
                made += 1;
                if made == room {
                    record.cursor = cursor.number();
                    break;
                }
            }
            batch.put(webhook.version, record);
            match self.records.commit(batch).await {
                Ok(_) => webhook.version += 1,
                // Another control plane was faster, or the webhook was deleted.
                Err(StoreError::Conflict(_)) => return Ok(None),
                Err(error) => return Err(error),
            }
            if made > 0 {
                self.webhooks.lines.made(place, made, now);
            }
        }
    }

    /// How many more deliveries of a webhook may wait. Those of other control planes are counted now and then.
    async fn room_of(&self, place: Place) -> Result<usize, StoreError> {
        let now = self.clock.boot();
        let waiting = match self.webhooks.lines.waiting(place, now) {
            Some(waiting) => waiting,
            None => {
                let mut waiting = 0;
                let mut pages =
                    Pages::of(Index::Parent, DeliveryRecord::line_of(place.tenant, place.webhook));
                while waiting < WAITING_MAX
                    && let Some(rows) = pages.next(&self.records).await?
                {
                    waiting += rows.len();
                }
                self.webhooks.lines.counted(place, waiting, now);
                waiting
            }
        };
        Ok(WAITING_MAX.saturating_sub(waiting))
    }
}
