//! Hosted execution: the operator's pools that jobs of other tenants are led to.

use super::{Plane, lock};
use crate::{
    rules::{
        hosting, keys,
        record::{PoolRecord, Preference},
    },
    seams::{
        hosted::{HostedError, HostedExecution, HostedJob},
        store::StoreError,
    },
    values::{
        fleet::pool::PoolView,
        id::TenantId,
        job::JobSpec,
        key::{Index, Kind},
        preference::Fallback,
        reply::{JobView, RefusalCode, Refused},
    },
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// Who says where hosted jobs run, and what is known of the operator's pools.
#[derive(Debug)]
pub(crate) struct Hosting {
    execution: Arc<dyn HostedExecution>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    pools: Option<Arc<Vec<PoolRecord>>>,
    /// Grows whenever they are to be read again.
    turn: u64,
}

impl Hosting {
    pub(super) fn new(execution: Arc<dyn HostedExecution>) -> Self {
        Self { execution, known: Mutex::default() }
    }

    /// The operator's pools may not be as they are known.
    pub(crate) fn doubt(&self) {
        let mut known = lock(&self.known);
        known.pools = None;
        known.turn += 1;
    }
}

impl Plane {
    /// The operator's pools that a job may be hosted in, or why it is not hosted. `name` is that of
    /// the environment which led there.
    pub(super) async fn host(
        &self,
        tenant: TenantId,
        name: &str,
        spec: &mut JobSpec,
    ) -> Result<Result<Preference, Refused>, StoreError> {
        if let Err(refused) = check(name, spec) {
            return Ok(Err(refused));
        }
        let pools = self.operators_pools().await?;
        let shared: Vec<PoolView> =
            hosting::shared_pools(&pools, tenant, spec).into_iter().map(PoolRecord::view).collect();
        let job = HostedJob { tenant, spec, shared: &shared };
        let mut chosen = match self.hosting.execution.pools(job).await {
            Ok(chosen) => chosen,
            Err(HostedError::Refused(why)) => {
                return Ok(Err(refused(
                    RefusalCode::Forbidden,
                    name,
                    &format!("and that is refused: {why}"),
                )));
            }
            Err(HostedError::Unavailable(source)) => return Err(StoreError::Unavailable(source)),
        };
        chosen.truncate(HostedJob::POOLS_MAX);
        let mut unique = std::collections::BTreeSet::new();
        chosen.retain(|pool| unique.insert(*pool));
        if let Some(unknown) = chosen.iter().find(|id| !pools.iter().any(|pool| pool.id == **id)) {
            // The tenant has no business with the ids of the operator's pools.
            tracing::warn!(%tenant, pool = %unknown, "a job is to be hosted in a pool that the operator does not have");
            chosen.clear();
        }
        if chosen.is_empty() {
            let problem = "and no pool of the operator serves this tenant: have one shared, or route the \
                           environment to a pool";
            return Ok(Err(refused(RefusalCode::NotFound, name, problem)));
        }
        JobView::HOSTED_POOL.clone_into(&mut spec.pool);
        spec.fallbacks = vec![Fallback::new(JobView::HOSTED_POOL, Duration::ZERO); chosen.len() - 1];
        let pools = chosen.into_iter().map(|pool| (pool, Duration::ZERO)).collect();
        Ok(Ok(Preference { owner: TenantId::OPERATOR, pools }))
    }

    async fn operators_pools(&self) -> Result<Arc<Vec<PoolRecord>>, StoreError> {
        let turn = {
            let known = lock(&self.hosting.known);
            if let Some(pools) = &known.pools {
                return Ok(Arc::clone(pools));
            }
            known.turn
        };
        let prefix = keys::listed_prefix(TenantId::OPERATOR, Kind::Pool, None);
        let found = self.records.operator().all::<PoolRecord>(Index::Listed, prefix).await?;
        let pools = Arc::new(found.into_iter().map(|pool| pool.record).collect());
        let mut known = lock(&self.hosting.known);
        if known.turn == turn {
            known.pools = Some(Arc::clone(&pools));
        }
        Ok(pools)
    }
}

/// Refuses what a tenant cannot ask of runners that it does not know.
fn check(name: &str, spec: &JobSpec) -> Result<(), Refused> {
    let field = match (spec.runner.is_some(), spec.fallbacks.is_empty()) {
        (true, _) => "spec.runner",
        (false, false) => "spec.fallbacks",
        (false, true) => return Ok(()),
    };
    let problem = format!(
        "{field}: the environment {name:?} leads to hosted execution, which chooses by itself: leave it out"
    );
    Err(Refused::new(RefusalCode::Invalid, problem))
}

fn refused(code: RefusalCode, name: &str, problem: &str) -> Refused {
    Refused::new(code, format!("spec.environment: {name:?} leads to hosted execution, {problem}"))
}

/// How many of the operator's lanes the jobs of one tenant may take up in one pool: a tenth of all.
pub(super) const HOSTED_LANES_MAX: usize = crate::rules::schedule::LANES_MAX / 10;
