//! Opening: claims the file, readies every connection, and takes the schema to its newest step.

use crate::{error::OpenError, options::SqliteOptions, owner::Owner, schema};
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::{fs, path::Path};

/// Room for every statement there is: updates come in one form for each set of changed indexes.
const STATEMENTS_MAX: usize = 128;

/// The write-ahead log is folded into the file when it has this many pages (32 MB of 4 KiB).
const CHECKPOINT_PAGES: u32 = 8_000;

/// A log that grew beyond this is cut back at the next turn.
const LOG_BYTES_KEPT: u32 = 64 << 20;

/// The memory that a connection may use for pages, in KiB: enough for the inner pages of every tree, since
/// the operating system keeps the others for all of them. Not more for the writer either: a commit that has
/// balanced a tree looks at every page that is kept.
const CACHE_KIBIBYTES: i32 = 4 << 10;

/// Everything that the threads of a store work on.
pub(crate) struct Opened {
    /// None in memory.
    pub(crate) owner: Option<Owner>,
    pub(crate) writer: Connection,
    /// None in memory: there the writer reads too.
    pub(crate) readers: Vec<Connection>,
}

pub(crate) fn open_file(options: &SqliteOptions, path: &Path) -> Result<Opened, OpenError> {
    let owner = Owner::claim(path)?;
    let path = owner.path.clone();
    let sqlite_error = |error| OpenError::from_sqlite(path.clone(), error);
    let writer = connect(options, &path).map_err(sqlite_error)?;
    schema::check(&writer, &path)?;
    check_end(&writer, &path)?;
    let journal: String =
        writer.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0)).map_err(sqlite_error)?;
    if journal != "wal" {
        let source = "file system does not support a write-ahead log".into();
        return Err(OpenError::Unavailable { path, source });
    }
    ready_writer(options, &writer).map_err(sqlite_error)?;
    schema::migrate(&writer, &path)?;
    let mut readers = Vec::with_capacity(options.readers);
    for _ in 0..options.readers {
        let reader = connect(options, &path).map_err(sqlite_error)?;
        reader.pragma_update(None, "query_only", true).map_err(sqlite_error)?;
        readers.push(reader);
    }
    Ok(Opened { owner: Some(owner), writer, readers })
}

pub(crate) fn open_in_memory() -> Result<Opened, OpenError> {
    let path = Path::new(":memory:");
    let options = SqliteOptions::default();
    let sqlite_error = |error| OpenError::from_sqlite(path.to_owned(), error);
    let writer = Connection::open_in_memory().map_err(sqlite_error)?;
    ready(&options, &writer).map_err(sqlite_error)?;
    schema::migrate(&writer, path)?;
    Ok(Opened { owner: None, writer, readers: Vec::new() })
}

/// Refuses a file that ends within a page: SQLite takes what is cut off for zeros. Only a file that is
/// just taking its log in may end there, and the log has what is cut off.
fn check_end(writer: &Connection, path: &Path) -> Result<(), OpenError> {
    let mut log = path.to_owned().into_os_string();
    log.push("-wal");
    if fs::metadata(log).is_ok_and(|log| log.len() > 0) {
        return Ok(());
    }
    let page_size: u32 = writer
        .query_row("PRAGMA page_size", [], |row| row.get(0))
        .map_err(|error| OpenError::from_sqlite(path.to_owned(), error))?;
    let file = fs::metadata(path).map_err(|error| OpenError::from_io(path.to_owned(), error))?;
    if file.len().is_multiple_of(page_size.into()) {
        return Ok(());
    }
    Err(OpenError::Corrupt { path: path.to_owned(), source: "file ends within a page".into() })
}

fn connect(options: &SqliteOptions, path: &Path) -> rusqlite::Result<Connection> {
    // Not `SQLITE_OPEN_URI`: a path is a path, whatever it begins with. No mutex: a connection
    // is used by one thread.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    ready(options, &connection)?;
    Ok(connection)
}

fn ready(options: &SqliteOptions, connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(options.busy_timeout)?;
    // Without it SQLite prepares a statement again for values that it was not planned for.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIBIBYTES)
}

fn ready_writer(options: &SqliteOptions, writer: &Connection) -> rusqlite::Result<()> {
    writer.pragma_update(None, "synchronous", "full")?;
    set(writer, "wal_autocheckpoint", CHECKPOINT_PAGES.into())?;
    set(writer, "journal_size_limit", LOG_BYTES_KEPT.into())?;
    if let Some(size_max) = options.size_max {
        let page_size: i64 = writer.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let pages_max = i64::try_from(size_max).unwrap_or(i64::MAX) / page_size;
        set(writer, "max_page_count", pages_max.max(1))?;
    }
    Ok(())
}

/// Sets a pragma that answers with its value.
fn set(connection: &Connection, pragma: &str, value: i64) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, pragma, value, |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kill of the process cannot show this, only a loss of power could.
    #[test]
    fn a_commit_waits_for_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let opened = open_file(&SqliteOptions::default(), &directory.path().join("queue.db")).unwrap();
        let read =
            |pragma| opened.writer.query_row(pragma, [], |row| row.get::<_, rusqlite::types::Value>(0));
        assert_eq!(read("PRAGMA synchronous").unwrap(), 2.into());
        assert_eq!(read("PRAGMA journal_mode").unwrap(), "wal".to_owned().into());
        assert_eq!(read("PRAGMA wal_autocheckpoint").unwrap(), i64::from(CHECKPOINT_PAGES).into());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_what_is_queued() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let _opened = open_file(&SqliteOptions::default(), &directory.path().join("queue.db")).unwrap();
        let files = fs::read_dir(directory.path()).unwrap().map(Result::unwrap);
        let modes: Vec<_> = files
            .map(|file| (file.file_name(), file.metadata().unwrap().permissions().mode() & 0o777))
            .collect();
        assert!(modes.len() >= 3 && modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
    }

    #[test]
    fn every_connection_keeps_its_query_plans() {
        let directory = tempfile::tempdir().unwrap();
        let opened = open_file(&SqliteOptions::default(), &directory.path().join("queue.db")).unwrap();
        assert_eq!(opened.readers.len(), 2);
        for connection in opened.readers.iter().chain([&opened.writer]) {
            assert!(connection.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG).unwrap());
        }
    }
}
