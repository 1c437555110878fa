//! The bytes of record ids and index keys: fixed width, big-endian, so that bytes sort as meant.
//!
//! Text that a caller chooses never stands in a key; the first 16 bytes of its SHA-256 do.

use crate::values::{
    digest::Digest,
    id::{JobId, LaneId, PoolId, RunId, RunnerId, TenantId},
    key::{Key, Kind},
    lease::FencingToken,
    time::Timestamp,
};
use bytes::{BufMut as _, Bytes, BytesMut};

/// Who owns what the control plane itself has yet to see to: logs that are to be sealed, runs that
/// are open.
pub(crate) const UPKEEP: RunnerId = RunnerId::from_bytes([0; 16]);

/// The first 16 bytes of a text's SHA-256.
pub(crate) fn text(parts: &[&str]) -> [u8; 16] {
    Digest::of(&serde_json::to_vec(parts).expect("strings are plain data")).short()
}

/// Two ids one after the other.
pub(crate) fn pair(first: &[u8; 16], second: &[u8; 16]) -> Bytes {
    let mut key = BytesMut::with_capacity(32);
    key.put_slice(first);
    key.put_slice(second);
    key.freeze()
}

/// The id of what belongs to one grant of a job.
pub(crate) fn of_grant(token: FencingToken) -> Bytes {
    let mut key = BytesMut::with_capacity(24);
    key.put_slice(token.job.as_bytes());
    key.put_u64(token.grant);
    key.freeze()
}

/// The id of a named artifact of one grant.
pub(crate) fn of_artifact(token: FencingToken, name: &str) -> Bytes {
    let mut key = BytesMut::with_capacity(40);
    key.put_slice(&of_grant(token));
    key.put_slice(&text(&[name]));
    key.freeze()
}

/// The id of an artifact of one grant that is there for its role, which no name is the id of.
pub(crate) fn of_role(token: FencingToken, role: &str) -> Bytes {
    let mut key = BytesMut::with_capacity(40);
    key.put_slice(&of_grant(token));
    key.put_slice(&text(&["role", role]));
    key.freeze()
}

/// Among what names an artifact: tenant, digest, id.
pub(crate) fn names(key: &Key, digest: Digest) -> Bytes {
    let mut bytes = BytesMut::with_capacity(48 + key.id.len());
    bytes.put_slice(&names_prefix(key.tenant, digest));
    bytes.put_slice(&key.id);
    bytes.freeze()
}

/// What every key among those that name an artifact begins with.
pub(crate) fn names_prefix(tenant: TenantId, digest: Digest) -> Bytes {
    let mut bytes = BytesMut::with_capacity(48);
    bytes.put_slice(tenant.as_bytes());
    bytes.put_slice(digest.as_bytes());
    bytes.freeze()
}

/// In the order of ready jobs: lane, 255 − priority, ready at, tenant, id.
pub(crate) fn ready(lane: LaneId, priority: u8, at: Timestamp, tenant: TenantId, job: JobId) -> Bytes {
    let mut key = BytesMut::with_capacity(57);
    key.put_slice(lane.as_bytes());
    key.put_u8(255 - priority);
    key.put_u64(at.as_millis());
    key.put_slice(tenant.as_bytes());
    key.put_slice(job.as_bytes());
    key.freeze()
}

/// In the order of due work: due at, kind, tenant, id.
pub(crate) fn due(at: Timestamp, key: &Key) -> Bytes {
    let mut bytes = BytesMut::with_capacity(26 + key.id.len());
    bytes.put_u64(at.as_millis());
    bytes.put_u16(key.kind.number());
    bytes.put_slice(key.tenant.as_bytes());
    bytes.put_slice(&key.id);
    bytes.freeze()
}

/// The first due key after everything that is due at `at`.
pub(crate) fn due_after(at: Timestamp) -> Bytes {
    Bytes::copy_from_slice(&at.as_millis().saturating_add(1).to_be_bytes())
}

