//! The `change` step: what it does depends on the control.

use crate::stage::{LIMIT_MILLIS, SHORT_MILLIS, Stage};
use serde_json::{Value, json};

fn change(selector: &str, value: &str) -> Value {
    json!({ "type": "change", "selectors": [selector], "value": value })
}

/// Logs the events of `#it`, with its value.
fn control(html: &str) -> String {
    format!(
        "{html}<script>const it = document.querySelector('#it');
        logEvents(it, e => `${{e.type}} ${{it.isContentEditable ? it.innerText : it.value}}`, 'input', 'change');
        logEvents(it, e => `${{e.type}} ${{e.key}}`, 'keydown');</script>"
    )
}

async fn value_after(stage: &Stage, html: &str, value: &str) -> Value {
    stage.logged(&control(html), change("#it", value)).await;
    stage.js("return it.isContentEditable ? it.innerText : it.value").await
}

#[tokio::test]
async fn a_short_text_is_typed_key_by_key() {
    let Some(stage) = Stage::open().await else { return };
    let log = stage.logged(&control("<input id=it value=old>"), change("#it", "aB")).await;
    assert_eq!(log, json!(["keydown a", "input a", "keydown B", "input aB"]));
    assert_eq!(value_after(&stage, "<textarea id=it></textarea>", "one\ntwo é").await, json!("one\ntwo é"));
    assert_eq!(value_after(&stage, "<input id=it type=number>", "42").await, json!("42"));
    assert_eq!(value_after(&stage, "<input id=it type=email>", "a@b.c").await, json!("a@b.c"));
    stage.close().await;
}

#[tokio::test]
async fn a_text_that_begins_like_the_wanted_one_is_completed() {
    let Some(stage) = Stage::open().await else { return };
    let log = stage.logged(&control("<input id=it value=abc>"), change("#it", "abcde")).await;
    assert_eq!(log, json!(["keydown d", "input abcd", "keydown e", "input abcde"]));
    let html = "<div id=it contenteditable>abc</div>";
    assert_eq!(value_after(&stage, html, "abcd").await, json!("abcd"));
    assert_eq!(value_after(&stage, html, "xy").await, json!("xy"));
    stage.close().await;
}

#[tokio::test]
async fn a_text_that_is_there_already_is_left_alone() {
    let Some(stage) = Stage::open().await else { return };
    let log = stage.logged(&control("<input id=it value=same>"), change("#it", "same")).await;
    assert_eq!(log, json!([]));
    stage.close().await;
}

#[tokio::test]
async fn a_long_text_is_assigned_and_the_page_is_told() {
    let Some(stage) = Stage::open().await else { return };
    let text = "x".repeat(100);
    let log = stage.logged(&control("<input id=it>"), change("#it", &text)).await;
    assert_eq!(log, json!([format!("input {text}"), format!("change {text}")]));
    let log = stage.logged(&control("<input id=it>"), change("#it", &text[1..])).await;
    assert_eq!(log.as_array().unwrap().len(), 2 * 99, "one character less is typed");
    stage.close().await;
}

#[tokio::test]
async fn a_framework_that_watches_the_value_setter_notices_an_assignment() {
    let Some(stage) = Stage::open().await else { return };
    // What React does: its own setter on the element remembers the value, and an event whose
    // value it remembers already is no news.
    let html = "<input id=it type=range min=0 max=10 value=1><script>
        const el = document.querySelector('#it'), own = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');
        let known = el.value;
        Object.defineProperty(el, 'value', { get() { return own.get.call(this); }, set(v) { known = v; own.set.call(this, v); } });
        el.addEventListener('input', () => { if (el.value !== known) log.push('news'); });</script>";
    assert_eq!(stage.logged(html, change("#it", "7")).await, json!(["news"]));
    stage.close().await;
}

#[tokio::test]
async fn a_select_takes_the_option_with_the_value() {
    let Some(stage) = Stage::open().await else { return };
    let html = "<select id=it><option value=a>A<option value=b>B</select>";
    let log = stage.logged(&control(html), change("#it", "b")).await;
    assert_eq!(log, json!(["input b", "change b"]));
    let url = stage.page(html);
    let mut other = change("#it", "c");
    other["timeout"] = json!(SHORT_MILLIS);
    let reason = stage.fails(json!([{ "type": "navigate", "url": url }, other])).await;
    assert!(reason.contains(r#"#it has no option with the value "c"; it has "a", "b""#), "{reason}");
    stage.close().await;
}

#[tokio::test]
async fn a_checkbox_is_clicked_only_if_its_state_differs() {
    let Some(stage) = Stage::open().await else { return };
    let boxed = |checked: &str| {
        format!(
            "<input id=it type=checkbox {checked}><script>logEvents(it, e => `${{e.type}} ${{it.checked}}`, 'click')</script>"
        )
    };
    assert_eq!(stage.logged(&boxed(""), change("#it", "on")).await, json!(["click true"]));
    assert_eq!(stage.logged(&boxed("checked"), change("#it", "on")).await, json!([]));
    assert_eq!(stage.logged(&boxed("checked"), change("#it", "")).await, json!(["click false"]));
    let switch = "<div id=it role=switch aria-checked=false style='width:20px;height:20px'></div>
        <script>logEvents(it, e => e.type, 'click')</script>";
    assert_eq!(stage.logged(switch, change("#it", "true")).await, json!(["click"]));
    let url = stage.page(&boxed(""));
    let reason = stage.fails(json!([{ "type": "navigate", "url": url }, change("#it", "false")])).await;
    assert!(reason.contains("would be checked by the value \"false\""), "{reason}");
    stage.close().await;
}

#[tokio::test]
async fn other_inputs_are_assigned_and_what_is_no_control_is_refused_at_once() {
    let Some(stage) = Stage::open().await else { return };
    assert_eq!(value_after(&stage, "<input id=it type=date>", "2026-11-20").await, json!("2026-11-20"));
    assert_eq!(value_after(&stage, "<input id=it type=color>", "#00ff00").await, json!("#00ff00"));
    for (html, why) in [
        ("<p id=it>text</p>", "#it is a <p>, which cannot be filled in"),
        ("<input id=it type=file>", "#it takes files, which a flow cannot give"),
    ] {
        let url = stage.page(html);
        let (result, _) =
            stage.replay(json!([{ "type": "navigate", "url": url }, change("#it", "x")])).await.unwrap();
        let failed = result.failure().unwrap();
        assert!(failed.reason.as_ref().unwrap().contains(why), "{failed:?}");
        assert!(
            failed.duration_ms < LIMIT_MILLIS,
            "it did not wait for its time limit: {} ms",
            failed.duration_ms
        );
    }
    stage.close().await;
}

#[tokio::test]
async fn a_change_event_comes_when_the_next_step_leaves_the_control() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(&control("<input id=it><button id=next>Next</button>"));
    let click = json!({ "type": "click", "selectors": ["#next"], "offsetX": 1, "offsetY": 1 });
    stage.passes(json!([{ "type": "navigate", "url": url }, change("#it", "a"), click])).await;
    assert_eq!(stage.js("return log").await, json!(["keydown a", "input a", "change a"]));
    stage.close().await;
}
