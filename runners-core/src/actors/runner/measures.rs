//! What a runner measures where it happens, and the span that an attempt leaves in a trace.

use super::session::Order;
use crate::{
    seams::{
        metrics::{Metrics, NoMetrics, runner as instruments},
        traces::Traces,
        transport::TransportError,
    },
    values::{outcome::Outcome, reply::Reply},
};
use std::{sync::Arc, time::Duration};
use tracing::{Span, field};

/// Records what happens at one runner.
#[derive(Clone, Debug)]
pub(super) struct Measures {
    metrics: Arc<dyn Metrics>,
    traces: Arc<dyn Traces>,
}

impl Measures {
    pub(super) fn new(metrics: Arc<dyn Metrics>, traces: Arc<dyn Traces>) -> Self {
        let metrics = if metrics.is_wanted() { metrics } else { Arc::new(NoMetrics) };
        Self { metrics, traces }
    }

    /// A sync took `span`, and this came of it.
    pub(super) fn synced(&self, reply: &Result<Reply, TransportError>, span: Duration) {
        self.metrics.record(&instruments::SYNC_DURATION, span.as_secs_f64(), &[]);
        match reply {
            Ok(Reply::Refused(_)) => self.sync_failed("refused"),
            Ok(_) => {}
            Err(_) => self.sync_failed("transport"),
        }
    }

    /// A sync was given up, since nothing came of it in time.
    pub(super) fn sync_given_up(&self) {
        self.sync_failed("timeout");
    }

    fn sync_failed(&self, reason: &'static str) {
        self.metrics.record(&instruments::SYNC_FAILURES, 1.0, &[("reason", reason)]);
    }

    /// A connection to the relay was not made, or was cut.
    pub(super) fn relay_failed(&self) {
        self.metrics.record(&instruments::RELAY_FAILURES, 1.0, &[]);
    }

    /// The span of an attempt, as a part of the trace that its job carries.
    pub(super) fn span_of(&self, order: &Order) -> Span {
        let (job, pool, kind) = (order.token.job, order.spec.pool.as_str(), order.spec.kind.as_str());
        let attempt = order.attempt;
        let span = tracing::info_span!("runners.attempt", %job, pool, kind, attempt, outcome = field::Empty);
        if let Some(parent) = &order.spec.trace {
            self.traces.adopt(&span, parent);
        }
        span
    }

    /// An attempt took `span`, and ended so.
    pub(super) fn attempted(&self, outcome: &Outcome, span: Duration) {
        let outcome = name_of(outcome);
        self.metrics.record(&instruments::ATTEMPT_DURATION, span.as_secs_f64(), &[("outcome", outcome)]);
    }

    /// So many attempts are under way.
    #[expect(clippy::cast_precision_loss, reason = "there are at most two thousand")]
    pub(super) fn busy(&self, attempts: usize) {
        self.metrics.record(&instruments::SLOTS_BUSY, attempts as f64, &[]);
    }
}

/// What an outcome is called in measurements and spans.
pub(super) const fn name_of(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::Errored(_) => "errored",
        Outcome::TimedOut => "timed_out",
        Outcome::Cancelled => "cancelled",
        Outcome::Lapsed => "lapsed",
        Outcome::Lost => "lost",
    }
}
