//! What became of a run over regions, in the words that every report shares: one entry for each result.

use crate::values::{
    orchestration::{Finding, RegionJob, RegionResult, ResultArtifact, ResultState, RunState, RunSummary},
    outcome::{Conclusion, Outcome},
    report::{ArtifactReport, AttemptReport, ComparisonReport, JobReport, RunReport},
    result::Fault,
};
use serde_json::Number;
use std::{collections::HashMap, time::Duration};

/// The longest part of a name that a check or a region gives, in characters.
const NAME_CHARACTERS_MAX: usize = 60;

impl RunSummary {
    /// What became of the run, for [JUnit, CTRF and HTML](crate::report): one entry for each result, in
    /// the order of the run. Jobs that have not ended have none. The bytes of an artifact are at
    /// `artifacts/` and its digest, as the face of an orchestrator serves them beside the run.
    #[must_use]
    pub fn report(&self) -> RunReport {
        let duration = Duration::from_millis(self.duration_ms.unwrap_or_default());
        let mut report = RunReport::new(self.run_id.clone(), self.created_at, duration);
        let mut sides: Vec<Sides<'_>> = Vec::new();
        let mut place_of: HashMap<(&str, &str), usize> = HashMap::new();
        for job in &self.jobs {
            for (at, result) in job.results.iter().enumerate() {
                let entry = entry(self, job, (report.jobs.len() + 1, at), result);
                let place = *place_of.entry((&job.url, &result.name)).or_insert_with(|| {
                    sides.push(Sides { title: entry.title.clone(), found: Vec::new() });
                    sides.len() - 1
                });
                sides[place].found.push((report.jobs.len(), job.region.as_deref(), result.state));
                report.jobs.push(entry);
            }
        }
        report.comparison = sides.into_iter().filter_map(Sides::compared).collect();
        report
    }
}

/// What one check of one page came to: the place of each entry, its region, and what it found.
struct Sides<'r> {
    title: String,
    found: Vec<(usize, Option<&'r str>, ResultState)>,
}

impl Sides<'_> {
    /// Side by side, if there is more than one region.
    fn compared(self) -> Option<ComparisonReport> {
        let (_, first, state) = *self.found.first()?;
        if self.found.iter().all(|(_, region, _)| *region == first) {
            return None;
        }
        let agree = self.found.iter().all(|(_, _, other)| *other == state);
        Some(ComparisonReport::new(self.title, agree, self.found.iter().map(|(at, ..)| *at).collect()))
    }
}

fn entry(
    run: &RunSummary,
    job: &RegionJob,
    (number, at): (usize, usize),
    result: &RegionResult,
) -> JobReport {
    let region = job.region.as_deref().unwrap_or("local");
    let name = format!("{number:03}-{}-{}", plain(&result.name), plain(region));
    let first = job.first_try.as_ref().and_then(|first| first.results.get(at));
    let title = format!("{} \u{b7} {}", result.name, job.url);
    let mut entry = JobReport::new(name, title, conclusion(run, job, result, first));
    entry.job = Some(job.job_id);
    entry.region.clone_from(&job.region);
    entry.duration = span(result.duration_ms.as_ref());
    entry.failure = failure(result).filter(|_| result.state != ResultState::Pass);
    entry.artifacts = result.artifacts.iter().map(artifact).collect();
    entry.missing.clone_from(&result.missing);
    entry.finding =
        job.finding.filter(|finding| tells_more(*finding, result)).map(|finding| finding.words().to_owned());
    entry.excused = match job.finding {
        Some(Finding::ExpectedToFail) => Some("the region is expected to fail".to_owned()),
        _ => None,
    };
    let tries = first.into_iter().chain([result]);
    let tries = (1..)
        .zip(tries)
        .map(|(number, found)| AttemptReport::new(number, outcome(found), span(found.duration_ms.as_ref())));
    entry.attempts = tries.collect();
    entry
}

/// Whether a finding tells of a result what its conclusion does not.
const fn tells_more(finding: Finding, result: &RegionResult) -> bool {
    finding.tells_of(result.state) && !matches!(finding, Finding::Flaky | Finding::ExpectedToFail)
}

fn conclusion(
    run: &RunSummary,
    job: &RegionJob,
    result: &RegionResult,
    first: Option<&RegionResult>,
) -> Conclusion {
    match (result.state, job.state) {
        (ResultState::Pass, _) if first.is_some_and(|first| first.state == ResultState::Fail) => {
            Conclusion::Flaky
        }
        (ResultState::Pass, _) => Conclusion::Passed,
        (ResultState::Fail, _) => Conclusion::Failed,
        (ResultState::Error, RunState::TimedOut) => Conclusion::TimedOut,
        (ResultState::Error, RunState::Failed) if run.conclusion == Some(Conclusion::Cancelled) => {
            Conclusion::Cancelled
        }
        (ResultState::Error, _) => Conclusion::Errored,
    }
}

fn outcome(result: &RegionResult) -> Outcome {
    match result.state {
        ResultState::Pass => Outcome::Passed,
        ResultState::Fail => Outcome::Failed,
        ResultState::Error => {
            Outcome::Errored(Fault::permanent("no_verdict", failure(result).unwrap_or_default()))
        }
    }
}

