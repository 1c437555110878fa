//! Two clients that submit all the time, and in the end see everything through.

use super::{
    account::Account,
    visit::{Visit, Visited},
};
use anyhow::{Context as _, Result};
use futures::{StreamExt as _, stream};
use runners_core::{
    BootTime, Clock as _, Fallback, JobId, JobOptions, RetryPolicy, SystemClock, protocol::JobView, sleep,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

/// How long everything may take to end once nobody is killed any more.
const SETTLE_WITHIN: Duration = Duration::from_secs(420);

/// How many jobs a client has under way at most for each of its pools: twice as many as the runners of one take
/// at once. One that waits for long then waits for more than those before it.
const UNDER_WAY_PER_POOL: usize = 12;

/// How many jobs are waited for at once.
const WAITS_MAX: usize = 64;

/// What was accepted for each tenant.
pub(crate) type Submitted = Vec<(Account, BTreeMap<JobId, Option<JobView>>)>;

#[derive(Debug)]
pub(crate) struct Clients {
    submitting: JoinSet<Result<(Account, Vec<JobId>)>>,
    accepted: Arc<AtomicUsize>,
}

impl Clients {
    /// Submits for each tenant until then.
    pub(crate) fn start(tenants: &[Account], until: BootTime, chance: &mut fastrand::Rng) -> Self {
        let accepted = Arc::new(AtomicUsize::new(0));
        let mut submitting = JoinSet::new();
        for account in tenants.iter().cloned() {
            submitting.spawn(submit(account, until, chance.fork(), Arc::clone(&accepted)));
        }
        Self { submitting, accepted }
    }

    /// How many jobs were accepted so far.
    pub(crate) fn accepted(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.accepted)
    }

    /// Waits until everything has ended that was accepted, or for as long as that may take: then
    /// there is no view of what has not.
    pub(crate) async fn settle(mut self) -> Result<Submitted> {
        let clock = SystemClock::default();
        let give_up_at = clock.boot() + SETTLE_WITHIN;
        let mut submitted = Submitted::new();
        while let Some(client) = self.submitting.join_next().await {
            let (account, jobs) = client??;
            let waits = stream::iter(jobs).map(|job| {
                let wait = account.client.job::<Visited>(job);
                let clock = &clock;
                async move {
                    tokio::select! {
                        view = wait.wait() => (job, view.ok()),
                        () = clock.sleep_until(give_up_at) => (job, None),
                    }
                }
            });
            let views = waits.buffer_unordered(WAITS_MAX).collect().await;
            submitted.push((account, views));
        }
        Ok(submitted)
    }
}

async fn submit(
    account: Account,
    until: BootTime,
    mut chance: fastrand::Rng,
    count: Arc<AtomicUsize>,
) -> Result<(Account, Vec<JobId>)> {
    let clock = SystemClock::default();
    let mut accepted = Vec::new();
    let mut under_way = JoinSet::new();
    while clock.boot() < until {
        let jobs: Vec<_> = (0..chance.usize(1..=6)).map(|_| job(&account, &mut chance)).collect();
        while under_way.len() + jobs.len() > UNDER_WAY_PER_POOL * account.pools.len() {
            tokio::select! {
                _ = under_way.join_next() => {}
                () = clock.sleep_until(until) => return Ok((account, accepted)),
            }
        }
        let handles = account.client.submit_all(&jobs).await.context("jobs were not accepted")?;
        for handle in handles {
            let handle = handle.context("a job was refused")?;
            accepted.push(handle.id());
            // Whether it ended well is asked when all is over.
            under_way.spawn(async move { drop(handle.wait().await) });
            count.fetch_add(1, Ordering::Relaxed);
        }
        sleep(&clock, Duration::from_millis(chance.u64(200..800))).await;
    }
    Ok((account, accepted))
}

/// A visit to any pool of the tenant; some fall back to another one after a while.
fn job(account: &Account, chance: &mut fastrand::Rng) -> (Visit, JobOptions) {
    let millis = match chance.u8(0..100) {
        0..70 => chance.u64(20..300),
        70..95 => chance.u64(500..2000),
        _ => chance.u64(4000..8000),
    };
    let pools = &account.pools;
    let first = chance.usize(0..pools.len());
    let other = &pools[(first + 1) % pools.len()];
    let fallbacks = (pools.len() > 1 && chance.bool())
        .then(|| Fallback { pool: other.name.to_owned(), after: Duration::from_secs(2) });
    let losses_max = RetryPolicy::ATTEMPTS_LIMIT;
    let retry = RetryPolicy {
        losses_max,
        attempts_max: losses_max,
        backoff: Duration::from_millis(100),
        ..RetryPolicy::default()
    };
    let options = JobOptions {
        pool: pools[first].name.to_owned(),
        fallbacks: fallbacks.into_iter().collect(),
        retry,
        ..JobOptions::default()
    };
    (Visit { millis }, options)
}
