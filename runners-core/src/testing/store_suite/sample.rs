//! Short words in which the rules say what they write and ask.

use crate::{
    store::{Committed, Page, Query, Store, StoreError, Stored, Write},
    values::{
        id::TenantId,
        key::{Index, Key, Kind},
    },
};
use bytes::Bytes;

pub(super) fn job(id: impl Into<Bytes>) -> Key {
    Key::new(TenantId::DEFAULT, Kind::Job, id)
}

pub(super) fn counter(id: impl Into<Bytes>) -> Key {
    Key::new(TenantId::DEFAULT, Kind::Limit, id)
}

pub(super) fn log(id: impl Into<Bytes>) -> Key {
    Key::new(TenantId::DEFAULT, Kind::Log, id)
}

pub(super) fn put(key: Key, expected: u64, body: impl Into<Bytes>) -> Write {
    Write::Put { key, expected, format: 1, body: body.into(), indexes: Vec::new() }
}

pub(super) fn put_in(key: Key, expected: u64, indexes: &[(Index, &'static [u8])]) -> Write {
    let indexes = indexes.iter().map(|(index, entry)| (*index, Bytes::from_static(entry))).collect();
    Write::Put { key, expected, format: 1, body: Bytes::new(), indexes }
}

pub(super) fn delete(key: Key, expected: u64) -> Write {
    Write::Delete { key, expected }
}

pub(super) fn expect(key: Key, expected: u64) -> Write {
    Write::Expect { key, expected }
}

pub(super) fn add(counter: Key, delta: i64, max: Option<i64>) -> Write {
    Write::Add { counter, delta, max }
}

pub(super) fn append(stream: Key, at: u64, bytes: impl Into<Bytes>) -> Write {
    Write::Append { stream, at, bytes: bytes.into() }
}

pub(super) fn append_lines(stream: Key, first: u64, count: u64, bytes: impl Into<Bytes>) -> Write {
    Write::AppendLines { stream, first, count, bytes: bytes.into() }
}

pub(super) fn above(watermark: Key, number: u64) -> Write {
    Write::Above { watermark, number }
}

pub(super) fn raise(watermark: Key, to: u64) -> Write {
    Write::Raise { watermark, to }
}

/// Commits what must succeed.
pub(super) async fn commit(store: &dyn Store, writes: Vec<Write>) -> Committed {
    store.commit(writes).await.expect("the batch is applied")
}

pub(super) async fn load_one(store: &dyn Store, key: Key) -> Option<Stored> {
    let loaded = store.load(vec![key]).await.expect("the record can be read");
    let [one] = <[_; 1]>::try_from(loaded).expect("one answer for one key");
    one
}

pub(super) async fn version(store: &dyn Store, key: Key) -> u64 {
    load_one(store, key).await.map_or(0, |stored| stored.version)
}

pub(super) async fn scan(store: &dyn Store, query: Query) -> Page {
    store.scan(query).await.expect("the question is answered")
}

/// The index keys of a range, and whether there is more.
pub(super) async fn entries(store: &dyn Store, query: Query) -> (Vec<Bytes>, bool) {
    match scan(store, query).await {
        Page::Rows { rows, more } => (rows.into_iter().map(|(entry, _)| entry).collect(), more),
        other => panic!("a range is answered with rows, not {other:?}"),
    }
}

pub(super) async fn chunks(
    store: &dyn Store,
    stream: Key,
    from: u64,
    bytes_max: u32,
) -> (Vec<(u64, Bytes)>, bool) {
    match scan(store, Query::Stream { stream, from, bytes_max }).await {
        Page::Chunks { chunks, more } => (chunks, more),
        other => panic!("a stream is answered with chunks, not {other:?}"),
    }
}

pub(super) async fn counters(store: &dyn Store, prefix: Key, limit: u32) -> Vec<(Key, i64)> {
    match scan(store, Query::Counters { prefix, limit }).await {
        Page::Counters(counters) => counters,
        other => panic!("counters are answered with counters, not {other:?}"),
    }
}

#[track_caller]
pub(super) fn assert_conflict(answer: &Result<Committed, StoreError>, with: &Key) {
    assert!(
        matches!(answer, Err(StoreError::Conflict(key)) if key == with),
        "expected a conflict with {with:?}, got {answer:?}"
    );
}

#[track_caller]
pub(super) fn assert_exhausted(answer: &Result<Committed, StoreError>, of: &Key) {
    assert!(
        matches!(answer, Err(StoreError::Exhausted(key)) if key == of),
        "expected {of:?} exhausted, got {answer:?}"
    );
}

#[track_caller]
pub(super) fn assert_below(answer: &Result<Committed, StoreError>, of: &Key, stands: u64) {
    assert!(
        matches!(answer, Err(StoreError::Below { watermark, at }) if watermark == of && *at == stands),
        "expected below {of:?} at {stands}, got {answer:?}"
    );
}

#[track_caller]
pub(super) fn assert_broken(answer: &Result<Committed, StoreError>) {
    assert!(matches!(answer, Err(StoreError::Broken(_))), "expected broken, got {answer:?}");
}
