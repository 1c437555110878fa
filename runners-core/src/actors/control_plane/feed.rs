//! The order of the feeds: every commit that tells something gets numbers that grow with time, and
//! nobody reads past a number whose commit is still under way.
//!
//! Where one control plane has the store, it knows what it has under way. Where several share it, nobody
//! knows that of the others. Then the store keeps a watermark: each commit is refused unless its numbers
//! are above, and takes new ones; whoever reads raises it over what was found before giving that out.

#[cfg(test)]
mod tests;

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
    pub(super) is_shared: bool,
    clock: Arc<dyn Clock>,
    numbers: Mutex<Numbers>,
    /// Held by whoever raises the watermark.
    pub(super) raising: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Numbers {
    last: u64,
    /// The first number of each commit that is under way. One of which nobody will hear any more
    /// is under way until it must have arrived. Where the store is shared, nothing stands here.
    open: BTreeMap<u64, Option<BootTime>>,
    /// Where the watermark stands at least.
    watermark: u64,
    /// What readers have found beyond it.
    beyond: Option<Beyond>,
    /// When it was last tried to raise it.
    tried: Option<BootTime>,
    /// How far ahead of the wall numbers are taken, since when: commits take so long here that they came
    /// too late.
    lead: Option<(Duration, BootTime)>,
}

/// What stands beyond the watermark.
#[derive(Clone, Copy, Debug)]
struct Beyond {
    lowest: u64,
    highest: u64,
    /// What was the highest when something was first found, and when that was.
    seen: (u64, BootTime),
}

