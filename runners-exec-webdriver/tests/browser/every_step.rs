//! Every step that can be written, in every engine: it does what it says, fails by what the page shows, or is
//! refused where the engine cannot do it.

use crate::stage::{LIMIT_MILLIS, REPLAYS_MAX, SHORT_MILLIS, Stage};
use runners_core::Verdict;
use runners_exec_webdriver::{
    BaselineMode, BrowserFlow, DirectoryBaselines, Engine, Flow, FlowResult, Replay,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path, sync::Arc};

/// One kind of step.
struct Row {
    /// The type, or the name of the custom step.
    name: &'static str,
    /// What the page holds.
    page: &'static str,
    /// The step, with what has to be done before it.
    steps: Vec<Value>,
    /// What holds in the page once it was done.
    then: &'static str,
    /// Steps of which the last, of the same kind, fails, and what it says. Empty for a step that only acts.
    wrong: (Vec<Value>, &'static str),
    /// The engines that cannot do it.
    refused_by: &'static [Engine],
}

impl Row {
    fn new(name: &'static str, page: &'static str, steps: Vec<Value>, then: &'static str) -> Self {
        Self { name, page, steps, then, wrong: (Vec::new(), ""), refused_by: &[] }
    }

    fn failing(mut self, steps: Vec<Value>, why: &'static str) -> Self {
        self.wrong = (steps, why);
        self
    }

