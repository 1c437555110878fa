//! How busy a fleet is, for autoscalers.

use crate::values::{id::PoolId, time::Timestamp};

/// How busy the pools of a tenant are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetSummary {
    /// Each pool that could be read.
    pub pools: Vec<PoolSummary>,
    /// How many records could not be read, and are left out.
    pub unreadable: u32,
}

/// How busy a pool is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolSummary {
    /// The pool.
    pub pool: PoolId,
    /// What it is called.
    pub name: String,
    /// What an autoscaler calls the machines behind it.
    pub scale_set: Option<String>,
    /// Whether its runners are granted jobs.
    pub active: bool,
    /// How many runners it should have now.
    pub desired: u32,
    /// The fewest and the most it may have.
    pub runners_min: u32,
    /// The most runners it may have, if that is limited.
    pub runners_max: Option<u32>,
    /// How many runners are registered.
    pub registered: u32,
    /// How many runners are there.
    pub online: u32,
    /// How many of them hold a job.
    pub busy: u32,
    /// How many of them hold none and would take one.
    pub idle: u32,
    /// How many of them take nothing new.
    pub draining: u32,
    /// How many jobs are offered or running.
    pub slots_busy: u32,
    /// How many more jobs its runners would take now.
    pub slots_free: u32,
    /// How many jobs are ready, as far as they are counted: up to a thousand or so.
    pub queued: u32,
    /// Since when the oldest of them is ready.
    pub oldest_queued_at: Option<Timestamp>,
}
