//! What a host does in the process of its control plane: local runners and clients, and pools.

use super::{ControlPlane, caller::LocalRunnerCaller};
use crate::{
    actors::{
        client::Client,
        error::Error,
        runner::{Runner, RunnerBuilder},
    },
    rules::ownership,
    seams::{artifact::ArtifactStore, random, store::StoreError},
    values::{
        fleet::pool::PoolSpec,
        id::{PoolId, RunnerId, TenantId},
        principal::{Principal, Scope},
    },
};
use std::sync::Arc;

impl ControlPlane {
    /// Describes a runner of the tenant `default` in this very process. A pool that does not exist
    /// is told by the runner's end: make it with [`create_pool`](Self::create_pool) first.
    pub fn local_runner(&self, pool: &str) -> RunnerBuilder {
        self.runner_of(TenantId::DEFAULT, pool)
    }

    /// As [`local_runner`](Self::local_runner), of the operator: in a pool that is
    /// [shared](crate::Sharing), it executes what is [hosted](crate::HostedExecution) for others.
    pub fn hosted_runner(&self, pool: &str) -> RunnerBuilder {
        self.runner_of(TenantId::OPERATOR, pool)
    }

    fn runner_of(&self, tenant: TenantId, pool: &str) -> RunnerBuilder {
        let plane = &self.plane;
        let id = random::id(&*plane.random, plane.now(), RunnerId::new);
        let caller = LocalRunnerCaller::new(Arc::clone(plane), tenant, pool, id);
        Runner::builder(caller)
            .relay(self.relay(tenant, id))
            .artifacts(tenant, Arc::clone(&plane.artifacts))
            .clock(Arc::clone(&plane.clock))
            .random(Arc::clone(&plane.random))
            .observer(Arc::clone(&plane.observer))
    }

    /// The artifact store, as everybody but this control plane is to use it, servers and runners on this
    /// machine alike: what is put there counts against the quota of its tenant. What is put into the store
    /// itself, past this, is counted within the hour.
    #[must_use]
    pub fn artifacts(&self) -> Arc<dyn ArtifactStore> {
        Arc::clone(&self.plane.artifacts)
    }

    /// A client of the tenant `default` in this very process, which may do everything.
    #[must_use]
    pub fn local_client(&self) -> Client {
        self.client(TenantId::DEFAULT)
    }

    /// A client of a tenant in this very process, which may do everything. Who may speak for the tenant
    /// is the host's to decide.
    #[must_use]
    pub fn client(&self, tenant: TenantId) -> Client {
        let plane = &self.plane;
        let scopes = [Scope::Submit, Scope::Read, Scope::Admin].into();
        Client::builder(self.caller(Principal::Api { tenant, scopes }))
            .artifacts(tenant, Arc::clone(&plane.artifacts))
            .clock(Arc::clone(&plane.clock))
            .random(Arc::clone(&plane.random))
            .build()
    }

    /// Makes a pool, or finds the one of that name. Hosts that manage more of the fleet do it by
    /// [`management`](Self::management).
    ///
    /// # Errors
    /// [`Error::Refused`] for a malformed name, [`Error::Store`].
    pub async fn create_pool(&self, tenant: TenantId, name: &str) -> Result<PoolId, Error> {
        let spec = PoolSpec::new(name);
        ownership::check_pool(&spec, tenant)?;
        match self.plane.create_pool(tenant, spec).await {
            Ok(pool) => Ok(pool.id),
            Err(StoreError::Conflict(_)) => {
                let found = self.plane.pool_by_name(tenant, name).await.map_err(Error::Store)?;
                found.ok_or_else(|| {
                    Error::Store(StoreError::Unavailable("the pool's name was just freed".into()))
                })
            }
            Err(error) => Err(Error::Store(error)),
        }
    }
}
