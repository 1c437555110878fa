//! A runner's credential over its life: kept in the spool, and replaced by the next in time.
//!
//! The next one is on disk before its hash is sent, and takes the place of the current one there
//! once a request under it was answered. Whenever the process ends in between, one of the two on
//! disk is good: the next one is tried first.

use crate::client::{HttpTransport, builder::BuildError};
use runners_core::{
    Clock, Random, Spool, SpoolError, Token, TokenKind, Transport as _, TransportError,
    protocol::{EnrolRequest, Enrolled, Refused, Reply, Request, RotateRequest},
    sleep,
};
use std::{fmt, sync::Arc, time::Duration};

/// The name under which the spool keeps the credential.
const CURRENT: &str = "credential";
/// The name under which the spool keeps the one that takes its place.
const NEXT: &str = "credential-next";

/// How long after trouble it is tried again. A quarter of the credential's life is left by then.
const TRY_EVERY: Duration = Duration::from_secs(60);

/// The longest wait at once: a machine that slept through the moment is late by no more.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// The credential of a runner, kept in its spool.
#[derive(Clone)]
pub struct RunnerCredential {
    spool: Spool,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl RunnerCredential {
    /// The credential that `spool` keeps, or will keep.
    pub fn new(spool: Spool, clock: impl Clock, random: impl Random) -> Self {
        Self { spool, clock: Arc::new(clock), random: Arc::new(random) }
    }

    /// The credential, if there is one. Waits for the disk.
    ///
    /// # Errors
    /// [`SpoolError`] when it cannot be read.
    pub fn current(&self) -> Result<Option<Token>, SpoolError> {
        Ok(self.spool.read_secret(CURRENT)?.map(Token::from_text))
    }

    /// The credential; a new one, on disk already, if there was none. Waits for the disk.
    ///
    /// # Errors
    /// [`SpoolError`] when it cannot be read or written.
    pub fn current_or_new(&self) -> Result<Token, SpoolError> {
        self.read_or_draw(CURRENT)
    }

    /// Whether the next one may be the one that is good: [`settle`](Self::settle) before speaking
    /// with the current one. Waits for the disk.
    ///
    /// # Errors
    /// [`SpoolError`] when it cannot be read.
    pub fn is_being_replaced(&self) -> Result<bool, SpoolError> {
        Ok(self.spool.read_secret(NEXT)?.is_some())
    }

    /// Keeps a credential that was made by somebody else, such as that of a runner registered in
    /// advance. Waits for the disk.
    ///
    /// # Errors
    /// [`SpoolError`] when it cannot be written.
    pub fn keep(&self, credential: &Token) -> Result<(), SpoolError> {
        self.spool.write_secret(CURRENT, credential.expose())?;
        self.spool.remove_secret(NEXT)
    }

    /// Removes the credential from the disk: the runner is nobody any more. Waits for the disk.
    ///
    /// # Errors
    /// [`SpoolError`] when it cannot be removed.
    pub fn forget(&self) -> Result<(), SpoolError> {
        self.spool.remove_secret(NEXT)?;
        self.spool.remove_secret(CURRENT)
    }

    /// Asks who the runner is, and sees to it that the credential on disk and in `transport` is the
    /// one that is good: after a start, the next one may be.
    ///
    /// # Errors
    /// A [`RotationError`], by what to do next.
    ///
    /// # Cancel safety
    /// Dropping the future leaves a good credential on disk.
    pub async fn settle(&self, transport: &HttpTransport) -> Result<Enrolled, RotationError> {
        if let Some(next) = self.spool.read_secret(NEXT)?.map(Token::from_text) {
            match self.adopt(transport, &next).await {
                Err(RotationError::Transport(TransportError::Unauthorized(_))) => {}
                done => return done,
            }
        }
        let current = self.current()?.ok_or(RotationError::None)?;
        transport.use_token(&current)?;
        identify(transport, &current).await
    }

    /// Replaces the credential by a new one, and speaks with that over `transport` and its clones.
    ///
    /// # Errors
    /// A [`RotationError`], by what to do next. The old credential stays good then.
    ///
    /// # Cancel safety
    /// Dropping the future leaves a good credential on disk; repeat it.
    pub async fn rotate(&self, transport: &HttpTransport) -> Result<Enrolled, RotationError> {
        let next = self.read_or_draw(NEXT)?;
        match transport.call(Request::Rotate(RotateRequest { next: next.digest() })).await? {
            Reply::Rotated(_) => self.adopt(transport, &next).await,
            Reply::Refused(refused) => Err(RotationError::Refused(refused)),
            _ => Err(RotationError::Unexpected),
        }
    }

    /// Replaces the credential whenever it is time, for as long as it is awaited. Trouble is logged,
    /// and tried again every minute.
    ///
    /// # Cancel safety
    /// Dropping the future leaves a good credential on disk.
    pub async fn serve(&self, transport: &HttpTransport) {
        let mut known = self.settle(transport).await;
        loop {
            match known {
                Ok(Enrolled { rotate_in: None, .. }) => return,
                Ok(Enrolled { rotate_in: Some(wait), .. }) if !wait.is_zero() => {
                    sleep(&*self.clock, wait.min(WAIT_MAX)).await;
                    known = self.settle(transport).await;
                }
                Ok(_) => known = self.rotate(transport).await,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the runner's credential was not replaced"
                    );
                    sleep(&*self.clock, TRY_EVERY).await;
                    known = self.settle(transport).await;
                }
            }
        }
    }

    /// Uses the next credential for the first time, which makes it the current one.
    async fn adopt(&self, transport: &HttpTransport, next: &Token) -> Result<Enrolled, RotationError> {
        let enrolled = identify(&transport.with_token(next)?, next).await?;
        self.keep(next)?;
        transport.use_token(next)?;
        Ok(enrolled)
    }

    fn read_or_draw(&self, name: &str) -> Result<Token, SpoolError> {
        if let Some(text) = self.spool.read_secret(name)? {
            return Ok(Token::from_text(text));
        }
        let mut bytes = [0; Token::RANDOM_BYTES];
        self.random.fill(&mut bytes);
        let token = Token::new(TokenKind::Runner, bytes);
        self.spool.write_secret(name, token.expose())?;
        Ok(token)
    }
}

impl fmt::Debug for RunnerCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunnerCredential").field("spool", &self.spool).finish_non_exhaustive()
    }
}

/// Why a credential was not replaced, by what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotationError {
    /// Enrol: there is no credential.
    #[error("there is no credential on disk")]
    None,
    /// Mend the state directory.
    #[error("credential was not read or written")]
    Spool(#[from] SpoolError),
    /// Mend the text on disk: it cannot be sent.
    #[error("credential cannot be sent")]
    Build(#[from] BuildError),
    /// Do as the error of the transport says.
    #[error("control plane was not asked")]
    Transport(#[from] TransportError),
    /// Do as the refusal says.
    #[error("control plane refuses")]
    Refused(#[source] Refused),
    /// Upgrade: the control plane has answered something else.
    #[error("control plane has answered something else")]
    Unexpected,
}

/// Asks for whom a credential speaks.
async fn identify(transport: &HttpTransport, credential: &Token) -> Result<Enrolled, RotationError> {
    // The runner has its name already.
    let request = EnrolRequest { credential: credential.digest(), name: "-".into(), pool: None };
    match transport.call(Request::Enrol(request)).await? {
        Reply::Enrolled(enrolled) => Ok(enrolled),
        Reply::Refused(refused) => Err(RotationError::Refused(refused)),
        _ => Err(RotationError::Unexpected),
    }
}
