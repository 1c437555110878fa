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
    /// Finds the secret called `name`, which has [letters, digits, `-`, `_` and `.`](Secret::is_name) only,
    /// for a job that was submitted as `spec`. What `spec` says is proven only where the runner
    /// [demands signatures](crate::RunnerBuilder::demand_signatures).
    ///
    /// # Errors
    /// [`SecretError`], by what becomes of the attempt.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect. It is dropped when the attempt has to stop.
    async fn secret(&self, name: &str, spec: &JobSpec) -> Result<Secret, SecretError>;

    /// Whether it looks at [`JobSpec::tenant`], and gives each tenant only its own secrets. `false` by
    /// default: a runner whose pool is shared with other tenants then asks it for jobs of the runner's own
    /// tenant alone. Where it is `true`, `spec.tenant` is always given in jobs of other tenants, as the
    /// control plane tells it.
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
