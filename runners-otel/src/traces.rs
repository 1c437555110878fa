//! The bridge between spans of `tracing` and the trace that a job carries.

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use runners_core::traces::{TraceParent, Traces};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Reads and sets the trace that a span belongs to, where a
/// [`layer`](crate::Telemetry::layer) is in the subscriber; elsewhere it carries nothing.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct OtelTraces;

impl Traces for OtelTraces {
    fn parent_of(&self, span: &Span) -> Option<TraceParent> {
        let context = span.context();
        let current = context.span().span_context().clone();
        if !current.is_valid() {
            return None;
        }
        let (trace, span) = (current.trace_id().to_bytes(), current.span_id().to_bytes());
        TraceParent::new(trace, span, current.trace_flags().to_u8())
    }

    fn adopt(&self, span: &Span, parent: &TraceParent) {
        let trace = TraceId::from_bytes(parent.trace());
        let id = SpanId::from_bytes(parent.span());
        let flags = TraceFlags::new(parent.flags());
        let remote = SpanContext::new(trace, id, flags, true, TraceState::default());
        let context = opentelemetry::Context::new().with_remote_span_context(remote);
        // A span that nobody looks at has no parent to set.
        let _ = span.set_parent(context);
    }
}
