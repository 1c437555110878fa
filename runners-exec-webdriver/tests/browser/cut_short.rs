//! What is left of a flow that was stopped before it had a verdict: how far it got, and what its page showed.

use crate::stage::{Seen, Stage, Watcher, flow};
use futures::StreamExt as _;
use runners_core::{Conclusion, ControlPlane, Followed, MemoryStore};
use runners_exec_webdriver::{CutShort, Engine, Evidence, FlowExecutor, Replay, StepState};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

/// Goes to a page, and waits there for what never comes.
fn endless(url: &str, step: Value) -> Value {
    json!([{ "type": "navigate", "url": url }, step, { "type": "close" }])
}

fn wait() -> Value {
    json!({ "type": "waitForExpression", "expression": "false", "timeout": 30_000 })
}

/// What was kept, by its name.
fn kept(seen: &mut UnboundedReceiver<Seen>) -> Vec<Evidence> {
    let mut all = Vec::new();
    while let Ok(one) = seen.try_recv() {
        if let Seen::Evidence(one) = one {
            all.push(one);
        }
    }
    all
}

/// How far a flow got, of what was seen of it.
pub(crate) fn left(seen: &mut UnboundedReceiver<Seen>) -> CutShort {
    told(&kept(seen))
}

/// How far a flow got, of what it left.
fn told(evidence: &[Evidence]) -> CutShort {
    let left = evidence.iter().find(|one| one.name == CutShort::ARTIFACT).expect("how far it got");
    serde_json::from_slice(&left.bytes).unwrap()
}

/// Stops a flow in its second step; answers what it left.
async fn stopped(stage: &Stage, steps: Value) -> Vec<Evidence> {
    let (watcher, mut seen) = Watcher::new();
    let second = async { while !matches!(seen.recv().await, Some(Seen::Started(1))) {} };
    let replay = Replay::new(flow(steps), stage.options);
    let fault = replay.run(&*stage.session, &watcher, second).await.unwrap_err();
    assert_eq!(fault.code, "cancelled");
    kept(&mut seen)
}

#[tokio::test]
async fn a_flow_that_is_stopped_tells_its_steps_and_keeps_a_picture() {
    for engine in [Engine::Chromium, Engine::Firefox] {
        let Some(stage) = Stage::open_in(engine).await else { continue };
        let url = stage.page("<h1>Shop</h1>");
        let evidence = stopped(&stage, endless(&url, wait())).await;
        let left = told(&evidence);
        let states: Vec<_> = left.steps.iter().map(|step| step.state).collect();
        assert_eq!(states, [StepState::Passed, StepState::CutShort, StepState::NotRun], "{engine}");
        assert_eq!(left.reason, "cancelled during step 2: wait until false");
        let under_way = &left.steps[1];
        let reason = under_way.reason.as_deref().unwrap();
        assert!(reason.starts_with("step 2 (wait until false): it was stopped after "), "{reason}");
        assert_eq!(under_way.page_url.as_deref(), Some(&*url), "{engine}");
        assert_eq!(under_way.artifacts, ["steps/02-cut-short.png"], "{engine}");
        let picture = evidence.iter().find(|one| one.name == under_way.artifacts[0]).unwrap();
        assert!(picture.bytes.starts_with(b"\x89PNG"), "a picture");
        stage.close().await;
    }
}

#[tokio::test]
async fn a_flow_that_is_stopped_while_its_page_does_not_answer_tells_its_steps() {
    for engine in [Engine::Chromium, Engine::Firefox] {
        let Some(stage) = Stage::open_in(engine).await else { continue };
        let url = stage.page("<h1>Shop</h1>");
        let silent = json!({ "type": "navigate", "url": format!("{}/silent", stage.site.origin) });
        let left = told(&stopped(&stage, endless(&url, silent)).await);
        assert_eq!(left.steps[1].state, StepState::CutShort, "{engine}");
        stage.close().await;
    }
}

#[tokio::test]
async fn a_job_that_is_cancelled_leaves_its_steps_and_its_picture() {
    let Some(stage) = Stage::open().await else { return };
    let (driver, session, site, _, _state) = stage.into_parts();
    session.close().await;
    let control = ControlPlane::builder(MemoryStore::default()).start().await.unwrap();
    let runner = control.local_runner("default").executor(FlowExecutor::new(driver.clone())).start();
    let url = site.serve("/page", "<h1>Shop</h1>");
    let job = control.local_client().submit(&flow(endless(&url, wait()))).await.unwrap();
    {
        let mut news = std::pin::pin!(job.follow());
        while let Some(news) = news.next().await {
            if matches!(news.unwrap(), Followed::Progress(text) if text.starts_with("step 2/3")) {
                break;
            }
        }
    }
    job.cancel().await.unwrap();
    let view = job.wait().await.unwrap();
    assert_eq!(view.conclusion(), Some(Conclusion::Cancelled), "its outcome is what it was");
    let names: Vec<_> = view.artifacts.iter().map(|artifact| &*artifact.name).collect();
    assert!(names.contains(&CutShort::ARTIFACT) && names.contains(&"steps/02-cut-short.png"), "{names:?}");
    runner.drain().await.unwrap();
    driver.stop().await;
    control.stop().await.unwrap();
}
