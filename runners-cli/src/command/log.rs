//! `runners log`: the log of the runner in the background.

use crate::{args::LogArgs, daemon::Home, exit::Exit, interrupts::Interrupts, terminal};
use anyhow::{Context as _, Result, bail};
use runners_core::{SystemClock, sleep};
use std::{
    collections::VecDeque,
    fs::File,
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    time::Duration,
};

/// How often a log is looked at that is followed.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How much is read at a time of what was added.
const READ_BYTES_MAX: u64 = 1 << 20;

pub(super) async fn execute(arguments: LogArgs) -> Result<Exit> {
    let home = Home::at(arguments.home.home.as_deref())?;
    let path = home.log();
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("there is no log in {}: was a runner ever started there?", home.directory().display())
        }
        Err(error) => return Err(error).with_context(|| format!("could not read {}", path.display())),
    };
    for line in tail(&mut file, arguments.lines)? {
        terminal::print(line);
    }
    if arguments.follow {
        follow(&path, file).await?;
    }
    Ok(Exit::Passed)
}

/// The last lines of a file.
pub(super) fn last_lines(path: &Path, count: usize) -> Result<Vec<String>> {
    tail(&mut File::open(path)?, count)
}

fn tail(file: &mut File, count: usize) -> Result<Vec<String>> {
    let mut last = VecDeque::new();
    for line in BufReader::new(file).split(b'\n') {
        if last.len() == count {
            last.pop_front();
        }
        if count > 0 {
            last.push_back(String::from_utf8_lossy(&line?).into_owned());
        }
    }
    Ok(last.into())
}

/// Prints what is added, also after the log was put aside, until Ctrl-C.
async fn follow(path: &Path, mut file: File) -> Result<()> {
    let mut interrupts = Interrupts::listen()?;
    let clock = SystemClock::default();
    let mut read = file.stream_position()?;
    loop {
        let mut added = Vec::new();
        read += (&file).take(READ_BYTES_MAX).read_to_end(&mut added)? as u64;
        if !added.is_empty() {
            let mut stdout = std::io::stdout().lock();
            // A reader that has gone away has seen enough.
            if stdout.write_all(&added).and_then(|()| stdout.flush()).is_err() {
                return Ok(());
            }
            continue;
        }
        // The file of this name is another by now, and what was left in the old one has been read.
        if std::fs::metadata(path).is_ok_and(|found| found.len() < read) {
            (file, read) = (File::open(path)?, 0);
            file.seek(SeekFrom::Start(0))?;
            continue;
        }
        tokio::select! {
            () = sleep(&clock, LOOK_EVERY) => {}
            () = interrupts.next() => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_those_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
        assert_eq!(last_lines(&path, 2).unwrap(), ["two", "three"]);
        assert_eq!(last_lines(&path, 9).unwrap(), ["one", "two", "three"]);
        assert!(last_lines(&path, 0).unwrap().is_empty());
    }
}
