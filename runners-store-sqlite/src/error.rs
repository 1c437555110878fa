//! What goes wrong, by what the caller does next: while opening, and afterwards. Which code of
//! SQLite means what is decided here and nowhere else.

use runners_core::store::{StoreError, StoreSource};
use rusqlite::ErrorCode;
use std::{error::Error, fmt, io, path::PathBuf, sync::Arc};

/// Why a file cannot be opened as a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Stop the other control plane, or choose another file: this one has an owner.
    #[error(
        "{} belongs to another control plane ({}): stop that one, or choose another file",
        path.display(), holder.map_or_else(|| "process unknown".to_owned(), |pid| format!("process {pid}"))
    )]
    Held {
        /// The file.
        path: PathBuf,
        /// The process that holds it, if it could be read.
        holder: Option<u32>,
    },
    /// Upgrade this program: the file was written by a newer one.
    #[error("{} has schema {found}, this version knows at most {known}: upgrade this program", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The schema of the file.
        found: u32,
        /// The newest schema that this version knows.
        known: u32,
    },
    /// Choose another file: this is a database of something else.
    #[error("{} is a database of another application: choose another file", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Close the other program, such as a shell or a backup: it keeps the file locked.
    #[error("{} is locked by another program: close it there, then try again", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: StoreSource,
    },
    /// Make the file and its directory writable.
    #[error("{} cannot be written: make it and its directory writable for this user", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system says.
        #[source]
        source: StoreSource,
    },
    /// Restore a backup: the file is not a database, or no longer.
    #[error("{} is not a sound database: move it away, or restore a backup", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: StoreSource,
    },
    /// Make room on the disk.
    #[error("no room to open {}: free some space, then try again", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system says.
        #[source]
        source: StoreSource,
    },
    /// Look at the cause, such as a directory that does not exist.
    #[error("{} cannot be opened: check its directory", path.display())]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system says.
        #[source]
        source: StoreSource,
    },
}

impl OpenError {
    pub(crate) fn from_io(path: PathBuf, error: io::Error) -> Self {
        let kind = error.kind();
        let source = error.into();
        match kind {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly { path, source }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, source },
            _ => Self::Unavailable { path, source },
        }
    }

    pub(crate) fn from_sqlite(path: PathBuf, error: rusqlite::Error) -> Self {
        let (code, is_full) = (error.sqlite_error_code(), is_full(&error));
        let source = error.into();
        match code {
            _ if is_full => Self::Full { path, source },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path, source },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly { path, source },
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Corrupt { path, source },
            _ => Self::Unavailable { path, source },
        }
    }
}

/// Trouble of a whole group of batches, told to each of its callers.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    next: Next,
    cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Unavailable,
    Full,
    Unknown,
    Broken,
}

impl Trouble {
    /// Trouble before COMMIT: what was written is rolled back.
    pub(crate) fn before_commit(error: rusqlite::Error) -> Self {
        let (next, advice) = judge(&error);
        Self { next, cause: Cause { advice, source: Arc::new(error) } }
    }

    /// Trouble of COMMIT itself. Only where SQLite has refused to begin writing, or has run out
    /// of room before the frame that makes the group count, is it sure that nothing was applied.
    pub(crate) fn of_commit(error: rusqlite::Error) -> Self {
        let refused = matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::DiskFull
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::ReadOnly
            )
        );
        let mut trouble = Self::before_commit(error);
        if !refused {
            trouble.next = Next::Unknown;
        }
        trouble
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        let source = Box::new(trouble.cause);
        match trouble.next {
            Next::Unavailable => Self::Unavailable(source),
            Next::Full => Self::Full(source),
            Next::Unknown => Self::Unknown(source),
            Next::Broken => Self::Broken(source),
        }
    }
}

/// What SQLite says, and what to do about it.
#[derive(Clone, Debug)]
struct Cause {
    advice: &'static str,
    source: Arc<rusqlite::Error>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.advice)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

fn judge(error: &rusqlite::Error) -> (Next, &'static str) {
    match error.sqlite_error_code() {
        _ if is_full(error) => {
            (Next::Full, "disk or allowed size is used up: free some space, or allow more")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (Next::Unavailable, "database is locked by another program: close it there")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            (Next::Unavailable, "database cannot be written: make file and directory writable")
        }
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
            (Next::Unavailable, "disk does not read or write: check it")
        }
        Some(ErrorCode::OutOfMemory) => (Next::Unavailable, "memory is used up"),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            (Next::Broken, "database is damaged: stop, and restore a backup")
        }
        _ => (Next::Broken, "database does not answer as this version expects"),
    }
}

/// Whether there was no room. SQLite tells of it as of trouble with the disk where it is the index of
/// the log that cannot grow.
fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        error.code == ErrorCode::DiskFull || error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
    })
}

/// The thread that should have answered is gone.
#[derive(Debug, thiserror::Error)]
#[error("store is closed")]
pub(crate) struct Closed;

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)
    }

    #[test]
    fn only_a_commit_that_may_have_been_applied_is_unknown() {
        use rusqlite::ffi::{SQLITE_BUSY, SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_IOERR_SHMSIZE};
        assert_eq!(Trouble::before_commit(failure(SQLITE_IOERR_FSYNC)).next, Next::Unavailable);
        assert_eq!(Trouble::of_commit(failure(SQLITE_IOERR_FSYNC)).next, Next::Unknown);
        assert_eq!(Trouble::of_commit(failure(SQLITE_FULL)).next, Next::Full);
        assert_eq!(Trouble::of_commit(failure(SQLITE_BUSY)).next, Next::Unavailable);
        // The index of the log grows when what counts is written already.
        assert_eq!(Trouble::before_commit(failure(SQLITE_IOERR_SHMSIZE)).next, Next::Full);
        assert_eq!(Trouble::of_commit(failure(SQLITE_IOERR_SHMSIZE)).next, Next::Unknown);
    }

    #[test]
    fn the_cause_says_what_to_do_and_its_source_what_sqlite_said() {
        let error = StoreError::from(Trouble::before_commit(failure(rusqlite::ffi::SQLITE_FULL)));
        let cause = error.source().expect("there is a cause");
        assert!(cause.to_string().contains("free some space"));
        assert!(cause.source().expect("SQLite said something").to_string().contains("full"));
    }
}
