//! The log of a runner in the background: one file, and a few before it, none longer than a bound.

use super::home::private;
use anyhow::{Context as _, Result};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// A log of this length is put aside, and a new one begun.
const BYTES_MAX: u64 = 8 << 20;

/// How many logs that were put aside are kept.
const KEPT_MAX: u32 = 3;

/// A log that is put aside when it is long enough.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    bytes_max: u64,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    length: u64,
}

/// Writes to a journal, line by line.
#[derive(Clone, Debug)]
pub(crate) struct JournalWriter(pub(crate) Arc<Journal>);

impl Journal {
    /// Opens the log, at its end.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Self::bounded(path, BYTES_MAX)
    }

    fn bounded(path: &Path, bytes_max: u64) -> Result<Self> {
        let open = append_to(path).with_context(|| format!("could not write {}", path.display()))?;
        Ok(Self { path: path.to_owned(), bytes_max, open: Mutex::new(open) })
    }

    /// The log that was put aside so many logs ago.
    pub(crate) fn aside(path: &Path, ago: u32) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{ago}"));
        name.into()
    }

    /// A line is never torn between two files.
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let added = bytes.len() as u64;
        if open.length > 0 && open.length + added > self.bytes_max {
            for ago in (1..KEPT_MAX).rev() {
                rename_if_there(&Self::aside(&self.path, ago), &Self::aside(&self.path, ago + 1))?;
            }
            rename_if_there(&self.path, &Self::aside(&self.path, 1))?;
            *open = append_to(&self.path)?;
        }
        open.file.write_all(bytes)?;
        open.length += added;
        Ok(())
    }
}

impl Write for JournalWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<Open> {
    let file = private(OpenOptions::new().append(true).create(true)).open(path)?;
    let length = file.metadata()?.len();
    Ok(Open { file, length })
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_put_aside_and_the_oldest_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("runner.log");
        let mut writer = JournalWriter(Arc::new(Journal::bounded(&path, 10).unwrap()));
        for line in ["one\n", "two\n", "three\n", "four, which is long\n", "five\n", "sixteen\n", "eight\n"] {
            writer.write_all(line.as_bytes()).unwrap();
        }
        let read = |path: PathBuf| fs::read_to_string(path).ok();
        assert_eq!(read(path.clone()).as_deref(), Some("eight\n"));
        assert_eq!(read(Journal::aside(&path, 1)).as_deref(), Some("sixteen\n"));
        assert_eq!(read(Journal::aside(&path, 2)).as_deref(), Some("five\n"));
        assert_eq!(read(Journal::aside(&path, 3)).as_deref(), Some("four, which is long\n"));
        assert_eq!(read(Journal::aside(&path, 4)), None);
    }
}
