//! Questions, and the SQL that answers them. Nothing here writes.

use crate::{
    apply::{column, offset},
    error::Trouble,
    key::{Key, KeyBytes, StoredKey},
};
use bytes::Bytes;
use runners_core::{
    Index,
    store::{Page, Query, Span, StoreError, Stored},
};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params};
use std::sync::{Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// A question on its way to a thread that reads.
pub(crate) enum Read {
    Load(Vec<Key>, oneshot::Sender<Result<Vec<Option<Stored>>, StoreError>>),
    Scan(Query, oneshot::Sender<Result<Page, StoreError>>),
}

impl Read {
    /// Answers it. A caller that has gone away is no trouble.
    pub(crate) fn answer(self, connection: &Connection, ranges: &Ranges) {
        match self {
            Self::Load(keys, answer) => {
                let _ = answer.send(load(connection, keys).map_err(refusal));
            }
            Self::Scan(query, answer) => {
                let _ = answer.send(scan(connection, ranges, query).map_err(refusal));
            }
        }
    }
}

/// Answers questions until there are no more callers. The thread that holds the lock waits; it
/// passes the lock on before it reads.
pub(crate) fn read_all(connection: &Connection, questions: &Mutex<mpsc::Receiver<Read>>) {
    let ranges = Ranges::new();
    loop {
        let question = questions.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(question) = question else { return };
        question.answer(connection, &ranges);
    }
}

fn refusal(error: rusqlite::Error) -> StoreError {
    Trouble::before_commit(error).into()
}

fn load(connection: &Connection, keys: Vec<Key>) -> rusqlite::Result<Vec<Option<Stored>>> {
    // Several records are read as of one moment.
    let moment = (keys.len() > 1).then(|| connection.unchecked_transaction()).transpose()?;
    let loaded = keys.into_iter().map(|key| load_one(connection, key)).collect();
    if let Some(moment) = moment {
        moment.commit()?;
    }
    loaded
}

fn load_one(connection: &Connection, key: Key) -> rusqlite::Result<Option<Stored>> {
    let Some(bytes) = KeyBytes::new(&key) else { return Ok(None) };
    let sql = if key.kind.is_body() {
        "SELECT version, format, body FROM body WHERE key = ?1"
    } else {
        "SELECT version, format, body FROM record WHERE key = ?1"
    };
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row([bytes], |row| stored(key, row, 0)).optional()
}

/// Reads version, format and body from the columns that begin at `first`.
fn stored(key: Key, row: &Row<'_>, first: usize) -> rusqlite::Result<Stored> {
    let version: i64 = row.get(first)?;
    let body = blob(row, first + 2)?;
    Ok(Stored { key, version: version.cast_unsigned(), format: row.get(first + 1)?, body })
}

fn blob(row: &Row<'_>, column: usize) -> rusqlite::Result<Bytes> {
    Ok(Bytes::copy_from_slice(row.get_ref(column)?.as_blob()?))
}

fn scan(connection: &Connection, ranges: &Ranges, query: Query) -> rusqlite::Result<Page> {
    match query {
        Query::Range { index, prefix, mut after, until, newest_first, limit } => {
            let mut rows = Vec::new();
            loop {
                let span = Span::of_range(prefix.clone(), after, until.clone(), newest_first);
                let left = limit - rows.len() as u32;
                let found = range(connection, ranges.sql(index, newest_first, &span), &span, left)?;
                rows.extend(found.rows);
                if !found.more || rows.len() >= limit as usize {
                    return Ok(Page::Rows { rows, more: found.more });
                }
                after = found.last;
            }
        }
        Query::Stream { stream, from, bytes_max } => chunks(connection, &stream, from, bytes_max),
        Query::Counters { prefix, limit } => counters(connection, &prefix, limit),
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

fn range(connection: &Connection, sql: &str, span: &Span, limit: u32) -> rusqlite::Result<Found> {
    let mut statement = connection.prepare_cached(sql)?;
    // One more than asked for tells whether there is more.
    let from = &span.from[..];
    let count = i64::from(limit) + 1;
    let mut read = match &span.below {
        Some(below) => statement.query(params![from, count, &below[..]])?,
        None => statement.query(params![from, count])?,
    };
    let mut found = Found::default();
    for _ in 0..limit {
        let Some(row) = read.next()? else { return Ok(found) };
        let entry = blob(row, 0)?;
        found.last = Some(entry.clone());
        if let StoredKey(Some(key)) = row.get(1)? {
            found.rows.push((entry, stored(key, row, 2)?));
        }
    }
    found.more = read.next()?.is_some();
    Ok(found)
}

fn chunks(connection: &Connection, stream: &Key, from: u64, bytes_max: u32) -> rusqlite::Result<Page> {
    let mut chunks: Vec<(u64, Bytes)> = Vec::new();
    let Some(stream) = KeyBytes::new(stream) else { return Ok(Page::Chunks { chunks, more: false }) };
    let mut statement = connection.prepare_cached(CHUNKS)?;
    let mut found = statement.query(params![stream, offset(from)])?;
    let mut length = 0;
    while let Some(row) = found.next()? {
        if !chunks.is_empty() && length >= bytes_max as usize {
            return Ok(Page::Chunks { chunks, more: true });
        }
        let at: i64 = row.get(0)?;
        let bytes = blob(row, 1)?;
        length += bytes.len();
        chunks.push((at.cast_unsigned(), bytes));
    }
    Ok(Page::Chunks { chunks, more: false })
}

/// The last chunk that begins at or before the offset counts only if it reaches beyond it.
const CHUNKS: &str = "SELECT at, bytes FROM chunk WHERE stream = ?1 AND at >= coalesce(
        (SELECT CASE WHEN at = ?2 OR at + length(bytes) > ?2 THEN at END
            FROM chunk WHERE stream = ?1 AND at <= ?2 ORDER BY at DESC LIMIT 1), ?2)
    ORDER BY at";

fn counters(connection: &Connection, prefix: &Key, limit: u32) -> rusqlite::Result<Page> {
    let Some(span) = KeyBytes::new(prefix).map(|prefix| prefix.span()) else {
        return Ok(Page::Counters(Vec::new()));
    };
    let (from, limit) = (&span.from[..], i64::from(limit));
    let below = span.below.as_deref();
    let (sql, parameters): (_, &[&dyn ToSql]) = match &below {
        Some(below) => (
            "SELECT key, value FROM counter WHERE key >= ?1 AND key < ?3 ORDER BY key LIMIT ?2",
            &[&from, &limit, below],
        ),
        None => ("SELECT key, value FROM counter WHERE key >= ?1 ORDER BY key LIMIT ?2", &[&from, &limit]),
    };
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_map(parameters, |row| {
        let StoredKey(key) = row.get(0)?;
        Ok((key, row.get(1)?))
    })?;
    let found: Vec<(Option<Key>, i64)> = found.collect::<rusqlite::Result<_>>()?;
    Ok(Page::Counters(found.into_iter().filter_map(|(key, value)| Some((key?, value))).collect()))
}

/// One statement for each index, direction, and whether there is an upper bound.
pub(crate) struct Ranges {
    by_question: Vec<String>,
}

impl Ranges {
    pub(crate) fn new() -> Self {
        let sql = |question: usize| {
            let index = column(Index::ALL[question / 4]);
            let order = if question & 2 == 2 { "DESC" } else { "ASC" };
            let below = if question & 1 == 1 { format!("AND {index} < ?3") } else { String::new() };
            format!(
                "SELECT {index}, key, version, format, body FROM record
                WHERE {index} >= ?1 {below} ORDER BY {index} {order} LIMIT ?2"
            )
        };
        Self { by_question: (0..Index::ALL.len() * 4).map(sql).collect() }
    }

    fn sql(&self, index: Index, newest_first: bool, span: &Span) -> &str {
        // The order of `Index::ALL` is that of its variants.
        let question = index as usize * 4 + usize::from(newest_first) * 2 + usize::from(span.below.is_some());
        &self.by_question[question]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::open_in_memory;

    /// How SQLite answers a statement, step by step.
    fn plan(connection: &Connection, sql: &str) -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3));
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_range_walks_its_partial_index_and_sorts_nothing() {
        let connection = open_in_memory().unwrap().writer;
        let ranges = Ranges::new();
        for (position, index) in Index::ALL.into_iter().enumerate() {
            for sql in &ranges.by_question[position * 4..position * 4 + 4] {
                let plan = plan(&connection, sql);
                assert!(
                    plan.contains(&format!("SEARCH record USING INDEX record_{}", column(index))),
                    "{plan}"
                );
                assert!(!plan.contains("TEMP B-TREE"), "{plan}");
            }
        }
    }

    /// A later release that runs beside this one may have added a kind.
    #[test]
    fn records_of_a_kind_that_is_not_known_are_left_out_and_hide_nothing() {
        let connection = open_in_memory().unwrap().writer;
        for (number, kind) in [0x7ff0_u16, 0x7ff0, 0x7ff0, 1, 0x7ff0, 2, 0x7ff0].into_iter().enumerate() {
            let key = [&[1; 16][..], &kind.to_be_bytes(), &[number as u8]].concat();
            connection
                .execute(
                    "INSERT INTO record (key, version, format, body, due) VALUES (?1, 1, 1, x'', ?2)",
                    params![key, [number as u8]],
                )
                .unwrap();
        }
        for newest_first in [false, true] {
            let query = |limit| Query::Range {
                index: Index::Due,
                prefix: Bytes::new(),
                after: None,
                until: None,
                newest_first,
                limit,
            };
            for (limit, expected) in [(1, 1), (2, 2), (3, 2), (100, 2)] {
                let page = scan(&connection, &Ranges::new(), query(limit)).unwrap();
                let Page::Rows { rows, .. } = page else { panic!("rows") };
                assert_eq!(rows.len(), expected, "{limit}, {newest_first}");
            }
        }
    }

    #[test]
    fn chunks_are_searched_and_not_sorted() {
        let connection = open_in_memory().unwrap().writer;
        let plan = plan(&connection, CHUNKS);
        assert!(!plan.contains("SCAN chunk") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
}
