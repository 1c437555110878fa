//! Durability: a process that is killed, or that runs out of disk, in the middle of commits
//! loses nothing that was acknowledged and leaves nothing half done.
//!
//! The child is this same program, told by the environment what to do; it writes to its output
//! what was acknowledged, after it was.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use futures::{StreamExt as _, stream::FuturesUnordered};
use runners_core::{
    Index, Key, Kind, TenantId,
    store::{Page, Query, Store, Write},
};
use runners_store_sqlite::SqliteStore;
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

const FILE: &str = "RUNNERS_TEST_KILL_FILE";
const ROUND: &str = "RUNNERS_TEST_KILL_ROUND";
const ROUNDS: u32 = 100;
const CALLERS: u32 = 16;
const BODY: [u8; 700] = [b'x'; 700];

/// The records that one batch writes together.
const PARTS: u32 = 3;

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_half_there_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("queue.db");
    let mut acknowledged_in = BTreeMap::new();
    let mut unacknowledged = 0;
    for round in 0..ROUNDS {
        let mut child = spawn(Command::new(env::current_exe().unwrap()), &path, round);
        // Always somewhere else: after the first few, and after some hundred.
        let enough = 1 + (round * 37 % 300) as usize;
        let acknowledged = acknowledgements(&mut child, |seen| seen == enough);
        assert!(acknowledged.len() >= enough, "the child ended by itself in round {round}");
        let found = look(&path, round);
        let lost: Vec<_> = acknowledged.difference(&found).collect();
        assert!(lost.is_empty(), "round {round} lost {lost:?}");
        unacknowledged += found.len() - acknowledged.len();
        acknowledged_in.insert(round, found);
    }
    // Later kills and recoveries have taken nothing from earlier rounds.
    for (round, found) in acknowledged_in {
        assert_eq!(look(&path, round), found, "round {round}");
    }
    // Otherwise no kill ever came between a commit and its answer, and little was shown.
    assert!(unacknowledged > 0);
}

#[cfg(unix)]
#[test]
fn nothing_acknowledged_is_lost_when_the_disk_takes_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("queue.db");
    let mut shell = Command::new("sh");
    // Files end at some megabytes; a write beyond fails instead of killing the process.
    shell.args(["-c", r#"trap "" XFSZ; ulimit -f 6000; exec "$0" "$@""#]).arg(env::current_exe().unwrap());
    let mut child = spawn(shell, &path, 0);
    let acknowledged = acknowledgements(&mut child, |_| false);
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    assert_eq!(child.wait().unwrap().code(), Some(0), "every caller was refused, and the child ended");
    let found = look(&path, 0);
    assert!(found.is_superset(&acknowledged));
    // With room again, writing goes on in the same file.
    let mut child = spawn(Command::new(env::current_exe().unwrap()), &path, 1);
    let later = acknowledgements(&mut child, |seen| seen == 10);
    assert!(look(&path, 1).is_superset(&later));
    assert_eq!(look(&path, 0), found);
}

#[test]
#[ignore = "the child of the tests above"]
fn child() {
    let (Ok(path), Ok(round)) = (env::var(FILE), env::var(ROUND)) else { return };
    let round: u32 = round.parse().unwrap();
    block_on(async {
        let store = SqliteStore::open(path).await.unwrap();
        let store = &store;
        let mut callers: FuturesUnordered<_> = (0..CALLERS)
            .map(|caller| async move {
                for number in (caller..).step_by(CALLERS as usize) {
                    if store.commit(batch(round, number)).await.is_err() {
                        return;
                    }
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "\nack {number}").and_then(|()| out.flush()).unwrap();
                }
            })
            .collect();
        while callers.next().await.is_some() {}
    });
}

fn spawn(mut program: Command, path: &Path, round: u32) -> Child {
    program
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FILE, path)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads what the child says to the end, and kills it as soon as `enough` says so.
fn acknowledgements(child: &mut Child, enough: impl Fn(usize) -> bool) -> BTreeSet<u32> {
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut acknowledged = BTreeSet::new();
    let mut complete = String::new();
    for byte_line in output.split(b'\n') {
        complete.clear();
        complete.push_str(std::str::from_utf8(&byte_line.unwrap()).unwrap());
        let Some(number) = complete.strip_prefix("ack ") else { continue };
        acknowledged.insert(number.parse().unwrap());
        if enough(acknowledged.len()) {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    acknowledged
}

fn key(kind: Kind, round: u32, rest: &[u32]) -> Key {
    let words = [&[round], rest].concat();
    Key::new(TenantId::DEFAULT, kind, words.into_iter().flat_map(u32::to_be_bytes).collect::<Vec<_>>())
}

/// Three records, a chunk and a count that belong together.
fn batch(round: u32, number: u32) -> Vec<Write> {
    let mut writes: Vec<_> = (0..PARTS)
        .map(|part| {
            let key = key(Kind::Job, round, &[number, part]);
            let entry = (Index::Listed, key.id.clone());
            Write::Put { key, expected: 0, format: 1, body: BODY.to_vec().into(), indexes: vec![entry] }
        })
        .collect();
    writes.push(Write::Add { counter: key(Kind::Limit, round, &[]), delta: 1, max: None });
    let stream = key(Kind::Log, round, &[]);
    writes.push(Write::Append { stream, at: number.into(), bytes: BODY[..1].to_vec().into() });
    writes
}

/// The batches of a round that are there, once each was found to be there as a whole.
fn look(path: &Path, round: u32) -> BTreeSet<u32> {
    block_on(async {
        let store = SqliteStore::open(path).await.unwrap();
        let mut parts = BTreeMap::<u32, u32>::new();
        let prefix = round.to_be_bytes().to_vec();
        let Page::Rows { rows, more: false } =
            store.scan(Query::range(Index::Listed, prefix, u32::MAX)).await.unwrap()
        else {
            panic!("all rows of a round")
        };
        for (entry, stored) in rows {
            assert_eq!((stored.version, &stored.body[..]), (1, &BODY[..]));
            *parts.entry(u32::from_be_bytes(entry[4..8].try_into().unwrap())).or_default() += 1;
        }
        assert!(parts.values().all(|count| *count == PARTS), "half a batch is there: {parts:?}");
        let prefix = key(Kind::Limit, round, &[]);
        let counters = store.scan(Query::Counters { prefix: prefix.clone(), limit: 2 }).await.unwrap();
        let count = i64::try_from(parts.len()).unwrap();
        let expected = if count == 0 { vec![] } else { vec![(prefix, count)] };
        assert_eq!(counters, Page::Counters(expected));
        let stream = key(Kind::Log, round, &[]);
        let Page::Chunks { chunks, .. } =
            store.scan(Query::Stream { stream, from: 0, bytes_max: u32::MAX }).await.unwrap()
        else {
            panic!("all chunks of a round")
        };
        assert!(chunks.iter().map(|(at, _)| *at).eq(parts.keys().map(|number| u64::from(*number))));
        store.close().await;
        parts.into_keys().collect()
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
