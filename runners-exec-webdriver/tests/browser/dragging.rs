//! Drags: what the browser takes for its own and tells as `dragstart` and `drop`, and what a page makes of the
//! pointer or of the mouse itself.

use crate::stage::{SHORT_MILLIS, Stage};
use runners_exec_webdriver::Engine;
#[cfg(feature = "checks")]
use runners_exec_webdriver::Page;
use serde_json::{Value, json};

/// What can be dragged by the browser, and where it may be dropped.
const OWN: &str = "<div id=it draggable=true style='width:80px;height:40px;background:red'>It</div>
    <div id=bin style='width:200px;height:200px;margin-top:50px;background:silver'>Bin</div>
    <script>
      it.ondragstart = event => event.dataTransfer.setData('text/plain', 'hi');
      bin.ondragover = event => event.preventDefault();
      bin.ondrop = event => { event.preventDefault(); log.push(`got ${event.dataTransfer.getData('text/plain')}`) };
      it.ondragend = () => log.push('end');
    </script>";

fn drag(from: &str, to: &str) -> Value {
    let parameters = json!({ "selectors": [from], "to": { "selectors": [to] } });
    json!({ "type": "customStep", "name": "runners.drag", "parameters": parameters })
}

fn logged(expected: &str) -> Value {
    json!({ "type": "waitForExpression", "expression": format!("log.join() === '{expected}'"), "timeout": 5000 })
}

#[tokio::test]
async fn a_drag_of_the_browsers_own_begins_and_drops() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(OWN);
    let steps = json!([{ "type": "navigate", "url": url }, drag("#it", "#bin"), logged("got hi,end")]);
    stage.passes(steps.clone()).await;
    stage.passes_strictly(steps).await;
    stage.close().await;
}

/// What drives Firefox ends such a drag without a drop, and what drives WebKit never begins it.
#[tokio::test]
async fn a_drag_that_an_engine_does_not_do_leaves_a_mouse_that_clicks() {
    for engine in [Engine::Firefox, Engine::Webkit] {
        let Some(stage) = Stage::open_in(engine).await else { continue };
        let url = stage.page(&format!("{OWN}<button id=go onclick=\"log.push('clicked')\">Go</button>"));
        let go = json!({ "type": "click", "selectors": ["#go"], "offsetX": 3, "offsetY": 3 });
        let clicked = json!({ "type": "waitForExpression", "expression": "log.includes('clicked')" });
        stage.passes(json!([{ "type": "navigate", "url": url }, drag("#it", "#bin"), go, clicked])).await;
        stage.close().await;
    }
}

#[tokio::test]
async fn a_drag_begins_where_the_page_was_scrolled_to_for_its_end() {
    let Some(stage) = Stage::open().await else { return };
    let body = format!("<div style='height:500px'></div>{OWN}<div style='height:3000px'></div>");
    let url = stage.page(&body);
    let viewport = json!({
        "type": "setViewport", "width": 600, "height": 400, "deviceScaleFactor": 1, "isMobile": false,
        "hasTouch": false, "isLandscape": false,
    });
    let go = json!({ "type": "navigate", "url": url });
    stage.passes(json!([viewport, go, drag("#it", "#bin"), logged("got hi,end")])).await;
    stage.close().await;
}

#[tokio::test]
async fn a_drag_in_a_frame_is_one_of_the_browsers_own_too() {
    let Some(stage) = Stage::open().await else { return };
    stage.site.serve("/inner", OWN);
    let url = stage.page("<h1>Around</h1><iframe src=/inner width=400 height=400></iframe>");
    let inside = |mut step: Value| {
        step["frame"] = json!([0]);
        step
    };
    let steps = json!([
        { "type": "navigate", "url": url },
        inside(drag("#it", "#bin")),
        inside(logged("got hi,end")),
    ]);
    stage.passes(steps).await;
    stage.close().await;
}

#[tokio::test]
async fn what_follows_the_pointer_is_dragged_in_every_engine() {
    let body = "<div id=it style='position:absolute;width:80px;height:40px;background:red;touch-action:none'>It</div>
        <div id=bin style='position:absolute;left:200px;top:150px;width:200px;height:150px;background:silver'>Bin</div>
        <script>
          let held = false;
          it.onpointerdown = event => { held = true; it.setPointerCapture(event.pointerId) };
          it.onpointermove = event => {
            if (!held) return;
            it.style.left = `${event.clientX - 40}px`;
            it.style.top = `${event.clientY - 20}px`;
          };
          it.onpointerup = () => {
            held = false;
            const { left, top } = it.getBoundingClientRect();
            log.push(left > 200 && top > 150 ? 'in' : 'out');
          };
        </script>";
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        let url = stage.page(body);
        stage.passes(json!([{ "type": "navigate", "url": url }, drag("#it", "#bin"), logged("in")])).await;
        stage.close().await;
    }
}

#[tokio::test]
async fn ends_that_are_never_in_view_at_once_are_dragged_by_the_mouse_alone() {
    for engine in [Engine::Chromium, Engine::Firefox] {
        let Some(stage) = Stage::open_in(engine).await else { continue };
        let url = stage.page(
            "<div id=it style='height:40px'>It</div><div style='height:4000px'></div><div id=bin>Bin</div>
            <script>
              it.onmousedown = () => log.push('down');
              bin.onmouseup = () => log.push('up');
            </script>",
        );
        stage
            .passes(json!([{ "type": "navigate", "url": url }, drag("#it", "#bin"), logged("down,up")]))
            .await;
        stage.close().await;
    }
}

#[tokio::test]
async fn an_end_that_comes_once_the_button_is_pressed_is_waited_for_and_a_late_drag_lets_go() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(
        "<div id=it>It</div><div id=bin hidden>Bin</div>
        <script>
          it.onmousedown = () => { log.push('down'); bin.hidden = false };
          onmouseup = () => log.push('up');
        </script>",
    );
    let go = json!({ "type": "navigate", "url": url });
    stage.passes(json!([go, drag("#it", "#bin"), logged("down,up")])).await;
    let mut late = drag("#it", "#none");
    late["timeout"] = json!(2 * SHORT_MILLIS);
    let reason = stage.fails(json!([go, late])).await;
    assert!(reason.contains("no element matches #none"), "{reason}");
    assert_eq!(stage.js("return log").await, json!(["down", "up"]));
    stage.close().await;
}

#[cfg(feature = "checks")]
#[tokio::test]
async fn a_page_in_rust_drags_as_a_flow_does() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(OWN);
    let (driver, session, _site, ..) = stage.into_parts();
    let page = Page::new(session);
    page.goto(&url).await.unwrap();
    page.locator("#it").drag_to(&page.locator("#bin")).await.unwrap();
    let log: Vec<String> = page.evaluate("return log", &()).await.unwrap();
    assert_eq!(log, ["got hi", "end"]);
    page.close().await;
    driver.stop().await;
}
