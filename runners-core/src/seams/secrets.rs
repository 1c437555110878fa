//! The secrets seam: where a runner finds the secrets that jobs name. Redacting them is left to the
//! runner.

#[cfg(feature = "fs")]
pub(crate) mod directory;
pub(crate) mod environment;

use crate::values::{job::JobSpec, secret::Secret};
use async_trait::async_trait;
use std::{fmt::Debug, sync::Arc};

/// The cause of an error of a [`SecretSource`].
pub type SecretCause = Box<dyn std::error::Error + Send + Sync>;

/// Resolves the names of secrets, on the runner's side. The control plane sees names only.
#[async_trait]
pub trait SecretSource: Debug + Send + Sync + 'static {
    /// Finds the secret called `name`, of [letters, digits, `-`, `_` and `.`](Secret::is_name), for
    /// the job `spec`. Who asks is proven only where signatures are
    /// [demanded](crate::RunnerBuilder::demand_signatures).
    ///
    /// # Errors
    /// [`SecretError`], by what becomes of the attempt.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect. It is dropped when the attempt has to stop.
    async fn secret(&self, name: &str, spec: &JobSpec) -> Result<Secret, SecretError>;

    /// Whether it looks at [`JobSpec::tenant`], and gives each tenant nothing but its own. `false`
    /// unless said otherwise: a runner of a pool that several tenants share then does not ask it on
    /// behalf of another tenant than the runner's own. In such a job the tenant is always given, as
    /// the control plane tells it.
    fn tells_tenants_apart(&self) -> bool {
        false
    }
}

#[async_trait]
impl<S: SecretSource + ?Sized> SecretSource for Arc<S> {
    async fn secret(&self, name: &str, spec: &JobSpec) -> Result<Secret, SecretError> {
        (**self).secret(name, spec).await
    }

    fn tells_tenants_apart(&self) -> bool {
        (**self).tells_tenants_apart()
    }
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Ask another source; if none knows it, the attempt errs and is not tried again.
    #[error("there is no secret of this name")]
    Unknown,
    /// Try again: the attempt errs, and is tried again as its job allows.
    #[error("secret cannot be had now")]
    Unavailable(#[source] SecretCause),
    /// Mend what the problem says: the attempt errs and is not tried again.
    #[error("secret cannot be used: {problem}")]
    Unusable {
        /// What is wrong, and what to do.
        problem: String,
    },
}
