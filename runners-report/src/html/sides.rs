//! What was asked for in more than one region, side by side: how each went, how long it took, and what
//! the screen showed. What differs comes first, then what did not pass.

use super::{
    Shelf,
    view::{class, cut, is_excused, percent},
};
use crate::words::span;
use runners_core::report::{ArtifactReport, ComparisonReport, JobReport, RunReport};
use std::{borrow::Cow, collections::BTreeMap};

/// The largest number of checks that are shown side by side; each is among the jobs as well.
const CHECKS_MAX: usize = 500;
/// The largest number of pictures of one check that are shown side by side, by their names.
const PICTURES_MAX: usize = 4;
/// What a job without a region is called.
const NO_REGION: &str = "here";

/// Where pictures are that stand side by side: by the place of the job, and their name.
pub(super) type Beside<'r> = BTreeMap<(usize, &'r str), String>;

/// Everything that is shown side by side.
pub(super) struct SidesView<'r> {
    pub(super) words: String,
    pub(super) regions: Vec<Cow<'r, str>>,
    pub(super) checks: Vec<CheckView<'r>>,
    pub(super) more: usize,
}

/// One check over the regions.
pub(super) struct CheckView<'r> {
    pub(super) anchor: String,
    pub(super) title: Cow<'r, str>,
    pub(super) differs: bool,
    /// Whether it did not pass somewhere where it counts.
    pub(super) opened: bool,
    /// One for each region of the page.
    pub(super) cells: Vec<CellView<'r>>,
    pub(super) rows: Vec<RowView<'r>>,
}

/// How it went in one region: not at all, or once, or more than once.
pub(super) struct CellView<'r> {
    pub(super) region: Cow<'r, str>,
    pub(super) sides: Vec<SideView<'r>>,
}

/// How it went once.
pub(super) struct SideView<'r> {
    pub(super) address: String,
    pub(super) class: &'static str,
    pub(super) words: &'static str,
    pub(super) finding: Option<Cow<'r, str>>,
    pub(super) span: String,
    /// Of the longest of them, in percent.
    pub(super) share: String,
}

/// One picture, as each region showed it.
pub(super) struct RowView<'r> {
    pub(super) name: &'r str,
    pub(super) figures: Vec<FigureView<'r>>,
}

/// What one region showed.
pub(super) struct FigureView<'r> {
    pub(super) region: Cow<'r, str>,
    pub(super) class: &'static str,
    pub(super) words: &'static str,
    /// None if it left no such picture.
    pub(super) source: Option<String>,
    pub(super) address: Option<String>,
}

impl<'r> SidesView<'r> {
    /// Shows what a run compares, if it compares anything, and tells which pictures are in it.
    pub(super) fn new(run: &'r RunReport, shelf: &Shelf<'_, '_>) -> (Option<Self>, Beside<'r>) {
        let mut beside = Beside::new();
        let mut compared: Vec<&ComparisonReport> = run.comparison.iter().collect();
        if compared.is_empty() {
            return (None, beside);
        }
        let differing = compared.iter().filter(|check| !check.agree).count();
        let is_fine = |check: &ComparisonReport| {
            let mut jobs = check.jobs.iter().filter_map(|at| run.jobs.get(*at));
            jobs.all(|job| job.conclusion.is_passed() || is_excused(job))
        };
        compared.sort_by_key(|check| (check.agree, is_fine(check)));
        let mut regions: Vec<&str> = Vec::new();
        for job in compared.iter().flat_map(|check| &check.jobs).filter_map(|at| run.jobs.get(*at)) {
            if !regions.contains(&region_of(job)) {
                regions.push(region_of(job));
            }
        }
        let checks = compared.iter().take(CHECKS_MAX).enumerate();
        let checks = checks
            .map(|(number, check)| CheckView::new(number + 1, check, run, &regions, shelf, &mut beside))
            .collect();
        let view = Self {
            words: words(compared.len(), regions.len(), differing),
            regions: regions.into_iter().map(cut).collect(),
            checks,
            more: compared.len().saturating_sub(CHECKS_MAX),
        };
        (Some(view), beside)
    }
}

