//! Grants that go along with what a sync tells: one batch, what is read for it, and what becomes of it if it is
//! refused.

use crate::hand::{Hand, inspect, submit, submit_body, user};
use async_trait::async_trait;
use runners_core::{
    Conclusion, ControlPlane, Digest, Key, Kind, MemoryStore, Opaque, Outcome, Transport as _,
    protocol::{Attachment, CancelRequest, CancelTarget, Request, StateView},
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
    loads: Arc<Mutex<Vec<Vec<Key>>>>,
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
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.loads.lock().unwrap().push(keys.clone());
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

#[tokio::test]
async fn artifacts_that_a_sync_attaches_are_looked_up_together() {
    let store = Watched::default();
    let (control, mut hand) = busy(&store).await;
    let token = hand.next.held[0].token;
    let attachment = |name: &str, bytes: &[u8]| {
        let (name, media_type, length) = (name.to_owned(), "text/plain".to_owned(), bytes.len() as u64);
        Attachment { token, name, digest: Digest::of(bytes), length, media_type }
    };
    hand.next.artifacts = vec![attachment("same", b"one"), attachment("other", b"one")];
    hand.sync().await;
    store.loads.lock().unwrap().clear();
    hand.next.artifacts =
        vec![attachment("same", b"one"), attachment("other", b"two"), attachment("new", b"three")];
    let answer = hand.sync().await;
    let attached: Vec<&str> = answer.attached.iter().map(|attached| &*attached.name).collect();
    assert_eq!(attached, ["same", "other", "new"]);
    let loads = std::mem::take(&mut *store.loads.lock().unwrap());
    let artifacts = |keys: &Vec<Key>| keys.iter().filter(|key| key.kind == Kind::Artifact).count();
    assert_eq!(loads.iter().map(artifacts).filter(|count| *count > 0).collect::<Vec<_>>(), [3]);
    let mut kept: Vec<_> = inspect(&user(&control), token.job).await.artifacts;
    kept.sort_by(|one, other| one.name.cmp(&other.name));
    let kept: Vec<_> = kept.iter().map(|artifact| (&*artifact.name, artifact.digest)).collect();
    assert_eq!(
        kept,
        [("new", Digest::of(b"three")), ("other", Digest::of(b"two")), ("same", Digest::of(b"one"))]
    );
}

/// The numbers of bodies that are read together while the jobs of an earlier start are granted one by one.
async fn bodies_read(jobs: u8, body_bytes: usize) -> Vec<usize> {
    let store = Watched::default();
    let earlier = ControlPlane::builder(store.clone()).start().await.unwrap();
    for number in 1..=jobs {
        submit_body(&user(&earlier), number, body_bytes).await;
    }
    earlier.stop().await.unwrap();
    let control = ControlPlane::builder(store.clone()).start().await.unwrap();
    let mut hand = Hand::new(&control, 1);
    for _ in 0..jobs {
        hand.next.free = 1;
        hand.next.park_for = Duration::from_secs(5);
        let answer = hand.sync().await;
        assert_eq!(answer.offers[0].payload.as_ref().map(Opaque::len), Some(body_bytes));
        let token = hand.hold(&answer)[0];
        hand.next.park_for = Duration::ZERO;
        hand.next.free = 0;
        hand.sync().await;
        hand.finish(token, Outcome::Passed, None);
    }
    let loads = std::mem::take(&mut *store.loads.lock().unwrap());
    let bodies = |keys: &Vec<Key>| keys.iter().filter(|key| key.kind == Kind::Payload).count();
    loads.iter().map(bodies).filter(|count| *count > 0).collect()
}

#[tokio::test(start_paused = true)]
async fn what_jobs_are_to_do_is_read_with_a_page_of_them() {
    assert_eq!(bodies_read(40, 500).await, [32, 8]);
}

#[tokio::test(start_paused = true)]
async fn no_more_of_what_jobs_are_to_do_is_kept_than_is_worth_it() {
    assert_eq!(bodies_read(40, 8 << 10).await, [32, 1, 1, 1, 1, 1, 1, 1, 1]);
}
