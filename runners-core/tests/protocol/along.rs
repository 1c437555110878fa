//! Grants that go along with what a sync tells: one batch, and what becomes of it if it is refused.

use crate::hand::{Hand, inspect, submit, user};
use async_trait::async_trait;
use runners_core::{
    Conclusion, ControlPlane, Kind, MemoryStore, Outcome, Transport as _,
    protocol::{CancelRequest, CancelTarget, Request, StateView},
    store::{Committed, Page, Query, Store, StoreError, Stored, Write},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

/// Keeps every batch that is committed, and refuses one when told to.
#[derive(Clone, Debug, Default)]
struct Watched {
    inner: MemoryStore,
    batches: Arc<Mutex<Vec<Vec<Write>>>>,
    refuse_next: Arc<Mutex<bool>>,
    /// The next commit that puts a job is applied, and answered when this is told.
    answer_job_at: Arc<Mutex<Option<Arc<Notify>>>>,
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
        let puts_job =
            writes.iter().any(|write| matches!(write, Write::Put { key, .. } if key.kind == Kind::Job));
        let late = self.answer_job_at.lock().unwrap().take_if(|_| puts_job);
        let committed = self.inner.commit(writes).await;
        if let Some(late) = late {
            late.notified().await;
        }
        committed
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

/// The runner sees in the store what was submitted before the control plane hears that it is there,
/// and has finished it by then. What the control plane then believes to be ready is not offered
/// beside its own finish.
#[tokio::test]
async fn a_job_that_is_finished_is_not_granted_in_the_same_batch() {
    let store = Watched::default();
    // An earlier start has made the lane, so this one reads what is ready in it.
    let earlier = ControlPlane::builder(store.clone()).start().await.unwrap();
    let job = submit(&user(&earlier), 6).await;
    let target = CancelTarget::Job(job);
    user(&earlier).call(Request::Cancel(CancelRequest { target })).await.unwrap();
    earlier.stop().await.unwrap();
    let control = ControlPlane::builder(store.clone()).start().await.unwrap();
    let answer_at = Arc::new(Notify::new());
    *store.answer_job_at.lock().unwrap() = Some(answer_at.clone());
    let user = user(&control);
    let mut submitting = std::pin::pin!(submit(&user, 7));
    assert!(futures::poll!(submitting.as_mut()).is_pending());
    let mut hand = Hand::new(&control, 1);
    hand.next.free = 1;
    hand.next.park_for = Duration::from_secs(5);
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.next.park_for = Duration::ZERO;
    hand.sync().await;
    answer_at.notify_one();
    assert_eq!(submitting.await, token.job);
    hand.finish(token, Outcome::Passed, None);
    let answer = hand.sync().await;
    assert_eq!((answer.recorded.as_slice(), answer.offers.len()), (&[token][..], 0));
}
