//! What is said when a file cannot be opened, read or written, and that it says what to do.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod damage;
#[cfg(target_os = "linux")]
mod full;

use runners_core::{
    Index, Key, Kind, TenantId,
    store::{Query, Store, StoreError, Write},
};
use runners_store_sqlite::{OpenError, SqliteOptions, SqliteStore};
use rusqlite::Connection;
use std::{fs, path::PathBuf, time::Duration};
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("queue.db");
    (directory, path)
}

fn job(number: usize) -> Key {
    Key::new(TenantId::DEFAULT, Kind::Job, number.to_be_bytes().to_vec())
}

fn put(number: usize, bytes: usize) -> Write {
    let key = job(number);
    let indexes = vec![(Index::Listed, key.id.clone())];
    Write::Put { key, expected: 0, format: 1, body: vec![7; bytes].into(), indexes }
}

async fn versions(store: &SqliteStore, numbers: std::ops::Range<usize>) -> Vec<u64> {
    let loaded = store.load(numbers.map(job).collect()).await.unwrap();
    loaded.into_iter().map(|found| found.map_or(0, |stored| stored.version)).collect()
}

/// Every cause in the chain, as a log would show it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[tokio::test]
async fn a_file_is_there_after_close() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    store.commit(vec![put(0, 10)]).await.unwrap();
    store.close().await;
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(versions(&store, 0..2).await, [1, 0]);
}

#[tokio::test]
async fn a_second_owner_is_refused_by_name() {
    let (directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(refused, OpenError::Held { holder: Some(pid), .. } if pid == std::process::id()));
    assert!(refused.to_string().contains(&std::process::id().to_string()), "{refused}");
    assert!(refused.to_string().contains("queue.db"), "{refused}");
    #[cfg(unix)]
    {
        let link = directory.path().join("link.db");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let refused = SqliteStore::open(&link).await.unwrap_err();
        assert!(matches!(refused, OpenError::Held { .. }), "{refused:?}");
    }
    store.close().await;
    SqliteStore::open(&path).await.unwrap();
    drop(directory);
}

#[tokio::test]
async fn a_refused_open_does_not_take_the_owners_place() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    for _ in 0..3 {
        SqliteStore::open(&path).await.unwrap_err();
    }
    store.commit(vec![put(0, 10)]).await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() {
    let (_directory, path) = place();
    SqliteStore::open(&path).await.unwrap().close().await;
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(&path).unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(refused, OpenError::NewerSchema { found: 99, known: 1, .. }), "{refused:?}");
    let text = refused.to_string();
    assert!(text.contains("99") && text.contains('1') && text.contains("upgrade"), "{text}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn another_applications_database_is_left_alone() {
    let (_directory, path) = place();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    let before = fs::read(&path).unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(refused, OpenError::Foreign { .. }), "{refused:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_named() {
    let (directory, _) = place();
    let path = directory.path().join("nowhere").join("queue.db");
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(refused, OpenError::Unavailable { .. }), "{refused:?}");
    assert!(chain(&refused).contains("nowhere"), "{}", chain(&refused));
}

#[tokio::test]
async fn a_file_locked_by_another_program_is_said_to_be() {
    let (_directory, path) = place();
    SqliteStore::open(&path).await.unwrap().close().await;
    let other = Connection::open(&path).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let options = SqliteOptions::default().busy_timeout(Duration::ZERO);
    let refused = options.clone().open(&path).await.unwrap_err();
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused:?}");
    assert!(refused.to_string().contains("close it there"), "{refused}");
    drop(other);
    options.open(&path).await.unwrap();
}

