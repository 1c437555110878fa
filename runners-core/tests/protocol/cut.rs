//! Callers that hang up, or whose time is over, while what they asked for is being written: it is written all the
//! same, and counts.

use super::{
    hand::{Hand, inspect, submission, user},
    late::Late,
};
use futures::poll;
use runners_core::{
    JobId, JobOptions, Kind, Opaque, RunId, RunnerId, SignalId, SignalTarget, Timestamp, Transport as _,
    protocol::{Acceptance, Reply, Request, RunSpec, SignalRequest, StateView, SubmitRequest},
};
use std::{pin::pin, time::Duration};

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
