//! Webhooks: events of the feed become deliveries, and deliveries are tried until they succeed or
//! are given up.
//!
//! A webhook's record says up to which event deliveries were made; they are made in the batch that
//! moves it on, so none is left out or made twice. A try is claimed before it is made: if this
//! process dies under it, it is made again.

use super::{Plane, lock};
use crate::{
    actors::records::{Batch, PAGE_ROWS, Versioned, read},
    rules::{
        keys,
        record::{DeliveryRecord, DeliveryState, Record as _, Unknown, WebhookRecord},
        webhook::{wait, wants},
    },
    seams::{
        store::{Query, StoreError},
        webhook::{WebhookCall, WebhookError, WebhookSender},
    },
    values::{
        event::EventCursor,
        key::{Index, Key, Kind},
        secret::Secret,
        time::{BootTime, Timestamp},
        webhook::{DELIVERY_HEADER, EVENT_HEADER, SIGNATURE_HEADER, delivery_id, sign_webhook},
    },
};
use std::{
    error::Error,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, Semaphore};

/// What is known of webhooks beside the store.
#[derive(Debug)]
pub(crate) struct Webhooks {
    pub(crate) sender: Option<Arc<dyn WebhookSender>>,
    /// There may be a webhook to be told of events.
    any: AtomicBool,
    told: Notify,
    permits: Arc<Semaphore>,
    /// Due deliveries found no permit.
    starved: Mutex<bool>,
}

/// How many calls are under way at once.
const CALLS_MAX: usize = 16;
/// How long a call may take.
const CALL_WITHIN: Duration = Duration::from_secs(15);
/// How long a claimed try is nobody else's.
const CLAIM: Duration = Duration::from_secs(60);
/// How many deliveries are made in one batch.
const DELIVERIES_PER_BATCH: usize = 400;
/// How often it is looked for events of which nothing was heard: others may have written them.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How much is kept of what went wrong.
const PROBLEM_BYTES_MAX: usize = 300;

