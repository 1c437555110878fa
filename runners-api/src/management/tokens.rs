//! Registration tokens, and runners that are registered in advance. Their text is shown once.

use super::{
    caller::Caller,
    page::{Page, PageQuery, Paged},
    runners::Runner,
    write::Write,
};
use crate::wire::{
    json::{Asked, Json},
    path::Path,
    problem::{Code, Problem},
    text, time,
};
use http::StatusCode;
use runners_core::{PoolId, RegistrationSpec, RegistrationView, RunnerId, Timestamp, TokenId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How often a registration token may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenMode {
    /// Once.
    SingleUse,
    /// As often as `maxUses` says, or any number of times.
    MultiUse,
}

/// What a registration token is to be.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewRegistrationToken {
    /// `single_use` unless said otherwise, or `maxUses` is given.
    token_mode: Option<TokenMode>,
    /// How often it may be used.
    #[schema(minimum = 1)]
    max_uses: Option<u32>,
    /// What it is for, for people.
    #[schema(max_length = 100)]
    name: Option<String>,
    /// How long it is good for: one day unless said otherwise, and 366 at most.
    #[schema(minimum = 1, maximum = 31_622_400)]
    expires_in_seconds: Option<u64>,
}

impl Asked for NewRegistrationToken {
    const OPTIONAL: bool = true;
}

/// A registration token that was just made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IssuedRegistrationToken {
    /// The text itself. Nobody can show it again: it is `null` where a repeat is answered.
    #[schema(examples("rreg_…"))]
    token: Option<String>,
    #[serde(flatten)]
    view: RegistrationToken,
}

/// A registration token. Its text is not known here.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegistrationToken {
    #[schema(value_type = text::Token)]
    id: TokenId,
    #[schema(value_type = text::Pool)]
    pool_id: PoolId,
    name: String,
    token_mode: TokenMode,
    /// How often it may be used, if that is limited.
    max_uses: Option<u32>,
    /// How often it was used.
    uses: u32,
    is_revoked: bool,
    #[serde(rename = "createdAtUtc", with = "time")]
    #[schema(value_type = text::Time)]
    made_at: Timestamp,
    #[serde(rename = "expiresAtUtc", with = "time::optional")]
    #[schema(value_type = Option<text::Time>)]
    expires_at: Option<Timestamp>,
}

/// A runner that is to be registered in advance.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRunner {
    #[schema(value_type = text::Name)]
    name: String,
}

impl Asked for NewRunner {}

/// A runner that was registered in advance.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct IssuedRunner {
    /// What the runner is to be started with. Nobody can show it again: it is `null` where a repeat
    /// is answered.
    #[schema(examples("rcrd_…"))]
    token: Option<String>,
    runner: Runner,
}

/// Makes a registration token of a pool.
///
/// Its text is in the answer, and is never shown again.
#[utoipa::path(post, path = "/self-hosted/pools/{id}/registration-tokens", tag = "Registration tokens",
    request_body(content = Option<NewRegistrationToken>),
    params(("id" = inline(text::Pool), Path, description = "The pool.")),
    responses((status = 201, description = "The token.", body = IssuedRegistrationToken)))]
pub(super) async fn create_registration_token(
    Path(pool): Path<PoolId>,
    Write { caller, asked, .. }: Write<NewRegistrationToken>,
) -> Result<(StatusCode, Json<IssuedRegistrationToken>), Problem> {
    let issued = caller.management.create_registration(pool, asked.spec()?).await?;
    let token = issued.token.map(|token| token.expose().to_owned());
    Ok((StatusCode::CREATED, Json(IssuedRegistrationToken { token, view: issued.view.into() })))
}

/// Lists the registration tokens of a pool, in no particular order, without their text.
#[utoipa::path(get, path = "/self-hosted/pools/{id}/registration-tokens", tag = "Registration tokens",
    params(("id" = inline(text::Pool), Path, description = "The pool."), PageQuery),
    responses((status = 200, description = "A page of them.", body = Page<RegistrationToken>)))]
