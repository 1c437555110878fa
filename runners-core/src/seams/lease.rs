//! The lease seam: an exclusive, time-bounded, fenced right, and the operations on it.

use crate::values::{lease::FencingToken, time::BootTime};
use async_trait::async_trait;
use std::fmt::Debug;

/// The exclusive right to execute one job.
///
/// Implementations only carry the operations. When to renew, and when to stop trusting the lease,
/// is decided in one place: [`LeaseKeeper`](crate::LeaseKeeper). Every implementation passes
/// [`lease_suite!`](crate::lease_suite).
#[async_trait]
pub trait Lease: Debug + Send + Sync + 'static {
    /// The job and the number of its grant.
    fn token(&self) -> FencingToken;

    /// Until when nobody else can have been granted the job, on the holder's clock since boot.
    fn trusted_until(&self) -> BootTime;

    /// Asks for another full term, counted from when it was asked for, and answers until when
    /// the lease is then trusted.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] when the right is gone, [`LeaseError::Unreachable`] when trust lapsed
    /// before an answer came.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the lease in its old or in its renewed term.
    async fn renew(&self) -> Result<BootTime, LeaseError>;

    /// Gives the right up early. Dropping the lease instead lets it expire.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] when it was gone already, [`LeaseError::Unreachable`] when trust
    /// lapsed before it was known to be given up.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the right given up or not.
    async fn release(&self) -> Result<(), LeaseError>;
}

/// Why a lease could not be renewed or released, by what the holder does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "a holder stops or goes on; there is no third")]
pub enum LeaseError {
    /// Stop: the right is gone for good.
    #[error("lease is lost")]
    Lost,
    /// Go on while the lease is trusted.
    #[error("control plane is unreachable")]
    Unreachable,
}
