//! Where browsers come from: drivers and browsers that this process starts and owns, or a WebDriver
//! that somebody else runs at a URL.

mod firefox;
mod gate;
mod guard;
mod identity;
mod locate;
mod managed;
mod process;
mod profile;
mod record;
mod remote;
mod solo;
mod sweep;
mod volume;
mod webkit;

pub(crate) use guard::check_page;

use crate::{
    browser::{Browser, OpenError, Session, webdriver::Manners},
    engine::Engine,
    lent::LentSession,
    within::within,
};
use async_trait::async_trait;
use gate::Gate;
use guard::GuardedSession;
use managed::Managed;
use remote::Remote;
use runners_core::{Clock, Egress, SystemClock};
use serde_json::{Map, Value};
use solo::Solo;
use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

/// How long opening a session may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);

/// Opens browser sessions. Clones share it.
///
/// A ChromeDriver of our own is started with the first session, serves any number of them, and is
/// started again if it died. Firefox and WebKit have a process for each session. They end with
/// [`stop`](Self::stop) or when the last clone is dropped; sessions that are open then are lost. It
/// needs a Tokio runtime with I/O and time.
///
/// What a Chromium of our own keeps is thrown away with its session. On Linux it is in memory meanwhile, at
/// `/dev/shm`, if 2 GiB are free there; on the disk for temporary files otherwise, in a container, where the
/// variable `TMPDIR` is set, and for browsers of Snap and Flatpak. Downloads are always on the disk.
///
/// Its browsers go only where an [`Egress`] lets them: [`Egress::browsing`] unless
/// [said otherwise](Self::with_egress), which is the networks of this machine and public ones, and never
/// what is link-local or a cloud's metadata.
#[derive(Clone, Debug)]
pub struct Driver {
    source: Source,
    clock: Arc<dyn Clock>,
    egress: Option<Arc<Egress>>,
}

/// How one session is opened.
#[derive(Clone, Debug)]
struct Opening {
    clock: Arc<dyn Clock>,
    manners: Manners,
    /// The port of this machine through which the browser is to connect.
    gate: Option<u16>,
    /// Whether the browser may go to link-local addresses by itself.
    link_local: bool,
}

/// How browsers of this machine are started.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DriverOptions {
    /// Which engine they have. Chromium by default.
    pub engine: Engine,
    /// The driver to start, ChromeDriver or WPEWebDriver; looked for on the `PATH` and in the usual
    /// places if absent. Firefox needs none.
    pub driver: Option<PathBuf>,
    /// The browser to start; looked for on the `PATH` and in the usual places if absent.
    pub browser: Option<PathBuf>,
    /// Whether browsers have no window. Yes by default.
    pub headless: bool,
    /// Whether Chromium may use the graphics card. Without it, which is the default, WebGL is drawn by
    /// software: the same everywhere, and slow.
    pub gpu: bool,
    /// More arguments for the browser, except those that name its profile, which is each session's own.
    /// `--no-sandbox` is added for root and in a container only, where Chromium cannot make its
    /// sandbox.
    pub arguments: Vec<String>,
    /// Where a note of what was started is kept, so that the next start can end what outlived a
    /// killed process. A directory of the user's own by default.
    pub state: Option<PathBuf>,
}

impl Default for DriverOptions {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            driver: None,
            browser: None,
            headless: true,
            gpu: false,
            arguments: Vec::new(),
            state: None,
        }
    }
}

impl DriverOptions {
    /// The usual options, for an engine.
    #[must_use]
    pub fn of(engine: Engine) -> Self {
        Self { engine, ..Self::default() }
    }

    /// Says whether all programs are there that the engine needs, without starting any.
    ///
    /// # Errors
    /// [`OpenError::Missing`] names what to install.
    pub fn check(&self) -> Result<(), OpenError> {
        match self.engine {
            Engine::Chromium => {
                locate::driver(self.driver.as_deref())?;
                locate::browser(self.browser.as_deref()).map(drop)
            }
            Engine::Firefox => firefox::Program::find(self).map(drop),
            Engine::Webkit => webkit::Program::find(self).map(drop),
        }
    }

