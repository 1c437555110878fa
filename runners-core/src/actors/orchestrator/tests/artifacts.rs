//! What runs leave: kept as long as they are, and read by nobody else.

use super::*;
use crate::{
    actors::control_plane::ControlPlane,
    seams::{
        artifact::{ArtifactError, memory::MemoryArtifacts},
        executor::Attempt,
    },
    values::{
        check::{CheckResult, RunCheck},
        digest::Digest,
        id::TenantId,
        principal::{Principal, Scope},
        result::Fault,
    },
};
use futures::TryStreamExt as _;
use serde_json::json;

/// Leaves its name as a picture, and one picture that every check leaves.
async fn shoot(command: RunCheck, attempt: Attempt) -> Result<CheckResult, Fault> {
    let unusable = |error: ArtifactError| Fault::permanent("artifact", error.to_string());
    attempt.attach("own.png", "image/png", command.check.clone()).await.map_err(unusable)?;
    attempt.attach("same.png", "image/png", "the same").await.map_err(unusable)?;
    let found = json!({ "name": command.check, "state": "passed", "duration_ms": 7 });
    Ok(serde_json::from_value(found).unwrap())
}

struct Stage {
    clock: SimClock,
    control: ControlPlane,
    orchestrator: Orchestrator,
}

impl Stage {
    /// A control plane that collects what nothing names, and an orchestrator on the same stores.
    async fn open(clock: &SimClock) -> Self {
        let (store, artifacts) = (MemoryStore::default(), MemoryArtifacts::default());
        let plane = ControlPlane::builder(store.clone()).clock(clock.clone()).artifacts(artifacts.clone());
        let control = plane.artifact_grace(Duration::from_secs(3600)).start().await.unwrap();
        let nobody = TenantId::from_bytes([8; 16]);
        let region = ProcessRegion::new(shoot).clock(clock.clone()).artifacts(nobody, artifacts.clone());
        let orchestrator = builder(store, clock).artifacts(artifacts).local(region).start().await.unwrap();
        Self { clock: clock.clone(), control, orchestrator }
    }

    /// How many artifacts there are, and how many of them nothing names.
    async fn kept(&self, tenant: TenantId) -> (u64, usize) {
        let principal = Principal::Api { tenant, scopes: Scope::ALL.into() };
        let report = self.control.management(principal).unnamed_artifacts(None).await.unwrap();
        (report.looked_at, report.unnamed.len())
    }

    async fn close(self) {
        self.orchestrator.stop().await;
        self.control.stop().await.unwrap();
    }
}

async fn bytes(client: &OrchestratorClient, run: &str, digest: Digest) -> Vec<u8> {
    let read = client.read_artifact(run, digest, None).await.unwrap();
    let pieces: Vec<_> = read.bytes.try_collect().await.unwrap();
    let all = pieces.concat();
    assert_eq!(read.length, all.len() as u64);
    all
}

fn request() -> OrchestrationRequest {
    OrchestrationRequest::local(["one", "two"].map(|name| AskedCheck::new(name, "https://a")))
}

#[tokio::test(start_paused = true)]
async fn what_a_run_has_left_is_kept_as_long_as_the_run_and_read_by_it() {
    let clock = SimClock::new();
    let stage = Stage::open(&clock).await;
    let client = stage.orchestrator.local_client();
    let summary = ended(&client, &request()).await;
    let left: Vec<_> = summary.artifacts().collect();
    let told: Vec<_> = left.iter().map(|left| (left.check.as_str(), left.artifact.name.as_str())).collect();
    assert_eq!(told, [("one", "own.png"), ("one", "same.png"), ("two", "own.png"), ("two", "same.png")]);
    assert_eq!(stage.kept(TenantId::DEFAULT).await, (3, 0), "each is of the run's tenant, and named");
    // Long after what nothing names was collected.
    crate::seams::clock::sleep(&stage.clock, LONG).await;
    assert_eq!(stage.kept(TenantId::DEFAULT).await, (3, 0));
    assert_eq!(bytes(&client, &summary.run_id, Digest::of(b"two")).await, b"two");
    let part = client.read_artifact(&summary.run_id, Digest::of(b"two"), Some(1..3)).await.unwrap();
    assert_eq!(
        (part.length, part.bytes.try_collect::<Vec<_>>().await.unwrap().concat()),
        (3, b"wo".to_vec())
    );
    client.delete(&summary.run_id).await.unwrap();
    assert_eq!(stage.kept(TenantId::DEFAULT).await, (3, 3));
    crate::seams::clock::sleep(&stage.clock, LONG).await;
    assert_eq!(stage.kept(TenantId::DEFAULT).await, (0, 0));
    stage.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_reads_what_it_has_left_and_nothing_else() {
    let clock = SimClock::new();
    let stage = Stage::open(&clock).await;
    let client = stage.orchestrator.local_client();
    let first = ended(&client, &request()).await.run_id;
    let mut other = request();
    other.runners.remove(0);
    let second = ended(&client, &other).await.run_id;
    let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
    assert_eq!(bytes(&client, &second, two).await, b"two");
    let missing = client.read_artifact(&second, one, None).await;
    assert!(matches!(missing, Err(OrchestratorError::NoArtifact { .. })), "{missing:?}");
    let foreign = stage.orchestrator.client(TenantId::from_bytes([9; 16]));
    let missing = foreign.read_artifact(&first, one, None).await;
    assert!(matches!(missing, Err(OrchestratorError::NotFound { .. })), "{missing:?}");
    // What both have left goes with the last of them.
    client.delete(&first).await.unwrap();
    assert_eq!(stage.kept(TenantId::DEFAULT).await, (3, 1));
    assert_eq!(bytes(&client, &second, Digest::of(b"the same")).await, b"the same");
    stage.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_check_of_this_process_leaves_is_named_as_on_a_runner() {
    let clock = SimClock::new();
    let names = async |_: RunCheck, attempt: Attempt| {
        let mut told = Vec::new();
        for (name, kind) in [("../shot.png", "image/png"), ("/etc/shot", "image/png"), ("shot.png", "png")] {
            let refused = attempt.attach(name, kind, "x").await.map_err(|error| error.to_string());
            told.push(refused.map_or_else(|why| why, |_| "kept".to_owned()));
        }
        Err::<CheckResult, _>(Fault::permanent("told", told.join("; ")))
    };
    let region = ProcessRegion::new(names).clock(clock.clone());
    let region = region.artifacts(TenantId::DEFAULT, MemoryArtifacts::default());
    let orchestrator = builder(MemoryStore::default(), &clock).local(region).start().await.unwrap();
    let asked = OrchestrationRequest::local([AskedCheck::new("up", "https://a.example")]);
    let summary = ended(&orchestrator.local_client(), &asked).await;
    let told = summary.jobs[0].results[0].error_message.as_deref().unwrap();
    assert_eq!(told.matches("is not a relative path").count(), 2, "{told}");
    assert!(told.contains("is not of the form"), "{told}");
    orchestrator.stop().await;
}
