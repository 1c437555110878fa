//! API credentials: what this API is called with.

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
use runners_core::{ApiCredentialSpec, ApiCredentialView, Scope, Timestamp, TokenId};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, time::Duration};

/// What a credential may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Scope)]
pub(crate) enum WireScope {
    /// Queue and cancel jobs, send signals.
    Submit,
    /// See what there is.
    Read,
    /// Change what there is.
    Admin,
}

/// What an API credential is to be.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewCredential {
    /// Who holds it, for people.
    #[schema(value_type = text::Name)]
    name: String,
    /// What it may do: at least one thing, and no more than whoever makes it.
    #[schema(value_type = Vec<WireScope>, min_items = 1)]
    scopes: BTreeSet<WireScope>,
    /// How long it is good for, at most 366 days. For ever unless given.
    #[schema(minimum = 1, maximum = 31_622_400)]
    expires_in_seconds: Option<u64>,
}

impl Asked for NewCredential {}

/// An API credential. Its text is not known here.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credential {
    #[schema(value_type = text::Token)]
    id: TokenId,
    name: String,
    scopes: Vec<WireScope>,
    is_revoked: bool,
    #[serde(rename = "createdAtUtc", with = "time")]
    #[schema(value_type = text::Time)]
    made_at: Timestamp,
    #[serde(rename = "expiresAtUtc", with = "time::optional")]
    #[schema(value_type = Option<text::Time>)]
    expires_at: Option<Timestamp>,
}

/// An API credential that was just made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct IssuedCredential {
    /// The text itself. Nobody can show it again: it is `null` where a repeat is answered.
    #[schema(examples("rapi_…"))]
    token: Option<String>,
    #[serde(flatten)]
    view: Credential,
}

/// Makes an API credential.
///
/// Its text is in the answer, and is never shown again.
#[utoipa::path(post, path = "/credentials", tag = "Credentials", request_body = NewCredential,
    responses((status = 201, description = "The credential.", body = IssuedCredential)))]
pub(super) async fn create_credential(
    Write { caller, asked, .. }: Write<NewCredential>,
) -> Result<(StatusCode, Json<IssuedCredential>), Problem> {
    let spec = ApiCredentialSpec {
        name: asked.name,
        scopes: asked.scopes.into_iter().map(Scope::from).collect(),
        expires_in: asked.expires_in_seconds.map(Duration::from_secs),
    };
    let issued = caller.management.create_api_credential(spec).await?;
    let token = issued.token.map(|token| token.expose().to_owned());
    Ok((StatusCode::CREATED, Json(IssuedCredential { token, view: issued.view.into() })))
}

/// Lists the API credentials, in no particular order, without their text.
#[utoipa::path(get, path = "/credentials", tag = "Credentials", params(PageQuery),
    responses((status = 200, description = "A page of them.", body = Page<Credential>)))]
pub(super) async fn list_credentials(
    caller: Caller,
    Paged(paging): Paged,
) -> Result<Json<Page<Credential>>, Problem> {
    Ok(caller.management.api_credentials(&paging).await?.into())
}

/// Revokes an API credential. The next call with it is refused.
#[utoipa::path(delete, path = "/credentials/{id}", tag = "Credentials",
    params(("id" = inline(text::Token), Path, description = "The credential's id.")),
    responses(
        (status = 204, description = "It is revoked."),
        (status = 409, description = "It was changed meanwhile.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn revoke_credential(
    caller: Caller,
    Path(credential): Path<TokenId>,
) -> Result<StatusCode, Problem> {
    caller.management.revoke_api_credential(credential).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<WireScope> for Scope {
    fn from(scope: WireScope) -> Self {
        match scope {
            WireScope::Submit => Self::Submit,
            WireScope::Read => Self::Read,
            WireScope::Admin => Self::Admin,
        }
    }
}

impl From<ApiCredentialView> for Credential {
    fn from(credential: ApiCredentialView) -> Self {
        let scopes = credential.scopes.into_iter().filter_map(|scope| match scope {
            Scope::Submit => Some(WireScope::Submit),
            Scope::Read => Some(WireScope::Read),
            Scope::Admin => Some(WireScope::Admin),
            _ => None,
        });
        Self {
            id: credential.id,
            name: credential.name,
            scopes: scopes.collect(),
            is_revoked: credential.revoked,
            made_at: credential.made_at,
            expires_at: credential.expires_at,
        }
    }
}
