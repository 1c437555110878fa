//! What happens by itself as time passes. Time is tokio's, paused: it jumps to the next timer.

use super::hand::{Hand, inspect, submission, submit, submit_with, user};
use runners_core::{
    Caller, Clock as _, Conclusion, ControlPlane, JobId, JobOptions, MemoryStore, Outcome, RetryPolicy,
    RunId, Transport as _,
    protocol::{JobView, Phase, Reply, Request, RunSpec, StateView, SubmitRequest, WaitRequest},
    sleep,
    testing::{clock::SimClock, random::SeededRandom},
};
use std::time::Duration;

const TERM: Duration = Duration::from_secs(60);

struct World {
    clock: SimClock,
    store: MemoryStore,
    control: ControlPlane,
    user: Caller,
}

impl World {
    async fn new() -> Self {
        let (clock, store) = (SimClock::new(), MemoryStore::default());
        let control = start(&clock, &store).await;
        Self { user: user(&control), clock, store, control }
    }

    async fn pass(&self, span: Duration) {
        sleep(&self.clock, span).await;
    }

    /// Waits until a job ends, as long as that takes.
    async fn end_of(&self, job: JobId) -> JobView {
        loop {
            let request = WaitRequest { job, park_for: Duration::from_secs(20) };
            match self.user.call(Request::Wait(request)).await.unwrap() {
                Reply::Job(view) if view.conclusion().is_some() => return *view,
                Reply::Job(_) => {}
                other => panic!("expected a job, got {other:?}"),
            }
        }
    }
}

async fn start(clock: &SimClock, store: &MemoryStore) -> ControlPlane {
    let builder = ControlPlane::builder(store.clone()).clock(clock.clone()).random(SeededRandom::new(7));
    builder.term(TERM).start().await.unwrap()
}

/// Offers job `number` to `hand` and has it confirmed.
async fn running(world: &World, hand: &mut Hand, number: u8) -> JobId {
    let job = submit(&world.user, number).await;
    let answer = hand.sync().await;
    hand.hold(&answer);
    hand.sync().await;
    job
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_is_not_confirmed_goes_back_and_its_session_is_suspect() {
    let world = World::new().await;
    let (mut silent, mut other) = (Hand::new(&world.control, 1), Hand::new(&world.control, 2));
    let job = submit(&world.user, 1).await;
    assert_eq!(silent.sync().await.offers[0].token.grant, 1);
    world.pass(Duration::from_secs(16)).await;
    let view = inspect(&world.user, job).await;
    assert!(matches!(view.state, StateView::Ready { .. }) && view.attempts.is_empty());
    let offer = other.sync().await.offers[0].clone();
    assert_eq!((offer.token.grant, offer.attempt), (2, 1), "another grant, still the first attempt");
}

#[tokio::test(start_paused = true)]
async fn a_session_is_lost_when_nothing_is_heard_for_a_term() {
    let world = World::new().await;
    let mut silent = Hand::new(&world.control, 1);
    let job = running(&world, &mut silent, 1).await;
    world.pass(TERM - Duration::from_secs(2)).await;
    assert!(matches!(inspect(&world.user, job).await.state, StateView::Running { .. }));
    world.pass(Duration::from_secs(4)).await;
    assert_eq!(inspect(&world.user, job).await.attempts[0].outcome, Outcome::Lost);
    let token = silent.next.held[0].token;
    assert_eq!(silent.sync().await.lost, [token], "it is told when it comes back");
}

#[tokio::test(start_paused = true)]
async fn a_job_is_rescued_by_missed_renewals_never_by_its_age() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    let options = JobOptions { timeout: TERM * 20, ..JobOptions::default() };
    submit_with(&world.user, 1, options).await;
    let answer = hand.sync().await;
    hand.hold(&answer);
    for _ in 0..20 {
        assert!(hand.sync().await.lost.is_empty());
        world.pass(TERM / 3).await;
    }
    let job = JobId::from_bytes([1; 16]);
    assert!(matches!(inspect(&world.user, job).await.state, StateView::Running { attempt: 1, .. }));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_reaped_until_a_term_after_the_start() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    let job = running(&world, &mut hand, 1).await;
    world.control.stop().await.unwrap();
    world.pass(TERM * 3).await;
    let control = start(&world.clock, &world.store).await;
    let user = user(&control);
    world.pass(TERM / 2).await;
    assert!(matches!(inspect(&user, job).await.state, StateView::Running { .. }), "it may yet be heard of");
    let mut hand = Hand { caller: control.caller(super::hand::runner_principal_of(1)), ..hand };
    assert!(hand.sync().await.lost.is_empty(), "and when it is, its lease is good");
    world.pass(TERM * 2).await;
    assert_eq!(inspect(&user, job).await.attempts[0].outcome, Outcome::Lost);
}

