//! The server's wall clock, which every control plane on it shares: asked now and then, and carried
//! on by the time since boot in between.
//!
//! Leases are as safe as control planes agree on this time. So what is known of it is always within bounds:
//! the server told its time at some moment between question and answer, whichever took how long.

use crate::{connections::Connections, error::Trouble};
use async_trait::async_trait;
use runners_core::{BootTime, Clock, SystemClock, Timestamp, sleep, store::StoreError};
use std::{
    mem,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// How often the server is asked for its time, while that is known well and while it is not.
const ASK_EVERY: Duration = Duration::from_secs(10);
const ASK_AGAIN_EVERY: Duration = Duration::from_millis(500);

/// From what doubt on the time is known well, and up to which it will do: two control planes are then apart by twice
/// as much, which is within a tenth of every term from five seconds on.
const DOUBT_ENOUGH: i64 = 20;
const DOUBT_MAX: i64 = 250;

/// How long a store that opens tries to know it well, and how long to know it at all.
const KNOWN_WELL_WITHIN: Duration = Duration::from_secs(2);
const KNOWN_WITHIN: Duration = Duration::from_secs(10);
/// How long it waits before it asks again then.
const OPENING_PAUSE: Duration = Duration::from_millis(20);

/// How far the wall clock of the server is ahead of the boot of this machine, in milliseconds: no further
/// from `ahead` than `doubt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Estimate {
    ahead: i64,
    doubt: i64,
}

/// The wall clock of a server.
#[derive(Debug, Default)]
pub(crate) struct ServerClock {
    system: SystemClock,
    known: Mutex<Option<Estimate>>,
    /// Of what is known.
    ahead: AtomicI64,
}

/// A server takes too long to tell its time.
#[derive(Debug, thiserror::Error)]
#[error(
    "the server takes {} ms to tell its time, at most {} will do: look at its load, and at the way there",
    doubt * 2,
    DOUBT_MAX * 2
)]
struct TooDoubtful {
    doubt: i64,
}

impl Estimate {
    /// What follows from an answer: the server's clock was at `wall` between `asked` and `answered`.
    const fn of(wall: i64, asked: i64, answered: i64) -> Self {
        Self { ahead: wall - i64::midpoint(asked, answered), doubt: (answered - asked) / 2 + 1 }
    }

    /// What is known once `newer` is, too. As long as both can be true, the better one is. Otherwise one of the
    /// clocks was set or has drifted, which a doubtful answer does not settle.
    const fn and(self, newer: Self) -> Self {
        let is_taken =
            if self.agrees_with(newer) { newer.doubt < self.doubt } else { newer.doubt <= DOUBT_MAX };
        if is_taken { newer } else { self }
    }

    /// Whether both can be true.
    const fn agrees_with(self, newer: Self) -> bool {
        (newer.ahead - self.ahead).abs() <= self.doubt + newer.doubt
    }
}

impl ServerClock {
    /// Asks until the time is known, as well as it can be within a moment.
    pub(crate) async fn settle(&self, connections: &Connections) -> Result<(), StoreError> {
        let began = self.system.boot();
        let mut has_failed = false;
        loop {
            let doubt = match self.ask(connections).await {
                Ok(known) => known.doubt,
                // The connection may have been dead.
                Err(_) if !mem::replace(&mut has_failed, true) => continue,
                Err(trouble) => return Err(trouble.into()),
            };
            let spent = self.system.boot().since(began);
            if doubt <= DOUBT_ENOUGH || (doubt <= DOUBT_MAX && spent >= KNOWN_WELL_WITHIN) {
                return Ok(());
            }
            if spent >= KNOWN_WITHIN {
                return Err(StoreError::Unavailable(Box::new(TooDoubtful { doubt })));
            }
            pause(OPENING_PAUSE).await;
        }
    }

