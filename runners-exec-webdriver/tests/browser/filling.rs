//! What `change` fills in goes to its control, and in mode `strict` is there afterwards.

use crate::stage::{AT_THE_END, ByDriver, Counted, LIMIT_MILLIS, REPLAYS_MAX, SHORT_MILLIS, Stage, flow};
use runners_core::Secret;
use runners_exec_webdriver::{BrowserFlow, Engine, Mode, Replay, Screenshots, Session};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What the values of tests stand for that hold a secret.
const SECRET: &str = "CorrectHorse99";

fn change(value: &str, millis: u64) -> Value {
    json!({ "type": "change", "selectors": ["#it"], "value": value, "timeout": millis })
}

fn filling(stage: &Stage, html: &str, value: &str, millis: u64) -> BrowserFlow {
    flow(json!([{ "type": "navigate", "url": stage.page(html) }, change(value, millis)]))
}

fn with_secret(flow: BrowserFlow) -> BrowserFlow {
    flow.with_secrets(|_| Some(Secret::from_text(SECRET))).unwrap()
}

/// Why a flow fails on a page with this body.
async fn why_it_fails(stage: &Stage, flow: BrowserFlow, html: &str) -> String {
    for _ in 0..REPLAYS_MAX {
        let (result, _) = stage.replay_flow(flow.clone()).await.unwrap();
        let failed =
            result.failure().unwrap_or_else(|| panic!("{html}: {:?} was filled in", flow.flow().mode));
        let reason = failed.reason.clone().unwrap();
        if !reason.contains("the page did not answer") {
            return reason;
        }
    }
    panic!("{html}: the page did not answer");
}

/// Why this control does not take the value in `strict` mode.
async fn refused(stage: &Stage, html: &str, value: &str) -> String {
    why_it_fails(stage, filling(stage, html, value, SHORT_MILLIS).with_mode(Mode::Strict), html).await
}

/// What this control has after it took the value in `strict` mode.
async fn taken(stage: &Stage, html: &str, value: &str) -> Value {
    let flow = filling(stage, html, value, LIMIT_MILLIS).with_mode(Mode::Strict);
    let (result, _) = stage.replay_flow(flow).await.unwrap();
    assert_eq!(result.failure(), None, "{html} and {value:?}");
    stage.js("return it.type === 'checkbox' ? it.checked : it.value ?? it.innerText").await
}

#[tokio::test]
async fn what_only_looks_like_the_place_of_a_secret_is_typed() {
    let Some(stage) = Stage::open().await else { return };
    assert_eq!(taken(&stage, "<input id=it>", "${secret:=}a} ${secret:").await, "${secret:a} ${secret:");
    stage.close().await;
}

async fn never_to_another_control(engine: Engine) {
    let Some(stage) = Stage::open_in(engine).await else { return };
    let modal = "<input id=it><dialog id=d>Cookies? <input id=o></dialog><script>d.showModal()</script>";
    for (html, why) in [
        (modal, "#it is behind the dialog <dialog id=\"d\">"),
        ("<input id=o autofocus><div inert><input id=it></div>", "#it is inert"),
        ("<input id=o autofocus><fieldset disabled><input id=it></fieldset>", "#it is disabled"),
        (
            "<input id=it onfocus='o.focus()'><input id=o>",
            "the focus goes to <input id=\"o\"> instead of #it",
        ),
    ] {
        for mode in [Mode::Compat, Mode::Strict] {
            for value in ["hello", "${secret:word}"] {
                let flow = with_secret(filling(&stage, html, value, SHORT_MILLIS).with_mode(mode));
                let reason = why_it_fails(&stage, flow, html).await;
                assert!(reason.contains(why), "{engine}: {reason}");
                assert_eq!(stage.js("return o.value").await, json!(""), "{engine}: {html}");
            }
        }
    }
    stage.close().await;
}

#[tokio::test]
async fn a_text_never_goes_to_another_control() {
    never_to_another_control(Engine::Chromium).await;
}

