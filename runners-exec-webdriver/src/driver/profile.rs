//! The profile directory of one session, and with it the browser that was started on it.

use super::{
    identity::ProcessIdentity,
    record::{PROFILE_PREFIX, Record},
    sweep::{end_profile, on_profile, profile_argument},
};
use runners_core::{Clock, sleep};
use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;

/// How long a browser may take to exit by itself, and then to be gone after it was killed.
const EXIT_TIMEOUT: Duration = Duration::from_secs(3);
const EXIT_POLL: Duration = Duration::from_millis(20);

/// A fresh profile. Dropping it kills the browser on it and removes the directory.
#[derive(Debug)]
pub(super) struct Profile {
    path: PathBuf,
    record: Arc<Record>,
    ended: AtomicBool,
}

impl Profile {
    /// Makes the directory and notes it before there is a browser on it.
    pub(super) fn new(record: Arc<Record>) -> io::Result<Self> {
        Ok(Self::noted(directory()?.keep(), record))
    }

    /// Notes a directory that a browser was just started on.
    pub(super) fn noted(path: PathBuf, record: Arc<Record>) -> Self {
        record.add(&path);
        Self { path, record, ended: AtomicBool::new(false) }
    }

    /// The argument that makes a browser use it.
    pub(super) fn argument(&self) -> String {
        profile_argument(&self.path)
    }

    /// Where files are saved, to go with the profile: a flow leaves nothing to the next.
    pub(super) fn downloads(&self) -> PathBuf {
        self.path.join("downloads")
    }

    /// Kills the browser on it, where processes can be told apart.
    pub(super) fn kill(&self) {
        on_profile(&self.path).into_iter().for_each(ProcessIdentity::kill);
    }

    /// Waits until a browser that was asked to exit has, kills it if it does not or was not,
    /// removes the directory.
    pub(super) async fn end(&self, was_asked: bool, clock: &dyn Clock) {
        let browsers = on_profile(&self.path);
        if !(was_asked && gone(&browsers, clock).await) {
            browsers.iter().for_each(|browser| browser.kill());
            gone(&browsers, clock).await;
        }
        self.end_now();
    }

    fn end_now(&self) {
        if self.ended.swap(true, Ordering::SeqCst) {
            return;
        }
        if end_profile(&self.path) {
            self.record.remove(&self.path);
        }
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        self.end_now();
    }
}

/// A new directory that only this user can read.
pub(super) fn directory() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(PROFILE_PREFIX).tempdir()
}

async fn gone(browsers: &[ProcessIdentity], clock: &dyn Clock) -> bool {
    let deadline = clock.boot() + EXIT_TIMEOUT;
    while browsers.iter().any(|browser| browser.is_alive()) {
        if clock.boot() >= deadline {
            return false;
        }
        sleep(clock, EXIT_POLL).await;
    }
    true
}
