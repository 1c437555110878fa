//! Which of the operator's pools may host the jobs of another tenant, and which suits one best.

use crate::{
    rules::record::PoolRecord,
    values::{fleet::pool::Sharing, id::TenantId, job::JobSpec},
};
use std::cmp::Reverse;

/// The pools that are active and admit `tenant`, without those of a region or kind that the job
/// refuses, the one that suits it best first.
pub(crate) fn shared_pools<'a>(
    pools: &'a [PoolRecord],
    tenant: TenantId,
    spec: &JobSpec,
) -> Vec<&'a PoolRecord> {
    let named = |pool: &PoolRecord, labels: &std::collections::BTreeSet<String>| {
        let texts = [&pool.spec.kind, &pool.spec.region];
        texts.into_iter().flatten().filter(|text| labels.contains(*text)).count()
    };
    let open = |pool: &&PoolRecord| {
        pool.spec.active && pool.spec.sharing.admits(tenant) && named(pool, &spec.refused) == 0
    };
    let mut found: Vec<&PoolRecord> = pools.iter().filter(open).collect();
    found.sort_by_key(|pool| {
        let for_all = pool.spec.sharing == Sharing::Everyone;
        (Reverse(named(pool, &spec.wanted)), for_all, pool.made_at, pool.id)
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{
        fleet::pool::PoolSpec,
        id::{JobId, PoolId},
        job::JobOptions,
        time::Timestamp,
    };

    const GUEST: TenantId = TenantId::from_bytes([7; 16]);

    fn pool(number: u8, change: impl FnOnce(&mut PoolSpec)) -> PoolRecord {
        let mut spec = PoolSpec { sharing: Sharing::Everyone, ..PoolSpec::new(format!("pool {number}")) };
        change(&mut spec);
        let made_at = Timestamp::from_millis(u64::from(number));
        PoolRecord::new(TenantId::OPERATOR, PoolId::from_bytes([number; 16]), spec, made_at)
    }

    fn numbers(pools: &[PoolRecord], wanted: &[&str], refused: &[&str]) -> Vec<u8> {
        let set = |labels: &[&str]| labels.iter().map(ToString::to_string).collect();
        let options = JobOptions { wanted: set(wanted), refused: set(refused), ..JobOptions::default() };
        let spec = JobSpec::new(JobId::from_bytes([1; 16]), "visit", b"{}", options);
        shared_pools(pools, GUEST, &spec).iter().map(|pool| pool.id.as_bytes()[0]).collect()
    }

    #[test]
    fn only_active_pools_that_admit_the_tenant_host_its_jobs() {
        let others = [TenantId::from_bytes([8; 16])].into();
        let pools = [
            pool(1, |spec| spec.active = false),
            pool(2, |spec| spec.sharing = Sharing::None),
            pool(3, |spec| spec.sharing = Sharing::With(others)),
            pool(4, |_| {}),
        ];
        assert_eq!(numbers(&pools, &[], &[]), [4]);
    }

    #[test]
    fn the_pool_that_suits_a_job_best_goes_first() {
        let pools = [
            pool(1, |_| {}),
            pool(2, |spec| spec.sharing = Sharing::With([GUEST].into())),
            pool(3, |spec| spec.region = Some("eu".into())),
            pool(4, |spec| (spec.region, spec.kind) = (Some("eu".into()), Some("gpu".into()))),
        ];
        assert_eq!(numbers(&pools, &[], &[]), [2, 1, 3, 4]);
        assert_eq!(numbers(&pools, &["eu"], &[]), [3, 4, 2, 1]);
        assert_eq!(numbers(&pools, &["eu", "gpu"], &[]), [4, 3, 2, 1]);
        assert_eq!(numbers(&pools, &["eu"], &["gpu"]), [3, 2, 1]);
    }
}
