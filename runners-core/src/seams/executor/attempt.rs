//! The handle an executor is given: what it may know, and what it may leave behind.

use super::signals::{RawSignal, Signals};
use crate::{
    rules::redaction::Redactor,
    seams::{artifact::ArtifactError, frames::FrameSource, lease::Lease},
    values::{command::Command, digest::Digest, id::JobId, lease::FencingToken, secret::Secret},
};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::Arc,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// One confirmed try at a job, as its executor sees it. Clones are the same attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    number: u32,
    cancelled: CancellationToken,
    lease: Arc<dyn Lease>,
    link: Arc<dyn AttemptLink>,
    secrets: Arc<Secrets>,
    capture: Arc<BTreeSet<String>>,
    image: Option<Arc<str>>,
}

/// The secrets of an attempt, by name.
pub(crate) type Secrets = BTreeMap<String, Secret>;

/// What an attempt needs of the runner that drives it.
#[async_trait]
pub(crate) trait AttemptLink: Debug + Send + Sync {
    fn log(&self, bytes: Bytes);
    fn progress(&self, text: String);
    fn redact(&self, text: &str) -> String;
    /// Shows a source to whoever looks, in place of the one before.
    fn show(&self, source: Arc<dyn FrameSource>);
    /// Has signals of `kind` put into `into`, and no longer where they were put before.
    fn receive(&self, kind: &str, into: mpsc::Sender<RawSignal>);
    async fn attach(&self, name: String, media_type: String, bytes: Bytes) -> Result<Digest, ArtifactError>;
}

impl Attempt {
    pub(crate) fn new(
        number: u32,
        cancelled: CancellationToken,
        lease: Arc<dyn Lease>,
        link: Arc<dyn AttemptLink>,
    ) -> Self {
        let (secrets, capture) = (Arc::default(), Arc::default());
        Self { number, cancelled, lease, link, secrets, capture, image: None }
    }

    pub(crate) fn with_secrets(self, secrets: Secrets) -> Self {
        Self { secrets: Arc::new(secrets), ..self }
    }

    pub(crate) fn with_capture(self, capture: BTreeSet<String>) -> Self {
        Self { capture: Arc::new(capture), ..self }
    }

    /// What the executor should keep in addition: the job's [`capture`](crate::JobOptions::capture).
    #[must_use]
    pub fn capture(&self) -> &BTreeSet<String> {
        &self.capture
    }

    pub(crate) fn with_image(self, image: Option<String>) -> Self {
        Self { image: image.map(Arc::from), ..self }
    }

    /// The image for a container job that names none: that of the runner's pool, else that of the
    /// control plane. `None` if neither has one, or if the runner
    /// [demands signatures](crate::RunnerBuilder::demand_signatures), since the image is not signed.
    #[must_use]
    pub fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    /// A secret that the job [names](crate::JobOptions::secrets). All of them were resolved before
    /// the executor was called, so this is `None` only for a secret that the job does not name.
    ///
    /// Its value is redacted in the log, the progress and faults. Keep it out of results and
    /// artifacts, or [redact](Self::redact) their texts.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.secrets.get(name)
    }

    /// The job and the number of its grant.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.lease.token()
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> JobId {
        self.token().job
    }

    /// The number of this attempt, from 1. Attempts whose lease was lost count; offers that were never
    /// started do not.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The exclusive right this attempt works under.
    #[must_use]
    pub fn lease(&self) -> &dyn Lease {
        &*self.lease
    }

    /// Completes when the work is to stop: the job was cancelled, timed out, or the lease is no
    /// longer trusted. What then does not return within the job's grace is dropped.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }

    /// Whether the work is to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// Appends to the attempt's log. Never waits; beyond the log's limit bytes are counted as
    /// missing instead of kept.
    pub fn log(&self, text: impl AsRef<str>) {
        self.link.log(Bytes::copy_from_slice(text.as_ref().as_bytes()));
    }

    /// Says how far the work is, in a few words. Only the newest is kept.
    pub fn progress(&self, text: impl Into<String>) {
        self.link.progress(text.into());
    }

    /// Removes the secrets of the attempt from a text, for results and artifacts that may contain them.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.link.redact(text)
    }

    /// A [`Redactor`] for the secrets of the attempt, for executors that write many texts, or a text in pieces.
    #[must_use]
    pub fn redactor(&self) -> Redactor {
        Redactor::new(self.secrets.values().map(Secret::expose))
    }

    /// Receives the signals of one type that are sent to this attempt from now on. Call it first thing in the
    /// executor: until then such signals are answered with the fault `no_receiver`.
    #[must_use]
    pub fn signals<C: Command>(&self) -> Signals<C> {
        let (into, raw) = mpsc::channel(Signals::<C>::WAITING_MAX);
        self.link.receive(C::KIND, into);
        Signals::new(raw)
    }

    /// Offers a live view of what the attempt does, in place of an earlier one. No picture is taken of the
    /// source until somebody looks, and it is dropped when the attempt is over.
    pub fn show(&self, source: Arc<dyn FrameSource>) {
        self.link.show(source);
    }

    /// Keeps named bytes beside the result and answers their digest. The name is a relative path
    /// of at most 200 bytes; a later artifact of the same name replaces the earlier one.
    ///
    /// # Errors
    /// The bytes could not be put. The artifact is then listed as missing; the verdict does not
    /// change.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the artifact attached or not.
    pub async fn attach(
        &self,
        name: impl Into<String>,
        media_type: impl Into<String>,
        bytes: impl Into<Bytes>,
    ) -> Result<Digest, ArtifactError> {
        self.link.attach(name.into(), media_type.into(), bytes.into()).await
    }
}
