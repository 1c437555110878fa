//! A store in memory, over ordered maps: what the semantics of [`Store`] are, in plain code.
//! Nothing outlives the last clone.

use crate::{
    seams::store::{Committed, Hint, Page, Query, Span, Store, StoreError, Stored, Write},
    values::{
        id::TenantId,
        key::{Index, Key, Kind},
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::broadcast::{self, error::RecvError};

/// How many batches a watcher may be behind before it is told [`Hint::All`].
const WATCH_BATCHES_MAX: usize = 256;

/// How much of an index key names the lane or the owner.
const HINT_LENGTH: usize = 16;

/// Records, streams and counters in memory. A clone shares the data, so two control planes can
/// live on one, or one can be stopped and started again.
///
/// [`watch`](Store::watch) tells what was committed through any clone, this one included.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        let (hints, _) = broadcast::channel(WATCH_BATCHES_MAX);
        Self { shared: Arc::new(Shared { tables: Mutex::default(), hints }) }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.tables();
        f.debug_struct("MemoryStore")
            .field("records", &tables.records.len())
            .field("streams", &tables.streams.len())
            .field("counters", &tables.counters.len())
            .finish()
    }
}

impl MemoryStore {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.shared.tables.lock().expect("no commit panics between its first and its last write")
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        let tables = self.tables();
        Ok(keys.iter().map(|key| tables.records.get(key).map(|row| row.stored.clone())).collect())
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        let tables = self.tables();
        Ok(match query {
            Query::Range { index, prefix, after, until, newest_first, limit } => {
                let span = Span::of_range(prefix, after, until, newest_first);
                tables.range(index, &span, newest_first, limit)
            }
            Query::Stream { stream, from, bytes_max } => tables.stream(&stream, from, bytes_max),
            Query::Counters { prefix, limit } => tables.counters(&prefix, limit),
        })
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        Write::check_batch(&writes)?;
        let mut tables = self.tables();
        tables.check_versions(&writes)?;
        tables.check_watermarks(&writes)?;
        let committed = tables.check_adds(&writes)?;
        let mut hints = Vec::new();
        for write in writes {
            tables.apply(write, &mut hints);
        }
        if !hints.is_empty() {
            // Sent under the lock, so that hints come in the order of the commits. Nobody watching
            // is no error.
            let _ = self.shared.hints.send(hints.into());
        }
        Ok(committed)
    }

    fn watch(&self) -> BoxStream<'static, Hint> {
        stream::unfold(self.shared.hints.subscribe(), |mut hints| async move {
            let next: Arc<[Hint]> = match hints.recv().await {
                Ok(next) => next,
                Err(RecvError::Lagged(_)) => Arc::new([Hint::All]),
                Err(RecvError::Closed) => std::future::pending().await,
            };
            Some((stream::iter(next.to_vec()), hints))
        })
        .flatten()
        .boxed()
    }
}

struct Shared {
    tables: Mutex<Tables>,
    hints: broadcast::Sender<Arc<[Hint]>>,
}

#[derive(Default)]
struct Tables {
    records: BTreeMap<Key, Row>,
    entries: BTreeMap<Index, BTreeSet<(Bytes, Key)>>,
    streams: BTreeMap<Key, BTreeMap<u64, Bytes>>,
    /// Never holds a zero.
    counters: BTreeMap<Key, i64>,
}

struct Row {
    stored: Stored,
    indexes: Vec<(Index, Bytes)>,
}

impl Tables {
    fn range(&self, index: Index, span: &Span, newest_first: bool, limit: u32) -> Page {
        let mut rows = Vec::new();
        let Some(entries) = self.entries.get(&index).filter(|_| !span.is_empty()) else {
            return Page::Rows { rows, more: false };
        };
        let from = (span.from.clone(), least_key());
        let found = match &span.below {
            Some(below) => entries.range(from..(below.clone(), least_key())),
            None => entries.range(from..),
        };
        let found: &mut dyn Iterator<Item = &(Bytes, Key)> =
            if newest_first { &mut found.rev() } else { &mut { found } };
        for (entry, key) in found {
            if rows.len() == limit as usize {
                return Page::Rows { rows, more: true };
            }
            rows.push((entry.clone(), self.records[key].stored.clone()));
        }
        Page::Rows { rows, more: false }
    }

    fn stream(&self, stream: &Key, from: u64, bytes_max: u32) -> Page {
        let mut chunks: Vec<(u64, Bytes)> = Vec::new();
        let Some(stored) = self.streams.get(stream) else { return Page::Chunks { chunks, more: false } };
        let first = match stored.range(..=from).next_back() {
            Some((at, bytes)) if *at == from || at.saturating_add(bytes.len() as u64) > from => *at,
            _ => from,
        };
        let mut length = 0;
        for (at, bytes) in stored.range(first..) {
            if !chunks.is_empty() && length >= bytes_max as usize {
                return Page::Chunks { chunks, more: true };
            }
            length += bytes.len();
            chunks.push((*at, bytes.clone()));
        }
        Page::Chunks { chunks, more: false }
    }

    fn counters(&self, prefix: &Key, limit: u32) -> Page {
        let found = self.counters.range(prefix.clone()..);
        let of_prefix = |key: &Key| {
            key.tenant == prefix.tenant && key.kind == prefix.kind && key.id.starts_with(&prefix.id)
        };
        let found = found.take_while(|(key, _)| of_prefix(key)).take(limit as usize);
        Page::Counters(found.map(|(key, value)| (key.clone(), *value)).collect())
    }

