//! What a browser does beside the steps, as it is kept: console, requests, what the screen showed.

use crate::stage::{Seen, Stage, Watcher, driver_options, flow};
use runners_core::{Secret, Verdict};
use runners_exec_webdriver::{
    BrowserFlow, Capture, Driver, Engine, Evidence, FlowExecutor, FlowResult, Replay,
};
use serde_json::{Value, json};

async fn listening(capture: &[&str]) -> Option<Stage> {
    let mut stage = Stage::open().await?;
    stage.options.capture = Capture::default();
    stage.options.capture.bodies = capture.contains(&"bodies");
    stage.options.capture.frames = capture.contains(&"frames");
    stage.options.capture.video = capture.contains(&"video");
    Some(stage)
}

fn kept(evidence: &[Evidence], name: &str) -> Value {
    // The last one: some are told again while they grow.
    let one = evidence.iter().rfind(|one| one.name == name);
    serde_json::from_slice(&one.unwrap_or_else(|| panic!("no {name}")).bytes).unwrap()
}

fn go_and_click(url: &str) -> Value {
    json!([
        { "type": "navigate", "url": url },
        { "type": "click", "selectors": ["#it"], "offsetX": 3, "offsetY": 3 },
        { "type": "waitForExpression", "expression": "window.ended === true" },
    ])
}

/// How many pictures there are by the index of a film.
fn pictures(index: &Value) -> u64 {
    index["parts"].as_array().unwrap().iter().map(|part| part["frames"].as_u64().unwrap()).sum()
}

/// The texts of the console at a level.
fn said<'c>(console: &'c Value, level: &str) -> Vec<&'c str> {
    let entries = console["entries"].as_array().unwrap().iter();
    entries.filter(|entry| entry["level"] == level).map(|entry| entry["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn console_and_uncaught_errors_are_kept_with_the_step_that_ran() {
    let Some(stage) = listening(&[]).await else { return };
    let url = stage.page(
        "<script>console.log('hello', 3, { a: 1 }); console.error('early trouble')</script>
        <button id=it onclick=\"Promise.reject(new Error('late')); console.warn('careful'); setTimeout(() => {
            window.ended = true; throw new TypeError('boom') })\">X</button>",
    );
    let (result, evidence) = stage.replay(go_and_click(&url)).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    let console = kept(&evidence, "console.json");
    assert_eq!(said(&console, "info"), ["hello 3 {a: 1}"]);
    assert_eq!(said(&console, "warning"), ["careful"]);
    let errors = said(&console, "error");
    assert!(errors[0] == "early trouble" && errors.len() == 3, "{errors:?}");
    assert!(
        result.page_errors[0].starts_with("during step 1: console: early trouble"),
        "{:?}",
        result.page_errors
    );
    for what in ["Uncaught TypeError: boom", "Uncaught (in promise) Error: late"] {
        let told = result.page_errors.iter().find(|line| line.contains(what));
        assert!(
            told.is_some_and(|line| line.starts_with("during step ") && line.contains(&url)),
            "{:?}",
            result.page_errors
        );
    }
    assert!(result.artifacts.contains(&"console.json".to_owned()), "{:?}", result.artifacts);
    // Another flow in the same session begins with nothing.
    let (result, evidence) = stage.replay(json!([{ "type": "scroll" }])).await.unwrap();
    assert_eq!(
        (kept(&evidence, "console.json")["entries"].as_array().unwrap().len(), result.page_errors.len()),
        (0, 0)
    );
    stage.close().await;
}

