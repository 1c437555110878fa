//! The typed layer above the store, and the only user of it.
//!
//! A [`TenantRecords`] has the tenant in every key it makes, so it cannot name another's; the
//! operator's view is only for the actors.

mod pages;

pub(crate) use pages::Pages;

use crate::{
    rules::record::{DecodeError, Record, decode, encode},
    seams::store::{Committed, Hint, Page, Query, Store, StoreError, Stored, Write},
    values::{
        id::TenantId,
        key::{Index, Key},
    },
};
use bytes::Bytes;
use futures::stream::BoxStream;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A record, and the version at which it was read or written.
#[derive(Clone, Debug)]
pub(crate) struct Versioned<R> {
    pub(crate) version: u64,
    pub(crate) record: R,
}

/// The records of all tenants.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    store: Arc<dyn Store>,
    /// The last commit failed for what was wrong with the store, not with what it was to write.
    refuses_writes: Arc<AtomicBool>,
}

/// The records of one tenant.
#[derive(Clone, Debug)]
pub(crate) struct TenantRecords {
    records: Records,
    tenant: TenantId,
}

impl Records {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, refuses_writes: Arc::default() }
    }

    pub(crate) fn tenant(&self, tenant: TenantId) -> TenantRecords {
        TenantRecords { records: self.clone(), tenant }
    }

    /// What the operator keeps, whomever it is for.
    pub(crate) fn operator(&self) -> TenantRecords {
        self.tenant(TenantId::OPERATOR)
    }

    /// The value of a counter; zero if nothing was ever added to it.
    pub(crate) async fn counter(&self, counter: Key) -> Result<i64, StoreError> {
        match self.store.scan(Query::Counters { prefix: counter.clone(), limit: 1 }).await? {
            Page::Counters(found) => {
                let exact = found.into_iter().find(|(key, _)| *key == counter);
                Ok(exact.map_or(0, |(_, value)| value))
            }
            _ => Err(broken("counters were not answered with counters")),
        }
    }

    pub(crate) async fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        if batch.writes.is_empty() {
            return Ok(Committed::default());
        }
        let committed = self.store.commit(batch.writes).await;
        let is_well = matches!(
            committed,
            Ok(_) | Err(StoreError::Conflict(_) | StoreError::Exhausted(_) | StoreError::Below { .. })
        );
        // Mostly it stays as it is, and need not be taken from other cores.
        if self.refuses_writes.load(Ordering::Relaxed) == is_well {
            self.refuses_writes.store(!is_well, Ordering::Relaxed);
        }
        committed
    }

    /// Whether the store did not take what was last written.
    pub(crate) fn refuses_writes(&self) -> bool {
        self.refuses_writes.load(Ordering::Relaxed)
    }

    /// What others wrote.
    pub(crate) fn watch(&self) -> BoxStream<'static, Hint> {
        self.store.watch()
    }

    pub(crate) async fn load<R: Record>(&self, key: Key) -> Result<Option<Versioned<R>>, StoreError> {
        debug_assert_eq!(key.kind, R::KIND);
        let mut found = self.store.load(vec![key]).await?;
        found.pop().flatten().map(|stored| read(&stored)).transpose()
    }

    /// Reads records of one kind, in the order of `keys`.
    pub(crate) async fn load_all<R: Record>(
        &self,
        keys: Vec<Key>,
    ) -> Result<Vec<Option<Versioned<R>>>, StoreError> {
        let found = self.store.load(keys).await?;
        found.into_iter().map(|stored| stored.map(|stored| read(&stored)).transpose()).collect()
    }

    /// Reads one page of an index.
    pub(crate) async fn page(&self, query: Query) -> Result<(Vec<(Bytes, Stored)>, bool), StoreError> {
        match self.store.scan(query).await? {
            Page::Rows { rows, more } => Ok((rows, more)),
            _ => Err(broken("a range was not answered with rows")),
        }
    }

    /// Reads counters whose id begins as that of `prefix`. One that is nothing may be left out.
    pub(crate) async fn counters(&self, prefix: Key, limit: u32) -> Result<Vec<(Key, i64)>, StoreError> {
        match self.store.scan(Query::Counters { prefix, limit }).await? {
            Page::Counters(counters) => Ok(counters),
            _ => Err(broken("counters were not answered with counters")),
        }
    }

    pub(crate) async fn chunks(
        &self,
        stream: Key,
        from: u64,
        bytes_max: u32,
    ) -> Result<(Vec<(u64, Bytes)>, bool), StoreError> {
        match self.store.scan(Query::Stream { stream, from, bytes_max }).await? {
            Page::Chunks { chunks, more } => Ok((chunks, more)),
            _ => Err(broken("a stream was not answered with chunks")),
        }
    }
}

