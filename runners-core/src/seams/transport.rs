//! The transport seam: one call that carries one request and brings one reply.

pub(crate) mod retrying;

use crate::values::{
    id::TenantId,
    reply::{RefusalCode, Refused, Reply},
    request::Request,
};
use async_trait::async_trait;
use std::{error::Error, fmt::Debug, sync::Arc, time::Duration};

/// Carries a request to a control plane and its reply back.
///
/// A transport is authenticated already: whatever it carries is asked in the name of one runner or one
/// API user. [`ControlPlane::caller`](crate::ControlPlane::caller) returns one for a principal, in this process; a
/// client over HTTP is another, made with a token. Every implementation passes
/// [`transport_suite!`](crate::transport_suite).
#[async_trait]
pub trait Transport: Debug + Send + Sync + 'static {
    /// Carries `request` and waits for its reply, which may be held back for
    /// [`Request::park_for`].
    ///
    /// # Errors
    /// As [`TransportError`] says. After an error the request may or may not have been applied. It can be
    /// sent again without harm: a sync states all that a runner holds, and every other write carries a key
    /// by which a repeat is known.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the request applied or not, as after an error.
    async fn call(&self, request: Request) -> Result<Reply, TransportError>;

    /// Whether it tries again by itself after transient trouble, so that its caller need not. `false` by
    /// default; a transport that wraps another answers what that one does.
    fn retries(&self) -> bool {
        false
    }

    /// The same transport, with changes noted in the audit under the credential that this token is. Servers
    /// ask it of a [caller](crate::ControlPlane::caller) of their control plane; with `None`, which is the
    /// default, they use the transport as it is. The token is not kept.
    fn made_with(&self, _token: &str) -> Option<Arc<dyn Transport>> {
        None
    }

    /// Whether it speaks for a runner of another tenant that holds a job of `tenant` at present (a
    /// [hosted](crate::HostedExecution) one), and so may read and put artifacts of `tenant` meanwhile. Servers
    /// ask it of a [caller](crate::ControlPlane::caller) of their control plane. `false` by default.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`] when that is not known now.
    async fn hosts(&self, _tenant: TenantId) -> Result<bool, TransportError> {
        Ok(false)
    }

    /// The same transport about the tenant that `named` names, by its id or its name, and that tenant's id.
    /// Only the operator speaks about others than its own. Servers ask it of a
    /// [caller](crate::ControlPlane::caller) of their control plane, which goes by the rules of
    /// [`Management::within_named`](crate::Management::within_named). By default there is no such tenant.
    ///
    /// # Errors
    /// As [`WithinError`] says.
    async fn within(&self, named: &str) -> Result<(TenantId, Arc<dyn Transport>), WithinError> {
        let detail = format!("tenant: there is no tenant {named}");
        Err(WithinError::Refused(Refused::new(RefusalCode::NotFound, detail)))
    }
}

#[async_trait]
impl<T: Transport + ?Sized> Transport for Arc<T> {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        (**self).call(request).await
    }

    fn retries(&self) -> bool {
        (**self).retries()
    }

    fn made_with(&self, token: &str) -> Option<Arc<dyn Transport>> {
        (**self).made_with(token)
    }

    async fn hosts(&self, tenant: TenantId) -> Result<bool, TransportError> {
        (**self).hosts(tenant).await
    }

    async fn within(&self, named: &str) -> Result<(TenantId, Arc<dyn Transport>), WithinError> {
        (**self).within(named).await
    }
}

/// Why a transport does not speak about a tenant.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WithinError {
    /// Name another: there is no such tenant for whom it speaks (`not_found`), or several have the name
    /// (`conflict`).
    #[error("{}", .0.detail)]
    Refused(Refused),
    /// Try again: which tenants there are is not known now.
    #[error("tenants cannot be looked up")]
    Unreachable(#[source] TransportSource),
}

/// The cause of a transport's trouble.
pub type TransportSource = Box<dyn Error + Send + Sync>;

/// Why no reply came, by what the caller does next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Try again: the control plane, or something in between, did not answer.
    #[error("control plane is unreachable")]
    Unreachable(#[source] TransportSource),
    /// Try again, but not before `retry_after`.
    #[error("control plane is busy: try again in {} s", retry_after.as_secs())]
    Busy {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Get another token: this one is not, or no longer, accepted.
    #[error("token is not accepted: {0}")]
    Unauthorized(String),
    /// Upgrade one of the two: they have no protocol version in common.
    #[error("protocol version is not supported: {0}")]
    Unsupported(String),
    /// Correct the request: the control plane does not take it.
    #[error("request is not accepted ({code}): {detail}")]
    Rejected {
        /// For machines. Stable.
        code: String,
        /// What is wrong, and what to do.
        detail: String,
    },
}

impl TransportError {
    /// Whether another try may fare better.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Busy { .. })
    }
}
