//! Enrolment: a registration token against a credential that the runner has made itself.

use runners_core::{
    Token, TokenKind, Transport, TransportError,
    protocol::{EnrolRequest, Enrolled, Refused, Reply, Request},
};

/// Exchanges the registration token that `registrant` speaks with for the right of `credential`,
/// of which only the digest is sent. Keep the credential on disk before: a repeat with the same
/// one is answered the same, so an answer that was lost is asked for again.
///
/// `name` is what the runner is called, for people, and `pool` the name or id of the pool that it is to be in,
/// if a token of another is to be refused, and not used up.
///
/// # Errors
/// An [`EnrolError`], by what to do next.
///
/// # Cancel safety
/// Dropping the future leaves the credential enrolled or not; repeat it with the same one.
pub async fn enrol(
    registrant: &impl Transport,
    name: impl Into<String>,
    pool: Option<&str>,
    credential: &Token,
) -> Result<Enrolled, EnrolError> {
    if let Some(given) = credential.kind().filter(|kind| *kind != TokenKind::Runner) {
        return Err(EnrolError::WrongKind { given });
    }
    let request = EnrolRequest {
        credential: credential.digest(),
        name: name.into(),
        pool: pool.map(ToOwned::to_owned),
    };
    match registrant.call(Request::Enrol(request)).await? {
        Reply::Enrolled(enrolled) => Ok(enrolled),
        Reply::Refused(refused) => Err(EnrolError::Refused(refused)),
        _ => Err(EnrolError::Unexpected),
    }
}

/// Why a runner is not enrolled, by what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// Make a runner credential.
    #[error("a runner credential (rcrd_…) is to be enrolled, not a {given} ({}…)", given.prefix())]
    WrongKind {
        /// What was given.
        given: TokenKind,
    },
    /// Do as the error of the transport says.
    #[error("enrolment did not reach its end")]
    Transport(#[from] TransportError),
    /// Do as the refusal says.
    #[error("enrolment was refused")]
    Refused(#[source] Refused),
    /// Upgrade: the control plane has answered something else.
    #[error("enrolment was answered with something else")]
    Unexpected,
}
