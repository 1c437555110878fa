//! What the writer wrote last: its thread is the only one that writes, so a record that it has just
//! written need not be read before it is written again.

use crate::{apply::entry, key::Key};
use bytes::Bytes;
use runners_core::{Index, store::Write};
use std::collections::HashMap;

/// How many records a generation holds; there are two.
const GENERATION_RECORDS_MAX: usize = 4096;

/// Records as the writer left them. Bounded: the oldest half is forgotten at once.
#[derive(Default)]
pub(crate) struct Recent {
    young: HashMap<Key, Row>,
    old: HashMap<Key, Row>,
    data_version: i64,
}

/// A record as it was written.
pub(crate) struct Row {
    pub(crate) row: i64,
    pub(crate) version: u64,
    indexes: Vec<(Index, Bytes)>,
}

impl Recent {
    pub(crate) fn get(&self, key: &Key) -> Option<&Row> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Takes note of a write that was carried out, and of the row in which a record stands now.
    pub(crate) fn note(&mut self, write: Write, row: Option<i64>) {
        match (write, row) {
            (Write::Put { key, expected, indexes, .. }, Some(row)) if !key.kind.is_body() => {
                if self.young.len() >= GENERATION_RECORDS_MAX {
                    self.old = std::mem::take(&mut self.young);
                }
                self.young.insert(key, Row { row, version: expected + 1, indexes });
            }
            (Write::Delete { key, .. }, _) => {
                self.young.remove(&key);
                self.old.remove(&key);
            }
            _ => {}
        }
    }

    /// After a rollback nothing is known.
    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    /// Forgets everything if another connection has written since the last transaction.
    pub(crate) fn keep_if(&mut self, data_version: i64) {
        if self.data_version != data_version {
            self.clear();
            self.data_version = data_version;
        }
    }
}

impl Row {
    /// A bit for each index in which the entry that is to be written differs.
    pub(crate) fn changed(&self, write: &Write) -> u8 {
        let Write::Put { indexes, .. } = write else { return 0 };
        let differs =
            |(position, index)| u8::from(entry(&self.indexes, index) != entry(indexes, index)) << position;
        Index::ALL.into_iter().enumerate().map(differs).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::{Kind, TenantId};

    fn put(number: usize) -> Write {
        let key = Key::new(TenantId::DEFAULT, Kind::Job, number.to_be_bytes().to_vec());
        Write::Put { key, expected: 0, format: 1, body: Bytes::new(), indexes: Vec::new() }
    }

    #[test]
    fn only_the_newest_are_remembered() {
        let mut recent = Recent::default();
        for number in 0..3 * GENERATION_RECORDS_MAX {
            recent.note(put(number), Some(1));
        }
        assert!(recent.young.len() + recent.old.len() <= 2 * GENERATION_RECORDS_MAX);
        let known = |number| recent.get(put(number).expectation().unwrap().0).is_some();
        assert!(known(3 * GENERATION_RECORDS_MAX - 1) && !known(0));
    }
}