/// How long after it was given up a commit may still arrive, and how far behind the present readers may fall
/// before they catch up at once, where the store is shared.
pub(super) const SETTLE: Duration = Duration::from_secs(10);
/// How long, on a store that is shared, what was told is left to those that began before it; and how often a
/// control plane raises the watermark at most.
pub(super) const MARGIN: Duration = Duration::from_millis(200);
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
        is_shared: bool,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let mut drawn = u64::from(u16::from_be_bytes([member[14], member[15]]));
        if !is_shared {
            return Ok(Self::new(drawn, false, clock));
        }
        let mut batch = Batch::new();
        batch.add(keys::feed_slots(), 1, None);
        drawn = records.commit(batch).await?.counters.first().map_or(0, |count| count.unsigned_abs());
        let feed = Self::new(drawn, true, clock);
        feed.raised(records.counter(keys::feed_watermark()).await?.unsigned_abs());
        Ok(feed)
    }

    fn new(drawn: u64, is_shared: bool, clock: Arc<dyn Clock>) -> Self {
        Self {
            slot: drawn % SLOTS,
            is_shared,
            clock,
            numbers: Mutex::default(),
            raising: tokio::sync::Mutex::default(),
        }
    }

    /// Numbers for `count` events of a commit that begins now.
    pub(super) fn begin(&self, count: u64, wall: Timestamp) -> Ticket<'_> {
        let began = self.clock.boot();
        let mut numbers = lock(&self.numbers);
        let lead = numbers.lead.filter(|(_, since)| began.since(*since) < SETTLE).map(|(lead, _)| lead);
        let wall = wall + lead.unwrap_or_default();
        let (now, next) = (self.own(wall.as_millis()), numbers.last + 1);
        // What follows the number of another control plane may be that one's, too.
        let first = match now {
            _ if now >= next => now,
            _ if self.is_own(next) && self.is_own(next + count - 1) => next,
            _ => self.own((numbers.last >> NUMBER_BITS) + 1),
        };
        numbers.last = first + count - 1;
        if !self.is_shared {
            numbers.open.insert(first, None);
        }
        Ticket { feed: self, first, began, is_over: self.is_shared }
    }

    /// The first number that may yet be written. Everything below stands in the store, for a read that begins
    /// afterwards.
    pub(super) fn horizon(&self, wall: Timestamp) -> u64 {
        let boot = self.clock.boot();
        let mut numbers = lock(&self.numbers);
        if self.is_shared {
            return numbers.watermark + 1;
        }
        numbers.open.retain(|_, given_up| given_up.is_none_or(|since| boot.since(since) < SETTLE));
        // A commit that begins while what is below is read gets a number from here on.
        numbers.last = numbers.last.max((wall.as_millis() << NUMBER_BITS).saturating_sub(1));
        numbers.open.first_key_value().map_or(numbers.last + 1, |(first, _)| *first)
    }

    /// A number stands in the store that another control plane gave, or an earlier start whose wall was
    /// ahead. Later ones go after it.
    pub(super) fn found(&self, number: u64) {
        let mut numbers = lock(&self.numbers);
        numbers.last = numbers.last.max(number);
    }

    /// A reader has found numbers beyond the horizon, from the lowest to the highest.
    pub(super) fn found_beyond(&self, lowest: u64, highest: u64) {
        let boot = self.clock.boot();
        let mut numbers = lock(&self.numbers);
        numbers.last = numbers.last.max(highest);
        if !self.is_shared || lowest <= numbers.watermark {
            return;
        }
        let known = numbers.beyond.unwrap_or(Beyond { lowest, highest, seen: (highest, boot) });
        let (lowest, highest) = (known.lowest.min(lowest), known.highest.max(highest));
        numbers.beyond = Some(Beyond { lowest, highest, ..known });
    }

    /// The watermark stands at a number, or above.
    pub(super) fn raised(&self, number: u64) {
        let mut numbers = lock(&self.numbers);
        numbers.watermark = numbers.watermark.max(number);
        numbers.last = numbers.last.max(number);
        let watermark = numbers.watermark;
        numbers.beyond = numbers.beyond.filter(|beyond| beyond.lowest > watermark);
    }

    /// A commit was refused, since the watermark stands at a number. Where that took long, numbers are ahead
    /// of the wall for a while, so that the next ones come in time.
    pub(super) fn refused(&self, ticket: &Ticket<'_>, at: u64) {
        let now = self.clock.boot();
        let took = now.since(ticket.began);
        if took >= MARGIN {
            lock(&self.numbers).lead = Some(((took * 2).min(SETTLE), now));
        }
        self.raised(at);
    }

    /// To which number the watermark is to be raised now, if it is: so far that something is read, but over
    /// nothing that may well be under way. What was told is left to those that began before it for a moment,
    /// by the wall or, where that is behind, by when it was found. What is far behind is read at once.
    pub(super) fn due(&self, wall: Timestamp) -> Option<u64> {
        let boot = self.clock.boot();
        let numbers = lock(&self.numbers);
        let beyond = numbers.beyond?;
        if numbers.tried.is_some_and(|tried| boot.since(tried) < MARGIN) {
            return None;
        }
        let (highest_seen, since) = beyond.seen;
        let seen = if boot.since(since) >= MARGIN { highest_seen } else { 0 };
        let to = seen.max(beyond.highest.min(last_of(wall - MARGIN)));
        (to >= beyond.lowest).then(|| to.max(last_of(wall - SETTLE)))
    }

    /// When it is to be asked again whether it is [`due`](Self::due).
    pub(super) fn look_again_at(&self, wall: Timestamp) -> BootTime {
        let boot = self.clock.boot();
        let numbers = lock(&self.numbers);
        let Some(beyond) = numbers.beyond else { return boot };
        let told = Timestamp::from_millis(beyond.lowest >> NUMBER_BITS);
        let ripe = (beyond.seen.1 + MARGIN).min(boot + (told + MARGIN).since(wall));
        numbers.tried.map_or(ripe, |tried| ripe.max(tried + MARGIN))
    }

    /// It was tried to raise the watermark, whatever came of it.
    pub(super) fn tried(&self) {
        lock(&self.numbers).tried = Some(self.clock.boot());
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
    began: BootTime,
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

/// The last number of a millisecond.
const fn last_of(wall: Timestamp) -> u64 {
    (wall.as_millis() << NUMBER_BITS) | ((1 << NUMBER_BITS) - 1)
}
