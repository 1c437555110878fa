//! Metrics and traces of [`runners-core`](runners_core) as OpenTelemetry.
//!
#![doc = include_str!("../README.md")]

mod error;
mod exposition;
mod instruments;
mod otlp;
mod telemetry;
mod traces;

pub use error::TelemetryError;
pub use exposition::Exposition;
pub use instruments::OtelMetrics;
pub use telemetry::{Telemetry, TelemetryBuilder};
pub use traces::OtelTraces;
