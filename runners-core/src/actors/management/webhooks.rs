//! Webhooks: made, listed, given another secret and deleted, and the deliveries that did not succeed.

use super::{Management, ROUNDS_MAX, audit::Deed, not_found, refused, repeat::Begun};
use crate::{
    actors::{
        control_plane::Plane,
        error::Error,
        records::{Batch, Versioned},
    },
    rules::{
        keys,
        record::{DeliveryRecord, DeliveryState, Record as _, Unknown, WebhookRecord},
        webhook,
    },
    seams::{random, store::StoreError},
    values::{
        event::EventCursor,
        fleet::listing::{Listing, Paging},
        id::{DeliveryId, TenantId, WebhookId},
        key::{Index, Kind},
        principal::Scope,
        reply::RefusalCode,
        secret::Secret,
        webhook::{DeliveryView, NewWebhook, WebhookSpec, WebhookView},
    },
};

/// How long a secret may be that is given.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=256;

impl Management {
    /// Makes a webhook. From now on every event that it asks for is posted to its address as JSON,
    /// each by itself, until a reply with a code from 200 to 299 comes: with growing waits, for at
    /// most a day. Deliveries may come more than once and in any order;
    /// [`verify_webhook`](crate::verify_webhook) tells that one is ours.
    ///
    /// At most four calls are under way at once, and one while calls fail. About a thousand deliveries wait at most:
    /// of what happens beyond that it is told later, as long as the feed of the tenant
    /// [is kept](crate::Retention::events_for).
    ///
    /// Without a secret one is made, and shown in the answer this once.
    ///
    /// # Errors
    /// [`Error::Refused`] (`invalid`) for an address that is malformed or that the operator does not permit,
    /// a secret that is too short or too long, and where the operator calls no webhooks; (`exhausted`) if the tenant has
    /// [`WebhookSpec::COUNT_MAX`] of them; or as [`Management`] says.
    pub async fn create_webhook(
        &self,
        spec: WebhookSpec,
        secret: Option<Secret>,
    ) -> Result<NewWebhook, Error> {
        let tenant = self.with(Scope::Admin)?;
        let plane = &self.plane;
        let Some(sender) = &plane.webhooks.sender else {
            let problem = "webhooks: this control plane calls none: its operator has to switch them on";
            return Err(refused(RefusalCode::Invalid, problem));
        };
        webhook::check(&spec)?;
        if let Err(error) = sender.check(&spec.url) {
            return Err(refused(RefusalCode::Invalid, format!("url: {error}")));
        }
        let secret = self.plane.webhook_secret(secret)?;
        let mut once = match self.begin(tenant).await? {
            Begun::Before(record) => return Ok(NewWebhook { webhook: view(record), secret: None }),
            Begun::Now(once) => once,
        };
        let now = plane.now();
        let record = WebhookRecord {
            tenant,
            id: random::id(&*plane.random, now, WebhookId::new),
            spec,
            made_at: now,
            secret: secret.expose().to_owned(),
            cursor: EventCursor::at(now).number(),
            unknown: Unknown::new(),
        };
        let mut batch = Batch::new();
        once.note(&mut batch, &record.without_secret());
        batch.put(0, &record);
        batch.add(WebhookRecord::count(tenant), 1, Some(i64::from(WebhookSpec::COUNT_MAX)));
        self.note(&mut batch, tenant, Deed::new("created", "webhook"), record.id).await;
        match plane.records.commit(batch).await {
            Ok(_) => {
                plane.webhooks.made();
                Ok(NewWebhook { webhook: view(record), secret: Some(secret) })
            }
            Err(error) => Err(once.refusal(&error).unwrap_or_else(|| match error {
                StoreError::Exhausted(_) => too_many(),
                error => Error::Store(error),
            })),
        }
    }

