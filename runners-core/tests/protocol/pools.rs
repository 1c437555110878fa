//! Pools that change while something else of them is read or written: no job waits where nobody looks.

use super::{
    hand::{Hand, inspect, submit, submit_with, user},
    late::Late,
    management::admin,
};
use async_trait::async_trait;
use futures::{future::join_all, poll, stream::BoxStream};
use runners_core::{
    Clock as _, Conclusion, ControlPlane, Fallback, Index, JobId, JobOptions, Key, Kind, MemoryStore,
    PoolSpec, Transport as _,
    protocol::{Acceptance, Request, StateView},
    sleep,
    store::{Committed, Hint, Page, Query, Store, StoreError, Stored, Write},
    testing::clock::SimClock,
};
use std::{
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// When a commit that ever arrives must have arrived.
const SETTLED: Duration = Duration::from_secs(12);
/// Until every lane was looked at.
const A_LOOK: Duration = Duration::from_secs(31 * 3600);

/// A store that holds back the answer to one load of a name, or to one listing of lanes.
#[derive(Clone, Debug, Default)]
struct Reads {
    inner: MemoryStore,
    name: Arc<Mutex<Option<Arc<Notify>>>>,
    lanes: Arc<Mutex<Option<Arc<Notify>>>>,
    /// How often lanes were listed, and how often from now on that fails.
    listed: Arc<AtomicUsize>,
    failing: Arc<AtomicUsize>,
    is_silent: bool,
}

impl Reads {
    fn hold(next: &Mutex<Option<Arc<Notify>>>) -> Arc<Notify> {
        let until = Arc::new(Notify::new());
        *next.lock().unwrap() = Some(Arc::clone(&until));
        until
    }
}

#[async_trait]
impl Store for Reads {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        let is_name = keys.iter().any(|key| key.kind == Kind::Unique);
        let held = if is_name { self.name.lock().unwrap().take() } else { None };
        let answer = self.inner.load(keys).await;
        if let Some(until) = held {
            until.notified().await;
        }
        answer
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        let lists_lanes = matches!(query, Query::Range { index: Index::Parent, .. });
        let held = if lists_lanes { self.lanes.lock().unwrap().take() } else { None };
        let answer = self.inner.scan(query).await;
        self.listed.fetch_add(usize::from(lists_lanes), Ordering::SeqCst);
        if let Some(until) = held {
            until.notified().await;
        }
        let fail = |left: usize| left.checked_sub(1);
        if lists_lanes && self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fail).is_ok() {
            return Err(StoreError::Unavailable("simulated".into()));
        }
        answer
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        self.inner.commit(writes).await
    }

    fn watch(&self) -> BoxStream<'static, Hint> {
        if self.is_silent { Box::pin(futures::stream::pending()) } else { self.inner.watch() }
    }
}

fn to(pool: &str) -> JobOptions {
    JobOptions { pool: pool.into(), ..JobOptions::default() }
}

fn job(number: u8) -> JobId {
    JobId::from_bytes([number; 16])
}

#[tokio::test(start_paused = true)]
async fn a_name_that_was_read_before_its_pool_was_renamed_is_not_kept() {
    let store = Reads { is_silent: true, ..Reads::default() };
    let control = ControlPlane::builder(store.clone()).clock(SimClock::new()).start().await.unwrap();
    let (user, admin) = (user(&control), admin(&control));
    let blue = admin.create_pool(PoolSpec::new("blue")).await.unwrap().id;
    let until = Reads::hold(&store.name);
    let mut submitting = pin!(submit_with(&user, 1, to("blue")));
    assert!(poll!(&mut submitting).is_pending());
    admin.update_pool(blue, |spec| spec.name = "green".into()).await.unwrap();
    until.notify_one();
    assert!(matches!(submitting.await, Acceptance::Accepted(_)), "it was read before");
    let late = submit_with(&user, 2, to("blue")).await;
    assert!(matches!(&late, Acceptance::Refused(_)), "{late:?}");
}

