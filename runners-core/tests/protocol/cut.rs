//! Callers that hang up, or whose time is over, while what they asked for is being written: it is written all the
//! same, and counts.

use super::{
    hand::{Hand, inspect, operator, submission, submit_with, user},
    late::Late,
    management::{admin, refusal},
    unheard::is_suspended,
};
use futures::poll;
use runners_core::{
    ControlPlane, Error, Feature, JobId, JobOptions, Kind, MemoryStore, Mode, Opaque, PoolId, PoolSpec,
    RolloutSpec, RunId, RunnerId, SignalId, SignalTarget, TenantId, Timestamp, Transport as _,
    protocol::{Acceptance, RefusalCode, Reply, Request, RunSpec, SignalRequest, StateView, SubmitRequest},
    sleep,
    testing::{
        clock::SimClock,
        random::SeededRandom,
        store::{FaultyStore, StoreFaults},
    },
};
use std::{fmt::Debug, pin::pin, task::Poll, time::Duration};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test(start_paused = true)]
async fn a_signal_whose_sender_hung_up_as_it_was_written_is_delivered_when_it_is_sent_again() {
    let store = Late::default();
    let control = store.control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.sync().await;
    hand.next.park_for = LONG;
    let mut parked = pin!(hand.sync());
    assert!(poll!(&mut parked).is_pending());
    let request = Request::Signal(SignalRequest {
        id: SignalId::from_bytes([1; 16]),
        to: SignalTarget::Runner(RunnerId::from_bytes([1; 16])),
        kind: "look".into(),
        payload: Opaque::new(&b"{}"[..]),
        expires_in: LONG,
    });
    let until = store.hold(Kind::Signal, false);
    {
        let mut sending = pin!(user.call(request.clone()));
        store.until_held(sending.as_mut()).await;
    }
    until.notify_one();
    let again = user.call(request).await.unwrap();
    assert!(matches!(again, Reply::Signalled(_)), "{again:?}");
    assert_eq!(parked.await.signals.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_is_accepted_although_the_one_that_it_waits_for_begins_meanwhile() {
    let store = Late::default();
    let control = store.control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.next.park_for = LONG;
    let mut parked = Box::pin(hand.sync());
    assert!(poll!(&mut parked).is_pending());
    let run = RunId::from_bytes([1; 16]);
    let of_run = |number: u8, after: &[u8]| {
        let after = after.iter().map(|number| JobId::from_bytes([*number; 16])).collect();
        let start_at = (number == 3).then(|| Timestamp::from_millis(u64::MAX >> 1));
        submission(number, JobOptions { run: Some(run), after, start_at, ..JobOptions::default() })
    };
    let run = Some(RunSpec { run, timeout: None });
    // The run is open: the first of the others does not change it.
    let request = SubmitRequest { jobs: vec![of_run(3, &[])], run: run.clone() };
    assert!(matches!(user.call(Request::Submit(request)).await, Ok(Reply::Submitted(_))));
    let request = SubmitRequest { jobs: vec![of_run(1, &[]), of_run(2, &[1])], run };
    let until = store.hold(Kind::Dependency, true);
    let mut submitting = pin!(user.call(Request::Submit(request)));
    store.until_held(submitting.as_mut()).await;
    // The first was offered as it was made, and is confirmed before the second is written.
    let answer = parked.await;
    hand.next.park_for = Duration::ZERO;
    hand.hold(&answer);
    hand.sync().await;
    until.notify_one();
    let Ok(Reply::Submitted(submitted)) = submitting.await else { panic!("it was not submitted") };
    let jobs: Vec<_> = submitted.jobs.into_iter().map(|one| matches!(one, Acceptance::Accepted(_))).collect();
    assert_eq!(jobs, [true, true]);
    let second = inspect(&user, JobId::from_bytes([2; 16])).await;
    assert!(matches!(second.state, StateView::Blocked { .. }), "{second:?}");
}

/// Has `asked` cut while its commit of a record of `kind` is under way, and waits for what comes of it: where the
/// commit is answered late, and where it arrives late.
async fn cut_short<T: Debug>(store: &Late, kind: Kind, before: bool, asked: impl Future<Output = T>) {
    let until = store.hold(kind, before);
    {
        let mut asked = pin!(asked);
        store.until_held(asked.as_mut()).await;
    }
    if before {
        // What is read at once is older.
        sleep(&SimClock::new(), Duration::from_secs(1)).await;
    }
    until.notify_one();
    let settled = if before { Duration::from_secs(12) } else { Duration::from_millis(1) };
    sleep(&SimClock::new(), settled).await;
}

#[tokio::test(start_paused = true)]
async fn a_tenant_is_suspended_although_the_operator_hung_up_as_it_was_written() {
    for before in [false, true] {
        let store = Late::default();
        let control = store.control().await;
        let operator = operator(&control);
        let suspending = operator.suspend_tenant(TenantId::DEFAULT, true);
        cut_short(&store, Kind::Tenant, before, suspending).await;
        assert!(is_suspended(&control).await);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_rolled_out_counts_although_the_operator_hung_up_as_it_was_written() {
    for before in [false, true] {
        let store = Late::default();
        let control = store.control().await;
        let operator = operator(&control);
        let spec = RolloutSpec { self_hosted: Some(Feature::OFF), ..RolloutSpec::default() };
        cut_short(&store, Kind::Rollout, before, operator.set_rollout(spec)).await;
        let refused = refusal(admin(&control).create_pool(PoolSpec::new("mine")).await);
        assert_eq!(refused.code, RefusalCode::Forbidden);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_is_closed_and_renamed_although_its_admin_hung_up_as_it_was_written() {
    for before in [false, true] {
        let store = Late::default();
        let control = store.control().await;
        let (user, admin, mut hand) = (user(&control), admin(&control), Hand::new(&control, 1));
        let start_at = Some(Timestamp::from_millis(u64::MAX >> 1));
        let later = || JobOptions { start_at, ..JobOptions::default() };
        assert!(matches!(submit_with(&user, 1, later()).await, Acceptance::Accepted(_)));
        hand.sync().await;
        let change = |spec: &mut PoolSpec| {
            spec.name = "other".into();
            spec.active = false;
        };
        cut_short(&store, Kind::Pool, before, admin.update_pool(PoolId::DEFAULT, change)).await;
        assert!(matches!(submit_with(&user, 2, later()).await, Acceptance::Refused(_)), "the name is free");
        let ready = JobOptions { pool: "other".into(), ..JobOptions::default() };
        assert!(matches!(submit_with(&user, 3, ready).await, Acceptance::Accepted(_)));
        assert_eq!(hand.sync().await.offers, [], "the pool is closed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_runner_drains_although_the_operator_hung_up_as_it_was_written() {
    for before in [false, true] {
        let store = Late::default();
        let control = store.control().await;
        let (operator, mut hand) = (operator(&control), Hand::new(&control, 1));
        hand.sync().await;
        hand.next.park_for = LONG;
        let mut parked = pin!(hand.sync());
        assert!(poll!(&mut parked).is_pending());
        let draining = operator.set_mode(RunnerId::from_bytes([1; 16]), Mode::Drain);
        cut_short(&store, Kind::Runner, before, draining).await;
        let Poll::Ready(answer) = poll!(&mut parked) else { panic!("it was not told") };
        assert_eq!(answer.desired.map(|desired| desired.mode), Some(Mode::Drain));
    }
}

#[tokio::test(start_paused = true)]
async fn a_runner_is_told_that_it_was_removed_although_the_operator_hung_up_as_it_was_written() {
    let store = Late::default();
    let control = store.control().await;
    let (operator, mut hand) = (operator(&control), Hand::new(&control, 1));
    hand.next.park_for = LONG;
    let mut parked = pin!(hand.send());
    assert!(poll!(&mut parked).is_pending());
    let removing = operator.remove_runner(RunnerId::from_bytes([1; 16]));
    cut_short(&store, Kind::Runner, false, removing).await;
    assert!(matches!(poll!(&mut parked), Poll::Ready(Reply::Refused(_))));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_stored_is_in_force() {
    let (clock, inner) = (SimClock::new(), MemoryStore::default());
    let faults = StoreFaults { unknown_applied: 1.0, ..StoreFaults::none() };
    let store = FaultyStore::new(inner, clock.clone(), SeededRandom::new(3), StoreFaults::none()).silent();
    let control = ControlPlane::builder(store.clone()).clock(clock.clone()).start().await.unwrap();
    store.set(faults);
    let suspended = operator(&control).suspend_tenant(TenantId::DEFAULT, true).await;
    assert!(matches!(suspended, Err(Error::Store(_))), "{suspended:?}");
    store.set(StoreFaults::none());
    sleep(&clock, Duration::from_millis(1)).await;
    assert!(is_suspended(&control).await);
}
