//! Artifacts kept in a directory: one file each, whole or not there.
//!
//! Bytes go to a temporary file below `incoming`, which is forced to disk and then renamed to
//! `tenant/aa/sha256`, where `aa` are the first two digits of the digest. Those that come in pieces grow
//! below `pieces` until they are whole.

mod pieces;
mod shelf;

use crate::{
    seams::artifact::{
        ArtifactError, ArtifactKey, ArtifactStore, ByteStream, StoredArtifact,
        intake::{ArtifactIntake, BYTES_MAX_DEFAULT, clip},
    },
    values::{digest::Digest, id::TenantId},
};
use async_trait::async_trait;
use bytes::BytesMut;
use futures::{StreamExt as _, stream};
use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};
use tempfile::TempPath;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

/// Keeps artifacts in a directory. Several processes may share it.
#[derive(Clone, Debug)]
pub struct DirectoryArtifacts {
    root: PathBuf,
    bytes_max: u64,
}

/// Below the root: what is being put. A temporary file is locked for as long as somebody writes
/// it, so those that can be locked were left behind by a process that is gone.
const INCOMING: &str = "incoming";

/// How many temporary files are made for one put, if a sweep takes them before they are locked.
const BEGINS_MAX: usize = 10;

/// How much is read from a file at once.
const PIECE_BYTES: usize = 64 << 10;

impl DirectoryArtifacts {
    /// Opens `root`, makes it if it is not there, and removes what puts that never ended have left.
    ///
    /// # Errors
    /// The directory cannot be made, read or written.
    pub async fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        blocking(move || {
            fs::create_dir_all(root.join(INCOMING))?;
            sweep(&root.join(INCOMING))?;
            Ok(Self { root, bytes_max: BYTES_MAX_DEFAULT })
        })
        .await
    }

    /// The largest number of bytes in one artifact. 1 GiB unless said otherwise.
    #[must_use]
    pub const fn bytes_max(mut self, bytes_max: u64) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    fn path(&self, key: &ArtifactKey) -> PathBuf {
        let digest = key.digest.to_string();
        self.root.join(key.tenant.to_string()).join(&digest[..2]).join(digest)
    }
}

#[async_trait]
impl ArtifactStore for DirectoryArtifacts {
    async fn put(&self, key: ArtifactKey, length: u64, mut bytes: ByteStream) -> Result<(), ArtifactError> {
        let mut intake = ArtifactIntake::new(key, length, self.bytes_max)?;
        let incoming = self.root.join(INCOMING);
        let (file, temporary) = blocking(move || begin(&incoming)).await.map_err(trouble)?;
        let mut file = tokio::fs::File::from_std(file);
        while let Some(piece) = bytes.next().await {
            let piece = piece.map_err(ArtifactError::Unavailable)?;
            intake.take(&piece)?;
            file.write_all(&piece).await.map_err(trouble)?;
        }
        intake.finish()?;
        file.flush().await.map_err(trouble)?;
        let (file, path, root) = (file.into_std().await, self.path(&key), self.root.clone());
        blocking(move || settle(&file, temporary, &path, &root)).await.map_err(trouble)
    }

    async fn get(&self, key: ArtifactKey, range: Option<Range<u64>>) -> Result<ByteStream, ArtifactError> {
        let missing = |error| missing_or_trouble(error, key.digest);
        let mut file = tokio::fs::File::open(self.path(&key)).await.map_err(missing)?;
        let length = file.metadata().await.map_err(trouble)?.len();
        let part = clip(range, length);
        file.seek(io::SeekFrom::Start(part.start)).await.map_err(trouble)?;
        let left = part.end - part.start;
        Ok(stream::try_unfold((file, left), |(mut file, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let wanted = usize::try_from(left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
            let mut piece = BytesMut::with_capacity(wanted);
            let read = (&mut file).take(wanted as u64).read_buf(&mut piece).await?;
            if read == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            Ok(Some((piece.freeze(), (file, left - read as u64))))
        })
        .boxed())
    }

    async fn head(&self, key: ArtifactKey) -> Result<Option<u64>, ArtifactError> {
        match tokio::fs::metadata(self.path(&key)).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(trouble(error)),
        }
    }

    async fn delete(&self, key: ArtifactKey) -> Result<(), ArtifactError> {
        match tokio::fs::remove_file(self.path(&key)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(trouble(error)),
            _ => Ok(()),
        }
    }

