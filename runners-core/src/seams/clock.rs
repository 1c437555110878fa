//! The clock seam: the only source of time, and the only way to wait for it.

use crate::values::time::{BootTime, Timestamp};
use async_trait::async_trait;
use futures::future::BoxFuture;
use std::{fmt::Debug, sync::Arc, time::Duration};

/// Tells the time and waits for it.
#[async_trait]
pub trait Clock: Debug + Send + Sync + 'static {
    /// Wall-clock time, UTC. It may step either way.
    fn wall(&self) -> Timestamp;

    /// Time since boot, counting suspend. It never steps back.
    fn boot(&self) -> BootTime;

    /// Completes once [`boot`](Self::boot) has reached `deadline`; at once if it has.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    async fn sleep_until(&self, deadline: BootTime);
}

#[async_trait]
impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn wall(&self) -> Timestamp {
        (**self).wall()
    }
    fn boot(&self) -> BootTime {
        (**self).boot()
    }
    async fn sleep_until(&self, deadline: BootTime) {
        (**self).sleep_until(deadline).await;
    }
}

/// Waits for `span` from now on `clock`.
pub async fn sleep(clock: &dyn Clock, span: Duration) {
    clock.sleep_until(clock.boot() + span).await;
}

/// The machine's own clocks.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

/// Tokio's timers stop while the machine is suspended, so a sleeper looks again this often.
const RECHECK_EVERY: Duration = Duration::from_secs(10);

#[async_trait]
impl Clock for SystemClock {
    fn wall(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the Clock")]
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn boot(&self) -> BootTime {
        BootTime::from_duration(since_boot())
    }

    // What `async fn` stands for, written out: that would hold each argument twice, and every idle runner waits here
    // once or twice.
    fn sleep_until<'clock, 'async_trait>(&'clock self, deadline: BootTime) -> BoxFuture<'async_trait, ()>
    where
        'clock: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            loop {
                let left = deadline.since(self.boot());
                if left.is_zero() {
                    return;
                }
                #[expect(clippy::disallowed_methods, reason = "this is the Clock")]
                tokio::time::sleep(left.min(RECHECK_EVERY)).await;
            }
        })
    }
}

/// The clock that counts suspend.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
/// The nearest there is elsewhere; on Apple systems it counts suspend.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

#[cfg(unix)]
fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(CLOCK);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(not(unix))]
fn since_boot() -> Duration {
    use std::{sync::LazyLock, time::Instant};
    #[expect(clippy::disallowed_methods, reason = "this is the Clock")]
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::fs;

    /// What the kernel says, suspends counted.
    fn uptime() -> Duration {
        let text = fs::read_to_string("/proc/uptime").unwrap();
        Duration::from_secs_f64(text.split_whitespace().next().unwrap().parse().unwrap())
    }

    #[test]
    fn boot_time_counts_suspend() {
        // A machine that has not been suspended would not show it.
        assert_eq!(CLOCK, rustix::time::ClockId::Boottime);
        if fs::read_to_string("/proc/self/mounts").unwrap().contains(" /proc/uptime ") {
            println!("\nskipped: /proc/uptime is not the kernel's here, but that of a container");
            return;
        }
        let (before, boot, after) = (uptime(), SystemClock.boot().as_duration(), uptime());
        let second = Duration::from_secs(1);
        assert!(boot + second > before && boot < after + second, "{boot:?}, not {before:?} to {after:?}");
    }
}
