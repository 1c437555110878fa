//! Uploads in pieces: a file that grows below `pieces`, until it is whole and becomes an artifact.
//!
//! Whoever adds to it holds its lock. It is not forced to disk before it is whole: what a crash takes is
//! sent again, and the digest at the end tells whether the rest is right.

use super::{DirectoryArtifacts, blocking, shelf, sync_directory, trouble};
use crate::{
    seams::artifact::{ArtifactError, ArtifactKey, ByteStream, intake::ArtifactIntake},
    values::digest::{Digest, DigestStream},
};
use futures::StreamExt as _;
use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

/// Below the root: what is being put piece by piece.
const PIECES: &str = "pieces";

/// How much is read at once to digest it.
const READ_BYTES: usize = 256 << 10;

impl DirectoryArtifacts {
    fn pieces(&self, key: &ArtifactKey, length: u64) -> PathBuf {
        self.root.join(PIECES).join(format!("{}-{}-{length}", key.tenant, key.digest))
    }

    /// How many bytes are here; `None` while somebody adds to them.
    pub(super) async fn offset(&self, key: ArtifactKey, length: u64) -> Result<Option<u64>, ArtifactError> {
        ArtifactIntake::new(key, length, self.bytes_max)?;
        let path = self.pieces(&key, length);
        let found = blocking(move || match fs::File::open(path) {
            Ok(file) => match file.try_lock_shared() {
                Ok(()) => Ok(Some(file.metadata()?.len())),
                Err(fs::TryLockError::WouldBlock) => Ok(None),
                Err(fs::TryLockError::Error(error)) => Err(error),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(0)),
            Err(error) => Err(error),
        });
        found.await.map_err(trouble)
    }

    /// Adds a piece, and makes an artifact of the whole.
    pub(super) async fn add(
        &self,
        key: ArtifactKey,
        length: u64,
        offset: u64,
        mut bytes: ByteStream,
    ) -> Result<u64, ArtifactError> {
        ArtifactIntake::new(key, length, self.bytes_max)?;
        let path = self.pieces(&key, length);
        let (file, stands) = blocking({
            let path = path.clone();
            move || open(&path)
        })
        .await
        .map_err(trouble)?;
        if stands != offset {
            return Err(ArtifactError::Offset { stands });
        }
        // What is sent at once need not be read again.
        let mut passed = (offset == 0).then(Digest::stream);
        let mut file = tokio::fs::File::from_std(file);
        file.seek(io::SeekFrom::Start(offset)).await.map_err(trouble)?;
        let mut stands = offset;
        let ended = loop {
            let Some(piece) = bytes.next().await else { break Ok(()) };
            let piece = match piece {
                Ok(piece) => piece,
                Err(source) => break Err(ArtifactError::Unavailable(source)),
            };
            stands += piece.len() as u64;
            if stands > length {
                break Err(ArtifactError::Mismatch(key.digest));
            }
            passed.iter_mut().for_each(|passed| passed.update(&piece));
            file.write_all(&piece).await.map_err(trouble)?;
        };
        file.flush().await.map_err(trouble)?;
        let file = file.into_std().await;
        match ended {
            Ok(()) if stands == length => {}
            Err(error @ ArtifactError::Mismatch(_)) => {
                blocking(move || fs::remove_file(path)).await.map_err(trouble)?;
                return Err(error);
            }
            ended => return ended.map(|()| stands),
        }
        let (to, root, digest) = (self.path(&key), self.root.clone(), key.digest);
        let whole = blocking(move || finish(file, passed, digest, (&path, &to), &root));
        match whole.await.map_err(trouble)? {
            true => Ok(length),
            false => Err(ArtifactError::Mismatch(key.digest)),
        }
    }

    /// Removes what is here, unless somebody adds to it.
    pub(super) async fn forget(&self, key: ArtifactKey, length: u64) -> Result<(), ArtifactError> {
        let path = self.pieces(&key, length);
        let removed = blocking(move || match fs::File::open(&path) {
            Ok(file) if file.try_lock().is_ok() => fs::remove_file(&path),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        });
        removed.await.map_err(trouble)
    }
}

/// Opens and locks what is here, and tells how long it is.
fn open(path: &Path) -> io::Result<(fs::File, u64)> {
    let parent = path.parent().expect("invariant: a path below the root has a parent");
    fs::create_dir_all(parent)?;
    let mut options = fs::File::options();
    options.create(true).truncate(false).read(true).write(true);
    // As what is put at once.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(io::ErrorKind::ResourceBusy.into()),
        Err(fs::TryLockError::Error(error)) => return Err(error),
    }
    // Whoever held the lock before may have made an artifact of it, or removed it.
    if !path.exists() {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    let length = file.metadata()?.len();
    Ok((file, length))
}

/// Makes an artifact of the whole if it is the right one, and removes it if not.
fn finish(
    file: fs::File,
    passed: Option<DigestStream>,
    digest: Digest,
    (from, to): (&Path, &Path),
    root: &Path,
) -> io::Result<bool> {
    file.sync_all()?;
    let found = match passed {
        Some(passed) => passed.finish(),
        None => digest_of(from)?,
    };
    if found != digest {
        fs::remove_file(from)?;
        return Ok(false);
    }
    let _putting = shelf::putting(root)?;
    let parent = to.parent().expect("invariant: a path below the root has a parent");
    super::make_directory(parent)?;
    // Its time of writing is its stamp, and it may have been written long ago.
    file.set_modified(written_now(root)?)?;
    fs::rename(from, to)?;
    drop(file);
    sync_directory(parent)?;
    Ok(true)
}

fn digest_of(path: &Path) -> io::Result<Digest> {
    let (mut file, mut piece, mut digest) = (fs::File::open(path)?, vec![0; READ_BYTES], Digest::stream());
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(digest.finish()),
            read => digest.update(&piece[..read]),
        }
    }
}

/// The time by which this file system writes.
fn written_now(root: &Path) -> io::Result<std::time::SystemTime> {
    tempfile::tempfile_in(root.join(super::INCOMING))?.metadata()?.modified()
}
