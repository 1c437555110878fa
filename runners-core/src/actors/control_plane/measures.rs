//! What the control plane measures where it happens: syncs, grants, ends, leases, registrations.
//! What is looked at from time to time is in `gauges`, the store's share in `measured`.

use super::{effects::Change, lock};
use crate::{
    rules::job::{JobRecord, State},
    seams::{
        metrics::{Attribute, Instrument, Metrics, control_plane as instruments},
        store::StoreError,
    },
    values::{
        id::{JobId, PoolId},
        outcome::{Conclusion, Outcome},
        reply::Reply,
        time::{BootTime, Timestamp},
    },
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Records what happens at one control plane.
#[derive(Debug)]
pub(crate) struct Measures {
    metrics: Arc<dyn Metrics>,
    wanted: bool,
    labels: Mutex<BTreeMap<PoolId, Arc<str>>>,
    /// Since when running jobs are to stop.
    stopping: Mutex<BTreeMap<JobId, Timestamp>>,
}

/// The largest number of pools that are told apart.
const POOLS_MAX: usize = 200;
/// What all others are called.
const OTHER_POOLS: &str = "other";
/// What a pool is called that is not known.
const UNKNOWN: &str = "unknown";
/// The largest number of stops that are timed at once.
const STOPS_MAX: usize = 10_000;
/// Until what age a pool is new.
const NEW_POOL_AGE_MAX: Duration = Duration::from_secs(24 * 3600);

impl Measures {
    pub(crate) fn new(metrics: Arc<dyn Metrics>) -> Self {
        let wanted = metrics.is_wanted();
        Self { metrics, wanted, labels: Mutex::default(), stopping: Mutex::default() }
    }

    /// Whether anybody wants to know.
    pub(crate) const fn are_wanted(&self) -> bool {
        self.wanted
    }

    /// What a pool is called in measurements. There is a limit to how many are told apart.
    pub(crate) fn label(&self, pool: PoolId) -> Arc<str> {
        let mut labels = lock(&self.labels);
        if let Some(label) = labels.get(&pool) {
            return Arc::clone(label);
        }
        if labels.len() >= POOLS_MAX {
            return Arc::from(OTHER_POOLS);
        }
        let label: Arc<str> = pool.to_string().into();
        labels.insert(pool, Arc::clone(&label));
        label
    }

    pub(crate) fn record(
        &self,
        instrument: &'static Instrument,
        value: f64,
        pool: PoolId,
        more: Option<Attribute<'_>>,
    ) {
        if self.wanted {
            let label = self.label(pool);
            self.record_for(instrument, value, &label, more);
        }
    }

    pub(crate) fn record_for(
        &self,
        instrument: &'static Instrument,
        value: f64,
        label: &str,
        more: Option<Attribute<'_>>,
    ) {
        let pool = ("pool", label);
        match more {
            None => self.metrics.record(instrument, value, &[pool]),
            Some(more) => self.metrics.record(instrument, value, &[pool, more]),
        }
    }

    /// A sync has arrived.
    pub(crate) fn sync_arrived(&self, pool: PoolId, at: BootTime) -> SyncMeasure<'_> {
        self.record(&instruments::SYNC_REQUESTS, 1.0, pool, None);
        SyncMeasure { measures: self, pool, at, served: false }
    }

    /// Jobs were changed, and that is in the store.
    pub(crate) fn changed(&self, changes: &[Change], now: Timestamp) {
        if self.wanted {
            changes.iter().for_each(|change| self.changed_one(change, now));
        }
    }

    fn changed_one(&self, change: &Change, now: Timestamp) {
        let (job, before) = (&change.after, change.before.as_ref().map(|before| &before.record));
        let pool = job.terms.pool;
        if before.is_none() {
            self.record(&instruments::JOBS_SUBMITTED, 1.0, pool, None);
        }
        if job.grant > before.map_or(0, |before| before.grant)
            && let State::Offered { ready_at, .. } = job.state
        {
            self.record(&instruments::GRANT_LATENCY, now.since(ready_at).as_secs_f64(), pool, None);
        }
        let ended_before = before.map_or(0, |before| before.attempts.len());
        let lost = job.attempts.iter().skip(ended_before).filter(|ended| ended.outcome == Outcome::Lost);
        if lost.count() > 0 {
            self.record(&instruments::LEASES_LOST, 1.0, pool, None);
        }
        self.stopped(job, before, now);
        if let Some(conclusion) =
            job.conclusion().filter(|_| before.is_none_or(|before| before.conclusion().is_none()))
        {
            let conclusion = ("conclusion", name_of(conclusion));
            self.record(&instruments::JOBS_CONCLUDED, 1.0, pool, Some(conclusion));
        }
    }

    /// Times a stop of a running job from the wish to its end, if it was the runner that told the end.
    fn stopped(&self, job: &JobRecord, before: Option<&JobRecord>, now: Timestamp) {
        let is_stopping = |job: &JobRecord| matches!(job.state, State::Running { stop: Some(_), .. });
        match (before.is_some_and(is_stopping), is_stopping(job)) {
            (false, true) => {
                let mut stopping = lock(&self.stopping);
                if stopping.len() < STOPS_MAX {
                    stopping.insert(job.id, now);
                }
            }
            (true, false) => {
                let since = lock(&self.stopping).remove(&job.id);
                let told = job.attempts.last().is_some_and(|ended| ended.outcome != Outcome::Lost);
                if let Some(since) = since.filter(|_| told) {
                    let span = now.since(since).as_secs_f64();
                    self.record(&instruments::CANCEL_LATENCY, span, job.terms.pool, None);
                }
            }
            _ => {}
        }
    }

    /// Something happened to a live view.
    pub(crate) fn relay(&self, instrument: &'static Instrument) {
        if self.wanted {
            self.metrics.record(instrument, 1.0, &[]);
        }
    }

    /// Leases ran out for want of a word from their runner.
    pub(crate) fn leases_expired(&self, pools: impl IntoIterator<Item = PoolId>) {
        for pool in pools {
            self.record(&instruments::LEASES_EXPIRED, 1.0, pool, None);
        }
    }

    /// A registration was refused; `pool` is what its token admits to, if it is known.
    pub(crate) fn registration_failed(&self, pool: Option<PoolId>, now: Timestamp) {
        let Some(pool) = pool else {
            if self.wanted {
                let age = ("pool_age", UNKNOWN);
                self.record_for(&instruments::REGISTRATION_FAILURES, 1.0, UNKNOWN, Some(age));
            }
            return;
        };
        let is_new = made_at(pool).is_some_and(|at| now.since(at) <= NEW_POOL_AGE_MAX);
        let age = ("pool_age", if is_new { "new" } else { "established" });
        self.record(&instruments::REGISTRATION_FAILURES, 1.0, pool, Some(age));
    }
}

