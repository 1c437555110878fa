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
        let secrets = self.secrets().await?;
        self.link.redact_by(Redactor::new(secrets.values().map(Secret::expose)));
        self.outfit.hooks.job(&self.order.spec).await?;
        // What nobody has signed chooses no program where signatures are demanded.
        let image = self.order.image.take().filter(|_| !self.outfit.signatures.demanded);
        self.executor.execute(payload, attempt.with_secrets(secrets).with_image(image)).await
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

    /// Every secret that the job names.
    async fn secrets(&self) -> Result<Secrets, Fault> {
        // What is kept for the runner's own tenant is nobody else's.
        let hosted = self.order.tenant.is_some();
        let sources = self.outfit.secrets.iter().map(|source| &**source as &dyn SecretSource);
        let sources = sources.filter(|source| !hosted || source.tells_tenants_apart());
        secrets::resolve(&self.order.spec, sources, "this runner").await
    }
}
