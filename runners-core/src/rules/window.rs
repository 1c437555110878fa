//! The ready jobs of one lane that are kept in memory: the first ones, up to a horizon.
//!
//! Jobs beyond the horizon stay in the store until the window is half empty. What becomes ready
//! while a page is being read is kept aside, and merged when the page arrives.

use bytes::Bytes;
use std::collections::BTreeMap;

/// The first ready jobs of one lane, by their key in the ready index.
#[derive(Debug)]
pub(crate) struct Window<T> {
    entries: BTreeMap<Bytes, T>,
    horizon: Horizon,
    reading: bool,
    /// The page that is being read is not to be relied on.
    doubted: bool,
    aside: BTreeMap<Bytes, T>,
}

/// Up to where the window knows all ready jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Horizon {
    /// Nothing was read yet.
    Start,
    /// Up to and including this key.
    At(Bytes),
    /// To the end: every ready job is in the window.
    Open,
}

impl<T> Window<T> {
    /// A window onto a lane of which nothing is known.
    pub(crate) const fn unread() -> Self {
        Self::with_horizon(Horizon::Start)
    }

    /// A window onto a lane that has no ready jobs.
    pub(crate) const fn empty() -> Self {
        Self::with_horizon(Horizon::Open)
    }

    const fn with_horizon(horizon: Horizon) -> Self {
        Self { entries: BTreeMap::new(), horizon, reading: false, doubted: false, aside: BTreeMap::new() }
    }

    /// The key of the first ready job.
    pub(crate) fn first(&self) -> Option<&Bytes> {
        self.entries.keys().next()
    }

