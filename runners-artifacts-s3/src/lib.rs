#![doc = include_str!("../README.md")]

mod act;
mod artifacts;
mod credentials;
mod error;
mod exchange;
mod listing;
mod options;
mod place;
mod removal;
mod show;
#[cfg(feature = "testing")]
pub mod testing;
mod upload;

pub use artifacts::S3Artifacts;
pub use credentials::S3Credentials;
pub use error::OpenError;
pub use options::S3Options;
