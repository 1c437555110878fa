//! Rules of records: versions, batches, and what is read back.

use super::sample::*;
use crate::{
    store::{Store, Stored, Write},
    values::{
        id::TenantId,
        key::{Key, Kind},
    },
};
use bytes::Bytes;
use std::sync::Arc;

/// A put that expects 0 is refused once the record is there.
pub async fn a_new_record_must_not_exist(store: Arc<dyn Store>) {
    commit(&store, vec![put(job("a"), 0, "first")]).await;
    assert_conflict(&store.commit(vec![put(job("a"), 0, "second")]).await, &job("a"));
    assert_eq!(load_one(&store, job("a")).await.expect("it is there").body, "first");
}

/// A version that was current once is refused.
pub async fn a_stale_version_conflicts(store: Arc<dyn Store>) {
    commit(&store, vec![put(job("a"), 0, "1")]).await;
    commit(&store, vec![put(job("a"), 1, "2")]).await;
    assert_conflict(&store.commit(vec![put(job("a"), 1, "3")]).await, &job("a"));
    assert_conflict(&store.commit(vec![delete(job("a"), 1)]).await, &job("a"));
    assert_conflict(&store.commit(vec![expect(job("a"), 1)]).await, &job("a"));
    assert_eq!(load_one(&store, job("a")).await.expect("it is there").body, "2");
}

/// A version that never was is refused, however large.
pub async fn a_version_from_the_future_conflicts(store: Arc<dyn Store>) {
    commit(&store, vec![put(job("a"), 0, "1")]).await;
    for ahead in [2, u64::MAX / 2 + 1, u64::MAX] {
        assert_conflict(&store.commit(vec![put(job("a"), ahead, "2")]).await, &job("a"));
        assert_conflict(&store.commit(vec![expect(job("a"), ahead)]).await, &job("a"));
    }
}

/// What is not there is at no version but 0.
pub async fn an_absent_record_conflicts_with_any_version(store: Arc<dyn Store>) {
    assert_conflict(&store.commit(vec![put(job("a"), 1, "1")]).await, &job("a"));
    assert_conflict(&store.commit(vec![delete(job("a"), 1)]).await, &job("a"));
    assert_conflict(&store.commit(vec![expect(job("a"), 1)]).await, &job("a"));
    assert_eq!(load_one(&store, job("a")).await, None);
}

/// A deleted record is absent to every later write.
pub async fn a_deleted_record_conflicts(store: Arc<dyn Store>) {
    commit(&store, vec![put(job("a"), 0, "1")]).await;
    commit(&store, vec![delete(job("a"), 1)]).await;
    assert_eq!(load_one(&store, job("a")).await, None);
    assert_conflict(&store.commit(vec![put(job("a"), 1, "2")]).await, &job("a"));
    assert_conflict(&store.commit(vec![delete(job("a"), 1)]).await, &job("a"));
    assert_conflict(&store.commit(vec![expect(job("a"), 1)]).await, &job("a"));
}

/// Versions are dense and begin at 1; an expect leaves them alone.
pub async fn every_put_adds_one_to_the_version(store: Arc<dyn Store>) {
    for expected in 0..5 {
        commit(&store, vec![put(job("a"), expected, "body")]).await;
        commit(&store, vec![expect(job("a"), expected + 1)]).await;
        assert_eq!(version(&store, job("a")).await, expected + 1);
    }
}

/// A batch that relies on a record it does not write is refused once that record has changed.
pub async fn expect_guards_what_is_not_written(store: Arc<dyn Store>) {
    commit(&store, vec![put(job("guard"), 0, "1")]).await;
    commit(&store, vec![expect(job("guard"), 1), put(job("a"), 0, "1")]).await;
    commit(&store, vec![put(job("guard"), 1, "2")]).await;
    let refused = store.commit(vec![expect(job("guard"), 1), put(job("a"), 1, "2")]).await;
    assert_conflict(&refused, &job("guard"));
    assert_eq!(version(&store, job("a")).await, 1);
}

/// An expect of 0 is refused once the record is there.
pub async fn expect_guards_absence(store: Arc<dyn Store>) {
    commit(&store, vec![expect(job("a"), 0), put(job("b"), 0, "1")]).await;
    commit(&store, vec![put(job("a"), 0, "1")]).await;
    assert_conflict(&store.commit(vec![expect(job("a"), 0), put(job("c"), 0, "1")]).await, &job("a"));
    assert_eq!(load_one(&store, job("c")).await, None);
}

/// One refusal, wherever it stands, undoes every kind of write beside it.
pub async fn a_batch_is_all_or_none(store: Arc<dyn Store>) {
    commit(&store, vec![put(job("old"), 0, "1"), append(log("old"), 0, "1")]).await;
    let innocent = || {
        vec![
            put(job("new"), 0, "1"),
            delete(job("old"), 1),
            add(counter("n"), 1, None),
            append(log("new"), 0, "1"),
            Write::Drop { stream: log("old"), before: 9 },
        ]
    };
    for position in 0..=innocent().len() {
        let mut writes = innocent();
        writes.insert(position, put(job("stale"), 7, "1"));
        assert_conflict(&store.commit(writes).await, &job("stale"));
        assert_eq!(load_one(&store, job("new")).await, None);
        assert_eq!(version(&store, job("old")).await, 1);
        assert_eq!(counters(&store, counter(""), 9).await, []);
        assert_eq!(chunks(&store, log("new"), 0, 9).await.0, []);
        assert_eq!(chunks(&store, log("old"), 0, 9).await.0.len(), 1);
    }
    commit(&store, innocent()).await;
    assert_eq!(version(&store, job("new")).await, 1);
}