#[tokio::test]
async fn a_text_never_goes_to_another_control_in_firefox() {
    never_to_another_control(Engine::Firefox).await;
}

#[tokio::test]
async fn what_hands_the_focus_to_its_own_parts_is_filled() {
    let Some(stage) = Stage::open().await else { return };
    let html = "<div id=host></div><script>
        host.attachShadow({ mode: 'open', delegatesFocus: true }).innerHTML = '<input id=deep>';</script>";
    let step =
        json!({ "type": "change", "selectors": ["pierce/#deep"], "value": "in", "timeout": LIMIT_MILLIS });
    for mode in [Mode::Compat, Mode::Strict] {
        let steps = json!([{ "type": "navigate", "url": stage.page(html) }, step]);
        let (result, _) = stage.replay_flow(flow(steps).with_mode(mode)).await.unwrap();
        assert_eq!(result.failure(), None);
        assert_eq!(stage.js("return host.shadowRoot.querySelector('#deep').value").await, json!("in"));
    }
    let inner = "<div contenteditable><p id=it>old</p></div>";
    assert_eq!(taken(&stage, inner, "new").await, json!("new"));
    let modal = "<dialog id=d><input id=it></dialog><script>d.showModal()</script>";
    assert_eq!(taken(&stage, modal, "new").await, json!("new"));
    stage.close().await;
}

#[tokio::test]
async fn what_a_control_does_not_take_fails_the_step_and_says_what_is_there() {
    let Some(stage) = Stage::open().await else { return };
    for (html, value, why) in [
        ("<input id=it type=date>", "29.02.2024", "#it has the value \"\" and not \"29.02.2024\""),
        ("<input id=it type=time>", "25:99", "#it has the value \"\" and not \"25:99\""),
        ("<input id=it type=month>", "foo", "#it has the value \"\" and not \"foo\""),
        ("<input id=it type=number>", "abc", "#it has the value \"\" and not \"abc\""),
        (
            "<input id=it type=number oninput='this.value = 1.5'>",
            "15",
            "has the value \"1.5\" and not \"15\"",
        ),
        ("<input id=it type=color>", "reddish", "#it has the value \"#000000\" and not \"reddish\""),
        ("<input id=it type=range>", "900", "#it has the value \"100\" and not \"900\""),
        (
            "<input id=it oninput=\"this.value = this.value.replace(/[a-z]/g, '')\">",
            "abc123",
            "has the value \"123\"",
        ),
        (
            "<select id=it onchange=\"this.value = 'a'\"><option>a<option>b</select>",
            "b",
            "has the value \"a\" and not \"b\"",
        ),
    ] {
        let reason = refused(&stage, html, value).await;
        assert!(reason.contains(why), "{reason}");
    }
    stage.close().await;
}

#[tokio::test]
async fn what_a_control_cannot_take_is_not_given_to_it() {
    let Some(stage) = Stage::open().await else { return };
    let long = "x".repeat(120);
    for (html, value, why) in [
        ("<input id=it maxlength=3>", "abcdef", "#it takes 3 characters at most"),
        ("<textarea id=it maxlength=3></textarea>", &long, "#it takes 3 characters at most"),
        ("<form onsubmit='log.push(1); return false'><input id=it></form>", "a\nb", "#it has one line"),
        ("<fieldset disabled><select id=it><option>a<option>b</select></fieldset>", "b", "#it is disabled"),
        ("<select id=it><option>a<option disabled>b</select>", "b", "the option \"b\" of #it is disabled"),
        (
            "<select id=it><option>a<optgroup disabled label=x><option>b</optgroup></select>",
            "b",
            "the option \"b\" of #it is disabled",
        ),
        ("<input id=it type=radio checked>", "", "#it is a radio button"),
        (
            "<input id=it type=checkbox><p id=over style='position:fixed;inset:0;margin:0'></p>",
            "true",
            "#it is covered by <p id=\"over\">",
        ),
    ] {
        let reason = refused(&stage, html, value).await;
        assert!(reason.contains(why), "{reason}");
        assert_eq!(stage.js("return log").await, json!([]), "{html}");
    }
    stage.close().await;
}

