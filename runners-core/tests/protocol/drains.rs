//! Drains with a note and a time, retirement, and removal, driven by hand in simulated time.

use super::hand::{Hand, inspect, operator, runner_principal_of, submit, submit_with, user};
use runners_core::{
    Caller, Conclusion, ControlPlane, Drain, Error, FencingToken, JobOptions, MemoryStore, Mode, Opaque,
    Outcome, Presence, RetryPolicy, RunnerId, SignalId, Transport as _,
    protocol::{
        AnswerRequest, Answered, CancelNotice, Phase, RefusalCode, Reply, Request, SignalOutcome,
        SignalRequest, StateView,
    },
    sleep,
    testing::clock::SimClock,
};
use std::time::Duration;

const RUNNER: RunnerId = RunnerId::from_bytes([1; 16]);
const TERM: Duration = Duration::from_secs(180);
const MINUTE: Duration = Duration::from_secs(60);

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

    /// The control plane is started again; the runner speaks to the new one.
    async fn restart(&mut self, hand: &mut Hand) {
        self.control.stop().await.unwrap();
        self.control = start(&self.clock, &self.store).await;
        self.user = user(&self.control);
        hand.caller = self.control.caller(runner_principal_of(1));
    }

    async fn drain(&self, note: Option<&str>, within: Option<Duration>) {
        let drain = Drain { note: note.map(str::to_owned), within };
        operator(&self.control).drain_runner(RUNNER, &drain).await.unwrap();
    }

    async fn pass(&self, span: Duration) {
        sleep(&self.clock, span).await;
    }

    async fn presence(&self) -> Presence {
        operator(&self.control).presence(&[RUNNER]).await.unwrap()[0]
    }

    /// A job that may be neither tried again nor lost, and runs at `hand`.
    async fn running(&self, hand: &mut Hand, number: u8) -> FencingToken {
        let retry = RetryPolicy { attempts_max: 1, losses_max: 0, ..RetryPolicy::default() };
        submit_with(&self.user, number, JobOptions { retry, ..JobOptions::default() }).await;
        let answer = hand.sync().await;
        let token = hand.hold(&answer)[0];
        hand.sync().await;
        token
    }
}

async fn start(clock: &SimClock, store: &MemoryStore) -> ControlPlane {
    ControlPlane::builder(store.clone()).clock(clock.clone()).term(TERM).start().await.unwrap()
}

fn is_removed(reply: &Reply) -> bool {
    matches!(reply, Reply::Refused(refused) if refused.code == RefusalCode::Removed)
}

#[tokio::test(start_paused = true)]
async fn a_drain_is_told_with_its_note_acknowledged_and_resumed() {
    let mut world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    hand.sync().await;
    world.drain(Some("new kernel"), None).await;
    world.restart(&mut hand).await;
    let answer = hand.sync().await;
    let desired = answer.desired.unwrap();
    assert_eq!((desired.mode, desired.note.as_deref()), (Mode::Drain, Some("new kernel")));
    hand.next.seen_generation = desired.generation;
    hand.next.intent = Mode::Drain;
    assert!(answer.no_more && world.presence().await.drained);
    submit(&world.user, 1).await;
    assert!(hand.sync().await.offers.is_empty());
    operator(&world.control).resume_runner(RUNNER).await.unwrap();
    hand.next.intent = Mode::Serve;
    let answer = hand.sync().await;
    assert_eq!((answer.desired.unwrap().note, answer.offers.len()), (None, 1));
}

#[tokio::test(start_paused = true)]
async fn what_runs_when_a_drain_is_over_goes_on_elsewhere_at_no_cost() {
    let mut world = World::new().await;
    let (mut hand, mut other) = (Hand::new(&world.control, 1), Hand::new(&world.control, 2));
    let token = world.running(&mut hand, 1).await;
    world.drain(None, Some(MINUTE)).await;
    world.restart(&mut hand).await;
    assert!(hand.sync().await.cancel.is_empty(), "its time is not over");
    world.pass(MINUTE + Duration::from_secs(1)).await;
    let told = hand.sync().await.cancel;
    let grace = JobOptions::default().grace;
    assert_eq!(told, [CancelNotice { token, grace, requeue: true }]);
    hand.finish(token, Outcome::Lapsed, None);
    hand.next.intent = Mode::Drain;
    assert!(hand.sync().await.no_more);

    other.caller = world.control.caller(runner_principal_of(2));
    let answer = other.sync().await;
    let again = other.hold(&answer)[0];
    assert_eq!((again.job, again.grant), (token.job, 2));
    other.finish(again, Outcome::Passed, Some("1"));
    other.sync().await;
    assert_eq!(inspect(&world.user, token.job).await.conclusion(), Some(Conclusion::Passed));
}

