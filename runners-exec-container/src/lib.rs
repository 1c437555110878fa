//! Runs jobs in containers: what is asked is in `command`, what an operator allows in `policy`, the
//! engine that carries it out in `engine`, and one container from start to end in `course`.
//!
#![doc = include_str!("../README.md")]

mod anchor;
mod bridge;
mod browser;
mod check;
mod collect;
mod command;
mod companion;
mod compatibility;
mod container;
mod course;
mod credentials;
mod ending;
mod engine;
mod error;
mod executor;
#[cfg(test)]
#[cfg(unix)]
mod fake;
mod guard;
mod image;
mod junit;
mod mount;
mod paths;
mod plan;
mod policy;
mod provide;
mod removal;
mod result;
mod room;
mod shared;
mod tarball;
mod text;
mod within;

pub use browser::{BrowserImage, BrowserSource, OfferedBrowser, WantedBrowser};
pub use check::{Problem, Problems};
pub use command::{ContainerJob, Limits, Mount, SecretAs};
pub use credentials::{CredentialsError, RegistryCredentials};
pub use engine::{EngineAddress, EngineVersion};
pub use error::EngineError;
pub use executor::{ContainerExecutor, ContainerExecutorBuilder, Warned};
pub use image::{ImageReference, ImageReferenceError};
pub use policy::{AllowedMount, OfferedNetwork, Policy, PullPolicy, Resources};
pub use result::{ContainerResult, TestCase, TestState, TestSummary};
pub use shared::ContainerBrowser;
