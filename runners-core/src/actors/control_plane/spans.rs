//! The control plane's part of a job's trace: a span for each grant, and one for its end.

use super::{Plane, effects::Change};
use crate::rules::job::{JobRecord, State};
use tracing::{Span, field};

impl Plane {
    /// Leaves spans of what a commit did to a job that belongs to a trace.
    pub(super) fn trace(&self, change: &Change) {
        let Some(parent) = change.after.terms.trace else { return };
        let before = change.before.as_ref().map(|before| &before.record);
        if let Some(span) = span_of(&change.after, before) {
            self.traces.adopt(&span, &parent);
            // It has happened: the span marks when and where.
            span.in_scope(|| {});
        }
    }
}

fn span_of(job: &JobRecord, before: Option<&JobRecord>) -> Option<Span> {
    let concluded_before = before.is_some_and(|before| before.conclusion().is_some());
    let (id, pool, kind) = (job.id, job.terms.pool, job.terms.kind.as_str());
    match job.state {
        State::Offered { to, .. } if job.grant > before.map_or(0, |before| before.grant) => {
            let (attempt, runner) = (job.next_attempt(), to.runner);
            Some(tracing::info_span!("runners.grant", job = %id, %pool, kind, attempt, %runner))
        }
        State::Concluded { conclusion, .. } if !concluded_before => {
            let attempt = job.attempts.last().map_or(0, |ended| ended.number);
            let conclusion = field::debug(conclusion);
            Some(tracing::info_span!("runners.finish", job = %id, %pool, kind, attempt, conclusion))
        }
        _ => None,
    }
}
