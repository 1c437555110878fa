//! What is left of a flow that failed, and what prevents a verdict.

use crate::stage::{SHORT_MILLIS, Stage, flow};
use async_trait::async_trait;
use runners_core::{Egress, Verdict};
use runners_exec_webdriver::{
    BrowserError, BrowserFlow, Call, Engine, FlowObserver, Replay, ReplayOptions, Screenshots, Session,
    StepState,
};
use serde_json::{Map, Value, json};

const SHOP: &str = "<h1>Shop</h1><button>Add to cart</button><a href='/cart'>Cart</a>
    <label>Name <input value='secret'></label>";

fn click(selectors: Value) -> Value {
    json!({ "type": "click", "selectors": selectors, "offsetX": 1, "offsetY": 1 })
}

/// One that is to fail.
fn vain_click(selectors: Value) -> Value {
    let mut step = click(selectors);
    step["timeout"] = json!(SHORT_MILLIS);
    step
}

#[tokio::test]
async fn a_failed_step_says_in_one_line_what_was_there_instead() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(SHOP);
    let steps = json!([{ "type": "navigate", "url": url }, vain_click(json!([["aria/Pay"], ["#pay"]])), { "type": "close" }]);
    let (result, evidence) = stage.failing(flow(steps)).await;
    assert_eq!(result.verdict, Verdict::Failed);
    let failed = result.failure().unwrap();
    assert_eq!(
        failed.reason.as_deref().unwrap(),
        format!(
            "step 2 (click \"Pay\"): no element matches #pay or aria/Pay, for 1500 ms; \
             the page is \"Test page\" at {url} and has \"Shop\", \"Add to cart\", \"Cart\", \"Name\""
        )
    );
    assert_eq!(failed.page_url.as_deref(), Some(&*url));
    assert_eq!(failed.artifacts, ["steps/02-failed.png", "steps/02-failed.html"]);
    assert!(failed.duration_ms >= SHORT_MILLIS, "{failed:?}");
    assert_eq!(result.steps[2].state, StepState::NotRun);
    assert_eq!(result.artifacts, [""; 0]);
    assert!(evidence[0].bytes.starts_with(b"\x89PNG"), "a picture");
    assert!(String::from_utf8_lossy(&evidence[1].bytes).contains("Add to cart"), "the page");
    stage.close().await;
}

#[tokio::test]
async fn pictures_are_kept_as_asked() {
    let Some(mut stage) = Stage::open().await else { return };
    let url = stage.page(SHOP);
    let steps = json!([{ "type": "navigate", "url": url }, { "type": "scroll" }]);
    for (screenshots, names) in [
        (Screenshots::AtTheEnd, &["final.png"][..]),
        (Screenshots::OfFailures, &[]),
        (Screenshots::OfEveryStep, &["steps/01.png", "steps/02.png", "final.png"]),
    ] {
        stage.options.screenshots = screenshots;
        let (result, evidence) = stage.replay(steps.clone()).await.unwrap();
        let given: Vec<_> = evidence.iter().map(|evidence| evidence.name.as_str()).collect();
        assert_eq!(given, names);
        let listed = result.steps.iter().flat_map(|step| &step.artifacts).chain(&result.artifacts);
        assert_eq!(listed.collect::<Vec<_>>(), names);
    }
    stage.close().await;
}

#[tokio::test]
async fn what_keeps_an_element_from_being_clicked_is_said() {
    let Some(stage) = Stage::open().await else { return };
    for (body, why) in [
        ("<button id=it disabled>X</button>", "#it is disabled"),
        ("<button id=it style='display:none'>X</button>", "#it is not rendered"),
        (
            "<button id=it style='position:fixed;left:-500px'>X</button>",
            "#it is not rendered where it can be scrolled",
        ),
        (
            "<style>@keyframes m { from { left: 0 } to { left: 900px } }</style><button id=it style='position:fixed;animation:m 9s linear'>X</button>",
            "#it is moving",
        ),
    ] {
        let url = stage.page(body);
        let reason =
            stage.fails(json!([{ "type": "navigate", "url": url }, vain_click(json!(["#it"]))])).await;
        assert!(reason.contains(why), "{reason}");
    }
    let reason = stage.fails(json!([vain_click(json!(["#[broken"]))])).await;
    assert!(reason.contains("#[broken is no valid selector;"), "at once: {reason}");
    stage.close().await;
}

#[tokio::test]
async fn a_dialog_that_blocks_the_page_is_named() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("<button id=it onclick=\"alert('Out of stock')\">X</button>");
    let steps = json!([{ "type": "navigate", "url": url }, click(json!(["#it"])), { "type": "scroll" }]);
    let (result, evidence) = stage.replay(steps).await.unwrap();
    let failed = result.failure().unwrap();
    assert!(failed.reason.as_ref().unwrap().contains("a dialog is open: \"Out of stock\""), "{failed:?}");
    assert_eq!(
        evidence[0].name,
        format!("steps/{:02}-failed.png", failed.index + 1),
        "a picture of what is behind it"
    );
    stage.close().await;
}

#[tokio::test]
async fn a_dialog_that_is_left_open_at_the_end_is_told_and_hides_nothing() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        let url = stage.page("<button id=it onclick=\"alert('Bye'); confirm('Sure?')\">X</button>");
        let steps = json!([{ "type": "navigate", "url": url }, click(json!(["#it"]))]);
        let (result, evidence) = stage.replay(steps).await.unwrap();
        assert_eq!(result.verdict, Verdict::Passed, "{engine}: {:?}", result.failure());
        let told = |says| format!("{url}: a dialog was left open: {says:?}");
        assert_eq!(result.page_errors, [told("Bye"), told("Sure?")], "{engine}");
        assert!(evidence.iter().any(|kept| kept.name == "final.png"), "{engine}: {:?}", result.artifacts);
        stage.close().await;
    }
}

