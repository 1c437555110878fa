//! The profile directory of one session, and with it the browser that was started on it.

use super::{
    identity::ProcessIdentity,
    record::{PROFILE_PREFIX, Record},
    sweep::{DOWNLOADS, end_profile, on_profile, profile_argument},
};
use runners_core::{Clock, sleep};
use std::{
    env, io,
    path::{Path, PathBuf},
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
    is_in_memory: bool,
    record: Arc<Record>,
    ended: AtomicBool,
}

impl Profile {
    /// Makes the directory, in a directory in memory if there is one that takes it, and notes it before
    /// there is a browser on it.
    pub(super) fn new(memory: Option<PathBuf>, record: Arc<Record>) -> io::Result<Self> {
        let in_memory = memory.and_then(|memory| directory_in(&memory).ok());
        let Some(directory) = in_memory else { return Ok(Self::noted(directory()?.keep(), record)) };
        let mut profile = Self::noted(directory.keep(), record);
        profile.is_in_memory = true;
        // What is saved may be large, and stays on the disk.
        #[cfg(unix)]
        std::os::unix::fs::symlink(self::directory()?.keep(), profile.downloads())?;
        Ok(profile)
    }

    /// Notes a directory that a browser was just started on.
    pub(super) fn noted(path: PathBuf, record: Arc<Record>) -> Self {
        record.add(&path);
        Self { path, is_in_memory: false, record, ended: AtomicBool::new(false) }
    }

    pub(super) const fn is_in_memory(&self) -> bool {
        self.is_in_memory
    }

    /// The argument that makes a browser use it.
    pub(super) fn argument(&self) -> String {
        profile_argument(&self.path)
    }

    /// Where files are saved, to go with the profile: a flow leaves nothing to the next.
    pub(super) fn downloads(&self) -> PathBuf {
        self.path.join(DOWNLOADS)
    }

    /// Kills the browser on it, where processes can be told apart; says whether there was one.
    pub(super) fn kill(&self) -> bool {
        let browsers = on_profile(&self.path);
        browsers.iter().for_each(|browser| browser.kill());
        !browsers.is_empty()
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
    directory_in(&env::temp_dir())
}

fn directory_in(parent: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(PROFILE_PREFIX).tempdir_in(parent)
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
