//! Runs whose time is over, and jobs that many wait for: nothing else waits for what is done of them. Time is
//! tokio's, paused.

use super::{
    crashing::{PLENTY, STARTS, World},
    hand::{Hand, inspect, submit_with, user},
    late::Late,
};
use async_trait::async_trait;
use futures::poll;
use runners_core::{
    Caller, Conclusion, ControlPlane, JobId, JobOptions, JobSpec, Key, Kind, MemoryStore, Outcome, RunId,
    Transport as _,
    protocol::{Acceptance, Reply, Request, RunSpec, StateView, Submission, SubmitRequest},
    sleep,
    store::{Committed, Page, Query, Store, StoreError, Stored, Write},
    testing::{clock::SimClock, random::SeededRandom},
};
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const RUN: RunId = RunId::from_bytes([3; 16]);
const TIMEOUT: Duration = Duration::from_secs(60);
const MANY: u16 = 400;

/// How long a commit takes.
const COMMIT: Duration = Duration::from_millis(20);

/// A store that takes a while to commit, and counts what it commits.
#[derive(Clone, Debug)]
struct Slow {
    inner: MemoryStore,
    clock: SimClock,
    commits: Arc<AtomicUsize>,
}

#[async_trait]
impl Store for Slow {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.inner.load(keys).await
    }
    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.inner.scan(query).await
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        sleep(&self.clock, COMMIT).await;
        self.inner.commit(writes).await
    }
}

impl Slow {
    fn new() -> Self {
        Self { inner: MemoryStore::default(), clock: SimClock::new(), commits: Arc::default() }
    }

    async fn control(&self) -> ControlPlane {
        let builder = ControlPlane::builder(self.clone()).clock(self.clock.clone());
        builder.random(SeededRandom::new(7)).start().await.unwrap()
    }
}

