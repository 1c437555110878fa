//! How many runners a pool should have.

use crate::values::fleet::pool::PoolSpec;

/// How many runners could execute what is running and what is ready at once, within the limits of
/// the pool. `slots` is how many jobs a runner of it executes at once, as far as that is known.
pub(crate) fn runners_desired(pool: &PoolSpec, running: u32, ready: u32, slots: Option<u32>) -> u32 {
    let ready = if pool.active { ready } else { 0 };
    let slots = pool.slots_per_runner.or(slots).unwrap_or(1).max(1);
    let needed = running.saturating_add(ready).div_ceil(slots);
    // A limit that is below the minimum is the one that counts.
    needed.max(pool.runners_min).min(pool.runners_max.unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_should_have_room_for_what_runs_and_what_waits_within_its_limits() {
        let pool = |runners_min, runners_max| PoolSpec { runners_min, runners_max, ..PoolSpec::new("a") };
        assert_eq!(runners_desired(&pool(0, None), 0, 0, Some(4)), 0);
        assert_eq!(runners_desired(&pool(0, None), 3, 6, Some(4)), 3);
        assert_eq!(runners_desired(&pool(0, None), 0, 2, None), 2);
        assert_eq!(runners_desired(&pool(5, None), 0, 2, None), 5);
        assert_eq!(runners_desired(&pool(0, Some(3)), 0, 200, Some(4)), 3);
        assert_eq!(runners_desired(&pool(5, Some(3)), 0, 0, None), 3);
    }

    #[test]
    fn a_pool_that_grants_nothing_needs_no_runner_for_what_waits() {
        let paused = PoolSpec { active: false, ..PoolSpec::new("a") };
        assert_eq!(runners_desired(&paused, 1, 50, Some(1)), 1);
    }
}
