//! The seam of traces: joins spans of this process with a trace that other machines take part in.
//!
//! The spans themselves are those of the `tracing` crate. What a job carries is a [`TraceParent`];
//! how a span comes to have one is the business of whoever collects spans.

use crate::values::trace::TraceParent;
use std::{fmt::Debug, sync::Arc};
use tracing::Span;

/// Reads and sets the trace that a span belongs to.
pub trait Traces: Debug + Send + Sync + 'static {
    /// What follows from `span` elsewhere has this parent; `None` if nobody collects it.
    fn parent_of(&self, span: &Span) -> Option<TraceParent>;

    /// Makes `span`, which was just made and not entered yet, follow from `parent`.
    fn adopt(&self, span: &Span, parent: &TraceParent);
}

impl<T: Traces + ?Sized> Traces for Arc<T> {
    fn parent_of(&self, span: &Span) -> Option<TraceParent> {
        (**self).parent_of(span)
    }
    fn adopt(&self, span: &Span, parent: &TraceParent) {
        (**self).adopt(span, parent);
    }
}

/// Knows of no traces.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NoTraces;

impl Traces for NoTraces {
    fn parent_of(&self, _span: &Span) -> Option<TraceParent> {
        None
    }
    fn adopt(&self, _span: &Span, _parent: &TraceParent) {}
}
