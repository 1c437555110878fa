//! Browsers that hang: their processes are there, and answer nothing. They are stopped here, as a machine that
//! swaps or a debugger stops them.

use crate::{
    life::{is_alive, send, wait_for_ends},
    lost::family,
    stage::{LIMIT_MILLIS, Site, engine_options},
};
use async_trait::async_trait;
use futures::future::{Either, join, select};
use runners_core::{
    Clock as _, Conclusion, ControlPlane, Egress, MemoryStore, Outcome, Runner, SystemClock,
    protocol::JobView,
};
use runners_exec_webdriver::{
    Browser, BrowserFlow, Driver, Engine, FlowExecutor, OpenError, Session, WarmBrowsers, WarmOptions,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// How long a job may take that finds its browser hanging, on a machine that is as busy as it may be.
const JOB_WITHIN: Duration = Duration::from_secs(120);

/// The process and the profile of a browser that had a session.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    id: u32,
    profile: PathBuf,
}

/// Browsers that are kept, and which had the sessions.
#[derive(Clone, Debug)]
struct Noted {
    browsers: WarmBrowsers,
    opened: Arc<Mutex<Vec<Known>>>,
}

#[async_trait]
impl Browser for Noted {
    async fn open(&self) -> Result<Box<dyn Session>, OpenError> {
        let session = self.browsers.open().await?;
        let said = session.capabilities();
        let id = said.get("goog:processID").or_else(|| said.get("moz:processID")).unwrap().as_u64().unwrap();
        let profile = said.get("moz:profile").unwrap_or_else(|| &said["chrome"]["userDataDir"]);
        let known = Known { id: u32::try_from(id).unwrap(), profile: profile.as_str().unwrap().into() };
        self.opened.lock().unwrap().push(known);
        Ok(session)
    }

    fn engine(&self) -> Option<Engine> {
        self.browsers.engine()
    }

    fn egress(&self) -> Option<Arc<Egress>> {
        self.browsers.egress()
    }
}

/// A runner that replays flows in one browser that is kept.
struct Fleet {
    control: ControlPlane,
    runner: Runner,
    executor: FlowExecutor,
    noted: Noted,
    _state: TempDir,
}

impl Fleet {
    async fn start(engine: Engine) -> Option<Self> {
        let state = tempfile::tempdir().unwrap();
        let driver = Driver::new(engine_options(engine, &state)?);
        let browsers = WarmBrowsers::new(driver, WarmOptions::default());
        let noted = Noted { browsers, opened: Arc::default() };
        let executor = FlowExecutor::new(noted.clone());
        let control = ControlPlane::builder(MemoryStore::default()).start().await.unwrap();
        let runner = control.local_runner("default").executor(executor.clone()).start();
        Some(Self { control, runner, executor, noted, _state: state })
    }

    async fn run(&self, steps: Value) -> JobView {
        let document = json!({ "title": "t", "timeout": LIMIT_MILLIS, "steps": steps });
        let flow = BrowserFlow::parse(&document.to_string()).unwrap();
        self.control.local_client().submit(&flow).await.unwrap().wait().await.unwrap()
    }

    /// The browser that had the newest session.
    fn newest(&self) -> Known {
        self.noted.opened.lock().unwrap().last().unwrap().clone()
    }

    /// Waits until the browser of the last job is kept for the next.
    async fn rest(&self) {
        self.executor.settle().await;
        self.noted.browsers.warm_up().await;
        assert_eq!(self.noted.browsers.idle(), 1);
    }

    async fn stop(self) {
        self.runner.drain().await.unwrap();
        self.control.stop().await.unwrap();
        self.executor.settle().await;
        self.noted.browsers.stop().await;
    }
}

/// Sees that nothing is left of a browser, given the processes that it had.
fn is_gone(browser: &Known, processes: &[u32]) {
    assert!(processes.len() > 1, "{processes:?}");
    wait_for_ends(processes);
    let left: Vec<_> = processes.iter().filter(|id| is_alive(**id)).collect();
    assert!(left.is_empty(), "{left:?} of {processes:?} are left");
    assert!(!browser.profile.exists(), "{} is left", browser.profile.display());
}

/// Waits for a job that meets a browser that hangs.
async fn in_time(job: impl Future<Output = JobView>) -> JobView {
    let clock = SystemClock::default();
    let deadline = clock.boot() + JOB_WITHIN;
    match select(pin!(job), clock.sleep_until(deadline)).await {
        Either::Left((view, _)) => view,
        Either::Right(_) => panic!("the job did not end within {} s", JOB_WITHIN.as_secs()),
    }
}

async fn replaced_while_it_is_kept(engine: Engine) {
    let Some(fleet) = Fleet::start(engine).await else { return };
    let url = Site::open().serve("/page", "<h1>Here</h1>");
    let steps =
        json!([{ "type": "navigate", "url": url }, { "type": "waitForElement", "selectors": ["h1"] }]);
    assert_eq!(fleet.run(steps.clone()).await.conclusion(), Some(Conclusion::Passed));
    fleet.rest().await;
    let first = fleet.newest();
    let processes = family(first.id);
    send(first.id, Signal::STOP);
    let view = in_time(fleet.run(steps)).await;
    assert_eq!((view.conclusion(), view.attempts.len()), (Some(Conclusion::Passed), 1), "{view:?}");
    assert_ne!(fleet.newest(), first);
    is_gone(&first, &processes);
    fleet.stop().await;
}

#[tokio::test]
async fn a_kept_browser_that_hangs_is_replaced_before_its_next_job_begins() {
    join(replaced_while_it_is_kept(Engine::Chromium), replaced_while_it_is_kept(Engine::Firefox)).await;
}

async fn replaced_after_its_step(engine: Engine) {
    let Some(fleet) = Fleet::start(engine).await else { return };
    // The page says that it is there, and gets no answer as long as somebody listens.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ear = listener.local_addr().unwrap();
    let page = format!("<script>fetch('http://{ear}/').catch(() => window.gone = true)</script>");
    let url = Site::open().serve("/page", &page);
    let steps = json!([
        { "type": "navigate", "url": url },
        { "type": "waitForExpression", "expression": "window.gone" },
    ]);
    let stop = async {
        let _page = listener.accept().await.unwrap();
        let browser = fleet.newest();
        let processes = family(browser.id);
        send(browser.id, Signal::STOP);
        drop(listener);
        (browser, processes)
    };
    let (view, (first, processes)) = join(in_time(fleet.run(steps)), stop).await;
    assert_eq!((view.conclusion(), view.attempts.len()), (Some(Conclusion::Passed), 2), "{view:?}");
    let Outcome::Errored(fault) = &view.attempts[0].outcome else { panic!("{view:?}") };
    assert_eq!((fault.code.as_str(), fault.retryable), ("browser_lost", true), "{fault}");
    assert!(fault.message.contains("the browser did not answer within 5 s"), "{fault}");
    assert_ne!(fleet.newest(), first);
    is_gone(&first, &processes);
    fleet.stop().await;
}

#[tokio::test]
async fn a_browser_that_hangs_in_a_step_is_a_fault_and_the_next_attempt_has_another() {
    join(replaced_after_its_step(Engine::Chromium), replaced_after_its_step(Engine::Firefox)).await;
}
