//! A store that goes wrong: it is unavailable, slow, or does not tell whether it committed, as a
//! seed says. What it keeps, and how, is left to the store inside.

use super::random::SeededRandom;
use crate::{
    seams::{
        clock::{Clock, sleep},
        store::{Committed, Hint, Page, Query, Store, StoreError, Stored, Write},
    },
    values::{key::Key, time::BootTime},
};
use async_trait::async_trait;
use futures::{StreamExt as _, stream::BoxStream};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How often what goes wrong, each from 0 (never) to 1 (always), for each call by itself.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "tests write `StoreFaults { slow: 0.1, ..StoreFaults::none() }`"
)]
pub struct StoreFaults {
    /// The call fails and does nothing.
    pub unavailable: f64,
    /// The batch is applied, and the answer is that nobody knows.
    pub unknown_applied: f64,
    /// The batch is not applied, and the answer is that nobody knows.
    pub unknown_dropped: f64,
    /// The call takes up to `delay_max`, before or after it was carried out.
    pub slow: f64,
    /// The longest that a call may take.
    pub delay_max: Duration,
    /// The call is carried out a moment later and its answer arrives a moment later, each up to
    /// `late_max`, while others go on: what it read is old by then, and what it wrote was seen.
    pub late: f64,
    /// The longest moment.
    pub late_max: Duration,
}

impl StoreFaults {
    /// A store that works.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            unavailable: 0.0,
            unknown_applied: 0.0,
            unknown_dropped: 0.0,
            slow: 0.0,
            delay_max: Duration::ZERO,
            late: 0.0,
            late_max: Duration::ZERO,
        }
    }

    /// A bad store: 2 % unavailable, 1 % unknown each way, 5 % as slow as `delay_max` at worst, and
    /// 30 % late by up to 300 ms each way.
    #[must_use]
    pub const fn bad(delay_max: Duration) -> Self {
        Self {
            unavailable: 0.02,
            unknown_applied: 0.01,
            unknown_dropped: 0.01,
            slow: 0.05,
            delay_max,
            late: 0.3,
            late_max: Duration::from_millis(300),
        }
    }
}

/// How often what went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreFaultCounts {
    /// Calls that failed and did nothing.
    pub unavailable: u64,
    /// Batches that were applied though nobody was told.
    pub unknown_applied: u64,
    /// Batches that were not applied though that was not told.
    pub unknown_dropped: u64,
    /// Calls that took longer.
    pub slow: u64,
    /// Calls that were carried out and answered a moment later.
    pub late: u64,
    /// Batches that the store refused because they are malformed, which is a bug of the caller.
    pub broken: u64,
}

/// A store that goes wrong as a seed says. Clones share everything; a [`handle`](Self::handle)
/// shares the faults and the data, and can crash by itself.
///
/// A batch that is under way is applied even if its caller is gone meanwhile, as it is where the
/// store is another process or thread. Each is carried by itself, and [`settled`](Self::settled) joins it.
#[derive(Clone, Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    wall: Option<Arc<dyn Clock>>,
    is_silent: bool,
    random: SeededRandom,
    trouble: Arc<Mutex<Trouble>>,
    crashed: CancellationToken,
    under_way: TaskTracker,
}

#[derive(Debug)]
struct Trouble {
    faults: StoreFaults,
    counts: StoreFaultCounts,
    down_until: Option<BootTime>,
}

/// What happens to one call, drawn before it starts.
#[derive(Clone, Copy, Debug)]
struct Fate {
    before: Duration,
    after: Duration,
    ends: Ends,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    Well,
    Unavailable,
    UnknownApplied,
    UnknownDropped,
}

impl FaultyStore {
    /// Wraps a store.
    pub fn new(inner: impl Store, clock: impl Clock, random: SeededRandom, faults: StoreFaults) -> Self {
        let trouble = Trouble { faults, counts: StoreFaultCounts::default(), down_until: None };
        Self {
            inner: Arc::new(inner),
            clock: Arc::new(clock),
            wall: None,
            is_silent: false,
            random,
            trouble: Arc::new(Mutex::new(trouble)),
            crashed: CancellationToken::new(),
            under_way: TaskTracker::new(),
        }
    }

    /// Gives the store a wall clock that all its users share.
    #[must_use]
    pub fn with_clock(mut self, wall: impl Clock) -> Self {
        self.wall = Some(Arc::new(wall));
        self
    }