impl TenantRecords {
    /// Reads a record whose key was made for this tenant.
    pub(crate) async fn load<R: Record>(&self, key: Key) -> Result<Option<Versioned<R>>, StoreError> {
        if key.tenant != self.tenant {
            return Ok(None);
        }
        self.records.load(key).await
    }

    /// Reads every record of one kind below a prefix of an index, page by page.
    pub(crate) async fn all<R: Record>(
        &self,
        index: Index,
        prefix: Bytes,
    ) -> Result<Vec<Versioned<R>>, StoreError> {
        let mut found = Vec::new();
        let mut pages = Pages::of(index, prefix);
        while let Some(rows) = pages.next(&self.records).await? {
            let mine = rows.iter().filter(|(_, row)| row.key.tenant == self.tenant);
            for (_, row) in mine.filter(|(_, row)| row.key.kind == R::KIND) {
                found.push(read(row)?);
            }
        }
        Ok(found)
    }
}

/// How many rows are read at once.
pub(crate) const PAGE_ROWS: u32 = 256;

/// Turns a stored row into its record.
pub(crate) fn read<R: Record>(stored: &Stored) -> Result<Versioned<R>, StoreError> {
    let record = decode(&stored.key, stored.format, &stored.body)
        .map_err(|error: DecodeError| StoreError::Broken(Box::new(error)))?;
    Ok(Versioned { version: stored.version, record })
}

fn broken(problem: &'static str) -> StoreError {
    StoreError::Broken(problem.into())
}

/// Writes that are applied together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    writes: Vec<Write>,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Writes a record over the version it was read at; version 0 creates it.
    pub(crate) fn put<R: Record>(&mut self, expected: u64, record: &R) {
        self.writes.push(Write::Put {
            key: record.key(),
            expected,
            format: R::FORMAT,
            body: encode(record),
            indexes: record.indexes(),
        });
    }

    pub(crate) fn delete(&mut self, key: Key, expected: u64) {
        self.writes.push(Write::Delete { key, expected });
    }

    pub(crate) fn expect(&mut self, key: Key, expected: u64) {
        self.writes.push(Write::Expect { key, expected });
    }

    pub(crate) fn add(&mut self, counter: Key, delta: i64, max: Option<i64>) {
        self.writes.push(Write::Add { counter, delta, max });
    }

    /// The version over which it puts a record, if it does.
    pub(crate) fn put_over(&self, wanted: &Key) -> Option<u64> {
        self.writes.iter().find_map(|write| match write {
            Write::Put { key, expected, .. } if key == wanted => Some(*expected),
            _ => None,
        })
    }

    /// The counters that it adds to, in the order in which the store tells of them.
    pub(crate) fn counters(&self) -> Vec<Key> {
        let counter = |write: &Write| match write {
            Write::Add { counter, .. } => Some(counter.clone()),
            _ => None,
        };
        self.writes.iter().filter_map(counter).collect()
    }

    /// What it writes, for somebody else to carry out.
    pub(crate) fn into_writes(self) -> Vec<Write> {
        self.writes
    }

    /// Lets it be refused once a watermark has reached a number.
    pub(crate) fn above(&mut self, watermark: Key, number: u64) {
        self.writes.push(Write::Above { watermark, number });
    }

    /// Raises a watermark to a number, unless it is there.
    pub(crate) fn raise(&mut self, watermark: Key, to: u64) {
        self.writes.push(Write::Raise { watermark, to });
    }

    /// Removes the chunks of a stream that begin before an offset.
    pub(crate) fn drop_chunks(&mut self, stream: Key, before: u64) {
        self.writes.push(Write::Drop { stream, before });
    }

    /// Appends lines, of which the first has this number.
    pub(crate) fn append_lines(&mut self, stream: Key, first: u64, count: u64, bytes: Bytes) {
        self.writes.push(Write::AppendLines { stream, first, count, bytes });
    }

    pub(crate) fn append(&mut self, stream: Key, at: u64, bytes: Bytes) {
        self.writes.push(Write::Append { stream, at, bytes });
    }
}