    fn check_versions(&self, writes: &[Write]) -> Result<(), StoreError> {
        for (key, expected) in writes.iter().filter_map(Write::expectation) {
            let version = self.records.get(key).map_or(0, |row| row.stored.version);
            if version != expected {
                return Err(StoreError::Conflict(key.clone()));
            }
        }
        Ok(())
    }

    fn check_watermarks(&self, writes: &[Write]) -> Result<(), StoreError> {
        for write in writes {
            let Write::Above { watermark, number } = write else { continue };
            let at = self.counters.get(watermark).map_or(0, |value| value.cast_unsigned());
            if at >= *number {
                return Err(StoreError::Below { watermark: watermark.clone(), at });
            }
        }
        Ok(())
    }

    fn check_adds(&self, writes: &[Write]) -> Result<Committed, StoreError> {
        let mut sums: BTreeMap<&Key, i64> = BTreeMap::new();
        let mut committed = Committed::default();
        for write in writes {
            let Write::Add { counter, delta, max } = write else { continue };
            let sum = sums.entry(counter).or_insert_with(|| self.counters.get(counter).copied().unwrap_or(0));
            let next =
                sum.checked_add(*delta).filter(|next| *next >= 0 && max.is_none_or(|max| *next <= max));
            *sum = next.ok_or_else(|| StoreError::Exhausted(counter.clone()))?;
            committed.counters.push(*sum);
        }
        Ok(committed)
    }

    fn apply(&mut self, write: Write, hints: &mut Vec<Hint>) {
        match write {
            Write::Put { key, expected, format, body, indexes } => {
                let old = self.remove(&key);
                hint(&key, &old, &indexes, hints);
                for (index, entry) in &indexes {
                    self.entries.entry(*index).or_default().insert((entry.clone(), key.clone()));
                }
                let stored = Stored { key: key.clone(), version: expected + 1, format, body };
                self.records.insert(key, Row { stored, indexes });
            }
            Write::Delete { key, .. } => {
                let old = self.remove(&key);
                hint(&key, &old, &[], hints);
            }
            Write::Expect { .. } | Write::Above { .. } | Write::Raise { to: 0, .. } => {}
            Write::Raise { watermark, to } => {
                let stands = self.counters.entry(watermark).or_default();
                *stands = (*stands).max(to.cast_signed());
            }
            Write::Add { counter, delta, .. } => {
                let sum = self.counters.get(&counter).copied().unwrap_or(0) + delta;
                if sum == 0 {
                    self.counters.remove(&counter);
                } else {
                    self.counters.insert(counter, sum);
                }
            }
            Write::Append { stream, at, bytes } | Write::AppendLines { stream, first: at, bytes, .. } => {
                hints.push(Hint::Changed(stream.clone()));
                self.streams.entry(stream).or_default().entry(at).or_insert(bytes);
            }
            Write::Drop { stream, before } => {
                if let Some(chunks) = self.streams.get_mut(&stream) {
                    *chunks = chunks.split_off(&before);
                    if chunks.is_empty() {
                        self.streams.remove(&stream);
                    }
                }
            }
        }
    }

    /// Removes a record, if there is one, with its index entries, and answers with those.
    fn remove(&mut self, key: &Key) -> Vec<(Index, Bytes)> {
        let Some(old) = self.records.remove(key) else { return Vec::new() };
        for (index, entry) in &old.indexes {
            if let Some(entries) = self.entries.get_mut(index) {
                entries.remove(&(entry.clone(), key.clone()));
            }
        }
        old.indexes
    }
}

/// Says what a written record may concern. Bodies are written with the record they belong to,
/// which is hint enough.
fn hint(key: &Key, old: &[(Index, Bytes)], new: &[(Index, Bytes)], hints: &mut Vec<Hint>) {
    if key.kind.is_body() {
        return;
    }
    let first = hints.len();
    let entries = new.iter().map(|entry| (entry, true)).chain(old.iter().map(|entry| (entry, false)));
    for ((index, entry), is_new) in entries {
        let head = entry.slice(..entry.len().min(HINT_LENGTH));
        let stands = Hint::Lane(head.clone());
        let hint = match index {
            Index::Ready if is_new => stands,
            Index::Ready if !hints[first..].contains(&stands) => Hint::Left(head),
            Index::Owner => Hint::Owner(head),
            _ => continue,
        };
        if !hints[first..].contains(&hint) {
            hints.push(hint);
        }
    }
    hints.push(Hint::Changed(key.clone()));
}

/// A key that no other is below.
fn least_key() -> Key {
    Key { tenant: TenantId::OPERATOR, kind: Kind::Tenant, id: Bytes::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::store_suite!(MemoryStore::default());

    #[tokio::test]
    async fn a_clone_shares_the_data() {
        let store = MemoryStore::default();
        let counter = Key::new(TenantId::DEFAULT, Kind::Limit, "n");
        store.clone().commit(vec![Write::Add { counter, delta: 3, max: None }]).await.unwrap();
        let added = Key::new(TenantId::DEFAULT, Kind::Limit, "n");
        let committed = store.commit(vec![Write::Add { counter: added, delta: 1, max: None }]).await.unwrap();
        assert_eq!(committed.counters, [4]);
    }

    #[tokio::test]
    async fn a_watcher_that_falls_behind_is_told_all() {
        let store = MemoryStore::default();
        let mut watch = store.watch();
        for version in 0..=WATCH_BATCHES_MAX as u64 {
            let key = Key::new(TenantId::DEFAULT, Kind::Job, "j");
            let put = Write::Put { key, expected: version, format: 1, body: Bytes::new(), indexes: vec![] };
            store.commit(vec![put]).await.unwrap();
        }
        assert_eq!(watch.next().await, Some(Hint::All));
    }
}
