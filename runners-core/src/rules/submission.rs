//! What a submission must keep to before a job is made of it.

mod sharing;

use crate::values::{
    digest::Digest,
    id::{JobId, TenantId},
    job::{JobOptions, JobSpec},
    reply::{RefusalCode, Refused},
    request::{Submission, SubmitRequest},
    retry::RetryPolicy,
    secret::Secret,
    time::Timestamp,
};
use std::time::Duration;

/// The largest number of bytes in a name.
pub(crate) const NAME_BYTES_MAX: usize = JobOptions::NAME_BYTES_MAX;

/// Reads the specification of a submission that is made `now`, and checks every field against its limit.
pub(crate) fn check(submission: &Submission, tenant: TenantId, now: Timestamp) -> Result<JobSpec, Refused> {
    if submission.spec.len() > SubmitRequest::SPEC_BYTES_MAX {
        return Err(over_limit("spec", submission.spec.len(), SubmitRequest::SPEC_BYTES_MAX, "bytes"));
    }
    let spec: JobSpec = serde_json::from_slice(submission.spec.as_bytes())
        .map_err(|error| invalid("spec", &format!("is not a job specification: {error}")))?;
    if spec.tenant.is_some_and(|named| named != tenant) {
        return Err(Refused::new(RefusalCode::Forbidden, "spec.tenant: is not the one you speak for"));
    }
    check_payload(submission, &spec)?;
    check_names(&spec)?;
    check_trust(submission, &spec)?;
    check_times(&spec)?;
    check_start(&spec, now)?;
    Ok(spec)
}

fn check_payload(submission: &Submission, spec: &JobSpec) -> Result<(), Refused> {
    match (&submission.payload, submission.payload_artifact) {
        (Some(payload), None) if payload.len() > SubmitRequest::PAYLOAD_BYTES_MAX => {
            let mut refused = over_limit("payload", payload.len(), SubmitRequest::PAYLOAD_BYTES_MAX, "bytes");
            refused.detail.push_str("; put it as an artifact and name its digest instead");
            Err(refused)
        }
        (Some(payload), None) if Digest::of(payload.as_bytes()) != spec.payload_digest => {
            Err(invalid("spec.payload_digest", "is not the SHA-256 of the payload"))
        }
        (None, Some(artifact)) if artifact != spec.payload_digest => {
            Err(invalid("spec.payload_digest", "is not the digest of the artifact"))
        }
        (Some(_), None) | (None, Some(_)) => Ok(()),
        _ => Err(invalid("payload", "give either the payload or the artifact that holds it")),
    }
}

fn check_names(spec: &JobSpec) -> Result<(), Refused> {
    name("spec.kind", &spec.kind)?;
    name("spec.pool", &spec.pool)?;
    spec.environment.iter().try_for_each(|environment| name("spec.environment", environment))?;
    for (field, labels) in [("spec.wanted", &spec.wanted), ("spec.refused", &spec.refused)] {
        if labels.len() > JobOptions::LABELS_MAX {
            return Err(over_limit(field, labels.len(), JobOptions::LABELS_MAX, "labels"));
        }
        labels.iter().try_for_each(|label| name(field, label))?;
    }
    sharing::check(spec)?;
    spec.unique.iter().try_for_each(|key| name("spec.unique", key))?;
    if spec.capture.len() > JobOptions::CAPTURE_MAX {
        return Err(over_limit("spec.capture", spec.capture.len(), JobOptions::CAPTURE_MAX, "words"));
    }
    spec.capture.iter().try_for_each(|word| name("spec.capture", word))?;
    spec.title.iter().try_for_each(|title| line("spec.title", title, JobOptions::TITLE_BYTES_MAX))?;
    if spec.after.len() > JobOptions::AFTER_MAX {
        return Err(over_limit("spec.after", spec.after.len(), JobOptions::AFTER_MAX, "jobs"));
    }
    if !spec.after.is_empty() && spec.run.is_none() {
        return Err(invalid("spec.after", "only jobs of the same run can be waited for: name the run"));
    }
    if spec.after.contains(&spec.job) {
        return Err(invalid("spec.after", "a job cannot wait for itself"));
    }
    Ok(())
}

