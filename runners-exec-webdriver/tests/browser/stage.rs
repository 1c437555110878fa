//! What a test needs: a browser session, pages on a loopback server, and a look at what a page
//! saw.

use async_trait::async_trait;
use runners_core::{Egress, Fault, Verdict};
use runners_exec_webdriver::{
    Browser as _, BrowserError, BrowserFlow, Call, Capture, Driver, DriverOptions, Engine, Evidence,
    FlowObserver, FlowResult, Method, Mode, Replay, ReplayOptions, Session, SideChannel, Step, StepResult,
};
use serde_json::{Map, Value, json};
use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// The time limit of steps that are to pass, on a machine that is as busy as it may be.
pub(crate) const LIMIT_MILLIS: u64 = 15_000;
/// The time limit of steps that are to fail by it.
pub(crate) const SHORT_MILLIS: u64 = 1_500;
/// How often steps are replayed that are to fail by what the page shows, if it did not answer in time.
pub(crate) const REPLAYS_MAX: usize = 5;

pub(crate) struct Stage {
    pub(crate) driver: Driver,
    pub(crate) session: Box<dyn Session>,
    pub(crate) site: Site,
    pub(crate) options: ReplayOptions,
    _state: TempDir,
}

impl Stage {
    /// Opens a session, or says loudly why the test is skipped.
    pub(crate) async fn open() -> Option<Self> {
        Self::open_in(Engine::Chromium).await
    }

    /// Opens a session in a browser of this engine, or says loudly why the test is skipped.
    pub(crate) async fn open_in(engine: Engine) -> Option<Self> {
        Self::open_held_to(engine, Egress::browsing()).await
    }

    /// As [`open_in`](Self::open_in), in a browser that goes only where it may.
    pub(crate) async fn open_held_to(engine: Engine, egress: impl Into<Option<Egress>>) -> Option<Self> {
        let state = tempfile::tempdir().unwrap();
        let driver = Driver::new(engine_options(engine, &state)?).with_egress(egress);
        let session = driver.open().await.unwrap();
        let site = Site::open();
        // Most tests are about something else.
        let mut options = ReplayOptions::default();
        options.capture = Capture::NOTHING;
        Some(Self { driver, session, site, options, _state: state })
    }

    /// Serves a page whose elements write what they see to `window.log`.
    pub(crate) fn page(&self, body: &str) -> String {
        self.site.serve("/page", body)
    }

    pub(crate) async fn replay(&self, steps: Value) -> Result<(FlowResult, Vec<Evidence>), Fault> {
        self.replay_flow(flow(steps)).await
    }

    pub(crate) async fn replay_flow(&self, flow: BrowserFlow) -> Result<(FlowResult, Vec<Evidence>), Fault> {
        let (watcher, mut kept) = Watcher::new();
        let replay = Replay::new(flow, self.options);
        let result = replay.run(&*self.session, &watcher, std::future::pending()).await?;
        drop(watcher);
        let mut evidence = Vec::new();
        while let Some(seen) = kept.recv().await {
            if let Seen::Evidence(one) = seen {
                evidence.push(one);
            }
        }
        Ok((result, evidence))
    }

    /// Replays steps that must pass.
    pub(crate) async fn passes(&self, steps: Value) -> FlowResult {
        let (result, _) = self.replay(steps).await.unwrap();
        assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
        result
    }

    /// Replays steps that must pass in `strict` mode.
    pub(crate) async fn passes_strictly(&self, steps: Value) -> FlowResult {
        let (result, _) = self.replay_flow(flow(steps).with_mode(Mode::Strict)).await.unwrap();
        assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
        result
    }

    /// Replays steps of which one must fail, and answers why.
    pub(crate) async fn fails(&self, steps: Value) -> String {
        failure(&self.failing(flow(steps)).await.0)
    }

    /// Replays steps of which one must fail in `strict` mode, and answers why.
    pub(crate) async fn fails_strictly(&self, steps: Value) -> String {
        failure(&self.failing(flow(steps).with_mode(Mode::Strict)).await.0)
    }

