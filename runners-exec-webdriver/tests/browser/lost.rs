//! What a driver or a browser that dies comes to, whatever step it dies in: a fault, so that the flow is
//! tried again; and what is a verdict of the page beside it.

use crate::{
    cut_short,
    stage::{SHORT_MILLIS, Seen, Site, Watcher, driver_options, flow},
};
use runners_core::Verdict;
use runners_exec_webdriver::{Browser as _, Driver, Replay, ReplayOptions, StepState};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs;

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Driver,
    Browser,
    /// The process of the page alone.
    Page,
}

/// Steps that do not end by themselves, of every kind that waits in its own way.
fn waiting_steps(silent: &str) -> Vec<Value> {
    let custom = |name: &str, parameters: Value| json!({ "type": "customStep", "name": format!("runners.{name}"), "parameters": parameters });
    vec![
        json!({ "type": "navigate", "url": silent }),
        json!({ "type": "click", "selectors": ["#none"], "offsetX": 1, "offsetY": 1 }),
        json!({ "type": "hover", "selectors": ["aria/Nobody"] }),
        json!({ "type": "change", "selectors": ["#none"], "value": "x" }),
        json!({ "type": "waitForElement", "selectors": ["#none"] }),
        json!({ "type": "waitForExpression", "expression": "false" }),
        json!({ "type": "scroll", "frame": [7] }),
        json!({ "type": "close", "target": "http://127.0.0.1:1/no-popup" }),
        custom("assertText", json!({ "selectors": ["#none"], "text": "x" })),
        custom("assertUrl", json!({ "url": "http://127.0.0.1:1/elsewhere" })),
        custom("dialog", json!({})),
        custom("upload", json!({ "selectors": ["#none"], "files": [] })),
    ]
}

/// Replays a page and one step, in which somebody dies; answers the fault.
async fn died(driver: &Driver, page: &str, step: Value, victim: Victim) -> (String, bool) {
    let session = driver.open().await.unwrap();
    let driver_id = driver.process_id().await.unwrap();
    let browser_id = u32::try_from(session.capabilities()["goog:processID"].as_u64().unwrap()).unwrap();
    let (watcher, mut seen) = Watcher::new();
    let told = format!("{step}");
    let killer = async {
        while !matches!(seen.recv().await, Some(Seen::Started(1))) {}
        match victim {
            Victim::Driver => kill(driver_id),
            Victim::Browser => kill(browser_id),
            Victim::Page => renderers(browser_id).into_iter().for_each(kill),
        }
        std::future::pending::<()>().await;
    };
    let mut step = step;
    step["timeout"] = json!(30_000);
    let steps = json!([{ "type": "navigate", "url": page }, step]);
    let ended = Replay::new(flow(steps), ReplayOptions::default()).run(&*session, &watcher, killer).await;
    session.close().await;
    let fault = ended.expect_err(&format!("{victim:?} died in {told}"));
    let left = cut_short::left(&mut seen);
    let states: Vec<_> = left.steps.iter().map(|step| step.state).collect();
    assert_eq!(states, [StepState::Passed, StepState::CutShort], "{victim:?} in {told}");
    assert_eq!(left.steps[1].reason.as_deref(), Some(&*fault.message), "{victim:?} in {told}");
    assert!(fault.message.contains("step 2"), "{victim:?} in {told}: {fault}");
    (fault.code, fault.retryable)
}

/// In every kind of step, one after the other.
async fn all_die(victim: Victim) {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let site = Site::open();
    let page = site.serve("/page", "<h1>Here</h1>");
    let silent = format!("{}/silent", site.origin);
    // One that was killed is started again for the next session.
    let driver = Driver::new(options);
    for step in waiting_steps(&silent) {
        let told = step.to_string();
        let ended = died(&driver, &page, step, victim).await;
        assert_eq!(ended, ("browser_lost".to_owned(), true), "{victim:?} in {told}");
    }
    driver.stop().await;
}

#[tokio::test]
async fn a_driver_that_is_killed_in_any_step_is_a_fault_that_is_tried_again() {
    all_die(Victim::Driver).await;
}

#[tokio::test]
async fn a_browser_that_is_killed_in_any_step_is_a_fault_that_is_tried_again() {
    all_die(Victim::Browser).await;
}

#[tokio::test]
async fn a_page_whose_process_is_killed_is_a_fault_that_is_tried_again() {
    all_die(Victim::Page).await;
}

#[tokio::test]
async fn what_a_page_lacks_is_a_verdict_whatever_the_step() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let (driver, site) = (Driver::new(options), Site::open());
    let page = site.serve("/page", "<h1>Here</h1>");
    let session = driver.open().await.unwrap();
    for mut step in waiting_steps(&page).into_iter().skip(1) {
        step["timeout"] = json!(SHORT_MILLIS);
        let told = step.to_string();
        let steps = json!([{ "type": "navigate", "url": page }, step]);
        let replay = Replay::new(flow(steps), ReplayOptions::default());
        let ended = replay.run(&*session, &(), std::future::pending()).await;
        let result = ended.unwrap_or_else(|fault| panic!("{told}: {fault}"));
        assert_eq!(result.verdict, Verdict::Failed, "{told}");
        let reason = result.failure().unwrap().reason.as_deref().unwrap();
        assert!(reason.starts_with("step 2 (") && !reason.contains('\n'), "one line: {reason}");
        assert!(reason.contains("the page is \"Test page\""), "what was there instead: {reason}");
    }
    session.close().await;
    driver.stop().await;
}

fn kill(id: u32) {
    // One that is gone already is as good.
    let _ = kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), Signal::KILL);
}

/// The processes of pages below a browser.
fn renderers(browser: u32) -> Vec<u32> {
    let is_renderer = |id: &u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("--type=renderer")
    };
    family(browser).into_iter().filter(is_renderer).collect()
}

/// A browser and all processes below it.
pub(crate) fn family(browser: u32) -> Vec<u32> {
    let ids =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let all: Vec<u32> = ids.collect();
    let parent = |id: u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<u32>().ok()).unwrap_or(0)
    };
    let is_of = |id: &u32| {
        let mut at = *id;
        while at > 1 && at != browser {
            at = parent(at);
        }
        at == browser
    };
    all.into_iter().filter(is_of).collect()
}
