//! Films that are begun while a job runs, and what they tell meanwhile.

use crate::stage::{LIMIT_MILLIS, Seen, Stage, Watcher, flow};
use runners_core::{Conclusion, ControlPlane, Followed, MemoryStore, Secret, SystemClock, Verdict, sleep};
use runners_exec_webdriver::{BrowserFlow, Capture, Engine, FlowExecutor, StartCapture, StopCapture};
use serde_json::{Value, json};
use std::{future::pending, time::Duration};
use tokio::sync::mpsc;

/// How long a signal may take on a machine that is as busy as it may be.
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is looked whether there is a film.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_signal_films_a_flow_that_runs() {
    let Some(stage) = Stage::open().await else { return };
    let (driver, session, site, _, _state) = stage.into_parts();
    session.close().await;
    let control = ControlPlane::builder(MemoryStore::default()).start().await.unwrap();
    let runner = control.local_runner("default").executor(FlowExecutor::new(driver.clone())).start();
    let client = control.local_client();
    let waiting = "<style>body { background: red; height: 100vh }</style><script>
        setInterval(() => fetch('/go').then(told => window.go = told.ok), 50)</script>";
    let steps = json!([
        { "type": "navigate", "url": site.serve("/page", waiting) },
        { "type": "waitForExpression", "expression": "window.go === true", "timeout": 30_000, "retries": 3 },
    ]);
    let job = client.submit(&flow(steps)).await.unwrap();
    {
        let mut news = std::pin::pin!(job.follow());
        while let Some(news) = futures::StreamExt::next(&mut news).await {
            if matches!(news.unwrap(), Followed::Progress(_)) {
                break;
            }
        }
    }
    client.signal(job.id(), &StartCapture {}, SIGNAL_TIMEOUT).await.unwrap();
    client.signal(job.id(), &StopCapture {}, SIGNAL_TIMEOUT).await.unwrap();
    client.signal(job.id(), &StartCapture {}, SIGNAL_TIMEOUT).await.unwrap();
    // It is there once there is enough for a part.
    loop {
        let view = job.inspect().await.unwrap();
        let is_filmed = view.artifacts.iter().any(|artifact| &*artifact.name == "film/index.json");
        if is_filmed || view.conclusion().is_some() {
            break;
        }
        sleep(&SystemClock::default(), LOOK_EVERY).await;
    }
    site.serve("/go", "go");
    let view = job.wait().await.unwrap();
    assert_eq!(view.conclusion(), Some(Conclusion::Passed));
    let names: Vec<_> = view.artifacts.iter().map(|artifact| &*artifact.name).collect();
    assert!(names.contains(&"film/index.json") && names.contains(&"film/0000.json"), "{names:?}");
    runner.drain().await.unwrap();
    driver.stop().await;
    control.stop().await.unwrap();
}

/// Writes the word that is typed to the console, asks for a page that is never answered and for one that is not there.
const TALKS: &str = "<input id=in><script>
    let told = false;
    document.querySelector('#in').addEventListener('input', ({ target: { value } }) => {
        if (told || value.length < 'hunter2'.length) return;
        told = true;
        console.warn('the word is ' + value);
        fetch('/silent').catch(() => {});
        fetch('/absent?word=' + value);
    });
    setInterval(() => fetch('/go').then(answer => window.go = answer.ok), 200);
</script>";

/// How the address of the latter ends, as it may be told.
const ABSENT: &str = "/absent?word=***";

/// The request of a film whose address ends so.
fn asked(index: &Value, end: &str) -> Option<Value> {
    let mut requests = index["heard"]["requests"].as_array()?.iter();
    requests.find(|one| one["url"].as_str().is_some_and(|url| url.ends_with(end))).cloned()
}

