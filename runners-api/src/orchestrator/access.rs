//! Whose request it is, and what they may ask for.

use super::{Face, Inner};
use crate::{contract::error::Refusal, wire::credential};
use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::Response,
};
use futures::future::{BoxFuture, FutureExt as _, Shared};
use http::{HeaderMap, header, request::Parts};
use runners_core::{
    Authenticate, FailedAttempts, Peer, Principal, Scope, TenantId, orchestration::OrchestratorClient,
};
use std::{collections::BTreeSet, fmt, sync::Arc};

/// The header with which the operator works for one tenant.
const TENANT: &str = "runners-tenant";

/// How it is found out who calls.
pub(super) struct Access {
    authenticate: Arc<dyn Authenticate>,
    pub(super) attempts: FailedAttempts,
    /// For whom a request speaks that has no credential.
    pub(super) anonymous: Option<Principal>,
}

/// Who calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) tenant: TenantId,
    pub(super) client: OrchestratorClient,
    scopes: BTreeSet<Scope>,
    /// Completes when the credential is good no longer.
    pub(super) ended: Ended,
}

type Ended = Shared<BoxFuture<'static, ()>>;

impl Access {
    pub(super) fn new(authenticate: impl Authenticate) -> Self {
        Self { authenticate: Arc::new(authenticate), attempts: FailedAttempts::default(), anonymous: None }
    }
}

impl Caller {
    /// Finds out who calls.
    pub(super) async fn of(inner: &Inner, headers: &HeaderMap, peer: Option<Peer>) -> Result<Self, Refusal> {
        let access = &inner.access;
        let has_credential =
            headers.contains_key(header::AUTHORIZATION) || headers.contains_key(credential::API_KEY);
        let (principal, ended) = match &access.anonymous {
            Some(principal) if !has_credential => (principal.clone(), std::future::pending().boxed()),
            _ => {
                let token = credential::token(headers)?;
                credential::check_kind(&token)?;
                let (authenticate, clock) = (&*access.authenticate, &*inner.clock);
                let found =
                    credential::principal(authenticate, &access.attempts, clock, &token, peer).await?;
                (found, authenticate.ended(token.expose()))
            }
        };
        let (tenant, scopes) = match principal {
            Principal::Api { tenant, scopes } => (tenant, scopes),
            Principal::Operator => (tenant_of(headers)?.unwrap_or(TenantId::DEFAULT), Scope::ALL.into()),
            _ => return Err(forbidden("the credential is for something else: use an API credential")),
        };
        Ok(Self { tenant, client: inner.orchestrator.client(tenant), scopes, ended: ended.shared() })
    }

    pub(super) fn may(&self, scope: Scope) -> Result<(), Refusal> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        let name = format!("{scope:?}").to_ascii_lowercase();
        Err(forbidden(format!("the credential has not the scope {name}: get one that has")))
    }
}

impl FromRequestParts<Face> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Face) -> Result<Self, Refusal> {
        let caller = parts.extensions.get::<Self>().cloned();
        Ok(caller.expect("invariant: every call is authenticated before it is answered"))
    }
}

/// Finds out who calls before anything else is looked at.
pub(super) async fn authenticate(
    State(face): State<Face>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let peer = request.extensions().get::<Peer>().copied();
    let caller = Caller::of(&face.0, request.headers(), peer).await?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// The tenant that the operator works for.
fn tenant_of(headers: &HeaderMap) -> Result<Option<TenantId>, Refusal> {
    let Some(value) = headers.get(TENANT) else { return Ok(None) };
    let tenant = value.to_str().ok().and_then(|text| text.parse().ok());
    let malformed = || Refusal::malformed("Runners-Tenant: send the id of a tenant");
    tenant.map(Some).ok_or_else(malformed)
}

fn forbidden(message: impl Into<String>) -> Refusal {
    Refusal::new(403, "FORBIDDEN", "The credential does not allow this", message)
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("authenticate", &self.authenticate)
            .field("anonymous", &self.anonymous)
            .finish_non_exhaustive()
    }
}
