#![doc = include_str!("../README.md")]

mod address;
mod clock;
mod connections;
mod error;
mod group;
mod hints;
mod key;
mod listeners;
mod options;
mod read;
mod reader;
mod schema;
mod sql;
mod store;
#[cfg(all(feature = "testing", unix))]
pub mod testing;
mod tls;
mod touched;
mod transaction;
mod ways;
mod writer;
mod writer_id;

pub use error::OpenError;
pub use options::PostgresOptions;
pub use store::PostgresStore;
/// The client that a host's own transactions are made with.
pub use tokio_postgres;
