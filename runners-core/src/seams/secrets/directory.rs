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
/// the end of its last line. A file that others can read is refused (Unix). Files are read for each
/// attempt, so they can be replaced at any time.
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
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata().map_err(unavailable)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let shown = path.display();
            let problem = format!("{shown} has mode {mode:04o}, so others can read it: chmod 600 {shown}");
            return Err(SecretError::Unusable { problem });
        }
    }
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
}
