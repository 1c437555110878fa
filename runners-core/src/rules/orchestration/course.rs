//! The course of a run: how each of its jobs is, which is next, and when it is over. It is a function
//! of the events that stand in the run's journal, so that it is the same after a restart.

use super::{conclusion, fan_out::PlannedJob, reply::without_answer};
use crate::values::{
    digest::Digest,
    id::JobId,
    orchestration::{
        OrchestrationOptions, RegionJob, RegionResult, RegionTry, RunHappening, RunState, SummaryCounts,
    },
    outcome::Conclusion,
    time::{Timestamp, whole_millis},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// A run on its way.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    plan: Arc<[PlannedJob]>,
    options: OrchestrationOptions,
    jobs: Vec<JobCourse>,
    /// The jobs of each page.
    pages: Vec<Vec<usize>>,
    page_of: Vec<usize>,
    /// Those that can begin, each with the number of its try.
    waiting: BTreeSet<(usize, u32)>,
    tally: Tally,
}

/// How one job is.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobCourse {
    /// The try that is under way, and since when.
    pub(super) live: Option<(u32, Timestamp)>,
    pub(super) started_at: Option<Timestamp>,
    /// How its first try ended, if it was tried again.
    pub(super) first: Option<EndedTry>,
    /// How its last try ended. Nothing while another one is to come.
    pub(super) last: Option<EndedTry>,
    /// What the try that is under way waits for.
    waits: Option<String>,
}

/// How a try at a job ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EndedTry {
    pub(crate) number: u32,
    pub(crate) state: RunState,
    pub(crate) results: Vec<RegionResult>,
    pub(crate) error: Option<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Timestamp,
}

/// How many jobs are how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) queued: u64,
    pub(crate) running: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) timed_out: u64,
}

impl Tally {
    /// The state of a run whose jobs are like this.
    pub(crate) const fn state(self) -> RunState {
        let Self { queued, running, completed, failed, timed_out } = self;
        let ended = completed + failed + timed_out;
        match self {
            _ if running == 0 && ended == 0 => RunState::Queued,
            _ if running + queued > 0 => RunState::Running,
            _ if timed_out > 0 => RunState::TimedOut,
            _ if failed > 0 => RunState::Failed,
            _ => RunState::Completed,
        }
    }

    const fn of(&mut self, state: RunState) -> &mut u64 {
        match state {
            RunState::Queued => &mut self.queued,
            RunState::Running => &mut self.running,
            RunState::Completed => &mut self.completed,
            RunState::Failed => &mut self.failed,
            RunState::TimedOut => &mut self.timed_out,
        }
    }
}

impl JobCourse {
    const fn state(&self) -> RunState {
        match (&self.live, &self.last) {
            (Some(_), _) => RunState::Running,
            (None, Some(ended)) => ended.state,
            (None, None) => RunState::Queued,
        }
    }
}

impl Course {
    /// A run of which nothing has begun.
    pub(crate) fn new(plan: Arc<[PlannedJob]>, options: OrchestrationOptions) -> Self {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut pages: Vec<Vec<usize>> = Vec::new();
        let mut page_of = Vec::with_capacity(plan.len());
        for (at, planned) in plan.iter().enumerate() {
            let page = *numbers.entry(&planned.url).or_insert_with(|| {
                pages.push(Vec::new());
                pages.len() - 1
            });
            pages[page].push(at);
            page_of.push(page);
        }
        let waiting = (0..plan.len()).map(|at| (at, 1)).collect();
        let tally = Tally { queued: plan.len() as u64, ..Tally::default() };
        let jobs = vec![JobCourse::default(); plan.len()];
        Self { plan, options, jobs, pages, page_of, waiting, tally }
    }

    pub(crate) fn plan(&self) -> &[PlannedJob] {
        &self.plan
    }

    pub(crate) const fn options(&self) -> &OrchestrationOptions {
        &self.options
    }

    pub(crate) const fn tally(&self) -> Tally {
        self.tally
    }

    /// Whether every job has ended for good.
    pub(crate) const fn is_over(&self) -> bool {
        self.tally.queued + self.tally.running == 0
    }

