//! A note on disk of what one driver of ours has started, kept while it lives. After this process
//! was killed, the next start reads it (see `sweep`).

use super::identity::ProcessIdentity;
use crate::browser::OpenError;
use serde::{Deserialize, Serialize};
use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// The name of a note begins with this.
pub(super) const NOTE_PREFIX: &str = "driver-";
/// The name of a driver's directory begins with this.
pub(super) const DIRECTORY_PREFIX: &str = "runners-driver-";
/// The name of a profile directory begins with this.
pub(super) const PROFILE_PREFIX: &str = "runners-profile-";

/// What a note says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Note {
    /// The process that owns everything below. While it lives, nobody else touches any of it.
    pub(super) owner: ProcessIdentity,
    /// The driver, which leads a process group.
    pub(super) driver: ProcessIdentity,
    /// Where the driver writes.
    pub(super) directory: PathBuf,
    /// The profile directories of browsers, one for each session that is open.
    pub(super) profiles: Vec<PathBuf>,
}

/// A note that is kept up to date, and removed with the last of what it names.
#[derive(Debug)]
pub(super) struct Record {
    kept: Option<(PathBuf, Mutex<Note>)>,
}

impl Record {
    /// Starts a note. Where processes have no identity, none is kept.
    pub(super) fn new(state: &Path, driver: u32, directory: &Path) -> Self {
        let owner = ProcessIdentity::of(std::process::id());
        let Some((owner, driver)) = owner.zip(ProcessIdentity::of(driver)) else {
            return Self { kept: None };
        };
        let path = state.join(format!("{NOTE_PREFIX}{}.json", driver.id));
        let note = Note { owner, driver, directory: directory.to_path_buf(), profiles: Vec::new() };
        write(&path, &note);
        Self { kept: Some((path, Mutex::new(note))) }
    }

    pub(super) fn add(&self, profile: &Path) {
        self.change(|profiles| profiles.push(profile.to_path_buf()));
    }

    pub(super) fn remove(&self, profile: &Path) {
        self.change(|profiles| profiles.retain(|known| known != profile));
    }

    fn change(&self, change: impl FnOnce(&mut Vec<PathBuf>)) {
        if let Some((path, note)) = &self.kept {
            let mut note = note.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut note.profiles);
            write(path, &note);
        }
    }
}

impl Drop for Record {
    /// A note that still names a profile stays, for the next start to try again.
    fn drop(&mut self) {
        if let Some((path, note)) = &self.kept {
            let note = note.lock().unwrap_or_else(PoisonError::into_inner);
            if note.profiles.is_empty() {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// The directory for notes: the one given, or one that only this user can read and write.
pub(super) fn directory(given: Option<&Path>) -> Result<PathBuf, OpenError> {
    let path = given.map_or_else(default_directory, Path::to_path_buf);
    make_private(&path).map_err(|error| OpenError::Misconfigured {
        message: format!("the state directory {} cannot be used: {error}", path.display()),
    })?;
    Ok(path)
}

fn default_directory() -> PathBuf {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    match state {
        Some(state) => state.join("runners").join("webdriver"),
        None => env::temp_dir().join(format!("runners-webdriver-{}", user())),
    }
}

/// Makes the directory, and refuses one of somebody else: its notes say what to kill.
fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::uid(&fs::symlink_metadata(path)?) != user() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user"));
    }
    Ok(())
}

#[cfg(unix)]
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn user() -> u32 {
    0
}

/// Replaces the note as a whole. What cannot be noted is not swept; the browser works anyway.
fn write(path: &Path, note: &Note) {
    let bytes = serde_json::to_vec_pretty(note).expect("a note is plain data");
    let replaced = path.parent().ok_or_else(|| io::Error::other("no directory")).and_then(|directory| {
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&bytes)?;
        file.persist(path).map_err(|error| error.error).map(drop)
    });
    if let Err(error) = replaced {
        tracing::warn!(path = %path.display(), %error, "a started driver could not be noted");
    }
}