    const fn refused_by(mut self, engines: &'static [Engine]) -> Self {
        self.refused_by = engines;
        self
    }
}

fn custom(name: &str, parameters: Value) -> Value {
    json!({ "type": "customStep", "name": name, "parameters": parameters })
}

fn click(selector: &str) -> Value {
    json!({ "type": "click", "selectors": [selector], "offsetX": 5, "offsetY": 5 })
}

fn holds(expression: &str) -> Value {
    json!({ "type": "waitForExpression", "expression": expression })
}

const HEADING: &str = "<h1>Shop</h1><p id=hidden hidden>Old</p>";
const BUTTON: &str = "<button id=it>Go</button>
    <script>logEvents(it, e => e.type, 'click', 'dblclick', 'mouseenter')</script>";
const INPUT: &str =
    "<input id=it autofocus><script>it.focus(); logEvents(it, e => e.type, 'keydown', 'keyup')</script>";
const LIST: &str =
    "<select id=it multiple><option value=a>A<option value=b selected>B<option value=c>C</select>";
const FILES: &str = "<input id=it type=file><p id=none>No input</p><script>
    it.onchange = async () => { window.text = it.files[0].name + ' ' + await it.files[0].text(); }</script>";
const DRAGGED: &str = "<style>p { width: 60px; height: 60px; margin: 10px; background: #ccc }</style>
    <p id=from></p><p id=to></p><script>
    from.onmousedown = e => { e.preventDefault(); window.held = true; };
    to.onmouseup = () => { window.dropped = window.held; };</script>";
const ASKS: &str = "<button id=it onclick=\"window.said = prompt('Who?')\">Ask</button>";
const POPUP: &str = "<button id=it onclick=\"window.popup = window.open('/popup')\">Open</button>";
const TALL: &str = "<div style='height:5000px'></div>";

/// The steps of the format.
fn of_the_format(origin: &str, engine: Engine) -> Vec<Row> {
    let (it, key) = (json!(["#it"]), |kind: &str| json!({ "type": kind, "key": "a" }));
    let network = |rate: f64| json!({ "type": "emulateNetworkConditions", "download": rate, "upload": rate, "latency": 1 });
    let viewport = json!({ "type": "setViewport", "width": 700, "height": 500, "deviceScaleFactor": 1,
        "isMobile": false, "hasTouch": false, "isLandscape": false });
    let mut double = click("#it");
    double["type"] = json!("doubleClick");
    // The browser of WPE has one page, in whose place a popup comes; there is nothing to go back to.
    let popup = format!("{origin}/popup");
    let close = match engine {
        Engine::Webkit => Row::new("close", POPUP, vec![click("#it")], "location.pathname === '/popup'"),
        _ => Row::new(
            "close",
            POPUP,
            vec![click("#it"), json!({ "type": "close", "target": popup })],
            "window.popup.closed",
        ),
    };
    vec![
        Row::new(
            "change",
            INPUT,
            vec![json!({ "type": "change", "selectors": it, "value": "Ada" })],
            "it.value === 'Ada'",
        ),
        Row::new("click", BUTTON, vec![click("#it")], "log.join().endsWith('click')")
            .failing(vec![click("#none")], "no element matches #none"),
        close,
        Row::new("doubleClick", BUTTON, vec![double], "log.includes('dblclick')")
            .refused_by(&[Engine::Webkit]),
        Row::new("emulateNetworkConditions", HEADING, vec![network(50_000.0), network(-1.0)], "true")
            .refused_by(&[Engine::Firefox, Engine::Webkit]),
        Row::new(
            "hover",
            BUTTON,
            vec![json!({ "type": "hover", "selectors": it })],
            "log.join() === 'mouseenter'",
        ),
        // The driver of WPE tells the next page nothing of a key that is still held.
        Row::new(
            "keyDown",
            INPUT,
            vec![key("keyDown"), holds("log.join() === 'keydown' && it.value === 'a'"), key("keyUp")],
            "it.value === 'a'",
        ),
        Row::new("keyUp", INPUT, vec![key("keyDown"), key("keyUp")], "log.join() === 'keydown,keyup'"),
        Row::new(
            "navigate",
            HEADING,
            vec![json!({ "type": "navigate", "url": format!("{origin}/popup") })],
            "location.pathname === '/popup'",
        )
        .failing(
            vec![json!({ "type": "navigate", "url": "http://no-such-host.invalid/" })],
            "no-such-host.invalid",
        ),
        Row::new("scroll", TALL, vec![json!({ "type": "scroll", "x": 0, "y": 40 })], "scrollY === 40"),
        Row::new("setViewport", HEADING, vec![viewport], "innerWidth === 700 && innerHeight === 500")
            .refused_by(&[Engine::Webkit]),
        Row::new(
            "waitForElement",
            HEADING,
            vec![json!({ "type": "waitForElement", "selectors": ["h1"] })],
            "true",
        )
        .failing(vec![json!({ "type": "waitForElement", "selectors": ["h2"] })], "h2"),
        Row::new("waitForExpression", HEADING, vec![holds("document.title === 'Test page'")], "true")
            .failing(vec![holds("document.title === 'Other'")], "document.title === 'Other'"),
    ]
}

/// The steps that are added to it.
fn added(origin: &str) -> impl Iterator<Item = Row> {
    looking(origin).into_iter().chain(acting(origin))
}

/// Those that look at the page.
fn looking(origin: &str) -> Vec<Row> {
    let text = |text: &str| custom("runners.assertText", json!({ "selectors": ["h1"], "text": text }));
    let address = |path: &str| custom("runners.assertUrl", json!({ "url": format!("{origin}{path}") }));
    let seen = |selector: &str| custom("runners.assertVisible", json!({ "selectors": [selector] }));
    let looks = || custom("runners.assertScreenshot", json!({ "name": "shop" }));
    vec![
        Row::new("runners.assertText", HEADING, vec![text("Shop")], "true")
            .failing(vec![text("Cart")], "it says \"Shop\""),
        Row::new("runners.assertUrl", HEADING, vec![address("/page")], "true")
            .failing(vec![address("/cart")], "and is at"),
        Row::new("runners.assertVisible", HEADING, vec![seen("h1")], "true")
            .failing(vec![seen("#hidden")], "nothing is to be seen"),
        Row::new(
            "runners.screenshot",
            HEADING,
            vec![custom("runners.screenshot", json!({ "name": "shop" }))],
            "true",
        ),
        Row::new("runners.assertScreenshot", HEADING, vec![looks()], "true").failing(
            vec![holds("document.body.style.background = 'red'"), looks()],
            "differ from the baseline",
        ),
    ]
}

/// Those that do something.
fn acting(origin: &str) -> Vec<Row> {
    let upload = |selector: &str| {
        let file = json!({ "name": "a.txt", "mediaType": "text/plain", "text": "Hi" });
        custom("runners.upload", json!({ "selectors": [selector], "files": [file] }))
    };
    let select =
        |values: &[&str]| custom("runners.select", json!({ "selectors": ["#it"], "values": values }));
    let drag =
        |to: &str| custom("runners.drag", json!({ "selectors": ["#from"], "to": { "selectors": [to] } }));
    let dialog = |says: &str| custom("runners.dialog", json!({ "message": says, "value": "Ada" }));
    let cookies = json!({ "clear": true, "set": [{ "name": "basket", "value": "7" }] });
    let values =
        |origin: &str| json!([{ "origin": origin, "localStorage": [{ "name": "a", "value": "b" }] }]);
    let state =
        |origin: &str| json!({ "cookies": [{ "name": "left", "value": "1" }], "origins": values(origin) });
    let uses = |flow: &str| custom("runners.use", json!({ "flow": flow }));
    vec![
        Row::new("runners.upload", FILES, vec![upload("#it")], "window.text === 'a.txt Hi'")
            .failing(vec![upload("#none")], "is no file input"),
        Row::new(
            "runners.select",
            LIST,
            vec![select(&["a", "c"])],
            "[...it.selectedOptions].map(o => o.value).join() === 'a,c'",
        )
        .failing(vec![select(&["z"])], "z"),
        Row::new("runners.drag", DRAGGED, vec![drag("#to")], "window.dropped === true")
            .failing(vec![drag("#none")], "#none"),
        Row::new("runners.dialog", ASKS, vec![click("#it"), dialog("Who?")], "window.said === 'Ada'")
            .failing(
                vec![click("#it"), dialog("What?")],
                "the dialog should say \"What?\" and says \"Who?\"",
            ),
        Row::new(
            "runners.cookies",
            HEADING,
            vec![custom("runners.cookies", cookies)],
            "document.cookie === 'basket=7'",
        ),
        Row::new(
            "runners.storageState",
            HEADING,
            vec![custom("runners.storageState", state(origin))],
            "document.cookie.includes('left=1') && localStorage.a === 'b'",
        )
        .failing(
            vec![custom("runners.storageState", state("http://no-such-host.invalid"))],
            "no-such-host.invalid",
        ),
        Row::new(
            "runners.saveStorageState",
            HEADING,
            vec![custom("runners.saveStorageState", json!({ "name": "kept" }))],
            "true",
        ),
        Row::new("runners.use", BUTTON, vec![uses("press")], "log.join().endsWith('click')")
            .failing(vec![uses("miss")], "no element matches #none"),
    ]
}

/// What can be written, as the schema has it.
fn names() -> BTreeSet<String> {
    let schema = Flow::schema();
    let step = &schema["$defs"]["step"];
    let types = step["properties"]["type"]["enum"].as_array().unwrap().iter();
    let kinds = step["oneOf"].as_array().unwrap().iter();
    let custom = kinds.filter_map(|kind| kind["allOf"].as_array()).flatten();
    let custom = custom.map(|one| &one["if"]["properties"]["name"]["const"]);
    let names = types.chain(custom).map(|name| name.as_str().unwrap().to_owned());
    names.filter(|name| name != "customStep").collect()
}

/// A flow of these steps after the page of its row, with short limits if it is to fail.
fn document(url: &str, steps: &[Value], millis: u64) -> BrowserFlow {
    let steps: Vec<_> = [&[json!({ "type": "navigate", "url": url })], steps].concat();
    let flows = json!({ "press": { "steps": [click("#it")] }, "miss": { "steps": [click("#none")] } });
    let runners = json!({ "mode": "strict", "flows": flows });
    let document = json!({ "title": "t", "timeout": millis, "runners": runners, "steps": steps });
    BrowserFlow::parse(&document.to_string()).unwrap()
}

async fn replay(stage: &Stage, pictures: &Path, mode: BaselineMode, flow: BrowserFlow) -> FlowResult {
    let baselines = Arc::new(DirectoryBaselines::new(pictures));
    let replay = Replay::new(flow, stage.options).with_baselines(baselines, mode);
    replay.run(&*stage.session, &(), std::future::pending()).await.unwrap()
}

/// What the last of these steps says, which is to fail by what the page shows.
async fn why(stage: &Stage, pictures: &Path, url: &str, steps: &[Value]) -> String {
    let mut reason = String::new();
    for _ in 0..REPLAYS_MAX {
        let flow = document(url, steps, SHORT_MILLIS);
        let result = replay(stage, pictures, BaselineMode::Compare, flow).await;
        let failure = result.failure().unwrap_or_else(|| panic!("{steps:?} passed"));
        reason = failure.reason.clone().unwrap();
        let is_last = failure.index == steps.len();
        if is_last && !reason.contains("the page did not answer") {
            break;
        }
    }
    reason
}

async fn does_what_it_says(stage: &Stage, engine: Engine, row: &Row) {
    let (name, pictures) = (row.name, tempfile::tempdir().unwrap());
    let url = stage.page(row.page);
    let flow = || document(&url, &[&row.steps[..], &[holds(row.then)]].concat(), LIMIT_MILLIS);
    let problems = flow().flow().unsupported_on(engine);
    assert_eq!(!problems.is_empty(), row.refused_by.contains(&engine), "{engine} {name}: {problems:?}");
    if let Some(problem) = problems.first() {
        let told = problem.to_string();
        assert!(
            told.contains("/steps/1/type") && told.contains(name) && told.contains(engine.name()),
            "{told}"
        );
        let fault = stage.replay_flow(flow()).await.unwrap_err();
        assert_eq!(
            (fault.code.as_str(), fault.retryable),
            ("unsupported", false),
            "{engine} {name}: {fault}"
        );
        assert!(fault.message.contains(name) && fault.message.contains("use Chromium"), "{engine}: {fault}");
        return;
    }
    // What is compared is there before.
    for mode in [BaselineMode::Update, BaselineMode::Compare] {
        let result = replay(stage, pictures.path(), mode, flow()).await;
        assert_eq!(result.verdict, Verdict::Passed, "{engine} {name}: {:?}", result.failure());
        if matches!(name, "runners.screenshot" | "runners.saveStorageState") {
            assert_eq!(result.steps[1].artifacts.len(), 1, "{engine} {name}: {:?}", result.steps[1]);
        }
        if name != "runners.assertScreenshot" {
            break;
        }
    }
    let (steps, says) = &row.wrong;
    if !steps.is_empty() {
        let why = why(stage, pictures.path(), &url, steps).await;
        assert!(why.contains(says), "{engine} {name}: {why}");
    }
}

async fn every_step_in(engine: Engine) {
    let Some(stage) = Stage::open_in(engine).await else { return };
    let origin = stage.site.origin.clone();
    stage.site.serve("/popup", "<h1>Popup</h1>");
    stage.site.serve("/", "<h1>Root</h1>");
    for row in of_the_format(&origin, engine).into_iter().chain(added(&origin)) {
        does_what_it_says(&stage, engine, &row).await;
    }
    stage.close().await;
}

#[tokio::test]
async fn every_step_does_what_it_says_in_chromium() {
    every_step_in(Engine::Chromium).await;
}

#[tokio::test]
async fn every_step_does_what_it_says_in_firefox_or_is_refused() {
    every_step_in(Engine::Firefox).await;
}

#[tokio::test]
async fn every_step_does_what_it_says_in_webkit_or_is_refused() {
    every_step_in(Engine::Webkit).await;
}

#[test]
fn the_table_has_every_step_that_can_be_written() {
    let rows = of_the_format("", Engine::Chromium).into_iter().chain(added(""));
    let names_here: BTreeSet<String> = rows.map(|row| row.name.to_owned()).collect();
    assert_eq!(names_here, names());
}
