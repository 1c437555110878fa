//! What is measured: each instrument where the thing happens, under simulated time.

use crate::hand::{Hand, inspect, operator, submission, submit, user};
use futures::poll;
use runners_core::{
    Authenticate as _, Caller, Clock as _, ControlPlane, Digest, JobId, JobOptions, MemoryStore, Outcome,
    PoolId, PoolSpec, Principal, Registration, RunnerId, TenantId, Token, TokenKind, Transport as _,
    metrics::{Instrument, control_plane as at, runner as runner_at},
    protocol::{CancelRequest, CancelTarget, EnrolRequest, Phase, Reply, Request, StateView, SubmitRequest},
    sleep,
    store::StoreError,
    testing::{clock::SimClock, metrics::RecordedMetrics, random::SeededRandom},
};
use std::{pin::pin, time::Duration};

const TERM: Duration = Duration::from_secs(60);
/// Longer than it takes until gauges are looked at again.
const A_LOOK: Duration = Duration::from_secs(11);

struct World {
    clock: SimClock,
    metrics: RecordedMetrics,
    control: ControlPlane,
    user: Caller,
}

impl World {
    async fn new() -> Self {
        let (clock, metrics) = (SimClock::new(), RecordedMetrics::default());
        let builder = ControlPlane::builder(MemoryStore::default()).clock(clock.clone());
        let builder = builder.random(SeededRandom::new(7)).term(TERM).metrics(metrics.clone());
        let control = builder.start().await.unwrap();
        Self { user: user(&control), clock, metrics, control }
    }

    async fn pass(&self, span: Duration) {
        sleep(&self.clock, span).await;
    }

    /// What `instrument` says of the default pool.
    fn gauge(&self, instrument: &'static Instrument) -> f64 {
        let taken = self.metrics.of(instrument);
        let pool = PoolId::DEFAULT.to_string();
        taken.iter().rfind(|one| one.attribute("pool") == Some(&pool)).expect("it was looked at").value
    }

    async fn running(&self, hand: &mut Hand, number: u8) -> JobId {
        let job = submit(&self.user, number).await;
        let answer = hand.sync().await;
        hand.hold(&answer);
        hand.sync().await;
        job
    }
}

#[tokio::test(start_paused = true)]
async fn syncs_are_counted_and_timed_without_the_time_they_are_held_back() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    hand.next.park_for = Duration::from_secs(15);
    let before = world.clock.boot();
    hand.sync().await;
    assert!(world.clock.boot().since(before) >= Duration::from_secs(15), "it was held back");
    assert_eq!(world.metrics.sum(&at::SYNC_REQUESTS), 1.0);
    assert_eq!(world.metrics.of(&at::SYNC_DURATION).len(), 1);
    assert!(world.metrics.sum(&at::SYNC_DURATION) < 1.0);
    assert!(world.metrics.of(&at::SYNC_FAILURES).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_sync_that_is_refused_is_a_failure() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    hand.sync().await;
    operator(&world.control).remove_runner(RunnerId::from_bytes([1; 16])).await.unwrap();
    assert!(matches!(hand.send().await, Reply::Refused(_)));
    let failures = world.metrics.of(&at::SYNC_FAILURES);
    assert_eq!((failures.len(), failures[0].attribute("reason")), (1, Some("refused")));
}

#[tokio::test(start_paused = true)]
async fn jobs_are_counted_as_they_come_and_go_and_grants_timed_from_when_they_were_ready() {
    let world = World::new().await;
    submit(&world.user, 7).await;
    world.pass(Duration::from_secs(30)).await;
    let mut hand = Hand::new(&world.control, 1);
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    let waited = world.metrics.sum(&at::GRANT_LATENCY);
    assert!((30.0..31.0).contains(&waited), "{waited}");
    hand.finish(token, Outcome::Passed, None);
    hand.sync().await;
    assert_eq!(world.metrics.sum(&at::JOBS_SUBMITTED), 1.0);
    let concluded = world.metrics.of(&at::JOBS_CONCLUDED);
    assert_eq!((concluded.len(), concluded[0].attribute("conclusion")), (1, Some("passed")));
}

