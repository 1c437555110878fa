//! What an attempt leaves behind, on its way to the session: log, progress, artifacts.

use super::{discretion::Discretion, execution::Outfit, respond::Mailbox, serve::Shared};
use crate::{
    actors::artifacts::check_names,
    rules::redaction::Redactor,
    seams::{
        artifact::ArtifactError,
        executor::{AttemptLink, RawSignal},
        frames::FrameSource,
        observer::{Notice, Observer},
    },
    values::{digest::Digest, id::TenantId, lease::FencingToken, outcome::Outcome, sync::Attachment},
};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc;

/// How many names of artifacts that could not be put are told.
const MISSING_MAX: usize = 100;
/// The longest text of progress in bytes; a longer one is cut at a character.
const PROGRESS_BYTES_MAX: usize = 1000;

/// Joins an attempt to its session.
#[derive(Debug)]
pub(super) struct SessionLink {
    shared: Arc<Shared>,
    token: FencingToken,
    /// Whose job it is, if it is hosted.
    tenant: Option<TenantId>,
    outfit: Arc<Outfit>,
    observer: Arc<dyn Observer>,
    names: Mutex<Names>,
    discretion: Discretion,
}

#[derive(Debug, Default)]
struct Names {
    attached: BTreeSet<String>,
    missing: BTreeSet<String>,
}

impl SessionLink {
    pub(super) fn new(
        shared: Arc<Shared>,
        token: FencingToken,
        tenant: Option<TenantId>,
        outfit: Arc<Outfit>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let (names, discretion) = (Mutex::default(), Discretion::default());
        Self { shared, token, tenant, outfit, observer, names, discretion }
    }

    /// From now on, nothing that is told holds what `redactor` takes out.
    pub(super) fn redact_by(&self, redactor: Redactor) {
        *self.redactor() = redactor;
    }

    /// An outcome as it may be told.
    pub(super) fn redacted(&self, outcome: Outcome) -> Outcome {
        let Outcome::Errored(fault) = outcome else { return outcome };
        Outcome::Errored(self.discretion.fault(fault))
    }

    /// The log has ended: logs what was held back of it.
    pub(super) fn finish_log(&self) {
        let mut redactor = self.redactor();
        let rest = redactor.finish();
        if !rest.is_empty() {
            self.shared.with(|session, now| session.log(self.token, &rest, now));
        }
    }

    pub(super) const fn token(&self) -> FencingToken {
        self.token
    }

    pub(super) const fn tenant(&self) -> Option<TenantId> {
        self.tenant
    }

    /// Puts bytes that are too large to travel with a finish.
    pub(super) async fn put(&self, bytes: &Bytes) -> Result<Digest, ArtifactError> {
        let none = || ArtifactError::Unavailable("this runner was given no artifact store".into());
        let artifacts = self.outfit.artifacts.as_ref().ok_or_else(none)?;
        artifacts.of(self.tenant).put(bytes, &*self.shared.clock).await
    }

    /// Names something that could not be put.
    pub(super) fn missing(&self, name: &str) {
        let mut names = self.names();
        names.attached.remove(name);
        if names.missing.len() < MISSING_MAX {
            names.missing.insert(name.to_owned());
        }
    }

    /// What could not be put.
    pub(super) fn all_missing(&self) -> Vec<String> {
        self.names().missing.iter().cloned().collect()
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn redactor(&self) -> MutexGuard<'_, Redactor> {
        self.discretion.redactor()
    }

    fn reserve(&self, name: &str) -> Result<(), ArtifactError> {
        let mut names = self.names();
        if names.attached.len() >= Attachment::PER_ATTEMPT_MAX && !names.attached.contains(name) {
            let problem = format!("is one more than the limit of {}", Attachment::PER_ATTEMPT_MAX);
            return Err(ArtifactError::Invalid { field: "number", problem });
        }
        names.attached.insert(name.to_owned());
        Ok(())
    }
}

#[async_trait]
impl AttemptLink for SessionLink {
    fn log(&self, bytes: Bytes) {
        // Held until it is logged, so that what several threads log keeps its order.
        let mut redactor = self.redactor();
        let text = redactor.push(&bytes);
        if !text.is_empty() {
            self.shared.with(|session, now| session.log(self.token, &text, now));
        }
    }

    fn redact(&self, text: &str) -> String {
        self.redactor().redact(text)
    }

    fn show(&self, source: Arc<dyn FrameSource>) {
        self.shared.shows.show(self.token, self.discretion.source(source));
    }

    fn progress(&self, text: String) {
        let mut text = self.redactor().redact(&text);
        if text.len() > PROGRESS_BYTES_MAX {
            let end = (0..=PROGRESS_BYTES_MAX).rev().find(|&at| text.is_char_boundary(at));
            text.truncate(end.unwrap_or(0));
        }
        self.observer.observe(&Notice::AttemptProgress { token: self.token, text: text.clone() });
        self.shared.with(|session, now| session.progress(self.token, text, now));
    }

    fn receive(&self, kind: &str, into: mpsc::Sender<RawSignal>) {
        let mailbox = Mailbox { into, discretion: self.discretion.clone() };
        self.shared.mailboxes.open(self.token, kind, mailbox);
    }

    async fn attach(&self, name: String, media_type: String, bytes: Bytes) -> Result<Digest, ArtifactError> {
        check_names(&name, &media_type)?;
        self.reserve(&name)?;
        let put = self.put(&bytes).await.inspect_err(|error| {
            self.missing(&name);
            self.log(format!("artifact {name} is missing: {error}\n").into());
        });
        let digest = put?;
        self.names().missing.remove(&name);
        let length = bytes.len() as u64;
        let attachment = Attachment { token: self.token, name, digest, length, media_type };
        self.shared.with(|session, now| session.attach(attachment, now));
        Ok(digest)
    }
}
