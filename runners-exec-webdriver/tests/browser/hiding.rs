//! What is told of a page has no part of a secret, also where it was cut.

use crate::stage::Stage;
use runners_core::Secret;
use runners_exec_webdriver::BrowserFlow;
use serde_json::{Value, json};

#[tokio::test]
async fn what_is_cut_within_a_secret_keeps_no_part_of_it() {
    let Some(stage) = Stage::open().await else { return };
    // Each text is cut, by the page or by what is told of it, three characters into the secret.
    let page = |cut: usize, html: &str| {
        let text = format!("{}p%w\"d 7 and more", "x".repeat(cut - 3));
        let script = format!("for (const one of document.querySelectorAll('[data-it]')) one.after({text:?})");
        format!("{html}<script>{script}</script>")
    };
    let set = "<input id=it oninput=\"this.value = '<TEXT>'\">";
    let set = set.replace("<TEXT>", &format!("{}p%w&quot;d 7 and more", "x".repeat(197)));
    let title = format!("{}p%w\"d 7 and more", "x".repeat(396 - "the page is \"".len()));
    let title = format!("<script>document.title = {title:?}</script>");
    let behind = format!("<input id=it><dialog id='{}p%w&quot;d 7 and more'></dialog>", "x".repeat(37));
    let behind = format!("{behind}<script>document.querySelector('dialog').showModal()</script>");
    let wait = |more: Value| {
        let mut step = json!({ "type": "waitForElement", "selectors": ["#it"] });
        step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        step
    };
    let says = json!({ "selectors": ["#it"], "text": "other" });
    let cases = [
        (
            page(200, "<p id=it><b data-it></b></p>"),
            json!({ "type": "customStep", "name": "runners.assertText", "parameters": says }),
        ),
        // Of the property, with its quote.
        (page(99, "<p id=it><b data-it></b></p>"), wait(json!({ "properties": { "textContent": "other" } }))),
        (set, json!({ "type": "change", "selectors": ["#it"], "value": "other", "timeout": 15_000 })),
        (title, wait(json!({ "selectors": ["#none"] }))),
        (behind, json!({ "type": "change", "selectors": ["#it"], "value": "other", "timeout": 1000 })),
        (page(40, "<button><b data-it></b></button>"), wait(json!({ "selectors": ["#none"] }))),
    ];
    for (html, mut step) in cases {
        let url = stage.page(&html);
        let step = step.as_object_mut().unwrap();
        step.entry("timeout").or_insert(json!(300));
        let other =
            json!({ "type": "change", "selectors": ["#none"], "value": "${secret:word}", "optional": true });
        let steps = json!([{ "type": "navigate", "url": url }, step, other]);
        let runners = json!({ "mode": "strict" });
        let document = json!({ "title": "t", "timeout": 15_000, "runners": runners, "steps": steps });
        let flow = BrowserFlow::parse(&document.to_string()).unwrap();
        let flow = flow.with_secrets(|_| Some(Secret::from_text("p%w\"d 7"))).unwrap();
        let (result, _) = stage.replay_flow(flow).await.unwrap();
        let failed = result.failure().unwrap_or_else(|| panic!("{step:?} passed"));
        let reason = failed.reason.as_ref().unwrap();
        assert!(reason.contains("xxx") && !reason.contains("p%w"), "{reason}");
        assert!(!reason.contains("xp"), "{reason}");
    }
    stage.close().await;
}
