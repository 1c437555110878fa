//! A second, deliberately naive telling of what a store does: lists searched from the start,
//! nothing shared with any implementation. The oracle of the random batches.

use crate::{
    store::{Committed, Page, Query, Stored, Write},
    values::key::{Index, Key},
};
use bytes::Bytes;

/// What a model answers to a batch: the only refusals it knows, by their key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Committed(Committed),
    Conflict(Key),
    Exhausted(Key),
    Below(Key, u64),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    records: Vec<(Stored, Vec<(Index, Bytes)>)>,
    chunks: Vec<(Key, u64, Bytes)>,
    counters: Vec<(Key, i64)>,
}

impl Model {
    pub(super) fn load(&self, key: &Key) -> Option<Stored> {
        self.records.iter().find(|(stored, _)| stored.key == *key).map(|(stored, _)| stored.clone())
    }

    /// Applies to a copy and keeps it only if nothing was refused.
    pub(super) fn commit(&mut self, writes: &[Write]) -> Answer {
        for write in writes {
            let (Write::Put { key, expected, .. }
            | Write::Delete { key, expected }
            | Write::Expect { key, expected }) = write
            else {
                continue;
            };
            if self.load(key).map_or(0, |stored| stored.version) != *expected {
                return Answer::Conflict(key.clone());
            }
        }
        for write in writes {
            let Write::Above { watermark, number } = write else { continue };
            let at = self.counters.iter().find(|(key, _)| key == watermark).map_or(0, |(_, value)| *value);
            if at.cast_unsigned() >= *number {
                return Answer::Below(watermark.clone(), at.cast_unsigned());
            }
        }
        let mut next = self.clone();
        let mut committed = Committed::default();
        for write in writes {
            if let Err(exhausted) = next.apply(write, &mut committed) {
                return Answer::Exhausted(exhausted);
            }
        }
        *self = next;
        Answer::Committed(committed)
    }

    fn apply(&mut self, write: &Write, committed: &mut Committed) -> Result<(), Key> {
        match write {
            Write::Put { key, expected, format, body, indexes } => {
                self.records.retain(|(stored, _)| stored.key != *key);
                let (key, body) = (key.clone(), body.clone());
                let stored = Stored { key, version: expected + 1, format: *format, body };
                self.records.push((stored, indexes.clone()));
            }
            Write::Delete { key, .. } => self.records.retain(|(stored, _)| stored.key != *key),
            Write::Expect { .. } | Write::Above { .. } => {}
            Write::Raise { watermark, to } => {
                let position = self.counters.iter().position(|(key, _)| key == watermark);
                let value = position.map_or(0, |at| self.counters.remove(at).1);
                self.counters.push((watermark.clone(), value.max(to.cast_signed())));
            }
            Write::Add { counter, delta, max } => {
                let position = self.counters.iter().position(|(key, _)| key == counter);
                let value = position.map_or(0, |at| self.counters.remove(at).1) + delta;
                if value < 0 || max.is_some_and(|max| value > max) {
                    return Err(counter.clone());
                }
                self.counters.push((counter.clone(), value));
                committed.counters.push(value);
            }
            Write::Append { stream, at, bytes } | Write::AppendLines { stream, first: at, bytes, .. } => {
                if !self.chunks.iter().any(|(key, start, _)| key == stream && start == at) {
                    self.chunks.push((stream.clone(), *at, bytes.clone()));
                }
            }
            Write::Drop { stream, before } => {
                self.chunks.retain(|(key, at, _)| key != stream || at >= before);
            }
        }
        Ok(())
    }

    pub(super) fn scan(&self, query: &Query) -> Page {
        match query {
            Query::Range { index, prefix, after, until, newest_first, limit } => {
                let entry_of = |entries: &[(Index, Bytes)]| {
                    entries.iter().find(|(other, _)| other == index).map(|(_, entry)| entry.clone())
                };
                let beyond = |entry: &Bytes, bound: &Bytes| {
                    if *newest_first { entry < bound } else { entry > bound }
                };
                let mut rows: Vec<_> = self
                    .records
                    .iter()
                    .filter_map(|(stored, entries)| Some((entry_of(entries)?, stored.clone())))
                    .filter(|(entry, _)| entry.starts_with(prefix))
                    .filter(|(entry, _)| after.as_ref().is_none_or(|after| beyond(entry, after)))
                    .filter(|(entry, _)| until.as_ref().is_none_or(|until| beyond(until, entry)))
                    .collect();
                rows.sort_by(|left, right| left.0.cmp(&right.0));
                if *newest_first {
                    rows.reverse();
                }
                let more = rows.len() > *limit as usize;
                rows.truncate(*limit as usize);
                Page::Rows { rows, more }
            }
            Query::Stream { stream, from, bytes_max } => self.stream(stream, *from, *bytes_max),
            Query::Counters { prefix, limit } => {
                let mut found = self.counters.clone();
                found.retain(|(key, value)| {
                    let same = (key.tenant, key.kind) == (prefix.tenant, prefix.kind);
                    same && key.id.starts_with(&prefix.id) && *value != 0
                });
                found.sort();
                found.truncate(*limit as usize);
                Page::Counters(found)
            }
        }
    }

    fn stream(&self, stream: &Key, from: u64, bytes_max: u32) -> Page {
        let of_stream = self.chunks.iter().filter(|(key, ..)| key == stream);
        let mut all: Vec<_> = of_stream.map(|(_, at, bytes)| (*at, bytes.clone())).collect();
        all.sort();
        let last_before = all.iter().rposition(|(at, _)| *at <= from);
        let mut left: Vec<_> = all.split_off(last_before.unwrap_or(0));
        if left.first().is_some_and(|(at, bytes)| *at < from && at + bytes.len() as u64 <= from) {
            left.remove(0);
        }
        let mut chunks: Vec<(u64, Bytes)> = Vec::new();
        for chunk in left {
            let length: usize = chunks.iter().map(|(_, bytes)| bytes.len()).sum();
            if !chunks.is_empty() && length >= bytes_max as usize {
                return Page::Chunks { chunks, more: true };
            }
            chunks.push(chunk);
        }
        Page::Chunks { chunks, more: false }
    }
}
