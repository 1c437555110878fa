//! Finding elements and acting on them with the pointer.

use crate::stage::{AT_THE_END, ByDriver, Counted, Stage, flow};
use runners_exec_webdriver::{Replay, Screenshots};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

const SELECTABLE: &str = r#"
<form aria-label="Order"><button id="buy" class="big" type="button">Buy <b>now</b></button></form>
<div id="host"></div>
<label>Quote "it" (here)</label>
<script>
  const root = document.querySelector('#host').attachShadow({ mode: 'open' });
  root.innerHTML = '<div id="nested"></div><button class="deep">Deep one</button>';
  const inner = root.querySelector('#nested').attachShadow({ mode: 'open' });
  inner.innerHTML = '<button class="deeper">Deeper one</button>';
  const press = event => log.push(event.currentTarget.className || event.currentTarget.localName);
  for (const place of [document, root, inner])
    for (const element of place.querySelectorAll('button, label')) element.addEventListener('click', press);
</script>"#;

async fn clicked(stage: &Stage, selectors: Value) -> Value {
    stage
        .logged(SELECTABLE, json!({ "type": "click", "selectors": selectors, "offsetX": 3, "offsetY": 3 }))
        .await
}

#[tokio::test]
async fn every_kind_of_selector_finds_its_element() {
    let Some(stage) = Stage::open().await else { return };
    assert_eq!(clicked(&stage, json!(["#buy"])).await, json!(["big"]));
    assert_eq!(clicked(&stage, json!(["css/.big"])).await, json!(["big"]));
    assert_eq!(clicked(&stage, json!(["aria/Buy now"])).await, json!(["big"]));
    assert_eq!(clicked(&stage, json!(["aria/Buy now[role=\"button\"]"])).await, json!(["big"]));
    assert_eq!(clicked(&stage, json!(["text/Buy now"])).await, json!(["big"]));
    assert_eq!(clicked(&stage, json!(["text/Quote \"it\" (here)"])).await, json!(["label"]));
    assert_eq!(clicked(&stage, json!(["xpath///*[@id=\"buy\"]"])).await, json!(["big"]));
    assert_eq!(clicked(&stage, json!(["pierce/.deep"])).await, json!(["deep"]));
    assert_eq!(clicked(&stage, json!(["pierce/.deeper"])).await, json!(["deeper"]));
    assert_eq!(clicked(&stage, json!(["text/Deeper one"])).await, json!(["deeper"]));
    stage.close().await;
}

#[tokio::test]
async fn a_chain_looks_inside_what_it_found_and_in_its_shadow() {
    let Some(stage) = Stage::open().await else { return };
    assert_eq!(clicked(&stage, json!([["#host", ".deep"]])).await, json!(["deep"]));
    assert_eq!(clicked(&stage, json!([["#host", "#nested", ".deeper"]])).await, json!(["deeper"]));
    assert_eq!(clicked(&stage, json!([["aria/Order", "aria/Buy now"]])).await, json!(["big"]));
    assert_eq!(clicked(&stage, json!([["aria/Order", "button"]])).await, json!(["big"]));
    assert_eq!(clicked(&stage, json!([["#host", "aria/Deep one"]])).await, json!(["deep"]));
    stage.close().await;
}

#[tokio::test]
async fn any_alternative_may_win() {
    let Some(stage) = Stage::open().await else { return };
    assert_eq!(clicked(&stage, json!([["#gone"], ["aria/Gone"], ["#buy"]])).await, json!(["big"]));
    assert_eq!(clicked(&stage, json!([["#gone"], ["aria/Buy now"]])).await, json!(["big"]));
    assert_eq!(clicked(&stage, json!([["#[broken"], ["#buy"]])).await, json!(["big"]));
    stage.close().await;
}

const CLICKABLE: &str = r#"
<button id="target" style="position:absolute;left:10px;top:20px;width:100px;height:50px;border:0;padding:0">Go</button>
<script>
  const target = document.querySelector('#target');
  logEvents(target, e => `${e.type} ${e.detail} ${e.button}`,
    'mousedown', 'mouseup', 'click', 'dblclick', 'auxclick', 'contextmenu');
  target.addEventListener('click', e => log.push(`at ${e.offsetX},${e.offsetY}`));
</script>"#;

