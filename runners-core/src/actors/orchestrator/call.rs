//! One try at a job: its region is called, and called again where that may help, until there is an
//! answer or nobody waits for it any more.

use super::Shared;
use crate::{
    rules::orchestration::{
        course::EndedTry,
        fan_out::PlannedJob,
        reply::{MESSAGE_BYTES_MAX, cut, regular, without_answer},
    },
    seams::{
        clock::{Clock as _, sleep},
        random::unit,
        region::{Region, RegionCall, RegionError, RegionReply},
    },
    values::{id::TenantId, orchestration::RunState, time::Timestamp},
};
use futures::FutureExt as _;
use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

/// The longest wait before a call is made again for the first time; it doubles with each one after.
const BACKOFF: Duration = Duration::from_millis(500);
/// The longest wait that is chosen here.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// The longest wait that a region may ask for. One that asks for more has failed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// What came of a try.
pub(super) type Answer = Result<RegionReply, RegionError>;

impl Shared {
    /// The region of a job, or what is wrong with its name.
    fn region_of(&self, tenant: TenantId, planned: &PlannedJob) -> Result<Arc<dyn Region>, RegionError> {
        let Some(name) = &planned.region else {
            let none = || RegionError::refused("this orchestrator carries nothing out itself");
            return self.local.clone().ok_or_else(none);
        };
        let found = || self.finder.as_ref()?.find(tenant, name);
        self.regions.get(name, tenant).or_else(found).ok_or_else(|| self.unknown(tenant, name, ""))
    }

    /// That there is no region of a name, with those that there are.
    fn unknown(&self, tenant: TenantId, name: &str, why: &str) -> RegionError {
        let names: Vec<&str> = self.regions.names_of(tenant).collect();
        let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        RegionError::refused(format!("there is no region {name:?}{why}; there is {there}"))
    }

    /// Calls the region of a job of `tenant`, up to `retries` times more if no answer comes. `None` once
    /// the call is cancelled and nothing is under way.
    async fn carry_out(
        &self,
        tenant: TenantId,
        planned: &PlannedJob,
        call: RegionCall,
        retries: u32,
    ) -> Option<Answer> {
        let region = match self.region_of(tenant, planned) {
            Ok(region) => region,
            Err(refused) => return Some(Err(refused)),
        };
        let mut tries = 0;
        loop {
            let answer = {
                let _permit = tokio::select! {
                    biased;
                    () = call.cancelled() => return None,
                    () = call.given_up() => return None,
                    permit = self.calls.acquire() => permit.expect("nobody closes the semaphore"),
                };
                let began_at = self.clock.boot();
                let execution = AssertUnwindSafe(async { region.execute(call.clone()).await });
                let panicked =
                    |panic: Box<dyn Any + Send>| Err(RegionError::broken(panicked("the region", &*panic)));
                let answer = execution.catch_unwind().await.unwrap_or_else(panicked);
                let span = self.clock.boot().since(began_at);
                let cut_short = call.is_cancelled() || call.is_given_up();
                self.measures.called(planned, &answer, cut_short, span);
                answer
            };
            let answer = match (answer, &planned.region) {
                // One that was added is there, and says itself what it lacks.
                (Err(RegionError::Unknown { problem }), Some(name))
                    if self.regions.get(name, tenant).is_none() =>
                {
                    Err(self.unknown(tenant, name, &format!(" ({problem})")))
                }
                (answer, _) => answer,
            };
            let wait = match &answer {
                Err(error) if tries < retries => self.wait_after(error, tries),
                _ => None,
            };
            let Some(wait) = wait else { return Some(answer) };
            tries += 1;
            tokio::select! {
                biased;
                () = call.cancelled() => return Some(answer),
                () = call.given_up() => return None,
                () = sleep(&*self.clock, wait) => {}
            }
        }
    }

    /// As [`carry_out`](Self::carry_out), whatever panics on the way: a region, what finds it, or what measures.
    pub(super) async fn carry_out_whole(
        &self,
        tenant: TenantId,
        planned: &PlannedJob,
        call: RegionCall,
        retries: u32,
    ) -> Option<Answer> {
        let carried = AssertUnwindSafe(self.carry_out(tenant, planned, call, retries)).catch_unwind().await;
        carried.unwrap_or_else(|panic| Some(Err(RegionError::broken(panicked("the call", &*panic)))))
    }

    /// How long to wait before a call is made again, if that may help.
    fn wait_after(&self, error: &RegionError, tries: u32) -> Option<Duration> {
        let span = BACKOFF.saturating_mul(1 << tries.min(16)).min(BACKOFF_MAX);
        let part = span.mul_f64(unit(&*self.random) / 2.0);
        let chosen = span / 2 + part;
        match error {
            // Those that were told the same time do not come back together.
            RegionError::RetryLater { after: Some(after), .. } => {
                (*after <= RETRY_AFTER_MAX).then(|| chosen.max(*after + part))
            }
            RegionError::RetryLater { after: None, .. } | RegionError::Unreachable { .. } => Some(chosen),
            _ => None,
        }
    }
}

fn panicked(what: &str, panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("{what} panicked: {}", text.unwrap_or("without a text"))
}

/// How a try ended by its answer. One that was stopped has `stopped` for what it does not answer.
pub(super) fn ended(
    planned: &PlannedJob,
    number: u32,
    answer: Answer,
    stopped: Option<(RunState, &str)>,
    [started_at, ended_at]: [Timestamp; 2],
) -> EndedTry {
    let (state, error, results, notes) = match answer {
        Ok(reply) => {
            let regular = regular(&planned.checks, &reply.results);
            let is_part = reply.results.len() < planned.checks.len();
            let (state, error) = match stopped {
                Some((state, error)) if is_part => (state, Some(error.to_owned())),
                _ => (RunState::Completed, None),
            };
            (state, error, regular.results, regular.notes)
        }
        Err(error) => {
            let late = matches!(error, RegionError::TimedOut { .. });
            let state = if late { RunState::TimedOut } else { RunState::Failed };
            let error = cut(error.to_string(), MESSAGE_BYTES_MAX);
            let results = without_answer(&planned.checks, &error);
            (state, Some(error), results, Vec::new())
        }
    };
    EndedTry { number, state, results, error, notes, started_at, ended_at }
}
