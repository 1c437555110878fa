//! Why a step did not pass: a verdict on the page, or trouble with the browser.

use crate::{browser::BrowserError, flow::Problem};
use runners_core::Fault;
use std::error::Error;

/// Why a step ended before it was done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The page is why.
    Failed(String),
    /// The browser or its driver is gone.
    Lost(Box<dyn Error + Send + Sync>),
    /// The driver cannot do it.
    Unsupported(String),
}

impl Trouble {
    /// Why the step failed, or the fault that prevented a verdict.
    pub(super) fn into_reason(self, place: &str) -> Result<String, Fault> {
        match self {
            Self::Failed(reason) => Ok(reason),
            Self::Lost(source) => Err(Fault::retryable(
                "browser_lost",
                format!("the browser was lost during {place}: {source}"),
            )),
            Self::Unsupported(message) => Err(Fault::permanent(
                "unsupported",
                format!("{place} needs what the driver cannot do: {message}"),
            )),
        }
    }
}

impl From<BrowserError> for Trouble {
    fn from(error: BrowserError) -> Self {
        match error {
            BrowserError::Gone { source } => Self::Lost(source),
            BrowserError::Unsupported { message } => Self::Unsupported(message),
            other => Self::Failed(other.to_string()),
        }
    }
}

/// The fault of a flow that asks for what cannot be done.
pub(super) fn refuse(problems: &[Problem]) -> Result<(), Fault> {
    if problems.is_empty() {
        return Ok(());
    }
    let places: Vec<_> = problems.iter().map(ToString::to_string).collect();
    Err(Fault::permanent("unsupported", places.join("; ")))
}
