//! Which batches may stand in one group: they do not meet in a record, but for those that only expect it,
//! and whoever raises a watermark is alone.

use crate::key::Key;
use runners_core::store::Write;
use std::collections::{HashMap, hash_map::Entry};

/// How a batch touches a key that others of its group may touch too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touch {
    /// It is expected, or appended to: others may do the same.
    Shared,
    Alone,
}

/// Which keys the batches of a group touch.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    keys: HashMap<Key, Touch>,
    batches: usize,
    /// Whoever raises a watermark keeps everybody waiting, so it is alone and soon done.
    raises: bool,
}

impl Touched {
    /// Takes note of a batch, unless it may not stand beside those that were noted.
    pub(crate) fn admit(&mut self, writes: &[Write]) -> bool {
        let touches = || writes.iter().filter_map(touch);
        let meets = |(key, touch): (&Key, Touch)| {
            self.keys.get(key).is_some_and(|other| touch == Touch::Alone || *other == Touch::Alone)
        };
        let raises = writes.iter().any(|write| matches!(write, Write::Raise { .. }));
        if self.raises || raises && self.batches > 0 || touches().any(meets) {
            return false;
        }
        self.batches += 1;
        self.raises = raises;
        for (key, touch) in touches() {
            match self.keys.entry(key.clone()) {
                Entry::Vacant(vacant) => drop(vacant.insert(touch)),
                Entry::Occupied(mut held) if touch == Touch::Alone => drop(held.insert(touch)),
                Entry::Occupied(_) => {}
            }
        }
        true
    }
}

fn touch(write: &Write) -> Option<(&Key, Touch)> {
    match write {
        Write::Put { key, .. } | Write::Delete { key, .. } => Some((key, Touch::Alone)),
        // What is expected to be absent is put for a moment.
        Write::Expect { key, expected: 0 } => Some((key, Touch::Alone)),
        Write::Expect { key, .. } => Some((key, Touch::Shared)),
        Write::Append { stream, .. } | Write::AppendLines { stream, .. } => Some((stream, Touch::Shared)),
        Write::Drop { stream, .. } => Some((stream, Touch::Alone)),
        Write::Add { .. } | Write::Above { .. } | Write::Raise { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use runners_core::{Kind, TenantId};

    fn job(id: &'static str) -> Key {
        Key::new(TenantId::DEFAULT, Kind::Job, id)
    }

    #[test]
    fn a_group_has_one_writer_for_each_record_and_any_number_that_expect_it() {
        let put =
            |id| Write::Put { key: job(id), expected: 1, format: 1, body: Bytes::new(), indexes: vec![] };
        let expect = |id, expected| Write::Expect { key: job(id), expected };
        let mut touched = Touched::default();
        assert!(touched.admit(&[put("a"), expect("b", 1)]));
        assert!(touched.admit(&[put("c"), expect("b", 1)]));
        assert!(!touched.admit(&[expect("a", 2)]));
        assert!(!touched.admit(&[put("d"), put("b")]));
        assert!(!touched.admit(&[expect("b", 0)]), "what must be absent is put for a moment");
        assert!(touched.admit(&[put("d")]), "a batch that was not admitted left no trace");
    }

    #[test]
    fn whoever_raises_a_watermark_is_alone_in_its_group() {
        let append = |at| Write::Append { stream: job("feed"), at, bytes: Bytes::new() };
        let raise = || Write::Raise { watermark: job("mark"), to: 7 };
        let mut touched = Touched::default();
        assert!(touched.admit(&[append(1)]) && !touched.admit(&[raise()]) && touched.admit(&[append(2)]));
        let mut touched = Touched::default();
        assert!(touched.admit(&[raise()]) && !touched.admit(&[append(1)]) && !touched.admit(&[raise()]));
    }
}
