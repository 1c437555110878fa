//! A disk that is full, and not only as full as a store may be: a small one in memory, which only root can
//! mount.

use crate::{chain, put, versions};
use runners_core::store::{Store as _, StoreError};
use runners_store_sqlite::{OpenError, SqliteStore};
use rusqlite::Connection;
use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// What room is given and taken by.
const PAGE: usize = 4096;

/// A small file system in memory.
struct SmallDisk {
    place: PathBuf,
    _directory: TempDir,
}

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("small");
        fs::create_dir(&place).unwrap();
        let options = format!("size={size},mode=0700");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&place).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self { place, _directory: directory }),
            told => {
                println!("\nskipped: no small file system can be mounted here: {told:?}");
                None
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    /// Takes all room but so many pages.
    fn fill(&self, pages_left: usize) {
        let mut filler = File::create(self.path("filler")).unwrap();
        let mut pages = 0;
        let full = loop {
            match filler.write_all(&[0xa5; PAGE]) {
                Ok(()) => pages += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
        filler.set_len((pages.max(pages_left) - pages_left) as u64 * PAGE as u64).unwrap();
    }

    /// Gives all room back.
    fn free(&self) {
        fs::remove_file(self.path("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

/// Commits one after another, beginning with `first`, until one is refused; its number, and why.
async fn commit_until_refused(store: &SqliteStore, first: usize, bytes: usize) -> (usize, StoreError) {
    for number in first..first + 1000 {
        if let Err(trouble) = store.commit(vec![put(number, bytes)]).await {
            return (number, trouble);
        }
    }
    panic!("a small disk takes no thousand batches");
}

fn says_what_to_do(trouble: &StoreError) {
    assert!(chain(trouble).contains("free some space"), "{}", chain(trouble));
}

#[tokio::test]
async fn a_disk_without_room_loses_nothing_acknowledged_and_is_written_to_again_with_room() {
    let Some(disk) = SmallDisk::mount("8m") else { return };
    let path = disk.path("queue.db");
    let store = SqliteStore::open(&path).await.unwrap();
    fs::write(disk.path("reserve"), vec![0xa5; 2 << 20]).unwrap();
    let (refused, trouble) = commit_until_refused(&store, 0, 100_000).await;
    assert!(refused > 10, "{refused}");
    assert!(matches!(trouble, StoreError::Full(_)), "{trouble:?}");
    says_what_to_do(&trouble);
    let expected: Vec<u64> = (0..=refused).map(|number| u64::from(number < refused)).collect();
    assert_eq!(versions(&store, 0..refused + 1).await, expected, "it is read while it is full");
    // What a crash would leave now.
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("queue.db");
    for (from, to) in [("queue.db", &copy), ("queue.db-wal", &copy.with_extension("db-wal"))] {
        fs::copy(disk.path(from), to).unwrap();
    }
    let copied = SqliteStore::open(&copy).await.unwrap();
    assert_eq!(versions(&copied, 0..refused + 1).await, expected);

    fs::remove_file(disk.path("reserve")).unwrap();
    store.commit(vec![put(refused, 100_000)]).await.unwrap();
    // Once more to the last byte, and closed there: what stands in the log stays in it.
    disk.fill(0);
    let (refused, trouble) = commit_until_refused(&store, refused + 1, 100_000).await;
    assert!(matches!(trouble, StoreError::Full(_)), "{trouble:?}");
    store.close().await;
    disk.free();
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(versions(&store, 0..refused).await, vec![1; refused]);
    store.commit(vec![put(refused, 100)]).await.unwrap();
}

/// Nothing is known of a batch that is written when the index of the log has no room to grow: it is read
/// after a crash, and not before.
#[tokio::test]
async fn a_log_whose_index_has_no_room_is_unknown_and_says_to_free_some() {
    const FRAME: usize = PAGE + 24;
    /// The index has to grow after so many frames, by so many pages.
    const FRAMES: usize = 4062;
    const GROWS_BY: usize = 8;
    let Some(disk) = SmallDisk::mount("32m") else { return };
    let store = SqliteStore::open(disk.path("queue.db")).await.unwrap();
    let frames = || fs::metadata(disk.path("queue.db-wal")).unwrap().len() as usize / FRAME;
    let mut acknowledged = 0;
    while frames() < FRAMES - 40 {
        store.commit(vec![put(acknowledged, 40_000)]).await.unwrap();
        acknowledged += 1;
    }
    disk.fill((FRAMES - frames()) * FRAME / PAGE + GROWS_BY - 1);
    let (refused, trouble) = commit_until_refused(&store, acknowledged, 100).await;
    assert!(frames() > FRAMES, "it was not the index that had no room");
    assert!(matches!(trouble, StoreError::Unknown(_)), "{trouble:?}");
    says_what_to_do(&trouble);
    assert_eq!(versions(&store, 0..refused).await, vec![1; refused]);
    disk.free();
    store.commit(vec![put(refused + 1, 100)]).await.unwrap();
    store.close().await;
    let store = SqliteStore::open(disk.path("queue.db")).await.unwrap();
    assert_eq!(versions(&store, 0..refused).await, vec![1; refused]);
    assert_eq!(versions(&store, refused + 1..refused + 2).await, [1]);
}

/// Opens a file with ever more room, until there is enough; how many pages that were.
async fn open_with_more_and_more(disk: &SmallDisk, path: impl Fn(usize) -> PathBuf) -> usize {
    for pages in 0..100 {
        let path = path(pages);
        disk.fill(pages);
        let opened = SqliteStore::open(path).await;
        disk.free();
        let refused = match opened {
            Ok(store) => {
                store.close().await;
                return pages;
            }
            Err(refused) => refused,
        };
        assert!(matches!(refused, OpenError::Full { .. }), "with {pages} pages: {refused:?}");
        assert!(refused.to_string().contains("free some space"), "{refused}");
    }
    panic!("a hundred pages are not enough to open a store");
}

#[tokio::test]
async fn a_new_store_without_room_is_refused_by_that_and_made_once_there_is_room() {
    let Some(disk) = SmallDisk::mount("4m") else { return };
    let name = |pages: usize| format!("{pages}.db");
    let enough = open_with_more_and_more(&disk, |pages| disk.path(&name(pages))).await;
    assert!(enough > 10, "{enough}");
    for pages in 0..enough {
        // What was begun without room is no obstacle.
        let path = disk.path(&name(pages));
        let store = SqliteStore::open(&path).await.unwrap();
        store.commit(vec![put(0, 100)]).await.unwrap();
        store.close().await;
        remove(&path);
    }
}

fn remove(path: &Path) {
    for extension in ["db", "db.lock", "db-wal", "db-shm"] {
        let _ = fs::remove_file(path.with_extension(extension));
    }
}

#[tokio::test]
async fn a_store_that_is_there_is_refused_without_room_and_has_lost_nothing() {
    let Some(disk) = SmallDisk::mount("4m") else { return };
    let path = disk.path("queue.db");
    let store = SqliteStore::open(&path).await.unwrap();
    store.commit((0..50).map(|number| put(number, 700)).collect()).await.unwrap();
    store.close().await;
    // Two connections that close at the same moment may leave the log and its index behind.
    Connection::open(&path).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let enough = open_with_more_and_more(&disk, |_| {
        // Otherwise the index grows with every try.
        let _ = fs::remove_file(path.with_extension("db-shm"));
        path.clone()
    })
    .await;
    assert!(enough > 5, "{enough}");
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(versions(&store, 0..50).await, [1; 50]);
}
