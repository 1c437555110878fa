//! The seam that tells what machine a runner is on, and how busy it is.

use crate::values::runner::{Facts, Load};
use std::{fmt::Debug, fs, path::Path, sync::Arc};

/// Tells what machine a runner is on. Neither method may wait for anything but the system.
pub trait FactsSource: Debug + Send + Sync + 'static {
    /// Adds what is known of the machine to the facts of a runner that is about to start: its
    /// system, kernel, memory and browsers.
    fn describe(&self, facts: &mut Facts);

    /// How busy the machine is now. Asked for when somebody collects diagnostics.
    fn load(&self) -> Load;
}

impl<S: FactsSource + ?Sized> FactsSource for Arc<S> {
    fn describe(&self, facts: &mut Facts) {
        (**self).describe(facts);
    }
    fn load(&self) -> Load {
        (**self).load()
    }
}

/// What the standard library tells, and on Linux `/proc`. Free space on disk and browsers are left
/// to the sources of hosts.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemFacts;

impl FactsSource for SystemFacts {
    fn describe(&self, facts: &mut Facts) {
        std::env::consts::OS.clone_into(&mut facts.os);
        std::env::consts::ARCH.clone_into(&mut facts.arch);
        facts.cpus = std::thread::available_parallelism()
            .map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(u32::MAX));
        facts.kernel = proc("sys/kernel/osrelease").map(|text| text.trim().to_owned()).unwrap_or_default();
        facts.memory_bytes = proc("meminfo").and_then(|text| kibibytes(&text, "MemTotal:")).unwrap_or(0);
    }

    fn load(&self) -> Load {
        Load {
            average: proc("loadavg").and_then(|text| average(&text)),
            memory_available_bytes: proc("meminfo").and_then(|text| kibibytes(&text, "MemAvailable:")),
            disk_free_bytes: None,
        }
    }
}

/// A file of `/proc`, where there is one.
fn proc(name: &str) -> Option<String> {
    fs::read_to_string(Path::new("/proc").join(name)).ok()
}

/// The bytes of a line of `meminfo`, which counts in units of 1,024.
fn kibibytes(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let count: u64 = line.split_whitespace().next()?.parse().ok()?;
    count.checked_mul(1024)
}

fn average(text: &str) -> Option<[f64; 3]> {
    let mut numbers = text.split_whitespace().map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says_is_read_and_nonsense_is_not_known() {
        let meminfo = "MemTotal:       16384 kB\nMemFree:  1 kB\nMemAvailable:    512 kB\n";
        assert_eq!(kibibytes(meminfo, "MemTotal:"), Some(16 << 20));
        assert_eq!(kibibytes(meminfo, "MemAvailable:"), Some(512 << 10));
        assert_eq!(kibibytes("MemTotal: many kB", "MemTotal:"), None);
        assert_eq!(average("0.25 1.00 2.50 1/234 99"), Some([0.25, 1.0, 2.5]));
        assert_eq!(average("0.25 1.00"), None);
    }

    #[test]
    fn the_system_is_named() {
        let mut facts = Facts::default();
        SystemFacts.describe(&mut facts);
        assert!(!facts.os.is_empty() && !facts.arch.is_empty() && facts.cpus > 0);
    }
}
