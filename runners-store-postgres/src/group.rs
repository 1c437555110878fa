//! A group of batches as the arrays of one statement, and its answer taken apart again. Which batches may
//! stand in one is left to [`Touched`](crate::touched::Touched); counters take their order.

use crate::key::{Key, bytes_of};
use bytes::Bytes;
use runners_core::{
    Index,
    store::{Committed, StoreError, Write},
};
use std::collections::HashMap;
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

/// What a row is to become, as the statement reads it.
mod act {
    pub(super) const EXPECT: i32 = 0;
    pub(super) const PUT: i32 = 1;
    pub(super) const DELETE: i32 = 2;
}

/// Which statements have anything to do: those of bodies stand four bits above those of records.
mod step {
    pub(super) const CHANGE: i32 = 1;
    pub(super) const MAKE: i32 = 2;
    pub(super) const DELETE: i32 = 4;
    pub(super) const KEEP_ABSENT: i32 = 8;
    pub(super) const BODY_SHIFT: u32 = 4;
    pub(super) const ADD: i32 = 256;
    pub(super) const DROP: i32 = 512;
    pub(super) const APPEND: i32 = 1024;
    pub(super) const ABOVE: i32 = 2048;
    pub(super) const RAISE: i32 = 4096;
}

/// The arrays of one statement, which borrow what the batches hold.
#[derive(Debug, Default)]
pub(crate) struct Group<'w> {
    batches: usize,
    steps: i32,
    records: Rows<'w>,
    entries: [Vec<Option<&'w [u8]>>; Index::ALL.len()],
    bodies: Rows<'w>,
    counters: Vec<Vec<u8>>,
    counter_places: HashMap<&'w Key, i32>,
    adds: Adds,
    /// The counter of each add.
    added: Vec<&'w Key>,
    chunks: Chunks<'w>,
    drops: Chunks<'w>,
    watermarks: Watermarks<'w>,
}

#[derive(Debug, Default)]
struct Rows<'w> {
    keys: Vec<Vec<u8>>,
    expected: Vec<i64>,
    acts: Vec<i32>,
    batches: Vec<i32>,
    formats: Vec<i32>,
    bodies: Vec<&'w [u8]>,
    /// The key of each, and its place in its batch.
    written: Vec<(&'w Key, usize)>,
}

#[derive(Debug, Default)]
struct Adds {
    places: Vec<i32>,
    batches: Vec<i32>,
    deltas: Vec<i64>,
    maxima: Vec<Option<i64>>,
}

#[derive(Debug, Default)]
struct Chunks<'w> {
    streams: Vec<Vec<u8>>,
    offsets: Vec<i64>,
    batches: Vec<i32>,
    bytes: Vec<&'w [u8]>,
}

#[derive(Debug, Default)]
struct Watermarks<'w> {
    keys: Vec<Vec<u8>>,
    numbers: Vec<i64>,
    batches: Vec<i32>,
    raises: Vec<bool>,
    named: Vec<&'w Key>,
}

impl<'w> Group<'w> {
    /// Adds a checked batch.
    pub(crate) fn add(&mut self, writes: &'w [Write]) {
        self.batches += 1;
        let batch = i32::try_from(self.batches).expect("a group has few batches");
        for (place, write) in writes.iter().enumerate() {
            match write {
                Write::Put { key, expected, format, body, indexes } => {
                    let step = if *expected == 0 { step::MAKE } else { step::CHANGE };
                    let rows = self.rows_for(key, indexes, step);
                    rows.push(key, place, *expected, act::PUT, batch, i32::from(*format), body);
                }
                Write::Delete { key, expected } => {
                    let rows = self.rows_for(key, &[], step::DELETE);
                    rows.push(key, place, *expected, act::DELETE, batch, 0, &[]);
                }
                Write::Expect { key, expected } => {
                    let step = if *expected == 0 { step::KEEP_ABSENT } else { 0 };
                    let rows = self.rows_for(key, &[], step);
                    rows.push(key, place, *expected, act::EXPECT, batch, 0, &[]);
                }
                Write::Add { counter, delta, max } => self.add_to(counter, batch, *delta, *max),
                Write::Append { stream, at, bytes } => {
                    self.steps |= step::APPEND;
                    self.chunks.push(stream, *at, batch, bytes);
                }
                Write::Drop { stream, before } => {
                    self.steps |= step::DROP;
                    self.chunks.drop_before(stream, *before, batch);
                    self.drops.push(stream, *before, batch, &[]);
                }
                Write::Above { watermark, number } => {
                    self.steps |= step::ABOVE;
                    self.watermarks.push(watermark, *number, batch, false);
                }
                Write::Raise { watermark, to } => {
                    self.steps |= step::RAISE;
                    self.watermarks.push(watermark, *to, batch, true);
                }
            }
        }
    }

