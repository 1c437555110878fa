//! Clicks that go past the driver: a page sees the same of them.

use crate::stage::{ByDriver, Counted, LIMIT_MILLIS, Stage, flow};
use runners_core::Verdict;
use runners_exec_webdriver::{Replay, Session};
use serde_json::{Value, json};
use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Has the page of the stage note all that a mouse sets off, at whole pixels: a ChromeDriver knows no parts of them.
const NOTES: &str = "<button id=a>A</button> <button id=b>B</button> <button id=c>C</button> <button id=d>D</button>
    <script>
      const types = ['pointermove', 'mousemove', 'pointerdown', 'mousedown', 'focusin', 'pointerup', 'mouseup', 'click',
        'dblclick', 'auxclick', 'contextmenu'];
      for (const type of types) addEventListener(type, event => window.log.push([
        type, event.target.id, event.button, event.buttons, event.detail, event.pressure, event.pointerType,
        Math.floor(event.clientX), Math.floor(event.clientY), event.shiftKey, event.isTrusted, event.width, event.tiltX,
      ].join(' ')));
      addEventListener('contextmenu', event => event.preventDefault());
    </script>";

/// A button that is clicked at a point of its own.
fn click(selector: &str, more: Value) -> Value {
    let mut step = json!({ "type": "click", "selectors": [selector], "offsetX": 4, "offsetY": 6 });
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    step
}

#[tokio::test]
async fn a_page_sees_the_same_of_a_click_past_the_driver_and_through_it() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(NOTES);
    let steps = json!([
        { "type": "navigate", "url": url },
        click("#a", json!({})),
        click("#b", json!({ "button": "secondary" })),
        click("#c", json!({ "type": "doubleClick" })),
        { "type": "keyDown", "key": "Shift" },
        click("#d", json!({})),
        { "type": "keyUp", "key": "Shift" },
        click("#a", json!({ "button": "auxiliary" })),
    ]);
    let mut logs = Vec::new();
    for session in [&*stage.session, &ByDriver(&*stage.session) as &dyn Session] {
        let replay = Replay::new(flow(steps.clone()), stage.options);
        let result = replay.run(session, &(), pending()).await.unwrap();
        assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
        let log = stage.js("return window.log").await;
        logs.push(log.as_array().unwrap().clone());
    }
    assert!(logs[0].len() > 20, "{:?}", logs[0]);
    assert_eq!(logs[0], logs[1]);
}

#[tokio::test]
async fn a_click_costs_no_command_of_the_driver_once_it_has_found_the_page() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("<button id=b>B</button><input id=i>");
    stage.passes(json!([{ "type": "navigate", "url": url }])).await;
    let mut counted = Vec::new();
    for clicks in [1, 3] {
        let calls = Arc::new(AtomicUsize::new(0));
        let session = Counted { session: &*stage.session, calls: Arc::clone(&calls) };
        let steps = vec![click("#b", json!({})); clicks];
        let replay = Replay::new(flow(json!(steps)), stage.options);
        assert_eq!(replay.run(&session, &(), pending()).await.unwrap().failure(), None);
        counted.push(calls.load(Ordering::SeqCst));
    }
    assert_eq!(counted[1] - counted[0], 2, "the look at the element is left");
    stage.close().await;
}

#[tokio::test]
async fn a_click_may_open_a_dialog_leave_the_page_or_close_it() {
    let Some(stage) = Stage::open().await else { return };
    let popup = stage.site.serve("/popup", "<button id=x onclick='window.close()'>Close</button>");
    let url = stage.page(&format!(
        "<button id=a onmousedown=\"alert('down')\" onclick='this.textContent = 1'>A</button>
        <button id=b onclick=\"window.open('{popup}')\">B</button>
        <a id=c href='{popup}?left'>C</a>"
    ));
    stage
        .passes_strictly(json!([
            { "type": "navigate", "url": url, "timeout": LIMIT_MILLIS },
            click("#b", json!({})),
            click("#x", json!({ "target": popup })),
            click("#a", json!({})),
            { "type": "customStep", "name": "runners.dialog", "parameters": { "accept": true, "message": "down" } },
            click("#c", json!({ "assertedEvents": [{ "type": "navigation", "url": format!("{popup}?left") }] })),
            { "type": "waitForElement", "selectors": ["#x"] },
        ]))
        .await;
    stage.close().await;
}
