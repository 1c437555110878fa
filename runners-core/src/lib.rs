//! Embeddable control plane, runner and typed jobs for machines that only connect out.

mod seams;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod values;

pub use seams::{
    artifact::{ArtifactError, ArtifactKey, ArtifactSource, ArtifactStore, ByteStream},
    clock::{Clock, SystemClock, sleep},
    executor::{Attempt, ErasedExecutor, Executor, Executors, Product},
    lease::{Lease, LeaseError},
    store::MemoryStore,
};
pub use values::{
    command::Command,
    digest::{Digest, DigestError},
    id::{IdError, JobId, LaneId, MemberId, PoolId, RunId, RunnerId, SignalId, TenantId},
    key::{Index, Key, Kind},
    lease::FencingToken,
    opaque::Opaque,
    result::{Fault, JobResult, Verdict},
    time::{BootTime, Timestamp},
};

/// The storage seam.
pub mod store {
    pub use crate::seams::store::{
        BatchError, Committed, Hide, Hint, MemoryStore, Page, Query, Span, Store, StoreError, StoreSource,
        Stored, Write,
    };
}