#[tokio::test]
async fn a_browser_that_crashes_is_a_fault_and_no_verdict() {
    let egress = Egress::browsing().allow_scheme("chrome");
    let Some(stage) = Stage::open_held_to(Engine::Chromium, egress).await else { return };
    let fault = stage.replay(json!([{ "type": "navigate", "url": "chrome://crash/" }])).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("browser_lost", true), "{fault}");
    assert!(fault.message.contains("during step 1 (go to chrome://crash/)"), "{fault}");
    stage.close().await;
}

#[tokio::test]
async fn a_page_that_hangs_is_given_up_in_time() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("<button id=it onclick='setTimeout(() => { for (;;); })'>X</button>");
    stage.passes(json!([{ "type": "navigate", "url": url }])).await;
    let steps =
        json!([click(json!(["#it"])), { "type": "waitForElement", "selectors": ["#none"], "timeout": 500 }]);
    let (result, evidence) = stage.replay(steps).await.unwrap();
    let failed = result.failure().unwrap();
    assert!(failed.reason.as_ref().unwrap().ends_with("for 500 ms"), "{failed:?}");
    assert_eq!(evidence.len(), 0, "nothing can be taken of it");
    stage.close().await;
}

#[tokio::test]
async fn a_foreign_custom_step_is_skipped_and_listed() {
    let Some(stage) = Stage::open().await else { return };
    let result = stage.passes(json!([{ "type": "customStep", "name": "other", "parameters": {} }])).await;
    assert_eq!(result.steps[0].state, StepState::Skipped);
    assert_eq!(result.steps[0].reason.as_deref(), Some("nothing here understands the custom step \"other\""));
    stage.close().await;
}

/// A session of which one command is answered otherwise.
#[derive(Debug)]
struct Answered<'s> {
    session: &'s dyn Session,
    command: &'static str,
    /// The answer; it is refused without one.
    answer: Option<Value>,
}

#[async_trait]
impl Session for Answered<'_> {
    fn capabilities(&self) -> &Map<String, Value> {
        self.session.capabilities()
    }
    async fn call(&self, call: Call) -> Result<Value, BrowserError> {
        if call.body["cmd"].as_str().unwrap_or(&call.path) != self.command {
            return self.session.call(call).await;
        }
        let (code, message) = ("unknown error".to_owned(), "not now".to_owned());
        self.answer.clone().ok_or(BrowserError::Refused { code, message })
    }
    async fn close(&self) {}
}

#[tokio::test]
async fn what_a_step_is_to_keep_and_cannot_be_kept_fails_it() {
    let Some(stage) = Stage::open().await else { return };
    let large = "<script>localStorage.large = 'x'.repeat(4_500_000)</script>";
    let url = stage.page(large);
    let custom = |name: &str| json!({ "type": "customStep", "name": name, "parameters": { "name": "it" } });
    let (picture, state) = (custom("runners.screenshot"), custom("runners.saveStorageState"));
    let too_large = json!("A".repeat((16 * 1024 * 1024 / 3 + 1) * 4));
    for (step, command, answer, why) in [
        (&picture, "screenshot", None, "(take the picture it): unknown error: not now"),
        (
            &picture,
            "screenshot",
            Some(too_large),
            "the picture has 16777218 bytes, more than the limit of 16777216",
        ),
        (&state, "Network.getAllCookies", None, "(save cookies and storage as it): unknown error: not now"),
        (&state, "nothing", None, "bytes, more than the limit of 4194304"),
    ] {
        let session = Answered { session: &*stage.session, command, answer };
        let steps = json!([{ "type": "navigate", "url": url }, step]);
        let result =
            Replay::new(flow(steps), stage.options).run(&session, &(), std::future::pending()).await.unwrap();
        assert_eq!(result.verdict, Verdict::Failed, "{command}");
        let failed = result.failure().unwrap();
        assert!(failed.reason.as_ref().unwrap().contains(why), "{failed:?}");
    }
    stage.close().await;
}

/// A session that must not be used.
#[derive(Debug)]
struct Untouched(Map<String, Value>);

#[async_trait]
impl Session for Untouched {
    fn capabilities(&self) -> &Map<String, Value> {
        &self.0
    }
    async fn call(&self, call: Call) -> Result<Value, BrowserError> {
        panic!("the browser was used: {call:?}");
    }
    async fn close(&self) {}
}

async fn refused(steps: Value) -> String {
    let flow = BrowserFlow::parse(&json!({ "title": "t", "steps": steps }).to_string()).unwrap();
    let replay = Replay::new(flow, ReplayOptions::default());
    let observer: &dyn FlowObserver = &();
    let fault = replay.run(&Untouched(Map::new()), observer, std::future::pending()).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("unsupported", false));
    fault.message
}

#[tokio::test]
async fn what_is_not_supported_is_refused_before_the_first_step() {
    let message =
        refused(json!([{ "type": "scroll" }, { "type": "customStep", "name": "runners.fly" }])).await;
    let wanted = "/steps/1/name: the custom step \"runners.fly\" is not supported (";
    assert!(message.starts_with(wanted), "{message}");
}

#[tokio::test]
async fn a_driver_without_devtools_is_refused_the_steps_that_need_it() {
    let message = refused(json!([{ "type": "scroll" }, { "type": "keyDown", "key": "CapsLock" }])).await;
    let wanted =
        "/steps/1/key: this key needs a driver with `goog/cdp/execute` (use Chromium, Chrome or Edge,";
    assert!(message.starts_with(wanted), "{message}");
}
