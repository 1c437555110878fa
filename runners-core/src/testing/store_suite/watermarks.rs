//! Rules of watermarks: what is let through, what is refused, and what is there once one was raised.

use super::sample::*;
use crate::{
    store::{Store, StoreError},
    values::key::Key,
};
use futures::future::{join, join_all};
use std::sync::Arc;

/// How many commits are under way at once.
const CALLERS: u64 = 48;

fn mark() -> Key {
    counter("mark")
}

/// What is above is let through, and what is at it or below is refused with where it stands.
pub async fn a_batch_below_a_watermark_is_refused(store: Arc<dyn Store>) {
    commit(&store, vec![above(mark(), 1), put(job("first"), 0, "")]).await;
    commit(&store, vec![raise(mark(), 7)]).await;
    for number in [0, 1, 6, 7] {
        let writes = vec![put(job("a"), 0, "1"), add(counter("n"), 1, None), above(mark(), number)];
        assert_below(&store.commit(writes).await, &mark(), 7);
    }
    assert_eq!(version(&store, job("a")).await, 0);
    assert_eq!(counters(&store, counter("n"), 9).await, []);
    commit(&store, vec![put(job("a"), 0, "1"), above(mark(), 8), append(log("a"), 8, "x")]).await;
    assert_eq!(version(&store, job("a")).await, 1);
    // Nothing is below what was never raised but 0.
    assert_below(&store.commit(vec![above(counter("other"), 0)]).await, &counter("other"), 0);
}

/// It is read as a counter is, and never sinks.
pub async fn a_watermark_only_rises(store: Arc<dyn Store>) {
    for (to, stands) in [(5, 5), (3, 5), (0, 5), (5, 5), (6, 6)] {
        commit(&store, vec![raise(mark(), to)]).await;
        assert_eq!(counters(&store, mark(), 9).await, [(mark(), stands)]);
    }
    commit(&store, vec![raise(counter("other"), 0)]).await;
    assert_eq!(counters(&store, counter("other"), 9).await, []);
    assert_below(&store.commit(vec![above(mark(), 6)]).await, &mark(), 6);
}

/// A batch that is refused raises nothing, and one that is let through at one watermark raises another.
pub async fn a_refused_batch_raises_nothing(store: Arc<dyn Store>) {
    commit(&store, vec![raise(mark(), 7)]).await;
    let other = || counter("other");
    assert_below(&store.commit(vec![raise(other(), 9), above(mark(), 7)]).await, &mark(), 7);
    assert_conflict(&store.commit(vec![raise(other(), 9), put(job("a"), 3, "")]).await, &job("a"));
    assert_exhausted(
        &store.commit(vec![raise(other(), 9), add(counter("n"), -1, None)]).await,
        &counter("n"),
    );
    assert_eq!(counters(&store, other(), 9).await, []);
    commit(&store, vec![raise(other(), 9), above(mark(), 8)]).await;
    assert_eq!(counters(&store, other(), 9).await, [(other(), 9)]);
}

/// Who must read again is told so first, and who only needs another number is told that before a limit.
pub async fn below_stands_between_conflict_and_exhausted(store: Arc<dyn Store>) {
    commit(&store, vec![raise(mark(), 7)]).await;
    let writes = |expected| {
        vec![
            add(counter("n"), -1, None),
            above(mark(), 7),
            put(job("a"), expected, ""),
            add(counter("n"), 2, None),
        ]
    };
    assert_conflict(&store.commit(writes(3)).await, &job("a"));
    assert_below(&store.commit(writes(0)).await, &mark(), 7);
    assert_eq!(version(&store, job("a")).await, 0);
}

/// Of many at once, each is let through or refused by itself.
pub async fn a_neighbour_below_a_watermark_fails_nobody_else(store: Arc<dyn Store>) {
    commit(&store, vec![raise(mark(), 7)]).await;
    let race = (0..CALLERS).map(|caller| {
        let number = 6 + caller % 4;
        store.commit(vec![append(log("feed"), 100 + caller, "x"), above(mark(), number)])
    });
    for (caller, answer) in (0..).zip(join_all(race).await) {
        if caller % 4 < 2 {
            assert_below(&answer, &mark(), 7);
        } else {
            answer.expect("it is above");
        }
    }
    let found: Vec<u64> = chunks(&store, log("feed"), 0, 4096).await.0.iter().map(|(at, _)| *at).collect();
    let expected: Vec<u64> =
        (0..CALLERS).filter(|caller| caller % 4 >= 2).map(|caller| 100 + caller).collect();
    assert_eq!(found, expected);
}

/// What a reader sees at or below a watermark after it was raised is all that ever stands there.
pub async fn nothing_comes_below_what_was_raised(store: Arc<dyn Store>) {
    for round in 0..12_u64 {
        let first = round * CALLERS + 1;
        let write = async |number: u64| {
            let told = vec![append(log("feed"), number, "x"), above(mark(), number)];
            match store.commit(told).await {
                Ok(_) => Some(number),
                Err(StoreError::Below { at, .. }) => {
                    assert!(at >= number, "{number} is above {at}");
                    None
                }
                Err(trouble) => panic!("{trouble:?}"),
            }
        };
        let read = async |to: u64| {
            commit(&store, vec![raise(mark(), to)]).await;
            let found = chunks(&store, log("feed"), 0, u32::MAX).await.0;
            found.into_iter().map(|(at, _)| at).filter(|at| *at <= to).collect::<Vec<_>>()
        };
        // Those of the middle are raised over while others come before and after.
        let tos = [first + CALLERS / 3, first + CALLERS / 2, first + CALLERS - 1];
        let writes = join_all((first..first + CALLERS).rev().map(write));
        let (written, seen) = join(writes, join_all(tos.map(read))).await;
        let late = join_all((first..first + CALLERS).map(write)).await;
        assert_eq!(late.into_iter().flatten().next(), None, "all of it was raised over");
        let stands = chunks(&store, log("feed"), 0, u32::MAX).await.0;
        for (to, seen) in tos.into_iter().zip(seen) {
            let below = stands.iter().map(|(at, _)| *at).filter(|at| *at <= to);
            assert_eq!(seen, below.collect::<Vec<_>>(), "round {round}, raised to {to}");
        }
        let told = written.into_iter().flatten().count();
        assert_eq!(stands.iter().filter(|(at, _)| *at >= first).count(), told);
    }
}
