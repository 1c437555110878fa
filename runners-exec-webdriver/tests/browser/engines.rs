//! The same flow in every engine, and what is particular to those that are not Chromium.

use crate::stage::{LIMIT_MILLIS, SHORT_MILLIS, Seen, Stage, Watcher, engine_options, flow};
use runners_core::Verdict;
use runners_exec_webdriver::{Browser as _, BrowserFlow, Driver, Engine, FlowExecutor, Mode};
use serde_json::{Value, json};

const OTHERS: [Engine; 2] = [Engine::Firefox, Engine::Webkit];

const PAGE: &str = "
<h1>Shop</h1><button id=buy>Buy</button><button id=twice>Twice</button><a id=next href=/next>Next</a>
<input id=name aria-label=Name value=Ad><input id=agreed type=checkbox>
<select id=size><option value=s>S<option value=l>L</select>
<div id=box style='height:50px;width:100px;overflow:auto'><div style='height:500px'></div></div>
<div id=host></div><div style='height:3000px'></div><button id=far>Far</button>
<iframe id=inner style='position:absolute;left:300px;top:200px' src=/inner></iframe>
<script>
  document.querySelector('#host').attachShadow({ mode: 'open' }).innerHTML = '<button id=deep>Deep</button>';
  const at = id => document.getElementById(id);
  // Engines count the clicks of a context menu differently.
  const tell = e => `${e.type} ${e.target.id} ${e.button} ${e.type === 'contextmenu' ? 0 : e.detail}`;
  logEvents(at('buy'), tell, 'click', 'contextmenu', 'mouseenter');
  logEvents(at('twice'), tell, 'dblclick');
  logEvents(at('far'), tell, 'click');
  logEvents(at('host').shadowRoot.getElementById('deep'), () => 'click deep', 'click');
  logEvents(at('name'), e => `${e.type} ${e.key ?? e.target.value}`, 'keydown', 'change');
  logEvents(at('agreed'), e => `${e.type} ${e.target.checked}`, 'change');
  logEvents(at('size'), e => `${e.type} ${e.target.value}`, 'change');
  logEvents(at('box'), () => 'scrolled', 'scroll');
  addEventListener('message', e => log.push(e.data));
  at('buy').addEventListener('contextmenu', e => e.preventDefault());
</script>";

const INNER: &str = "<button id=in style='margin:20px'>In</button>
<script>document.querySelector('#in').onclick = () => parent.postMessage('click in a frame', '*')</script>";

fn steps(stage: &Stage) -> Value {
    let url = stage.page(PAGE);
    stage.site.serve("/inner", INNER);
    let next = stage.site.serve("/next", "<h1>There</h1>");
    json!([
        { "type": "navigate", "url": url, "assertedEvents": [{ "type": "navigation", "url": url, "title": "Test page" }] },
        { "type": "hover", "selectors": ["#buy"] },
        { "type": "click", "selectors": [["aria/Buy"], ["#buy"]], "offsetX": 5, "offsetY": 5 },
        { "type": "click", "selectors": ["#buy"], "button": "secondary", "offsetX": 5, "offsetY": 5 },
        { "type": "doubleClick", "selectors": ["xpath///*[@id='twice']"], "offsetX": 5, "offsetY": 5, "optional": true },
        { "type": "click", "selectors": ["pierce/#deep"], "offsetX": 5, "offsetY": 5 },
        { "type": "click", "selectors": ["text/Far"], "offsetX": 5, "offsetY": 5 },
        { "type": "change", "selectors": ["aria/Name"], "value": "Ada" },
        { "type": "keyDown", "key": "Tab" },
        { "type": "keyUp", "key": "Tab" },
        { "type": "change", "selectors": ["#agreed"], "value": "on" },
        { "type": "change", "selectors": ["#size"], "value": "l" },
        { "type": "scroll", "selectors": ["#box"], "x": 0, "y": 40 },
        { "type": "scroll", "x": 0, "y": 0 },
        { "type": "click", "selectors": ["#in"], "frame": [0], "offsetX": 5, "offsetY": 5 },
        { "type": "waitForExpression", "expression": "log.includes('click in a frame')" },
        { "type": "waitForElement", "selectors": ["input"], "operator": "==", "count": 2 },
        { "type": "customStep", "name": "runners.assertText", "parameters": { "selectors": ["h1"], "text": "Shop" } },
        { "type": "waitForExpression", "expression": "(window.kept = log.join(';'), sessionStorage.kept = kept, true)" },
        { "type": "click", "selectors": ["#next"], "offsetX": 5, "offsetY": 5,
            "assertedEvents": [{ "type": "navigation", "url": next, "title": "Test page" }] },
        { "type": "waitForElement", "selectors": ["h1"], "properties": { "innerText": "There" } },
    ])
}

