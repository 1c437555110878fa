//! Signals: commands sent to one runner, or to an attempt that it works on, that expect an answer.

use super::{Record, Unknown, id_bytes};
use crate::{
    rules::keys,
    values::{
        id::{RunnerId, SignalId, TenantId},
        key::{Index, Key, Kind},
        lease::FencingToken,
        opaque::Opaque,
        result::Fault,
        sync::SignalOutcome,
        time::Timestamp,
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What has become of a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SignalState {
    Waiting,
    Answered(SignalOutcome),
    Expired,
}

/// A command sent to one runner, or to an attempt that it works on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SignalRecord {
    #[serde(skip, default = "no_tenant")]
    pub(crate) tenant: TenantId,
    #[serde(skip, default = "no_signal")]
    pub(crate) id: SignalId,
    /// The runner, or the one that works on the attempt.
    pub(crate) to: RunnerId,
    /// The attempt it is for, if it is not for the runner itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attempt: Option<FencingToken>,
    /// The attempt is by a runner of the operator, for a job of somebody else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) hosted: bool,
    pub(crate) kind: String,
    pub(crate) payload: Opaque,
    pub(crate) expires_at: Timestamp,
    pub(crate) state: SignalState,
    /// When it is deleted, once it waits no more. One of the first release is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) forget_at: Option<Timestamp>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

const fn no_tenant() -> TenantId {
    TenantId::OPERATOR
}

const fn no_signal() -> SignalId {
    SignalId::from_bytes([0; 16])
}

/// How long the answer to a signal is kept: whoever sent it asks for it within their patience.
pub(crate) const ANSWER_KEPT_FOR: Duration = Duration::from_secs(3600);

impl SignalRecord {
    /// Ends the wait for an answer. Only the first end counts.
    pub(crate) fn end(&mut self, state: SignalState, now: Timestamp) {
        if self.state == SignalState::Waiting {
            self.state = state;
            self.forget_at = Some(now + ANSWER_KEPT_FOR);
        }
    }

    /// The answer that the control plane gives for an attempt that has ended.
    pub(crate) fn attempt_ended() -> SignalState {
        let message = "the attempt ended before it answered";
        SignalState::Answered(SignalOutcome::Fault(Fault::permanent("attempt_ended", message)))
    }

    /// The owner of the runner.
    pub(crate) const fn host(&self) -> TenantId {
        if self.hosted { TenantId::OPERATOR } else { self.tenant }
    }

    /// What its runner knows it by. Several tenants may send signals to one that is hosted, and may
    /// have chosen the same id.
    pub(crate) fn told_as(&self) -> SignalId {
        if !self.hosted {
            return self.id;
        }
        SignalId::from_bytes(keys::text(&["signal", &self.tenant.to_string(), &self.id.to_string()]))
    }

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
            return self.forget_at.map(|at| (Index::Due, keys::due(at, &key))).into_iter().collect();
        }
        vec![(Index::Due, keys::due(self.expires_at, &key)), (Index::Owner, keys::owner(self.to, &key))]
    }
}
