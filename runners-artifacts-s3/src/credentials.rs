//! Who speaks to the storage: a key and its secret, given, or read from a file that somebody renews.
//! Nothing here prints a secret.

use crate::error::{Trouble, What};
use runners_core::{BootTime, Clock};
use rusty_s3::Credentials;
use std::{
    env, fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::io::AsyncReadExt as _;

/// How long what was read from a file is taken for what it says.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// The largest file that is read: 64 KiB.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The section of a file that counts unless another is named.
const USUAL_PROFILE: &str = "default";

/// A key to the storage, and its secret.
#[derive(Clone)]
pub struct S3Credentials(Source);

#[derive(Clone)]
enum Source {
    Given(Arc<Credentials>),
    File(Arc<File>),
}

struct File {
    path: PathBuf,
    profile: String,
    read: Mutex<Option<(Arc<Credentials>, BootTime)>>,
}

impl S3Credentials {
    /// Takes a key and its secret.
    #[must_use]
    pub fn new(key: impl Into<String>, secret: impl Into<String>) -> Self {
        Self(Source::Given(Arc::new(Credentials::new(key, secret))))
    }

    /// Takes a key that is good for a while, its secret, and the token that goes with them.
    #[must_use]
    pub fn with_session_token(
        key: impl Into<String>,
        secret: impl Into<String>,
        token: impl Into<String>,
    ) -> Self {
        Self(Source::Given(Arc::new(Credentials::new_with_token(key, secret, token))))
    }

    /// Takes what `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if it is there,
    /// `AWS_SESSION_TOKEN` say now; none if the first two do not say anything.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        Credentials::from_env().map(|found| Self(Source::Given(Arc::new(found))))
    }

    /// Takes what a file says in the format that AWS's own tools share, in the section
    /// `AWS_PROFILE` or else `default`. It is read again every half a minute, so whoever renews it need
    /// not restart anything: write it beside, and rename it.
    #[must_use]
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        let profile = env::var("AWS_PROFILE").ok().filter(|profile| !profile.is_empty());
        let profile = profile.unwrap_or_else(|| USUAL_PROFILE.to_owned());
        Self(Source::File(Arc::new(File { path: path.into(), profile, read: Mutex::default() })))
    }

    /// Takes another section of the file. It means nothing where there is no file.
    #[must_use]
    pub fn profile(self, profile: impl Into<String>) -> Self {
        match self.0 {
            Source::File(file) => {
                let (path, profile) = (file.path.clone(), profile.into());
                Self(Source::File(Arc::new(File { path, profile, read: Mutex::default() })))
            }
            given @ Source::Given(_) => Self(given),
        }
    }

    /// What is good now.
    pub(crate) async fn current(&self, clock: &dyn Clock) -> Result<Arc<Credentials>, Trouble> {
        match &self.0 {
            Source::Given(given) => Ok(given.clone()),
            Source::File(file) => file.current(clock.boot()).await,
        }
    }
}

impl File {
    async fn current(&self, now: BootTime) -> Result<Arc<Credentials>, Trouble> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((found, at)) = &read
            && now.since(*at) < READ_AGAIN_AFTER
        {
            return Ok(found.clone());
        }
        let found = match (read_file(&self.path, &self.profile).await, read) {
            (Ok(found), _) => Arc::new(found),
            // Whoever renews it may be about to: what was good may still be.
            (Err(problem), Some((before, _))) => {
                let file = self.path.display();
                tracing::warn!(%file, problem, "credentials of the storage stay as they were");
                before
            }
            (Err(problem), None) => {
                let told = format!("{} {problem}", self.path.display());
                return Err(Trouble::new(What::NoCredentials).because(told));
            }
        };
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((found.clone(), now));
        Ok(found)
    }
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Given(_) => f.write_str("S3Credentials(given)"),
            Source::File(file) => write!(f, "S3Credentials({})", file.path.display()),
        }
    }
}

async fn read_file(path: &Path, profile: &str) -> Result<Credentials, String> {
    let told = |error: std::io::Error| format!("cannot be read: {error}");
    let file = tokio::fs::File::open(path).await.map_err(told)?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).await.map_err(told)?;
    parse(&text, profile)
}

fn parse(text: &str, profile: &str) -> Result<Credentials, String> {
    let (mut is_there, mut is_ours) = (false, false);
    let (mut key, mut secret, mut token) = (None, None, None);
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            is_ours = section.trim() == profile;
            is_there |= is_ours;
        } else if let (true, Some((name, value))) = (is_ours, line.split_once('=')) {
            let value = Some(value.trim()).filter(|value| !value.is_empty());
            match name.trim() {
                "aws_access_key_id" => key = value,
                "aws_secret_access_key" => secret = value,
                "aws_session_token" => token = value,
                _ => {}
            }
        }
    }
    if !is_there {
        return Err(format!("has no section [{profile}]"));
    }
    match (key, secret, token) {
        (Some(key), Some(secret), Some(token)) => Ok(Credentials::new_with_token(key, secret, token)),
        (Some(key), Some(secret), None) => Ok(Credentials::new(key, secret)),
        _ => Err(format!("lacks aws_access_key_id or aws_secret_access_key in [{profile}]")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# renewed\n[default]\naws_access_key_id = AK\naws_secret_access_key=hush-hush\n\
                        [other]\naws_access_key_id=OTHER\naws_secret_access_key=x\naws_session_token = st\n";

    #[test]
    fn a_file_says_a_key_for_each_section() {
        let found = parse(FILE, "default").unwrap();
        assert_eq!((found.key(), found.secret(), found.token()), ("AK", "hush-hush", None));
        assert_eq!(parse(FILE, "other").unwrap().token(), Some("st"));
        assert_eq!(parse(FILE, "third").unwrap_err(), "has no section [third]");
        let half = parse("[default]\naws_access_key_id=AK\n", "default").unwrap_err();
        assert!(half.contains("aws_secret_access_key"), "{half}");
    }

    #[test]
    fn nothing_prints_a_secret() {
        for credentials in
            [S3Credentials::new("AK", "hush"), S3Credentials::with_session_token("AK", "hush", "hush")]
        {
            assert!(!format!("{credentials:?}").contains("hush"));
        }
    }
}
