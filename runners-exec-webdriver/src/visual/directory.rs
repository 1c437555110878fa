//! Baselines as files below a directory.

use super::baseline::{BaselineError, BaselineKey, Baselines};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    fs,
    io::{self, ErrorKind, Write as _},
    path::PathBuf,
};

/// How the name of a picture ends.
const PICTURE: &str = ".png";

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

    /// The baselines of a flow, each by its [path](BaselineKey::path), for it to
    /// [bring along](crate::BrowserFlow::with_baselines). None if there is no directory of it.
    ///
    /// # Errors
    /// If they are there, and cannot be read.
    pub fn of_flow(&self, title: &str) -> io::Result<BTreeMap<String, Bytes>> {
        let folder = BaselineKey::folder(title);
        let entries = match fs::read_dir(self.root.join(&folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(error),
        };
        let mut pictures = BTreeMap::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            if let Some(name) = name.to_str().filter(|name| name.ends_with(PICTURE)) {
                pictures.insert(format!("{folder}/{name}"), fs::read(entry.path())?.into());
            }
        }
        Ok(pictures)
    }

    /// Keeps a picture by the path that a result names.
    ///
    /// # Errors
    /// If it cannot be written, or the path is none of a baseline of this flow: a result comes from
    /// elsewhere, and may name what it likes.
    pub fn keep(&self, title: &str, path: &str, picture: &[u8]) -> io::Result<()> {
        let is_plain = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '-');
        let name = path.strip_prefix(&BaselineKey::folder(title)).and_then(|path| path.strip_prefix('/'));
        if !name.and_then(|name| name.strip_suffix(PICTURE)).is_some_and(is_plain) {
            let message = format!("{path:?} is no path of a baseline of this flow");
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        self.write(path, picture)
    }

    fn write(&self, path: &str, picture: &[u8]) -> io::Result<()> {
        let path = self.root.join(path);
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
        self.write(&key.path(), &picture).map_err(|error| BaselineError::new(key, "could not be kept", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_result_names_is_kept_only_where_baselines_of_its_flow_are() {
        let directory = tempfile::tempdir().unwrap();
        let baselines = DirectoryBaselines::new(directory.path().join("below"));
        assert!(baselines.of_flow("Signs in").unwrap().is_empty());
        baselines.keep("Signs in", "signs-in/cart-chrome-1x1.png", b"it").unwrap();
        let there = baselines.of_flow("Signs in").unwrap();
        assert_eq!(there["signs-in/cart-chrome-1x1.png"], b"it"[..]);
        for path in [
            "signs-in/../../x.png",
            "signs-in/a/b.png",
            "/signs-in/x.png",
            "other/x.png",
            "signs-in/x.sh",
            "signs-inx.png",
        ] {
            let refused = baselines.keep("Signs in", path, b"it").unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{path}");
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
