//! Tenants, and what is rolled out to them.

use crate::values::{id::TenantId, time::Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A tenant, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantView {
    /// The tenant.
    pub id: TenantId,
    /// What it is called.
    pub name: String,
    /// Whether it is suspended: it may ask for nothing and is granted nothing. What runs goes on.
    pub suspended: bool,
    /// When it was made; the beginning of 1970 if an earlier release made it.
    pub made_at: Timestamp,
    /// What it keeps, and how much it may.
    pub artifacts: ArtifactUse,
}

/// How many bytes a tenant keeps as artifacts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArtifactUse {
    /// How many bytes are counted: what is stored, and what uploads that are under way have announced.
    pub bytes: u64,
    /// How many it may be; any number if nobody has said.
    pub quota: Option<u64>,
    /// Whether the operator has said so of this tenant, and not the control plane of all.
    pub is_own: bool,
}

impl ArtifactUse {
    /// The largest quota that can be given: 8 EiB less one byte, as much as a counter holds.
    pub const QUOTA_MAX: u64 = i64::MAX as u64;

    /// Whether nothing more fits.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.quota.is_some_and(|quota| self.bytes >= quota)
    }
}

/// What is rolled out, and to whom. Everything to everybody unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "hosts write `Rollout { relay, ..Rollout::default() }`")]
pub struct Rollout {
    /// Pools of a tenant's own, and runners in them.
    pub self_hosted: Feature,
    /// Live views of what a tenant's own runners do.
    pub relay: Feature,
}

/// What one tenant has of what is rolled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RolloutView {
    /// Whether it may have pools and runners of its own.
    pub self_hosted: bool,
    /// Whether it may see live views of what its own runners do.
    pub relay: bool,
}

impl Rollout {
    /// What `tenant` has of it.
    #[must_use]
    pub fn of(&self, tenant: TenantId) -> RolloutView {
        let Self { self_hosted, relay } = self;
        RolloutView { self_hosted: self_hosted.is_on_for(tenant), relay: relay.is_on_for(tenant) }
    }
}

/// What the operator says of the roll-out while a control plane runs. What is not said here is as the
/// control plane was [built](crate::ControlPlaneBuilder::rollout).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers write `RolloutSpec { relay, ..RolloutSpec::default() }`"
)]
pub struct RolloutSpec {
    /// Pools of a tenant's own, and runners in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_hosted: Option<Feature>,
    /// Live views of what a tenant's own runners do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<Feature>,
}

impl RolloutSpec {
    /// What counts where a control plane was built with `built`.
    #[must_use]
    pub fn over(&self, built: &Rollout) -> Rollout {
        let Self { self_hosted, relay } = self.clone();
        Rollout {
            self_hosted: self_hosted.unwrap_or_else(|| built.self_hosted.clone()),
            relay: relay.unwrap_or_else(|| built.relay.clone()),
        }
    }
}

/// Something that can be rolled out to some tenants first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "hosts build it from their configuration")]
pub struct Feature {
    /// Whether anybody has it. `true` unless said otherwise.
    pub enabled: bool,
    /// Who has it; everybody if nobody is named. At most [`Feature::TENANTS_MAX`].
    #[serde(default)]
    pub tenants: BTreeSet<TenantId>,
}

impl Feature {
    /// How many tenants may be named while a control plane runs.
    pub const TENANTS_MAX: usize = 10_000;

    /// Nobody has it.
    pub const OFF: Self = Self { enabled: false, tenants: BTreeSet::new() };

    /// Whether `tenant` has it. The operator's own tenant always does.
    #[must_use]
    pub fn is_on_for(&self, tenant: TenantId) -> bool {
        let named = self.tenants.is_empty() || self.tenants.contains(&tenant);
        tenant == TenantId::OPERATOR || (self.enabled && named)
    }
}

impl Default for Feature {
    fn default() -> Self {
        Self { enabled: true, tenants: BTreeSet::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_for_everybody_for_those_named_or_for_nobody() {
        let (one, other) = (TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16]));
        assert!(Feature::default().is_on_for(one));
        let some = Feature { tenants: [one].into(), ..Feature::default() };
        assert_eq!((some.is_on_for(one), some.is_on_for(other)), (true, false));
        let off = Feature { enabled: false, ..some };
        assert_eq!((off.is_on_for(one), off.is_on_for(TenantId::OPERATOR)), (false, true));
    }
}
