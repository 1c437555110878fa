//! Pools: made, listed, changed and deleted.

use super::{
    caller::Caller,
    page::{self, PageQuery},
    write::Write,
};
use crate::wire::{
    json::{Asked, Json},
    path::{Path, Query},
    problem::Problem,
    text, time,
};
use axum::response::Response;
use http::StatusCode;
use runners_core::{Placement, PoolId, PoolSpec, PoolView, Sharing, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};

/// A pool.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pool {
    #[schema(value_type = text::Pool)]
    id: PoolId,
    name: String,
    description: String,
    /// Whether its runners are granted jobs.
    is_active: bool,
    /// What kind of machines these are.
    pool_kind: Option<String>,
    /// Whether tenants besides its owner may target it.
    is_shared: bool,
    cloud_region: Option<String>,
    /// What an autoscaler calls the machines behind it.
    scale_set_resource_id: Option<String>,
    min_runners: u32,
    max_runners: Option<u32>,
    slots_per_runner: Option<u32>,
    /// The image of container jobs that name none; that of the control plane if there is none.
    image: Option<String>,
    placement: WirePlacement,
    #[serde(rename = "createdAtUtc", with = "time")]
    #[schema(value_type = text::Time)]
    made_at: Timestamp,
}

/// Which of several runners with a free slot is granted a job.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Placement)]
pub(crate) enum WirePlacement {
    /// The one with the least work.
    Spread,
    /// The one with the most work that still has room.
    Pack,
}

/// What a pool is to be.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewPool {
    /// What jobs call it: unique within its tenant.
    #[schema(value_type = text::Name)]
    name: String,
    #[schema(max_length = 1000)]
    description: Option<String>,
    #[schema(max_length = 1000)]
    pool_kind: Option<String>,
    /// Only the operator's pools can be shared.
    is_shared: Option<bool>,
    #[schema(max_length = 1000)]
    cloud_region: Option<String>,
    #[schema(max_length = 1000)]
    scale_set_resource_id: Option<String>,
    #[schema(maximum = 1_000_000)]
    min_runners: Option<u32>,
    #[schema(minimum = 1, maximum = 1_000_000)]
    max_runners: Option<u32>,
    #[schema(minimum = 1, maximum = 1_000_000)]
    slots_per_runner: Option<u32>,
    /// The image of container jobs that name none.
    #[schema(max_length = 1000)]
    image: Option<String>,
    placement: Option<WirePlacement>,
}

impl Asked for NewPool {}

/// What is to change of a pool: a member that is left out stays, `null` clears.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PoolChange {
    #[schema(value_type = Option<text::Name>)]
    name: Option<String>,
    #[schema(max_length = 1000)]
    description: Option<String>,
    is_active: Option<bool>,
    is_shared: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 1000)]
    pool_kind: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 1000)]
    cloud_region: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 1000)]
    scale_set_resource_id: Option<Option<String>>,
    #[schema(maximum = 1_000_000)]
    min_runners: Option<u32>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    max_runners: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    slots_per_runner: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 1000)]
    image: Option<Option<String>>,
    placement: Option<WirePlacement>,
}

impl Asked for PoolChange {}

/// Lists the pools.
///
/// All of them, oldest first, or a page if `limit` is given; the header `Link` leads to the next.
#[utoipa::path(get, path = "/self-hosted/pools", tag = "Pools", params(PageQuery),
    responses((status = 200, description = "The pools.", body = Vec<Pool>)))]
pub(super) async fn list_pools(caller: Caller, Query(query): Query<PageQuery>) -> Result<Response, Problem> {
    let management = caller.management;
    let list = |paging| {
        let management = management.clone();
        async move { management.pools(&paging).await }
    };
    page::array(&query, list, Pool::from).await
}

/// Makes a pool.
#[utoipa::path(post, path = "/self-hosted/pools", tag = "Pools", request_body = NewPool,
    responses(
        (status = 201, description = "The pool.", body = Pool),
        (status = 409, description = "There is a pool of that name.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn create_pool(
    Write { caller, asked, .. }: Write<NewPool>,
) -> Result<(StatusCode, Json<Pool>), Problem> {
    let made = caller.management.create_pool(asked.into()).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// Shows a pool.
#[utoipa::path(get, path = "/self-hosted/pools/{id}", tag = "Pools",
    params(("id" = inline(text::Pool), Path, description = "The pool.")),
    responses((status = 200, description = "The pool.", body = Pool)))]