impl<'r> CheckView<'r> {
    fn new(
        number: usize,
        check: &'r ComparisonReport,
        run: &'r RunReport,
        regions: &[&'r str],
        shelf: &Shelf<'_, '_>,
        beside: &mut Beside<'r>,
    ) -> Self {
        let anchor = format!("side-{number}");
        let jobs: Vec<(usize, &'r JobReport)> =
            check.jobs.iter().filter_map(|at| Some((*at, run.jobs.get(*at)?))).collect();
        let longest = jobs.iter().map(|(_, job)| job.duration).max().unwrap_or_default();
        let cell = |region: &&'r str| {
            let there = jobs.iter().filter(|(_, job)| region_of(job) == *region);
            let side = |(at, job): &(usize, &'r JobReport)| SideView {
                address: format!("#job-{}", at + 1),
                class: tone(job),
                words: verdict(job),
                finding: job.finding.as_deref().map(cut),
                span: span(job.duration),
                share: format!("{:.2}", percent(job.duration, longest).max(0.5)),
            };
            CellView { region: cut(region), sides: there.map(side).collect() }
        };
        let mut names: Vec<&str> = Vec::new();
        for picture in jobs.iter().flat_map(|(_, job)| &job.artifacts).filter(|left| is_picture(left)) {
            if names.len() < PICTURES_MAX && !names.contains(&picture.name.as_str()) {
                names.push(&picture.name);
            }
        }
        let rows = names.into_iter().filter_map(|name| {
            let figures: Vec<_> = jobs.iter().map(|(_, job)| figure(name, job, shelf)).collect();
            // What the page has no room for is linked at its job.
            figures.iter().any(|figure| figure.source.is_some()).then_some(RowView { name, figures })
        });
        let rows: Vec<RowView<'_>> = rows.collect();
        for row in &rows {
            let shown = jobs.iter().zip(&row.figures).filter(|(_, figure)| figure.source.is_some());
            beside.extend(shown.map(|((at, _), _)| ((*at, row.name), format!("#{anchor}"))));
        }
        let cells = regions.iter().map(cell).collect();
        let opened =
            !check.agree || jobs.iter().any(|(_, job)| !job.conclusion.is_passed() && !is_excused(job));
        Self { anchor, title: cut(&check.title), differs: !check.agree, opened, cells, rows }
    }
}

/// What a job showed under a name.
fn figure<'r>(name: &str, job: &'r JobReport, shelf: &Shelf<'_, '_>) -> FigureView<'r> {
    let artifact = job.artifacts.iter().rfind(|artifact| artifact.name == name);
    FigureView {
        region: cut(region_of(job)),
        class: tone(job),
        words: verdict(job),
        source: artifact.and_then(|artifact| shelf.picture(artifact)),
        address: artifact.and_then(|artifact| shelf.address(artifact)),
    }
}

fn region_of(job: &JobReport) -> &str {
    job.region.as_deref().unwrap_or(NO_REGION)
}

fn is_picture(artifact: &ArtifactReport) -> bool {
    artifact.media_type.get(..6).is_some_and(|kind| kind.eq_ignore_ascii_case("image/"))
}

fn tone(job: &JobReport) -> &'static str {
    if is_excused(job) { "skipped" } else { class(job.conclusion) }
}

fn verdict(job: &JobReport) -> &'static str {
    if is_excused(job) { "excused" } else { job.conclusion.words() }
}

fn words(checks: usize, regions: usize, differing: usize) -> String {
    let checks = if checks == 1 { "1 check".to_owned() } else { format!("{checks} checks") };
    let how = match differing {
        0 => "all alike".to_owned(),
        1 => "1 differs".to_owned(),
        more => format!("{more} differ"),
    };
    format!("{checks} in {regions} regions, {how}")
}
