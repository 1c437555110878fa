//! What happens between the start of an attempt and its executor: the order is checked, its payload
//! fetched, its secrets resolved. Stopping in time is left to the driver.

use super::{hooks::Hooks, link::SessionLink, serve::Shared, session::Order};
use crate::{
    actors::{artifacts::TenantArtifacts, error::with_causes, secrets, spool::Spool},
    rules::{redaction::Redactor, signature::SignaturePolicy},
    seams::{
        artifact::ArtifactError,
        executor::{Attempt, ErasedExecutor, Product, Secrets},
        secrets::SecretSource,
    },
    values::{digest::Digest, result::Fault, secret::Secret},
};
#[cfg(feature = "checks")]
use crate::{
    seams::checks::CheckCommands,
    values::{check::RunCheck, command::Command as _},
};
use bytes::Bytes;
use std::sync::Arc;

/// What all attempts of a runner share.
#[derive(Debug)]
pub(super) struct Outfit {
    pub(super) artifacts: Option<TenantArtifacts>,
    pub(super) signatures: SignaturePolicy,
    pub(super) hooks: Hooks,
    /// Notes there that it was used, before it is.
    pub(super) single_use: Option<Spool>,
    /// Asked in this order.
    pub(super) secrets: Vec<Arc<dyn SecretSource>>,
    /// Says which secrets checks need that are asked for by their names.
    #[cfg(feature = "checks")]
    pub(super) checks: Option<Arc<dyn CheckCommands>>,
}

/// One attempt on its way to its executor.
pub(super) struct Execution {
    pub(super) order: Order,
    pub(super) executor: Arc<dyn ErasedExecutor>,
    pub(super) outfit: Arc<Outfit>,
    pub(super) shared: Arc<Shared>,
    pub(super) link: Arc<SessionLink>,
}

impl Execution {
    /// Executes the order, if it is what it should be.
    pub(super) async fn execute(mut self, attempt: Attempt) -> Result<Product, Fault> {
        if let Some(spool) = &self.outfit.single_use {
            let kept = spool.keep_used(true).await;
            kept.map_err(|error| Fault::retryable("state_not_kept", with_causes(&error)))?;
        }
        self.check_signature()?;
        // Only now: a tenant that is filled in was not signed.
        self.order.spec.tenant = self.order.spec.tenant.or(self.order.tenant);
        let payload = self.payload().await?;
        #[cfg(feature = "checks")]
        self.name_secrets(&payload);
        let secrets = self.secrets().await?;
        self.link.redact_by(Redactor::new(secrets.values().map(Secret::expose)));
        self.outfit.hooks.job(&self.order.spec).await?;
        // What nobody has signed chooses no program where signatures are demanded.
        let image = self.order.image.take().filter(|_| !self.outfit.signatures.demanded);
        let attempt = attempt.with_secrets(secrets).with_image(image).with_capture(self.order.spec.capture);
        self.executor.execute(payload, attempt).await
    }

    fn check_signature(&self) -> Result<(), Fault> {
        let Order { spec, spec_bytes, signature, .. } = &self.order;
        let now = self.shared.clock.wall();
        let checked = self.outfit.signatures.check(spec, spec_bytes.as_bytes(), signature.as_deref(), now);
        checked.map_err(|problem| Fault::permanent("signature", problem))
    }

    /// The payload, if it is the one that was submitted, byte by byte.
    async fn payload(&self) -> Result<Bytes, Fault> {
        let expected = self.order.spec.payload_digest;
        let bytes = match (&self.order.payload, self.order.payload_artifact) {
            (Some(payload), _) => payload.as_bytes().clone(),
            (None, None) => Bytes::new(),
            (None, Some(digest)) => {
                let Some(artifacts) = &self.outfit.artifacts else {
                    let message = "the payload is an artifact, and this runner was given no artifact store";
                    return Err(Fault::permanent("no_artifact_store", message));
                };
                let unavailable =
                    |error: ArtifactError| Fault::retryable("payload_unavailable", error.to_string());
                artifacts.of(self.order.tenant).get(digest, &*self.shared.clock).await.map_err(unavailable)?
            }
        };
        if Digest::of(&bytes) != expected {
            let message =
                format!("the payload is not the one that was submitted, whose SHA-256 is {expected}");
            return Err(Fault::permanent("digest_mismatch", message));
        }
        Ok(bytes)
    }

    /// Names the secrets too that a check needs which is asked for by its name. What is wrong with the
    /// command, its executor says.
    #[cfg(feature = "checks")]
    fn name_secrets(&mut self, payload: &Bytes) {
        let spec = &mut self.order.spec;
        let checks = self.outfit.checks.as_ref().filter(|_| spec.kind == RunCheck::KIND);
        let command =
            checks.and_then(|checks| checks.command(&serde_json::from_slice(payload).ok()?).ok()?);
        spec.secrets.extend(command.into_iter().flat_map(|command| command.secrets));
    }

    /// Every secret that the job names.
    async fn secrets(&self) -> Result<Secrets, Fault> {
        // What is kept for the runner's own tenant is nobody else's.
        let hosted = self.order.tenant.is_some();
        let sources = self.outfit.secrets.iter().map(|source| &**source as &dyn SecretSource);
        let sources = sources.filter(|source| !hosted || source.tells_tenants_apart());
        secrets::resolve(&self.order.spec, sources, "this runner").await
    }
}
