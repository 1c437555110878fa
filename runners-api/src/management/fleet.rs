//! How busy the fleet is, for autoscalers.

use super::caller::Caller;
use crate::wire::{json::Json, problem::Problem, text, time};
use runners_core::{FleetSummary, PoolId, PoolSummary, Timestamp};
use serde::Serialize;

/// How busy the pools are.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Summary {
    pools: Vec<PoolLoad>,
    /// How many records could not be read, and are left out.
    unreadable: u32,
}

/// How busy a pool is.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PoolLoad {
    #[schema(value_type = text::Pool)]
    pool_id: PoolId,
    name: String,
    scale_set_resource_id: Option<String>,
    is_active: bool,
    /// How many runners it should have now, for what runs and what is queued, within its limits.
    desired_runners: u32,
    min_runners: u32,
    max_runners: Option<u32>,
    /// How many runners are registered.
    registered_runners: u32,
    /// How many runners are there.
    online_runners: u32,
    /// How many of them hold a job.
    busy_runners: u32,
    /// How many of them hold none and would take one.
    idle_runners: u32,
    /// How many of them take nothing new.
    draining_runners: u32,
    /// How many jobs are offered or running.
    busy_slots: u32,
    /// How many more jobs its runners would take now.
    free_slots: u32,
    /// How many jobs are ready, counted up to a thousand or so.
    queued_jobs: u32,
    /// Since when the oldest of them is ready.
    #[serde(rename = "oldestQueuedAtUtc", with = "time::optional")]
    #[schema(value_type = Option<text::Time>)]
    oldest_queued_at: Option<Timestamp>,
    /// For how many seconds the oldest of them is ready.
    oldest_queued_seconds: Option<u64>,
}

/// Tells how busy each pool is, and how many runners it should have.
///
/// A record that cannot be read is counted in `unreadable` and spoils nothing else.
#[utoipa::path(get, path = "/fleet/summary", tag = "Fleet",
    responses((status = 200, description = "How busy each pool is.", body = Summary)))]
pub(super) async fn summarize_fleet(
    axum::extract::State(face): axum::extract::State<super::Face>,
    caller: Caller,
) -> Result<Json<Summary>, Problem> {
    let FleetSummary { pools, unreadable, .. } = caller.management.fleet_summary().await?;
    let now = face.clock().wall();
    Ok(Json(Summary { pools: pools.into_iter().map(|pool| PoolLoad::new(pool, now)).collect(), unreadable }))
}

impl PoolLoad {
    fn new(pool: PoolSummary, now: Timestamp) -> Self {
        Self {
            pool_id: pool.pool,
            name: pool.name,
            scale_set_resource_id: pool.scale_set,
            is_active: pool.active,
            desired_runners: pool.desired,
            min_runners: pool.runners_min,
            max_runners: pool.runners_max,
            registered_runners: pool.registered,
            online_runners: pool.online,
            busy_runners: pool.busy,
            idle_runners: pool.idle,
            draining_runners: pool.draining,
            busy_slots: pool.slots_busy,
            free_slots: pool.slots_free,
            queued_jobs: pool.queued,
            oldest_queued_at: pool.oldest_queued_at,
            oldest_queued_seconds: pool.oldest_queued_at.map(|at| now.since(at).as_secs()),
        }
    }
}
