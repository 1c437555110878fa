//! The arrays for streams: chunks, lines that may share one, and what is dropped.

use super::offset;
use crate::key::{Key, bytes_of};
use runners_core::store::Write;
use tokio_postgres::types::{ToSql, Type};

#[derive(Debug, Default)]
pub(super) struct Chunks<'w> {
    streams: Vec<Vec<u8>>,
    offsets: Vec<i64>,
    batches: Vec<i32>,
    bytes: Vec<&'w [u8]>,
}

impl<'w> Chunks<'w> {
    pub(super) fn push(&mut self, stream: &Key, at: u64, batch: i32, bytes: &'w [u8]) {
        self.streams.push(bytes_of(stream));
        self.offsets.push(offset(at));
        self.batches.push(batch);
        self.bytes.push(bytes);
    }

    /// What the same batch has appended before it drops it is never written: drops go first. Answers with the
    /// places of what is left out, the last first.
    pub(super) fn drop_before(&mut self, stream: &Key, before: u64, batch: i32) -> Vec<usize> {
        let stream = bytes_of(stream);
        let is_dropped = |at: &usize| {
            self.batches[*at] == batch && self.offsets[*at] < offset(before) && self.streams[*at] == stream
        };
        let dropped: Vec<usize> = (0..self.streams.len()).rev().filter(is_dropped).collect();
        for at in &dropped {
            self.streams.remove(*at);
            self.offsets.remove(*at);
            self.batches.remove(*at);
            self.bytes.remove(*at);
        }
        dropped
    }

    /// All but the bytes.
    pub(super) fn places<'p>(&'p self, all: &mut Vec<(&'p (dyn ToSql + Sync), Type)>) {
        all.push((&self.streams, Type::BYTEA_ARRAY));
        all.push((&self.offsets, Type::INT8_ARRAY));
        all.push((&self.batches, Type::INT4_ARRAY));
    }

    pub(super) fn parameters<'p>(&'p self, all: &mut Vec<(&'p (dyn ToSql + Sync), Type)>) {
        self.places(all);
        all.push((&self.bytes, Type::BYTEA_ARRAY));
    }
}

/// Chunks of lines, which the statement joins.
#[derive(Debug, Default)]
pub(super) struct Lines<'w> {
    chunks: Chunks<'w>,
    counts: Vec<i64>,
    /// Those of one part may stand in one chunk.
    parts: Vec<i32>,
    /// How many bytes the last part has.
    length: usize,
}

impl<'w> Lines<'w> {
    pub(super) fn push(&mut self, stream: &Key, first: u64, count: u64, batch: i32, bytes: &'w [u8]) {
        let part = self.parts.last().copied().unwrap_or_default();
        let fits = self.length + bytes.len() <= Write::JOINED_BYTES_MAX;
        self.length = if fits { self.length + bytes.len() } else { bytes.len() };
        self.parts.push(if fits { part } else { part + 1 });
        self.counts.push(offset(count));
        self.chunks.push(stream, first, batch, bytes);
    }

    pub(super) fn drop_before(&mut self, stream: &Key, before: u64, batch: i32) {
        for at in self.chunks.drop_before(stream, before, batch) {
            self.counts.remove(at);
            self.parts.remove(at);
        }
    }

    pub(super) fn parameters<'p>(&'p self, all: &mut Vec<(&'p (dyn ToSql + Sync), Type)>) {
        self.chunks.parameters(all);
        all.push((&self.counts, Type::INT8_ARRAY));
        all.push((&self.parts, Type::INT4_ARRAY));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::{Kind, TenantId};

    #[test]
    fn what_a_batch_has_appended_and_then_drops_is_not_written() {
        let stream = Key::new(TenantId::DEFAULT, Kind::Log, "a");
        let mut chunks = Chunks::default();
        for (at, batch) in [(1, 1), (7, 1), (2, 2)] {
            chunks.push(&stream, at, batch, b"x");
        }
        assert_eq!(chunks.drop_before(&stream, 5, 1), [0]);
        assert_eq!(chunks.offsets, [7, 2]);
    }

    #[test]
    fn lines_are_joined_while_their_chunk_is_not_too_long() {
        let stream = Key::new(TenantId::DEFAULT, Kind::Events, "feed");
        let half = Write::JOINED_BYTES_MAX / 2;
        let mut lines = Lines::default();
        let all = vec![b'x'; 3 * half];
        for (first, length) in (1..).zip([half, half, 1, 3 * half, half, half]) {
            lines.push(&stream, first, 1, 1, &all[..length]);
        }
        assert_eq!(lines.parts, [0, 0, 1, 2, 3, 3]);
        lines.drop_before(&stream, 3, 1);
        assert_eq!((lines.chunks.offsets, lines.parts), (vec![3, 4, 5, 6], vec![1, 2, 3, 3]));
    }
}
