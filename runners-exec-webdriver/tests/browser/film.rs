//! Films that are begun while a job runs.

use crate::stage::{Stage, flow};
use runners_core::{Conclusion, ControlPlane, Followed, MemoryStore, SystemClock, sleep};
use runners_exec_webdriver::{FlowExecutor, StartCapture, StopCapture};
use serde_json::json;
use std::time::Duration;

/// How long a signal may take on a machine that is as busy as it may be.
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is looked whether there is a film.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_signal_films_a_flow_that_runs() {
    let Some(stage) = Stage::open().await else { return };
    let (driver, session, site, _, _state) = stage.into_parts();
    session.close().await;
    let control = ControlPlane::builder(MemoryStore::default()).start().await.unwrap();
    let runner = control.local_runner("default").executor(FlowExecutor::new(driver.clone())).start();
    let client = control.local_client();
    let waiting = "<style>body { background: red; height: 100vh }</style><script>
        setInterval(() => fetch('/go').then(told => window.go = told.ok), 50)</script>";
    let steps = json!([
        { "type": "navigate", "url": site.serve("/page", waiting) },
        { "type": "waitForExpression", "expression": "window.go === true", "timeout": 30_000, "retries": 3 },
    ]);
    let job = client.submit(&flow(steps)).await.unwrap();
    {
        let mut news = std::pin::pin!(job.follow());
        while let Some(news) = futures::StreamExt::next(&mut news).await {
            if matches!(news.unwrap(), Followed::Progress(_)) {
                break;
            }
        }
    }
    client.signal(job.id(), &StartCapture {}, SIGNAL_TIMEOUT).await.unwrap();
    client.signal(job.id(), &StopCapture {}, SIGNAL_TIMEOUT).await.unwrap();
    client.signal(job.id(), &StartCapture {}, SIGNAL_TIMEOUT).await.unwrap();
    // It is there once there is enough for a part.
    loop {
        let view = job.inspect().await.unwrap();
        let is_filmed = view.artifacts.iter().any(|artifact| &*artifact.name == "film/index.json");
        if is_filmed || view.conclusion().is_some() {
            break;
        }
        sleep(&SystemClock::default(), LOOK_EVERY).await;
    }
    site.serve("/go", "go");
    let view = job.wait().await.unwrap();
    assert_eq!(view.conclusion(), Some(Conclusion::Passed));
    let names: Vec<_> = view.artifacts.iter().map(|artifact| &*artifact.name).collect();
    assert!(names.contains(&"film/index.json") && names.contains(&"film/0000.json"), "{names:?}");
    runner.drain().await.unwrap();
    driver.stop().await;
    control.stop().await.unwrap();
}
