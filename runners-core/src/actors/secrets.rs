//! The secrets that a job names, found where whoever carries it out has them.

use super::error::with_causes;
use crate::{
    seams::{
        executor::Secrets,
        secrets::{SecretError, SecretSource},
    },
    values::{
        job::{JobOptions, JobSpec},
        result::Fault,
        secret::Secret,
    },
};

/// Finds every secret that a job names, in the first source that knows it. `whose` is who is told to know
/// none, such as `this runner`.
pub(super) async fn resolve<'s>(
    spec: &JobSpec,
    sources: impl Iterator<Item = &'s dyn SecretSource> + Clone,
    whose: &str,
) -> Result<Secrets, Fault> {
    let names = &spec.secrets;
    if names.len() > JobOptions::SECRETS_MAX {
        let message =
            format!("{} secrets are named, and the limit is {}", names.len(), JobOptions::SECRETS_MAX);
        return Err(Fault::permanent("secret", message));
    }
    let mut secrets = Secrets::new();
    for name in names {
        secrets.insert(name.clone(), secret(name, spec, sources.clone(), whose).await?);
    }
    Ok(secrets)
}

async fn secret<'s>(
    name: &str,
    spec: &JobSpec,
    sources: impl Iterator<Item = &'s dyn SecretSource>,
    whose: &str,
) -> Result<Secret, Fault> {
    if !Secret::is_name(name) {
        return Err(Fault::permanent("secret", format!("{name:?} is no name of a secret")));
    }
    for source in sources {
        match source.secret(name, spec).await {
            Ok(secret) => return fitting(name, secret),
            Err(SecretError::Unknown) => {}
            Err(error) => {
                let message = format!("secret {name:?}: {}", with_causes(&error));
                let retryable = matches!(error, SecretError::Unavailable(_));
                let fault = if retryable { Fault::retryable } else { Fault::permanent };
                return Err(fault("secret", message));
            }
        }
    }
    Err(Fault::permanent("secret", format!("{whose} knows no secret {name:?}")))
}

fn fitting(name: &str, secret: Secret) -> Result<Secret, Fault> {
    let (min, max) = (Secret::BYTES_MIN, Secret::BYTES_MAX);
    if (min..=max).contains(&secret.expose().len()) {
        return Ok(secret);
    }
    let message = format!("secret {name:?} does not have {min} to {max} bytes, so it could not be redacted");
    Err(Fault::permanent("secret", message))
}
