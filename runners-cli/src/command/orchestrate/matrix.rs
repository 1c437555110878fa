//! The table at the end: each check of each page, side by side over the regions; below it why what did
//! not pass did not, and what it comes to.

use super::display::HERE;
use crate::{table, terminal};
use runners_core::orchestration::{Finding, RegionJob, RegionResult, ResultState, RunSummary};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// More regions than this do not stand side by side: a terminal has no room for them.
const SIDE_BY_SIDE_MAX: usize = 5;

/// How many rows are shown, those that did not pass first.
const ROWS_MAX: usize = 100;

/// How many reasons are told.
const REASONS_MAX: usize = 50;

/// A check of a page, and what the regions found, in their order.
#[derive(Debug, Default)]
struct Row<'s> {
    found: Vec<Vec<(&'s RegionJob, &'s RegionResult)>>,
}

/// Prints what became of a run.
pub(super) fn print(summary: &RunSummary) {
    let regions = regions(summary);
    let rows = rows(summary, &regions);
    let several_pages = rows.keys().any(|(url, _)| rows.keys().next().is_some_and(|(first, _)| first != url));
    let mut shown: Vec<_> = rows.iter().collect();
    shown.sort_by_key(|(_, row)| row.passed());
    let hidden = shown.len().saturating_sub(ROWS_MAX);
    shown.truncate(ROWS_MAX);
    let cells = |(url, check): &(&str, &str), row: &Row<'_>| {
        let mut cells = vec![table::Told::plain(*check)];
        if several_pages {
            cells.push(table::Told::plain(*url));
        }
        (cells, row.found.iter().map(|found| cell(found)).collect::<Vec<_>>())
    };
    let mut titles = vec!["check"];
    if several_pages {
        titles.push("page");
    }
    if regions.len() <= SIDE_BY_SIDE_MAX {
        titles.extend(regions.iter().copied());
        table::told(
            &titles,
            shown.iter().map(|(key, row)| {
                let (mut cells, found) = cells(key, row);
                cells.extend(found);
                cells
            }),
        );
    } else {
        titles.extend(["region", "found"]);
        let each = shown.iter().flat_map(|(key, row)| {
            let (cells, found) = cells(key, row);
            let each = regions.iter().zip(found).filter(|(_, found)| !found.is_empty());
            each.map(|(region, found)| [cells.clone(), vec![table::Told::plain(*region), found]].concat())
                .collect::<Vec<_>>()
        });
        table::told(&titles, each.take(ROWS_MAX));
    }
    if hidden > 0 {
        terminal::print(format!("and {} more; --json tells all", terminal::count(hidden, "row")));
    }
    reasons(summary);
    conclude(summary);
}

impl Row<'_> {
    fn passed(&self) -> bool {
        self.found.iter().flatten().all(|(_, result)| result.state == ResultState::Pass)
    }
}

/// The regions in the order of the run.
fn regions(summary: &RunSummary) -> Vec<&str> {
    let mut regions = Vec::new();
    for job in &summary.jobs {
        let region = job.region.as_deref().unwrap_or(HERE);
        if !regions.contains(&region) {
            regions.push(region);
        }
    }
    regions
}

fn rows<'s>(summary: &'s RunSummary, regions: &[&str]) -> BTreeMap<(&'s str, &'s str), Row<'s>> {
    let mut rows: BTreeMap<(&str, &str), Row<'_>> = BTreeMap::new();
    for job in &summary.jobs {
        let region = job.region.as_deref().unwrap_or(HERE);
        let Some(column) = regions.iter().position(|one| *one == region) else { continue };
        for (check, result) in job.runners.iter().zip(&job.results) {
            let row = rows.entry((&job.url, check)).or_default();
            row.found.resize_with(regions.len(), Vec::new);
            row.found[column].push((job, result));
        }
    }
    rows
}

/// What one region found of a check; of one that was asked for twice, both.
fn cell(found: &[(&RegionJob, &RegionResult)]) -> table::Told {
    let texts = found.iter().map(|(job, result)| {
        let mark = match result.state {
            ResultState::Pass => "✓",
            ResultState::Fail => "✗",
            ResultState::Error => "!",
        };
        let time = result.duration_ms.as_ref().and_then(serde_json::Number::as_f64).map(|millis| {
            let span = Duration::try_from_secs_f64(millis / 1000.0).unwrap_or_default();
            format!(" {}", terminal::span(span))
        });
        let word = told_apart(job.finding, result.state).map(|word| format!(" ({word})")).unwrap_or_default();
        format!("{mark}{}{word}", time.unwrap_or_default())
    });
    let text = texts.collect::<Vec<_>>().join(", ");
    let worst = found.iter().map(|(_, result)| result.state).max_by_key(|state| match state {
        ResultState::Pass => 0,
        ResultState::Error => 1,
        ResultState::Fail => 2,
    });
    match worst {
        None => table::Told::plain(""),
        Some(ResultState::Pass) => table::Told::good(text),
        Some(ResultState::Error) => table::Told::doubtful(text),
        Some(ResultState::Fail) => table::Told::bad(text),
    }
}

/// What comparing the regions tells of a result, where the row does not show it by itself.
fn told_apart(finding: Option<Finding>, state: ResultState) -> Option<&'static str> {
    let finding = finding.filter(|finding| finding.tells_of(state))?;
    (finding != Finding::BrokenEverywhere).then(|| finding.words())
}

/// Why what did not pass did not. What several regions say alike is told once.
fn reasons(summary: &RunSummary) {
    let mut told: Vec<(&str, &RegionJob, &RegionResult, Vec<&str>)> = Vec::new();
    let mut places = HashMap::new();
    for job in &summary.jobs {
        let region = job.region.as_deref().unwrap_or(HERE);
        for (check, result) in job.runners.iter().zip(&job.results) {
            if result.state == ResultState::Pass {
                continue;
            }
            let message = result.error_message.as_deref().or(job.error.as_deref());
            let why = message.unwrap_or("it did not say why");
            let place = *places.entry((check, &job.url, why)).or_insert(told.len());
            match told.get_mut(place) {
                Some((.., regions)) => regions.push(region),
                None => told.push((why, job, result, vec![region])),
            }
        }
    }
    if !told.is_empty() {
        terminal::print("");
    }
    for (why, job, result, regions) in told.iter().take(REASONS_MAX) {
        let mark = if result.state == ResultState::Fail { "✗" } else { "!" };
        terminal::print(format!("{mark} {} at {} in {}: {why}", result.name, job.url, regions.join(", ")));
    }
    if let Some(more) = told.len().checked_sub(REASONS_MAX).filter(|more| *more > 0) {
        terminal::print(format!("and {more} more; --json tells all"));
    }
}

fn conclude(summary: &RunSummary) {
    let counts = &summary.summary;
    let mut parts = vec![format!("{} passed", counts.passed)];
    for (count, word) in [(counts.failed, "failed"), (counts.errored, "errored")] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    let total = terminal::count(usize::try_from(counts.total).unwrap_or(usize::MAX), "check");
    let span = terminal::span(Duration::from_millis(summary.duration_ms.unwrap_or_default()));
    let conclusion = summary.conclusion.map_or("has not ended", |conclusion| conclusion.words());
    terminal::print("");
    terminal::print(format!("{} of {total} in {span}: {conclusion}", parts.join(", ")));
}
