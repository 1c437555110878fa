//! Pages: going to them, knowing that they went somewhere, their screen, their end.

use crate::stage::Stage;
use runners_core::Verdict;
use runners_exec_webdriver::StepState;
use serde_json::{Value, json};
use std::time::Duration;

fn click_asserting(selector: &str) -> Value {
    json!({ "type": "click", "selectors": [selector], "offsetX": 2, "offsetY": 2, "assertedEvents": [{ "type": "navigation" }] })
}

#[tokio::test]
async fn navigate_waits_for_the_load_event() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("<script>logEvents(window, e => e.type, 'load')</script>");
    stage.passes(json!([{ "type": "navigate", "url": url }])).await;
    assert_eq!(stage.js("return log").await, json!(["load"]));
    // Only another fragment: the same document, and no load event.
    stage.passes(json!([{ "type": "navigate", "url": format!("{url}#there") }])).await;
    assert_eq!(stage.js("return [log.length, location.hash]").await, json!([1, "#there"]));
    // The very same address: a new document.
    stage.js("window.old = true").await;
    stage.passes(json!([{ "type": "navigate", "url": url }])).await;
    assert_eq!(stage.js("return window.old ?? null").await, Value::Null);
    stage.close().await;
}

#[tokio::test]
async fn a_session_starts_with_a_blank_page_that_stays() {
    let Some(stage) = Stage::open().await else { return };
    let look = "return [location.href, performance.timeOrigin]";
    let first = stage.js(look).await;
    assert_eq!(first[0], "about:blank");
    stage.passes(json!([{ "type": "waitForExpression", "expression": "performance.now() > 500" }])).await;
    assert_eq!(stage.js(look).await, first, "a page of the browser's own came after it");
    stage.close().await;
}

#[tokio::test]
async fn an_address_that_cannot_be_reached_fails_at_once_and_says_why() {
    let Some(stage) = Stage::open().await else { return };
    let reason = stage.fails(json!([{ "type": "navigate", "url": "http://127.0.0.1:1/" }])).await;
    assert!(reason.contains("the page cannot be loaded: ERR_"), "{reason}");
    let reason = stage.fails(json!([{ "type": "navigate", "url": "shop/cart" }])).await;
    assert!(reason.contains("\"shop/cart\" is not an absolute address"), "{reason}");
    stage.close().await;
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_after_the_load_timeout() {
    let Some(mut stage) = Stage::open().await else { return };
    stage.options.load_timeout = Duration::from_millis(5_000);
    let url = format!("{}/silent", stage.site.origin);
    let reason = stage.fails(json!([{ "type": "navigate", "url": url }])).await;
    assert!(reason.contains(&format!("there is no answer from {url}, for 5000 ms")), "{reason}");
    stage.close().await;
}

#[tokio::test]
async fn a_page_that_never_finishes_loading_is_given_up_after_the_load_timeout() {
    let Some(mut stage) = Stage::open().await else { return };
    stage.options.load_timeout = Duration::from_millis(4000);
    let url = stage.page("<h1>Half a page</h1><img src='/silent'>");
    let reason = stage.fails(json!([{ "type": "navigate", "url": url }])).await;
    assert!(reason.contains(&format!("{url} has not finished loading, for 4000 ms")), "{reason}");
    assert!(reason.ends_with("and has \"Half a page\""), "{reason}");
    stage.close().await;
}

#[tokio::test]
async fn an_asserted_navigation_is_waited_for_until_it_has_loaded() {
    let Some(stage) = Stage::open().await else { return };
    stage.site.serve("/next", "<script>logEvents(window, e => e.type, 'load')</script>");
    let url = stage.page("<a id=go href='/next'>Go</a>");
    stage.passes(json!([{ "type": "navigate", "url": url }, click_asserting("#go")])).await;
    assert_eq!(stage.js("return [location.pathname, log]").await, json!(["/next", ["load"]]));
    stage.close().await;
}

#[tokio::test]
async fn a_navigation_within_the_document_counts_however_quick() {
    let Some(stage) = Stage::open().await else { return };
    for quick in [
        "history.pushState({}, '', '/other')",
        "location.hash = 'x'",
        "history.replaceState({}, '', location.href)",
    ] {
        let url = stage.page(&format!("<button id=go onclick=\"{quick}\">Go</button>"));
        stage.passes(json!([{ "type": "navigate", "url": url }, click_asserting("#go")])).await;
    }
    let url = stage.page("<input id=go onchange=\"location.hash = 'x'\" type=range>");
    let mut change = click_asserting("#go");
    change["type"] = json!("change");
    change["value"] = json!("3");
    stage.passes(json!([{ "type": "navigate", "url": url }, change])).await;
    stage.close().await;
}

#[tokio::test]
async fn a_navigation_that_does_not_come_fails_the_step() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("<button id=go>Go</button>");
    let mut click = click_asserting("#go");
    // It is clicked within that.
    click["timeout"] = json!(5_000);
    let reason = stage.fails(json!([{ "type": "navigate", "url": url }, click])).await;
    assert!(reason.contains(&format!("the page did not navigate away from {url}, for 5000 ms")), "{reason}");
    stage.close().await;
}

