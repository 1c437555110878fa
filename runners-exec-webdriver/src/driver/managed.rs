//! A driver of our own: started when needed, started again when it died, one for all sessions.

use super::{
    DriverOptions, Opening, locate,
    process::{self, DriverProcess, Started},
    profile::Profile,
    record,
    record::Record,
    sweep::sweep,
    volume,
};
use crate::browser::{
    BrowserError, Call, Endpoint, OpenError, Session,
    webdriver::{WebDriverSession, Wire},
};
use async_trait::async_trait;
use futures::future::join;
use runners_core::Clock;
use serde_json::{Map, Value, json};
use std::{
    env,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};
use tokio::sync::Mutex;

/// Arguments that make a browser quiet and the same everywhere.
const ARGUMENTS: &[&str] = &[
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--window-size=1280,800",
    WITHOUT_SUGGESTIONS,
];

/// Has Chromium draw what its address bar suggests without pages of its own. It would start a process for them
/// beside that of the flow, at its start, which costs as much as the browser itself.
const WITHOUT_SUGGESTIONS: &str = "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup";

/// Draws WebGL by software, which a browser otherwise does only if it is told that this is no risk: the
/// pages are those of the flows.
const WITHOUT_GPU: &[&str] = &["--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"];
/// Uses the graphics card even if the browser does not know it well.
const WITH_GPU: &[&str] = &["--ignore-gpu-blocklist", "--enable-gpu"];

/// Has calls between pages go by the proxy as well, or not at all: by its name of today, and that of older
/// versions.
const PROXIED_CALLS: &[&str] = &[
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
];

/// Behind a proxy that somebody named, browsers still go to link-local addresses by themselves, whatever
/// the proxy would say to that. So there are none for them: not as they are written, not as IPv6.
const WITHOUT_LINK_LOCAL: &str = "MAP 169.254.* ~NOTFOUND,MAP ::ffff:a9fe:* ~NOTFOUND,MAP fe8?:* ~NOTFOUND,\
    MAP fe9?:* ~NOTFOUND,MAP fea?:* ~NOTFOUND,MAP feb?:* ~NOTFOUND";
/// What Chromium may keep of pages for the next time where its profile is in memory, in bytes.
const CACHE_IN_MEMORY: &str = "--disk-cache-size=67108864";
/// The argument that says so. Of several, browsers look at the last.
const HOST_RULES: &str = "--host-resolver-rules=";

/// The driver process, if there is one now.
#[derive(Debug)]
pub(super) struct Managed {
    options: DriverOptions,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    process: DriverProcess,
    record: Arc<Record>,
    wire: Wire,
}

impl Managed {
    pub(super) fn new(options: DriverOptions) -> Self {
        Self { options, running: Mutex::new(None) }
    }

    pub(super) async fn open(&self, opening: &Opening) -> Result<Box<dyn Session>, OpenError> {
        let Opening { clock, manners, .. } = opening;
        let browser = locate::browser(self.options.browser.as_deref())?;
        let (wire, record) = self.running(&**clock).await?;
        let driver = locate::driver(self.options.driver.as_deref())?;
        let is_seen = || !is_container() && [&browser, &driver].into_iter().all(|it| volume::is_seen_by(it));
        let in_memory = volume::in_memory().filter(|_| is_seen());
        let profile = Profile::new(in_memory, record)
            .map_err(|error| OpenError::NotStarted { message: format!("no profile directory: {error}") })?;
        // Without this a browser starts with its new-tab page, which loads while the flow begins.
        let startup = json!({ "restore_on_startup": 4, "startup_urls": ["about:blank"] });
        let options = json!({
            "binary": browser,
            "args": self.arguments(&profile, opening),
            "prefs": { "session": startup, "download": { "default_directory": profile.downloads() } },
        });
        let capabilities = Map::from_iter([("goog:chromeOptions".to_owned(), options)]);
        let session = WebDriverSession::open(wire, capabilities, *manners, clock).await.map_err(hinted)?;
        Ok(Box::new(ManagedSession { session, profile, clock: Arc::clone(clock) }))
    }

    /// The arguments that a host gives its browsers.
    pub(super) fn arguments_given(&self) -> &[String] {
        &self.options.arguments
    }

    pub(super) async fn stop(&self) {
        if let Some(running) = self.running.lock().await.take() {
            running.process.stop().await;
        }
    }

    pub(super) async fn process_id(&self) -> Option<u32> {
        let mut slot = self.running.lock().await;
        let process = &mut slot.as_mut()?.process;
        process.is_running().then(|| process.id())
    }

