//! Live progress of a run: a line for each region, redrawn where somebody watches, and told at each
//! tenth of its jobs elsewhere.

use crate::{
    progress::{Line, Progress},
    terminal,
};
use runners_core::orchestration::{
    OrchestrationMode, OrchestrationRequest, ResultState, RunEvent, RunHappening,
};
use std::collections::{BTreeMap, BTreeSet};

/// What the region of a request in mode local is called here.
pub(super) const HERE: &str = "here";

/// How many signs wide a bar is.
const BAR_WIDTH: usize = 16;

/// How far each region is.
#[derive(Debug)]
pub(super) struct Display {
    progress: Progress,
    regions: BTreeMap<String, Region>,
    checks: usize,
}

#[derive(Debug)]
struct Region {
    line: Line,
    jobs: usize,
    /// What each job that ended came to, by its place in the run: passed, failed, errored.
    ended: BTreeMap<usize, [usize; 3]>,
    under_way: BTreeSet<usize>,
    /// What each job waits for that waits.
    waits: BTreeMap<usize, String>,
}

impl Display {
    pub(super) fn new(request: &OrchestrationRequest, silent: bool) -> Self {
        let is_local = request.mode == OrchestrationMode::Local;
        let mut jobs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for check in &request.runners {
            let region = check.region.as_deref().filter(|_| !is_local).unwrap_or(HERE);
            jobs.entry(region).or_default().insert(check.url());
        }
        let progress = Progress::new(jobs.keys().copied(), silent);
        let region = |(name, pages): (&str, BTreeSet<&str>)| {
            let line = progress.line(name);
            if progress.is_drawn() {
                line.say("waiting");
            }
            let (ended, under_way, waits) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
            (name.to_owned(), Region { line, jobs: pages.len(), ended, under_way, waits })
        };
        let regions = jobs.into_iter().map(region).collect();
        Self { progress, regions, checks: request.runners.len() }
    }

    /// How much it is, in words.
    pub(super) fn extent(&self) -> String {
        let jobs: usize = self.regions.values().map(|region| region.jobs).sum();
        let (checks, regions) = (self.checks, self.regions.len());
        let [checks, jobs, regions] =
            [(checks, "check"), (jobs, "job"), (regions, "region")].map(|(n, noun)| terminal::count(n, noun));
        format!("{checks}, {jobs}, {regions}")
    }

    /// Shows what happened.
    pub(super) fn take(&mut self, event: &RunEvent) {
        let is_drawn = self.progress.is_drawn();
        match &event.what {
            RunHappening::JobStarted { index, region, .. } => {
                if let Some(region) = self.region(region.as_deref()) {
                    region.under_way.insert(*index);
                    region.tell(is_drawn);
                }
            }
            RunHappening::JobWaits { index, region, why, .. } => {
                if let Some(region) = self.region(region.as_deref()) {
                    let is_new = why.as_ref().filter(|why| !region.waits.values().any(|known| known == *why));
                    match why {
                        Some(why) => drop(region.waits.insert(*index, why.clone())),
                        None => drop(region.waits.remove(index)),
                    }
                    match is_new {
                        _ if is_drawn => region.tell(is_drawn),
                        Some(why) => region.line.say(format!("waits: {why}")),
                        None => {}
                    }
                }
            }
            RunHappening::JobEnded { index, region, results, .. } => {
                if let Some(region) = self.region(region.as_deref()) {
                    region.under_way.remove(index);
                    region.waits.remove(index);
                    let count = |state| results.iter().filter(|result| result.state == state).count();
                    let counts = [ResultState::Pass, ResultState::Fail, ResultState::Error].map(count);
                    region.ended.insert(*index, counts);
                    region.tell(is_drawn);
                }
            }
            _ => {}
        }
    }

    /// Prints a line for people.
    pub(super) fn note(&self, text: &str) {
        self.progress.note(text);
    }

    /// Takes the lines down, where the table comes.
    pub(super) fn finish(&self) {
        self.progress.finish();
    }

    fn region(&mut self, name: Option<&str>) -> Option<&mut Region> {
        self.regions.get_mut(name.unwrap_or(HERE))
    }
}

impl Region {
    fn tell(&self, is_drawn: bool) {
        let (ended, jobs) = (self.ended.len(), self.jobs);
        let [passed, failed, errored] =
            self.ended.values().fold([0; 3], |[a, b, c], [d, e, f]| [a + d, b + e, c + f]);
        if is_drawn {
            let told = terminal::marks(passed, failed, errored);
            // What they wait for says more than how many there are, and a line has no room for both.
            let under_way = match (self.waits.values().next(), self.under_way.len()) {
                (Some(why), _) => format!("  {}", terminal::faint().apply_to(why)),
                (None, 0) => String::new(),
                (None, under_way) => format!("  {under_way} under way"),
            };
            return self.line.say(format!("{} {ended}/{jobs}  {told}{under_way}", bar(ended, jobs)));
        }
        // Of many jobs not each is told: at the first, at each tenth, and at the last.
        if ended > 0 && (ended == jobs || ended * 10 / jobs != (ended - 1) * 10 / jobs) {
            self.line
                .say(format!("{ended}/{jobs} jobs: {passed} passed, {failed} failed, {errored} errored"));
        }
    }
}

fn bar(ended: usize, jobs: usize) -> String {
    let full = (BAR_WIDTH * ended).checked_div(jobs).unwrap_or(BAR_WIDTH).min(BAR_WIDTH);
    format!("{}{}", "━".repeat(full), terminal::faint().apply_to("─".repeat(BAR_WIDTH - full)))
}
