//! Mode `strict`: what the reference replayer lets pass in silence.

use crate::stage::{LIMIT_MILLIS, SHORT_MILLIS, Stage};
use runners_exec_webdriver::Engine;
use serde_json::{Value, json};

/// How long a step has that is to fail by where it has led.
const LED_MILLIS: u64 = 5_000;

fn click(selector: &str) -> Value {
    json!({ "type": "click", "selectors": [selector], "offsetX": 3, "offsetY": 3, "timeout": LIMIT_MILLIS })
}

/// The same with another limit, for steps that are to fail.
fn within(mut step: Value, millis: u64) -> Value {
    step["timeout"] = json!(millis);
    step
}

#[tokio::test]
async fn an_overlay_that_swallows_a_click_is_named() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(
        "<button id=it onclick='log.push(1)'>Go</button>
        <div id=cookies class='banner wide' style='position:fixed;inset:0'></div>",
    );
    let covered = within(click("#it"), SHORT_MILLIS);
    let reason = stage.fails_strictly(json!([{ "type": "navigate", "url": url }, covered])).await;
    let why = "step 2 (click #it): #it is covered by <div id=\"cookies\" class=\"banner wide\">, for 1500 ms";
    assert!(reason.starts_with(why), "{reason}");
    assert_eq!(stage.js("return log").await, json!([]), "it was not clicked");
    stage.passes(json!([click("#it")])).await;
    // One that goes away is waited for.
    let url = stage.page(
        "<button id=it onclick='log.push(1)'>Go</button>
        <div id=over style='position:fixed;inset:0'></div><script>setTimeout(() => over.remove(), 300)</script>",
    );
    stage.passes_strictly(json!([{ "type": "navigate", "url": url }, click("#it")])).await;
    assert_eq!(stage.js("return log").await, json!([1]));
    stage.close().await;
}

#[tokio::test]
async fn what_belongs_to_an_element_does_not_cover_it() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(
        "<button id=it><span style='display:block;height:30px'><b>Go</b></span></button>
        <div id=host></div>
        <label style='position:relative'><input type=checkbox id=box style='position:absolute;left:0;z-index:-1'>
            <span style='background:#eee;position:relative;display:inline-block;width:40px'>Yes</span></label>
        <script>
          host.attachShadow({ mode: 'open' }).innerHTML = '<button id=deep><slot></slot><i>Deep</i></button>';
          host.addEventListener('click', () => log.push('host'));
          it.addEventListener('click', () => log.push('it'));
          box.addEventListener('click', () => log.push('box'));
        </script>",
    );
    let steps = json!([{ "type": "navigate", "url": url }, click("#it"), click("#host"), click("pierce/#deep"), click("#box")]);
    stage.passes_strictly(steps).await;
    assert_eq!(stage.js("return log").await, json!(["it", "host", "host", "box"]));
    stage.close().await;
}

#[tokio::test]
async fn an_overlay_of_a_frame_is_found_from_the_page_around_it() {
    let Some(stage) = Stage::open().await else { return };
    stage.site.serve("/inner", "<button id=it onclick='window.clicked = true'>Go</button>");
    let body = |over: &str| format!("<iframe src='/inner'></iframe>{over}");
    let inside = json!({ "type": "click", "selectors": ["#it"], "offsetX": 3, "offsetY": 3, "frame": [0], "timeout": LIMIT_MILLIS });
    let covered = within(inside.clone(), SHORT_MILLIS);
    let url = stage.page(&body("<p id=over style='position:fixed;inset:0;margin:0'></p>"));
    let reason = stage.fails_strictly(json!([{ "type": "navigate", "url": url }, covered])).await;
    assert!(reason.contains("the frame is covered by <p id=\"over\">"), "{reason}");
    let url = stage.page(&body(""));
    stage.passes_strictly(json!([{ "type": "navigate", "url": url }, inside])).await;
    stage.close().await;
}