    /// How many ready jobs are in the window.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The ready jobs in the window.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &T> {
        self.entries.values()
    }

    /// Whether it is known that the lane has no ready job.
    pub(crate) fn is_surely_empty(&self) -> bool {
        self.entries.is_empty() && self.horizon == Horizon::Open && !self.reading
    }

    /// The ready jobs in the window by their keys, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Bytes, &T)> {
        self.entries.iter()
    }

    /// Whether a ready job is in the window.
    pub(crate) fn contains(&self, key: &Bytes) -> bool {
        self.entries.contains_key(key)
    }

    /// Whether every ready job of the lane is in the window.
    pub(crate) fn is_complete(&self) -> bool {
        self.horizon == Horizon::Open && !self.reading
    }

    /// Takes the first ready job out.
    pub(crate) fn pop(&mut self) -> Option<(Bytes, T)> {
        self.entries.pop_first()
    }

    /// Takes a ready job out.
    pub(crate) fn take(&mut self, key: &Bytes) -> Option<T> {
        self.entries.remove(key)
    }

    /// Adds a job that has become ready, keeping at most `size` jobs. Whether it is in the window
    /// now.
    pub(crate) fn insert(&mut self, key: Bytes, job: T, size: usize) -> bool {
        let known = match &self.horizon {
            Horizon::Start => false,
            Horizon::At(horizon) => key <= *horizon,
            Horizon::Open => true,
        };
        if !known {
            if self.reading {
                self.aside.insert(key, job);
            }
            return false;
        }
        self.entries.insert(key.clone(), job);
        if self.entries.len() > size {
            let (last, _) = self.entries.pop_last().expect("it has more than `size` entries");
            let horizon = self.entries.keys().next_back().cloned();
            // A page that is being read begins after the horizon as it was.
            self.doubted |= self.reading;
            self.horizon = horizon.map_or(Horizon::Start, Horizon::At);
            return last != key;
        }
        true
    }

    /// Removes a job that is no longer ready.
    pub(crate) fn remove(&mut self, key: &Bytes) {
        self.entries.remove(key);
        self.aside.remove(key);
    }

    /// Removes the job of such a key, also from what is kept aside. Whether there was one.
    pub(crate) fn remove_where(&mut self, is_it: impl Fn(&[u8]) -> bool) -> bool {
        let mut found = false;
        for jobs in [&mut self.entries, &mut self.aside] {
            if let Some(key) = jobs.keys().find(|key| is_it(key)).cloned() {
                jobs.remove(&key);
                found = true;
            }
        }
        found
    }

    /// Forgets everything: what is ready is to be read again from the start.
    pub(crate) fn doubt(&mut self) {
        self.entries.clear();
        self.aside.clear();
        self.horizon = Horizon::Start;
        self.doubted = self.reading;
    }

    /// Whether a page is to be read, and after which key. The caller reads it and then calls
    /// [`page`](Self::page) or [`page_failed`](Self::page_failed).
    pub(crate) fn begin_reading(&mut self, size: usize) -> Option<Option<Bytes>> {
        if self.reading || self.entries.len() > size / 2 {
            return None;
        }
        let after = match &self.horizon {
            Horizon::Open => return None,
            Horizon::Start => None,
            Horizon::At(horizon) => Some(horizon.clone()),
        };
        self.reading = true;
        Some(after)
    }

    /// Merges a page that was read, with whatever became ready meanwhile. `more` tells that the
    /// lane goes on after it.
    pub(crate) fn page(&mut self, page: Vec<(Bytes, T)>, more: bool) {
        self.reading = false;
        if std::mem::take(&mut self.doubted) {
            return self.aside.clear();
        }
        if more {
            if let Some((last, _)) = page.last() {
                self.horizon = Horizon::At(last.clone());
            }
        } else {
            self.horizon = Horizon::Open;
        }
        self.entries.extend(page);
        let aside = std::mem::take(&mut self.aside);
        let horizon = self.horizon.clone();
        self.entries.extend(aside.into_iter().filter(|(key, _)| match &horizon {
            Horizon::Start => false,
            Horizon::At(horizon) => key <= horizon,
            Horizon::Open => true,
        }));
    }

    /// The page could not be read: it is asked for again later.
    pub(crate) fn page_failed(&mut self) {
        self.reading = false;
        self.doubted = false;
        self.aside.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> Bytes {
        vec![number].into()
    }

    #[test]
    fn a_full_window_draws_its_horizon_in() {
        let mut window = Window::empty();
        for number in [1, 2, 3] {
            window.insert(key(number), number, 2);
        }
        assert_eq!(window.len(), 2);
        assert!(!window.insert(key(9), 9, 2), "beyond the horizon, it waits in the store");
        assert!(window.insert(key(0), 0, 2));
        assert_eq!(window.pop(), Some((key(0), 0)));
    }

    #[test]
    fn what_becomes_ready_while_a_page_is_read_is_merged_with_it() {
        let mut window = Window::unread();
        assert_eq!(window.begin_reading(4), Some(None));
        assert_eq!(window.begin_reading(4), None, "one page at a time");
        assert!(!window.insert(key(2), 2, 4));
        window.page(vec![(key(1), 1), (key(3), 3)], true);
        assert_eq!(window.pop(), Some((key(1), 1)));
        assert_eq!(window.pop(), Some((key(2), 2)));
        assert_eq!(window.begin_reading(4), Some(Some(key(3))));
    }

    #[test]
    fn what_stopped_being_ready_while_a_page_is_read_is_not_merged() {
        let mut window = Window::unread();
        window.begin_reading(4);
        window.insert(key(2), 2, 4);
        window.remove(&key(2));
        window.page(Vec::new(), false);
        assert!(window.is_surely_empty());
    }

    #[test]
    fn a_page_that_was_doubted_while_it_was_read_is_read_again_from_the_start() {
        let mut window = Window::empty();
        window.insert(key(5), 5, 4);
        window.doubt();
        assert_eq!(window.begin_reading(4), Some(None));
        window.doubt();
        window.page(vec![(key(5), 5)], false);
        assert_eq!(window.len(), 0, "it may be older than the doubt");
        assert_eq!(window.begin_reading(4), Some(None));
        window.page(vec![(key(1), 1), (key(5), 5)], false);
        assert_eq!(window.pop(), Some((key(1), 1)));
    }

    #[test]
    fn a_horizon_that_is_drawn_in_while_a_page_is_read_leaves_nothing_out() {
        let mut window = Window::unread();
        window.begin_reading(4);
        window.page(vec![(key(4), 4)], true);
        assert_eq!(window.begin_reading(4), Some(Some(key(4))));
        for number in [0, 1, 2, 3] {
            window.insert(key(number), number, 4);
        }
        window.page(vec![(key(5), 5)], false);
        for number in [0, 1, 2, 3] {
            assert_eq!(window.pop(), Some((key(number), number)));
        }
        assert!(!window.is_surely_empty(), "the fourth went beyond the horizon");
        assert_eq!(window.begin_reading(4), Some(Some(key(3))));
    }

    #[test]
    fn a_failed_page_is_asked_for_again() {
        let mut window = Window::<u8>::unread();
        window.begin_reading(4);
        window.page_failed();
        assert_eq!(window.begin_reading(4), Some(None));
    }
}
