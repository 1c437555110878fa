//! The storage seam: records by key and version, ordered index keys, streams and counters.
//!
//! A store holds no rules. It sees keys, versions, opaque bytes and index keys that the rules
//! computed; it does not know what a job is. Every implementation passes
//! [`store_suite!`](crate::store_suite).

mod batch;
mod memory;
mod span;

pub use batch::BatchError;
pub use memory::MemoryStore;
pub use span::Span;

use crate::{
    seams::clock::Clock,
    values::key::{Index, Key},
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use std::{error::Error, fmt::Debug, sync::Arc};

/// Keeps records, streams and counters durably, and changes them by compare-and-set.
///
/// * A **record** is opaque bytes under a [`Key`], with a version that grows by one with every put, and
///   with up to one entry in each [`Index`], by which it is listed in order.
/// * A **stream** is bytes that are appended at offsets, such as a log.
/// * A **counter** is a number that is added to within bounds, such as how many jobs of a key run.
/// * A **watermark** is a number that only rises. Once it was raised, nothing comes at or below it any more:
///   whatever was let through there stands in the store, and whatever comes later is refused. It is read as a
///   counter is; no [`Write::Add`] names it.
///
/// A store knows nothing of jobs or runners: it must only get the order, the comparison and the
/// durability right. [`store_suite!`](crate::store_suite) tests an implementation against this contract, and
/// [`MemoryStore`] is the shortest one.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Reads records by key. The answer has one entry for each key, in their order: `None` if there is no
    /// such record.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Broken`].
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError>;

    /// Answers a [`Query`] with the [`Page`] of the same kind: a range of an index, a part of a stream, or
    /// counters.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Broken`].
    async fn scan(&self, query: Query) -> Result<Page, StoreError>;

    /// Applies every write, or none; what it applied is durable when it returns.
    ///
    /// All checks are made before any write. A key stands in at most one `Put`, `Delete` or `Expect`.
    /// Adds to one counter are carried out in order, and its bounds hold after each of them; an absent
    /// counter is 0, and so is an absent watermark. A watermark stands in at most one `Above` or `Raise`.
    /// A batch has at most [`Write::BATCH_MAX`] writes and [`Write::BATCH_BYTES_MAX`] bytes.
    /// Call [`Write::check_batch`] first: it finds what makes a batch malformed. An empty batch succeeds.
    ///
    /// # Errors
    /// As [`StoreError`] says. Where several apply, [`StoreError::Conflict`] is answered rather than
    /// [`StoreError::Below`], and that rather than [`StoreError::Exhausted`]. A malformed or oversized batch is
    /// [`StoreError::Broken`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves the batch applied as a whole or not at all.
    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError>;

    /// Tells what other users of the same store write, from this call on, for as long as the stream is kept.
    ///
    /// A store that only one control plane can open has nothing to tell, which is the default. After a gap
    /// the stream goes on with [`Hint::All`].
    fn watch(&self) -> BoxStream<'static, Hint> {
        futures::stream::pending().boxed()
    }

    /// The wall clock that all users of this store share, such as that of a database server. `None`, which
    /// is the default, if there is only the clock of each machine.
    ///
    /// Leases are safe as long as control planes know the time up to two seconds alike, up to a tenth of the term, and
    /// up to a third of the time for which an offer stands.
    fn clock(&self) -> Option<Arc<dyn Clock>> {
        None
    }
}

#[async_trait]
impl<S: Store + ?Sized> Store for Arc<S> {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        (**self).load(keys).await
    }
    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        (**self).scan(query).await
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        (**self).commit(writes).await
    }
    fn watch(&self) -> BoxStream<'static, Hint> {
        (**self).watch()
    }
    fn clock(&self) -> Option<Arc<dyn Clock>> {
        (**self).clock()
    }
}

/// A record as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "stores are written outside this crate and build it")]
pub struct Stored {
    /// What it is.
    pub key: Key,
    /// 1 for a new record; every put adds 1. A version is never met twice.
    pub version: u64,
    /// The format of `body`, for the rules to know.
    pub format: u16,
    /// The bytes that were put.
    pub body: Bytes,
}

/// The three questions a store answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "three questions for ever: a backend answers all")]
pub enum Query {
    /// Records in the order of one index. Index keys are unique within an index: every one ends
    /// in tenant and id.
    Range {
        /// The index.
        index: Index,
        /// Only index keys that begin so.
        prefix: Bytes,
        /// Only index keys beyond this one: above it, or below it with `newest_first`.
        after: Option<Bytes>,
        /// Only index keys before this one: below it, or above it with `newest_first`.
        until: Option<Bytes>,
        /// Descending order.
        newest_first: bool,
        /// The largest number of rows to answer.
        limit: u32,
    },
    /// Chunks of a stream: the last one that begins at or before byte `from`, if it reaches beyond
    /// `from`, and every one that begins later.
    Stream {
        /// The stream.
        stream: Key,
        /// A byte offset.
        from: u64,
        /// Stop after the chunk that reaches this many bytes. One chunk is always answered.
        bytes_max: u32,
    },
    /// Counters of the tenant and kind of `prefix` whose ids begin with its id, in order. A counter at 0
    /// counts as absent, and is left out.
    Counters {
        /// Tenant, kind, and the start of the id.
        prefix: Key,
        /// The largest number of counters to answer.
        limit: u32,
    },
}

impl Query {
    /// Asks for the first `limit` records of an index below a prefix, in ascending order.
    #[must_use]
    pub fn range(index: Index, prefix: impl Into<Bytes>, limit: u32) -> Self {
        Self::Range { index, prefix: prefix.into(), after: None, until: None, newest_first: false, limit }
    }
}

