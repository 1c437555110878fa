//! Messages that leave nothing out of what may be left out, and that the first golden files had not.

use super::{
    AT, JOB, POOL, RUNNER, SIGNAL, TOKEN, answer_empty, digest, enrolment, explanation, facts, fault,
    job_view_bare, sync_idle, text,
};
use crate::{
    protocol::{
        CancelNotice, Enrolled, Explanation, Finish, JobObstacle, JobView, Obstacle, PoolExplanation,
        PoolObstacle, Reply, Request, RunnerExplanation, SignalDelivery, StateView, SyncAnswer, SyncRequest,
    },
    values::{
        outcome::{Conclusion, Outcome},
        runner::{Desired, Facts, Mode},
    },
};
use std::time::Duration;

pub(super) fn requests() -> impl Iterator<Item = (&'static str, Request)> {
    [("sync-whole", Request::Sync(Box::new(sync())))].into_iter()
}

pub(super) fn replies() -> impl Iterator<Item = (&'static str, Reply)> {
    let rotate_in = Some(Duration::from_secs(90 * 24 * 3600));
    [
        ("enrolled-rotating", Reply::Enrolled(Enrolled { rotate_in, ..enrolment::enrolled() })),
        ("answer-whole", Reply::Answer(Box::new(answer()))),
        ("explained-obstacles", Reply::Explained(Box::new(obstacles()))),
        ("explained-hosted", Reply::Explained(Box::new(of_job(JobObstacle::Hosted { suited: false })))),
        ("explained-not-due", Reply::Explained(Box::new(of_job(JobObstacle::NotDue { ready_at: AT })))),
        ("explained-blocked", Reply::Explained(Box::new(of_job(JobObstacle::Blocked { on: 2 })))),
        (
            "explained-removed",
            Reply::Explained(Box::new(of_job(JobObstacle::RunnerRemoved { runner: RUNNER }))),
        ),
        (
            "explained-not-in-pools",
            Reply::Explained(Box::new(of_job(JobObstacle::RunnerNotInPools { runner: RUNNER }))),
        ),
        ("job-faulted", Reply::Job(Box::new(job()))),
    ]
    .into_iter()
}

/// A sync that tells every fact, and where a log ended.
fn sync() -> SyncRequest {
    let facts = Facts {
        kernel: "6.12.4".into(),
        memory_bytes: 1 << 34,
        browsers: [("chrome".to_owned(), "149.0.7103.0".to_owned())].into(),
        renderers: [("chrome".to_owned(), "ANGLE (SwiftShader)".to_owned())].into(),
        clock_drift_ms: Some(-2000),
        protocol: Facts::PROTOCOL,
        ..facts()
    };
    let finish = Finish {
        token: TOKEN,
        tenant: None,
        outcome: Outcome::Passed,
        result: None,
        result_artifact: Some(digest()),
        missing: Vec::new(),
        log_end: Some(1 << 40),
    };
    SyncRequest { facts: Some(facts), finishes: vec![finish], ..sync_idle(5) }
}

/// An answer with a signal to an attempt, a wish with its reason, and a job that goes on elsewhere.
fn answer() -> SyncAnswer {
    let desired = Desired { generation: 4, mode: Mode::Leave, slots: None, note: Some("new disk".into()) };
    SyncAnswer {
        cancel: vec![CancelNotice { token: TOKEN, grace: Duration::from_secs(10), requeue: true }],
        signals: vec![SignalDelivery {
            id: SIGNAL,
            kind: "screenshot".into(),
            payload: text("null"),
            expires_in: Duration::from_secs(59),
            attempt: Some(TOKEN),
        }],
        desired: Some(desired),
        ..answer_empty(5)
    }
}

/// A job that ended without any attempt that could tell why.
fn job() -> JobView {
    let state = StateView::Concluded { conclusion: Conclusion::Errored, at: AT };
    JobView { fault: Some(fault()), ..job_view_bare(state) }
}

fn of_job(obstacle: JobObstacle) -> Explanation {
    Explanation {
        job: JOB,
        state: StateView::Ready { since: AT },
        obstacle: Some(obstacle),
        pools: Vec::new(),
    }
}

/// Everything that may keep a job from a pool, or from one runner.
fn obstacles() -> Explanation {
    let of_runners = [
        Obstacle::Absent,
        Obstacle::Elsewhere,
        Obstacle::Kind,
        Obstacle::Refused { label: "arm".into() },
        Obstacle::Suspended,
        Obstacle::Inactive,
        Obstacle::Draining,
        Obstacle::Suspect,
        Obstacle::CrashLoop { until: AT },
    ];
    let runner =
        |obstacle| RunnerExplanation { runner: RUNNER, name: "east".into(), obstacle: Some(obstacle) };
    let of_pools = [PoolObstacle::Inactive, PoolObstacle::Empty, PoolObstacle::Draining];
    let pool = |obstacle| PoolExplanation {
        pool: POOL,
        opens_at: None,
        obstacle: Some(obstacle),
        position: None,
        runners: of_runners.clone().into_iter().map(runner).collect(),
        more: false,
    };
    let mut explained = explanation();
    explained.obstacle = None;
    explained.pools = of_pools.into_iter().map(pool).collect();
    explained.pools[1].runners.clear();
    explained
}
