//! Where steps happen: child frames, frames of another process, popups, and the way back.

use crate::stage::{SHORT_MILLIS, Stage, flow};
use serde_json::{Value, json};

/// Scrolled, padded, and with a button that is only reached by scrolling both.
const OUTER: &str = "<div style='height:1500px'></div>";
const INNER: &str = "<div style='height:1200px'></div>
    <button id=b style='width:120px;height:40px;border:0'>In the frame</button><input id=i aria-label=Name>
    <script>
      window.at = [];
      addEventListener('click', e => at.push(`${e.target.id} ${e.offsetX},${e.offsetY}`));
    </script>";

fn click(more: Value) -> Value {
    let mut step = json!({ "type": "click", "selectors": ["#b"], "offsetX": 7, "offsetY": 9 });
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    step
}

fn expects(expression: &str, more: Value) -> Value {
    let mut step = json!({ "type": "waitForExpression", "expression": expression });
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    step
}

fn frame(source: &str) -> String {
    format!(
        "<iframe src='{source}' style='border:5px solid;padding:3px;margin:11px;width:400px;height:200px'></iframe>"
    )
}

/// The same site by another name: the browser puts it into another process.
fn elsewhere(stage: &Stage, path: &str) -> String {
    format!("{}{path}", stage.site.origin.replace("127.0.0.1", "localhost"))
}

#[tokio::test]
async fn a_frame_path_leads_to_frames_in_frames_wherever_they_are_scrolled() {
    let Some(stage) = Stage::open().await else { return };
    stage.site.serve("/inner", INNER);
    stage.site.serve("/middle", &format!("{OUTER}<p></p>{}{}", frame("about:blank"), frame("/inner")));
    let url = stage.page(&format!("{OUTER}{}{}", frame("/inner"), frame("/middle")));
    let there = json!({ "frame": [1, 1] });
    stage
        .passes(json!([
            { "type": "navigate", "url": url },
            click(there.clone()),
            click(json!({ "frame": [0] })),
            { "type": "change", "selectors": ["aria/Name"], "value": "Ada", "frame": [1, 1] },
            { "type": "hover", "selectors": ["aria/In the frame[role=\"button\"]"], "frame": [1, 1] },
            { "type": "scroll", "x": 0, "y": 30, "frame": [1, 1] },
            { "type": "waitForElement", "selectors": ["#b"], "frame": [1, 1] },
            expects("at.join() === 'b 7,9' && i.value === 'Ada' && scrollY === 30", there),
            expects("at.join() === 'b 7,9' && i.value === ''", json!({ "frame": [0] })),
            expects("document.querySelectorAll('iframe').length === 2 && !window.at", json!({})),
        ]))
        .await;
    stage.close().await;
}

#[tokio::test]
async fn a_frame_of_another_process_is_reached_by_its_path_and_by_its_address() {
    let Some(stage) = Stage::open().await else { return };
    stage.site.serve("/inner", INNER);
    stage.site.serve("/middle", &format!("{OUTER}{}", frame("/inner")));
    let middle = elsewhere(&stage, "/middle");
    let url = stage.page(&format!("{OUTER}{}", frame(&middle)));
    stage
        .passes(json!([
            { "type": "navigate", "url": url },
            click(json!({ "frame": [0, 0] })),
            click(json!({ "target": elsewhere(&stage, "/inner") })),
            click(json!({ "target": middle, "frame": [0], "selectors": ["aria/In the frame"] })),
            expects("at.join(' ') === 'b 7,9 b 7,9 b 7,9'", json!({ "frame": [0, 0] })),
            // Neither means anything to a frame.
            { "type": "close", "target": middle },
            { "type": "setViewport", "target": middle, "width": 300, "height": 300, "deviceScaleFactor": 1,
                "isMobile": false, "hasTouch": false, "isLandscape": false },
            expects("innerWidth > 300", json!({})),
        ]))
        .await;
    stage.close().await;
}

#[tokio::test]
async fn a_frame_that_comes_late_is_waited_for_and_one_that_never_comes_is_named() {
    let Some(stage) = Stage::open().await else { return };
    stage.site.serve("/inner", INNER);
    let late = format!(
        "<script>onload = () => setTimeout(() => document.body.innerHTML = `{}`, 300)</script>",
        frame("/inner")
    );
    let url = stage.page(&late);
    stage.passes(json!([{ "type": "navigate", "url": url }, click(json!({ "frame": [0] }))])).await;
    for (path, why) in [(json!([1]), "there is no frame [1]"), (json!([0, 2]), "there is no frame [0, 2]")] {
        let reason = stage.fails(json!([click(json!({ "frame": path, "timeout": SHORT_MILLIS }))])).await;
        assert!(reason.contains(why) && reason.contains("child frames"), "{reason}");
    }
    // What failed in a frame does not keep the next flow there.
    stage.passes(json!([expects("!window.at", json!({}))])).await;
    stage.close().await;
}

