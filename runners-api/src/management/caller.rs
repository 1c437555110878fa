//! Whose request it is: the token, read strictly, never logged.

use super::Face;
use crate::wire::{
    credential,
    problem::{Code, Problem},
};
use axum::{
    extract::{FromRequestParts, Request as HttpRequest, State},
    middleware::Next,
    response::Response,
};
use futures::future::{BoxFuture, Either, FutureExt as _, Shared, select};
use http::{HeaderMap, HeaderName, request::Parts};
use runners_core::{
    Management, Peer, Transport as _, TransportError,
    protocol::{Reply, Request},
};
use std::pin::pin;

/// The header with which the operator works for one tenant.
pub(crate) const TENANT: HeaderName = HeaderName::from_static("runners-tenant");

/// What the caller may see and change.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) management: Management,
    ended: Ended,
}

/// Waits until the credential is good no longer.
pub(crate) type Ended = Shared<BoxFuture<'static, ()>>;

/// Finds out who calls before anything else is looked at.
pub(super) async fn authenticate(
    State(face): State<Face>,
    mut request: HttpRequest,
    next: Next,
) -> Result<Response, Problem> {
    let token = credential::token(request.headers())?;
    credential::check_kind(&token)?;
    let peer = request.extensions().get::<Peer>().copied();
    let principal =
        credential::principal(face.authenticator(), face.attempts(), face.clock(), &token, peer).await?;
    let ended = face.authenticator().ended(token.expose()).shared();
    let mut management = face.control().management(principal).made_with(token.expose());
    drop(token);
    if let Some(name) = tenant(request.headers())? {
        management = management.within_named(name).await?;
    }
    request.extensions_mut().insert(Caller { management, ended });
    Ok(next.run(request).await)
}

impl Caller {
    /// Asks the control plane as any client does.
    pub(crate) async fn call(&self, request: Request) -> Result<Reply, Problem> {
        match self.management.caller().call(request).await {
            Ok(Reply::Refused(refused)) => Err(refused.into()),
            Ok(reply) => Ok(reply),
            Err(TransportError::Busy { retry_after }) => {
                Err(Problem::unavailable("the control plane is stopping").retry_after(retry_after))
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "control plane did not answer");
                Err(Problem::unavailable("the control plane cannot answer now: try again later"))
            }
        }
    }
}

impl Caller {
    /// Waits until the credential is good no longer.
    pub(crate) fn ended(&self) -> Ended {
        self.ended.clone()
    }

    /// Does what may be held back, for as long as the credential is good.
    pub(crate) async fn while_good<T>(
        &self,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        match select(pin!(work), self.ended()).await {
            Either::Left((done, _)) => done,
            Either::Right(_) => Err(Problem::unauthorized("the token is good no longer: get another one")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let nobody = || Problem::unauthorized("this call needs a credential");
        parts.extensions.get::<Self>().cloned().ok_or_else(nobody)
    }
}

/// The id or the name of the tenant to work for, if one is named.
fn tenant(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(TENANT).iter();
    let text = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        // The name may have any letters.
        (Some(value), None) => std::str::from_utf8(value.as_bytes()).ok().filter(|text| !text.is_empty()),
        _ => None,
    };
    let detail = "Runners-Tenant: send it once, with the id of a tenant or its name";
    text.map(Some).ok_or_else(|| Problem::new(Code::Invalid, detail).at("Runners-Tenant"))
}
