//! One owner per file: an advisory lock on a file beside it, with the owner's process id in it.
//! The system releases it however the process ends.

use crate::error::OpenError;
use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// The right to open a database file; released when dropped.
#[derive(Debug)]
pub(crate) struct Owner {
    _locked: File,
    /// The database file, free of symbolic links, so that two ways to one file meet at one lock.
    pub(crate) path: PathBuf,
}

impl Owner {
    pub(crate) fn claim(path: &Path) -> Result<Self, OpenError> {
        let path = resolve(path).map_err(|error| OpenError::from_io(path.to_owned(), error))?;
        let mut lock_path = path.clone().into_os_string();
        lock_path.push(".lock");
        let io_error = |error| OpenError::from_io(path.clone(), error);
        let mut file = private(Path::new(&lock_path)).map_err(io_error)?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Where the lock also bars reading, the holder stays unnamed.
                let read = file.read_to_string(&mut holder);
                let holder = read.ok().and_then(|_| holder.trim().parse().ok());
                return Err(OpenError::Held { path, holder });
            }
            Err(TryLockError::Error(error)) => return Err(io_error(error)),
        }
        let written = file.set_len(0).and_then(|()| file.rewind());
        written.and_then(|()| writeln!(file, "{}", std::process::id())).map_err(io_error)?;
        // Made here, so that nobody else can read it: SQLite takes an empty file for a new database, and gives the
        // files that it makes beside it the same mode.
        drop(private(&path).map_err(io_error)?);
        Ok(Self { _locked: file, path })
    }
}

/// Opens a file, and makes it if it is not there: for its owner alone, since jobs stand in it.
fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// How often a lock that is held is tried again, and after how long.
const TRIES_MAX: u32 = 20;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// Takes the lock, unless somebody keeps it: a process that this one is just starting has a copy
/// of every open file, locks included, until it becomes the program that was asked for.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    let mut tries = 1;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if tries < TRIES_MAX => thread::park_timeout(TRY_AGAIN_AFTER),
            tried => return tried,
        }
        tries += 1;
    }
}

fn resolve(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or(error)?;
            let parent = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            Ok(fs::canonicalize(parent)?.join(name))
        }
        resolved => resolved,
    }
}
