//! Browsers that have a process of their own for each session: Firefox, which serves its session by
//! itself, and WPE WebKit, whose driver serves one session at a time.

use super::{
    DriverOptions, Opening, firefox,
    identity::ProcessIdentity,
    process::{DriverProcess, Launch, Started},
    profile::{self, Profile},
    record,
    sweep::{profile_variable, sweep},
    webkit,
};
use crate::{
    browser::{
        BrowserError, Call, Endpoint, OpenError, Session,
        bidi::BidiSession,
        webdriver::{Manners, WebDriverSession, Wire},
    },
    engine::Engine,
};
use async_trait::async_trait;
use runners_core::Clock;
use serde_json::{Map, Value};
use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Starts a process for each session.
#[derive(Debug)]
pub(super) struct Solo {
    options: DriverOptions,
    /// What was started last, and may have ended.
    started: Mutex<Vec<ProcessIdentity>>,
}

impl Solo {
    pub(super) fn new(options: DriverOptions) -> Self {
        Self { options, started: Mutex::default() }
    }

    pub(super) async fn open(&self, opening: &Opening) -> Result<Box<dyn Session>, OpenError> {
        let Opening { clock, manners, gate, .. } = opening;
        let opened: Box<dyn Session> = match self.options.engine {
            Engine::Firefox if *manners == Manners::Usual => {
                let message = "firefox is spoken to without a driver, which other clients need".to_owned();
                return Err(OpenError::Misconfigured { message });
            }
            Engine::Firefox => {
                let program = firefox::Program::find(&self.options)?;
                let solo = self.start(&|directory| program.launch(directory), &**clock).await?;
                let session = BidiSession::open(solo.process.port(), *gate, clock).await;
                Box::new(solo.hosting(session, clock)?)
            }
            _ => {
                let program = webkit::Program::find(&self.options)?;
                let solo = self.start(&|directory| program.launch(directory), &**clock).await?;
                let wire = Wire::local(solo.process.port())?;
                let session =
                    WebDriverSession::open(wire, program.capabilities(*gate), *manners, clock).await;
                Box::new(solo.hosting(session, clock)?)
            }
        };
        Ok(opened)
    }

    /// The arguments that a host gives its browsers.
    pub(super) fn arguments_given(&self) -> &[String] {
        &self.options.arguments
    }

    /// Kills what runs. Its sessions then find their browsers gone.
    pub(super) fn stop(&self) {
        self.started().drain(..).for_each(ProcessIdentity::kill_group);
    }

    /// Starts a process in a directory of its own, and notes both.
    async fn start(
        &self,
        launch: &(dyn Fn(&Path) -> io::Result<Launch> + Sync),
        clock: &dyn Clock,
    ) -> Result<Started, OpenError> {
        let state = record::directory(self.options.state.as_deref())?;
        sweep(&state);
        let no_directory = |error| io::Error::other(format!("no profile directory: {error}"));
        let prepare = || {
            let directory = profile::directory().map_err(no_directory)?;
            let mut launch = launch(directory.path())?;
            let (name, value) = profile_variable(directory.path());
            launch.command.env(name, value);
            launch.profile = Some(directory);
            Ok(launch)
        };
        let new = DriverProcess::start(&prepare, &state, clock).await?;
        let mut started = self.started();
        started.retain(|process| process.is_alive());
        started.extend(ProcessIdentity::of(new.process.id()));
        Ok(new)
    }

    fn started(&self) -> MutexGuard<'_, Vec<ProcessIdentity>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Started {
    /// The session of this process, or why there is none, with the last words of the process.
    fn hosting<S>(
        self,
        session: Result<S, OpenError>,
        clock: &Arc<dyn Clock>,
    ) -> Result<SoloSession<S>, OpenError> {
        let session = session.map_err(|error| match error {
            OpenError::NotStarted { message } => {
                OpenError::NotStarted { message: format!("{message}; {}", self.process.log()) }
            }
            other => other,
        })?;
        let Self { process, profile, record: _record } = self;
        let process = Mutex::new(Some(process));
        Ok(SoloSession { session, process, profile, clock: Arc::clone(clock) })
    }
}

/// A session with its process; both end together.
#[derive(Debug)]
struct SoloSession<S> {
    session: S,
    process: Mutex<Option<DriverProcess>>,
    profile: Option<Profile>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl<S: Session> Session for SoloSession<S> {
    fn capabilities(&self) -> &Map<String, Value> {
        self.session.capabilities()
    }

    async fn call(&self, call: Call) -> Result<Value, BrowserError> {
        self.session.call(call).await
    }

    async fn changed(&self) -> Result<(), BrowserError> {
        self.session.changed().await
    }

    async fn close(&self) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(process) = process {
            self.session.close().await;
            process.stop().await;
            if let Some(profile) = &self.profile {
                profile.end(true, &*self.clock).await;
            }
        }
    }

    fn endpoint(&self) -> Option<Endpoint> {
        self.session.endpoint()
    }
}
