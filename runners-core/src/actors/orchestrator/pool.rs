//! A region that is a pool of runners: each check is a job of the queue, under an id that follows from
//! the call, so that a call that is made again finds the jobs of the one before. Those that nobody begins
//! are watched in `watch`.

mod watch;

use crate::{
    actors::{client::Client, error::Error},
    seams::{
        checks::{CheckCommand, CheckCommands},
        region::{Region, RegionCall, RegionError, RegionReply},
    },
    values::{
        check::{CheckResult, CheckState, RunCheck},
        command::Command as _,
        digest::Digest,
        id::{JobId, RunId, made_at},
        job::{JobOptions, JobSpec},
        orchestration::{RegionResult, ResultArtifact, ResultState},
        outcome::Conclusion,
        reply::{Acceptance, JobView, RefusalCode},
        request::RunSpec,
    },
};
use async_trait::async_trait;
use futures::{StreamExt as _, stream::FuturesUnordered};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use watch::Watch;

/// How much longer than its check a job may take: a browser has to be opened and closed.
const TIMEOUT_MARGIN: Duration = Duration::from_secs(60);

/// How long after the end of their run jobs are stopped that nobody cancelled.
const STOP_MARGIN: Duration = Duration::from_secs(10);

/// A pool of runners as a region. Its runners have an executor of [`RunCheck`].
///
/// Checks wait until a runner is free, for as long as the run or
/// [`queue_ttl`](JobOptions::queue_ttl) allows, and the run tells why. They do not wait where runners are
/// online of which none can execute them: these end without a verdict within seconds, and say so.
#[derive(Clone, Debug)]
pub struct PoolRegion {
    client: Client,
    options: JobOptions,
    commands: Option<Arc<dyn CheckCommands>>,
}

impl PoolRegion {
    /// The pool of that name, as `client` may submit to it: over any transport, or in process by
    /// [`ControlPlane::local_client`](crate::ControlPlane::local_client).
    #[must_use]
    pub fn new(client: Client, pool: impl Into<String>) -> Self {
        Self::with_options(client, JobOptions { pool: pool.into(), ..JobOptions::default() })
    }

    /// Wherever `options` lead. Their run is not used.
    #[must_use]
    pub const fn with_options(client: Client, options: JobOptions) -> Self {
        Self { client, options, commands: None }
    }

    /// Has checks that `commands` knows carried out as what it says; all others are [`RunCheck`].
    #[must_use]
    pub fn with_commands(mut self, commands: impl CheckCommands) -> Self {
        self.commands = Some(Arc::new(commands));
        self
    }

    /// The job of a check, or what is wrong with the input of that.
    fn spec(&self, call: &RegionCall, at: usize, run: RunId) -> Result<(JobSpec, bytes::Bytes), String> {
        let asked = &call.checks[at];
        let misfit = |problem: String| format!("the input of {:?}: {problem}", asked.name);
        let mut command =
            RunCheck::new(asked.name.clone(), &asked.input).map_err(|error| misfit(error.to_string()))?;
        let title = JobOptions::title_of(&asked.name);
        let mut options = JobOptions { run: Some(run), title, ..self.options.clone() };
        if let Some(timeout) = call.check_timeout {
            command = command.with_timeout(timeout);
            options.timeout = options.timeout.max(timeout + TIMEOUT_MARGIN);
        }
        if let Some(commands) = &self.commands
            && let Some(other) = commands.command(&command).map_err(misfit)?
        {
            let CheckCommand { kind, payload, secrets, timeout } = other;
            options.secrets.extend(secrets);
            options.timeout = timeout.unwrap_or(options.timeout);
            return Ok((JobSpec::new(job_of(call, at), kind, &payload, options), payload));
        }
        let payload = serde_json::to_vec(&command).expect("a command is plain data");
        Ok((JobSpec::new(job_of(call, at), RunCheck::KIND, &payload, options), payload.into()))
    }

