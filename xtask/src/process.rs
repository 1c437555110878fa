//! Other programs: said before they are run, and ended with all that they started when they take
//! longer than they may.

use anyhow::{Context, Result, bail};
use std::{
    env, fmt,
    fs::File,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

/// Something that has to be there is not: nothing was run, and it says what to do. Exit code 2.
#[derive(Debug)]
pub(crate) struct CannotRun(pub(crate) String);

/// Something that may be missing is: the step is left out, and it says what to do.
#[derive(Debug)]
pub(crate) struct Skipped(pub(crate) String);

macro_rules! displayed {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::error::Error for $name {}
    )*};
}
displayed!(CannotRun, Skipped);

/// The cargo that runs us, in the folder `root`, with nothing to read.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).stdin(Stdio::null());
    command
}

/// Runs a program to its end and fails unless it succeeded.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line_of(command);
    eprintln!("$ {line}");
    let ended = command.status().with_context(|| format!("could not start `{line}`"))?;
    if !ended.success() {
        bail!("`{line}` failed ({ended})");
    }
    Ok(())
}

/// What somebody would type to run it.
pub(crate) fn line_of(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}={:?} ", name.to_string_lossy(), value?.to_string_lossy()))
    });
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
    let arguments = command.get_args().map(|argument| format!(" {}", argument.to_string_lossy()));
    variables.chain([name.into_owned()]).chain(arguments).collect()
}

/// Runs a program with its output in the file `log`, for `bound` at most. `None` tells that it
/// took longer and was ended, with whatever it had started.
pub(crate) fn run_bounded(command: &mut Command, log: &Path, bound: Duration) -> Result<Option<ExitStatus>> {
    let file = File::create(log).with_context(|| format!("could not write {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let mut child = command.spawn().with_context(|| format!("could not start `{}`", line_of(command)))?;
    let id = child.id();
    let (sender, ended) = mpsc::channel();
    let waiter = thread::spawn(move || sender.send(child.wait()));
    let in_time = match ended.recv_timeout(bound) {
        Ok(ended) => Some(ended?),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            end_group(id);
            None
        }
    };
    drop(waiter.join());
    Ok(in_time)
}

/// Where a program of this name is, on the PATH or in one of the usual places.
pub(crate) fn find(names: &[&str], usual_places: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> =
        env::split_paths(&path).chain(usual_places.iter().map(PathBuf::from)).collect();
    let file = |name: &&str| format!("{name}{}", env::consts::EXE_SUFFIX);
    let mut candidates =
        names.iter().map(file).flat_map(|file| places.iter().map(move |place| place.join(&file)));
    candidates.find(|file| file.is_file())
}

fn end_group(leader: u32) {
    let mut command = if cfg!(windows) {
        let mut command = Command::new("taskkill");
        command.args(["/F", "/T", "/PID", &leader.to_string()]);
        command
    } else {
        let mut command = Command::new("kill");
        command.args(["-KILL", "--", &format!("-{leader}")]);
        command
    };
    if let Err(error) = command.status() {
        eprintln!("could not end process group {leader}: {error}");
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::{fs, io::Read as _};

    fn log(name: &str) -> PathBuf {
        env::temp_dir().join(format!("xtask-{name}-{}.log", std::process::id()))
    }

    /// What the program has started holds a pipe open: its end is read once the last of it has ended.
    #[test]
    fn a_program_that_takes_too_long_is_ended_with_all_it_started() {
        let (log, pipe) = (log("bounded"), log("pipe"));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // A pipe is opened only with somebody at its other end, and perhaps nothing of the program gets there.
        let both_ends = File::options().read(true).write(true).open(&pipe).unwrap();
        let mut reader = File::open(&pipe).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 > \"$0\" & wait"]).arg(&pipe);
        let in_time = run_bounded(&mut command, &log, Duration::from_millis(300)).unwrap();
        assert!(in_time.is_none(), "it was ended, and did not end by itself");
        drop(both_ends);
        let (sender, ended) = mpsc::channel();
        thread::spawn(move || sender.send(reader.read_to_end(&mut Vec::new())));
        assert!(ended.recv_timeout(Duration::from_secs(30)).is_ok(), "what it started goes on");
        fs::remove_file(&log).unwrap();
        fs::remove_file(&pipe).unwrap();
    }

    #[test]
    fn a_program_that_ends_in_time_leaves_its_output() {
        let log = log("in-time");
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; exit 3"]);
        let ended = run_bounded(&mut command, &log, Duration::from_secs(60)).unwrap().unwrap();
        assert_eq!(ended.code(), Some(3));
        assert_eq!(fs::read_to_string(&log).unwrap(), "one\ntwo\n");
        fs::remove_file(&log).unwrap();
    }
}
