//! HTTP faces of a control plane that a host mounts beside its own routes, under any prefix.
//!
//! The management API is what operators, pipelines and autoscalers speak: JSON in camel case, times
//! as of RFC 3339, errors as problems (RFC 9457). What a call may do is decided by
//! [`Management`](runners_core::Management), and this crate knows nothing of it: it turns requests
//! into its methods, and what they answer into JSON.
#![cfg_attr(feature = "management", doc = "\n\n", doc = include_str!("../README.md"))]
#![cfg_attr(
    any(feature = "endpoint", feature = "management", feature = "orchestrator"),
    expect(
        clippy::result_large_err,
        reason = "a problem is the answer itself, made once for a request that fails"
    )
)]

#[cfg(feature = "client")]
mod client;
#[cfg(any(feature = "endpoint", feature = "orchestrator"))]
mod contract;
#[cfg(feature = "endpoint")]
mod endpoint;
#[cfg(feature = "management")]
mod management;
#[cfg(feature = "orchestrator")]
mod orchestrator;
#[cfg(any(feature = "endpoint", feature = "management", feature = "orchestrator"))]
mod wire;

#[cfg(feature = "client")]
pub use client::{HttpOrchestrator, HttpOrchestratorBuilder, HttpOrchestratorError};
#[cfg(feature = "endpoint")]
pub use endpoint::{EndpointFace, EndpointFaceBuilder};
#[cfg(feature = "orchestrator")]
pub use orchestrator::{OrchestratorFace, OrchestratorFaceBuilder, ReadArtifact};

#[cfg(feature = "management")]
pub use management::{ManagementFace, ManagementFaceBuilder};
