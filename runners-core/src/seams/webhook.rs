//! The webhook seam: one call to an address that a tenant has named.

use async_trait::async_trait;
use bytes::Bytes;
use std::{error::Error, fmt::Debug, sync::Arc};

/// Calls addresses that tenants have named. When to call, and how often, is not its business.
#[async_trait]
pub trait WebhookSender: Debug + Send + Sync + 'static {
    /// Posts `call` once, and answers the code of the reply.
    ///
    /// It looks the name up once, connects only to an address that the operator permits
    /// ([`AddressPolicy`](crate::AddressPolicy)), follows no redirect and uses no proxy.
    ///
    /// # Errors
    /// [`WebhookError`].
    ///
    /// # Cancel safety
    /// Dropping the future gives the call up, which may have arrived.
    async fn send(&self, call: WebhookCall) -> Result<u16, WebhookError>;

    /// Says of an address what can be said before it is called, so that one that never can be is not taken. A
    /// name is looked up when it is called.
    ///
    /// # Errors
    /// [`WebhookError::Forbidden`].
    fn check(&self, _url: &str) -> Result<(), WebhookError> {
        Ok(())
    }
}

#[async_trait]
impl<S: WebhookSender + ?Sized> WebhookSender for Arc<S> {
    async fn send(&self, call: WebhookCall) -> Result<u16, WebhookError> {
        (**self).send(call).await
    }

    fn check(&self, url: &str) -> Result<(), WebhookError> {
        (**self).check(url)
    }
}

/// One call.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "senders are written outside this crate and read it")]
pub struct WebhookCall {
    /// Where to.
    pub url: String,
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The bytes that are signed: they go out as they are.
    pub body: Bytes,
}

/// Why a call was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// Give up: the operator does not permit this address, or it is none.
    #[error("the address is not permitted: {0}")]
    Forbidden(String),
    /// Try again later.
    #[error("the call failed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}
