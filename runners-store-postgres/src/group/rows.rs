//! The arrays for records and bodies: one element for each row that is checked or written.

use crate::key::{Key, bytes_of};
use bytes::Bytes;
use runners_core::Index;
use tokio_postgres::types::{ToSql, Type};

/// Rows of records or bodies.
#[derive(Debug, Default)]
pub(super) struct Rows<'w> {
    keys: Vec<Vec<u8>>,
    expected: Vec<i64>,
    acts: Vec<i32>,
    pub(super) batches: Vec<i32>,
    formats: Vec<i32>,
    bodies: Vec<&'w [u8]>,
    /// The key of each, and its place in its batch.
    pub(super) written: Vec<(&'w Key, usize)>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'w> {
    pub(super) key: &'w Key,
    /// Its place in its batch, and the batch.
    pub(super) place: usize,
    pub(super) batch: i32,
    pub(super) expected: u64,
    /// What it is to become.
    pub(super) act: i32,
    pub(super) format: u16,
    pub(super) body: &'w [u8],
}

impl<'w> Rows<'w> {
    pub(super) fn push(&mut self, row: Row<'w>) {
        self.keys.push(bytes_of(row.key));
        // A version that is too large for the column becomes one that no record has.
        self.expected.push(row.expected.cast_signed());
        self.acts.push(row.act);
        self.batches.push(row.batch);
        self.formats.push(i32::from(row.format));
        self.bodies.push(row.body);
        self.written.push((row.key, row.place));
    }

    pub(super) fn parameters<'p>(&'p self, all: &mut Vec<(&'p (dyn ToSql + Sync), Type)>) {
        all.push((&self.keys, Type::BYTEA_ARRAY));
        all.push((&self.expected, Type::INT8_ARRAY));
        all.push((&self.acts, Type::INT4_ARRAY));
        all.push((&self.batches, Type::INT4_ARRAY));
        all.push((&self.formats, Type::INT4_ARRAY));
        all.push((&self.bodies, Type::BYTEA_ARRAY));
    }

    /// Those of rows that are all to be made.
    pub(super) fn parameters_of_made<'p>(&'p self, all: &mut Vec<(&'p (dyn ToSql + Sync), Type)>) {
        all.push((&self.keys, Type::BYTEA_ARRAY));
        all.push((&self.batches, Type::INT4_ARRAY));
        all.push((&self.formats, Type::INT4_ARRAY));
        all.push((&self.bodies, Type::BYTEA_ARRAY));
    }
}

/// The entries of records in the indexes: a column for each index.
#[derive(Debug, Default)]
pub(super) struct Entries<'w>([Vec<Option<&'w [u8]>>; Index::ALL.len()]);

impl<'w> Entries<'w> {
    /// Those of the next record.
    pub(super) fn push(&mut self, indexes: &'w [(Index, Bytes)]) {
        for (index, column) in Index::ALL.into_iter().zip(&mut self.0) {
            let entry = indexes.iter().find(|(other, _)| *other == index);
            column.push(entry.map(|(_, entry)| &entry[..]));
        }
    }

    pub(super) fn parameters<'p>(&'p self, all: &mut Vec<(&'p (dyn ToSql + Sync), Type)>) {
        all.extend(self.0.iter().map(|column| (column as &(dyn ToSql + Sync), Type::BYTEA_ARRAY)));
    }
}
