//! A share of a core, for processes that are measured: by a control group of the system where this process
//! may make one, else by stopping them for most of the time.

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Over which time a share is counted.
const PERIOD: Duration = Duration::from_millis(100);

/// Where control groups of either version are.
const SECOND: &str = "/sys/fs/cgroup";
const FIRST: &str = "/sys/fs/cgroup/cpu";

/// What gives a process no more than its share of one core, until it is dropped.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "there are no others")]
pub enum Share {
    /// A control group, which is empty once its process was waited for.
    Group {
        /// Its directory.
        place: PathBuf,
    },
    /// A thread that stops the process again and again.
    Pulses {
        /// Whether it is to end.
        stop: Arc<AtomicBool>,
        /// It, until it was joined.
        thread: Option<JoinHandle<()>>,
    },
}

impl Share {
    /// Gives a process, which has no threads yet, `hundredths` of a core.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn of_core(process: u32, hundredths: u64) -> anyhow::Result<Self> {
        match Self::group(process, hundredths) {
            Ok(share) => Ok(share),
            Err(_) => Self::pulses(process, hundredths),
        }
    }

    /// How it is done, for whoever reads the figure.
    #[must_use]
    pub const fn told(&self) -> &'static str {
        match self {
            Self::Group { .. } => "by a control group",
            Self::Pulses { .. } => "by being stopped for the rest of each 100 ms",
        }
    }

    fn group(process: u32, hundredths: u64) -> anyhow::Result<Self> {
        let period = PERIOD.as_micros();
        let quota = period * u128::from(hundredths) / 100;
        let (parent, files) = if Path::new(SECOND).join("cgroup.controllers").exists() {
            // Where it is on already, nothing changes.
            let _ = fs::write(Path::new(SECOND).join("cgroup.subtree_control"), "+cpu");
            (SECOND, vec![("cpu.max", format!("{quota} {period}"))])
        } else if Path::new(FIRST).join("cgroup.procs").exists() {
            (FIRST, vec![("cpu.cfs_period_us", period.to_string()), ("cpu.cfs_quota_us", quota.to_string())])
        } else {
            bail!("there are no control groups at {SECOND}");
        };
        let place = Path::new(parent).join(format!("runners-bench-{process}"));
        fs::create_dir(&place).with_context(|| format!("{} cannot be made", place.display()))?;
        let group = Self::Group { place: place.clone() };
        for (file, text) in files.into_iter().chain([("cgroup.procs", process.to_string())]) {
            let file = place.join(file);
            fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
        }
        Ok(group)
    }

    fn pulses(process: u32, hundredths: u64) -> anyhow::Result<Self> {
        let pid = i32::try_from(process).ok().and_then(Pid::from_raw).context("no number of a process")?;
        let runs = PERIOD.mul_f64(f64::from(u32::try_from(hundredths.min(100))?) / 100.0);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name("share".into()).spawn(move || {
            // One that has ended needs no share.
            while !stopped.load(Ordering::Relaxed) && kill_process(pid, Signal::STOP).is_ok() {
                thread::park_timeout(PERIOD - runs);
                let _ = kill_process(pid, Signal::CONT);
                thread::park_timeout(runs);
            }
        })?;
        Ok(Self::Pulses { stop, thread: Some(thread) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        match self {
            Self::Group { place } => {
                let _ = fs::remove_dir(place);
            }
            Self::Pulses { stop, thread } => {
                stop.store(true, Ordering::Relaxed);
                // It leaves the process running.
                let _ = thread.take().map(JoinHandle::join);
            }
        }
    }
}
