//! Jobs that are refused: where in the request it is that something is wrong.

use runners_core::protocol::{RefusalCode, Refused};

/// What is wrong with one job of a request.
#[derive(Debug)]
pub(super) struct RefusedJob {
    pub(super) code: String,
    pub(super) path: Option<String>,
    pub(super) detail: String,
}

impl RefusedJob {
    /// Names the place in the request in which the job stands `at`th. `is_drawn` says that its id was made of
    /// an `Idempotency-Key`.
    pub(super) fn new(at: usize, is_drawn: bool, Refused { code, detail, .. }: Refused) -> Self {
        let Some((field, problem)) = detail.split_once(": ").filter(|(field, _)| is_field(field)) else {
            return Self { code: code.to_string(), path: None, detail };
        };
        // It is told of for a day, and its job is kept for longer.
        if is_drawn && code == RefusalCode::Conflict && field == "spec.job" {
            let problem = "another request was made under this key: choose a new one for each";
            return Self {
                code: RefusalCode::KeyReused.to_string(),
                path: Some("Idempotency-Key".to_owned()),
                detail: format!("Idempotency-Key: {problem}"),
            };
        }
        let path = path(at, field);
        Self { code: code.to_string(), detail: format!("{path}: {problem}"), path: Some(path) }
    }
}

/// Whether the rules mean a field of a submission.
fn is_field(text: &str) -> bool {
    text == "spec" || text == "payload" || text.starts_with("spec.") && !text.contains(' ')
}

/// Where the field of a specification stands in the request.
fn path(at: usize, field: &str) -> String {
    let field = field.strip_prefix("spec").map_or(field, |field| field.trim_start_matches('.'));
    let name = match field {
        "" => return format!("jobs[{at}]"),
        // All jobs of a request are of the same run.
        "run" => return "run.id".to_owned(),
        "job" => "id",
        "runner" => "runnerId",
        "start_at" => "startAtUtc",
        "trace" => "traceparent",
        _ => field.strip_prefix("retry.").unwrap_or(field),
    };
    let (before, last) = name.rsplit_once('.').map_or(("", name), |(before, last)| (before, last));
    let last = match (before.split('[').next().unwrap_or_default(), last) {
        ("concurrency", "max") => "limit".to_owned(),
        ("fallbacks", "after_ms") => "waitMs".to_owned(),
        _ => in_camel_case(last),
    };
    let dot = if before.is_empty() { "" } else { "." };
    format!("jobs[{at}].{before}{dot}{last}")
}

fn in_camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        name + &initial.to_uppercase() + rest
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_the_rules_is_named_as_the_request_names_it() {
        for (field, told) in [
            ("spec", "jobs[2]"),
            ("payload", "jobs[2].payload"),
            ("spec.job", "jobs[2].id"),
            ("spec.run", "run.id"),
            ("spec.queue_ttl_ms", "jobs[2].queueTtlMs"),
            ("spec.retry.backoff_max_ms", "jobs[2].backoffMaxMs"),
            ("spec.concurrency[1].max", "jobs[2].concurrency[1].limit"),
            ("spec.fallbacks[0].after_ms", "jobs[2].fallbacks[0].waitMs"),
            ("spec.fairness.weight", "jobs[2].fairness.weight"),
        ] {
            let refused = Refused::new(RefusalCode::Invalid, format!("{field}: is wrong: mend it"));
            let job = RefusedJob::new(2, true, refused);
            assert_eq!((job.path.as_deref(), job.detail), (Some(told), format!("{told}: is wrong: mend it")));
        }
        let other = RefusedJob::new(0, true, Refused::new(RefusalCode::NotFound, "there is nothing: look"));
        assert_eq!((other.path, &*other.detail), (None, "there is nothing: look"));
    }
}