#[tokio::test]
async fn one_flow_passes_in_every_engine_and_its_page_sees_the_same() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        let document = json!({ "title": "t", "timeout": LIMIT_MILLIS, "steps": steps(&stage) }).to_string();
        for mode in [Mode::Compat, Mode::Strict] {
            let flow = BrowserFlow::parse(&document).unwrap().with_mode(mode);
            let (result, evidence) = stage.replay_flow(flow).await.unwrap();
            assert_eq!(result.verdict, Verdict::Passed, "{engine}: {:?}", result.failure());
            let seen = stage.js("return sessionStorage.kept").await;
            let expected = "mouseenter buy 0 0;click buy 0 1;contextmenu buy 2 0;dblclick twice 0 2;click deep;\
                click far 0 1;keydown a;keydown Tab;change Ada;change true;change l;scrolled;click in a frame";
            let expected = match engine {
                Engine::Webkit => expected.replace("dblclick twice 0 2;", ""),
                _ => expected.to_owned(),
            };
            assert_eq!(seen, json!(expected), "{engine}");
            assert_eq!(evidence.last().unwrap().bytes[1..4], *b"PNG", "{engine}");
        }
        stage.close().await;
    }
}

#[tokio::test]
async fn a_failure_says_the_same_in_every_engine() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        let url = stage.page("<button>Buy</button>");
        let click = json!({ "type": "click", "selectors": ["#gone"], "offsetX": 1, "offsetY": 1, "timeout": SHORT_MILLIS });
        let reason = stage.fails(json!([{ "type": "navigate", "url": url }, click])).await;
        assert!(reason.contains("no element matches #gone"), "{engine}: {reason}");
        assert!(reason.contains("the page is \"Test page\""), "{engine}: {reason}");
        let reason = stage
            .fails(json!([{ "type": "waitForExpression", "expression": "1 +", "timeout": SHORT_MILLIS }]))
            .await;
        assert!(reason.contains("is no expression"), "{engine}: {reason}");
        stage.close().await;
    }
}

#[tokio::test]
async fn a_dialog_is_answered_in_every_engine() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        let url = stage.page("<button id=ask onclick='log.push(prompt(\"Who?\"))'>Ask</button>");
        let dialog = json!({ "message": "Who?", "value": "Ada" });
        stage
            .passes(json!([
                { "type": "navigate", "url": url },
                { "type": "click", "selectors": ["#ask"], "offsetX": 3, "offsetY": 3 },
                { "type": "customStep", "name": "runners.dialog", "parameters": dialog },
                { "type": "waitForExpression", "expression": "log[0] === 'Ada'" },
            ]))
            .await;
        stage.close().await;
    }
}

