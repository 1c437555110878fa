//! A recorded browser flow as a job: a control plane, a runner with a headless Chromium, and a page
//! to test, in one process.
//!
//! `cargo run -p runners-examples --example browser_flow`
//!
//! It needs Chromium and its driver (`apt-get install chromium chromium-driver`).

use axum::{Router, response::Html, routing::get};
use runners_core::{ArtifactKey, ArtifactStore as _, MemoryArtifacts, TenantId, prelude::*};
use runners_exec_webdriver::{BrowserFlow, Driver, DriverOptions, FlowExecutor};
use std::sync::Arc;
use tokio::{net::TcpListener, sync::oneshot};

const PAGE: &str = r##"<!doctype html><title>Greeter</title>
<label>Name <input id="name"></label> <button onclick="greet()">Greet</button> <h1></h1>
<script>
  function greet() {
    document.querySelector("h1").textContent = "Hello, " + document.querySelector("#name").value;
  }
</script>"##;

/// As the Recorder panel of Chrome exports it.
fn flow(url: &str) -> String {
    serde_json::json!({
        "title": "the page greets who types a name",
        "steps": [
            { "type": "setViewport", "width": 800, "height": 600, "deviceScaleFactor": 1,
              "isMobile": false, "hasTouch": false, "isLandscape": false },
            { "type": "navigate", "url": url },
            { "type": "change", "selectors": [["aria/Name"], ["#name"]], "value": "Ada" },
            { "type": "click", "selectors": [["aria/Greet"], ["button"]], "offsetX": 4, "offsetY": 4 },
            { "type": "waitForElement", "selectors": [["h1"]], "properties": { "innerText": "Hello, Ada" } },
        ],
    })
    .to_string()
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let service = Router::new().route("/", get(async || Html(PAGE)));
    let service = axum::serve(listener, service).with_graceful_shutdown(async { drop(stopped.await) });
    let (served, tested) = futures::future::join(service.into_future(), async {
        let tested = test(&url).await;
        drop(stop);
        tested
    })
    .await;
    served?;
    tested
}

async fn test(url: &str) -> anyhow::Result<()> {
    let artifacts = Arc::new(MemoryArtifacts::default());
    let control =
        ControlPlane::builder(MemoryStore::default()).artifacts(Arc::clone(&artifacts)).start().await?;
    let driver = Driver::new(DriverOptions::default());
    let runner = control.local_runner("default").executor(FlowExecutor::new(driver)).start();

    let job = control.local_client().submit(&BrowserFlow::parse(&flow(url))?).await?;
    let result = job.result().await?;
    for step in &result.steps {
        println!("{step}");
    }
    let view = job.wait().await?;
    for artifact in &view.artifacts {
        let key = ArtifactKey { tenant: TenantId::DEFAULT, digest: artifact.digest };
        println!(
            "{} ({} bytes) is kept: {}",
            artifact.name,
            artifact.length,
            artifacts.head(key).await?.is_some()
        );
    }
    assert_eq!(view.conclusion(), Some(Conclusion::Passed));
    assert!(!view.artifacts.is_empty());
    runner.drain().await?;
    control.stop().await?;
    Ok(())
}
