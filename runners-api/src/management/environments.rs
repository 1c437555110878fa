//! Environments: names that route jobs to hosted execution or to a pool.

use super::{
    caller::Caller,
    jobs::malformed,
    page::{Page, PageQuery, Paged},
};
use crate::wire::{
    json::{Asked, Json},
    path::Path,
    problem::Problem,
    text, time,
};
use http::StatusCode;
use runners_core::{EnvironmentView, PoolId, Route, Timestamp};
use serde::{Deserialize, Serialize};

/// An environment.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Environment {
    /// What jobs call it.
    name: String,
    execution_target: ExecutionTarget,
    /// The pool that it leads to, if it is self-hosted.
    #[schema(value_type = Option<text::Pool>)]
    runner_pool_id: Option<PoolId>,
    #[serde(rename = "createdAtUtc", with = "time")]
    #[schema(value_type = text::Time)]
    made_at: Timestamp,
}

/// Where jobs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExecutionTarget {
    /// On the operator's runners.
    CloudManaged,
    /// On the runners of a pool of the tenant.
    SelfHosted,
}

/// Where an environment is to lead.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Routing {
    execution_target: ExecutionTarget,
    /// The pool, if it is self-hosted.
    #[schema(value_type = Option<text::Pool>)]
    runner_pool_id: Option<PoolId>,
}

impl Asked for Routing {}

/// Lists the environments.
#[utoipa::path(get, path = "/environments", tag = "Environments", params(PageQuery),
    responses((status = 200, description = "A page of them.", body = Page<Environment>)))]
pub(super) async fn list_environments(
    caller: Caller,
    Paged(paging): Paged,
) -> Result<Json<Page<Environment>>, Problem> {
    Ok(caller.management.environments(&paging).await?.into())
}

/// Shows an environment.
#[utoipa::path(get, path = "/environments/{name}", tag = "Environments",
    params(("name" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The environment.", body = Environment)))]
pub(super) async fn get_environment(
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<Environment>, Problem> {
    Ok(Json(caller.management.environment(&name).await?.into()))
}

/// Routes an environment, and makes it if it is not there.
///
/// Jobs that are submitted from now on go there; those before stay where they are.
#[utoipa::path(put, path = "/environments/{name}", tag = "Environments", request_body = Routing,
    params(("name" = String, Path, description = "Its name.")),
    responses(
        (status = 200, description = "The environment as it is now.", body = Environment),
        (status = 409, description = "It was changed meanwhile.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn route_environment(
    caller: Caller,
    Path(name): Path<String>,
    Json(asked): Json<Routing>,
) -> Result<Json<Environment>, Problem> {
    let route = match (asked.execution_target, asked.runner_pool_id) {
        (ExecutionTarget::CloudManaged, None) => Route::Hosted,
        (ExecutionTarget::SelfHosted, Some(pool)) => Route::Pool(pool),
        (ExecutionTarget::CloudManaged, Some(_)) => {
            return Err(malformed("runnerPoolId", "hosted execution has no pool: leave it out"));
        }
        (ExecutionTarget::SelfHosted, None) => {
            return Err(malformed("runnerPoolId", "name the pool that runs the jobs"));
        }
    };
    Ok(Json(caller.management.route_environment(&name, route).await?.into()))
}

/// Deletes an environment.
#[utoipa::path(delete, path = "/environments/{name}", tag = "Environments",
    params(("name" = String, Path, description = "Its name.")),
    responses(
        (status = 204, description = "It is deleted."),
        (status = 409, description = "It was changed meanwhile.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn delete_environment(
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.management.delete_environment(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<EnvironmentView> for Environment {
    fn from(environment: EnvironmentView) -> Self {
        let (execution_target, runner_pool_id) = match environment.route {
            Route::Hosted => (ExecutionTarget::CloudManaged, None),
            Route::Pool(pool) => (ExecutionTarget::SelfHosted, Some(pool)),
        };
        Self { name: environment.name, execution_target, runner_pool_id, made_at: environment.made_at }
    }
}