    /// Lists the webhooks of the tenant, oldest first.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn webhooks(&self, paging: &Paging) -> Result<Listing<WebhookView>, Error> {
        let tenant = self.with(Scope::Read)?;
        let prefix = keys::listed_prefix(tenant, Kind::Webhook, None);
        let page = self.list::<WebhookRecord>(Index::Listed, prefix, &["webhooks"], paging).await?;
        Ok(page.map(|found| view(found.record)))
    }

    /// One webhook of the tenant.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn webhook(&self, webhook: WebhookId) -> Result<WebhookView, Error> {
        let tenant = self.with(Scope::Read)?;
        self.webhook_record(tenant, webhook).await.map(|found| view(found.record))
    }

    /// Replaces the secret of a webhook. Every call from now on is signed with the new one, also
    /// those that are tried again. Give one that the receiver takes already, and nothing is refused
    /// meanwhile; without one it is made, and shown in the answer this once.
    ///
    /// # Errors
    /// [`Error::Refused`] (`invalid`) for a secret that is too short or too long, or as
    /// [`Management`] says.
    pub async fn rotate_webhook_secret(
        &self,
        webhook: WebhookId,
        secret: Option<Secret>,
    ) -> Result<NewWebhook, Error> {
        let tenant = self.with(Scope::Admin)?;
        let secret = self.plane.webhook_secret(secret)?;
        let mut once = match self.begin(tenant).await? {
            Begun::Before(record) => return Ok(NewWebhook { webhook: view(record), secret: None }),
            Begun::Now(once) => once,
        };
        for _ in 0..ROUNDS_MAX {
            let Versioned { version, mut record } = self.webhook_record(tenant, webhook).await?;
            secret.expose().clone_into(&mut record.secret);
            let mut batch = Batch::new();
            once.note(&mut batch, &record.without_secret());
            batch.put(version, &record);
            self.note(&mut batch, tenant, Deed::new("gave another secret to", "webhook"), webhook).await;
            match self.plane.records.commit(batch).await {
                Ok(_) => return Ok(NewWebhook { webhook: view(record), secret: Some(secret) }),
                Err(error) => match (once.refusal(&error), error) {
                    (Some(refused), _) => return Err(refused),
                    // It was moved on to the next event.
                    (None, StoreError::Conflict(_)) => {}
                    (None, error) => return Err(Error::Store(error)),
                },
            }
        }
        Err(Error::Store(StoreError::Unavailable(
            "events come faster than its secret can be replaced".into(),
        )))
    }

    /// Deletes a webhook, and what it has not been told.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn delete_webhook(&self, webhook: WebhookId) -> Result<(), Error> {
        let tenant = self.with(Scope::Admin)?;
        for _ in 0..ROUNDS_MAX {
            let found = self.webhook_record(tenant, webhook).await?;
            let mut batch = Batch::new();
            batch.delete(found.record.key(), found.version);
            batch.add(WebhookRecord::count(tenant), -1, None);
            self.note(&mut batch, tenant, Deed::new("deleted", "webhook"), webhook).await;
            match self.plane.records.commit(batch).await {
                Ok(_) => return Ok(()),
                // It was moved on to the next event.
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(Error::Store(error)),
            }
        }
        Err(Error::Store(StoreError::Unavailable("events come faster than it can be deleted".into())))
    }

    /// Lists the deliveries of the tenant that were given up, or those that are tried again by
    /// themselves; oldest first. Those that were given up can be made again for a week.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn deliveries(&self, given_up: bool, paging: &Paging) -> Result<Listing<DeliveryView>, Error> {
        let tenant = self.with(Scope::Read)?;
        let (state, name) = match given_up {
            true => (DeliveryRecord::DEAD, "dead deliveries"),
            false => (DeliveryRecord::WAITING, "deliveries"),
        };
        let prefix = keys::listed_prefix(tenant, Kind::Delivery, Some(state));
        let page = self.list::<DeliveryRecord>(Index::Listed, prefix, &[name], paging).await?;
        let items = page.items.into_iter().filter_map(|found| delivery(found.record)).collect();
        Ok(Listing { items, next: page.next })
    }

    /// Tries a delivery anew, from its first try on.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn redeliver(&self, delivery: DeliveryId) -> Result<(), Error> {
        let tenant = self.with(Scope::Admin)?;
        let key = DeliveryRecord::key_of(tenant, delivery);
        let found = self.plane.records.load::<DeliveryRecord>(key).await.map_err(Error::Store)?;
        let mut found = found.ok_or_else(|| not_found("delivery", delivery))?;
        let now = self.plane.now();
        found.record.made_at = now;
        found.record.tries = 0;
        found.record.state = DeliveryState::Waiting { next_at: now };
        let mut batch = Batch::new();
        batch.put(found.version, &found.record);
        self.note(&mut batch, tenant, Deed::new("tried again", "delivery"), delivery).await;
        match self.plane.records.commit(batch).await {
            Ok(_) => self.plane.webhooks.due(tenant, found.record.webhook, now),
            // It is being tried this moment.
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(Error::Store(error)),
        }
        Ok(())
    }

    async fn webhook_record(
        &self,
        tenant: TenantId,
        webhook: WebhookId,
    ) -> Result<Versioned<WebhookRecord>, Error> {
        let found = self.plane.records.load(WebhookRecord::key_of(tenant, webhook)).await;
        found.map_err(Error::Store)?.ok_or_else(|| not_found("webhook", webhook))
    }
}

impl Plane {
    /// The secret that was given, if it is one that may be, or else a new one.
    fn webhook_secret(&self, given: Option<Secret>) -> Result<Secret, Error> {
        let (least, most) = SECRET_BYTES.into_inner();
        match given {
            Some(secret) if SECRET_BYTES.contains(&secret.expose().len()) => Ok(secret),
            Some(_) => {
                let problem = format!("secret: must have from {least} to {most} bytes, or be left out");
                Err(refused(RefusalCode::Invalid, problem))
            }
            None => {
                let mut bytes = [0; 32];
                self.random.fill(&mut bytes);
                Ok(Secret::from_text(format!("whsec_{}", hex::encode(bytes))))
            }
        }
    }
}

fn view(record: WebhookRecord) -> WebhookView {
    WebhookView { id: record.id, spec: record.spec, made_at: record.made_at }
}

fn too_many() -> Error {
    let problem = format!("webhooks: a tenant has at most {}: delete one", WebhookSpec::COUNT_MAX);
    refused(RefusalCode::Exhausted, problem)
}

fn delivery(record: DeliveryRecord) -> Option<DeliveryView> {
    Some(DeliveryView {
        id: record.id,
        webhook: record.webhook,
        event: serde_json::from_str(&record.body).ok()?,
        tries: record.tries,
        next_at: match record.state {
            DeliveryState::Waiting { next_at } => Some(next_at),
            DeliveryState::Dead { .. } => None,
        },
        problem: record.problem,
    })
}
