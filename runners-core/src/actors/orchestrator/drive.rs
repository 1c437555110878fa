//! Driving a run: as many calls under way as its window has room for, what they answer written to its
//! journal together, until all of it has ended, its time is over, or it is cancelled.

mod journal;

use super::{
    Shared,
    call::{Answer, ended},
    driving::Driving,
    ledger::line,
};
use crate::{
    actors::records::Versioned,
    rules::{
        orchestration::{
            course::{Course, EndedTry, job_id},
            fan_out::PlannedJob,
            reply::{MESSAGE_BYTES_MAX, cut},
        },
        record::OrchestrationRecord,
    },
    seams::{
        clock::{Clock as _, sleep},
        region::{RegionCall, Waits},
        store::StoreError,
    },
    values::{
        orchestration::{ResultArtifact, RunEvent, RunHappening, RunState},
        time::{BootTime, Timestamp},
    },
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// How long calls have to answer after they were cancelled, or to end after they were given up.
const CANCEL_GRACE: Duration = Duration::from_secs(1);
/// How long it may take until it is written that a job has begun, if nothing else is to be written.
const BEGIN_LINGER: Duration = Duration::from_millis(20);
/// How many answers are taken before they are written.
const ANSWERS_PER_BATCH: usize = 1024;
/// How many jobs may tell what they wait for at once; what others tell is dropped.
const WAITS_MAX: usize = 256;

/// A call that is over.
struct Over {
    at: usize,
    number: u32,
    started_at: Timestamp,
    ended_at: Timestamp,
    answer: Option<Answer>,
}

/// A run that is driven.
struct Drive {
    shared: Arc<Shared>,
    record: OrchestrationRecord,
    version: u64,
    course: Course,
    cancelled: CancellationToken,
    /// Cancels every call of the run.
    calls_cancelled: CancellationToken,
    /// Has every call end that only this process carries on.
    calls_given_up: CancellationToken,
    calls: JoinSet<Over>,
    /// What jobs wait for, and who tells.
    waits: mpsc::Receiver<Waits>,
    told: mpsc::Sender<Waits>,
    /// What is to be written.
    lines: Vec<Vec<u8>>,
    /// What is to be named before that.
    left: Vec<ResultArtifact>,
    /// When it is written at the latest.
    write_at: Option<BootTime>,
}

impl Shared {
    /// Begins to drive a run.
    pub(super) fn launch(
        self: &Arc<Self>,
        driving: Driving,
        found: Versioned<OrchestrationRecord>,
        course: Course,
    ) {
        let (told, waits) = mpsc::channel(WAITS_MAX);
        let drive = Drive {
            shared: Arc::clone(self),
            record: found.record,
            version: found.version,
            course,
            cancelled: driving.cancelled.clone(),
            calls_cancelled: CancellationToken::new(),
            calls_given_up: CancellationToken::new(),
            calls: JoinSet::new(),
            waits,
            told,
            lines: Vec::new(),
            left: Vec::new(),
            write_at: None,
        };
        let shared = Arc::clone(self);
        self.duties.spawn(async move {
            let (run, journal) = (drive.record.run.clone(), drive.record.journal());
            if let Err(error) = drive.serve().await {
                tracing::error!(run, error = &error as &dyn std::error::Error, "a run cannot go on");
            }
            drop(driving);
            shared.subjects.changed(&journal);
        });
    }
}

impl Drive {
    async fn serve(mut self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let deadline = self.record.deadline().map(|at| shared.clock.boot() + at.since(shared.now()));
        loop {
            self.begin_more();
            if self.course.is_over() {
                return self.finish(None).await;
            }
            tokio::select! {
                biased;
                () = shared.stopping.cancelled() => {
                    self.give_up().await;
                    return Ok(());
                }
                () = self.cancelled.cancelled() => {
                    return self.stop(RunState::Failed, "the run was cancelled").await;
                }
                () = until(&shared, deadline) => {
                    let timeout = self.record.timeout.unwrap_or_default().as_millis();
                    let error = format!("the run took longer than its timeout of {timeout} ms");
                    return self.stop(RunState::TimedOut, &error).await;
                }
                Some(over) = self.calls.join_next() => {
                    self.take_over(over.ok());
                    for _ in 1..ANSWERS_PER_BATCH {
                        let Some(over) = self.calls.try_join_next() else { break };
                        self.take_over(over.ok());
                    }
                }
                Some(waits) = self.waits.recv() => {
                    self.wait(waits);
                    while let Ok(waits) = self.waits.try_recv() {
                        self.wait(waits);
                    }
                }
                () = until(&shared, self.write_at) => {}
            }
            // Places that have become free are taken before anything is waited for.
            self.begin_more();
            if !self.course.is_over() {
                self.write().await?;
            }
        }
    }

    /// Begins as many jobs as there is room for.
    fn begin_more(&mut self) {
        let window = self.record.concurrency.unwrap_or(u64::MAX);
        while (self.calls.len() as u64) < window {
            let Some((at, number)) = self.course.next() else { return };
            let now = self.shared.now();
            self.course.begin(at, number, now);
            let planned = self.course.plan()[at].clone();
            let call = self.call(at, number, &planned, now);
            let what = RunHappening::JobStarted {
                index: at,
                job_id: call.job,
                region: planned.region.clone(),
                url: planned.url.clone(),
                number,
            };
            self.tell(now, what);
            self.write_at.get_or_insert(self.shared.clock.boot() + BEGIN_LINGER);
            let (shared, retries) = (Arc::clone(&self.shared), self.course.options().retries);
            let tenant = self.record.tenant;
            self.calls.spawn(async move {
                let answer = shared.carry_out_whole(tenant, &planned, call, retries).await;
                Over { at, number, started_at: now, ended_at: shared.now(), answer }
            });
        }
    }

    fn call(&self, at: usize, number: u32, planned: &PlannedJob, now: Timestamp) -> RegionCall {
        let record = &self.record;
        let job = job_id(*record.seed.as_bytes(), record.created_at, at);
        let mut call = RegionCall::new(&record.run, job, &planned.url, planned.checks.clone());
        call.number = number;
        call.tenant = Some(record.tenant);
        call.region.clone_from(&planned.region);
        call.check_timeout = self.course.options().check_timeout;
        call.time_left = record.deadline().map(|deadline| deadline.since(now));
        if let Some(artifacts) = &self.shared.artifacts {
            call = call.kept_in(Arc::clone(artifacts));
        }
        let call = call.cancelled_by(self.calls_cancelled.clone()).given_up_by(self.calls_given_up.clone());
        call.told_to(at, self.told.clone())
    }

    fn tell(&mut self, at: Timestamp, what: RunHappening) {
        self.lines.push(line(&RunEvent::new(at, what)));
    }

    /// Takes what a job waits for.
    fn wait(&mut self, (at, number, why): Waits) {
        let (index, why) = (at, why.map(|why| cut(why, MESSAGE_BYTES_MAX)));
        let job_id = job_id(*self.record.seed.as_bytes(), self.record.created_at, at);
        let region = self.course.plan()[at].region.clone();
        if self.course.wait(at, number, why.clone()) {
            self.tell(self.shared.now(), RunHappening::JobWaits { index, job_id, region, number, why });
        }
    }

    /// Takes the answer to a call.
    fn take_over(&mut self, over: Option<Over>) {
        let Some(Over { at, number, started_at, ended_at, answer: Some(answer) }) = over else { return };
        let times = [started_at, ended_at];
        let ended = ended(&self.course.plan()[at], number, answer, None, times);
        self.take(at, ended);
    }

    fn take(&mut self, at: usize, ended: EndedTry) {
        if self.shared.artifacts.is_some() {
            self.left.extend(ended.results.iter().flat_map(|result| &result.artifacts).cloned());
        }
        let planned = &self.course.plan()[at];
        self.shared.measures.found(planned, &ended);
        let what = RunHappening::JobEnded {
            index: at,
            job_id: job_id(*self.record.seed.as_bytes(), self.record.created_at, at),
            region: planned.region.clone(),
            number: ended.number,
            state: ended.state,
            results: ended.results.clone(),
            error: ended.error.clone(),
            notes: ended.notes.clone(),
            started_at: ended.started_at,
        };
        self.tell(ended.ended_at, what);
        self.course.end(at, ended);
    }

    /// Gives every call up: they are made again at the next start.
    async fn give_up(&mut self) {
        self.calls_given_up.cancel();
        let ended = async { while self.calls.join_next().await.is_some() {} };
        tokio::select! {
            biased;
            () = ended => {}
            () = sleep(&*self.shared.clock, CANCEL_GRACE) => {}
        }
        self.calls.shutdown().await;
    }

    /// Has every call stopped, keeps what they answer soon, and ends the run.
    async fn stop(&mut self, state: RunState, error: &str) -> Result<(), StoreError> {
        self.calls_cancelled.cancel();
        let shared = Arc::clone(&self.shared);
        let until = shared.clock.boot() + CANCEL_GRACE;
        loop {
            let over = tokio::select! {
                biased;
                over = self.calls.join_next() => over,
                () = shared.clock.sleep_until(until) => None,
            };
            match over {
                None => break,
                // A call that was cut short has nothing to tell.
                Some(Ok(Over { at, number, started_at, ended_at, answer: Some(Ok(reply)) })) => {
                    let (times, stopped) = ([started_at, ended_at], Some((state, error)));
                    let ended = ended(&self.course.plan()[at], number, Ok(reply), stopped, times);
                    self.take(at, ended);
                }
                Some(_) => {}
            }
        }
        self.calls.shutdown().await;
        self.finish(Some((state, error))).await
    }

    async fn finish(&mut self, stopped: Option<(RunState, &str)>) -> Result<(), StoreError> {
        // Nothing of it changes after its end, also where the clock was set back.
        let now = self.shared.now().max(self.record.updated_at);
        if let Some((state, error)) = stopped {
            self.course.stop(state, error, now);
        }
        let state = stopped.map_or_else(|| self.course.tally().state(), |(state, _)| state);
        let conclusion = self.course.conclusion(self.cancelled.is_cancelled() && stopped.is_some());
        let error = stopped.map(|(_, error)| error.to_owned());
        let summary = self.course.summary();
        self.tell(now, RunHappening::RunEnded { state, conclusion, summary, error });
        (self.record.completed_at, self.record.conclusion) = (Some(now), Some(conclusion));
        self.record.state = state;
        self.write().await?;
        self.shared.measures.ended(&self.record);
        Ok(())
    }
}

/// Completes at a time, if there is one.
async fn until(shared: &Shared, at: Option<BootTime>) {
    match at {
        Some(at) => shared.clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}
