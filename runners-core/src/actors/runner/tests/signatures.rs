//! A runner that demands signatures, and a control plane that it does not believe.

use super::*;
use crate::values::{id::TenantId, result::Fault, signature::SigningKey};

fn key() -> SigningKey {
    SigningKey::from_seed([7; 32])
}

/// A runner of the pool `default` that executes only what the tenant `default` has signed.
fn bench() -> Bench {
    Bench::with(Script::passes(), Spool::memory(), |builder| {
        builder.trust([(TenantId::DEFAULT, key().verifying_key())]).audience(["default"]).demand_signatures()
    })
}

fn signed(bench: &Bench, change: impl FnOnce(&mut JobSpec)) -> Offer {
    let mut offer = offer(JobOptions::default());
    let mut spec: JobSpec = serde_json::from_slice(offer.spec.as_bytes()).unwrap();
    spec.tenant = Some(TenantId::DEFAULT);
    spec.not_after = Some(bench.clock.wall() + secs(3600));
    change(&mut spec);
    let bytes = serde_json::to_vec(&spec).unwrap();
    offer.signature = Some(key().sign(&bytes));
    offer.spec = bytes.into();
    offer
}

/// How an offer ended, and whether it was executed.
async fn ended(mut bench: Bench, offer: Offer) -> (Outcome, usize) {
    bench.call().await.answer(|answer| answer.offers = vec![offer]);
    let (_, finish) = bench.finished().await;
    (finish.outcome, bench.executor.executions().len())
}

/// Asserts that an offer is refused for good, and never executed.
async fn is_refused(bench: Bench, offer: Offer, why: &str) {
    let (outcome, executed) = ended(bench, offer).await;
    let Outcome::Errored(Fault { code, message, retryable, .. }) = outcome else {
        panic!("{outcome:?} is no fault")
    };
    assert_eq!((code.as_str(), retryable, executed), ("signature", false, 0));
    assert!(message.contains(why), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_its_tenant_signed_is_executed() {
    let bench = bench();
    let offer = signed(&bench, |_| {});
    assert_eq!(ended(bench, offer).await, (Outcome::Passed, 1));
}

#[tokio::test(start_paused = true)]
async fn a_job_without_a_signature_is_refused_by_who_demands_one() {
    is_refused(bench(), offer(JobOptions::default()), "is not signed").await;
}

#[tokio::test(start_paused = true)]
async fn a_job_of_another_tenant_or_for_another_pool_is_refused() {
    let stranger = bench();
    let offer = signed(&stranger, |spec| spec.tenant = Some(TenantId::OPERATOR));
    is_refused(stranger, offer, "trusts no key").await;
    let elsewhere = bench();
    let offer = signed(&elsewhere, |spec| spec.pool = "staging".to_owned());
    is_refused(elsewhere, offer, "signed for staging").await;
}

#[tokio::test(start_paused = true)]
async fn a_job_is_refused_once_its_signature_has_ended() {
    let bench = bench();
    let offer = signed(&bench, |_| {});
    bench.clock.step_wall(2 * 3600 * 1000);
    is_refused(bench, offer, "was good until").await;
}

#[tokio::test(start_paused = true)]
async fn bytes_that_were_serialised_anew_or_changed_are_refused() {
    let pretty = bench();
    let mut offer = signed(&pretty, |_| {});
    let spec: JobSpec = serde_json::from_slice(offer.spec.as_bytes()).unwrap();
    offer.spec = serde_json::to_vec_pretty(&spec).unwrap().into();
    is_refused(pretty, offer, "by no key").await;
    let longer = bench();
    let mut offer = signed(&longer, |_| {});
    let spec = JobSpec { timeout: secs(1), ..serde_json::from_slice(offer.spec.as_bytes()).unwrap() };
    offer.spec = serde_json::to_vec(&spec).unwrap().into();
    is_refused(longer, offer, "by no key").await;
}

#[tokio::test(start_paused = true)]
async fn another_jobs_signature_is_none() {
    let bench = bench();
    let other = signed(&bench, |spec| spec.job = JobId::from_bytes([2; 16]));
    let offer = Offer { signature: other.signature, ..signed(&bench, |_| {}) };
    is_refused(bench, offer, "another job").await;
}

#[tokio::test(start_paused = true)]
async fn another_jobs_signed_specification_is_not_taken_under_this_jobs_name() {
    let mut bench = bench();
    let other = signed(&bench, |spec| spec.job = JobId::from_bytes([2; 16]));
    bench.call().await.answer(|answer| answer.offers = vec![other]);
    let call = bench.call().await;
    assert_eq!((call.request.declined.len(), call.request.held.len()), (1, 0));
    assert!(bench.executor.executions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn another_payload_than_the_signed_one_is_refused() {
    let bench = bench();
    let offer = Offer { payload: Some(Opaque::new(&b"[6,6]"[..])), ..signed(&bench, |_| {}) };
    let (outcome, executed) = ended(bench, offer).await;
    assert!(
        matches!(outcome, Outcome::Errored(fault) if fault.code == "digest_mismatch" && !fault.retryable)
    );
    assert_eq!(executed, 0);
}
