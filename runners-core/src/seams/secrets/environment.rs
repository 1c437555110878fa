//! Secrets in the environment of the runner's process.

use super::{SecretError, SecretSource};
use crate::values::{job::JobSpec, secret::Secret};
use async_trait::async_trait;

/// Finds secrets in environment variables that begin with a prefix, so that no job can name others.
/// With the prefix `RUNNERS_SECRET_`, the secret `shop` is the variable `RUNNERS_SECRET_shop`.
///
/// Processes that executors start inherit the environment, unless the executor clears it.
#[derive(Clone, Debug)]
pub struct EnvironmentSecrets {
    prefix: String,
}

impl EnvironmentSecrets {
    /// Finds variables that begin with `prefix`.
    ///
    /// # Panics
    /// When the prefix is empty: every variable would be a secret that a job can ask for.
    #[must_use]
    pub fn prefixed(prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        assert!(!prefix.is_empty(), "prefix: must not be empty");
        Self { prefix }
    }
}

#[async_trait]
impl SecretSource for EnvironmentSecrets {
    async fn secret(&self, name: &str, _spec: &JobSpec) -> Result<Secret, SecretError> {
        let variable = format!("{}{name}", self.prefix);
        match std::env::var(&variable) {
            Ok(text) => Ok(Secret::from_text(text)),
            Err(std::env::VarError::NotPresent) => Err(SecretError::Unknown),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(SecretError::Unusable { problem: format!("{variable} is not UTF-8") })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{id::JobId, job::JobOptions};

    #[tokio::test]
    async fn only_variables_with_the_prefix_are_secrets() {
        let spec = JobSpec::new(JobId::from_bytes([1; 16]), "visit", b"", JobOptions::default());
        // Cargo sets these for the test.
        let secrets = EnvironmentSecrets::prefixed("CARGO_PKG_");
        assert_eq!(secrets.secret("NAME", &spec).await.unwrap().expose(), env!("CARGO_PKG_NAME"));
        assert!(matches!(secrets.secret("PATH", &spec).await, Err(SecretError::Unknown)));
    }
}