/// Waits until a film that goes on tells of what the page said and asked for, lets the flow go on, and answers the
/// index of the film then, and what was left of the console at last.
async fn heard(mut seen: mpsc::UnboundedReceiver<Seen>, go_on: impl Fn()) -> (Value, Value) {
    let (mut running, mut console, mut steps) = (None, Value::Null, 0);
    while let Some(seen) = seen.recv().await {
        let evidence = match seen {
            Seen::Evidence(evidence) => evidence,
            Seen::Ended => {
                steps += 1;
                continue;
            }
            Seen::Started(_) => continue,
        };
        match &*evidence.name {
            "console.json" => console = serde_json::from_slice(&evidence.bytes).unwrap(),
            "film/index.json" if running.is_none() => {
                let index: Value = serde_json::from_slice(&evidence.bytes).unwrap();
                let has_ended = |one: Value| one["took_ms"].is_number();
                if asked(&index, ABSENT).is_some_and(has_ended) && asked(&index, "/silent").is_some() {
                    assert_eq!((&index["ended"], steps), (&json!(false), 2), "the last step waits");
                    running = Some(index);
                    go_on();
                }
            }
            _ => {}
        }
    }
    (running.expect("a film that goes on tells of it"), console)
}

async fn a_film_tells_what_the_page_says_while_its_flow_runs_in(engine: Engine) {
    let Some(stage) = Stage::open_in(engine).await else { return };
    let (driver, session, site, mut options, _state) = stage.into_parts();
    session.close().await;
    (options.capture, options.capture.frames) = (Capture::default(), true);
    let url = site.serve("/page", TALKS);
    let document = json!({ "title": "a test", "timeout": LIMIT_MILLIS, "steps": [
        { "type": "navigate", "url": url },
        { "type": "change", "selectors": ["#in"], "value": "${secret:word}" },
        { "type": "waitForExpression", "expression": "window.go === true", "timeout": 30_000, "retries": 5 },
    ] });
    let flow = BrowserFlow::parse(&document.to_string()).unwrap();
    let flow = flow.with_secrets(|_| Some(Secret::from_text("hunter2"))).unwrap();
    let executor = FlowExecutor::new(driver.clone()).with_options(options);
    let (watcher, seen) = Watcher::new();
    let replaying = async {
        let result = executor.replay(flow, &watcher, pending()).await.unwrap();
        drop(watcher);
        result
    };
    let go_on = || drop(site.serve("/go", "go"));
    let (result, (index, console)) = futures::join!(replaying, heard(seen, go_on));
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    let told = &index["heard"];
    assert!(!told.to_string().contains("hunter2"), "{told}");
    let lines = |of: &Value| {
        let texts = of.as_array().unwrap().iter().map(|line| (line["text"].clone(), line["at_ms"].clone()));
        texts.filter(|(text, _)| text.as_str().unwrap().starts_with("the word")).collect::<Vec<_>>()
    };
    assert_eq!(lines(&told["console"])[0].0, "the word is ***");
    assert_eq!(
        lines(&told["console"]),
        lines(&console["entries"]),
        "it is the same afterwards, and on one clock"
    );
    let absent = asked(&index, ABSENT).unwrap();
    assert_eq!(absent["status"], 404, "{absent}");
    assert!(asked(&index, "/silent").unwrap()["took_ms"].is_null(), "it is under way");
    let began = index["steps"][0]["at_ms"].as_u64().unwrap();
    let (at, ends) = (absent["at_ms"].as_u64().unwrap(), index["duration_ms"].as_u64().unwrap());
    assert!(began <= at && at <= ends, "{began} {at} {ends}");
    driver.stop().await;
}

#[tokio::test]
async fn a_film_tells_what_the_page_says_while_its_flow_runs() {
    a_film_tells_what_the_page_says_while_its_flow_runs_in(Engine::Chromium).await;
}

#[tokio::test]
async fn a_film_of_firefox_tells_what_the_page_says_while_its_flow_runs() {
    a_film_tells_what_the_page_says_while_its_flow_runs_in(Engine::Firefox).await;
}
