//! Calls to webhooks, each webhook in a line of its own: one that is slow, or does not answer, keeps no other
//! waiting.

use super::{
    super::Plane,
    lines::{Called, Place},
};
use crate::{
    actors::records::{Batch, Versioned, read},
    rules::{
        record::{DeliveryRecord, DeliveryState, Record as _, WebhookRecord},
        webhook::wait,
    },
    seams::{
        store::{Query, StoreError},
        webhook::{WebhookCall, WebhookError, WebhookSender},
    },
    values::{
        key::{Index, Key},
        secret::Secret,
        time::Timestamp,
        webhook::{DELIVERY_HEADER, EVENT_HEADER, SIGNATURE_HEADER, sign_webhook},
    },
};
use std::{error::Error, sync::Arc, time::Duration};

/// How long a call may take.
const CALL_WITHIN: Duration = Duration::from_secs(15);
/// How long a claimed try is nobody else's.
const CLAIM: Duration = Duration::from_secs(60);
/// How often it is tried to claim what others claim at the same time.
const ROUNDS_MAX: usize = 16;
/// How many of the first rows of a line are read: one to be tried, the next, and some that may be unreadable.
const FIRST_ROWS: u32 = 4;
/// How much is kept of what went wrong.
const PROBLEM_BYTES_MAX: usize = 300;

impl Plane {
    /// Begins to call webhooks that have something due and may be called.
    pub(super) fn begin_calls(self: &Arc<Self>) {
        let Some(sender) = &self.webhooks.sender else { return };
        for place in self.webhooks.lines.begin(self.now()) {
            let (plane, sender) = (Arc::clone(self), Arc::clone(sender));
            self.duties.spawn(async move {
                tokio::select! {
                    biased;
                    () = plane.stopping.cancelled() => {}
                    () = plane.call_in_turn(&*sender, place) => {}
                }
                plane.webhooks.lines.left(place);
            });
        }
    }

    /// Calls a webhook again and again, each time when it is its turn, while something is due and it may be.
    async fn call_in_turn(&self, sender: &dyn WebhookSender, place: Place) {
        loop {
            let _turn = self.webhooks.turn().await;
            let called = match self.claim(place).await {
                Ok(Some(claimed)) => self.deliver(sender, claimed).await,
                Ok(None) => return,
                Err(error) => Err(error),
            };
            let called = called.unwrap_or_else(|error| {
                tracing::warn!(error = &error as &dyn Error, "what came of a delivery was not recorded");
                Called { went_well: false, is_gone: false }
            });
            if !self.webhooks.lines.called(place, called, self.now()) {
                return;
            }
        }
    }

    /// Claims the next try of a webhook, if one is due.
    async fn claim(&self, place: Place) -> Result<Option<Versioned<DeliveryRecord>>, StoreError> {
        for _ in 0..ROUNDS_MAX {
            self.webhooks.lines.look(place, self.now());
            let prefix = DeliveryRecord::line_of(place.tenant, place.webhook);
            let (rows, _) = self.records.page(Query::range(Index::Parent, prefix, FIRST_ROWS)).await?;
            let now = self.now();
            // One that this release cannot read keeps no other waiting.
            let mut line = rows.iter().filter_map(|(_, row)| waiting(read(row).ok()?));
            let (first, second) = (line.next(), line.next().map(|(next_at, _)| next_at));
            let Some((next_at, Versioned { version, mut record })) = first else {
                self.webhooks.lines.looked(place, None);
                return Ok(None);
            };
            if next_at > now {
                self.webhooks.lines.looked(place, Some(next_at));
                return Ok(None);
            }
            record.tries += 1;
            record.state = DeliveryState::Waiting { next_at: now + CLAIM };
            let mut batch = Batch::new();
            batch.put(version, &record);
            match self.records.commit(batch).await {
                Ok(_) => {
                    self.webhooks.lines.looked(place, second);
                    return Ok(Some(Versioned { version: version + 1, record }));
                }
                // Somebody else has claimed it.
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Unavailable("others claim deliveries faster".into()))
    }

    async fn deliver(
        &self,
        sender: &dyn WebhookSender,
        claimed: Versioned<DeliveryRecord>,
    ) -> Result<Called, StoreError> {
        let Versioned { version, mut record } = claimed;
        let key = WebhookRecord::key_of(record.tenant, record.webhook);
        let mut batch = Batch::new();
        let Some(webhook) = self.records.load::<WebhookRecord>(key).await? else {
            batch.delete(record.key(), version);
            self.settle(batch, record.key()).await?;
            return Ok(Called { went_well: true, is_gone: true });
        };
        let sending = sender.send(self.call(&webhook.record, &record));
        let deadline = self.clock.boot() + CALL_WITHIN;
        let answer = tokio::select! {
            biased;
            answer = sending => answer,
            () = self.clock.sleep_until(deadline) => Err(WebhookError::Failed("no answer in time".into())),
        };
        let (now, chance) = (self.now(), self.chance());
        let (problem, is_final) = match answer {
            Ok(200..300) => {
                batch.delete(record.key(), version);
                self.settle(batch, record.key()).await?;
                return Ok(Called { went_well: true, is_gone: true });
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
        let place = Place { tenant: record.tenant, webhook: record.webhook };
        match record.state {
            DeliveryState::Waiting { next_at } => self.webhooks.lines.due(place, next_at),
            DeliveryState::Dead { .. } => {}
        }
        Ok(Called { went_well: false, is_gone: matches!(record.state, DeliveryState::Dead { .. }) })
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

/// When a delivery is tried next, if it is.
fn waiting(delivery: Versioned<DeliveryRecord>) -> Option<(Timestamp, Versioned<DeliveryRecord>)> {
    match delivery.record.state {
        DeliveryState::Waiting { next_at } => Some((next_at, delivery)),
        DeliveryState::Dead { .. } => None,
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
