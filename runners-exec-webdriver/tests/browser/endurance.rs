//! Whatever flows meet, the runner that replays them has a clear word for it and goes on with the next.

use crate::stage::{LIMIT_MILLIS, SHORT_MILLIS, Site, driver_options, flow};
use async_trait::async_trait;
use runners_core::{
    Conclusion, ControlPlane, Egress, Fault, JobOptions, MemoryStore, Outcome, RetryPolicy,
    protocol::{AttemptView, JobView},
};
use runners_exec_webdriver::{Browser, BrowserFlow, Driver, FlowExecutor, FlowResult, OpenError, Session};
use serde_json::{Map, Value, json};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

fn go(url: &str) -> Value {
    json!({ "type": "navigate", "url": url })
}

fn click(selector: &str) -> Value {
    json!({ "type": "click", "selectors": [selector], "offsetX": 3, "offsetY": 3 })
}

/// A step that fails, after so long.
fn missing(millis: u64) -> Value {
    json!({ "type": "hover", "selectors": ["#none"], "timeout": millis })
}

/// What flows may meet, how each ends, and what is said of it.
fn trials(site: &Site) -> Vec<(Value, Conclusion, &'static str)> {
    let page = |path: &str, body: &str| go(&site.serve(path, body));
    let at = |path: &str| format!("{}{path}", site.origin);
    let briefly = |url: &str| json!({ "type": "navigate", "url": url, "timeout": 5_000, "assertedEvents": [{ "type": "navigation" }] });
    let huge =
        page("/huge", "<script>document.body.append(new Comment('x'.repeat(100 * 1024 * 1024)))</script>");
    let hangs = page("/hangs", "<button id=it onclick='setTimeout(() => { for (;;); })'>X</button>");
    let alerts = page("/alerts", "<button id=it onclick=\"alert('Out of stock')\">X</button>");
    let saves = page("/saves", "<a id=it href='/download'>Save</a><p id=here>Here</p>");
    let (passed, failed) = (Conclusion::Passed, Conclusion::Failed);
    vec![
        (json!([go("chrome://crash/")]), Conclusion::Errored, "the browser was lost during step 1"),
        (json!([briefly(&at("/silent"))]), failed, "there is no answer from"),
        (json!([go(&at("/redirect"))]), failed, "ERR_TOO_MANY_REDIRECTS"),
        (json!([hangs, click("#it"), missing(SHORT_MILLIS)]), failed, "for 1500 ms"),
        (json!([alerts, click("#it"), { "type": "scroll" }]), failed, "a dialog is open: \"Out of stock\""),
        (json!([huge, missing(10_000)]), failed, "no element matches #none"),
        (json!([saves, click("#it"), click("#here")]), passed, ""),
        (json!([briefly(&at("/download"))]), failed, "there is no answer from"),
        (json!([page("/good", "<button id=it>Go</button>"), click("#it")]), passed, ""),
    ]
}

fn told(view: &JobView) -> String {
    let fault = view.attempts.last().and_then(fault);
    let result = view.result.as_ref();
    let result = result.and_then(|result| serde_json::from_slice::<FlowResult>(result.as_bytes()).ok());
    let failure = result.and_then(|result| result.failure()?.reason.clone());
    fault.map(ToString::to_string).or(failure).unwrap_or_default()
}

fn fault(attempt: &AttemptView) -> Option<&Fault> {
    match &attempt.outcome {
        Outcome::Errored(fault) => Some(fault),
        _ => None,
    }
}

#[tokio::test]
async fn a_runner_goes_on_whatever_its_flows_meet() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let egress = Egress::browsing().allow_scheme("chrome");
    let (site, driver) = (Site::open(), Driver::new(options).with_egress(egress));
    let control = ControlPlane::builder(MemoryStore::default()).start().await.unwrap();
    let runner = control.local_runner("default").executor(FlowExecutor::new(driver.clone())).start();
    let trials = trials(&site);
    let options = || JobOptions { retry: RetryPolicy::never(), ..JobOptions::default() };
    let jobs: Vec<_> = trials.iter().map(|(steps, ..)| (flow(steps.clone()), options())).collect();
    let jobs = control.local_client().submit_all(&jobs).await.unwrap();
    for (job, (steps, conclusion, why)) in jobs.iter().zip(trials) {
        let view = job.as_ref().unwrap().wait().await.unwrap();
        let told = told(&view);
        assert_eq!(view.conclusion(), Some(conclusion), "{steps}: {told}");
        assert!(told.contains(why), "{told}");
    }
    runner.drain().await.unwrap();
    control.stop().await.unwrap();
    driver.stop().await;
}

/// Starts a browser that ends at once, and only then one that stays.
#[derive(Debug)]
struct Reluctant {
    bad: Driver,
    good: Driver,
    opened: AtomicUsize,
}

#[async_trait]
impl Browser for Reluctant {
    async fn open(&self) -> Result<Box<dyn Session>, OpenError> {
        let first = self.opened.fetch_add(1, Ordering::SeqCst) == 0;
        if first { self.bad.open().await } else { self.good.open().await }
    }
}

#[tokio::test]
async fn a_browser_that_ends_at_its_start_costs_an_attempt_and_no_verdict() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let mut broken = options.clone();
    broken.browser = Some("/bin/false".into());
    let (bad, good) = (Driver::new(broken), Driver::new(options));
    let browser = Reluctant { bad: bad.clone(), good: good.clone(), opened: AtomicUsize::new(0) };
    let control = ControlPlane::builder(MemoryStore::default()).start().await.unwrap();
    let runner = control.local_runner("default").executor(FlowExecutor::new(browser)).start();
    let page = Site::open().serve("/page", "<p>Well</p>");
    let view = control.local_client().submit(&flow(json!([go(&page)]))).await.unwrap().wait().await.unwrap();
    assert_eq!(view.conclusion(), Some(Conclusion::Passed), "{}", told(&view));
    let fault = fault(&view.attempts[0]).unwrap();
    assert_eq!((view.attempts.len(), fault.code.as_str()), (2, "browser_not_started"), "{fault}");
    runner.drain().await.unwrap();
    control.stop().await.unwrap();
    bad.stop().await;
    good.stop().await;
}

/// What a ChromeDriver answers that is of another version than its browser.
const WRONG_VERSION: &str = "session not created: This version of ChromeDriver only supports Chrome version 114\\nCurrent browser version is 156.0.1 with binary path /usr/bin/chromium";

#[tokio::test]
async fn a_driver_of_another_version_than_its_browser_is_told_with_both() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(told) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = told.trim().parse().unwrap();
                }
                line.clear();
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            let body = format!(
                r#"{{"value": {{"error": "session not created", "message": "{WRONG_VERSION}", "stacktrace": ""}}}}"#
            );
            let head = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
            let _ =
                write!(reader.get_mut(), "HTTP/1.1 500 Error\r\n{head}\r\nConnection: close\r\n\r\n{body}");
        }
    });
    let executor = FlowExecutor::new(Driver::at(url, Map::new()));
    let flow = BrowserFlow::parse(&json!({ "title": "t", "timeout": LIMIT_MILLIS, "steps": [] }).to_string())
        .unwrap();
    let fault = executor.replay(flow, &(), std::future::pending()).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("browser_not_started", true), "{fault}");
    assert!(fault.message.contains("only supports Chrome version 114"), "{fault}");
    assert!(fault.message.contains("Current browser version is 156.0.1"), "{fault}");
}
