//! Pools: named sets of runners that jobs target.

use crate::values::{
    id::{PoolId, TenantId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What is asked of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "users write `PoolSpec { name, ..Default::default() }`")]
pub struct PoolSpec {
    /// What jobs call it: unique within its tenant.
    pub name: String,
    /// What it is for, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What kind of machines these are, for people and autoscalers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Who may target it besides its owner. Only the operator's pools can be shared.
    #[serde(skip_serializing_if = "Sharing::is_none")]
    pub sharing: Sharing,
    /// Where its runners are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What an autoscaler calls the machines behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_set: Option<String>,
    /// How many runners an autoscaler keeps at least.
    pub runners_min: u32,
    /// How many runners may be registered; any number unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runners_max: Option<u32>,
    /// How many jobs each runner executes at once at most; as many as it offers unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots_per_runner: Option<u32>,
    /// The image of container jobs that name none; that of the control plane unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Which of several runners with a free slot is granted a job.
    pub placement: Placement,
    /// Whether its runners are granted jobs. `true` unless said otherwise; what is running goes on.
    pub active: bool,
}

impl PoolSpec {
    /// The largest number of bytes in [`PoolSpec::description`], and in each other text but the
    /// name.
    pub const TEXT_BYTES_MAX: usize = 1000;
    /// The largest number of runners of a pool, and of slots of a runner, that can be asked for.
    pub const COUNT_MAX: u32 = 1_000_000;

    /// A pool of that name, and nothing special.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

impl Default for PoolSpec {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            kind: None,
            sharing: Sharing::None,
            region: None,
            scale_set: None,
            runners_min: 0,
            runners_max: None,
            slots_per_runner: None,
            image: None,
            placement: Placement::Spread,
            active: true,
        }
    }
}

/// Who may target a pool besides its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "who decides on admission decides on every one")]
pub enum Sharing {
    /// Nobody.
    #[default]
    None,
    /// These tenants, at most [`Sharing::TENANTS_MAX`].
    With(BTreeSet<TenantId>),
    /// Every tenant.
    Everyone,
}

impl Sharing {
    /// The largest number of tenants that can be listed.
    pub const TENANTS_MAX: usize = 1000;

    /// Whether it is not shared.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether `tenant`, which is not the owner, may target the pool.
    #[must_use]
    pub fn admits(&self, tenant: TenantId) -> bool {
        match self {
            Self::None => false,
            Self::With(tenants) => tenants.contains(&tenant),
            Self::Everyone => true,
        }
    }
}

/// Which of several runners with a free slot is granted a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the scheduler decides on every one")]
pub enum Placement {
    /// The one with the least work, so that jobs do not disturb each other.
    #[default]
    Spread,
    /// The one with the most work that still has room, so that others can be stopped.
    Pack,
}

/// A pool, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolView {
    /// The pool.
    pub id: PoolId,
    /// Its owner.
    pub tenant: TenantId,
    /// What was asked of it, as it stands now. Who else may target it is shown to its owner alone.
    pub spec: PoolSpec,
    /// When it was made; the beginning of 1970 if an earlier release made it.
    pub made_at: Timestamp,
}
