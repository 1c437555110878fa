//! What a store answers late, or carries out late: others have seen it by then, or went on without
//! it. Time is tokio's, paused.

use super::hand::{Hand, operator, submit, submit_with, user};
use async_trait::async_trait;
use futures::poll;
use runners_core::{
    Concurrency, ControlPlane, JobOptions, Kind, MemoryStore, Mode, Outcome, RunnerId,
    store::{Committed, Page, Query, Store, StoreError, Stored, Write},
    testing::{clock::SimClock, random::SeededRandom},
};
use std::{
    fmt::Debug,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{Notify, oneshot};
use tokio_util::task::TaskTracker;

const LONG: Duration = Duration::from_secs(20);

/// A store that holds back one commit, and says nothing of what is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Late {
    pub(crate) inner: MemoryStore,
    next: Arc<Mutex<Option<Held>>>,
    under_way: TaskTracker,
}

/// The next commit that puts a record of a kind is held back until `until` is told.
#[derive(Clone, Debug)]
struct Held {
    kind: Kind,
    /// Before it is carried out, or else before it is answered.
    before: bool,
    until: Arc<Notify>,
}

impl Late {
    pub(crate) fn hold(&self, kind: Kind, before: bool) -> Arc<Notify> {
        let until = Arc::new(Notify::new());
        *self.next.lock().unwrap() = Some(Held { kind, before, until: until.clone() });
        until
    }

    /// Lets `asked` go on until the commit that is to be held back is.
    pub(crate) async fn until_held(&self, mut asked: Pin<&mut impl Future<Output: Debug>>) {
        while self.next.lock().unwrap().is_some() {
            assert!(poll!(&mut asked).is_pending());
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn control(&self) -> ControlPlane {
        let builder = ControlPlane::builder(self.clone()).clock(SimClock::new());
        builder.random(SeededRandom::new(7)).start().await.unwrap()
    }
}

#[async_trait]
impl Store for Late {
    async fn load(&self, keys: Vec<runners_core::Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.inner.load(keys).await
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.inner.scan(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        let puts =
            |kind| writes.iter().any(|write| matches!(write, Write::Put { key, .. } if key.kind == kind));
        let held = self.next.lock().unwrap().take_if(|held| puts(held.kind));
        let Some(held) = held else { return self.inner.commit(writes).await };
        let inner = self.inner.clone();
        let (reply_to, reply) = oneshot::channel();
        // As where the store is another process: it is carried out though its caller is gone.
        self.under_way.spawn(async move {
            if held.before {
                held.until.notified().await;
            }
            let committed = inner.commit(writes).await;
            if !held.before {
                held.until.notified().await;
            }
            drop(reply_to.send(committed));
        });
        reply.await.expect("it is carried out")
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_runner_that_is_heard_of_late_does_not_undo_a_later_one() {
    let store = Late::default();
    let control = store.control().await;
    let mut hand = Hand::new(&control, 1);
    hand.sync().await;
    let (operator, runner) = (operator(&control), RunnerId::from_bytes([1; 16]));
    let until = store.hold(Kind::Runner, false);
    let mut draining = pin!(operator.set_mode(runner, Mode::Drain));
    while store.next.lock().unwrap().is_some() {
        assert!(poll!(&mut draining).is_pending());
    }
    tokio::task::yield_now().await;
    operator.set_mode(runner, Mode::Serve).await.unwrap();
    until.notify_one();
    draining.await.unwrap();
    hand.next.park_for = LONG;
    hand.next.seen_generation = 2;
    let mut parked = pin!(hand.sync());
    assert!(poll!(&mut parked).is_pending());
    submit(&user(&control), 7).await;
    assert_eq!(parked.await.offers.len(), 1, "it serves, as was said last");
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_submitter_hung_up_before_it_arrived_is_found_when_it_has() {
    let store = Late::default();
    let control = store.control().await;
    let mut hand = Hand::new(&control, 1);
    hand.next.free = 0;
    hand.sync().await;
    let user = user(&control);
    submit(&user, 6).await;
    let until = store.hold(Kind::Job, true);
    {
        let mut submitting = pin!(submit(&user, 7));
        while store.next.lock().unwrap().is_some() {
            assert!(poll!(&mut submitting).is_pending());
        }
    }
    // What the control plane reads now is older than the job.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    until.notify_one();
    hand.next.free = 2;
    hand.next.park_for = LONG;
    let first = hand.sync().await;
    let mut offered = hand.hold(&first).len();
    let second = hand.sync().await;
    hand.hold(&second);
    let third = hand.sync().await;
    offered += second.offers.len() + third.offers.len();
    assert_eq!(offered, 2, "the one that was there before, and the one that came late");
}

#[tokio::test(start_paused = true)]
async fn a_limit_holds_where_nothing_was_heard_of_who_took_its_last_place() {
    let store = Late::default();
    let start = |seed| {
        let builder = ControlPlane::builder(store.clone()).clock(SimClock::new());
        builder.random(SeededRandom::new(seed)).start()
    };
    let (one, other) = (start(7).await.unwrap(), start(8).await.unwrap());
    let site = || JobOptions { concurrency: vec![Concurrency::new("site", 1)], ..JobOptions::default() };
    let (mut here, mut there) = (Hand::new(&one, 1), Hand::new(&other, 2));
    // From here on, this one believes that the site is free.
    submit_with(&user(&one), 6, site()).await;
    here.next.park_for = LONG;
    let answer = here.sync().await;
    let token = here.hold(&answer)[0];
    here.finish(token, Outcome::Passed, None);
    here.next.park_for = Duration::ZERO;
    assert_eq!(here.sync().await.recorded, [token]);
    here.next.finishes.clear();

    submit_with(&user(&other), 7, site()).await;
    there.next.park_for = LONG;
    assert_eq!(there.sync().await.offers.len(), 1, "the site is free");
    submit_with(&user(&one), 8, site()).await;
    assert_eq!(here.sync().await.offers, [], "the store knows that it is not");
}