/// The secrets it names, and what its signature says.
fn check_trust(submission: &Submission, spec: &JobSpec) -> Result<(), Refused> {
    if spec.secrets.len() > JobOptions::SECRETS_MAX {
        return Err(over_limit("spec.secrets", spec.secrets.len(), JobOptions::SECRETS_MAX, "names"));
    }
    if let Some(bad) = spec.secrets.iter().find(|name| !Secret::is_name(name)) {
        let limit = Secret::NAME_BYTES_MAX;
        let problem =
            format!("{bad:?} is not 1 to {limit} letters, digits, `-`, `_` or `.`, the first not a dot");
        return Err(invalid("spec.secrets", &problem));
    }
    if spec.audience.len() > JobOptions::AUDIENCE_MAX {
        return Err(over_limit("spec.audience", spec.audience.len(), JobOptions::AUDIENCE_MAX, "names"));
    }
    spec.audience.iter().try_for_each(|audience| name("spec.audience", audience))?;
    let length = submission.signature.as_ref().map_or(0, String::len);
    if length > SubmitRequest::SIGNATURE_BYTES_MAX {
        return Err(over_limit("signature", length, SubmitRequest::SIGNATURE_BYTES_MAX, "bytes"));
    }
    Ok(())
}

fn check_times(spec: &JobSpec) -> Result<(), Refused> {
    let limit = RetryPolicy::ATTEMPTS_LIMIT;
    if !(1..=limit).contains(&spec.retry.attempts_max) {
        return Err(invalid("spec.retry.attempts_max", &format!("must be from 1 to {limit}")));
    }
    if spec.retry.losses_max > limit {
        return Err(invalid("spec.retry.losses_max", &format!("must be at most {limit}")));
    }
    span("spec.timeout_ms", spec.timeout, Duration::from_millis(1), JobOptions::TIMEOUT_MAX)?;
    span("spec.grace_ms", spec.grace, Duration::ZERO, JobOptions::GRACE_MAX)?;
    span("spec.retry.backoff_ms", spec.retry.backoff, Duration::ZERO, JobOptions::TIMEOUT_MAX)?;
    span("spec.retry.backoff_max_ms", spec.retry.backoff_max, Duration::ZERO, JobOptions::TIMEOUT_MAX)
}

/// Whether it may start before it expires.
fn check_start(spec: &JobSpec, now: Timestamp) -> Result<(), Refused> {
    match (spec.start_at, spec.queue_ttl) {
        (Some(start_at), Some(ttl)) if start_at >= now + ttl => Err(invalid(
            "spec.start_at",
            "is later than spec.queue_ttl_ms allows, which counts from now: it would expire before it may start",
        )),
        _ => Ok(()),
    }
}

/// The digest of everything that is asked for but the id, and of which job it is a retry: two jobs that
/// ask for the same have the same. Until when a signature is good is no part of what is asked for: it follows
/// from when that is.
pub(crate) fn body_digest(spec: &JobSpec) -> Digest {
    let body = JobSpec {
        job: JobId::from_bytes([0; 16]),
        tenant: None,
        trace: None,
        title: None,
        not_after: None,
        retry_of: None,
        ..spec.clone()
    };
    Digest::of(&serde_json::to_vec(&body).expect("a specification is plain data"))
}

/// Checks a name that a caller chose: not empty, not too long, no control characters.
pub(crate) fn name(field: &str, name: &str) -> Result<(), Refused> {
    line(field, name, JobOptions::NAME_BYTES_MAX)
}

/// Checks a text on one line that a caller wrote.
fn line(field: &str, line: &str, bytes_max: usize) -> Result<(), Refused> {
    if line.is_empty() {
        return Err(invalid(field, "must not be empty"));
    }
    if line.len() > bytes_max {
        return Err(over_limit(field, line.len(), bytes_max, "bytes"));
    }
    if line.chars().any(char::is_control) {
        return Err(invalid(field, "must not hold control characters"));
    }
    Ok(())
}

/// Checks a longer text that a caller wrote, which may be empty.
pub(crate) fn text(field: &str, text: &str, bytes_max: usize) -> Result<(), Refused> {
    if text.len() > bytes_max {
        return Err(over_limit(field, text.len(), bytes_max, "bytes"));
    }
    Ok(())
}

/// Checks how long something is to be good for.
pub(crate) fn life(field: &str, life: Duration, max: Duration) -> Result<(), Refused> {
    if life.is_zero() || life > max {
        return Err(invalid(field, &format!("must be above 0 s and at most {} s", max.as_secs())));
    }
    Ok(())
}