#[tokio::test(start_paused = true)]
async fn a_step_of_the_wall_clock_costs_no_lease() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    let job = running(&world, &mut hand, 1).await;
    world.pass(TERM - Duration::from_secs(5)).await;
    hand.sync().await;
    world.clock.step_wall(3_600_000);
    world.pass(Duration::from_secs(15)).await;
    hand.sync().await;
    assert!(matches!(inspect(&world.user, job).await.state, StateView::Running { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_term_is_the_stored_expiry_minus_the_arrival() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    running(&world, &mut hand, 1).await;
    assert_eq!(hand.sync().await.term, Some(TERM));
    world.pass(Duration::from_secs(10)).await;
    assert_eq!(
        hand.sync().await.term,
        Some(TERM - Duration::from_secs(10)),
        "not renewed yet, so not promised"
    );
    world.pass(Duration::from_secs(15)).await;
    assert_eq!(hand.sync().await.term, Some(TERM), "a third is over, so it was renewed");
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_stopped_then_lost_and_tried_again() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    let once = RetryPolicy { losses_max: 1, ..RetryPolicy::never() };
    let options = JobOptions { timeout: Duration::from_secs(5), retry: once, ..JobOptions::default() };
    submit_with(&world.user, 1, options).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.sync().await;
    world.pass(Duration::from_secs(21)).await;
    assert_eq!(hand.sync().await.cancel[0].token, token);
    hand.next.held[0].phase = Phase::Cancelling;
    world.pass(Duration::from_secs(26)).await;
    assert_eq!(hand.sync().await.lost, [token]);
    assert_eq!(world.end_of(token.job).await.conclusion(), Some(Conclusion::Errored));
}

#[tokio::test(start_paused = true)]
async fn another_attempt_waits_for_its_backoff() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    let job = running(&world, &mut hand, 1).await;
    let token = hand.next.held[0].token;
    hand.finish(token, Outcome::TimedOut, None);
    hand.sync().await;
    hand.next.finishes.clear();
    let StateView::Scheduled { ready_at } = inspect(&world.user, job).await.state else {
        panic!("expected it to be scheduled")
    };
    let wait = ready_at.since(world.clock.wall());
    assert!(wait >= Duration::from_millis(500) && wait <= Duration::from_secs(1), "{wait:?}");
    hand.next.park_for = Duration::from_secs(20);
    let offer = hand.sync().await.offers[0].clone();
    assert_eq!((offer.token.grant, offer.attempt), (2, 2));
    assert!(
        world.clock.wall() >= ready_at && world.clock.wall().since(ready_at) < Duration::from_millis(100)
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_longer_than_it_may_expires() {
    let world = World::new().await;
    let options = JobOptions { queue_ttl: Some(Duration::from_secs(30)), ..JobOptions::default() };
    submit_with(&world.user, 1, options).await;
    let view = world.end_of(JobId::from_bytes([1; 16])).await;
    assert_eq!(view.conclusion(), Some(Conclusion::Expired));
}

#[tokio::test(start_paused = true)]
async fn a_job_for_later_is_offered_when_it_is_due() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    let at = world.clock.wall() + Duration::from_secs(7);
    submit_with(&world.user, 1, JobOptions { start_at: Some(at), ..JobOptions::default() }).await;
    hand.next.park_for = Duration::from_secs(20);
    assert_eq!(hand.sync().await.offers.len(), 1);
    assert!(world.clock.wall() >= at && world.clock.wall().since(at) < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_too_long_is_stopped_as_a_whole() {
    let world = World::new().await;
    let run = RunId::from_bytes([3; 16]);
    let options = JobOptions { run: Some(run), ..JobOptions::default() };
    let jobs = vec![submission(1, options.clone()), submission(2, options)];
    let run = Some(RunSpec { run, timeout: Some(Duration::from_secs(9)) });
    world.user.call(Request::Submit(SubmitRequest { jobs, run })).await.unwrap();
    for number in [1, 2] {
        let view = world.end_of(JobId::from_bytes([number; 16])).await;
        assert_eq!(view.conclusion(), Some(Conclusion::TimedOut));
    }
}
