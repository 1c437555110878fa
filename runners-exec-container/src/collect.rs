//! What a container leaves in its output folder: files become artifacts, bounded in number and size, and
//! its JUnit file is read.

use crate::{
    command::ContainerJob, container::Container, junit, plan::output, policy::Policy, result::TestSummary,
};
use bytes::Bytes;
use futures::StreamExt as _;
use runners_core::Attempt;
use std::io::{self, Read};
use tokio::sync::mpsc;
use tokio_util::io::{StreamReader, SyncIoBridge};

/// The most names of files that are told as left out, one by one.
const LEFT_OUT_MAX: usize = 20;
/// The longest name of an artifact in bytes.
const NAME_BYTES_MAX: usize = 200;
/// How many files wait to be put.
const WAITING_MAX: usize = 1;

/// What was found in an output folder.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) artifacts: usize,
    pub(crate) tests: Option<TestSummary>,
    pub(crate) notes: Vec<String>,
}

/// Takes the files of the output folder.
pub(crate) async fn collect(
    container: &Container,
    job: &ContainerJob,
    policy: &Policy,
    attempt: &Attempt,
) -> Collected {
    let archive = container.archive(output(job)).map(|piece| piece.map_err(io::Error::other));
    let reader = SyncIoBridge::new(StreamReader::new(Box::pin(archive)));
    let bounds = Bounds {
        files_max: policy.output_files_max,
        file_bytes_max: policy.output_file_bytes_max,
        bytes_max: policy.output_bytes_max,
    };
    let (found, mut files) = mpsc::channel(WAITING_MAX);
    let reading = tokio::task::spawn_blocking(move || unpack(reader, bounds, &found));
    let mut collected = Collected::default();
    let mut left_out = 0;
    while let Some(found) = files.recv().await {
        match found {
            Found::File(name, bytes) => collected.take(name, bytes, job, attempt).await,
            Found::LeftOut(name, why) => {
                left_out += 1;
                if left_out <= LEFT_OUT_MAX {
                    collected.notes.push(format!("{name} is no artifact: {why}"));
                }
            }
        }
    }
    if left_out > LEFT_OUT_MAX {
        collected.notes.push(format!("{} more files are no artifacts", left_out - LEFT_OUT_MAX));
    }
    match reading.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => collected.notes.push(format!("the output could not be read to its end: {error}")),
        Err(_) => collected.notes.push("the output could not be read".to_owned()),
    }
    if let Some(junit) = job.junit.as_ref().filter(|_| collected.tests.is_none()) {
        collected.notes.push(format!("there is no JUnit file at {junit} in the output folder"));
    }
    collected
}

impl Collected {
    async fn take(&mut self, name: String, bytes: Bytes, job: &ContainerJob, attempt: &Attempt) {
        let bytes = match str::from_utf8(&bytes) {
            // A suite may write down what it was given.
            Ok(text) if !job.secrets.is_empty() => Bytes::from(attempt.redact(text)),
            _ => bytes,
        };
        if job.junit.as_ref() == Some(&name) {
            self.tests = str::from_utf8(&bytes).ok().and_then(junit::read);
        }
        match attempt.attach(name.clone(), media_type(&name), bytes).await {
            Ok(_) => self.artifacts += 1,
            Err(error) => self.notes.push(format!("{name} could not be kept: {error}")),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    files_max: usize,
    file_bytes_max: u64,
    bytes_max: u64,
}

impl Bounds {
    /// Why a plain file of that name and size is no artifact, after so many files and bytes.
    fn problem(self, name: &str, size: u64, files: usize, bytes: u64) -> Option<String> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            Some(format!("its name is longer than {NAME_BYTES_MAX} bytes"))
        } else if size > self.file_bytes_max {
            Some(format!("it has {size} bytes, and the limit is {}", self.file_bytes_max))
        } else if files == self.files_max {
            Some(format!("the limit is {} files", self.files_max))
        } else if bytes + size > self.bytes_max {
            Some(format!("the limit of all files is {} bytes", self.bytes_max))
        } else {
            None
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    File(String, Bytes),
    LeftOut(String, String),
}

/// Reads an archive to its end, or until nobody wants more.
fn unpack(reader: impl Read, bounds: Bounds, found: &mpsc::Sender<Found>) -> io::Result<()> {
    let (mut files, mut bytes) = (0, 0);
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        let path = entry.path()?.into_owned();
        // The first part is the folder itself.
        let mut parts = path.components();
        parts.next();
        let (name, size) = (parts.as_path().to_string_lossy().into_owned(), entry.size());
        let problem = if kind.is_file() {
            bounds.problem(&name, size, files, bytes)
        } else {
            Some("it is no plain file".to_owned())
        };
        let told = match problem {
            Some(problem) => Found::LeftOut(name, problem),
            None => {
                files += 1;
                bytes += size;
                let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
                entry.read_to_end(&mut content)?;
                Found::File(name, content.into())
            }
        };
        if found.blocking_send(told).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).as_deref() {
        Some("txt" | "log") => "text/plain; charset=utf-8",
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("webm") => "video/webm",
        Some("mp4") => "video/mp4",
        Some("zip") => "application/zip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { files_max: 3, file_bytes_max: 100, bytes_max: 150 };

    fn archive(files: &[(&str, usize)]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, size) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(*size as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, format!("output/{name}"), &vec![b'x'; *size][..]).unwrap();
        }
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        archive.append_link(&mut link, "output/link", "/etc/passwd").unwrap();
        archive.into_inner().unwrap()
    }

    #[test]
    fn files_are_bounded_in_number_and_size_and_links_are_none() {
        let (sender, mut found) = mpsc::channel(100);
        let files = [("a/b.txt", 10), ("large", 101), ("c", 100), ("d", 50), ("e", 1), ("f", 1)];
        unpack(&archive(&files)[..], BOUNDS, &sender).unwrap();
        drop(sender);
        let mut all = Vec::new();
        while let Some(found) = found.blocking_recv() {
            all.push(match found {
                Found::File(name, bytes) => (name, Some(bytes.len())),
                Found::LeftOut(name, _) => (name, None),
            });
        }
        let told = |name: &str, size| (name.to_owned(), size);
        let expected = [
            told("a/b.txt", Some(10)),
            told("large", None),
            told("c", Some(100)),
            told("d", None),
            told("e", Some(1)),
            told("f", None),
            told("link", None),
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn an_archive_that_breaks_off_is_an_error() {
        let (sender, _found) = mpsc::channel(100);
        assert!(unpack(&archive(&[("a", 100)])[..520], BOUNDS, &sender).is_err());
    }
}
