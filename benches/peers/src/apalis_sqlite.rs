//! Measures apalis-sqlite: how many jobs a second travel from submit to their end, with every
//! step durable.
//!
//! It is measured at its best, without its polling: each caller pushes one job, fetches one, and
//! acknowledges it, by the crate's own public queries, each in a transaction as the crate's own
//! storage makes it. What it does beyond that (the lock of a fetched job, which can be switched
//! off, keeping workers alive) is left out. The only change to its settings is
//! `synchronous=FULL`: its own set-up says OFF, which loses acknowledged jobs at a power cut.

use crate::{Outcome, PAYLOAD_BYTES};
use apalis_core::{
    backend::TaskResult,
    task::{builder::TaskBuilder, status::Status},
    worker::context::WorkerContext,
};
use apalis_sqlite::{
    Config, SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteStorage,
    queries::{ack_tasks, fetch_next, push_tasks, register_worker},
};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use std::time::{Duration, Instant};

const QUEUE: &str = "peer";
/// Longer than any run: a connection that waits for another is slow, not broken.
const PATIENCE: Duration = Duration::from_secs(600);

/// How many jobs have travelled, and how long that took: `callers` at once over `connections`.
pub async fn measure(callers: u32, seconds: u32, connections: u32) -> Outcome<(u32, Duration)> {
    let directory = tempfile::tempdir_in(".")?;
    let pool = open(&directory.path().join("peer.db"), connections).await?;
    let config = Config { batch_size: 1, queue: QUEUE.into(), ..Config::default() };
    let mut workers = Vec::new();
    for number in 0..callers {
        let worker = WorkerContext::new(&format!("worker-{number}"));
        register_worker(&mut *pool.acquire().await?, &config, &worker, "SqliteStorage").await?;
        workers.push(worker);
    }
    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds.into());
    let mut running = tokio::task::JoinSet::new();
    for worker in workers {
        running.spawn(call_until(until, pool.clone(), config.clone(), worker));
    }
    let mut lifecycles = 0;
    while let Some(ended) = running.join_next().await {
        lifecycles += ended??;
    }
    Ok((lifecycles, begun.elapsed()))
}

async fn open(path: &std::path::Path, connections: u32) -> Outcome<SqlitePool> {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).busy_timeout(PATIENCE);
    // Its set-up sets pragmas on one connection, so it gets a pool of its own that is closed.
    let setup = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
    SqliteStorage::setup(&setup).await?;
    setup.close().await;
    let durable = options
        .synchronous(SqliteSynchronous::Full)
        .pragma("temp_store", "MEMORY")
        .pragma("cache_size", "64000");
    let pool = SqlitePoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
    Ok(pool.connect_with(durable).await?)
}

/// Lets jobs travel one after the other. How many have.
async fn call_until(until: Instant, pool: SqlitePool, config: Config, worker: WorkerContext) -> Outcome<u32> {
    let payload = vec![b'x'; PAYLOAD_BYTES];
    let mut lifecycles = 0;
    while Instant::now() < until {
        // IMMEDIATE, which the crate does not say, spares its transactions the busy errors of
        // readers that become writers.
        let mut push = pool.begin_with("BEGIN IMMEDIATE").await?;
        push_tasks(&mut *push, QUEUE, &[TaskBuilder::new(payload.clone()).build()]).await?;
        push.commit().await?;

        let mut fetch = pool.begin_with("BEGIN IMMEDIATE").await?;
        let fetched = fetch_next(&mut *fetch, &config, &worker).await?;
        fetch.commit().await?;

        let ended: Vec<_> = fetched
            .iter()
            .filter_map(|task| task.task_id().cloned())
            .map(|task_id| TaskResult {
                task_id,
                attempt: 1,
                status: Status::Done,
                result: Ok(serde_json::json!(42)),
            })
            .collect();
        let mut acknowledge = pool.begin_with("BEGIN IMMEDIATE").await?;
        let count = ack_tasks(&mut *acknowledge, &ended.iter().collect::<Vec<_>>(), worker.name()).await?;
        acknowledge.commit().await?;
        lifecycles += u32::try_from(count)?;
    }
    Ok(lifecycles)
}
