//! Grants that go along with what a sync tells: one batch, and what becomes of it if it is refused.

use crate::hand::{Hand, inspect, submit, user};
use async_trait::async_trait;
use runners_core::{
    Conclusion, ControlPlane, Kind, MemoryStore, Outcome,
    protocol::StateView,
    store::{Committed, Page, Query, Store, StoreError, Stored, Write},
};
use std::sync::{Arc, Mutex};

/// Keeps every batch that is committed, and refuses one when told to.
#[derive(Clone, Debug, Default)]
struct Watched {
    inner: MemoryStore,
    batches: Arc<Mutex<Vec<Vec<Write>>>>,
    refuse_next: Arc<Mutex<bool>>,
}

impl Watched {
    /// How many jobs each batch since the last call has put.
    fn jobs_put(&self) -> Vec<usize> {
        let is_job = |write: &&Write| matches!(write, Write::Put { key, .. } if key.kind == Kind::Job);
        let batches = std::mem::take(&mut *self.batches.lock().unwrap());
        batches.iter().map(|batch| batch.iter().filter(is_job).count()).collect()
    }
}

#[async_trait]
impl Store for Watched {
    async fn load(&self, keys: Vec<runners_core::Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.inner.load(keys).await
    }
    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.inner.scan(query).await
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        if std::mem::take(&mut *self.refuse_next.lock().unwrap()) {
            let key = writes.iter().find_map(Write::expectation).unwrap().0.clone();
            return Err(StoreError::Conflict(key));
        }
        self.batches.lock().unwrap().push(writes.clone());
        self.inner.commit(writes).await
    }
}

/// A runner of one slot that works on one job, while another waits.
async fn busy(store: &Watched) -> (ControlPlane, Hand) {
    let control = ControlPlane::builder(store.clone()).start().await.unwrap();
    let mut hand = Hand::new(&control, 1);
    submit(&user(&control), 7).await;
    submit(&user(&control), 8).await;
    hand.next.free = 1;
    let answer = hand.sync().await;
    hand.hold(&answer);
    hand.sync().await;
    store.jobs_put();
    (control, hand)
}

#[tokio::test]
async fn a_finish_and_the_next_grant_are_one_batch() {
    let store = Watched::default();
    let (control, mut hand) = busy(&store).await;
    let token = hand.next.held[0].token;
    hand.finish(token, Outcome::Passed, None);
    let answer = hand.sync().await;
    assert_eq!((answer.recorded.as_slice(), answer.offers.len()), (&[token][..], 1));
    assert_eq!(store.jobs_put(), [2]);
    let job = answer.offers[0].token.job;
    assert!(matches!(inspect(&user(&control), job).await.state, StateView::Offered { .. }));
}

#[tokio::test]
async fn a_finish_is_recorded_though_the_grant_beside_it_is_refused() {
    let store = Watched::default();
    let (control, mut hand) = busy(&store).await;
    let token = hand.next.held[0].token;
    hand.finish(token, Outcome::Passed, None);
    *store.refuse_next.lock().unwrap() = true;
    let answer = hand.sync().await;
    assert_eq!((answer.recorded.as_slice(), answer.offers.len()), (&[token][..], 1));
    assert_eq!(store.jobs_put(), [1, 1]);
    assert_eq!(inspect(&user(&control), token.job).await.conclusion(), Some(Conclusion::Passed));
}
