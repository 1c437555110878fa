//! What a browser tells by itself is waited for, and not looked for: under a clock that lets nobody wait for longer than
//! a look at the page takes, so that whoever looks again and again does so for ever, and is never let on.

use crate::stage::{Seen, Site, Stage, Watcher, flow};
use async_trait::async_trait;
use futures::future::{Either, join, select};
use runners_core::{BootTime, Clock, SystemClock, Timestamp, Verdict, sleep};
use runners_exec_webdriver::{Engine, Replay};
use serde_json::{Value, json};
use std::{future::pending, pin::pin, sync::Arc, time::Duration};
use tokio::sync::watch;

/// The engines whose browsers tell what happens to their pages.
const TELLING: [Engine; 2] = [Engine::Chromium, Engine::Firefox];
/// The longest wait of who looks again and again.
const LOOKING: Duration = Duration::from_millis(100);
/// The longest wait of who is told. Time limits are longer.
const TOLD: Duration = Duration::from_secs(1);
/// How long a browser has for all that it does, on a machine that is as busy as it may be.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// A clock whose longer waits never end, and which tells whether somebody is in one of who is told.
#[derive(Debug, Default)]
struct Patient {
    system: SystemClock,
    waits: watch::Sender<bool>,
}

#[async_trait]
impl Clock for Patient {
    fn wall(&self) -> Timestamp {
        self.system.wall()
    }
    fn boot(&self) -> BootTime {
        self.system.boot()
    }
    async fn sleep_until(&self, deadline: BootTime) {
        let ahead = deadline.since(self.boot());
        if ahead <= LOOKING {
            self.system.sleep_until(deadline).await;
            return;
        }
        if ahead <= TOLD {
            self.waits.send_replace(true);
        }
        pending::<()>().await;
    }
}

/// Goes to a page of `site` with this body, and replays a step there that has to pass once somebody waits for what
/// the page does after `/held` was answered.
async fn is_told(stage: &Stage, site: &Site, body: &str, step: Value) {
    let url = site.serve("/page", body);
    let clock = Arc::new(Patient::default());
    let steps = flow(json!([{ "type": "navigate", "url": url }, step]));
    let replay = Replay::new(steps, stage.options).with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let (watcher, mut seen) = Watcher::new();
    let release = async {
        while !matches!(seen.recv().await, Some(Seen::Started(1))) {}
        clock.waits.send_replace(false);
        clock.waits.subscribe().wait_for(|waits| *waits).await.unwrap();
        reqwest::get(format!("{}/release", site.origin)).await.unwrap();
    };
    let both = join(replay.run(&*stage.session, &watcher, pending()), release);
    let Either::Left(((result, ()), _)) = select(pin!(both), pin!(sleep(&clock.system, GIVEN_UP))).await
    else {
        panic!("nobody was told: {step}");
    };
    let result = result.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
}

/// The same in every engine that tells, with a page that does something once its server lets it.
async fn is_told_once_held(what: &str, step: impl Fn(&Site) -> Value) {
    for engine in TELLING {
        let Some(stage) = Stage::open_in(engine).await else { continue };
        let site = Site::open();
        let body = format!("<script>fetch('/held').then(() => {what})</script>");
        is_told(&stage, &site, &body, step(&site)).await;
        stage.close().await;
    }
}

#[tokio::test]
async fn a_navigation_that_comes_late_is_waited_for_and_not_looked_for() {
    for engine in TELLING {
        let Some(stage) = Stage::open_in(engine).await else { continue };
        let site = Site::open();
        let asserted =
            json!([{ "type": "navigation", "url": site.serve("/other", "late"), "title": "Test page" }]);
        let body =
            "<button id=b onclick=\"fetch('/held').then(() => { location.href = '/other' })\">away</button>";
        let click = json!({ "type": "click", "selectors": ["#b"], "offsetX": 1, "offsetY": 1, "assertedEvents": asserted });
        is_told(&stage, &site, body, click).await;
        stage.close().await;
    }
}

#[tokio::test]
async fn another_address_within_a_document_is_waited_for_and_not_looked_for() {
    let parameters = json!({ "url": "#there", "exact": false });
    let step = json!({ "type": "customStep", "name": "runners.assertUrl", "parameters": parameters });
    is_told_once_held("history.pushState({}, '', '#there')", |_| step.clone()).await;
}

#[tokio::test]
async fn a_page_that_opens_late_is_waited_for_and_not_looked_for() {
    let close = |site: &Site| json!({ "type": "close", "target": site.serve("/popup", "popup") });
    is_told_once_held("window.open('/popup')", close).await;
}

#[tokio::test]
async fn a_dialog_that_opens_late_is_waited_for_and_not_looked_for() {
    let parameters = json!({ "message": "now" });
    let step = json!({ "type": "customStep", "name": "runners.dialog", "parameters": parameters });
    is_told_once_held("alert('now')", |_| step.clone()).await;
}
