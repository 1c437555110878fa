//! The recording by which replayers of the format are checked: every type of step that a recorder
//! makes, on a page that tells what it saw.

use crate::stage::{LIMIT_MILLIS, Stage};
use runners_core::Verdict;
use runners_exec_webdriver::{BrowserFlow, Mode};
use serde_json::{Value, json};

/// Each element reports the events that matter of it, as the checker of the reference replayer reads
/// them.
const PAGE: &str = "
<button id=button>Click</button><button id=hover>Hover</button>
<input id=input><input id=input-prefilled value=test>
<select id=select><option value=''></option><option value=optionA>A</option><option value=optionB>B</option></select>
<script>
  log.push(`window dimensions ${innerWidth}x${innerHeight}`);
  const tell = e => `${e.type} targetId=${e.target.id} button=${e.button} detail=${e.detail} value=${e.target.value}`;
  const at = id => document.getElementById(id);
  logEvents(at('button'), tell, 'click', 'dblclick');
  logEvents(at('hover'), tell, 'mouseenter', 'mouseleave');
  logEvents(at('input'), tell, 'contextmenu', 'change');
  logEvents(at('input-prefilled'), tell, 'change');
  logEvents(at('select'), tell, 'change');
  at('input').addEventListener('contextmenu', e => e.preventDefault());
</script>";

fn recording(url: &str) -> Value {
    let button = json!([["aria/Click"], ["#button"], ["xpath///*[@id=\"button\"]"], ["text/Click"]]);
    let input = json!([["#input"], ["xpath///*[@id=\"input\"]"]]);
    let hover = json!([["aria/Hover"], ["#hover"], ["xpath///*[@id=\"hover\"]"], ["text/Hover"]]);
    json!([
        { "type": "setViewport", "width": 900, "height": 700, "deviceScaleFactor": 1, "isMobile": false,
            "hasTouch": false, "isLandscape": false },
        { "type": "navigate", "url": url,
            "assertedEvents": [{ "type": "navigation", "url": url, "title": "" }] },
        { "type": "click", "target": "main", "selectors": button, "offsetX": 20, "offsetY": 8 },
        { "type": "doubleClick", "target": "main", "selectors": button, "offsetX": 20, "offsetY": 8 },
        { "type": "keyDown", "target": "main", "key": "Tab" },
        { "type": "keyUp", "target": "main", "key": "Tab" },
        { "type": "change", "target": "main", "selectors": input, "value": "test" },
        { "type": "change", "target": "main", "selectors": [["#input-prefilled"]], "value": "testSuffix" },
        { "type": "keyDown", "target": "main", "key": "Enter" },
        { "type": "keyUp", "target": "main", "key": "Enter" },
        { "type": "click", "target": "main", "selectors": input, "button": "secondary", "offsetX": 1, "offsetY": 1 },
        { "type": "hover", "target": "main", "selectors": hover },
        { "type": "waitForExpression", "expression": "new Promise(resolve => setTimeout(() => resolve(true), 500))" },
        { "type": "waitForElement", "target": "main", "selectors": ["#button"], "count": 1, "visible": true,
            "properties": { "id": "button" }, "attributes": { "id": "button" } },
        { "type": "change", "target": "main", "selectors": [["#select"]], "value": "optionB" },
    ])
}

#[tokio::test]
async fn the_page_sees_of_the_canonical_recording_what_the_reference_shows_it() {
    let Some(stage) = Stage::open().await else { return };
    let steps = recording(&stage.page(PAGE));
    let document = json!({ "title": "spec", "timeout": LIMIT_MILLIS, "steps": steps }).to_string();
    for mode in [Mode::Compat, Mode::Strict] {
        let flow = BrowserFlow::parse(&document).unwrap().with_mode(mode);
        let (result, _) = stage.replay_flow(flow).await.unwrap();
        assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
        let expected = [
            "window dimensions 900x700",
            "click targetId=button button=0 detail=1 value=",
            "click targetId=button button=0 detail=1 value=",
            "click targetId=button button=0 detail=2 value=",
            "dblclick targetId=button button=0 detail=2 value=",
            "change targetId=input button=undefined detail=undefined value=test",
            "change targetId=input-prefilled button=undefined detail=undefined value=testSuffix",
            "contextmenu targetId=input button=2 detail=0 value=test",
            "mouseenter targetId=hover button=0 detail=0 value=",
            "change targetId=select button=undefined detail=undefined value=optionB",
        ];
        assert_eq!(stage.js("return log").await, json!(expected), "{}", mode.name());
    }
    stage.close().await;
}