#[tokio::test]
async fn cookies_and_storage_are_set_in_every_engine() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        let url = stage.page("");
        let custom = |name: &str, parameters: &Value| json!({ "type": "customStep", "name": format!("runners.{name}"), "parameters": parameters });
        let expects = |expression: &str| json!({ "type": "waitForExpression", "expression": expression });
        let cookies = json!({ "clear": true, "set": [{ "name": "basket", "value": "7", "sameSite": "Lax", "expires": 4_000_000_000_u64 }] });
        let state = json!({ "origins": [{ "origin": stage.site.origin, "localStorage": [{ "name": "a", "value": "b" }] }] });
        let there = expects("document.cookie === 'basket=7' && localStorage.a === 'b'");
        let steps = json!([
            { "type": "navigate", "url": url }, custom("cookies", &cookies), custom("storageState", &state), there,
            custom("saveStorageState", &json!({ "name": "kept" })),
            custom("cookies", &json!({ "clear": true })), expects("localStorage.clear() ?? document.cookie === ''"),
        ]);
        let (result, evidence) = stage.replay(steps).await.unwrap();
        assert_eq!(result.verdict, Verdict::Passed, "{engine}: {:?}", result.failure());
        assert_eq!(result.steps[4].artifacts, ["storage/kept.json"], "{engine}");
        let saved = evidence.iter().find(|evidence| evidence.name == "storage/kept.json").unwrap();
        let saved: Value = serde_json::from_slice(&saved.bytes).unwrap();
        let basket = &saved["cookies"][0];
        assert_eq!(
            (&basket["value"], &basket["domain"]),
            (&json!("7"), &json!("127.0.0.1")),
            "{engine}: {saved}"
        );
        stage.passes(json!([custom("storageState", &saved), there])).await;
        stage.close().await;
    }
}

#[tokio::test]
async fn firefox_has_popups_and_a_viewport() {
    let Some(stage) = Stage::open_in(Engine::Firefox).await else { return };
    let popup = stage
        .site
        .serve("/popup", "<button id=b>B</button><script>logEvents(b, e => e.type, 'click')</script>");
    let url = stage.page("<button id=open onclick='window.open(\"/popup\")'>Open</button>");
    stage
        .passes(json!([
            { "type": "setViewport", "width": 700, "height": 500, "deviceScaleFactor": 1, "isMobile": false,
                "hasTouch": false, "isLandscape": false },
            { "type": "navigate", "url": url },
            { "type": "waitForExpression", "expression": "innerWidth === 700 && innerHeight === 500" },
            { "type": "click", "selectors": ["#open"], "offsetX": 3, "offsetY": 3 },
            { "type": "click", "target": popup, "selectors": ["#b"], "offsetX": 3, "offsetY": 3 },
            { "type": "waitForExpression", "target": popup, "expression": "log.join() === 'click'" },
            { "type": "close", "target": popup },
            { "type": "click", "selectors": ["#open"], "offsetX": 3, "offsetY": 3 },
        ]))
        .await;
    stage.close().await;
}

#[tokio::test]
async fn a_page_that_cannot_be_loaded_fails_in_every_engine() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        // Nobody listens at port 1, and browsers may refuse it unasked.
        let result =
            stage.replay(json!([{ "type": "navigate", "url": "http://no-such-host.invalid/" }])).await;
        let (result, _) = result.unwrap();
        assert_eq!(result.verdict, Verdict::Failed, "{engine}: {result:?}");
        stage.close().await;
    }
}

#[tokio::test]
async fn what_an_engine_cannot_do_is_refused_before_a_browser_is_looked_for() {
    for engine in OTHERS {
        let mut options = runners_exec_webdriver::DriverOptions::of(engine);
        options.browser = Some("/nowhere/browser".into());
        let executor = FlowExecutor::new(Driver::new(options));
        let slow = json!({ "type": "emulateNetworkConditions", "download": 1, "upload": 1, "latency": 1 });
        let fault = executor.replay(flow(json!([slow])), &(), std::future::pending()).await.unwrap_err();
        assert_eq!((fault.code.as_str(), fault.retryable), ("unsupported", false), "{engine}: {fault}");
        assert!(
            fault.message.contains("/steps/0/type: the step `emulateNetworkConditions` needs"),
            "{fault}"
        );
        let mut optional = slow;
        optional["optional"] = json!(true);
        let fault = executor.replay(flow(json!([optional])), &(), std::future::pending()).await.unwrap_err();
        assert_eq!(fault.code, "browser_missing", "{engine}: it is looked for only now: {fault}");
    }
}

