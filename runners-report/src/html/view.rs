//! What a page shows of a job, in the words and figures that its template writes down.

use super::{
    Html, Shelf,
    film::FilmView,
    log::{ConsoleView, NetworkView},
    sides::Beside,
};
use crate::words::{outcome, size, span};
use runners_core::{
    Conclusion,
    report::{ArtifactReport, Counts, JobReport, RunReport, StepReport, StepState},
};
use std::{borrow::Cow, collections::BTreeSet, time::Duration};

/// How many came to something.
pub(super) struct CountView {
    pub(super) class: &'static str,
    pub(super) words: &'static str,
    pub(super) number: usize,
}

/// A job, as the template wants it.
pub(super) struct JobView<'r> {
    pub(super) anchor: String,
    pub(super) title: Cow<'r, str>,
    pub(super) source: Cow<'r, str>,
    pub(super) id: Option<String>,
    pub(super) class: &'static str,
    pub(super) words: &'static str,
    pub(super) span: String,
    pub(super) opened: bool,
    pub(super) failure: Option<Cow<'r, str>>,
    pub(super) attempts: Vec<String>,
    pub(super) steps: Vec<StepView<'r>>,
    pub(super) pictures: Vec<PictureView<'r>>,
    pub(super) links: Vec<LinkView<'r>>,
    pub(super) missing: &'r [String],
    pub(super) region: Option<Cow<'r, str>>,
    pub(super) excused: Option<Cow<'r, str>>,
    pub(super) finding: Option<Cow<'r, str>>,
    pub(super) page_errors: Vec<Cow<'r, str>>,
    pub(super) console: Option<ConsoleView>,
    pub(super) network: Option<NetworkView>,
    pub(super) film: Option<FilmView>,
}

/// A step, and where it stands in the time of its attempt, in percent.
pub(super) struct StepView<'r> {
    pub(super) number: usize,
    pub(super) title: Cow<'r, str>,
    pub(super) class: &'static str,
    pub(super) words: &'static str,
    pub(super) span: String,
    pub(super) from: String,
    pub(super) share: String,
    pub(super) reason: Option<Cow<'r, str>>,
    pub(super) retries: Option<String>,
    pub(super) pictures: Vec<PictureView<'r>>,
}

/// A picture that is in the page.
pub(super) struct PictureView<'r> {
    pub(super) name: &'r str,
    pub(super) source: String,
    pub(super) address: Option<String>,
}

/// An artifact that is beside the page.
pub(super) struct LinkView<'r> {
    pub(super) name: &'r str,
    pub(super) address: Option<String>,
    pub(super) size: String,
}

impl<'r> JobView<'r> {
    pub(super) fn new(at: usize, job: &'r JobReport, shelf: &Shelf<'_, '_>, beside: &Beside<'_>) -> Self {
        let mut shown = BTreeSet::new();
        let total: Duration = job.steps.iter().map(|step| step.duration).sum();
        let mut before = Duration::ZERO;
        let mut steps = Vec::with_capacity(job.steps.len());
        for (index, step) in job.steps.iter().enumerate() {
            let pictures = pictures_of(step, job, shelf, &mut shown);
            let mut view = StepView::new(index, step, percent(before, total), pictures, total);
            // It is told above already.
            view.reason.take_if(|reason| job.failure.as_deref() == Some(reason));
            steps.push(view);
            before += step.duration;
        }
        let mut pictures = Vec::new();
        let mut links = Vec::new();
        for artifact in job.artifacts.iter().filter(|artifact| !shown.contains(artifact_key(artifact))) {
            let picture = match beside.get(&(at, artifact.name.as_str())) {
                // It is in the page already.
                Some(side) => {
                    let (address, size) = (Some(side.clone()), "side by side".to_owned());
                    links.push(LinkView { name: &artifact.name, address, size });
                    continue;
                }
                None => shelf.picture(artifact),
            };
            match picture {
                Some(source) => pictures.push(PictureView::new(artifact, source, shelf)),
                None => links.push(LinkView {
                    name: &artifact.name,
                    address: shelf.address(artifact),
                    size: size(artifact.bytes),
                }),
            }
        }
        let title = if job.title.is_empty() { &job.name } else { &job.title };
        let attempts = job.attempts.iter().map(|attempt| {
            let how = cut(&outcome(&attempt.outcome)).into_owned();
            format!("attempt {}: {how}, after {}", attempt.number, span(attempt.duration))
        });
        Self {
            anchor: format!("job-{}", at + 1),
            title: cut(title),
            source: cut(job.file.as_deref().unwrap_or(&job.name)),
            id: job.job.map(|id| id.to_string()),
            class: if is_excused(job) { "skipped" } else { class(job.conclusion) },
            words: if is_excused(job) { "excused" } else { job.conclusion.words() },
            span: span(job.duration),
            opened: !matches!(job.conclusion, Conclusion::Passed) && !is_excused(job),
            failure: job.failure.as_deref().map(cut),
            attempts: if job.attempts.len() > 1 { attempts.collect() } else { Vec::new() },
            steps,
            pictures,
            links,
            missing: &job.missing,
            region: job.region.as_deref().map(cut),
            excused: job.excused.as_deref().map(cut).filter(|_| is_excused(job)),
            finding: job.finding.as_deref().map(cut),
            page_errors: job.page_errors.iter().map(|error| cut(error)).collect(),
            console: shelf.log(job, "console.json").and_then(|bytes| ConsoleView::read(&bytes)),
            network: shelf.log(job, "network.har").and_then(|bytes| NetworkView::read(&bytes)),
            film: shelf.film(job),
        }
    }
}