/// An answer to a [`Query`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "one variant for each question")]
pub enum Page {
    /// To [`Query::Range`]: each row with its index key.
    Rows {
        /// Index key and record, in order.
        rows: Vec<(Bytes, Stored)>,
        /// Whether the limit cut the answer short.
        more: bool,
    },
    /// To [`Query::Stream`]: each chunk with its offset.
    Chunks {
        /// Offset and bytes, in order. Gaps are the reader's to mark.
        chunks: Vec<(u64, Bytes)>,
        /// Whether `bytes_max` cut the answer short.
        more: bool,
    },
    /// To [`Query::Counters`].
    Counters(Vec<(Key, i64)>),
}

/// One write of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a backend carries out every one")]
pub enum Write {
    /// Creates or replaces a record.
    Put {
        /// The record.
        key: Key,
        /// The version it was read at; 0 means that it must not exist.
        expected: u64,
        /// The format of `body`.
        format: u16,
        /// The new bytes.
        body: Bytes,
        /// The whole set of index entries from now on, at most one for each index.
        indexes: Vec<(Index, Bytes)>,
    },
    /// Removes a record. Its id is not used again.
    Delete {
        /// The record.
        key: Key,
        /// The version it was read at.
        expected: u64,
    },
    /// Refuses the batch unless a record that it does not write is unchanged.
    Expect {
        /// The record.
        key: Key,
        /// The version it was read at; 0 means that it must not exist.
        expected: u64,
    },
    /// Adds to a counter. Refuses the batch above `max` or below 0.
    Add {
        /// The counter.
        counter: Key,
        /// What to add.
        delta: i64,
        /// The largest value it may have afterwards.
        max: Option<i64>,
    },
    /// Appends to a stream. Where bytes were appended at this offset before, they stay and these are
    /// dropped, so an append can be repeated.
    Append {
        /// The stream.
        stream: Key,
        /// The byte offset, or for histories the version, at which the bytes stand.
        at: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// Appends lines to a stream in which lines are numbered, each with a line feed at its end. They are kept as
    /// bytes that are appended at the number of the first are, but that no number is given twice. A store may keep those that follow each other
    /// without a gap in one chunk, whichever batches they come from, while that is not longer than
    /// [`JOINED_BYTES_MAX`](Self::JOINED_BYTES_MAX).
    AppendLines {
        /// The stream.
        stream: Key,
        /// The number of the first line.
        first: u64,
        /// How many lines there are.
        count: u64,
        /// The lines.
        bytes: Bytes,
    },
    /// Removes the chunks of a stream that begin before an offset.
    Drop {
        /// The stream.
        stream: Key,
        /// The offset.
        before: u64,
    },
    /// Refuses the batch with [`StoreError::Below`] unless a watermark is below a number. Any number of
    /// batches may be let through at once; none waits for another.
    Above {
        /// The watermark.
        watermark: Key,
        /// The least number of what the batch writes.
        number: u64,
    },
    /// Raises a watermark to a number, unless it is there already or above. Once the commit has returned,
    /// every read that begins sees what an [`Above`](Self::Above) at or below the number has let through,
    /// and none is let through there any more.
    Raise {
        /// The watermark.
        watermark: Key,
        /// The number.
        to: u64,
    },
}

impl Write {
    /// The largest number of writes in a batch.
    pub const BATCH_MAX: usize = 1024;
    /// The largest number of bytes in the bodies, index keys and chunks of a batch: 4 MiB.
    pub const BATCH_BYTES_MAX: usize = 4 << 20;
    /// The largest chunk into which a store joins lines: 64 KiB.
    pub const JOINED_BYTES_MAX: usize = 64 << 10;
    /// The largest offset in a stream, and the largest number at a watermark.
    pub const OFFSET_MAX: u64 = 1 << 62;
}

/// What a batch did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "stores are written outside this crate and build it")]
pub struct Committed {
    /// The value of each counter after its [`Write::Add`], in the order of the adds.
    pub counters: Vec<i64>,
}

/// What another user of the same store has changed, as [`Store::watch`] tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "stores are written outside this crate and build it")]
pub enum Hint {
    /// The first 16 bytes of the key in [`Index::Ready`] under which the record stands now.
    Lane(Bytes),
    /// The first 16 bytes of a key in [`Index::Ready`] under which it stood before, unless they are those of
    /// the new one.
    Left(Bytes),
    /// The first 16 bytes of an old or new key in [`Index::Owner`].
    Owner(Bytes),
    /// A record or stream that was written, unless its [kind is a body](crate::Kind::is_body). The lane and
    /// owner hints of the same write come before it.
    Changed(Key),
    /// Anything may have changed: after a gap or a reconnect.
    All,
}

/// The cause of a store's trouble.
pub type StoreSource = Box<dyn Error + Send + Sync>;

/// Why a store did not do what it was asked, by what the caller does next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Read again and decide again: a record is not at the expected version.
    #[error("record {0:?} has changed since it was read")]
    Conflict(Key),
    /// Give up, or wait until the counter sinks: it would leave its bounds.
    #[error("counter {0:?} would leave its bounds")]
    Exhausted(Key),
    /// Take a number above the watermark and try again: nothing was applied.
    #[error("watermark {watermark:?} stands at {at} already")]
    Below {
        /// The watermark.
        watermark: Key,
        /// Where it stood when the batch was refused.
        at: u64,
    },
    /// Read before trying again: the batch may have been applied.
    #[error("whether the batch was applied is not known")]
    Unknown(#[source] StoreSource),
    /// Try again later: nothing was applied.
    #[error("store is unavailable")]
    Unavailable(#[source] StoreSource),
    /// Make room: nothing was applied.
    #[error("store is full")]
    Full(#[source] StoreSource),
    /// Have it repaired: the store or the batch is malformed.
    #[error("store is broken")]
    Broken(#[source] StoreSource),
}
