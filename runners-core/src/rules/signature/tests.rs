//! Each thing that a signature must say, left out or said wrongly.

use super::*;
use crate::values::{id::JobId, job::JobOptions, signature::SigningKey};

const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);
const TENANT: TenantId = TenantId::from_bytes([3; 16]);

fn key() -> SigningKey {
    SigningKey::from_seed([7; 32])
}

fn policy() -> SignaturePolicy {
    SignaturePolicy {
        keys: vec![(TENANT, key().verifying_key())],
        demanded: true,
        audience: ["production".to_owned()].into(),
    }
}

fn spec(change: impl FnOnce(&mut JobSpec)) -> JobSpec {
    let options = JobOptions { pool: "production".to_owned(), ..JobOptions::default() };
    let mut spec = JobSpec::new(JobId::from_bytes([1; 16]), "visit", b"{}", options);
    spec.tenant = Some(TENANT);
    spec.not_after = Some(NOW + Duration::from_secs(3600));
    change(&mut spec);
    spec
}

/// What a runner says of a job that is signed as it stands.
fn said(policy: &SignaturePolicy, change: impl FnOnce(&mut JobSpec)) -> Result<(), String> {
    let spec = spec(change);
    let bytes = serde_json::to_vec(&spec).unwrap();
    policy.check(&spec, &bytes, Some(&key().sign(&bytes)), NOW)
}

#[test]
fn a_good_signature_is_believed() {
    assert_eq!(said(&policy(), |_| {}), Ok(()));
}

#[test]
fn a_job_without_a_signature_is_refused_only_where_they_are_demanded() {
    let unsigned = |policy: &SignaturePolicy| policy.check(&spec(|_| {}), b"{}", None, NOW);
    assert!(unsigned(&policy()).unwrap_err().contains("is not signed"));
    assert_eq!(unsigned(&SignaturePolicy { demanded: false, ..policy() }), Ok(()));
}

#[test]
fn a_signature_that_cannot_be_checked_is_not_believed_by_a_runner_that_trusts_somebody() {
    let spec = spec(|_| {});
    let by_nobody = |policy: &SignaturePolicy| policy.check(&spec, b"{}", Some("AAAA"), NOW);
    assert!(by_nobody(&SignaturePolicy { demanded: false, ..policy() }).is_err());
    assert!(by_nobody(&SignaturePolicy { keys: Vec::new(), ..policy() }).is_err());
    assert_eq!(by_nobody(&SignaturePolicy::default()), Ok(()));
}

#[test]
fn a_key_speaks_only_for_the_tenant_it_is_trusted_for() {
    let told = said(&policy(), |spec| spec.tenant = Some(TenantId::DEFAULT)).unwrap_err();
    assert!(told.contains("trusts no key of"), "{told}");
    assert!(said(&policy(), |spec| spec.tenant = None).unwrap_err().contains("names no tenant"));
    let mut both = policy();
    both.keys.push((TenantId::DEFAULT, SigningKey::from_seed([8; 32]).verifying_key()));
    assert!(said(&both, |spec| spec.tenant = Some(TenantId::DEFAULT)).unwrap_err().contains("by no key"));
    assert_eq!(said(&both, |_| {}), Ok(()));
}

#[test]
fn a_job_is_for_its_audience_alone() {
    assert!(said(&policy(), |spec| spec.pool = "staging".to_owned()).unwrap_err().contains("staging"));
    let environment = |spec: &mut JobSpec| spec.audience = ["staging".to_owned(), "test".to_owned()].into();
    assert!(said(&policy(), environment).unwrap_err().contains("staging, test"));
    let mut answers = policy();
    answers.audience.insert("test".to_owned());
    assert_eq!(said(&answers, environment), Ok(()));
}

#[test]
fn a_signature_ends() {
    let ends = |at: Timestamp| said(&policy(), |spec| spec.not_after = Some(at));
    assert_eq!(ends(NOW - CLOCK_SKEW_MAX), Ok(()));
    assert!(ends(NOW - CLOCK_SKEW_MAX - Duration::from_millis(1)).unwrap_err().contains("was good until"));
    assert!(said(&policy(), |spec| spec.not_after = None).unwrap_err().contains("not_after"));
}

#[test]
fn a_signature_does_not_begin_before_its_time() {
    let begins = |at: Timestamp| said(&policy(), |spec| spec.start_at = Some(at));
    assert_eq!(begins(NOW + CLOCK_SKEW_MAX), Ok(()));
    assert!(begins(NOW + CLOCK_SKEW_MAX + Duration::from_millis(1)).unwrap_err().contains("not before"));
}

#[test]
fn neither_another_jobs_signature_nor_other_bytes_of_the_same_job_pass() {
    let (one, other) = (spec(|_| {}), spec(|spec| spec.job = JobId::from_bytes([2; 16])));
    let bytes = |spec: &JobSpec| serde_json::to_vec(spec).unwrap();
    let signature = key().sign(&bytes(&one));
    assert!(
        policy().check(&other, &bytes(&other), Some(&signature), NOW).unwrap_err().contains("another job")
    );
    let again = serde_json::to_vec_pretty(&one).unwrap();
    assert!(policy().check(&one, &again, Some(&signature), NOW).is_err());
    let looser = spec(|spec| spec.timeout *= 2);
    assert!(policy().check(&looser, &bytes(&looser), Some(&signature), NOW).is_err());
}
