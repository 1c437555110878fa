//! A simulated machine: its clock, and its suspends. Who runs on it is left to the world.

use crate::{
    seams::clock::Clock,
    values::time::{BootTime, Timestamp},
};
use async_trait::async_trait;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A machine in simulated time. As a [`Clock`], it behaves like the real one: while the machine is
/// suspended nothing on it runs and no timer of it ends; afterwards boot and wall time have gone on,
/// and timers have not. Clones are the same machine.
///
/// It needs tokio's paused time.
#[derive(Clone, Debug)]
pub struct Machine {
    start: tokio::time::Instant,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// How long it was suspended altogether, before the present suspend.
    slept: Duration,
    /// From when until when it is suspended.
    suspended: Option<(Duration, Duration)>,
    wall_millis: i64,
}

/// Boot time at the start: what is taken off it early in a test still has room.
const BOOT_AT_START: Duration = Duration::from_secs(1_000_000);
/// Wall time at the start: 2026-01-01T00:00:00Z.
const WALL_AT_START: u64 = 1_767_225_600_000;
/// As the real clock: timers stop in suspend, so a sleeper looks again this often.
const RECHECK_EVERY: Duration = Duration::from_secs(10);

impl Machine {
    /// A machine that was started long ago, at 2026-01-01T00:00:00Z.
    #[must_use]
    pub fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is a Clock")]
        let start = tokio::time::Instant::now();
        Self { start, state: Arc::default() }
    }

    /// Suspends the machine for `span`, unless it is suspended already.
    pub fn suspend(&self, span: Duration) {
        let now = self.start.elapsed();
        let mut state = self.state(now);
        state.suspended.get_or_insert((now, now + span));
    }

    /// Completes when the machine is not suspended.
    pub async fn awake(&self) {
        while let Some((_, until)) = self.suspended() {
            #[expect(clippy::disallowed_methods, reason = "this is a Clock")]
            tokio::time::sleep(until.saturating_sub(self.start.elapsed())).await;
        }
    }

    /// Whether the machine is suspended now.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.suspended().is_some()
    }

    /// Sets the wall clock forward, or back, by milliseconds. Boot time goes on as it did.
    pub fn step_wall(&self, millis: i64) {
        self.state(self.start.elapsed()).wall_millis += millis;
    }

    fn suspended(&self) -> Option<(Duration, Duration)> {
        self.state(self.start.elapsed()).suspended
    }

    /// What has passed of the time that the machine counts, suspends included.
    fn elapsed(&self) -> Duration {
        let now = self.start.elapsed();
        self.state(now).suspended.map_or(now, |(since, _)| since)
    }

    /// What has passed while it was not suspended, which is what its timers count.
    fn worked(&self) -> Duration {
        let elapsed = self.elapsed();
        elapsed.saturating_sub(self.state(self.start.elapsed()).slept)
    }

    fn state(&self, now: Duration) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, until)) = state.suspended.take_if(|(_, until)| *until <= now) {
            state.slept += until - since;
        }
        state
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for Machine {
    fn wall(&self) -> Timestamp {
        let elapsed = u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX);
        let at = WALL_AT_START.saturating_add(elapsed);
        let wall_millis = self.state(self.start.elapsed()).wall_millis;
        Timestamp::from_millis(at.saturating_add_signed(wall_millis))
    }

    fn boot(&self) -> BootTime {
        BootTime::from_duration(BOOT_AT_START + self.elapsed())
    }

    async fn sleep_until(&self, deadline: BootTime) {
        loop {
            self.awake().await;
            let left = deadline.since(self.boot());
            if left.is_zero() {
                return;
            }
            let until = self.worked() + left.min(RECHECK_EVERY);
            loop {
                self.awake().await;
                let left = until.saturating_sub(self.worked());
                if left.is_zero() {
                    break;
                }
                #[expect(clippy::disallowed_methods, reason = "this is a Clock")]
                tokio::time::sleep(left).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seams::clock::sleep;

    #[tokio::test(start_paused = true)]
    async fn nothing_ends_in_suspend_and_time_has_gone_on_after_it() {
        let (world, machine) = (Machine::new(), Machine::new());
        let (boot, wall) = (machine.boot(), machine.wall());
        let deadline = boot + Duration::from_secs(4);
        sleep(&world, Duration::from_secs(1)).await;
        machine.suspend(Duration::from_secs(60));
        sleep(&world, Duration::from_secs(30)).await;
        assert_eq!(machine.boot().since(boot), Duration::from_secs(1), "it stands still");
        machine.sleep_until(deadline).await;
        assert_eq!(world.boot().since(boot), Duration::from_secs(61), "it wakes, and looks");
        assert_eq!(machine.boot().since(boot), Duration::from_secs(61));
        assert_eq!(machine.wall().since(wall), Duration::from_secs(61));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_was_set_before_a_suspend_is_late_by_at_most_ten_seconds() {
        let machine = Machine::new();
        let start = machine.boot();
        let sleeper = machine.sleep_until(start + Duration::from_secs(100));
        let suspend = async {
            sleep(&machine, Duration::from_secs(1)).await;
            machine.suspend(Duration::from_secs(200));
        };
        tokio::join!(sleeper, suspend);
        assert_eq!(machine.boot().since(start), Duration::from_secs(210));
    }
}
