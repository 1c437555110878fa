//! The life of sessions, browsers and drivers: cancelled, killed, dropped, swept.

use crate::stage::{Counted, Seen, Site, Stage, Watcher, driver_options};
use runners_exec_webdriver::{
    Browser, BrowserFlow, Call, Driver, DriverOptions, FlowExecutor, Method, OpenError, Replay, ReplayOptions,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};
use serde_json::{Map, Value, json};
use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::oneshot;

/// How many commands ask a page where it is and for a picture.
const LAST_LOOK: usize = 2;

/// Waits for something that never comes.
fn endless() -> BrowserFlow {
    let step = json!({ "type": "waitForExpression", "expression": "false", "timeout": 30_000 });
    BrowserFlow::parse(&json!({ "title": "endless", "steps": [step] }).to_string()).unwrap()
}

#[tokio::test]
async fn a_cancelled_flow_takes_a_last_look_and_sends_nothing_more() {
    let Some(stage) = Stage::open().await else { return };
    let calls = Arc::new(AtomicUsize::new(0));
    let session = Counted { session: &*stage.session, calls: Arc::clone(&calls) };
    let (watcher, mut seen) = Watcher::new();
    let at_cancel = Arc::clone(&calls);
    let cancelled = async move {
        assert!(matches!(seen.recv().await, Some(Seen::Started(0))), "the flow runs");
        at_cancel.store(1000, Ordering::SeqCst);
    };
    let replay = Replay::new(endless(), ReplayOptions::default());
    let fault = replay.run(&session, &watcher, cancelled).await.unwrap_err();
    assert_eq!(fault.code, "cancelled");
    assert_eq!(fault.message, "cancelled during step 1: wait until false");
    assert_eq!(calls.load(Ordering::SeqCst), 1000 + LAST_LOOK, "no other command after the cancel");
    stage.close().await;
}

#[tokio::test]
async fn a_cancelled_flow_leaves_no_browser_and_the_driver_goes_on() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let driver = Driver::new(options);
    let executor = FlowExecutor::new(driver.clone());
    let (watcher, mut seen) = Watcher::new();
    let cancelled = async move {
        seen.recv().await;
    };
    let fault = executor.replay(endless(), &watcher, cancelled).await.unwrap_err();
    assert_eq!(fault.code, "cancelled");
    assert_eq!(profiles(state.path()), Vec::<PathBuf>::new());
    let before = driver.process_id().await.unwrap();
    driver.open().await.unwrap().close().await;
    assert_eq!(driver.process_id().await, Some(before), "one driver serves every session");
    driver.stop().await;
    assert_eq!(driver.process_id().await, None);
    assert_eq!(notes(state.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_flow_that_is_cancelled_while_its_browser_starts_leaves_none() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let driver = Driver::new(options);
    let fault = FlowExecutor::new(driver.clone()).replay(endless(), &(), async {}).await.unwrap_err();
    assert_eq!(fault.message, "cancelled before the first step");
    assert_eq!(profiles(state.path()), Vec::<PathBuf>::new());
    driver.stop().await;
}

#[tokio::test]
async fn a_driver_that_dies_in_a_flow_is_a_fault_and_the_next_session_starts_another() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let driver = Driver::new(options);
    let session = driver.open().await.unwrap();
    let id = driver.process_id().await.unwrap();
    let profile = profiles(state.path()).remove(0);
    let (watcher, mut seen) = Watcher::new();
    let killed = async move {
        seen.recv().await;
        kill(id);
        std::future::pending::<()>().await;
    };
    let replay = Replay::new(endless(), ReplayOptions::default());
    let fault = replay.run(&*session, &watcher, killed).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("browser_lost", true), "{fault}");
    session.close().await;
    assert_eq!(browsers(&profile), [0; 0], "a browser outlived its driver");
    assert!(!profile.exists());
    driver.open().await.unwrap().close().await;
    assert_ne!(driver.process_id().await.unwrap(), id);
    driver.stop().await;
}