#[tokio::test(start_paused = true)]
async fn a_verdict_within_the_grace_of_a_drain_that_is_over_counts() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    let token = world.running(&mut hand, 1).await;
    world.drain(None, Some(MINUTE)).await;
    world.pass(MINUTE + Duration::from_secs(1)).await;
    hand.finish(token, Outcome::Passed, Some("1"));
    hand.sync().await;
    assert_eq!(inspect(&world.user, token.job).await.conclusion(), Some(Conclusion::Passed));
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_says_nothing_at_the_end_of_its_drain_costs_its_job_nothing() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    let token = world.running(&mut hand, 1).await;
    submit(&world.user, 2).await;
    assert_eq!(hand.sync().await.offers.len(), 1, "and one is only offered");
    world.drain(None, Some(Duration::from_secs(5))).await;
    world.pass(Duration::from_secs(6)).await;
    let offered = inspect(&world.user, runners_core::JobId::from_bytes([2; 16])).await;
    assert!(matches!(offered.state, StateView::Offered { .. }), "it may have been started");
    world.pass(Duration::from_secs(10)).await;
    let offered = inspect(&world.user, runners_core::JobId::from_bytes([2; 16])).await;
    assert!(matches!(offered.state, StateView::Ready { .. }) && offered.attempts.is_empty());
    world.pass(MINUTE).await;
    let view = inspect(&world.user, token.job).await;
    assert!(matches!(view.state, StateView::Running { .. }), "its lease is trusted");
    world.pass(TERM).await;
    let view = inspect(&world.user, token.job).await;
    assert!(matches!(view.state, StateView::Ready { .. }), "{view:?}");
    assert_eq!(view.attempts[0].outcome, Outcome::Lost);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_goes_before_the_end_of_a_drain() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    let token = world.running(&mut hand, 1).await;
    world.drain(None, Some(Duration::ZERO)).await;
    world.pass(Duration::from_secs(1)).await;
    world.control.local_client().cancel(token.job).await.unwrap();
    hand.finish(token, Outcome::Lapsed, None);
    hand.sync().await;
    assert_eq!(inspect(&world.user, token.job).await.conclusion(), Some(Conclusion::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn a_note_and_a_time_that_are_too_long_are_refused_by_name() {
    let world = World::new().await;
    Hand::new(&world.control, 1).sync().await;
    let long = Drain { note: Some("x".repeat(501)), within: None };
    let late = Drain { note: None, within: Some(Drain::WITHIN_MAX + Duration::from_secs(1)) };
    for (drain, field) in [(long, "note"), (late, "within")] {
        match operator(&world.control).drain_runner(RUNNER, &drain).await {
            Err(Error::Refused(refused)) => assert!(refused.detail.starts_with(field), "{refused}"),
            other => panic!("expected a refusal, got {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_retires_is_removed_once_it_holds_nothing() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    let token = world.running(&mut hand, 1).await;
    operator(&world.control).retire_runner(RUNNER, TERM * 2).await.unwrap();
    let answer = hand.sync().await;
    assert_eq!(answer.desired.unwrap().mode, Mode::Leave);
    assert!(operator(&world.control).runner(RUNNER).await.unwrap().retiring);
    hand.finish(token, Outcome::Passed, Some("1"));
    hand.next.intent = Mode::Leave;
    hand.sync().await;
    hand.next.finishes.clear();
    assert!(hand.sync().await.no_more, "it can exit");
    world.pass(Duration::from_secs(1)).await;
    assert!(is_removed(&hand.send().await), "and does not come back");
    assert_eq!(inspect(&world.user, token.job).await.conclusion(), Some(Conclusion::Passed));
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_has_drained_and_gone_is_retired_at_once() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    hand.sync().await;
    hand.next.intent = Mode::Leave;
    hand.sync().await;
    assert!(hand.sync().await.no_more);
    operator(&world.control).retire_runner(RUNNER, MINUTE).await.unwrap();
    assert!(operator(&world.control).runner(RUNNER).await.is_err(), "nothing was left of it");
    assert!(is_removed(&hand.send().await));
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_retires_and_says_nothing_is_removed_when_its_time_is_over() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    let token = world.running(&mut hand, 1).await;
    operator(&world.control).retire_runner(RUNNER, Duration::from_secs(5)).await.unwrap();
    world.pass(Duration::from_secs(8)).await;
    assert!(operator(&world.control).runner(RUNNER).await.is_ok(), "it may still be heard of");
    world.pass(TERM + MINUTE).await;
    assert!(is_removed(&hand.send().await));
    assert!(matches!(inspect(&world.user, token.job).await.state, StateView::Ready { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_is_removed_loses_its_leases_at_once_and_its_parked_call_is_told() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    submit(&world.user, 1).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.sync().await;
    let signal = SignalRequest {
        id: SignalId::from_bytes([8; 16]),
        to: RUNNER.into(),
        kind: "look".into(),
        payload: Opaque::new(&b"{}"[..]),
        expires_in: MINUTE,
    };
    world.user.call(Request::Signal(signal.clone())).await.unwrap();
    hand.sync().await;
    hand.next.held[0].phase = Phase::Running;
    hand.next.park_for = Duration::from_secs(20);
    let admin = operator(&world.control);
    let (reply, removed) = tokio::join!(hand.send(), async {
        world.pass(Duration::from_secs(1)).await;
        admin.remove_runner(RUNNER).await
    });
    removed.unwrap();
    assert!(is_removed(&reply), "{reply:?}");
    assert_eq!(inspect(&world.user, token.job).await.attempts[0].outcome, Outcome::Lost);
    let ask = AnswerRequest { signal: signal.id, park_for: Duration::ZERO };
    match world.user.call(Request::Answer(ask)).await.unwrap() {
        Reply::Answered(Answered::Outcome(SignalOutcome::Fault(fault))) => {
            assert_eq!(fault.code, "runner_removed");
        }
        other => panic!("expected an answer, got {other:?}"),
    }
    let later = SignalRequest { id: SignalId::from_bytes([9; 16]), ..signal };
    let refused = world.user.call(Request::Signal(later)).await.unwrap();
    assert!(matches!(refused, Reply::Refused(refused) if refused.code == RefusalCode::NotFound));
}
