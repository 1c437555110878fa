//! Trust: when it lapses, and the lease that an attempt is given.

use super::*;
use crate::{
    seams::lease::{Lease, LeaseError},
    testing::lease_suite::LeaseBench,
    values::{job::DisconnectPolicy, time::BootTime},
};
use std::sync::atomic::{AtomicBool, Ordering};

/// Reads requests and never answers, until a finish comes.
async fn silence(bench: &mut Bench) -> (Finish, BootTime) {
    let mut unanswered = Vec::new();
    loop {
        let call = bench.call().await;
        if let Some(finish) = call.request.finishes.first() {
            return (finish.clone(), bench.clock.boot());
        }
        unanswered.push(call);
    }
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_is_never_confirmed_is_stopped_when_its_trust_lapses() {
    let mut bench = Bench::new(Script { on_cancel: OnCancel::GoOn, ..Script::takes(secs(1000)) });
    let call = bench.call().await;
    let asked = bench.clock.boot();
    sleep(&bench.clock, secs(3)).await;
    call.answer(|answer| answer.offers = vec![offer(JobOptions::default())]);
    let (finish, _) = silence(&mut bench).await;
    assert_eq!(finish.outcome, Outcome::Lapsed);
    let execution = bench.execution();
    assert_eq!(execution.told.unwrap().since(asked), secs(13), "counted from the ask");
    assert_eq!(execution.ended.unwrap().since(asked), secs(15), "gone when another may start");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_renewed_is_stopped_when_its_trust_lapses() {
    let mut bench = Bench::new(Script { on_cancel: OnCancel::GoOn, ..Script::takes(secs(1000)) });
    let call = bench.start(JobOptions::default()).await;
    let asked = bench.clock.boot();
    call.answer(|_| {});
    let (finish, _) = silence(&mut bench).await;
    assert_eq!(finish.outcome, Outcome::Lapsed);
    let execution = bench.execution();
    assert_eq!(execution.told.unwrap().since(asked), secs(162));
    assert_eq!(execution.ended.unwrap().since(asked), secs(172), "within the margin of 18 s");
}

#[tokio::test(start_paused = true)]
async fn answers_keep_an_attempt_running_over_many_terms() {
    let mut bench = Bench::new(Script::takes(secs(3000)));
    let options = JobOptions { timeout: secs(4000), ..JobOptions::default() };
    bench.start(options).await.answer(|_| {});
    loop {
        let call = bench.call().await;
        if let Some(finish) = call.request.finishes.first() {
            assert_eq!(finish.outcome, Outcome::Passed);
            return;
        }
        sleep(&bench.clock, call.request.park_for).await;
        call.answer(|_| {});
    }
}

#[tokio::test(start_paused = true)]
async fn work_that_may_go_on_does_so_for_as_long_as_it_may() {
    let on_disconnect = DisconnectPolicy::GoOn { for_: secs(100) };
    let options = JobOptions { on_disconnect, timeout: secs(2000), ..JobOptions::default() };
    let mut bench = Bench::new(Script::takes(secs(200)));
    bench.start(options.clone()).await.answer(|_| {});
    assert_eq!(silence(&mut bench).await.0.outcome, Outcome::Passed);
    let mut bench = Bench::new(Script::takes(secs(1000)));
    bench.start(options).await.answer(|_| {});
    assert_eq!(silence(&mut bench).await.0.outcome, Outcome::Lapsed);
    let execution = bench.execution();
    assert_eq!(execution.told.unwrap().since(execution.began), secs(262));
}

/// Starts work that may go on, and leaves it without an answer until its trust has lapsed.
async fn going_on(takes: u64) -> (Bench, Call) {
    let on_disconnect = DisconnectPolicy::GoOn { for_: secs(100) };
    let options = JobOptions { on_disconnect, timeout: secs(2000), ..JobOptions::default() };
    let mut bench = Bench::new(Script::takes(secs(takes)));
    let began = bench.clock.boot();
    bench.start(options).await.answer(|_| {});
    let mut unanswered = Vec::new();
    loop {
        let call = bench.call().await;
        assert!(call.request.finishes.is_empty());
        if bench.clock.boot().since(began) > secs(200) {
            return (bench, call);
        }
        unanswered.push(call);
    }
}

#[tokio::test(start_paused = true)]
async fn work_that_went_on_is_trusted_again_if_it_is_still_ours() {
    let (mut bench, call) = going_on(400).await;
    call.answer(|_| {});
    assert_eq!(bench.finished().await.1.outcome, Outcome::Passed);
    let execution = bench.execution();
    assert_eq!(execution.told, None, "the time it may go on for counts anew from the next lapse");
    assert_eq!(execution.ended.unwrap().since(execution.began), secs(400));
}

#[tokio::test(start_paused = true)]
async fn work_that_went_on_stops_and_tells_nothing_if_it_is_no_longer_ours() {
    let (mut bench, call) = going_on(400).await;
    call.answer(|answer| {
        answer.term = None;
        answer.lost = vec![token()];
    });
    let call = bench.call().await;
    assert!(call.request.held.is_empty() && call.request.finishes.is_empty());
    assert!(bench.execution().told.is_some());
    assert!(bench.spool.finishes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_was_suspended_over_the_term_stops_the_work() {
    let mut bench = Bench::new(Script { on_cancel: OnCancel::GoOn, ..Script::takes(secs(10_000)) });
    let options = JobOptions { timeout: secs(20_000), ..JobOptions::default() };
    bench.start(options).await.answer(|_| {});
    let _parked = bench.call().await;
    bench.clock.suspend(secs(1000));
    let (finish, at) = silence(&mut bench).await;
    assert_eq!(finish.outcome, Outcome::Lapsed);
    let execution = bench.execution();
    assert!(at.since(execution.began) <= secs(1012), "{:?}", at.since(execution.began));
    assert!(execution.ended.unwrap().since(execution.began) <= secs(1010), "nothing is left of the term");
}

/// The lease of an attempt, kept by a test.
#[derive(Debug)]
struct OfAttempt(crate::Attempt);

#[async_trait]
impl Lease for OfAttempt {
    fn token(&self) -> FencingToken {
        self.0.lease().token()
    }
    fn trusted_until(&self) -> BootTime {
        self.0.lease().trusted_until()
    }
    async fn renew(&self) -> Result<BootTime, LeaseError> {
        self.0.lease().renew().await
    }
    async fn release(&self) -> Result<(), LeaseError> {
        self.0.lease().release().await
    }
}

/// A control plane with one job, which it offers first of all.
#[derive(Debug)]
struct OneJob {
    clock: SimClock,
    offered: AtomicBool,
    reachable: AtomicBool,
    revoked: AtomicBool,
    changed: tokio::sync::Notify,
}

#[async_trait]
impl Transport for OneJob {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        let Request::Sync(request) = request else { return Err(TransportError::Unreachable("no".into())) };
        if !self.reachable.load(Ordering::SeqCst) {
            return Err(TransportError::Unreachable("cut".into()));
        }
        let (reply_to, reply) = oneshot::channel();
        let call = Call { request: *request, reply_to };
        let told = call.request.finishes.iter().map(|finish| finish.token);
        let recorded: Vec<_> =
            told.chain(call.request.declined.iter().map(|declined| declined.token)).collect();
        let first = !self.offered.swap(true, Ordering::SeqCst);
        if recorded.is_empty() && !first && call.request.seq > 2 && !self.revoked.load(Ordering::SeqCst) {
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = sleep(&self.clock, secs(5)) => {}
            }
        }
        if !self.reachable.load(Ordering::SeqCst) {
            return Err(TransportError::Unreachable("cut".into()));
        }
        let revoked = self.revoked.load(Ordering::SeqCst) && !call.request.held.is_empty();
        call.answer(|answer| {
            answer.recorded = recorded;
            answer.offers = if first { vec![offer(JobOptions::default())] } else { Vec::new() };
            answer.lost = if revoked { vec![token()] } else { Vec::new() };
        });
        reply.await.expect("it was answered")
    }
}

async fn session_lease() -> LeaseBench {
    let clock = SimClock::new();
    let plane = Arc::new(OneJob {
        clock: clock.clone(),
        offered: AtomicBool::new(false),
        reachable: AtomicBool::new(true),
        revoked: AtomicBool::new(false),
        changed: tokio::sync::Notify::new(),
    });
    let (to_test, mut attempts) = mpsc::unbounded_channel();
    let runner = Runner::builder(plane.clone())
        .named("scripted", Given(to_test))
        .clock(clock.clone())
        .random(SeededRandom::new(1))
        .start();
    let attempt: crate::Attempt = attempts.recv().await.expect("it is offered");
    while attempt.lease().trusted_until() < clock.boot() + secs(100) {
        sleep(&clock, Duration::from_millis(1)).await;
    }
    let (reached, revoked) = (plane.clone(), plane);
    LeaseBench {
        lease: Arc::new(OfAttempt(attempt)),
        clock,
        term: TERM,
        reach: Box::new(move |reach| {
            reached.reachable.store(reach, Ordering::SeqCst);
            reached.changed.notify_waiters();
        }),
        revoke: Box::new(move || {
            revoked.revoked.store(true, Ordering::SeqCst);
            revoked.changed.notify_waiters();
        }),
        alive: Box::new(runner),
    }
}

/// Gives its attempt to the test, and never returns.
struct Given(mpsc::UnboundedSender<crate::Attempt>);

#[async_trait]
impl crate::ErasedExecutor for Given {
    async fn execute(
        &self,
        _payload: bytes::Bytes,
        attempt: crate::Attempt,
    ) -> Result<crate::Product, crate::Fault> {
        drop(self.0.send(attempt));
        std::future::pending().await
    }
}

crate::lease_suite!(session_lease);

#[tokio::test(start_paused = true)]
async fn a_renewal_waits_for_a_request_that_was_sent_after_it_was_asked_for() {
    let (to_test, mut attempts) = mpsc::unbounded_channel();
    let mut bench =
        Bench::with(Script::passes(), Spool::memory(), |builder| builder.named("given", Given(to_test)));
    let call = bench.call().await;
    let spec = JobSpec::new(token().job, "given", b"[1,2]", JobOptions::default());
    let spec = serde_json::to_vec(&spec).unwrap().into();
    call.answer(|answer| answer.offers = vec![Offer { spec, ..offer(JobOptions::default()) }]);
    bench.call().await.answer(|_| {});
    let attempt = attempts.recv().await.unwrap();
    let parked = bench.call().await;
    sleep(&bench.clock, secs(1)).await;
    let renewal = attempt.lease().renew();
    let plane = async {
        let later = bench.call().await;
        parked.answer(|_| {});
        sleep(&bench.clock, secs(1)).await;
        later.answer(|_| {});
        bench.clock.boot()
    };
    let (until, answered) = tokio::join!(renewal, plane);
    assert_eq!(until, Ok(answered - secs(1) + secs(162)), "by the later request");
}
