//! CTRF, the common test report format, as its published schema says.

use runners_core::{
    Conclusion,
    report::{ArtifactReport, JobReport, RunReport, StepReport, StepState},
};
use serde_json::{Map, Value, json};

/// Writes a run as CTRF JSON.
///
/// A failed verdict and a timeout are `failed`, what was cancelled, has expired or was excused is `skipped`, and
/// trouble without a verdict is `other`; `rawStatus` has our own word.
#[must_use]
pub fn ctrf(run: &RunReport) -> String {
    let tests: Vec<Value> = run.jobs.iter().map(test).collect();
    let count = |state: &str| tests.iter().filter(|test| test["status"] == state).count();
    let start = run.started_at.as_millis();
    let duration = millis(run.duration);
    let summary = json!({
        "tests": tests.len(),
        "passed": count("passed"),
        "failed": count("failed"),
        "skipped": count("skipped"),
        "pending": 0,
        "other": count("other"),
        "flaky": run.counts().flaky,
        "start": start,
        "stop": start.saturating_add(duration),
        "duration": duration,
    });
    let document = json!({
        "reportFormat": "CTRF",
        "specVersion": "0.0.0",
        "generatedBy": "runners",
        "results": {
            "tool": { "name": "runners", "version": env!("CARGO_PKG_VERSION") },
            "summary": summary,
            "tests": tests,
        },
    });
    format!("{document:#}\n")
}

fn test(job: &JobReport) -> Value {
    let retries = job.attempts.len().saturating_sub(1);
    let mut test = json!({
        "name": if job.title.is_empty() { &job.name } else { &job.title },
        "status": state(job),
        "rawStatus": job.conclusion.words(),
        "duration": millis(job.duration),
        "type": "e2e",
        "retries": retries,
        "flaky": job.conclusion == Conclusion::Flaky,
        "steps": job.steps.iter().map(step).collect::<Vec<_>>(),
        "attachments": job.artifacts.iter().filter_map(attachment).collect::<Vec<_>>(),
    });
    let mut extra = Map::new();
    extra.insert("name".to_owned(), json!(job.name));
    if let Some(id) = job.job {
        extra.insert("job".to_owned(), json!(id.to_string()));
    }
    if let Some(file) = &job.file {
        test["filePath"] = json!(file);
    }
    if let Some(failure) = &job.failure {
        test["message"] = json!(failure);
    }
    if !job.missing.is_empty() {
        extra.insert("missing".to_owned(), json!(job.missing));
    }
    if !job.page_errors.is_empty() {
        extra.insert("pageErrors".to_owned(), json!(job.page_errors));
    }
    if let Some(region) = &job.region {
        extra.insert("region".to_owned(), json!(region));
    }
    if let Some(excused) = &job.excused {
        extra.insert("excused".to_owned(), json!(excused));
    }
    test["extra"] = Value::Object(extra);
    test
}

fn step(step: &StepReport) -> Value {
    let state = match step.state {
        StepState::Passed => "passed",
        StepState::Failed => "failed",
        StepState::Excused | StepState::CutShort => "other",
        StepState::Skipped => "skipped",
        _ => "pending",
    };
    let mut extra = Map::new();
    extra.insert("duration".to_owned(), json!(millis(step.duration)));
    if let Some(reason) = &step.reason {
        extra.insert("reason".to_owned(), json!(reason));
    }
    if step.retries > 0 {
        extra.insert("retries".to_owned(), json!(step.retries));
    }
    json!({ "name": step.title, "status": state, "extra": extra })
}

fn attachment(artifact: &ArtifactReport) -> Option<Value> {
    let path = artifact.path.as_ref()?;
    Some(json!({ "name": artifact.name, "contentType": artifact.media_type, "path": path }))
}

fn state(job: &JobReport) -> &'static str {
    match job.conclusion {
        other if job.excused.is_some() && !other.is_passed() => "skipped",
        Conclusion::Passed | Conclusion::Flaky => "passed",
        Conclusion::Failed | Conclusion::TimedOut => "failed",
        Conclusion::Cancelled | Conclusion::Expired => "skipped",
        _ => "other",
    }
}

fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
