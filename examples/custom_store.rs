//! A store of one's own, as small as the contract allows: plain lists, searched from end to end.
//! A template for a real backend, which has indexes where this one sorts.
//!
//! `cargo run -p runners-examples --example custom_store`; it passes `store_suite!`:
//! `cargo test -p runners-examples --example custom_store`

use async_trait::async_trait;
use bytes::Bytes;
use runners_core::{
    Index, Key,
    prelude::*,
    store::{Committed, Page, Query, Span, Store, StoreError, Stored, Write},
};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Everything in lists.
#[derive(Debug, Default)]
struct ListStore {
    lists: Mutex<Lists>,
}

#[derive(Clone, Debug, Default)]
struct Lists {
    records: Vec<(Stored, Vec<(Index, Bytes)>)>,
    chunks: Vec<(Key, u64, Bytes)>,
    counters: Vec<(Key, i64)>,
}

impl ListStore {
    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for ListStore {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        let lists = self.lists();
        let find = |key: &Key| lists.records.iter().find(|(stored, _)| stored.key == *key);
        Ok(keys.iter().map(|key| find(key).map(|(stored, _)| stored.clone())).collect())
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        let lists = self.lists();
        Ok(match query {
            Query::Range { index, prefix, after, until, newest_first, limit } => {
                lists.range(index, &Span::of_range(prefix, after, until, newest_first), newest_first, limit)
            }
            Query::Stream { stream, from, bytes_max } => lists.stream(&stream, from, bytes_max),
            Query::Counters { prefix, limit } => lists.counters(&prefix, limit),
        })
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        // What makes a batch malformed is the same for every store.
        Write::check_batch(&writes)?;
        let mut lists = self.lists();
        // Every check comes before the first write: on a copy of what is small, or of everything.
        let mut next = lists.clone();
        for (key, expected) in writes.iter().filter_map(Write::expectation) {
            let version = lists.records.iter().find(|(stored, _)| stored.key == *key);
            if version.map_or(0, |(stored, _)| stored.version) != expected {
                return Err(StoreError::Conflict(key.clone()));
            }
        }
        for write in &writes {
            let Write::Above { watermark, number } = write else { continue };
            let at = lists.counters.iter().find(|(key, _)| key == watermark).map_or(0, |(_, value)| *value);
            if at.cast_unsigned() >= *number {
                return Err(StoreError::Below { watermark: watermark.clone(), at: at.cast_unsigned() });
            }
        }
        let mut committed = Committed::default();
        for write in writes {
            committed.counters.extend(next.apply(write)?);
        }
        *lists = next;
        Ok(committed)
    }
}

impl Lists {
    /// Carries out one write. The new value, if it was an add.
    fn apply(&mut self, write: Write) -> Result<Option<i64>, StoreError> {
        match write {
            Write::Put { key, expected, format, body, indexes } => {
                self.records.retain(|(stored, _)| stored.key != key);
                self.records.push((Stored { key, version: expected + 1, format, body }, indexes));
            }
            Write::Delete { key, .. } => self.records.retain(|(stored, _)| stored.key != key),
            Write::Expect { .. } | Write::Above { .. } => {}
            Write::Raise { watermark, to } => self.raise(watermark, to.cast_signed()),
            Write::Add { counter, delta, max } => return self.add(counter, delta, max).map(Some),
            Write::Append { stream, at, bytes } | Write::AppendLines { stream, first: at, bytes, .. } => {
                // The first write of an offset wins, so a repeat changes nothing.
                if !self.chunks.iter().any(|(key, offset, _)| *key == stream && *offset == at) {
                    self.chunks.push((stream, at, bytes));
                }
            }
            Write::Drop { stream, before } => {
                self.chunks.retain(|(key, offset, _)| *key != stream || *offset >= before);
            }
        }
        Ok(None)
    }

    fn add(&mut self, counter: Key, delta: i64, max: Option<i64>) -> Result<i64, StoreError> {
        let value = self.counters.iter().find(|(key, _)| *key == counter).map_or(0, |(_, value)| *value);
        let sum = value.checked_add(delta).filter(|sum| *sum >= 0 && max.is_none_or(|max| *sum <= max));
        let sum = sum.ok_or_else(|| StoreError::Exhausted(counter.clone()))?;
        self.counters.retain(|(key, _)| *key != counter);
        if sum != 0 {
            self.counters.push((counter, sum));
        }
        Ok(sum)
    }

    fn raise(&mut self, watermark: Key, to: i64) {
        match self.counters.iter_mut().find(|(key, _)| *key == watermark) {
            Some((_, value)) => *value = to.max(*value),
            None if to > 0 => self.counters.push((watermark, to)),
            None => {}
        }
    }

    fn range(&self, index: Index, span: &Span, newest_first: bool, limit: u32) -> Page {
        let mut rows: Vec<(Bytes, Stored)> = Vec::new();
        for (stored, indexes) in &self.records {
            let entries = indexes.iter().filter(|(of, _)| *of == index).map(|(_, entry)| entry);
            let within =
                |entry: &&Bytes| **entry >= span.from && span.below.as_ref().is_none_or(|end| *entry < end);
            rows.extend(entries.filter(within).map(|entry| (entry.clone(), stored.clone())));
        }
        rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        if newest_first {
            rows.reverse();
        }
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        Page::Rows { rows, more }
    }

    fn stream(&self, stream: &Key, from: u64, bytes_max: u32) -> Page {
        let of_stream = self.chunks.iter().filter(|(key, _, _)| key == stream);
        let mut found: Vec<(u64, Bytes)> = of_stream.map(|(_, at, bytes)| (*at, bytes.clone())).collect();
        found.sort_by_key(|(at, _)| *at);
        // The first chunk is the one that contains `from`, if there is one.
        let containing = found.iter().rposition(|(at, _)| *at <= from);
        let reaches = |(at, bytes): &(u64, Bytes)| *at == from || at + bytes.len() as u64 > from;
        let first = match containing {
            Some(at) if reaches(&found[at]) => at,
            Some(at) => at + 1,
            None => 0,
        };
        let mut chunks = Vec::new();
        let mut length = 0;
        for (at, bytes) in found.drain(..).skip(first) {
            if !chunks.is_empty() && length >= bytes_max as usize {
                return Page::Chunks { chunks, more: true };
            }
            length += bytes.len();
            chunks.push((at, bytes));
        }
        Page::Chunks { chunks, more: false }
    }

    fn counters(&self, prefix: &Key, limit: u32) -> Page {
        let of_prefix = |key: &Key| {
            key.tenant == prefix.tenant && key.kind == prefix.kind && key.id.starts_with(&prefix.id)
        };
        let mut found: Vec<(Key, i64)> =
            self.counters.iter().filter(|(key, _)| of_prefix(key)).cloned().collect();
        found.sort();
        found.truncate(limit as usize);
        Page::Counters(found)
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Count(u32);

impl Command for Count {
    const KIND: &'static str = "example.count";
    type Result = u32;
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let control = ControlPlane::builder(ListStore::default()).start().await?;
    let runner =
        control.local_runner("default").slots(3).executor(async |Count(n), _: Attempt| Ok(n * n)).start();
    let jobs = control.local_client().submit_all(&[Count(1), Count(2), Count(3)]).await?;
    let mut sum = 0;
    for job in jobs {
        sum += job?.result().await?;
    }
    println!("1 + 4 + 9 = {sum}, kept in three lists");
    assert_eq!(sum, 14);
    runner.drain().await?;
    control.stop().await
}

#[cfg(test)]
mod suite {
    use super::*;
    runners_core::store_suite!(ListStore::default());
}
