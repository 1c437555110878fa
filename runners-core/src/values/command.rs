//! Commands: what to do, as typed data.

use crate::values::result::JobResult;
use serde::{Serialize, de::DeserializeOwned};

/// Says what to do, as plain data; an [`Executor`](crate::Executor) knows how.
///
/// Queue a command and it is a job; send it and it is a signal. Its payload is the bytes of its
/// serialised form, kept exactly as the submitter sent them.
pub trait Command: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stable name on the wire. A breaking change of the payload is a new `KIND`; renaming
    /// the Rust type changes nothing. At most 100 bytes.
    const KIND: &'static str;
    /// What executing this command produces.
    type Result: JobResult;
}
