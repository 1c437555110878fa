//! The process that serves sessions, a driver or a browser: started in a group of its own, asked until
//! it is ready, killed with its group.

use super::{
    identity::kill_group,
    profile::Profile,
    record::{DIRECTORY_PREFIX, Record},
};
use crate::{browser::OpenError, within::within};
use runners_core::{Clock, sleep};
use std::{
    fs, io,
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
    path::Path,
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
};

/// How long a driver may take until it is ready.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How often it is started when its port was taken, and what it then says.
const STARTS_MAX: u32 = 5;
const PORT_TAKEN: &str = "ddress already in use";
const START_POLL: Duration = Duration::from_millis(5);
/// How long one question for its readiness may take.
const READY_TIMEOUT: Duration = Duration::from_secs(2);
/// The most bytes read of the answer.
const ANSWER_BYTES_MAX: u64 = 4096;
/// The most bytes of its log in an error.
const LOG_BYTES_MAX: usize = 1000;
/// Its log, in its directory.
const LOG: &str = "log";
/// The longest name of a directory in which browsers make their sockets: Linux knows none by more than 107 bytes,
/// and Chromium adds 45 of its own.
const TEMPORARY_BYTES_MAX: usize = 60;

/// What is started, and how it is known to be ready.
#[derive(Debug)]
pub(super) struct Launch {
    /// What it is, for people.
    pub(super) what: &'static str,
    pub(super) command: std::process::Command,
    pub(super) listening: Listening,
    /// The profile that it is itself on, if it is a browser.
    pub(super) profile: Option<TempDir>,
}

/// Where a process listens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Listening {
    /// At the port that its log says, as soon as it says so.
    Said(fn(&str) -> Option<u16>),
    /// At this port, and `/status` tells when it is ready.
    At(u16),
}

/// A driver that is running, or was. Dropping it kills it.
#[derive(Debug)]
pub(super) struct DriverProcess {
    child: Child,
    what: &'static str,
    listening: Listening,
    id: u32,
    port: u16,
    /// Where its log is, and what it and its browsers put away for a moment. A browser that is killed leaves
    /// that.
    directory: TempDir,
}

/// A process that was started, and what was noted of it. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Started {
    // The process goes first: a directory is removed once nobody writes to it.
    pub(super) process: DriverProcess,
    pub(super) profile: Option<Profile>,
    pub(super) record: Arc<Record>,
}

impl DriverProcess {
    /// Starts what is prepared and waits until it takes sessions. One that finds its port taken ends,
    /// and is prepared and started again: ChromeDriver chooses a port for IPv6 and then needs the same
    /// for IPv4, and a port that was chosen for others may be gone.
    ///
    /// It is noted in `state` before it is ready, so that it is ended if this process is killed meanwhile.
    pub(super) async fn start(
        prepare: &(dyn Fn() -> io::Result<Launch> + Sync),
        state: &Path,
        clock: &dyn Clock,
    ) -> Result<Started, OpenError> {
        for _ in 1..STARTS_MAX {
            match Self::start_once(prepare, state, clock).await {
                Err(OpenError::NotStarted { message }) if message.contains(PORT_TAKEN) => {
                    tracing::debug!(message, "a driver is started again");
                }
                started => return started,
            }
        }
        Self::start_once(prepare, state, clock).await
    }

    async fn start_once(
        prepare: &(dyn Fn() -> io::Result<Launch> + Sync),
        state: &Path,
        clock: &dyn Clock,
    ) -> Result<Started, OpenError> {
        let mut launch = prepare().map_err(|error| not_started(&format!("nothing was started: {error}")))?;
        let (what, profile) = (launch.what, launch.profile.take());
        let process =
            spawn(launch).map_err(|error| not_started(&format!("{what} cannot be started: {error}")))?;
        let record = Arc::new(Record::new(state, process.id(), process.directory.path()));
        let profile = profile.map(|directory| Profile::noted(directory.keep(), Arc::clone(&record)));
        let mut started = Started { process, profile, record };
        let process = &mut started.process;
        match within(clock, START_TIMEOUT, process.ready(clock)).await {
            Some(Ok(())) => Ok(started),
            Some(Err(error)) => Err(not_started(&format!("{what} ended: {error}; {}", process.log()))),
            None => {
                let limit = START_TIMEOUT.as_secs();
                Err(not_started(&format!("{what} was not ready within {limit} s; {}", process.log())))
            }
        }
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) const fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills it with its group and waits until it is gone.
    pub(super) async fn stop(mut self) {
        if self.is_running() {
            kill_group(self.id);
        }
        let _ = self.child.kill().await;
    }

    /// What it is, for people.
    pub(super) const fn what(&self) -> &'static str {
        self.what
    }

    /// The last of what it wrote, in one line.
    pub(super) fn log(&self) -> String {
        let text = self.written().unwrap_or_default();
        let text = String::from_utf8_lossy(&text[text.len().saturating_sub(LOG_BYTES_MAX)..]).into_owned();
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() { "it wrote nothing".to_owned() } else { format!("it wrote: {line}") }
    }

    async fn ready(&mut self, clock: &dyn Clock) -> io::Result<()> {
        loop {
            if let Some(exit) = self.child.try_wait()? {
                return Err(io::Error::other(exit.to_string()));
            }
            let (port, asks) = match self.listening {
                Listening::Said(port) => (self.said(port)?, false),
                Listening::At(port) => (Some(port), true),
            };
            if let Some(port) = port {
                self.port = port;
                if !asks {
                    return Ok(());
                }
                if within(clock, READY_TIMEOUT, is_ready(port))
                    .await
                    .is_some_and(|ready| ready.unwrap_or(false))
                {
                    return Ok(());
                }
            }
            sleep(clock, START_POLL).await;
        }
    }

    fn said(&self, port: fn(&str) -> Option<u16>) -> io::Result<Option<u16>> {
        Ok(port(&String::from_utf8_lossy(&self.written()?)))
    }

    fn written(&self) -> io::Result<Vec<u8>> {
        fs::read(self.directory.path().join(LOG))
    }
}

