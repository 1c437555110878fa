//! A real Selenium Grid as the WebDriver at a URL. `SELENIUM_GRID_JAR` names its program for Java, which
//! `cargo xtask test` installs.

use crate::{
    live::{look, next},
    record::{Person, recorded_in, stop},
    stage::{Seen, Site, Watcher, driver_options, flow},
};
use async_trait::async_trait;
use runners_core::{Clock as _, SystemClock, Verdict, live::FrameWish};
use runners_exec_webdriver::{
    Browser, Call, Driver, Engine, FlowExecutor, LiveView, Method, OpenError, Session, Steered,
};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fs,
    io::{self, BufRead as _, BufReader},
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedSender;

const USER: &str = "ada";
const PASSWORD: &str = "s3cret-of-the-grid";

/// How often a grid is started that ends at once: somebody may have its port before it does.
const STARTS_MAX: usize = 5;

/// How long a grid may take until it counts a session no more that was ended.
const ENDED_WITHIN: Duration = Duration::from_secs(30);

/// A grid that is killed when this is dropped.
struct Grid {
    child: Child,
    /// Its address, without credentials.
    address: String,
    _directory: TempDir,
}

impl Grid {
    /// Starts one that wants a password, and waits until it takes sessions; or says loudly why the test is
    /// skipped.
    fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same with more arguments.
    fn start_with(more: &[&str]) -> Option<Self> {
        let state = tempfile::tempdir().unwrap();
        // It starts the browser that others are tested with, which says so where there is none.
        driver_options(&state)?;
        let Some(program) = env::var_os("SELENIUM_GRID_JAR") else {
            println!("skipped: SELENIUM_GRID_JAR names no Selenium Grid; cargo xtask test installs one");
            return None;
        };
        for _ in 0..STARTS_MAX {
            match Self::start_once(&program, more) {
                Ok(Some(grid)) => return Some(grid),
                Ok(None) => {}
                Err(error) => {
                    println!("skipped: java cannot be started: {error}");
                    return None;
                }
            }
        }
        panic!("{STARTS_MAX} grids ended before they took sessions")
    }

