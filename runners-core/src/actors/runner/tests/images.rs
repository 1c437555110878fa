//! The image that is told of a job that names none, and who takes no such word.

use super::*;
use crate::{
    seams::executor::{Attempt, ErasedExecutor, Product},
    values::{id::TenantId, result::Fault, signature::SigningKey},
};
use bytes::Bytes;

/// Its result is the image that it was told.
struct Tells;

#[async_trait]
impl ErasedExecutor for Tells {
    async fn execute(&self, _payload: Bytes, attempt: Attempt) -> Result<Product, Fault> {
        let told = attempt.image().unwrap_or("none").to_owned();
        Ok(Product { verdict: Verdict::Passed, result: told.into_bytes().into() })
    }
}

/// What the executor was told of an offer with an image, signed by `key`.
async fn told(key: &SigningKey, with: impl FnOnce(RunnerBuilder) -> RunnerBuilder) -> Vec<u8> {
    let mut bench =
        Bench::with(Script::passes(), Spool::memory(), |builder| with(builder.named("tells", Tells)));
    let mut spec = JobSpec::new(token().job, "tells", b"[1,2]", JobOptions::default());
    spec.tenant = Some(TenantId::DEFAULT);
    spec.not_after = Some(bench.clock.wall() + secs(3600));
    let bytes = serde_json::to_vec(&spec).unwrap();
    let offer = Offer {
        signature: Some(key.sign(&bytes)),
        spec: bytes.into(),
        image: Some("theirs:1".into()),
        ..offer(JobOptions::default())
    };
    bench.call().await.answer(|answer| answer.offers = vec![offer]);
    let (_, finish) = bench.finished().await;
    finish.result.unwrap_or_else(|| panic!("{:?}", finish.outcome)).as_bytes().to_vec()
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_offered_is_told_to_the_executor_but_not_where_signatures_are_demanded() {
    let key = SigningKey::from_seed([7; 32]);
    let trusted = || [(TenantId::DEFAULT, key.verifying_key())];
    assert_eq!(told(&key, |builder| builder).await, b"theirs:1");
    let demands = |builder: RunnerBuilder| builder.trust(trusted()).audience(["default"]).demand_signatures();
    assert_eq!(told(&key, demands).await, b"none");
}
