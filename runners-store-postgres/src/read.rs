//! Questions, and their answers read. Nothing here writes. Loads are gathered by `reader`.

use crate::{
    connections::{Connections, Parameter},
    error::Trouble,
    group::offset,
    key::{Key, bytes_of, is_of_later_kind, key_of, span_of},
    sql::Statements,
};
use bytes::Bytes;
use runners_core::{
    Index,
    store::{Page, Query, Span, StoreError, Stored},
};
use tokio_postgres::{Row, types::Type};

/// How many chunks of a stream are read at once.
const CHUNKS_PER_PAGE: i64 = 256;

pub(crate) async fn scan(
    connections: &Connections,
    statements: &Statements,
    query: Query,
) -> Result<Page, StoreError> {
    match query {
        Query::Range { index, prefix, mut after, until, newest_first, limit } => {
            let mut rows = Vec::new();
            loop {
                let span = Span::of_range(prefix.clone(), after, until.clone(), newest_first);
                let left = limit - rows.len() as u32;
                let found = range(connections, statements, index, newest_first, &span, left).await?;
                rows.extend(found.rows);
                if !found.more || rows.len() >= limit as usize {
                    return Ok(Page::Rows { rows, more: found.more });
                }
                after = found.last;
            }
        }
        Query::Stream { stream, from, bytes_max } => {
            chunks(connections, statements, &stream, from, bytes_max).await
        }
        Query::Counters { prefix, limit } => counters(connections, statements, &prefix, limit).await,
    }
}

/// A part of an index as it was read.
#[derive(Default)]
struct Found {
    /// But for records of a kind that a later version has added, which concern nobody here.
    rows: Vec<(Bytes, Stored)>,
    /// The last entry that was read.
    last: Option<Bytes>,
    more: bool,
}

async fn range(
    connections: &Connections,
    statements: &Statements,
    index: Index,
    newest_first: bool,
    span: &Span,
    limit: u32,
) -> Result<Found, StoreError> {
    if span.is_empty() {
        return Ok(Found::default());
    }
    let sql = statements.range(index, newest_first, span.below.is_some());
    let from = &span.from[..];
    let below = span.below.as_deref();
    // One more than asked for tells whether there is more.
    let count = i64::from(limit) + 1;
    let mut parameters: Vec<Parameter<'_>> = vec![(&from, Type::BYTEA), (&count, Type::INT8)];
    if below.is_some() {
        parameters.push((&below, Type::BYTEA));
    }
    let read = connections.ask(sql, &parameters).await?;
    let mut found = Found { more: read.len() > limit as usize, ..Found::default() };
    for row in read.iter().take(limit as usize) {
        let entry = bytes(row, 0)?;
        found.last = Some(entry.clone());
        if !is_of_later_kind(key_bytes(row, 1)?) {
            found.rows.push((entry, stored(row, 1)?));
        }
    }
    Ok(found)
}

/// Page by page, until the limit is reached: how large chunks are is not known before.
async fn chunks(
    connections: &Connections,
    statements: &Statements,
    stream: &Key,
    from: u64,
    bytes_max: u32,
) -> Result<Page, StoreError> {
    let stream = bytes_of(stream);
    let (mut from, mut left) = (offset(from), i64::from(bytes_max));
    let mut chunks: Vec<(u64, Bytes)> = Vec::new();
    loop {
        let is_first = chunks.is_empty();
        let parameters: [Parameter<'_>; 5] = [
            (&stream, Type::BYTEA),
            (&from, Type::INT8),
            (&left, Type::INT8),
            (&CHUNKS_PER_PAGE, Type::INT8),
            (&is_first, Type::BOOL),
        ];
        let rows = connections.ask(&statements.chunks, &parameters).await?;
        for row in &rows {
            let at: i64 = row.try_get(0).map_err(Trouble::before_commit)?;
            let bytes: Option<&[u8]> = row.try_get(1).map_err(Trouble::before_commit)?;
            let is_over = !chunks.is_empty() && left <= 0;
            let Some(bytes) = bytes.filter(|_| !is_over) else {
                return Ok(Page::Chunks { chunks, more: true });
            };
            left -= i64::try_from(bytes.len()).unwrap_or(i64::MAX);
            chunks.push((at.cast_unsigned(), Bytes::copy_from_slice(bytes)));
        }
        let (Some((last, _)), true) = (chunks.last(), rows.len() as i64 == CHUNKS_PER_PAGE) else {
            return Ok(Page::Chunks { chunks, more: false });
        };
        from = offset(last + 1);
    }
}

async fn counters(
    connections: &Connections,
    statements: &Statements,
    prefix: &Key,
    limit: u32,
) -> Result<Page, StoreError> {
    let span = span_of(prefix);
    let (from, below, count) = (&span.from[..], span.below.as_deref(), i64::from(limit));
    let mut parameters: Vec<Parameter<'_>> = vec![(&from, Type::BYTEA), (&count, Type::INT8)];
    let sql = if below.is_some() {
        parameters.push((&below, Type::BYTEA));
        &statements.counters_below
    } else {
        &statements.counters
    };
    let rows = connections.ask(sql, &parameters).await?;
    let mut counters = Vec::with_capacity(rows.len());
    for row in &rows {
        counters.push((key(row, 0)?, row.try_get(1).map_err(Trouble::before_commit)?));
    }
    Ok(Page::Counters(counters))
}

/// Reads key, version, format and body from the columns that begin at `first`.
pub(crate) fn stored(row: &Row, first: usize) -> Result<Stored, StoreError> {
    let version: i64 = row.try_get(first + 1).map_err(Trouble::before_commit)?;
    let format: i32 = row.try_get(first + 2).map_err(Trouble::before_commit)?;
    let format = u16::try_from(format).map_err(|error| StoreError::Broken(Box::new(error)))?;
    let key = key(row, first)?;
    Ok(Stored { key, version: version.cast_unsigned(), format, body: bytes(row, first + 3)? })
}

pub(crate) fn key_bytes(row: &Row, column: usize) -> Result<&[u8], Trouble> {
    row.try_get(column).map_err(Trouble::before_commit)
}

fn key(row: &Row, column: usize) -> Result<Key, StoreError> {
    let bytes = key_bytes(row, column)?;
    key_of(bytes).ok_or_else(|| {
        StoreError::Broken(format!("key {bytes:02x?} is of no kind that this version knows").into())
    })
}

fn bytes(row: &Row, column: usize) -> Result<Bytes, StoreError> {
    let bytes: &[u8] = row.try_get(column).map_err(Trouble::before_commit)?;
    Ok(Bytes::copy_from_slice(bytes))
}
