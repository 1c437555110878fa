//! A recording in a real browser: an element is picked in the picture, and the page stays where it is.

use crate::{
    browser::{Chromium, plain},
    record::{page_with, recorder_showing},
    stage::{Stage, between},
    watch::within,
};
use runners_core::{SystemClock, sleep, testing::frames::ScriptedFrames};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_element_is_picked_in_the_picture_and_whoever_drives_stays_on_the_page() {
    let Some(browser) = Chromium::start().await else { return };
    let stage = Stage::open().await;
    let person = stage.sign_in(b'a').await;
    let (told, source) = (Arc::<Mutex<Vec<Value>>>::default(), ScriptedFrames::default());
    source.put(plain([200, 40, 40]));
    let _recorder = recorder_showing(&stage, &told, &source);
    let page = page_with(&person, "record", "name=\"url\"").await;
    let job = between(&page, "name=\"job\" value=\"", "\"").to_owned();
    person.send("record", &[("job", &job), ("url", "https://shop.example/"), ("pool", "default")]).await;
    let path = format!("record/{job}");
    page_with(&person, &path, "Add assertion").await;

    let (name, value) = person.cookie.split_once('=').unwrap();
    browser.post("/url", json!({ "url": stage.url("sign-in") })).await;
    browser.post("/cookie", json!({ "cookie": { "name": name, "value": value } })).await;
    browser.post("/url", json!({ "url": stage.url(&path) })).await;
    browser.until("return document.querySelector('[data-pick]:not([hidden])') !== null").await;
    browser.run("window.stays = true; document.querySelector('[name=what]').value = 'text'; document.querySelector('[data-pick]').click()").await;
    browser.until("return document.querySelector('.pick') === document.activeElement").await;
    browser.keep("record-pick").await;
    let canvas = json!({ "using": "css selector", "value": "section[data-live] canvas" });
    let canvas = browser.post("/element", canvas).await;
    let pointer = json!([
        { "type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": canvas },
        { "type": "pointerDown", "button": 0 },
        { "type": "pointerUp", "button": 0 }
    ]);
    let mouse = json!({ "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" }, "actions": pointer });
    browser.post("/actions", json!({ "actions": [mouse] })).await;
    let asserted = within(async {
        loop {
            let found = told.lock().unwrap().iter().find(|one| one["do"] == "assert").cloned();
            if let Some(found) = found {
                return found;
            }
            sleep(&SystemClock::default(), Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(asserted["what"], json!({ "text": null }));
    let (width, height) = ScriptedFrames::VIEWPORT;
    let middle = |at: &Value, whole: u32| (at.as_f64().unwrap() - f64::from(whole) / 2.0).abs() < 3.0;
    let point = &asserted["aim"]["point"];
    assert!(middle(&point["x"], width) && middle(&point["y"], height), "{asserted}");
    browser.until("return document.querySelector('.pick') === null").await;
    assert_eq!(browser.run("return window.stays").await, true, "the page was not left");

    // What is refused is told in place, once what was sent before is answered.
    browser.until("return document.querySelector('[data-pick]').form.dataset.busy === undefined").await;
    browser.run("const form = document.querySelector('[data-pick]').form; form.elements.point.value = 'ten'; form.requestSubmit()").await;
    browser
        .until("return document.querySelector('#in-place:not([hidden])')?.textContent.includes('ten')")
        .await;
    assert_eq!(browser.run("return window.stays").await, true);
    browser.keep("record-refused").await;
    person.send(&format!("{path}/stop"), &[]).await;
    page_with(&person, &path, "Save to the library").await;
}
