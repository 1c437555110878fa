//! Rules of several callers at once, and of watching.

use super::sample::*;
use crate::{
    store::{Hint, Store, StoreError, Write},
    values::key::Index,
};
use bytes::Bytes;
use futures::{
    FutureExt as _, StreamExt as _,
    future::{join, join_all},
};
use std::sync::Arc;

/// How many commits are under way at once.
const CALLERS: usize = 64;

/// Of many who read the same version, one writes.
pub async fn concurrent_puts_have_one_winner(store: Arc<dyn Store>) {
    for version in 0..5 {
        let race = (0..CALLERS).map(|caller| store.commit(vec![put(job("a"), version, caller.to_string())]));
        let answers = join_all(race).await;
        let winners: Vec<_> = (0..CALLERS).filter(|caller| answers[*caller].is_ok()).collect();
        assert_eq!(winners.len(), 1, "at version {version}: {answers:?}");
        for loser in answers.iter().filter(|answer| answer.is_err()) {
            assert_conflict(loser, &job("a"));
        }
        let stored = load_one(&store, job("a")).await.expect("it is there");
        assert_eq!((stored.version, stored.body), (version + 1, Bytes::from(winners[0].to_string())));
    }
}

/// Of many adds, as many succeed as the maximum allows, and each sees a value of its own.
pub async fn concurrent_adds_keep_the_maximum(store: Arc<dyn Store>) {
    const MAX: i64 = 10;
    let race = (0..CALLERS).map(|_| store.commit(vec![add(counter("n"), 1, Some(MAX))]));
    let mut values = Vec::new();
    for answer in join_all(race).await {
        match answer {
            Ok(committed) => values.extend(committed.counters),
            refused => assert_exhausted(&refused, &counter("n")),
        }
    }
    values.sort_unstable();
    assert_eq!(values, (1..=MAX).collect::<Vec<_>>());
    assert_eq!(counters(&store, counter(""), 9).await, [(counter("n"), MAX)]);
}

/// A refused batch takes none of those beside it along, and leaves nothing among them.
pub async fn a_neighbours_conflict_fails_nobody_else(store: Arc<dyn Store>) {
    let id = |caller: usize| job(caller.to_be_bytes().to_vec());
    let race = (0..CALLERS).map(|caller| {
        let mut writes = vec![put(id(caller), 0, "1"), add(counter("n"), 1, None)];
        match caller % 3 {
            0 => {}
            1 => writes.push(put(job("stale"), 9, "1")),
            _ => writes.push(add(counter("empty"), -1, None)),
        }
        store.commit(writes)
    });
    for (caller, answer) in join_all(race).await.into_iter().enumerate() {
        match caller % 3 {
            0 => drop(answer.expect("a neighbour's refusal is not ours")),
            1 => assert_conflict(&answer, &job("stale")),
            _ => assert_exhausted(&answer, &counter("empty")),
        }
        assert_eq!(version(&store, id(caller)).await, u64::from(caller % 3 == 0));
    }
    let applied = i64::try_from(CALLERS.div_ceil(3)).expect("a small number");
    assert_eq!(counters(&store, counter(""), 9).await, [(counter("n"), applied)]);
}

/// Once a commit has answered, every way of reading sees it.
pub async fn what_was_committed_is_read(store: Arc<dyn Store>) {
    for expected in 0..50_u64 {
        let at = Bytes::copy_from_slice(&expected.to_be_bytes());
        let due = Write::Put {
            key: job("a"),
            expected,
            format: 1,
            body: at.clone(),
            indexes: vec![(Index::Due, at.clone())],
        };
        commit(&store, vec![due, append(log("a"), expected, "x"), add(counter("n"), 1, None)]).await;
        assert_eq!(load_one(&store, job("a")).await.expect("it is there").body, at);
        assert_eq!(entries(&store, crate::store::Query::range(Index::Due, "", 9)).await.0, [at]);
        assert_eq!(chunks(&store, log("a"), expected, 9).await.0.len(), 1);
        assert_eq!(counters(&store, counter(""), 9).await[0].1, i64::try_from(expected + 1).expect("small"));
    }
}

/// Questions that arrive among batches are answered, and see a batch whole or not at all.
pub async fn questions_among_batches_are_answered(store: Arc<dyn Store>) {
    let pair = |caller: usize| [job(format!("{caller}a")), job(format!("{caller}b"))];
    let race = (0..CALLERS).map(|caller| {
        let writes = pair(caller).map(|key| put(key, 0, "1")).to_vec();
        join(store.commit(writes), store.load(pair(caller).to_vec()))
    });
    for (caller, (answer, found)) in join_all(race).await.into_iter().enumerate() {
        answer.expect("the batch is applied");
        let found = found.expect("records can be read");
        assert_eq!(found[0].is_some(), found[1].is_some(), "caller {caller}");
    }
}

/// A commit whose caller went away is applied as a whole or not at all.
pub async fn a_dropped_commit_is_whole_or_absent(store: Arc<dyn Store>) {
    for round in 0..20_u64 {
        let pair = [job(format!("{round}a")), job(format!("{round}b"))];
        let writes = pair.iter().map(|key| put(key.clone(), 0, "1")).collect();
        // Polled once, so that it has been started, then dropped.
        let answer = store.commit(writes).now_or_never();
        assert!(!matches!(answer, Some(Err(_))), "{answer:?}");
        // A later commit is behind it in any order that a store may keep.
        commit(&store, vec![add(counter("n"), 1, None)]).await;
        let found = store.load(pair.to_vec()).await.expect("records can be read");
        assert_eq!(found[0].is_some(), found[1].is_some(), "round {round}");
    }
}

/// A store that watches names the lane, the lane that was left, the owner and the record, or says that
/// all may have changed. One that never says anything has one owner, which is allowed.
pub async fn a_watcher_hears_what_concerns_it(store: Arc<dyn Store>) {
    let mut watch = store.watch();
    let lane: &[u8] = b"lane-of-16-bytes, and what is behind";
    let owner: &[u8] = b"runner 16 bytes!, and what is behind";
    commit(&store, vec![put_in(job("a"), 0, &[(Index::Ready, b"lane-of-16-bytes, and what is behind")])])
        .await;
    commit(&store, vec![put_in(job("a"), 1, &[(Index::Owner, b"runner 16 bytes!, and what is behind")])])
        .await;
    let refused = store.commit(vec![put(job("refused"), 9, "")]).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))));
    commit(&store, vec![put(job("last"), 0, "")]).await;
    let mut heard = Vec::new();
    loop {
        let hint = if heard.is_empty() { watch.next().now_or_never() } else { Some(watch.next().await) };
        match hint {
            None => return,
            Some(None) => panic!("a watch does not end"),
            Some(Some(Hint::All)) => return,
            Some(Some(hint)) => {
                let last = hint == Hint::Changed(job("last"));
                heard.push(hint);
                if last {
                    break;
                }
            }
        }
    }
    assert!(heard.contains(&Hint::Lane(Bytes::copy_from_slice(&lane[..16]))), "{heard:?}");
    assert!(heard.contains(&Hint::Left(Bytes::copy_from_slice(&lane[..16]))), "{heard:?}");
    assert!(heard.contains(&Hint::Owner(Bytes::copy_from_slice(&owner[..16]))), "{heard:?}");
    assert!(heard.contains(&Hint::Changed(job("a"))), "{heard:?}");
    assert!(!heard.contains(&Hint::Changed(job("refused"))), "{heard:?}");
}