    /// Where a record is written to: its entries are noted here.
    fn rows_for(&mut self, key: &Key, indexes: &'w [(Index, Bytes)], step: i32) -> &mut Rows<'w> {
        if key.kind.is_body() {
            self.steps |= step << step::BODY_SHIFT;
            return &mut self.bodies;
        }
        self.steps |= step;
        for (index, column) in Index::ALL.into_iter().zip(&mut self.entries) {
            let entry = indexes.iter().find(|(other, _)| *other == index);
            column.push(entry.map(|(_, entry)| &entry[..]));
        }
        &mut self.records
    }

    fn add_to(&mut self, counter: &'w Key, batch: i32, delta: i64, max: Option<i64>) {
        self.steps |= step::ADD;
        let counters = &mut self.counters;
        let place = *self.counter_places.entry(counter).or_insert_with(|| {
            counters.push(bytes_of(counter));
            i32::try_from(counters.len()).expect("a group has few counters")
        });
        self.adds.places.push(place);
        self.adds.batches.push(batch);
        self.adds.deltas.push(delta);
        self.adds.maxima.push(max);
        self.added.push(counter);
    }

    /// The parameters of the statement, with `writer` for whom the hints are no news.
    pub(crate) fn parameters<'p>(&'p self, writer: &'p &[u8]) -> Vec<(&'p (dyn ToSql + Sync), Type)> {
        let mut all: Vec<(&(dyn ToSql + Sync), Type)> =
            vec![(writer, Type::BYTEA), (&self.steps, Type::INT4)];
        self.records.parameters(&mut all);
        all.extend(self.entries.iter().map(|column| (column as &(dyn ToSql + Sync), Type::BYTEA_ARRAY)));
        self.bodies.parameters(&mut all);
        all.push((&self.counters, Type::BYTEA_ARRAY));
        all.push((&self.adds.places, Type::INT4_ARRAY));
        all.push((&self.adds.batches, Type::INT4_ARRAY));
        all.push((&self.adds.deltas, Type::INT8_ARRAY));
        all.push((&self.adds.maxima, Type::INT8_ARRAY));
        self.chunks.parameters(&mut all);
        all.push((&self.chunks.bytes, Type::BYTEA_ARRAY));
        self.drops.parameters(&mut all);
        self.watermarks.parameters(&mut all);
        all
    }

    /// How many parameters there are.
    pub(crate) const PARAMETERS: usize = 36;

    /// What each batch is told, in the order in which they were added.
    pub(crate) fn answers(
        &self,
        row: &Row,
    ) -> Result<Vec<Result<Committed, StoreError>>, tokio_postgres::Error> {
        let (stale_records, stale_bodies): (Vec<i32>, Vec<i32>) = (row.try_get(0)?, row.try_get(1)?);
        let (exhausted, sums): (Vec<i32>, Vec<i64>) = (row.try_get(2)?, row.try_get(3)?);
        let mut answers: Vec<Result<Committed, StoreError>> = Vec::new();
        answers.resize_with(self.batches, || Ok(Committed::default()));
        for (batch, sum) in self.adds.batches.iter().zip(sums) {
            if let Ok(committed) = &mut answers[place_of(*batch)] {
                committed.counters.push(sum);
            }
        }
        for add in exhausted.into_iter().map(place_of) {
            let refused = StoreError::Exhausted(self.added[add].clone());
            answers[place_of(self.adds.batches[add])] = Err(refused);
        }
        let (below, stand): (Vec<i32>, Vec<i64>) = (row.try_get(4)?, row.try_get(5)?);
        for (at, stands) in below.into_iter().map(place_of).zip(stand) {
            let answer = &mut answers[place_of(self.watermarks.batches[at])];
            if answer.is_ok() {
                let watermark = self.watermarks.named[at].clone();
                *answer = Err(StoreError::Below { watermark, at: stands.cast_unsigned() });
            }
        }
        // Of several records that have changed the first of the batch is named.
        let mut first: HashMap<usize, (usize, &Key)> = HashMap::new();
        for (rows, stale) in [(&self.records, stale_records), (&self.bodies, stale_bodies)] {
            for at in stale.into_iter().map(place_of) {
                let (key, place) = rows.written[at];
                let named = first.entry(place_of(rows.batches[at])).or_insert((place, key));
                if place < named.0 {
                    *named = (place, key);
                }
            }
        }
        for (batch, (_, key)) in first {
            answers[batch] = Err(StoreError::Conflict(key.clone()));
        }
        Ok(answers)
    }
}

