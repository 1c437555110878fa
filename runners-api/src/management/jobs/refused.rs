//! Jobs that are refused: where in the request it is that something is wrong.

use crate::wire::problem::Problem;
use runners_core::protocol::{RefusalCode, Refused};

/// What is wrong with one job of a request.
#[derive(Debug)]
pub(crate) struct RefusedJob {
    pub(crate) code: RefusalCode,
    pub(crate) path: Option<String>,
    pub(crate) detail: String,
}

/// Where in its request a job stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// In the list `jobs`.
    Job(usize),
    /// The request is about one job, of a flow of the library.
    Flow,
}

impl RefusedJob {
    /// Names the place in the request. `is_drawn` says that the id of the job was made of an
    /// `Idempotency-Key`.
    pub(crate) fn new(at: Place, is_drawn: bool, Refused { code, detail, .. }: Refused) -> Self {
        let Some((field, problem)) = detail.split_once(": ").filter(|(field, _)| is_field(field)) else {
            return Self { code, path: None, detail };
        };
        // It is told of for a day, and its job is kept for longer.
        if is_drawn && code == RefusalCode::Conflict && field == "spec.job" {
            let problem = "another request was made under this key: choose a new one for each";
            return Self {
                code: RefusalCode::KeyReused,
                path: Some("Idempotency-Key".to_owned()),
                detail: format!("Idempotency-Key: {problem}"),
            };
        }
        let problem = at.told(problem);
        match at.path(field) {
            Some(path) => Self { code, detail: format!("{path}: {problem}"), path: Some(path) },
            None => Self { code, detail: problem, path: None },
        }
    }
}

impl From<RefusedJob> for Problem {
    fn from(RefusedJob { code, path, detail }: RefusedJob) -> Self {
        let problem = Self::from(Refused::new(code, detail));
        match path {
            Some(path) => problem.at(path),
            None => problem,
        }
    }
}

/// Whether the rules mean a field of a submission.
fn is_field(text: &str) -> bool {
    text == "spec" || text == "payload" || text.starts_with("spec.") && !text.contains(' ')
}

impl Place {
    /// What is wrong, with further fields that it names as they are called here.
    fn told(self, problem: &str) -> String {
        let word = |word: &str| word.starts_with("spec.").then(|| self.path(word)).flatten();
        let words = problem.split(' ').map(|text| word(text).unwrap_or_else(|| text.to_owned()));
        words.collect::<Vec<_>>().join(" ")
    }

    /// Where the field of a specification stands in the request, if it does.
    fn path(self, field: &str) -> Option<String> {
        let field = field.strip_prefix("spec").map_or(field, |field| field.trim_start_matches('.'));
        match (self, field) {
            (Self::Job(at), "") => Some(format!("jobs[{at}]")),
            // All jobs of a request are of the same run.
            (Self::Job(_), "run") => Some("run.id".to_owned()),
            (Self::Job(at), _) => Some(format!("jobs[{at}].{}", on_the_wire(field))),
            (Self::Flow, "" | "kind" | "payload") => None,
            (Self::Flow, "run") => Some("runId".to_owned()),
            (Self::Flow, _) => Some(on_the_wire(field)),
        }
    }
}

/// What a field of a specification is called here.
fn on_the_wire(field: &str) -> String {
    let name = match field {
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
    format!("{before}{dot}{last}")
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
            let flow = RefusedJob::new(Place::Flow, true, refused.clone());
            let place = told.strip_prefix("jobs[2].").filter(|place| *place != "payload");
            assert_eq!(flow.path.as_deref(), if told == "run.id" { Some("runId") } else { place });
            let job = RefusedJob::new(Place::Job(2), true, refused);
            assert_eq!((job.path.as_deref(), job.detail), (Some(told), format!("{told}: is wrong: mend it")));
        }
        let both =
            Refused::new(RefusalCode::Invalid, "spec.start_at: is later than spec.queue_ttl_ms allows");
        let both = RefusedJob::new(Place::Job(1), true, both);
        assert_eq!(both.detail, "jobs[1].startAtUtc: is later than jobs[1].queueTtlMs allows");
        let other = RefusedJob::new(
            Place::Job(0),
            true,
            Refused::new(RefusalCode::NotFound, "there is nothing: look"),
        );
        assert_eq!((other.path, &*other.detail), (None, "there is nothing: look"));
    }
}
