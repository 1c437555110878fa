//! Embeddable control plane, runner and typed jobs for machines that only connect out.

mod seams;
mod values;

pub use seams::{
    artifact::{ArtifactError, ArtifactKey, ArtifactSource, ArtifactStore, ByteStream},
    clock::{Clock, SystemClock, sleep},
    executor::{Attempt, ErasedExecutor, Executor, Executors, Product},
    lease::{Lease, LeaseError},
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
        Committed, Hide, Hint, Page, Query, Store, StoreError, StoreSource, Stored, Write,
    };
}
