//! The floor: the very rows that lifecycles write into the store, by SQL written by hand.
//!
//! A control plane on a store in memory plays lifecycles, and every batch it commits is kept.
//! Then those batches are written in the same order by as many callers, behind one writer thread
//! with group commit at `synchronous=FULL`, into tables like the store's. Nothing is checked, read
//! or decided: what is left is what the rows themselves cost.

use crate::{
    bed::{Bed, directory},
    floor::ready,
    sample::{Sample, Travelled},
    stopwatch::Stopwatch,
};
use anyhow::Context as _;
use async_trait::async_trait;
use futures::stream::BoxStream;
use runners_core::{
    Index, Key, MemoryStore,
    store::{Committed, Hint, Page, Query, Store, StoreError, Stored, Write},
};
use rusqlite::{Connection, params, params_from_iter, types::Value};
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::sync::oneshot;

/// How many batches one transaction takes at most, as the store's writer does.
const GROUP_MAX: usize = 1024;

const SCHEMA: &str = "
    CREATE TABLE record (
        key BLOB NOT NULL UNIQUE, version INTEGER NOT NULL, format INTEGER NOT NULL,
        ready BLOB, due BLOB, owner BLOB, parent BLOB, listed BLOB, mark BLOB, body BLOB NOT NULL);
    CREATE INDEX record_ready ON record (ready) WHERE ready IS NOT NULL;
    CREATE INDEX record_due ON record (due) WHERE due IS NOT NULL;
    CREATE INDEX record_owner ON record (owner) WHERE owner IS NOT NULL;
    CREATE INDEX record_parent ON record (parent) WHERE parent IS NOT NULL;
    CREATE INDEX record_listed ON record (listed) WHERE listed IS NOT NULL;
    CREATE INDEX record_mark ON record (mark) WHERE mark IS NOT NULL;
    CREATE TABLE body (
        key BLOB NOT NULL UNIQUE, version INTEGER NOT NULL, format INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE TABLE chunk (
        stream BLOB NOT NULL, at INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (stream, at)) WITHOUT ROWID;
    CREATE TABLE counter (key BLOB PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;";

/// What lifecycles write, batch by batch.
#[derive(Debug)]
pub struct Rows {
    batches: Vec<Vec<Write>>,
    /// How many of the batches came before the first lifecycle.
    before: usize,
    /// How many lifecycles wrote the others.
    lifecycles: u64,
}

impl Rows {
    /// Plays lifecycles for `span`, `callers` at once, and keeps what they write.
    ///
    /// # Errors
    /// If anything is refused, fenced or lost.
    pub async fn record(callers: usize, span: Duration) -> anyhow::Result<Self> {
        let kept = Arc::new(Recording::default());
        let bed = Bed::start_on(Arc::clone(&kept) as Arc<dyn Store>, None).await?;
        let travellers = bed.travellers(callers).await?;
        let before = kept.batches().len();
        let lifecycles = crate::journey::travel(travellers, span).await?.lifecycles;
        bed.control.stop().await?;
        let batches = std::mem::take(&mut *kept.batches());
        Ok(Self { batches, before, lifecycles })
    }

    /// Writes them into an empty database, `callers` batches at once, on the current runtime.
    ///
    /// # Errors
    /// If SQLite has trouble.
    pub async fn write(self, callers: usize) -> anyhow::Result<Sample> {
        let directory = directory()?;
        let (asks, writer) = open(&directory.path().join("rows.db"))?;
        let mut batches = self.batches.into_iter();
        for batch in batches.by_ref().take(self.before) {
            ask(&asks, batch).await?;
        }
        let batches = Arc::new(Mutex::new(batches));
        let mut writing = tokio::task::JoinSet::new();
        let watch = Stopwatch::start();
        for _ in 0..callers {
            let (asks, batches) = (asks.clone(), Arc::clone(&batches));
            writing.spawn(async move {
                loop {
                    let next = batches.lock().unwrap_or_else(PoisonError::into_inner).next();
                    match next {
                        Some(batch) => ask(&asks, batch).await?,
                        None => return anyhow::Ok(()),
                    }
                }
            });
        }
        while let Some(ended) = writing.join_next().await {
            ended??;
        }
        let travelled = Travelled { lifecycles: self.lifecycles, waits: Vec::new() };
        let sample = Sample::of(watch, [travelled]);
        drop(asks);
        writer.join().ok().context("the writer has panicked")??;
        Ok(sample)
    }
}

/// A store in memory that keeps every batch it was given and took.
#[derive(Debug, Default)]
struct Recording {
    store: MemoryStore,
    batches: Mutex<Vec<Vec<Write>>>,
}

impl Recording {
    fn batches(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Write>>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for Recording {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.store.load(keys).await
    }
    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.store.scan(query).await
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        let committed = self.store.commit(writes.clone()).await?;
        self.batches().push(writes);
        Ok(committed)
    }
    fn watch(&self) -> BoxStream<'static, Hint> {
        self.store.watch()
    }
}

type Asked = (Vec<Write>, oneshot::Sender<rusqlite::Result<()>>);

fn open(path: &Path) -> anyhow::Result<(mpsc::Sender<Asked>, JoinHandle<anyhow::Result<()>>)> {
    let connection = ready(path)?;
    connection.execute_batch(SCHEMA)?;
    let (asks, asked) = mpsc::channel();
    let writer = thread::Builder::new().name("rows-writer".into());
    Ok((asks, writer.spawn(move || write_all(&connection, &asked))?))
}

async fn ask(asks: &mpsc::Sender<Asked>, batch: Vec<Write>) -> anyhow::Result<()> {
    let (answer, answered) = oneshot::channel();
    asks.send((batch, answer)).ok().context("the writer has ended")?;
    Ok(answered.await??)
}

fn write_all(connection: &Connection, asked: &mpsc::Receiver<Asked>) -> anyhow::Result<()> {
    let mut answers = Vec::new();
    while let Ok(first) = asked.recv() {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut next = Some(first);
        while let Some((batch, caller)) = next {
            let written = batch.iter().try_for_each(|write| carry_out(connection, write));
            answers.push((caller, written));
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

fn carry_out(connection: &Connection, write: &Write) -> rusqlite::Result<()> {
    let (sql, values): (&str, Vec<Value>) = match write {
        Write::Put { key, expected, format, body, indexes } if key.kind.is_body() => {
            let sql = if *expected == 0 {
                "INSERT INTO body (key, version, format, body) VALUES (?1, 1, ?2, ?3)"
            } else {
                "UPDATE body SET version = version + 1, format = ?2, body = ?3 WHERE key = ?1"
            };
            debug_assert!(indexes.is_empty(), "bodies stand in no index");
            (sql, vec![bytes_of(key), (*format).into(), body.to_vec().into()])
        }
        Write::Put { key, expected, format, body, indexes } => {
            let sql = if *expected == 0 {
                "INSERT INTO record (key, version, format, body, ready, due, owner, parent, listed, mark)
                 VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
            } else {
                "UPDATE record SET version = version + 1, format = ?2, body = ?3, ready = ?4, due = ?5,
                 owner = ?6, parent = ?7, listed = ?8, mark = ?9 WHERE key = ?1"
            };
            let mut values = vec![bytes_of(key), (*format).into(), body.to_vec().into()];
            values.extend(Index::ALL.map(|index| {
                let entry = indexes.iter().find(|(other, _)| *other == index);
                entry.map_or(Value::Null, |(_, entry)| entry.to_vec().into())
            }));
            (sql, values)
        }
        Write::Delete { key, .. } if key.kind.is_body() => {
            ("DELETE FROM body WHERE key = ?1", vec![bytes_of(key)])
        }
        Write::Delete { key, .. } => ("DELETE FROM record WHERE key = ?1", vec![bytes_of(key)]),
        Write::Append { stream, at, bytes } | Write::AppendLines { stream, first: at, bytes, .. } => {
            let at = at.cast_signed().into();
            ("INSERT INTO chunk VALUES (?1, ?2, ?3)", vec![bytes_of(stream), at, bytes.to_vec().into()])
        }
        Write::Add { counter, delta, .. } => {
            let sql = "INSERT INTO counter VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = value + ?2";
            (sql, vec![bytes_of(counter), (*delta).into()])
        }
        Write::Drop { stream, before } => {
            connection
                .prepare_cached("DELETE FROM chunk WHERE stream = ?1 AND at < ?2")?
                .execute(params![bytes_of(stream), before.cast_signed()])?;
            return Ok(());
        }
        Write::Expect { .. } | Write::Above { .. } | Write::Raise { .. } => return Ok(()),
    };
    connection.prepare_cached(sql)?.execute(params_from_iter(values))?;
    Ok(())
}

fn bytes_of(key: &Key) -> Value {
    let mut bytes = key.tenant.as_bytes().to_vec();
    bytes.extend(key.kind.number().to_be_bytes());
    bytes.extend_from_slice(&key.id);
    bytes.into()
}
