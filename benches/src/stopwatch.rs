//! Time passed, and processor time used by this process meanwhile.

use runners_core::{BootTime, Clock as _, SystemClock};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Measures from [`start`](Self::start) on.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    begun: BootTime,
    used: Duration,
}

impl Stopwatch {
    /// Starts to measure.
    #[must_use]
    pub fn start() -> Self {
        Self { begun: now(), used: process_time() }
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        now().since(self.begun)
    }

    /// The processor time that every thread of this process has used since the start. It tells
    /// two programs apart on a machine that is busy with others, where the elapsed time does not.
    #[must_use]
    pub fn used(&self) -> Duration {
        process_time().saturating_sub(self.used)
    }
}

/// The time since the machine was booted.
#[must_use]
pub fn now() -> BootTime {
    SystemClock::default().boot()
}

fn process_time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(used.tv_sec).expect("processor time does not go below zero");
    let nanos = u32::try_from(used.tv_nsec).expect("there are fewer nanoseconds in a second");
    Duration::new(seconds, nanos)
}
