//! Why an engine did not do what it was asked.

use runners_core::Fault;
use std::{error::Error, time::Duration};

/// The cause of an [`EngineError`].
pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// Why an engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Look whether it runs, and whether this user may speak to it.
    #[error("the container engine at {address} cannot be reached")]
    Unreachable {
        /// Where it was looked for.
        address: String,
        /// What was in the way.
        source: Cause,
    },
    /// Ask for something else: it was reached, and refused.
    #[error("the container engine refuses to {what}: {message}")]
    Refused {
        /// What it was asked to do.
        what: &'static str,
        /// What it says, in its own words.
        message: String,
        /// The code of its answer.
        code: u16,
    },
    /// Try again: it was asked and did not answer in time, or broke off.
    #[error("the container engine did not {what}")]
    Broken {
        /// What it was asked to do.
        what: &'static str,
        /// What was in the way.
        source: Cause,
    },
}

/// A wait that took longer than it may.
#[derive(Debug, thiserror::Error)]
#[error("it took longer than {} seconds", .0.as_secs())]
pub(crate) struct TooLong(pub(crate) Duration);

impl EngineError {
    /// Sorts what the client of an engine met while it was asked to do `what`.
    pub(crate) fn of(what: &'static str, address: &str, error: bollard::errors::Error) -> Self {
        use bollard::errors::Error as Met;
        match error {
            Met::DockerResponseServerError { status_code: code, message } => {
                Self::Refused { what, message, code }
            }
            Met::DockerStreamError { error } => Self::Refused { what, message: error, code: 0 },
            Met::SocketNotFoundError(_) => {
                Self::Unreachable { address: address.to_owned(), source: error.into() }
            }
            Met::HyperLegacyError { err } if err.is_connect() => {
                Self::Unreachable { address: address.to_owned(), source: err.into() }
            }
            error => Self::Broken { what, source: error.into() },
        }
    }

    /// Whether it says that there is no such thing.
    pub(crate) const fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { code: 404, .. })
    }

    /// The text with its causes.
    pub(crate) fn told(&self) -> String {
        let mut text = self.to_string();
        let mut cause = Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}

impl From<EngineError> for Fault {
    fn from(error: EngineError) -> Self {
        let told = error.told();
        match error {
            EngineError::Unreachable { .. } => Self::retryable("engine_unreachable", told),
            EngineError::Refused { code: 500.., .. } => Self::retryable("engine_refused", told),
            EngineError::Refused { .. } => Self::permanent("engine_refused", told),
            EngineError::Broken { .. } => Self::retryable("engine_broken", told),
        }
    }
}