#[tokio::test]
async fn an_asserted_address_and_title_are_compared() {
    let Some(stage) = Stage::open().await else { return };
    stage.site.serve("/next", "<script>setTimeout(() => document.title = 'Late', 300)</script>");
    let url = stage.page("<a id=it href='/next'>Go</a>");
    let next = format!("{}/next", stage.site.origin);
    let asserting = |url: &str, title: &str| {
        let mut step = click("#it");
        step["assertedEvents"] = json!([{ "type": "navigation", "url": url, "title": title }]);
        step
    };
    let to = json!({ "type": "navigate", "url": url });
    stage.passes_strictly(json!([to, asserting(&next, "Late")])).await;
    stage.passes_strictly(json!([to, asserting("", "")])).await;
    let step = within(asserting(&url, ""), LED_MILLIS);
    let reason = stage.fails_strictly(json!([to, step])).await;
    assert!(
        reason.contains(&format!("the page should have the address {url:?} and has {next:?}, for")),
        "{reason}"
    );
    let step = within(asserting(&next, "Early"), LED_MILLIS);
    let reason = stage.fails_strictly(json!([to, step])).await;
    assert!(reason.contains("the page should have the title \"Early\" and has \"Late\""), "{reason}");
    stage.passes(json!([to, asserting("http://elsewhere/", "Early")])).await;
    stage.close().await;
}

#[tokio::test]
async fn an_element_that_is_waited_for_has_to_be_seen() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(
        "<ul><li class=a>1<li class=a hidden>2<li class=b>3<li style='visibility:hidden'>4</ul>
        <p id=none></p><p id=away style='display:none'>x</p>",
    );
    let wait = |selector: &str, more: Value| {
        let mut step = json!({ "type": "waitForElement", "selectors": [selector], "timeout": LIMIT_MILLIS });
        step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        step
    };
    stage
        .passes_strictly(json!([
            { "type": "navigate", "url": url },
            wait("li", json!({ "operator": "==", "count": 2 })),
            wait("li", json!({ "operator": "==", "count": 1, "attributes": { "class": "a" } })),
            wait("li", json!({ "operator": "==", "count": 1, "properties": { "innerText": "3" } })),
            wait("#away", json!({ "visible": false })),
            wait("#gone", json!({ "visible": false })),
        ]))
        .await;
    for (step, why) in [
        (wait("#away", json!({})), "waited for >= 1 of #away to be seen: 1 found, 0 of them to be seen"),
        (wait("#none", json!({})), "1 found, 0 of them to be seen"),
        (
            wait("li", json!({ "operator": "==", "count": 3 })),
            "waited for == 3 of li to be seen: 4 found, 2 of them to be seen",
        ),
        (
            wait("li", json!({ "attributes": { "class": "c" } })),
            "2 of them to be seen, and the attribute class of one is \"a\"",
        ),
        (wait(".b", json!({ "visible": false })), "waited for >= 1 of .b not to be seen: 1 found"),
    ] {
        let reason = stage.fails_strictly(json!([within(step, SHORT_MILLIS)])).await;
        assert!(reason.contains(why), "{reason}");
    }
    stage.close().await;
}

#[tokio::test]
async fn a_select_has_the_value_or_the_step_fails_and_says_what_it_has() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("<select id=it><option value=s>S<option value=m>M</select>");
    let change = json!({ "type": "change", "selectors": ["#it"], "value": "xl", "timeout": SHORT_MILLIS });
    let reason = stage.fails_strictly(json!([{ "type": "navigate", "url": url }, change])).await;
    let why = "#it has no option with the value \"xl\"; it has \"s\", \"m\"";
    assert!(reason.contains(why), "{reason}");
    stage.close().await;
}

#[tokio::test]
async fn a_click_is_made_by_the_device_that_it_says() {
    let Some(stage) = Stage::open().await else { return };
    let url =
        stage.page("<button id=it>Go</button><script>logEvents(it, e => e.pointerType, 'click')</script>");
    let by = |device: &str| {
        let mut step = click("#it");
        step["deviceType"] = json!(device);
        step
    };
    let steps = json!([{ "type": "navigate", "url": url }, by("touch"), by("pen"), by("mouse")]);
    stage.passes_strictly(steps.clone()).await;
    assert_eq!(stage.js("return log").await, json!(["touch", "pen", "mouse"]));
    stage.passes(steps).await;
    assert_eq!(stage.js("return log").await, json!(["mouse", "mouse", "mouse"]));
    stage.close().await;
}