#[tokio::test]
async fn set_viewport_changes_size_ratio_and_touch() {
    let Some(stage) = Stage::open().await else { return };
    let viewport = |width, mobile: bool| {
        json!({ "type": "setViewport", "width": width, "height": 500, "deviceScaleFactor": 2,
            "isMobile": mobile, "hasTouch": mobile, "isLandscape": !mobile })
    };
    let url = stage.page("<meta name=viewport content='width=device-width'>");
    let look = "return [innerWidth, innerHeight, devicePixelRatio, navigator.maxTouchPoints > 0, screen.orientation.type]";
    stage.passes(json!([viewport(800, false), { "type": "navigate", "url": url }])).await;
    assert_eq!(stage.js(look).await, json!([800, 500, 2, false, "landscape-primary"]));
    stage.js("window.old = true").await;
    stage.passes(json!([viewport(700, false)])).await;
    assert_eq!(stage.js("return window.old ?? null").await, json!(true), "another size needs no other page");
    stage.passes(json!([viewport(375, true)])).await;
    assert_eq!(stage.js("return window.old ?? null").await, Value::Null, "a phone loads the page anew");
    assert_eq!(stage.js(look).await, json!([375, 500, 2, true, "portrait-primary"]));
    stage.close().await;
}

#[tokio::test]
async fn after_close_the_page_is_gone_and_the_session_is_not() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("hello");
    let steps = json!([{ "type": "navigate", "url": url }, { "type": "close" }, { "type": "scroll" }, { "type": "scroll" }]);
    let (result, _) = stage.replay(steps).await.unwrap();
    assert_eq!(result.verdict, Verdict::Failed);
    let states: Vec<_> = result.steps.iter().map(|step| step.state).collect();
    assert_eq!(states, [StepState::Passed, StepState::Passed, StepState::Failed, StepState::NotRun]);
    assert!(result.steps[2].reason.as_ref().unwrap().contains("the page was closed"), "{result:?}");
    stage.close().await;
}

#[tokio::test]
async fn a_popup_does_not_take_the_steps_away_from_the_page() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(
        "<button id=pop onclick=\"window.popup = window.open('about:blank')\">Pop</button>
        <button id=then>Then</button><script>logEvents(then, e => `${e.type} ${document.hidden}`, 'click')</script>",
    );
    let click = |selector| json!({ "type": "click", "selectors": [selector], "offsetX": 2, "offsetY": 2 });
    let hidden = json!({ "type": "waitForExpression", "expression": "document.hidden" });
    stage.passes(json!([{ "type": "navigate", "url": url }, click("#pop"), hidden, click("#then")])).await;
    let log = stage.js("return log").await;
    assert_eq!(log, json!(["click false"]), "a page in the background was not brought forward before");
    // A popup that closes itself changes nothing either.
    stage.js("popup.close()").await;
    stage.passes(json!([click("#then")])).await;
    stage.close().await;
}

#[tokio::test]
async fn an_emulated_network_is_slow_or_away_until_it_is_changed() {
    let Some(stage) = Stage::open().await else { return };
    stage.site.serve("/other", "other");
    let url = stage.page("<p>Here</p>");
    let network = |download: f64, latency| json!({ "type": "emulateNetworkConditions", "download": download, "upload": download, "latency": latency });
    let fetched = |outcome: &str| {
        let expression = format!(
            "fetch('/other?' + Math.random()).then(() => true, () => false).then(ok => ok === {outcome})"
        );
        json!({ "type": "waitForExpression", "expression": expression })
    };
    let took = |compared: &str| {
        let expression = format!(
            "(async () => {{ const from = performance.now(); await fetch('/other?' + Math.random());
                return performance.now() - from {compared} }})()"
        );
        json!({ "type": "waitForExpression", "expression": expression })
    };
    stage
        .passes(json!([
            { "type": "navigate", "url": url },
            network(0.0, 0), fetched("false"),
            network(1e6, 400), fetched("true"), took(">= 400"),
            network(-1.0, 0), took("< 400"),
        ]))
        .await;
    stage.close().await;
}
