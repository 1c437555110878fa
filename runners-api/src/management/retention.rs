//! Retention: what a tenant keeps, for how long, and which artifacts nothing names.

use super::caller::Caller;
use crate::wire::{
    json::{Asked, Json},
    path::Query,
    problem::Problem,
    text,
};
use runners_core::{Digest, Retention as Kept, UnnamedArtifacts as Unnamed};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a tenant keeps. With a job go its payload, results, history, logs and artifacts.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Retention {
    /// How long after its end a job is kept; for ever for `null`.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required, minimum = 60)]
    concluded_for_seconds: Option<u64>,
    /// How many ended jobs are kept, the newest; any number for `null`.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    jobs_max: Option<u32>,
    /// How long an artifact is kept, if its job is kept longer; as long as the job for `null`.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required, minimum = 60)]
    artifacts_for_seconds: Option<u64>,
    /// How many artifacts of ended jobs are kept, the newest; any number for `null`.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    artifacts_max: Option<u32>,
    /// How long the events of the tenant are kept.
    #[schema(minimum = 60)]
    events_for_seconds: u64,
}

impl Asked for Retention {}

/// From which artifact on it is looked.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UnnamedQuery {
    /// What the answer before named as its `next`.
    #[param(value_type = Option<text::Sha256>)]
    after: Option<Digest>,
}

/// Artifacts that nothing names, as far as it was looked.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnnamedArtifacts {
    /// How many were looked at.
    looked_at: u64,
    items: Vec<UnnamedArtifact>,
    /// Where to look on, if there are more.
    #[schema(value_type = Option<text::Sha256>)]
    next: Option<Digest>,
}

/// An artifact that nothing names. It is removed unless something does soon.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct UnnamedArtifact {
    #[schema(value_type = text::Sha256)]
    sha256: Digest,
    /// How many bytes it has.
    length: u64,
}

/// Shows what the tenant keeps.
#[utoipa::path(get, path = "/retention", tag = "Retention",
    responses((status = 200, description = "What it keeps.", body = Retention)))]
pub(super) async fn get_retention(caller: Caller) -> Result<Json<Retention>, Problem> {
    Ok(Json(caller.management.retention().await?.into()))
}

/// Says what the tenant keeps from now on.
///
/// What is beyond it is removed within minutes, and for good. Every member must be there, so that
/// none is changed by being forgotten. What has not ended is never removed.
#[utoipa::path(put, path = "/retention", tag = "Retention", request_body = Retention,
    responses((status = 200, description = "What it keeps now.", body = Retention)))]
pub(super) async fn set_retention(
    caller: Caller,
    Json(asked): Json<Retention>,
) -> Result<Json<Retention>, Problem> {
    caller.management.set_retention(asked.into()).await?;
    Ok(Json(caller.management.retention().await?.into()))
}

/// Looks for artifacts that nothing names, some at a time, and removes none.
#[utoipa::path(get, path = "/retention/unnamed-artifacts", tag = "Retention", params(UnnamedQuery),
    responses((status = 200, description = "What was found.", body = UnnamedArtifacts)))]
pub(super) async fn list_unnamed_artifacts(
    caller: Caller,
    Query(query): Query<UnnamedQuery>,
) -> Result<Json<UnnamedArtifacts>, Problem> {
    let Unnamed { looked_at, unnamed, next, .. } = caller.management.unnamed_artifacts(query.after).await?;
    let items = unnamed.into_iter().map(|(sha256, length)| UnnamedArtifact { sha256, length });
    Ok(Json(UnnamedArtifacts { looked_at, items: items.collect(), next }))
}

impl From<Kept> for Retention {
    fn from(kept: Kept) -> Self {
        let seconds = |span: Duration| span.as_secs();
        Self {
            concluded_for_seconds: kept.concluded_for.map(seconds),
            jobs_max: kept.jobs_max,
            artifacts_for_seconds: kept.artifacts_for.map(seconds),
            artifacts_max: kept.artifacts_max,
            events_for_seconds: seconds(kept.events_for),
        }
    }
}

impl From<Retention> for Kept {
    fn from(asked: Retention) -> Self {
        Self {
            concluded_for: asked.concluded_for_seconds.map(Duration::from_secs),
            jobs_max: asked.jobs_max,
            artifacts_for: asked.artifacts_for_seconds.map(Duration::from_secs),
            artifacts_max: asked.artifacts_max,
            events_for: Duration::from_secs(asked.events_for_seconds),
        }
    }
}
