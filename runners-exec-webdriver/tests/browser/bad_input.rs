//! Pages and flows as bad as they come: each has a clear outcome, and the session goes on.

use crate::stage::{SHORT_MILLIS, Stage};
use runners_core::Verdict;
use runners_exec_webdriver::{BrowserFlow, Flow};
use serde_json::{Value, json};

fn go(url: &str) -> Value {
    json!({ "type": "navigate", "url": url })
}

#[tokio::test]
async fn redirects_without_end_fail_at_once_and_say_so() {
    let Some(stage) = Stage::open().await else { return };
    let reason = stage.fails(json!([go(&format!("{}/redirect", stage.site.origin))])).await;
    assert!(reason.contains("the page cannot be loaded: ERR_TOO_MANY_REDIRECTS"), "{reason}");
    stage.passes(json!([go(&stage.page("<p>Well</p>"))])).await;
    stage.close().await;
}

#[tokio::test]
async fn ten_thousand_matches_are_counted_and_the_first_is_acted_on() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(
        "<script>document.write('<button onclick=log.push([...document.querySelectorAll(`button`)].indexOf(this))>Go</button>'.repeat(10000))</script>",
    );
    // On a busy machine a page of this size takes its time.
    let steps = json!([
        go(&url),
        { "type": "waitForElement", "selectors": ["button"], "operator": "==", "count": 10_000, "timeout": 30_000 },
        { "type": "click", "selectors": ["button"], "offsetX": 3, "offsetY": 3, "timeout": 30_000 },
    ]);
    stage.passes(steps).await;
    assert_eq!(stage.js("return log").await, json!([0]));
    stage.close().await;
}

#[tokio::test]
async fn the_source_of_a_huge_page_is_cut_and_the_failure_is_told() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("<script>document.body.append('ä'.repeat(20 * 1024 * 1024))</script><h1>Huge</h1>");
    // Such a page is looked at slowly.
    let missing = json!({ "type": "hover", "selectors": ["#none"], "timeout": 10_000 });
    let (result, evidence) = stage.replay(json!([go(&url), missing])).await.unwrap();
    assert_eq!(result.verdict, Verdict::Failed);
    let reason = result.failure().unwrap().reason.clone().unwrap();
    assert!(reason.contains("no element matches #none"), "{reason}");
    for one in &evidence {
        assert!(one.bytes.len() <= 16 * 1024 * 1024, "{}: {} bytes", one.name, one.bytes.len());
    }
    stage.close().await;
}

#[tokio::test]
async fn dialogs_that_never_end_fail_the_step_and_not_the_session() {
    let Some(stage) = Stage::open().await else { return };
    let url =
        stage.page("<button id=it onclick=\"for (let i = 0; i < 20; i++) alert('No ' + i)\">X</button>");
    let click = json!({ "type": "click", "selectors": ["#it"], "offsetX": 1, "offsetY": 1 });
    let reason = stage.fails(json!([go(&url), click, { "type": "scroll" }])).await;
    assert!(reason.contains("a dialog is open: \"No 0\""), "{reason}");
    stage.close().await;
}

#[tokio::test]
async fn text_that_is_no_utf8_is_replaced_as_the_browser_does() {
    let Some(stage) = Stage::open().await else { return };
    let url = format!("{}/broken", stage.site.origin);
    let reason = stage
        .fails(json!([go(&url), { "type": "hover", "selectors": ["#none"], "timeout": SHORT_MILLIS }]))
        .await;
    assert!(reason.contains("has \"a\u{fffd}b\""), "{reason}");
    stage.close().await;
}

#[test]
fn more_than_ten_thousand_steps_are_refused_by_the_name_of_the_limit() {
    let steps = vec![json!({ "type": "close" }); Flow::STEPS_MAX + 1];
    let problems = BrowserFlow::parse(&json!({ "title": "t", "steps": steps }).to_string()).unwrap_err();
    assert_eq!(problems.iter().count(), 1);
    let told = problems.to_string();
    assert!(told.contains("10001 steps are more than the limit of 10000"), "{told}");
}
