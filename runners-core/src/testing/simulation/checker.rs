//! The oracle of a simulation: it is told what happens as it happens, and knows what must never.
//! What the store holds is left to the audit.

mod exchange;
mod witness;

pub(super) use witness::{PlaneWitness, RunnerWitness};

use super::{machine::Machine, statistics::Statistics};
use crate::{
    seams::{
        clock::Clock as _,
        executor::{Attempt, Product},
    },
    values::{
        digest::Digest,
        id::{JobId, RunnerId},
        lease::FencingToken,
        opaque::Opaque,
        outcome::Conclusion,
        result::{Fault, Verdict},
        runner::Incarnation,
        time::BootTime,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The seed that shows it.
    pub seed: u64,
    /// The rule.
    pub rule: &'static str,
    /// What broke it.
    pub detail: String,
    /// What happened before, as far as it concerns the job; the newest is last.
    pub trace: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} breaks the rule {:?}: {}", self.seed, self.rule, self.detail)?;
        self.trace.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

impl std::error::Error for Violation {}

/// How many lines of the trace are shown with a violation.
const TRACE_LINES_SHOWN: usize = 500;

/// How long a finish waits for the rest of its log.
const LOG_FLUSH_WITHIN: Duration = Duration::from_secs(10);

/// Watches a simulation. Clones watch the same one.
#[derive(Clone, Debug)]
pub(super) struct Checker {
    seed: u64,
    clock: Machine,
    state: Arc<Mutex<State>>,
    violated: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    start: Option<BootTime>,
    trace: Vec<(String, String)>,
    violation: Option<Violation>,
    begun: BTreeSet<FencingToken>,
    live: BTreeMap<FencingToken, Live>,
    produced: BTreeMap<FencingToken, Product>,
    returned: BTreeMap<FencingToken, BootTime>,
    /// When the end of an attempt was recorded, and by which start of its runner it was told.
    recorded: BTreeMap<FencingToken, (BootTime, Incarnation)>,
    logs: BTreeMap<FencingToken, String>,
    concluded: BTreeMap<JobId, Conclusion>,
    offered: BTreeMap<FencingToken, Incarnation>,
    sessions: BTreeMap<RunnerId, Seen>,
    parked: BTreeMap<RunnerId, Parked>,
    statistics: Statistics,
    /// Jobs that were answered to be another one.
    another: BTreeSet<JobId>,
    /// Jobs whose users gave up before they were accepted.
    given_up: BTreeSet<JobId>,
    /// When each job was accepted.
    accepted: BTreeMap<JobId, BootTime>,
    /// Runners that were said to be unfit for a job.
    ruled_out: BTreeSet<(JobId, RunnerId)>,
    /// What users and strokes are at.
    doing: BTreeMap<u64, String>,
    doings: u64,
}

/// An executor's future that has not ended.
#[derive(Debug)]
struct Live {
    attempt: Attempt,
    machine: Machine,
}

/// What was seen of the sessions of a runner.
#[derive(Debug, Default)]
struct Seen {
    incarnation: Option<Incarnation>,
    /// The request that was told that nothing more comes, while the runner drains.
    no_more: Option<(Incarnation, u64)>,
}

/// The newest request of a runner that is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parked {
    /// At which control plane.
    pub(super) plane: usize,
    pub(super) seq: u64,
    pub(super) free: u32,
    pub(super) since: BootTime,
}

impl Checker {
    pub(super) fn new(seed: u64, clock: Machine) -> Self {
        let state = State { start: Some(clock.boot()), ..State::default() };
        Self { seed, clock, state: Arc::new(Mutex::new(state)), violated: CancellationToken::new() }
    }

    /// Completes when a rule was broken.
    pub(super) async fn violated(&self) -> Violation {
        self.violated.cancelled().await;
        self.state().violation.clone().expect("it was cancelled because of a violation")
    }

    pub(super) fn violation(&self) -> Option<Violation> {
        self.state().violation.clone()
    }

