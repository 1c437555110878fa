//! What a runner in the background does besides: it leaves the terminal, claims its home, and tells
//! how it is.

use crate::{
    args::RunArgs,
    daemon::{Account, Claim, Home, Record},
    identity::Identity,
    narrator::Narrator,
};
use anyhow::Result;
use runners_core::{Clock as _, Notice, Observer, SystemClock};
use std::sync::Arc;

/// A home that is claimed.
#[derive(Debug)]
pub(super) struct Background {
    pub(super) home: Home,
    _claim: Claim,
}

/// Tells whoever looks on, and whoever asks later.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) narrator: Arc<Narrator>,
    pub(super) account: Option<Account>,
}

impl Background {
    /// Enters it, if that is what was asked for.
    pub(super) async fn enter(arguments: &RunArgs) -> Result<Option<Self>> {
        let Some(directory) = &arguments.background else { return Ok(None) };
        // A terminal that is closed takes its session with it. It fails where it was done before.
        #[cfg(unix)]
        let _ = rustix::process::setsid();
        let home = Home::at(Some(directory))?;
        let claim = home.claim().await?;
        Ok(Some(Self { home, _claim: claim }))
    }

    /// Begins to tell how the runner is.
    pub(super) fn account(&self, arguments: &RunArgs, identity: &Identity, name: &str) -> Account {
        let record = Record {
            pid: std::process::id(),
            program: super::PROGRAM.to_owned(),
            server: arguments.server.clone(),
            name: name.to_owned(),
            runner: identity.enrolled.runner,
            pool: identity.enrolled.pool_name.to_string(),
            slots: arguments.slots,
            started_at: SystemClock::default().wall(),
            connected_since: None,
            last_error: None,
            draining: false,
            jobs: Vec::new(),
        };
        Account::open(&self.home, record)
    }
}

impl Watched {
    /// Tells that nothing new is taken.
    pub(super) fn drain(&self) {
        if let Some(account) = &self.account {
            account.drain();
        }
    }
}

impl Observer for Watched {
    fn observe(&self, notice: &Notice) {
        // Whoever hears that it is connected finds it so.
        if let Some(account) = &self.account {
            account.note(notice);
        }
        self.narrator.observe(notice);
    }
}
