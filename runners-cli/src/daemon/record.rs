//! What a runner in the background tells of itself, in a file that is written anew whenever that
//! changes. Those who ask read it; they need neither a port nor the runner's time.

use super::{Home, home};
use crate::tokens;
use anyhow::{Context as _, Result};
use runners_core::{Clock as _, FencingToken, JobId, Mode, Notice, RunnerId, SystemClock, Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// A record with every slot in use is shorter.
const BYTES_MAX: u64 = 1 << 20;

/// The most warnings that are told.
const WARNINGS_MAX: usize = 20;

/// How a runner in the background is, as of its last change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) pid: u32,
    /// Name and version of the program.
    pub(crate) program: String,
    pub(crate) server: String,
    pub(crate) name: String,
    pub(crate) runner: RunnerId,
    pub(crate) pool: String,
    pub(crate) slots: u32,
    pub(crate) started_at: Timestamp,
    /// None while it is not connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connected_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_error: Option<Trouble>,
    /// Takes nothing new, because its operator wants that, or because it leaves.
    #[serde(default)]
    pub(crate) draining: bool,
    /// Takes nothing new, because that was said on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) paused: Option<Paused>,
    /// Looks at what is wanted of it here when it is told to.
    #[serde(default)]
    pub(crate) hears_wishes: bool,
    /// What its operator should know of, such as an image of another release line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
    #[serde(default)]
    pub(crate) jobs: Vec<Current>,
}

/// That nothing new is taken, as was said on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Paused {
    pub(crate) since: Timestamp,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    /// When what still runs is given up, and tried elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<Timestamp>,
}

/// Something that went wrong, and when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Trouble {
    pub(crate) at: Timestamp,
    pub(crate) text: String,
}

/// A job that is executed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Current {
    pub(crate) job: JobId,
    pub(crate) grant: u64,
    pub(crate) kind: String,
    pub(crate) attempt: u32,
    pub(crate) since: Timestamp,
}

/// Keeps a record up to date.
#[derive(Debug)]
pub(crate) struct Account {
    path: PathBuf,
    record: Mutex<Record>,
}

impl Record {
    /// What the runner of a home told last, if it ever did.
    pub(crate) fn read(home: &Home) -> Result<Option<Self>> {
        let path = home.record();
        let Some(text) = home::read(&path, BYTES_MAX)? else { return Ok(None) };
        let record = serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged: `runners restart` writes it anew", path.display()))?;
        Ok(Some(record))
    }

    fn note(&mut self, notice: &Notice, now: Timestamp) -> bool {
        match notice {
            Notice::Connected => self.connected_since = Some(now),
            Notice::Disconnected { error, .. } => {
                self.connected_since = None;
                self.last_error = Some(Trouble { at: now, text: error.clone() });
            }
            Notice::AttemptStarted { token, attempt, kind } => self.jobs.push(Current {
                job: token.job,
                grant: token.grant,
                kind: kind.to_string(),
                attempt: *attempt,
                since: now,
            }),
            Notice::AttemptEnded { token, .. } => self.jobs.retain(|current| !current.is(*token)),
            Notice::DesiredChanged { mode, .. } => self.draining = *mode != Mode::Serve,
            _ => return false,
        }
        true
    }
}

impl Current {
    fn is(&self, token: FencingToken) -> bool {
        self.job == token.job && self.grant == token.grant
    }
}

impl Account {
    /// Writes the first record.
    pub(crate) fn open(home: &Home, record: Record) -> Self {
        let account = Self { path: home.record(), record: Mutex::new(record) };
        account.change(|_| true);
        account
    }

    /// Writes what a notice has changed.
    pub(crate) fn note(&self, notice: &Notice) {
        self.change(|record| record.note(notice, SystemClock::default().wall()));
    }

    /// Writes that nothing new is taken.
    pub(crate) fn drain(&self) {
        self.change(|record| !std::mem::replace(&mut record.draining, true));
    }

    /// Writes whether it was said here that nothing new is to be taken.
    pub(crate) fn pause(&self, paused: Option<Paused>) {
        self.change(|record| {
            record.paused = paused;
            true
        });
    }

    /// Writes something that its operator should know of, once.
    pub(crate) fn warn(&self, text: &str) {
        self.change(|record| {
            let is_news =
                record.warnings.len() < WARNINGS_MAX && !record.warnings.iter().any(|old| old == text);
            if is_news {
                record.warnings.push(text.to_owned());
            }
            is_news
        });
    }

    fn change(&self, change: impl FnOnce(&mut Record) -> bool) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        if !change(&mut record) {
            return;
        }
        let text = serde_json::to_string(&*record).expect("invariant: it is plain data");
        if let Err(error) = tokens::write_private(&self.path, &text) {
            tracing::warn!(%error, path = %self.path.display(), "how the runner is could not be written");
        }
    }
}