/// Why it did not pass, in one line.
fn failure(result: &RegionResult) -> Option<String> {
    let message = result.error_message.as_deref()?;
    Some(message.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn artifact(artifact: &ResultArtifact) -> ArtifactReport {
    let ResultArtifact { name, digest, length, media_type } = artifact;
    ArtifactReport::new(name.clone(), Some(format!("artifacts/{digest}")), media_type.clone(), *length)
}

fn span(millis: Option<&Number>) -> Duration {
    let seconds = millis.and_then(Number::as_f64).map(|millis| millis / 1000.0);
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or_default()
}

/// What is fit to be part of the name of a file anywhere.
fn plain(text: &str) -> String {
    let letters = text.chars().take(NAME_CHARACTERS_MAX);
    letters.map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rules::orchestration::{
            course::{Course, EndedTry},
            fan_out::fan_out,
        },
        values::{
            digest::Digest,
            orchestration::{AskedCheck, OrchestrationRequest, RunState},
            time::Timestamp,
        },
    };

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn summary() -> RunSummary {
        let asked = |region| AskedCheck::new("has a/title", "https://a").in_region(region);
        let mut request = OrchestrationRequest::remote([asked("eu"), asked("us"), asked("hk"), asked("br")]);
        request.options.expected_to_fail.insert("br".to_owned());
        let mut course = Course::new(fan_out(&request).into(), request.options);
        let mut end = |at, number, state, result: RegionResult| {
            let results = vec![result];
            let (error, notes) = (None, Vec::new());
            course.end(at, EndedTry { number, state, results, error, notes, started_at: NOW, ended_at: NOW });
        };
        let mut passed =
            RegionResult::new("has a/title", ResultState::Pass).with_duration(Duration::from_millis(1500));
        passed.artifacts = vec![ResultArtifact::new("shot.png", Digest::of(b"x"), 1, "image/png")];
        let failed = RegionResult {
            error_message: Some("no\n  title".to_owned()),
            ..RegionResult::new("has a/title", ResultState::Fail)
        };
        end(0, 1, RunState::Completed, passed.clone());
        passed.missing = vec!["film.webm: stays there".to_owned()];
        end(1, 1, RunState::TimedOut, RegionResult::errored("has a/title", "late"));
        end(3, 1, RunState::Completed, failed.clone());
        end(2, 1, RunState::Completed, passed.clone());
        end(1, 2, RunState::TimedOut, RegionResult::errored("has a/title", "late"));
        RunSummary {
            run_id: "nightly".to_owned(),
            state: RunState::Running,
            jobs: course.jobs([1; 16], NOW),
            summary: course.summary(),
            created_at: NOW,
            completed_at: None,
            duration_ms: Some(2000),
            conclusion: None,
            tags: Vec::new(),
        }
    }

    #[test]
    fn every_result_is_an_entry_with_its_region_its_tries_and_what_it_left() {
        let report = summary().report();
        let told: Vec<_> = report
            .jobs
            .iter()
            .map(|job| (job.name.as_str(), job.conclusion, job.attempts.len(), job.excused.is_some()))
            .collect();
        let expected = [
            ("001-has-a-title-eu", Conclusion::Passed, 1, false),
            ("002-has-a-title-us", Conclusion::TimedOut, 2, false),
            ("003-has-a-title-hk", Conclusion::Passed, 1, false),
            ("004-has-a-title-br", Conclusion::Failed, 1, true),
        ];
        assert_eq!(told, expected);
        assert_eq!(report.jobs[0].duration, Duration::from_millis(1500));
        let path = format!("artifacts/{}", Digest::of(b"x"));
        assert_eq!(report.jobs[0].artifacts[0].path, Some(path));
        assert_eq!(report.jobs[2].missing, ["film.webm: stays there"]);
        assert_eq!(report.jobs[3].failure.as_deref(), Some("no title"));
        assert_eq!((report.title.as_str(), report.duration), ("nightly", Duration::from_secs(2)));
    }

    #[test]
    fn what_was_asked_for_in_more_than_one_region_is_compared() {
        let mut run = summary();
        let compared = run.report().comparison;
        assert_eq!(compared.len(), 1);
        assert_eq!((&compared[0].jobs[..], compared[0].agree), (&[0, 1, 2, 3][..], false));
        assert_eq!(compared[0].title, "has a/title \u{b7} https://a");
        run.jobs
            .iter_mut()
            .flat_map(|job| &mut job.results)
            .for_each(|result| result.state = ResultState::Pass);
        assert!(run.report().comparison[0].agree);
        // Another page is another check, and one region alone is beside nothing.
        run.jobs[0].url = "https://b".to_owned();
        assert_eq!(run.report().comparison[0].jobs, [1, 2, 3]);
        run.jobs.truncate(1);
        assert_eq!(run.report().comparison, []);
    }

    #[test]
    fn what_passed_at_its_second_try_is_flaky_and_what_was_stopped_is_cancelled() {
        let mut run = summary();
        let job = &mut run.jobs[1];
        job.state = RunState::Failed;
        run.conclusion = Some(Conclusion::Cancelled);
        assert_eq!(run.report().jobs[1].conclusion, Conclusion::Cancelled);
        let job = &mut run.jobs[1];
        job.results[0].state = ResultState::Pass;
        assert_eq!(run.report().jobs[1].conclusion, Conclusion::Passed, "its first try had no verdict");
        let job = &mut run.jobs[1];
        job.first_try.as_mut().unwrap().results[0].state = ResultState::Fail;
        assert_eq!(run.report().jobs[1].conclusion, Conclusion::Flaky);
    }
}