    /// Why a check is given up that no runner knows, with what is known instead.
    fn unknown(&self, name: &str, kind: &str) -> String {
        let pool = &self.options.pool;
        let online =
            format!("no runner of the pool {pool:?} that is online can execute jobs of the kind {kind:?}");
        if kind != RunCheck::KIND {
            return format!("{online}: start one that can");
        }
        let names = self.commands.as_ref().map(CheckCommands::names).unwrap_or_default();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        format!("there is no check {name:?} here; there is {known}; and {online}")
    }

    /// Waits for the end of a check, and answers with its place what became of it.
    async fn result(&self, job: JobId, name: &str, at: usize) -> (usize, Result<RegionResult, Error>) {
        let found = async {
            let view = self.client.job::<CheckResult>(job).wait().await?;
            let has_verdict = view
                .conclusion()
                .is_some_and(|conclusion| conclusion.is_passed() || conclusion == Conclusion::Failed);
            if !has_verdict {
                return Ok(RegionResult::errored(name, without_verdict(&view)));
            }
            let bytes = self.client.result_bytes(&view).await?;
            let read = match &self.commands {
                Some(commands) if view.kind != RunCheck::KIND => commands.result(name, bytes.as_bytes()),
                _ => serde_json::from_slice(bytes.as_bytes()).map_err(|error| error.to_string()),
            };
            match read {
                Ok(found) => Ok(told(found, &view)),
                Err(error) => {
                    Ok(RegionResult::errored(name, format!("the result of {job} is malformed: {error}")))
                }
            }
        };
        let found: Result<RegionResult, Error> = found.await;
        (at, found.or_else(|error| alone(name, error)))
    }

    /// Submits the checks of a call. One that is not queued has its result at once.
    async fn submit(&self, call: &RegionCall, run: RunId) -> Result<Vec<Submitted>, RegionError> {
        let jobs: Vec<_> = (0..call.checks.len()).map(|at| self.spec(call, at, run)).collect();
        // Should nobody be there to cancel them, the queue stops them itself.
        let timeout = call.time_left.map(|left| left + STOP_MARGIN);
        let specs = jobs.iter().filter_map(|job| job.as_ref().ok()).cloned().collect();
        let accepted = self.client.submit_specs(RunSpec { run, timeout }, specs).await;
        let accepted = accepted.map_err(|error| trouble(&error))?;
        if let Some(problem) = nowhere(&accepted) {
            return Err(RegionError::Unknown { problem });
        }
        let mut accepted = accepted.into_iter();
        let mut told = Vec::with_capacity(jobs.len());
        for (job, asked) in jobs.into_iter().zip(&call.checks) {
            let errored = |why: String| RegionResult::errored(asked.name.clone(), why);
            told.push(match job.map(|(spec, _)| (spec.kind, accepted.next())) {
                Err(misfit) => Err(errored(misfit)),
                Ok((kind, Some(Ok(Acceptance::Accepted(job) | Acceptance::Repeated(job))))) => {
                    Ok((job, kind))
                }
                Ok((_, Some(Ok(Acceptance::Refused(refused))))) => {
                    Err(errored(format!("the pool refused it: {refused}")))
                }
                Ok((_, Some(Err(error)))) => Err(alone(&asked.name, error).map_err(|e| trouble(&e))?),
                Ok((_, None)) => return Err(trouble(&Error::Unexpected("submit"))),
            });
        }
        Ok(told)
    }
}

#[async_trait]
impl Region for PoolRegion {
    async fn execute(&self, call: RegionCall) -> Result<RegionReply, RegionError> {
        let run = RunId::from_bytes(*call.job.as_bytes());
        let submitted = self.submit(&call, run).await?;
        let mut results: Vec<Option<RegionResult>> = vec![None; call.checks.len()];
        let mut waiting = FuturesUnordered::new();
        let mut open = BTreeMap::new();
        for (at, submitted) in submitted.iter().enumerate() {
            match submitted {
                Ok((job, kind)) => {
                    open.insert(at, (*job, kind.as_str()));
                    waiting.push(self.result(*job, &call.checks[at].name, at));
                }
                Err(result) => results[at] = Some(result.clone()),
            }
        }
        let mut watch = Watch::new(self, &call, open);
        loop {
            tokio::select! {
                biased;
                () = call.cancelled() => {
                    // What cannot be told to stop here ends by itself.
                    drop(self.client.cancel_run(run).await);
                    break;
                }
                // Whoever asks again finds the jobs.
                () = call.given_up() => return Err(RegionError::unreachable("it was given up")),
                ended = waiting.next() => match ended {
                    Some((at, Ok(result))) => results[at] = Some(watch.ended(at, result)),
                    Some((_, Err(error))) => return Err(trouble(&error)),
                    None => break,
                },
                () = watch.look() => {}
            }
        }
        Ok(results.into_iter().flatten().collect::<Vec<_>>().into())
    }
}