    /// Replays a flow that must fail by what its page shows.
    ///
    /// Steps that are to fail have a short limit. On a busy machine the page may not be looked at even once
    /// within it; then there is nothing to say of it but that, and the flow is replayed again.
    pub(crate) async fn failing(&self, flow: BrowserFlow) -> (FlowResult, Vec<Evidence>) {
        for _ in 1..REPLAYS_MAX {
            let (result, evidence) = self.replay_flow(flow.clone()).await.unwrap();
            if !failure(&result).contains("the page did not answer") {
                return (result, evidence);
            }
        }
        self.replay_flow(flow).await.unwrap()
    }

    /// Goes to a page with this body, does one step there and answers what the page logged.
    pub(crate) async fn logged(&self, body: &str, step: Value) -> Value {
        let url = self.page(body);
        self.passes(json!([{ "type": "navigate", "url": url }, step])).await;
        self.js("return window.log").await
    }

    /// Runs a script in the page.
    pub(crate) async fn js(&self, script: &str) -> Value {
        let body = json!({ "script": script, "args": [] });
        self.session.call(Call::new(Method::Post, "execute/sync", body)).await.unwrap()
    }

    /// Its parts, for who uses the session otherwise: driver, session, site, options and state directory.
    pub(crate) fn into_parts(self) -> (Driver, Box<dyn Session>, Site, ReplayOptions, TempDir) {
        (self.driver, self.session, self.site, self.options, self._state)
    }

    pub(crate) async fn close(self) {
        self.session.close().await;
        self.driver.stop().await;
    }
}

/// A flow of these steps, whose limits suit a busy machine.
pub(crate) fn flow(steps: Value) -> BrowserFlow {
    let document = json!({ "title": "a test", "timeout": LIMIT_MILLIS, "steps": steps });
    BrowserFlow::parse(&document.to_string()).unwrap()
}

fn failure(result: &FlowResult) -> String {
    assert_eq!(result.verdict, Verdict::Failed, "{result:?}");
    result.failure().unwrap().reason.clone().unwrap()
}

/// Options with a state directory of the test's own.
pub(crate) fn driver_options(state: &TempDir) -> Option<DriverOptions> {
    engine_options(Engine::Chromium, state)
}

/// Options for an engine, with a state directory of the test's own.
pub(crate) fn engine_options(engine: Engine, state: &TempDir) -> Option<DriverOptions> {
    let mut options = DriverOptions::of(engine);
    if let Err(error) = options.check() {
        println!("skipped: {error}");
        eprintln!("skipped: {error}");
        return None;
    }
    options.state = Some(state.path().to_path_buf());
    Some(options)
}

/// What a watcher has seen.
#[derive(Debug)]
pub(crate) enum Seen {
    Started(usize),
    Ended,
    Evidence(Evidence),
}

/// Hands on what a replay says.
pub(crate) struct Watcher(mpsc::UnboundedSender<Seen>);

impl Watcher {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Seen>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }
}

#[async_trait]
impl FlowObserver for Watcher {
    fn step_started(&self, index: usize, _: usize, _: &Step) {
        let _ = self.0.send(Seen::Started(index));
    }
    fn step_ended(&self, _: &StepResult) {
        let _ = self.0.send(Seen::Ended);
    }
    async fn evidence(&self, evidence: Evidence) {
        let _ = self.0.send(Seen::Evidence(evidence));
    }
}

/// How many commands a flow sends after its last step: it looks for a dialog that is left open.
pub(crate) const AT_THE_END: usize = 1;

/// Counts the commands that are sent.
#[derive(Debug)]
pub(crate) struct Counted<'s> {
    pub(crate) session: &'s dyn Session,
    pub(crate) calls: Arc<AtomicUsize>,
}

#[async_trait]
impl Session for Counted<'_> {
    fn capabilities(&self) -> &Map<String, Value> {
        self.session.capabilities()
    }
    async fn call(&self, call: Call) -> Result<Value, BrowserError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.session.call(call).await
    }
    async fn close(&self) {
        self.session.close().await;
    }
}

