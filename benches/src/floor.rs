//! The floor: the least that a durable queue on SQLite can do, written by hand.
//!
//! One table, one writer thread with group commit at `synchronous=FULL`, three statements for a
//! job: insert, claim, finish. It has no runners, sessions, histories, labels, priorities by lane
//! or idempotent submits. The connection is set up as the store's is.

use crate::{
    bed::directory,
    journey::PAYLOAD_BYTES,
    sample::{Sample, Travelled},
    stopwatch::{Stopwatch, now},
};
use anyhow::Context as _;
use runners_core::{BootTime, Clock as _, SystemClock};
use rusqlite::{Connection, OptionalExtension as _, config::DbConfig, params};
use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::sync::oneshot;

const SCHEMA: &str = "
    CREATE TABLE job (
        id INTEGER PRIMARY KEY,
        queue TEXT NOT NULL,
        state INTEGER NOT NULL DEFAULT 0,
        priority INTEGER NOT NULL DEFAULT 0,
        ready_at INTEGER NOT NULL,
        lease_until INTEGER,
        token INTEGER,
        attempts INTEGER NOT NULL DEFAULT 0,
        submitted_at INTEGER NOT NULL,
        ended_at INTEGER,
        payload TEXT NOT NULL
    ) STRICT;
    CREATE INDEX job_ready ON job (queue, priority, ready_at, id) WHERE state = 0;
    CREATE INDEX job_lease ON job (lease_until) WHERE state = 1;";

const SUBMIT: &str = "INSERT INTO job (queue, ready_at, submitted_at, payload) VALUES ('q', ?1, ?1, ?2)";

const CLAIM: &str = "
    UPDATE job SET state = 1, lease_until = ?1 + 30000, token = ?2, attempts = attempts + 1
    WHERE id = (
        SELECT id FROM job WHERE state = 0 AND queue = 'q' AND ready_at <= ?1
        ORDER BY priority, ready_at, id LIMIT 1)
    RETURNING id, payload";

const FINISH: &str = "
    UPDATE job SET state = 2, lease_until = NULL, ended_at = ?1
    WHERE id = ?2 AND state = 1 AND token = ?3";

/// How many statements one transaction takes at most.
const GROUP_MAX: usize = 1024;

/// What the writer is asked.
enum Ask {
    Submit { payload: Arc<str> },
    Claim,
    Finish(Claimed),
}

/// A job that was claimed.
#[derive(Clone, Copy)]
struct Claimed {
    id: i64,
    token: i64,
}

/// What the writer answers after COMMIT: the job that was claimed, if that was asked.
type Answer = rusqlite::Result<Option<Claimed>>;

type Asked = (Ask, oneshot::Sender<Answer>);

/// The queue: callers ask, one thread writes.
struct Floor {
    asks: mpsc::Sender<Asked>,
    writer: JoinHandle<anyhow::Result<()>>,
}

/// Measures how jobs travel through the floor, `callers` at once, on the current runtime.
///
/// # Errors
/// If SQLite has trouble.
pub async fn travel(callers: usize, span: Duration) -> anyhow::Result<Sample> {
    let directory = directory()?;
    let floor = Floor::open(&directory.path().join("floor.db"))?;
    let mut travelling = tokio::task::JoinSet::new();
    let watch = Stopwatch::start();
    let until = now() + span;
    for _ in 0..callers {
        travelling.spawn(travel_until(floor.asks.clone(), until));
    }
    let mut travelled = Vec::new();
    while let Some(ended) = travelling.join_next().await {
        travelled.push(ended??);
    }
    let sample = Sample::of(watch, travelled);
    floor.close()?;
    Ok(sample)
}

async fn travel_until(asks: mpsc::Sender<Asked>, until: BootTime) -> anyhow::Result<Travelled> {
    let payload: Arc<str> = "x".repeat(PAYLOAD_BYTES).into();
    let mut travelled = Travelled::default();
    while now() < until {
        let sent = now();
        ask(&asks, Ask::Submit { payload: Arc::clone(&payload) }).await?;
        let claimed = ask(&asks, Ask::Claim).await?.context("there is a job for every claim")?;
        travelled.waits.push(now().since(sent));
        ask(&asks, Ask::Finish(claimed)).await?;
        travelled.lifecycles += 1;
    }
    Ok(travelled)
}

async fn ask(asks: &mpsc::Sender<Asked>, ask: Ask) -> anyhow::Result<Option<Claimed>> {
    let (answer, answered) = oneshot::channel();
    asks.send((ask, answer)).ok().context("the writer has ended")?;
    Ok(answered.await??)
}

impl Floor {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let connection = ready(path)?;
        connection.execute_batch(SCHEMA)?;
        let (asks, asked) = mpsc::channel();
        let writer = thread::Builder::new().name("floor-writer".into());
        let writer = writer.spawn(move || write_all(&connection, &asked))?;
        Ok(Self { asks, writer })
    }

    fn close(self) -> anyhow::Result<()> {
        drop(self.asks);
        self.writer.join().ok().context("the writer has panicked")?
    }
}

/// Opens a database as the store does.
pub(crate) fn ready(path: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536;",
    )?;
    connection.query_row("PRAGMA wal_autocheckpoint = 8000", [], |_| Ok(()))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// Takes whatever waits into one transaction, and answers after COMMIT.
fn write_all(connection: &Connection, asked: &mpsc::Receiver<Asked>) -> anyhow::Result<()> {
    let mut token = 0;
    let mut answers = Vec::new();
    while let Ok(first) = asked.recv() {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut next = Some(first);
        while let Some((ask, caller)) = next {
            token += 1;
            answers.push((caller, carry_out(connection, ask, token)));
            next = if answers.len() < GROUP_MAX { asked.try_recv().ok() } else { None };
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        for (caller, answer) in answers.drain(..) {
            // A caller that has gone away does not want to know.
            let _ = caller.send(answer);
        }
    }
    Ok(())
}

fn carry_out(connection: &Connection, ask: Ask, token: i64) -> Answer {
    let now = SystemClock::default().wall().as_millis().cast_signed();
    match ask {
        Ask::Submit { payload } => {
            connection.prepare_cached(SUBMIT)?.execute(params![now, &*payload])?;
            Ok(None)
        }
        Ask::Claim => connection
            .prepare_cached(CLAIM)?
            .query_row(params![now, token], |row| {
                let _payload: String = row.get(1)?;
                Ok(Claimed { id: row.get(0)?, token })
            })
            .optional(),
        Ask::Finish(job) => {
            let ended = connection.prepare_cached(FINISH)?.execute(params![now, job.id, job.token])?;
            if ended == 1 { Ok(None) } else { Err(rusqlite::Error::StatementChangedRows(ended)) }
        }
    }
}
