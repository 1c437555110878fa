//! What lies in a directory of artifacts: listed in the order of digests, and removed unless it was
//! put again.

use super::DirectoryArtifacts;
use crate::{
    seams::artifact::{ArtifactKey, StoredArtifact},
    values::{digest::Digest, id::TenantId},
};
use std::{fs, io, path::Path, time::UNIX_EPOCH};

/// Below the root: whoever puts holds it together with others, and whoever removes what nobody
/// names holds it alone, so that nothing is removed that was just put.
const LOCK: &str = "lock";

impl DirectoryArtifacts {
    pub(super) fn stored(
        &self,
        tenant: TenantId,
        after: Option<Digest>,
        limit: usize,
    ) -> io::Result<Vec<StoredArtifact>> {
        let tenant_root = self.root.join(tenant.to_string());
        let after = after.map(|digest| digest.to_string()).unwrap_or_default();
        let mut found = Vec::new();
        for shelf in names_in(&tenant_root)? {
            if shelf.as_str() < after.get(..2).unwrap_or_default() {
                continue;
            }
            for name in names_in(&tenant_root.join(&shelf))?.into_iter().filter(|name| *name > after) {
                let Ok(digest) = name.parse::<Digest>() else { continue };
                let key = ArtifactKey { tenant, digest };
                // It may have been removed since it was listed.
                let Some((length, stamp)) = look(&self.path(&key))? else { continue };
                found.push(StoredArtifact { key, length, stamp });
                if found.len() >= limit {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    pub(super) fn remove_unless_put(&self, key: &ArtifactKey, stamp: u64) -> io::Result<bool> {
        let lock = open_lock(&self.root)?;
        lock.lock().or_else(no_locks)?;
        let path = self.path(key);
        match look(&path)? {
            Some((_, found)) if found == stamp => fs::remove_file(&path).map(|()| true),
            _ => Ok(false),
        }
    }
}

/// Held while an artifact gets its name.
pub(super) fn putting(root: &Path) -> io::Result<fs::File> {
    let lock = open_lock(root)?;
    lock.lock_shared().or_else(no_locks)?;
    Ok(lock)
}

fn open_lock(root: &Path) -> io::Result<fs::File> {
    fs::File::options().create(true).truncate(false).write(true).open(root.join(LOCK))
}

/// Some file systems have no locks. There, the grace alone has to do.
fn no_locks(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::Unsupported { Ok(()) } else { Err(error) }
}

/// The length of a file, and when it was written.
fn look(path: &Path) -> io::Result<Option<(u64, u64)>> {
    match fs::metadata(path) {
        Ok(found) => {
            let written = found.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            Ok(Some((found.len(), u64::try_from(written.as_nanos()).unwrap_or(u64::MAX))))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names in a directory, in order; none if it is not there, or is somebody else's file.
fn names_in(directory: &Path) -> io::Result<Vec<String>> {
    use io::ErrorKind::{NotADirectory, NotFound};
    let entries = match fs::read_dir(directory) {
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}
