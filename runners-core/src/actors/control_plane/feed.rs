//! The order of the feeds: every commit that tells something gets numbers that grow with time, and
//! nobody reads past a number whose commit is still under way.

use super::lock;
use crate::{
    actors::records::{Batch, Records},
    rules::keys,
    seams::{clock::Clock, store::StoreError},
    values::{
        event::NUMBER_BITS,
        time::{BootTime, Timestamp},
    },
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Gives numbers to what commits tell.
#[derive(Debug)]
pub(crate) struct Feed {
    /// Keeps the numbers of several control planes apart.
    slot: u64,
    /// Others write to the same feeds, and what they have under way is not known here.
    shared: bool,
    clock: Arc<dyn Clock>,
    numbers: Mutex<Numbers>,
}

#[derive(Debug, Default)]
struct Numbers {
    last: u64,
    /// The first number of each commit that is under way. One of which nobody will hear any more
    /// is under way until it must have arrived.
    open: BTreeMap<u64, Option<BootTime>>,
}

/// How long after it was given up a commit may still arrive, and how long a commit of another
/// control plane may take.
pub(super) const SETTLE: Duration = Duration::from_secs(10);
/// How many control planes have numbers of their own.
const SLOTS: u64 = 1 << 10;
/// How many bits of a number are left to count within a millisecond.
const SLOT_BITS: u32 = NUMBER_BITS - SLOTS.ilog2();

impl Feed {
    /// Begins with numbers that no other control plane gives: on a store that is shared each draws the next
    /// slot, so none has the same until as many others have started. On another one chance has to do.
    pub(super) async fn start(
        records: &Records,
        member: &[u8; 16],
        shared: bool,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let mut drawn = u64::from(u16::from_be_bytes([member[14], member[15]]));
        if shared {
            let mut batch = Batch::new();
            batch.add(keys::feed_slots(), 1, None);
            drawn = records.commit(batch).await?.counters.first().map_or(0, |count| count.unsigned_abs());
        }
        Ok(Self::new(drawn, shared, clock))
    }

    fn new(drawn: u64, shared: bool, clock: Arc<dyn Clock>) -> Self {
        Self { slot: drawn % SLOTS, shared, clock, numbers: Mutex::default() }
    }

    /// Numbers for `count` events of a commit that begins now.
    pub(super) fn begin(&self, count: u64, wall: Timestamp) -> Ticket<'_> {
        let mut numbers = lock(&self.numbers);
        let (now, next) = (self.own(wall.as_millis()), numbers.last + 1);
        // What follows the number of another control plane may be that one's, too.
        let first = match now {
            _ if now >= next => now,
            _ if self.is_own(next) => next,
            _ => self.own((numbers.last >> NUMBER_BITS) + 1),
        };
        numbers.last = first + count - 1;
        numbers.open.insert(first, None);
        Ticket { feed: self, first, is_over: false }
    }

    /// The first number that may yet be written. Everything below stands in the store.
    pub(super) fn horizon(&self, wall: Timestamp) -> u64 {
        let boot = self.clock.boot();
        let mut numbers = lock(&self.numbers);
        numbers.open.retain(|_, given_up| given_up.is_none_or(|since| boot.since(since) < SETTLE));
        // A commit that begins while what is below is read gets a number from here on.
        numbers.last = numbers.last.max((wall.as_millis() << NUMBER_BITS).saturating_sub(1));
        let own = numbers.open.first_key_value().map_or(numbers.last + 1, |(first, _)| *first);
        if self.shared { own.min((wall - SETTLE).as_millis() << NUMBER_BITS) } else { own }
    }

    /// A number stands in the store that an earlier start gave, whose wall was ahead. Later ones
    /// go after it.
    pub(super) fn found(&self, number: u64) {
        let mut numbers = lock(&self.numbers);
        numbers.last = numbers.last.max(number);
    }

    /// The first number of this control plane within a millisecond.
    const fn own(&self, millis: u64) -> u64 {
        (millis << NUMBER_BITS) | (self.slot << SLOT_BITS)
    }

    /// Whether a number is one of those that only this control plane gives.
    const fn is_own(&self, number: u64) -> bool {
        (number >> SLOT_BITS) % SLOTS == self.slot
    }

    fn close(&self, first: u64, given_up: Option<BootTime>) {
        let mut numbers = lock(&self.numbers);
        match given_up {
            Some(_) => numbers.open.insert(first, given_up),
            None => numbers.open.remove(&first),
        };
    }
}

