//! Roll-out: what a tenant has of what is rolled out, and what the operator says of it.

use super::caller::Caller;
use crate::wire::{
    json::{Asked, Json},
    problem::Problem,
    text,
};
use runners_core::{Feature, RolloutSpec, RolloutView, TenantId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What the tenant has of what is rolled out.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rollout {
    /// Whether it may have pools and runners of its own.
    self_hosted_runners_enabled: bool,
    /// Whether it may see live views of what its own runners do.
    self_hosted_relay_enabled: bool,
}

/// What is rolled out to whom.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RolloutRules {
    /// Pools of a tenant's own, and runners in them.
    self_hosted_runners: RolledOut,
    /// Live views of what a tenant's own runners do.
    self_hosted_relay: RolledOut,
}

/// Whom something is rolled out to.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RolledOut {
    /// Whether anybody has it.
    is_enabled: bool,
    /// Who has it; everybody if nobody is named.
    #[schema(value_type = Vec<text::Tenant>)]
    tenants: BTreeSet<TenantId>,
    /// Whether it was said here, and not where the server was started.
    is_set: bool,
}

/// What is to be rolled out to whom.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewRolloutRules {
    /// Pools of a tenant's own, and runners in them; as the server was started for `null`.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    self_hosted_runners: Option<NewRolledOut>,
    /// Live views of what a tenant's own runners do; as the server was started for `null`.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    self_hosted_relay: Option<NewRolledOut>,
}

impl Asked for NewRolloutRules {
    const BYTES_MAX: usize = 2 << 20;
}

/// Whom something is to be rolled out to.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewRolledOut {
    /// Whether anybody has it.
    is_enabled: bool,
    /// Who has it; everybody if nobody is named.
    #[serde(default)]
    #[schema(value_type = Option<Vec<text::Tenant>>, max_items = 10_000)]
    tenants: Option<BTreeSet<TenantId>>,
}

/// Shows what the tenant has of what is rolled out.
#[utoipa::path(get, path = "/rollout", tag = "Tenants",
    responses((status = 200, description = "What it has.", body = Rollout)))]
pub(super) async fn get_rollout(caller: Caller) -> Result<Json<Rollout>, Problem> {
    let RolloutView { self_hosted, relay, .. } = caller.management.rollout()?;
    Ok(Json(Rollout { self_hosted_runners_enabled: self_hosted, self_hosted_relay_enabled: relay }))
}

/// Shows what is rolled out to whom. Only the operator may.
#[utoipa::path(get, path = "/rollout/rules", tag = "Tenants",
    responses((status = 200, description = "What is rolled out to whom.", body = RolloutRules)))]
pub(super) async fn get_rollout_rules(caller: Caller) -> Result<Json<RolloutRules>, Problem> {
    shown(&caller).await
}

/// Says what is rolled out to whom, from now on and after any restart. Only the operator may.
///
/// What is `null` is as the server was started. Pools and runners that are there stay.
#[utoipa::path(put, path = "/rollout/rules", tag = "Tenants", request_body = NewRolloutRules,
    responses((status = 200, description = "What is rolled out to whom now.", body = RolloutRules)))]
pub(super) async fn set_rollout_rules(
    caller: Caller,
    Json(asked): Json<NewRolloutRules>,
) -> Result<Json<RolloutRules>, Problem> {
    let spec = RolloutSpec {
        self_hosted: asked.self_hosted_runners.map(Feature::from),
        relay: asked.self_hosted_relay.map(Feature::from),
    };
    caller.management.set_rollout(spec).await?;
    shown(&caller).await
}

async fn shown(caller: &Caller) -> Result<Json<RolloutRules>, Problem> {
    let (spec, counts) = caller.management.rollout_spec().await?;
    let rolled_out = |feature: Feature, said: Option<Feature>| {
        let Feature { enabled: is_enabled, tenants } = feature;
        RolledOut { is_enabled, tenants, is_set: said.is_some() }
    };
    Ok(Json(RolloutRules {
        self_hosted_runners: rolled_out(counts.self_hosted, spec.self_hosted),
        self_hosted_relay: rolled_out(counts.relay, spec.relay),
    }))
}

impl From<NewRolledOut> for Feature {
    fn from(asked: NewRolledOut) -> Self {
        Self { enabled: asked.is_enabled, tenants: asked.tenants.unwrap_or_default() }
    }
}
