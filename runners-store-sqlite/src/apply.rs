//! One batch inside the transaction of its group: every check before the first write, so that a
//! refused batch has written nothing and needs no savepoint.

use crate::{
    key::{Key, KeyBytes},
    recent::Recent,
};
use bytes::Bytes;
use runners_core::{
    Index,
    store::{Committed, StoreError, Write},
};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params, types::ValueRef};
use std::collections::HashMap;

/// What the writer keeps between batches.
pub(crate) struct Writing {
    pub(crate) updates: Updates,
    pub(crate) recent: Recent,
}

/// Applies a checked batch. The outer result is trouble with the database, which ends the group;
/// the inner one is a refusal, which concerns this batch alone.
pub(crate) fn apply(
    connection: &Connection,
    writing: &mut Writing,
    writes: Vec<Write>,
) -> rusqlite::Result<Result<Committed, StoreError>> {
    let mut found = Vec::with_capacity(writes.len());
    for write in &writes {
        match find(connection, &writing.recent, write)? {
            Ok(row) => found.push(row),
            Err(conflict) => return Ok(Err(conflict)),
        }
    }
    if let Some(below) = below(connection, &writes)? {
        return Ok(Err(below));
    }
    let (committed, sums) = match sum(connection, &writes)? {
        Ok(summed) => summed,
        Err(exhausted) => return Ok(Err(exhausted)),
    };
    for (counter, value) in sums {
        set_counter(connection, counter, value)?;
    }
    for (write, found) in writes.into_iter().zip(found) {
        let row = carry_out(connection, &writing.updates, &write, found)?;
        writing.recent.note(write, row);
    }
    Ok(Ok(committed))
}

/// A record that a write concerns, as it is now.
#[derive(Clone, Copy)]
struct Found {
    row: i64,
    /// A bit for each index in which the new entry differs from the stored one.
    changed: u8,
}

/// Checks the version of the record that a write puts, deletes or expects.
fn find(
    connection: &Connection,
    recent: &Recent,
    write: &Write,
) -> rusqlite::Result<Result<Option<Found>, StoreError>> {
    let Some((key, expected)) = write.expectation() else { return Ok(Ok(None)) };
    if let Some(row) = recent.get(key) {
        return Ok(if row.version == expected {
            Ok(Some(Found { row: row.row, changed: row.changed(write) }))
        } else {
            Err(StoreError::Conflict(key.clone()))
        });
    }
    let (sql, indexes) = match write {
        Write::Put { key, indexes, .. } if !key.kind.is_body() => (
            "SELECT row, version, ready, due, owner, parent, listed, mark FROM record WHERE key = ?1",
            Some(indexes),
        ),
        _ if key.kind.is_body() => ("SELECT row, version FROM body WHERE key = ?1", None),
        _ => ("SELECT row, version FROM record WHERE key = ?1", None),
    };
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement
        .query_row([KeyBytes::checked(key)], |row| {
            let changed = indexes.map_or(Ok(0), |indexes| changed(row, indexes))?;
            let version: i64 = row.get(1)?;
            Ok((version.cast_unsigned(), Found { row: row.get(0)?, changed }))
        })
        .optional()?;
    if found.map_or(0, |(version, _)| version) != expected {
        return Ok(Err(StoreError::Conflict(key.clone())));
    }
    Ok(Ok(found.map(|(_, found)| found)))
}

/// Compares the entries of a stored record, from column 2 on, with its new ones.
fn changed(row: &Row<'_>, indexes: &[(Index, Bytes)]) -> rusqlite::Result<u8> {
    let mut changed = 0;
    for (position, index) in Index::ALL.into_iter().enumerate() {
        let stored = match row.get_ref(2 + position)? {
            ValueRef::Blob(stored) => Some(stored),
            _ => None,
        };
        if stored != entry(indexes, index).map(|entry| &entry[..]) {
            changed |= 1 << position;
        }
    }
    Ok(changed)
}

pub(crate) fn entry(indexes: &[(Index, Bytes)], index: Index) -> Option<&Bytes> {
    indexes.iter().find(|(other, _)| *other == index).map(|(_, entry)| entry)
}

/// The refusal of a batch that is to be above a watermark and is not.
fn below(connection: &Connection, writes: &[Write]) -> rusqlite::Result<Option<StoreError>> {
    for write in writes {
        let Write::Above { watermark, number } = write else { continue };
        let at = counter(connection, watermark)?.cast_unsigned();
        if at >= *number {
            return Ok(Some(StoreError::Below { watermark: watermark.clone(), at }));
        }
    }
    Ok(None)
}

/// The value of a counter, or where a watermark stands.
fn counter(connection: &Connection, key: &Key) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached("SELECT value FROM counter WHERE key = ?1")?;
    let value = statement.query_row([KeyBytes::checked(key)], |row| row.get(0)).optional()?;
    Ok(value.unwrap_or(0))
}

type Sums<'a> = HashMap<&'a Key, i64>;

/// Checks every add against the sum of those before it.
fn sum<'a>(
    connection: &Connection,
    writes: &'a [Write],
) -> rusqlite::Result<Result<(Committed, Sums<'a>), StoreError>> {
    let mut committed = Committed::default();
    let mut sums = Sums::new();
    for write in writes {
        let Write::Add { counter, delta, max } = write else { continue };
        let value = match sums.get(counter) {
            Some(sum) => *sum,
            None => self::counter(connection, counter)?,
        };
        let next = value.checked_add(*delta).filter(|next| *next >= 0 && max.is_none_or(|max| *next <= max));
        let Some(next) = next else { return Ok(Err(StoreError::Exhausted(counter.clone()))) };
        sums.insert(counter, next);
        committed.counters.push(next);
    }
    Ok(Ok((committed, sums)))
}

