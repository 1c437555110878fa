//! What became of the jobs of a run: each by what it is called and by its pool. What a page shows of it is in
//! `matrix` and `comparison`.

use crate::{failure::Failure, visitor::Visitor, words};
use runners_core::{Conclusion, JobFilter, JobId, JobLine, Paging, RunId, Timestamp, protocol::StateView};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How many jobs of a run are counted at most.
const COUNTED_MAX: u64 = 5_000;

/// The jobs of one run.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) all: u64,
    pub(super) open: u64,
    /// How many are in which state, by its tone and words.
    pub(super) by_words: BTreeMap<(&'static str, &'static str), u64>,
    /// Whether there are more than were counted.
    pub(super) has_more: bool,
    pub(super) pools: BTreeSet<String>,
    /// The jobs by title and pool, the oldest first.
    pub(super) rows: BTreeMap<String, BTreeMap<String, Vec<Cell>>>,
    submitted_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

/// One job.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) job: JobId,
    pub(super) state: StateView,
    pub(super) attempts: u32,
    /// From submit to end.
    pub(super) took: Option<Duration>,
}

impl Sheet {
    /// Reads the jobs of a run.
    pub(super) async fn of(visitor: &Visitor, run: RunId) -> Result<Self, Failure> {
        let filter = JobFilter { run: Some(run), ..JobFilter::default() };
        let (mut sheet, mut paging) = (Self::default(), Paging { after: None, limit: Paging::LIMIT_MAX });
        loop {
            let page = visitor.management.jobs(&filter, &paging).await?;
            page.items.into_iter().for_each(|line| sheet.add(line));
            paging.after = page.next;
            sheet.has_more = paging.after.is_some();
            if !sheet.has_more || sheet.all >= COUNTED_MAX {
                // They come newest first.
                sheet.rows.values_mut().flat_map(BTreeMap::values_mut).for_each(|cells| cells.reverse());
                return Ok(sheet);
            }
        }
    }

    fn add(&mut self, line: JobLine) {
        self.all += 1;
        *self.by_words.entry(words::state(&line.state)).or_default() += 1;
        self.submitted_at = Some(self.submitted_at.map_or(line.submitted_at, |at| at.min(line.submitted_at)));
        let took = match line.state {
            StateView::Concluded { at, .. } => {
                self.ended_at = self.ended_at.max(Some(at));
                Some(at.since(line.submitted_at))
            }
            _ => {
                self.open += 1;
                None
            }
        };
        self.pools.insert(line.pool.clone());
        let cell = Cell { job: line.job, state: line.state, attempts: line.attempts, took };
        let row = self.rows.entry(line.title.unwrap_or(line.kind)).or_default();
        row.entry(line.pool).or_default().push(cell);
    }

    /// How many ended in one of these ways.
    pub(super) fn ended(&self, which: impl Fn(Conclusion) -> bool) -> u64 {
        let cells = self.rows.values().flat_map(BTreeMap::values).flatten();
        cells.filter(|cell| cell.conclusion().is_some_and(&which)).count() as u64
    }

    /// From the first submit to the last end, once all have ended.
    pub(super) fn took(&self) -> Option<Duration> {
        let ended = self.ended_at.filter(|_| self.open == 0);
        ended.zip(self.submitted_at).map(|(ended, submitted)| ended.since(submitted))
    }

    /// What a check came to in a pool: its newest job there.
    pub(super) fn newest(&self, title: &str, pool: &str) -> Option<&Cell> {
        self.rows.get(title)?.get(pool)?.last()
    }
}

impl Cell {
    pub(super) const fn conclusion(&self) -> Option<Conclusion> {
        match self.state {
            StateView::Concluded { conclusion, .. } => Some(conclusion),
            _ => None,
        }
    }
}
