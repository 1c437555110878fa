//! The files of a spool: `lock`, `boots`, `finishes/` and `secrets/`. Each file is written beside
//! its place, synced and renamed, so that a crash leaves the old or the new one whole.

use super::{Spool, SpoolError};
use crate::values::{lease::FencingToken, sync::Finish};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

/// The largest file of a finish: 1 MiB.
const FINISH_BYTES_MAX: u64 = 1 << 20;

/// The file that says that a runner for a single use was used.
const USED: &str = "used";

#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Held for its lock.
    _lock: File,
}

impl Directory {
    pub(super) fn open(path: PathBuf) -> Result<Self, SpoolError> {
        make_private(&path)?;
        // Who may only look at it finds nothing: what is below is private.
        check_private(&path, 0o022, 0o700)?;
        let lock = lock(&path)?;
        let directory = Self { path, _lock: lock };
        make_private(&directory.finishes_path())?;
        make_private(&directory.secrets_path())?;
        directory.check()?;
        Ok(directory)
    }

    /// Nobody else can enter the directories, or read a secret.
    fn check(&self) -> Result<(), SpoolError> {
        let secrets = self.secrets_path();
        check_private(&self.finishes_path(), 0o077, 0o700)?;
        check_private(&secrets, 0o077, 0o700)?;
        for entry in fs::read_dir(&secrets).map_err(unusable(&secrets))? {
            check_private(&entry.map_err(unusable(&secrets))?.path(), 0o077, 0o600)?;
        }
        Ok(())
    }

    pub(super) fn boots(&self) -> Result<u64, SpoolError> {
        let path = self.path.join("boots");
        let Some(text) = read(&path)? else { return Ok(0) };
        match text.trim().parse() {
            Ok(boots) => Ok(boots),
            Err(error) => Err(SpoolError::Unusable { path, source: Box::new(error) }),
        }
    }

    pub(super) fn write_boots(&self, boots: u64) -> Result<(), SpoolError> {
        write(&self.path, "boots", format!("{boots}\n").as_bytes())
    }

    pub(super) fn finishes(&self) -> Result<BTreeMap<FencingToken, Finish>, SpoolError> {
        let mut finishes = BTreeMap::new();
        let path = self.finishes_path();
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(unusable(&path))? {
            names.push(entry.map_err(unusable(&path))?.file_name());
        }
        names.sort();
        for name in names.iter().filter(|name| Path::new(name).extension().is_some_and(|is| is == "json")) {
            if finishes.len() >= Spool::FINISHES_MAX {
                tracing::warn!(limit = Spool::FINISHES_MAX, "spool has more finishes than its limit");
                break;
            }
            let file = path.join(name);
            match read_finish(&file) {
                Ok(finish) => drop(finishes.insert(finish.token, finish)),
                Err(error) => set_aside(&file, &error)?,
            }
        }
        Ok(finishes)
    }

    pub(super) fn keep(&self, finish: &Finish) -> Result<(), SpoolError> {
        let bytes = serde_json::to_vec(finish).expect("a finish is plain data");
        write(&self.finishes_path(), &file_name(finish.token), &bytes)
    }

    pub(super) fn forget(&self, tokens: &[FencingToken]) -> Result<(), SpoolError> {
        tokens.iter().try_for_each(|token| remove(&self.finishes_path().join(file_name(*token))))
    }

    pub(super) fn was_used(&self) -> Result<bool, SpoolError> {
        let path = self.path.join(USED);
        path.try_exists().map_err(unusable(&path))
    }

    pub(super) fn keep_used(&self, used: bool) -> Result<(), SpoolError> {
        if used { write(&self.path, USED, b"") } else { remove(&self.path.join(USED)) }
    }

    pub(super) fn read_secret(&self, name: &str) -> Result<Option<String>, SpoolError> {
        read(&self.secrets_path().join(name))
    }

    pub(super) fn write_secret(&self, name: &str, text: &str) -> Result<(), SpoolError> {
        write(&self.secrets_path(), name, text.as_bytes())
    }

    pub(super) fn remove_secret(&self, name: &str) -> Result<(), SpoolError> {
        remove(&self.secrets_path().join(name))
    }

    fn finishes_path(&self) -> PathBuf {
        self.path.join("finishes")
    }

    fn secrets_path(&self) -> PathBuf {
        self.path.join("secrets")
    }
}

fn file_name(token: FencingToken) -> String {
    format!("{}-{}.json", token.job, token.grant)
}

fn unusable(path: &Path) -> impl FnOnce(io::Error) -> SpoolError + use<> {
    let path = path.to_owned();
    move |error| SpoolError::Unusable { path, source: Box::new(error) }
}

/// Makes a directory that only this user can enter.
fn make_private(path: &Path) -> Result<(), SpoolError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(unusable(path))
}

/// Refuses what others have any of the rights `theirs` to: it may have been copied, or put there.
#[cfg(unix)]
fn check_private(path: &Path, theirs: u32, wanted: u32) -> Result<(), SpoolError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).map_err(unusable(path))?.permissions().mode() & 0o777;
    if mode & theirs == 0 { Ok(()) } else { Err(SpoolError::Exposed { path: path.to_owned(), mode, wanted }) }
}

#[cfg(not(unix))]
fn check_private(_path: &Path, _theirs: u32, _wanted: u32) -> Result<(), SpoolError> {
    Ok(())
}

