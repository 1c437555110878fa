//! What an attempt tells beside its log, without its secrets: faults, and what is wrong with what it shows.

use crate::{
    actors::error::with_causes,
    rules::redaction::Redactor,
    seams::frames::{FrameError, FrameSource, Frames},
    values::{
        live::{Frame, FrameWish, Input},
        result::Fault,
        sync::SignalOutcome,
    },
};
use async_trait::async_trait;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Takes the secrets of one attempt out of what it tells. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Discretion(Arc<Mutex<Redactor>>);

impl Discretion {
    /// What takes them out, and holds back what is undecided of the log.
    pub(super) fn redactor(&self) -> MutexGuard<'_, Redactor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fault as it may be told.
    pub(super) fn fault(&self, mut fault: Fault) -> Fault {
        let redactor = self.redactor();
        fault.code = redactor.redact(&fault.code);
        // A message of the largest length may end within a secret.
        let cut = fault.message.len() + char::MAX.len_utf8() > Fault::MESSAGE_MAX;
        fault.message =
            if cut { redactor.redact_cut(&fault.message) } else { redactor.redact(&fault.message) };
        fault
    }

    /// The answer to a signal as it may be told. A result is the executor's own to keep them out of.
    pub(super) fn answer(&self, outcome: SignalOutcome) -> SignalOutcome {
        match outcome {
            SignalOutcome::Fault(fault) => SignalOutcome::Fault(self.fault(fault)),
            outcome => outcome,
        }
    }

    /// A source whose errors may be told.
    pub(super) fn source(&self, source: Arc<dyn FrameSource>) -> Arc<dyn FrameSource> {
        Arc::new(Discreet { inner: source, discretion: self.clone() })
    }

    fn trouble(&self, error: FrameError) -> FrameError {
        match error {
            FrameError::Closed => error,
            FrameError::Unsupported(what) => FrameError::Unsupported(self.redactor().redact(&what)),
            FrameError::Unavailable(source) => {
                FrameError::Unavailable(self.redactor().redact(&with_causes(&*source)).into())
            }
        }
    }
}

/// A source, or its pictures, whose errors may be told.
#[derive(Debug)]
struct Discreet<S: ?Sized> {
    discretion: Discretion,
    inner: S,
}

#[async_trait]
impl FrameSource for Discreet<Arc<dyn FrameSource>> {
    async fn open(&self, wish: FrameWish) -> Result<Box<dyn Frames>, FrameError> {
        let opened = self.inner.open(wish).await.map_err(|error| self.discretion.trouble(error))?;
        Ok(Box::new(Discreet { inner: opened, discretion: self.discretion.clone() }))
    }

    async fn input(&self, input: Input) -> Result<(), FrameError> {
        self.inner.input(input).await.map_err(|error| self.discretion.trouble(error))
    }

    fn takes_input(&self) -> bool {
        self.inner.takes_input()
    }
}

#[async_trait]
impl Frames for Discreet<Box<dyn Frames>> {
    async fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        self.inner.next().await.map_err(|error| self.discretion.trouble(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says its secret in everything that goes wrong.
    #[derive(Debug)]
    struct Talks;

    #[async_trait]
    impl FrameSource for Talks {
        async fn open(&self, wish: FrameWish) -> Result<Box<dyn Frames>, FrameError> {
            if wish == FrameWish::default() {
                return Ok(Box::new(Self));
            }
            Err(FrameError::Unavailable("hunter2 is not there".into()))
        }
        async fn input(&self, _: Input) -> Result<(), FrameError> {
            Err(FrameError::Unsupported("typing hunter2".to_owned()))
        }
    }

    #[async_trait]
    impl Frames for Talks {
        async fn next(&mut self) -> Result<Option<Frame>, FrameError> {
            Err(FrameError::Unavailable("hunter2 is gone".into()))
        }
    }

    #[tokio::test]
    async fn what_is_wrong_with_what_is_shown_is_told_without_secrets() {
        let discretion = Discretion::default();
        let source = discretion.source(Arc::new(Talks));
        // They are known only once they are resolved.
        *discretion.redactor() = Redactor::new(["hunter2"]);
        let other = FrameWish { width_max: 7, ..FrameWish::default() };
        let opened = source.open(other).await.map(drop).unwrap_err();
        assert_eq!(with_causes(&opened), "the source does not answer: *** is not there");
        let next = source.open(FrameWish::default()).await.unwrap().next().await.unwrap_err();
        assert_eq!(with_causes(&next), "the source does not answer: *** is gone");
        let input = source.input(Input::PointerMove { x: 1.0, y: 2.0 }).await.unwrap_err();
        assert_eq!(input.to_string(), "typing *** is not supported here");
    }
}
