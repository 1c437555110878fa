//! Looking tokens up for a face, and no more bad ones of one source than it may present.

use crate::{
    rules::attempts::{Attempts, Turn},
    seams::{
        authenticate::{Authenticate, AuthenticateError},
        clock::Clock,
    },
    values::{peer::Peer, principal::Principal, token::Token},
};
use std::sync::{Mutex, PoisonError};

/// The failed attempts at one face. A source with too many within a minute has to wait for the rest
/// of it, unless it presents a token that is good.
///
/// Of a source that has to wait, no more than a hundred [`Token`]s of this crate are looked up within a second.
/// Those of a host's own form, which might be guessed, are not, unless they were good here before.
#[derive(Debug)]
pub struct FailedAttempts(Mutex<Attempts>);

impl FailedAttempts {
    /// How many attempts of one source may fail within a minute, unless said otherwise.
    pub const FAILED_MAX: u32 = 60;

    /// Allows `failed_max` failed attempts of one source within a minute.
    #[must_use]
    pub const fn new(failed_max: u32) -> Self {
        Self(Mutex::new(Attempts::new(failed_max)))
    }

    /// Tells for whom a token speaks that `peer` presents. One whose peer is not known is not
    /// limited.
    ///
    /// # Errors
    /// [`AuthenticateError::Limited`] if the peer has to wait, or what `authenticate` says.
    pub async fn authenticate(
        &self,
        authenticate: &dyn Authenticate,
        token: &Token,
        peer: Option<Peer>,
        clock: &dyn Clock,
    ) -> Result<Principal, AuthenticateError> {
        let digest = token.digest();
        let turn = self.attempts().turn(peer, token, clock.boot());
        if let Turn::Wait(retry_after) = turn {
            return Err(AuthenticateError::Limited { retry_after });
        }
        let authenticated = authenticate.authenticate(token.expose()).await;
        match &authenticated {
            Ok(_) => self.attempts().succeeded(digest),
            Err(AuthenticateError::Unknown) => self.attempts().failed(peer, digest, clock.boot()),
            Err(_) => {}
        }
        match (authenticated, turn) {
            (Err(AuthenticateError::Unknown), Turn::IfGood(retry_after)) => {
                Err(AuthenticateError::Limited { retry_after })
            }
            (authenticated, _) => authenticated,
        }
    }

    fn attempts(&self) -> std::sync::MutexGuard<'_, Attempts> {
        // It is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for FailedAttempts {
    fn default() -> Self {
        Self::new(Self::FAILED_MAX)
    }
}