#[tokio::test]
async fn requests_are_kept_as_har_with_those_that_failed() {
    let Some(stage) = listening(&[]).await else { return };
    let url = stage.page(
        "<button id=it onclick=\"Promise.allSettled([fetch('/absent'), fetch('http://127.0.0.1:1/dead'),
            fetch('/page', { method: 'POST', body: 'x=1' })]).then(() => window.ended = true)\">X</button>",
    );
    let (result, evidence) = stage.replay(go_and_click(&url)).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    let har = kept(&evidence, "network.har");
    let entries = har["log"]["entries"].as_array().unwrap();
    let of = |end: &str| {
        entries.iter().find(|one| one["request"]["url"].as_str().unwrap().ends_with(end)).unwrap()
    };
    let page = of("/page");
    assert_eq!(
        (&page["response"]["status"], &page["_resourceType"], &page["_step"]),
        (&json!(200), &json!("document"), &json!(1))
    );
    assert!(page["response"]["content"]["size"].as_u64().unwrap() > 100, "{page}");
    assert!(
        page["time"].as_f64().unwrap() > 0.0 && page["timings"]["wait"].as_f64().unwrap() > 0.0,
        "{page}"
    );
    assert_eq!(of("/absent")["response"]["status"], 404);
    assert_eq!(of("/dead")["response"]["_error"], "net::ERR_UNSAFE_PORT");
    let posted = entries.iter().find(|one| one["request"]["method"] == "POST").unwrap();
    assert_eq!(
        (&posted["request"]["bodySize"], &posted["request"]["postData"]["text"]),
        (&json!(3), &json!(""))
    );
    let told = |end: &str| {
        result.page_errors.iter().any(|line| line.starts_with("during step 2: GET ") && line.ends_with(end))
    };
    assert!(told("/absent was answered 404 Not Found"), "{:?}", result.page_errors);
    assert!(told("/dead failed: net::ERR_UNSAFE_PORT"), "{:?}", result.page_errors);
    stage.close().await;
}

#[tokio::test]
async fn popups_and_frames_are_listened_to_from_their_beginning() {
    let Some(stage) = listening(&[]).await else { return };
    stage.site.serve("/popup", "<script>console.log('popup begins')</script>");
    let inner = stage
        .site
        .serve("/inner", "<script>console.log('frame begins')</script>")
        .replace("127.0.0.1", "localhost");
    let body = format!(
        "<iframe src='{inner}'></iframe><button id=it onclick=\"window.open('/popup'); window.ended = true\">X</button>"
    );
    let url = stage.page(&body);
    let mut steps = go_and_click(&url);
    let popup = format!("{}/popup", stage.site.origin);
    steps.as_array_mut().unwrap().push(json!({ "type": "close", "target": popup }));
    let (result, evidence) = stage.replay(steps).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    let console = kept(&evidence, "console.json");
    let mut texts = said(&console, "info");
    texts.sort_unstable();
    assert_eq!(texts, ["frame begins", "popup begins"]);
    let har = kept(&evidence, "network.har").to_string();
    assert!(har.contains(&inner) && har.contains(&popup), "{har}");
    stage.close().await;
}

/// What a flow left that knows the secret `p%w"d 7`.
async fn with_secret(stage: &Stage, document: Value) -> (FlowResult, Vec<Evidence>) {
    let flow = BrowserFlow::parse(&document.to_string()).unwrap();
    let flow = flow.with_secrets(|_| Some(Secret::from_text("p%w\"d 7"))).unwrap();
    stage.replay_flow(flow).await.unwrap()
}

#[tokio::test]
async fn no_secret_leaves_in_any_form() {
    let Some(stage) = listening(&["bodies"]).await else { return };
    let url = stage.page(
        "<input id=in><button id=it onclick=\"const value = document.querySelector('#in').value;
            console.error('typed', value, JSON.stringify({ value }), { value });
            const headers = { Authorization: 'Basic ' + btoa('user:' + value), 'X-Word': value };
            Promise.allSettled([fetch('/absent?q=' + encodeURIComponent(value), { method: 'POST', headers, body: JSON.stringify({ value }) })])
                .then(() => { window.ended = true; throw new Error(value) })\">X</button>",
    );
    let mut steps = go_and_click(&url);
    let steps = steps.as_array_mut().unwrap();
    steps.insert(1, json!({ "type": "change", "selectors": ["#in"], "value": "${secret:word}" }));
    // It fails where the page shows the secret.
    steps.push(json!({ "type": "waitForElement", "selectors": ["#none"], "timeout": 300 }));
    steps[3]["expression"] = json!("window.ended && (document.title = document.querySelector('#in').value)");
    let (result, evidence) =
        with_secret(&stage, json!({ "title": "t", "timeout": 15_000, "steps": steps })).await;
    assert_eq!(result.verdict, Verdict::Failed);
    let mut texts: Vec<_> = evidence
        .iter()
        .filter(|one| one.media_type != "image/png")
        .map(|one| (one.name.clone(), String::from_utf8_lossy(&one.bytes).into_owned()))
        .collect();
    assert_eq!(texts.len(), 3, "console, requests, source");
    texts.push(("result".to_owned(), serde_json::to_string(&result).unwrap()));
    for (name, text) in &texts {
        for form in ["p%w\"d 7", "p%w\\\"d 7", "p%w\\\\\\\"d 7", "p%25w%22d%207", "cCV3ImQgN", "wJXcidkIDc"] {
            assert!(!text.contains(form), "{form} is in {name}: {text}");
        }
        assert!(name.ends_with(".html") || text.contains("***"), "{name}: {text}");
    }
    stage.close().await;
}