fn span(field: &str, span: Duration, min: Duration, max: Duration) -> Result<(), Refused> {
    if span < min || span > max {
        let (min, max) = (min.as_millis(), max.as_millis());
        return Err(invalid(field, &format!("must be from {min} to {max}, and is {}", span.as_millis())));
    }
    Ok(())
}

pub(crate) fn over_limit(field: &str, found: usize, limit: usize, unit: &str) -> Refused {
    invalid(field, &format!("has {found} {unit}, and the limit is {limit}"))
}

fn invalid(field: &str, problem: &str) -> Refused {
    Refused::new(RefusalCode::Invalid, format!("{field}: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::opaque::Opaque;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn submission(change: impl FnOnce(&mut JobSpec)) -> Submission {
        let payload = Opaque::new(&b"{}"[..]);
        let mut spec =
            JobSpec::new(JobId::from_bytes([1; 16]), "visit", payload.as_bytes(), JobOptions::default());
        change(&mut spec);
        let spec = serde_json::to_vec(&spec).unwrap().into();
        Submission { spec, signature: None, payload: Some(payload), payload_artifact: None }
    }

    fn problem(submission: &Submission) -> String {
        check(submission, TenantId::DEFAULT, NOW).unwrap_err().detail
    }

    #[test]
    fn a_plain_submission_is_accepted() {
        assert!(check(&submission(|_| {}), TenantId::DEFAULT, NOW).is_ok());
    }

    #[test]
    fn a_job_that_would_expire_before_it_may_start_is_refused() {
        let starting = |millis: u64| {
            submission(move |spec| {
                spec.start_at = Some(NOW + Duration::from_millis(millis));
                spec.queue_ttl = Some(Duration::from_secs(1));
            })
        };
        assert!(check(&starting(999), TenantId::DEFAULT, NOW).is_ok());
        let told = problem(&starting(1000));
        assert!(told.starts_with("spec.start_at: is later than spec.queue_ttl_ms allows"), "{told}");
    }

    #[test]
    fn each_refusal_names_the_field_and_the_limit() {
        assert!(problem(&submission(|spec| spec.kind.clear())).starts_with("spec.kind: must not be empty"));
        let long = submission(|spec| spec.pool = "x".repeat(101));
        assert_eq!(problem(&long), "spec.pool: has 101 bytes, and the limit is 100");
        let never = submission(|spec| spec.retry.attempts_max = 0);
        assert_eq!(problem(&never), "spec.retry.attempts_max: must be from 1 to 100");
        let instant = submission(|spec| spec.timeout = Duration::ZERO);
        assert!(problem(&instant).starts_with("spec.timeout_ms: must be from 1 to"));
        let lonely = submission(|spec| spec.after = vec![JobId::from_bytes([2; 16])]);
        assert!(problem(&lonely).starts_with("spec.after: only jobs of the same run"));
        let nosy = submission(|spec| spec.secrets = (0..17).map(|number| format!("s{number}")).collect());
        assert_eq!(problem(&nosy), "spec.secrets: has 17 names, and the limit is 16");
        let greedy = submission(|spec| spec.capture = (0..9).map(|number| format!("w{number}")).collect());
        assert_eq!(problem(&greedy), "spec.capture: has 9 words, and the limit is 8");
        let path = submission(|spec| spec.secrets = ["../etc/passwd".to_owned()].into());
        assert!(problem(&path).starts_with("spec.secrets: \"../etc/passwd\" is not 1 to 64 letters"));
        let wide = submission(|spec| spec.audience = (0..33).map(|number| format!("p{number}")).collect());
        assert_eq!(problem(&wide), "spec.audience: has 33 names, and the limit is 32");
        let long = Submission { signature: Some("x".repeat(201)), ..submission(|_| {}) };
        assert_eq!(problem(&long), "signature: has 201 bytes, and the limit is 200");
    }

    #[test]
    fn another_payload_than_the_one_digested_is_refused() {
        let mut other = submission(|_| {});
        other.payload = Some(Opaque::new(&b"[]"[..]));
        assert_eq!(problem(&other), "spec.payload_digest: is not the SHA-256 of the payload");
        other.payload = None;
        assert!(problem(&other).starts_with("payload: give either"));
    }

    #[test]
    fn another_tenant_than_the_callers_is_forbidden() {
        let foreign = submission(|spec| spec.tenant = Some(TenantId::OPERATOR));
        assert_eq!(check(&foreign, TenantId::DEFAULT, NOW).unwrap_err().code, RefusalCode::Forbidden);
    }
}