    /// Takes note that a job was accepted.
    pub(super) fn is_accepted(&self, job: JobId) {
        let now = self.clock.boot();
        self.state().accepted.entry(job).or_insert(now);
    }

    /// Takes note that a user does not submit a job any more.
    pub(super) fn gives_up(&self, job: JobId) {
        self.trace(Some(job), format_args!("{job} is given up by its user: what it waits for is gone"));
        self.state().given_up.insert(job);
    }

    /// Whether its user gave a job up.
    pub(super) fn is_given_up(&self, job: JobId) -> bool {
        self.state().given_up.contains(&job)
    }

    /// When a job was accepted, if it was.
    pub(super) fn accepted(&self, job: JobId) -> Option<BootTime> {
        self.state().accepted.get(&job).copied()
    }

    /// Takes note that a rule was broken. Only the first counts.
    pub(super) fn violate(&self, rule: &'static str, job: Option<JobId>, detail: impl Into<String>) {
        let mut state = self.state();
        let subject = job.map(|job| job.to_string()).unwrap_or_default();
        let concerns = |line: &&(String, String)| {
            subject.is_empty() || line.0 == subject || line.0.is_empty() || line.1.contains(&subject)
        };
        let lines: Vec<String> = state.trace.iter().filter(concerns).map(|line| line.1.clone()).collect();
        let trace = lines[lines.len().saturating_sub(TRACE_LINES_SHOWN)..].to_vec();
        let violation = Violation { seed: self.seed, rule, detail: detail.into(), trace };
        state.violation.get_or_insert(violation);
        drop(state);
        self.violated.cancel();
    }

    /// Adds a line to the trace. One without a job concerns all.
    pub(super) fn trace(&self, job: Option<JobId>, line: impl fmt::Display) {
        let now = self.clock.boot();
        let mut state = self.state();
        let at = now.since(state.start.unwrap_or(now));
        let subject = job.map(|job| job.to_string()).unwrap_or_default();
        state.trace.push((subject, format!("{:>9.3} {line}", at.as_secs_f64())));
    }

    /// Notes that somebody is at something, until the guard is dropped.
    pub(super) fn doing(&self, what: String) -> Doing {
        let mut state = self.state();
        state.doings += 1;
        let number = state.doings;
        state.doing.insert(number, what);
        Doing { checker: self.clone(), number }
    }

    /// What users and strokes are at now.
    pub(super) fn doings(&self) -> Vec<String> {
        self.state().doing.values().cloned().collect()
    }

    /// The digest of everything that happened.
    pub(super) fn trace_digest(&self) -> Digest {
        let state = self.state();
        let mut text = String::new();
        for (_, line) in &state.trace {
            text.push_str(line);
            text.push('\n');
        }
        Digest::of(text.as_bytes())
    }