#[tokio::test]
async fn bodies_are_kept_if_the_flow_asks() {
    let Some(stage) = listening(&[]).await else { return };
    stage.site.serve("/answer", "the answer");
    let url = stage.page(
        "<button id=it onclick=\"fetch('/answer', { method: 'POST', body: 'the question' }).then(answer => answer.text())
            .then(() => window.ended = true)\">X</button>",
    );
    let runners = json!({ "mode": "compat", "capture": ["bodies"] });
    let document =
        json!({ "title": "t", "timeout": 15_000, "runners": runners, "steps": go_and_click(&url) });
    let (result, evidence) =
        stage.replay_flow(BrowserFlow::parse(&document.to_string()).unwrap()).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    let har = kept(&evidence, "network.har");
    let entries = har["log"]["entries"].as_array().unwrap();
    let answer = entries.iter().find(|one| one["request"]["method"] == "POST").unwrap();
    assert_eq!(answer["request"]["postData"]["text"], "the question");
    assert!(answer["response"]["content"]["text"].as_str().unwrap().ends_with("the answer"), "{answer}");
    stage.close().await;
}

#[tokio::test]
async fn what_the_screen_showed_is_kept_in_parts_of_pictures_with_their_times() {
    let Some(stage) = listening(&["frames"]).await else { return };
    let url = stage.page(
        "<style>body { height: 600px }</style><button id=it onclick=\"let at = 0; const next = async () => {
            document.body.style.background = ['red', 'green', 'blue'][at % 3]; at += 1;
            const { ok } = await fetch('/go');
            if (ok) window.ended = true; else setTimeout(next, 400) };
            next()\">X</button>",
    );
    let mut steps = go_and_click(&url);
    // On a busy machine there are few pictures. The page goes on until there are enough.
    (steps[2]["timeout"], steps[2]["retries"]) = (json!(30_000), json!(3));
    let (watcher, mut seen) = Watcher::new();
    let replay = Replay::new(flow(steps), stage.options);
    let replaying = async {
        let result = replay.run(&*stage.session, &watcher, std::future::pending()).await.unwrap();
        drop(watcher);
        result
    };
    let watching = async {
        let mut evidence = Vec::new();
        while let Some(seen) = seen.recv().await {
            let Seen::Evidence(one) = seen else { continue };
            let index = (one.name == "film/index.json").then(|| kept(std::slice::from_ref(&one), &one.name));
            if index.is_some_and(|index| pictures(&index) >= 3) {
                stage.site.serve("/go", "go");
            }
            evidence.push(one);
        }
        evidence
    };
    let (result, evidence) = tokio::join!(replaying, watching);
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    let index = kept(&evidence, "film/index.json");
    let parts = index["parts"].as_array().unwrap().iter();
    let frames: Vec<Value> = parts
        .flat_map(|part| {
            kept(&evidence, part["name"].as_str().unwrap())["frames"].as_array().unwrap().clone()
        })
        .collect();
    assert!(frames.len() >= 3, "{} pictures", frames.len());
    let times: Vec<u64> = frames.iter().map(|frame| frame["at_ms"].as_u64().unwrap()).collect();
    assert!(
        times.is_sorted() && *times.last().unwrap() <= index["duration_ms"].as_u64().unwrap(),
        "{times:?}"
    );
    assert!(frames.iter().all(|frame| frame["jpeg"].as_str().unwrap().starts_with("/9j/")), "JPEGs");
    let steps: Vec<_> =
        index["steps"].as_array().unwrap().iter().map(|step| step["index"].as_u64()).collect();
    assert_eq!((steps, &index["ended"]), (vec![Some(0), Some(1), Some(2)], &json!(true)));
    stage.close().await;
}

