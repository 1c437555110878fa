//! What a session has its actor do, and what others may know of a session.

use crate::{
    actors::{keeper::Trust, runner::respond::Ask},
    seams::observer::Notice,
    values::{
        digest::Digest, id::TenantId, job::JobSpec, lease::FencingToken, opaque::Opaque, time::BootTime,
    },
};
use std::time::Duration;

/// What the actor does next.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Next {
    /// Send a request.
    Send,
    /// Wait for an event, at most until then.
    Wait(Option<BootTime>),
}

/// What the actor carries out.
#[derive(Debug)]
pub(in super::super) enum Effect {
    /// Execute an offer that was taken.
    Start(Box<Order>),
    /// Have an attempt stop.
    Stop(FencingToken, Stop),
    /// Drop a finish from the spool.
    Forget(FencingToken),
    /// Drop a call that nothing is expected of any more.
    Abandon(u64),
    /// Carry a signal out.
    Respond(Box<Ask>),
    /// Tell the observer.
    Tell(Notice),
}

/// Why an attempt is to stop, and how long it may still take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Stop {
    pub(in super::super) why: StopReason,
    /// The job's own grace if there is none.
    pub(in super::super) grace: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum StopReason {
    /// The runner stops; the job does not.
    Shutdown,
    /// The lease is no longer trusted.
    Lapsed,
    /// It took longer than it may.
    TimedOut,
    /// The job is to stop.
    Cancelled,
    /// The right is gone: nothing is reported.
    Lost,
}

/// An offer that was taken.
#[derive(Clone, Debug)]
pub(in super::super) struct Order {
    pub(in super::super) token: FencingToken,
    /// Whose job it is, if it is hosted.
    pub(in super::super) tenant: Option<TenantId>,
    pub(in super::super) attempt: u32,
    pub(in super::super) spec: JobSpec,
    /// The exact bytes that the specification was read from, which a signature is over.
    pub(in super::super) spec_bytes: Opaque,
    pub(in super::super) signature: Option<String>,
    pub(in super::super) payload: Option<Opaque>,
    pub(in super::super) payload_artifact: Option<Digest>,
    /// The image of a container job that names none.
    pub(in super::super) image: Option<String>,
}

/// A lease as its attempt sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct LeaseView {
    pub(in super::super) trust: Trust,
    /// The newest request whose answer renewed it.
    pub(in super::super) renewed_by: u64,
}

/// Whether something that was given up is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Settled {
    Open,
    Closed,
}
