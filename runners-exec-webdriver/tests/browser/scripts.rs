//! How much of a script goes to a page: all of it once, and then its name.

use crate::stage::{Stage, flow};
use async_trait::async_trait;
use runners_core::Verdict;
use runners_exec_webdriver::{BrowserError, Call, Engine, Replay, Session};
use serde_json::{Map, Value, json};
use std::{mem, sync::Mutex};

/// A call that names a script is shorter than this, the script itself longer.
const CALL_CHARACTERS_MAX: usize = 1_000;

/// Notes how long each script was that asks for `asked`.
#[derive(Debug)]
struct Measured<'s> {
    session: &'s dyn Session,
    asked: &'static str,
    lengths: Mutex<Vec<usize>>,
}

#[async_trait]
impl Session for Measured<'_> {
    fn capabilities(&self) -> &Map<String, Value> {
        self.session.capabilities()
    }
    async fn call(&self, call: Call) -> Result<Value, BrowserError> {
        if let Some(script) = call.body["script"].as_str().filter(|script| script.contains(self.asked)) {
            self.lengths.lock().unwrap().push(script.len());
        }
        self.session.call(call).await
    }
    async fn close(&self) {
        self.session.close().await;
    }
}

async fn sent_once_to_each_document(engine: Engine) {
    let Some(stage) = Stage::open_in(engine).await else { return };
    let next = stage.site.serve("/next", "<h1>Next</h1>");
    let url = stage.page(&format!("<a id=it href='{next}'>Next</a>"));
    let look = json!({ "type": "waitForExpression", "expression": "document.links.length < 9" });
    let click = json!({ "type": "click", "selectors": ["#it"], "offsetX": 3, "offsetY": 3,
        "assertedEvents": [{ "type": "navigation", "url": next }] });
    let steps = json!([{ "type": "navigate", "url": url }, look, look, look, click, look, look]);
    let session =
        Measured { session: &*stage.session, asked: "document.links.length", lengths: Mutex::default() };
    let replay = Replay::new(flow(steps), stage.options);
    let result = replay.run(&session, &(), std::future::pending()).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{engine}: {:?}", result.failure());
    let lengths = mem::take(&mut *session.lengths.lock().unwrap());
    let are_calls: Vec<bool> = lengths.iter().map(|length| *length < CALL_CHARACTERS_MAX).collect();
    // The first look at the next page finds no script there, or it is known that there is none.
    let (first, then) = are_calls.split_at(3);
    assert_eq!(first, [false, true, true], "{engine}: {lengths:?}");
    assert!([&[true, false, true][..], &[false, true]].contains(&then), "{engine}: {lengths:?}");
    stage.close().await;
}

#[tokio::test]
async fn a_script_is_sent_once_to_each_document_in_chromium() {
    sent_once_to_each_document(Engine::Chromium).await;
}

#[tokio::test]
async fn a_script_is_sent_once_to_each_document_in_firefox() {
    sent_once_to_each_document(Engine::Firefox).await;
}