    /// The way to the driver, which all its sessions share; starts one if none is running.
    async fn running(&self, clock: &dyn Clock) -> Result<(Wire, Arc<Record>), OpenError> {
        let mut slot = self.running.lock().await;
        if let Some(running) = slot.as_mut() {
            if running.process.is_running() {
                return Ok((running.wire.clone(), Arc::clone(&running.record)));
            }
            let (what, log) = (running.process.what(), running.process.log());
            tracing::warn!(what, log, "a driver ended by itself; starting another");
            *slot = None;
        }
        let program = locate::driver(self.options.driver.as_deref())?;
        let state = record::directory(self.options.state.as_deref())?;
        sweep(&state);
        let prepare = || process::chromedriver(&program);
        let Started { process, record, .. } = DriverProcess::start(&prepare, &state, clock).await?;
        let wire = Wire::local(process.port())?;
        let running = slot.insert(Running { process, record, wire });
        Ok((running.wire.clone(), Arc::clone(&running.record)))
    }

    fn arguments(&self, profile: &Profile, opening: &Opening) -> Vec<String> {
        let graphics = if self.options.gpu { WITH_GPU } else { WITHOUT_GPU };
        let mut arguments: Vec<String> = ARGUMENTS.iter().chain(graphics).map(ToString::to_string).collect();
        if self.options.headless {
            arguments.push("--headless=new".to_owned());
        }
        if is_root() || is_container() {
            arguments.push("--no-sandbox".to_owned());
        }
        if is_container() {
            // A container's /dev/shm is too small for a browser.
            arguments.push("--disable-dev-shm-usage".to_owned());
        }
        if let Some(port) = opening.gate {
            arguments.extend(through((Ipv4Addr::LOCALHOST, port).into()));
        }
        arguments.push(profile.argument());
        if profile.is_in_memory() {
            arguments.push(CACHE_IN_MEMORY.to_owned());
        }
        arguments.extend(self.options.arguments.iter().cloned());
        if !opening.link_local {
            close_link_local(&mut arguments);
        }
        arguments
    }
}

/// The arguments that have Chromium connect by a gate.
pub(super) fn through(gate: SocketAddr) -> impl Iterator<Item = String> {
    // Also what is on its own machine, which browsers do not send through a proxy by themselves.
    let proxy = [format!("--proxy-server=socks5://{gate}"), "--proxy-bypass-list=<-loopback>".to_owned()];
    proxy.into_iter().chain(PROXIED_CALLS.iter().map(ToString::to_string))
}

/// Has a browser find no link-local address, beside the rules for hosts that it was given.
fn close_link_local(arguments: &mut Vec<String>) {
    let given = arguments.iter().rev().find_map(|argument| argument.strip_prefix(HOST_RULES));
    let rules = given.map_or_else(String::new, |given| format!(",{given}"));
    arguments.push(format!("{HOST_RULES}{WITHOUT_LINK_LOCAL}{rules}"));
}

/// A session of a driver of ours; the browser ends with it.
#[derive(Debug)]
struct ManagedSession {
    // The session goes first: what it still has to say, it says to a browser that is there.
    session: WebDriverSession,
    profile: Profile,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Session for ManagedSession {
    fn capabilities(&self) -> &Map<String, Value> {
        self.session.capabilities()
    }

    async fn call(&self, call: Call) -> Result<Value, BrowserError> {
        self.session.call(call).await
    }

    async fn close(&self) {
        // ChromeDriver would have the browser put a profile in order that is removed a moment later.
        if self.profile.kill() {
            // It learns of that by itself.
            join(self.session.close_in_time(), self.profile.end(true, &*self.clock)).await;
        } else {
            let closed = self.session.close_in_time().await;
            self.profile.end(closed, &*self.clock).await;
        }
    }

    fn endpoint(&self) -> Option<Endpoint> {
        self.session.endpoint()
    }
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

fn is_container() -> bool {
    let files = ["/.dockerenv", "/run/.containerenv"];
    let variables = ["container", "KUBERNETES_SERVICE_HOST"];
    files.iter().any(|file| Path::new(file).exists())
        || variables.iter().any(|name| env::var_os(name).is_some())
}

/// Adds what most often is behind a browser that exits as soon as it starts.
fn hinted(error: OpenError) -> OpenError {
    match error {
        OpenError::NotStarted { message } if message.contains("exited") => OpenError::NotStarted {
            message: format!(
                "{message} (if it cannot make its sandbox here, run as a user who may have one, or, for \
                 flows that are trusted, add --no-sandbox to the arguments)"
            ),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_for_hosts_that_were_given_stay_behind_those_that_close_link_local_addresses() {
        let mut arguments = vec!["--headless=new".to_owned(), format!("{HOST_RULES}MAP a.example 10.0.0.1")];
        close_link_local(&mut arguments);
        let last = arguments.last().unwrap();
        assert_eq!(*last, format!("{HOST_RULES}{WITHOUT_LINK_LOCAL},MAP a.example 10.0.0.1"));
        let mut arguments = Vec::new();
        close_link_local(&mut arguments);
        assert_eq!(arguments, [format!("{HOST_RULES}{WITHOUT_LINK_LOCAL}")]);
    }
}
