//! What stands in the store, and how it becomes bytes.
//!
//! A record is JSON with a format number. It keeps the fields it does not know, so that a newer
//! and an older release can write the same database.

mod audit;
mod bodies;
mod environment;
mod flow;
mod holding;
mod lane;
mod live_key;
mod member;
#[cfg(feature = "orchestrator")]
mod orchestration;
mod owners;
mod presence;
mod repeat;
mod retention;
mod rollout;
mod run;
mod secrets;
mod signal;
mod webhook;

pub(crate) use audit::AuditRecord;
pub(crate) use bodies::{ArtifactRecord, OutcomeRecord, PayloadRecord, Role};
pub(crate) use environment::EnvironmentRecord;
pub(crate) use flow::{FlowRecord, FlowVersionRecord, Kept};
pub(crate) use holding::HoldingRecord;
pub(crate) use lane::{LaneRecord, Preference};
pub(crate) use live_key::LiveKeyRecord;
pub(crate) use member::{Duty, DutyRecord, MemberRecord};
#[cfg(feature = "orchestrator")]
pub(crate) use orchestration::{OrchestratedJobsRecord, OrchestrationRecord, OrchestratorRecord};
pub(crate) use owners::{PoolRecord, TenantRecord, UniqueRecord};
pub(crate) use presence::{RunnerRecord, SessionRecord, SessionRef};
pub(crate) use repeat::RepeatRecord;
pub(crate) use retention::RetentionRecord;
pub(crate) use rollout::RolloutRecord;
pub(crate) use run::{DependencyRecord, RunRecord};
pub(crate) use secrets::{CredentialRecord, RegistrationRecord, Subject};
pub(crate) use signal::{SignalRecord, SignalState};
pub(crate) use webhook::{DeliveryRecord, DeliveryState, WebhookRecord};

use crate::values::key::{Index, Key, Kind};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// Fields of a record that this release does not know.
pub(crate) type Unknown = BTreeMap<String, serde_json::Value>;

/// A kind of record: where it stands, and what it is called there.
pub(crate) trait Record: Serialize + DeserializeOwned + Clone {
    /// Its kind.
    const KIND: Kind;
    /// The format that this release writes. It reads this one and every one before.
    const FORMAT: u16 = 1;

    /// Its key. `tenant` and `id` are not part of the body.
    fn key(&self) -> Key;

    /// Takes the key that the body does not repeat. `None` when it is not one of this kind.
    fn with_key(self, key: &Key) -> Option<Self>;

    /// Every list it stands in, at most one entry for each.
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        Vec::new()
    }
}

/// Why bytes are not the record they should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("record {key:?} has format {format}, and this release reads up to {newest}: upgrade it")]
    Newer { key: Key, format: u16, newest: u16 },
    #[error("record {0:?} is malformed")]
    Malformed(Key, #[source] serde_json::Error),
    #[error("record {0:?} has a malformed key")]
    Misplaced(Key),
}

/// How many bytes the body of a job has, or a little more: memory is taken once for it.
const BODY_BYTES_USUAL: usize = 1024;

/// Turns a record into its body.
pub(crate) fn encode<R: Record>(record: &R) -> Bytes {
    let mut body = Vec::with_capacity(BODY_BYTES_USUAL);
    serde_json::to_writer(&mut body, record).expect("records are plain data");
    body.into()
}

/// Turns a body back into its record.
pub(crate) fn decode<R: Record>(key: &Key, format: u16, body: &[u8]) -> Result<R, DecodeError> {
    if format > R::FORMAT {
        return Err(DecodeError::Newer { key: key.clone(), format, newest: R::FORMAT });
    }
    let record: R =
        serde_json::from_slice(body).map_err(|error| DecodeError::Malformed(key.clone(), error))?;
    record.with_key(key).ok_or_else(|| DecodeError::Misplaced(key.clone()))
}

/// The 16 bytes of a record's id, where it has exactly as many.
pub(crate) fn id_bytes(key: &Key) -> Option<[u8; 16]> {
    key.id.as_ref().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::id::{PoolId, TenantId};

    #[test]
    fn a_record_keeps_the_fields_it_does_not_know() {
        let key = Key::new(TenantId::DEFAULT, Kind::Pool, vec![7; 16]);
        let body = br#"{"name":"blue","colour":{"deep":true}}"#;
        let pool: PoolRecord = decode(&key, 1, body).unwrap();
        assert_eq!(pool.id, PoolId::from_bytes([7; 16]));
        let again: serde_json::Value = serde_json::from_slice(&encode(&pool)).unwrap();
        assert_eq!(again["colour"]["deep"], true);
    }

    #[test]
    fn a_newer_format_is_refused_with_both_numbers() {
        let key = Key::new(TenantId::DEFAULT, Kind::Pool, vec![7; 16]);
        let error = decode::<PoolRecord>(&key, 9, b"{}").unwrap_err().to_string();
        assert!(error.contains("format 9") && error.contains("up to 1"), "{error}");
    }
}
