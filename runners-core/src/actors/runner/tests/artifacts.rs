//! What attempts leave beside their result, and results that are too large to travel.

use super::*;
use crate::{
    seams::{
        artifact::{ArtifactError, ArtifactKey, ArtifactStore as _, memory::MemoryArtifacts},
        executor::{Attempt, ErasedExecutor, Product},
    },
    values::{digest::Digest, id::TenantId, result::Fault},
};
use bytes::Bytes;

/// Attaches one picture, and returns what it was told.
struct Attaches {
    name: &'static str,
    result: usize,
}

#[async_trait]
impl ErasedExecutor for Attaches {
    async fn execute(&self, _payload: Bytes, attempt: Attempt) -> Result<Product, Fault> {
        attempt.progress("attaching");
        let attached = attempt.attach(self.name, "image/png", &b"picture"[..]).await;
        let told = match attached {
            Ok(digest) => digest.to_string(),
            Err(ArtifactError::Invalid { .. }) => "invalid".to_owned(),
            Err(_) => "missing".to_owned(),
        };
        let result = if self.result == 0 { told } else { "x".repeat(self.result) };
        Ok(Product { verdict: Verdict::Passed, result: Opaque::new(result.into_bytes()) })
    }
}

fn bench(executor: Attaches, artifacts: Option<&MemoryArtifacts>) -> Bench {
    let artifacts = artifacts.cloned();
    Bench::with(Script::passes(), Spool::memory(), |builder| {
        let builder = builder.named("attaches", executor);
        match artifacts {
            Some(artifacts) => builder.artifacts(TenantId::DEFAULT, artifacts),
            None => builder,
        }
    })
}

async fn execute(bench: &mut Bench) -> (Call, Finish) {
    let call = bench.call().await;
    let mut offer = offer(JobOptions::default());
    let spec = JobSpec::new(token().job, "attaches", b"[1,2]", JobOptions::default());
    offer.spec = serde_json::to_vec(&spec).unwrap().into();
    call.answer(|answer| answer.offers = vec![offer]);
    bench.finished().await
}

#[tokio::test(start_paused = true)]
async fn an_artifact_is_put_first_and_attached_with_the_finish() {
    let store = MemoryArtifacts::default();
    let mut bench = bench(Attaches { name: "step/1.png", result: 0 }, Some(&store));
    let (call, finish) = execute(&mut bench).await;
    let digest = Digest::of(b"picture");
    assert_eq!(finish.result, Some(Opaque::new(digest.to_string())));
    let attached = &call.request.artifacts[0];
    assert_eq!((attached.name.as_str(), attached.digest, attached.length), ("step/1.png", digest, 7));
    let key = ArtifactKey { tenant: TenantId::DEFAULT, digest };
    assert_eq!(store.head(key).await.unwrap(), Some(7));
}

#[tokio::test(start_paused = true)]
async fn an_artifact_that_cannot_be_put_is_listed_as_missing_and_changes_no_verdict() {
    let mut bench = bench(Attaches { name: "a.png", result: 0 }, None);
    let (call, finish) = execute(&mut bench).await;
    assert_eq!((finish.outcome, finish.missing), (Outcome::Passed, vec!["a.png".to_owned()]));
    assert!(call.request.artifacts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_leads_elsewhere_is_refused() {
    let store = MemoryArtifacts::default();
    for name in ["../a.png", "/a.png", "a//b", "a\\b", "", "a\n"] {
        let mut bench = bench(Attaches { name, result: 0 }, Some(&store));
        let (_, finish) = execute(&mut bench).await;
        assert_eq!(finish.result, Some(Opaque::new(&b"invalid"[..])), "{name:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_result_travels_as_an_artifact() {
    let store = MemoryArtifacts::default();
    let length = SyncRequest::RESULT_BYTES_MAX + 1;
    let mut bench = bench(Attaches { name: "a.png", result: length }, Some(&store));
    let (_, finish) = execute(&mut bench).await;
    let digest = Digest::of("x".repeat(length).as_bytes());
    assert_eq!((finish.result, finish.result_artifact), (None, Some(digest)));
    let key = ArtifactKey { tenant: TenantId::DEFAULT, digest };
    assert_eq!(store.head(key).await.unwrap(), Some(length as u64));
}

#[tokio::test(start_paused = true)]
async fn a_large_result_that_cannot_be_put_keeps_its_verdict() {
    let mut bench = bench(Attaches { name: "a.png", result: SyncRequest::RESULT_BYTES_MAX + 1 }, None);
    let (_, finish) = execute(&mut bench).await;
    assert_eq!((finish.outcome, finish.result, finish.result_artifact), (Outcome::Passed, None, None));
    assert_eq!(finish.missing, ["a.png", "result"]);
}
