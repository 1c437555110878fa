//! How attempts end: by themselves, by their timeout, and when they are told to stop.

use super::*;
use crate::values::{
    result::Fault,
    sync::{CancelNotice, Phase},
};

#[tokio::test(start_paused = true)]
async fn an_offer_is_executed_and_its_result_told_until_it_is_recorded() {
    let mut bench = Bench::new(Script::takes(secs(30)));
    bench.start(JobOptions::default()).await.answer(|_| {});
    let (call, finish) = bench.finished().await;
    assert_eq!(finish.outcome, Outcome::Passed);
    assert_eq!(finish.result, Some(Opaque::new(&b"[1,2]"[..])));
    assert_eq!(bench.spool.finishes(), std::slice::from_ref(&finish));
    drop(call);
    let call = bench.call().await;
    assert_eq!(call.request.finishes, [finish]);
    call.answer(|answer| answer.recorded = vec![token()]);
    let call = bench.call().await;
    assert_eq!((call.request.finishes.len(), call.request.free), (0, 1));
    assert!(bench.spool.finishes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_an_executor_says_decides_the_outcome() {
    let fault = Fault::permanent("broken", "it is");
    for (ends, outcome) in [
        (Ending::Verdict(Verdict::Failed), Outcome::Failed),
        (Ending::Fault(fault.clone()), Outcome::Errored(fault)),
        (
            Ending::Panic,
            Outcome::Errored(Fault::retryable("panicked", "the executor panicked: the script says so")),
        ),
    ] {
        let mut bench = Bench::new(Script { takes: secs(1), ..Script::ends(ends) });
        bench.start(JobOptions::default()).await.answer(|_| {});
        assert_eq!(bench.finished().await.1.outcome, outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_not_the_submitted_one_is_a_fault_and_is_not_executed() {
    let mut bench = Bench::new(Script::passes());
    let call = bench.call().await;
    let forged = Offer { payload: Some(Opaque::new(&b"[6,6]"[..])), ..offer(JobOptions::default()) };
    call.answer(|answer| answer.offers = vec![forged]);
    let (_, finish) = bench.finished().await;
    assert!(
        matches!(finish.outcome, Outcome::Errored(fault) if fault.code == "digest_mismatch" && !fault.retryable)
    );
    assert!(bench.executor.executions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_timeout_counts_from_the_start_and_gives_the_grace() {
    let mut bench = Bench::new(Script { on_cancel: OnCancel::GoOn, ..Script::takes(secs(1000)) });
    let options = JobOptions { timeout: secs(60), grace: secs(10), ..JobOptions::default() };
    bench.start(options).await.answer(|_| {});
    let (_, finish) = bench.finished().await;
    assert_eq!((finish.outcome, finish.result), (Outcome::TimedOut, None));
    let execution = bench.execution();
    assert_eq!(execution.told.unwrap().since(execution.began), secs(60));
    assert_eq!(execution.ended.unwrap().since(execution.began), secs(70));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_attempt_says_so_and_what_it_returns_within_the_grace_is_kept() {
    let mut bench = Bench::new(Script { on_cancel: OnCancel::Finish(secs(3)), ..Script::takes(secs(100)) });
    let call = bench.start(JobOptions::default()).await;
    call.answer(|answer| {
        answer.cancel = vec![CancelNotice { token: token(), grace: secs(10), requeue: false }];
    });
    let call = bench.call().await;
    assert_eq!(call.request.held[0].phase, Phase::Cancelling);
    let (_, finish) = bench.finished().await;
    assert_eq!((finish.outcome, finish.result.is_some()), (Outcome::Cancelled, true));
    drop(call);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_attempt_that_is_deaf_is_dropped_after_the_grace() {
    let mut bench = Bench::new(Script { on_cancel: OnCancel::GoOn, ..Script::takes(secs(1000)) });
    let call = bench.start(JobOptions::default()).await;
    call.answer(|answer| {
        answer.cancel = vec![CancelNotice { token: token(), grace: secs(4), requeue: false }];
    });
    let (_, finish) = bench.finished().await;
    assert_eq!((finish.outcome, finish.result), (Outcome::Cancelled, None));
    let execution = bench.execution();
    assert_eq!(execution.ended.unwrap().since(execution.told.unwrap()), secs(4));
}

#[tokio::test(start_paused = true)]
async fn a_lost_attempt_is_stopped_and_tells_nothing() {
    let mut bench = Bench::new(Script { on_cancel: OnCancel::Finish(secs(1)), ..Script::takes(secs(1000)) });
    let call = bench.start(JobOptions::default()).await;
    call.answer(|answer| {
        answer.term = None;
        answer.lost = vec![token()];
    });
    let call = bench.call().await;
    assert!(call.request.held.is_empty());
    let next = bench.call().await;
    assert!(next.request.finishes.is_empty());
    assert_eq!(next.request.free, 1);
    assert!(bench.execution().ended.is_some());
    assert!(bench.spool.finishes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn logs_and_progress_travel_while_an_attempt_runs() {
    let script = Script { logs: "hello".to_owned(), ..Script::takes(secs(5)) };
    let mut bench = Bench::new(script);
    let call = bench.start(JobOptions::default()).await;
    let first = call.request.log_tails.clone();
    call.answer(|_| {});
    let call = bench.call().await;
    let tails = [first, call.request.log_tails.clone()].concat();
    assert_eq!(tails[0].bytes.as_bytes(), &b"hello"[..]);
}
