//! Rules of counters: bounds, order, and what is listed.

use super::sample::*;
use crate::{
    store::Store,
    values::{
        id::TenantId,
        key::{Key, Kind},
    },
};
use std::sync::Arc;

/// Adds to one counter see those before them in the batch, and are checked one by one.
pub async fn adds_are_summed_in_order(store: Arc<dyn Store>) {
    let n = || counter("n");
    let writes = vec![add(n(), 2, Some(2)), add(n(), -1, None), add(n(), 1, Some(2)), add(n(), -2, None)];
    assert_eq!(commit(&store, writes).await.counters, [2, 1, 2, 0]);
    // The sum of these is 1, but the way to it leads over 2 or below 0.
    assert_exhausted(&store.commit(vec![add(n(), 2, Some(1)), add(n(), -1, None)]).await, &n());
    assert_exhausted(&store.commit(vec![add(n(), -1, None), add(n(), 2, Some(1))]).await, &n());
}

/// The values come in the order of the adds, whichever counter each is of.
pub async fn counters_answer_in_add_order(store: Arc<dyn Store>) {
    commit(&store, vec![add(counter("b"), 10, None)]).await;
    let writes = vec![
        add(counter("b"), 1, None),
        put(job("a"), 0, "1"),
        add(counter("a"), 1, None),
        add(counter("b"), 1, None),
    ];
    assert_eq!(commit(&store, writes).await.counters, [11, 1, 12]);
}

/// The maximum is reached and not passed; another add may have another maximum.
pub async fn a_counter_does_not_rise_above_its_maximum(store: Arc<dyn Store>) {
    assert_eq!(commit(&store, vec![add(counter("n"), 3, Some(3))]).await.counters, [3]);
    assert_exhausted(&store.commit(vec![add(counter("n"), 1, Some(3))]).await, &counter("n"));
    assert_eq!(commit(&store, vec![add(counter("n"), 1, Some(4))]).await.counters, [4]);
    assert_eq!(commit(&store, vec![add(counter("n"), 5, None)]).await.counters, [9]);
}

/// Zero is reached and not passed.
pub async fn a_counter_does_not_sink_below_zero(store: Arc<dyn Store>) {
    assert_exhausted(&store.commit(vec![add(counter("n"), -1, None)]).await, &counter("n"));
    commit(&store, vec![add(counter("n"), 2, None)]).await;
    assert_exhausted(&store.commit(vec![add(counter("n"), -3, None)]).await, &counter("n"));
    assert_eq!(commit(&store, vec![add(counter("n"), -2, None)]).await.counters, [0]);
}

/// A sum that does not fit is refused, not wrapped.
pub async fn a_counter_does_not_overflow(store: Arc<dyn Store>) {
    assert_eq!(commit(&store, vec![add(counter("n"), i64::MAX, None)]).await.counters, [i64::MAX]);
    assert_exhausted(&store.commit(vec![add(counter("n"), 1, None)]).await, &counter("n"));
    assert_exhausted(&store.commit(vec![add(counter("n"), i64::MIN, None)]).await, &counter("n"));
}

/// Who was refused for both reasons must read again first.
pub async fn conflict_wins_over_exhausted(store: Arc<dyn Store>) {
    let writes = vec![add(counter("n"), -1, None), put(job("a"), 3, "1")];
    assert_conflict(&store.commit(writes).await, &job("a"));
}

/// A refused add undoes the writes and the adds beside it.
pub async fn an_exhausted_batch_writes_nothing(store: Arc<dyn Store>) {
    let writes = vec![
        put(job("a"), 0, "1"),
        append(log("a"), 0, "1"),
        add(counter("m"), 1, None),
        add(counter("n"), 2, Some(1)),
    ];
    assert_exhausted(&store.commit(writes).await, &counter("n"));
    assert_eq!(version(&store, job("a")).await, 0);
    assert_eq!(chunks(&store, log("a"), 0, 9).await.0, []);
    assert_eq!(counters(&store, counter(""), 9).await, []);
}

/// Counters are found by tenant, kind and the start of their id, in order, up to the limit.
pub async fn counters_are_listed_by_prefix(store: Arc<dyn Store>) {
    let others = [
        Key::new(TenantId::OPERATOR, Kind::Limit, "ab"),
        Key::new(TenantId::DEFAULT, Kind::Host(3), "ab"),
        counter("a"),
        counter("b"),
        counter(""),
        counter(vec![0xff, 0xff]),
        counter(vec![0xff, 0xfe]),
    ];
    for other in others {
        commit(&store, vec![add(other, 9, None)]).await;
    }
    for (value, id) in (1..).zip(["abc", "ab", "ab\0", "abd"]) {
        commit(&store, vec![add(counter(id), value, None)]).await;
    }
    let expected = [(counter("ab"), 2), (counter("ab\0"), 3), (counter("abc"), 1), (counter("abd"), 4)];
    assert_eq!(counters(&store, counter("ab"), 99).await, expected);
    assert_eq!(counters(&store, counter("ab"), 2).await, expected[..2]);
    assert_eq!(counters(&store, counter(vec![0xff]), 99).await.len(), 2);
    assert_eq!(counters(&store, counter(vec![0xff, 0xff]), 99).await.len(), 1);
    assert_eq!(counters(&store, counter(""), 99).await.len(), 9);
    assert_eq!(counters(&store, counter(""), 0).await, []);
}

/// A counter that came back to 0 is not listed, and counts on from there.
pub async fn a_counter_at_zero_is_as_good_as_absent(store: Arc<dyn Store>) {
    commit(&store, vec![add(counter("n"), 2, None)]).await;
    commit(&store, vec![add(counter("n"), -2, None), add(counter("m"), 0, None)]).await;
    assert_eq!(counters(&store, counter(""), 9).await, []);
    assert_eq!(commit(&store, vec![add(counter("n"), 1, Some(1))]).await.counters, [1]);
    assert_eq!(counters(&store, counter(""), 9).await, [(counter("n"), 1)]);
}