impl<'w> Rows<'w> {
    #[expect(clippy::too_many_arguments, reason = "each is one column of a row")]
    fn push(
        &mut self,
        key: &'w Key,
        place: usize,
        expected: u64,
        act: i32,
        batch: i32,
        format: i32,
        body: &'w [u8],
    ) {
        self.keys.push(bytes_of(key));
        // A version that is too large for the column becomes one that no record has.
        self.expected.push(expected.cast_signed());
        self.acts.push(act);
        self.batches.push(batch);
        self.formats.push(format);
        self.bodies.push(body);
        self.written.push((key, place));
    }

    fn parameters<'p>(&'p self, all: &mut Vec<(&'p (dyn ToSql + Sync), Type)>) {
        all.push((&self.keys, Type::BYTEA_ARRAY));
        all.push((&self.expected, Type::INT8_ARRAY));
        all.push((&self.acts, Type::INT4_ARRAY));
        all.push((&self.batches, Type::INT4_ARRAY));
        all.push((&self.formats, Type::INT4_ARRAY));
        all.push((&self.bodies, Type::BYTEA_ARRAY));
    }
}

impl<'w> Chunks<'w> {
    fn push(&mut self, stream: &Key, at: u64, batch: i32, bytes: &'w [u8]) {
        self.streams.push(bytes_of(stream));
        self.offsets.push(offset(at));
        self.batches.push(batch);
        self.bytes.push(bytes);
    }

    /// What the same batch has appended before it drops it is never written: drops go first.
    fn drop_before(&mut self, stream: &Key, before: u64, batch: i32) {
        let stream = bytes_of(stream);
        let mut at = 0;
        while at < self.streams.len() {
            let dropped =
                self.batches[at] == batch && self.offsets[at] < offset(before) && self.streams[at] == stream;
            if dropped {
                self.streams.remove(at);
                self.offsets.remove(at);
                self.batches.remove(at);
                self.bytes.remove(at);
            } else {
                at += 1;
            }
        }
    }

    fn parameters<'p>(&'p self, all: &mut Vec<(&'p (dyn ToSql + Sync), Type)>) {
        all.push((&self.streams, Type::BYTEA_ARRAY));
        all.push((&self.offsets, Type::INT8_ARRAY));
        all.push((&self.batches, Type::INT4_ARRAY));
    }
}

impl<'w> Watermarks<'w> {
    fn push(&mut self, watermark: &'w Key, number: u64, batch: i32, raises: bool) {
        self.keys.push(bytes_of(watermark));
        self.numbers.push(offset(number));
        self.batches.push(batch);
        self.raises.push(raises);
        self.named.push(watermark);
    }

    fn parameters<'p>(&'p self, all: &mut Vec<(&'p (dyn ToSql + Sync), Type)>) {
        all.push((&self.keys, Type::BYTEA_ARRAY));
        all.push((&self.numbers, Type::INT8_ARRAY));
        all.push((&self.batches, Type::INT4_ARRAY));
        all.push((&self.raises, Type::BOOL_ARRAY));
    }
}

/// The place, from 0, of what the statement numbers from 1.
fn place_of(number: i32) -> usize {
    usize::try_from(number).ok().and_then(|number| number.checked_sub(1)).expect("numbers begin at 1")
}

/// Offsets above the limit are not stored, so all of them are alike behind it.
pub(crate) fn offset(at: u64) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::{Kind, TenantId};

    #[test]
    fn there_are_as_many_parameters_as_the_statement_has() {
        assert_eq!(Group::default().parameters(&&b""[..]).len(), Group::PARAMETERS);
    }

    #[test]
    fn what_is_appended_and_then_dropped_is_not_written() {
        let stream = Key::new(TenantId::DEFAULT, Kind::Log, "a");
        let append = |at| Write::Append { stream: stream.clone(), at, bytes: Bytes::from_static(b"x") };
        let writes = [append(1), append(7), Write::Drop { stream: stream.clone(), before: 5 }, append(2)];
        let mut group = Group::default();
        group.add(&writes);
        assert_eq!(group.chunks.offsets, [7, 2]);
    }
}
