//! Jobs that others made ready and that are not read yet.

use crate::values::{key::Key, time::BootTime};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

/// How many jobs wait to be read. Where there are more, the first are read early.
const UNREAD_MAX: usize = 4096;

/// Jobs that others made ready, and when each is to be read. Mostly they are granted by whoever made them
/// ready, long before: then they are never read.
#[derive(Debug, Default)]
pub(super) struct Unread {
    by_key: BTreeMap<Key, BootTime>,
    by_time: BTreeSet<(BootTime, Key)>,
}

impl Unread {
    /// One is ready, and is to be read at `at`, if that was not to be earlier.
    pub(super) fn add(&mut self, key: Key, at: BootTime) {
        if let Entry::Vacant(vacant) = self.by_key.entry(key.clone()) {
            vacant.insert(at);
            self.by_time.insert((at, key));
        }
    }

    /// One is not ready any more, or is read now. Whether it was to be read.
    pub(super) fn remove(&mut self, key: &Key) -> bool {
        let found = self.by_key.remove_entry(key);
        found.is_some_and(|(key, at)| self.by_time.remove(&(at, key)))
    }

    /// None is to be read.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// When the next is to be read.
    pub(super) fn next_at(&self) -> Option<BootTime> {
        let first = self.by_time.first().map(|(at, _)| *at);
        if self.by_key.len() > UNREAD_MAX { first.map(|_| BootTime::default()) } else { first }
    }

    /// Takes out one that is to be read by now.
    pub(super) fn take(&mut self, now: BootTime) -> Option<Key> {
        if self.next_at()? > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{id::TenantId, key::Kind};
    use std::time::Duration;

    fn key(number: usize) -> Key {
        Key::new(TenantId::DEFAULT, Kind::Job, number.to_be_bytes().to_vec())
    }

    fn at(millis: u64) -> BootTime {
        BootTime::default() + Duration::from_millis(millis)
    }

    #[test]
    fn each_is_read_once_at_its_time_unless_it_is_gone() {
        let mut unread = Unread::default();
        unread.add(key(1), at(20));
        unread.add(key(2), at(10));
        unread.add(key(1), at(90));
        unread.add(key(3), at(10));
        assert!(unread.remove(&key(3)) && !unread.remove(&key(3)));
        assert_eq!(unread.next_at(), Some(at(10)));
        assert_eq!(unread.take(at(9)), None);
        assert_eq!([unread.take(at(30)), unread.take(at(30))], [Some(key(2)), Some(key(1))]);
        assert_eq!((unread.take(at(99)), unread.next_at()), (None, None));
    }

    #[test]
    fn no_more_wait_than_there_is_room_for() {
        let mut unread = Unread::default();
        (0..UNREAD_MAX + 2).for_each(|number| unread.add(key(number), at(500)));
        let early = std::iter::from_fn(|| unread.take(at(0))).count();
        assert_eq!((early, unread.next_at()), (2, Some(at(500))));
    }
}