    /// The job that begins next, and which try at it that is.
    pub(crate) fn next(&self) -> Option<(usize, u32)> {
        self.waiting.first().copied()
    }

    /// A job begins.
    pub(crate) fn begin(&mut self, at: usize, number: u32, now: Timestamp) {
        self.waiting.remove(&(at, number));
        self.change(at, |job| {
            job.live = Some((number, now));
            job.waits = None;
            job.started_at.get_or_insert(now);
        });
    }

    /// A try at a job waits for something, or for nothing any more. Whether that is news: it is under way,
    /// and it was otherwise.
    pub(crate) fn wait(&mut self, at: usize, number: u32, why: Option<String>) -> bool {
        let Some(job) = self.jobs.get_mut(at) else { return false };
        let is_live = job.live.is_some_and(|(live, _)| live == number);
        if !is_live || job.waits == why {
            return false;
        }
        job.waits = why;
        true
    }

    /// A try at a job ended. One that is not under way, or ended before, changes nothing.
    pub(crate) fn end(&mut self, at: usize, ended: EndedTry) {
        let Some(job) = self.jobs.get(at) else { return };
        if job.last.is_some() || job.first.as_ref().is_some_and(|first| first.number >= ended.number) {
            return;
        }
        self.waiting.remove(&(at, ended.number));
        self.change(at, |job| {
            job.live = None;
            job.started_at.get_or_insert(ended.started_at);
            job.last = Some(ended);
        });
        self.try_odd_ones_again(self.page_of[at]);
    }

    /// Every job that has not ended ends like this, at once. What the first try found of one that was
    /// to be tried again is more than nothing.
    pub(crate) fn stop(&mut self, state: RunState, error: &str, now: Timestamp) {
        self.waiting.clear();
        for at in 0..self.jobs.len() {
            let JobCourse { live, last: None, .. } = self.jobs[at] else { continue };
            let (number, started_at) = live.unwrap_or((1, now));
            let stopped = || EndedTry {
                number,
                state,
                results: without_answer(&self.plan[at].checks, error),
                error: Some(error.to_owned()),
                notes: Vec::new(),
                started_at,
                ended_at: now,
            };
            let ended = self.jobs[at].first.clone().unwrap_or_else(stopped);
            self.change(at, |job| {
                (job.live, job.first) = (None, None);
                job.last = Some(ended);
            });
        }
    }