/// One sync that is being measured.
#[derive(Debug)]
pub(crate) struct SyncMeasure<'a> {
    measures: &'a Measures,
    pool: PoolId,
    at: BootTime,
    served: bool,
}

impl SyncMeasure<'_> {
    /// All is done that the request asks for: it is answered, or held back.
    pub(crate) fn served(&mut self, now: BootTime) {
        if !std::mem::replace(&mut self.served, true) {
            let span = now.since(self.at).as_secs_f64();
            self.measures.record(&instruments::SYNC_DURATION, span, self.pool, None);
        }
    }

    /// What came of it.
    pub(crate) fn answered(mut self, reply: &Result<Reply, StoreError>, now: BootTime) {
        self.served(now);
        let reason = match reply {
            Ok(Reply::Refused(_)) => "refused",
            Ok(_) => return,
            Err(_) => "store",
        };
        self.measures.record(&instruments::SYNC_FAILURES, 1.0, self.pool, Some(("reason", reason)));
    }
}

/// When an id was made, if it was laid out from a time.
fn made_at(pool: PoolId) -> Option<Timestamp> {
    let bytes = pool.as_bytes();
    let mut millis = [0; 8];
    millis[2..].copy_from_slice(&bytes[..6]);
    (bytes[6] >> 4 == 7).then(|| Timestamp::from_millis(u64::from_be_bytes(millis)))
}

/// What a conclusion is called in measurements.
pub(crate) const fn name_of(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Passed => "passed",
        Conclusion::Flaky => "flaky",
        Conclusion::Failed => "failed",
        Conclusion::Errored => "errored",
        Conclusion::TimedOut => "timed_out",
        Conclusion::Cancelled => "cancelled",
        Conclusion::Expired => "expired",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seams::metrics::NoMetrics;

    #[test]
    fn pools_are_told_apart_up_to_a_limit() {
        let measures = Measures::new(Arc::new(NoMetrics));
        let label = |number: u32| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            measures.label(PoolId::from_bytes(bytes))
        };
        let limit = u32::try_from(POOLS_MAX).unwrap();
        assert!((0..limit).all(|number| label(number).starts_with("pool_")));
        assert_eq!(&*label(limit), OTHER_POOLS);
        assert!(label(0).starts_with("pool_"), "those that are known stay so");
    }

    #[test]
    fn the_age_of_a_pool_is_in_its_id() {
        let at = Timestamp::from_millis(1_234_567);
        assert_eq!(made_at(PoolId::new(at, [0xff; 10])), Some(at));
        assert_eq!(made_at(PoolId::DEFAULT), None);
    }
}
