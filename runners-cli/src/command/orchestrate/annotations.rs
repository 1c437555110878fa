//! Annotations of GitHub Actions: a line of its own for each check that did not pass, which the server
//! shows beside the change.

use super::display::HERE;
use crate::terminal;
use runners_core::orchestration::{Finding, RegionJob, RegionResult, ResultState, RunSummary};
use std::env;

/// The variable that tells of GitHub Actions.
const VARIABLE: &str = "GITHUB_ACTIONS";

/// How many are printed: the server shows fewer of each step.
const ANNOTATIONS_MAX: usize = 50;

/// Prints them if this is GitHub Actions, where JSON is printed to standard error.
pub(super) fn print(summary: &RunSummary, is_json: bool) {
    if env::var_os(VARIABLE).is_none_or(|value| value != "true") {
        return;
    }
    for line in lines(summary).take(ANNOTATIONS_MAX) {
        if is_json { terminal::note(line) } else { terminal::print(line) }
    }
}

fn lines(summary: &RunSummary) -> impl Iterator<Item = String> {
    summary.jobs.iter().flat_map(|job| job.results.iter().filter_map(|result| line(job, result)))
}

fn line(job: &RegionJob, result: &RegionResult) -> Option<String> {
    let kind = match (job.finding, result.state) {
        (_, ResultState::Pass) => return None,
        (Some(Finding::ExpectedToFail), _) => "notice",
        _ => "error",
    };
    let region = job.region.as_deref().unwrap_or(HERE);
    let word = if result.state == ResultState::Fail { "failed" } else { "errored" };
    let title = property(&format!("{} {word} in {region}", result.name));
    let why = result.error_message.as_deref().unwrap_or("it did not say why");
    Some(format!("::{kind} title={title}::{}", message(&format!("{}: {why}", job.url))))
}

/// What is said, as the server reads it: it begins a command at the start of a line.
fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_page_says_begins_no_command_of_its_own() {
        let job = json!({
            "jobId": format!("job_{}", "1".repeat(32)), "region": "eu, west", "url": "https://a/?100%",
            "runners": ["a", "b", "c"], "state": "completed",
            "results": [
                { "name": "a:x", "status": "fail", "errorMessage": "no\r\n::set-env name=PATH::/evil" },
                { "name": "b", "status": "pass" },
                { "name": "c", "status": "error" },
            ],
        });
        let summary = json!({ "runId": "r", "state": "completed", "jobs": [job],
            "summary": { "total": 3, "passed": 1, "failed": 1, "errored": 1 },
            "createdAt": "2026-01-31T12:00:00.000Z" });
        let summary: RunSummary = serde_json::from_value(summary).unwrap();
        let lines: Vec<String> = lines(&summary).collect();
        assert_eq!(
            lines,
            [
                "::error title=a%3Ax failed in eu%2C west::https://a/?100%25: no%0D%0A::set-env name=PATH::/evil",
                "::error title=c errored in eu%2C west::https://a/?100%25: it did not say why",
            ]
        );
    }
}
