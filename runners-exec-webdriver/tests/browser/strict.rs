//! Mode `strict`: what the reference replayer lets pass in silence.

use crate::stage::{SHORT_MILLIS, Stage};
use serde_json::{Value, json};

fn click(selector: &str) -> Value {
    json!({ "type": "click", "selectors": [selector], "offsetX": 3, "offsetY": 3, "timeout": SHORT_MILLIS })
}

#[tokio::test]
async fn an_overlay_that_swallows_a_click_is_named() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(
        "<button id=it onclick='log.push(1)'>Go</button>
        <div id=cookies class='banner wide' style='position:fixed;inset:0'></div>",
    );
    let reason = stage.fails_strictly(json!([{ "type": "navigate", "url": url }, click("#it")])).await;
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
    let inside = json!({ "type": "click", "selectors": ["#it"], "offsetX": 3, "offsetY": 3, "frame": [0], "timeout": SHORT_MILLIS });
    let url = stage.page(&body("<p id=over style='position:fixed;inset:0;margin:0'></p>"));
    let reason = stage.fails_strictly(json!([{ "type": "navigate", "url": url }, inside])).await;
    assert!(reason.contains("the frame is covered by <p id=\"over\">"), "{reason}");
    let url = stage.page(&body(""));
    stage.passes_strictly(json!([{ "type": "navigate", "url": url }, inside])).await;
    stage.close().await;
}
