//! What a runner in the background does besides: it leaves the terminal, claims its home, tells how it
//! is, and hears what is wanted of it on this machine.

use crate::{
    args::RunArgs,
    daemon::{Account, Claim, Home, Paused, Record, Supervisor, Wish},
    identity::Identity,
    interrupts::Nudges,
    narrator::Narrator,
    version::PROGRAM,
};
use anyhow::Result;
use runners_core::{Clock as _, Mode, Notice, Observer, SystemClock};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// A home that is claimed.
#[derive(Debug)]
pub(super) struct Background {
    pub(super) home: Home,
    nudges: Nudges,
    _claim: Claim,
}

/// Tells whoever looks on, and whoever asks later.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) narrator: Arc<Narrator>,
    pub(super) account: Option<Account>,
    pub(super) supervisor: Supervisor,
    /// Whether a container's image was of another release line.
    pub(super) other_line: watch::Sender<bool>,
    /// Whether the control plane has ever answered.
    pub(super) connected: watch::Sender<bool>,
}

impl Background {
    /// Enters it, if that is what was asked for.
    pub(super) async fn enter(arguments: &RunArgs) -> Result<Option<Self>> {
        let Some(directory) = &arguments.background else { return Ok(None) };
        // A terminal that is closed takes its session with it. It fails where it was done before.
        #[cfg(unix)]
        let _ = rustix::process::setsid();
        let nudges = Nudges::listen()?;
        let home = Home::at(Some(directory))?;
        let claim = home.claim().await?;
        Ok(Some(Self { home, nudges, _claim: claim }))
    }

    /// Begins to tell how the runner is.
    pub(super) fn account(&self, arguments: &RunArgs, identity: &Identity, name: &str) -> Account {
        let record = Record {
            pid: std::process::id(),
            program: PROGRAM.to_owned(),
            server: arguments.server.clone(),
            name: name.to_owned(),
            runner: identity.enrolled.runner,
            pool: identity.enrolled.pool_name.to_string(),
            slots: arguments.slots,
            started_at: SystemClock::default().wall(),
            connected_since: None,
            last_error: None,
            draining: false,
            paused: None,
            hears_wishes: true,
            warnings: Vec::new(),
            jobs: Vec::new(),
        };
        Account::open(&self.home, record)
    }

    /// Completes when it is told that something else is wanted of it.
    pub(super) async fn told(&self) {
        self.nudges.next().await;
    }

    /// What is wanted of this process.
    pub(super) fn wish(&self) -> Option<Wish> {
        Wish::read(&self.home, std::process::id()).unwrap_or_else(|error| {
            tracing::warn!(error = &*error as &dyn std::error::Error, "what is wanted is not known");
            None
        })
    }

    /// How long what runs may take, if whoever ends the process has said so.
    pub(super) fn leaves_within(&self) -> Option<Duration> {
        let by = self.wish().filter(|wish| wish.mode == Mode::Leave)?.by?;
        Some(by.since(SystemClock::default().wall()))
    }
}

impl Watched {
    pub(super) fn new(narrator: Arc<Narrator>, account: Option<Account>, supervisor: Supervisor) -> Self {
        let (other_line, connected) = (watch::Sender::new(false), watch::Sender::new(false));
        Self { narrator, account, supervisor, other_line, connected }
    }

    /// Tells that nothing new is taken, because it ends.
    pub(super) fn drain(&self) {
        self.supervisor.stopping();
        if let Some(account) = &self.account {
            account.drain();
        }
    }

    /// Tells whether nothing new is taken because that was said here.
    pub(super) fn pause(&self, paused: Option<Paused>) {
        if let Some(account) = &self.account {
            account.pause(paused);
        }
    }
}

impl Observer for Watched {
    fn observe(&self, notice: &Notice) {
        // Whoever hears that it is connected finds it so.
        if let Some(account) = &self.account {
            account.note(notice);
        }
        self.supervisor.note(notice);
        if matches!(notice, Notice::Connected) {
            self.connected.send_replace(true);
        }
        self.narrator.observe(notice);
    }
}
