//! Whether a runner is there, and how busy it is.

use crate::values::{runner::Mode, time::Timestamp};

/// Whether a runner is there, and how busy it is, as the control plane that is asked knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presence {
    /// Whether it has spoken within a third of a term, or a call of it is held back.
    pub online: bool,
    /// When it last spoke. `None` if it has not since this control plane was started.
    pub synced_at: Option<Timestamp>,
    /// What it is to do, by itself or by the operator's wish.
    pub mode: Mode,
    /// How many jobs it executes at once.
    pub slots: u32,
    /// How many jobs are offered to it or running there.
    pub busy: u32,
    /// How many more jobs it would be offered now.
    pub free: u32,
}