#[tokio::test]
async fn a_click_lands_at_its_offset_with_its_button() {
    let Some(stage) = Stage::open().await else { return };
    let click = |extra: Value| {
        let mut step = json!({ "type": "click", "selectors": ["#target"], "offsetX": 30, "offsetY": 7 });
        step.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        step
    };
    assert_eq!(
        stage.logged(CLICKABLE, click(json!({}))).await,
        json!(["mousedown 1 0", "mouseup 1 0", "click 1 0", "at 30,7"])
    );
    let log = stage.logged(CLICKABLE, click(json!({ "button": "auxiliary", "duration": 20 }))).await;
    assert_eq!(log, json!(["mousedown 1 1", "mouseup 1 1", "auxclick 1 1"]));
    // Unless the page keeps it, the browser goes back or forward.
    let keeps =
        format!("{CLICKABLE}<script>target.addEventListener('mouseup', e => e.preventDefault())</script>");
    for (button, number) in [("back", 3), ("forward", 4)] {
        let log = stage.logged(&keeps, click(json!({ "button": button }))).await;
        assert_eq!(log[0], json!(format!("mousedown 1 {number}")));
        assert_eq!(log[1], json!(format!("mouseup 1 {number}")));
    }
    let log = stage.logged(CLICKABLE, click(json!({ "button": "secondary" }))).await;
    assert!(
        log.as_array().unwrap().contains(&json!("contextmenu 1 2")) || log[1] == "contextmenu 0 2",
        "{log}"
    );
    stage.close().await;
}

#[tokio::test]
async fn a_double_click_is_click_click_dblclick() {
    let Some(stage) = Stage::open().await else { return };
    let step = json!({ "type": "doubleClick", "selectors": ["#target"], "offsetX": 1, "offsetY": 1 });
    let log = stage.logged(CLICKABLE, step).await;
    let clicks: Vec<_> =
        log.as_array().unwrap().iter().filter(|line| line.as_str().unwrap().contains("cl")).collect();
    assert_eq!(json!(clicks), json!(["click 1 0", "click 2 0", "dblclick 2 0"]));
    stage.close().await;
}

#[tokio::test]
async fn two_clicks_in_a_row_are_no_double_click() {
    let Some(stage) = Stage::open().await else { return };
    let click = json!({ "type": "click", "selectors": ["#target"], "offsetX": 1, "offsetY": 1 });
    let url = stage.page(CLICKABLE);
    stage.passes(json!([{ "type": "navigate", "url": url }, click, click])).await;
    let log = stage.js("return log.filter(line => line.includes('cl'))").await;
    assert_eq!(log, json!(["click 1 0", "click 1 0"]));
    stage.close().await;
}

#[tokio::test]
async fn hover_goes_to_the_middle_even_of_what_is_disabled() {
    let Some(stage) = Stage::open().await else { return };
    let body = r#"<div id="menu" style="width:100px;height:40px"></div><script>
        logEvents(document.querySelector('#menu'), e => `${e.type} ${e.clientX},${e.clientY}`, 'mouseenter');
        document.querySelector('#menu').setAttribute('disabled', '');</script>"#;
    let log = stage.logged(body, json!({ "type": "hover", "selectors": ["#menu"] })).await;
    assert_eq!(log, json!(["mouseenter 50,20"]));
    stage.close().await;
}

#[tokio::test]
async fn what_lies_over_an_element_does_not_keep_the_click_from_happening() {
    let Some(stage) = Stage::open().await else { return };
    let body = r#"<button id="below">Below</button>
        <div id="over" style="position:fixed;inset:0"></div>
        <script>logEvents(document.querySelector('#over'), e => 'over', 'click')</script>"#;
    let log = stage
        .logged(body, json!({ "type": "click", "selectors": ["#below"], "offsetX": 1, "offsetY": 1 }))
        .await;
    assert_eq!(log, json!(["over"]));
    stage.close().await;
}

#[tokio::test]
async fn a_parent_without_size_is_clicked_where_its_child_is() {
    let Some(stage) = Stage::open().await else { return };
    let body = r#"<a id="empty"><div style="width:80px;height:30px"></div></a>
        <script>logEvents(document.querySelector('#empty'), e => `${e.clientX},${e.clientY}`, 'click')</script>"#;
    let log = stage
        .logged(body, json!({ "type": "click", "selectors": ["#empty"], "offsetX": 5, "offsetY": 6 }))
        .await;
    assert_eq!(log, json!(["5,6"]));
    stage.close().await;
}

#[tokio::test]
async fn a_click_waits_until_the_element_is_there_enabled_and_still() {
    let Some(stage) = Stage::open().await else { return };
    let body = r#"<script>
        // Each change follows the one before it, by frames and not by the clock.
        const frames = n => new Promise(r => { const f = () => n-- ? requestAnimationFrame(f) : r(); f(); });
        (async () => {
          await frames(5);
          const b = document.createElement('button');
          b.textContent = 'Late'; b.id = 'late'; b.disabled = true; b.style = 'position:absolute;left:0';
          logEvents(b, () => `${b.disabled} ${b.style.left}`, 'click');
          document.body.append(b);
          await frames(10);
          b.disabled = false;
          for (let x = 1; x <= 40; x++) { await frames(1); b.style.left = `${x}px`; }
        })();
        </script>"#;
    let log = stage
        .logged(body, json!({ "type": "click", "selectors": ["#late"], "offsetX": 2, "offsetY": 2 }))
        .await;
    assert_eq!(log, json!(["false 40px"]));
    stage.close().await;
}

