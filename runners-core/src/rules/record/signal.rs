//! Signals: commands sent to one runner that expect an answer.

use super::{Record, Unknown, id_bytes};
use crate::{
    rules::keys,
    values::{
        id::{RunnerId, SignalId, TenantId},
        key::{Index, Key, Kind},
        opaque::Opaque,
        sync::SignalOutcome,
        time::Timestamp,
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What has become of a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SignalState {
    Waiting,
    Answered(SignalOutcome),
    Expired,
}

/// A command sent to one runner.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SignalRecord {
    #[serde(skip, default = "no_tenant")]
    pub(crate) tenant: TenantId,
    #[serde(skip, default = "no_signal")]
    pub(crate) id: SignalId,
    pub(crate) to: RunnerId,
    pub(crate) kind: String,
    pub(crate) payload: Opaque,
    pub(crate) expires_at: Timestamp,
    pub(crate) state: SignalState,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

const fn no_tenant() -> TenantId {
    TenantId::OPERATOR
}

const fn no_signal() -> SignalId {
    SignalId::from_bytes([0; 16])
}

impl SignalRecord {
    /// The number in listings of those that were answered or expired.
    pub(crate) const ENDED: u8 = 2;

    pub(crate) fn key_of(tenant: TenantId, id: SignalId) -> Key {
        Key::new(tenant, Kind::Signal, Bytes::copy_from_slice(id.as_bytes()))
    }
}

impl Record for SignalRecord {
    const KIND: Kind = Kind::Signal;
    fn key(&self) -> Key {
        Self::key_of(self.tenant, self.id)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        self.id = SignalId::from_bytes(id_bytes(key)?);
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        let key = self.key();
        if self.state != SignalState::Waiting {
            return vec![(Index::Listed, keys::listed(&key, Self::ENDED, self.expires_at))];
        }
        vec![(Index::Due, keys::due(self.expires_at, &key)), (Index::Owner, keys::owner(self.to, &key))]
    }
}