#[tokio::test]
async fn a_session_that_is_dropped_takes_its_browser_with_it() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let driver = Driver::new(options);
    let (one, two) = tokio::join!(driver.open(), driver.open());
    let (one, two) = (one.unwrap(), two.unwrap());
    let known = profiles(state.path());
    assert_eq!(known.len(), 2);
    assert!(known.iter().all(|profile| !browsers(profile).is_empty()), "two browsers run");
    drop(one);
    let left = profiles(state.path());
    assert_eq!(left.len(), 1);
    let gone = known.iter().find(|profile| !left.contains(profile)).unwrap();
    wait_for_ends(&browsers(gone));
    assert_eq!(browsers(gone), [0; 0]);
    assert!(!browsers(&left[0]).is_empty(), "the other one goes on");
    two.close().await;
    assert_eq!(profiles(state.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_a_flow_saves_goes_with_its_session() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let driver = Driver::new(options);
    let session = driver.open().await.unwrap();
    let profile = profiles(state.path()).remove(0);
    let url = Site::open().serve("/page", "<a id=it href='/download'>Save</a>");
    let steps = json!([
        { "type": "navigate", "url": url },
        { "type": "click", "selectors": ["#it"], "offsetX": 1, "offsetY": 1 },
    ]);
    let flow =
        BrowserFlow::parse(&json!({ "title": "t", "timeout": 30_000, "steps": steps }).to_string()).unwrap();
    let replay = Replay::new(flow, ReplayOptions::default());
    let result = replay.run(&*session, &(), std::future::pending()).await.unwrap();
    assert_eq!(result.failure(), None);
    while !profile.join("downloads/runners.zip").exists() {
        // The browser is asked for something, so that time passes by its work and not by a clock.
        let nothing = json!({ "script": "return 1", "args": [] });
        session.call(Call::new(Method::Post, "execute/sync", nothing)).await.unwrap();
    }
    let downloads = fs::canonicalize(profile.join("downloads")).unwrap();
    let on_disk = fs::canonicalize(env::temp_dir()).unwrap();
    assert!(downloads.starts_with(on_disk), "{} may be large", downloads.display());
    let socket = fs::read_link(profile.join("SingletonSocket")).unwrap();
    session.close().await;
    assert!(!profile.exists() && !downloads.exists());
    assert!(!socket.parent().unwrap().exists(), "{} is left", socket.display());
    driver.stop().await;
}

#[tokio::test]
async fn a_browser_has_no_pages_but_those_of_its_session() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let driver = Driver::new(options);
    let session = driver.open().await.unwrap();
    let address = session.capabilities()["goog:chromeOptions"]["debuggerAddress"].as_str().unwrap();
    let mut browser = TcpStream::connect(address).unwrap();
    write!(browser, "GET /json/list HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let (mut list, mut part) = (String::new(), [0; 4096]);
    while !list.contains("} ]") {
        let read = browser.read(&mut part).unwrap();
        assert_ne!(read, 0, "{list}");
        list.push_str(&String::from_utf8_lossy(&part[..read]));
    }
    let kinds: Vec<_> = list.lines().map(str::trim).filter(|line| line.starts_with("\"type\":")).collect();
    assert_eq!(kinds, ["\"type\": \"page\","], "each costs a process: {list}");
    session.close().await;
    driver.stop().await;
}

#[tokio::test]
async fn one_driver_serves_several_flows_at_once() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let driver = Driver::new(options);
    let browser: Arc<dyn Browser> = Arc::new(driver.clone());
    let executor = FlowExecutor::new(browser);
    let site = Site::open();
    let page = site.serve("/page", "<button id=b onclick='document.title = 1'>B</button>");
    let steps = json!([
        { "type": "navigate", "url": page },
        { "type": "click", "selectors": ["#b"], "offsetX": 1, "offsetY": 1 },
        { "type": "waitForExpression", "expression": "document.title === '1'" },
    ]);
    let flow =
        BrowserFlow::parse(&json!({ "title": "t", "timeout": 30_000, "steps": steps }).to_string()).unwrap();
    let replay = || executor.replay(flow.clone(), &(), std::future::pending());
    let (one, two, three) = tokio::join!(replay(), replay(), replay());
    for result in [one, two, three] {
        assert_eq!(result.unwrap().failure(), None);
    }
    assert_eq!(profiles(state.path()), Vec::<PathBuf>::new());
    driver.stop().await;
}

#[tokio::test]
async fn a_browser_that_exits_at_once_is_told_with_what_may_be_behind_it() {
    let state = tempfile::tempdir().unwrap();
    let Some(mut options) = driver_options(&state) else { return };
    options.browser = Some("/bin/false".into());
    let driver = Driver::new(options);
    let error = driver.open().await.unwrap_err().to_string();
    assert!(error.contains("add --no-sandbox to the arguments"), "{error}");
    assert_eq!(profiles(state.path()), Vec::<PathBuf>::new());
    driver.stop().await;
}

#[tokio::test]
async fn what_a_killed_process_left_is_ended_by_the_next_start() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--exact", "life::owner_of_a_browser_until_it_is_killed", "--nocapture"])
        .env("RUNNERS_TEST_STATE", state.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("a browser is open")));
    let note = notes(state.path()).remove(0);
    let noted: Value = serde_json::from_slice(&fs::read(&note).unwrap()).unwrap();
    let directory = PathBuf::from(noted["directory"].as_str().unwrap());
    let driver = u32::try_from(noted["driver"]["id"].as_u64().unwrap()).unwrap();
    let profile = profiles(state.path()).remove(0);
    let downloads = profile.join("downloads");
    let downloads = fs::read_link(&downloads).unwrap_or(downloads);

    // While the owner lives, nobody touches what it started.
    let second = Driver::new(options.clone());
    second.open().await.unwrap().close().await;
    assert!(is_alive(driver) && !browsers(&profile).is_empty());
    second.stop().await;

    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(is_alive(driver) && !browsers(&profile).is_empty(), "both outlive a SIGKILL of their owner");
    let third = Driver::new(options);
    third.open().await.unwrap().close().await;
    assert!(!is_alive(driver));
    assert_eq!(browsers(&profile), [0; 0]);
    assert!(!profile.exists() && !downloads.exists() && !note.exists() && !directory.exists());
    third.stop().await;
}

