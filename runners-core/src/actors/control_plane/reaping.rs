//! From when sessions are given up of which nothing was heard: not while the clock may be why.

use crate::{seams::clock::Clock, values::time::BootTime};
use std::time::Duration;

/// How far the wall may move against the time since boot before reaping waits for one term.
const WALL_STEP_MAX: Duration = Duration::from_secs(5);
/// From when sessions may be reaped: a term after the start, and after every step of the wall.
#[derive(Debug)]
pub(super) struct ReapGate {
    from: BootTime,
    wall_at_boot: i128,
}

impl ReapGate {
    pub(super) fn new(clock: &dyn Clock, wall: &dyn Clock, term: Duration) -> Self {
        Self { from: clock.boot() + term, wall_at_boot: wall_at_boot(clock, wall) }
    }

    /// Whether sessions may be reaped now.
    pub(super) fn is_open(&mut self, clock: &dyn Clock, wall: &dyn Clock, term: Duration) -> bool {
        let wall_at_boot = wall_at_boot(clock, wall);
        if (wall_at_boot - self.wall_at_boot).unsigned_abs() > WALL_STEP_MAX.as_millis() {
            tracing::warn!("the wall clock has moved: no session is given up for one term");
            self.wall_at_boot = wall_at_boot;
            self.from = clock.boot() + term;
        }
        clock.boot() >= self.from
    }
}

fn wall_at_boot(clock: &dyn Clock, wall: &dyn Clock) -> i128 {
    i128::from(wall.wall().as_millis()) - clock.boot().as_duration().as_millis().cast_signed()
}
