//! Something is recorded from the dashboard: offered where a runner can, steered by forms, kept at its end.

use crate::stage::{Browser, Stage, between};
use runners_core::{Attempt, Command, Fault, JobId, Runner, TenantId, testing::frames::ScriptedFrames};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// What is asked of the recorder of these tests.
#[derive(Serialize, Deserialize)]
struct Record(Value);

impl Command for Record {
    const KIND: &'static str = "record_flow";
    type Result = Value;
}

#[derive(Clone, Serialize, Deserialize)]
struct Steer(Value);

impl Command for Steer {
    const KIND: &'static str = "record_flow.steer";
    type Result = Value;
}

fn document() -> Value {
    json!({
        "title": "checkout",
        "runners": { "mode": "strict", "params": { "password": { "secret": true } } },
        "steps": [
            { "type": "navigate", "url": "https://shop.example/", "id": "1", "description": "go to the shop" },
            { "type": "click", "selectors": [["#buy"]], "offsetX": 1, "offsetY": 1, "id": "2", "description": "click \"<Buy>\"" },
        ],
    })
}

/// A runner that records what nobody does, and remembers what it was told.
fn recorder(stage: &Stage, told: &Arc<Mutex<Vec<Value>>>) -> Runner {
    recorder_showing(stage, told, &ScriptedFrames::default())
}

/// The same, which shows something to whoever looks.
pub(crate) fn recorder_showing(
    stage: &Stage,
    told: &Arc<Mutex<Vec<Value>>>,
    shown: &ScriptedFrames,
) -> Runner {
    let (told, shown) = (Arc::clone(told), shown.clone());
    let record = move |Record(command): Record, attempt: Attempt| {
        let (told, shown) = (Arc::clone(&told), shown.clone());
        async move {
            attempt.show(Arc::new(shown));
            let mut signals = attempt.signals::<Steer>();
            told.lock().unwrap().push(command);
            attempt.log("  2  click Buy\n");
            let kept = document().to_string().into_bytes();
            attempt.attach("flow.json", "application/json", kept).await.unwrap();
            while let Some(signal) = signals.next().await {
                let Steer(command) = signal.command().clone();
                let is_stop = command["do"] == "stop";
                let is_known = command["step"] != "9";
                told.lock().unwrap().push(command);
                signal.answer(match is_known {
                    true => Ok(json!({ "steps": [], "total": 2 })),
                    false => Err(Fault::permanent("invalid", "step: there is no step \"9\"")),
                });
                if is_stop {
                    break;
                }
            }
            let mut flow = document();
            for step in flow["steps"].as_array_mut().unwrap() {
                step.as_object_mut().unwrap().retain(|name, _| name != "id" && name != "description");
            }
            let recorded =
                [json!({ "description": "go to the shop" }), json!({ "description": "click \"<Buy>\"" })];
            Ok::<_, Fault>(json!({
                "flow": flow, "recorded": recorded, "secrets": ["password"], "ended": "stopped",
                "notes": ["a file was too large"],
            }))
        }
    };
    let builder = stage.control.local_runner("default").name("recorder");
    builder.artifacts(TenantId::DEFAULT, stage.artifacts.clone()).executor(record).start()
}

/// The page, once it says something.
pub(crate) async fn page_with(browser: &Browser, path: &str, text: &str) -> String {
    loop {
        let page = browser.page(path).await;
        if page.contains(text) {
            return page;
        }
    }
}

#[tokio::test]
async fn recording_is_offered_only_where_a_runner_can_and_the_reason_is_told_where_none_can() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let page = browser.page("record").await;
    assert!(page.contains("no runner has joined") && !page.contains("name=\"url\""), "{page}");
    let _runner = stage.runner("shouter").await;
    page_with(&browser, "record", "its runners have no browser").await;
    let _recorder = recorder(&stage, &Arc::default());
    let page = page_with(&browser, "record", "one runner can").await;
    assert!(page.contains("name=\"url\""), "{page}");
    let reader = stage.sign_in(b'r').await.page("record").await;
    assert!(!reader.contains("name=\"url\"") && reader.contains("scope submit"), "{reader}");
}