pub(super) async fn list_registration_tokens(
    caller: Caller,
    Path(pool): Path<PoolId>,
    Paged(paging): Paged,
) -> Result<Json<Page<RegistrationToken>>, Problem> {
    let listing = caller.management.registrations(pool, &paging).await?;
    Ok(listing.into())
}

/// Revokes a registration token.
///
/// Nobody registers with it from now on. Runners that have done so stay.
#[utoipa::path(delete, path = "/self-hosted/pools/{id}/registration-tokens/{token}",
    tag = "Registration tokens",
    params(
        ("id" = inline(text::Pool), Path, description = "The pool."),
        ("token" = inline(text::Token), Path, description = "The token's id.")),
    responses((status = 204, description = "It is revoked.")))]
pub(super) async fn revoke_registration_token(
    caller: Caller,
    Path((pool, token)): Path<(PoolId, TokenId)>,
) -> Result<StatusCode, Problem> {
    caller.management.revoke_registration(pool, token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Registers a runner in advance.
///
/// The token in the answer is its credential until it replaces it, which it does by itself.
#[utoipa::path(post, path = "/self-hosted/pools/{id}/runners", tag = "Registration tokens",
    request_body = NewRunner,
    params(("id" = inline(text::Pool), Path, description = "The pool.")),
    responses((status = 201, description = "The runner, and its token.", body = IssuedRunner)))]
pub(super) async fn register_runner(
    Path(pool): Path<PoolId>,
    Write { caller, asked, .. }: Write<NewRunner>,
) -> Result<(StatusCode, Json<IssuedRunner>), Problem> {
    let issued = caller.management.register_runner(pool, &asked.name).await?;
    let token = issued.token.map(|token| token.expose().to_owned());
    let runner = Runner::new(issued.view, runners_core::Presence::default());
    Ok((StatusCode::CREATED, Json(IssuedRunner { token, runner })))
}

/// Revokes every credential of a runner.
///
/// Its next call is refused, and what it holds is lost when its term ends. A credential is renewed
/// by its runner itself: this is for one that has leaked.
#[utoipa::path(post, path = "/self-hosted/runners/{id}/revoke-credentials", tag = "Registration tokens",
    params(("id" = inline(text::Runner), Path, description = "The runner.")),
    responses((status = 204, description = "They are revoked.")))]
pub(super) async fn revoke_runner_credentials(
    caller: Caller,
    Path(runner): Path<RunnerId>,
) -> Result<StatusCode, Problem> {
    caller.management.revoke_runner_credentials(runner).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl NewRegistrationToken {
    fn spec(self) -> Result<RegistrationSpec, Problem> {
        let uses_max = match (self.token_mode, self.max_uses) {
            (Some(TokenMode::SingleUse), Some(uses)) if uses != 1 => {
                let detail = "maxUses: a token with the mode `single_use` is used once: leave it out";
                return Err(Problem::new(Code::Invalid, detail).at("maxUses"));
            }
            (Some(TokenMode::SingleUse), _) | (None, None) => Some(1),
            (Some(TokenMode::MultiUse) | None, uses) => uses,
        };
        let usual = RegistrationSpec::default();
        Ok(RegistrationSpec {
            name: self.name.unwrap_or_default(),
            uses_max,
            expires_in: self.expires_in_seconds.map_or(usual.expires_in, Duration::from_secs),
        })
    }
}

impl From<RegistrationView> for RegistrationToken {
    fn from(token: RegistrationView) -> Self {
        let single = token.uses_max == Some(1);
        Self {
            id: token.id,
            pool_id: token.pool,
            name: token.name,
            token_mode: if single { TokenMode::SingleUse } else { TokenMode::MultiUse },
            max_uses: token.uses_max,
            uses: token.uses,
            is_revoked: token.revoked,
            made_at: token.made_at,
            expires_at: token.expires_at,
        }
    }
}