    /// Name and version of the browser, as it says itself, for a runner's facts. `None` when there is
    /// none, or it does not say so within [`VERSION_WITHIN`](Self::VERSION_WITHIN). It needs a Tokio
    /// runtime with I/O and time.
    ///
    /// # Cancel safety
    /// Dropping the future ends the program that was asked.
    pub async fn browser_version(&self) -> Option<(String, String)> {
        let given = self.browser.as_deref();
        let program = match self.engine {
            Engine::Chromium => locate::browser(given),
            Engine::Firefox => locate::firefox(given),
            Engine::Webkit => locate::webkit(given),
        };
        let program = program.ok()?;
        let mut command = tokio::process::Command::new(program);
        command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let said = within(&SystemClock::default(), Self::VERSION_WITHIN, command.output()).await?.ok()?;
        name_and_version(&String::from_utf8_lossy(&said.stdout))
    }

    /// How long a browser may take to say which it is.
    pub const VERSION_WITHIN: Duration = Duration::from_secs(20);
}

/// What a browser calls itself and its version. WPE WebKit stands behind the name of the browser that
/// shows it, as in `0.16.1 (WPE WebKit 2.38.6)`.
fn name_and_version(said: &str) -> Option<(String, String)> {
    let said = match said.split_once('(') {
        Some((_, engine)) if engine.contains("WebKit ") => engine.split(')').next()?,
        _ => said,
    };
    words_and_version(said)
}

/// What is before the first word that begins with a digit, and that word.
fn words_and_version(said: &str) -> Option<(String, String)> {
    let is_version = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
    let name: Vec<&str> = said.split_whitespace().take_while(|word| !is_version(word)).collect();
    let version = said.split_whitespace().find(is_version)?;
    (!name.is_empty()).then(|| (name.join(" ").to_lowercase(), version.to_owned()))
}

impl Driver {
    /// Browsers of this machine, started when they are first needed.
    #[must_use]
    pub fn new(options: DriverOptions) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let source = match options.engine {
            Engine::Chromium => Source::Managed(Arc::new(Managed::new(options))),
            engine => Source::Solo(engine, Arc::new(Solo::new(options))),
        };
        Self { source, clock, egress: Some(Arc::new(Egress::browsing())) }
    }

    /// A WebDriver that runs already, such as a Selenium Grid: at an `http` URL, or an `https` URL with
    /// the feature `tls`. Its sessions are opened with the given capabilities; nothing of it is started
    /// or killed. User and password in the URL are sent as basic authentication, and told nowhere.
    #[must_use]
    pub fn at(url: impl Into<String>, capabilities: Map<String, Value>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let source = Source::Given(Box::new(Remote::new(&url.into(), capabilities)));
        Self { source, clock, egress: Some(Arc::new(Egress::browsing())) }
    }

    /// Lets browsers go where this says, or everywhere and to every scheme if `None`.
    ///
    /// Pages that a browser is sent to are checked before. What a browser of this machine then connects
    /// to, for a page, a redirect, a part of a page or a socket, it connects to through this process,
    /// which looks the name up once and checks the address that it uses. Where the environment or the
    /// arguments of the browser name a proxy, and at a WebDriver that runs elsewhere, unless it [connects by
    /// this process](Self::with_gate_at), only the pages that a browser is sent to are checked: what they lead
    /// to is the proxy's, or that machine's, to decide. Chromium, which goes to link-local addresses past a
    /// proxy, then finds none unless all are allowed.
    #[must_use]
    pub fn with_egress(mut self, egress: impl Into<Option<Egress>>) -> Self {
        self.egress = egress.into().map(Arc::new);
        self
    }

    /// Has Chromium at a driver [at](Self::at) a URL connect by this process as well, at an address of this
    /// machine that it reaches: such as that of the network of the container that it runs in. What it connects
    /// to is then checked as that of a browser of this machine. A driver of our own has no use for it.
    #[must_use]
    pub fn with_gate_at(mut self, address: IpAddr) -> Self {
        if let Source::Given(remote) = &mut self.source {
            remote.connect_by(address);
        }
        self
    }

    /// Sends one more header with every request to a driver [at](Self::at) a URL, such as
    /// `Authorization: Bearer …`. Its value is told nowhere. A driver of our own has no use for it.
    ///
    /// # Errors
    /// [`OpenError::Misconfigured`] for what is no header.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, OpenError> {
        if let Source::Given(remote) = &mut self.source {
            remote.add_header(name, value)?;
        }
        Ok(self)
    }

    /// Takes the time from another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Opens a session for another client of WebDriver, which finds what WebDriver does by itself: it waits
    /// for pages to load. The browser is as owned as every other.
    ///
    /// # Errors
    /// [`OpenError`], also for Firefox, which has no driver.
    ///
    /// # Cancel safety
    /// A dropped future leaves no session.
    pub async fn lend(&self) -> Result<LentSession, OpenError> {
        let session = self.open_with(Manners::Usual).await?;
        LentSession::new(session.into(), Arc::clone(&self.clock))
    }

    /// Ends what was started and all its browsers; the next session starts anew. A driver at a URL is
    /// left alone, once sessions that were dropped are closed there.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the driver running or killed.
    pub async fn stop(&self) {
        match &self.source {
            Source::Managed(managed) => managed.stop().await,
            Source::Solo(_, solo) => solo.stop(),
            Source::Given(remote) => remote.settle().await,
        }
    }

    /// The process id of a ChromeDriver of our own, if it is running.
    pub async fn process_id(&self) -> Option<u32> {
        match &self.source {
            Source::Managed(managed) => managed.process_id().await,
            Source::Solo(..) | Source::Given(_) => None,
        }
    }
}

