//! Where a live view is in its life, and why one is over.

use crate::values::{time::BootTime, view::LivePhase};

/// Why a live view is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// For machines.
    pub(crate) reason: String,
    /// For people.
    pub(crate) detail: String,
}

impl Ending {
    pub(crate) fn new(reason: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { reason: reason.into(), detail: detail.into() }
    }

    pub(crate) fn attempt_over() -> Self {
        Self::new("attempt_over", "the attempt has ended")
    }

    /// Whether something was wrong, which is told of the attempt for a while.
    pub(crate) fn is_trouble(&self) -> bool {
        !["attempt_over", "over", "unwatched", "stopping", "attempt_ended"].contains(&&*self.reason)
    }
}

/// Where a stream is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The runner was asked to come.
    Opening { until: BootTime },
    /// It is there.
    Connected,
    /// Its connection was cut.
    Cut { until: BootTime },
    /// It is over.
    Over(Ending),
}

impl Phase {
    /// As people are told of it.
    pub(super) const fn public(&self) -> LivePhase {
        match self {
            Self::Opening { .. } => LivePhase::Connecting,
            Self::Connected => LivePhase::Live,
            Self::Cut { .. } => LivePhase::Reconnecting,
            Self::Over(_) => LivePhase::Over,
        }
    }
}
