//! Draws the jobs of a simulation from its seed. With whom they share runners is left to `sharing`.

use super::{
    super::{
        fleet::Member,
        work::{Bad, KIND, OnCancel, Plan},
    },
    Planned,
};
use crate::{
    testing::random::SeededRandom,
    values::{
        id::{JobId, RunId, TenantId},
        job::{DisconnectPolicy, JobOptions, JobSpec},
        opaque::Opaque,
        request::{CancelTarget, RunSpec},
        retry::RetryPolicy,
        time::Timestamp,
    },
};
use std::time::Duration;

/// Draws the jobs of a simulation.
pub(in super::super) struct Draw<'a> {
    pub(in super::super) random: &'a SeededRandom,
    pub(in super::super) wall: Timestamp,
    pub(in super::super) within: Duration,
    pub(in super::super) runners: &'a [Member],
    pub(in super::super) term: Duration,
}

/// How many jobs of a run there are at most.
const RUN_JOBS_MAX: usize = 4;

impl Draw<'_> {
    pub(in super::super) fn jobs(&self, count: usize) -> Vec<Planned> {
        let mut jobs: Vec<Planned> = Vec::with_capacity(count);
        let mut run: Option<(RunSpec, Duration, Vec<JobId>)> = None;
        let mut tenant = TenantId::DEFAULT;
        for _ in 0..count {
            if run.as_ref().is_some_and(|(_, _, jobs)| jobs.len() >= RUN_JOBS_MAX) || self.happens(0.2) {
                run = None;
            }
            if run.is_none() {
                tenant = self.tenant();
            }
            if run.is_none() && self.happens(0.3) {
                let timeout = self.happens(0.2).then(|| self.span(self.term * 2));
                let spec = RunSpec { run: RunId::new(self.wall, self.bytes()), timeout };
                run = Some((spec, self.span(self.within), Vec::new()));
            }
            let at = run.as_ref().map_or_else(|| self.span(self.within), |(_, at, _)| *at);
            let mut options = self.options(tenant, at, run.is_some());
            if let Some((spec, _, earlier)) = &run {
                options.run = Some(spec.run);
                if self.happens(0.5) {
                    options.after = earlier.iter().rev().take(2).copied().collect();
                }
            }
            let payload = Opaque::from(serde_json::to_vec(&self.plan()).expect("a plan is plain data"));
            let job = JobId::new(self.wall, self.bytes());
            let spec = JobSpec::new(job, KIND, payload.as_bytes(), options);
            let target = match &run {
                Some((spec, ..)) if self.happens(0.3) => CancelTarget::Run(spec.run),
                _ => CancelTarget::Job(job),
            };
            let cancel = self.happens(0.12).then(|| (self.span(self.term), target));
            let again = self.happens(0.1).then(|| self.span(self.term));
            if let Some((_, _, jobs)) = &mut run {
                jobs.push(job);
            }
            let run = run.as_ref().map(|(spec, ..)| spec.clone());
            let job = Planned { tenant, spec, payload, run, at, again, cancel };
            jobs.extend(self.twin(&job));
            jobs.push(job);
        }
        jobs.sort_by_key(|job| job.at);
        jobs
    }

    fn options(&self, tenant: TenantId, at: Duration, in_run: bool) -> JobOptions {
        let retry = RetryPolicy {
            attempts_max: 1 + self.below(3),
            losses_max: if self.happens(0.3) { self.below(3) } else { 100 },
            failed: self.happens(0.5),
            backoff: self.span(Duration::from_secs(3)),
            backoff_max: Duration::from_secs(10),
        };
        let mut options = JobOptions {
            priority: [0, 100, 100, 100, 255][self.below(5) as usize],
            timeout: if self.happens(0.1) { self.term / 6 } else { self.term * 5 },
            grace: self.span(Duration::from_secs(10)),
            retry,
            ..JobOptions::default()
        };
        if self.happens(0.15) {
            let labels = if self.happens(0.5) { &mut options.wanted } else { &mut options.refused };
            labels.insert(if self.happens(0.5) { "even" } else { "odd" }.to_owned());
        } else if self.happens(0.05) && tenant == TenantId::DEFAULT {
            // Pinned and labelled, it might be for nobody.
            let own: Vec<_> = self.runners.iter().filter(|one| one.tenant == tenant).collect();
            options.runner = own.get(self.below(self.runners.len() as u32) as usize).map(|one| one.id);
        }
        self.share(tenant, &mut options, in_run);
        if self.happens(0.1) {
            options.start_at = Some(self.wall + at + self.span(self.term * 2));
        }
        if self.happens(0.1) || !self.runners.iter().any(|runner| runner.may_take(&options)) {
            // One that may not start before it expires is refused, and the wall may be set back until it is asked for.
            options.start_at = None;
            options.queue_ttl = Some(self.span(self.term) + Duration::from_secs(1));
        }
        if self.happens(0.1) {
            options.on_disconnect = DisconnectPolicy::GoOn { for_: self.term };
        }
        options
    }

    fn plan(&self) -> Plan {
        let takes = [0, 0, 5, 300, 3_000, 20_000, 70_000, 150_000][self.below(8) as usize];
        let after_ms = u64::from(self.below(12_000));
        Plan {
            takes_ms: takes,
            bad_attempts: if self.happens(0.6) { 0 } else { 1 + self.below(3) },
            bad: [Bad::Failed, Bad::Fault, Bad::Fault, Bad::Permanent][self.below(4) as usize],
            on_cancel: match self.below(4) {
                0 => OnCancel::Finishes { after_ms },
                1 => OnCancel::GoesOn,
                _ => OnCancel::Returns { after_ms },
            },
            log_lines: self.below(4),
            result_bytes: if self.happens(0.1) { 3000 } else { 0 },
        }
    }

    pub(super) fn happens(&self, chance: f64) -> bool {
        self.random.unit() < chance
    }

    pub(super) fn below(&self, limit: u32) -> u32 {
        (self.random.number() % u64::from(limit)) as u32
    }

    pub(super) fn span(&self, max: Duration) -> Duration {
        Duration::from_millis((max.as_millis() as f64 * self.random.unit()) as u64)
    }

    pub(super) fn bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.random.number().to_be_bytes());
        bytes
    }
}