/// A session whose browser is reached by its driver alone.
#[derive(Debug)]
pub(crate) struct ByDriver<'s>(pub(crate) &'s dyn Session);

#[async_trait]
impl Session for ByDriver<'_> {
    fn capabilities(&self) -> &Map<String, Value> {
        self.0.capabilities()
    }
    async fn call(&self, call: Call) -> Result<Value, BrowserError> {
        self.0.call(call).await
    }
    async fn close(&self) {
        self.0.close().await;
    }
    fn devtools(&self) -> Option<SideChannel> {
        None
    }
}

/// A loopback server of pages. A path that ends in `/silent` is never answered, one that ends in `/held` once `/release`
/// was asked for, one that ends in
/// `/redirect` leads to itself, `/away?URL` leads there, one that ends in `/broken` is no UTF-8, one that ends in `/download` is a
/// file to be saved, `/background.js` is an empty script, and the pages of one that ends in `/strict` may
/// not run scripts.
pub(crate) struct Site {
    pub(crate) origin: String,
    pages: Arc<Pages>,
}

#[derive(Default)]
struct Pages {
    bodies: Mutex<HashMap<String, String>>,
    is_released: Mutex<bool>,
    released: Condvar,
}

impl Site {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let pages = Arc::<Pages>::default();
        let served = Arc::clone(&pages);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = Arc::clone(&served);
                thread::spawn(move || answer(stream, &served));
            }
        });
        Self { origin, pages }
    }

    /// Serves a body, with the script that logs events before it; answers its address.
    pub(crate) fn serve(&self, path: &str, body: &str) -> String {
        let page = format!("<!doctype html><title>Test page</title>{LOG}<body>{body}");
        self.pages.bodies.lock().unwrap().insert(path.to_owned(), page);
        format!("{}{path}", self.origin)
    }
}

/// `log(element, …types)` writes the events of an element to `window.log`.
const LOG: &str = "<script>
window.log = [];
window.logEvents = (target, show, ...types) => {
  for (const type of types) target.addEventListener(type, event => window.log.push(show(event)));
};
</script><style>body { margin: 0 }</style>";

fn answer(mut stream: TcpStream, pages: &Pages) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line);
    }
    let asked = lines[0].split(' ').nth(1).unwrap_or("/");
    if let Some(to) = asked.strip_prefix("/away?") {
        let _ = write!(stream, "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let path = asked.split('?').next().unwrap_or("/").to_owned();
    if path.ends_with("/silent") {
        // Held open until the other end gives up.
        let _ = reader.read_line(&mut String::new());
        return;
    }
    if path.ends_with("/release") {
        *pages.is_released.lock().unwrap() = true;
        pages.released.notify_all();
    }
    if path.ends_with("/held") {
        let is_released = pages.is_released.lock().unwrap();
        drop(pages.released.wait_while(is_released, |is_released| !*is_released).unwrap());
    }
    if path.ends_with("/redirect") {
        let _ = write!(stream, "HTTP/1.1 302 Found\r\nLocation: /redirect\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    if path.ends_with("/background.js") {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nConnection: close";
        let _ = write!(stream, "{head}\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    if path.ends_with("/download") {
        let head =
            "Content-Type: application/zip\r\nContent-Disposition: attachment; filename=\"runners.zip\"";
        let _ =
            write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfile");
        return;
    }
    if path.ends_with("/broken") {
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n\r\n";
        let _ = stream.write_all(&[&head[..], b"<h1>a\xFFb</h1>"].concat());
        return;
    }
    let page = pages.bodies.lock().unwrap().get(&path).cloned();
    let (state, body) = page.map_or(("404 Not Found", String::new()), |page| ("200 OK", page));
    let length = body.len();
    let policy =
        if path.ends_with("/strict") { "Content-Security-Policy: default-src 'none'\r\n" } else { "" };
    let head = format!("{policy}Content-Type: text/html; charset=utf-8\r\nConnection: close");
    let _ = write!(stream, "HTTP/1.1 {state}\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}");
}