#[tokio::test]
async fn an_optional_step_that_an_engine_cannot_do_is_excused() {
    for engine in OTHERS {
        let Some(stage) = Stage::open_in(engine).await else { continue };
        let slow = json!({ "type": "emulateNetworkConditions", "download": 1, "upload": 1, "latency": 1, "optional": true });
        let (result, _) = stage.replay(json!([slow])).await.unwrap();
        assert_eq!(result.verdict, Verdict::Passed, "{engine}");
        let step = &result.steps[0];
        assert_eq!(step.state, runners_exec_webdriver::StepState::Excused, "{engine}");
        assert!(
            step.reason.as_ref().unwrap().contains("needs a driver with `goog/cdp/execute`"),
            "{engine}: {step:?}"
        );
        stage.close().await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_session_of_any_engine_leaves_no_process_and_no_directory() {
    for engine in OTHERS {
        let state = tempfile::tempdir().unwrap();
        let Some(options) = engine_options(engine, &state) else { continue };
        let driver = Driver::new(options);
        let closed = driver.open().await.unwrap();
        let dropped = driver.open().await.unwrap();
        let known = processes(state.path());
        assert_eq!(known.len(), 2, "{engine}");
        assert!(known.iter().all(|(_, ids)| !ids.is_empty()), "{engine}: {known:?}");
        closed.close().await;
        drop((closed, dropped));
        for (profile, _) in known {
            assert!(!profile.exists(), "{engine}: {}", profile.display());
            // Those that it started meanwhile, too.
            crate::life::wait_for_ends(&on(&profile));
            assert_eq!(on(&profile), [0; 0], "{engine}");
        }
        assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0, "{engine}: a note is left");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_browser_of_any_engine_that_dies_in_a_flow_is_a_fault() {
    for engine in OTHERS {
        let state = tempfile::tempdir().unwrap();
        let Some(options) = engine_options(engine, &state) else { continue };
        let driver = Driver::new(options);
        let session = driver.open().await.unwrap();
        let (watcher, mut seen) = Watcher::new();
        let stopped = driver.clone();
        let killed = async move {
            assert!(matches!(seen.recv().await, Some(Seen::Started(0))));
            stopped.stop().await;
            std::future::pending::<()>().await;
        };
        let endless = json!([{ "type": "waitForExpression", "expression": "false", "timeout": 30_000 }]);
        let replay = runners_exec_webdriver::Replay::new(
            flow(endless),
            runners_exec_webdriver::ReplayOptions::default(),
        );
        let fault = replay.run(&*session, &watcher, killed).await.unwrap_err();
        assert_eq!((fault.code.as_str(), fault.retryable), ("browser_lost", true), "{engine}: {fault}");
        session.close().await;
    }
}

/// The profiles that the notes of a state directory name, each with its processes.
#[cfg(target_os = "linux")]
fn processes(state: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u32>)> {
    let profiles = crate::life::profiles(state);
    profiles.into_iter().map(|profile| (profile.clone(), on(&profile))).collect()
}

/// The processes that have a profile in their environment and are not gone.
#[cfg(target_os = "linux")]
fn on(profile: &std::path::Path) -> Vec<u32> {
    let variable = format!("RUNNERS_PROFILE={}", profile.display());
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|part| part == variable.as_bytes())
    })
    .collect()
}

#[tokio::test]
async fn a_page_that_is_long_in_coming_is_waited_for_wherever_it_was_asked_for() {
    for engine in [Engine::Chromium, Engine::Firefox] {
        let Some(stage) = Stage::open_in(engine).await else { continue };
        let next = stage.site.serve("/held", "<h1>Here</h1>");
        // Longer than a look at the page waits for it to go.
        let late = "onclick=\"setTimeout(() => fetch('/release'), 700)\"";
        let url = stage.page(&format!("<a id=a href='{next}' {late}>Go</a>"));
        let mut click = json!({ "type": "click", "selectors": ["#a"], "offsetX": 1, "offsetY": 1 });
        click["assertedEvents"] = json!([{ "type": "navigation", "url": next }]);
        stage
            .passes_strictly(json!([
                { "type": "navigate", "url": url },
                click,
                { "type": "waitForElement", "selectors": ["h1"] },
            ]))
            .await;
        stage.close().await;
    }
}