    /// The jobs of which a try is under way.
    pub(crate) fn under_way(&self) -> impl Iterator<Item = usize> + '_ {
        self.jobs.iter().enumerate().filter(|(_, job)| job.live.is_some()).map(|(at, _)| at)
    }

    /// What was under way is to begin again: nobody knows what became of it.
    pub(crate) fn forget_what_is_under_way(&mut self) {
        let under_way: Vec<usize> = self.under_way().collect();
        for at in under_way {
            let number = self.jobs[at].live.map_or(1, |(number, _)| number);
            self.change(at, |job| job.live = None);
            self.waiting.insert((at, number));
        }
    }

    /// Takes what the journal tells.
    pub(crate) fn apply(&mut self, at: Timestamp, what: RunHappening) {
        match what {
            RunHappening::JobStarted { index, number, .. }
                if self.jobs.get(index).is_some_and(|job| job.last.is_none()) =>
            {
                self.begin(index, number, at);
            }
            RunHappening::JobWaits { index, number, why, .. } => {
                self.wait(index, number, why);
            }
            RunHappening::JobEnded { index, number, state, results, error, notes, started_at, .. } => {
                self.end(index, EndedTry { number, state, results, error, notes, started_at, ended_at: at });
            }
            RunHappening::RunEnded { state, error: Some(error), .. } => self.stop(state, &error, at),
            _ => {}
        }
    }

    /// Once every first try at a page has ended, the odd ones are tried again.
    fn try_odd_ones_again(&mut self, page: usize) {
        let ended = |job: &JobCourse| job.first.is_none() && job.last.is_some();
        if !self.options.second_try || !self.pages[page].iter().all(|&at| ended(&self.jobs[at])) {
            return;
        }
        let votes = self.votes(page);
        let is_odd = |at: &usize| {
            let (planned, job) = (&self.plan[*at], &self.jobs[*at]);
            let mut verdicts = conclusion::verdicts(planned, job).into_iter();
            conclusion::counts(&self.options, planned)
                && verdicts.any(|(name, verdict)| {
                    verdict != crate::values::orchestration::ResultState::Pass
                        && votes.get(name).is_some_and(|votes| votes.is_odd_not_to_pass())
                })
        };
        let odd: Vec<usize> = self.pages[page].iter().copied().filter(is_odd).collect();
        for at in odd {
            self.change(at, |job| job.first = job.last.take());
            self.waiting.insert((at, 2));
        }
    }

    fn votes(&self, page: usize) -> std::collections::BTreeMap<&str, conclusion::Votes> {
        let jobs = self.pages[page].iter().map(|&at| (&self.plan[at], &self.jobs[at]));
        conclusion::votes(&self.options, jobs)
    }

    fn change(&mut self, at: usize, change: impl FnOnce(&mut JobCourse)) {
        let job = &mut self.jobs[at];
        *self.tally.of(job.state()) -= 1;
        change(job);
        *self.tally.of(job.state()) += 1;
    }

    /// Every check, counted once.
    pub(crate) fn summary(&self) -> SummaryCounts {
        conclusion::summary(self.plan.iter().zip(&self.jobs))
    }

    /// What it comes to, once it is over.
    pub(crate) fn conclusion(&self, cancelled: bool) -> Conclusion {
        let votes: Vec<_> = (0..self.pages.len()).map(|page| self.votes(page)).collect();
        let votes = votes.iter().flat_map(std::collections::BTreeMap::values);
        conclusion::conclusion(self.options.policy, votes, self.tally.state(), cancelled)
    }

    /// Its jobs, as they are told.
    pub(crate) fn jobs(&self, seed: [u8; 16], created_at: Timestamp) -> Vec<RegionJob> {
        let votes: Vec<_> = (0..self.pages.len()).map(|page| self.votes(page)).collect();
        let is_whole = |page: usize| self.pages[page].iter().all(|&at| self.jobs[at].last.is_some());
        let whole: Vec<bool> = (0..self.pages.len()).map(is_whole).collect();
        let job = |(at, (planned, job)): (usize, (&PlannedJob, &JobCourse))| {
            let page = self.page_of[at];
            let finding = whole[page].then(|| conclusion::finding(&self.options, planned, job, &votes[page]));
            let last = job.last.as_ref();
            let first_try = job.first.as_ref().map(|first| RegionTry {
                state: first.state,
                results: first.results.clone(),
                error: first.error.clone(),
                started_at: first.started_at,
                completed_at: first.ended_at,
            });
            RegionJob {
                job_id: job_id(seed, created_at, at),
                region: planned.region.clone(),
                url: planned.url.clone(),
                runners: planned.names(),
                state: job.state(),
                results: last.map(|ended| ended.results.clone()).unwrap_or_default(),
                error: last.and_then(|ended| ended.error.clone()),
                notes: last.map(|ended| ended.notes.clone()).unwrap_or_default(),
                waits: job.waits.clone().filter(|_| job.live.is_some()),
                started_at: job.started_at,
                completed_at: last.map(|ended| ended.ended_at),
                duration_ms: last.map(|ended| whole_millis(ended.ended_at.since(ended.started_at))),
                finding: finding.flatten(),
                first_try,
            }
        };
        self.plan.iter().zip(&self.jobs).enumerate().map(job).collect()
    }
}

/// The id of a job of a run: the same whenever it is asked for, and that of no other job.
pub(crate) fn job_id(seed: [u8; 16], created_at: Timestamp, at: usize) -> JobId {
    let place = [&b"orchestrated job"[..], &seed, &(at as u64).to_be_bytes()].concat();
    let mut chance = [0; 10];
    chance.copy_from_slice(&Digest::of(&place).as_bytes()[..10]);
    JobId::new(created_at, chance)
}

#[cfg(test)]
mod tests;