#[tokio::test]
async fn a_video_is_kept_if_there_is_what_makes_one() {
    let Some(stage) = listening(&["video"]).await else { return };
    let there = std::process::Command::new("ffmpeg").arg("-version").output().is_ok();
    let url = stage.page(
        "<button id=it onclick=\"document.body.style.background = 'red'; window.ended = true\">X</button>",
    );
    let (result, evidence) = stage.replay(go_and_click(&url)).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "a missing program is no trouble of the flow");
    let video = evidence.iter().find(|one| one.name == "video.webm");
    assert_eq!(video.is_some(), there);
    match video {
        Some(video) => assert!(video.bytes.starts_with(b"\x1A\x45\xDF\xA3"), "EBML"),
        None => println!("skipped: there is no ffmpeg here, so no video was made"),
    }
    stage.close().await;
}

#[tokio::test]
async fn a_flow_that_is_given_up_leaves_what_was_heard() {
    let Some(stage) = listening(&[]).await else { return };
    let url = stage.page("<script>console.log('here I am')</script>");
    let steps =
        json!([{ "type": "navigate", "url": url }, { "type": "waitForExpression", "expression": "false" }]);
    let (watcher, mut seen) = Watcher::new();
    let cancelled = async { while !matches!(seen.recv().await, Some(Seen::Started(1))) {} };
    let replay = Replay::new(flow(steps), stage.options);
    let fault = replay.run(&*stage.session, &watcher, cancelled).await.unwrap_err();
    assert_eq!(fault.code, "cancelled");
    let mut evidence = Vec::new();
    while let Ok(one) = seen.try_recv() {
        if let Seen::Evidence(one) = one {
            evidence.push(one);
        }
    }
    assert_eq!(said(&kept(&evidence, "console.json"), "info"), ["here I am"]);
    stage.close().await;
}

#[tokio::test]
async fn console_and_requests_are_kept_unless_that_is_switched_off() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let driver = Driver::new(options);
    let executor = FlowExecutor::new(driver.clone());
    let result = executor.replay(flow(json!([])), &(), std::future::pending()).await.unwrap();
    assert_eq!(result.artifacts, ["final.png", "console.json", "network.har"]);
    driver.stop().await;
}

#[tokio::test]
async fn firefox_leaves_its_console_and_its_requests_too() {
    let Some(mut stage) = Stage::open_in(Engine::Firefox).await else { return };
    stage.options.capture = Capture::default();
    let url = stage.page(
        "<script>console.log('hello', 3); console.error('early trouble')</script><img src=/none.png>
        <button id=it onclick=\"console.warn('careful'); fetch('/away?/page').then(() => setTimeout(() => {
            window.ended = true; throw new TypeError('boom') }))\">X</button>",
    );
    for round in 0..2 {
        let (result, evidence) = stage.replay(go_and_click(&url)).await.unwrap();
        assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
        let console = kept(&evidence, "console.json");
        assert_eq!(said(&console, "info"), ["hello 3"], "round {round}");
        assert_eq!(said(&console, "warning"), ["careful"]);
        assert_eq!(said(&console, "error"), ["early trouble", "Uncaught TypeError: boom"]);
        let har = kept(&evidence, "network.har");
        let entries = har["log"]["entries"].as_array().unwrap();
        let states = |path: &str| -> Vec<u64> {
            let of = entries.iter().filter(|one| one["request"]["url"].as_str().unwrap().ends_with(path));
            of.map(|one| one["response"]["status"].as_u64().unwrap()).collect()
        };
        assert_eq!((states("/none.png"), states("/away?/page")), (vec![404], vec![302]), "{entries:?}");
        assert_eq!(states("/page"), [200, 302, 200], "{entries:?}");
        let told = |what: &str| result.page_errors.iter().any(|line| line.contains(what));
        assert!(
            told("Uncaught TypeError: boom") && told("/none.png was answered 404") && !told("favicon"),
            "{:?}",
            result.page_errors
        );
        // Whether it asks for one at all depends on what it remembers.
        let icons =
            entries.iter().filter(|one| one["request"]["url"].as_str().unwrap().ends_with("/favicon.ico"));
        assert!(icons.into_iter().all(|one| one["_resourceType"] == "other"), "{entries:?}");
    }
    stage.close().await;
}