pub(super) async fn get_pool(caller: Caller, Path(pool): Path<PoolId>) -> Result<Json<Pool>, Problem> {
    Ok(Json(caller.management.pool(pool).await?.into()))
}

/// Changes a pool.
///
/// What is left out stays as it is, and `null` clears what may be missing.
#[utoipa::path(patch, path = "/self-hosted/pools/{id}", tag = "Pools", request_body = PoolChange,
    params(("id" = inline(text::Pool), Path, description = "The pool.")),
    responses(
        (status = 200, description = "The pool as it is now.", body = Pool),
        (status = 409, description = "There is a pool of that name.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn change_pool(
    caller: Caller,
    Path(pool): Path<PoolId>,
    Json(change): Json<PoolChange>,
) -> Result<Json<Pool>, Problem> {
    let changed = caller.management.update_pool(pool, |spec| change.apply(spec)).await?;
    Ok(Json(changed.into()))
}

/// Deletes a pool that has no runner and no job that is ready.
#[utoipa::path(delete, path = "/self-hosted/pools/{id}", tag = "Pools",
    params(("id" = inline(text::Pool), Path, description = "The pool.")),
    responses(
        (status = 204, description = "It is deleted."),
        (status = 409, description = "It is not empty.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn delete_pool(caller: Caller, Path(pool): Path<PoolId>) -> Result<StatusCode, Problem> {
    caller.management.delete_pool(pool).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<PoolView> for Pool {
    fn from(pool: PoolView) -> Self {
        let spec = pool.spec;
        Self {
            id: pool.id,
            is_shared: !spec.sharing.is_none(),
            name: spec.name,
            description: spec.description,
            is_active: spec.active,
            pool_kind: spec.kind,
            cloud_region: spec.region,
            scale_set_resource_id: spec.scale_set,
            min_runners: spec.runners_min,
            max_runners: spec.runners_max,
            slots_per_runner: spec.slots_per_runner,
            image: spec.image,
            placement: match spec.placement {
                Placement::Spread => WirePlacement::Spread,
                Placement::Pack => WirePlacement::Pack,
            },
            made_at: pool.made_at,
        }
    }
}

impl From<NewPool> for PoolSpec {
    fn from(asked: NewPool) -> Self {
        Self {
            description: asked.description.unwrap_or_default(),
            kind: asked.pool_kind,
            sharing: sharing(asked.is_shared.unwrap_or_default()),
            region: asked.cloud_region,
            scale_set: asked.scale_set_resource_id,
            runners_min: asked.min_runners.unwrap_or_default(),
            runners_max: asked.max_runners,
            slots_per_runner: asked.slots_per_runner,
            image: asked.image,
            placement: asked.placement.map_or(Placement::Spread, Placement::from),
            ..Self::new(asked.name)
        }
    }
}

impl PoolChange {
    fn apply(&self, spec: &mut PoolSpec) {
        let Self { name, description, is_active, is_shared, pool_kind, cloud_region, .. } = self.clone();
        set(&mut spec.name, name);
        set(&mut spec.description, description);
        set(&mut spec.active, is_active);
        // A list of tenants stays one when sharing is asked for once more.
        if let Some(is_shared) = is_shared.filter(|is_shared| *is_shared == spec.sharing.is_none()) {
            spec.sharing = sharing(is_shared);
        }
        set(&mut spec.kind, pool_kind);
        set(&mut spec.region, cloud_region);
        set(&mut spec.scale_set, self.scale_set_resource_id.clone());
        set(&mut spec.runners_min, self.min_runners);
        set(&mut spec.runners_max, self.max_runners);
        set(&mut spec.slots_per_runner, self.slots_per_runner);
        set(&mut spec.image, self.image.clone());
        set(&mut spec.placement, self.placement.map(Placement::from));
    }
}

impl From<WirePlacement> for Placement {
    fn from(placement: WirePlacement) -> Self {
        match placement {
            WirePlacement::Spread => Self::Spread,
            WirePlacement::Pack => Self::Pack,
        }
    }
}

const fn sharing(is_shared: bool) -> Sharing {
    if is_shared { Sharing::Everyone } else { Sharing::None }
}

fn set<T>(field: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *field = value;
    }
}

/// Tells `null` from what was left out.
pub(super) fn given<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}