    pub(super) fn trace_lines(&self) -> Vec<String> {
        self.state().trace.iter().map(|line| line.1.clone()).collect()
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Statistics)) {
        count(&mut self.state().statistics);
    }

    pub(super) fn statistics(&self) -> Statistics {
        self.state().statistics
    }

    pub(super) fn has_begun(&self, token: FencingToken) -> bool {
        self.state().begun.contains(&token)
    }

    pub(super) fn product(&self, token: FencingToken) -> Option<Product> {
        self.state().produced.get(&token).cloned()
    }

    /// Whether the end of an attempt was recorded soon after it: later, its log is not waited for,
    /// and a later start of its runner does not have it.
    pub(super) fn is_recorded_soon(&self, token: FencingToken) -> bool {
        let state = self.state();
        let returned = state.returned.get(&token);
        returned.zip(state.recorded.get(&token)).is_some_and(|(returned, (recorded, by))| {
            recorded.since(*returned) < LOG_FLUSH_WITHIN && state.offered.get(&token) == Some(by)
        })
    }

    /// What an attempt logged, if it is known.
    pub(super) fn log(&self, token: FencingToken) -> Option<String> {
        self.state().logs.get(&token).cloned()
    }

    pub(super) fn logs(&self, token: FencingToken, text: &str) {
        self.state().logs.insert(token, text.to_owned());
    }

    /// A job was answered to be `other`, and is not there itself.
    pub(super) fn is_another(&self, job: JobId, other: JobId) {
        self.trace(Some(job), format_args!("{job} is {other} by its unique key"));
        self.count(|count| count.unique_repeated += 1);
        self.state().another.insert(job);
    }

    /// Whether a job was answered to be another one.
    pub(super) fn is_another_one(&self, job: JobId) -> bool {
        self.state().another.contains(&job)
    }

    /// A runner was said to be unfit for a job.
    pub(super) fn rule_out(&self, job: JobId, runner: RunnerId) {
        self.state().ruled_out.insert((job, runner));
    }

    pub(super) fn is_ruled_out(&self, job: JobId, runner: RunnerId) -> bool {
        self.state().ruled_out.contains(&(job, runner))
    }

    /// The newest unanswered request of every runner.
    pub(super) fn parked(&self) -> BTreeMap<RunnerId, Parked> {
        self.state().parked.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody is at something for as long as it is there.
#[derive(Debug)]
pub(super) struct Doing {
    checker: Checker,
    number: u64,
}

impl Drop for Doing {
    fn drop(&mut self) {
        self.checker.state().doing.remove(&self.number);
    }
}

/// What executors do.
impl Checker {
    /// An executor begins.
    pub(super) fn begins(&self, runner: RunnerId, machine: &Machine, attempt: &Attempt) {
        let token = attempt.token();
        let number = attempt.number();
        self.trace(Some(token.job), format_args!("{token} begins as attempt {number} at {runner}"));
        let first = self.state().begun.insert(token);
        if !first {
            self.violate(
                "no grant starts twice",
                Some(token.job),
                format!("{token} began again at {runner}"),
            );
        }
        if attempt.lease().trusted_until() <= machine.boot() {
            let detail = format!("{token} began at {runner} after its trust had ended");
            self.violate("an attempt begins while its lease is trusted", Some(token.job), detail);
        }
        let live = Live { attempt: attempt.clone(), machine: machine.clone() };
        self.state().live.insert(token, live);
        self.check_live();
    }

    /// An executor has returned.
    pub(super) fn returns(&self, token: FencingToken, product: &Result<Product, Fault>) {
        let how = match product {
            Ok(product) if product.verdict == Verdict::Passed => "passes",
            Ok(_) => "fails",
            Err(_) => "returns a fault",
        };
        self.trace(Some(token.job), format_args!("{token} {how}"));
        self.state().returned.insert(token, self.clock.boot());
        if let Ok(product) = product {
            self.state().produced.insert(token, product.clone());
        }
    }

    /// An executor has returned or was dropped.
    pub(super) fn ends(&self, token: FencingToken) {
        self.trace(Some(token.job), format_args!("{token} ends"));
        self.state().live.remove(&token);
    }

    /// No two attempts of a job are believed live.
    pub(super) fn check_live(&self) {
        let state = self.state();
        let mut trusted: BTreeMap<JobId, FencingToken> = BTreeMap::new();
        let mut twice = None;
        for (token, live) in &state.live {
            let awake = !live.machine.is_suspended();
            let is_trusted = awake && live.attempt.lease().trusted_until() > live.machine.boot();
            if is_trusted && let Some(other) = trusted.insert(token.job, *token) {
                twice = Some((other, *token));
            }
        }
        drop(state);
        if let Some((one, two)) = twice {
            let detail = format!("{one} and {two} are both executed under a trusted lease");
            self.violate("at most one attempt of a job is live", Some(one.job), detail);
        }
    }
}

/// The result that an attempt of the simulation's own executor leaves: no other attempt leaves it.
pub(super) fn result_of(token: FencingToken, length: usize) -> Opaque {
    let text = format!("{{\"by\":\"{token}\",\"padding\":\"{}\"}}", "x".repeat(length));
    Opaque::new(text.into_bytes())
}
