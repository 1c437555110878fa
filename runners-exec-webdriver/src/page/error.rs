//! Why something on a page did not go well, by what a test does next.

use std::error::Error;

/// Why a method of a page, a locator or an expectation did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// Mend the page, or the test: the page is not as it should be.
    #[error("{message}")]
    Failed {
        /// What was done, and what was there instead, in one line.
        message: String,
    },
    /// Open another session: the browser or its driver is gone.
    #[error("the browser was lost")]
    Lost {
        /// What was seen of it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Use another browser: its driver cannot do it.
    #[error("the driver cannot do it: {message}")]
    Unsupported {
        /// What the driver said.
        message: String,
    },
}

impl PageError {
    /// Says what was being done.
    pub(crate) fn during(self, what: &str) -> Self {
        match self {
            Self::Failed { message } => Self::Failed { message: format!("{what}: {message}") },
            Self::Unsupported { message } => Self::Unsupported { message: format!("{what}: {message}") },
            lost @ Self::Lost { .. } => lost,
        }
    }
}

#[cfg(feature = "checks")]
impl From<PageError> for runners_core::CheckError {
    /// A page that is not as it should be is a failed check; what happens to the browser is a fault.
    fn from(error: PageError) -> Self {
        use runners_core::Fault;
        match error {
            PageError::Failed { message } => Self::failed(message),
            PageError::Lost { source } => {
                Fault::retryable("browser_lost", format!("the browser was lost: {source}")).into()
            }
            PageError::Unsupported { message } => {
                Fault::permanent("unsupported", format!("the driver cannot do it: {message}")).into()
            }
        }
    }
}