impl Driver {
    async fn open_with(&self, manners: Manners) -> Result<Box<dyn Session>, OpenError> {
        let opened = within(&*self.clock, OPEN_TIMEOUT, async {
            let gate = self.gate().await?;
            let port = gate.as_ref().map(Gate::port);
            let link_local = port.is_some() || self.egress.as_deref().is_none_or(guard::permits_link_local);
            let opening = Opening { clock: Arc::clone(&self.clock), manners, gate: port, link_local };
            let session = match &self.source {
                Source::Managed(managed) => managed.open(&opening).await?,
                Source::Solo(_, solo) => solo.open(&opening).await?,
                Source::Given(remote) => remote.open(&opening).await?,
            };
            Ok(match &self.egress {
                Some(egress) => Box::new(GuardedSession::new(session, Arc::clone(egress), gate)),
                None => session,
            })
        });
        opened.await.unwrap_or_else(|| {
            let message = format!("no session was opened within {} s", OPEN_TIMEOUT.as_secs());
            Err(OpenError::NotStarted { message })
        })
    }

    /// The way out for one browser, unless it goes by somebody's proxy or has its own.
    async fn gate(&self) -> Result<Option<Gate>, OpenError> {
        let own = IpAddr::from(Ipv4Addr::LOCALHOST);
        let (has_proxy, address) = match &self.source {
            Source::Managed(managed) => (guard::has_proxy(managed.arguments_given()), own),
            Source::Solo(_, solo) => (guard::has_proxy(solo.arguments_given()), own),
            Source::Given(remote) => match remote.gate_at() {
                // The environment of this process is not that of the browser.
                Some(address) => (false, address),
                None => return Ok(None),
            },
        };
        let Some(egress) = self.egress.as_ref().filter(|_| !has_proxy) else { return Ok(None) };
        let opened = Gate::open(Arc::clone(egress), Arc::clone(&self.clock), address).await;
        let failed = |error| OpenError::NotStarted { message: format!("no way out for a browser: {error}") };
        opened.map(Some).map_err(failed)
    }
}

#[async_trait]
impl Browser for Driver {
    async fn open(&self) -> Result<Box<dyn Session>, OpenError> {
        self.open_with(Manners::Ours).await
    }

    fn egress(&self) -> Option<Arc<Egress>> {
        self.egress.clone()
    }

    fn engine(&self) -> Option<Engine> {
        match &self.source {
            Source::Managed(_) => Some(Engine::Chromium),
            Source::Solo(engine, _) => Some(*engine),
            Source::Given(_) => None,
        }
    }
}

#[derive(Clone, Debug)]
enum Source {
    Managed(Arc<Managed>),
    Solo(Engine, Arc<Solo>),
    Given(Box<Remote>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_told_from_its_version() {
        let said = |text| name_and_version(text).unwrap();
        let chromium = ("chromium".to_owned(), "131.0.6778.139".to_owned());
        assert_eq!(said("Chromium 131.0.6778.139 built on Debian GNU/Linux 12\n"), chromium);
        assert_eq!(said("Google Chrome 131.0.1 ").0, "google chrome");
        assert_eq!(said("0.16.1 (WPE WebKit 2.38.6)\n"), ("wpe webkit".to_owned(), "2.38.6".to_owned()));
        assert_eq!(name_and_version("no version"), None);
        assert_eq!(name_and_version("131.0"), None);
    }
}