    async fn list(
        &self,
        tenant: TenantId,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<StoredArtifact>, ArtifactError> {
        let artifacts = self.clone();
        blocking(move || artifacts.stored(tenant, after, limit)).await.map_err(trouble)
    }

    async fn delete_unless_put(&self, key: ArtifactKey, stamp: u64) -> Result<bool, ArtifactError> {
        let artifacts = self.clone();
        blocking(move || artifacts.remove_unless_put(&key, stamp)).await.map_err(trouble)
    }

    async fn upload_offset(&self, key: ArtifactKey, length: u64) -> Result<Option<u64>, ArtifactError> {
        self.offset(key, length).await
    }

    async fn append(
        &self,
        key: ArtifactKey,
        length: u64,
        offset: u64,
        bytes: ByteStream,
    ) -> Result<u64, ArtifactError> {
        self.add(key, length, offset, bytes).await
    }

    async fn forget_upload(&self, key: ArtifactKey, length: u64) -> Result<(), ArtifactError> {
        self.forget(key, length).await
    }
}

/// Opens and locks a new temporary file. Whatever happens then, its path is removed when the
/// [`TempPath`] is dropped, unless it was renamed.
fn begin(incoming: &Path) -> io::Result<(fs::File, TempPath)> {
    for _ in 0..BEGINS_MAX {
        let (file, path) = tempfile::Builder::new().tempfile_in(incoming)?.into_parts();
        match file.try_lock() {
            // A sweep may have found it before it was locked.
            Ok(()) if path.exists() => return Ok((file, path)),
            Ok(()) | Err(fs::TryLockError::WouldBlock) => {}
            // Some file systems have no locks. There, a sweep leaves temporary files alone.
            Err(fs::TryLockError::Error(_)) => return Ok((file, path)),
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Makes what was written durable, under its own name.
fn settle(file: &fs::File, temporary: TempPath, path: &Path, root: &Path) -> io::Result<()> {
    file.sync_all()?;
    let _putting = shelf::putting(root)?;
    let parent = path.parent().expect("invariant: a path below the root has a parent");
    make_directory(parent)?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_directory(parent)
}

/// Makes `directory` and what is missing above it, each forced to disk in its parent.
fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let Some(parent) = directory.parent() else { return Ok(()) };
    make_directory(parent)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_directory(parent),
    }
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

/// Elsewhere a directory cannot be opened as a file, and a rename is as durable as it gets.
#[cfg(not(unix))]
fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

fn sweep(incoming: &Path) -> io::Result<()> {
    for entry in fs::read_dir(incoming)? {
        let path = entry?.path();
        let Ok(file) = fs::File::open(&path) else { continue };
        if file.try_lock().is_ok() {
            match fs::remove_file(&path) {
                // It got its own name meanwhile.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn missing_or_trouble(error: io::Error, digest: Digest) -> ArtifactError {
    match error.kind() {
        io::ErrorKind::NotFound => ArtifactError::Missing(digest),
        _ => trouble(error),
    }
}

fn trouble(error: io::Error) -> ArtifactError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ArtifactError::Full(error.into()),
        _ => ArtifactError::Unavailable(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn key(bytes: &[u8]) -> ArtifactKey {
        ArtifactKey { tenant: crate::TenantId::DEFAULT, digest: Digest::of(bytes) }
    }

    fn once(bytes: &'static [u8]) -> ByteStream {
        stream::iter([Ok(Bytes::from_static(bytes))]).boxed()
    }

    fn incoming(root: &Path) -> usize {
        fs::read_dir(root.join(INCOMING)).unwrap().count()
    }

    #[cfg(feature = "testing")]
    mod suite {
        use super::super::*;
        #[derive(Debug)]
        struct Guarded(
            DirectoryArtifacts,
            #[expect(dead_code, reason = "removed when dropped")] tempfile::TempDir,
        );
        #[async_trait]
        impl ArtifactStore for Guarded {
            async fn put(
                &self,
                key: ArtifactKey,
                length: u64,
                bytes: ByteStream,
            ) -> Result<(), ArtifactError> {
                self.0.put(key, length, bytes).await
            }
            async fn get(
                &self,
                key: ArtifactKey,
                range: Option<Range<u64>>,
            ) -> Result<ByteStream, ArtifactError> {
                self.0.get(key, range).await
            }
            async fn head(&self, key: ArtifactKey) -> Result<Option<u64>, ArtifactError> {
                self.0.head(key).await
            }
            async fn delete(&self, key: ArtifactKey) -> Result<(), ArtifactError> {
                self.0.delete(key).await
            }
            async fn list(
                &self,
                tenant: TenantId,
                after: Option<Digest>,
                limit: usize,
            ) -> Result<Vec<StoredArtifact>, ArtifactError> {
                self.0.list(tenant, after, limit).await
            }
            async fn delete_unless_put(&self, key: ArtifactKey, stamp: u64) -> Result<bool, ArtifactError> {
                self.0.delete_unless_put(key, stamp).await
            }
            async fn upload_offset(
                &self,
                key: ArtifactKey,
                length: u64,
            ) -> Result<Option<u64>, ArtifactError> {
                self.0.upload_offset(key, length).await
            }
            async fn append(
                &self,
                key: ArtifactKey,
                length: u64,
                offset: u64,
                bytes: ByteStream,
            ) -> Result<u64, ArtifactError> {
                self.0.append(key, length, offset, bytes).await
            }
            async fn forget_upload(&self, key: ArtifactKey, length: u64) -> Result<(), ArtifactError> {
                self.0.forget_upload(key, length).await
            }
        }
        async fn make() -> Guarded {
            let directory = tempfile::tempdir().unwrap();
            Guarded(DirectoryArtifacts::open(directory.path()).await.unwrap(), directory)
        }
        crate::artifact_suite!(make);
    }

    #[tokio::test]
    async fn an_artifact_lies_below_its_tenant_and_the_first_two_digits() {
        let directory = tempfile::tempdir().unwrap();
        let artifacts = DirectoryArtifacts::open(directory.path()).await.unwrap();
        artifacts.put(key(b"abc"), 3, once(b"abc")).await.unwrap();
        let digest = Digest::of(b"abc").to_string();
        let tenant = crate::TenantId::DEFAULT.to_string();
        let path = directory.path().join(tenant).join(&digest[..2]).join(&digest);
        assert_eq!(fs::read(&path).unwrap(), b"abc");
        assert_eq!(incoming(directory.path()), 0);
        // What somebody has left beside it is not ours.
        fs::write(path.parent().unwrap().with_file_name("notes.txt"), "x").unwrap();
        assert_eq!(artifacts.list(crate::TenantId::DEFAULT, None, 10).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_was_put_is_there_after_another_open() {
        let directory = tempfile::tempdir().unwrap();
        let artifacts = DirectoryArtifacts::open(directory.path()).await.unwrap();
        artifacts.put(key(b"abc"), 3, once(b"abc")).await.unwrap();
        let again = DirectoryArtifacts::open(directory.path()).await.unwrap();
        assert_eq!(again.head(key(b"abc")).await.unwrap(), Some(3));
    }

    #[tokio::test]
    async fn an_open_sweeps_what_is_stale_and_spares_what_is_being_put() {
        let directory = tempfile::tempdir().unwrap();
        let artifacts = DirectoryArtifacts::open(directory.path()).await.unwrap();
        fs::write(directory.path().join(INCOMING).join("stale"), "half").unwrap();
        let (send, receive) = futures::channel::mpsc::unbounded();
        let put = artifacts.put(key(b"abc"), 3, receive.boxed());
        let meanwhile = async {
            send.unbounded_send(Ok(Bytes::from_static(b"a"))).unwrap();
            // It is taken once the file is there and locked.
            while !send.is_empty() {
                tokio::task::yield_now().await;
            }
            DirectoryArtifacts::open(directory.path()).await.unwrap();
            assert_eq!(incoming(directory.path()), 1, "the stale file is gone, the live one is not");
            send.unbounded_send(Ok(Bytes::from_static(b"bc"))).unwrap();
            drop(send);
        };
        let (put, ()) = futures::join!(put, meanwhile);
        put.unwrap();
        assert_eq!(artifacts.head(key(b"abc")).await.unwrap(), Some(3));
    }

    #[tokio::test]
    async fn a_put_that_fails_or_is_dropped_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let artifacts = DirectoryArtifacts::open(directory.path()).await.unwrap();
        artifacts.put(key(b"abc"), 3, once(b"xyz")).await.unwrap_err();
        assert_eq!(incoming(directory.path()), 0);
        {
            let put = artifacts.put(key(b"abc"), 3, stream::pending().boxed());
            futures::pin_mut!(put);
            while incoming(directory.path()) == 0 {
                assert!(futures::poll!(put.as_mut()).is_pending());
                tokio::task::yield_now().await;
            }
        }
        // The file may still be on its way from the thread that made it.
        while incoming(directory.path()) > 0 {
            tokio::task::yield_now().await;
        }
    }
}
