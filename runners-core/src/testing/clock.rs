//! Simulated time: tokio's paused clock, with suspend and steps of the wall clock added.

use crate::{
    seams::clock::Clock,
    values::time::{BootTime, Timestamp},
};
use async_trait::async_trait;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A clock that follows tokio's, which a test pauses (`start_paused = true`): it then stands still
/// while anything can run, and jumps to the next timer when nothing can.
///
/// Clones share the time. Two independent values are two machines: each can be suspended or have
/// its wall clock set by itself.
#[derive(Clone, Debug)]
pub struct SimClock {
    start: tokio::time::Instant,
    offsets: Arc<Mutex<Offsets>>,
}

#[derive(Debug, Default)]
struct Offsets {
    boot: Duration,
    wall_millis: i64,
}

/// Boot time at the start: what is taken off it early in a test still has room.
const BOOT_AT_START: Duration = Duration::from_secs(1_000_000);
/// Wall time at the start: 2026-01-01T00:00:00Z.
const WALL_AT_START: u64 = 1_767_225_600_000;
/// As the machine's own clock: timers stop in suspend, so a sleeper looks again this often.
const RECHECK_EVERY: Duration = Duration::from_secs(10);

impl SimClock {
    /// A clock that starts now, at 2026-01-01T00:00:00Z.
    ///
    /// # Panics
    /// Outside a tokio runtime with paused time, if `now` of tokio does.
    #[must_use]
    pub fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is a Clock")]
        let start = tokio::time::Instant::now();
        Self { start, offsets: Arc::default() }
    }

    /// Suspends the machine for `span`: boot and wall time have gone on when it wakes, timers
    /// have not.
    pub fn suspend(&self, span: Duration) {
        let mut offsets = self.offsets();
        offsets.boot += span;
        offsets.wall_millis += i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    }

    /// Sets the wall clock forward, or back, by milliseconds. Boot time goes on as it did.
    pub fn step_wall(&self, millis: i64) {
        self.offsets().wall_millis += millis;
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn offsets(&self) -> MutexGuard<'_, Offsets> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for SimClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SimClock {
    fn wall(&self) -> Timestamp {
        let elapsed = u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX);
        let at = WALL_AT_START.saturating_add(elapsed);
        Timestamp::from_millis(at.saturating_add_signed(self.offsets().wall_millis))
    }

    fn boot(&self) -> BootTime {
        BootTime::from_duration(BOOT_AT_START + self.elapsed() + self.offsets().boot)
    }

    async fn sleep_until(&self, deadline: BootTime) {
        loop {
            let left = deadline.since(self.boot());
            if left.is_zero() {
                return;
            }
            #[expect(clippy::disallowed_methods, reason = "this is a Clock")]
            tokio::time::sleep(left.min(RECHECK_EVERY)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seams::clock::sleep;

    #[tokio::test(start_paused = true)]
    async fn time_jumps_to_the_next_timer() {
        let clock = SimClock::new();
        let (boot, wall) = (clock.boot(), clock.wall());
        sleep(&clock, Duration::from_secs(3600)).await;
        assert_eq!(clock.boot().since(boot), Duration::from_secs(3600));
        assert_eq!(clock.wall().since(wall), Duration::from_secs(3600));
    }

    #[tokio::test(start_paused = true)]
    async fn suspend_counts_in_boot_time_and_a_sleeper_notices() {
        let clock = SimClock::new();
        let deadline = clock.boot() + Duration::from_secs(100);
        clock.suspend(Duration::from_secs(95));
        let start = clock.elapsed();
        clock.sleep_until(deadline).await;
        assert_eq!(clock.elapsed() - start, Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_of_the_wall_moves_nothing_else() {
        let clock = SimClock::new();
        let (boot, wall) = (clock.boot(), clock.wall());
        clock.step_wall(-1000);
        assert_eq!(clock.boot(), boot);
        assert_eq!(wall.since(clock.wall()), Duration::from_secs(1));
    }
}
