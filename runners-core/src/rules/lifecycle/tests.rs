//! Tests of a job's life: one for each transition, and one for each refusal.
//!
//! The parts are named by what moves the job: an offer, a finish, somebody who wants it stopped,
//! or the time. What every one of them starts from is here.

mod finish;
mod offer;
mod stop;
mod waiting;

use super::*;
use crate::{
    rules::record::{LaneRecord, Preference},
    values::{
        id::{JobId, PoolId, RunnerId, TenantId},
        job::{JobOptions, JobSpec},
        result::Fault,
        retry::RetryPolicy,
        runner::Incarnation,
    },
};

/// When every job of these tests is submitted.
const START: Timestamp = Timestamp::from_millis(1_000_000);
const START_WITHIN: Duration = Duration::from_secs(15);
const TIMEOUT: Duration = Duration::from_secs(300);
const GRACE: Duration = Duration::from_secs(10);
/// What the control plane adds to the grace for the way there and back.
const SLACK: Duration = Duration::from_secs(5);
/// The largest chance, so that a wait is as long as it can be.
const CHANCE: f64 = 1.0;

/// One start of the runner `runner`.
const fn session(runner: u8, boots: u64) -> SessionRef {
    SessionRef { runner: RunnerId::from_bytes([runner; 16]), incarnation: Incarnation { boots, random: 7 } }
}

const MINE: SessionRef = session(1, 1);
const OTHER: SessionRef = session(2, 1);

/// This many seconds after the submit.
fn at(seconds: u64) -> Timestamp {
    START + Duration::from_secs(seconds)
}

fn submitted(options: JobOptions) -> JobRecord {
    let options = JobOptions { timeout: TIMEOUT, grace: GRACE, ..options };
    let spec = JobSpec::new(JobId::from_bytes([9; 16]), "visit", b"{}", options);
    let pools = vec![(PoolId::from_bytes([5; 16]), Duration::ZERO)];
    let preference = Preference { owner: TenantId::DEFAULT, pools };
    let lanes = LaneRecord::of(TenantId::DEFAULT, &preference, &spec);
    JobRecord::submitted(&lanes, &spec, START)
}

fn ready() -> JobRecord {
    submitted(JobOptions::default())
}

fn retried(retry: RetryPolicy) -> JobRecord {
    running_of(submitted(JobOptions { retry, ..JobOptions::default() }))
}

fn offered() -> JobRecord {
    let mut job = ready();
    job.offer(MINE, at(1), START_WITHIN).unwrap();
    job
}

/// Offered at one second and confirmed at two.
fn running() -> JobRecord {
    running_of(ready())
}

fn running_of(mut job: JobRecord) -> JobRecord {
    let token = job.offer(MINE, at(1), START_WITHIN).unwrap();
    job.confirm(token, MINE, at(2), START_WITHIN).unwrap();
    job
}

fn concluded() -> JobRecord {
    let mut job = running();
    job.finish(&finish(&job, Outcome::Passed), MINE, at(3), CHANCE).unwrap();
    assert_eq!(job.conclusion(), Some(Conclusion::Passed));
    job
}

/// The finish that the holder of the newest grant sends.
fn finish(job: &JobRecord, outcome: Outcome) -> Finish {
    let result = Some(Opaque::from(b"42".to_vec()));
    let (result_artifact, missing) = (None, Vec::new());
    Finish { token: job.token(), tenant: None, outcome, result, result_artifact, missing, log_end: None }
}

/// Checks that `change` is fenced and leaves the record as it was.
fn assert_fenced<T: std::fmt::Debug + PartialEq>(
    job: &mut JobRecord,
    change: impl FnOnce(&mut JobRecord) -> Result<T, Fenced>,
) {
    let before = serde_json::to_value(&*job).unwrap();
    assert_eq!(change(job), Err(Fenced));
    assert_eq!(serde_json::to_value(&*job).unwrap(), before, "a fenced change must change nothing");
}