#[tokio::test]
async fn a_lock_taken_later_is_unavailable_until_it_is_gone() {
    let (_directory, path) = place();
    let store = SqliteOptions::default().busy_timeout(Duration::ZERO).open(&path).await.unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let trouble = store.commit(vec![put(0, 10)]).await.unwrap_err();
    assert!(matches!(trouble, StoreError::Unavailable(_)), "{trouble:?}");
    assert!(chain(&trouble).contains("close it there"), "{}", chain(&trouble));
    assert_eq!(versions(&store, 0..1).await, [0]);
    other.execute_batch("ROLLBACK").unwrap();
    store.commit(vec![put(0, 10)]).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_loses_nothing_acknowledged_and_writes_again_with_room() {
    const BATCHES: usize = 64;
    let (_directory, path) = place();
    let store = SqliteOptions::default().size_max(512 << 10).open(&path).await.unwrap();
    let mut acknowledged = Vec::new();
    // Many at once, so that groups fail as a whole; each batch is a pair.
    for turn in 0..8 {
        let numbers: Vec<_> = (turn * BATCHES..(turn + 1) * BATCHES).collect();
        let pairs = numbers.iter().map(|number| vec![put(2 * number, 700), put(2 * number + 1, 700)]);
        let answers = futures::future::join_all(pairs.map(|pair| store.commit(pair))).await;
        for (number, answer) in numbers.into_iter().zip(answers) {
            match answer {
                Ok(_) => acknowledged.push(number),
                Err(StoreError::Full(source)) => assert!(source.to_string().contains("free some space")),
                Err(trouble) => panic!("{trouble:?}"),
            }
        }
    }
    assert!(!acknowledged.is_empty() && acknowledged.len() < 8 * BATCHES, "{}", acknowledged.len());
    let expected: Vec<_> =
        (0..16 * BATCHES).map(|number| u64::from(acknowledged.contains(&(number / 2)))).collect();
    assert_eq!(versions(&store, 0..16 * BATCHES).await, expected);
    // Room is made in place.
    let oldest = acknowledged[..8].iter().flat_map(|pair| [2 * pair, 2 * pair + 1]);
    let deletes = oldest.map(|number| Write::Delete { key: job(number), expected: 1 }).collect();
    store.commit(deletes).await.unwrap();
    store.commit(vec![put(999_999, 700)]).await.unwrap();
    store.close().await;
    // Or by opening it with more.
    let store = SqliteOptions::default().size_max(4 << 20).open(&path).await.unwrap();
    assert_eq!(versions(&store, 999_999..1_000_000).await, [1]);
    store.commit((0..100).map(|number| put(1_000_000 + number, 700)).collect()).await.unwrap();
}

#[tokio::test]
async fn an_error_of_sql_rolls_the_whole_group_back() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let other = Connection::open(&path).unwrap();
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON record WHEN length(NEW.body) = 13
        BEGIN SELECT RAISE(ABORT, 'thirteen'); END";
    other.execute_batch(refuse).unwrap();
    let trouble = store.commit(vec![put(0, 10), put(1, 13)]).await.unwrap_err();
    assert!(matches!(trouble, StoreError::Broken(_)), "{trouble:?}");
    assert!(chain(&trouble).contains("thirteen"), "{}", chain(&trouble));
    assert_eq!(versions(&store, 0..2).await, [0, 0]);
    store.commit(vec![put(0, 10)]).await.unwrap();
    assert_eq!(versions(&store, 0..2).await, [1, 0]);
}

#[tokio::test]
async fn a_closed_store_is_unavailable_and_has_done_what_it_was_asked() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let commits = futures::future::join_all((0..50).map(|number| store.commit(vec![put(number, 10)])));
    let (answers, ()) = futures::join!(commits, store.close());
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    store.close().await;
    for trouble in [
        store.commit(vec![put(99, 10)]).await.unwrap_err(),
        store.load(vec![job(0)]).await.unwrap_err(),
        store.scan(Query::range(Index::Due, "", 1)).await.unwrap_err(),
    ] {
        assert!(matches!(trouble, StoreError::Unavailable(_)), "{trouble:?}");
        assert!(chain(&trouble).contains("closed"), "{}", chain(&trouble));
    }
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(versions(&store, 0..50).await, [1; 50]);
}

/// As root, for whom nothing is read-only, the test is repeated by nobody.
#[cfg(unix)]
#[tokio::test]
async fn a_read_only_file_is_said_to_be() {
    use std::os::unix::{fs::PermissionsExt as _, process::CommandExt as _};
    const NOBODY: u32 = 65_534;
    const PLACE: &str = "RUNNERS_TEST_READ_ONLY";
    let everyone_reads = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    if let Ok(path) = std::env::var(PLACE) {
        let refused = SqliteStore::open(path).await.unwrap_err();
        println!("\nrefused: {refused:?} {refused}");
        return;
    }
    let (directory, path) = place();
    SqliteStore::open(&path).await.unwrap().close().await;
    // Once the file, with a directory and lock that can be written, and once the directory.
    for (file, lock, whole) in [(0o444, 0o666, 0o777), (0o444, 0o444, 0o555)] {
        everyone_reads(&path, file);
        everyone_reads(&directory.path().join("queue.db.lock"), lock);
        everyone_reads(directory.path(), whole);
        let program = directory.path().with_extension("program");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        everyone_reads(&program, 0o755);
        let mut command = std::process::Command::new(&program);
        command.args(["--exact", "a_read_only_file_is_said_to_be", "--nocapture"]).env(PLACE, &path);
        if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.current_dir("/").output().unwrap();
        fs::remove_file(&program).unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("refused: ReadOnly"), "{text}{:?}", String::from_utf8(output.stderr));
        assert!(text.contains("make it and its directory writable"), "{text}");
    }
    everyone_reads(directory.path(), 0o755);
}

fn put_again(number: usize, expected: u64, bytes: usize) -> Write {
    let key = job(number);
    Write::Put { key, expected, format: 1, body: vec![8; bytes].into(), indexes: Vec::new() }
}

#[tokio::test]
async fn what_another_program_has_changed_is_read_again() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    store.commit(vec![put(0, 10)]).await.unwrap();
    Connection::open(&path).unwrap().execute("UPDATE record SET version = 7", []).unwrap();
    let refused = store.commit(vec![put_again(0, 1, 10)]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    store.commit(vec![put_again(0, 7, 10)]).await.unwrap();
    assert_eq!(versions(&store, 0..1).await, [8]);
}

#[tokio::test]
async fn what_was_rolled_back_is_not_remembered() {
    let (_directory, path) = place();
    let store = SqliteOptions::default().size_max(256 << 10).open(&path).await.unwrap();
    let refused = store.commit(vec![put(0, 10), put(1, 1 << 20)]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Full(_)), "{refused}");
    store.commit(vec![put(0, 10)]).await.unwrap();
    assert_eq!(versions(&store, 0..2).await, [1, 0]);
}
