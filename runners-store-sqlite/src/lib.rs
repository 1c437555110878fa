#![doc = include_str!("../README.md")]

mod apply;
mod error;
mod key;
mod open;
mod options;
mod owner;
mod read;
mod recent;
mod schema;
mod store;
mod writer;

pub use error::OpenError;
pub use options::SqliteOptions;
pub use store::SqliteStore;
