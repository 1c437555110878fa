//! The seam that tells for whom a token speaks.

pub(crate) mod attempts;

use crate::values::principal::Principal;
use async_trait::async_trait;
use futures::future::BoxFuture;
use std::{error::Error, fmt::Debug, sync::Arc, time::Duration};

/// Tells for whom a token speaks. [`ControlPlane::authenticator`](crate::ControlPlane::authenticator)
/// returns one over the control plane's own credentials; hosts with accounts write their own.
///
/// The accounts of a host can be used beside the control plane's own credentials: a token that the host
/// does not know is passed on, since it may be a runner's credential or a registration token.
///
/// ```
/// use runners_core::{
///     Authenticate, AuthenticateError, ControlPlane, MemoryStore, PoolSpec, Principal,
///     RecordsAuthenticator, Scope, TenantId, Timestamp,
/// };
/// use std::collections::BTreeMap;
///
/// #[derive(Debug)]
/// struct Accounts {
///     tenants: BTreeMap<String, TenantId>,
///     runners: RecordsAuthenticator,
/// }
///
/// #[async_trait::async_trait]
/// impl Authenticate for Accounts {
///     async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticateError> {
///         match self.tenants.get(token) {
///             Some(tenant) => Ok(Principal::Api { tenant: *tenant, scopes: Scope::ALL.into() }),
///             None => self.runners.authenticate(token).await,
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let control = ControlPlane::builder(MemoryStore::default()).start().await?;
/// let acme = TenantId::new(Timestamp::from_millis(1), [7; 10]);
/// let tenants = [("session-of-a-user".to_owned(), acme)].into();
/// let accounts = Accounts { tenants, runners: control.authenticator() };
///
/// let principal = accounts.authenticate("session-of-a-user").await?;
/// let pool = control.management(principal).create_pool(PoolSpec::new("lab")).await?;
/// assert_eq!(pool.tenant, acme);
/// assert!(accounts.authenticate("guess").await.is_err());
/// # control.stop().await?;
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Authenticate: Debug + Send + Sync + 'static {
    /// Looks `token` up.
    ///
    /// # Errors
    /// [`AuthenticateError::Unknown`] for a token that is not, or no longer, good: the caller
    /// learns nothing more. [`AuthenticateError::Removed`] for that of a removed runner, for a while.
    async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticateError>;

    /// Completes when a token that was good is revoked or expires, so that calls which are held back or
    /// streamed under it are ended. By default it never completes. An implementation that passes tokens on
    /// to another one passes this on as well.
    ///
    /// # Cancel safety
    /// Dropping the future forgets the wait.
    fn ended(&self, token: &str) -> BoxFuture<'static, ()> {
        let _ = token;
        Box::pin(std::future::pending())
    }
}

#[async_trait]
impl<A: Authenticate + ?Sized> Authenticate for Arc<A> {
    async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticateError> {
        (**self).authenticate(token).await
    }

    fn ended(&self, token: &str) -> BoxFuture<'static, ()> {
        (**self).ended(token)
    }
}

/// Why a token was not accepted, by what the caller does next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticateError {
    /// Get another token: this one is not known, revoked or expired.
    #[error("token is not known")]
    Unknown,
    /// Tell the runner that it was removed, with [`Refused::removed`](crate::protocol::Refused::removed):
    /// this token was its credential, and is good for nothing else.
    #[error("runner was removed")]
    Removed,
    /// Try again, but not before `retry_after`: there were too many failures.
    #[error("too many failed attempts: try again in {} s", retry_after.as_secs())]
    Limited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Try again later: tokens cannot be looked up now.
    #[error("tokens cannot be looked up")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}
