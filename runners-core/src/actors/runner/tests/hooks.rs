//! What a host has its runner do at its start, before each job, and at its end.

use super::*;
use crate::values::result::Fault;
use std::sync::{Mutex, PoisonError};

/// What the hooks were told, in order.
type Told = Arc<Mutex<Vec<String>>>;

fn note(told: &Told, text: impl Into<String>) {
    told.lock().unwrap_or_else(PoisonError::into_inner).push(text.into());
}

fn notes(told: &Told) -> Vec<String> {
    told.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[tokio::test(start_paused = true)]
async fn hooks_are_called_at_the_start_before_each_job_and_at_the_end() {
    let told = Told::default();
    let (started, job, stopped) = (told.clone(), told.clone(), told.clone());
    let mut bench = Bench::with(Script::passes(), Spool::memory(), |builder| {
        builder
            .on_start(move || {
                note(&started, "start");
                async { Ok(()) }
            })
            .on_job(move |spec| {
                note(&job, format!("job {}", spec.kind));
                async { Ok(()) }
            })
            .on_stop(move |reason| {
                note(&stopped, format!("stop: {reason}"));
                async { Err("nobody listens".into()) }
            })
    });
    let call = bench.call().await;
    assert_eq!(notes(&told), ["start"]);
    call.answer(|answer| answer.offers = vec![offer(JobOptions::default())]);
    let (call, finish) = bench.finished().await;
    assert_eq!(finish.outcome, Outcome::Passed);
    call.answer(|answer| answer.recorded = vec![token()]);
    assert_eq!(bench.runner.stop(secs(1)).await, ExitReason::Stopped);
    assert_eq!(notes(&told), ["start", "job scripted", "stop: it was stopped"]);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_panics_or_takes_too_long_is_none() {
    let stopped = Told::default();
    for (how, problem) in [
        (0, "on_start failed: the disk is not mounted"),
        (1, "on_start panicked"),
        (2, "on_start took longer than 60 seconds"),
    ] {
        let told = stopped.clone();
        let mut bench = Bench::with(Script::passes(), Spool::memory(), |builder| {
            let builder = builder.on_stop(move |_| {
                note(&told, "stop");
                async { Ok(()) }
            });
            builder.on_start(move || async move {
                match how {
                    0 => Err("the disk is not mounted".into()),
                    1 => panic!("as it is told to"),
                    _ => std::future::pending().await,
                }
            })
        });
        let problem = problem.to_owned();
        assert_eq!(bench.runner.stopped().await, ExitReason::Unstarted { problem });
        assert!(bench.calls.try_recv().is_err(), "nothing was said");
    }
    assert!(notes(&stopped).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_fault_before_a_job_is_the_attempts_and_its_executor_is_not_called() {
    let fault = Fault::retryable("no_display", "the display is not there yet");
    let told = fault.clone();
    let mut bench = Bench::with(Script::passes(), Spool::memory(), |builder| {
        builder.on_job(move |_| {
            let told = told.clone();
            async { Err(told) }
        })
    });
    bench.call().await.answer(|answer| answer.offers = vec![offer(JobOptions::default())]);
    assert_eq!(bench.finished().await.1.outcome, Outcome::Errored(fault));
    assert!(bench.executor.executions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_hook_before_a_job_takes_the_attempts_own_time() {
    let mut bench =
        Bench::with(Script::passes(), Spool::memory(), |builder| builder.on_job(|_| std::future::pending()));
    bench.start(JobOptions { timeout: secs(60), ..JobOptions::default() }).await.answer(|_| {});
    assert_eq!(bench.finished().await.1.outcome, Outcome::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn a_hook_at_the_end_does_not_hold_the_end_up_for_ever() {
    let bench =
        Bench::with(Script::passes(), Spool::memory(), |builder| builder.on_stop(|_| std::future::pending()));
    let began = bench.clock.boot();
    assert_eq!(bench.runner.stop(secs(1)).await, ExitReason::Stopped);
    assert!(bench.clock.boot().since(began) <= secs(40));
}
