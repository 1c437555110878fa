//! Keys pressed and released by steps of their own.

use crate::stage::Stage;
use serde_json::{Value, json};

const FIELD: &str = "<input id=it><button id=b>B</button><script>
    logEvents(document, e => `${e.type} ${e.key} ${e.code}${e.shiftKey ? ' shift' : ''}`, 'keydown', 'keyup');
    logEvents(b, e => `click${e.shiftKey ? ' shift' : ''}`, 'click');
    it.focus();</script>";

fn down(key: &str) -> Value {
    json!({ "type": "keyDown", "key": key })
}

fn up(key: &str) -> Value {
    json!({ "type": "keyUp", "key": key })
}

async fn after(stage: &Stage, mut steps: Vec<Value>) -> Value {
    steps.insert(0, json!({ "type": "navigate", "url": stage.page(FIELD) }));
    stage.passes(json!(steps)).await;
    stage.js("return log").await
}

#[tokio::test]
async fn a_modifier_stays_down_until_it_is_released() {
    let Some(stage) = Stage::open().await else { return };
    let click = json!({ "type": "click", "selectors": ["#b"], "offsetX": 1, "offsetY": 1 });
    let log = after(&stage, vec![down("Shift"), click.clone(), up("Shift"), click]).await;
    assert_eq!(
        log,
        json!(["keydown Shift ShiftLeft shift", "click shift", "keyup Shift ShiftLeft", "click"])
    );
    stage.close().await;
}

#[tokio::test]
async fn each_key_is_followed_by_a_pause() {
    let Some(stage) = Stage::open().await else { return };
    let body = "<script>logEvents(document, e => e.timeStamp, 'keydown', 'keyup')</script>";
    stage.passes(json!([{ "type": "navigate", "url": stage.page(body) }, down("a"), up("a")])).await;
    assert_eq!(stage.js("return log[1] - log[0] >= 100").await, json!(true));
    stage.close().await;
}

#[tokio::test]
async fn keys_go_by_their_key_and_by_their_code() {
    let Some(stage) = Stage::open().await else { return };
    let log = after(
        &stage,
        vec![down("a"), up("a"), down("KeyB"), up("KeyB"), down("NumpadEnter"), up("NumpadEnter")],
    )
    .await;
    assert_eq!(
        log,
        json!([
            "keydown a KeyA",
            "keyup a KeyA",
            "keydown b KeyB",
            "keyup b KeyB",
            "keydown Enter NumpadEnter",
            "keyup Enter NumpadEnter",
        ])
    );
    assert_eq!(stage.js("return it.value").await, json!("ab"));
    let log = after(
        &stage,
        vec![down("Control"), down("a"), up("a"), up("Control"), down("Backspace"), up("Backspace")],
    )
    .await;
    assert_eq!(log.as_array().unwrap().len(), 6);
    assert_eq!(stage.js("return it.value").await, json!(""));
    stage.close().await;
}

#[tokio::test]
async fn a_key_without_a_code_point_of_webdriver_is_pressed_anyway() {
    let Some(stage) = Stage::open().await else { return };
    for (key, read) in [("F13", "F13 F13"), ("CapsLock", "CapsLock CapsLock"), ("Props", "CrSel Props")] {
        let log = after(&stage, vec![down(key), up(key)]).await;
        assert_eq!(log, json!([format!("keydown {read}"), format!("keyup {read}")]));
    }
    stage.close().await;
}

#[tokio::test]
async fn a_key_that_no_keyboard_has_fails_the_step() {
    let Some(stage) = Stage::open().await else { return };
    let reason = stage.fails(json!([{ "type": "navigate", "url": stage.page(FIELD) }, down("Entr")])).await;
    assert!(reason.starts_with("step 2 (press Entr): no keyboard has the key \"Entr\""), "{reason}");
    stage.close().await;
}
