//! Runners: listed, told what is wanted of them, and removed.

use super::{
    caller::Caller,
    jobs::malformed,
    page::{self, PageQuery},
    pools::given,
};
use crate::wire::{
    json::{Asked, Json},
    path::{Path, Query},
    problem::Problem,
    text, time,
};
use axum::response::Response;
use http::StatusCode;
use runners_core::{Drain, PoolId, Presence, RunnerFilter, RunnerId, RunnerState, RunnerView, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

mod system;

pub(crate) use system::{__path_get_runner_system, get_runner_system};

/// How long a runner that is removed gently may take, unless said otherwise: one hour.
const RETIRE_WITHIN: Duration = Duration::from_secs(3600);

/// A runner.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Runner {
    #[schema(value_type = text::Runner)]
    id: RunnerId,
    #[schema(value_type = text::Pool)]
    pool_id: PoolId,
    name: String,
    #[serde(rename = "status")]
    state: WireState,
    /// How many jobs it executes at once.
    #[serde(rename = "maxConcurrency")]
    slots: u32,
    /// How many more jobs it would be granted now.
    #[serde(rename = "availableSlots")]
    free: u32,
    /// When it last spoke, if it has since the control plane was started.
    #[serde(rename = "lastHeartbeatUtc", with = "time::optional")]
    #[schema(value_type = Option<text::Time>)]
    synced_at: Option<Timestamp>,
    /// Why it drains, if somebody said so.
    note: Option<String>,
    /// Whether it has drained: it holds nothing, and is offered nothing.
    is_drained: bool,
    /// Whether it is removed once it has drained.
    is_retiring: bool,
    /// When what it still holds is taken from it, while it drains.
    #[serde(rename = "drainByUtc", with = "time::optional")]
    #[schema(value_type = Option<text::Time>)]
    drain_by: Option<Timestamp>,
    /// Until when it is offered nothing because it was started again and again.
    #[serde(rename = "heldBackUntilUtc", with = "time::optional")]
    #[schema(value_type = Option<text::Time>)]
    held_back_until: Option<Timestamp>,
    #[serde(rename = "createdAtUtc", with = "time")]
    #[schema(value_type = text::Time)]
    made_at: Timestamp,
}

/// How a runner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RunnerState)]
pub(crate) enum WireState {
    /// It is there and takes jobs.
    Online,
    /// It is there and takes nothing new.
    Draining,
    /// It has not spoken for a while.
    Offline,
}

/// Which runners are listed.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunnersQuery {
    /// Those of this pool only.
    #[param(value_type = Option<text::Pool>)]
    pool_id: Option<PoolId>,
    /// Those that are so only. They are sifted: where few of many match, a page may have fewer items
    /// than were asked for, or none, and still lead to the next.
    #[param(inline)]
    status: Option<WireState>,
    /// Where the page begins: what the page before named as its `next`.
    #[param(max_length = 400)]
    after: Option<String>,
    /// How many there are at most.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// What is to change of a runner: a member that is left out stays, `null` clears.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RunnerChange {
    #[schema(value_type = Option<text::Name>)]
    name: Option<String>,
    /// How many jobs it executes at once at most, below its own limit; `null` lifts it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    slots: Option<Option<u32>>,
}

impl Asked for RunnerChange {}

/// How a runner is drained.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Draining {
    /// Why, for people.
    #[schema(max_length = 500)]
    note: Option<String>,
    /// When what it still runs is taken from it, and goes on elsewhere at no cost. It may take as
    /// long as it likes unless given; 30 days at most.
    #[schema(maximum = 2_592_000)]
    within_seconds: Option<u64>,
}

impl Asked for Draining {
    const OPTIONAL: bool = true;
}

/// How a runner is removed.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RemoveQuery {
    /// Whether it is removed at once, and what it holds is lost: `true` unless said otherwise. With
    /// `false` it drains first, and is removed then.
    force: Option<bool>,
    /// How long it may drain with `force=false`: one hour unless said otherwise, 30 days at most.
    #[param(maximum = 2_592_000)]
    within_seconds: Option<u64>,
}

/// Lists the runners.
///
/// All of them, oldest first, or a page if `limit` is given; the header `Link` leads to the next.
#[utoipa::path(get, path = "/self-hosted/runners", tag = "Runners", params(RunnersQuery),
    responses(
        (status = 200, description = "The runners.", body = Vec<Runner>),
        (status = 404, description = "There is no such pool.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list_runners(
    caller: Caller,
    Query(query): Query<RunnersQuery>,
) -> Result<Response, Problem> {
    let list = |paging| {
        let state = query.status.map(RunnerState::from);
        let (management, filter) = (caller.management.clone(), RunnerFilter { pool: query.pool_id, state });
        async move { management.runners_and_presence(&filter, &paging).await }
    };
    let page = PageQuery { after: query.after.clone(), limit: query.limit };
    page::array(&page, list, |(runner, presence)| Runner::new(runner, presence)).await
}

/// Shows a runner.
#[utoipa::path(get, path = "/self-hosted/runners/{id}", tag = "Runners",
    params(("id" = inline(text::Runner), Path, description = "The runner.")),
    responses((status = 200, description = "The runner.", body = Runner)))]
