//! Baselines as files below a directory.

use super::baseline::{BaselineError, BaselineKey, Baselines};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    fs,
    io::{self, ErrorKind, Write as _},
    path::PathBuf,
};

/// Keeps baselines as files: a directory for each flow, a PNG for each picture, engine and size.
#[derive(Clone, Debug)]
pub struct DirectoryBaselines {
    root: PathBuf,
}

impl DirectoryBaselines {
    /// Takes the directory; it is made with the first baseline.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn write(&self, key: &BaselineKey, picture: &[u8]) -> io::Result<()> {
        let path = self.root.join(key.path());
        let directory = path.parent().expect("invariant: a key has two parts");
        fs::create_dir_all(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(picture)?;
        file.persist(&path)?;
        Ok(())
    }
}

#[async_trait]
impl Baselines for DirectoryBaselines {
    async fn get(&self, key: &BaselineKey) -> Result<Option<Bytes>, BaselineError> {
        match fs::read(self.root.join(key.path())) {
            Ok(picture) => Ok(Some(picture.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BaselineError::new(key, "cannot be read", error)),
        }
    }

    async fn put(&self, key: &BaselineKey, picture: Bytes) -> Result<(), BaselineError> {
        self.write(key, &picture).map_err(|error| BaselineError::new(key, "could not be kept", error))
    }
}
