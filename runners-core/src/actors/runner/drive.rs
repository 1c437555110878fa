//! One attempt from its start to its finish: execute, watch, stop in time, report. What is kept of
//! it, and told, is left to the session.

use super::{
    execution::{Execution, Outfit},
    lease::SessionLease,
    link::SessionLink,
    log::json_length,
    measures::{Measures, name_of},
    serve::Shared,
    session::{Order, Stop, StopReason},
};
use crate::{
    actors::{
        keeper::{LeaseEnd, LeaseKeeper},
        spool::{RESULT_NAME, Spool},
    },
    seams::{
        clock::sleep,
        executor::{Attempt, ErasedExecutor, Product},
        lease::Lease as _,
        observer::{Notice, Observer},
    },
    values::{
        job::DisconnectPolicy,
        outcome::Outcome,
        result::Fault,
        sync::{Finish, SyncRequest},
    },
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

/// How long a dropped executor may take until its slot is free whether it has gone or not.
const DROP_WITHIN: Duration = Duration::from_secs(5);
/// The largest result as it stands in JSON: 128 KiB.
const RESULT_JSON_BYTES_MAX: usize = 128 << 10;

type Executed = Result<Product, Fault>;

/// Drives one attempt.
pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) order: Order,
    pub(super) executor: Arc<dyn ErasedExecutor>,
    pub(super) outfit: Arc<Outfit>,
    pub(super) spool: Spool,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) measures: Measures,
    pub(super) stops: watch::Receiver<Option<Stop>>,
}

impl Driver {
    /// Executes the order and reports how it ended, unless its lease is gone.
    pub(super) async fn drive(self) {
        let span = self.measures.span_of(&self.order);
        self.drive_within(span.clone()).instrument(span).await;
    }

    async fn drive_within(mut self, span: Span) {
        let token = self.order.token;
        self.observer.observe(&Notice::AttemptStarted {
            token,
            attempt: self.order.attempt,
            kind: self.order.spec.kind.clone(),
        });
        let started = self.shared.clock.boot();
        let (outfit, observer) = (self.outfit.clone(), self.observer.clone());
        let link = SessionLink::new(self.shared.clone(), token, self.order.tenant, outfit, observer);
        let link = Arc::new(link);
        let (why, execution) = self.supervise(link.clone()).await;
        link.finish_log();
        let finish = if why == Some(StopReason::Lost) {
            finish(&link, Outcome::Lost, None).await
        } else {
            let (outcome, product) = outcome(why, execution);
            let outcome = link.redacted(outcome);
            self.observer.observe(&Notice::AttemptEnded { token, outcome: outcome.clone() });
            let mut finish = finish(&link, outcome, product).await;
            finish.log_end = self.shared.with(|session, _| session.end_log(token));
            if let Err(error) = self.spool.keep(finish.clone()).await {
                tracing::warn!(%token, %error, "a finish is told, but not kept over a crash");
            }
            finish
        };
        span.record("outcome", name_of(&finish.outcome));
        self.measures.attempted(&finish.outcome, self.shared.clock.boot().since(started));
        if !self.shared.with(|session, now| session.finish(finish, now)) {
            self.spool.forget(vec![token]).await;
        }
    }

    /// Executes until it returns, or until it has to stop and was given its grace.
    async fn supervise(&mut self, link: Arc<SessionLink>) -> (Option<StopReason>, Option<Executed>) {
        let clock = self.shared.clock.clone();
        let timeout_at = clock.boot() + self.order.spec.timeout;
        let cancelled = CancellationToken::new();
        let lease = SessionLease::new(self.shared.clone(), self.order.token);
        let attempt =
            Attempt::new(self.order.attempt, cancelled.clone(), Arc::new(lease.clone()), link.clone());
        let execution = Execution {
            order: self.order.clone(),
            executor: self.executor.clone(),
            outfit: self.outfit.clone(),
            shared: self.shared.clone(),
            link,
        };
        let mut work = JoinSet::new();
        work.spawn(execution.execute(attempt).in_current_span());
        let stop = tokio::select! {
            biased;
            execution = join(&mut work) => return (None, Some(execution)),
            stop = told(&mut self.stops) => stop,
            () = clock.sleep_until(timeout_at) => Stop { why: StopReason::TimedOut, grace: None },
            stop = untrusted(&self.shared, &self.order, &lease) => stop,
        };
        cancelled.cancel();
        self.shared.with(|session, _| session.cancelling(self.order.token));
        self.wind_down(work, stop).await
    }

