//! JUnit XML, as CI servers read it: a suite for the run, a case for each job.

use quick_junit::{FlakyOrRerun, NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};
use runners_core::{
    Conclusion, Outcome,
    report::{JobReport, RunReport, StepState},
};
use std::fmt::Write as _;

/// Writes a run as JUnit XML.
///
/// A failed verdict and a timeout are a `failure`, trouble without a verdict is an `error`, and what
/// was cancelled or has expired is `skipped`, as is what did not pass and was excused. A flaky job passed, and has its failed attempts as
/// `flakyFailure`. The steps are in `system-out`, and behind them a line `[[ATTACHMENT|path]]` for
/// each artifact, from which several CI servers make a link; what went wrong in the page is in
/// `system-err`.
#[must_use]
pub fn junit(run: &RunReport) -> String {
    let mut suite = TestSuite::new(foreign(&run.title));
    suite.timestamp = run.started_at.to_string().parse().ok();
    suite.set_time(run.duration).add_test_cases(run.jobs.iter().map(case));
    let mut report = Report::new("runners");
    report.timestamp = suite.timestamp;
    report.set_time(run.duration).add_test_suite(suite);
    report.to_string().expect("invariant: text in memory takes every write")
}

fn case(job: &JobReport) -> TestCase {
    let mut case = TestCase::new(foreign(&job.title), state(job));
    case.set_classname(foreign(job.file.as_deref().unwrap_or(&job.name))).set_time(job.duration);
    if let Some(id) = job.job {
        case.add_property(("job", id.to_string().as_str()));
    }
    case.add_property(("conclusion", job.conclusion.words()));
    if let Some(region) = &job.region {
        case.add_property(("region", &*foreign(region)));
    }
    if let Some(excused) = &job.excused {
        case.add_property(("excused", &*foreign(excused)));
    }
    let said = said(job);
    if !said.is_empty() {
        case.set_system_out(said);
    }
    if !job.page_errors.is_empty() {
        case.set_system_err(foreign(&job.page_errors.join("\n")));
    }
    case
}

fn state(job: &JobReport) -> TestCaseStatus {
    let excused = job.excused.as_ref().filter(|_| !job.conclusion.is_passed());
    let mut state = match job.conclusion {
        _ if excused.is_some() => TestCaseStatus::skipped(),
        Conclusion::Passed | Conclusion::Flaky => TestCaseStatus::success(),
        Conclusion::Failed | Conclusion::TimedOut => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Conclusion::Cancelled | Conclusion::Expired => TestCaseStatus::skipped(),
        _ => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if !job.conclusion.is_passed() {
        let why = job.failure.as_deref().or(excused.map(|why| &**why));
        state.set_message(foreign(why.unwrap_or_else(|| job.conclusion.words())));
        state.set_type(job.conclusion.words());
    }
    let earlier = job.attempts.len().saturating_sub(1);
    let flaky = job.conclusion == Conclusion::Flaky;
    if flaky || (job.conclusion == Conclusion::Failed && excused.is_none()) {
        state.add_reruns(job.attempts.iter().take(earlier).map(|attempt| {
            let mut rerun = TestRerun::new(match attempt.outcome {
                Outcome::Failed | Outcome::TimedOut => NonSuccessKind::Failure,
                _ => NonSuccessKind::Error,
            });
            rerun.set_time(attempt.duration).set_message(format!(
                "attempt {}: {}",
                attempt.number,
                crate::words::outcome(&attempt.outcome)
            ));
            rerun
        }));
        state.set_rerun_kind(if flaky { FlakyOrRerun::Flaky } else { FlakyOrRerun::Rerun });
    }
    state
}

fn said(job: &JobReport) -> String {
    let mut text = String::new();
    for (index, step) in job.steps.iter().enumerate() {
        let (state, ms) = (step.state.words(), step.duration.as_millis());
        let tried =
            if step.retries > 0 { format!(" (tried {} times more)", step.retries) } else { String::new() };
        let what = step.reason.as_ref().filter(|_| step.state != StepState::NotRun).unwrap_or(&step.title);
        let what = foreign(what).replace(['\r', '\n'], " ");
        let _ = writeln!(text, "{:>3}  {state:<7} {ms:>6} ms  {what}{tried}", index + 1);
    }
    for artifact in job.artifacts.iter().filter_map(|artifact| artifact.path.as_ref()) {
        let _ = writeln!(text, "[[ATTACHMENT|{artifact}]]");
    }
    text
}

/// What somebody else has written: it attaches no file of the CI server's, and has no character that XML 1.0 (section
/// 2.2) has no room for and its writer lets through.
fn foreign(text: &str) -> String {
    text.replace("[[ATTACHMENT", "[[\u{200b}ATTACHMENT").replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
