//! A recording is a job: its runner states the kind, signals steer its attempt, and the flow is its result.

use super::{Shared, Stage, json, serve};
use runners_core::{
    ControlPlane, JobOptions, MemoryArtifacts, MemoryStore, TenantId,
    protocol::{JobView, StateView},
};
use runners_exec_webdriver::{
    Browser as _, Call, Ended, Engine, FlowRecorder, Method, RecordFlow, Session, SteerRecording,
};
use std::{sync::Arc, time::Duration};

/// How long a signal is waited for.
const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_recording_is_a_job_that_signals_steer_and_that_keeps_what_was_done_when_it_is_cancelled() {
    let Some(stage) = Stage::open().await else { return };
    let url = serve(&stage);
    let artifacts = MemoryArtifacts::default();
    let control =
        ControlPlane::builder(MemoryStore::default()).artifacts(artifacts.clone()).start().await.unwrap();
    let session: Arc<dyn Session> = Arc::from(stage.driver.open().await.unwrap());
    let recorder = FlowRecorder::new(Shared(Arc::clone(&session), Engine::Chromium));
    let runner = control.local_runner("default").artifacts(TenantId::DEFAULT, artifacts).executor(recorder);
    let runner = runner.start();
    let client = control.local_client();
    for is_cancelled in [false, true] {
        let options = JobOptions { timeout: Duration::from_secs(600), ..JobOptions::default() };
        let job = client.submit(&(RecordFlow::at(&url), options)).await.unwrap();
        loop {
            // Until it runs there is nobody to be told.
            match job.signal(&SteerRecording::List, WITHIN).await {
                Ok(steps) if steps.total >= 2 => break,
                _ => tokio::task::yield_now().await,
            }
        }
        let script =
            json!({ "script": "return document.querySelector('#next') && document.readyState", "args": [] });
        let ready = || Call::new(Method::Post, "execute/sync", script.clone());
        while !session.call(ready()).await.is_ok_and(|state| state == "complete") {}
        let named = SteerRecording::Screenshot { name: "shop".to_owned() };
        let steps = job.signal(&named, WITHIN).await.unwrap();
        assert_eq!(steps.steps.last().unwrap().description, "take the picture shop");
        if is_cancelled {
            job.cancel().await.unwrap();
            let view: JobView = job.wait().await.unwrap();
            assert!(matches!(view.state, StateView::Concluded { .. }), "{:?}", view.state);
            assert!(view.artifacts.iter().any(|artifact| artifact.name == RecordFlow::ARTIFACT));
        } else {
            job.signal(&SteerRecording::Stop, WITHIN).await.unwrap();
            let recorded = job.result().await.unwrap();
            assert_eq!((recorded.ended, recorded.recorded.len()), (Ended::Stopped, 3));
            let view = job.inspect().await.unwrap();
            assert!(view.artifacts.iter().any(|artifact| artifact.name == RecordFlow::ARTIFACT));
        }
    }
    runner.drain().await.unwrap();
    control.stop().await.unwrap();
    session.close().await;
    stage.close().await;
}
