//! The schema, forward only: each step is a file, `user_version` tells how many were taken. A
//! file of a newer version or of another application is refused before anything is changed.

use crate::error::OpenError;
use rusqlite::Connection;
use std::path::Path;

const STEPS: [&str; 1] = [include_str!("schema/1.sql")];

/// "rnrs", so that another application's database is not taken for ours.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"rnrs");

/// The newest schema that this version knows.
#[expect(clippy::cast_possible_truncation, reason = "there will not be four thousand million steps")]
pub(crate) const KNOWN: u32 = STEPS.len() as u32;

/// Refuses what must not be touched. Reads only.
pub(crate) fn check(connection: &Connection, path: &Path) -> Result<u32, OpenError> {
    let read = |sql: &str| {
        let value: rusqlite::Result<i64> = connection.query_row(sql, [], |row| row.get(0));
        value.map_err(|error| OpenError::from_sqlite(path.to_owned(), error))
    };
    // The header is first read here, which is where a file that is no database is found out.
    let version = read("PRAGMA user_version")?;
    let application = read("PRAGMA application_id")?;
    let tables = read("SELECT count(*) FROM sqlite_schema")?;
    let ours = application == i64::from(APPLICATION_ID) || (tables == 0 && version == 0 && application == 0);
    let found = u32::try_from(version).ok().filter(|_| ours);
    let found = found.ok_or_else(|| OpenError::Foreign { path: path.to_owned() })?;
    if found > KNOWN {
        return Err(OpenError::NewerSchema { path: path.to_owned(), found, known: KNOWN });
    }
    Ok(found)
}

/// Takes the steps that are missing, all or none. Writes even if there is none to take: SQLite
/// opens a file that cannot be written without a word, and refuses only the first write.
pub(crate) fn migrate(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let sqlite_error = |error| OpenError::from_sqlite(path.to_owned(), error);
    connection.execute_batch("BEGIN IMMEDIATE").map_err(sqlite_error)?;
    let found = check(connection, path)?;
    for step in &STEPS[found as usize..] {
        connection.execute_batch(step).map_err(sqlite_error)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(sqlite_error)?;
    connection.pragma_update(None, "user_version", KNOWN).map_err(sqlite_error)?;
    connection.execute_batch("COMMIT").map_err(sqlite_error)
}