    /// Starts one; none if it ended before it took sessions.
    fn start_once(program: &OsStr, more: &[&str]) -> io::Result<Option<Self>> {
        // Its ports are found like this: it has no way to say which it took.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new("java")
            .arg("-jar")
            .arg(program)
            .args(["standalone", "--host", "127.0.0.1", "--port", &port, "--selenium-manager", "false"])
            .args(["--username", USER, "--password", PASSWORD, "--max-sessions", "2"])
            .args(["--reject-unsupported-caps", "true"])
            .args(more)
            .current_dir(directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let grid = Self { child, address: format!("127.0.0.1:{port}"), _directory: directory };
        let is_up =
            lines.by_ref().map_while(Result::ok).any(|line| line.contains("Started Selenium Standalone"));
        if !is_up {
            return Ok(None);
        }
        // It must not wait for somebody who reads what it says.
        thread::spawn(move || lines.for_each(drop));
        Ok(Some(grid))
    }
}

impl Drop for Grid {
    fn drop(&mut self) {
        // With the drivers that it has started.
        let group = Pid::from_child(&self.child);
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Has the browsers of a driver look like those of another machine: what is known of one on this machine is in
/// its profile.
#[derive(Debug)]
struct Elsewhere(Driver);

#[async_trait]
impl Browser for Elsewhere {
    async fn open(&self) -> Result<Box<dyn Session>, OpenError> {
        let session = self.0.open().await?;
        let profile = session.capabilities()["chrome"]["userDataDir"].as_str().unwrap();
        fs::remove_file(Path::new(profile).join("DevToolsActivePort")).unwrap();
        Ok(session)
    }
}

fn chrome() -> Map<String, Value> {
    let options = json!({ "args": ["--headless=new", "--no-sandbox", "--disable-gpu"] });
    Map::from_iter([("browserName".to_owned(), json!("chrome")), ("goog:chromeOptions".to_owned(), options)])
}

#[tokio::test]
async fn a_flow_passes_in_a_selenium_grid_and_its_password_is_told_nowhere() {
    let Some(grid) = Grid::start() else { return };
    let driver = Driver::at(format!("http://{USER}:{PASSWORD}@{}", grid.address), chrome());
    let site = Site::open();
    let url = site.serve("/page", "<label>Name <input id=name></label><iframe src=/inner></iframe>");
    site.serve("/inner", "<button onclick='document.title = 1'>In</button>");
    let steps = json!([
        { "type": "setViewport", "width": 700, "height": 500, "deviceScaleFactor": 1, "isMobile": false,
          "hasTouch": false, "isLandscape": false },
        { "type": "navigate", "url": url },
        { "type": "change", "selectors": ["aria/Name"], "value": "Ada" },
        { "type": "click", "selectors": ["aria/In"], "frame": [0], "offsetX": 3, "offsetY": 3 },
        { "type": "waitForExpression", "expression": "document.title === '1'", "frame": [0] },
        { "type": "waitForExpression", "expression": "document.querySelector('#name').value === 'Ada'" },
    ]);
    let executor = FlowExecutor::new(driver.clone());
    let result = executor.replay(flow(steps), &(), std::future::pending()).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    assert_eq!(result.artifacts[0], "final.png");

    // One that was dropped is closed there.
    let dropped = driver.open().await.unwrap();
    drop(dropped);
    driver.stop().await;
    let until = SystemClock::default().boot() + ENDED_WITHIN;
    while sessions(&grid).await > 0 {
        assert!(SystemClock::default().boot() < until, "a session is left in the grid");
    }

    let wrong = Driver::at(format!("http://{USER}:wr0ng-word@{}", grid.address), chrome());
    let refused = wrong.open().await.unwrap_err();
    assert!(matches!(refused, OpenError::Misconfigured { .. }), "{refused}");
    let none = Map::from_iter([("browserName".to_owned(), json!("netscape"))]);
    let none =
        Driver::at(format!("http://{USER}:{PASSWORD}@{}", grid.address), none).open().await.unwrap_err();
    assert!(matches!(none, OpenError::NotStarted { .. }), "{none}");
    for told in [format!("{refused:?} {wrong:?}"), format!("{none:?} {none}"), format!("{driver:?}")] {
        assert!(!told.contains(PASSWORD) && !told.contains("wr0ng"), "{told}");
    }
}

#[tokio::test]
async fn what_a_browser_in_a_grid_tells_is_heard_there() {
    if let Some(grid) = Grid::start() {
        told_by(&grid, chrome()).await;
    }
}

#[tokio::test]
async fn the_same_is_heard_over_webdriver_bidi() {
    let mut wanted = chrome();
    wanted.insert("webSocketUrl".to_owned(), json!(true));
    if let Some(grid) = Grid::start_with(&["--enable-cdp", "false"]) {
        told_by(&grid, wanted).await;
    }
}

/// Has a browser with these capabilities tell of its console and requests.
async fn told_by(grid: &Grid, wanted: Map<String, Value>) {
    let is_bidi = wanted.contains_key("webSocketUrl");
    let driver = Driver::at(format!("http://{USER}:{PASSWORD}@{}", grid.address), wanted);
    let elsewhere = Elsewhere(driver.clone());
    let session = elsewhere.open().await.unwrap();
    assert_eq!((session.devtools().is_some(), session.bidi().is_some()), (!is_bidi, is_bidi));
    session.close().await;
    let site = Site::open();
    // Over WebDriver BiDi, a dialog that a popup opens while it loads is left to the driver.
    site.serve("/pop", if is_bidi { "popup" } else { "<script>alert('from the popup')</script>" });
    let url = site.serve(
        "/page",
        "<script>console.warn('careful')</script>
        <button onclick=\"window.open('/pop'); setTimeout(() => { throw new Error('boom') })\">Pop</button>",
    );
    let steps = json!([
        { "type": "navigate", "url": url },
        { "type": "click", "selectors": ["aria/Pop"], "offsetX": 3, "offsetY": 3 },
        { "type": "waitForExpression", "expression": "document.readyState === 'complete'" },
    ]);
    let executor = FlowExecutor::new(elsewhere);
    let (watcher, mut seen) = Watcher::new();
    let result = executor.replay(flow(steps), &watcher, std::future::pending()).await.unwrap();
    let mut kept = BTreeMap::new();
    while let Ok(seen) = seen.try_recv() {
        if let Seen::Evidence(evidence) = seen {
            kept.insert(evidence.name, evidence.bytes);
        }
    }
    let told = |name: &str| serde_json::from_slice::<Value>(&kept[name]).unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    assert!(result.page_errors.iter().any(|line| line.contains("boom")), "{:?}", result.page_errors);
    let console = told("console.json");
    let texts: Vec<_> =
        console["entries"].as_array().unwrap().iter().filter_map(|entry| entry["text"].as_str()).collect();
    assert!(texts.contains(&"careful"), "{texts:?}");
    let har = told("network.har");
    let requests = har["log"]["entries"].as_array().unwrap();
    assert!(requests.iter().any(|request| request["request"]["url"] == url.as_str()), "{har}");
    assert!(!format!("{driver:?}").contains(PASSWORD) && !har.to_string().contains(PASSWORD));
    driver.stop().await;
}

#[tokio::test]
async fn a_browser_in_a_grid_is_shown_and_recorded() {
    let Some(grid) = Grid::start() else { return };
    let driver = Driver::at(format!("http://{USER}:{PASSWORD}@{}", grid.address), chrome());
    let session: Arc<dyn Session> = Arc::from(Elsewhere(driver.clone()).open().await.unwrap());
    let view = LiveView::of(&session);
    let mut frames = look(&view, FrameWish::default()).await;
    assert!(next(&mut frames).await.bytes.starts_with(b"\xFF\xD8\xFF"), "a Chromium sends JPEG by itself");
    view.end();

    let url = Site::open().serve("/page", "<button>Buy</button>");
    let does = async |mut person: Person, sender: UnboundedSender<Steered>| {
        person.see("document.readyState === 'complete' && document.querySelector('button')").await;
        person.click("button").await;
        person.step("Buy").await;
        stop(&sender);
        person
    };
    let (recorded, _) = recorded_in(Arc::clone(&session), Engine::Chromium, &url, does).await;
    assert!(recorded.recorded.iter().any(|step| step.description.contains("Buy")), "{recorded:?}");
    session.close().await;
    driver.stop().await;
}

#[tokio::test]
async fn a_session_that_the_grid_ends_is_a_browser_that_is_lost() {
    let Some(grid) = Grid::start() else { return };
    let driver = Driver::at(format!("http://{USER}:{PASSWORD}@{}", grid.address), chrome());
    let session = driver.open().await.unwrap();
    drop(grid);
    let gone = session.call(Call::new(Method::Get, "title", Value::Null)).await.unwrap_err();
    assert!(matches!(gone, runners_exec_webdriver::BrowserError::Gone { .. }), "{gone}");
    session.close().await;
    driver.stop().await;
}

/// How many sessions the grid says that it has.
async fn sessions(grid: &Grid) -> u64 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = client
        .post(format!("http://{}/graphql", grid.address))
        .basic_auth(USER, Some(PASSWORD))
        .header("content-type", "application/json")
        .body(json!({ "query": "{ grid { sessionCount } }" }).to_string());
    let told = asked.send().await.unwrap().bytes().await.unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    told["data"]["grid"]["sessionCount"].as_u64().unwrap_or_else(|| panic!("{told}"))
}