impl<'r> StepView<'r> {
    fn new(
        index: usize,
        step: &'r StepReport,
        from: f64,
        pictures: Vec<PictureView<'r>>,
        total: Duration,
    ) -> Self {
        let class = match step.state {
            StepState::Passed => "passed",
            StepState::Failed => "failed",
            StepState::Excused => "flaky",
            StepState::CutShort => "errored",
            _ => "skipped",
        };
        Self {
            number: index + 1,
            title: cut(&step.title),
            class,
            words: step.state.words(),
            span: span(step.duration),
            from: format!("{from:.2}"),
            // A step that took next to no time can be seen as well.
            share: format!("{:.2}", percent(step.duration, total).max(0.5)),
            reason: step.reason.as_deref().map(cut),
            retries: match step.retries {
                0 => None,
                1 => Some("tried once more".to_owned()),
                times => Some(format!("tried {times} times more")),
            },
            pictures,
        }
    }
}

impl<'r> PictureView<'r> {
    fn new(artifact: &'r ArtifactReport, source: String, shelf: &Shelf<'_, '_>) -> Self {
        Self { name: &artifact.name, source, address: shelf.address(artifact) }
    }
}

/// The one word for a whole run, and its class.
pub(super) fn verdict(run: &RunReport) -> (&'static str, String) {
    let counts = run.counts();
    if let [job] = &run.jobs[..] {
        return (class(job.conclusion), job.conclusion.words().to_owned());
    }
    match (counts.failed, counts.could_not_run) {
        (0, 0) => ("passed", "passed".to_owned()),
        (0, _) => ("errored", "could not run".to_owned()),
        _ => ("failed", "failed".to_owned()),
    }
}

pub(super) fn counts(counts: Counts) -> Vec<CountView> {
    let all = [
        ("passed", "passed", counts.passed),
        ("flaky", "flaky", counts.flaky),
        ("failed", "failed", counts.failed),
        ("errored", "could not run", counts.could_not_run),
        ("skipped", "excused", counts.excused),
    ];
    let seen = all.into_iter().filter(|(_, _, number)| *number > 0);
    seen.map(|(class, words, number)| CountView { class, words, number }).collect()
}

/// It did not pass, and that does not count.
pub(super) fn is_excused(job: &JobReport) -> bool {
    job.excused.is_some() && !job.conclusion.is_passed()
}

pub(super) const fn class(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Passed => "passed",
        Conclusion::Flaky => "flaky",
        Conclusion::Failed | Conclusion::TimedOut => "failed",
        _ => "errored",
    }
}

/// The pictures that a step left and the page can hold. Those of the last attempt come last in a
/// list of artifacts, under the same names as those of earlier ones.
fn pictures_of<'r>(
    step: &StepReport,
    job: &'r JobReport,
    shelf: &Shelf<'_, '_>,
    shown: &mut BTreeSet<&'r str>,
) -> Vec<PictureView<'r>> {
    let mut pictures = Vec::new();
    for name in &step.artifacts {
        let of_the_step = |artifact: &&ArtifactReport| artifact.name == *name;
        let Some(artifact) = job.artifacts.iter().rfind(of_the_step) else { continue };
        if let Some(source) = shelf.picture(artifact) {
            shown.insert(artifact_key(artifact));
            pictures.push(PictureView::new(artifact, source, shelf));
        }
    }
    pictures
}

fn artifact_key(artifact: &ArtifactReport) -> &str {
    artifact.path.as_deref().unwrap_or(&artifact.name)
}

pub(super) fn percent(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() * 100.0 }
}

pub(super) fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(Html::TEXT_CHARACTERS_MAX) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}
