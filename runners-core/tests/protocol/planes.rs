//! Two control planes on one store: what one writes, the other hears of.

use super::hand::{Hand, inspect, operator, submit, submit_with, user};
use async_trait::async_trait;
use futures::poll;
use runners_core::{
    Conclusion, ControlPlane, JobOptions, Key, Kind, MemoryStore, Outcome, RunnerId, Transport as _,
    protocol::{CancelRequest, CancelTarget, ExplainRequest, Obstacle, Reply, Request, WaitRequest},
    store::{Committed, Page, Query, Store, StoreError, Stored, Write},
};
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

const LONG: Duration = Duration::from_secs(20);

async fn two() -> (ControlPlane, ControlPlane) {
    let store = MemoryStore::default();
    let one = ControlPlane::builder(store.clone()).start().await.unwrap();
    let two = ControlPlane::builder(store).start().await.unwrap();
    (one, two)
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_submitted_at_one_control_plane_wakes_a_runner_at_another() {
    let (one, two) = two().await;
    let mut hand = Hand::new(&two, 1);
    hand.next.park_for = LONG;
    // The lane of the first is new to both, that of the second is known.
    for number in [7, 8] {
        let answer = {
            let mut parked = pin!(hand.sync());
            assert!(poll!(&mut parked).is_pending());
            submit(&user(&one), number).await;
            parked.await
        };
        assert_eq!(answer.offers.len(), 1, "job {number}");
        hand.hold(&answer);
        hand.sync().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_at_one_control_plane_reaches_a_runner_that_is_parked_at_another() {
    let (one, two) = two().await;
    let mut hand = Hand::new(&two, 1);
    let job = submit(&user(&two), 7).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.sync().await;
    hand.next.park_for = LONG;
    let mut parked = pin!(hand.sync());
    assert!(poll!(&mut parked).is_pending());
    let cancel = Request::Cancel(CancelRequest { target: CancelTarget::Job(job) });
    user(&one).call(cancel).await.unwrap();
    assert_eq!(parked.await.cancel[0].token, token);
}

#[tokio::test(start_paused = true)]
async fn who_waits_at_one_control_plane_hears_of_an_end_at_another() {
    let (one, two) = two().await;
    let (user, mut hand) = (user(&one), Hand::new(&two, 1));
    hand.next.park_for = LONG;
    let job = submit(&user, 7).await;
    let mut wait = pin!(user.call(Request::Wait(WaitRequest { job, park_for: LONG })));
    assert!(poll!(&mut wait).is_pending());
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.finish(token, Outcome::Passed, None);
    hand.sync().await;
    let mut reply = poll!(&mut wait);
    for _ in 0..100 {
        if reply.is_ready() {
            break;
        }
        tokio::task::yield_now().await;
        reply = poll!(&mut wait);
    }
    let Poll::Ready(Ok(Reply::Job(view))) = reply else { panic!("it has not heard of it: {reply:?}") };
    assert_eq!(view.conclusion(), Some(Conclusion::Passed));
}

#[tokio::test(start_paused = true)]
async fn a_parked_call_grants_nothing_after_its_runner_has_moved() {
    let (one, two) = two().await;
    let mut hand = Hand::new(&one, 1);
    hand.next.park_for = LONG;
    let mut moved = hand.clone();
    let mut parked = pin!(hand.send());
    assert!(poll!(&mut parked).is_pending());
    moved.caller = Hand::new(&two, 1).caller;
    moved.next.seq = 2;
    moved.next.free = 0;
    moved.next.park_for = Duration::ZERO;
    moved.sync().await;
    let accepted = submit_with(&user(&one), 7, JobOptions::default()).await;
    assert!(matches!(parked.await, Reply::Superseded(_)));
    let runners_core::protocol::Acceptance::Accepted(job) = accepted else { panic!("expected a job") };
    let state = inspect(&user(&two), job).await.state;
    assert!(matches!(state, runners_core::protocol::StateView::Ready { .. }), "{state:?}");
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_has_moved_is_not_explained_as_free_where_it_was() {
    let (one, two) = two().await;
    let mut hand = Hand::new(&one, 1);
    hand.sync().await;
    // It has two slots free there, and says nothing more. Here, it has none.
    hand.caller = Hand::new(&two, 1).caller;
    hand.next.free = 0;
    hand.sync().await;
    let job = submit(&user(&one), 7).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let mut obstacles = Vec::new();
    for control in [&one, &two] {
        let request = Request::Explain(ExplainRequest { job, runners_after: None });
        let Reply::Explained(explanation) = user(control).call(request).await.unwrap() else {
            panic!("it is not explained")
        };
        obstacles.push(explanation.pools[0].runners[0].obstacle.clone());
    }
    assert_eq!(obstacles, [Some(Obstacle::Elsewhere), Some(Obstacle::Full)]);
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_is_removed_elsewhere_while_its_call_is_held_back_is_told_so_and_granted_nothing() {
    let (one, two) = two().await;
    let mut hand = Hand::new(&two, 1);
    hand.next.park_for = LONG;
    let mut parked = pin!(hand.send());
    assert!(poll!(&mut parked).is_pending());
    operator(&one).remove_runner(RunnerId::from_bytes([1; 16])).await.unwrap();
    let mut reply = poll!(&mut parked);
    for _ in 0..100 {
        if reply.is_ready() {
            break;
        }
        tokio::task::yield_now().await;
        reply = poll!(&mut parked);
    }
    assert!(matches!(&reply, Poll::Ready(Reply::Refused(_))), "{reply:?}");
    let job = submit(&user(&two), 7).await;
    let state = inspect(&user(&two), job).await.state;
    assert!(matches!(state, runners_core::protocol::StateView::Ready { .. }), "{state:?}");
}

/// A store in which somebody else writes a session again just before it is written here, so many times.
#[derive(Clone, Debug, Default)]
struct Contended {
    inner: MemoryStore,
    times: Arc<AtomicUsize>,
}

#[async_trait]
impl Store for Contended {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.inner.load(keys).await
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.inner.scan(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        let session = writes.iter().find_map(|write| match write {
            Write::Put { key, indexes, .. } if key.kind == Kind::Session => Some((key, indexes)),
            _ => None,
        });
        let take = |left: usize| left.checked_sub(1);
        if let Some((key, indexes)) = session
            && let Some(stored) = self.inner.load(vec![key.clone()]).await?.pop().flatten()
            && self.times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok()
        {
            let Stored { key, version: expected, format, body } = stored;
            let again = Write::Put { key, expected, format, body, indexes: indexes.clone() };
            self.inner.commit(vec![again]).await?;
        }
        self.inner.commit(writes).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_moves_while_its_session_is_written_elsewhere_is_answered() {
    let store = Contended::default();
    let one = ControlPlane::builder(store.inner.clone()).start().await.unwrap();
    let two = ControlPlane::builder(store.clone()).start().await.unwrap();
    let mut hand = Hand::new(&one, 1);
    hand.sync().await;
    let mut again = hand.restarted();
    for moved in [&mut hand, &mut again] {
        store.times.store(2, Ordering::SeqCst);
        moved.caller = Hand::new(&two, 1).caller;
        moved.sync().await;
        assert_eq!(store.times.load(Ordering::SeqCst), 0, "both were met");
    }
}
