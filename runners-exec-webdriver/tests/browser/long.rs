//! The longest flow that there may be, replayed by a runner.

use crate::stage::{LIMIT_MILLIS, Site, driver_options};
use runners_core::{ControlPlane, MemoryStore, Verdict};
use runners_exec_webdriver::{
    BrowserFlow, Driver, Flow, FlowExecutor, FlowResult, ReplayOptions, Screenshots, StepState,
};
use serde_json::{Value, json};

/// The most bytes that such a flow leaves beside its result, and in it: some 150 for a step.
const EVIDENCE_BYTES_MAX: u64 = 1 << 20;
const RESULT_BYTES_MAX: usize = 2 << 20;

/// How often a letter is typed. A key takes a tenth of a second, as it does in the reference.
const LETTERS: usize = 20;

/// How many steps look at the page. Those between are for somebody else, who is not here.
const LOOKS: usize = 2_000;

/// Types, then looks at the page now and again until the flow is as long as it may be.
fn steps(url: &str) -> Vec<Value> {
    let key = |kind: &str| json!({ "type": kind, "key": "a" });
    let mut steps = vec![
        json!({ "type": "navigate", "url": url }),
        json!({ "type": "click", "selectors": ["#it"], "offsetX": 3, "offsetY": 3 }),
    ];
    for _ in 0..LETTERS {
        steps.extend([key("keyDown"), key("keyUp")]);
    }
    let look = json!({ "type": "waitForExpression", "expression": format!("it.value.length === {LETTERS}") });
    let skipped = json!({ "type": "customStep", "name": "elsewhere", "parameters": {} });
    let every = (Flow::STEPS_MAX - steps.len()) / LOOKS;
    let rest = steps.len()..Flow::STEPS_MAX;
    steps.extend(rest.map(|at| if at % every == 0 { &look } else { &skipped }.clone()));
    steps
}

fn document(steps: &[Value]) -> String {
    json!({ "title": "long", "timeout": LIMIT_MILLIS, "steps": steps }).to_string()
}

#[tokio::test]
async fn a_flow_of_the_most_steps_is_replayed_and_each_is_told_and_one_more_is_refused() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let url = Site::open().serve("/page", "<textarea id=it></textarea>");
    let mut steps = steps(&url);
    let flow = BrowserFlow::parse(&document(&steps)).unwrap();
    let driver = Driver::new(options);
    let mut pictures = ReplayOptions::default();
    pictures.screenshots = Screenshots::OfFailures;
    let executor = FlowExecutor::new(driver.clone()).with_options(pictures);
    let control = ControlPlane::builder(MemoryStore::default()).start().await.unwrap();
    let runner = control.local_runner("default").executor(executor.clone()).start();
    let job = control.local_client().submit(&flow).await.unwrap();
    let view = job.wait().await.unwrap();
    let result: FlowResult = job.result().await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    for (at, step) in result.steps.iter().enumerate() {
        let kind = steps[at]["type"].as_str().unwrap();
        let state = if kind == "customStep" { StepState::Skipped } else { StepState::Passed };
        assert_eq!((step.index, step.state, &*step.kind), (at, state, kind));
    }
    assert!(serde_json::to_vec(&result).unwrap().len() < RESULT_BYTES_MAX);
    let left: u64 = view.artifacts.iter().map(|artifact| artifact.length).sum();
    assert!(left < EVIDENCE_BYTES_MAX, "{:?}", view.artifacts);
    runner.drain().await.unwrap();
    control.stop().await.unwrap();
    executor.settle().await;
    driver.stop().await;

    steps.push(json!({ "type": "close" }));
    let problems = BrowserFlow::parse(&document(&steps)).unwrap_err().to_string();
    assert!(problems.contains("/steps: 10001 steps are more than the limit of 10000"), "{problems}");
    assert!(problems.contains("split the flow"), "{problems}");
}
