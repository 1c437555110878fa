//! The tenants of a simulation: one with runners of its own, and guests, whose jobs are hosted by the
//! operator's runners in a pool that all of them share.

use super::{
    audit::Audit,
    fleet::{SHARED, SHARED_POOL},
    machine::Machine,
};
use crate::{
    actors::records::Batch,
    rules::record::{EnvironmentRecord, PoolRecord, UniqueRecord, Unknown},
    seams::clock::Clock as _,
    values::{
        fleet::{
            environment::Route,
            pool::{PoolSpec, Sharing},
        },
        id::TenantId,
        principal::{Principal, Scope},
    },
};

/// Those whose jobs are hosted.
pub(super) const GUESTS: [TenantId; 2] = [TenantId::from_bytes([0xa7; 16]), TenantId::from_bytes([0xb8; 16])];
/// The environment of every guest that leads to hosted execution.
pub(super) const CLOUD: &str = "cloud";

/// Everybody who owns jobs.
pub(super) fn tenants() -> impl Iterator<Item = TenantId> {
    [TenantId::DEFAULT].into_iter().chain(GUESTS)
}

/// Who speaks for a tenant.
pub(super) fn principal_of(tenant: TenantId) -> Principal {
    match tenant {
        TenantId::OPERATOR => Principal::Operator,
        tenant => Principal::Api { tenant, scopes: [Scope::Submit, Scope::Read, Scope::Admin].into() },
    }
}

impl Audit {
    /// Makes the pool that guests share, and their way to it.
    pub(super) async fn invite_guests(&self) {
        let now = Machine::new().wall();
        let spec = PoolSpec { sharing: Sharing::Everyone, ..PoolSpec::new(SHARED_POOL) };
        let pool = PoolRecord::new(TenantId::OPERATOR, SHARED, spec, now);
        let mut batch = Batch::new();
        batch.put(0, &pool);
        batch.put(0, &UniqueRecord::of_pool(&pool));
        for tenant in GUESTS {
            let environment = EnvironmentRecord {
                tenant,
                name: CLOUD.to_owned(),
                route: Route::Hosted,
                made_at: now,
                unknown: Unknown::new(),
            };
            batch.put(0, &environment);
        }
        self.records.commit(batch).await.expect("the store behind the faults takes it");
    }
}
