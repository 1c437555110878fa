//! Webhooks, and calls to them that have not succeeded.

use super::{Record, Unknown, id_bytes};
use crate::{
    rules::{keys, webhook::TURN_WITHIN},
    values::{
        id::{DeliveryId, TenantId, WebhookId},
        key::{Index, Key, Kind},
        time::Timestamp,
        webhook::WebhookSpec,
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

const fn no_tenant() -> TenantId {
    TenantId::OPERATOR
}

const fn no_webhook() -> WebhookId {
    WebhookId::from_bytes([0; 16])
}

const fn no_delivery() -> DeliveryId {
    DeliveryId::from_bytes([0; 16])
}

/// Where a tenant wants to be told of events.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct WebhookRecord {
    #[serde(skip, default = "no_tenant")]
    pub(crate) tenant: TenantId,
    #[serde(skip, default = "no_webhook")]
    pub(crate) id: WebhookId,
    pub(crate) spec: WebhookSpec,
    pub(crate) made_at: Timestamp,
    /// What calls are signed with. It has to be known here to sign, so it stands as it is.
    pub(crate) secret: String,
    /// The number of the last event for which deliveries were made.
    pub(crate) cursor: u64,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

impl fmt::Debug for WebhookRecord {
    /// Nothing of the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookRecord")
            .field("id", &self.id)
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

impl WebhookRecord {
    pub(crate) fn key_of(tenant: TenantId, id: WebhookId) -> Key {
        Key::new(tenant, Kind::Webhook, Bytes::copy_from_slice(id.as_bytes()))
    }

    /// The same, as it may be remembered elsewhere.
    pub(crate) fn without_secret(&self) -> Self {
        Self { secret: String::new(), ..self.clone() }
    }

    /// The counter of a tenant's webhooks.
    pub(crate) const fn count(tenant: TenantId) -> Key {
        Key { tenant, kind: Kind::Limit, id: Bytes::from_static(b"webhooks") }
    }
}

impl Record for WebhookRecord {
    const KIND: Kind = Kind::Webhook;
    fn key(&self) -> Key {
        Self::key_of(self.tenant, self.id)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        self.id = WebhookId::from_bytes(id_bytes(key)?);
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        let key = self.key();
        // It is the control plane's own business to look for events.
        let owner = keys::owner(keys::UPKEEP, &key);
        vec![(Index::Owner, owner), (Index::Listed, keys::listed(&key, 0, self.made_at))]
    }
}

/// A call to a webhook that has not succeeded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DeliveryRecord {
    #[serde(skip, default = "no_tenant")]
    pub(crate) tenant: TenantId,
    #[serde(skip, default = "no_delivery")]
    pub(crate) id: DeliveryId,
    pub(crate) webhook: WebhookId,
    /// The name of the event, and the bytes that are sent.
    pub(crate) event: String,
    pub(crate) body: String,
    pub(crate) made_at: Timestamp,
    #[serde(default)]
    pub(crate) tries: u32,
    pub(crate) state: DeliveryState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

/// How a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryState {
    /// It is tried at this time.
    Waiting { next_at: Timestamp },
    /// It was given up.
    Dead { at: Timestamp },
}

/// How long a delivery that was given up can be made again.
pub(crate) const DEAD_KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl DeliveryRecord {
    /// The numbers of its states in listings.
    pub(crate) const WAITING: u8 = 1;
    pub(crate) const DEAD: u8 = 2;

    /// Where the deliveries of a webhook stand that wait, the one that is tried next first.
    pub(crate) fn line_of(tenant: TenantId, webhook: WebhookId) -> Bytes {
        keys::parent_prefix(tenant, webhook.as_bytes())
    }

    pub(crate) fn key_of(tenant: TenantId, id: DeliveryId) -> Key {
        Key::new(tenant, Kind::Delivery, Bytes::copy_from_slice(id.as_bytes()))
    }
}

impl Record for DeliveryRecord {
    const KIND: Kind = Kind::Delivery;
    fn key(&self) -> Key {
        Self::key_of(self.tenant, self.id)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        self.id = DeliveryId::from_bytes(id_bytes(key)?);
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        let key = self.key();
        // While it waits, it stands in the line of its webhook, and is due by itself only if its turn does not come.
        let (number, due_at, next_at) = match self.state {
            DeliveryState::Waiting { next_at } => (Self::WAITING, self.made_at + TURN_WITHIN, Some(next_at)),
            DeliveryState::Dead { at } => (Self::DEAD, at + DEAD_KEPT_FOR, None),
        };
        let line = next_at.map(|next_at| {
            let id = self.webhook.as_bytes();
            (Index::Parent, keys::parent(self.tenant, id, next_at.as_millis(), &key.id))
        });
        let due = (Index::Due, keys::due(due_at, &key));
        let listed = (Index::Listed, keys::listed(&key, number, self.made_at));
        line.into_iter().chain([due, listed]).collect()
    }
}
