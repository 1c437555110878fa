//! Secrets in files, one each, as orchestrators mount them.

use super::{SecretError, SecretSource};
use crate::values::{job::JobSpec, secret::Secret};
use async_trait::async_trait;
use std::{
    fs::File,
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Finds secrets in the files of a directory: the secret `shop` is the text of the file `shop`, without
/// the end of its last line. Files are read for each attempt, so they can be replaced at any time.
///
/// On Unix, a file is refused that is open to more than it need be:
///
/// - One of the process's own user may be open to nobody else: `chmod 600`.
/// - One of another user may be read by its group, as Kubernetes mounts secrets for an `fsGroup` (`0440`).
/// - One of root on a file system that is mounted read-only may be read by everybody, as Swarm and Compose
///   mount secrets (`0444`): who else is there is for whoever mounts it.
#[derive(Clone, Debug)]
pub struct DirectorySecrets {
    path: PathBuf,
}

impl DirectorySecrets {
    /// Finds files in a directory.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

#[async_trait]
impl SecretSource for DirectorySecrets {
    async fn secret(&self, name: &str, _spec: &JobSpec) -> Result<Secret, SecretError> {
        if !Secret::is_name(name) {
            return Err(SecretError::Unknown);
        }
        let path = self.path.join(name);
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        read.unwrap_or_else(|error| Err(SecretError::Unavailable(Box::new(error))))
    }
}

fn read(path: &Path) -> Result<Secret, SecretError> {
    let unavailable = |error: std::io::Error| SecretError::Unavailable(Box::new(error));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(SecretError::Unknown),
        Err(error) => return Err(unavailable(error)),
    };
    #[cfg(unix)]
    mounted::check(&file, path)?;
    let mut text = Zeroizing::new(String::with_capacity(Secret::BYTES_MAX + 2));
    // One more than what is allowed, and the end of a line, so that what is too long is told.
    let limit = Secret::BYTES_MAX as u64 + 2;
    match file.take(limit).read_to_string(&mut text) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            return Err(SecretError::Unusable { problem: format!("{} is not UTF-8", path.display()) });
        }
        Err(error) => return Err(unavailable(error)),
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::from_text(line.strip_suffix('\r').unwrap_or(line)))
}

/// To whom a file may be open.
#[cfg(unix)]
mod mounted {
    use super::SecretError;
    use std::{
        fs::File,
        io,
        os::unix::fs::{MetadataExt as _, PermissionsExt as _},
        path::Path,
    };

    const ROOT: u32 = 0;

    pub(super) fn check(file: &File, path: &Path) -> Result<(), SecretError> {
        let unavailable = |error: io::Error| SecretError::Unavailable(Box::new(error));
        let found = file.metadata().map_err(unavailable)?;
        let mode = found.permissions().mode() & 0o777;
        let own = rustix::process::geteuid().as_raw();
        let is_read_only = || -> io::Result<bool> {
            let flags = rustix::fs::fstatvfs(file)?.f_flag;
            Ok(flags.contains(rustix::fs::StatVfsMountFlags::RDONLY))
        };
        // Only the kernel can say so, and mostly it need not be asked.
        let is_roots = found.uid() == ROOT && mode & 0o007 != 0 && is_read_only().map_err(unavailable)?;
        match wrong(mode, found.uid() == own, is_roots) {
            None => Ok(()),
            Some(why) => {
                Err(SecretError::Unusable { problem: why.replace("FILE", &path.display().to_string()) })
            }
        }
    }

    /// What is wrong with the mode of a file, if anything is.
    pub(super) fn wrong(mode: u32, is_own: bool, is_roots_and_read_only: bool) -> Option<String> {
        let allowed = match (is_roots_and_read_only, is_own) {
            (true, _) => 0o744,
            (false, true) => 0o700,
            (false, false) => 0o740,
        };
        if mode & !allowed == 0 {
            return None;
        }
        let way_out = if is_own {
            "chmod 600 FILE"
        } else {
            "it is another user's, so only its group may read it too: have it mounted with mode 0440"
        };
        Some(format!("FILE has mode {mode:04o}, so others can read it: {way_out}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{id::JobId, job::JobOptions};
    use std::fs;

    fn spec() -> JobSpec {
        JobSpec::new(JobId::from_bytes([1; 16]), "visit", b"", JobOptions::default())
    }

    fn write(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    #[tokio::test]
    async fn a_secret_is_the_text_of_its_file_and_nothing_outside_the_directory() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("secrets")).unwrap();
        write(&home.path().join("secrets/shop"), "hunter2 \r\n");
        write(&home.path().join("outside"), "other");
        let secrets = DirectorySecrets::new(home.path().join("secrets"));
        assert_eq!(secrets.secret("shop", &spec()).await.unwrap().expose(), "hunter2 ");
        for unknown in ["other", "../outside", ".."] {
            assert!(matches!(secrets.secret(unknown, &spec()).await, Err(SecretError::Unknown)), "{unknown}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_that_others_can_read_is_refused_with_the_way_out() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("shop");
        write(&path, "hunter2");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let told = DirectorySecrets::new(home.path()).secret("shop", &spec()).await.unwrap_err().to_string();
        assert!(told.contains("has mode 0640") && told.contains("chmod 600"), "{told}");
        assert!(!told.contains("hunter2"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_may_be_open_to_those_for_whom_it_was_mounted() {
        let is_good = |mode, is_own, is_roots| mounted::wrong(mode, is_own, is_roots).is_none();
        let (own, by_root) = (true, true);
        assert!(is_good(0o600, own, !by_root) && is_good(0o400, own, !by_root));
        assert!(
            !is_good(0o640, own, !by_root)
                && !is_good(0o440, own, !by_root)
                && !is_good(0o604, own, !by_root)
        );
        assert!(is_good(0o440, !own, !by_root) && is_good(0o640, !own, !by_root));
        for mode in [0o460, 0o444, 0o640 | 0o004, 0o450] {
            assert!(!is_good(mode, !own, !by_root), "{mode:04o}");
        }
        assert!(is_good(0o444, !own, by_root) && is_good(0o444, own, by_root));
        assert!(!is_good(0o446, !own, by_root) && !is_good(0o464, own, by_root));
        let told = mounted::wrong(0o444, !own, !by_root).unwrap();
        assert!(told.ends_with("have it mounted with mode 0440"), "{told}");
    }
}