fn job(number: u16) -> JobId {
    let mut id = [9; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    JobId::from_bytes(id)
}

fn submission(number: u16, options: JobOptions) -> Submission {
    let spec = JobSpec::new(job(number), "visit", b"{}", options);
    let spec = serde_json::to_vec(&spec).unwrap().into();
    Submission { spec, signature: None, payload: Some(b"{}".to_vec().into()), payload_artifact: None }
}

/// Submits jobs of the run that have these numbers, each after `after`.
async fn submit_run(user: &Caller, numbers: std::ops::Range<u16>, after: &[JobId]) -> Vec<Acceptance> {
    let options = JobOptions { run: Some(RUN), after: after.to_vec(), ..JobOptions::default() };
    let jobs = numbers.map(|number| submission(number, options.clone())).collect();
    let run = Some(RunSpec { run: RUN, timeout: Some(TIMEOUT) });
    match user.call(Request::Submit(SubmitRequest { jobs, run })).await.unwrap() {
        Reply::Submitted(submitted) => submitted.jobs,
        other => panic!("expected acceptances, got {other:?}"),
    }
}

/// How many of the jobs that have these numbers have ended so.
async fn ended(user: &Caller, numbers: std::ops::Range<u16>, conclusion: Conclusion) -> usize {
    let mut count = 0;
    for number in numbers {
        count += usize::from(inspect(user, job(number)).await.conclusion() == Some(conclusion));
    }
    count
}

/// A job that expires in the queue after so long.
async fn expiring(user: &Caller, after: Duration) -> JobId {
    submit_with(user, 1, JobOptions { queue_ttl: Some(after), ..JobOptions::default() }).await;
    JobId::from_bytes([1; 16])
}

#[tokio::test(start_paused = true)]
async fn while_a_large_run_is_timed_out_nothing_else_that_is_due_waits() {
    let store = Slow::new();
    let control = store.control().await;
    let user = user(&control);
    submit_run(&user, 0..MANY, &[]).await;
    let other = expiring(&user, TIMEOUT).await;
    sleep(&store.clock, TIMEOUT - Duration::from_secs(1)).await;
    let before = store.commits.load(Ordering::SeqCst);
    sleep(&store.clock, Duration::from_millis(1500)).await;
    assert_eq!(inspect(&user, other).await.conclusion(), Some(Conclusion::Expired));
    sleep(&store.clock, Duration::from_secs(10)).await;
    assert_eq!(ended(&user, 0..MANY, Conclusion::TimedOut).await, usize::from(MANY));
    let commits = store.commits.load(Ordering::SeqCst) - before;
    assert!(commits < 30, "many are stopped at once, and there were {commits} commits");
}

#[tokio::test(start_paused = true)]
async fn while_many_are_released_nothing_else_that_is_due_waits() {
    let store = Slow::new();
    let control = store.control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    submit_run(&user, 0..1, &[]).await;
    submit_run(&user, 1..MANY, &[job(0)]).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    let other = expiring(&user, Duration::from_secs(1)).await;
    hand.finish(token, Outcome::Failed, None);
    hand.next.free = 0;
    hand.sync().await;
    sleep(&store.clock, Duration::from_millis(1500)).await;
    assert_eq!(inspect(&user, other).await.conclusion(), Some(Conclusion::Expired));
    sleep(&store.clock, Duration::from_secs(5)).await;
    assert_eq!(ended(&user, 1..MANY, Conclusion::Cancelled).await, usize::from(MANY) - 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_stopped_as_a_whole_wherever_that_was_cut_short() {
    for commits in 0..7 {
        let world = World::new();
        let control = world.start(PLENTY).await;
        submit_run(&user(&control), 0..200, &[]).await;
        control.stop().await.unwrap();
        sleep(&world.clock, TIMEOUT).await;
        let cut = world.start(STARTS + commits).await;
        sleep(&world.clock, Duration::from_secs(2)).await;
        cut.stop().await.unwrap();
        let control = world.start(PLENTY).await;
        sleep(&world.clock, Duration::from_secs(2)).await;
        assert_eq!(ended(&user(&control), 0..200, Conclusion::TimedOut).await, 200, "after {commits}");
        control.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn all_are_released_wherever_that_was_cut_short() {
    for commits in 0..7 {
        let world = World::new();
        let control = world.start(PLENTY).await;
        let (user, mut hand) = (user(&control), Hand::new(&control, 1));
        submit_run(&user, 0..1, &[]).await;
        submit_run(&user, 1..200, &[job(0)]).await;
        let answer = hand.sync().await;
        let token = hand.hold(&answer)[0];
        control.stop().await.unwrap();

        let cut = world.start(STARTS + commits).await;
        let mut hand = Hand { caller: cut.caller(super::hand::runner_principal_of(1)), ..hand };
        hand.finish(token, Outcome::Failed, None);
        let _ = hand.caller.call(Request::Sync(Box::new(hand.next.clone()))).await;
        sleep(&world.clock, Duration::from_secs(2)).await;
        cut.stop().await.unwrap();

        let control = world.start(PLENTY).await;
        hand.caller = control.caller(super::hand::runner_principal_of(1));
        hand.next.seq += 1;
        let _ = hand.caller.call(Request::Sync(Box::new(hand.next.clone()))).await;
        sleep(&world.clock, Duration::from_secs(15)).await;
        let released = ended(&super::hand::user(&control), 1..200, Conclusion::Cancelled).await;
        assert_eq!(released, 199, "after {commits}");
        control.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_added_to_a_run_whose_time_is_over_has_timed_out_at_once() {
    let store = Slow::new();
    let control = store.control().await;
    let user = user(&control);
    submit_run(&user, 0..1, &[]).await;
    sleep(&store.clock, TIMEOUT + Duration::from_secs(1)).await;
    assert_eq!(submit_run(&user, 1..2, &[]).await, [Acceptance::Accepted(job(1))]);
    assert_eq!(ended(&user, 0..2, Conclusion::TimedOut).await, 2);
    assert_eq!(submit_run(&user, 1..2, &[]).await, [Acceptance::Repeated(job(1))]);
    assert!(Hand::new(&control, 1).sync().await.offers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_being_added_while_the_time_of_its_run_ends_is_not_left_out() {
    let (store, clock) = (Late::default(), SimClock::new());
    let control = ControlPlane::builder(store.clone()).clock(clock.clone()).start().await.unwrap();
    let user = user(&control);
    submit_run(&user, 0..1, &[]).await;
    sleep(&clock, TIMEOUT - Duration::from_secs(1)).await;
    let until = store.hold(Kind::Payload, true);
    let mut adding = pin!(submit_run(&user, 1..2, &[]));
    assert!(poll!(adding.as_mut()).is_pending());
    sleep(&clock, Duration::from_secs(3)).await;
    until.notify_one();
    assert_eq!(adding.await, [Acceptance::Accepted(job(1))]);
    let state = inspect(&user, job(1)).await.state;
    assert!(matches!(state, StateView::Concluded { conclusion: Conclusion::TimedOut, .. }), "{state:?}");
}
