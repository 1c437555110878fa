//! The directory of a runner in the background. Whoever holds the lock on its file `runner.pid` is
//! the runner: a number that was left behind, or that another process has by now, deceives nobody.

use crate::{identity, tokens};
use anyhow::{Context as _, Result, bail};
use runners_core::{SystemClock, sleep};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// Somebody who only looks holds the lock for a moment: how often, and after which wait, a runner
/// tries again to take it.
const CLAIMS_MAX: u32 = 20;
const CLAIM_EVERY: Duration = Duration::from_millis(50);

/// A process number and its end of line are shorter.
const PID_BYTES_MAX: u64 = 32;

/// Where a runner in the background has its files.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    directory: PathBuf,
}

/// The right to be the runner of a home, until it is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct Claim {
    _lock: File,
}

impl Home {
    /// The directory that was given, or the user's own for state.
    pub(crate) fn at(given: Option<&Path>) -> Result<Self> {
        let directory = match given {
            Some(directory) => std::path::absolute(directory)
                .with_context(|| format!("--home {} is no path", directory.display()))?,
            None => identity::base_directory()?,
        };
        Ok(Self { directory })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("runner.log")
    }

    /// What the last start was told.
    pub(crate) fn settings(&self) -> PathBuf {
        self.directory.join("runner.config.json")
    }

    /// What the runner tells of itself.
    pub(crate) fn record(&self) -> PathBuf {
        self.directory.join("runner.state.json")
    }

    /// What is wanted of it here.
    pub(crate) fn wish(&self) -> PathBuf {
        self.directory.join("runner.wish.json")
    }

    /// Makes the directory, for its owner alone.
    pub(crate) fn make(&self) -> Result<()> {
        tokens::make_private(&self.directory).with_context(|| {
            format!("could not make {}: give --home a directory that you may write", self.directory.display())
        })
    }

    /// The process that is the runner, if there is one.
    pub(crate) fn running(&self) -> Result<Option<u32>> {
        let Some(mut file) = self.open()? else { return Ok(None) };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(read_pid(&mut file).unwrap_or_default())),
            Err(TryLockError::Error(error)) => Err(error).context("runner.pid cannot be locked"),
        }
    }

    /// Becomes the runner of this home.
    pub(crate) async fn claim(&self) -> Result<Claim> {
        self.make()?;
        let path = self.pid();
        let mut file = private(OpenOptions::new().read(true).write(true).create(true).truncate(false))
            .open(&path)
            .with_context(|| format!("could not write {}", path.display()))?;
        for _ in 0..CLAIMS_MAX {
            match file.try_lock() {
                Ok(()) => {
                    file.set_len(0)?;
                    file.rewind()?;
                    writeln!(file, "{}", std::process::id())?;
                    return Ok(Claim { _lock: file });
                }
                Err(TryLockError::WouldBlock) => sleep(&SystemClock::default(), CLAIM_EVERY).await,
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("could not lock {}", path.display()));
                }
            }
        }
        bail!("a runner of {} runs already: see `runners status`", self.directory.display())
    }

    /// Completes when nobody is the runner any more.
    ///
    /// # Cancel safety
    /// Dropping the future leaves a thread behind that waits, and changes nothing.
    pub(crate) async fn free(&self) -> Result<()> {
        let Some(file) = self.open()? else { return Ok(()) };
        tokio::task::spawn_blocking(move || file.lock_shared()).await??;
        Ok(())
    }

    fn pid(&self) -> PathBuf {
        self.directory.join("runner.pid")
    }

    fn open(&self) -> Result<Option<File>> {
        match File::open(self.pid()) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("could not read {}", self.pid().display())),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // For those who look at the file by themselves; the lock is what counts.
        let _ = self._lock.set_len(0);
    }
}

/// Lets only the owner read and write a file that is made.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Reads a small file of a home, if it is there.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Option<String>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Ok(found) if found.len() > bytes_max => {
            bail!("{} has more than {bytes_max} bytes: it is not ours", path.display())
        }
        _ => {}
    }
    let text = fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_number_that_was_left_behind_is_no_runner() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(Some(directory.path())).unwrap();
        assert_eq!(home.running().unwrap(), None);
        fs::write(home.pid(), format!("{}\n", std::process::id())).unwrap();
        assert_eq!(home.running().unwrap(), None);

        let claim = home.claim().await.unwrap();
        assert_eq!(home.running().unwrap(), Some(std::process::id()));
        assert!(home.claim().await.unwrap_err().to_string().contains("runs already"));

        drop(claim);
        assert_eq!(home.running().unwrap(), None);
        home.free().await.unwrap();
    }
}