/// A check's job, with the kind of that, or the result of one that has none.
type Submitted = Result<(JobId, String), RegionResult>;

/// What is wrong with one check alone is its result. What is wrong with the control plane, or with who asks
/// it, is so for all of them.
fn alone(name: &str, error: Error) -> Result<RegionResult, Error> {
    match error {
        Error::Unreachable(_) | Error::Store(_) | Error::Rejected(_) | Error::Refused(_) => Err(error),
        error => Ok(RegionResult::errored(name, error.with_causes())),
    }
}

/// What is not there, if all checks are refused for that: they all name the same pool.
fn nowhere(accepted: &[Result<Acceptance, Error>]) -> Option<String> {
    let missing = |acceptance: &Result<Acceptance, Error>| match acceptance {
        Ok(Acceptance::Refused(refused)) if refused.code == RefusalCode::NotFound => {
            Some(refused.detail.clone())
        }
        _ => None,
    };
    let problems: Option<Vec<String>> = accepted.iter().map(missing).collect();
    problems.and_then(|problems| problems.into_iter().next())
}

/// The job of one check of a call.
fn job_of(call: &RegionCall, at: usize) -> JobId {
    let call_id = call.job.as_bytes();
    let place = [&b"check of a call"[..], call_id, &call.number.to_be_bytes(), &(at as u64).to_be_bytes()];
    let mut chance = [0; 10];
    chance.copy_from_slice(&Digest::of(&place.concat()).as_bytes()[..10]);
    // Ids begin with six bytes of time, which puts the job where its call is.
    JobId::new(made_at(call_id), chance)
}

fn told(found: CheckResult, view: &JobView) -> RegionResult {
    let state = match found.state {
        CheckState::Passed => ResultState::Pass,
        CheckState::Failed => ResultState::Fail,
        CheckState::Errored | CheckState::TimedOut => ResultState::Error,
    };
    let last = view.attempts.last();
    let is_last = |grant: u64| last.is_some_and(|attempt| attempt.grant == grant);
    let artifacts = view.artifacts.iter().filter(|artifact| is_last(artifact.grant));
    let artifact = |artifact: &crate::values::reply::ArtifactView| {
        let name = artifact.name.clone();
        ResultArtifact::new(name, artifact.digest, artifact.length, artifact.media_type.clone())
    };
    RegionResult {
        details: found.details,
        error_message: found.message,
        engine: found.engine,
        runner: last.map(|attempt| attempt.runner.to_string()),
        artifacts: artifacts.map(artifact).collect(),
        ..RegionResult::new(found.name, state).with_duration(found.duration)
    }
}

fn without_verdict(view: &JobView) -> String {
    let conclusion = view.conclusion().map_or("without a conclusion", Conclusion::words);
    match view.fault() {
        Some(fault) => format!("{}: {}", fault.code, fault.message),
        None => format!("{} ended {conclusion}", view.job),
    }
}

/// What trouble with the control plane means for the call.
fn trouble(error: &Error) -> RegionError {
    let problem = error.with_causes();
    match error {
        Error::Unreachable(_) | Error::Store(_) => RegionError::unreachable(problem),
        Error::Refused(_) | Error::Rejected(_) | Error::Invalid { .. } => RegionError::refused(problem),
        _ => RegionError::broken(problem),
    }
}