/// Not a test of its own: the process that is killed above.
#[tokio::test]
async fn owner_of_a_browser_until_it_is_killed() {
    let Some(state) = env::var_os("RUNNERS_TEST_STATE") else { return };
    let mut options = DriverOptions::default();
    options.state = Some(state.into());
    let driver = Driver::new(options);
    let _session = driver.open().await.unwrap();
    println!("a browser is open");
    std::io::stdout().flush().unwrap();
    // Ends with the pipe if the other process fails first.
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// A driver that nobody manages, and its port. It chooses one for IPv6 and gives up if somebody has
/// the same for IPv4, so it is started until it finds one.
pub(crate) fn started_driver() -> (Child, String) {
    for _ in 0..20 {
        let mut server = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let port = lines
            .find_map(|line| line.ok()?.split_once("successfully on port ").map(|(_, port)| port.to_owned()));
        match port {
            Some(port) => return (server, port.trim_end_matches('.').to_owned()),
            None => assert!(!server.wait().unwrap().success(), "it ended without a word of its port"),
        }
    }
    panic!("twenty drivers found no port")
}

#[tokio::test]
async fn a_driver_at_a_url_is_used_and_left_alone() {
    let state = tempfile::tempdir().unwrap();
    if driver_options(&state).is_none() {
        return;
    }
    let (mut server, port) = started_driver();
    let url = format!("http://127.0.0.1:{port}");
    let arguments = json!({ "args": ["--headless=new", "--no-sandbox"] });
    let driver = Driver::at(url, Map::from_iter([("goog:chromeOptions".to_owned(), arguments)]));
    let page = Site::open().serve("/page", "<button id=b>B</button>");
    let steps = json!([
        { "type": "navigate", "url": page },
        { "type": "click", "selectors": ["aria/B"], "offsetX": 1, "offsetY": 1 },
    ]);
    let flow =
        BrowserFlow::parse(&json!({ "title": "t", "timeout": 30_000, "steps": steps }).to_string()).unwrap();
    let result = FlowExecutor::new(driver.clone()).replay(flow, &(), std::future::pending()).await.unwrap();
    assert_eq!(result.failure(), None);
    driver.stop().await;
    assert_eq!(server.try_wait().unwrap(), None, "it is not ours to end");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[tokio::test]
async fn a_driver_that_cannot_be_reached_is_a_fault_by_what_to_do() {
    let fault = |url: &'static str| async move {
        let driver = Driver::at(url, Map::new());
        FlowExecutor::new(driver).replay(endless(), &(), std::future::pending()).await.unwrap_err()
    };
    let wrong = fault("no address").await;
    assert_eq!((wrong.code.as_str(), wrong.retryable), ("misconfigured", false), "{wrong}");
    let gone = fault("http://127.0.0.1:1").await;
    assert_eq!((gone.code.as_str(), gone.retryable), ("browser_not_started", true), "{gone}");
}

#[tokio::test]
async fn a_missing_program_is_named_and_another_runner_may_have_it() {
    let mut options = DriverOptions::default();
    options.browser = Some("/nowhere/chromium".into());
    assert!(matches!(options.check(), Err(OpenError::Missing { .. })));
    let (_never, cancelled) = oneshot::channel::<()>();
    let cancelled = async { drop(cancelled.await) };
    let fault = FlowExecutor::new(Driver::new(options)).replay(endless(), &(), cancelled).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("browser_missing", true));
    assert!(fault.message.contains("/nowhere/chromium"), "{fault}");
}

fn notes(state: &Path) -> Vec<PathBuf> {
    fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The profiles that the notes of a state directory name.
pub(crate) fn profiles(state: &Path) -> Vec<PathBuf> {
    let read =
        |note: PathBuf| serde_json::from_slice::<Value>(&fs::read(note).unwrap()).unwrap()["profiles"].take();
    notes(state)
        .into_iter()
        .flat_map(|note| serde_json::from_value::<Vec<PathBuf>>(read(note)).unwrap())
        .collect()
}

/// The processes that were started on a profile and are not gone.
fn browsers(profile: &Path) -> Vec<u32> {
    let argument = format!("--user-data-dir={}", profile.display());
    let ids =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|part| part == argument.as_bytes()) && is_alive(*id)
    })
    .collect()
}

/// Waits until processes that were killed have ended, which takes them a moment.
pub(crate) fn wait_for_ends(ids: &[u32]) {
    for id in ids {
        let id = Pid::from_raw(i32::try_from(*id).unwrap()).unwrap();
        if let Ok(process) = pidfd_open(id, PidfdFlags::empty()) {
            let within = Timespec { tv_sec: 10, tv_nsec: 0 };
            poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&within)).unwrap();
        }
    }
}

pub(crate) fn is_alive(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

pub(crate) fn kill(id: u32) {
    send(id, Signal::KILL);
}

pub(crate) fn send(id: u32, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    kill_process(id, signal).unwrap();
}