impl Webhooks {
    pub(super) fn new(sender: Option<Arc<dyn WebhookSender>>) -> Self {
        Self {
            sender,
            any: AtomicBool::new(true),
            told: Notify::new(),
            permits: Arc::new(Semaphore::new(CALLS_MAX)),
            starved: Mutex::default(),
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
}

impl Plane {
    /// Makes deliveries of events, until the control plane stops.
    pub(super) async fn serve_webhooks(self: Arc<Self>) {
        if self.webhooks.sender.is_none() {
            return;
        }
        loop {
            let look_again_at = self.make_deliveries().await.unwrap_or_else(|error| {
                tracing::warn!(error = &error as &dyn Error, "webhooks were not told of events");
                None
            });
            let deadline = look_again_at.unwrap_or_else(|| self.clock.boot() + LOOK_EVERY);
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = self.webhooks.told.notified() => {}
                () = self.clock.sleep_until(deadline) => {}
            }
        }
    }

    /// Makes deliveries of what is new. When to look again, if there is more behind a commit that is under way.
    async fn make_deliveries(&self) -> Result<Option<BootTime>, StoreError> {
        let prefix = keys::upkeep_of(Kind::Webhook);
        let (mut after, mut any, mut look_again_at) = (None, false, None::<BootTime>);
        self.webhooks.any.store(false, Ordering::Release);
        loop {
            let query = Query::Range {
                index: Index::Owner,
                prefix: prefix.clone(),
                after: after.take(),
                until: None,
                newest_first: false,
                limit: PAGE_ROWS,
            };
            let found = self.records.page(query).await;
            any |= found.as_ref().map_or(true, |(rows, _)| !rows.is_empty());
            if any {
                self.webhooks.made();
            }
            let (rows, more) = found?;
            for (_, row) in &rows {
                let at = self.make_deliveries_of(read(row)?).await?;
                look_again_at = look_again_at.into_iter().chain(at).min();
            }
            match rows.last() {
                Some((last, _)) if more => after = Some(last.clone()),
                _ => return Ok(look_again_at),
            }
        }
    }

    async fn make_deliveries_of(
        &self,
        mut webhook: Versioned<WebhookRecord>,
    ) -> Result<Option<BootTime>, StoreError> {
        loop {
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
                if made == DELIVERIES_PER_BATCH {
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
                self.due.hint(now);
            }
        }
    }

    /// Makes the next try of a delivery, beside everything else; or forgets it after its time.
    pub(super) async fn due_delivery(
        self: &Arc<Self>,
        delivery: Versioned<DeliveryRecord>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Versioned { version, mut record } = delivery;
        let mut batch = Batch::new();
        if let DeliveryState::Dead { .. } = record.state {
            batch.delete(record.key(), version);
            return self.records.commit(batch).await.map(drop);
        }
        let Some(sender) = self.webhooks.sender.clone() else { return Ok(()) };
        let Ok(permit) = Arc::clone(&self.webhooks.permits).try_acquire_owned() else {
            *lock(&self.webhooks.starved) = true;
            return Ok(());
        };
        record.tries += 1;
        record.state = DeliveryState::Waiting { next_at: now + CLAIM };
        batch.put(version, &record);
        self.records.commit(batch).await?;
        let plane = Arc::clone(self);
        self.duties.spawn(async move {
            let claimed = Versioned { version: version + 1, record };
            if let Err(error) = plane.deliver(&*sender, claimed).await {
                tracing::warn!(error = &error as &dyn Error, "what came of a delivery was not recorded");
            }
            drop(permit);
            if std::mem::take(&mut *lock(&plane.webhooks.starved)) {
                plane.due.hint(plane.now());
            }
        });
        Ok(())
    }

    async fn deliver(
        &self,
        sender: &dyn WebhookSender,
        claimed: Versioned<DeliveryRecord>,
    ) -> Result<(), StoreError> {
        let Versioned { version, mut record } = claimed;
        let key = WebhookRecord::key_of(record.tenant, record.webhook);
        let mut batch = Batch::new();
        let Some(webhook) = self.records.load::<WebhookRecord>(key).await? else {
            batch.delete(record.key(), version);
            return self.settle(batch, record.key()).await;
        };
        let sending = sender.send(self.call(&webhook.record, &record));
        let deadline = self.clock.boot() + CALL_WITHIN;
        let answer = tokio::select! {
            biased;
            () = self.stopping.cancelled() => return Ok(()),
            answer = sending => answer,
            () = self.clock.sleep_until(deadline) => Err(WebhookError::Failed("no answer in time".into())),
        };
        let (now, chance) = (self.now(), self.chance());
        let (problem, is_final) = match answer {
            Ok(200..300) => {
                batch.delete(record.key(), version);
                return self.settle(batch, record.key()).await;
            }
            Ok(code) => (format!("it was answered with {code}"), false),
            Err(error @ WebhookError::Forbidden(_)) => (told_of(&error), true),
            Err(error) => (told_of(&error), false),
        };
        record.problem = Some(problem);
        record.state = match wait(record.tries, record.made_at, now, chance).filter(|_| !is_final) {
            Some(wait) => DeliveryState::Waiting { next_at: now + wait },
            None => DeliveryState::Dead { at: now },
        };
        batch.put(version, &record);
        self.settle(batch, record.key()).await?;
        if let DeliveryState::Waiting { next_at } = record.state {
            self.due.hint(next_at);
        }
        Ok(())
    }

    fn call(&self, webhook: &WebhookRecord, delivery: &DeliveryRecord) -> WebhookCall {
        let secret = Secret::from_text(webhook.secret.clone());
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            (DELIVERY_HEADER, delivery.id.to_string()),
            (EVENT_HEADER, delivery.event.clone()),
            (SIGNATURE_HEADER, sign_webhook(&secret, self.now(), delivery.body.as_bytes())),
        ];
        WebhookCall { url: webhook.spec.url.clone(), headers, body: delivery.body.clone().into() }
    }

    /// Records what came of a delivery, and wakes those who wait for it.
    async fn settle(&self, batch: Batch, key: Key) -> Result<(), StoreError> {
        match self.records.commit(batch).await {
            Ok(_) => {
                self.subjects.changed(&key);
                Ok(())
            }
            // Its claim was over, and somebody else has taken it up.
            Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// An error with its causes, as much of it as is kept.
fn told_of(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    let end = (0..=PROBLEM_BYTES_MAX.min(text.len())).rfind(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or(0));
    text
}