/// The numbers of a commit that is under way.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    feed: &'a Feed,
    pub(super) first: u64,
    is_over: bool,
}

impl Ticket<'_> {
    /// The commit was applied, or certainly was not.
    pub(super) fn settled(mut self) {
        self.is_over = true;
        self.feed.close(self.first, None);
    }
}

impl Drop for Ticket<'_> {
    /// Nobody knows whether it was or will be applied.
    fn drop(&mut self) {
        if !self.is_over {
            self.feed.close(self.first, Some(self.feed.clock.boot()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{seams::clock::sleep, testing::clock::SimClock};

    const WALL: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn feed(shared: bool) -> Feed {
        Feed::new(7, shared, Arc::new(SimClock::new()))
    }

    #[tokio::test(start_paused = true)]
    async fn numbers_grow_whatever_the_wall_does() {
        let feed = feed(false);
        let first = feed.begin(3, WALL).first;
        assert!(feed.begin(1, WALL - Duration::from_secs(9)).first >= first + 3);
        assert!(feed.begin(1, WALL + Duration::from_millis(1)).first > first + 3);
    }

    #[tokio::test(start_paused = true)]
    async fn two_control_planes_give_no_number_twice_wherever_one_begins() {
        let [one, other] = [7, 8].map(|drawn| Feed::new(drawn, true, Arc::new(SimClock::new())));
        let mut given = Vec::new();
        for wall in [WALL, WALL, WALL - Duration::from_secs(9)] {
            given.push(one.begin(1, wall).first);
            other.found(given[given.len() - 1]);
            given.push(other.begin(1, wall).first);
            one.found(given[given.len() - 1]);
            let _ = (one.horizon(wall), other.horizon(wall));
        }
        given.extend([one.begin(1, WALL).first, other.begin(1, WALL).first]);
        let different: std::collections::BTreeSet<_> = given.iter().collect();
        assert_eq!(different.len(), given.len(), "{given:x?}");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_reads_past_a_commit_that_is_under_way() {
        let feed = feed(false);
        let (slow, quick) = (feed.begin(1, WALL), feed.begin(1, WALL));
        let (first, last) = (slow.first, quick.first);
        quick.settled();
        assert_eq!(feed.horizon(WALL), first);
        slow.settled();
        assert!(feed.horizon(WALL) > last);
    }

    #[tokio::test(start_paused = true)]
    async fn what_begins_after_a_look_goes_after_what_was_looked_at() {
        let feed = feed(false);
        let horizon = feed.horizon(WALL);
        assert!(feed.begin(1, WALL - Duration::from_secs(9)).first >= horizon);
        let ahead = horizon << 1;
        feed.found(ahead);
        assert!(feed.begin(1, WALL).first > ahead);
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_of_which_nothing_is_known_is_waited_for() {
        let feed = feed(false);
        let lost = feed.begin(1, WALL);
        let first = lost.first;
        drop(lost);
        sleep(&*feed.clock, SETTLE / 2).await;
        assert_eq!(feed.horizon(WALL), first);
        sleep(&*feed.clock, SETTLE).await;
        assert!(feed.horizon(WALL) > first);
    }

    #[tokio::test(start_paused = true)]
    async fn what_others_have_under_way_is_waited_for() {
        assert_eq!(feed(true).horizon(WALL), (WALL - SETTLE).as_millis() << NUMBER_BITS);
    }
}
