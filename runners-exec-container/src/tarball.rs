//! Tar archives as engines take and give them: what goes into a container before it starts.

use crate::{
    command::{ContainerJob, SecretAs},
    paths,
    plan::Occasion,
};
use bytes::Bytes;
use std::{collections::BTreeSet, io};
use tar::{Builder, EntryType, Header};

/// What is put into the runner's folder: the input, the files of secrets, and an output that anybody in
/// the container can write to.
pub(crate) fn home(job: &ContainerJob, occasion: &Occasion<'_>) -> io::Result<Bytes> {
    let mut archive = Builder::new(Vec::new());
    folder(&mut archive, name(paths::INPUT), 0o755)?;
    let mut made = BTreeSet::new();
    for (path, text) in &job.input {
        let above = path.match_indices('/').map(|(at, _)| &path[..at]);
        for above in above.filter(|above| made.insert((*above).to_owned())) {
            folder(&mut archive, &format!("{}/{above}", name(paths::INPUT)), 0o755)?;
        }
        file(&mut archive, &format!("{}/{path}", name(paths::INPUT)), 0o755, text.as_bytes())?;
    }
    folder(&mut archive, name(paths::SECRETS), 0o755)?;
    for (secret, given) in &job.secrets {
        if let (SecretAs::File(path), Some(secret)) = (given, occasion.secrets.get(secret)) {
            let path = format!("{}/{path}", name(paths::SECRETS));
            file(&mut archive, &path, 0o444, secret.expose().as_bytes())?;
        }
    }
    folder(&mut archive, name(paths::OUTPUT), 0o777)?;
    archive.into_inner().map(Bytes::from)
}

/// What makes a folder one that anybody in the container can write to.
pub(crate) fn open_folder() -> io::Result<Bytes> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Directory);
    header.set_mode(0o777);
    header.set_size(0);
    // An entry called `.` is passed over by engines, and one of this name is the folder too.
    if let Some(gnu) = header.as_gnu_mut() {
        gnu.name[0] = b'/';
    }
    header.set_cksum();
    let mut archive = Builder::new(Vec::new());
    archive.append(&header, io::empty())?;
    archive.into_inner().map(Bytes::from)
}

/// The path below the runner's folder.
fn name(path: &'static str) -> &'static str {
    path.strip_prefix(paths::HOME).map_or(path, |rest| rest.trim_start_matches('/'))
}

fn folder(archive: &mut Builder<Vec<u8>>, path: &str, mode: u32) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Directory);
    header.set_mode(mode);
    header.set_size(0);
    archive.append_data(&mut header, path, io::empty())
}

fn file(archive: &mut Builder<Vec<u8>>, path: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    archive.append_data(&mut header, path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::{FencingToken, JobId, Secret};
    use std::io::Read as _;

    #[test]
    fn what_a_container_is_given_is_where_its_variables_say() {
        let job = ContainerJob {
            input: [("tests/shop/a.py".to_owned(), "print(1)".to_owned())].into(),
            secrets: [("shop".to_owned(), SecretAs::File("password".into()))].into(),
            ..ContainerJob::of("a")
        };
        let token = FencingToken { job: JobId::from_bytes([1; 16]), grant: 1 };
        let owner = crate::plan::Owner { runner: "o".into(), start: "s".into() };
        let secrets = [("shop".to_owned(), Secret::from_text("hunter2"))].into();
        let bytes = home(&job, &Occasion { token, number: 1, owner: &owner, secrets }).unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let (path, mode) = (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap());
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            found.push((path.trim_end_matches('/').to_owned(), mode, text));
        }
        let told = |path: &str, mode, text: &str| (path.to_owned(), mode, text.to_owned());
        let expected = [
            told("input", 0o755, ""),
            told("input/tests", 0o755, ""),
            told("input/tests/shop", 0o755, ""),
            told("input/tests/shop/a.py", 0o755, "print(1)"),
            told("secrets", 0o755, ""),
            told("secrets/password", 0o444, "hunter2"),
            told("output", 0o777, ""),
        ];
        assert_eq!(found, expected);
    }
}
