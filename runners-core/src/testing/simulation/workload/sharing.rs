//! Draws with whom a job shares runners: whose turn it is, how many may run at once, which further
//! pools it falls back to, and a key that one job has at a time.

use super::{
    super::{
        fleet::{DEFAULT_POOL, Member, SHARED_POOL, SPARE_POOL},
        guests::{CLOUD, GUESTS},
    },
    Planned,
    draw::Draw,
};
use crate::values::{
    id::{JobId, TenantId},
    job::JobOptions,
    preference::{Concurrency, Fairness, Fallback},
};
use std::time::Duration;

/// Whose jobs there are.
const CUSTOMERS: [&str; 3] = ["ann", "bob", "eve"];
/// What jobs are limited by, and how many may be granted at once.
const LIMITS: [(&str, u32); 2] = [("site", 1), ("shop", 2)];
/// What only one job does at a time.
const UNIQUE: [&str; 2] = ["nightly", "hourly"];

impl Draw<'_> {
    /// Whose a job is, or a run.
    pub(super) fn tenant(&self) -> TenantId {
        let is_guests =
            self.runners.iter().any(|runner| runner.pool_name == SHARED_POOL) && self.happens(0.4);
        if is_guests { GUESTS[self.below(GUESTS.len() as u32) as usize] } else { TenantId::DEFAULT }
    }

    pub(super) fn share(&self, tenant: TenantId, options: &mut JobOptions, in_run: bool) {
        if self.happens(0.4) {
            let key = CUSTOMERS[self.below(3) as usize].to_owned();
            options.fairness = Some(Fairness { key, weight: [1, 1, 2, 5][self.below(4) as usize] });
        }
        for (key, max) in LIMITS {
            if self.happens(0.15) {
                options.concurrency.push(Concurrency::new(key, max));
            }
        }
        // A job of a run is never refused for long, so that those that wait for it are not either.
        if !in_run && self.happens(0.12) {
            options.unique = Some(UNIQUE[self.below(2) as usize].to_owned());
        }
        if tenant != TenantId::DEFAULT {
            options.environment = Some(CLOUD.to_owned());
        } else if self.runners.iter().any(|runner| runner.pool_name == SPARE_POOL) {
            self.prefer(options);
        }
    }

    fn prefer(&self, options: &mut JobOptions) {
        let (first, further) =
            if self.happens(0.3) { (SPARE_POOL, DEFAULT_POOL) } else { (DEFAULT_POOL, SPARE_POOL) };
        options.pool = first.to_owned();
        if self.happens(0.5) {
            let after = if self.happens(0.3) { Duration::ZERO } else { self.span(self.term / 2) };
            options.fallbacks.push(Fallback::new(further, after));
        }
    }

    /// The same job under another id, which is the same one for as long as its unique key is.
    pub(super) fn twin(&self, job: &Planned) -> Option<Planned> {
        job.spec.unique.as_ref().filter(|_| self.happens(0.4))?;
        let mut twin = job.clone();
        twin.spec.job = JobId::new(self.wall, self.bytes());
        (twin.at, twin.again, twin.cancel) = (job.at + self.span(Duration::from_secs(10)), None, None);
        Some(twin)
    }
}

impl Member {
    /// Whether the runner may take a job with these options, now or later.
    pub(super) fn may_take(&self, options: &JobOptions) -> bool {
        let mut pools = options.fallbacks.iter().map(|further| &further.pool).chain([&options.pool]);
        let is_in_pool = match &options.environment {
            Some(_) => self.pool_name == SHARED_POOL,
            None => pools.any(|pool| *pool == self.pool_name),
        };
        is_in_pool
            && options.runner.is_none_or(|runner| runner == self.id)
            && options.wanted.is_subset(&self.labels)
            && options.refused.is_disjoint(&self.labels)
    }
}