impl Drop for DriverProcess {
    fn drop(&mut self) {
        if self.is_running() {
            kill_group(self.id);
        }
    }
}

fn spawn(launch: Launch) -> io::Result<DriverProcess> {
    let Launch { what, mut command, listening, .. } = launch;
    let directory = tempfile::Builder::new().prefix(DIRECTORY_PREFIX).tempdir()?;
    let log = fs::File::create(directory.path().join(LOG))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let is_told = command.get_envs().any(|(name, _)| name == "TMPDIR");
    if cfg!(target_os = "linux") && !is_told && directory.path().as_os_str().len() <= TEMPORARY_BYTES_MAX {
        command.env("TMPDIR", directory.path());
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = Command::from(command).kill_on_drop(true).spawn()?;
    let id = child.id().ok_or_else(|| io::Error::other("it was gone at once"))?;
    Ok(DriverProcess { child, what, listening, id, port: 0, directory })
}

/// The ChromeDriver of a machine, at a port that it chooses. Where there is no IPv6, as in many containers, it
/// says that it listens on port 0 whatever it took, so it is given one there.
pub(super) fn chromedriver(program: &Path) -> io::Result<Launch> {
    let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let listening = if has_ipv6 { Listening::Said(port) } else { Listening::At(free_port()?) };
    Ok(chromedriver_at(program, listening))
}

fn chromedriver_at(program: &Path, listening: Listening) -> Launch {
    let mut command = std::process::Command::new(program);
    let port = if let Listening::At(port) = listening { port } else { 0 };
    command.arg(format!("--port={port}"));
    Launch { what: "ChromeDriver", command, listening, profile: None }
}

/// One that was free a moment ago, for a driver that does not say which it took.
pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The port that ChromeDriver says it listens on.
fn port(log: &str) -> Option<u16> {
    let (_, after) = log.split_once("started successfully on port ")?;
    let (digits, _) = after.split_once(|c: char| !c.is_ascii_digit())?;
    digits.parse().ok()
}

/// Asks `/status` whether sessions can be opened.
async fn is_ready(port: u16) -> io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET /status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    // The driver may keep the connection open, so the answer ends where it says enough.
    let mut answer = Vec::new();
    let mut rest = stream.take(ANSWER_BYTES_MAX);
    loop {
        let read = rest.read_buf(&mut answer).await?;
        let text = String::from_utf8_lossy(&answer);
        if text.contains("\"ready\":true") || read == 0 {
            return Ok(read > 0 && text.starts_with("HTTP/1.1 200"));
        }
    }
}

fn not_started(message: &str) -> OpenError {
    OpenError::NotStarted { message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::SystemClock;

    #[test]
    fn the_port_is_read_once_its_line_is_whole() {
        let log = "Starting ChromeDriver on port 0\nChromeDriver was started successfully on port 4120";
        assert_eq!(port(log), None, "a digit may still come");
        assert_eq!(port(&format!("{log}1.\n")), Some(41201));
        assert_eq!(port("Starting ChromeDriver 156 on port 0\n"), None);
    }

    // Processes have an identity there.
    #[cfg(target_os = "linux")]
    mod noted {
        use super::{
            super::super::{profile, record::PROFILE_PREFIX},
            *,
        };
        use std::{cell::RefCell, path::PathBuf};

        thread_local! {
            static STATE: RefCell<PathBuf> = RefCell::default();
        }

        /// Is ready once there is a note that names a profile.
        fn once_noted(_: &str) -> Option<u16> {
            let notes = STATE.with_borrow(|state| fs::read_dir(state)).unwrap();
            let mut notes = notes.map(|note| fs::read_to_string(note.unwrap().path()).unwrap());
            let is_noted = |note: String| note.contains(PROFILE_PREFIX) && note.contains(DIRECTORY_PREFIX);
            notes.any(is_noted).then_some(1)
        }

        #[tokio::test]
        async fn a_process_is_noted_before_it_is_ready() {
            let state = tempfile::tempdir().unwrap();
            STATE.set(state.path().to_path_buf());
            let prepare = || {
                let mut command = std::process::Command::new("sleep");
                command.arg("600");
                let profile = Some(profile::directory()?);
                Ok(Launch { what: "it", command, listening: Listening::Said(once_noted), profile })
            };
            let started =
                DriverProcess::start(&prepare, state.path(), &SystemClock::default()).await.unwrap();
            drop(started);
            assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0, "it goes with the process");
        }
    }

    #[tokio::test]
    async fn a_chromedriver_that_is_given_a_port_is_found_there() {
        let driver = super::super::locate::driver(None).unwrap();
        let prepare = || Ok(chromedriver_at(&driver, Listening::At(free_port()?)));
        let state = tempfile::tempdir().unwrap();
        let started = DriverProcess::start(&prepare, state.path(), &SystemClock::default()).await.unwrap();
        let mut process = started.process;
        assert!(process.port() != 0 && process.is_running());
        process.stop().await;
    }
}
