//! What can go wrong while telemetry is set up or ended.

use std::error::Error;

/// Why telemetry could not be set up, or not be ended well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// A setting cannot be used.
    #[error("{setting}: {problem}")]
    Invalid {
        /// Its name, as the environment or the builder has it.
        setting: &'static str,
        /// What is wrong with it, and what to write instead.
        problem: String,
    },
    /// Telemetry is to be set up where a tokio runtime is running, which sends what is exported.
    #[error("there is no tokio runtime to send with: set telemetry up inside of one")]
    NoRuntime,
    /// An exporter could not be set up.
    #[error("an exporter could not be set up")]
    Exporter(#[source] Box<dyn Error + Send + Sync>),
    /// What was still to be sent could not be, or not in time.
    #[error("what was still to be sent was not delivered")]
    Undelivered(#[source] Box<dyn Error + Send + Sync>),
}
