//! Tenants: one's own, and all of them for the operator.

use super::{
    caller::Caller,
    page::{Page, PageQuery, Paged},
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
    responses((status = 201, description = "The tenant.", body = Tenant)))]
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

/// Renames or suspends a tenant, or lets it go on. Only the operator may.
#[utoipa::path(patch, path = "/tenants/{id}", tag = "Tenants", request_body = TenantChange,
    params(("id" = inline(text::Tenant), Path, description = "The tenant.")),
    responses((status = 200, description = "The tenant as it is now.", body = Tenant)))]
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
    Ok(Json(caller.management.within(tenant)?.own_tenant().await?.into()))
}

impl From<TenantView> for Tenant {
    fn from(tenant: TenantView) -> Self {
        Self { id: tenant.id, name: tenant.name, is_suspended: tenant.suspended, made_at: tenant.made_at }
    }
}
