//! Files that are no databases, or no longer: damaged, cut short, or with a log that is.

use crate::{chain, job, place, put, versions};
use runners_core::store::{Store as _, StoreError};
use runners_store_sqlite::{OpenError, SqliteStore};
use rusqlite::Connection;
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

#[tokio::test]
async fn a_file_that_is_no_database_is_corrupt() {
    let (_directory, path) = place();
    fs::write(&path, "these are no pages of a database".repeat(200)).unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(refused, OpenError::Corrupt { .. }), "{refused:?}");
    assert!(refused.to_string().contains("restore a backup"), "{refused}");
}

#[tokio::test]
async fn a_damaged_page_is_broken() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    store.commit((0..200).map(|number| put(number, 200)).collect()).await.unwrap();
    store.close().await;
    // Two connections that close at the same moment may leave the log behind; it is whole then.
    Connection::open(&path).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let mut pages = fs::read(&path).unwrap();
    pages[4096..].fill(0xa5);
    fs::write(&path, pages).unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    let trouble = store.load(vec![job(0)]).await.unwrap_err();
    assert!(matches!(trouble, StoreError::Broken(_)), "{trouble:?}");
    assert!(chain(&trouble).contains("restore a backup"), "{}", chain(&trouble));
    let trouble = store.commit(vec![put(999, 1)]).await.unwrap_err();
    assert!(matches!(trouble, StoreError::Broken(_)), "{trouble:?}");
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_corrupt_wherever_it_ends() {
    const PAGE: u64 = 4096;
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    store.commit((0..200).map(|number| put(number, 200)).collect()).await.unwrap();
    store.close().await;
    Connection::open(&path).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let whole = fs::read(&path).unwrap();
    let pages = whole.len() as u64 / PAGE;
    for length in [pages / 2 * PAGE + 1000, (pages - 1) * PAGE, (pages - 1) * PAGE + 1000, pages * PAGE - 1] {
        let cut = &whole[..usize::try_from(length).unwrap()];
        fs::write(&path, cut).unwrap();
        let refused = SqliteStore::open(&path).await.unwrap_err();
        assert!(matches!(refused, OpenError::Corrupt { .. }), "{length} of {}: {refused:?}", whole.len());
        assert!(refused.to_string().contains("restore a backup"), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), cut, "it is left as it was");
    }
    fs::write(&path, &whole).unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(versions(&store, 0..200).await, [1; 200]);
}

fn log_of(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

/// What a crash at this moment leaves, in a place of its own.
fn after_a_crash(path: &Path) -> (TempDir, PathBuf) {
    let (directory, copy) = place();
    fs::copy(path, &copy).unwrap();
    fs::copy(log_of(path), log_of(&copy)).unwrap();
    (directory, copy)
}

#[tokio::test]
async fn a_file_that_was_cut_short_while_it_took_its_log_in_is_whole() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    store.commit((0..200).map(|number| put(number, 200)).collect()).await.unwrap();
    let (_copied, copy) = after_a_crash(&path);
    let log = fs::read(log_of(&copy)).unwrap();
    Connection::open(&copy).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let length = fs::metadata(&copy).unwrap().len();
    fs::File::options().write(true).open(&copy).unwrap().set_len(length - 1000).unwrap();
    fs::write(log_of(&copy), log).unwrap();
    let store = SqliteStore::open(&copy).await.unwrap();
    assert_eq!(versions(&store, 0..200).await, [1; 200]);
}

/// A store with a pair of records in its file and one more pair in its log for each length that is
/// answered, which is that of the log behind it.
async fn with_a_log(path: &Path, pairs: usize) -> (SqliteStore, Vec<usize>) {
    let pair = |number| vec![put(2 * number, 700), put(2 * number + 1, 700)];
    let store = SqliteStore::open(path).await.unwrap();
    store.commit(pair(0)).await.unwrap();
    store.close().await;
    Connection::open(path).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let store = SqliteStore::open(path).await.unwrap();
    let mut ends = Vec::new();
    for number in 1..=pairs {
        store.commit(pair(number)).await.unwrap();
        ends.push(usize::try_from(fs::metadata(log_of(path)).unwrap().len()).unwrap());
    }
    (store, ends)
}

/// Opens what a crash left with another log, and says how many pairs are there, from the first one on.
async fn pairs_with(log: &[u8], path: &Path, pairs_max: usize) -> usize {
    let (_copied, copy) = after_a_crash(path);
    fs::write(log_of(&copy), log).unwrap();
    let store = SqliteStore::open(&copy).await.unwrap();
    let found = versions(&store, 0..2 * pairs_max).await;
    let pairs = found.iter().take_while(|version| **version == 1).count() / 2;
    let expected: Vec<u64> = (0..found.len()).map(|number| u64::from(number < 2 * pairs)).collect();
    assert_eq!(found, expected, "a pair is half there, or one is there without those before it");
    store.commit(vec![put(999_999, 700)]).await.unwrap();
    pairs
}

#[tokio::test]
async fn a_log_that_is_torn_within_its_last_batch_has_all_that_was_acknowledged_before() {
    let (_directory, path) = place();
    let (_store, ends) = with_a_log(&path, 9).await;
    let log = fs::read(log_of(&path)).unwrap();
    assert_eq!(pairs_with(&log, &path, 10).await, 10);
    for at in (ends[7]..ends[8]).step_by(999) {
        assert_eq!(pairs_with(&log[..at], &path, 10).await, 9, "cut at {at}");
        let mut torn = log.clone();
        torn[at] ^= 0xa5;
        assert_eq!(pairs_with(&torn, &path, 10).await, 9, "wrong at {at}");
    }
}

/// SQLite takes damage within the log for its end, and says nothing of it.
#[tokio::test]
async fn a_damaged_log_ends_before_the_damage_and_no_batch_is_half_there() {
    let (_directory, path) = place();
    let (_store, ends) = with_a_log(&path, 9).await;
    let log = fs::read(log_of(&path)).unwrap();
    // In its head, and in the middle of the first, a later and the last batch.
    let places = [(20, 1), (ends[0] / 2, 1), ((ends[3] + ends[4]) / 2, 5), ((ends[7] + ends[8]) / 2, 9)];
    for (at, pairs) in places {
        let mut damaged = log.clone();
        damaged[at] ^= 0xa5;
        assert_eq!(pairs_with(&damaged, &path, 10).await, pairs, "wrong at {at}");
    }
}
