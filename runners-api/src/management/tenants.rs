//! Tenants: one's own, and all of them for the operator.

use super::{
    caller::Caller,
    page::{Page, PageQuery, Paged},
    pools::given,
    write::Write,
};
use crate::wire::{
    json::{Asked, Json},
    path::Path,
    problem::Problem,
    text, time,
};
use http::StatusCode;
use runners_core::{TenantId, TenantView, Timestamp};
use serde::{Deserialize, Serialize};

/// An owner of everything below it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tenant {
    #[schema(value_type = text::Tenant)]
    id: TenantId,
    name: String,
    /// While it is, it may ask for nothing, and nothing that waits is granted.
    is_suspended: bool,
    /// How many bytes its artifacts have; uploads that are under way count as announced.
    artifact_bytes: u64,
    /// How many they may have; `null` for any number.
    #[schema(required)]
    artifact_quota_bytes: Option<u64>,
    /// Whether the operator has said so of this tenant, and not of all.
    has_own_artifact_quota: bool,
    #[serde(rename = "createdAtUtc", with = "time")]
    #[schema(value_type = text::Time)]
    made_at: Timestamp,
}

/// What a tenant is to be.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTenant {
    #[schema(value_type = text::Name)]
    name: String,
}

impl Asked for NewTenant {}

/// What is to change of a tenant: a member that is left out stays.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TenantChange {
    #[schema(value_type = Option<text::Name>)]
    name: Option<String>,
    is_suspended: Option<bool>,
    /// How many bytes its artifacts may have; what holds for all tenants for `null`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 9_223_372_036_854_775_807_u64)]
    artifact_quota_bytes: Option<Option<u64>>,
}

impl Asked for TenantChange {}

/// Lists every tenant. Only the operator may.
#[utoipa::path(get, path = "/tenants", tag = "Tenants", params(PageQuery),
    responses((status = 200, description = "A page of them.", body = Page<Tenant>)))]
pub(super) async fn list_tenants(
    caller: Caller,
    Paged(paging): Paged,
) -> Result<Json<Page<Tenant>>, Problem> {
    Ok(caller.management.tenants(&paging).await?.into())
}

/// Makes a tenant. Only the operator may.
#[utoipa::path(post, path = "/tenants", tag = "Tenants", request_body = NewTenant,
    responses(
        (status = 201, description = "The tenant.", body = Tenant),
        (status = 409, description = "There is a tenant of that name.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn create_tenant(
    Write { caller, asked, .. }: Write<NewTenant>,
) -> Result<(StatusCode, Json<Tenant>), Problem> {
    Ok((StatusCode::CREATED, Json(caller.management.create_tenant(&asked.name).await?.into())))
}

/// Shows the tenant that the credential is of.
#[utoipa::path(get, path = "/tenant", tag = "Tenants",
    responses((status = 200, description = "The tenant.", body = Tenant)))]
pub(super) async fn get_own_tenant(caller: Caller) -> Result<Json<Tenant>, Problem> {
    Ok(Json(caller.management.own_tenant().await?.into()))
}

/// Renames or suspends a tenant, lets it go on, or says how much it may keep. Only the operator may.
#[utoipa::path(patch, path = "/tenants/{id}", tag = "Tenants", request_body = TenantChange,
    params(("id" = inline(text::Tenant), Path, description = "The tenant.")),
    responses(
        (status = 200, description = "The tenant as it is now.", body = Tenant),
        (status = 409, description = "There is a tenant of that name.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn change_tenant(
    caller: Caller,
    Path(tenant): Path<TenantId>,
    Json(change): Json<TenantChange>,
) -> Result<Json<Tenant>, Problem> {
    if let Some(name) = &change.name {
        caller.management.rename_tenant(tenant, name).await?;
    }
    if let Some(suspended) = change.is_suspended {
        caller.management.suspend_tenant(tenant, suspended).await?;
    }
    if let Some(bytes) = change.artifact_quota_bytes {
        caller.management.set_artifact_quota(tenant, bytes).await?;
    }
    Ok(Json(caller.management.within(tenant)?.own_tenant().await?.into()))
}

impl From<TenantView> for Tenant {
    fn from(tenant: TenantView) -> Self {
        let TenantView { id, name, suspended, made_at, artifacts, .. } = tenant;
        Self {
            id,
            name,
            is_suspended: suspended,
            artifact_bytes: artifacts.bytes,
            artifact_quota_bytes: artifacts.quota,
            has_own_artifact_quota: artifacts.is_own,
            made_at,
        }
    }
}
