//! How jobs share runners, as it stands in the store: counters, limits and unique keys.

use super::{Audit, ROWS_MAX};
use crate::{
    actors::records::{Batch, read},
    rules::{
        job::JobRecord,
        keys,
        record::{HoldingRecord, PoolRecord, UniqueRecord},
    },
    seams::{
        artifact::ArtifactStore as _,
        clock::Clock as _,
        store::{Page, Query, Store as _},
    },
    testing::simulation::{
        fleet::{SPARE, SPARE_POOL},
        guests::tenants,
        machine::Machine,
    },
    values::{
        fleet::pool::{Placement, PoolSpec},
        id::{JobId, TenantId},
        key::{Index, Key, Kind},
    },
};
use bytes::Bytes;
use std::collections::BTreeMap;

impl Audit {
    /// Makes the pool of the runners that others fall back to.
    pub(in super::super) async fn make_pools(&self, packs: bool) {
        let placement = if packs { Placement::Pack } else { Placement::Spread };
        let spec = PoolSpec { placement, ..PoolSpec::new(SPARE_POOL) };
        let pool = PoolRecord::new(TenantId::DEFAULT, SPARE, spec, Machine::new().wall());
        let mut batch = Batch::new();
        batch.put(0, &pool);
        batch.put(0, &UniqueRecord::of_pool(&pool));
        self.records.commit(batch).await.expect("the store behind the faults takes it");
    }

    /// Every counter is what it counts, at every instant, and no limit is exceeded.
    pub(in super::super) async fn check_counters(&self) {
        let jobs: Vec<JobRecord> = self.jobs().await.into_iter().flatten().map(|job| job.record).collect();
        let mut expected: BTreeMap<Key, i64> = BTreeMap::new();
        for job in &jobs {
            if let (Some(run), None) = (job.terms.run, job.conclusion()) {
                *expected.entry(keys::open_jobs(job.tenant, run)).or_default() += 1;
            }
            for (counter, _) in job.counters().into_iter().filter(|_| job.holder().is_some()) {
                *expected.entry(counter).or_default() += 1;
            }
        }
        self.count_holdings(&mut expected).await;
        let found = self.counters().await;
        if found != expected {
            let detail = format!("the counters are {found:?}, and a recount says {expected:?}");
            self.checker.violate("a counter is what it counts", None, detail);
        }
        self.check_limits(&jobs, &expected);
        self.check_unique(&jobs).await;
    }

    /// What is counted of artifacts, record by record.
    async fn count_holdings(&self, expected: &mut BTreeMap<Key, i64>) {
        for tenant in tenants() {
            let records = self.records.tenant(tenant);
            let prefix = keys::listed_prefix(tenant, Kind::Holding, None);
            let all = records.all::<HoldingRecord>(Index::Listed, prefix).await;
            let all = all.expect("a store in memory answers");
            let bytes: u64 = all.iter().map(|found| found.record.bytes()).sum();
            if bytes > 0 {
                let bytes = i64::try_from(bytes).expect("a simulation has few");
                expected.insert(keys::artifact_bytes(tenant), bytes);
            }
        }
    }

    /// Whether what is counted of artifacts is what is there, which it is in the end.
    pub(in super::super) async fn is_counted(&self) -> bool {
        for tenant in tenants() {
            let stored = self.artifacts.list(tenant, None, ROWS_MAX as usize).await;
            let stored: u64 = stored.expect("a store in memory answers").iter().map(|one| one.length).sum();
            let counted = self.records.counter(keys::artifact_bytes(tenant)).await;
            if i64::try_from(stored) != Ok(counted.expect("a store in memory answers")) {
                return false;
            }
        }
        true
    }

    /// Every counter that is not nothing.
    async fn counters(&self) -> BTreeMap<Key, i64> {
        let mut all = BTreeMap::new();
        for tenant in tenants() {
            let prefix = Key::new(tenant, Kind::Limit, Bytes::new());
            let page = self.store.scan(Query::Counters { prefix, limit: ROWS_MAX }).await;
            if let Page::Counters(counters) = page.expect("the store behind the faults answers") {
                all.extend(counters.into_iter().filter(|(_, count)| *count != 0));
            }
        }
        all
    }

    fn check_limits(&self, jobs: &[JobRecord], counted: &BTreeMap<Key, i64>) {
        for job in jobs.iter().filter(|job| job.holder().is_some()) {
            for (counter, max) in job.counters() {
                let count = counted.get(&counter).copied().unwrap_or(0);
                let Some(max) = max else { continue };
                self.checker.count(|statistics| statistics.limits_reached += u64::from(count == max));
                if count > max {
                    let detail = format!("{} is granted as one of {count}, and {max} may be", job.id);
                    self.checker.violate("a limit is never exceeded", Some(job.id), detail);
                }
            }
        }
    }

    /// A unique key is taken by the one open job that has it, and by none that has ended.
    async fn check_unique(&self, jobs: &[JobRecord]) {
        let mut taken: BTreeMap<(TenantId, &str), Vec<JobId>> = BTreeMap::new();
        for job in jobs {
            let Some(unique) = &job.terms.unique else { continue };
            let open = taken.entry((job.tenant, unique)).or_default();
            open.extend(job.conclusion().is_none().then_some(job.id));
        }
        for ((tenant, unique), open) in taken {
            let key = UniqueRecord::job_key(tenant, unique);
            let found =
                self.records.load::<UniqueRecord>(key).await.expect("the store behind the faults answers");
            let holder: Option<JobId> = found.and_then(|found| found.record.taken_by.parse().ok());
            if open.len() > 1 || open.first() != holder.as_ref() {
                let detail = format!("{unique:?} is taken by {holder:?}, and {open:?} are open");
                self.checker.violate("a unique key has one open job", None, detail);
            }
        }
    }

    /// The jobs that are ready now and that no limit holds back.
    pub(in super::super) async fn ready(&self) -> Vec<JobRecord> {
        let page = self.store.scan(Query::range(Index::Ready, Bytes::new(), ROWS_MAX)).await;
        let ready: Vec<JobRecord> = match page.expect("the store behind the faults answers") {
            Page::Rows { rows, .. } => {
                let jobs = rows.iter().filter(|(_, row)| row.key.kind == Kind::Job);
                jobs.filter_map(|(_, row)| Some(read::<JobRecord>(row).ok()?.record)).collect()
            }
            _ => Vec::new(),
        };
        if ready.is_empty() {
            return ready;
        }
        let counters = self.counters().await;
        let is_full = |(counter, max): (Key, Option<i64>)| {
            max.is_some_and(|max| counters.get(&counter).is_some_and(|count| *count >= max))
        };
        ready.into_iter().filter(|job| !job.counters().into_iter().any(is_full)).collect()
    }
}