#[tokio::test]
async fn a_list_has_the_options_afterwards_or_the_step_fails() {
    let Some(stage) = Stage::open().await else { return };
    let parameters = json!({ "selectors": ["#it"], "values": ["a", "c"] });
    let step = json!({ "type": "customStep", "name": "runners.select", "parameters": parameters, "timeout": SHORT_MILLIS });
    let list = |more: &str, last: &str| {
        format!("<select id=it multiple {more}><option>a<option>b<option {last}>c</select>")
    };
    for (html, why) in [
        (list("onchange='this.value = \"b\"'", ""), r#"#it has ["b"] and not ["a","c"]"#),
        (list("", "disabled"), "the option \"c\" of #it is disabled"),
        (format!("<fieldset disabled>{}</fieldset>", list("", "")), "#it is disabled"),
    ] {
        let steps = json!([{ "type": "navigate", "url": stage.page(&html) }, step]);
        let reason = why_it_fails(&stage, flow(steps).with_mode(Mode::Strict), &html).await;
        assert!(reason.contains(why), "{reason}");
    }
    stage.passes_strictly(json!([{ "type": "navigate", "url": stage.page(&list("", "")) }, step])).await;
    stage.close().await;
}

#[tokio::test]
async fn a_box_is_checked_afterwards_or_the_step_fails() {
    let Some(stage) = Stage::open().await else { return };
    let boxed = |more: &str| format!("<input id=it type=checkbox {more}>");
    for (html, why) in [
        (boxed("onclick='return false'"), "#it is not checked after a click"),
        (
            "<div id=it role=checkbox aria-checked=false style='width:9px;height:9px'></div>".to_owned(),
            "#it is not checked after a click",
        ),
    ] {
        let reason = refused(&stage, &html, "true").await;
        assert!(reason.contains(why), "{reason}");
    }
    let mixed = |checked: &str| format!("{}<script>it.indeterminate = true</script>", boxed(checked));
    assert_eq!(taken(&stage, &mixed("checked"), "true").await, json!(true));
    assert_eq!(taken(&stage, &mixed(""), "true").await, json!(true));
    assert_eq!(taken(&stage, &mixed("checked"), "").await, json!(false));
    assert_eq!(taken(&stage, &mixed(""), "").await, json!(false));
    // One that follows a frame later.
    let late = "<div id=it role=switch aria-checked=false style='width:9px;height:9px' onclick=\"
        requestAnimationFrame(() => this.setAttribute('aria-checked', 'true'))\"></div>";
    taken(&stage, late, "true").await;
    stage.close().await;
}

async fn takes_what_it_means(engine: Engine) {
    let Some(stage) = Stage::open_in(engine).await else { return };
    for (html, value, has) in [
        ("<input id=it type=color>", "#AABBCC", "#aabbcc"),
        ("<input id=it type=number>", "12.50", "12.50"),
        ("<input id=it type=range max=10 step=0.5>", "7.5", "7.5"),
        ("<input id=it>", "a\tb", "a\tb"),
        ("<textarea id=it></textarea><input id=o>", "a\n\tb\t", "a\n\tb\t"),
        ("<textarea id=it></textarea>", "one\ntwo", "one\ntwo"),
        ("<div id=it contenteditable>old</div>", "two words", "two words"),
        // A mask puts its separators between what was typed.
        (
            "<input id=it oninput=\"this.value = this.value.replace(/\\D/g, '').replace(/(..)(?=.)/g, '$1-')\">",
            "123456",
            "12-34-56",
        ),
        ("<input id=it value=old>", "", ""),
    ] {
        let is = taken(&stage, html, value).await.as_str().unwrap().replace('\u{a0}', " ");
        assert_eq!(is, has, "{engine}: {html}");
    }
    stage.close().await;
}

#[tokio::test]
async fn a_value_that_is_written_otherwise_was_taken() {
    takes_what_it_means(Engine::Chromium).await;
}

#[tokio::test]
async fn a_value_that_is_written_otherwise_was_taken_in_firefox() {
    takes_what_it_means(Engine::Firefox).await;
}

#[tokio::test]
async fn what_goes_away_with_its_value_is_not_read_back() {
    let Some(stage) = Stage::open().await else { return };
    stage.site.serve("/next", "<h1>Next</h1>");
    for body in [
        "<input id=it oninput=\"if (this.value === '1234') location = '/next'\">",
        "<input id=it oninput=\"if (this.value === '1234') this.replaceWith('done')\">",
    ] {
        let flow = filling(&stage, body, "1234", LIMIT_MILLIS).with_mode(Mode::Strict);
        let (result, _) = stage.replay_flow(flow).await.unwrap();
        assert_eq!(result.failure(), None, "{body}");
    }
    stage.close().await;
}

#[tokio::test]
async fn no_page_sees_a_part_of_a_secret() {
    let Some(stage) = Stage::open().await else { return };
    let html = "<input id=it type=password><script>logEvents(it, () => it.value, 'input')</script>";
    for mode in [Mode::Compat, Mode::Strict] {
        for (value, whole) in
            [("${secret:word}", SECRET.to_owned()), ("Mr ${secret:word}!", format!("Mr {SECRET}!"))]
        {
            let flow = with_secret(filling(&stage, html, value, LIMIT_MILLIS).with_mode(mode));
            let (result, _) = stage.replay_flow(flow).await.unwrap();
            assert_eq!(result.failure(), None);
            assert_eq!(stage.js("return log").await, json!([whole]), "{mode:?}");
        }
    }
    // Nor does who reads why a step failed.
    let cuts = "<input id=it oninput='this.value = this.value.slice(0, 9)'>";
    for html in [cuts, "<input id=it type=number>", "<input id=it maxlength=9>", "<input id=it type=date>"] {
        let flow = with_secret(filling(&stage, html, "${secret:word}", SHORT_MILLIS).with_mode(Mode::Strict));
        let (result, _) = stage.failing(flow).await;
        let reason = result.failure().unwrap().reason.clone().unwrap();
        assert!(!reason.contains("Corr") && reason.contains("#it "), "{reason}");
    }
    stage.close().await;
}

#[tokio::test]
async fn reading_back_costs_one_command_where_a_key_comes_last() {
    let Some(mut stage) = Stage::open().await else { return };
    stage.options.screenshots = Screenshots::OfFailures;
    let url =
        stage.page("<input id=a><input id=b type=date><input id=c><select id=d><option>a<option>b</select>");
    // A page has the focus from its first click on.
    let click = json!({ "type": "click", "selectors": ["#c"], "offsetX": 1, "offsetY": 1 });
    stage.passes(json!([{ "type": "navigate", "url": url }, click])).await;
    for (selector, value, expected) in
        [("#a", "typed", 3), ("#b", "2026-11-23", 1), ("#c", "${secret:word}", 1), ("#d", "b", 1)]
    {
        let step = json!({ "type": "change", "selectors": [selector], "value": value });
        let flow = with_secret(flow(json!([step])).with_mode(Mode::Strict));
        let calls = Arc::new(AtomicUsize::new(0));
        let session = Counted { session: &*stage.session, calls: Arc::clone(&calls) };
        let session: &dyn Session = &ByDriver(&session);
        let result =
            Replay::new(flow, stage.options).run(session, &(), std::future::pending()).await.unwrap();
        assert_eq!(result.failure(), None);
        assert_eq!(calls.load(Ordering::SeqCst), expected + AT_THE_END, "{selector}");
    }
    stage.close().await;
}