#[tokio::test]
async fn an_element_that_is_replaced_while_it_is_looked_at_is_searched_again() {
    let Some(stage) = Stage::open().await else { return };
    let body = r#"<div id="place"></div><script>
        // A framework that renders anew at each of the first forty frames.
        let renders = 0;
        const render = () => {
          place.innerHTML = '<button id="again">Again</button>';
          document.querySelector('#again').addEventListener('click', () => log.push(`clicked ${renders}`));
          if (renders++ < 40) requestAnimationFrame(render);
        };
        render();
        </script>"#;
    let log = stage
        .logged(body, json!({ "type": "click", "selectors": ["#again"], "offsetX": 2, "offsetY": 2 }))
        .await;
    assert_eq!(log, json!(["clicked 41"]));
    stage.close().await;
}

#[tokio::test]
async fn what_is_out_of_view_is_scrolled_into_it_at_once() {
    let Some(stage) = Stage::open().await else { return };
    let body = r#"<style>html { scroll-behavior: smooth }</style><div style="height:5000px"></div>
        <button id="far">Far</button><svg width="10" height="10" style="margin-top:3000px"><rect id="dot" width="10" height="10"/></svg>
        <script>logEvents(document, e => e.target.id, 'click')</script>"#;
    let log = stage
        .logged(body, json!({ "type": "click", "selectors": ["#far"], "offsetX": 2, "offsetY": 2 }))
        .await;
    assert_eq!(log, json!(["far"]));
    let log = stage
        .logged(body, json!({ "type": "click", "selectors": ["#dot"], "offsetX": 2, "offsetY": 2 }))
        .await;
    assert_eq!(log, json!(["dot"]));
    stage.close().await;
}

#[tokio::test]
async fn scroll_moves_an_element_or_the_page() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(
        r#"<style>html { scroll-behavior: smooth }</style>
        <div id="box" style="width:100px;height:100px;overflow:auto"><p style="width:900px;height:900px"></div>
        <div style="width:9000px;height:9000px"></div>"#,
    );
    stage
        .passes(json!([
            { "type": "navigate", "url": url },
            { "type": "scroll", "selectors": ["#box"], "x": 30, "y": 40 },
            { "type": "scroll", "x": 500, "y": 600 },
        ]))
        .await;
    let places = stage.js("return [box.scrollLeft, box.scrollTop, scrollX, scrollY]").await;
    assert_eq!(places, json!([30, 40, 500, 600]));
    stage.passes(json!([{ "type": "scroll" }])).await;
    assert_eq!(stage.js("return [scrollX, scrollY]").await, json!([0, 0]));
    stage.close().await;
}

#[tokio::test]
async fn a_step_on_an_element_that_is_ready_takes_two_commands() {
    let Some(mut stage) = Stage::open().await else { return };
    stage.options.screenshots = Screenshots::OfFailures;
    let url = stage.page("<button id=b>B</button><input id=i>");
    stage.passes(json!([{ "type": "navigate", "url": url }])).await;
    for step in [
        json!({ "type": "click", "selectors": [["aria/B"], ["#b"]], "offsetX": 1, "offsetY": 1 }),
        json!({ "type": "doubleClick", "selectors": ["pierce/#b"], "offsetX": 1, "offsetY": 1 }),
        json!({ "type": "hover", "selectors": ["text/B"] }),
        json!({ "type": "change", "selectors": ["xpath///input"], "value": "typed" }),
    ] {
        let calls = Arc::new(AtomicUsize::new(0));
        let session = ByDriver(&Counted { session: &*stage.session, calls: Arc::clone(&calls) });
        let replay = Replay::new(flow(json!([step])), stage.options);
        let result = replay.run(&session, &(), std::future::pending()).await.unwrap();
        assert_eq!(result.failure(), None);
        assert_eq!(calls.load(Ordering::SeqCst), 2 + AT_THE_END, "{step}");
    }
    stage.close().await;
}

#[tokio::test]
async fn a_page_that_forbids_scripts_is_replayed_all_the_same() {
    let Some(stage) = Stage::open().await else { return };
    let url =
        stage.site.serve("/strict", "<script>window.ran = true</script><label>Name <input id=it></label>");
    stage
        .passes(json!([
            { "type": "navigate", "url": url },
            { "type": "change", "selectors": ["aria/Name"], "value": "Ada" },
            { "type": "waitForExpression", "expression": "document.querySelector('#it').value === 'Ada' && !window.ran" },
        ]))
        .await;
    stage.close().await;
}
