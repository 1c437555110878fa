//! What a container leaves in its output folder: files become artifacts, bounded in number and size, and
//! its JUnit file is read.

use crate::{
    command::ContainerJob, container::Container, junit, plan::output, policy::Policy, result::TestSummary,
};
use bytes::Bytes;
use futures::StreamExt as _;
use runners_core::{Attempt, Redactor};
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
    /// Whether the JUnit file that the job names was found, whatever it is.
    has_junit: bool,
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
    // A suite may write down what it was given.
    let redactor = (!job.secrets.is_empty()).then(|| attempt.redactor());
    let mut left_out = 0;
    while let Some(found) = files.recv().await {
        match found {
            Found::File(name, bytes) => {
                let bytes = collected.read(&name, bytes, job.junit.as_deref(), redactor.as_ref());
                collected.attach(without_secrets(&name, redactor.as_ref()), bytes, attempt).await;
            }
            Found::LeftOut(name, why) => {
                left_out += 1;
                let is_junit = job.junit.as_ref() == Some(&name);
                collected.has_junit |= is_junit;
                if left_out <= LEFT_OUT_MAX || is_junit {
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
    if let Some(junit) = job.junit.as_ref().filter(|_| !collected.has_junit) {
        collected.notes.push(format!("there is no JUnit file at {junit} in the output folder"));
    }
    collected
}

impl Collected {
    /// What a file has without secrets; learns from it what its tests tell, if it is the JUnit file.
    fn read(&mut self, name: &str, bytes: Bytes, junit: Option<&str>, redactor: Option<&Redactor>) -> Bytes {
        let bytes = redactor.map_or(bytes.clone(), |redactor| redacted(bytes, redactor));
        if junit == Some(name) {
            self.has_junit = true;
            let text = str::from_utf8(&bytes);
            let tests = text.map_err(|_| "it is no UTF-8").and_then(|text| {
                let hide = |text: &str| without_secrets(text, redactor);
                junit::read(text, &hide).ok_or("it is no XML to its end, or has no suite")
            });
            match tests {
                Ok(tests) => self.tests = Some(tests),
                Err(why) => self.notes.push(format!("the JUnit file {name} cannot be read: {why}")),
            }
        }
        bytes
    }

    async fn attach(&mut self, name: String, bytes: Bytes, attempt: &Attempt) {
        match attempt.attach(name.clone(), media_type(&name), bytes).await {
            Ok(_) => self.artifacts += 1,
            Err(error) => self.notes.push(format!("{name} could not be kept: {error}")),
        }
    }
}

fn without_secrets(text: &str, redactor: Option<&Redactor>) -> String {
    redactor.map_or_else(|| text.to_owned(), |redactor| redactor.redact(text))
}

/// A file without secrets, if it is a text. A byte that is of none is kept, and no secret goes over it; what has a
/// zero in it and is no text as a whole is left as it is, since it would be broken.
fn redacted(bytes: Bytes, redactor: &Redactor) -> Bytes {
    if bytes.contains(&0) && str::from_utf8(&bytes).is_err() {
        return bytes;
    }
    let mut free = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        free.extend_from_slice(redactor.redact(chunk.valid()).as_bytes());
        free.extend_from_slice(chunk.invalid());
    }
    free.into()
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

    fn read(bytes: &[u8], redactor: &Redactor) -> (Collected, Bytes) {
        let mut collected = Collected::default();
        let bytes = Bytes::copy_from_slice(bytes);
        let bytes = collected.read("j.xml", bytes, Some("j.xml"), Some(redactor));
        (collected, bytes)
    }

    #[test]
    fn a_secret_is_taken_out_of_a_text_whatever_else_is_in_it() {
        let redactor = Redactor::new(["hunter2ä"]);
        let of = |bytes: &[u8]| redacted(Bytes::copy_from_slice(bytes), &redactor).to_vec();
        assert_eq!(of("it is hunter2ä\0".as_bytes()), b"it is ***\0");
        assert_eq!(of(b"\xff hunter2\xc3\xa4\xc3 \xe2\x82hunter2\xc3\xa4"), b"\xff ***\xc3 \xe2\x82***");
        let binary = b"\0\xffhunter2\xc3\xa4";
        assert_eq!(of(binary), binary, "no text");
    }

    #[test]
    fn what_a_junit_file_spells_out_is_taken_out_as_well() {
        let redactor = Redactor::new(["päss\nword"]);
        let text = r#"<testsuite><testcase classname="p&#228;ss&#10;word" name="a p&#xe4;ss&#10;word">
            <failure message="p&#228;ss&#10;word"/></testcase></testsuite>"#;
        let (collected, _) = read(text.as_bytes(), &redactor);
        let case = &collected.tests.unwrap().cases[0];
        assert_eq!((&*case.class, &*case.name, &*case.message), ("***", "a ***", "***"));
        let at = crate::result::TestCase::MESSAGE_BYTES_MAX - 3;
        let long =
            format!(r#"<testsuite><testcase name="{}p&#228;ss&#10;word"/></testsuite>"#, "x".repeat(at));
        let (collected, _) = read(long.as_bytes(), &redactor);
        assert!(collected.tests.unwrap().cases[0].name.ends_with("x***"), "it is cut afterwards");
    }

    #[test]
    fn a_junit_file_that_cannot_be_read_is_told_as_that() {
        for (bytes, why) in [(&b"<testsuite name=\"\xe4\"/>"[..], "no UTF-8"), (b"<html/>", "no suite")] {
            let (collected, _) = read(bytes, &Redactor::default());
            assert!(collected.has_junit && collected.tests.is_none());
            assert!(collected.notes[0].contains("j.xml cannot be read: it is"), "{:?}", collected.notes);
            assert!(collected.notes[0].contains(why), "{:?}", collected.notes);
        }
    }

    #[test]
    fn an_archive_that_breaks_off_is_an_error() {
        let (sender, _found) = mpsc::channel(100);
        assert!(unpack(&archive(&[("a", 100)])[..520], BOUNDS, &sender).is_err());
    }
}
