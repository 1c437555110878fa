//! The transport seam: one call that carries one request and brings one reply.

pub(crate) mod retrying;

use crate::values::{id::TenantId, reply::Reply, request::Request};
use async_trait::async_trait;
use std::{error::Error, fmt::Debug, sync::Arc, time::Duration};

/// Carries a request to a control plane and its reply back.
///
/// A value of it already speaks for somebody: [`ControlPlane::caller`](crate::ControlPlane::caller)
/// returns one, an HTTP server makes one for each authenticated request. Every implementation
/// passes [`transport_suite!`](crate::transport_suite).
#[async_trait]
pub trait Transport: Debug + Send + Sync + 'static {
    /// Carries `request` and waits for its reply, which may be held back for
    /// [`Request::park_for`].
    ///
    /// # Errors
    /// On an error the request may or may not have been applied. Nothing is told apart by its
    /// bytes: a sync states the whole truth, every other write carries its own key, so a repeat
    /// is harmless.
    ///
    /// # Cancel safety
    /// Dropping the future is an error that nobody hears of.
    async fn call(&self, request: Request) -> Result<Reply, TransportError>;

    /// Whether it tries again by itself after transient trouble, so that nobody around it does so
    /// too. It does not, unless said otherwise; what wraps another says what that one does.
    fn retries(&self) -> bool {
        false
    }

    /// The same for whoever showed this token, who is then named in the audit for what it changes.
    /// Servers ask this of a caller of their control plane; there is none unless said otherwise, and the
    /// transport is used as it is. Nothing of the token is kept.
    fn made_with(&self, _token: &str) -> Option<Arc<dyn Transport>> {
        None
    }

    /// Whether it speaks for a runner that holds a job of `tenant` at present, though it belongs to
    /// another: for as long, it may read and put artifacts there. Servers ask this of a caller of
    /// their control plane; nobody does unless said otherwise.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`] when it cannot be told now.
    async fn hosts(&self, _tenant: TenantId) -> Result<bool, TransportError> {
        Ok(false)
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
    /// Mend the request: the control plane does not take it.
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
