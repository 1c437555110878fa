//! Whether a runner is there, and how busy it is.

use crate::values::{
    fleet::runner::RunnerState,
    runner::{Incarnation, Mode},
    time::Timestamp,
};

/// Whether a runner is there, and how busy it is, as the control plane that is asked knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presence {
    /// Whether it has spoken within a third of a term, or a call of it is held back.
    pub online: bool,
    /// When it last spoke, as far as is known: exactly since this control plane was started; before,
    /// when its session was last written, which is at its start, with its leases, and when it has
    /// been away for a while. `None` if it never did.
    pub synced_at: Option<Timestamp>,
    /// What it is to do, by itself or by the operator's wish.
    pub mode: Mode,
    /// How many jobs it executes at once.
    pub slots: u32,
    /// How many jobs are offered to it or running there.
    pub busy: u32,
    /// How many more jobs it would be offered now.
    pub free: u32,
    /// Until when it is offered nothing because it was started again and again.
    pub held_back_until: Option<Timestamp>,
    /// Which start of it spoke last.
    pub incarnation: Option<Incarnation>,
    /// The generation of the desired state that it has applied; 0 if that is not known.
    pub seen_generation: u64,
    /// Whether it has drained: it holds nothing, and is offered nothing.
    pub drained: bool,
}

impl Presence {
    /// How a runner is of which this is known, and which is wanted to do `desired`: whether it has
    /// heard of it or not.
    #[must_use]
    pub fn state(&self, desired: Mode) -> RunnerState {
        match (self.online, self.mode.max(desired)) {
            (false, _) => RunnerState::Offline,
            (true, Mode::Serve) => RunnerState::Online,
            (true, Mode::Drain | Mode::Leave) => RunnerState::Draining,
        }
    }
}
