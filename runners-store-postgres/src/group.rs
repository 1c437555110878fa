//! A group of batches as the arrays of one statement, and its answer taken apart again. Which batches may
//! stand in one is left to [`Touched`](crate::touched::Touched); counters take their order.

mod rows;
mod streams;

use self::{
    rows::{Entries, Row as Written, Rows},
    streams::{Chunks, Lines},
};
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
    pub(super) const LINES: i32 = 8192;
}

/// The arrays of one statement, which borrow what the batches hold.
#[derive(Debug, Default)]
pub(crate) struct Group<'w> {
    batches: usize,
    steps: i32,
    /// Records that may be there, with their entries, and those that are made.
    records: Rows<'w>,
    entries: Entries<'w>,
    made: Rows<'w>,
    made_entries: Entries<'w>,
    bodies: Rows<'w>,
    counters: Vec<Vec<u8>>,
    counter_places: HashMap<&'w Key, i32>,
    adds: Adds,
    /// The counter of each add.
    added: Vec<&'w Key>,
    chunks: Chunks<'w>,
    lines: Lines<'w>,
    drops: Chunks<'w>,
    watermarks: Watermarks<'w>,
}

#[derive(Debug, Default)]
struct Adds {
    places: Vec<i32>,
    batches: Vec<i32>,
    deltas: Vec<i64>,
    maxima: Vec<Option<i64>>,
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
                    let (expected, format) = (*expected, *format);
                    let row = Written { key, place, batch, expected, act: act::PUT, format, body };
                    self.put(row, indexes);
                }
                Write::Delete { key, expected } => {
                    self.look_at(key, place, batch, *expected, act::DELETE, step::DELETE);
                }
                Write::Expect { key, expected } => {
                    let step = if *expected == 0 { step::KEEP_ABSENT } else { 0 };
                    self.look_at(key, place, batch, *expected, act::EXPECT, step);
                }
                Write::Add { counter, delta, max } => self.add_to(counter, batch, *delta, *max),
                Write::Append { stream, at, bytes } => {
                    self.steps |= step::APPEND;
                    self.chunks.push(stream, *at, batch, bytes);
                }
                Write::AppendLines { stream, first, count, bytes } => {
                    self.steps |= step::LINES;
                    self.lines.push(stream, *first, *count, batch, bytes);
                }
                Write::Drop { stream, before } => {
                    self.steps |= step::DROP;
                    let _ = self.chunks.drop_before(stream, *before, batch);
                    self.lines.drop_before(stream, *before, batch);
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

    fn put(&mut self, row: Written<'w>, indexes: &'w [(Index, Bytes)]) {
        let step = if row.expected == 0 { step::MAKE } else { step::CHANGE };
        let (rows, entries) = match row.key.kind.is_body() {
            true => {
                self.steps |= step << step::BODY_SHIFT;
                return self.bodies.push(row);
            }
            false if row.expected == 0 => (&mut self.made, &mut self.made_entries),
            false => (&mut self.records, &mut self.entries),
        };
        self.steps |= step;
        rows.push(row);
        entries.push(indexes);
    }

    /// A row that is not put.
    fn look_at(&mut self, key: &'w Key, place: usize, batch: i32, expected: u64, act: i32, step: i32) {
        let row = Written { key, place, batch, expected, act, format: 0, body: &[] };
        if key.kind.is_body() {
            self.steps |= step << step::BODY_SHIFT;
            return self.bodies.push(row);
        }
        self.steps |= step;
        self.records.push(row);
        self.entries.push(&[]);
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
        self.entries.parameters(&mut all);
        self.made.parameters_of_made(&mut all);
        self.made_entries.parameters(&mut all);
        self.bodies.parameters(&mut all);
        all.push((&self.counters, Type::BYTEA_ARRAY));
        all.push((&self.adds.places, Type::INT4_ARRAY));
        all.push((&self.adds.batches, Type::INT4_ARRAY));
        all.push((&self.adds.deltas, Type::INT8_ARRAY));
        all.push((&self.adds.maxima, Type::INT8_ARRAY));
        self.chunks.parameters(&mut all);
        self.lines.parameters(&mut all);
        self.drops.places(&mut all);
        self.watermarks.parameters(&mut all);
        all
    }

    /// How many parameters there are.
    pub(crate) const PARAMETERS: usize = 52;

    /// What each batch is told, in the order in which they were added.
    pub(crate) fn answers(
        &self,
        row: &Row,
    ) -> Result<Vec<Result<Committed, StoreError>>, tokio_postgres::Error> {
        let (exhausted, sums): (Vec<i32>, Vec<i64>) = (row.try_get(3)?, row.try_get(4)?);
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
        let (below, stand): (Vec<i32>, Vec<i64>) = (row.try_get(5)?, row.try_get(6)?);
        for (at, stands) in below.into_iter().map(place_of).zip(stand) {
            let answer = &mut answers[place_of(self.watermarks.batches[at])];
            if answer.is_ok() {
                let watermark = self.watermarks.named[at].clone();
                *answer = Err(StoreError::Below { watermark, at: stands.cast_unsigned() });
            }
        }
        // Of several records that have changed the first of the batch is named.
        let mut first: HashMap<usize, (usize, &Key)> = HashMap::new();
        for (column, rows) in [&self.records, &self.made, &self.bodies].into_iter().enumerate() {
            let stale: Vec<i32> = row.try_get(column)?;
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

    #[test]
    fn there_are_as_many_parameters_as_the_statement_has() {
        assert_eq!(Group::default().parameters(&&b""[..]).len(), Group::PARAMETERS);
    }
}