/// The lock is the operating system's, so it ends with the process however that ends.
fn lock(path: &Path) -> Result<File, SpoolError> {
    let file = path.join("lock");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    private(&mut options);
    let mut lock = options.open(&file).map_err(unusable(&file))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let holder = lock.read_to_string(&mut text).ok().map(|_| text.trim().to_owned());
            return Err(SpoolError::Locked {
                path: path.to_owned(),
                holder: holder.filter(|holder| !holder.is_empty()),
            });
        }
        Err(TryLockError::Error(error)) => return Err(unusable(&file)(error)),
    }
    let written = lock
        .set_len(0)
        .and_then(|()| lock.rewind())
        .and_then(|()| writeln!(lock, "process {}", std::process::id()));
    written.map_err(unusable(&file))?;
    Ok(lock)
}

fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

fn read(path: &Path) -> Result<Option<String>, SpoolError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(path)(error)),
    }
}

fn read_finish(path: &Path) -> Result<Finish, io::Error> {
    let length = fs::metadata(path)?.len();
    if length > FINISH_BYTES_MAX {
        return Err(io::Error::other(format!("{length} bytes are over the limit of {FINISH_BYTES_MAX}")));
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<(), SpoolError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(path)(error)),
        _ => Ok(()),
    }
}

fn set_aside(path: &Path, error: &io::Error) -> Result<(), SpoolError> {
    let aside = path.with_extension("unreadable");
    tracing::warn!(%error, aside = %aside.display(), "a finish in the spool cannot be read and is set aside");
    fs::rename(path, &aside).map_err(unusable(path))
}

fn write(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), SpoolError> {
    let path = directory.join(name);
    replace(directory, &path, bytes).map_err(unusable(&path))
}

fn replace(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(directory)?; // mode 0600
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    #[cfg(unix)]
    File::open(directory)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{id::JobId, outcome::Outcome};

    fn finish(grant: u64) -> Finish {
        Finish {
            token: FencingToken { job: JobId::from_bytes([7; 16]), grant },
            tenant: None,
            outcome: Outcome::Passed,
            result: Some(b"1".to_vec().into()),
            result_artifact: None,
            missing: Vec::new(),
            log_end: None,
        }
    }

    #[tokio::test]
    async fn finishes_starts_and_secrets_survive_the_process() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::directory(home.path()).unwrap();
        assert_eq!(spool.boot().unwrap(), 1);
        spool.keep(finish(1)).await.unwrap();
        spool.keep(finish(2)).await.unwrap();
        spool.forget(vec![finish(1).token]).await;
        spool.write_secret("credential", "s").unwrap();
        drop(spool);
        let spool = Spool::directory(home.path()).unwrap();
        assert_eq!(spool.finishes(), [finish(2)]);
        assert_eq!(spool.boot().unwrap(), 2);
        assert_eq!(spool.read_secret("credential").unwrap().as_deref(), Some("s"));
        assert_eq!(spool.read_secret("other").unwrap(), None);
    }

    #[test]
    fn a_second_owner_is_refused_and_told_who_the_first_is() {
        let home = tempfile::tempdir().unwrap();
        let _spool = Spool::directory(home.path()).unwrap();
        let error = Spool::directory(home.path()).unwrap_err();
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    }

    #[tokio::test]
    async fn an_unreadable_finish_is_set_aside_and_the_others_are_kept() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::directory(home.path()).unwrap();
        spool.keep(finish(1)).await.unwrap();
        drop(spool);
        fs::write(home.path().join("finishes/broken.json"), "{").unwrap();
        fs::write(home.path().join("finishes/.new-half"), "{").unwrap();
        let spool = Spool::directory(home.path()).unwrap();
        assert_eq!(spool.finishes(), [finish(1)]);
        assert!(home.path().join("finishes/broken.unreadable").exists());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_can_read_what_is_kept() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("spool");
        let spool = Spool::directory(&path).unwrap();
        spool.boot().unwrap();
        spool.keep(finish(1)).await.unwrap();
        spool.write_secret("credential", "s").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&path), mode(&path.join("finishes")), mode(&path.join("secrets"))], [0o700; 3]);
        for file in ["lock", "boots", "secrets/credential"] {
            assert_eq!(mode(&path.join(file)), 0o600, "{file}");
        }
        assert_eq!(mode(&path.join("finishes").join(file_name(finish(1).token))), 0o600);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_others_can_get_at_is_refused_with_the_way_out() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("spool");
        Spool::directory(&path).unwrap().write_secret("credential", "s").unwrap();
        for (file, exposed, wanted) in
            [("finishes", 0o705, 0o700), ("secrets", 0o750, 0o700), ("secrets/credential", 0o604, 0o600)]
        {
            let file = path.join(file);
            let allow = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            allow(exposed);
            let told = Spool::directory(&path).unwrap_err().to_string();
            assert!(told.contains(&format!("mode {exposed:04o}")), "{told}");
            assert!(told.ends_with(&format!("chmod {wanted:o} {}", file.display())), "{told}");
            allow(wanted);
            drop(Spool::directory(&path).unwrap());
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o720)).unwrap();
        let told = Spool::directory(&path).unwrap_err().to_string();
        assert!(told.contains("mode 0720"), "others could put files there: {told}");
    }
}