/// The conflict carries the key that has changed, not another of the batch.
pub async fn the_conflicting_record_is_named(store: Arc<dyn Store>) {
    commit(&store, vec![put(job("a"), 0, "1"), put(job("b"), 0, "1"), put(job("c"), 0, "1")]).await;
    commit(&store, vec![put(job("b"), 1, "2")]).await;
    let writes = vec![put(job("a"), 1, "2"), put(job("b"), 1, "3"), put(job("c"), 1, "2")];
    assert_conflict(&store.commit(writes).await, &job("b"));
}

/// One answer for each key, absent and repeated ones included.
pub async fn load_answers_in_order_of_keys(store: Arc<dyn Store>) {
    commit(&store, vec![put(job("a"), 0, "A"), put(job("b"), 0, "B")]).await;
    let keys = vec![job("b"), job("missing"), job("a"), job("b")];
    let loaded = store.load(keys).await.expect("records can be read");
    let bodies: Vec<_> = loaded.iter().map(|found| found.as_ref().map(|stored| &stored.body[..])).collect();
    assert_eq!(bodies, [Some(&b"B"[..]), None, Some(b"A"), Some(b"B")]);
    assert_eq!(store.load(Vec::new()).await.expect("nothing can be read"), []);
}

/// Neither the kind nor the length of an id can be mistaken for part of another.
pub async fn kinds_and_ids_are_apart(store: Arc<dyn Store>) {
    let keys = [
        Key::new(TenantId::DEFAULT, Kind::Job, ""),
        Key::new(TenantId::DEFAULT, Kind::Job, "\0"),
        Key::new(TenantId::DEFAULT, Kind::Job, "\0\0"),
        Key::new(TenantId::DEFAULT, Kind::Run, ""),
        Key::new(TenantId::DEFAULT, Kind::Payload, ""),
        Key::new(TenantId::DEFAULT, Kind::Host(0), ""),
        Key::new(TenantId::DEFAULT, Kind::Host(0x7fff), ""),
    ];
    for (number, key) in keys.iter().enumerate() {
        commit(&store, vec![put(key.clone(), 0, number.to_string())]).await;
    }
    for (number, key) in keys.iter().enumerate() {
        let stored = load_one(&store, key.clone()).await.expect("it is there");
        assert_eq!((stored.key, stored.body), (key.clone(), Bytes::from(number.to_string())));
    }
}

/// The same kind and id in two tenants are two records, two streams and two counters.
pub async fn tenants_are_apart(store: Arc<dyn Store>) {
    let tenants = [TenantId::OPERATOR, TenantId::DEFAULT, TenantId::from_bytes([0xff; 16])];
    for (number, tenant) in (1..).zip(tenants) {
        let of = |kind| Key::new(tenant, kind, "same");
        let writes = vec![
            put(of(Kind::Job), 0, tenant.as_bytes().to_vec()),
            add(of(Kind::Limit), number, None),
            append(of(Kind::Log), 0, tenant.as_bytes().to_vec()),
        ];
        assert_eq!(commit(&store, writes).await.counters, [number]);
    }
    for (number, tenant) in (1..).zip(tenants) {
        let of = |kind| Key::new(tenant, kind, "same");
        let body = load_one(&store, of(Kind::Job)).await.expect("it is there").body;
        assert_eq!(body, &tenant.as_bytes()[..]);
        assert_eq!(counters(&store, of(Kind::Limit), 9).await, [(of(Kind::Limit), number)]);
        assert_eq!(chunks(&store, of(Kind::Log), 0, 99).await.0, [(0, body)]);
    }
}

/// Bytes that are no text, nothing at all, and a large body come back as they were.
pub async fn unknown_bytes_round_trip(store: Arc<dyn Store>) {
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let large = every_byte.repeat(1024);
    for (id, body) in [("bytes", every_byte.clone()), ("empty", Vec::new()), ("large", large)] {
        let write = Write::Put {
            key: job(id),
            expected: 0,
            format: u16::MAX,
            body: body.clone().into(),
            indexes: Vec::new(),
        };
        commit(&store, vec![write, append(log(id), 0, body.clone())]).await;
        let stored = Stored { key: job(id), version: 1, format: u16::MAX, body: body.clone().into() };
        assert_eq!(load_one(&store, job(id)).await, Some(stored));
        assert_eq!(chunks(&store, log(id), 0, u32::MAX).await, (vec![(0, body.into())], false));
    }
    let id: Vec<u8> = (0..=u8::MAX).rev().take(Key::ID_MAX).collect();
    commit(&store, vec![put(job(id.clone()), 0, "1")]).await;
    assert_eq!(load_one(&store, job(id.clone())).await.expect("it is there").key, job(id));
}

/// A body kind may be kept elsewhere, but has versions and is in batches as any other.
pub async fn a_body_kind_is_a_record_like_any_other(store: Arc<dyn Store>) {
    let body = || Key::new(TenantId::DEFAULT, Kind::Payload, "a");
    commit(&store, vec![put(job("a"), 0, "state"), put(body(), 0, "payload")]).await;
    assert_conflict(&store.commit(vec![put(body(), 0, "other")]).await, &body());
    assert_conflict(&store.commit(vec![put(job("a"), 1, "x"), put(body(), 2, "x")]).await, &body());
    assert_eq!(version(&store, job("a")).await, 1);
    commit(&store, vec![put(body(), 1, "other"), expect(job("a"), 1)]).await;
    let loaded = store.load(vec![body(), job("a")]).await.expect("records can be read");
    let bodies: Vec<_> = loaded.into_iter().flatten().map(|stored| stored.body).collect();
    assert_eq!(bodies, ["other", "state"]);
    commit(&store, vec![delete(body(), 2)]).await;
    assert_eq!(load_one(&store, body()).await, None);
}
