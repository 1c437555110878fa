//! On which volume the profile of a browser is made. Most of what a browser writes there is thrown away with
//! it, so memory serves it better than a disk, where there is plenty.

use std::{
    env, fs,
    io::Read as _,
    path::{Path, PathBuf},
};

/// Where Linux has a volume in memory.
const MEMORY: &str = "/dev/shm";
/// The room that it has to have, since what pages keep goes there: in bytes.
const FREE_BYTES_MIN: u64 = 2 << 30;
/// How much of a browser is looked at for who else confines it: scripts that start one are shorter.
const SCRIPT_BYTES_MAX: u64 = 4096;

/// The volume in memory, if there is one with room and nobody has said where temporary files are to be.
pub(super) fn in_memory() -> Option<PathBuf> {
    let is_open = cfg!(target_os = "linux") && env::var_os("TMPDIR").is_none();
    (is_open && free_bytes(Path::new(MEMORY)) >= FREE_BYTES_MIN).then(|| MEMORY.into())
}

/// Whether a browser finds there what we make: those of Snap and Flatpak have volumes of their own.
pub(super) fn is_seen_by(browser: &Path) -> bool {
    let path = fs::canonicalize(browser).unwrap_or_else(|_| browser.to_path_buf());
    let mut start = Vec::new();
    if let Ok(file) = fs::File::open(&path) {
        // What cannot be read is no script.
        let _ = file.take(SCRIPT_BYTES_MAX).read_to_end(&mut start);
    }
    let says = |sign: &str| start.windows(sign.len()).any(|part| part == sign.as_bytes());
    let is_script = start.starts_with(b"#!");
    !path.starts_with("/snap")
        && !path.ends_with("snap")
        && !(is_script && (says("/snap/") || says("flatpak")))
}

#[cfg(target_os = "linux")]
fn free_bytes(volume: &Path) -> u64 {
    rustix::fs::statvfs(volume).map_or(0, |room| room.f_bavail.saturating_mul(room.f_frsize))
}

#[cfg(not(target_os = "linux"))]
fn free_bytes(_: &Path) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_is_confined_is_known_by_how_it_is_started() {
        let directory = tempfile::tempdir().unwrap();
        let script = |text: &str| {
            let path = directory.path().join("browser");
            fs::write(&path, text).unwrap();
            is_seen_by(&path)
        };
        assert!(script("#!/bin/sh\nexec /usr/lib/chromium/chromium \"$@\"\n"));
        assert!(script("a program that mentions /snap/ is none"));
        assert!(!script("#!/bin/sh\nexec /snap/bin/chromium \"$@\"\n"));
        assert!(!script("#!/bin/sh\nexec flatpak run org.chromium.Chromium \"$@\"\n"));
        assert!(!is_seen_by(Path::new("/snap/bin/chromium")));
        assert!(!is_seen_by(Path::new("/usr/bin/snap")), "that is what the others lead to");
    }

    #[test]
    fn a_volume_without_room_is_none() {
        assert_eq!(free_bytes(Path::new("/nowhere")), 0);
        assert_eq!(free_bytes(Path::new("/proc")), 0);
    }
}