#[tokio::test(start_paused = true)]
async fn a_direct_grant_is_timed_too() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    hand.next.park_for = Duration::from_secs(15);
    let mut parked = pin!(hand.sync());
    assert!(poll!(&mut parked).is_pending());
    submit(&world.user, 7).await;
    assert_eq!(parked.await.offers.len(), 1);
    assert_eq!(world.metrics.of(&at::GRANT_LATENCY).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn leases_that_run_out_are_counted_as_expired_and_lost() {
    let world = World::new().await;
    let mut silent = Hand::new(&world.control, 1);
    let job = world.running(&mut silent, 1).await;
    world.pass(TERM * 2).await;
    assert_eq!(inspect(&world.user, job).await.attempts[0].outcome, Outcome::Lost);
    assert_eq!(world.metrics.sum(&at::LEASES_EXPIRED), 1.0);
    assert_eq!(world.metrics.sum(&at::LEASES_LOST), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_its_runner_lost_is_lost_and_not_expired() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    world.running(&mut hand, 1).await;
    hand.next.held.clear();
    hand.sync().await;
    assert_eq!(world.metrics.sum(&at::LEASES_LOST), 1.0);
    assert!(world.metrics.of(&at::LEASES_EXPIRED).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_cancel_is_timed_until_the_runner_has_told_the_end() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    let job = world.running(&mut hand, 1).await;
    let request = CancelRequest { target: CancelTarget::Job(job) };
    world.user.call(Request::Cancel(request)).await.unwrap();
    world.pass(Duration::from_secs(3)).await;
    let token = hand.sync().await.cancel[0].token;
    hand.next.held[0].phase = Phase::Cancelling;
    hand.finish(token, Outcome::Cancelled, None);
    hand.sync().await;
    let span = world.metrics.sum(&at::CANCEL_LATENCY);
    assert!((3.0..4.0).contains(&span), "{span}");
}

#[tokio::test(start_paused = true)]
async fn queues_runners_and_slots_are_looked_at() {
    let world = World::new().await;
    for number in [1, 2, 3] {
        submit(&world.user, number).await;
    }
    world.pass(Duration::from_secs(25)).await;
    assert_eq!(world.gauge(&at::QUEUE_DEPTH), 3.0);
    assert!((10.0..26.0).contains(&world.gauge(&at::QUEUE_AGE)));
    assert_eq!(world.gauge(&at::RUNNERS_ONLINE), 0.0);

    let mut hand = Hand::new(&world.control, 1);
    let answer = hand.sync().await;
    hand.hold(&answer);
    hand.next.free = 1;
    hand.sync().await;
    world.pass(A_LOOK).await;
    assert_eq!(world.gauge(&at::QUEUE_DEPTH) + world.gauge(&at::SLOTS_BUSY), 3.0);
    assert_eq!(world.gauge(&at::RUNNERS_ONLINE), 1.0);
    world.pass(TERM * 2).await;
    assert_eq!((world.gauge(&at::RUNNERS_ONLINE), world.gauge(&at::SLOTS_FREE)), (0.0, 0.0), "it is gone");
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_looked_at_after_a_restart_though_nobody_asks_for_it() {
    let (store, clock) = (MemoryStore::default(), SimClock::new());
    let before = ControlPlane::builder(store.clone()).clock(clock.clone()).start().await.unwrap();
    submit(&user(&before), 7).await;
    before.stop().await.unwrap();
    let metrics = RecordedMetrics::default();
    let builder = ControlPlane::builder(store).clock(clock.clone()).metrics(metrics.clone());
    let control = builder.start().await.unwrap();
    sleep(&clock, A_LOOK).await;
    assert_eq!(metrics.last(&at::QUEUE_DEPTH), Some(1.0));
    assert_eq!(metrics.last(&at::RUNNERS_ONLINE), Some(0.0));
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_ready_job_and_a_free_slot_do_not_stand_side_by_side() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    hand.next.park_for = Duration::from_secs(18);
    let mut parked = pin!(hand.sync());
    assert!(poll!(&mut parked).is_pending());
    world.pass(A_LOOK).await;
    assert_eq!((world.gauge(&at::SLOTS_FREE), world.gauge(&at::ELIGIBLE_AND_FREE)), (2.0, 0.0));
    // A job that the parked runner may not take is not eligible.
    let options = JobOptions { wanted: ["elsewhere".to_owned()].into(), ..JobOptions::default() };
    let request = SubmitRequest { jobs: vec![submission(9, options)], run: None };
    world.user.call(Request::Submit(request)).await.unwrap();
    assert!(matches!(inspect(&world.user, JobId::from_bytes([9; 16])).await.state, StateView::Ready { .. }));
    world.pass(A_LOOK).await;
    assert_eq!((world.gauge(&at::QUEUE_DEPTH), world.gauge(&at::ELIGIBLE_AND_FREE)), (1.0, 0.0));
}

#[tokio::test(start_paused = true)]
async fn refused_registrations_are_counted_by_the_pool_and_its_age() {
    let world = World::new().await;
    let new = operator(&world.control).create_pool(PoolSpec::new("new")).await.unwrap().id;
    for (number, pool) in [(1, new), (2, PoolId::DEFAULT)] {
        let token = Token::new(TokenKind::Registration, [number; 32]);
        let registration = Registration::new(TenantId::DEFAULT, pool).uses_max(0);
        world.control.admit_registration(token.digest(), registration).await.unwrap();
        let registration = token.digest();
        let principal = Principal::Registrant { tenant: TenantId::DEFAULT, registration };
        let request = EnrolRequest { credential: Digest::of(&[number]), name: "one".to_owned(), pool: None };
        let reply = world.control.caller(principal).call(Request::Enrol(request)).await.unwrap();
        assert!(matches!(reply, Reply::Refused(_)));
    }
    let unknown = Token::new(TokenKind::Registration, [9; 32]);
    world.control.authenticator().authenticate(unknown.expose()).await.unwrap_err();
    let not_a_registration = Token::new(TokenKind::Api, [9; 32]);
    world.control.authenticator().authenticate(not_a_registration.expose()).await.unwrap_err();

    let failures = world.metrics.of(&at::REGISTRATION_FAILURES);
    let told: Vec<_> =
        failures.iter().map(|one| (one.attribute("pool"), one.attribute("pool_age"))).collect();
    let (new, old) = (new.to_string(), PoolId::DEFAULT.to_string());
    assert_eq!(
        told,
        [(Some(&*new), Some("new")), (Some(&*old), Some("established")), (Some("unknown"), Some("unknown"))]
    );
}

#[tokio::test(start_paused = true)]
async fn commits_are_timed_and_sized() {
    let world = World::new().await;
    let before = world.metrics.of(&at::COMMIT_DURATION).len();
    submit(&world.user, 7).await;
    let commits = world.metrics.of(&at::COMMIT_DURATION).len() - before;
    assert!(commits > 0);
    assert_eq!(world.metrics.of(&at::COMMIT_WRITES).len(), before + commits);
    assert!(world.metrics.of(&at::COMMIT_SIZE).last().unwrap().value > 100.0);
    assert!(world.metrics.of(&at::STORE_FAILURES).is_empty());
}

#[tokio::test(start_paused = true)]
async fn calls_of_the_store_that_fail_are_counted_by_their_reason() {
    let metrics = RecordedMetrics::default();
    let store = FailingStore;
    let started = ControlPlane::builder(store).metrics(metrics.clone()).start().await;
    assert!(started.is_err());
    let failures = metrics.of(&at::STORE_FAILURES);
    assert_eq!((failures.len(), failures[0].attribute("reason")), (1, Some("full")));
}

/// A store whose disk is full.
#[derive(Debug)]
struct FailingStore;

#[async_trait::async_trait]
impl runners_core::store::Store for FailingStore {
    async fn load(
        &self,
        _keys: Vec<runners_core::Key>,
    ) -> Result<Vec<Option<runners_core::store::Stored>>, StoreError> {
        Err(StoreError::Full("no space".into()))
    }
    async fn scan(
        &self,
        _query: runners_core::store::Query,
    ) -> Result<runners_core::store::Page, StoreError> {
        Err(StoreError::Full("no space".into()))
    }
    async fn commit(
        &self,
        _writes: Vec<runners_core::store::Write>,
    ) -> Result<runners_core::store::Committed, StoreError> {
        Err(StoreError::Full("no space".into()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_runner_measures_its_attempts_syncs_and_slots() {
    let world = World::new().await;
    let metrics = RecordedMetrics::default();
    let runner = world.control.local_runner("default").clock(world.clock.clone()).metrics(metrics.clone());
    let runner = runner.executor(async |_: Add, _: runners_core::Attempt| Ok(5_i64)).start();
    let job = world.control.local_client().submit(&Add).await.unwrap();
    assert_eq!(job.result().await.unwrap(), 5);
    runner.drain().await.unwrap();
    let attempts = metrics.of(&runner_at::ATTEMPT_DURATION);
    assert_eq!((attempts.len(), attempts[0].attribute("outcome")), (1, Some("passed")));
    assert!(!metrics.of(&runner_at::SYNC_DURATION).is_empty());
    let busy: Vec<f64> = metrics.of(&runner_at::SLOTS_BUSY).iter().map(|one| one.value).collect();
    assert_eq!(busy, [1.0, 0.0]);
    assert!(metrics.of(&runner_at::SYNC_FAILURES).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_runner_counts_syncs_that_are_not_answered() {
    let world = World::new().await;
    let metrics = RecordedMetrics::default();
    world.control.stop().await.unwrap();
    let runner = world.control.local_runner("default").clock(world.clock.clone()).metrics(metrics.clone());
    let runner = runner.executor(async |_: Add, _: runners_core::Attempt| Ok(5_i64)).start();
    world.pass(Duration::from_secs(5)).await;
    runner.kill();
    runner.stopped().await;
    let failures = metrics.of(&runner_at::SYNC_FAILURES);
    assert_eq!(failures[0].attribute("reason"), Some("transport"));
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Add;

impl runners_core::Command for Add {
    const KIND: &'static str = "add";
    type Result = i64;
}
