//! How runners end: by leaving, by being stopped, displaced or killed; and what the next start knows.

use super::*;
use crate::{actors::error::Error, values::runner::Mode};

#[tokio::test(start_paused = true)]
async fn drain_completes_when_everything_is_done_recorded_and_acknowledged() {
    let mut bench = Bench::new(Script::takes(secs(30)));
    bench.start(JobOptions::default()).await.answer(|_| {});
    let runner = bench.runner.clone();
    let plane = async {
        let (call, finish) = loop {
            let call = bench.call().await;
            if let Some(finish) = call.request.finishes.first().cloned() {
                break (call, finish);
            }
            let leaves = call.request.intent == Mode::Leave;
            call.answer(|answer| answer.no_more = leaves);
        };
        assert_eq!((call.request.intent, call.request.free), (Mode::Leave, 0));
        call.answer(|answer| {
            answer.recorded = vec![finish.token];
            answer.no_more = true;
        });
    };
    let (drained, ()) = tokio::join!(runner.drain(), plane);
    drained.unwrap();
    assert_eq!(runner.snapshot().exit, Some(ExitReason::Left));
}

#[tokio::test(start_paused = true)]
async fn a_runner_goes_on_without_its_handles() {
    let mut bench = Bench::new(Script::passes());
    let (other, _) = tokio::sync::watch::channel(None);
    let spare = Runner { exit: other.subscribe(), ..bench.runner.clone() };
    bench.runner = spare;
    bench.start(JobOptions::default()).await.answer(|_| {});
    assert_eq!(bench.finished().await.1.outcome, Outcome::Passed);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_runner_gives_grace_and_keeps_what_it_could_not_tell() {
    let mut bench = Bench::new(Script { on_cancel: OnCancel::Finish(secs(2)), ..Script::takes(secs(1000)) });
    bench.start(JobOptions::default()).await.answer(|_| {});
    let started = bench.clock.boot();
    assert_eq!(bench.runner.stop(secs(5)).await, ExitReason::Stopped);
    assert!(bench.clock.boot().since(started) <= secs(8));
    let kept = bench.spool.finishes();
    assert_eq!(kept[0].outcome, Outcome::Passed, "it is not the job that was cancelled");
    assert!(matches!(bench.runner.drain().await, Err(Error::Exited(ExitReason::Stopped))));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_return_when_a_runner_stops_is_tried_again_elsewhere() {
    let mut bench = Bench::new(Script { on_cancel: OnCancel::GoOn, ..Script::takes(secs(1000)) });
    bench.start(JobOptions::default()).await.answer(|_| {});
    assert_eq!(bench.runner.stop(secs(5)).await, ExitReason::Stopped);
    assert_eq!(bench.spool.finishes()[0].outcome, Outcome::Lapsed);
    assert!(bench.execution().ended.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_displaced_runner_stops_its_work_and_ends() {
    let mut bench = Bench::new(Script::takes(secs(1000)));
    let call = bench.start(JobOptions::default()).await;
    call.reply(Reply::Displaced);
    assert_eq!(bench.runner.stopped().await, ExitReason::Displaced);
    assert!(bench.execution().ended.is_some());
    assert_eq!(bench.spool.finishes()[0].outcome, Outcome::Lapsed);
}

#[tokio::test(start_paused = true)]
async fn a_killed_runner_drops_everything_and_the_next_start_tells_what_is_in_the_spool() {
    let spool = Spool::memory();
    let mut bench = Bench::with(Script::passes(), spool.clone(), |builder| builder);
    let first = bench.start(JobOptions::default()).await;
    let (call, finish) = if first.request.finishes.is_empty() {
        bench.finished().await
    } else {
        let finish = first.request.finishes[0].clone();
        (first, finish)
    };
    bench.runner.kill();
    assert_eq!(bench.runner.stopped().await, ExitReason::Killed);
    let before = call.request.incarnation;
    let mut next = Bench::with(Script::passes(), spool, |builder| builder);
    let call = next.call().await;
    assert_eq!(call.request.finishes, [finish]);
    assert!(call.request.incarnation > before, "a later start is larger");
    assert_eq!((call.request.seq, call.request.held.len(), call.request.free), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_killed_runner_drops_what_it_executes() {
    let mut bench = Bench::new(Script { on_cancel: OnCancel::GoOn, ..Script::takes(secs(1000)) });
    bench.start(JobOptions::default()).await.answer(|_| {});
    bench.call().await;
    bench.runner.kill();
    assert_eq!(bench.runner.stopped().await, ExitReason::Killed);
    tokio::task::yield_now().await;
    assert!(bench.execution().ended.is_some());
    assert!(bench.spool.finishes().is_empty());
}

#[tokio::test]
async fn a_runner_can_have_a_thread_of_its_own() {
    let (to_test, mut calls) = mpsc::unbounded_channel();
    let runner = Runner::builder(ToTest { calls: to_test, farewells: mpsc::unbounded_channel().0 })
        .start_on_own_thread()
        .unwrap();
    let leaving = runner.drain();
    let plane = async {
        loop {
            let call = calls.recv().await.unwrap();
            let leaves = call.request.intent == Mode::Leave;
            call.answer(|answer| answer.no_more = leaves);
            if leaves {
                return;
            }
        }
    };
    let (left, ()) = tokio::join!(leaving, plane);
    left.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_tells_how_the_runner_is() {
    let mut bench = Bench::new(Script::takes(secs(30)));
    assert!(!bench.runner.snapshot().connected);
    bench.start(JobOptions::default()).await.answer(|_| {});
    let call = bench.call().await;
    let snapshot = bench.runner.snapshot();
    assert_eq!((snapshot.connected, snapshot.held, snapshot.free), (true, vec![token()], 0));
    drop(call);
    bench.call().await;
    let snapshot = bench.runner.snapshot();
    assert!(!snapshot.connected);
    assert!(snapshot.last_error.unwrap().contains("the test has gone"));
}