pub(super) async fn get_runner(
    caller: Caller,
    Path(runner): Path<RunnerId>,
) -> Result<Json<Runner>, Problem> {
    shown(&caller, runner).await
}

/// Renames a runner, or limits its slots.
#[utoipa::path(patch, path = "/self-hosted/runners/{id}", tag = "Runners", request_body = RunnerChange,
    params(("id" = inline(text::Runner), Path, description = "The runner.")),
    responses(
        (status = 200, description = "The runner as it is now.", body = Runner),
        (status = 409, description = "There is a runner of that name.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn change_runner(
    caller: Caller,
    Path(runner): Path<RunnerId>,
    Json(change): Json<RunnerChange>,
) -> Result<Json<Runner>, Problem> {
    if let Some(name) = &change.name {
        caller.management.rename_runner(runner, name).await?;
    }
    if let Some(slots) = change.slots {
        caller.management.set_slots(runner, slots).await?;
    }
    shown(&caller, runner).await
}

/// Removes a runner.
///
/// Its credential is good no longer, and its next sync is told so. What it holds is lost, unless
/// `force=false` has it drain before.
#[utoipa::path(delete, path = "/self-hosted/runners/{id}", tag = "Runners",
    params(("id" = inline(text::Runner), Path, description = "The runner."), RemoveQuery),
    responses(
        (status = 202, description = "It drains, and is removed then."),
        (status = 204, description = "It is removed.")))]
pub(super) async fn remove_runner(
    caller: Caller,
    Path(runner): Path<RunnerId>,
    Query(query): Query<RemoveQuery>,
) -> Result<StatusCode, Problem> {
    let within = query.within_seconds.map(Duration::from_secs);
    if query.force == Some(false) {
        caller.management.retire_runner(runner, within.unwrap_or(RETIRE_WITHIN)).await?;
        return Ok(StatusCode::ACCEPTED);
    }
    if within.is_some() {
        return Err(malformed("withinSeconds", "what is removed at once takes no time: add `force=false`"));
    }
    caller.management.remove_runner(runner).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Drains a runner.
///
/// It takes nothing new, finishes what it holds, and stays connected.
#[utoipa::path(post, path = "/self-hosted/runners/{id}/drain", tag = "Runners",
    request_body(content = Option<Draining>),
    params(("id" = inline(text::Runner), Path, description = "The runner.")),
    responses((status = 204, description = "It drains, now and after any restart.")))]
pub(super) async fn drain_runner(
    caller: Caller,
    Path(runner): Path<RunnerId>,
    Json(asked): Json<Draining>,
) -> Result<StatusCode, Problem> {
    caller.management.drain_runner(runner, &asked.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Has a runner drain and exit.
///
/// One that is started again leaves again, until it is resumed.
#[utoipa::path(post, path = "/self-hosted/runners/{id}/shut-down", tag = "Runners",
    request_body(content = Option<Draining>),
    params(("id" = inline(text::Runner), Path, description = "The runner.")),
    responses((status = 204, description = "It leaves, now and after any restart.")))]
pub(super) async fn shut_down_runner(
    caller: Caller,
    Path(runner): Path<RunnerId>,
    Json(asked): Json<Draining>,
) -> Result<StatusCode, Problem> {
    caller.management.shut_down_runner(runner, &asked.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Has a runner serve again.
#[utoipa::path(post, path = "/self-hosted/runners/{id}/resume", tag = "Runners",
    params(("id" = inline(text::Runner), Path, description = "The runner.")),
    responses((status = 204, description = "It serves.")))]
pub(super) async fn resume_runner(
    caller: Caller,
    Path(runner): Path<RunnerId>,
) -> Result<StatusCode, Problem> {
    caller.management.resume_runner(runner).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn shown(caller: &Caller, runner: RunnerId) -> Result<Json<Runner>, Problem> {
    let view = caller.management.runner(runner).await?;
    let presence = caller.management.presence(&[runner]).await?;
    Ok(Json(Runner::new(view, presence.into_iter().next().unwrap_or_default())))
}

impl Runner {
    pub(super) fn new(runner: RunnerView, presence: Presence) -> Self {
        Self {
            id: runner.id,
            pool_id: runner.pool,
            name: runner.name,
            state: presence.state(runner.desired.mode).into(),
            slots: presence.slots,
            free: if presence.online { presence.free } else { 0 },
            synced_at: presence.synced_at,
            note: runner.desired.note,
            is_drained: presence.drained,
            is_retiring: runner.retiring,
            drain_by: runner.drain_by,
            held_back_until: presence.held_back_until,
            made_at: runner.made_at,
        }
    }
}

impl From<RunnerState> for WireState {
    fn from(state: RunnerState) -> Self {
        match state {
            RunnerState::Online => Self::Online,
            RunnerState::Draining => Self::Draining,
            RunnerState::Offline => Self::Offline,
        }
    }
}

impl From<WireState> for RunnerState {
    fn from(state: WireState) -> Self {
        match state {
            WireState::Online => Self::Online,
            WireState::Draining => Self::Draining,
            WireState::Offline => Self::Offline,
        }
    }
}

impl From<Draining> for Drain {
    fn from(asked: Draining) -> Self {
        Self { note: asked.note, within: asked.within_seconds.map(Duration::from_secs) }
    }
}