/// The time that a due key begins with.
pub(crate) fn due_at(key: &[u8]) -> Option<Timestamp> {
    let at = key.get(..8)?.try_into().ok()?;
    Some(Timestamp::from_millis(u64::from_be_bytes(at)))
}

/// Among what belongs to a runner: runner, kind, tenant, id.
pub(crate) fn owner(runner: RunnerId, key: &Key) -> Bytes {
    let mut bytes = BytesMut::with_capacity(34 + key.id.len());
    bytes.put_slice(runner.as_bytes());
    bytes.put_u16(key.kind.number());
    bytes.put_slice(key.tenant.as_bytes());
    bytes.put_slice(&key.id);
    bytes.freeze()
}

/// What every key begins with of one kind of what the control plane itself has yet to see to.
pub(crate) fn upkeep_of(kind: Kind) -> Bytes {
    let mut bytes = BytesMut::with_capacity(18);
    bytes.put_slice(UPKEEP.as_bytes());
    bytes.put_u16(kind.number());
    bytes.freeze()
}

/// What every key begins with of what belongs to a runner and is of one kind and tenant.
pub(crate) fn owned_by_kind(runner: RunnerId, kind: Kind, tenant: TenantId) -> Bytes {
    owner(runner, &Key::new(tenant, kind, Bytes::new()))
}

/// Among what belongs to a parent: tenant, parent, ordinal, id.
pub(crate) fn parent(tenant: TenantId, parent: &[u8; 16], ordinal: u64, id: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(40 + id.len());
    bytes.put_slice(&parent_prefix(tenant, parent));
    bytes.put_u64(ordinal);
    bytes.put_slice(id);
    bytes.freeze()
}

/// Among all of one kind that belongs to a tenant: tenant, kind, state, time, id.
pub(crate) fn listed(key: &Key, state: u8, at: Timestamp) -> Bytes {
    let mut bytes = BytesMut::with_capacity(27 + key.id.len());
    bytes.put_slice(&listed_prefix(key.tenant, key.kind, Some(state)));
    bytes.put_u64(at.as_millis());
    bytes.put_slice(&key.id);
    bytes.freeze()
}

/// What every key of a listing begins with.
pub(crate) fn listed_prefix(tenant: TenantId, kind: Kind, state: Option<u8>) -> Bytes {
    let mut bytes = BytesMut::with_capacity(19);
    bytes.put_slice(tenant.as_bytes());
    bytes.put_u16(kind.number());
    state.into_iter().for_each(|state| bytes.put_u8(state));
    bytes.freeze()
}

/// What every key of one kind below a parent begins with, where the ordinal is the kind.
pub(crate) fn parent_kind_prefix(tenant: TenantId, parent: &[u8; 16], kind: Kind) -> Bytes {
    let mut bytes = BytesMut::with_capacity(40);
    bytes.put_slice(&parent_prefix(tenant, parent));
    bytes.put_u64(u64::from(kind.number()));
    bytes.freeze()
}

/// What every key below a parent begins with.
pub(crate) fn parent_prefix(tenant: TenantId, parent: &[u8; 16]) -> Bytes {
    pair(tenant.as_bytes(), parent)
}

/// The parent under which a pool's lanes stand.
pub(crate) fn lanes_of(pool: PoolId) -> [u8; 16] {
    *pool.as_bytes()
}

/// The parent under which a job's artifacts stand.
pub(crate) fn artifacts_of(job: JobId) -> [u8; 16] {
    *job.as_bytes()
}

/// The parent under which a tenant's API credentials stand.
pub(crate) fn api_credentials() -> [u8; 16] {
    text(&["api credentials"])
}

/// The counter of a pool's runners that its limit counts.
pub(crate) fn runners_of(tenant: TenantId, pool: PoolId) -> Key {
    Key::new(tenant, Kind::Limit, pair(&text(&["runners of"]), pool.as_bytes()))
}

/// The parent under which a run's jobs stand.
pub(crate) fn jobs_of(run: RunId) -> [u8; 16] {
    *run.as_bytes()
}

