//! Rules of what a batch may be, whatever is stored.

use super::sample::*;
use crate::{
    store::{Store, Write},
    values::{
        id::TenantId,
        key::{Index, Key, Kind},
    },
};
use bytes::Bytes;
use std::sync::Arc;

/// Nothing to do is done.
pub async fn an_empty_batch_succeeds(store: Arc<dyn Store>) {
    assert!(commit(&store, Vec::new()).await.counters.is_empty());
}

/// A batch at both limits is no trouble.
pub async fn the_largest_batch_is_accepted(store: Arc<dyn Store>) {
    let body = Bytes::from(vec![7; Write::BATCH_BYTES_MAX / Write::BATCH_MAX]);
    let id = |number: usize| number.to_be_bytes().to_vec();
    let writes = (0..Write::BATCH_MAX).map(|number| put(job(id(number)), 0, body.clone())).collect();
    commit(&store, writes).await;
    assert_eq!(version(&store, job(id(Write::BATCH_MAX - 1))).await, 1);
}

/// A record is put, deleted or expected once in a batch.
pub async fn a_key_twice_is_broken(store: Arc<dyn Store>) {
    commit(&store, vec![put(job("a"), 0, "1")]).await;
    let each = || [put(job("a"), 1, "2"), delete(job("a"), 1), expect(job("a"), 1)];
    for first in each() {
        for second in each() {
            let writes = vec![first.clone(), put(job("b"), 0, "1"), second];
            assert_broken(&store.commit(writes).await);
        }
    }
    assert_eq!(version(&store, job("a")).await, 1);
    assert_eq!(version(&store, job("b")).await, 0);
}

/// One write or one byte too many refuses the batch, and writes nothing.
pub async fn an_oversized_batch_is_broken(store: Arc<dyn Store>) {
    let writes = (0..=Write::BATCH_MAX).map(|_| add(counter("n"), 1, None)).collect();
    assert_broken(&store.commit(writes).await);
    let entry = vec![(Index::Due, Bytes::from_static(b"1"))];
    let body = Bytes::from(vec![0; Write::BATCH_BYTES_MAX]);
    let large = Write::Put { key: job("a"), expected: 0, format: 1, body: body.clone(), indexes: entry };
    assert_broken(&store.commit(vec![large]).await);
    assert_broken(&store.commit(vec![append(log("a"), 0, body), append(log("a"), 1, "1")]).await);
    assert_eq!(counters(&store, counter(""), 9).await, []);
    assert_eq!(version(&store, job("a")).await, 0);
    assert_eq!(chunks(&store, log("a"), 0, 9).await.0, []);
}

/// An id longer than its limit is refused in every kind of write.
pub async fn a_long_id_is_broken(store: Arc<dyn Store>) {
    let long = || vec![1; Key::ID_MAX + 1];
    let writes = [
        put(job(long()), 0, "1"),
        delete(job(long()), 1),
        expect(job(long()), 0),
        add(counter(long()), 1, None),
        append(log(long()), 0, "1"),
        Write::Drop { stream: log(long()), before: 1 },
        above(counter(long()), 1),
        raise(counter(long()), 1),
    ];
    for write in writes {
        assert_broken(&store.commit(vec![write]).await);
    }
}

/// A record has at most one entry in an index.
pub async fn two_entries_in_one_index_are_broken(store: Arc<dyn Store>) {
    let twice = put_in(job("a"), 0, &[(Index::Due, b"1"), (Index::Owner, b"1"), (Index::Due, b"2")]);
    assert_broken(&store.commit(vec![twice]).await);
    assert_eq!(version(&store, job("a")).await, 0);
}

/// A payload or outcome is never listed.
pub async fn a_body_kind_stands_in_no_index(store: Arc<dyn Store>) {
    for kind in [Kind::Payload, Kind::Outcome] {
        let key = Key::new(TenantId::DEFAULT, kind, "a");
        assert_broken(&store.commit(vec![put_in(key, 0, &[(Index::Parent, b"1")])]).await);
    }
}

/// A delete names the version that was read, which is never 0.
pub async fn a_delete_of_nothing_is_broken(store: Arc<dyn Store>) {
    assert_broken(&store.commit(vec![delete(job("a"), 0)]).await);
}

/// An offset that no backend could order is refused.
pub async fn an_offset_beyond_the_limit_is_broken(store: Arc<dyn Store>) {
    assert_broken(&store.commit(vec![append(log("a"), Write::OFFSET_MAX + 1, "1")]).await);
    assert_broken(&store.commit(vec![append(log("a"), u64::MAX, "1")]).await);
}

/// A watermark is named once in a batch, or it would matter in which order.
pub async fn a_watermark_twice_is_broken(store: Arc<dyn Store>) {
    let mark = || counter("mark");
    for second in [above(mark(), 8), raise(mark(), 8)] {
        assert_broken(&store.commit(vec![raise(mark(), 9), put(job("a"), 0, "1"), second]).await);
    }
    assert_eq!(counters(&store, mark(), 9).await, []);
    assert_eq!(version(&store, job("a")).await, 0);
}

/// A number that no backend could compare is refused.
pub async fn a_watermark_beyond_the_limit_is_broken(store: Arc<dyn Store>) {
    assert_broken(&store.commit(vec![raise(counter("mark"), Write::OFFSET_MAX + 1)]).await);
    assert_broken(&store.commit(vec![above(counter("mark"), u64::MAX)]).await);
    commit(&store, vec![raise(counter("mark"), Write::OFFSET_MAX)]).await;
    assert_below(
        &store.commit(vec![above(counter("mark"), Write::OFFSET_MAX)]).await,
        &counter("mark"),
        Write::OFFSET_MAX,
    );
}