/// Submits a job that is written only once the pool it is for is deleted.
async fn submitted_as_it_is_deleted(store: &Late, control: &ControlPlane, options: JobOptions) {
    let (user, admin) = (user(control), admin(control));
    let blue = admin.create_pool(PoolSpec::new("blue")).await.unwrap().id;
    let until = store.hold(Kind::Payload, true);
    let mut submitting = pin!(submit_with(&user, 1, options));
    store.until_held(submitting.as_mut()).await;
    admin.delete_pool(blue).await.unwrap();
    sleep(&SimClock::new(), Duration::from_secs(1)).await;
    until.notify_one();
    assert!(matches!(submitting.await, Acceptance::Accepted(_)));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_submitted_as_its_pool_is_deleted_ends_with_that_reason() {
    let store = Late::default();
    let control = store.control().await;
    submitted_as_it_is_deleted(&store, &control, to("blue")).await;
    sleep(&SimClock::new(), SETTLED).await;
    let view = inspect(&user(&control), job(1)).await;
    assert_eq!(view.conclusion(), Some(Conclusion::Errored));
    assert_eq!(view.fault.map(|fault| fault.code).as_deref(), Some("pool_deleted"));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_becomes_ready_after_its_pool_was_deleted_ends_then() {
    let clock = SimClock::new();
    let control = ControlPlane::builder(MemoryStore::default()).clock(clock.clone()).start().await.unwrap();
    let blue = admin(&control).create_pool(PoolSpec::new("blue")).await.unwrap().id;
    let start_at = Some(clock.wall() + Duration::from_secs(3600));
    let fallbacks = vec![Fallback::new("default", Duration::from_secs(60))];
    submit_with(&user(&control), 1, JobOptions { start_at, ..to("blue") }).await;
    submit_with(&user(&control), 2, JobOptions { start_at, fallbacks, ..to("blue") }).await;
    admin(&control).delete_pool(blue).await.unwrap();
    sleep(&clock, Duration::from_secs(3500)).await;
    assert_eq!(inspect(&user(&control), job(1)).await.conclusion(), None);
    sleep(&clock, Duration::from_secs(160)).await;
    let view = inspect(&user(&control), job(1)).await;
    assert_eq!(view.fault.map(|fault| fault.code).as_deref(), Some("pool_deleted"));
    let other = inspect(&user(&control), job(2)).await;
    assert!(matches!(other.state, StateView::Ready { .. }), "it waits for its further pool: {other:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_names_another_pool_than_the_deleted_one_waits_for_that() {
    let store = Late::default();
    let control = store.control().await;
    let fallbacks = vec![Fallback::new("default", Duration::from_secs(60))];
    submitted_as_it_is_deleted(&store, &control, JobOptions { fallbacks, ..to("blue") }).await;
    sleep(&SimClock::new(), 10 * SETTLED).await;
    let view = inspect(&user(&control), job(1)).await;
    assert!(matches!(view.state, StateView::Ready { .. }), "{view:?}");
    assert_eq!(Hand::new(&control, 1).sync().await.offers.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_of_a_deleted_pool_ends_although_its_control_plane_was_stopped_before_it_could_see_to_that() {
    let store = Late::default();
    let control = store.control().await;
    submitted_as_it_is_deleted(&store, &control, to("blue")).await;
    control.stop().await.unwrap();
    let control = store.control().await;
    sleep(&SimClock::new(), A_LOOK).await;
    assert_eq!(inspect(&user(&control), job(1)).await.conclusion(), Some(Conclusion::Errored));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_another_control_plane_is_submitting_as_its_pool_is_deleted_ends_too() {
    let clock = SimClock::new();
    let store = Reads::default();
    let start = || ControlPlane::builder(store.clone()).clock(clock.clone()).start();
    let (one, two) = (start().await.unwrap(), start().await.unwrap());
    let blue = admin(&one).create_pool(PoolSpec::new("blue")).await.unwrap().id;
    let until = Reads::hold(&store.name);
    let user = user(&two);
    let mut submitting = pin!(submit_with(&user, 1, to("blue")));
    assert!(poll!(&mut submitting).is_pending());
    admin(&one).delete_pool(blue).await.unwrap();
    sleep(&clock, Duration::from_secs(1)).await;
    until.notify_one();
    assert!(matches!(submitting.await, Acceptance::Accepted(_)), "it was read before");
    sleep(&clock, SETTLED).await;
    assert_eq!(inspect(&user, job(1)).await.conclusion(), Some(Conclusion::Errored));
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_is_made_elsewhere_while_its_pool_is_listed_is_granted_from() {
    let (clock, store) = (SimClock::new(), Reads::default());
    let one = ControlPlane::builder(store.inner.clone()).clock(clock.clone()).start().await.unwrap();
    let two = ControlPlane::builder(store.clone()).clock(clock.clone()).start().await.unwrap();
    let until = Reads::hold(&store.lanes);
    let mut hand = Hand::new(&two, 1);
    hand.next.park_for = Duration::from_secs(20);
    let mut parked = pin!(hand.sync());
    assert!(poll!(&mut parked).is_pending());
    submit(&user(&one), 1).await;
    sleep(&clock, Duration::from_secs(1)).await;
    until.notify_one();
    tokio::select! {
        answer = parked => assert_eq!(answer.offers.len(), 1),
        () = sleep(&clock, Duration::from_secs(2)) => panic!("nobody looks at its lane"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_lanes_of_a_pool_are_listed_once_for_all_who_come_and_again_after_a_failure() {
    let store = Reads::default();
    let control = ControlPlane::builder(store.clone()).clock(SimClock::new()).start().await.unwrap();
    let mut hands: Vec<Hand> = (1..=9).map(|number| Hand::new(&control, number)).collect();
    let sync = |hand: &mut Hand| {
        let (caller, request) = (hand.caller.clone(), Request::Sync(Box::new(hand.next.clone())));
        hand.next.seq += 1;
        async move { caller.call(request).await }
    };
    store.failing.store(1, Ordering::SeqCst);
    for (listed, is_ok) in [(1, false), (2, true)] {
        let until = Reads::hold(&store.lanes);
        let mut all = pin!(join_all(hands.iter_mut().map(sync)));
        assert!(poll!(&mut all).is_pending());
        until.notify_one();
        let answers = all.await;
        assert!(answers.iter().all(|answer| answer.is_ok() == is_ok), "{answers:?}");
        assert_eq!(store.listed.load(Ordering::SeqCst), listed);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_the_lanes_of_a_pool_lists_them_once_the_call_that_did_is_cut() {
    let store = Reads::default();
    let control = ControlPlane::builder(store.clone()).clock(SimClock::new()).start().await.unwrap();
    let (mut one, mut two) = (Hand::new(&control, 1), Hand::new(&control, 2));
    let _never = Reads::hold(&store.lanes);
    let mut waits = pin!(two.sync());
    {
        let mut lists = pin!(one.sync());
        assert!(poll!(&mut lists).is_pending() && poll!(&mut waits).is_pending());
    }
    waits.await;
}