    /// Asks now and then, for ever.
    pub(crate) async fn follow(&self, connections: &Connections) {
        let mut every = ASK_EVERY;
        loop {
            pause(every).await;
            every = match self.ask(connections).await {
                Ok(known) if known.doubt <= DOUBT_ENOUGH => ASK_EVERY,
                Ok(_) => ASK_AGAIN_EVERY,
                Err(trouble) => {
                    tracing::debug!(?trouble, "the server was not asked for its time");
                    ASK_EVERY
                }
            };
        }
    }

    /// Asks once.
    async fn ask(&self, connections: &Connections) -> Result<Estimate, Trouble> {
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let (row, asked, answered) = connections.ask_timed(&self.system, sql).await?;
        let wall: i64 = row.try_get(0).map_err(Trouble::before_commit)?;
        let newer = Estimate::of(wall, millis(asked), millis(answered));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let best = known.map_or(newer, |known| known.and(newer));
        let is_set =
            |before: &Estimate| !before.agrees_with(newer) && (newer.ahead - before.ahead).abs() > DOUBT_MAX;
        if let Some(before) = known.filter(is_set) {
            let (by_ms, is_taken) = (newer.ahead - before.ahead, best == newer);
            tracing::warn!(by_ms, doubt_ms = newer.doubt, is_taken, "the clock of the server was set");
        }
        *known = Some(best);
        self.ahead.store(best.ahead, Ordering::Relaxed);
        Ok(best)
    }
}

#[async_trait]
impl Clock for ServerClock {
    fn wall(&self) -> Timestamp {
        let wall = millis(self.boot()) + self.ahead.load(Ordering::Relaxed);
        Timestamp::from_millis(u64::try_from(wall).unwrap_or_default())
    }

    fn boot(&self) -> BootTime {
        self.system.boot()
    }

    async fn sleep_until(&self, deadline: BootTime) {
        self.system.sleep_until(deadline).await;
    }
}

/// Waits for a while.
pub(crate) async fn pause(span: Duration) {
    sleep(&SystemClock::default(), span).await;
}

fn millis(boot: BootTime) -> i64 {
    i64::try_from(boot.as_duration().as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The server is this much ahead in truth.
    const AHEAD: i64 = 1_000_000;

    /// An answer for which the question took `there` and the answer `back`.
    fn answer(there: i64, back: i64) -> Estimate {
        Estimate::of(AHEAD + 500 + there, 500, 500 + there + back)
    }

    #[test]
    fn an_answer_is_no_further_from_the_truth_than_its_doubt() {
        for (there, back) in [(0, 0), (0, 1), (3, 0), (4_000, 0), (0, 4_001), (700, 3_000)] {
            let Estimate { ahead, doubt } = answer(there, back);
            assert!((ahead - AHEAD).abs() <= doubt, "{there} {back}: {ahead} {doubt}");
        }
    }

    #[test]
    fn a_slow_answer_changes_nothing_that_is_known_better_however_much_it_is_off() {
        for known in [answer(0, 6), answer(6, 0), answer(1, 1)] {
            for (there, back) in [(400, 0), (0, 400), (4_000, 0), (0, 4_000), (60_000, 0)] {
                assert_eq!(known.and(answer(there, back)), known, "{there} {back}");
            }
        }
    }

    #[test]
    fn a_better_answer_is_taken_at_once() {
        let slow = answer(4_000, 0);
        assert_eq!(slow.and(answer(2, 2)), answer(2, 2));
        assert_eq!(slow.and(answer(2, 2)).and(answer(300, 0)), answer(2, 2));
    }

    #[test]
    fn a_clock_that_was_set_is_followed_once_that_is_beyond_doubt() {
        let (known, set) = (answer(1, 1), 3_600_000);
        let after = |there, back| {
            let estimate = answer(there, back);
            Estimate { ahead: estimate.ahead + set, ..estimate }
        };
        assert_eq!(known.and(after(4_000, 0)), known, "a doubtful answer");
        assert_eq!(known.and(after(20, 20)), after(20, 20));
    }
}
