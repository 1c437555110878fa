//! Who watches a replay: what it is told, and what it is given to keep.

use crate::{flow::Step, result::StepResult};
use async_trait::async_trait;
use bytes::Bytes;

/// Watches a replay. Every method does nothing unless it is implemented; `()` watches nothing.
#[async_trait]
pub trait FlowObserver: Send + Sync {
    /// A step starts; `index` counts from 0.
    fn step_started(&self, index: usize, total: usize, step: &Step) {
        let _ = (index, total, step);
    }

    /// A step ended. It is not called for steps that were not run.
    fn step_ended(&self, result: &StepResult) {
        let _ = result;
    }

    /// Something is worth keeping. The replay waits until it is kept; a failure to keep it does
    /// not change the verdict.
    ///
    /// # Cancel safety
    /// The future is dropped if the flow is cancelled.
    async fn evidence(&self, evidence: Evidence) {
        let _ = evidence;
    }
}

impl FlowObserver for () {}

/// Named bytes that a flow leaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Evidence {
    /// A relative path, such as `steps/03-failed.png`.
    pub name: String,
    /// What the bytes are.
    pub media_type: &'static str,
    /// At most 16 MiB of picture, 5 MiB of page source, or 4 MiB of saved cookies and storage.
    pub bytes: Bytes,
}
