//! Ends what outlived a process of ours that was killed: drivers, browsers, profile directories.

use super::{
    identity::{ProcessIdentity, with_argument, with_descendants, with_variable},
    record::{DIRECTORY_PREFIX, NOTE_PREFIX, Note, PROFILE_PREFIX},
};
use std::{fs, path::Path};

/// Where in a profile files are saved; a link to another directory of ours if the profile is in memory.
pub(super) const DOWNLOADS: &str = "downloads";

/// What a profile of Chromium links to, and what else is where that is.
const SOCKET: &str = "SingletonSocket";
const COOKIE: &str = "SingletonCookie";

/// Reads the notes of a state directory and ends what belongs to owners that are gone.
pub(super) fn sweep(state: &Path) {
    let notes = fs::read_dir(state).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in notes.filter(|path| is_note(path.as_path())) {
        let Some(note) = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok())
        else {
            tracing::warn!(path = %path.display(), "a note of a started driver cannot be read; remove it by hand");
            continue;
        };
        if note.owner.is_alive() {
            continue;
        }
        tracing::info!(driver = note.driver.id, "ending what an earlier process left running");
        note.driver.kill_group();
        let left = note.profiles.iter().filter(|profile| !end_profile(profile)).count();
        // Last: until then browsers may write there.
        if named(&note.directory, DIRECTORY_PREFIX) {
            let _ = fs::remove_dir_all(&note.directory);
        }
        if left == 0 {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Kills the browser of a profile and removes the directory; says whether it is gone.
pub(super) fn end_profile(profile: &Path) -> bool {
    if !named(profile, PROFILE_PREFIX) {
        return true;
    }
    on_profile(profile).into_iter().for_each(ProcessIdentity::kill);
    remove(profile)
}

/// The processes that were started on a profile, and theirs: of a browser, some write to its profile and
/// do not name it.
pub(super) fn on_profile(profile: &Path) -> Vec<ProcessIdentity> {
    let (name, value) = profile_variable(profile);
    let mut processes = with_argument(&profile_argument(profile));
    processes.extend(with_variable(&format!("{name}={value}")));
    with_descendants(processes)
}

/// The variable that says which profile a process and all its children are on.
pub(super) fn profile_variable(profile: &Path) -> (&'static str, String) {
    ("RUNNERS_PROFILE", profile.display().to_string())
}

/// The argument that names the profile to a browser, and the browser to us.
pub(super) fn profile_argument(profile: &Path) -> String {
    format!("--user-data-dir={}", profile.display())
}

/// A browser that is being killed may still write. It does so by the name that it knows, so the directory
/// is given another before it is removed.
fn remove(profile: &Path) -> bool {
    let gone = profile.with_extension("gone");
    let _ = fs::rename(profile, &gone);
    remove_socket(&gone);
    if let Ok(downloads) = fs::read_link(gone.join(DOWNLOADS))
        && named(&downloads, PROFILE_PREFIX)
    {
        let _ = fs::remove_dir_all(downloads);
    }
    (0..2).any(|_| fs::remove_dir_all(&gone).is_ok() || !gone.exists()) && !profile.exists()
}

/// Removes where Chromium listens for others that are started on the same profile, which is not in it: one that
/// is killed leaves that.
fn remove_socket(profile: &Path) {
    let Ok(socket) = fs::read_link(profile.join(SOCKET)) else { return };
    if let Some(directory) = socket.parent().filter(|_| socket.ends_with(SOCKET)) {
        for name in [SOCKET, COOKIE] {
            let _ = fs::remove_file(directory.join(name));
        }
        let _ = fs::remove_dir(directory);
    }
}

fn is_note(path: &Path) -> bool {
    named(path, NOTE_PREFIX) && path.extension().is_some_and(|extension| extension == "json")
}

/// Whether a path has a name of ours; whatever else a note may say is left alone.
fn named(path: &Path, prefix: &str) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(prefix))
}