#[tokio::test]
async fn what_sticks_to_the_edge_of_the_window_is_scrolled_away_from() {
    let Some(stage) = Stage::open().await else { return };
    let bar = |edge: &str, height: &str| {
        format!(
            "<div id=bar style='position:fixed;{edge}:0;left:0;right:0;height:{height};background:#ccc'></div>"
        )
    };
    let space = "<div style='height:2000px'></div>";
    let body = "<button id=it style='display:block;height:40px' onclick='log.push(1)'>Go</button>";
    for (over, scrolled) in
        [(bar("top", "100px"), 1990), (bar("bottom", "60%"), 1700), (bar("top", "70%"), 1990)]
    {
        let url = stage.page(&format!("{over}{space}{body}{space}"));
        let steps = json!([{ "type": "navigate", "url": url }, { "type": "scroll", "x": 0, "y": scrolled }, click("#it")]);
        stage.passes_strictly(steps).await;
        assert_eq!(stage.js("return log").await, json!([1]), "{over}");
    }
    stage.close().await;
}

#[tokio::test]
async fn why_a_click_does_not_reach_its_element_is_told() {
    let Some(stage) = Stage::open().await else { return };
    let button = |more: &str| {
        format!("<button id=it style='width:40px;height:20px;{more}' onclick='log.push(1)'>Go</button>")
    };
    let inert = format!("<div inert>{}</div>", button(""));
    let mut far = click("#it");
    (far["offsetX"], far["offsetY"]) = (json!(200), json!(100));
    let mut out = far.clone();
    out["offsetX"] = json!(5000);
    for (body, step, why) in [
        (button(""), far, "the offset is outside of #it, which is 40 x 20 pixels large"),
        (button(""), out, "the offset is outside of #it, which is 40 x 20 pixels large"),
        (button("visibility:hidden"), click("#it"), "#it is not to be seen (visibility: hidden)"),
        (button("pointer-events:none"), click("#it"), "#it takes no clicks (pointer-events: none)"),
        (inert, click("#it"), "#it is inert"),
    ] {
        let step = within(step, SHORT_MILLIS);
        let reason =
            stage.fails_strictly(json!([{ "type": "navigate", "url": stage.page(&body) }, step])).await;
        assert!(reason.contains(why), "{reason}");
        assert_eq!(stage.js("return log").await, json!([]));
    }
    stage.close().await;
}

#[tokio::test]
async fn of_matches_of_which_the_first_is_hidden_the_visible_one_is_named() {
    for engine in [Engine::Chromium, Engine::Firefox] {
        let Some(stage) = Stage::open_in(engine).await else { continue };
        let url = stage.page(
            "<div class=menu style='display:none'><a>Pay</a></div>
            <div id=bar class=menu><a style='visibility:hidden'>Pay</a><a onclick='window.paid = true'>Pay</a></div>",
        );
        let click = |selector: &str| json!({ "type": "click", "selectors": [selector], "offsetX": 1, "offsetY": 1, "timeout": SHORT_MILLIS });
        let steps = |selector| json!([{ "type": "navigate", "url": url }, click(selector)]);
        let told = ".menu a is not rendered where it can be scrolled into view";
        let reason = stage.fails(steps(".menu a")).await;
        assert!(reason.contains(&format!("{told}, for")), "as the reference: {reason}");
        let reason = stage.fails_strictly(steps(".menu a")).await;
        let path = "#bar > a:nth-of-type(2)";
        assert!(
            reason.contains(&format!("{told}; match 3 of 3 of .menu a is visible: {path}, for")),
            "{reason}"
        );
        stage.passes_strictly(steps(path)).await;
        stage.close().await;
    }
}
