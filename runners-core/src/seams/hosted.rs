//! The seam of hosted execution: on which of the operator's pools the job of a tenant runs. Fairness
//! between tenants is the control plane's.

use crate::values::{fleet::pool::PoolView, id::PoolId, id::TenantId, job::JobSpec, preference::Fallback};
use async_trait::async_trait;
use std::{error::Error, fmt::Debug, sync::Arc};

/// Tells on which of the operator's pools hosted jobs run.
///
/// A job is hosted if its environment leads to [`Route::Hosted`](crate::Route::Hosted): it stays a
/// job of its tenant, and runners of the operator execute it. The default is [`SharedPools`]; a host with
/// plans, quotas or regions of its own writes another implementation.
///
/// ```
/// use runners_core::{
///     ControlPlane, HostedError, HostedExecution, HostedJob, MemoryStore, PoolId, SharedPools,
/// };
///
/// /// Only those who pay run on the operator's machines.
/// #[derive(Debug)]
/// struct Plans;
///
/// #[async_trait::async_trait]
/// impl HostedExecution for Plans {
///     async fn pools(&self, job: HostedJob<'_>) -> Result<Vec<PoolId>, HostedError> {
///         if job.spec.kind == "load-test" {
///             return Err(HostedError::Refused("load tests are not in the free plan: upgrade it".into()));
///         }
///         SharedPools.pools(job).await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let control = ControlPlane::builder(MemoryStore::default()).hosted_execution(Plans).start().await?;
/// # control.stop().await?;
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait HostedExecution: Debug + Send + Sync + 'static {
    /// The pools whose runners may take a job that is being submitted, the one that is preferred
    /// first: at most [`HostedJob::POOLS_MAX`] of them count. They may be any of the operator's own
    /// pools, shared or not, and the job stays with them.
    ///
    /// # Errors
    /// [`HostedError`], by what the submitter does next.
    ///
    /// # Cancel safety
    /// The future may be dropped and the call made again, so both together must have the effect of one.
    async fn pools(&self, job: HostedJob<'_>) -> Result<Vec<PoolId>, HostedError>;
}

#[async_trait]
impl<H: HostedExecution + ?Sized> HostedExecution for Arc<H> {
    async fn pools(&self, job: HostedJob<'_>) -> Result<Vec<PoolId>, HostedError> {
        (**self).pools(job).await
    }
}

/// A job that is to be hosted.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HostedJob<'a> {
    /// Whose it is.
    pub tenant: TenantId,
    /// What was asked for.
    pub spec: &'a JobSpec,
    /// The operator's pools that are active and [shared](crate::Sharing) with the tenant, the one that
    /// suits the job best first: one of a region or kind of machine that the job wants as a label goes
    /// before others, then one that is shared with named tenants before one that is shared with all,
    /// then the older one. None is of a region or kind that the job refuses as a label.
    pub shared: &'a [PoolView],
}

impl HostedJob<'_> {
    /// The largest number of pools that one job may be taken in.
    pub const POOLS_MAX: usize = 1 + Fallback::POOLS_MAX;
}

/// Why a job is not hosted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostedError {
    /// Submit something else: this one is refused, and the submitter is told why. Say what to do, too.
    #[error("hosted execution is refused: {0}")]
    Refused(String),
    /// Submit it again later: it cannot be decided now.
    #[error("hosted execution cannot be decided on")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

/// Hosts jobs on the operator's pools that are shared with their tenant.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to say about it")]
pub struct SharedPools;

#[async_trait]
impl HostedExecution for SharedPools {
    async fn pools(&self, job: HostedJob<'_>) -> Result<Vec<PoolId>, HostedError> {
        Ok(job.shared.iter().map(|pool| pool.id).collect())
    }
}
