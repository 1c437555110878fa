//! A runner comes to another control plane while the one that it comes from grants it a job.

use super::hand::{Hand, submit, user};
use async_trait::async_trait;
use futures::{poll, stream::BoxStream};
use runners_core::{
    ControlPlane, Key, Kind, MemoryStore, Outcome,
    protocol::{Reply, SyncAnswer},
    store::{Committed, Hint, Page, Query, Store, StoreError, Stored, Write},
};
use std::{pin::pin, time::Duration};
use tokio::sync::watch;

const LONG: Duration = Duration::from_secs(20);

/// A store that tells nothing of what others write, and in which sessions are written once it is told so.
#[derive(Clone, Debug)]
struct Late {
    inner: MemoryStore,
    is_open: watch::Sender<bool>,
}

#[async_trait]
impl Store for Late {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.inner.load(keys).await
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.inner.scan(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        let is_session = |write: &Write| matches!(write, Write::Put { key, .. } if key.kind == Kind::Session);
        if writes.iter().any(is_session) {
            let _ = self.is_open.subscribe().wait_for(|is_open| *is_open).await;
        }
        self.inner.commit(writes).await
    }

    fn watch(&self) -> BoxStream<'static, Hint> {
        Box::pin(futures::stream::pending())
    }
}

/// What a runner is told that is parked at one control plane, and is granted a job there while it comes to
/// another: by the first, and by the second. `change` says how it comes, and it goes on as it has come.
async fn come(change: impl FnOnce(Hand) -> Hand) -> (SyncAnswer, SyncAnswer, Hand) {
    let store = Late { inner: MemoryStore::default(), is_open: watch::Sender::new(true) };
    let one = ControlPlane::builder(store.inner.clone()).start().await.unwrap();
    let two = ControlPlane::builder(store.clone()).start().await.unwrap();
    let mut hand = Hand::new(&one, 1);
    // Its session was written a moment ago, so a grant only expects it to be as it is.
    submit(&user(&one), 6).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.finish(token, Outcome::Passed, None);
    hand.sync().await;
    hand.next.finishes.clear();
    hand.next.park_for = LONG;
    let mut coming = hand.clone();
    coming.next.seq += 1;
    let mut coming = change(coming);
    (coming.caller, coming.next.park_for) = (Hand::new(&two, 1).caller, Duration::ZERO);

    let mut parked = pin!(hand.send());
    assert!(poll!(&mut parked).is_pending());
    store.is_open.send_replace(false);
    let (first, second) = {
        let mut comes = pin!(coming.send());
        for _ in 0..100 {
            assert!(poll!(&mut comes).is_pending());
            tokio::task::yield_now().await;
        }
        submit(&user(&one), 7).await;
        let first = parked.await;
        store.is_open.send_replace(true);
        (first, comes.await)
    };
    let (Reply::Answer(first), Reply::Answer(second)) = (first, second) else {
        panic!("expected an answer from both")
    };
    (*first, *second, coming)
}

#[tokio::test(start_paused = true)]
async fn what_it_is_granted_where_it_comes_from_while_it_moves_is_known_where_it_comes_to() {
    let (first, second, mut hand) = come(|hand| hand).await;
    let token = hand.hold(&first)[0];
    assert!(second.offers.iter().all(|offer| offer.token == token), "{second:?}");
    // It has begun, and nobody takes that from it.
    assert_eq!(hand.sync().await.lost, []);
    hand.finish(token, Outcome::Passed, None);
    let answer = hand.sync().await;
    assert_eq!((answer.recorded, answer.fenced), (vec![token], vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_start_is_granted_while_a_later_one_comes_is_granted_anew() {
    let (first, second, mut hand) = come(|hand| hand.restarted()).await;
    hand.next.park_for = LONG;
    let third = hand.sync().await;
    let grants = [first, second, third].map(|answer| answer.offers.first().map(|offer| offer.token.grant));
    assert_eq!(grants, [Some(1), None, Some(2)]);
}
