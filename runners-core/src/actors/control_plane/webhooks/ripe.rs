//! Deliveries that are due for what is no call: their time is over, or an earlier release has left them where all
//! that is due stands.

use super::super::Plane;
use crate::{
    actors::records::{Batch, Versioned, read},
    rules::{
        record::{DeliveryRecord, DeliveryState, Record as _, WebhookRecord},
        webhook::TURN_WITHIN,
    },
    seams::store::{StoreError, Stored},
    values::time::Timestamp,
};

impl Plane {
    /// Does what is due of deliveries, in one batch if it can be.
    pub(in super::super) async fn due_deliveries(
        &self,
        rows: &[&Stored],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match self.settle_deliveries(rows, now).await {
            // One of them was tried meanwhile, or cannot be read.
            Err(StoreError::Conflict(_) | StoreError::Broken(_)) => {}
            done => return done,
        }
        let mut failed = None;
        for row in rows {
            match self.settle_deliveries(&[*row], now).await {
                Err(StoreError::Conflict(_)) => {}
                Err(error @ StoreError::Broken(_)) => drop(failed.get_or_insert(error)),
                done => done?,
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn settle_deliveries(&self, rows: &[&Stored], now: Timestamp) -> Result<(), StoreError> {
        let deliveries: Vec<Versioned<DeliveryRecord>> =
            rows.iter().map(|row| read(row)).collect::<Result<_, _>>()?;
        let webhook = |found: &Versioned<DeliveryRecord>| {
            WebhookRecord::key_of(found.record.tenant, found.record.webhook)
        };
        let webhooks =
            self.records.load_all::<WebhookRecord>(deliveries.iter().map(webhook).collect()).await?;
        let (mut batch, mut lined_up) = (Batch::new(), Vec::new());
        for (Versioned { version, mut record }, webhook) in deliveries.into_iter().zip(webhooks) {
            match record.state {
                DeliveryState::Waiting { next_at } if webhook.is_some() => {
                    if now.since(record.made_at) >= TURN_WITHIN {
                        record.state = DeliveryState::Dead { at: now };
                        record.problem.get_or_insert_with(|| "its turn did not come within a day".to_owned());
                    } else {
                        lined_up.push((record.tenant, record.webhook, next_at));
                    }
                    batch.put(version, &record);
                }
                DeliveryState::Waiting { .. } | DeliveryState::Dead { .. } => {
                    batch.delete(record.key(), version);
                }
            }
        }
        self.records.commit(batch).await?;
        for (tenant, webhook, at) in lined_up {
            self.webhooks.due(tenant, webhook, at);
        }
        Ok(())
    }
}