    /// Says nothing of what is written, as a store does that has one owner.
    #[must_use]
    pub const fn silent(mut self) -> Self {
        self.is_silent = true;
        self
    }

    /// The same store and faults, as another process sees them: it crashes by itself.
    #[must_use]
    pub fn handle(&self) -> Self {
        Self { crashed: CancellationToken::new(), ..self.clone() }
    }

    /// Everything that is asked by this handle fails from now on, what is pending included. A
    /// batch that is under way is applied or not, as it was drawn.
    pub fn crash(&self) {
        self.crashed.cancel();
    }

    /// Changes how often what goes wrong, for the calls from now on.
    pub fn set(&self, faults: StoreFaults) {
        self.trouble().faults = faults;
    }

    /// Is unavailable for `span` from now on.
    pub fn outage(&self, span: Duration) {
        let until = self.clock.boot() + span;
        self.trouble().down_until = Some(until);
    }

    /// Ends an outage.
    pub fn heal(&self) {
        self.trouble().down_until = None;
    }

    /// How often what went wrong so far.
    #[must_use]
    pub fn counts(&self) -> StoreFaultCounts {
        self.trouble().counts
    }

    /// Completes once nothing is under way. Batches that are committed meanwhile are waited for too.
    pub async fn settled(&self) {
        self.under_way.close();
        self.under_way.wait().await;
        self.under_way.reopen();
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self, writes: bool) -> Fate {
        let now = self.clock.boot();
        let mut trouble = self.trouble();
        let faults = trouble.faults.clone();
        let (chance, slow, part, late) =
            (self.random.unit(), self.random.unit(), self.random.unit(), self.random.unit());
        let moment = self.moment(&faults);
        let down = trouble.down_until.is_some_and(|until| now < until);
        let counts = &mut trouble.counts;
        let (applied, dropped) =
            if writes { (faults.unknown_applied, faults.unknown_dropped) } else { (0.0, 0.0) };
        let ends = if down || chance < faults.unavailable {
            counts.unavailable += 1;
            Ends::Unavailable
        } else if chance < faults.unavailable + applied {
            counts.unknown_applied += 1;
            Ends::UnknownApplied
        } else if chance < faults.unavailable + applied + dropped {
            counts.unknown_dropped += 1;
            Ends::UnknownDropped
        } else {
            Ends::Well
        };
        let is_slow = slow < faults.slow;
        counts.slow += u64::from(is_slow);
        counts.late += u64::from(moment.is_some());
        let delay = if is_slow { faults.delay_max.mul_f64(part) } else { Duration::ZERO };
        let before = delay.mul_f64(late);
        let (sooner, later) = moment.unwrap_or_default();
        Fate { before: before + sooner, after: delay.saturating_sub(before) + later, ends }
    }

    /// How much later a call is carried out, and how much later it is answered.
    fn moment(&self, faults: &StoreFaults) -> Option<(Duration, Duration)> {
        let (chance, before, after) = (self.random.unit(), self.random.unit(), self.random.unit());
        (chance < faults.late).then(|| (faults.late_max.mul_f64(before), faults.late_max.mul_f64(after)))
    }

    /// Asks the inner store, unless it is unavailable or this handle crashes.
    async fn ask<T>(&self, asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let fate = self.draw(false);
        let answer = async {
            sleep(&*self.clock, fate.before).await;
            if fate.ends == Ends::Unavailable {
                return Err(StoreError::Unavailable("simulated".into()));
            }
            let answer = asked.await;
            sleep(&*self.clock, fate.after).await;
            answer
        };
        tokio::select! {
            biased;
            () = self.crashed.cancelled() => Err(StoreError::Unavailable("crashed".into())),
            answer = answer => answer,
        }
    }

