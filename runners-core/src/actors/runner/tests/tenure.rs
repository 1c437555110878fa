//! Runners that leave by their own account: after one job, or after they had nothing to do.

use super::*;
use crate::values::{
    reply::{RefusalCode, Refused},
    runner::{Desired, Mode},
};

fn single_use(spool: Spool) -> Bench {
    Bench::with(Script::takes(secs(30)), spool, |builder| builder.slots(4).single_use())
}

/// Answers until the runner has told its finish and heard that no more comes.
async fn see_off(bench: &mut Bench) {
    let (call, finish) = bench.finished().await;
    assert_eq!((call.request.intent, call.request.free), (Mode::Leave, 0));
    call.answer(|answer| {
        answer.recorded = vec![finish.token];
        answer.no_more = true;
    });
}

async fn farewell(bench: &mut Bench) -> Farewell {
    bench.farewells.recv().await.expect("the runner deregisters")
}

#[tokio::test(start_paused = true)]
async fn a_single_use_runner_takes_one_job_deregisters_itself_and_is_over() {
    let mut bench = single_use(Spool::memory());
    let call = bench.call().await;
    assert_eq!(call.request.free, 1);
    let second = Offer { token: FencingToken { grant: 2, ..token() }, ..offer(JobOptions::default()) };
    call.answer(|answer| answer.offers = vec![offer(JobOptions::default()), second]);
    let call = bench.call().await;
    assert_eq!((call.request.intent, call.request.held.len()), (Mode::Leave, 1));
    assert_eq!(call.request.declined.len(), 1, "one job is all it takes");
    bench.runner.resume();
    call.answer(|_| {});
    see_off(&mut bench).await;
    farewell(&mut bench).await.send(Ok(Reply::Deregistered)).unwrap();
    assert_eq!(bench.runner.stopped().await, ExitReason::Deregistered);
    assert!(!bench.spool.was_used(), "whoever enrols anew may use it again");
}

#[tokio::test(start_paused = true)]
async fn a_single_use_runner_that_crashed_takes_no_second_job() {
    let spool = Spool::memory();
    let mut bench = single_use(spool.clone());
    bench.start(JobOptions::default()).await.answer(|_| {});
    bench.call().await;
    bench.runner.kill();
    assert_eq!(bench.runner.stopped().await, ExitReason::Killed);
    let mut bench = single_use(spool);
    let call = bench.call().await;
    assert_eq!((call.request.intent, call.request.free), (Mode::Leave, 0));
    call.answer(|answer| answer.no_more = true);
    farewell(&mut bench).await.send(Ok(Reply::Deregistered)).unwrap();
    assert_eq!(bench.runner.stopped().await, ExitReason::Deregistered);
}

#[tokio::test(start_paused = true)]
async fn deregistering_is_tried_again_until_it_is_known() {
    let gone = || Refused::new(RefusalCode::Removed, "it was removed");
    for last in [
        Ok(Reply::Deregistered),
        Ok(Reply::Refused(gone())),
        Err(TransportError::Unauthorized("unknown credential".into())),
    ] {
        let mut bench = single_use(Spool::memory());
        bench.start(JobOptions::default()).await.answer(|_| {});
        see_off(&mut bench).await;
        drop(farewell(&mut bench).await);
        farewell(&mut bench).await.send(last).unwrap();
        assert_eq!(bench.runner.stopped().await, ExitReason::Deregistered);
    }
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_cannot_deregister_itself_says_so_and_stays_used() {
    let mut bench = single_use(Spool::memory());
    bench.start(JobOptions::default()).await.answer(|_| {});
    see_off(&mut bench).await;
    let runner = bench.runner.clone();
    let (mut tries, mut held) = (0, Vec::new());
    let reason = loop {
        tokio::select! {
            reason = runner.stopped() => break reason,
            Some(farewell) = bench.farewells.recv() => {
                tries += 1;
                held.push(farewell);
            }
        }
    };
    assert_eq!((reason, tries), (ExitReason::Left, 5));
    assert!(bench.spool.was_used());
}

fn idle(script: Script) -> Bench {
    Bench::with(script, Spool::memory(), |builder| builder.idle_exit(secs(600)))
}

#[tokio::test(start_paused = true)]
async fn an_idle_runner_leaves_when_its_span_is_over_and_stays_registered() {
    let mut bench = idle(Script::passes());
    let began = bench.clock.boot();
    bench.call().await.answer(|_| {});
    let parked = bench.call().await;
    assert_eq!(parked.request.intent, Mode::Serve);
    let call = bench.call_with(Mode::Leave).await;
    assert_eq!(bench.clock.boot().since(began), secs(600));
    call.answer(|answer| answer.no_more = true);
    assert_eq!(bench.runner.stopped().await, ExitReason::Left);
    assert!(bench.farewells.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_runner_is_not_idle_while_it_executes_or_is_drained() {
    let mut bench = idle(Script::takes(secs(200)));
    bench.start(JobOptions { timeout: secs(3600), ..JobOptions::default() }).await.answer(|_| {});
    let (call, finish) = bench.finished().await;
    let ended = bench.clock.boot();
    call.answer(|answer| answer.recorded = vec![finish.token]);
    let drain = Desired { generation: 1, mode: Mode::Drain, ..Desired::default() };
    bench.call().await.answer(|answer| answer.desired = Some(drain));
    while bench.clock.boot().since(ended) < secs(2000) {
        let call = bench.call().await;
        assert_ne!(call.request.intent, Mode::Leave);
        sleep(&bench.clock, secs(20)).await;
        call.answer(|_| {});
    }
    let resumed = bench.clock.boot();
    let serve = Desired { generation: 2, mode: Mode::Serve, ..Desired::default() };
    bench.call().await.answer(|answer| answer.desired = Some(serve));
    drop(bench.call_with(Mode::Leave).await);
    assert_eq!(bench.clock.boot().since(resumed), secs(600));
}

#[tokio::test(start_paused = true)]
async fn a_runner_can_be_looked_at_while_its_facts_are_changed() {
    let mut bench = Bench::new(Script::passes());
    bench.call().await.answer(|_| {});
    bench.runner.change_facts(|facts| {
        facts.slots += bench.runner.snapshot().slots;
        facts.labels.insert("looked".to_owned());
    });
    let facts = loop {
        let call = bench.call().await;
        if let Some(facts) = call.request.facts.clone() {
            break facts;
        }
        call.answer(|answer| answer.send_facts = true);
    };
    assert!(facts.labels.contains("looked") && facts.slots == bench.runner.snapshot().slots);
}