/// The counter of a run's jobs that have not ended.
pub(crate) fn open_jobs(tenant: TenantId, run: RunId) -> Key {
    Key::new(tenant, Kind::Limit, Bytes::copy_from_slice(run.as_bytes()))
}

/// The counter of a tenant's granted jobs that name a concurrency key.
pub(crate) fn granted(tenant: TenantId, key: &str) -> Key {
    Key::new(tenant, Kind::Limit, Bytes::copy_from_slice(&text(&["granted", key])))
}

/// The counter of the granted jobs of a fairness key in a pool.
pub(crate) fn share(tenant: TenantId, pool: PoolId, key: &str) -> Key {
    Key::new(tenant, Kind::Limit, Bytes::copy_from_slice(&text(&["share", &pool.to_string(), key])))
}

/// The counter of the granted jobs of a tenant in a pool that is shared with it. No fairness key of
/// a tenant stands there.
pub(crate) fn tenant_share(tenant: TenantId, pool: PoolId) -> Key {
    Key::new(tenant, Kind::Limit, Bytes::copy_from_slice(&text(&["tenant share", &pool.to_string()])))
}

/// The counter of the bytes of a tenant's artifacts.
pub(crate) fn artifact_bytes(tenant: TenantId) -> Key {
    Key::new(tenant, Kind::Limit, Bytes::copy_from_slice(&text(&["artifact bytes"])))
}

/// The counter of the control planes that drew a place among the numbers of events.
pub(crate) fn feed_slots() -> Key {
    Key::new(TenantId::OPERATOR, Kind::Limit, Bytes::copy_from_slice(&text(&["feed slots"])))
}

/// The watermark of all feeds of a store that several control planes share: nothing is told at it or below
/// any more.
pub(crate) fn feed_watermark() -> Key {
    Key::new(TenantId::OPERATOR, Kind::Limit, Bytes::copy_from_slice(&text(&["feed watermark"])))
}

/// The counter that is written to when it is asked whether the store takes anything.
pub(crate) fn probes() -> Key {
    Key::new(TenantId::OPERATOR, Kind::Limit, Bytes::copy_from_slice(&text(&["probes"])))
}

/// The stream of a job's history.
pub(crate) fn events(tenant: TenantId, job: JobId) -> Key {
    Key::new(tenant, Kind::Events, Bytes::copy_from_slice(job.as_bytes()))
}

/// The stream of what a tenant's jobs tell.
pub(crate) const fn feed(tenant: TenantId) -> Key {
    Key { tenant, kind: Kind::Events, id: Bytes::from_static(b"feed") }
}

/// The stream of what a run's jobs tell. It has another length than that of a job, whose id a
/// caller may have chosen alike.
pub(crate) fn run_feed(tenant: TenantId, run: RunId) -> Key {
    let mut id = BytesMut::with_capacity(20);
    id.put_slice(b"run:");
    id.put_slice(run.as_bytes());
    Key::new(tenant, Kind::Events, id.freeze())
}

/// The stream of an attempt's log.
pub(crate) fn log(tenant: TenantId, token: FencingToken) -> Key {
    Key::new(tenant, Kind::Log, of_grant(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_keys_sort_by_priority_then_age() {
        let job = JobId::from_bytes([9; 16]);
        let key = |priority, at| {
            ready(LaneId::from_bytes([1; 16]), priority, Timestamp::from_millis(at), TenantId::DEFAULT, job)
        };
        assert!(key(200, 9) < key(100, 1));
        assert!(key(100, 1) < key(100, 2));
        assert!(key(100, 255) < key(100, 256));
    }

    #[test]
    fn due_keys_sort_by_time_and_give_it_back() {
        let key = Key::new(TenantId::DEFAULT, Kind::Job, vec![1; 16]);
        let at = Timestamp::from_millis(77);
        assert_eq!(due_at(&due(at, &key)), Some(at));
        assert!(due(at, &key) < due_after(at));
        assert!(due_after(at) <= due(Timestamp::from_millis(78), &key));
    }
}
