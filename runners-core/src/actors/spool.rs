//! What a runner keeps on disk: results until they are recorded, and what tells its starts apart.

#[cfg(feature = "fs")]
mod directory;

use crate::values::{lease::FencingToken, opaque::Opaque, sync::Finish};
use std::{
    collections::BTreeMap,
    error::Error,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What a result that could not be kept is listed as.
pub(crate) const RESULT_NAME: &str = "result";

/// Where a runner keeps the results of attempts until the control plane has acknowledged them, the number of
/// its starts, and the secrets of its identity. Clones share it.
///
/// In [`memory`](Self::memory) it lasts as long as the process, which is enough where the control
/// plane lives in the same one. In a [`directory`](Self::directory) it outlives a crash.
#[derive(Clone)]
pub struct Spool {
    kept: Arc<Mutex<Kept>>,
    #[cfg(feature = "fs")]
    directory: Option<Arc<directory::Directory>>,
}

#[derive(Debug, Default)]
struct Kept {
    boots: u64,
    finishes: BTreeMap<FencingToken, Finish>,
    /// How many bytes their results have.
    result_bytes: usize,
    secrets: BTreeMap<String, String>,
    used: bool,
}

impl Kept {
    /// Keeps a finish, without its result where there is no room for that.
    fn insert(&mut self, finish: &mut Finish, result_bytes_max: usize) {
        self.remove(finish.token);
        let bytes = result_bytes(finish);
        if self.result_bytes + bytes > result_bytes_max {
            finish.result = None;
            finish.missing.push(RESULT_NAME.to_owned());
        } else {
            self.result_bytes += bytes;
        }
        self.finishes.insert(finish.token, finish.clone());
    }

    /// Answers whether it was there.
    fn remove(&mut self, token: FencingToken) -> bool {
        let removed = self.finishes.remove(&token);
        self.result_bytes -= removed.as_ref().map_or(0, result_bytes);
        removed.is_some()
    }
}

fn result_bytes(finish: &Finish) -> usize {
    finish.result.as_ref().map_or(0, Opaque::len)
}

impl Spool {
    /// The largest number of finishes that wait to be recorded.
    pub const FINISHES_MAX: usize = 10_000;
    /// The most bytes of results that wait to be recorded: 64 MiB. Of an attempt beyond that only how it ended
    /// is kept: if the runner crashes before it has reported the result, that is listed as missing.
    pub const RESULT_BYTES_MAX: usize = 64 << 20;
    /// The largest number of bytes in the name of a secret.
    pub const NAME_BYTES_MAX: usize = 64;
    /// The largest secret: 64 KiB.
    pub const SECRET_BYTES_MAX: usize = 64 << 10;

    /// A spool that lasts as long as the process. Its clones survive a restart that is only
    /// simulated.
    #[must_use]
    pub fn memory() -> Self {
        Self {
            kept: Arc::default(),
            #[cfg(feature = "fs")]
            directory: None,
        }
    }

    /// A spool in a directory, made with mode 0700 if it is not there, and locked for this process
    /// until the last clone is dropped. Waits for the disk.
    ///
    /// What cannot be read is set aside under another name, with a warning.
    ///
    /// # Errors
    /// [`SpoolError::Locked`] when another process uses it, [`SpoolError::Exposed`] when others can
    /// write to it or read what is in it (Unix), [`SpoolError::Unusable`] when it cannot be read or written.
    #[cfg(feature = "fs")]
    pub fn directory(path: impl Into<PathBuf>) -> Result<Self, SpoolError> {
        let directory = directory::Directory::open(path.into())?;
        let finishes = directory.finishes()?;
        let result_bytes = finishes.values().map(result_bytes).sum();
        let kept = Kept {
            boots: directory.boots()?,
            finishes,
            result_bytes,
            used: directory.was_used()?,
            ..Kept::default()
        };
        Ok(Self { kept: Arc::new(Mutex::new(kept)), directory: Some(Arc::new(directory)) })
    }

    /// Reads a secret, if it was written. Waits for the disk.
    ///
    /// # Errors
    /// [`SpoolError::Invalid`] for a name that is not letters, digits, `-`, `_` and `.`, or is too
    /// long; [`SpoolError::Unusable`].
    pub fn read_secret(&self, name: &str) -> Result<Option<String>, SpoolError> {
        check_name(name)?;
        #[cfg(feature = "fs")]
        if let Some(directory) = &self.directory {
            return directory.read_secret(name);
        }
        Ok(self.kept().secrets.get(name).cloned())
    }

    /// Writes a secret, readable by this user alone (mode 0600) and durable when this returns.
    /// Waits for the disk.
    ///
    /// # Errors
    /// [`SpoolError::Invalid`] for a name that is not letters, digits, `-`, `_` and `.`, or for a
    /// name or text that is too long; [`SpoolError::Unusable`].
    pub fn write_secret(&self, name: &str, text: &str) -> Result<(), SpoolError> {
        check_name(name)?;
        if text.len() > Self::SECRET_BYTES_MAX {
            return Err(SpoolError::Invalid {
                field: "text",
                problem: format!("has {} bytes; the limit is {}", text.len(), Self::SECRET_BYTES_MAX),
            });
        }
        #[cfg(feature = "fs")]
        if let Some(directory) = &self.directory {
            return directory.write_secret(name, text);
        }
        self.kept().secrets.insert(name.to_owned(), text.to_owned());
        Ok(())
    }

    /// How many finishes wait to be recorded. Whoever removes the spool, or the identity in it, loses
    /// them.
    #[must_use]
    pub fn unrecorded(&self) -> usize {
        self.kept().finishes.len()
    }

    /// Counts a start. Durable when this returns.
    pub(crate) fn boot(&self) -> Result<u64, SpoolError> {
        let boots = self.kept().boots + 1;
        #[cfg(feature = "fs")]
        if let Some(directory) = &self.directory {
            directory.write_boots(boots)?;
        }
        self.kept().boots = boots;
        Ok(boots)
    }

    /// Whether a runner for a single use has had it.
    pub(crate) fn was_used(&self) -> bool {
        self.kept().used
    }

    /// Keeps whether a runner for a single use has had it. Durable when this returns.
    #[cfg_attr(not(feature = "fs"), expect(clippy::unused_async, reason = "only a directory is waited for"))]
    pub(crate) async fn keep_used(&self, used: bool) -> Result<(), SpoolError> {
        #[cfg(feature = "fs")]
        if let Some(directory) = self.directory.clone() {
            on_disk(move || directory.keep_used(used)).await?;
        }
        self.kept().used = used;
        Ok(())
    }

    /// Every finish that was not recorded, in order of their tokens.
    pub(crate) fn finishes(&self) -> Vec<Finish> {
        self.kept().finishes.values().cloned().collect()
    }

    /// Keeps a finish. Durable when this returns.
    #[cfg_attr(not(feature = "fs"), expect(clippy::unused_async, reason = "only a directory is waited for"))]
    pub(crate) async fn keep(&self, mut finish: Finish) -> Result<(), SpoolError> {
        {
            let mut kept = self.kept();
            if kept.finishes.len() >= Self::FINISHES_MAX {
                return Err(SpoolError::Full { limit: Self::FINISHES_MAX });
            }
            kept.insert(&mut finish, Self::RESULT_BYTES_MAX);
        }
        #[cfg(feature = "fs")]
        if let Some(directory) = self.directory.clone() {
            return on_disk(move || directory.keep(&finish)).await;
        }
        Ok(())
    }

    /// Forgets finishes that were recorded, fenced or lost. A file that stays is only sent again.
    #[cfg_attr(not(feature = "fs"), expect(clippy::unused_async, reason = "only a directory is waited for"))]
    pub(crate) async fn forget(&self, tokens: Vec<FencingToken>) {
        let known: Vec<_> = {
            let mut kept = self.kept();
            tokens.into_iter().filter(|token| kept.remove(*token)).collect()
        };
        #[cfg(feature = "fs")]
        if let Some(directory) = self.directory.clone()
            && !known.is_empty()
        {
            let removed = on_disk(move || directory.forget(&known)).await;
            if let Err(error) = removed {
                tracing::warn!(%error, "a recorded finish stays in the spool and will be sent again");
            }
        }
        #[cfg(not(feature = "fs"))]
        drop(known);
    }

    /// Removes a secret, if it is there. Waits for the disk.
    ///
    /// # Errors
    /// [`SpoolError::Invalid`] for a name that [`write_secret`](Self::write_secret) does not take;
    /// [`SpoolError::Unusable`].
    pub fn remove_secret(&self, name: &str) -> Result<(), SpoolError> {
        check_name(name)?;
        #[cfg(feature = "fs")]
        if let Some(directory) = &self.directory {
            return directory.remove_secret(name);
        }
        self.kept().secrets.remove(name);
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Spool {
    fn default() -> Self {
        Self::memory()
    }
}

impl fmt::Debug for Spool {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.kept();
        f.debug_struct("Spool")
            .field("boots", &kept.boots)
            .field("finishes", &kept.finishes.len())
            .finish_non_exhaustive()
    }
}

/// Why a spool does not keep or give something, by what the caller does next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// Stop the other process, or take another directory.
    #[error("spool {} is in use by {}", path.display(), holder.as_deref().unwrap_or("another process"))]
    Locked {
        /// The directory.
        path: PathBuf,
        /// Who uses it, such as `process 4711`.
        holder: Option<String>,
    },
    /// Take the rights of others away.
    #[error("{} has mode {mode:04o}, so others can get at it: chmod {wanted:03o} {}", path.display(), path.display())]
    Exposed {
        /// The file or directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// What they should be.
        wanted: u32,
    },
    /// Mend the call.
    #[error("{field} {problem}")]
    Invalid {
        /// Which argument.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Wait until something is recorded.
    #[error("spool keeps {limit} finishes that are not recorded, which is its limit")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// Mend the disk, or its permissions.
    #[error("cannot use {} of the spool", path.display())]
    Unusable {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

fn check_name(name: &str) -> Result<(), SpoolError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let good = !name.is_empty()
        && name.len() <= Spool::NAME_BYTES_MAX
        && !name.starts_with('.')
        && name.bytes().all(plain);
    let problem = format!(
        "is not 1 to {} letters, digits, `-`, `_` or `.`, the first not a dot",
        Spool::NAME_BYTES_MAX
    );
    if good { Ok(()) } else { Err(SpoolError::Invalid { field: "name", problem }) }
}

/// Waits for the disk where waiting hinders nobody.
#[cfg(feature = "fs")]
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, SpoolError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(SpoolError::Unusable { path: PathBuf::new(), source: Box::new(error) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_is_the_same_spool() {
        let spool = Spool::memory();
        assert_eq!(spool.boot().unwrap(), 1);
        assert_eq!(spool.clone().boot().unwrap(), 2);
    }

    #[test]
    fn a_finish_that_finds_no_room_is_kept_without_its_result_which_is_marked() {
        let mut kept = Kept::default();
        let mut finishes = [1, 2, 3].map(|grant| Finish {
            token: FencingToken { job: crate::values::id::JobId::from_bytes([7; 16]), grant },
            tenant: None,
            outcome: crate::values::outcome::Outcome::Passed,
            result: Some(b"1234".to_vec().into()),
            result_artifact: None,
            missing: Vec::new(),
            log_end: None,
        });
        finishes.iter_mut().for_each(|finish| kept.insert(finish, 10));
        let results: Vec<_> = kept.finishes.values().map(|finish| finish.result.is_some()).collect();
        assert_eq!(results, [true, true, false]);
        assert_eq!(finishes[2].missing, [RESULT_NAME]);
        assert!(kept.remove(finishes[0].token) && !kept.remove(finishes[0].token));
        kept.insert(&mut finishes[0], 10);
        assert!(kept.finishes[&finishes[0].token].result.is_some(), "its room is free again");
    }

    #[test]
    fn a_secret_has_a_plain_name_and_is_not_shown() {
        let spool = Spool::memory();
        spool.write_secret("credential", "very secret").unwrap();
        assert_eq!(spool.read_secret("credential").unwrap().as_deref(), Some("very secret"));
        assert!(!format!("{spool:?}").contains("very secret"));
        for name in ["", "../x", ".hidden", "a/b", &"x".repeat(65)] {
            assert!(matches!(spool.write_secret(name, "x"), Err(SpoolError::Invalid { field: "name", .. })));
        }
    }
}