fn set_counter(connection: &Connection, counter: &Key, value: i64) -> rusqlite::Result<()> {
    let key = KeyBytes::checked(counter);
    if value == 0 {
        connection.prepare_cached("DELETE FROM counter WHERE key = ?1")?.execute([key])?;
    } else {
        let sql = "INSERT INTO counter (key, value) VALUES (?1, ?2)
            ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        connection.prepare_cached(sql)?.execute(params![key, value])?;
    }
    Ok(())
}

/// Writes, and tells in which row a record that was put stands.
fn carry_out(
    connection: &Connection,
    updates: &Updates,
    write: &Write,
    found: Option<Found>,
) -> rusqlite::Result<Option<i64>> {
    match write {
        Write::Put { key, format, body, indexes, .. } => match found {
            None => return insert(connection, key, *format, body, indexes).map(Some),
            Some(found) if key.kind.is_body() => {
                let sql = "UPDATE body SET version = version + 1, format = ?1, body = ?2 WHERE row = ?3";
                connection.prepare_cached(sql)?.execute(params![format, &body[..], found.row])?;
            }
            Some(found) => {
                updates.update(connection, found, *format, body, indexes)?;
                return Ok(Some(found.row));
            }
        },
        Write::Delete { key, .. } => {
            let sql = if key.kind.is_body() {
                "DELETE FROM body WHERE row = ?1"
            } else {
                "DELETE FROM record WHERE row = ?1"
            };
            connection.prepare_cached(sql)?.execute([found.map(|found| found.row)])?;
        }
        Write::Append { stream, at, bytes } | Write::AppendLines { stream, first: at, bytes, .. } => {
            let sql = "INSERT INTO chunk (stream, at, bytes) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
            let key = KeyBytes::checked(stream);
            connection.prepare_cached(sql)?.execute(params![key, offset(*at), &bytes[..]])?;
        }
        Write::Drop { stream, before } => {
            let sql = "DELETE FROM chunk WHERE stream = ?1 AND at < ?2";
            connection.prepare_cached(sql)?.execute(params![KeyBytes::checked(stream), offset(*before)])?;
        }
        Write::Raise { watermark, to } if *to > 0 => {
            let sql = "INSERT INTO counter (key, value) VALUES (?1, ?2)
                ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value < excluded.value";
            connection.prepare_cached(sql)?.execute(params![KeyBytes::checked(watermark), offset(*to)])?;
        }
        Write::Expect { .. } | Write::Add { .. } | Write::Above { .. } | Write::Raise { .. } => {}
    }
    Ok(None)
}

fn insert(
    connection: &Connection,
    key: &Key,
    format: u16,
    body: &Bytes,
    indexes: &[(Index, Bytes)],
) -> rusqlite::Result<i64> {
    let bytes = KeyBytes::checked(key);
    if key.kind.is_body() {
        let sql = "INSERT INTO body (key, version, format, body) VALUES (?1, 1, ?2, ?3)";
        connection.prepare_cached(sql)?.execute(params![bytes, format, &body[..]])?;
        return Ok(connection.last_insert_rowid());
    }
    let sql = "INSERT INTO record (key, version, format, body, ready, due, owner, parent, listed, mark)
        VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let entries = Index::ALL.map(|index| entry(indexes, index).map(|entry| &entry[..]));
    let [ready, due, owner, parent, listed, mark] = entries;
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute(params![bytes, format, &body[..], ready, due, owner, parent, listed, mark])?;
    Ok(connection.last_insert_rowid())
}

/// Offsets above the limit are not stored, so all of them are alike behind it.
pub(crate) fn offset(at: u64) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

/// The name of the column that holds an index.
pub(crate) const fn column(index: Index) -> &'static str {
    match index {
        Index::Ready => "ready",
        Index::Due => "due",
        Index::Owner => "owner",
        Index::Parent => "parent",
        Index::Listed => "listed",
        Index::Mark => "mark",
    }
}

/// One update statement for each set of changed entries: SQLite rewrites the index of every
/// column that an update names, whether its value differs or not.
pub(crate) struct Updates {
    by_changed: Vec<String>,
}

impl Updates {
    pub(crate) fn new() -> Self {
        let sql = |changed: u8| {
            let mut sql = "UPDATE record SET version = version + 1, format = ?1, body = ?2".to_owned();
            let names =
                Index::ALL.into_iter().enumerate().filter(|(position, _)| changed >> position & 1 == 1);
            for (parameter, (_, index)) in (4..).zip(names) {
                sql += &format!(", {} = ?{parameter}", column(index));
            }
            sql + " WHERE row = ?3"
        };
        Self { by_changed: (0..1 << Index::ALL.len()).map(sql).collect() }
    }

    fn update(
        &self,
        connection: &Connection,
        found: Found,
        format: u16,
        body: &Bytes,
        indexes: &[(Index, Bytes)],
    ) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(&self.by_changed[usize::from(found.changed)])?;
        let fixed: [&dyn ToSql; 3] = [&format, &&body[..], &found.row];
        for (parameter, value) in (1..).zip(fixed) {
            statement.raw_bind_parameter(parameter, value)?;
        }
        let mut parameter = 4;
        for (position, index) in Index::ALL.into_iter().enumerate() {
            if found.changed >> position & 1 == 1 {
                statement.raw_bind_parameter(parameter, entry(indexes, index).map(|entry| &entry[..]))?;
                parameter += 1;
            }
        }
        statement.raw_execute()?;
        Ok(())
    }
}
