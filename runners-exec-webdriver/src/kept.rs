//! What is kept of a page beside a result: named bytes as artifacts of an attempt, and of a failure what
//! there was to see.

use crate::{
    evidence::is_pictures,
    page::{Page, PageError},
    replay::{Evidence, FlowObserver},
    within::within,
};
use async_trait::async_trait;
use runners_core::{Attempt, Clock};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long the picture or the source of a page that failed may take.
const EVIDENCE_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest source of a page that is kept.
const SOURCE_BYTES_MAX: usize = 5 * 1024 * 1024;

/// Hands what is kept to an attempt, and remembers the names. Texts are kept without its secrets.
pub(crate) struct Kept {
    attempt: Attempt,
    names: Mutex<Vec<String>>,
}

impl Kept {
    pub(crate) fn by(attempt: &Attempt) -> Arc<Self> {
        Arc::new(Self { attempt: attempt.clone(), names: Mutex::default() })
    }

    /// What was kept so far.
    #[cfg(feature = "checks")]
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner).clone();
        names.sort();
        names.dedup();
        names
    }
}

#[async_trait]
impl FlowObserver for Kept {
    async fn evidence(&self, mut evidence: Evidence) {
        // Pictures in base64 have no text in which a short secret could be found by more than chance.
        if !is_pictures(&evidence.name)
            && let Ok(text) = str::from_utf8(&evidence.bytes)
        {
            evidence.bytes = self.attempt.redact(text).into();
        }
        let name = evidence.name.clone();
        match self.attempt.attach(evidence.name, evidence.media_type, evidence.bytes).await {
            Ok(_) => self.names.lock().unwrap_or_else(PoisonError::into_inner).push(name),
            Err(error) => self.attempt.log(format!("{name} could not be kept: {error}\n")),
        }
    }
}

/// Keeps what there is to see of a failure. Only a browser that turns out to be lost is an error.
pub(crate) async fn keep_failure(page: &Page, clock: &dyn Clock) -> Result<(), PageError> {
    let page = page.with_timeout(EVIDENCE_TIMEOUT);
    match page.screenshot("failed.png").await {
        Err(lost @ PageError::Lost { .. }) => return Err(lost),
        Err(_) => return Ok(()),
        Ok(_) => {}
    }
    if let Some(Ok(source)) = within(clock, EVIDENCE_TIMEOUT, page.source()).await
        && source.len() <= SOURCE_BYTES_MAX
    {
        page.keep("failed.html", "text/html; charset=utf-8", source.into()).await;
    }
    Ok(())
}