    async fn wind_down(
        &mut self,
        mut work: JoinSet<Executed>,
        stop: Stop,
    ) -> (Option<StopReason>, Option<Executed>) {
        let clock = self.shared.clock.clone();
        let own = self.order.spec.grace;
        let mut why = stop.why;
        let mut deadline = clock.boot() + stop.grace.unwrap_or(own);
        loop {
            tokio::select! {
                biased;
                execution = join(&mut work) => return (Some(why), Some(execution)),
                stop = told(&mut self.stops) => {
                    why = why.max(stop.why);
                    deadline = deadline.min(clock.boot() + stop.grace.unwrap_or(own));
                }
                () = clock.sleep_until(deadline) => break,
            }
        }
        work.abort_all();
        tokio::select! {
            biased;
            _ = work.join_next() => {}
            () = sleep(&*clock, DROP_WITHIN) => {
                tracing::warn!(token = %self.order.token, "an executor blocks its thread and cannot be dropped");
            }
        }
        (Some(why), None)
    }
}

/// How an attempt ended, and what it produced. A product within the grace is kept; it decides the
/// outcome unless the job was told to stop, or took too long.
fn outcome(why: Option<StopReason>, execution: Option<Executed>) -> (Outcome, Option<Product>) {
    match (why, execution) {
        (Some(StopReason::TimedOut), execution) => (Outcome::TimedOut, execution.and_then(Result::ok)),
        (Some(StopReason::Cancelled), execution) => (Outcome::Cancelled, execution.and_then(Result::ok)),
        (_, Some(Ok(product))) => (product.verdict.into(), Some(product)),
        (None, Some(Err(fault))) => (Outcome::Errored(fault), None),
        _ => (Outcome::Lapsed, None),
    }
}

/// Puts together what is reported. A result that is too large travels as an artifact; one that
/// cannot be put is listed as missing, and the outcome stays.
async fn finish(link: &SessionLink, outcome: Outcome, product: Option<Product>) -> Finish {
    let (mut result, mut result_artifact) = (product.map(|product| product.result), None);
    let large = result.take_if(|result| {
        result.len() > SyncRequest::RESULT_BYTES_MAX || json_length(result.as_bytes()) > RESULT_JSON_BYTES_MAX
    });
    if let Some(large) = large {
        match link.put(large.as_bytes()).await {
            Ok(digest) => result_artifact = Some(digest),
            Err(error) => {
                tracing::warn!(token = %link.token(), %error, "a result could not be put");
                link.missing(RESULT_NAME);
            }
        }
    }
    Finish {
        token: link.token(),
        tenant: link.tenant(),
        outcome,
        result,
        result_artifact,
        missing: link.all_missing(),
        log_end: None,
    }
}

async fn join(work: &mut JoinSet<Executed>) -> Executed {
    match work.join_next().await {
        Some(Ok(execution)) => execution,
        Some(Err(error)) => Err(panicked(error)),
        None => std::future::pending().await,
    }
}

fn panicked(error: JoinError) -> Fault {
    let Ok(panic) = error.try_into_panic() else {
        return Fault::retryable("aborted", "the executor was aborted");
    };
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Fault::retryable("panicked", format!("the executor panicked: {text}"))
}

/// Waits until the session says to stop.
async fn told(stops: &mut watch::Receiver<Option<Stop>>) -> Stop {
    loop {
        if stops.changed().await.is_err() {
            return std::future::pending().await;
        }
        if let Some(stop) = *stops.borrow_and_update() {
            return stop;
        }
    }
}

/// Waits until the lease is lost, or untrusted for as long as the job allows.
async fn untrusted(shared: &Arc<Shared>, order: &Order, lease: &SessionLease) -> Stop {
    let clock = &*shared.clock;
    loop {
        match LeaseKeeper::new(lease, clock).keep().await {
            LeaseEnd::Lost => return Stop { why: StopReason::Lost, grace: None },
            LeaseEnd::Lapsed => {}
        }
        let DisconnectPolicy::GoOn { for_ } = order.spec.on_disconnect else {
            // What is left of the term is all there is: another attempt may start after it.
            let trust = shared.look(|session| session.lease(order.token)).unwrap_or_default().trust;
            let grace = order.spec.grace.min((trust.until + trust.margin).since(clock.boot()));
            return Stop { why: StopReason::Lapsed, grace: Some(grace) };
        };
        let give_up_at = clock.boot() + for_;
        let mut turns = shared.turns();
        while lease.trusted_until() <= clock.boot() {
            if clock.boot() >= give_up_at {
                return Stop { why: StopReason::Lapsed, grace: None };
            }
            tokio::select! {
                biased;
                () = turns.changed() => {}
                () = clock.sleep_until(give_up_at) => {}
            }
        }
    }
}
