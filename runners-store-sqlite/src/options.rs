//! What may be chosen about a store before it is opened.

use crate::{OpenError, SqliteStore};
use std::{path::Path, time::Duration};

/// Chooses how a [`SqliteStore`] is opened. The defaults suit a control plane.
///
/// ```no_run
/// # async fn example() -> Result<(), runners_store_sqlite::OpenError> {
/// use runners_store_sqlite::SqliteOptions;
///
/// let store = SqliteOptions::default().readers(4).size_max(1 << 30).open("queue.db").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SqliteOptions {
    pub(crate) readers: usize,
    pub(crate) busy_timeout: Duration,
    pub(crate) size_max: Option<u64>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { readers: 2, busy_timeout: Duration::from_secs(5), size_max: None }
    }
}

impl SqliteOptions {
    /// The largest number of [`readers`](Self::readers).
    pub const READERS_MAX: usize = 64;

    /// How many threads read, each with a connection of its own. 2 by default, from 1 to
    /// [`READERS_MAX`](Self::READERS_MAX); a number outside is moved to the nearer end.
    pub fn readers(mut self, readers: usize) -> Self {
        self.readers = readers.clamp(1, Self::READERS_MAX);
        self
    }

    /// How long to wait for another program, such as a shell or a backup, to unlock the file.
    /// 5 seconds by default.
    pub fn busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.busy_timeout = busy_timeout;
        self
    }

    /// How many bytes the database may have, its write-ahead log not counted. Beyond it commits
    /// are refused as [`Full`](runners_core::store::StoreError::Full). No limit by default.
    pub fn size_max(mut self, bytes: u64) -> Self {
        self.size_max = Some(bytes);
        self
    }

    /// Opens a file, or makes a new one. Its directory must exist.
    ///
    /// # Errors
    /// See [`OpenError`]; its variants say what to do.
    ///
    /// # Cancel safety
    /// Dropping the future leaves a file that can be opened again, once the opening has ended.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<SqliteStore, OpenError> {
        SqliteStore::open_with(self, path.as_ref()).await
    }
}