#[tokio::test]
async fn a_frame_in_a_shadow_root_counts_in_the_order_of_the_document() {
    let Some(stage) = Stage::open().await else { return };
    stage.site.serve("/inner", INNER);
    let url = stage.page(&format!(
        "<div id=host></div>{}<script>host.attachShadow({{ mode: 'open' }}).innerHTML = `{}`</script>",
        frame("about:blank"),
        frame("/inner")
    ));
    stage.passes(json!([{ "type": "navigate", "url": url }, click(json!({ "frame": [0] }))])).await;
    stage.close().await;
}

#[tokio::test]
async fn a_navigation_within_a_frame_is_the_frames() {
    let Some(stage) = Stage::open().await else { return };
    stage.site.serve("/next", "<h1>Next</h1>");
    stage.site.serve("/inner", "<a id=b href='/next'>Go</a>");
    let url = stage.page(&frame("/inner"));
    let events = json!([{ "type": "navigation" }]);
    let inner = elsewhere(&stage, "/inner");
    stage
        .passes(json!([
            { "type": "navigate", "url": url },
            click(json!({ "frame": [0], "assertedEvents": events, "offsetX": 1, "offsetY": 1 })),
            expects("location.pathname === '/next'", json!({ "frame": [0] })),
            { "type": "navigate", "url": inner, "frame": [0] },
            expects("location.hostname === 'localhost' && location.pathname === '/inner'", json!({ "frame": [0] })),
            expects("location.pathname === '/page'", json!({})),
        ]))
        .await;
    stage.close().await;
}

#[tokio::test]
async fn a_popup_is_waited_for_by_its_address_used_and_closed() {
    let Some(stage) = Stage::open().await else { return };
    stage.site.serve("/popup", &format!("{INNER}{}", frame("/inner")));
    stage.site.serve("/inner", INNER);
    let popup = format!("{}/popup?a=1#b", stage.site.origin);
    let url = stage.page(&format!(
        "<button id=b onclick=\"setTimeout(() => window.popup = window.open('{popup}'), 300)\">Open</button>
        <button id=x onclick='document.title = `clicked`'>X</button>"
    ));
    stage
        .passes(json!([
            { "type": "navigate", "url": url },
            click(json!({ "offsetX": 1, "offsetY": 1 })),
            click(json!({ "target": popup })),
            { "type": "setViewport", "target": popup, "width": 500, "height": 400, "deviceScaleFactor": 1,
                "isMobile": false, "hasTouch": false, "isLandscape": false },
            expects("at.join() === 'b 7,9' && innerWidth === 500", json!({ "target": popup })),
            click(json!({ "target": popup, "frame": [0] })),
            expects("at.join() === 'b 7,9'", json!({ "target": popup, "frame": [0] })),
            expects("!popup.closed && innerWidth !== 500", json!({})),
            { "type": "close", "target": popup },
            click(json!({ "selectors": ["#x"], "offsetX": 1, "offsetY": 1 })),
            expects("popup.closed && document.title === 'clicked'", json!({})),
        ]))
        .await;
    stage.close().await;
}

#[tokio::test]
async fn a_target_that_does_not_come_is_named_with_what_is_there() {
    let Some(stage) = Stage::open().await else { return };
    stage.site.serve("/inner", INNER);
    let url = stage.page(&frame("/inner"));
    let wanted = format!("{}/popup", stage.site.origin);
    let step = click(json!({ "target": wanted, "timeout": SHORT_MILLIS }));
    let (result, evidence) = stage.failing(flow(json!([{ "type": "navigate", "url": url }, step]))).await;
    let reason = result.failure().unwrap().reason.clone().unwrap();
    assert!(
        reason.contains(&format!("no page and no frame is at {wanted}; there is {url}, for")),
        "{reason}"
    );
    assert_eq!(evidence.len(), 2, "a picture and the source of the page that is there");
    stage.close().await;
}

#[tokio::test]
async fn keys_go_to_the_first_page_in_compat_and_to_their_target_in_strict() {
    let Some(stage) = Stage::open().await else { return };
    let listens = "<input id=b autofocus>";
    stage.site.serve("/popup", listens);
    let popup = format!("{}/popup", stage.site.origin);
    let url = stage.page(&format!("{listens}<script>window.popup = open('{popup}')</script>"));
    let focus = |target: &str| click(json!({ "target": target, "offsetX": 2, "offsetY": 2 }));
    let keys = |key: &str| {
        [("keyDown", key), ("keyUp", key)]
            .map(|(kind, key)| json!({ "type": kind, "key": key, "target": popup }))
    };
    let [down, up] = keys("k");
    let steps = json!([
        { "type": "navigate", "url": url }, focus(&popup), focus("main"), down, up,
        expects("b.value === ''", json!({ "target": popup })),
        expects("b.value === 'k'", json!({})),
    ]);
    stage.passes(steps).await;
    let [down, up] = keys("s");
    let steps = json!([
        focus(&popup),
        down,
        up,
        expects("b.value === 's'", json!({ "target": popup })),
        expects("b.value === 'k'", json!({})),
    ]);
    stage.passes_strictly(steps).await;
    stage.close().await;
}