#[tokio::test]
async fn a_recording_is_begun_steered_and_kept_by_forms() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let told = Arc::default();
    let _recorder = recorder(&stage, &told);
    let page = page_with(&browser, "record", "name=\"url\"").await;
    let job = between(&page, "name=\"job\" value=\"", "\"").to_owned();
    let begin = |url| {
        let job = job.clone();
        let browser = &browser;
        async move {
            let fields =
                [("job", &*job), ("url", url), ("pool", "default"), ("width", "800"), ("height", "600")];
            browser.send("record", &fields).await
        }
    };
    assert_eq!(begin("shop").await.status(), 400);
    let begun = begin("https://shop.example/").await;
    assert_eq!(begun.status(), 303);
    assert!(begun.headers()["location"].to_str().unwrap().ends_with(&format!("record/{job}")));
    assert_eq!(begin("https://shop.example/").await.status(), 303, "it is the same job");
    let path = format!("record/{job}");
    let page = page_with(&browser, &path, "click &quot;&lt;Buy&gt;&quot;").await;
    assert!(page.contains("data-live=") && page.contains("Add assertion"), "{page}");
    let step = [("step", "2"), ("to", "0")];
    assert_eq!(browser.send(&format!("{path}/move"), &step).await.status(), 303);
    let aim = [("what", "text"), ("selector", "#total")];
    assert_eq!(browser.send(&format!("{path}/assert"), &aim).await.status(), 303);
    let wrong = browser.send(&format!("{path}/delete"), &[("step", "9")]).await;
    assert_eq!(wrong.status(), 400);
    assert!(wrong.text().await.unwrap().contains("there is no step"));
    assert_eq!(browser.send(&format!("{path}/stop"), &[]).await.status(), 303);
    let page = page_with(&browser, &path, "Save to the library").await;
    assert!(page.contains("it was stopped") && page.contains("a file was too large"), "{page}");
    assert!(!page.contains("Add assertion") && page.contains("click &quot;&lt;Buy&gt;&quot;"), "{page}");
    let flow: Value = serde_json::from_str(&browser.page(&format!("{path}/flow.json")).await).unwrap();
    assert_eq!((&flow["title"], &flow["steps"][1]["id"]), (&json!("checkout"), &Value::Null));
    // It is put into the library from where it is kept, whatever its size.
    let saved = browser.send(&format!("{path}/save"), &[("name", "checkout")]).await;
    assert!(saved.headers()["location"].to_str().unwrap().ends_with("flows/checkout"), "{saved:?}");
    let kept = stage.control.management(Stage::everything()).flow("checkout", None).await.unwrap();
    let kept: Value = serde_json::from_slice(kept.document.as_bytes()).unwrap();
    assert_eq!(kept, flow);
    let again = between(&page, "name=\"job\" value=\"", "\"");
    let replayed = browser.send(&format!("{path}/replay"), &[("job", again)]).await;
    assert!(replayed.headers()["location"].to_str().unwrap().ends_with(&format!("jobs/{again}")));
    let line =
        stage.control.management(Stage::everything()).job(again.parse::<JobId>().unwrap()).await.unwrap();
    assert_eq!(line.kind, "browser_flow");
    let told = told.lock().unwrap();
    let viewport = json!([800, 600]);
    assert_eq!((&told[0]["viewport"], &told[0]["time_limit_ms"]), (&viewport, &json!(1_800_000)));
    assert_eq!(told[1], json!({ "do": "move", "step": "2", "to": 0 }));
    assert_eq!(told[2], json!({ "do": "assert", "what": { "text": null }, "aim": { "selector": "#total" } }));
}

#[tokio::test]
async fn who_only_reads_sees_a_recording_and_steers_nothing() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let told = Arc::default();
    let _recorder = recorder(&stage, &told);
    let page = page_with(&browser, "record", "name=\"url\"").await;
    let job = between(&page, "name=\"job\" value=\"", "\"").to_owned();
    browser.send("record", &[("job", &job), ("url", "https://shop.example/"), ("pool", "default")]).await;
    let path = format!("record/{job}");
    page_with(&browser, &path, "Add assertion").await;
    let reader = stage.sign_in(b'r').await;
    let page = reader.page(&path).await;
    assert!(!page.contains("Add assertion") && !page.contains("/stop\""), "{page}");
    assert_eq!(reader.send(&format!("{path}/stop"), &[]).await.status(), 403);
    assert_eq!(stage.sign_in(b'o').await.open(&path).await.0, 404);
    let other = stage.submit("no recording", runners_core::JobOptions::default()).await;
    assert_eq!(browser.open(&format!("record/{other}")).await.0, 404);
}