    async fn carry(self, writes: Vec<Write>, fate: Fate) -> Result<Committed, StoreError> {
        sleep(&*self.clock, fate.before).await;
        let committed = match fate.ends {
            Ends::Unavailable => Err(StoreError::Unavailable("simulated".into())),
            Ends::UnknownDropped => Err(StoreError::Unknown("simulated, and not applied".into())),
            Ends::Well => self.inner.commit(writes).await,
            Ends::UnknownApplied => match self.inner.commit(writes).await {
                Ok(_) => Err(StoreError::Unknown("simulated, and applied".into())),
                Err(error) => Err(error),
            },
        };
        if matches!(committed, Err(StoreError::Broken(_))) {
            self.trouble().counts.broken += 1;
        }
        sleep(&*self.clock, fate.after).await;
        committed
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.ask(self.inner.load(keys)).await
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.ask(self.inner.scan(query)).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        if self.crashed.is_cancelled() {
            return Err(StoreError::Unavailable("crashed".into()));
        }
        let fate = self.draw(true);
        let (reply_to, reply) = oneshot::channel();
        let carried = self.clone().carry(writes, fate);
        self.under_way.spawn(async move { drop(reply_to.send(carried.await)) });
        tokio::select! {
            biased;
            () = self.crashed.cancelled() => Err(StoreError::Unknown("crashed".into())),
            reply = reply => reply.unwrap_or_else(|_| Err(StoreError::Unknown("the runtime has ended".into()))),
        }
    }

    fn watch(&self) -> BoxStream<'static, Hint> {
        if self.is_silent { futures::stream::pending().boxed() } else { self.inner.watch() }
    }

    fn clock(&self) -> Option<Arc<dyn Clock>> {
        self.wall.clone().or_else(|| self.inner.clock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        seams::store::MemoryStore,
        testing::clock::SimClock,
        values::{id::TenantId, key::Kind},
    };

    fn put(number: u8) -> Vec<Write> {
        let key = Key::new(TenantId::DEFAULT, Kind::Pool, vec![number; 16]);
        vec![Write::Put { key, expected: 0, format: 1, body: vec![number].into(), indexes: Vec::new() }]
    }

    async fn is_there(store: &MemoryStore, number: u8) -> bool {
        let key = Key::new(TenantId::DEFAULT, Kind::Pool, vec![number; 16]);
        store.load(vec![key]).await.unwrap()[0].is_some()
    }

    fn faulty(store: &MemoryStore, faults: StoreFaults) -> FaultyStore {
        FaultyStore::new(store.clone(), SimClock::new(), SeededRandom::new(1), faults)
    }

    #[tokio::test(start_paused = true)]
    async fn unknown_is_applied_or_not_as_drawn() {
        let store = MemoryStore::default();
        let applied = faulty(&store, StoreFaults { unknown_applied: 1.0, ..StoreFaults::none() });
        assert!(matches!(applied.commit(put(1)).await, Err(StoreError::Unknown(_))));
        let dropped = faulty(&store, StoreFaults { unknown_dropped: 1.0, ..StoreFaults::none() });
        assert!(matches!(dropped.commit(put(2)).await, Err(StoreError::Unknown(_))));
        assert!(is_there(&store, 1).await && !is_there(&store, 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_fails_everything_until_it_ends() {
        let store = MemoryStore::default();
        let faulty = faulty(&store, StoreFaults::none());
        faulty.outage(Duration::from_secs(5));
        assert!(matches!(faulty.commit(put(1)).await, Err(StoreError::Unavailable(_))));
        sleep(&*faulty.clock, Duration::from_secs(5)).await;
        faulty.commit(put(1)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_late_batch_wrote_is_seen_before_its_answer() {
        let store = MemoryStore::default();
        let faults = StoreFaults { late: 1.0, late_max: Duration::from_secs(9), ..StoreFaults::none() };
        let faulty = faulty(&store, faults);
        let mut committing = std::pin::pin!(faulty.commit(put(1)));
        let seen = async {
            while !is_there(&store, 1).await {
                sleep(&*faulty.clock, Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            biased;
            _ = &mut committing => panic!("it was answered before it could be seen"),
            () = seen => {}
        }
        committing.await.unwrap();
        assert_eq!(faulty.counts().late, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crash_fails_what_is_pending_and_leaves_other_handles_alone() {
        let store = MemoryStore::default();
        let faults = StoreFaults { slow: 1.0, delay_max: Duration::from_secs(9), ..StoreFaults::none() };
        let faulty = faulty(&store, faults);
        let crashing = faulty.handle();
        let (pending, ()) = tokio::join!(crashing.commit(put(1)), async { crashing.crash() });
        assert!(matches!(pending, Err(StoreError::Unknown(_))));
        assert!(matches!(crashing.commit(put(2)).await, Err(StoreError::Unavailable(_))));
        faulty.settled().await;
        assert!(is_there(&store, 1).await, "it was under way");
        faulty.commit(put(3)).await.unwrap();
    }
}
